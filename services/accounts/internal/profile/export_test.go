package profile

// Statement is the one by which a profile is read.
var Statement = profileSQL
