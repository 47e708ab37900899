// Package migrations holds the SQL that makes the tables of console.
package migrations

import "embed"

// FS holds the files, for goose.
//
//go:embed *.sql
var FS embed.FS
