package retention

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/platform/telemetry"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
)

// Retention is what can be done to keep customers.
type Retention struct {
	db      *pg.DB
	outbox  *outbox.Outbox
	flow    *flow.Client
	starter *starts.Starter
	ledger  *ledger.Ledger
	service string // and task queue
	clock   func() time.Time
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, fl *flow.Client, starter *starts.Starter, l *ledger.Ledger, service string, clock func() time.Time) *Retention {
	return &Retention{db: db, outbox: o, flow: fl, starter: starter, ledger: l, service: service, clock: clock}
}

// now is cut to what the database keeps, so that an answer reads the same at once and later.
func (r *Retention) now() time.Time { return r.clock().UTC().Truncate(time.Microsecond) }

func collectIDs(rows pgx.Rows) ([]uuid.UUID, error) {
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

func planInvalid(faults []problem.Field) error {
	return problem.InvalidBody("retention_plan_invalid", "The plan was not accepted: mend the fields named here.", faults)
}

// MakePlan makes a plan, with a salt of its own. A code that is taken is a Conflict, retention_plan_code_taken.
func (r *Retention) MakePlan(ctx context.Context, code string, t Terms) (Plan, error) {
	faults := t.Faults()
	for i := range faults {
		faults[i].Location = "terms." + faults[i].Location
	}
	if !planCode.MatchString(code) {
		faults = append(faults, problem.Field{Location: "code", Code: "code_malformed", Message: "must be a code: a-z, 0-9, _ and -, at most 64"})
	}
	if len(faults) > 0 {
		return Plan{}, planInvalid(faults)
	}
	var salt [16]byte
	if _, err := rand.Read(salt[:]); err != nil {
		return Plan{}, err
	}
	made := Plan{Code: code, Version: 1, Salt: hex.EncodeToString(salt[:]), Terms: t}
	result, err := r.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		if err := knownProgramme(ctx, tx, t.Programme, "terms.programme", r.now()); err != nil {
			return pg.Result{}, err
		}
		return pg.Result{Status: http.StatusCreated}, savePlan(tx, made, flow.ActorOf(ctx).Subject, r.now())
	})
	if name, _ := pg.Constraint(err); name == "retention_plan_pkey" {
		return Plan{}, problem.New(problem.Conflict, "retention_plan_code_taken", "There is a plan with this code already. Change it, or take another code.")
	}
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return r.Plan(ctx, code, 1)
	}
	return made, err
}

// ChangePlan puts new terms in the place of the present ones, if these still are as the caller saw them: fresh is asked with
// their version. Cases that are open keep those that they were opened by.
func (r *Retention) ChangePlan(ctx context.Context, code string, t Terms, fresh func(version int64) error) (now Plan, err error) {
	if faults := t.Faults(); len(faults) > 0 {
		return Plan{}, planInvalid(faults)
	}
	_, err = r.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		was, err := loadPlan(ctx, tx, code, 0, true)
		if err != nil {
			return pg.Result{}, err
		}
		if err := fresh(was.Version); err != nil {
			return pg.Result{}, err
		}
		if was.Currency != t.Currency || was.Kind != t.Kind {
			return pg.Result{}, planInvalid([]problem.Field{{Location: "currency", Code: "plan_other",
				Message: "kind and currency of a plan stay as they are, so that its report adds up: make another plan"}})
		}
		if err := knownProgramme(ctx, tx, t.Programme, "programme", r.now()); err != nil {
			return pg.Result{}, err
		}
		now = Plan{Code: code, Version: was.Version + 1, Salt: was.Salt, Terms: t}
		return pg.Result{}, savePlan(tx, now, flow.ActorOf(ctx).Subject, r.now())
	})
	return now, err
}

// change locks a case, looks at what is around it, applies the rule, and saves and tells what the rule changed. The rule also
// gives until when the address of a contact can be fetched. changed tells whether there was anything to change.
func (r *Retention) change(ctx context.Context, id uuid.UUID,
	rule func(tx *pg.Tx, was Case, p Plan, a around, now time.Time) (is Case, valid time.Time, err error),
) (is Case, err error) {
	at := r.now()
	_, err = r.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		was, err := load(ctx, tx, id, true)
		if err != nil {
			return pg.Result{}, err
		}
		p, err := loadPlan(ctx, tx, was.Plan, was.PlanVersion, false)
		if err != nil {
			return pg.Result{}, err
		}
		a, err := lookAround(ctx, tx, was, at)
		if err != nil {
			return pg.Result{}, err
		}
		var valid time.Time
		if is, valid, err = rule(tx, was, p, a, at); err != nil || is.Version == was.Version {
			return pg.Result{}, err
		}
		save(tx, was, is, false)
		return pg.Result{}, r.outbox.Append(ctx, tx, changeEvents(was, is, valid, at)...)
	})
	return is, err
}

// look does what is due about a case without asking anybody: it ends it, or goes on behind steps that are not done.
func (r *Retention) look(ctx context.Context, id uuid.UUID) (seen Looked, err error) {
	seen.Case, err = r.change(ctx, id, func(tx *pg.Tx, was Case, p Plan, a around, now time.Time) (Case, time.Time, error) {
		seen.Ask = nil
		is, over, err := r.end(ctx, tx, was, p, a, now)
		if err != nil || over {
			return is, time.Time{}, err
		}
		worth, err := worthOf(ctx, tx, p, now)
		if err != nil {
			return is, time.Time{}, err
		}
		for {
			s, due := is.stepDue(p, now)
			if !due {
				return is, time.Time{}, nil
			}
			if _, code := is.Prepare(p, s, Limits{Recent: a.recent, Worth: worth}); code != "" {
				is.Skip(p, s, code, now)
				continue
			}
			seen.Ask = &Ask{Next: is.Next, Round: is.Round, Kind: s.Kind, Channel: s.Channel, Purpose: is.Kind.purpose()}
			return is, time.Time{}, nil
		}
	})
	return seen, err
}

// end ends a case where that is due, and tells whether it is over.
func (r *Retention) end(ctx context.Context, tx *pg.Tx, c Case, p Plan, a around, now time.Time) (Case, bool, error) {
	step := Step{Action: ActionEnd, By: process, At: now}
	cancel := func(code string) (Case, bool, error) {
		step.Code = code
		c.Close(Cancelled, code, a.revenue, step)
		return c, true, nil
	}
	switch {
	case c.Over():
		return c, true, nil
	case a.erased:
		return cancel(codeErased)
	case a.excluded != "":
		c.LossKind = a.excluded
		return cancel(string(a.excluded))
	case a.older:
		return cancel(codeMerged)
	}
	if a.order != uuid.Nil {
		c.Bought(a.order, a.boughtAt, now)
	}
	if c.BoughtAt.IsZero() {
		if c.EndsAt.After(now) {
			return c, false, nil
		}
		step.Code = string(Lost)
		c.Close(Lost, "", a.revenue, step)
		return c, true, nil
	}
	if c.takes(c.BoughtAt) {
		var err error
		if c, err = r.take(ctx, tx, c, p, Step{By: process, At: now}); err != nil {
			return c, false, err
		}
	}
	step.Code = string(Retained)
	c.Close(Retained, "", a.revenue, step)
	return c, true, nil
}

// take gives the points of the offer, once.
func (r *Retention) take(ctx context.Context, tx *pg.Tx, c Case, p Plan, s Step) (Case, error) {
	var entry uuid.UUID
	var code string
	if c.Offer.Points > 0 {
		var err error
		entry, code, err = r.give(ctx, tx, gift{
			customer: c.CustomerID, programme: p.Programme, points: c.Offer.Points, key: "retention/" + c.ID.String(),
			reason: ledger.Reason{Type: aggregate, ID: c.ID.String()}, by: s.By, at: s.At,
		})
		if err != nil {
			return c, err
		}
	}
	c.Take(entry, code, s)
	return c, nil
}

// contacted notes what accounts said about contacting the customer now.
func (r *Retention) contacted(ctx context.Context, in contactedInput) (Case, error) {
	return r.change(ctx, in.ID, func(tx *pg.Tx, was Case, p Plan, a around, now time.Time) (Case, time.Time, error) {
		is, over, err := r.end(ctx, tx, was, p, a, now)
		if err != nil || over {
			return is, time.Time{}, err
		}
		s, due := is.stepDue(p, now)
		if !due || is.Next != in.Next || is.Round != in.Round {
			return is, time.Time{}, nil
		}
		if in.Refusal != "" {
			is.Skip(p, s, in.Refusal, now)
			return is, time.Time{}, nil
		}
		if !in.ValidUntil.After(now) { // it was asked long ago: nobody could fetch the address any more
			is.Round++
			is.Version++
			return is, time.Time{}, nil
		}
		worth, err := worthOf(ctx, tx, p, now)
		if err != nil {
			return is, time.Time{}, err
		}
		contact, code := is.Prepare(p, s, Limits{Recent: a.recent, Worth: worth})
		if code != "" {
			is.Skip(p, s, code, now)
		} else {
			is.Contacted(p, contact, in.ContactID, in.Channel, now)
		}
		return is, in.ValidUntil, nil
	})
}

// Decide brings a person's decision to the process of a case and waits for what it says; text, which may be empty, is kept here
// and referred to. What cannot be decided is refused before that is asked. While the process cannot be reached the answer is
// Unavailable, and the decision may still take effect: sent again under the same Idempotency-Key it tells.
func (r *Retention) Decide(ctx context.Context, d Decision, text string) (Told, error) {
	asked, err := flow.Ask(ctx, decisions)
	if err != nil {
		return Told{}, err
	}
	d.ID, d.Attempt, d.Hash, d.By = asked.ID, asked.Attempt, asked.Hash, asked.By
	was, before, err := r.prepare(ctx, &d, text)
	if err != nil {
		return Told{}, err
	}
	if before {
		httpx.MarkReplayed(ctx)
		return r.Get(ctx, was.ID)
	}
	if err := r.begin(ctx, was); err != nil { // the first decision may be faster than the event that starts the process
		return Told{}, err
	}
	var answer Decided
	err = r.flow.Decide(ctx, flow.Decision{Start: r.start(auth.Tenant(ctx), was), Name: DecideUpdate, ID: d.ID.String(), Args: []any{d}}, &answer)
	if err != nil {
		return Told{}, err
	}
	if answer.Attempt != d.Attempt {
		httpx.MarkReplayed(ctx)
	}
	return r.Get(ctx, was.ID)
}

// begin starts the process of a case about which nothing was done since its opening as its event would: in the trace of the
// opening, and on behalf of nobody who happens to decide.
func (r *Retention) begin(ctx context.Context, of Case) error {
	if len(of.Steps) > 1 {
		return nil
	}
	tenant := auth.Tenant(ctx)
	var trace map[string]string
	err := r.db.Read(ctx, tenant, func(tx *pg.Tx) (err error) {
		trace, err = traceOf(ctx, tx, of.ID)
		return err
	})
	if err != nil {
		return err
	}
	ctx = telemetry.Extract(auth.With(ctx, auth.Principal{Subject: process, Tenant: tenant}), trace)
	_, err = r.flow.Start(ctx, r.start(tenant, of))
	return err
}

// decisions is the namespace of the ids that decisions get from their Idempotency-Keys.
var decisions = uuid.MustParse("6b0c2f7e-91d4-5a38-8f6e-3d2a7c50e1b9")

// prepare refuses what cannot be decided and keeps the words; before tells that the decision was made before.
func (r *Retention) prepare(ctx context.Context, d *Decision, text string) (was Case, before bool, err error) {
	text, ok := words(text)
	if !ok {
		return was, false, problem.InvalidBody("decision_invalid", "The decision was not accepted: mend the fields named here.",
			[]problem.Field{{Location: "words", Code: "words_too_long", Message: "must be at most 20000 characters"}})
	}
	if text != "" {
		d.NoteID = uuid.NewSHA1(d.ID, []byte("words"))
	}
	err = r.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		at, hash, found, err := decided(ctx, tx, d.ID)
		if err != nil {
			return err
		}
		if before = found; found && at != d.CaseID {
			return flow.Same(hash, d.ID[:]) // never the same
		}
		if was, err = load(ctx, tx, d.CaseID, false); err != nil {
			return err
		}
		if found {
			return flow.Same(hash, d.Hash)
		}
		// It may have been made since the look above; what was loaded then has its step, and refuses it as one that came too late.
		if before, err = was.Decided(*d); before || err != nil {
			return err
		}
		if _, err = was.Decide(*d, 0, r.now()); err != nil || text == "" {
			return err
		}
		erasure.Refuse(tx, was.CustomerID)
		insertNote(tx, was.ID, d.NoteID, text, d.By.Subject, r.now())
		return nil
	})
	return was, before, err
}

// carryOut makes a decision on the case's row: once, however often it is sent.
func (r *Retention) carryOut(ctx context.Context, d Decision) (Case, error) {
	is, err := r.change(ctx, d.CaseID, func(tx *pg.Tx, was Case, p Plan, a around, now time.Time) (Case, time.Time, error) {
		if before, err := was.Decided(d); before || err != nil {
			return was, time.Time{}, err
		}
		is, err := was.Decide(d, a.revenue, now)
		if err != nil {
			return was, time.Time{}, err
		}
		if d.Action == ActionClassify && d.LossKind.Excluded() {
			saveExclusion(tx, Exclusion{CustomerID: was.CustomerID, LossKind: d.LossKind, By: d.By.Subject, At: now})
		}
		if d.Action == ActionAccept {
			is, err = r.take(ctx, tx, is, p, Step{DecisionID: d.ID, Hash: d.Hash, By: d.By.Subject, At: now, NoteID: d.NoteID})
		}
		return is, time.Time{}, err
	})
	if name, _ := pg.Constraint(err); name == decisionIndex { // on another case, in the same moment
		err = flow.Same(nil, d.ID[:])
	}
	return is, err
}

// start describes the process of a case. Its row decides what is left to do, so that a process that was ended by hand can be
// started anew.
func (r *Retention) start(tenant string, of Case) flow.Start {
	return flow.Start{
		ID: "retention/" + tenant + "/" + of.ID.String(), Queue: r.service, Workflow: WorkflowName, Args: []any{Input{ID: of.ID}},
		Search: of.search(), Again: true,
	}
}

// asRefused gives the code of a problem that says that something cannot be done, now or ever; ok is false for anything else.
func asRefused(err error) (code string, ok bool) {
	var p *problem.Error
	if errors.As(err, &p) && problem.CallersFault(p) && !pg.Transient(err) {
		return p.Code, true
	}
	return "", false
}
