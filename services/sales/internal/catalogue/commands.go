package catalogue

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// remembered is how long the answer to a batch is kept: longer than its Idempotency-Key.
const remembered = 48 * time.Hour

// Catalogue is what can be done with products and their prices.
type Catalogue struct {
	db    *pg.DB
	clock func() time.Time
}

// New makes the capability.
func New(db *pg.DB, clock func() time.Time) *Catalogue { return &Catalogue{db: db, clock: clock} }

// now is cut to what the database keeps.
func (c *Catalogue) now() time.Time { return c.clock().UTC().Truncate(time.Microsecond) }

func invalid(of string, f faults) error {
	return problem.InvalidBody(of+"_invalid", "It was not accepted: mend the fields named here.", f)
}

// PutProduct makes a product, or changes it, if it still is as the caller saw it: fresh is asked with the version, which is 0
// where there is none yet.
func (c *Catalogue) PutProduct(ctx context.Context, p Product, fresh func(version int64) error) (Product, error) {
	f := p.faults()
	if len(f) > 0 {
		return Product{}, invalid("product", f)
	}
	err := c.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		hold(tx)
		lockRows(tx, "product", []string{p.SKU})
		found, categories := Find(tx, []string{p.SKU}), allCategories(tx)
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		was := (*found)[p.SKU]
		if err := fresh(was.Version); err != nil {
			return err
		}
		if f := p.belongs(categories, was); len(f) > 0 {
			return invalid("product", f)
		}
		if p.says(was) {
			p = was
			return nil
		}
		p.Version, p.ChangedAt, p.Path = was.Version+1, c.now(), categories[p.Category].Path
		saveProducts(tx, []Product{p})
		return nil
	})
	return p, err
}

// PutCategory makes a category, or changes it, if it still is as the caller saw it. What stands below it moves along.
func (c *Catalogue) PutCategory(ctx context.Context, to Category, fresh func(version int64) error) (Category, error) {
	err := c.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		lock(tx)
		all := allCategories(tx)
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		was := all[to.Code]
		if err := fresh(was.Version); err != nil {
			return err
		}
		if f := to.faults(all); len(f) > 0 {
			return invalid("product_category", f)
		}
		if was.Version > 0 && was.Name == to.Name && was.Parent == to.Parent && was.Archived == to.Archived {
			to = was
			return nil
		}
		to.Version, to.ChangedAt, to.Path = was.Version+1, c.now(), to.pathBelow(all)
		saveCategory(tx, to, was)
		return nil
	})
	return to, err
}

// PutPriceList makes a price list, or changes it, if it still is as the caller saw it. The currency of a list stays: its prices
// are amounts of that.
func (c *Catalogue) PutPriceList(ctx context.Context, l PriceList, fresh func(version int64) error) (PriceList, error) {
	l.From, l.To = cut(l.From), cut(l.To)
	if f := l.faults(); len(f) > 0 {
		return PriceList{}, invalid("price_list", f)
	}
	err := c.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		lockRows(tx, "price_list", []string{l.Code})
		found := getList(tx, l.Code, false)
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		was := *found
		if err := fresh(was.Version); err != nil {
			return err
		}
		if was.Version > 0 && was.Currency != l.Currency {
			return problem.New(problem.Conflict, "price_list_currency_fixed",
				"The currency of a price list stays as it is: make another list for the other currency.").
				WithField("body.currency", "price_list_currency_fixed", "must be "+was.Currency)
		}
		l.Version, l.ChangedAt = was.Version, was.ChangedAt
		if l == was {
			return nil
		}
		l.Version, l.ChangedAt = was.Version+1, c.now()
		saveList(tx, l)
		return nil
	})
	return l, err
}

// cut brings a time to the form in which the database keeps it; the zero time stays.
func cut(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Microsecond)
}

// PutPrice sets what a product costs by a list, with all its tiers, if that still is as the caller saw it.
func (c *Catalogue) PutPrice(ctx context.Context, list string, p Price, fresh func(version int64) error) (Price, error) {
	if f := p.faults(); len(f) > 0 {
		return Price{}, invalid("price", f)
	}
	err := c.changePrice(ctx, list, p.SKU, func(tx *pg.Tx, was Price, there bool) error {
		if err := fresh(was.Version); err != nil {
			return err
		}
		if !there {
			return invalid("price", faults{{Location: "sku", Code: "sku_unknown", Message: "is no product"}})
		}
		if p.says(was) {
			p = was
			return nil
		}
		p.Version, p.ChangedAt = was.Version+1, c.now()
		savePrices(tx, list, []Price{p})
		return nil
	})
	return p, err
}

// RemovePrice takes a product out of a list, if its price still is as the caller saw it.
func (c *Catalogue) RemovePrice(ctx context.Context, list, sku string, fresh func(version int64) error) error {
	return c.changePrice(ctx, list, sku, func(tx *pg.Tx, was Price, _ bool) error {
		if was.Version == 0 {
			return errNoPrice
		}
		if err := fresh(was.Version); err != nil {
			return err
		}
		removePrice(tx, list, sku)
		return nil
	})
}

// changePrice is a transaction on one price: there tells whether there is such a product.
func (c *Catalogue) changePrice(ctx context.Context, list, sku string, do func(tx *pg.Tx, was Price, there bool) error) error {
	return c.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		of := getList(tx, list, true)
		lockRows(tx, "price "+list, []string{sku})
		products, prices := Find(tx, []string{sku}), FindPrices(tx, list, []string{sku})
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		if of.Version == 0 {
			return errNoList
		}
		_, there := (*products)[sku]
		return do(tx, (*prices)[sku], there)
	})
}

// RowFault says what is wrong with one row of a batch.
type RowFault struct {
	Row    int             `json:"row"` // its place in the batch, from 0
	SKU    string          `json:"sku"`
	Faults []problem.Field `json:"faults"`
}

// Batch says what became of the rows of a batch.
type Batch struct {
	Created   int        `json:"created"`
	Changed   int        `json:"changed"`
	Unchanged int        `json:"unchanged"`
	Rejected  []RowFault `json:"rejected"`
}

// reject notes a row that is not taken.
func (b *Batch) reject(row int, sku string, f faults) {
	b.Rejected = append(b.Rejected, RowFault{Row: row, SKU: sku, Faults: f})
}

// count notes a row that is taken; version is the one before.
func (b *Batch) count(version int64, same bool) {
	switch {
	case same:
		b.Unchanged++
	case version == 0:
		b.Created++
	default:
		b.Changed++
	}
}

// twice is said of a row whose code stands in another row of the batch before.
func twice() faults {
	return faults{{Location: "sku", Code: "sku_twice", Message: "stands in a row before"}}
}

// PutProducts brings many products in: those that are new are made, those that are there become what the row says, and rows that are
// not right are named and left out. A row that says what is there already changes nothing, so that a batch can be sent again.
func (c *Catalogue) PutProducts(ctx context.Context, rows []Product) (Batch, error) {
	return c.batch(ctx, func(tx *pg.Tx, b *Batch) error {
		skus := make([]string, len(rows))
		for i, p := range rows {
			skus[i] = p.SKU
		}
		hold(tx)
		lockRows(tx, "product", skus)
		found, categories := Find(tx, skus), allCategories(tx)
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		var (
			save []Product
			seen = make(map[string]bool, len(rows))
			now  = c.now()
		)
		for i, p := range rows {
			was := (*found)[p.SKU]
			f := append(p.faults(), p.belongs(categories, was)...)
			if len(f) == 0 && seen[p.SKU] {
				f = twice()
			}
			if len(f) > 0 {
				b.reject(i, p.SKU, f)
				continue
			}
			seen[p.SKU] = true
			b.count(was.Version, p.says(was))
			if !p.says(was) {
				p.Version, p.ChangedAt = was.Version+1, now
				save = append(save, p)
			}
		}
		saveProducts(tx, save)
		return nil
	})
}

// PutPrices is PutProducts for what products cost by a list; each row replaces all that the list says of its product.
func (c *Catalogue) PutPrices(ctx context.Context, list string, rows []Price) (Batch, error) {
	return c.batch(ctx, func(tx *pg.Tx, b *Batch) error {
		skus := make([]string, len(rows))
		for i, p := range rows {
			skus[i] = p.SKU
		}
		of := getList(tx, list, true)
		lockRows(tx, "price "+list, skus)
		products, found := Find(tx, skus), FindPrices(tx, list, skus)
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		if of.Version == 0 {
			return errNoList
		}
		var (
			save []Price
			seen = make(map[string]bool, len(rows))
			now  = c.now()
		)
		for i, p := range rows {
			f := p.faults()
			if _, there := (*products)[p.SKU]; !there && len(f) == 0 {
				f.add("sku", "sku_unknown", "is no product")
			}
			if len(f) == 0 && seen[p.SKU] {
				f = twice()
			}
			if len(f) > 0 {
				b.reject(i, p.SKU, f)
				continue
			}
			seen[p.SKU] = true
			was := (*found)[p.SKU]
			same := was.Version > 0 && p.says(was)
			b.count(was.Version, same)
			if !same {
				p.Version, p.ChangedAt = was.Version+1, now
				save = append(save, p)
			}
		}
		savePrices(tx, list, save)
		return nil
	})
}

// batch carries out a batch, once for its Idempotency-Key: repeated, it is answered what it was answered first.
func (c *Catalogue) batch(ctx context.Context, do func(tx *pg.Tx, b *Batch) error) (Batch, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Batch{}, err
	}
	var b Batch
	result, err := c.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		b = Batch{}
		if err := do(tx, &b); err != nil {
			return pg.Result{}, err
		}
		if once, ok := pg.OnceFrom(ctx); ok && once.Key != "" {
			answer, err := json.Marshal(b)
			if err != nil {
				return pg.Result{}, err
			}
			saveAnswer(tx, id, answer, c.now())
		}
		return pg.Result{ID: id, Status: http.StatusOK}, nil
	})
	if err != nil || !result.Replayed {
		return b, err
	}
	httpx.MarkReplayed(ctx)
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		answer, err := answerOf(ctx, tx, result.ID)
		if err != nil {
			return err
		}
		b = Batch{}
		return json.Unmarshal(answer, &b)
	})
	return b, err
}
