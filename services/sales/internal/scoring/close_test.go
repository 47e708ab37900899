package scoring_test

import (
	"context"
	"testing"
	"time"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
	"github.com/guanxi-crm/guanxi/services/sales/internal/scoring"
)

func TestCasesThatEndedOnDaysOfTheirOwnCountAsOfThoseDays(t *testing.T) {
	t.Parallel()
	d := deskOf(t, salestest.Start(t), "pizza")
	id := d.save(publishedCases(published{"one", 1, 1, 1, 1}, published{"one", 1, 2, 2, 2}, published{"one", 1, 3, 3, 1})...)
	now := time.Now().UTC()
	d.in(func(ctx context.Context, tx *pg.Tx) error {
		return d.scores.Close(ctx, tx,
			scoring.Closed{ID: id[0], Won: true, At: now.AddDate(-1, 0, 0)}, scoring.Closed{ID: id[1], Won: false, At: now.AddDate(0, 0, -1)})
	})
	d.count("one", "country", "1", "1.1/1.1")
	d.rebuild(now.AddDate(0, -1, 0))
	d.count("one", "country", "1", "0.1/1.1") // what was won a year ago is out of it
	d.in(func(ctx context.Context, tx *pg.Tx) error {
		return d.scores.Close(ctx, tx, scoring.Closed{ID: id[1], Won: true, At: now}, scoring.Closed{ID: id[2], Won: false, At: now})
	})
	d.count("one", "country", "1", "1.1/1.1") // the one that was lost was won after all
	if err := d.scores.Close(d.ctx(), nil); err != nil {
		t.Errorf("nothing: %v", err)
	}
}
