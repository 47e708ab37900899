// Package projection holds those tables of accounts that can be rebuilt from topics.
package projection

import "embed"

// FS are the goose files.
//
//go:embed *.sql
var FS embed.FS
