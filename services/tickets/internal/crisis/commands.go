package crisis

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/platform/telemetry"
)

// Crises is what can be done with crises.
type Crises struct {
	db      *pg.DB
	outbox  *outbox.Outbox
	flow    *flow.Client
	starter *starts.Starter
	service string // and task queue
	clock   func() time.Time
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, fl *flow.Client, starter *starts.Starter, service string, clock func() time.Time) *Crises {
	return &Crises{db: db, outbox: o, flow: fl, starter: starter, service: service, clock: clock}
}

// Set puts a setting in the place of the present one, if that still is as the caller saw it: fresh is asked with its version.
func (c *Crises) Set(ctx context.Context, to Setting, fresh func(version int64) error) (Setting, error) {
	if faults := to.Check(c.now()); len(faults) > 0 {
		return Setting{}, problem.InvalidBody("setting_invalid", "The setting was not accepted: mend the fields named here.", faults)
	}
	err := c.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('crisis_setting ' || $1, 0))`, tx.Tenant())
		was := settingOf(tx)
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		if err := fresh(was.Version); err != nil {
			return err
		}
		to.Version = was.Version + 1
		saveSetting(tx, to)
		return nil
	})
	return to, err
}

// DeclareByHand declares a crisis that no burst has proposed. One of the same series that is proposed or led already is a
// Conflict. Its process starts from its event.
func (c *Crises) DeclareByHand(ctx context.Context, d Draft, reason string) (Told, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Told{}, err
	}
	reason, ok := words(reason)
	now := c.now()
	step := Step{By: flow.ActorOf(ctx).Subject, At: now}
	_, faults := DeclareCrisis(id, d, step, StandardSetting())
	if !ok {
		faults = append(faults, problem.Field{Location: "words", Code: "words_too_long", Message: "must be at most 20000 characters"})
	}
	if len(faults) > 0 {
		return Told{}, problem.InvalidBody("crisis_invalid", "The crisis was not declared: mend the fields named here.", faults)
	}
	result, err := c.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		s := settingOf(tx)
		if err := tx.Flush(ctx); err != nil {
			return pg.Result{}, err
		}
		if reason != "" {
			step.NoteID = uuid.NewSHA1(id, []byte("reason"))
		}
		made, _ := DeclareCrisis(id, d, step, *s)
		insert(tx, made, telemetry.Inject(ctx))
		if reason != "" {
			insertNote(tx, id, step.NoteID, reason, step.By, now)
		}
		linkAll(tx, id, now)
		return pg.Result{ID: id, Status: http.StatusCreated}, c.outbox.Append(ctx, tx, declaredEvent(made))
	})
	if name, _ := pg.Constraint(err); name == seriesIndex {
		return Told{}, problem.New(problem.Conflict, "crisis_exists",
			"A crisis of this %s is proposed or led already: decide on that one.", d.Dimension)
	}
	if err != nil {
		return Told{}, err
	}
	if result.Replayed {
		httpx.MarkReplayed(ctx)
	}
	return c.Get(ctx, result.ID)
}

// Decide brings a person's decision to the crisis and waits for what it says; text, which may be empty where the decision
// needs no words, is kept here and referred to. Whether a burst is a crisis is decided on its row; what is decided about one
// that is led goes to its process. What cannot be decided is refused before that is asked. While the process cannot be reached
// the answer is Unavailable, and the decision may still take effect: sent again under the same Idempotency-Key it tells.
func (c *Crises) Decide(ctx context.Context, d Decision, text string) (Told, error) {
	d, err := identified(ctx, d)
	if err != nil {
		return Told{}, err
	}
	was, before, err := c.prepare(ctx, &d, text)
	if err != nil {
		return Told{}, err
	}
	if before {
		httpx.MarkReplayed(ctx)
		return c.Get(ctx, was.ID)
	}
	if d.Action == Declare || d.Action == Dismiss {
		if _, err := c.carryOut(ctx, d); err != nil {
			return Told{}, err
		}
		return c.Get(ctx, was.ID)
	}
	if err := c.begin(ctx, was); err != nil { // the first decision may be faster than the event that starts the process
		return Told{}, err
	}
	var answer Decided
	err = c.flow.Decide(ctx, flow.Decision{
		Start: c.start(auth.Tenant(ctx), was), Name: DecideUpdate, ID: d.ID.String(), Args: []any{d},
	}, &answer)
	if err != nil {
		return Told{}, err
	}
	if answer.Attempt != d.Attempt {
		httpx.MarkReplayed(ctx)
	}
	return c.Get(ctx, was.ID)
}

// begin starts the process of a crisis on which nobody has decided since its declaration as its event would: in the trace of
// the declaration, and on behalf of nobody who happens to decide.
func (c *Crises) begin(ctx context.Context, of Crisis) error {
	if of.Steps[len(of.Steps)-1].Action != Declare {
		return nil
	}
	tenant := auth.Tenant(ctx)
	var trace map[string]string
	err := c.db.Read(ctx, tenant, func(tx *pg.Tx) (err error) {
		trace, err = traceOf(ctx, tx, of.ID)
		return err
	})
	if err != nil {
		return err
	}
	ctx = telemetry.Extract(auth.With(ctx, auth.Principal{Subject: process, Tenant: tenant}), trace)
	_, err = c.flow.Start(ctx, c.start(tenant, of))
	return err
}

// decisions is the namespace of the ids that decisions get from their Idempotency-Keys.
var decisions = uuid.MustParse("0d5f9a3c-2b7e-5c41-9d0a-7c1f3b6e8a24")

// identified says who decides and which decision this is.
func identified(ctx context.Context, d Decision) (Decision, error) {
	asked, err := flow.Ask(ctx, decisions)
	d.ID, d.Attempt, d.Hash, d.By = asked.ID, asked.Attempt, asked.Hash, asked.By
	return d, err
}

// prepare refuses what cannot be decided and keeps the words; before tells that the decision was made before.
func (c *Crises) prepare(ctx context.Context, d *Decision, text string) (was Crisis, before bool, err error) {
	text, ok := words(text)
	if !ok {
		return was, false, problem.InvalidBody("decision_invalid", "The decision was not accepted: mend the fields named here.",
			[]problem.Field{{Location: "words", Code: "words_too_long", Message: "must be at most 20000 characters"}})
	}
	if text != "" {
		d.NoteID = uuid.NewSHA1(d.ID, []byte("words"))
	}
	err = c.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		at, hash, found, err := decided(ctx, tx, d.ID)
		if err != nil {
			return err
		}
		if before = found; found && at != d.CrisisID {
			return flow.Same(hash, d.ID[:]) // never the same
		}
		s := settingOf(tx)
		if was, err = load(ctx, tx, d.CrisisID, false); err != nil {
			return err
		}
		if found {
			return flow.Same(hash, d.Hash)
		}
		// It may have been made since the look above; what was loaded then has its step, and refuses it as one that came too late.
		if before, err = was.Decided(*d); before || err != nil {
			return err
		}
		if _, err = was.Decide(*d, *s, c.now()); err != nil || text == "" {
			return err
		}
		insertNote(tx, was.ID, d.NoteID, text, d.By.Subject, c.now())
		return nil
	})
	return was, before, err
}

// start describes the process of a crisis. Its rows decide what is left to do, so that a process that was ended by hand can be
// started anew.
func (c *Crises) start(tenant string, of Crisis) flow.Start {
	return flow.Start{
		ID: "crisis/" + tenant + "/" + of.ID.String(), Queue: c.service, Workflow: WorkflowName, Args: []any{Input{ID: of.ID}},
		Search: of.search(), Again: true,
	}
}

// carryOut makes a decision on the crisis's row: once, however often it is sent.
func (c *Crises) carryOut(ctx context.Context, d Decision) (Crisis, error) {
	now, err := c.change(ctx, d.CrisisID, func(was Crisis, s Setting, now time.Time) (Crisis, error) {
		if before, err := was.Decided(d); before || err != nil {
			return was, err
		}
		return was.Decide(d, s, now)
	}, func(tx *pg.Tx, at time.Time) error { return c.effects(ctx, tx, d, at) })
	if name, _ := pg.Constraint(err); name == decisionIndex { // on another crisis, in the same moment
		err = flow.Same(nil, d.ID[:])
	}
	return now, err
}

// effects queues what a decision does beside changing the crisis.
func (c *Crises) effects(ctx context.Context, tx *pg.Tx, d Decision, at time.Time) error {
	answers, everybody := d.answers()
	if d.Action == Declare || answers {
		linkAll(tx, d.CrisisID, at) // whoever complained meanwhile as well
	}
	if answers {
		planAnswers(tx, d.CrisisID, d.NoteID, everybody, d.By.Subject, at)
	}
	if d.Action == Link || d.Action == Unlink {
		unknown, err := setLinks(ctx, tx, d.CrisisID, d.Complaints, d.Action == Link, d.By.Subject, at)
		if err != nil {
			return err
		}
		if len(unknown) > 0 {
			return problem.New(problem.Unprocessable, "complaint_unknown", "There is no complaint %s.", unknown[0]).
				WithField("complaint_ids", "complaint_unknown", "must be complaints")
		}
	}
	return nil
}

// change locks a crisis, applies the rule, and saves and tells what the rule changed, with its effects, which may be nil: three
// round trips.
func (c *Crises) change(ctx context.Context, id uuid.UUID, rule func(was Crisis, s Setting, now time.Time) (Crisis, error),
	effects func(tx *pg.Tx, at time.Time) error,
) (now Crisis, err error) {
	at := c.now()
	_, err = c.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		s := settingOf(tx)
		was, err := load(ctx, tx, id, true)
		if err != nil {
			return pg.Result{}, err
		}
		if now, err = rule(was, *s, at); err != nil || now.Version == was.Version {
			return pg.Result{}, err
		}
		var trace map[string]string
		if was.Stage == Proposed && now.Stage == Declared {
			trace = telemetry.Inject(ctx)
		}
		save(tx, was, now, trace)
		if effects != nil {
			if err := effects(tx, at); err != nil {
				return pg.Result{}, err
			}
		}
		if now, err = load(ctx, tx, id, false); err != nil { // with what is linked and planned now
			return pg.Result{}, err
		}
		return pg.Result{}, c.outbox.Append(ctx, tx, changeEvents(was, now, at)...)
	})
	return now, err
}

// answerSome gives up to limit of the answers that are planned, each once, as public replies on the tickets of the complaints. A
// ticket that takes none is remembered with the reason.
func (c *Crises) answerSome(ctx context.Context, id uuid.UUID, limit int) (now Crisis, err error) {
	at := c.now()
	_, err = c.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		next, err := nextAnswers(ctx, tx, id, limit)
		if err != nil {
			return pg.Result{}, err
		}
		for _, p := range next {
			code, err := c.reply(ctx, tx, p, at)
			if err != nil {
				return pg.Result{}, err
			}
			answered(tx, id, p, code, at)
		}
		now, err = load(ctx, tx, id, false)
		return pg.Result{}, err
	})
	return now, err
}

// refusals are the kinds of problems by which a ticket refuses a reply for good.
var refusals = []problem.Kind{problem.NotFound, problem.Conflict, problem.Gone, problem.Unprocessable, problem.Forbidden}

// refused gives the code of a problem that is a refusal.
func refused(err error) (code string, ok bool) {
	var p *problem.Error
	if errors.As(err, &p) && slices.Contains(refusals, p.Kind) && !pg.Transient(err) {
		return p.Code, true
	}
	return "", false
}

// now is cut to what the database keeps, so that an answer reads the same at once and later.
func (c *Crises) now() time.Time { return c.clock().UTC().Truncate(time.Microsecond) }
