package quote

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// errNotFound is the same for a quote that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "quote_not_found", "There is no such quote.")

// decisionIndex is the constraint by which a decision's id stands once in a tenant.
const decisionIndex = "quote_step_decision"

const versionColumns = `no, state, currency, price_list, title, recipient, terms, issuer, language, valid_until, time_zone, expires_at,
	discount_rate, discount_amount_minor, amount_minor, rule_minor, discount_minor, shared_minor, net_minor, tax_minor, total_minor, base_minor,
	authors, submission, policy, level_last, level_at, escalated, given, asked_at, due_at, requested_by, approved_at, order_id, reason,
	created_at, changed_at, sent_at, ended_at`

// nextNumber gives the next number of a quote of the tenant. Whoever makes another one waits until the transaction ends.
func nextNumber(ctx context.Context, tx *pg.Tx) (number int64, err error) {
	err = tx.QueryRow(ctx, `INSERT INTO quote_number AS n (tenant_id, last) VALUES ($1, 1)
		ON CONFLICT (tenant_id) DO UPDATE SET last = n.last + 1 RETURNING last`, tx.Tenant()).Scan(&number)
	return number, err
}

// customerOf gives the customer of a quote, as it was written, or errNotFound.
func customerOf(ctx context.Context, tx *pg.Tx, id uuid.UUID) (customer uuid.UUID, err error) {
	err = tx.QueryRow(ctx, `SELECT customer_id FROM quote WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), id).Scan(&customer)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errNotFound
	}
	return customer, err
}

// insert queues a new quote.
func insert(tx *pg.Tx, q Quote) {
	tx.Queue(`INSERT INTO quote (tenant_id, id, number, revision, customer_id, opportunity_id, latest, state, created_at, changed_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, tx.Tenant(), q.ID, q.Number, q.Revision, q.CustomerID, pg.OrNull(q.OpportunityID),
		len(q.Versions), q.Latest().State, q.CreatedAt, q.ChangedAt)
	saveParts(tx, Quote{}, q)
}

// save queues what a rule changed of a quote that is locked.
func save(tx *pg.Tx, was, now Quote) {
	tx.Queue(`UPDATE quote SET revision = $3, latest = $4, state = $5, changed_at = $6 WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), now.ID, now.Revision, len(now.Versions), now.Latest().State, now.ChangedAt)
	saveParts(tx, was, now)
}

// saveParts queues the versions and steps that are new or not as they were; in the order of the versions, since one is withdrawn
// before a later one is sent.
func saveParts(tx *pg.Tx, was, now Quote) {
	for i, v := range now.Versions {
		if i < len(was.Versions) && reflect.DeepEqual(was.Versions[i], v) {
			continue
		}
		saveVersion(tx, now.ID, v)
		if i >= len(was.Versions) || v.Lines != nil {
			saveLines(tx, now.ID, v)
		}
	}
	for _, s := range now.Steps[len(was.Steps):] {
		tx.Queue(`INSERT INTO quote_step (tenant_id, quote_id, no, action, version_no, decision_id, input_hash, by_subject, at, level, code, note_id)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`, tx.Tenant(), now.ID, s.No, s.Action, s.Version, pg.OrNull(s.DecisionID), s.Hash,
			s.By, s.At, s.Level, s.Code, pg.OrNull(s.NoteID))
	}
}

func saveVersion(tx *pg.Tx, quote uuid.UUID, v Version) {
	c, t, a := v.Content, v.Totals, v.Approval
	var policy *Policy
	if a.Submission > 0 && a.Policy.Silence != "" {
		policy = &a.Policy
	}
	given := a.Given
	if given == nil {
		given = []Approver{}
	}
	values := []any{
		tx.Tenant(), quote, v.No, v.State, c.Currency, c.PriceList, c.Title, c.Recipient, c.Terms, c.Issuer, c.Language, c.ValidUntil, c.TimeZone, v.ExpiresAt,
		c.Discount.Rate, c.Discount.AmountMinor, t.AmountMinor, t.RuleMinor, t.DiscountMinor, t.SharedMinor, t.NetMinor, t.TaxMinor, t.TotalMinor, t.BaseMinor,
		v.Authors, a.Submission, policy, a.Last, a.At, a.Escalated, given, pg.OrNull(a.AskedAt), pg.OrNull(a.DueAt), a.Requested, pg.OrNull(a.ApprovedAt),
		pg.OrNull(v.OrderID), v.Reason, v.CreatedAt, v.ChangedAt, pg.OrNull(v.SentAt), pg.OrNull(v.EndedAt),
	}
	places, sets := make([]string, len(values)), []string{}
	for i := range values {
		places[i] = fmt.Sprintf("$%d", i+1)
	}
	for name := range strings.SplitSeq(versionColumns, ",") {
		name = strings.TrimSpace(name)
		sets = append(sets, name+" = excluded."+name)
	}
	tx.Queue(`INSERT INTO quote_version (tenant_id, quote_id, `+versionColumns+`) VALUES (`+strings.Join(places, ", ")+`)
		ON CONFLICT (tenant_id, quote_id, no) DO UPDATE SET `+strings.Join(sets[1:], ", "), values...)
}

// saveLines queues that the lines of a version are these.
func saveLines(tx *pg.Tx, quote uuid.UUID, v Version) {
	n := len(v.Lines)
	nos, skus, texts, quantities, unitPrices := make([]int32, n), make([]string, n), make([]string, n), make([]int64, n), make([]*int64, n)
	rates, offs, taxRates, taxes := make([]int32, n), make([]int64, n), make([]*int32, n), make([]*int64, n)
	rules := make([][]RuleDiscount, n)
	amounts := [9][]int64{}
	for i, l := range v.Lines {
		nos[i], skus[i], texts[i], quantities[i], unitPrices[i] = l.No, l.SKU, l.Text, l.Quantity, l.UnitPrice
		rates[i], offs[i], taxRates[i], taxes[i] = l.Discount.Rate, l.Discount.AmountMinor, l.Tax.Rate, l.Tax.AmountMinor
		if rules[i] = l.Rules; rules[i] == nil {
			rules[i] = []RuleDiscount{}
		}
		for j, amount := range [9]int64{l.UnitMinor, l.AmountMinor, l.RuleMinor, l.DiscountMinor, l.SharedMinor, l.NetMinor, l.TaxMinor, l.GrossMinor, l.BaseMinor} {
			amounts[j] = append(amounts[j], amount)
		}
	}
	tx.Queue(`DELETE FROM quote_line WHERE tenant_id = $1 AND quote_id = $2 AND version_no = $3`, tx.Tenant(), quote, v.No)
	tx.Queue(`INSERT INTO quote_line (tenant_id, quote_id, version_no, no, sku, words, quantity, unit_price, discount_rate, discount_amount_minor,
			tax_rate, tax_amount_minor, rules, unit_minor, amount_minor, rule_minor, discount_minor, shared_minor, net_minor, tax_minor, gross_minor, base_minor)
		SELECT $1, $2, $3, n.* FROM unnest($4::int[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::int[], $10::bigint[], $11::int[], $12::bigint[],
			$13::jsonb[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[]) AS n`,
		tx.Tenant(), quote, v.No, nos, skus, texts, quantities, unitPrices, rates, offs, taxRates, taxes, rules,
		amounts[0], amounts[1], amounts[2], amounts[3], amounts[4], amounts[5], amounts[6], amounts[7], amounts[8])
}

// load gives a quote without the lines of its versions, or errNotFound; locked until the transaction ends, if asked to. One round
// trip.
func load(ctx context.Context, tx *pg.Tx, id uuid.UUID, locked bool) (Quote, error) {
	if locked {
		tx.Queue(`SELECT 1 FROM quote WHERE tenant_id = $1 AND id = $2 FOR UPDATE`, tx.Tenant(), id)
	}
	found, err := collect(ctx, tx, `SELECT * FROM quote q WHERE q.tenant_id = $1 AND q.id = $2`, id)
	if err == nil && len(found) == 0 {
		err = errNotFound
	}
	if err != nil {
		return Quote{}, err
	}
	return found[0], nil
}

// collect reads the quotes that a statement gives (its values from $2 on) with their versions and steps, the latest first. It
// takes three round trips at most, however many there are.
func collect(ctx context.Context, tx *pg.Tx, from string, args ...any) ([]Quote, error) {
	rows, err := tx.Query(ctx, `SELECT q.id, q.number, q.revision, q.customer_id, customer_root(q.tenant_id, q.customer_id), q.opportunity_id,
		q.created_at, q.changed_at FROM (`+from+`) q ORDER BY q.id DESC`, append([]any{tx.Tenant()}, args...)...)
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (q Quote, err error) {
		var opportunity *uuid.UUID
		err = row.Scan(&q.ID, &q.Number, &q.Revision, &q.CustomerID, &q.Root, &opportunity, &q.CreatedAt, &q.ChangedAt)
		q.OpportunityID, q.CreatedAt, q.ChangedAt = orZero(opportunity), q.CreatedAt.UTC(), q.ChangedAt.UTC()
		return q, err
	})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	place, ids := make(map[uuid.UUID]*Quote, len(found)), make([]uuid.UUID, len(found))
	for i := range found {
		place[found[i].ID], ids[i] = &found[i], found[i].ID
	}
	queueVersions(tx, ids, place)
	queueSteps(tx, ids, place)
	return found, tx.Flush(ctx)
}

// orZero gives what a nullable column held.
func orZero[T any](v *T) (zero T) {
	if v != nil {
		return *v
	}
	return zero
}

func queueVersions(tx *pg.Tx, ids []uuid.UUID, place map[uuid.UUID]*Quote) {
	tx.Queue(`SELECT v.quote_id, `+versionColumns+` FROM unnest($2::uuid[]) AS n(id)
		JOIN quote_version v ON v.tenant_id = $1 AND v.quote_id = n.id ORDER BY v.quote_id, v.no`, tx.Tenant(), ids).
		Query(func(rows pgx.Rows) error {
			for rows.Next() {
				quote, v, err := scanVersion(rows)
				if err != nil {
					return err
				}
				q := place[quote]
				q.Versions = append(q.Versions, v)
			}
			return rows.Err()
		})
}

func scanVersion(row pgx.Row) (quote uuid.UUID, v Version, err error) {
	var policy *Policy
	var asked, due, approved, sent, ended *time.Time
	var order *uuid.UUID
	var until time.Time
	c, t, a := &v.Content, &v.Totals, &v.Approval
	err = row.Scan(&quote, &v.No, &v.State, &c.Currency, &c.PriceList, &c.Title, &c.Recipient, &c.Terms, &c.Issuer, &c.Language, &until, &c.TimeZone, &v.ExpiresAt,
		&c.Discount.Rate, &c.Discount.AmountMinor, &t.AmountMinor, &t.RuleMinor, &t.DiscountMinor, &t.SharedMinor, &t.NetMinor, &t.TaxMinor, &t.TotalMinor, &t.BaseMinor,
		&v.Authors, &a.Submission, &policy, &a.Last, &a.At, &a.Escalated, &a.Given, &asked, &due, &a.Requested, &approved, &order, &v.Reason,
		&v.CreatedAt, &v.ChangedAt, &sent, &ended)
	if err != nil {
		return quote, v, err
	}
	c.ValidUntil = until.Format(time.DateOnly)
	a.Policy, v.OrderID = orZero(policy), orZero(order)
	a.AskedAt, a.DueAt, a.ApprovedAt = orZero(asked).UTC(), orZero(due).UTC(), orZero(approved).UTC()
	v.SentAt, v.EndedAt = orZero(sent).UTC(), orZero(ended).UTC()
	v.ExpiresAt, v.CreatedAt, v.ChangedAt = v.ExpiresAt.UTC(), v.CreatedAt.UTC(), v.ChangedAt.UTC()
	return quote, v, nil
}

func queueSteps(tx *pg.Tx, ids []uuid.UUID, place map[uuid.UUID]*Quote) {
	tx.Queue(`SELECT s.quote_id, s.no, s.action, s.version_no, s.decision_id, s.input_hash, s.by_subject, s.at, s.level, s.code, s.note_id
		FROM unnest($2::uuid[]) AS n(id) JOIN quote_step s ON s.tenant_id = $1 AND s.quote_id = n.id ORDER BY s.quote_id, s.no`, tx.Tenant(), ids).
		Query(func(rows pgx.Rows) error {
			for rows.Next() {
				var quote uuid.UUID
				var s Step
				var decision, note *uuid.UUID
				if err := rows.Scan(&quote, &s.No, &s.Action, &s.Version, &decision, &s.Hash, &s.By, &s.At, &s.Level, &s.Code, &note); err != nil {
					return err
				}
				s.DecisionID, s.NoteID, s.At = orZero(decision), orZero(note), s.At.UTC()
				q := place[quote]
				q.Steps = append(q.Steps, s)
			}
			return rows.Err()
		})
}

// linesOf gives the lines of a version.
func linesOf(ctx context.Context, tx *pg.Tx, quote uuid.UUID, version int32) ([]Line, error) {
	rows, err := tx.Query(ctx, `SELECT no, sku, words, quantity, unit_price, discount_rate, discount_amount_minor, tax_rate, tax_amount_minor, rules,
			unit_minor, amount_minor, rule_minor, discount_minor, shared_minor, net_minor, tax_minor, gross_minor, base_minor
		FROM quote_line WHERE tenant_id = $1 AND quote_id = $2 AND version_no = $3 ORDER BY no`, tx.Tenant(), quote, version)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (l Line, err error) {
		err = row.Scan(&l.No, &l.SKU, &l.Text, &l.Quantity, &l.UnitPrice, &l.Discount.Rate, &l.Discount.AmountMinor, &l.Tax.Rate, &l.Tax.AmountMinor, &l.Rules,
			&l.UnitMinor, &l.AmountMinor, &l.RuleMinor, &l.DiscountMinor, &l.SharedMinor, &l.NetMinor, &l.TaxMinor, &l.GrossMinor, &l.BaseMinor)
		if len(l.Rules) == 0 {
			l.Rules = nil
		}
		return l, err
	})
}
