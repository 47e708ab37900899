// Package survey asks customers how it was, and counts what they say: satisfaction, recommendation, effort and longer
// questionnaires, by a link that is answered once.
package survey
