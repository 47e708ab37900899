package churn

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/filter"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/model"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

const (
	// sample is how many portraits a tree is grown on at most.
	sample = 50_000
	// patience is how long the sample may take to be read.
	patience = 10 * time.Second
)

// Meaning says what the code of a segment stands for in a filter.
type Meaning func(ctx context.Context, tx *pg.Tx, code string) (filter.Node, error)

// NoSegments is the Meaning where there are none.
func NoSegments(context.Context, *pg.Tx, string) (filter.Node, error) {
	return filter.Node{}, problem.New(problem.Unprocessable, "segment_unknown", "The filter names a segment that is not there.")
}

// Question is what a tree is to explain of customers.
type Question struct {
	Target filter.Node
	Fields []string // of portraits; none: all but those that Target asks for
	Ignore []string
	Growth Growth
}

// explainable tells whether a tree can ask for a field: days and instants are asked for by the days since.
func explainable(f portrait.Field) bool {
	return f.Type == portrait.Number || f.Type == portrait.Money || f.Type == portrait.Text || f.Type == portrait.Flag
}

// fields gives the fields that a tree may ask for.
func (q Question) fields() ([]portrait.Field, error) {
	asked := q.Target.Fields()
	if len(q.Fields) > 0 {
		var all []portrait.Field
		for i, name := range q.Fields {
			f, ok := portrait.Lookup(name)
			if !ok || !explainable(f) {
				return nil, problem.InvalidBody("validation_failed", "Some of what was sent is not valid; errors says what.", []problem.Field{
					{Location: fmt.Sprintf("fields[%d]", i), Code: "unknown_field", Message: "is not a field of portraits that is a number, a code, or yes and no; see GET /v1/analytics/fields"},
				})
			}
			if !slices.Contains(q.Ignore, name) && !slices.Contains(all, f) {
				all = append(all, f)
			}
		}
		return all, nil
	}
	return slices.DeleteFunc(portrait.Fields(), func(f portrait.Field) bool {
		return !explainable(f) || slices.Contains(asked, f.Name) || slices.Contains(q.Ignore, f.Name)
	}), nil
}

// Explore explains by a tree for which customers the filter holds. It gives how many customers there are beside those it looked at.
func (c *Churn) Explore(ctx context.Context, q Question) (out Explanation, asOf time.Time, err error) {
	fields, err := q.fields()
	if err != nil {
		return out, asOf, err
	}
	if len(fields) == 0 {
		return out, asOf, model.NotEnough("No field is left that could explain anything.")
	}
	asOf = run.Today(c.clock)
	var t *Table
	err = c.db.ReadWithin(ctx, auth.Tenant(ctx), patience, func(tx *pg.Tx) error {
		target, err := q.Target.Resolve(func(code string) (filter.Node, error) { return c.meaning(ctx, tx, code) })
		if err != nil {
			return err
		}
		t, err = portraits(ctx, tx, target, fields, asOf)
		return err
	})
	if err != nil {
		return out, asOf, err
	}
	out, err = Explain(t, q.Growth)
	return out, asOf, err
}

// portraits reads a sample of the tenant's portraits: the same one each time.
func portraits(ctx context.Context, tx *pg.Tx, target filter.Node, fields []portrait.Field, day time.Time) (*Table, error) {
	args := []any{tx.Tenant(), day, sample}
	holds, err := target.SQL(&args, "$2::date")
	if err != nil {
		return nil, err
	}
	columns := make([]string, len(fields))
	for i, f := range fields {
		switch f.Type {
		case portrait.Number, portrait.Money:
			columns[i] = "(" + f.SQL("$2::date") + ")::float8"
		case portrait.Flag:
			columns[i] = "coalesce((" + f.SQL("$2::date") + ")::text, '')"
		default:
			columns[i] = "coalesce(" + f.SQL("$2::date") + ", '')"
		}
	}
	rows, err := tx.Query(ctx, `SELECT customer_id, (`+holds+`) IS TRUE AND $2::date IS NOT NULL, `+strings.Join(columns, ", ")+`
		FROM portrait WHERE tenant_id = $1 ORDER BY hashtextextended(customer_id::text, 0), customer_id LIMIT $3`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	t := &Table{Columns: make([]Column, len(fields))}
	cells := make([][]string, len(fields))
	var (
		id      uuid.UUID
		yes     bool
		numbers = make([]*float64, len(fields))
		words   = make([]string, len(fields))
		into    = []any{&id, &yes}
	)
	for i, f := range fields {
		t.Columns[i].Name = f.Name
		if t.Columns[i].Numeric = f.Type == portrait.Number || f.Type == portrait.Money; t.Columns[i].Numeric {
			into = append(into, &numbers[i])
		} else {
			into = append(into, &words[i])
		}
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		t.IDs, t.Target = append(t.IDs, id.String()), append(t.Target, yes)
		for i := range fields {
			if !t.Columns[i].Numeric {
				cells[i] = append(cells[i], words[i])
				continue
			}
			v := math.NaN()
			if numbers[i] != nil {
				v = *numbers[i]
			}
			t.Columns[i].Numbers = append(t.Columns[i].Numbers, v)
		}
	}
	for i := range fields {
		if !t.Columns[i].Numeric {
			t.Columns[i].sort(cells[i])
		}
	}
	return t, rows.Err()
}

// Filter gives a rule about portraits as a filter, so that it can become a segment; ok is false where one of its conditions names
// rare categories that are folded.
func (r Rule) Filter() (n filter.Node, ok bool) {
	var all []filter.Node
	for _, c := range r.Conditions {
		f, known := portrait.Lookup(c.Column)
		if !known || slices.Contains(c.OneOf, Other) {
			return filter.Node{}, false
		}
		var holds []filter.Node
		if c.Above != nil {
			holds = append(holds, filter.Node{Field: f.Name, Op: filter.More, Values: []filter.Value{bound(f, *c.Above)}})
		}
		if c.AtMost != nil {
			holds = append(holds, filter.Node{Field: f.Name, Op: filter.AtMost, Values: []filter.Value{bound(f, *c.AtMost)}})
		}
		switch {
		case len(c.OneOf) > 0 && f.Type == portrait.Flag:
			holds = append(holds, filter.Node{Field: f.Name, Op: filter.Is, Values: []filter.Value{filter.Flag(c.OneOf[0] == "true")}})
		case len(c.OneOf) > 0:
			one := filter.Node{Field: f.Name, Op: filter.OneOf}
			for _, word := range c.OneOf {
				one.Values = append(one.Values, filter.Text(word))
			}
			holds = append(holds, one)
		}
		unknown := filter.Node{Field: f.Name, Op: filter.IsUnknown}
		switch {
		case len(holds) == 0 && c.Missing:
			all = append(all, unknown)
		case len(holds) == 0:
			all = append(all, filter.Node{Field: f.Name, Op: filter.IsKnown})
		case c.Missing:
			all = append(all, filter.Node{Any: []filter.Node{{All: holds}, unknown}})
		default:
			all = append(all, holds...)
		}
	}
	return filter.Node{All: all}.Normal(), true
}

// bound is a bound as a filter takes it: of money it is whole, and parts the same amounts.
func bound(f portrait.Field, v float64) filter.Value {
	if f.Type == portrait.Money {
		v = math.Floor(v)
	}
	return filter.Number(v)
}
