package quote

import (
	"context"
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
	"github.com/guanxi-crm/guanxi/services/sales/internal/opportunity"
	"github.com/guanxi-crm/guanxi/services/sales/internal/order"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pricing"
	"github.com/guanxi-crm/guanxi/services/sales/internal/team"
)

// Quotes is what can be done with quotes.
type Quotes struct {
	db            *pg.DB
	outbox        *outbox.Outbox
	flow          *flow.Client
	starter       *starts.Starter
	pricing       *pricing.Pricing
	orders        *order.Orders
	opportunities *opportunity.Opportunities
	fonts         *Fonts
	service       string // and task queue
	clock         func() time.Time
}

// Rooms are the other rooms that quotes ask.
type Rooms struct {
	Pricing       *pricing.Pricing
	Orders        *order.Orders
	Opportunities *opportunity.Opportunities
}

// New makes the capability. fonts draws the paper.
func New(db *pg.DB, o *outbox.Outbox, fl *flow.Client, starter *starts.Starter, r Rooms, fonts *Fonts, service string, clock func() time.Time) *Quotes {
	return &Quotes{db: db, outbox: o, flow: fl, starter: starter, pricing: r.Pricing, orders: r.Orders, opportunities: r.Opportunities,
		fonts: fonts, service: service, clock: clock}
}

// now is cut to what the database keeps, so that an answer reads the same at once and later.
func (s *Quotes) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

func subject(ctx context.Context) string { return flow.ActorOf(ctx).Subject }

func invalid(f []problem.Field) error {
	return problem.InvalidBody("quote_invalid", "The quote was not accepted: mend the fields named here.", f)
}

// SetPolicy puts a policy in the place of the present one, if that still is as the caller saw it: fresh is asked with its
// version. What was submitted before goes on by the one before.
func (s *Quotes) SetPolicy(ctx context.Context, to Policy, fresh func(version int64) error) (Policy, error) {
	to, wrong := to.Normalise()
	if len(wrong) > 0 {
		return Policy{}, problem.InvalidBody("policy_invalid", "The policy was not accepted: mend the fields named here.", wrong)
	}
	err := s.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('quote_policy ' || $1, 0))`, tx.Tenant())
		was := policyOf(tx)
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		if err := fresh(was.Version); err != nil {
			return err
		}
		to.Version = was.Version + 1
		savePolicy(tx, to, subject(ctx), s.now())
		return nil
	})
	return to, err
}

// Create makes a quote for a customer, of an opportunity unless that is Nil, with its first version.
func (s *Quotes) Create(ctx context.Context, customer, of uuid.UUID, o Offer) (Told, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Told{}, err
	}
	result, err := s.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		if customer == uuid.Nil {
			return pg.Result{}, invalid([]problem.Field{{Location: "customer_id", Code: "customer_required", Message: "must be a customer's id"}})
		}
		erasure.Refuse(tx, customer)
		root, policy := alias.Root(tx, customer), policyOf(tx)
		if err := tx.Flush(ctx); err != nil {
			return pg.Result{}, err
		}
		q := Quote{ID: id, CustomerID: customer, Root: *root, OpportunityID: of}
		zone, err := belongs(ctx, tx, q, o.Currency)
		if err != nil {
			return pg.Result{}, err
		}
		at := s.now()
		w, err := s.write(ctx, tx, *root, o, by(*policy, zone), at)
		if err != nil {
			return pg.Result{}, err
		}
		if q.Number, err = nextNumber(ctx, tx); err != nil {
			return pg.Result{}, err
		}
		insert(tx, Begin(q, w, subject(ctx), at))
		if of != uuid.Nil {
			opportunity.Follow(tx, of)
		}
		return pg.Result{ID: id, Status: http.StatusCreated}, nil
	})
	return s.told(ctx, result, err)
}

// belongs refuses an opportunity that is not one of the quote's customer, is closed, or is in another currency. It gives the time
// zone of the team that leads it; none where there is none.
func belongs(ctx context.Context, tx *pg.Tx, q Quote, currency string) (zone string, err error) {
	if q.OpportunityID == uuid.Nil {
		return "", nil
	}
	of, err := opportunity.Get(ctx, tx, q.OpportunityID)
	fault := func(location, code, message string) error {
		return invalid([]problem.Field{{Location: location, Code: code, Message: message}})
	}
	switch {
	case problem.KindOf(err) == problem.NotFound:
		return "", fault("opportunity_id", "opportunity_unknown", "must be an opportunity")
	case err != nil:
		return "", err
	case of.Root != q.Root:
		return "", fault("opportunity_id", "opportunity_of_another", "must be an opportunity of the customer")
	case of.State != opportunity.Open:
		return "", fault("opportunity_id", "opportunity_closed", "must be an open opportunity")
	case of.Currency != currency:
		return "", fault("currency", "currency_differs", "must be the opportunity's: "+of.Currency)
	case of.Team == "":
		return "", nil
	}
	leads, err := team.Find(ctx, tx, of.Team)
	if problem.KindOf(err) == problem.NotFound { // teams are codes, which anybody may have written
		return "", nil
	}
	return leads.Zone, err
}

// by is the policy by which a quote is written, in the time zone of its team where it has one.
func by(p Policy, zone string) Policy {
	if zone != "" {
		p.TimeZone = zone
	}
	return p
}

// told gives the quote that a command led to.
func (s *Quotes) told(ctx context.Context, result pg.Result, err error) (Told, error) {
	if err != nil {
		return Told{}, err
	}
	if result.Replayed {
		httpx.MarkReplayed(ctx)
	}
	return s.Get(ctx, result.ID)
}

// change locks a quote, applies the rule, and saves and tells what the rule changed. The rule may write by tx what goes with it, and
// gives the events of that. What people do is refused for a customer who was erased.
func (s *Quotes) change(ctx context.Context, id uuid.UUID, people bool, rule func(tx *pg.Tx, was Quote, at time.Time) (Quote, []outbox.Event, error)) (pg.Result, Quote, error) {
	var was Quote
	at := s.now()
	result, err := s.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		if people {
			customer, err := customerOf(ctx, tx, id)
			if err != nil {
				return pg.Result{}, err
			}
			erasure.Refuse(tx, customer)
		}
		var err error
		if was, err = load(ctx, tx, id, true); err != nil {
			return pg.Result{}, err
		}
		now, more, err := rule(tx, was, at)
		if err != nil || now.Revision == was.Revision {
			return pg.Result{ID: id, Status: http.StatusOK}, err
		}
		save(tx, was, now)
		return pg.Result{ID: id, Status: http.StatusOK}, s.outbox.Append(ctx, tx, append(events(was, now), more...)...)
	})
	return result, was, err
}

// do is change for a person, who is told what became of the quote. A process that asks for approval hears of it at once.
func (s *Quotes) do(ctx context.Context, id uuid.UUID, rule func(tx *pg.Tx, was Quote, at time.Time) (Quote, []outbox.Event, error)) (Told, error) {
	result, was, err := s.change(ctx, id, true, rule)
	if err == nil && !result.Replayed && was.Latest().State == InApproval {
		s.flow.Poke(ctx, workflowID(auth.Tenant(ctx), id, was.Latest().No))
	}
	return s.told(ctx, result, err)
}

// Edit writes the latest version anew, or the next one where the customer has the latest; fresh is asked with the quote's revision.
// An approval that was given, or is asked for, is void then.
func (s *Quotes) Edit(ctx context.Context, id uuid.UUID, o Offer, fresh func(revision int64) error) (Told, error) {
	return s.do(ctx, id, func(tx *pg.Tx, was Quote, at time.Time) (Quote, []outbox.Event, error) {
		if err := fresh(was.Revision); err != nil {
			return was, nil, err
		}
		policy := policyOf(tx)
		if err := tx.Flush(ctx); err != nil {
			return was, nil, err
		}
		zone, err := belongs(ctx, tx, was, o.Currency)
		if err != nil {
			return was, nil, err
		}
		w, err := s.write(ctx, tx, was.Root, o, by(*policy, zone), at)
		if err != nil {
			return was, nil, err
		}
		now, err := was.Edit(w, subject(ctx), at)
		return now, nil, err
	})
}

// Submit asks for approval of the latest version. Within the seller's own limits it is approved at once.
func (s *Quotes) Submit(ctx context.Context, id uuid.UUID, no int32) (Told, error) {
	return s.do(ctx, id, func(tx *pg.Tx, was Quote, at time.Time) (Quote, []outbox.Event, error) {
		policy := policyOf(tx)
		if err := tx.Flush(ctx); err != nil {
			return was, nil, err
		}
		now, err := was.Submit(no, *policy, subject(ctx), at)
		return now, nil, err
	})
}

// Send marks the latest version, which must be approved, as sent. One that cannot be drawn is Unprocessable.
func (s *Quotes) Send(ctx context.Context, id uuid.UUID, no int32) (Told, error) {
	return s.do(ctx, id, func(tx *pg.Tx, was Quote, at time.Time) (Quote, []outbox.Event, error) {
		now, err := was.Send(no, subject(ctx), at)
		if err != nil {
			return was, nil, err
		}
		v := now.Versions[no-1]
		if v.Lines, err = linesOf(ctx, tx, id, no); err != nil {
			return was, nil, err
		}
		return now, nil, s.fonts.drawable(v)
	})
}

// Decline says that the customer does not want a version, with a code of why and words, which may be empty.
func (s *Quotes) Decline(ctx context.Context, id uuid.UUID, no int32, reason, words string) (Told, error) {
	return s.ending(ctx, id, reason, words, func(was Quote, note uuid.UUID, at time.Time) (Quote, error) {
		return was.Decline(no, reason, note, subject(ctx), at)
	})
}

// Withdraw takes the whole quote back, with a code of why and words, which may be empty.
func (s *Quotes) Withdraw(ctx context.Context, id uuid.UUID, reason, words string) (Told, error) {
	return s.ending(ctx, id, reason, words, func(was Quote, note uuid.UUID, at time.Time) (Quote, error) {
		return was.Withdraw(reason, note, subject(ctx), at)
	})
}

// said checks a code of why and the words that go with it.
func said(reason, words string) (string, error) {
	var f faults
	if !codePattern.MatchString(reason) {
		f.add("reason", "code_malformed", "must be a code of at most 64 small letters, digits and _ . -")
	}
	if words = f.words("words", words, maxTerms, true); len(f) > 0 {
		return "", problem.InvalidBody("decision_invalid", "The decision was not accepted: mend the fields named here.", f)
	}
	return words, nil
}

func (s *Quotes) ending(ctx context.Context, id uuid.UUID, reason, words string, rule func(was Quote, note uuid.UUID, at time.Time) (Quote, error)) (Told, error) {
	words, err := said(reason, words)
	if err != nil {
		return Told{}, err
	}
	note := uuid.Nil
	if words != "" {
		if note, err = uuid.NewV7(); err != nil {
			return Told{}, err
		}
	}
	return s.do(ctx, id, func(tx *pg.Tx, was Quote, at time.Time) (Quote, []outbox.Event, error) {
		now, err := rule(was, note, at)
		if err == nil {
			insertNote(tx, id, note, words, subject(ctx), at)
		}
		return now, nil, err
	})
}
