// Package web holds the page that people work in, built into dist. Where nothing was built, the program shows a page that says so.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Placeholder is shown where the page was not built.
//
//go:embed placeholder.html
var Placeholder []byte

// Files are the files of the built page: none of them where it was not built.
func Files() (fs.FS, error) { return fs.Sub(dist, "dist") }
