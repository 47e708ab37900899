// Package projection holds the tables of analytics: all of them can be rebuilt from topics.
package projection

import "embed"

// FS are the goose files.
//
//go:embed *.sql
var FS embed.FS
