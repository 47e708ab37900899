package lead

// ListSQL is the statement that lists leads.
var ListSQL = listSQL

// TwinsSQL is the statement that looks for leads that are the same.
const TwinsSQL = twinsSQL
