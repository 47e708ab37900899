package catalogue

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// These are the same for what is not there and for another tenant's.
var (
	errNoProduct  = problem.New(problem.NotFound, "product_not_found", "There is no such product.")
	errNoCategory = problem.New(problem.NotFound, "product_category_not_found", "There is no such category.")
	errNoList     = problem.New(problem.NotFound, "price_list_not_found", "There is no such price list.")
	errNoPrice    = problem.New(problem.NotFound, "price_not_found", "The product has no price in this list.")
)

// lock queues that nobody else changes the tenant's categories, nor puts products into them, until the transaction ends.
func lock(tx *pg.Tx) {
	tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('product_category' || chr(31) || $1, 0))`, tx.Tenant())
}

// hold is lock for whoever only names categories: many may at a time.
func hold(tx *pg.Tx) {
	tx.Queue(`SELECT pg_advisory_xact_lock_shared(hashtextextended('product_category' || chr(31) || $1, 0))`, tx.Tenant())
}

const productColumns = `p.sku, p.name, coalesce(p.category, ''), coalesce(c.path, '{}'), p.unit, p.tax_code, p.archived, p.version, p.changed_at`

// ofCategory joins the category c of a product p, by its whole key.
const ofCategory = ` LEFT JOIN LATERAL (SELECT k.path FROM product_category k
	WHERE k.tenant_id = p.tenant_id AND k.code = p.category LIMIT 1) c ON true`

func scanProduct(row pgx.CollectableRow) (p Product, err error) {
	err = row.Scan(&p.SKU, &p.Name, &p.Category, &p.Path, &p.Unit, &p.TaxCode, &p.Archived, &p.Version, &p.ChangedAt)
	return p, err
}

// Find queues the search for products by their codes. Those that there are, the archived ones included, are in the map after
// the next round trip.
func Find(tx *pg.Tx, skus []string) *map[string]Product {
	found := make(map[string]Product, len(skus))
	if len(skus) == 0 {
		return &found
	}
	tx.Queue(`SELECT `+productColumns+` FROM (SELECT DISTINCT sku FROM unnest($2::text[]) AS n(sku)) n
		JOIN LATERAL (SELECT * FROM product k WHERE k.tenant_id = $1 AND k.sku = n.sku LIMIT 1) p ON true`+ofCategory, tx.Tenant(), skus).
		Query(func(rows pgx.Rows) error {
			all, err := pgx.CollectRows(rows, scanProduct)
			for _, p := range all {
				found[p.SKU] = p
			}
			return err
		})
	return &found
}

// saveProducts queues products, new ones and those that changed, in the order of their codes.
func saveProducts(tx *pg.Tx, all []Product) {
	n := len(all)
	if n == 0 {
		return
	}
	skus, names, folded, categories := make([]string, n), make([]string, n), make([]string, n), make([]*string, n)
	units, taxes, archived, versions, at := make([]string, n), make([]string, n), make([]bool, n), make([]int64, n), make([]time.Time, n)
	for i, p := range all {
		skus[i], names[i], folded[i], categories[i] = p.SKU, p.Name, p.folded(), pg.OrNull(p.Category)
		units[i], taxes[i], archived[i], versions[i], at[i] = p.Unit, p.TaxCode, p.Archived, p.Version, p.ChangedAt
	}
	tx.Queue(`INSERT INTO product (tenant_id, sku, name, folded, category, unit, tax_code, archived, version, changed_at)
		SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bool[], $9::bigint[], $10::timestamptz[])
			AS n(sku, name, folded, category, unit, tax_code, archived, version, changed_at) ORDER BY n.sku
		ON CONFLICT (tenant_id, sku) DO UPDATE SET name = excluded.name, folded = excluded.folded, category = excluded.category,
			unit = excluded.unit, tax_code = excluded.tax_code, archived = excluded.archived, version = excluded.version, changed_at = excluded.changed_at`,
		tx.Tenant(), skus, names, folded, categories, units, taxes, archived, versions, at)
}

// lockRows queues that nobody else writes rows of these keys until the transaction ends: keys that there are no rows of as well.
// They are locked in the order of their numbers, so that nobody waits in a circle.
func lockRows(tx *pg.Tx, of string, keys []string) {
	tx.Queue(`SELECT pg_advisory_xact_lock(k) FROM (SELECT DISTINCT hashtextextended($2 || chr(31) || $1 || chr(31) || n.key, 0) AS k
		FROM unnest($3::text[]) AS n(key) ORDER BY k) AS l`, tx.Tenant(), of, keys)
}

// filter says which products are meant.
type filter struct {
	prefix   string // of the folded name; empty: any
	category string // of the product or above it; empty: any
	archived bool   // those in the archive as well
}

// above is behind every text that has the prefix: U+10FFFF is the last character there is.
func above(prefix string) string { return prefix + "\U0010FFFF" }

// listProducts gives up to limit products after a spot: by code or, where a prefix is asked for, by folded name and code.
func listProducts(ctx context.Context, tx *pg.Tx, f filter, after productSpot, limit int) ([]Product, error) {
	sql, args := productsSQL(tx.Tenant(), f, after, limit)
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanProduct)
}

func productsSQL(tenant string, f filter, after productSpot, limit int) (sql string, args []any) {
	sql = `SELECT ` + productColumns + ` FROM product p` + ofCategory + ` WHERE p.tenant_id = $1 AND ($2 OR NOT p.archived)
		AND ($3 = '' OR $3 = ANY (c.path))`
	args = []any{tenant, f.archived, f.category}
	if f.prefix == "" {
		return sql + ` AND p.sku > $4 ORDER BY p.sku LIMIT $5`, append(args, after.SKU, limit)
	}
	return sql + ` AND p.folded >= $4 AND p.folded < $5 AND (p.folded, p.sku) > ($6, $7) ORDER BY p.folded, p.sku LIMIT $8`,
		append(args, f.prefix, above(f.prefix), after.Folded, after.SKU, limit)
}

const categoryColumns = `k.code, k.name, coalesce(k.parent, ''), k.path, k.archived, k.version, k.changed_at`

func scanCategory(row pgx.CollectableRow) (c Category, err error) {
	err = row.Scan(&c.Code, &c.Name, &c.Parent, &c.Path, &c.Archived, &c.Version, &c.ChangedAt)
	return c, err
}

// allCategories queues the reading of the whole tree, by code.
func allCategories(tx *pg.Tx) map[string]Category {
	found := make(map[string]Category)
	tx.Queue(`SELECT `+categoryColumns+` FROM product_category k WHERE k.tenant_id = $1`, tx.Tenant()).Query(func(rows pgx.Rows) error {
		all, err := pgx.CollectRows(rows, scanCategory)
		for _, c := range all {
			found[c.Code] = c
		}
		return err
	})
	return found
}

func listCategories(ctx context.Context, tx *pg.Tx, after string, archived bool, limit int) ([]Category, error) {
	rows, err := tx.Query(ctx, `SELECT `+categoryColumns+` FROM product_category k
		WHERE k.tenant_id = $1 AND k.code > $2 AND ($3 OR NOT k.archived) ORDER BY k.code LIMIT $4`, tx.Tenant(), after, archived, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanCategory)
}

// saveCategory queues a category and, where it moved, the paths of what stands below it.
func saveCategory(tx *pg.Tx, c, was Category) {
	tx.Queue(`INSERT INTO product_category (tenant_id, code, name, parent, path, archived, version, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (tenant_id, code) DO UPDATE SET name = excluded.name, parent = excluded.parent, path = excluded.path,
			archived = excluded.archived, version = excluded.version, changed_at = excluded.changed_at`,
		tx.Tenant(), c.Code, c.Name, pg.OrNull(c.Parent), c.Path, c.Archived, c.Version, c.ChangedAt)
	if was.Version > 0 && was.Parent != c.Parent {
		tx.Queue(`UPDATE product_category SET path = $3 || path[$4:] WHERE tenant_id = $1 AND $2 = ANY (path) AND code <> $2`,
			tx.Tenant(), c.Code, c.Path, len(was.Path)+1)
	}
}

const listColumns = `l.code, l.name, l.currency, l.valid_from, l.valid_to, l.archived, l.version, l.changed_at`

func scanList(row pgx.CollectableRow) (l PriceList, err error) {
	var from, to *time.Time
	err = row.Scan(&l.Code, &l.Name, &l.Currency, &from, &to, &l.Archived, &l.Version, &l.ChangedAt)
	if from != nil {
		l.From = from.UTC()
	}
	if to != nil {
		l.To = to.UTC()
	}
	return l, err
}

// getList queues the reading of a list; its Version is 0 where there is none. With locked it stays as it is until the
// transaction ends.
func getList(tx *pg.Tx, code string, locked bool) *PriceList {
	found := &PriceList{}
	sql := `SELECT ` + listColumns + ` FROM price_list l WHERE l.tenant_id = $1 AND l.code = $2`
	if locked {
		sql += ` FOR SHARE`
	}
	tx.Queue(sql, tx.Tenant(), code).Query(func(rows pgx.Rows) error { return firstOf(rows, scanList, found) })
	return found
}

// firstOf puts the first row into to, where there is one.
func firstOf[T any](rows pgx.Rows, scan pgx.RowToFunc[T], to *T) error {
	all, err := pgx.CollectRows(rows, scan)
	if len(all) > 0 {
		*to = all[0]
	}
	return err
}

func saveList(tx *pg.Tx, l PriceList) {
	tx.Queue(`INSERT INTO price_list (tenant_id, code, name, currency, valid_from, valid_to, archived, version, changed_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (tenant_id, code) DO UPDATE SET name = excluded.name, valid_from = excluded.valid_from, valid_to = excluded.valid_to,
			archived = excluded.archived, version = excluded.version, changed_at = excluded.changed_at`,
		tx.Tenant(), l.Code, l.Name, l.Currency, pg.OrNull(l.From), pg.OrNull(l.To), l.Archived, l.Version, l.ChangedAt)
}

func listLists(ctx context.Context, tx *pg.Tx, after string, archived bool, limit int) ([]PriceList, error) {
	rows, err := tx.Query(ctx, `SELECT `+listColumns+` FROM price_list l
		WHERE l.tenant_id = $1 AND l.code > $2 AND ($3 OR NOT l.archived) ORDER BY l.code LIMIT $4`, tx.Tenant(), after, archived, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanList)
}

// FindList queues the search for the price list of a basket: the one of that code, whatever it says of currency and validity, or
// without a code the one of the currency that is valid at the time, of several the one whose validity began last, then the
// first by code. Its Version is 0 after the next round trip where there is none.
func FindList(tx *pg.Tx, code, currency string, at time.Time) *PriceList {
	if code != "" {
		return getList(tx, code, false)
	}
	found := &PriceList{}
	tx.Queue(`SELECT `+listColumns+` FROM price_list l WHERE l.tenant_id = $1 AND l.currency = $2 AND NOT l.archived
			AND (l.valid_from IS NULL OR l.valid_from <= $3) AND (l.valid_to IS NULL OR l.valid_to > $3)
		ORDER BY l.valid_from DESC NULLS LAST, l.code LIMIT 1`, tx.Tenant(), currency, at).
		Query(func(rows pgx.Rows) error { return firstOf(rows, scanList, found) })
	return found
}

const priceColumns = `p.sku, p.unit_minor, p.tier_quantities, p.tier_minors, p.version, p.changed_at`

func scanPrice(row pgx.CollectableRow) (p Price, err error) {
	var quantities, minors []int64
	err = row.Scan(&p.SKU, &p.UnitMinor, &quantities, &minors, &p.Version, &p.ChangedAt)
	for i := range quantities {
		p.Tiers = append(p.Tiers, Tier{quantities[i], minors[i]})
	}
	return p, err
}

// FindPrices queues the search for what products cost by a list. Those that it has are in the map after the next round trip.
func FindPrices(tx *pg.Tx, list string, skus []string) *map[string]Price {
	found := make(map[string]Price, len(skus))
	if len(skus) == 0 {
		return &found
	}
	tx.Queue(`SELECT `+priceColumns+` FROM (SELECT DISTINCT sku FROM unnest($3::text[]) AS n(sku)) n
		JOIN LATERAL (SELECT * FROM price k WHERE k.tenant_id = $1 AND k.price_list = $2 AND k.sku = n.sku LIMIT 1) p ON true`, tx.Tenant(), list, skus).
		Query(func(rows pgx.Rows) error {
			all, err := pgx.CollectRows(rows, scanPrice)
			for _, p := range all {
				found[p.SKU] = p
			}
			return err
		})
	return &found
}

// savePrices queues prices of a list, new ones and those that changed, in the order of the products' codes.
func savePrices(tx *pg.Tx, list string, all []Price) {
	n := len(all)
	if n == 0 {
		return
	}
	skus, units, versions, at := make([]string, n), make([]int64, n), make([]int64, n), make([]time.Time, n)
	var owners []string // of the tiers, beside each other
	var quantities, minors []int64
	for i, p := range all {
		skus[i], units[i], versions[i], at[i] = p.SKU, p.UnitMinor, p.Version, p.ChangedAt
		for _, t := range p.Tiers {
			owners, quantities, minors = append(owners, p.SKU), append(quantities, t.MinQuantity), append(minors, t.UnitMinor)
		}
	}
	tx.Queue(`WITH tier AS MATERIALIZED (
			SELECT sku, array_agg(quantity ORDER BY quantity) AS quantities, array_agg(minor ORDER BY quantity) AS minors
			FROM unnest($7::text[], $8::bigint[], $9::bigint[]) AS t(sku, quantity, minor) GROUP BY sku)
		INSERT INTO price (tenant_id, price_list, sku, unit_minor, tier_quantities, tier_minors, version, changed_at)
		SELECT $1, $2, n.sku, n.unit_minor, coalesce(t.quantities, '{}'), coalesce(t.minors, '{}'), n.version, n.changed_at
		FROM unnest($3::text[], $4::bigint[], $5::bigint[], $6::timestamptz[]) AS n(sku, unit_minor, version, changed_at)
		LEFT JOIN tier t ON t.sku = n.sku ORDER BY n.sku
		ON CONFLICT (tenant_id, price_list, sku) DO UPDATE SET unit_minor = excluded.unit_minor, tier_quantities = excluded.tier_quantities,
			tier_minors = excluded.tier_minors, version = excluded.version, changed_at = excluded.changed_at`,
		tx.Tenant(), list, skus, units, versions, at, owners, quantities, minors)
}

func removePrice(tx *pg.Tx, list, sku string) {
	tx.Queue(`DELETE FROM price WHERE tenant_id = $1 AND price_list = $2 AND sku = $3`, tx.Tenant(), list, sku)
}

func listPrices(ctx context.Context, tx *pg.Tx, list, after string, limit int) ([]Price, error) {
	rows, err := tx.Query(ctx, `SELECT `+priceColumns+` FROM price p
		WHERE p.tenant_id = $1 AND p.price_list = $2 AND p.sku > $3 ORDER BY p.sku LIMIT $4`, tx.Tenant(), list, after, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanPrice)
}

// saveAnswer queues what a batch was answered, and that answers are forgotten whose key is.
func saveAnswer(tx *pg.Tx, id uuid.UUID, answer []byte, at time.Time) {
	tx.Queue(`DELETE FROM catalogue_batch WHERE tenant_id = $1 AND made_at < $2`, tx.Tenant(), at.Add(-remembered))
	tx.Queue(`INSERT INTO catalogue_batch (tenant_id, id, answer, made_at) VALUES ($1, $2, $3, $4)`, tx.Tenant(), id, answer, at)
}

// answerOf gives what a batch was answered.
func answerOf(ctx context.Context, tx *pg.Tx, id uuid.UUID) (answer []byte, err error) {
	err = tx.QueryRow(ctx, `SELECT answer FROM catalogue_batch WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), id).Scan(&answer)
	return answer, err
}
