package knowledge

import (
	"context"
	"math"
	"strings"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Filter says which articles are meant.
type Filter struct {
	State    State    // of the articles
	Audience Audience // empty: any
	Language string   // empty: any
	Category string   // code: of it or of one below it; empty: any
}

// Place is where an article stands among those that were found.
type Place struct {
	Score int64
	ID    uuid.UUID
}

// first is before all others.
func first() Place { return Place{math.MaxInt64, uuid.Max} }

// Hit is an article that was found.
type Hit struct {
	Article
	Score   int64    // in thousandths; only to be compared with others of the same search. 0 where no words were looked for
	Matched []string // the words that it was found by, as they are looked for
	Said    *bool    // whether it helped: what was said of it and the ticket that it is suggested on; nil: nothing
}

// Get gives an article of the caller's tenant.
func (a *Articles) Get(ctx context.Context, id uuid.UUID) (found Article, err error) {
	err = a.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = get(ctx, tx, id)
		return err
	})
	return found, err
}

// Version gives one version of an article.
func (a *Articles) Version(ctx context.Context, id uuid.UUID, no int) (found Version, err error) {
	err = a.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		if _, err = get(ctx, tx, id); err == nil {
			found, err = version(ctx, tx, id, no)
		}
		return err
	})
	return found, err
}

// Versions gives up to limit versions of an article, the latest first, those before the number.
func (a *Articles) Versions(ctx context.Context, id uuid.UUID, before, limit int) (found []Version, err error) {
	err = a.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		if _, err = get(ctx, tx, id); err == nil {
			found, err = versions(ctx, tx, id, before, limit)
		}
		return err
	})
	return found, err
}

// List gives up to limit articles, the latest first, those before an id unless that is Nil.
func (a *Articles) List(ctx context.Context, f Filter, before uuid.UUID, limit int) (found []Hit, err error) {
	err = a.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		all, err := list(ctx, tx, f, before, limit)
		for _, one := range all {
			found = append(found, Hit{Article: one})
		}
		return err
	})
	return found, err
}

// Search gives up to limit articles that have all words of the text, the best first, those behind the place. The words may
// stand anywhere in an article; the last letters of a word may be missing.
func (a *Articles) Search(ctx context.Context, f Filter, text string, after Place, limit int) (found []Hit, err error) {
	tenant := auth.Tenant(ctx)
	terms := searched(tenant, text)
	if len(terms) == 0 {
		return nil, nil
	}
	err = a.db.Read(ctx, tenant, func(tx *pg.Tx) error {
		count, err := counts(ctx, tx, terms, f.State)
		if err != nil {
			return err
		}
		weigh(terms, count)
		found, err = find(ctx, tx, lookup{Filter: f, terms: terms, all: true, after: after, limit: limit})
		return err
	})
	return found, err
}

// Suggest gives up to limit published articles that have words in common with a ticket, those first that have the rarest in
// common; its category counts, and how often an article helped.
func (a *Articles) Suggest(ctx context.Context, ticketID uuid.UUID, f Filter, limit int) (found []Hit, err error) {
	t, err := a.tickets.Get(ctx, ticketID)
	if err != nil {
		return nil, err
	}
	tenant := auth.Tenant(ctx)
	terms := asked(tenant, t.Subject, t.Description)
	if len(terms) == 0 {
		return nil, nil
	}
	err = a.db.Read(ctx, tenant, func(tx *pg.Tx) error {
		count, err := counts(ctx, tx, terms, f.State)
		if err != nil {
			return err
		}
		weigh(terms, count)
		if terms = telling(terms, count); len(terms) == 0 {
			return nil
		}
		if found, err = find(ctx, tx, lookup{Filter: f, terms: terms, near: t.Category, after: first(), limit: limit}); err != nil {
			return err
		}
		return judgements(ctx, tx, ticketID, found)
	})
	return found, err
}

// lookup is a question to the index.
type lookup struct {
	Filter
	terms []term
	all   bool   // all terms have to be there; otherwise any
	near  string // category of which an article counts for more
	after Place
	limit int
}

// every gives the expression of what all have to have; nil: of nothing.
func (l lookup) every() *string {
	if !l.all {
		return nil
	}
	queries := make([]string, len(l.terms))
	for i, t := range l.terms {
		queries[i] = t.query
	}
	return pg.OrNull(strings.Join(queries, " & "))
}
