package insight

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
)

// view names these reads in the log of looks.
const view = "insights"

// Seen gives what is said of a customer, as far as it is in sight, by name; with a name, only that one. Looks at sensitive
// data are logged, or nothing is answered.
func (in *Insights) Seen(ctx context.Context, s access.Sight, id uuid.UUID, name string) ([]Insight, error) {
	var seen []Insight
	err := in.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		ref, err := customer.Resolve(ctx, tx, id)
		if err != nil {
			return err
		}
		all, err := of(ctx, tx, ref.Group())
		if err != nil {
			return err
		}
		seen = slices.DeleteFunc(Latest(all), func(i Insight) bool {
			return !s.MayAll(i.Inputs...) || name != "" && i.Name != name
		})
		return in.looks.Record(ctx, tx, s, looks(seen, ref.Root)...)
	})
	return seen, err
}

func looks(seen []Insight, customer uuid.UUID) []access.Look {
	looks := make([]access.Look, len(seen))
	for n, i := range seen {
		looks[n] = i.Look(view, customer)
	}
	return looks
}
