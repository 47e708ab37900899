package opportunity

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
)

// Sort is the order of the cards in a stage.
type Sort string

// The orders.
const (
	SortClose  Sort = "expected_close" // the earliest first, those without a day last
	SortAmount Sort = "amount"         // the largest first, whatever its currency
	SortAge    Sort = "age"            // the longest in the stage first
)

// order is how cards are sorted: by a column, then by id, along an index.
type order struct {
	column    string
	falling   bool
	typeOf    string // of the column, in SQL
	keyOf     func(Card) string
	wellShape func(string) bool // tells whether a cursor's key can be one
}

var orders = map[Sort]order{
	SortClose: {
		column: "closes_on", typeOf: "date", keyOf: func(c Card) string { return c.closesOn.Format(time.DateOnly) },
		wellShape: func(s string) bool { _, err := time.Parse(time.DateOnly, s); return err == nil },
	},
	SortAmount: {
		column: "amount_minor", falling: true, typeOf: "bigint", keyOf: func(c Card) string { return strconv.FormatInt(c.AmountMinor, 10) },
		wellShape: func(s string) bool { _, err := strconv.ParseInt(s, 10, 64); return err == nil },
	},
	SortAge: {
		column: "stage_since", typeOf: "timestamptz", keyOf: func(c Card) string { return c.StageSince.Format(time.RFC3339Nano) },
		wellShape: func(s string) bool { _, err := time.Parse(time.RFC3339Nano, s); return err == nil },
	},
}

// Card is an opportunity on a board.
type Card struct {
	ID              uuid.UUID
	CustomerID      uuid.UUID // whom it is of now
	Name            string
	Stage           string
	Currency        string
	AmountMinor     int64
	ExpectedCloseOn time.Time
	NextStep        string
	NextStepOn      time.Time
	Owner           string
	Team            string
	Category        pipeline.Category
	StageSince      time.Time
	Stall           Stall
	Version         int64

	closesOn time.Time // by which it is sorted
}

// Sum is what the opportunities of one currency in a stage come to.
type Sum struct {
	Currency      string
	Count         int64
	AmountMinor   int64
	WeightedMinor int64 // each weighted by the stage's probability and rounded to the nearest minor unit, halves away from 0
}

// Column is a stage on a board.
type Column struct {
	Stage pipeline.Stage
	Count int64
	Sums  []Sum // by currency
	Cards []Card
	Next  string // cursor of the cards that follow; empty where these are all
}

// View says what is to be seen of a pipeline.
type View struct {
	Pipeline string
	Owner    string // only this subject's; empty: everybody's
	Team     string
	Sort     Sort // empty: SortClose
	Cards    int  // of each stage, at most
}

// open gives the conditions on open opportunities o of the view, in the order of the index that the board has.
func (v View) open(tenant string) *conditions {
	f := Filter{Pipeline: v.Pipeline, Owner: v.Owner, Team: v.Team}
	c := f.where(tenant)
	c.all = append(c.all, `o.state = 'open'`)
	return c
}

func (v View) order() order {
	if o, known := orders[v.Sort]; known {
		return o
	}
	return orders[SortClose]
}

const cardColumns = `o.id, customer_root(o.tenant_id, o.customer_id), o.name, o.stage, o.currency, o.amount_minor, o.expected_close_on, o.next_step,
	o.next_step_on, o.owner, o.team, coalesce(o.forecast_category, ''), o.stage_since, o.stalled_at, o.stalled_reason, o.version, o.closes_on`

func scanCard(row pgx.CollectableRow) (c Card, err error) {
	var expected, step, stalled *time.Time
	err = row.Scan(&c.ID, &c.CustomerID, &c.Name, &c.Stage, &c.Currency, &c.AmountMinor, &expected, &c.NextStep, &step, &c.Owner, &c.Team,
		&c.Category, &c.StageSince, &stalled, &c.Stall.Reason, &c.Version, &c.closesOn)
	c.ExpectedCloseOn, c.NextStepOn, c.Stall.At, c.StageSince = utc(expected), utc(step), utc(stalled), c.StageSince.UTC()
	return c, err
}

// Board gives a pipeline with, of each stage, what it comes to and the first cards.
func (o *Opportunities) Board(ctx context.Context, v View) (p pipeline.Pipeline, columns []Column, err error) {
	_, err = read(ctx, o, func(tx *pg.Tx) (struct{}, error) {
		if p, err = pipeline.Find(ctx, tx, v.Pipeline); err != nil {
			return struct{}{}, err
		}
		columns = make([]Column, len(p.Stages))
		place := make(map[string]*Column, len(p.Stages))
		for i, s := range p.Stages {
			columns[i].Stage = s
			place[s.Code] = &columns[i]
		}
		v.queueSums(tx, p, place)
		sql, args := v.cards(tx.Tenant(), p)
		rows, err := tx.Query(ctx, sql, args...)
		if err != nil {
			return struct{}{}, err
		}
		cards, err := pgx.CollectRows(rows, scanCard)
		for _, c := range cards {
			place[c.Stage].Cards = append(place[c.Stage].Cards, c)
		}
		return struct{}{}, err
	})
	for i := range columns {
		c := &columns[i]
		c.Cards, c.Next = httpx.NextPage(c.Cards, v.Cards, v.cursor)
	}
	return p, columns, err
}

// cursor is the key of a card in the order of the view; it also says which order that is.
func (v View) cursor(last Card) []string {
	o := v.order()
	return []string{o.column, o.keyOf(last), last.ID.String()}
}

// sums is the statement of what the stages come to.
func (v View) sums(tenant string, p pipeline.Pipeline) (sql string, args []any) {
	where := v.open(tenant)
	probabilities := make([]int32, len(p.Stages))
	for i, s := range p.Stages {
		probabilities[i] = s.Probability
	}
	n := len(where.args)
	// Halves are rounded up, away from 0, since nothing is below it. A sum that no integer holds is shown as the largest.
	return fmt.Sprintf(`SELECT o.stage, o.currency, count(*), least(sum(o.amount_minor), 9223372036854775807)::bigint,
			least(sum((o.amount_minor * s.probability * 2 + 100) / 200), 9223372036854775807)::bigint
		FROM opportunity o JOIN unnest($%d::text[], $%d::int[]) AS s(code, probability) ON s.code = o.stage
		WHERE %s GROUP BY o.stage, o.currency ORDER BY o.currency`, n+1, n+2, where), append(where.args, p.Codes(), probabilities)
}

// queueSums queues what the stages come to.
func (v View) queueSums(tx *pg.Tx, p pipeline.Pipeline, place map[string]*Column) {
	sql, args := v.sums(tx.Tenant(), p)
	tx.Queue(sql, args...).Query(func(rows pgx.Rows) error {
		var stage string
		var s Sum
		_, err := pgx.ForEachRow(rows, []any{&stage, &s.Currency, &s.Count, &s.AmountMinor, &s.WeightedMinor}, func() error {
			c := place[stage]
			c.Sums, c.Count = append(c.Sums, s), c.Count+s.Count
			return nil
		})
		return err
	})
}

// cards is the statement of the first cards of every stage, one more than is shown.
func (v View) cards(tenant string, p pipeline.Pipeline) (sql string, args []any) {
	where, o := v.open(tenant), v.order()
	n := len(where.args)
	return fmt.Sprintf(`SELECT c.* FROM unnest($%d::text[]) WITH ORDINALITY AS s(code, place)
		CROSS JOIN LATERAL (SELECT %s FROM opportunity o WHERE %s AND o.stage = s.code ORDER BY %s LIMIT %d) c
		ORDER BY s.place`, n+1, cardColumns, where, o.by(), v.Cards+1), append(where.args, p.Codes())
}

// by is the ORDER BY.
func (o order) by() string {
	if o.falling {
		return "o." + o.column + " DESC, o.id"
	}
	return "o." + o.column + ", o.id"
}

// CardsOf gives up to limit cards of a stage after the one that the cursor names.
func (o *Opportunities) CardsOf(ctx context.Context, v View, stage, cursor string, limit int) (cards []Card, next string, err error) {
	parts, err := httpx.DecodeCursor(cursor, 3)
	if err != nil {
		return nil, "", err
	}
	by := v.order()
	var after uuid.UUID
	if parts != nil {
		if after, err = uuid.Parse(parts[2]); err != nil || parts[0] != by.column || !by.wellShape(parts[1]) {
			return nil, "", httpx.CursorInvalid()
		}
	}
	cards, err = read(ctx, o, func(tx *pg.Tx) ([]Card, error) {
		p, err := pipeline.Find(ctx, tx, v.Pipeline)
		if err != nil {
			return nil, err
		}
		if _, _, known := p.Stage(stage); !known {
			return nil, errStageNotFound
		}
		where := v.open(tx.Tenant())
		where.only(`o.stage = $%d`, stage)
		if parts != nil {
			where.args = append(where.args, parts[1], after)
			n := len(where.args)
			key := fmt.Sprintf(`$%d::text::%s`, n-1, by.typeOf)
			if by.falling {
				where.all = append(where.all, fmt.Sprintf(`(o.%s < %s OR o.%s = %s AND o.id > $%d)`, by.column, key, by.column, key, n))
			} else {
				where.all = append(where.all, fmt.Sprintf(`(o.%s, o.id) > (%s, $%d)`, by.column, key, n))
			}
		}
		rows, err := tx.Query(ctx, fmt.Sprintf(`SELECT %s FROM opportunity o WHERE %s ORDER BY %s LIMIT %d`, cardColumns, where, by.by(), limit+1), where.args...)
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(rows, scanCard)
	})
	if err != nil {
		return nil, "", err
	}
	cards, next = httpx.NextPage(cards, limit, v.cursor)
	return cards, next, nil
}
