package process

// Fits is what tests look at.
var Fits = fits
