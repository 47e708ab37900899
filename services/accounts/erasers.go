package accounts

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/asset"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/consent"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/contact"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customerexport"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/erasure"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/insight"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/interaction"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/matching"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/merge"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/preference"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/relationship"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/search"
)

// holders are the other services that hold something of customers.
func holders() []string { return []string{"analytics", "loyalty", "sales", "tickets"} }

// erasers are the rooms that keep something personal, in the order in which they erase: the customers' own records last, by
// which the others may know what to look for.
func erasers(consents *consent.Consents, clock func() time.Time) []erasure.Room {
	type byID = func(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) (map[string]int64, error)
	room := func(name string, erase byID) erasure.Room {
		return erasure.Room{Name: name, Erase: func(ctx context.Context, tx *pg.Tx, customers []uuid.UUID, _ []string) (map[string]int64, error) {
			return erase(ctx, tx, customers)
		}}
	}
	return []erasure.Room{
		room("consent", consents.Erase),
		room("preference", preference.Erase),
		room("contact", contact.Erase),
		room("relationship", relationship.Erase),
		room("asset", asset.Erase),
		room("interaction", interaction.Erase),
		room("insight", insight.Erase),
		room("merge", merge.Erase),
		room("export", func(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) (map[string]int64, error) {
			return customerexport.Erase(ctx, tx, customers, clock())
		}),
		{Name: "import", Erase: func(ctx context.Context, tx *pg.Tx, _ []uuid.UUID, words []string) (map[string]int64, error) {
			n, err := imports.Erase(ctx, tx, words)
			return map[string]int64{"import_rejection": n}, err
		}},
		room("search", search.Erase),
		room("matching", matching.Erase),
		room("customer", customer.Erase),
	}
}
