package opportunity

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/leadfield"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
	"github.com/guanxi-crm/guanxi/services/sales/internal/scoring"
	"github.com/guanxi-crm/guanxi/services/sales/internal/team"
)

// Opportunities is what can be done with opportunities.
type Opportunities struct {
	db      *pg.DB
	outbox  *outbox.Outbox
	scoring *scoring.Scoring
	clock   func() time.Time

	flow    *flow.Client // nil: processes are not poked
	starter *starts.Starter
	service string // and task queue
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, s *scoring.Scoring, clock func() time.Time) *Opportunities {
	return &Opportunities{db: db, outbox: o, scoring: s, clock: clock}
}

// Following has opportunities that stalled followed up by processes of the service.
func (o *Opportunities) Following(fl *flow.Client, starter *starts.Starter, service string) *Opportunities {
	o.flow, o.starter, o.service = fl, starter, service
	return o
}

// now is cut to what the database keeps, so that an answer reads the same at once and later.
func (o *Opportunities) now() time.Time { return o.clock().UTC().Truncate(time.Microsecond) }

// subject is whoever acts.
func subject(ctx context.Context) string {
	caller, _ := auth.From(ctx)
	return caller.Subject
}

// OpenIn opens an opportunity in somebody's transaction and gives the events, which the caller appends. A draft that is not right
// is Unprocessable, opportunity_invalid or stage_criteria_unmet, a customer who was erased Gone, customer_erased; a lead that an
// opportunity came of already violates the constraint opportunity_lead at the commit. Its case goes on in scoring: the lead's, where
// it comes of one.
func (o *Opportunities) OpenIn(ctx context.Context, tx *pg.Tx, d Draft) (Opportunity, []outbox.Event, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Opportunity{}, nil, err
	}
	by, now := subject(ctx), o.now()
	pipeline.Hold(tx)
	erasure.Refuse(tx, d.CustomerID)
	people := make([]uuid.UUID, len(d.Contacts))
	for i, c := range d.Contacts {
		people[i] = c.CustomerID
		erasure.Refuse(tx, c.CustomerID)
	}
	root, roots, book, custom := alias.Root(tx, d.CustomerID), alias.Roots(tx, people), pipeline.All(tx), leadfield.Kind().All(tx)
	if err := tx.Flush(ctx); err != nil {
		return Opportunity{}, nil, err
	}
	if d.Pipeline == "" && d.Team != "" {
		if d.Pipeline, err = pipelineOf(ctx, tx, book, d.Team); err != nil {
			return Opportunity{}, nil, err
		}
	}
	p, faults := chosen(book, d.Pipeline)
	if len(faults) > 0 {
		return Opportunity{}, nil, invalid(faults)
	}
	made, faults := begin(id, d, p, by, now)
	var wrong []problem.Field
	made.Custom, _, wrong = custom.Merge(nil, d.Custom)
	if faults = append(faults, wrong...); len(faults) > 0 {
		return Opportunity{}, nil, invalid(faults)
	}
	made.Root = *root
	for i := range made.Contacts {
		made.Contacts[i].Root = roots[made.Contacts[i].CustomerID]
	}
	made, e, err := made.start(p, d.Stage, by, now)
	if err != nil {
		return Opportunity{}, nil, err
	}
	stage, _, _ := p.Stage(made.Stage)
	made = made.mended(stage, now)
	insert(tx, made)
	leadfield.Kind().Use(tx, custom, made.Custom)
	saveEntry(tx, made.ID, e)
	if err := o.scoring.Save(ctx, tx, made.scored(p)); err != nil {
		return Opportunity{}, nil, err
	}
	opened := openedEvent(made, stage.Probability)
	opened.First = true
	return made, []outbox.Event{opened}, nil
}

// chosen gives the pipeline of a code, the default one where it is empty.
func chosen(book *pipeline.Book, code string) (pipeline.Pipeline, []problem.Field) {
	p, known := book.Find(code)
	if code == "" {
		p, known = book.Default()
	}
	var f finder
	switch {
	case !known:
		f.add("pipeline", "pipeline_unknown", "must be the code of a pipeline: see /v1/pipelines")
	case p.Archived:
		f.add("pipeline", "pipeline_archived", "is in the archive: nothing new is opened in it")
	}
	return p, f
}

// pipelineOf gives the pipeline that a team sells along; empty where it has none of its own that anything can be opened in.
func pipelineOf(ctx context.Context, tx *pg.Tx, book *pipeline.Book, code string) (string, error) {
	found, err := team.Find(ctx, tx, code)
	if problem.KindOf(err) == problem.NotFound {
		return "", nil
	}
	if p, known := book.Find(found.Pipeline); err != nil || !known || p.Archived {
		return "", err
	}
	return found.Pipeline, nil
}

func invalid(faults []problem.Field) error {
	return problem.InvalidBody("opportunity_invalid", "Nothing was changed: mend the fields named here.", faults)
}

// start puts an opportunity that begins into a stage, the first where the code is empty: it must have what all stages up to
// there require.
func (o Opportunity) start(p pipeline.Pipeline, stage, by string, now time.Time) (Opportunity, Entry, error) {
	code := cmp.Or(stage, p.First().Code)
	_, place, known := p.Stage(code)
	if !known {
		return o, Entry{}, errNoStage
	}
	var missing []Missing
	for _, s := range p.Stages[:place+1] {
		missing = append(missing, o.Missing(s, now)...)
	}
	if err := unmet(missing); err != nil {
		return o, Entry{}, err
	}
	o, e := o.enter(code, Open, by, now)
	return o, e, nil
}

// scored is the opportunity as scoring knows it.
func (o Opportunity) scored(p pipeline.Pipeline) scoring.Case {
	fields := maps.Clone(o.Fields)
	if fields == nil {
		fields = make(map[string]string, 2)
	}
	fields["source"], fields["campaign"] = o.Source, o.Campaign
	return scoring.Case{
		ID: o.CaseID(), Opportunity: o.ID, Team: o.Team, Pipeline: o.Pipeline, Stage: o.Stage, Stages: p.Codes(), Fields: fields, Tags: o.Tags,
	}
}

// Open opens an opportunity.
func (o *Opportunities) Open(ctx context.Context, d Draft) (Opportunity, error) {
	var made Opportunity
	result, err := o.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		if err := knownTeam(ctx, tx, d.Team); err != nil {
			return pg.Result{}, err
		}
		now, events, err := o.OpenIn(ctx, tx, d)
		if err != nil {
			return pg.Result{}, err
		}
		made = now
		return pg.Result{ID: made.ID, Status: http.StatusCreated}, o.outbox.Append(ctx, tx, events...)
	})
	if name, _ := pg.Constraint(err); name == leadConstraint {
		return Opportunity{}, problem.New(problem.Conflict, "lead_has_opportunity", "An opportunity came of this lead already.")
	}
	return o.told(ctx, result, err, made)
}

// told gives the opportunity that a command was about, as it is now where the command was carried out before.
func (o *Opportunities) told(ctx context.Context, result pg.Result, err error, now Opportunity) (Opportunity, error) {
	if err != nil || !result.Replayed {
		return now, err
	}
	httpx.MarkReplayed(ctx)
	return o.Read(ctx, result.ID)
}

// turn is what a rule needs beside the opportunity itself.
type turn struct {
	tx   *pg.Tx
	book *pipeline.Book
	p    pipeline.Pipeline // the opportunity's
	by   string
	now  time.Time
}

// outcome is what a rule led to.
type outcome struct {
	is      Opportunity
	entry   Entry // of the stage history; No 0: it stays where it is
	events  []outbox.Event
	rescore bool // scoring has to know
}

// work locks an opportunity, applies a rule and saves what it led to; the rule saves what hangs on the opportunity by itself.
// Nobody works on an opportunity of a customer who was erased, unless it may be done to the erased as well.
func (o *Opportunities) work(ctx context.Context, tx *pg.Tx, id uuid.UUID, erased bool, rule func(t turn, was Opportunity) (outcome, error)) (Opportunity, []outbox.Event, error) {
	customer, err := customerOf(ctx, tx, id)
	if err != nil {
		return Opportunity{}, nil, err
	}
	pipeline.Hold(tx)
	if !erased {
		erasure.Refuse(tx, customer)
	}
	book := pipeline.All(tx)
	was, err := Lock(ctx, tx, id)
	if err != nil {
		return Opportunity{}, nil, err
	}
	t := turn{tx: tx, book: book, by: subject(ctx), now: o.now()}
	t.p, _ = book.Find(was.Pipeline)
	done, err := rule(t, was)
	if err != nil || done.is.Version == was.Version {
		return was, nil, err
	}
	stage, _, _ := t.p.Stage(done.is.Stage)
	is := done.is.mended(stage, t.now)
	save(tx, is)
	if was.Stall.Reason != "" && is.Stall.Reason == "" {
		settle(tx, t.now, id)
		tx.OnCommit(func() { o.poke(ctx, is.ID) })
	}
	if done.entry.No > 0 {
		saveEntry(tx, id, done.entry)
	}
	if done.rescore {
		err = o.scoring.Save(ctx, tx, is.scored(t.p))
	}
	return is, done.events, err
}

// do is work in a transaction of its own.
func (o *Opportunities) do(ctx context.Context, id uuid.UUID, in func(tx *pg.Tx) (Opportunity, []outbox.Event, error)) (Opportunity, error) {
	var now Opportunity
	result, err := o.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		is, events, err := in(tx)
		if err != nil {
			return pg.Result{}, err
		}
		now = is
		return pg.Result{ID: id, Status: http.StatusOK}, o.outbox.Append(ctx, tx, events...)
	})
	return o.told(ctx, result, err, now)
}

// Move takes an opportunity to another stage of its pipeline, see Opportunity.Move.
func (o *Opportunities) Move(ctx context.Context, id uuid.UUID, to string) (Opportunity, error) {
	return o.do(ctx, id, func(tx *pg.Tx) (Opportunity, []outbox.Event, error) {
		return o.work(ctx, tx, id, false, func(t turn, was Opportunity) (outcome, error) {
			is, e, err := was.Move(t.p, to, t.by, t.now)
			if err != nil {
				return outcome{}, err
			}
			stage, _, _ := t.p.Stage(to)
			return outcome{is: is, entry: e, events: []outbox.Event{movedEvent(is, e, stage.Probability)}, rescore: true}, nil
		})
	})
}

// Win closes an opportunity as won, by orders where they are known.
func (o *Opportunities) Win(ctx context.Context, id uuid.UUID, orders ...uuid.UUID) (Opportunity, error) {
	return o.do(ctx, id, func(tx *pg.Tx) (Opportunity, []outbox.Event, error) {
		was, err := Get(ctx, tx, id)
		if err != nil {
			return was, nil, err
		}
		of, err := buyers(ctx, tx, orders)
		if err != nil {
			return was, nil, err
		}
		if faults := was.checkOrders(orders, of); len(faults) > 0 {
			return was, nil, invalid(faults)
		}
		return o.WinIn(ctx, tx, id, orders...)
	})
}

// WinIn is Win in somebody's transaction, who appends the events and knows the orders. One that is closed is the Conflict
// opportunity_closed.
func (o *Opportunities) WinIn(ctx context.Context, tx *pg.Tx, id uuid.UUID, orders ...uuid.UUID) (Opportunity, []outbox.Event, error) {
	return o.work(ctx, tx, id, false, func(t turn, was Opportunity) (outcome, error) {
		is, e, err := was.Win(orders, t.by, t.now)
		if err != nil {
			return outcome{}, err
		}
		saveOrders(tx, is)
		return outcome{is: is, entry: e, events: []outbox.Event{wonEvent(is)}}, o.scoring.Won(ctx, tx, is.ClosedAt, is.CaseID())
	})
}

// Lose closes an opportunity as lost, for a reason of the tenant's list and to a competitor where one is known. It can also be done
// to one of a customer who was erased.
func (o *Opportunities) Lose(ctx context.Context, id uuid.UUID, reason, competitor string) (Opportunity, error) {
	return o.do(ctx, id, func(tx *pg.Tx) (Opportunity, []outbox.Event, error) {
		reasons, competitors := pipeline.AllReasons(tx), pipeline.AllCompetitors(tx)
		return o.work(ctx, tx, id, true, func(t turn, was Opportunity) (outcome, error) {
			if err := was.mayWork(); err != nil {
				return outcome{}, err
			}
			faults := append(reasons.Fault("reason", reason, pipeline.LostOpportunity), competitors.Fault("competitor", competitor)...)
			if len(faults) > 0 {
				return outcome{}, invalid(faults)
			}
			is, e, err := was.Lose(reason, competitor, t.by, t.now)
			if err != nil {
				return outcome{}, err
			}
			return outcome{is: is, entry: e, events: []outbox.Event{lostEvent(is)}}, o.scoring.Lost(ctx, tx, is.ClosedAt, is.CaseID())
		})
	})
}

// Reopen opens a closed opportunity again, in the stage that it was closed in. What scoring learned of it is taken back.
func (o *Opportunities) Reopen(ctx context.Context, id uuid.UUID) (Opportunity, error) {
	return o.do(ctx, id, func(tx *pg.Tx) (Opportunity, []outbox.Event, error) {
		return o.work(ctx, tx, id, false, func(t turn, was Opportunity) (outcome, error) {
			is, e, err := was.Reopen(t.p, t.by, t.now)
			if err != nil {
				return outcome{}, err
			}
			saveOrders(tx, is)
			return outcome{is: is, entry: e, events: []outbox.Event{reopenedEvent(is, e)}, rescore: true}, o.scoring.Reopened(ctx, tx, e.EnteredAt, is.CaseID())
		})
	})
}

// WithdrawIn takes the opening of an opportunity back in somebody's transaction, who appends the events. It is the Conflict
// opportunity_followed where anything happened to it since. Scoring forgets its case; that of a lead goes on: whoever takes a
// conversion back saves it as it is then.
func (o *Opportunities) WithdrawIn(ctx context.Context, tx *pg.Tx, id uuid.UUID, at time.Time) ([]outbox.Event, error) {
	_, events, err := o.withdraw(ctx, tx, id, at, true)
	return events, err
}

func (o *Opportunities) withdraw(ctx context.Context, tx *pg.Tx, id uuid.UUID, at time.Time, ofLead bool) (Opportunity, []outbox.Event, error) {
	return o.work(ctx, tx, id, true, func(t turn, was Opportunity) (outcome, error) {
		if was.LeadID != uuid.Nil && !ofLead {
			return outcome{}, problem.New(problem.Conflict, "opportunity_of_lead", "The opportunity came of a lead: undo the lead's conversion instead.")
		}
		is, e, err := was.Withdraw(t.by, at.UTC().Truncate(time.Microsecond))
		if err != nil {
			return outcome{}, err
		}
		done := outcome{is: is, entry: e, events: []outbox.Event{withdrawnEvent(is)}}
		if is.LeadID != uuid.Nil {
			return done, nil
		}
		return done, o.scoring.Withdrawn(ctx, tx, is.ClosedAt, is.CaseID())
	})
}

// Withdraw is WithdrawIn in a transaction of its own, for what was opened by hand: one that came of a lead is withdrawn by
// undoing the conversion.
func (o *Opportunities) Withdraw(ctx context.Context, id uuid.UUID) (Opportunity, error) {
	return o.do(ctx, id, func(tx *pg.Tx) (Opportunity, []outbox.Event, error) { return o.withdraw(ctx, tx, id, o.now(), false) })
}
