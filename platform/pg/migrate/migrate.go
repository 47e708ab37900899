// Package migrate makes a service's database and brings it up to date.
package migrate

import (
	"context"
	"io/fs"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Source is the SQL of one service.
type Source struct {
	Service    string
	FS         fs.FS // NNNNN_name.sql for goose; may be nil
	Projection fs.FS // the same, run in the schemas live and shadow; may be nil
}

// Bootstrap makes the database and its four roles; run again it changes nothing.
func Bootstrap(ctx context.Context, adminURL string, cfg pg.Config, service string) error { panic("not yet") }

// Up migrates the database as its owner.
func Up(ctx context.Context, cfg pg.Config, src Source) error { panic("not yet") }
