package order

// ListSQL is the statement that lists orders.
var ListSQL = listSQL
