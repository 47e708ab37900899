package journey

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// merged is whom the ids of merged customers mean. There are few.
type merged struct {
	ids, roots []uuid.UUID // each id with its root
	all        []uuid.UUID // ids and roots
}

func readMerged(ctx context.Context, tx *pg.Tx) (m merged, err error) {
	rows, err := tx.Query(ctx, `SELECT customer_id, root_id FROM customer_aliases($1)`, tx.Tenant())
	if err != nil {
		return m, err
	}
	var id, root uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&id, &root}, func() error {
		m.ids, m.roots = append(m.ids, id), append(m.roots, root)
		return nil
	})
	m.fill()
	return m, err
}

func (m *merged) fill() {
	m.all = append(slices.Clone(m.ids), m.roots...)
	slices.SortFunc(m.all, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	m.all = slices.Compact(m.all)
}

// part is the customers that one statement looks at.
type part struct {
	phase  string
	lo, hi uuid.UUID // of customers: after lo, up to and including hi
	merged merged
	until  time.Time // the first moment that does not count any more
}

// Phases of a run; everyone is for an answer as of now.
const (
	phaseCustomers = "customers" // who were never merged, by their ids
	phaseMerged    = "merged"
	phaseNobody    = "nobody"
	phaseEveryone  = "everyone"
)

// args are the first arguments of every statement on a part: $1 to $7.
func (p part) args(tenant string) []any {
	return []any{tenant, p.lo, p.hi, orEmpty(p.merged.all), orEmpty(p.merged.ids), orEmpty(p.merged.roots), p.until}
}

func orEmpty(ids []uuid.UUID) []uuid.UUID { return append([]uuid.UUID{}, ids...) }

// who is the condition on the customer of a row e.
func (p part) who() string {
	switch p.phase {
	case phaseCustomers:
		return "e.customer_id > $2 AND e.customer_id <= $3 AND e.customer_id <> ALL ($4::uuid[])"
	case phaseMerged:
		return "e.customer_id = ANY ($4::uuid[])"
	default:
		return "e.customer_id IS NOT NULL"
	}
}

// used keeps the types of arguments known that a part does not ask for.
const used = `($2::uuid IS NOT NULL AND $3::uuid IS NOT NULL AND $4::uuid[] IS NOT NULL)`

// whoseJoin gives e.customer_id's root as w.root_id; null where it was never merged.
const whoseJoin = ` LEFT JOIN unnest($5::uuid[], $6::uuid[]) AS w(customer_id, root_id) ON w.customer_id = e.customer_id `

// notWhole is true of orders e that did not come back whole before $7.
const notWhole = `(e.units = 0 OR e.units > coalesce((SELECT sum(b.units) FROM fact_return b WHERE b.tenant_id = $1 AND b.order_id = e.order_id AND b.returned_at < $7), 0))`

// readCohorts adds up the purchases of a part.
func readCohorts(ctx context.Context, tx *pg.Tx, p part, into *Cohorts) error {
	rows, err := tx.Query(ctx, `
SELECT coalesce(w.root_id, e.customer_id), e.currency, e.channel, e.placed_at, e.total_minor, e.units > 0 AND coalesce(r.units, 0) >= e.units,
	coalesce(r.times, '{}'), coalesce(r.amounts, '{}')
FROM fact_order e`+whoseJoin+`
LEFT JOIN LATERAL (
	SELECT sum(b.units) AS units, array_agg(b.returned_at) AS times, array_agg(b.amount_minor) AS amounts FROM fact_return b
	WHERE b.tenant_id = $1 AND b.order_id = e.order_id AND b.returned_at < $7
) r ON true
WHERE e.tenant_id = $1 AND e.placed_at < $7 AND `+used+` AND `+p.who()+`
ORDER BY 1, 2, 4, e.order_id`, p.args(tx.Tenant())...)
	if err != nil {
		return err
	}
	var (
		who, last              uuid.UUID
		currency, lastCurrency string
		one                    Purchase
		times                  []time.Time
		amounts                []int64
		own                    []Purchase
	)
	flush := func() {
		if len(own) > 0 {
			into.Add(last, lastCurrency, own)
		}
		own = own[:0]
	}
	_, err = pgx.ForEachRow(rows, []any{&who, &currency, &one.Channel, &one.At, &one.TotalMinor, &one.Whole, &times, &amounts}, func() error {
		if who != last || currency != lastCurrency {
			flush()
			last, lastCurrency = who, currency
		}
		next := one
		next.Back = nil
		for i, at := range times {
			next.Back = append(next.Back, Back{MonthOf(at), amounts[i]})
		}
		own = append(own, next)
		return nil
	})
	flush()
	return err
}

// readNobodys adds up orders of whom nobody knows who placed them, by the month they were placed or came back in.
func readNobodys(ctx context.Context, tx *pg.Tx, p part, into *Cohorts) error {
	rows, err := tx.Query(ctx, `
SELECT currency, month, sum(orders)::bigint, sum(gross)::bigint, sum(back)::bigint FROM (
	SELECT e.currency, date_trunc('month', e.placed_at AT TIME ZONE 'UTC')::date AS month, count(*) AS orders, sum(e.total_minor) AS gross, 0 AS back
	FROM fact_order e WHERE e.tenant_id = $1 AND e.customer_id IS NULL AND e.placed_at < $2 GROUP BY 1, 2
	UNION ALL
	SELECT e.currency, date_trunc('month', b.returned_at AT TIME ZONE 'UTC')::date, 0, 0, sum(b.amount_minor)
	FROM fact_order e JOIN fact_return b ON b.tenant_id = $1 AND b.order_id = e.order_id AND b.returned_at < $2
	WHERE e.tenant_id = $1 AND e.customer_id IS NULL AND e.placed_at < $2 GROUP BY 1, 2
) x GROUP BY 1, 2`, tx.Tenant(), p.until)
	if err != nil {
		return err
	}
	var currency string
	var first time.Time
	var cell Cell
	_, err = pgx.ForEachRow(rows, []any{&currency, &first, &cell.Orders, &cell.GrossMinor, &cell.ReturnedMinor}, func() error {
		into.rest(currency, MonthOf(first)).plus(cell)
		return nil
	})
	return err
}

// stageSQL gives the stage of a row e of the source by the mapping, 0 for none; values of rules become arguments.
func (m Mapping) stageSQL(on string, args *[]any) string {
	rules := slices.Clone(m.Rules)
	slices.SortStableFunc(rules, func(a, b Rule) int { return stageNo(b.Stage) - stageNo(a.Stage) })
	var cases strings.Builder
	for _, r := range rules {
		if r.On != on {
			continue
		}
		holds := "true"
		for _, c := range r.conditions() {
			if c.value != "" {
				*args = append(*args, c.value)
				holds += fmt.Sprintf(" AND %s = $%d", fieldsOf[on][c.field], len(*args))
			}
		}
		fmt.Fprintf(&cases, " WHEN %s THEN %d", holds, stageNo(r.Stage))
	}
	if cases.Len() == 0 {
		return "0"
	}
	return "CASE" + cases.String() + " ELSE 0 END"
}

// readFunnel counts the people of a part. One who is only a lead is a person too.
func readFunnel(ctx context.Context, tx *pg.Tx, p part, m Mapping, into Funnels) error {
	args := p.args(tx.Tenant())
	leads := p.who()
	switch p.phase {
	case phaseCustomers:
		leads = "(" + leads + " OR e.customer_id IS NULL AND e.lead_id > $2 AND e.lead_id <= $3)"
	case phaseEveryone:
		leads = "true"
	}
	source := func(on, table, person, at, channel, where string) string {
		return `SELECT ` + person + ` AS person, ` + m.stageSQL(on, &args) + ` AS stage, ` + at + ` AS at, ` + channel + ` AS channel FROM ` + table + ` e` + whoseJoin +
			`WHERE e.tenant_id = $1 AND ` + at + ` < $7 AND ` + where
	}
	const person = "coalesce(w.root_id, e.customer_id)"
	sources := strings.Join([]string{
		source(OnInteraction, "fact_interaction", person, "e.occurred_at", "e.channel", p.who()),
		source(OnLead, "fact_lead", "coalesce(w.root_id, e.customer_id, e.lead_id)", "e.captured_at", "e.source", leads),
		source(OnOpportunity, "fact_opportunity", person, "e.opened_at", "e.source", p.who()),
		source(OnOrder, "fact_order", person, "e.placed_at", "e.channel", p.who()+" AND "+notWhole),
	}, "\n\tUNION ALL ")
	rows, err := tx.Query(ctx, `
SELECT person, stage, min(at), (array_agg(channel ORDER BY at, stage DESC, channel))[1] FROM (
	`+sources+`
) x WHERE stage > 0 AND `+used+` GROUP BY 1, 2 ORDER BY 1, 2`, args...)
	if err != nil {
		return err
	}
	var (
		who, last uuid.UUID
		stage     int
		at        time.Time
		channel   string
		one       Person
		entry     time.Time
		there     bool
	)
	_, err = pgx.ForEachRow(rows, []any{&who, &stage, &at, &channel}, func() error {
		if there && who != last {
			into.Add(one)
			one, entry = Person{}, time.Time{}
		}
		last, there = who, true
		one.First[stage-1] = at
		if entry.IsZero() || !at.After(entry) { // the further stage of the same moment says more
			entry, one.Channel = at, channel
		}
		return nil
	})
	if there && err == nil {
		into.Add(one)
	}
	return err
}

// nextPart gives the last id of the next part of about size rows of each table after lo; uuid.Max where it is the last part.
func nextPart(ctx context.Context, tx *pg.Tx, kind string, lo uuid.UUID, size int) (uuid.UUID, error) {
	tables := []string{"fact_order"}
	if kind == KindFunnel {
		tables = append(tables, "fact_interaction", "fact_opportunity", "fact_lead")
	}
	ends := make([]string, 0, len(tables)+1)
	for _, table := range tables {
		ends = append(ends, `(SELECT customer_id FROM `+table+` WHERE tenant_id = $1 AND customer_id > $2 ORDER BY customer_id OFFSET $3 LIMIT 1)`)
	}
	if kind == KindFunnel {
		ends = append(ends, `(SELECT lead_id FROM fact_lead WHERE tenant_id = $1 AND customer_id IS NULL AND lead_id > $2 ORDER BY lead_id OFFSET $3 LIMIT 1)`)
	}
	var hi *uuid.UUID
	err := tx.QueryRow(ctx, `SELECT least(`+strings.Join(ends, ", ")+`)`, tx.Tenant(), lo, size).Scan(&hi)
	if err != nil || hi == nil {
		return uuid.Max, err
	}
	return *hi, nil
}
