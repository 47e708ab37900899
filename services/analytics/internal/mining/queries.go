package mining

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/model"
)

// readTime is how long one statement of a read may take.
const readTime = 5 * time.Second

// Advice is what is recommended, and why, or why not.
type Advice struct {
	CustomerID uuid.UUID // who stands for all its ids; Nil for articles
	Model      model.Model
	Why        string // there is none; empty where there is
	Rules      []Rule // the best for each article, the best first
	AsOf       time.Time
}

// ForProducts says what else goes with the articles.
func (m *Mining) ForProducts(ctx context.Context, skus []string, limit int) (a Advice, err error) {
	err = m.db.ReadWithin(ctx, auth.Tenant(ctx), readTime, func(tx *pg.Tx) (err error) {
		if a, err = m.begin(ctx, tx); err != nil || a.Why != "" {
			return err
		}
		return a.advise(ctx, tx, skus, skus, limit)
	})
	return a, err
}

// ForCustomer gives the next best offers for the customer: nothing that it ever bought.
func (m *Mining) ForCustomer(ctx context.Context, id uuid.UUID, limit int) (a Advice, err error) {
	err = m.db.ReadWithin(ctx, auth.Tenant(ctx), readTime, func(tx *pg.Tx) error {
		root, held, has, err := purchases(ctx, tx, id)
		if err != nil {
			return err
		}
		a, err = m.begin(ctx, tx)
		a.CustomerID = root
		switch {
		case err != nil || a.Why != "":
			return err
		case len(held) == 0:
			a.Why = WhyNoPurchases
			return nil
		}
		return a.advise(ctx, tx, held, has, limit)
	})
	return a, err
}

func (m *Mining) begin(ctx context.Context, tx *pg.Tx) (a Advice, err error) {
	if a.AsOf, err = fact.AsOf(ctx, tx); err != nil {
		return a, err
	}
	var inUse bool
	if a.Model, inUse, err = model.InUse(ctx, tx, KindRules); err == nil && !inUse {
		a.Why = WhyNoRules
	}
	return a, err
}

func (a *Advice) advise(ctx context.Context, tx *pg.Tx, held, has []string, limit int) error {
	rules, err := rulesOf(ctx, tx, held, len(held))
	if err != nil {
		return err
	}
	if a.Rules = Recommend(rules, held, has, limit); len(a.Rules) == 0 {
		a.Why = WhyNoRuleFits
	}
	return nil
}

// numberedRule is a rule in use with its place, from 1.
type numberedRule struct {
	no   int
	rule Rule
}

// InUse lists rules in use from a place on, the best first: those with the article on either side, or all where it is empty.
func (m *Mining) InUse(ctx context.Context, sku string, from, limit int) (all []numberedRule, err error) {
	err = m.db.ReadWithin(ctx, auth.Tenant(ctx), readTime, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT no, conditions, consequent, baskets, with_if, with_then, with_both FROM mining_rule
			WHERE tenant_id = $1 AND no > $2 AND ($3 = '' OR consequent = $3 OR $3 = ANY (conditions)) ORDER BY no LIMIT $4`, tx.Tenant(), from, sku, limit)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (n numberedRule, err error) {
			r := &n.rule
			err = row.Scan(&n.no, &r.If, &r.Then, &r.N, &r.Counts.If, &r.Counts.Then, &r.Both)
			return n, err
		})
		return err
	})
	return all, err
}

// Assignment says how far the writing of clusters into portraits is; ok is false where no model of clusters was put to use.
func (m *Mining) Assignment(ctx context.Context) (a assignment, of model.Model, ok bool, err error) {
	err = m.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if a, ok, err = findAssignment(ctx, tx); err != nil || !ok {
			return err
		}
		of, err = model.Find(ctx, tx, a.ModelID)
		return err
	})
	return a, of, ok, err
}
