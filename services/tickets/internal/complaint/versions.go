package complaint

// Gates of the workflow's versions: histories that were recorded before a change are replayed as they were.
const (
	// partsAreKept writes down what a part of a remedy came to as soon as it was carried out, where others are left.
	partsAreKept = "parts-are-kept"
)
