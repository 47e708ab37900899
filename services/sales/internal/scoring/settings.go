package scoring

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Fields are those that a tenant may choose from.
func Fields() []string {
	return []string{"source", "campaign", "country", "industry", "language", "email_state", "phone_state", "capture", "authority", FieldTags, FieldStage}
}

// Setting is what a tenant has set.
type Setting struct {
	Fields []string // that make factors
	// Start is the time of the latest rebuild from which on outcomes count; zero: all do.
	Start     time.Time
	Version   int64     // 0: nothing was set yet
	By        string    // subject; empty: nobody
	ChangedAt time.Time // zero: never
}

func (s *setting) shown() Setting {
	return Setting{Fields: s.Fields, Start: s.Start, Version: s.Version, By: s.By, ChangedAt: s.ChangedAt}
}

// Setting gives what the tenant has set, or the defaults.
func (s *Scoring) Setting(ctx context.Context) (Setting, error) {
	var set *setting
	err := s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		set = queueSetting(tx, lockNone)
		return nil
	})
	if err != nil {
		return Setting{}, err
	}
	return set.shown(), nil
}

// SetFields sets which fields make factors. Counts are kept of all fields, whatever is set: open cases are only scored again.
func (s *Scoring) SetFields(ctx context.Context, fields []string, ifMatch string) (Setting, error) {
	var faults []problem.Field
	for i, f := range fields {
		if !slices.Contains(Fields(), f) {
			faults = append(faults, problem.Field{Location: at("fields", i), Code: "field_unknown", Message: "must be one of " + strings.Join(Fields(), ", ")})
		} else if slices.Contains(fields[:i], f) {
			faults = append(faults, problem.Field{Location: at("fields", i), Code: "field_twice", Message: "is named before"})
		}
	}
	if len(faults) > 0 {
		return Setting{}, problem.InvalidBody("lead_scoring_invalid", "The setting stays as it was: mend the fields named here.", faults)
	}
	caller, _ := auth.From(ctx)
	var seen Setting
	_, err := s.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		set := queueSetting(tx, lockExclusive)
		if err := tx.Flush(ctx); err != nil {
			return pg.Result{}, err
		}
		if err := httpx.IfMatch(ifMatch, set.Version); err != nil {
			return pg.Result{}, err
		}
		set.Fields, set.Version, set.By, set.ChangedAt = append([]string{}, fields...), set.Version+1, caller.Subject, s.now()
		tx.Queue(`INSERT INTO scoring_setting (tenant_id, fields, version, by_subject, changed_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (tenant_id) DO UPDATE SET fields = excluded.fields, version = excluded.version, by_subject = excluded.by_subject, changed_at = excluded.changed_at`,
			tx.Tenant(), set.Fields, set.Version, set.By, set.ChangedAt)
		queueMark(tx)
		seen = set.shown()
		return pg.Result{}, nil
	})
	return seen, err
}

func at(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }

// errNoCase is the same for a case that is not there and for another tenant's.
func errNoCase(kind Kind) error {
	return problem.New(problem.NotFound, string(kind)+"_not_found", "There is no such %s, or it has no score.", kind)
}

// SetByHand sets the probability of an open case, in hundredths of a percent, Least to Most; it stays until it is cleared.
func (s *Scoring) SetByHand(ctx context.Context, kind Kind, id uuid.UUID, probability int32) (Explained, error) {
	if probability < Least || probability > Most {
		return Explained{}, problem.InvalidBody("score_invalid", "The score was not set: mend the field named here.", []problem.Field{{
			Location: "probability", Code: "out_of_range", Message: "must be 0.01 to 99.99: only what is won is certain, and only what is lost is out of the question",
		}})
	}
	return s.byHand(ctx, kind, id, probability)
}

// Clear has a case scored by the counts again.
func (s *Scoring) Clear(ctx context.Context, kind Kind, id uuid.UUID) (Explained, error) {
	return s.byHand(ctx, kind, id, 0)
}

func (s *Scoring) byHand(ctx context.Context, kind Kind, id uuid.UUID, probability int32) (e Explained, err error) {
	caller, _ := auth.From(ctx)
	_, err = s.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		one, err := findCase(ctx, tx, kind, id, true)
		if err != nil {
			return pg.Result{}, err
		}
		if one.State != stateOpen {
			return pg.Result{}, problem.New(problem.Conflict, "case_closed", "It is %s: there is nothing left to expect.", one.State)
		}
		one.Manual, one.ManualBy, one.ManualAt = probability, caller.Subject, s.now()
		if probability == 0 {
			one.ManualBy, one.ManualAt = "", time.Time{}
		}
		tx.Queue(`UPDATE scoring_case SET manual = $3, manual_by = $4, manual_at = $5 WHERE tenant_id = $1 AND id = $2`,
			tx.Tenant(), one.ID, pg.OrNull(one.Manual), pg.OrNull(one.ManualBy), pg.OrNull(one.ManualAt))
		e, err = explain(ctx, tx, one)
		return pg.Result{ID: one.ID}, err
	})
	if err != nil {
		return Explained{}, err
	}
	if e.ID == uuid.Nil { // a repetition
		return s.Explain(ctx, kind, id)
	}
	return e, nil
}
