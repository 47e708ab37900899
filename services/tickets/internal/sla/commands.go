package sla

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/calendar"
)

// Policies is what can be done with service level policies and customers' standings.
type Policies struct {
	db    *pg.DB
	clock func() time.Time
}

// New makes the capability.
func New(db *pg.DB, clock func() time.Time) *Policies { return &Policies{db: db, clock: clock} }

func (p *Policies) now() time.Time { return p.clock().UTC().Truncate(time.Microsecond) }

// Create makes a policy. A name that another one has is the Conflict sla_policy_name_taken, an external id external_id_taken.
func (p *Policies) Create(ctx context.Context, draft Policy, by Managed) (Stored, error) {
	made, err := checked(draft, by)
	if err != nil {
		return Stored{}, err
	}
	if made.ID, err = uuid.NewV7(); err != nil {
		return Stored{}, err
	}
	made.Version = 1
	s := Stored{Policy: made, Managed: by, By: subject(ctx), At: p.now()}
	result, err := p.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		if err := holdCalendar(ctx, tx, made.CalendarID); err != nil {
			return pg.Result{}, err
		}
		lock(tx)
		n, err := count(ctx, tx)
		if err != nil {
			return pg.Result{}, err
		}
		if n >= maxPolicies {
			return pg.Result{}, problem.New(problem.Conflict, "sla_policies_too_many", "There are %d policies: archive one before you add another.", n)
		}
		return pg.Result{ID: s.ID, Status: http.StatusCreated}, save(tx, s)
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return p.Get(ctx, result.ID)
	}
	return s, named(err)
}

// Change puts another version in the place of a policy, if that still is as the caller saw it: fresh is asked with the
// version. It holds for tickets that are opened or classified anew from now on; a correction also for open tickets of the
// versions before, whose deadlines are reckoned anew. One that is managed is changed by its manager alone; who manages takes one
// of people over with the first change.
func (p *Policies) Change(ctx context.Context, id uuid.UUID, to Policy, by Managed, correction bool, fresh func(version int64) error) (Stored, error) {
	made, err := checked(to, by)
	if err != nil {
		return Stored{}, err
	}
	job, err := uuid.NewV7()
	if err != nil {
		return Stored{}, err
	}
	s := Stored{Policy: made, Managed: by, Correction: correction, By: subject(ctx), At: p.now()}
	err = p.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if err := holdCalendar(ctx, tx, made.CalendarID); err != nil {
			return err
		}
		was, err := hold(ctx, tx, id, fresh)
		if err != nil {
			return err
		}
		if err := was.yields(by.ManagedBy); err != nil {
			return err
		}
		if by.ExternalID == "" {
			s.ExternalID = was.ExternalID
		}
		s.ID, s.Version = id, was.Version+1
		if correction {
			correct(tx, job, s)
		}
		return save(tx, s)
	})
	return s, named(err)
}

// Archive has a policy pick no ticket any more. Those that it picked are measured by it on. manager is in whose name it is done;
// empty: people's.
func (p *Policies) Archive(ctx context.Context, id uuid.UUID, manager string, fresh func(version int64) error) (Stored, error) {
	return p.held(ctx, id, manager, fresh, func(tx *pg.Tx, s *Stored) {
		archive(tx, id)
		s.Archived = true
	})
}

// Release gives a policy that is managed back to people, as it is.
func (p *Policies) Release(ctx context.Context, id uuid.UUID, manager string, fresh func(version int64) error) (Stored, error) {
	return p.held(ctx, id, manager, fresh, func(tx *pg.Tx, s *Stored) {
		release(tx, id)
		s.Managed = Managed{}
	})
}

// held does with a policy what makes no version of it.
func (p *Policies) held(ctx context.Context, id uuid.UUID, manager string, fresh func(version int64) error, do func(tx *pg.Tx, s *Stored)) (Stored, error) {
	var s Stored
	_, err := p.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		was, err := hold(ctx, tx, id, fresh)
		if err == nil {
			err = was.yields(manager)
		}
		if err != nil {
			return pg.Result{}, err
		}
		s = was
		do(tx, &s)
		return pg.Result{ID: id, Status: http.StatusOK}, nil
	})
	if err == nil && s.ID == uuid.Nil {
		httpx.MarkReplayed(ctx)
		return p.Get(ctx, id)
	}
	return s, err
}

// SetStanding says how a customer stands with the tenant. It picks the policies of tickets that are opened or classified
// anew from now on, until somebody says something later. Gone: customer_erased.
func (p *Policies) SetStanding(ctx context.Context, customer uuid.UUID, s Standing) (Standing, error) {
	var faults []problem.Field
	for name, value := range map[string]string{"grade": s.Grade, "tier": s.Tier} {
		if value != "" && !standingCode(value) {
			faults = append(faults, problem.Field{Location: name, Code: name + "_malformed", Message: "must be a code of 1 to 64 letters, digits, - and _"})
		}
	}
	if len(faults) > 0 {
		return Standing{}, problem.InvalidBody("standing_invalid", "The standing was not accepted: mend the fields named here.", faults)
	}
	err := p.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		erasure.Refuse(tx, customer)
		saveStanding(tx, customer, s, p.now())
		return nil
	})
	return s, err
}

// hold gives a policy that is locked until the transaction ends and may be changed. Calendars are locked before policies.
func hold(ctx context.Context, tx *pg.Tx, id uuid.UUID, fresh func(version int64) error) (Stored, error) {
	lock(tx)
	was, err := get(ctx, tx, id)
	if err != nil {
		return Stored{}, err
	}
	if err := fresh(was.Version); err != nil {
		return Stored{}, err
	}
	if was.Archived {
		return Stored{}, problem.New(problem.Conflict, "sla_policy_archived", "The policy is in the archive and stays as it is: make a new one.")
	}
	return was, nil
}

// holdCalendar keeps the calendar that a policy names from going into the archive meanwhile.
func holdCalendar(ctx context.Context, tx *pg.Tx, id uuid.UUID) error {
	if id == uuid.Nil {
		return nil
	}
	_, err := calendar.Hold(ctx, tx, id)
	if problem.KindOf(err) == problem.NotFound {
		return invalid([]problem.Field{{Location: "calendar_id", Code: "calendar_not_found", Message: "is no calendar"}})
	}
	return err
}

func checked(draft Policy, by Managed) (Policy, error) {
	made := draft.Defaults()
	if faults := append(made.Check(), by.check()...); len(faults) > 0 {
		return Policy{}, invalid(faults)
	}
	return made, nil
}

func invalid(faults []problem.Field) error {
	return problem.InvalidBody("sla_policy_invalid", "The policy was not accepted: mend the fields named here.", faults)
}

func named(err error) error {
	switch name, _ := pg.Constraint(err); name {
	case nameIndex:
		return problem.New(problem.Conflict, "sla_policy_name_taken", "Another policy has this name: choose another one, or archive that.").Because(err)
	case externalIndex:
		return problem.New(problem.Conflict, "external_id_taken", "Another policy has this external id: change that one.").Because(err)
	}
	return err
}

func subject(ctx context.Context) string {
	caller, _ := auth.From(ctx)
	return caller.Subject
}

// standingCode is code with capitals: grades are often single letters.
func standingCode(s string) bool {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && (i == 0 || r != '-' && r != '_') {
			return false
		}
	}
	return len(s) <= 64
}

// Verdict is what a condition says of a ticket, and which policy would pick it.
type Verdict struct {
	Fits   bool
	Reason string // why it cannot answer; empty where it can
	Cost   uint64 // at most, in CEL's units
	Picked Stored // the first present policy that fits; the zero one where none does
}

// Try says what a condition makes of the facts, without keeping anything, and which of the present policies fits them.
func (p *Policies) Try(ctx context.Context, text string, f Facts) (Verdict, error) {
	c, faults := compile(text, "condition")
	if len(faults) > 0 {
		return Verdict{}, problem.InvalidBody("condition_invalid", "The condition was not accepted: mend what is named here.", faults)
	}
	var v Verdict
	var err error
	if v.Fits, err = c.fits(f); err != nil {
		v.Reason = err.Error()
	}
	if c != nil {
		v.Cost = c.cost()
	}
	all, err := p.List(ctx)
	for _, s := range all {
		if _, fits := Choose([]Policy{s.Policy}, f); fits {
			v.Picked = s
			break
		}
	}
	return v, err
}
