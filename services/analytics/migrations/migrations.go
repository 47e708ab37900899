// Package migrations holds the SQL that makes the tables of analytics that are no part of its projection: definitions, models
// and scores.
package migrations

import "embed"

// FS holds the files, for goose.
//
//go:embed *.sql
var FS embed.FS
