// Package projection holds what service keeps of other services' events: all of it can be rebuilt from topics.
package projection

import "embed"

// FS are the goose files.
//
//go:embed *.sql
var FS embed.FS
