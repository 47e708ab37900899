package activity

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
	"github.com/guanxi-crm/guanxi/services/sales/internal/opportunity"
	"github.com/guanxi-crm/guanxi/services/sales/internal/team"
)

// Activities is what can be done with activities and the library of objections.
type Activities struct {
	db     *pg.DB
	ops    *pg.DB // lists the reminders that are due of all tenants
	outbox *outbox.Outbox
	clock  func() time.Time
}

// New makes the capability.
func New(db, ops *pg.DB, o *outbox.Outbox, clock func() time.Time) *Activities {
	return &Activities{db: db, ops: ops, outbox: o, clock: clock}
}

// now is cut to what the database keeps, so that an answer reads the same at once and later.
func (a *Activities) now() time.Time { return a.clock().UTC().Truncate(time.Microsecond) }

// Create plans an activity. Customer, lead and opportunity have to be of one another; a customer that is not named is taken from the
// others. Without a zone it is that of the owner's working hours, or UTC.
func (a *Activities) Create(ctx context.Context, kind Kind, of Links, p Plan) (Activity, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Activity{}, err
	}
	caller, _ := auth.From(ctx)
	now := a.now()
	result, err := a.db.Command(ctx, caller.Tenant, func(tx *pg.Tx) (pg.Result, error) {
		of, faults, err := resolve(ctx, tx, of)
		if err != nil {
			return pg.Result{}, err
		}
		if of.Customer != uuid.Nil {
			erasure.Refuse(tx, of.Customer)
		}
		if of.Lead != uuid.Nil { // it is not erased until this is written: after the customer, as those who erase lock them
			switch l, err := lead.Lock(ctx, tx, of.Lead); {
			case err != nil:
				return pg.Result{}, err
			case !l.ErasedAt.IsZero():
				return pg.Result{}, errLeadErased
			}
		}
		w, err := working(ctx, tx, p.Owner, now)
		if err != nil {
			return pg.Result{}, err
		}
		p := p.zoned(w)
		if !kind.known() {
			faults = append(faults, problem.Field{Location: "kind", Code: "kind_unknown", Message: "must be task, call, meeting or visit"})
		}
		if faults = append(faults, p.faults(now)...); len(faults) > 0 {
			return pg.Result{}, invalid(faults)
		}
		made := Activity{
			ID: id, Version: 1, Kind: kind, State: Open, Links: of, Plan: p, DueAt: p.Due.At(), Reminded: len(p.Reminders),
			CreatedAt: now, CreatedBy: caller.Subject, ChangedAt: now, ChangedBy: caller.Subject,
		}
		insert(tx, made)
		saveAlarms(tx, id, made.alarms(w, 0, now))
		if of.Opportunity != uuid.Nil {
			opportunity.Follow(tx, of.Opportunity)
		}
		return pg.Result{ID: id, Status: http.StatusCreated}, nil
	})
	return a.told(ctx, result, err)
}

// told gives the activity that a command was about.
func (a *Activities) told(ctx context.Context, result pg.Result, err error) (Activity, error) {
	if err != nil {
		return Activity{}, err
	}
	if result.Replayed {
		httpx.MarkReplayed(ctx)
	}
	return a.Get(ctx, result.ID)
}

// zoned gives a plan whose day is in a zone: without one, that of the owner's working hours.
func (p Plan) zoned(w Working) Plan {
	if p.Due.Zone == "" {
		p.Due.Zone = "UTC"
		if w.Zone != nil {
			p.Due.Zone = w.Zone.String()
		}
	}
	return p
}

// alarms gives the reminders of an activity, numbered after those that were.
func (a Activity) alarms(w Working, after int, now time.Time) []Alarm {
	all := make([]Alarm, len(a.Reminders))
	for i, b := range a.Reminders {
		all[i] = Alarm{No: after + i + 1, Before: b, At: b.Alarm(a.Due, w, now)}
	}
	return all
}

// working gives when the subject works: around the clock, in the zone of what is due, where nobody keeps their hours.
func working(ctx context.Context, tx *pg.Tx, subject string, now time.Time) (Working, error) {
	p, err := team.FindPerson(ctx, tx, subject, now)
	if problem.KindOf(err) == problem.NotFound {
		return Working{}, nil
	}
	return worksAs(p), err
}

func worksAs(p team.Person) Working {
	w := Working{Calendar: p.Calendar(), Away: p.Away()}
	if p.Hours != nil {
		w.Zone = w.Calendar.Zone()
	}
	return w
}

// resolve finds what an activity is about, and says what of it does not belong together. The customer is that of the opportunity or
// of the lead where none is named.
func resolve(ctx context.Context, tx *pg.Tx, of Links) (_ Links, faults []problem.Field, err error) {
	note := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	if of == (Links{}) {
		note("customer_id", "subject_missing", "say whom it is about: a customer, a lead or an opportunity")
		return of, faults, nil
	}
	root := alias.Root(tx, of.Customer)
	var o opportunity.Opportunity
	if of.Opportunity != uuid.Nil {
		switch o, err = opportunity.Get(ctx, tx, of.Opportunity); {
		case problem.KindOf(err) == problem.NotFound || err == nil && o.State == opportunity.Withdrawn:
			note("opportunity_id", "opportunity_unknown", "must be the id of an opportunity")
			of.Opportunity = uuid.Nil
		case err != nil:
			return of, nil, err
		}
	}
	var l lead.Lead
	if of.Lead != uuid.Nil {
		switch l, err = lead.Get(ctx, tx, of.Lead); {
		case problem.KindOf(err) == problem.NotFound:
			note("lead_id", "lead_unknown", "must be the id of a lead")
			of.Lead = uuid.Nil
		case err != nil:
			return of, nil, err
		case !l.ErasedAt.IsZero():
			return of, nil, errLeadErased
		}
	}
	if err := tx.Flush(ctx); err != nil {
		return of, nil, err
	}
	if of.Opportunity != uuid.Nil {
		if of.Customer == uuid.Nil {
			of.Customer, *root = o.CustomerID, o.Root
		}
		if *root != o.Root {
			note("customer_id", "customer_differs", "must be the opportunity's customer, or left out")
		}
	}
	if of.Lead != uuid.Nil {
		if of.Customer == uuid.Nil {
			of.Customer, *root = l.CustomerID, l.Root
		}
		if l.Root != uuid.Nil && *root != l.Root {
			note("lead_id", "lead_differs", "must be a lead of the customer: it is known to be another one")
		}
		if of.Opportunity != uuid.Nil && o.LeadID != l.ID && l.OpportunityID != o.ID {
			note("lead_id", "lead_differs", "must be the lead that the opportunity came of")
		}
	}
	return of, faults, nil
}

var errLeadErased = problem.New(problem.Gone, "lead_erased", "The lead was erased: nothing can be kept of it any more.")

// turn is what a rule knows besides the activity.
type turn struct {
	tx  *pg.Tx
	by  string
	now time.Time
}

// edit changes an activity that is locked by a rule, if it still is as the caller saw it. Words about somebody who was erased are not
// taken in.
func (a *Activities) edit(ctx context.Context, id uuid.UUID, fresh func(version int64) error,
	rule func(t turn, was Activity) (Activity, []outbox.Event, error),
) (Activity, error) {
	caller, _ := auth.From(ctx)
	t := turn{by: caller.Subject, now: a.now()}
	result, err := a.db.Command(ctx, caller.Tenant, func(tx *pg.Tx) (pg.Result, error) {
		seen, err := find(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		if seen.Customer != uuid.Nil {
			erasure.Refuse(tx, seen.Customer) // before the row is locked, as those who erase do it
		}
		was, err := lock(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		if err := fresh(was.Version); err != nil {
			return pg.Result{}, err
		}
		t.tx = tx
		is, events, err := rule(t, was)
		if err != nil {
			return pg.Result{}, err
		}
		save(tx, is)
		return pg.Result{ID: id, Status: http.StatusOK}, a.outbox.Append(ctx, tx, events...)
	})
	return a.told(ctx, result, err)
}

// Replan puts another plan in the place of the present one. Where day, owner or reminders are others, whoever it is given to is reminded
// anew.
func (a *Activities) Replan(ctx context.Context, id uuid.UUID, p Plan, fresh func(version int64) error) (Activity, error) {
	return a.edit(ctx, id, fresh, func(t turn, was Activity) (Activity, []outbox.Event, error) {
		return a.replan(ctx, t, was, p)
	})
}

// Reassign gives an activity to somebody else.
func (a *Activities) Reassign(ctx context.Context, id uuid.UUID, owner string) (Activity, error) {
	return a.edit(ctx, id, unseen, func(t turn, was Activity) (Activity, []outbox.Event, error) {
		p := was.Plan
		p.Owner = owner
		return a.replan(ctx, t, was, p)
	})
}

// unseen is for changes that do not depend on what the caller saw.
func unseen(int64) error { return nil }

func (a *Activities) replan(ctx context.Context, t turn, was Activity, p Plan) (Activity, []outbox.Event, error) {
	w, err := working(ctx, t.tx, p.Owner, t.now)
	if err != nil {
		return was, nil, err
	}
	is, err := was.Replan(p.zoned(w), t.by, t.now)
	if err != nil {
		return was, nil, err
	}
	if was.Owner == is.Owner && was.Due == is.Due && slices.Equal(was.Reminders, is.Reminders) {
		return is, nil, nil
	}
	dropAlarms(t.tx, was.ID, t.now)
	saveAlarms(t.tx, was.ID, is.alarms(w, was.Reminded, t.now))
	is.Reminded += len(is.Reminders)
	return is, nil, nil
}

// Complete says what came of an activity.
func (a *Activities) Complete(ctx context.Context, id uuid.UUID, r Result) (Activity, error) {
	return a.edit(ctx, id, unseen, func(t turn, was Activity) (Activity, []outbox.Event, error) {
		outcomes, library := queueOutcomes(t.tx), queueLibrary(t.tx, r.Objection)
		if err := t.tx.Flush(ctx); err != nil {
			return was, nil, err
		}
		is, err := was.Complete(r, *outcomes, *library, t.by, t.now)
		if err != nil {
			return was, nil, err
		}
		dropAlarms(t.tx, id, t.now)
		return is, []outbox.Event{completedEvent(is)}, nil
	})
}

// Cancel says that an activity is not to be done any more.
func (a *Activities) Cancel(ctx context.Context, id uuid.UUID, reason string) (Activity, error) {
	return a.edit(ctx, id, unseen, func(t turn, was Activity) (Activity, []outbox.Event, error) {
		is, err := was.Cancel(reason, t.by, t.now)
		if err == nil {
			dropAlarms(t.tx, id, t.now)
		}
		return is, nil, err
	})
}

// See says that somebody has seen a reminder that they were given; nobody else can say so for them.
func (a *Activities) See(ctx context.Context, id uuid.UUID, no int) error {
	caller, _ := auth.From(ctx)
	_, err := a.db.Command(ctx, caller.Tenant, func(tx *pg.Tx) (pg.Result, error) {
		to, err := givenTo(ctx, tx, id, no)
		switch {
		case err != nil:
			return pg.Result{}, err
		case to == "":
			return pg.Result{}, problem.New(problem.Conflict, "reminder_not_given", "The reminder was not given yet.")
		case to != caller.Subject:
			return pg.Result{}, problem.New(problem.Forbidden, "reminder_of_another", "Only whoever was reminded can say that they have seen it.")
		}
		see(tx, id, no, a.now())
		return pg.Result{ID: id, Status: http.StatusNoContent}, nil
	})
	return err
}
