package conversion

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
	"github.com/guanxi-crm/guanxi/services/sales/internal/opportunity"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
)

// Names under which the activities are registered.
const (
	loadActivity      = "lead_conversion.load"
	introduceActivity = "lead_conversion.introduce"
	openActivity      = "lead_conversion.open"
	undoActivity      = "lead_conversion.undo"
	putBackActivity   = "lead_conversion.put_back"
)

// Worker registers the process and its activities.
func (c *Conversions) Worker(w worker.Registry) {
	w.RegisterWorkflowWithOptions(Handle, workflow.RegisterOptions{Name: WorkflowName})
	for name, do := range map[string]any{
		loadActivity: c.load, introduceActivity: c.introduce, openActivity: c.open, undoActivity: c.undo, putBackActivity: c.putBack,
	} {
		w.RegisterActivityWithOptions(do, activity.RegisterOptions{Name: name})
	}
}

func (c *Conversions) load(ctx context.Context, in Input) (Progress, error) {
	found, err := c.get(ctx, in.ID)
	return found.progress(), err
}

// refusal is why a conversion comes to nothing.
type refusal struct {
	code       string
	candidates []lead.Candidate
}

func (r *refusal) Error() string { return r.code }

// introduce finds out who the lead is at accounts, or registers them there, and notes it. It may be cut off after any call and
// carried out again: whom it registers has a name that only one customer can have.
func (c *Conversions) introduce(ctx context.Context, in Input) (Progress, error) {
	was, l, err := c.both(ctx, in.ID)
	if err != nil || was.State != Running || was.Customer.ID != uuid.Nil {
		return was.progress(), err
	}
	// What was registered before the call that is refused is to be put back too, so it is noted in any case.
	currency, err := c.accounts.currency(ctx)
	if err != nil {
		return Progress{}, err
	}
	customer, contact, relationship, err := c.parties(ctx, was, l)
	var no *refusal
	if err != nil && !errors.As(err, &no) {
		if no = refused(err); no == nil {
			return Progress{}, err
		}
	}
	return c.step(ctx, in.ID, func(_ *pg.Tx, now Conversion) (Conversion, error) {
		if now.State != Running || now.Customer.ID != uuid.Nil { // by another attempt
			return now, nil
		}
		now = now.Introduced(customer, contact, relationship, currency, c.now())
		if no != nil {
			now = now.Refuse(no.code, no.candidates, c.now())
		}
		return now, nil
	})
}

// refused gives what accounts refused for good; nil where it is to be tried again.
func refused(err error) *refusal {
	switch problem.KindOf(err) {
	case problem.NotFound, problem.Gone, problem.Conflict, problem.Unprocessable:
		return &refusal{code: problem.From(err).Code}
	default:
		return nil
	}
}

// parties gives who the lead is: a customer, and the person who is reached where the customer is an organisation.
func (c *Conversions) parties(ctx context.Context, was Conversion, l lead.Lead) (customer, contact Party, relationship uuid.UUID, err error) {
	company, isCompany := companyOf(l)
	who, isPerson := personOf(l)
	main := who
	if isCompany {
		main = company
	}
	kind := main.Kind
	switch known := cmp.Or(was.Wish.CustomerID, l.CustomerID); {
	case known != uuid.Nil:
		found, err := c.accounts.get(ctx, known)
		if err != nil {
			return Party{}, Party{}, uuid.Nil, err
		}
		customer, kind = Party{ID: found.CustomerID, ETag: found.etag}, found.Kind
	default:
		if customer, err = c.party(ctx, main, leadSystem, was, l); err != nil {
			return customer, Party{}, uuid.Nil, err
		}
	}
	if kind != organisation || !isPerson && was.Wish.ContactID == uuid.Nil {
		return customer, Party{}, uuid.Nil, nil
	}
	if was.Wish.ContactID != uuid.Nil {
		found, err := c.accounts.get(ctx, was.Wish.ContactID)
		if err != nil {
			return customer, Party{}, uuid.Nil, err
		}
		contact = Party{ID: found.CustomerID, ETag: found.etag}
	} else if contact, err = c.party(ctx, who, contactSystem, was, l); err != nil {
		var no *refusal
		if errors.As(err, &no) && no.code == "duplicate_suspected" {
			no.code = "contact_duplicate_suspected"
		}
		return customer, contact, uuid.Nil, err
	}
	if relationship, err = c.accounts.relate(ctx, contact.ID, customer.ID, was.ID); err != nil {
		return customer, contact, uuid.Nil, err
	}
	return customer, contact, relationship, c.read(ctx, &customer, &contact)
}

// party registers somebody, unless somebody alike is there and that was not allowed.
func (c *Conversions) party(ctx context.Context, who somebody, system string, was Conversion, l lead.Lead) (Party, error) {
	if there, found, err := c.accounts.known(ctx, identity{system, l.ID.String()}); err != nil || found {
		return there, err
	}
	if who.AllowDuplicate = was.Wish.AllowDuplicate; !who.AllowDuplicate && who.Kind == organisation {
		namesakes, err := c.accounts.namesakes(ctx, who.DisplayName)
		if err != nil {
			return Party{}, err
		}
		if len(namesakes) > 0 {
			return Party{}, &refusal{code: "duplicate_suspected", candidates: namesakes}
		}
	}
	made, err := c.accounts.register(ctx, who, system, l.ID, was.ID)
	if !says(err, "duplicate_suspected") {
		return made, err
	}
	candidates, err := c.accounts.candidates(ctx, who)
	if err != nil {
		return Party{}, err
	}
	return Party{}, &refusal{code: "duplicate_suspected", candidates: candidates}
}

// read takes the ETags of parties that the conversion made: as it leaves them.
func (c *Conversions) read(ctx context.Context, parties ...*Party) error {
	for _, p := range parties {
		if !p.Created {
			continue
		}
		now, err := c.accounts.get(ctx, p.ID)
		if err != nil {
			return err
		}
		p.ETag = now.etag
	}
	return nil
}

// open opens the opportunity and marks the lead: one transaction. What the rules of either refuse ends the conversion.
func (c *Conversions) open(ctx context.Context, in Input) (Progress, error) {
	now, err := c.step(ctx, in.ID, func(tx *pg.Tx, now Conversion) (Conversion, error) {
		if now.State != Running || now.Customer.ID == uuid.Nil {
			return now, nil
		}
		l, err := lead.Lock(ctx, tx, now.LeadID)
		if err != nil {
			return now, err
		}
		at := c.now()
		if _, err := l.Convert(now.Customer.ID, now.Contact.ID, now.ID, at); err != nil {
			return now, err
		}
		d, book := now.draft(l), pipeline.All(tx)
		if err := tx.Flush(ctx); err != nil {
			return now, err
		}
		p, known := book.Find(d.Pipeline)
		if d.Pipeline == "" {
			p, known = book.Default()
		}
		if known && p.Currency == "" {
			d.Currency = cmp.Or(d.Currency, now.Currency)
		}
		made, events, err := c.opportunities.OpenIn(ctx, tx, d)
		if err != nil {
			return now, err
		}
		converted, err := c.leads.ConvertIn(tx, l, now.Customer.ID, now.Contact.ID, made.ID, at)
		if err != nil {
			return now, err
		}
		return now.Done(made.ID, at), c.outbox.Append(ctx, tx, append(events, convertedEvent(now, converted))...)
	})
	if no := refused(err); err != nil && no != nil {
		return c.step(ctx, in.ID, func(_ *pg.Tx, now Conversion) (Conversion, error) {
			if now.State != Running {
				return now, nil
			}
			return now.Refuse(no.code, nil, c.now()), nil
		})
	}
	return now, err
}

// draft is the opportunity that the lead becomes.
func (c Conversion) draft(l lead.Lead) opportunity.Draft {
	w := c.Wish.Opportunity
	d := opportunity.Draft{
		CustomerID: c.Customer.ID, LeadID: l.ID, Name: cmp.Or(w.Name, l.Company, l.Name, "-"), Pipeline: cmp.Or(w.Pipeline, l.Pipeline), Stage: w.Stage,
		Currency: w.Currency, AmountMinor: w.AmountMinor, ExpectedCloseOn: w.ExpectedCloseOn, NextStep: w.NextStep, NextStepOn: w.NextStepOn,
		Owner: cmp.Or(l.Owner, c.RequestedBy), Team: l.Team, Source: l.Source, Campaign: l.Campaign, Tags: slices.Clone(l.Tags), Fields: l.Codes(),
	}
	if w.Currency == "" && l.BudgetMinor != nil && w.AmountMinor == 0 {
		d.Currency, d.AmountMinor = l.Currency, *l.BudgetMinor
	}
	if c.Contact.ID != uuid.Nil {
		d.Contacts = []opportunity.Contact{{CustomerID: c.Contact.ID}}
	}
	return d
}

// undo takes the conversion back, if nothing followed: what is known here is judged in the transaction, what accounts knows
// before it, for whom the conversion registered there.
func (c *Conversions) undo(ctx context.Context, in Input) (Progress, error) {
	was, err := c.get(ctx, in.ID)
	if err != nil || was.State != Undoing {
		return was.progress(), err
	}
	code := ""
	for _, p := range []Party{was.Customer, was.Contact} {
		if !p.Created {
			continue
		}
		followed, err := c.accounts.changed(ctx, p)
		if err != nil {
			return Progress{}, err
		}
		if followed {
			code = "customer_followed"
		}
	}
	if code != "" {
		return c.keep(ctx, in.ID, code)
	}
	now, err := c.step(ctx, in.ID, func(tx *pg.Tx, now Conversion) (Conversion, error) {
		if now.State != Undoing {
			return now, nil
		}
		l, err := lead.Lock(ctx, tx, now.LeadID)
		if err != nil {
			return now, err
		}
		var bought *bool
		if now.Customer.Created {
			bought = ordered(tx, now.Customer.ID)
		}
		at := c.now()
		events, err := c.opportunities.WithdrawIn(ctx, tx, now.OpportunityID, at)
		switch {
		case err != nil:
			return now, err
		case bought != nil && *bought:
			return now, problem.New(problem.Conflict, "customer_followed", "There are orders of the customer.")
		}
		if _, err := c.leads.UnconvertIn(ctx, tx, l, at); err != nil {
			return now, err
		}
		return now.Undid(at), c.outbox.Append(ctx, tx, append(events, undoneEvent(now, l, at))...)
	})
	if no := refused(err); err != nil && no != nil {
		return c.keep(ctx, in.ID, no.code)
	}
	return now, err
}

func (c *Conversions) keep(ctx context.Context, id uuid.UUID, code string) (Progress, error) {
	return c.step(ctx, id, func(_ *pg.Tx, now Conversion) (Conversion, error) {
		if now.State != Undoing {
			return now, nil
		}
		return now.Kept(code, c.now()), nil
	})
}

// putBack takes what the conversion made at accounts out of the way.
func (c *Conversions) putBack(ctx context.Context, in Input) (Progress, error) {
	was, err := c.get(ctx, in.ID)
	if err != nil || was.Settled {
		return was.progress(), err
	}
	if err := c.accounts.putBack(ctx, was); err != nil {
		return Progress{}, err
	}
	return c.step(ctx, in.ID, func(_ *pg.Tx, now Conversion) (Conversion, error) {
		if now.Settled {
			return now, nil
		}
		return now.PutBack(c.now()), nil
	})
}

// both gives a conversion with its lead.
func (c *Conversions) both(ctx context.Context, id uuid.UUID) (found Conversion, l lead.Lead, err error) {
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		if found, err = get(ctx, tx, id); err != nil {
			return err
		}
		l, err = lead.Get(ctx, tx, found.LeadID)
		return err
	})
	return found, l, err
}

// step changes a conversion under its lock. The lead is locked before it where it is changed too: by whoever asks first.
func (c *Conversions) step(ctx context.Context, id uuid.UUID, rule func(tx *pg.Tx, now Conversion) (Conversion, error)) (Progress, error) {
	var now Conversion
	_, err := c.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		found, err := get(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		if _, err := lead.Lock(ctx, tx, found.LeadID); err != nil {
			return pg.Result{}, err
		}
		was, err := lock(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		if now, err = rule(tx, was); err != nil || now.Version == was.Version {
			return pg.Result{}, err
		}
		return pg.Result{}, save(tx, now)
	})
	return now.progress(), err
}
