package lead

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/leadfield"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
	"github.com/guanxi-crm/guanxi/services/sales/internal/scoring"
	"github.com/guanxi-crm/guanxi/services/sales/internal/team"
)

// Seen is a lead with its score.
type Seen struct {
	Lead  Lead
	Score scoring.Score
}

// work does something to a lead: it is locked, changed, saved, and told of. do gives the lead as it is then with what is to be told;
// where its version is the same as before, nothing is saved.
func (s *Leads) work(ctx context.Context, id uuid.UUID, do func(tx *pg.Tx, l Lead) (Lead, []outbox.Event, error)) (Seen, error) {
	var seen Seen
	result, err := s.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		was, err := Lock(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		now, events, err := do(tx, was)
		if err != nil {
			return pg.Result{}, err
		}
		if now.Version != was.Version {
			Save(tx, now)
			if err := s.outbox.Append(ctx, tx, events...); err != nil {
				return pg.Result{}, err
			}
		}
		scores := scoring.Of(tx, []uuid.UUID{id})
		if err := tx.Flush(ctx); err != nil {
			return pg.Result{}, err
		}
		seen = Seen{now, scores.Get(id)}
		return pg.Result{ID: id, Status: http.StatusOK}, nil
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return s.See(ctx, result.ID)
	}
	return seen, err
}

func invalid(f faults) error {
	return problem.InvalidBody("lead_invalid", "The lead was not accepted: mend the fields named here.", f)
}

// Edit changes what is said of a lead, if it still is as the caller saw it: fresh is asked with the version.
func (s *Leads) Edit(ctx context.Context, id uuid.UUID, e Edit, fresh func(version int64) error) (Seen, error) {
	return s.work(ctx, id, func(tx *pg.Tx, l Lead) (Lead, []outbox.Event, error) {
		if err := fresh(l.Version); err != nil {
			return l, nil, err
		}
		if !l.ErasedAt.IsZero() {
			return l, nil, l.unfit("edited")
		}
		if l.CustomerID != uuid.Nil {
			erasure.Refuse(tx, l.CustomerID)
		}
		w := s.look(tx, false)
		if err := tx.Flush(ctx); err != nil {
			return l, nil, err
		}
		now, changed, wrong := l.Edit(e, w.world(), s.now())
		if len(wrong) > 0 || !changed {
			if len(wrong) > 0 {
				return l, nil, invalid(wrong)
			}
			return l, nil, nil
		}
		leadfield.Kind().Use(tx, w.Fields, now.Custom)
		return now, nil, s.scores.Save(ctx, tx, now.scored(w.Pipelines))
	})
}

// Qualify finds a lead worth a seller's time, with what was found.
func (s *Leads) Qualify(ctx context.Context, id uuid.UUID, found Check) (Seen, error) {
	return s.work(ctx, id, func(tx *pg.Tx, l Lead) (Lead, []outbox.Event, error) {
		if l.CustomerID != uuid.Nil {
			erasure.Refuse(tx, l.CustomerID)
		}
		var f faults
		list := f.check(l.Checklist, found)
		if len(f) > 0 {
			return l, nil, invalid(f)
		}
		now, err := l.Qualify(list, actor(ctx), s.now())
		if err != nil {
			return l, nil, err
		}
		if err := s.rescore(ctx, tx, now); err != nil {
			return l, nil, err
		}
		scores := scoring.Of(tx, []uuid.UUID{id})
		if err := tx.Flush(ctx); err != nil {
			return l, nil, err
		}
		return now, []outbox.Event{qualifiedEvent(now, scores.Get(id).Probability)}, nil
	})
}

// Lose ends a lead for one of the tenant's reasons.
func (s *Leads) Lose(ctx context.Context, id uuid.UUID, reason string) (Seen, error) {
	return s.work(ctx, id, func(tx *pg.Tx, l Lead) (Lead, []outbox.Event, error) {
		at := s.now()
		now, err := l.Lose(reason, at)
		if err != nil {
			return l, nil, err
		}
		reasons := pipeline.AllReasons(tx)
		if err := tx.Flush(ctx); err != nil {
			return l, nil, err
		}
		if wrong := reasons.Fault("reason", reason, pipeline.LostLead); len(wrong) > 0 {
			return l, nil, invalid(wrong)
		}
		return now, []outbox.Event{lostEvent(now, at)}, s.scores.Lost(ctx, tx, at, id)
	})
}

// Reopen begins a lost lead anew.
func (s *Leads) Reopen(ctx context.Context, id uuid.UUID) (Seen, error) {
	return s.work(ctx, id, func(tx *pg.Tx, l Lead) (Lead, []outbox.Event, error) {
		at := s.now()
		now, err := l.Reopen(at)
		if err != nil {
			return l, nil, err
		}
		if l.CustomerID != uuid.Nil {
			erasure.Refuse(tx, l.CustomerID)
		}
		if err := s.scores.Reopened(ctx, tx, at, id); err != nil {
			return l, nil, err
		}
		return now, []outbox.Event{reopenedEvent(now)}, s.rescore(ctx, tx, now)
	})
}

// Assign gives a lead to a team and to somebody of it by hand. An empty team stays as it is, an empty owner is nobody.
func (s *Leads) Assign(ctx context.Context, id uuid.UUID, code, owner string) (Seen, error) {
	return s.hand(ctx, id, func(tx *pg.Tx, l Lead) (string, string, string, error) {
		if code == "" {
			code = l.Team
		}
		book := team.All(tx, s.now())
		if err := tx.Flush(ctx); err != nil {
			return "", "", "", err
		}
		if f := assignable(code, owner, book); len(f) > 0 {
			return "", "", "", invalid(f)
		}
		return code, owner, "hand", nil
	})
}

// Release takes a lead from whoever has it; its team stays.
func (s *Leads) Release(ctx context.Context, id uuid.UUID) (Seen, error) {
	return s.hand(ctx, id, func(_ *pg.Tx, l Lead) (string, string, string, error) {
		if l.Owner == "" {
			return "", "", "", problem.New(problem.Conflict, "lead_not_assigned", "Nobody has this lead.")
		}
		return l.Team, "", "released", nil
	})
}

// hand assigns a lead to whom to names.
func (s *Leads) hand(ctx context.Context, id uuid.UUID, to func(tx *pg.Tx, l Lead) (team, owner, reason string, err error)) (Seen, error) {
	return s.work(ctx, id, func(tx *pg.Tx, l Lead) (Lead, []outbox.Event, error) {
		if err := l.can("assigned", Open, Nurturing, Qualified); err != nil {
			return l, nil, err
		}
		code, owner, reason, err := to(tx, l)
		if err != nil {
			return l, nil, err
		}
		now, err := l.Assign(code, owner, reason, s.now())
		if err != nil || now.Version == l.Version {
			return l, nil, err
		}
		if now.Team != l.Team {
			err = s.rescore(ctx, tx, now)
		}
		return now, []outbox.Event{assignedEvent(l, now, reason)}, err
	})
}

// Erase deletes the words of a lead by hand, those of its enquiries and notes with them. What cannot be told apart from the lead
// any more stays: codes, times, and what it counted. Once is enough: a second time nothing happens.
func (s *Leads) Erase(ctx context.Context, id uuid.UUID) error {
	_, err := s.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		l, err := Lock(ctx, tx, id)
		if err != nil || !l.ErasedAt.IsZero() {
			return pg.Result{ID: id, Status: http.StatusNoContent}, err
		}
		_, _, err = s.eraseAll(ctx, tx, []Lead{l})
		return pg.Result{ID: id, Status: http.StatusNoContent}, err
	})
	return err
}

// SetUp changes what the tenant wants of leads, if it still is as the caller saw it.
func (s *Leads) SetUp(ctx context.Context, dedupe []Key, region string, fresh func(version int64) error) (Setting, error) {
	var now Setting
	_, err := s.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		was := setting(tx, `FOR UPDATE`)
		if err := tx.Flush(ctx); err != nil {
			return pg.Result{}, err
		}
		if err := fresh(was.Version); err != nil {
			return pg.Result{}, err
		}
		var wrong []problem.Field
		if now, wrong = was.Change(dedupe, region, actor(ctx), s.now()); len(wrong) > 0 {
			return pg.Result{}, problem.InvalidBody("lead_setting_invalid", "The setting was not accepted: mend the fields named here.", wrong)
		}
		saveSetting(tx, now)
		return pg.Result{Status: http.StatusOK}, nil
	})
	if name, _ := pg.Constraint(err); name == settingKey {
		return now, httpx.IfMatch(httpx.ETag(0), 1) // somebody was first
	}
	return now, err
}
