package forecast

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Difference is what became of one opportunity between two snapshots.
type Difference struct {
	OpportunityID uuid.UUID
	Change        string
	Was, Is       *Line // nil: it did not stand in the snapshot
}

// Bridge is what all changes of one kind come to in one currency: how much is more, or less, than before.
type Bridge struct {
	Change, Currency           string
	Opportunities              int64
	AmountMinor, WeightedMinor int64 // less than 0: less
}

// Compared is the change between two snapshots.
type Compared struct {
	Was, Is Snapshot
	Before  []Sum // by currency alone: its category is empty
	After   []Sum
	Bridges []Bridge // Before and these come to After, in each currency
	Each    []Difference
}

// Compare says what became of the opportunities of a scope between two snapshots. Each are the next ones after an opportunity, at
// most limit; the sums are of all.
func (f *Forecasts) Compare(ctx context.Context, was, is uuid.UUID, scope Scope, after uuid.UUID, limit int) (c Compared, err error) {
	if scope, err = narrowed(ctx, scope); err != nil {
		return c, err
	}
	err = f.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if c.Was, err = findSnapshot(ctx, tx, was); err != nil {
			return err
		}
		if c.Is, err = findSnapshot(ctx, tx, is); err != nil {
			return err
		}
		if c.Is.TakenAt.Before(c.Was.TakenAt) {
			return problem.New(problem.Unprocessable, "forecast_invalid", "The changes go from an earlier snapshot to a later one.").
				WithField("query.from_snapshot", "snapshots_reversed", "was taken after the other one")
		}
		t := newTally()
		if err := eachPair(ctx, tx, c.Was, c.Is, func(was, is side, state string, since bool) {
			d := t.add(was, is, change(was, is, scope, state, since), scope)
			if d.Change != "" && bytes.Compare(d.OpportunityID[:], after[:]) > 0 && len(c.Each) < limit {
				c.Each = append(c.Each, d)
			}
		}); err != nil {
			return err
		}
		c.Before, c.After, c.Bridges = t.told()
		return nil
	})
	return c, err
}

// pairSQL gives what stands in either of two snapshots, side by side, what each opportunity was at the later one, and whether it was
// opened after the earlier one.
const pairSQL = `SELECT opportunity_id,
		a.pipeline IS NOT NULL, coalesce(a.pipeline, ''), coalesce(a.stage, ''), coalesce(a.team, ''), coalesce(a.owner, ''), coalesce(a.month, ''),
		coalesce(a.category, ''), coalesce(a.probability, 0), coalesce(a.currency, ''), coalesce(a.amount_minor, 0), coalesce(a.weighted_minor, 0),
		b.pipeline IS NOT NULL, coalesce(b.pipeline, ''), coalesce(b.stage, ''), coalesce(b.team, ''), coalesce(b.owner, ''), coalesce(b.month, ''),
		coalesce(b.category, ''), coalesce(b.probability, 0), coalesce(b.currency, ''), coalesce(b.amount_minor, 0), coalesce(b.weighted_minor, 0),
		coalesce((SELECT h.state FROM opportunity_stage h WHERE h.tenant_id = $1 AND h.opportunity_id = j.opportunity_id AND h.entered_at <= $5 ORDER BY h.no DESC LIMIT 1), ''),
		coalesce((SELECT o.opened_at > $4 FROM opportunity o WHERE o.tenant_id = $1 AND o.id = j.opportunity_id), false)
	FROM (SELECT opportunity_id FROM forecast_snapshot_line WHERE tenant_id = $1 AND snapshot_id = $2
		UNION SELECT opportunity_id FROM forecast_snapshot_line WHERE tenant_id = $1 AND snapshot_id = $3) j
	LEFT JOIN (SELECT * FROM forecast_snapshot_line WHERE tenant_id = $1 AND snapshot_id = $2) a USING (opportunity_id)
	LEFT JOIN (SELECT * FROM forecast_snapshot_line WHERE tenant_id = $1 AND snapshot_id = $3) b USING (opportunity_id)
	ORDER BY opportunity_id`

// eachPair gives every opportunity of either snapshot with what it was in both, in the order of their ids.
func eachPair(ctx context.Context, tx *pg.Tx, was, is Snapshot, see func(was, is side, state string, since bool)) error {
	rows, err := tx.Query(ctx, pairSQL, tx.Tenant(), was.ID, is.ID, was.TakenAt, is.TakenAt)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var (
			a, b  side
			state string
			since bool
		)
		if err := rows.Scan(&a.OpportunityID, &a.known, &a.Pipeline, &a.Stage, &a.Team, &a.Owner, &a.Month, &a.Category, &a.Probability, &a.Currency, &a.AmountMinor, &a.WeightedMinor,
			&b.known, &b.Pipeline, &b.Stage, &b.Team, &b.Owner, &b.Month, &b.Category, &b.Probability, &b.Currency, &b.AmountMinor, &b.WeightedMinor,
			&state, &since); err != nil {
			return err
		}
		b.OpportunityID = a.OpportunityID
		see(a, b, state, since)
	}
	return rows.Err()
}

// tally adds changes up by currency and kind.
type tally struct {
	before, after map[string]Sum
	bridges       map[[2]string]Bridge
}

func newTally() *tally {
	return &tally{before: map[string]Sum{}, after: map[string]Sum{}, bridges: map[[2]string]Bridge{}}
}

// add takes in an opportunity of which the change is known, and gives what is told of it.
func (t *tally) add(was, is side, change string, scope Scope) Difference {
	d := Difference{OpportunityID: was.OpportunityID, Change: change}
	if was.known {
		d.Was = &was.Line
	}
	if is.known {
		d.Is = &is.Line
	}
	if was.in(scope) {
		t.before[was.Currency] = plus(t.before[was.Currency], was.Line)
		t.bridge(change, was.Line, -1)
	}
	if is.in(scope) {
		t.after[is.Currency] = plus(t.after[is.Currency], is.Line)
		t.bridge(change, is.Line, 1)
	}
	if k := [2]string{cmp.Or(is.Currency, was.Currency), change}; change != "" {
		b := t.bridges[k]
		b.Opportunities++
		t.bridges[k] = b
	}
	return d
}

func plus(s Sum, l Line) Sum {
	s.Currency = l.Currency
	s.Opportunities, s.AmountMinor, s.WeightedMinor = s.Opportunities+1, s.AmountMinor+l.AmountMinor, s.WeightedMinor+l.WeightedMinor
	return s
}

func (t *tally) bridge(change string, l Line, sign int64) {
	if change == "" {
		return // it is on both sides and the same
	}
	k := [2]string{l.Currency, change}
	b := t.bridges[k]
	b.Currency, b.Change = l.Currency, change
	b.AmountMinor, b.WeightedMinor = b.AmountMinor+sign*l.AmountMinor, b.WeightedMinor+sign*l.WeightedMinor
	t.bridges[k] = b
}

// told gives the sums in order: by currency, and the kinds of changes as Changed has them.
func (t *tally) told() (before, after []Sum, bridges []Bridge) {
	currencies := slices.Sorted(maps.Keys(t.before))
	for _, c := range slices.Sorted(maps.Keys(t.after)) {
		if !slices.Contains(currencies, c) {
			currencies = append(currencies, c)
		}
	}
	slices.Sort(currencies)
	for _, c := range currencies {
		b, a := t.before[c], t.after[c]
		b.Currency, a.Currency = c, c
		before, after = append(before, b), append(after, a)
		for _, kind := range Changed() {
			if one, ok := t.bridges[[2]string{c, kind}]; ok {
				bridges = append(bridges, one)
			}
		}
	}
	return before, after, bridges
}
