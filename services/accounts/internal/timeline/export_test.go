package timeline

// Statements are those by which a timeline is read.
func Statements() []string { return []string{stateSQL, entriesSQL, factsSQL} }
