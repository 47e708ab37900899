package lead

// ListSQL is the statement that lists leads.
var ListSQL = listSQL
