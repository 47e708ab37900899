package nurture

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
	"github.com/guanxi-crm/guanxi/services/sales/internal/scoring"
)

// Nurture is what can be done to warm leads up.
type Nurture struct {
	db      *pg.DB
	outbox  *outbox.Outbox
	flow    *flow.Client
	starter *starts.Starter
	leads   *lead.Leads
	service string // and task queue
	clock   func() time.Time
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, fl *flow.Client, starter *starts.Starter, leads *lead.Leads, service string, clock func() time.Time) *Nurture {
	return &Nurture{db: db, outbox: o, flow: fl, starter: starter, leads: leads, service: service, clock: clock}
}

// now is cut to what the database keeps, so that an answer reads the same at once and later.
func (n *Nurture) now() time.Time { return n.clock().UTC().Truncate(time.Microsecond) }

// PutProgramme makes a programme, or changes it, if it still is as the caller saw it: fresh is asked with the version, which is 0
// where there is none yet. Leads that are in it go on by the version that they began with.
func (n *Nurture) PutProgramme(ctx context.Context, p Programme, fresh func(version int64) error) (Programme, error) {
	err := n.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('nurture ' || $1, 0))`, tx.Tenant())
		reasons := pipeline.AllReasons(tx)
		was, err := latest(ctx, tx, p.Code, true)
		if err != nil && problem.KindOf(err) != problem.NotFound {
			return err
		}
		if err := fresh(was.Version); err != nil {
			return err
		}
		checked, f := p.check(reasons)
		if len(f) > 0 {
			return problem.InvalidBody("nurture_programme_invalid", "The programme was not accepted: mend the fields named here.", f)
		}
		p = checked
		if p.Version, p.ChangedAt, p.By = was.Version, was.ChangedAt, was.By; was.Version > 0 && reflect.DeepEqual(p, was) {
			return nil
		}
		p.Version, p.ChangedAt, p.By = was.Version+1, n.now(), flow.ActorOf(ctx).Subject
		saveProgramme(tx, p)
		return nil
	})
	return p, err
}

// Begin takes a lead into a programme: marketing has it from then on. One that is warmed up already is the Conflict
// nurturing_running, a programme that is not active nurture_programme_inactive.
func (n *Nurture) Begin(ctx context.Context, leadID uuid.UUID, programme string) (Case, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Case{}, err
	}
	now, by := n.now(), flow.ActorOf(ctx).Subject
	result, err := n.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		l, err := lead.Lock(ctx, tx, leadID)
		if err != nil {
			return pg.Result{}, err
		}
		scores := scoring.Of(tx, []uuid.UUID{leadID})
		p, err := latest(ctx, tx, programme, false)
		switch {
		case problem.KindOf(err) == problem.NotFound:
			return pg.Result{}, problem.InvalidBody("nurturing_invalid", "The lead was not taken in: mend the field named here.",
				[]problem.Field{{Location: "programme", Code: "nurture_programme_unknown", Message: "is no programme: make it first"}})
		case err != nil:
			return pg.Result{}, err
		case !p.Active:
			return pg.Result{}, problem.New(problem.Conflict, "nurture_programme_inactive", "No leads are taken into this programme: make it active first.")
		case p.threshold() > 0 && scores.Get(leadID).Probability >= p.threshold():
			return pg.Result{}, problem.New(problem.Conflict, "lead_ready", "The lead's score is as high already as this programme hands it over at.")
		}
		if l.CustomerID != uuid.Nil {
			erasure.Refuse(tx, l.CustomerID)
		}
		var events []outbox.Event
		if l.State != lead.Nurturing { // marketing has one whose conversion was undone already; that no case of it runs the index says
			if l, events, err = n.leads.HandOverIn(ctx, tx, l, true, codeHand, scores.Get(leadID).Probability, now); err != nil {
				return pg.Result{}, err
			}
		}
		insert(tx, begin(id, l, p, by, now))
		if err := n.outbox.Append(ctx, tx, events...); err != nil {
			return pg.Result{}, err
		}
		// What the process does by itself it does on behalf of nobody.
		own := auth.With(ctx, auth.Principal{Subject: process, Tenant: tx.Tenant()})
		return pg.Result{ID: id, Status: http.StatusCreated}, n.starter.Queue(own, tx, n.start(tx.Tenant(), id))
	})
	if name, _ := pg.Constraint(err); name == runningIndex {
		return Case{}, problem.New(problem.Conflict, "nurturing_running", "This lead is warmed up already.")
	}
	if err != nil {
		return Case{}, err
	}
	if result.Replayed {
		httpx.MarkReplayed(ctx)
	}
	return n.Get(ctx, result.ID)
}

// around is what a rule on a case is asked about.
type around struct {
	lead      lead.Lead // locked
	programme Programme
	score     int32
	now       time.Time
}

// change locks a case behind its lead, ends it where something has become of the lead, else applies the rule, and saves and tells
// what was changed. The rule also gives until when the address of a contact can be fetched.
func (n *Nurture) change(ctx context.Context, id uuid.UUID, rule func(was Case, a around) (is Case, valid time.Time, err error)) (is Case, err error) {
	now := n.now()
	_, err = n.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		seen, err := load(ctx, tx, id, false)
		if err != nil {
			return pg.Result{}, err
		}
		a := around{now: now}
		if a.lead, err = lead.Lock(ctx, tx, seen.LeadID); err != nil {
			return pg.Result{}, err
		}
		scores := scoring.Of(tx, []uuid.UUID{seen.LeadID})
		was, err := load(ctx, tx, id, true)
		if err != nil {
			return pg.Result{}, err
		}
		if a.programme, err = programmeOf(ctx, tx, was); err != nil {
			return pg.Result{}, err
		}
		a.score = scores.Get(was.LeadID).Probability
		is = was
		var valid time.Time
		if stage, code := was.outcome(a.programme, a.lead, a.score, now); !was.Over() && stage != "" {
			is.end(stage, code, Step{Action: ActionEnd, By: process, At: now})
		} else if is, valid, err = rule(was, a); err != nil {
			return pg.Result{}, err
		}
		if is.Version == was.Version {
			return pg.Result{}, nil
		}
		save(tx, was, is)
		events := touchEvents(was, is, a.lead, valid)
		more, err := n.conclude(ctx, tx, was, is, a)
		if err != nil {
			return pg.Result{}, err
		}
		return pg.Result{}, n.outbox.Append(ctx, tx, append(events, more...)...)
	})
	return is, err
}

// conclude does with the lead what the end of its case means.
func (n *Nurture) conclude(ctx context.Context, tx *pg.Tx, was, is Case, a around) (events []outbox.Event, err error) {
	if was.Over() || !is.Over() || a.lead.State != lead.Nurturing {
		return nil, nil
	}
	switch is.Stage {
	case HandedOver, Recycled:
		_, events, err = n.leads.HandOverIn(ctx, tx, a.lead, false, is.Code, a.score, a.now)
	case Lost:
		_, events, err = n.leads.LoseIn(ctx, tx, a.lead, a.programme.LostReason, a.now)
	}
	return events, err
}

// look does what is due about a case without asking anybody: it ends it, has a lead that accounts does not know hear what is due,
// or goes on behind touches that are not made.
func (n *Nurture) look(ctx context.Context, id uuid.UUID) (seen Looked, err error) {
	seen.Case, err = n.change(ctx, id, func(is Case, a around) (Case, time.Time, error) {
		seen.Ask = nil
		for !is.Over() {
			t, due := is.touchDue(a.programme, a.now)
			if !due {
				break
			}
			if a.lead.CustomerID != uuid.Nil {
				seen.Ask = &Ask{Next: is.Next, Round: is.Round, Touch: t.Code, Channel: t.Channel, CustomerID: a.lead.CustomerID}
				break
			}
			if channel, refusal := a.programme.reachable(a.lead, t); refusal != "" {
				is.skip(a.programme, refusal, a.now)
			} else {
				is.touch(a.programme, channel, uuid.Nil, a.now)
			}
		}
		return is, time.Time{}, nil
	})
	return seen, err
}

// touched notes what accounts said about contacting the customer now.
func (n *Nurture) touched(ctx context.Context, in touchedInput) (Case, error) {
	return n.change(ctx, in.ID, func(is Case, a around) (Case, time.Time, error) {
		_, due := is.touchDue(a.programme, a.now)
		switch {
		case is.Over() || !due || is.Next != in.Next || is.Round != in.Round:
		case in.Refusal != "":
			is.skip(a.programme, in.Refusal, a.now)
		case !in.ValidUntil.After(a.now): // it was asked long ago: nobody could fetch the address any more
			is.Round++
			is.Version++
		default:
			is.touch(a.programme, in.Channel, in.ContactID, a.now)
		}
		return is, in.ValidUntil, nil
	})
}

// decisions is the namespace of the ids that decisions get from their Idempotency-Keys.
var decisions = uuid.MustParse("c7a1b1de-3f0e-5e57-9a53-6f1d84a7d2c4")

// Decide brings a person's decision to the process of a case and waits for what it says. What cannot be decided is refused before
// that is asked. While the process cannot be reached the answer is Unavailable, and the decision may still take effect: sent
// again under the same Idempotency-Key it tells.
func (n *Nurture) Decide(ctx context.Context, id uuid.UUID, action Action) (Case, error) {
	asked, err := flow.Ask(ctx, decisions)
	if err != nil {
		return Case{}, err
	}
	d := Decision{ID: asked.ID, CaseID: id, Action: action, By: asked.By, Hash: asked.Hash, Attempt: asked.Attempt}
	before, err := n.prepare(ctx, d)
	if err != nil {
		return Case{}, err
	}
	if before {
		httpx.MarkReplayed(ctx)
		return n.Get(ctx, id)
	}
	var answer Decided
	err = n.flow.Decide(ctx, flow.Decision{Start: n.start(auth.Tenant(ctx), id), Name: DecideUpdate, ID: d.ID.String(), Args: []any{d}}, &answer)
	if err != nil {
		return Case{}, err
	}
	if answer.Attempt != d.Attempt {
		httpx.MarkReplayed(ctx)
	}
	return n.Get(ctx, id)
}

// prepare refuses what cannot be decided; before tells that the decision was made before.
func (n *Nurture) prepare(ctx context.Context, d Decision) (before bool, err error) {
	err = n.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		at, hash, found, err := decided(ctx, tx, d.ID)
		if err != nil {
			return err
		}
		if found && at != d.CaseID {
			return flow.Same(hash, d.ID[:]) // never the same
		}
		c, err := load(ctx, tx, d.CaseID, false)
		if err != nil {
			return err
		}
		if before = found; found {
			return flow.Same(hash, d.Hash)
		}
		// It may have been made since the look above.
		if before, err = c.Decided(d); before || err != nil {
			return err
		}
		return c.Check(d)
	})
	return before, err
}

// carryOut makes a decision on the case's row: once, however often it is sent.
func (n *Nurture) carryOut(ctx context.Context, d Decision) (Case, error) {
	is, err := n.change(ctx, d.CaseID, func(was Case, a around) (Case, time.Time, error) {
		if before, err := was.Decided(d); before || err != nil {
			return was, time.Time{}, err
		}
		is, err := was.Decide(d, a.now)
		return is, time.Time{}, err
	})
	if name, _ := pg.Constraint(err); name == decisionIndex { // on another case, in the same moment
		err = flow.Same(nil, d.ID[:])
	}
	if err == nil {
		if made, refused := is.Decided(d); refused != nil || !made {
			err = is.Check(d) // something had become of the lead
		}
	}
	return is, err
}

// start describes the process of a case. Its row decides what is left to do, so that a process that was ended by hand can be
// started anew.
func (n *Nurture) start(tenant string, id uuid.UUID) flow.Start {
	return flow.Start{
		ID: workflowID(tenant, id), Queue: n.service, Workflow: WorkflowName, Args: []any{Input{ID: id}}, Search: flow.Search{Stage: string(Running)}, Again: true,
	}
}

func workflowID(tenant string, id uuid.UUID) string { return "nurture/" + tenant + "/" + id.String() }
