package pricing

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
	errNoRule    = problem.New(problem.NotFound, "price_rule_not_found", "There is no such price rule.")
	errNoBenefit = problem.New(problem.NotFound, "benefit_not_found", "There is no such benefit.")
)

// lock queues that nobody else changes the tenant's rules and benefits until the transaction ends: a rule and the benefit that it
// reads are written one after the other.
func lock(tx *pg.Tx) {
	tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('price_rule' || chr(31) || $1, 0))`, tx.Tenant())
}

const ruleColumns = `r.code, r.name, r.position, r.scope, r.condition, coalesce(r.percent_hundredths, 0), coalesce(r.amount_minor, 0),
	coalesce(r.currency, ''), r.valid_from, r.valid_to, r.exclusive, r.archived, r.version, r.by_subject, r.changed_at`

func scanRule(row pgx.CollectableRow) (r Rule, err error) {
	var from, to *time.Time
	err = row.Scan(&r.Code, &r.Name, &r.Position, &r.Scope, &r.Condition, &r.PercentHundredths, &r.AmountMinor, &r.Currency, &from, &to,
		&r.Exclusive, &r.Archived, &r.Version, &r.By, &r.ChangedAt)
	if from != nil {
		r.From = from.UTC()
	}
	if to != nil {
		r.To = to.UTC()
	}
	return r, err
}

// rulesAt queues the reading of the rules that are used at a time in a currency, in their order.
func rulesAt(tx *pg.Tx, at time.Time, currency string) *[]Rule {
	found := new([]Rule)
	tx.Queue(`SELECT `+ruleColumns+` FROM price_rule r WHERE r.tenant_id = $1 AND NOT r.archived ORDER BY r.position, r.code`, tx.Tenant()).
		Query(func(rows pgx.Rows) error {
			all, err := pgx.CollectRows(rows, scanRule)
			for _, r := range all {
				if r.holdsAt(at, currency) {
					*found = append(*found, r)
				}
			}
			return err
		})
	return found
}

// getRule queues the reading of a rule; its Version is 0 where there is none.
func getRule(tx *pg.Tx, code string) *Rule {
	found := &Rule{}
	tx.Queue(`SELECT `+ruleColumns+` FROM price_rule r WHERE r.tenant_id = $1 AND r.code = $2`, tx.Tenant(), code).
		Query(func(rows pgx.Rows) error { return firstOf(rows, scanRule, found) })
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

// countRules queues how many rules are not in the archive.
func countRules(tx *pg.Tx) *int {
	n := new(int)
	tx.Queue(`SELECT count(*) FROM price_rule WHERE tenant_id = $1 AND NOT archived`, tx.Tenant()).
		QueryRow(func(row pgx.Row) error { return row.Scan(n) })
	return n
}

// listRules gives up to limit rules after a spot, in their order.
func listRules(ctx context.Context, tx *pg.Tx, archived bool, position int, code string, limit int) ([]Rule, error) {
	rows, err := tx.Query(ctx, `SELECT `+ruleColumns+` FROM price_rule r WHERE r.tenant_id = $1 AND ($2 OR NOT r.archived)
		AND (r.position, r.code) > ($3, $4) ORDER BY r.position, r.code LIMIT $5`, tx.Tenant(), archived, position, code, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanRule)
}

func saveRule(tx *pg.Tx, r Rule) {
	tx.Queue(`INSERT INTO price_rule (tenant_id, code, name, position, scope, condition, percent_hundredths, amount_minor, currency, valid_from,
			valid_to, exclusive, archived, version, by_subject, changed_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
		ON CONFLICT (tenant_id, code) DO UPDATE SET name = excluded.name, position = excluded.position, scope = excluded.scope,
			condition = excluded.condition, percent_hundredths = excluded.percent_hundredths, amount_minor = excluded.amount_minor,
			currency = excluded.currency, valid_from = excluded.valid_from, valid_to = excluded.valid_to, exclusive = excluded.exclusive,
			archived = excluded.archived, version = excluded.version, by_subject = excluded.by_subject, changed_at = excluded.changed_at`,
		tx.Tenant(), r.Code, r.Name, r.Position, string(r.Scope), r.Condition, pg.OrNull(r.PercentHundredths), pg.OrNull(r.AmountMinor), pg.OrNull(r.Currency),
		pg.OrNull(r.From), pg.OrNull(r.To), r.Exclusive, r.Archived, r.Version, r.By, r.ChangedAt)
}

const benefitColumns = `b.code, b.text_en, b.text_zh, b.tiers, b.published_from, b.withdrawn, b.version, b.by_subject, b.at`

func scanBenefit(row pgx.CollectableRow) (b Benefit, err error) {
	err = row.Scan(&b.Code, &b.TextEN, &b.TextZH, &b.Tiers, &b.PublishedFrom, &b.Withdrawn, &b.Version, &b.By, &b.At)
	b.PublishedFrom, b.At = b.PublishedFrom.UTC(), b.At.UTC()
	return b, err
}

// publishedAt queues the reading of what was published of each benefit at a time, by code; withdrawn ones included.
func publishedAt(tx *pg.Tx, at time.Time) *[]Benefit {
	found := new([]Benefit)
	tx.Queue(`SELECT DISTINCT ON (b.code) `+benefitColumns+` FROM benefit_version b
		WHERE b.tenant_id = $1 AND b.published_from <= $2 ORDER BY b.code, b.version DESC`, tx.Tenant(), at).
		Query(func(rows pgx.Rows) (err error) {
			*found, err = pgx.CollectRows(rows, scanBenefit)
			return err
		})
	return found
}

// lastBenefit queues the reading of a benefit as it was written last; its Version is 0 where there is none.
func lastBenefit(tx *pg.Tx, code string) *Benefit {
	found := &Benefit{}
	tx.Queue(`SELECT `+benefitColumns+` FROM benefit_version b WHERE b.tenant_id = $1 AND b.code = $2 ORDER BY b.version DESC LIMIT 1`, tx.Tenant(), code).
		Query(func(rows pgx.Rows) error { return firstOf(rows, scanBenefit, found) })
	return found
}

// listBenefits gives up to limit benefits after a code, each as it was written last.
func listBenefits(ctx context.Context, tx *pg.Tx, after string, limit int) ([]Benefit, error) {
	rows, err := tx.Query(ctx, `SELECT DISTINCT ON (b.code) `+benefitColumns+` FROM benefit_version b
		WHERE b.tenant_id = $1 AND b.code > $2 ORDER BY b.code, b.version DESC LIMIT $3`, tx.Tenant(), after, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanBenefit)
}

// benefitVersions gives up to limit versions of a benefit before one, the latest first.
func benefitVersions(ctx context.Context, tx *pg.Tx, code string, before int64, limit int) ([]Benefit, error) {
	rows, err := tx.Query(ctx, `SELECT `+benefitColumns+` FROM benefit_version b
		WHERE b.tenant_id = $1 AND b.code = $2 AND ($3 = 0 OR b.version < $3) ORDER BY b.version DESC LIMIT $4`, tx.Tenant(), code, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanBenefit)
}

// countBenefits queues how many benefits there are.
func countBenefits(tx *pg.Tx) *int {
	n := new(int)
	tx.Queue(`SELECT count(DISTINCT code) FROM benefit_version WHERE tenant_id = $1`, tx.Tenant()).
		QueryRow(func(row pgx.Row) error { return row.Scan(n) })
	return n
}

func saveBenefit(tx *pg.Tx, b Benefit) {
	tx.Queue(`INSERT INTO benefit_version (tenant_id, code, version, text_en, text_zh, tiers, published_from, withdrawn, by_subject, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		tx.Tenant(), b.Code, b.Version, b.TextEN, b.TextZH, b.Tiers, b.PublishedFrom, b.Withdrawn, b.By, b.At)
}

// tiersAmong queues which of the words are codes of tiers, of benefits or of customers.
func tiersAmong(tx *pg.Tx, words []string) *[]string {
	found := new([]string)
	if len(words) == 0 {
		return found
	}
	tx.Queue(`SELECT DISTINCT n.word FROM unnest($2::text[]) AS n(word)
		WHERE EXISTS (SELECT FROM customer_tier t WHERE t.tenant_id = $1 AND t.tier = n.word)
			OR EXISTS (SELECT FROM benefit_version b WHERE b.tenant_id = $1 AND n.word = ANY (b.tiers)) ORDER BY n.word`, tx.Tenant(), words).
		Query(func(rows pgx.Rows) (err error) {
			*found, err = pgx.CollectRows(rows, pgx.RowTo[string])
			return err
		})
	return found
}

// tierOf queues the search for a customer's tier: of one who was merged, what was told of whom the id means now, or else what was
// told last of all ids that mean the same. Empty where nothing is known.
func tierOf(tx *pg.Tx, customer uuid.UUID) *string {
	found := new(string)
	if customer == uuid.Nil {
		return found
	}
	tx.Queue(`WITH ids AS MATERIALIZED (SELECT customer_group($1, $2) AS all_of)
		SELECT t.tier FROM ids, customer_tier t WHERE t.tenant_id = $1 AND t.customer_id = ANY ((SELECT all_of FROM ids)::uuid[])
		ORDER BY t.customer_id = ids.all_of[1] DESC, t.told_at DESC LIMIT 1`, tx.Tenant(), customer).
		Query(func(rows pgx.Rows) error { return firstOf(rows, pgx.RowTo[string], found) })
	return found
}

// told is what loyalty tells of a customer.
type told struct {
	customer uuid.UUID
	tier     string
	at       time.Time
}

// saveTold queues what loyalty tells, of each customer once, unless something later was told.
func saveTold(tx *pg.Tx, all []told) {
	if len(all) == 0 {
		return
	}
	customers, tiers, at := make([]uuid.UUID, len(all)), make([]string, len(all)), make([]time.Time, len(all))
	for i, t := range all {
		customers[i], tiers[i], at[i] = t.customer, t.tier, t.at
	}
	tx.Queue(`INSERT INTO customer_tier AS t (tenant_id, customer_id, tier, told_at)
		SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::timestamptz[]) AS n(customer_id, tier, told_at) ORDER BY n.customer_id
		ON CONFLICT (tenant_id, customer_id) DO UPDATE SET tier = excluded.tier, told_at = excluded.told_at WHERE excluded.told_at >= t.told_at`,
		tx.Tenant(), customers, tiers, at)
}
