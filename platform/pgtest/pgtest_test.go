package pgtest_test

import (
	"context"
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/migrate"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
)

// shop is a service with one table.
func shop() migrate.Source {
	return migrate.Source{Service: "shop", FS: fstest.MapFS{"00001_item.sql": {Data: []byte(`
-- +goose Up
CREATE TABLE item (tenant_id text NOT NULL, id uuid NOT NULL, name text NOT NULL, PRIMARY KEY (tenant_id, id));
SELECT guanxi_tenant_table('item');
`)}}}
}

func TestEveryTestHasADatabaseOfItsOwn(t *testing.T) {
	t.Parallel()
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			db := pgtest.New(t, shop())
			var n int
			require.NoError(t, db.Tx(ctx, "pizza", func(tx *pg.Tx) error {
				tx.Queue("INSERT INTO item VALUES ($1, gen_random_uuid(), 'cup')", "pizza")
				return tx.QueryRow(ctx, "SELECT count(*) FROM item").Scan(&n)
			}))
			require.Equal(t, 1, n)
		})
	}
}
