package scoring

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Kind says what an id is of.
type Kind string

// The kinds.
const (
	OfLead        Kind = "lead"
	OfOpportunity Kind = "opportunity"
)

// Explained is the score of a case, and how it comes about by the counts of this moment.
type Explained struct {
	Case
	Reckoning
	State    string // open, won or lost
	Manual   int32  // set by hand, in hundredths of a percent; 0: nobody did
	ManualBy string
	ManualAt time.Time
	// Uncounted are values of the case that make no factor, with the code of why: unseen, or too_few outcomes of a tag.
	Uncounted []Uncounted
}

// Uncounted is a value that makes no factor.
type Uncounted struct{ Field, Value, Reason string }

// Score gives the score that holds.
func (e Explained) Score() Score {
	switch {
	case e.State == stateWon:
		return Score{Probability: 10000, Automatic: true}
	case e.State == stateLost:
		return Score{Automatic: true}
	case e.Manual > 0:
		return Score{Probability: e.Manual}
	default:
		return Score{Probability: e.Probability, Automatic: true}
	}
}

// Explain tells how the score of a lead or an opportunity comes about.
func (s *Scoring) Explain(ctx context.Context, kind Kind, id uuid.UUID) (e Explained, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		one, err := findCase(ctx, tx, kind, id, false)
		if err != nil {
			return err
		}
		e, err = explain(ctx, tx, one)
		return err
	})
	return e, err
}

// findCase reads the case of a lead, or of an opportunity, which may have come of a lead.
func findCase(ctx context.Context, tx *pg.Tx, kind Kind, id uuid.UUID, lock bool) (Explained, error) {
	where := ` AND c.id = $2 AND c.opportunity_id IS DISTINCT FROM c.id`
	if kind == OfOpportunity {
		where = ` AND c.opportunity_id = $2`
	}
	if lock {
		where += ` FOR NO KEY UPDATE`
	}
	var (
		e  Explained
		by *string
		at *time.Time
	)
	err := scanCase(tx.QueryRow(ctx, `SELECT `+caseColumns+`, coalesce(c.manual, 0), c.manual_by, c.manual_at FROM scoring_case c WHERE c.tenant_id = $1`+where,
		tx.Tenant(), id), &e.Case, &e.State, &e.Manual, &by, &at)
	if errors.Is(err, pgx.ErrNoRows) {
		return Explained{}, errNoCase(kind)
	}
	e.ManualAt = orZero(at)
	if by != nil {
		e.ManualBy = *by
	}
	return e, err
}

// explain scores the case by the counts as they are now.
func explain(ctx context.Context, tx *pg.Tx, e Explained) (Explained, error) {
	m, err := loadModel(ctx, tx, []Case{e.Case})
	if err != nil {
		return e, err
	}
	e.Reckoning = m.reckon(e.Case)
	if e.Probability == 0 {
		return e, nil
	}
	t, _, _ := m.tableFor(e.Case)
	for _, v := range e.values(m.fields) {
		if _, seen := t.values[v]; seen {
			continue
		}
		reason := "unseen"
		if v.field == FieldTags {
			reason = "too_few"
		}
		e.Uncounted = append(e.Uncounted, Uncounted{v.field, v.code, reason})
	}
	return e, nil
}

// Words say how the score comes about: the base first, then what speaks for the case and against it, the strongest first.
func (e Explained) Words() []string {
	var all []string
	switch {
	case e.State != stateOpen:
		all = append(all, fmt.Sprintf("It is %s, so its score is %s %%.", e.State, percent(e.Score().Probability)))
	case e.Manual > 0:
		all = append(all, fmt.Sprintf("The score was set to %s %% by hand and stays until that is cleared.", percent(e.Manual)))
	}
	if e.Probability == 0 {
		return append(all, "There is nothing to reckon with yet: no case of this pipeline was won or lost.")
	}
	whose := "all teams"
	if e.Learnt != "" {
		whose = "team " + e.Learnt
	}
	all = append(all, fmt.Sprintf("Of the cases of %s, %s %% were won (counts: %s won, %s lost).", whose, percent(int32(10000*e.PWon()+0.5)), plain(e.Won), plain(e.Lost)))
	factors := slices.Clone(e.Factors)
	slices.SortStableFunc(factors, func(a, b Factor) int { return cmp.Compare(strength(b), strength(a)) })
	for _, f := range factors {
		all = append(all, f.words())
	}
	for _, u := range e.Uncounted {
		why := "was not seen in a case that was won or lost"
		if u.Reason == "too_few" {
			why = fmt.Sprintf("stands in fewer than %d cases that were won or lost", fewest)
		}
		all = append(all, fmt.Sprintf("%s %s %s and is left out.", spoken(u.Field), u.Value, why))
	}
	return append(all, fmt.Sprintf("Together that makes %s %%.", percent(e.Probability)))
}

// strength is how far a factor moves a score, in either direction.
func strength(f Factor) float64 { return max(f.Lift(), 1/f.Lift()) }

func (f Factor) words() string {
	switch lift := f.Lift(); {
	case lift > 1.005:
		return fmt.Sprintf("%s %s speaks for it: it is %s times as frequent among those won as among those lost.", spoken(f.Field), f.Value, plain(lift))
	case lift < 0.995:
		return fmt.Sprintf("%s %s speaks against it: it is %s times as frequent among those lost as among those won.", spoken(f.Field), f.Value, plain(1/lift))
	default:
		return fmt.Sprintf("%s %s speaks neither for it nor against it.", spoken(f.Field), f.Value)
	}
}

// spoken gives a field as a sentence begins with it.
func spoken(field string) string {
	if field == FieldTags {
		field = "tag"
	}
	field = strings.ReplaceAll(field, "_", " ")
	return strings.ToUpper(field[:1]) + field[1:]
}

func percent(hundredths int32) string {
	return strconv.FormatFloat(float64(hundredths)/100, 'f', 2, 64)
}

// plain gives a number with up to two decimals.
func plain(f float64) string {
	return strings.TrimRight(strings.TrimRight(strconv.FormatFloat(f, 'f', 2, 64), "0"), ".")
}
