package imports_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// abreast has a kind's batches be written beside each other.
func abreast(k *imports.Kind) { k.Apart = func([]imports.Row) bool { return true } }

// TestBatchesThatAreApartAreWrittenAtOnce has each batch wait until two others are at work as well.
func TestBatchesThatAreApartAreWrittenAtOnce(t *testing.T) {
	t.Parallel()
	var present, most atomic.Int64
	w := newWorld(t, abreast, func(k *imports.Kind) {
		k.Apply = func(ctx context.Context, tx *pg.Tx, job imports.Job, rows []imports.Row) ([]imports.Rejection, error) {
			defer present.Add(-1)
			for n, until := present.Add(1), time.Now().Add(10*time.Second); most.Load() < 3 && time.Now().Before(until); time.Sleep(time.Millisecond) {
				most.Store(max(n, present.Load(), most.Load()))
			}
			most.Store(max(present.Load(), most.Load()))
			return apply(ctx, tx, job, rows)
		}
	})
	w.work()
	id := w.upload("", file(8000)).ID
	w.ended(id)
	w.requireOnce(id, 8000)
	require.Equal(t, int64(3), most.Load())
}

// TestABatchThatIsNotApartSeesTheOneBefore asks each batch for the row before its first.
func TestABatchThatIsNotApartSeesTheOneBefore(t *testing.T) {
	t.Parallel()
	var lacking atomic.Int64
	w := newWorld(t, func(k *imports.Kind) {
		k.Apart = func(rows []imports.Row) bool { return rows[0].Number%4000 != 1 } // every fourth batch is not
		k.Apply = func(ctx context.Context, tx *pg.Tx, job imports.Job, rows []imports.Row) ([]imports.Rejection, error) {
			if n := rows[0].Number; n > 1 && n%4000 == 1 {
				var there int64
				if err := tx.QueryRow(ctx, `SELECT count(*) FROM person WHERE tenant_id = $1`, tx.Tenant()).Scan(&there); err != nil {
					return nil, err
				}
				lacking.Add(n - 1 - there)
			}
			return apply(ctx, tx, job, rows)
		}
	})
	w.work()
	id := w.upload("", file(16_000)).ID
	w.ended(id)
	w.requireOnce(id, 16_000)
	require.Zero(t, lacking.Load())
}

func TestRejectionsOfBatchesAbreastStandInTheOrderOfTheFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, abreast)
	w.work()
	var text strings.Builder
	var want []string
	text.WriteString("ref,name,age\n")
	for n := 2; n < 9000; n++ {
		name := "somebody"
		switch n % 500 {
		case 0:
			name = "nobody"
			want = append(want, fmt.Sprintf("%d:name:name_reserved", n))
		case 7:
			name = "everybody"
			want = append(want, fmt.Sprintf("%d:name:not_one", n))
		}
		fmt.Fprintf(&text, "r%d,%s,1\n", n, name)
	}
	v := w.ended(w.upload("", text.String()).ID)
	require.Equal(t, "finished", v.State)
	require.Equal(t, want, w.rejections(v.ID, 100))
	require.Equal(t, int64(8998-len(want)), v.Accepted)
	require.Equal(t, v.Accepted, w.count(`SELECT count(*) FROM person`))
}
