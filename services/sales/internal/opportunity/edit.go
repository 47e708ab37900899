package opportunity

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/leadfield"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
	"github.com/guanxi-crm/guanxi/services/sales/internal/team"
)

// Fresh is asked with the version of what somebody wants to change: nil where it still is as they saw it.
type Fresh func(version int64) error

// edit is do for a rule that changes what people write, and tells which fields.
func (o *Opportunities) edit(ctx context.Context, id uuid.UUID, fresh Fresh, rule func(t turn, was Opportunity, s pipeline.Stage) (Opportunity, []string, error)) (Opportunity, error) {
	return o.do(ctx, id, func(tx *pg.Tx) (Opportunity, []outbox.Event, error) {
		return o.work(ctx, tx, id, false, func(t turn, was Opportunity) (outcome, error) {
			if err := fresh(was.Version); err != nil {
				return outcome{}, err
			}
			stage, _, _ := t.p.Stage(was.Stage)
			is, fields, err := rule(t, was, stage)
			if err != nil || len(fields) == 0 {
				return outcome{is: was}, err
			}
			rescore := slices.ContainsFunc(fields, func(f string) bool { return slices.Contains(scored, f) })
			return outcome{is: is, events: []outbox.Event{changedEvent(is, fields)}, rescore: rescore}, nil
		})
	})
}

// Change changes what people write of an opportunity, if it still is as the caller saw it. Values of custom fields are given by
// name, as JSON; null takes one away.
func (o *Opportunities) Change(ctx context.Context, id uuid.UUID, c Change, given map[string]json.RawMessage, fresh Fresh) (Opportunity, error) {
	return o.edit(ctx, id, fresh, func(t turn, was Opportunity, s pipeline.Stage) (Opportunity, []string, error) {
		if c.Team != nil && *c.Team != was.Team {
			if err := knownTeam(ctx, t.tx, *c.Team); err != nil {
				return was, nil, err
			}
		}
		if len(given) == 0 {
			return was.Change(c, s, t.by, t.now)
		}
		custom := leadfield.Kind().All(t.tx)
		if err := t.tx.Flush(ctx); err != nil {
			return was, nil, err
		}
		values, differ, faults := custom.Merge(was.Custom, given)
		if len(faults) > 0 {
			return was, nil, invalid(faults)
		}
		if differ {
			c.Custom = values
			leadfield.Kind().Use(t.tx, custom, values)
		}
		return was.Change(c, s, t.by, t.now)
	})
}

// knownTeam refuses the code of a team that cannot be given anything.
func knownTeam(ctx context.Context, tx *pg.Tx, code string) error {
	if code == "" || !pipeline.Coded(code) { // another rule says what a code is
		return nil
	}
	found, err := team.Find(ctx, tx, code)
	var f finder
	switch {
	case problem.KindOf(err) == problem.NotFound:
		f.add("team", "team_unknown", "must be the code of a team: see /v1/teams")
	case err != nil:
		return err
	case found.Archived:
		f.add("team", "team_archived", "is in the archive: it is given nothing new")
	default:
		return nil
	}
	return invalid(f)
}

// SetLines puts products in the place of those that are there.
func (o *Opportunities) SetLines(ctx context.Context, id uuid.UUID, lines []Line, fresh Fresh) (Opportunity, error) {
	return o.edit(ctx, id, fresh, func(t turn, was Opportunity, s pipeline.Stage) (Opportunity, []string, error) {
		is, fields, err := was.SetLines(lines, s, t.by, t.now)
		if err == nil && len(fields) > 0 {
			saveLines(t.tx, is)
		}
		return is, fields, err
	})
}

// SetContact says who a person is in the decision. A person who was erased is Gone.
func (o *Opportunities) SetContact(ctx context.Context, id uuid.UUID, c Contact, fresh Fresh) (Opportunity, error) {
	return o.edit(ctx, id, fresh, func(t turn, was Opportunity, s pipeline.Stage) (Opportunity, []string, error) {
		erasure.Refuse(t.tx, c.CustomerID)
		root := alias.Root(t.tx, c.CustomerID)
		if err := t.tx.Flush(ctx); err != nil {
			return was, nil, err
		}
		c.Root = *root
		is, fields, err := was.SetContact(c, s, t.by, t.now)
		if err == nil && len(fields) > 0 {
			saveContact(t.tx, id, is.Contacts[is.contact(c.CustomerID, c.Root)])
		}
		return is, fields, err
	})
}

// DropContact takes a person out.
func (o *Opportunities) DropContact(ctx context.Context, id, customer uuid.UUID, fresh Fresh) (Opportunity, error) {
	return o.edit(ctx, id, fresh, func(t turn, was Opportunity, s pipeline.Stage) (Opportunity, []string, error) {
		root := alias.Root(t.tx, customer)
		if err := t.tx.Flush(ctx); err != nil {
			return was, nil, err
		}
		at := was.contact(customer, *root)
		if at < 0 {
			return was, nil, errNoContact
		}
		is, fields, err := was.DropContact(at, s, t.by, t.now)
		if err == nil {
			deleteContact(t.tx, id, was.Contacts[at].CustomerID)
		}
		return is, fields, err
	})
}

// SetRival says how a competitor stands, as the customer sees it.
func (o *Opportunities) SetRival(ctx context.Context, id uuid.UUID, r Rival, fresh Fresh) (Opportunity, error) {
	return o.edit(ctx, id, fresh, func(t turn, was Opportunity, s pipeline.Stage) (Opportunity, []string, error) {
		if was.rival(r.Competitor) < 0 { // one that is there already may be in the archive by now
			known := pipeline.AllCompetitors(t.tx)
			if err := t.tx.Flush(ctx); err != nil {
				return was, nil, err
			}
			if faults := known.Fault("competitor", r.Competitor); len(faults) > 0 {
				return was, nil, problem.New(problem.Unprocessable, "opportunity_invalid", "There is no such competitor, or it is in the archive.").
					WithField("path.competitor", faults[0].Code, faults[0].Message)
			}
		}
		is, fields, err := was.SetRival(r, s, t.by, t.now)
		if err == nil && len(fields) > 0 {
			saveRival(t.tx, id, is.Rivals[is.rival(r.Competitor)])
		}
		return is, fields, err
	})
}

// DropRival takes a competitor out.
func (o *Opportunities) DropRival(ctx context.Context, id uuid.UUID, code string, fresh Fresh) (Opportunity, error) {
	return o.edit(ctx, id, fresh, func(t turn, was Opportunity, s pipeline.Stage) (Opportunity, []string, error) {
		is, fields, err := was.DropRival(code, s, t.by, t.now)
		if err == nil {
			deleteRival(t.tx, id, code)
		}
		return is, fields, err
	})
}
