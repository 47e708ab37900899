package profile

// Statement is the one by which a profile is read.
const Statement = profileSQL
