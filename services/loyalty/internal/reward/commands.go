package reward

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// Rewards is what can be done with rewards and redemptions.
type Rewards struct {
	db      *pg.DB
	outbox  *outbox.Outbox
	ledger  *ledger.Ledger
	flow    *flow.Client // nil: processes are not poked
	starter *starts.Starter
	service string // and task queue
	clock   func() time.Time
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, l *ledger.Ledger, fl *flow.Client, starter *starts.Starter, service string, clock func() time.Time) *Rewards {
	return &Rewards{db: db, outbox: o, ledger: l, flow: fl, starter: starter, service: service, clock: clock}
}

// Draft is what a reward is made of.
type Draft struct {
	Programme string // code
	Code      string
	Kind      Kind
	Offer
	Points        int64     // what one costs
	EffectiveFrom time.Time // zero: now
	Stock         *int64    // how many there are; nil: there is no end, or, of vouchers, codes are uploaded
}

func (d Draft) faults(p programme.Programme, c Cost) []problem.Field {
	faults := append(d.Offer.faults(d.Kind, p), costFaults(c)...)
	note := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	if !programme.Coded(d.Code) {
		note("code", "code_malformed", programme.CodeRule)
	}
	if d.Kind != Voucher && d.Kind != Delivery && d.Kind != Counter {
		note("kind", "kind_unknown", "must be voucher, delivery or counter")
	}
	switch {
	case d.Stock == nil:
	case d.Kind == Voucher:
		note("stock", "stock_of_vouchers", "is not for vouchers: their codes are uploaded")
	case *d.Stock < 0 || *d.Stock > maxStock:
		note("stock", "out_of_range", "must be 0 to 1000000000")
	}
	return faults
}

// Create makes a reward, with its first cost and its first stock. A code that another one of the programme has, or had, is a
// Conflict: reward_exists.
func (r *Rewards) Create(ctx context.Context, d Draft) (Reward, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Reward{}, err
	}
	caller, _ := auth.From(ctx)
	now := r.now()
	cost := Cost{Points: d.Points, EffectiveFrom: d.EffectiveFrom, By: caller.Subject, CreatedAt: now}
	if cost.EffectiveFrom.IsZero() {
		cost.EffectiveFrom = now
	}
	result, err := r.db.Command(ctx, caller.Tenant, func(tx *pg.Tx) (pg.Result, error) {
		book := programme.BookOf(tx)
		if err := tx.Flush(ctx); err != nil {
			return pg.Result{}, err
		}
		p, known := book.At(d.Programme, now)
		faults := d.faults(p, cost)
		if !known {
			faults = append(faults, problem.Field{Location: "programme", Code: "programme_unknown", Message: "must be the code of a programme"})
		}
		if len(faults) > 0 {
			return pg.Result{}, invalid(faults)
		}
		made := Reward{
			ID: id, Programme: d.Programme, Code: d.Code, Version: 1, Kind: d.Kind, Offer: d.Offer, By: caller.Subject, CreatedAt: now, ChangedAt: now,
			Stock: Stock{Limited: d.Kind == Voucher || d.Stock != nil},
		}
		insert(tx, made)
		insertCost(tx, id, cost)
		if d.Stock != nil && *d.Stock > 0 {
			if err := move(tx, made, Movement{Move: Receive, Quantity: *d.Stock, Reason: "first_stock", By: caller.Subject, At: now}); err != nil {
				return pg.Result{}, err
			}
		}
		return pg.Result{ID: id, Status: http.StatusCreated}, nil
	})
	if name, _ := pg.Constraint(err); name == codeConstraint {
		return Reward{}, problem.New(problem.Conflict, "reward_exists", "The programme has a reward of this code, or had one that was archived.")
	}
	return r.told(ctx, result, err)
}

func invalid(faults []problem.Field) error {
	return problem.InvalidBody("reward_invalid", "Nothing was changed: mend the fields named here.", faults)
}

// told gives the reward that a command was about.
func (r *Rewards) told(ctx context.Context, result pg.Result, err error) (Reward, error) {
	if err != nil {
		return Reward{}, err
	}
	if result.Replayed {
		httpx.MarkReplayed(ctx)
	}
	return r.Get(ctx, result.ID)
}

// move queues a movement of the stock of a reward that is locked.
func move(tx *pg.Tx, of Reward, m Movement) error {
	s, m, err := of.Stock.Move(m)
	if err != nil {
		return err
	}
	saveStock(tx, of.ID, s, m)
	return nil
}

// Change puts another offer in the place of the present one, if that still is as the caller saw it: fresh is asked with its
// version. What was redeemed stays as it was agreed.
func (r *Rewards) Change(ctx context.Context, id uuid.UUID, to Offer, fresh func(version int64) error) (Reward, error) {
	return r.edit(ctx, id, fresh, func(was Reward, p programme.Programme, _ time.Time) (Reward, error) {
		if faults := to.faults(was.Kind, p); len(faults) > 0 {
			return was, invalid(faults)
		}
		was.Offer = to
		return was, nil
	})
}

// Archive takes a reward out of the catalogue, or puts it back in. It can still be handed over to whoever redeemed it.
func (r *Rewards) Archive(ctx context.Context, id uuid.UUID, archived bool, fresh func(version int64) error) (Reward, error) {
	return r.edit(ctx, id, fresh, func(was Reward, _ programme.Programme, now time.Time) (Reward, error) {
		switch {
		case archived && !was.ArchivedAt.IsZero():
			return was, problem.New(problem.Conflict, "reward_archived", "This reward is archived already.")
		case archived:
			was.ArchivedAt = now
		case was.ArchivedAt.IsZero():
			return was, problem.New(problem.Conflict, "reward_not_archived", "This reward is not archived.")
		default:
			was.ArchivedAt = time.Time{}
		}
		return was, nil
	})
}

func (r *Rewards) edit(ctx context.Context, id uuid.UUID, fresh func(version int64) error,
	rule func(was Reward, p programme.Programme, now time.Time) (Reward, error),
) (Reward, error) {
	caller, _ := auth.From(ctx)
	now := r.now()
	result, err := r.db.Command(ctx, caller.Tenant, func(tx *pg.Tx) (pg.Result, error) {
		book := programme.BookOf(tx)
		was, err := lock(ctx, tx, id, now)
		if err != nil {
			return pg.Result{}, err
		}
		if err := fresh(was.Version); err != nil {
			return pg.Result{}, err
		}
		p, _ := book.At(was.Programme, now)
		is, err := rule(was, p, now)
		if err != nil {
			return pg.Result{}, err
		}
		is.Version, is.By, is.ChangedAt = was.Version+1, caller.Subject, now
		saveOffer(tx, is)
		return pg.Result{ID: id, Status: http.StatusOK}, nil
	})
	return r.told(ctx, result, err)
}

// Price says what a reward costs from a time on; zero: from now on.
func (r *Rewards) Price(ctx context.Context, id uuid.UUID, points int64, from time.Time) (Reward, error) {
	caller, _ := auth.From(ctx)
	now := r.now()
	cost := Cost{Points: points, EffectiveFrom: from, By: caller.Subject, CreatedAt: now}
	if from.IsZero() {
		cost.EffectiveFrom = now
	}
	if faults := costFaults(cost); len(faults) > 0 {
		return Reward{}, invalid(faults)
	}
	return r.stocking(ctx, id, func(tx *pg.Tx, was Reward, _ string, _ time.Time) error {
		insertCost(tx, was.ID, cost)
		return nil
	})
}

// Restock books what came in (more than 0) or was taken out again (less than 0), for a reason. Vouchers come in by their codes;
// what is taken out of them are codes that nobody has.
func (r *Rewards) Restock(ctx context.Context, id uuid.UUID, quantity int64, reason string) (Reward, error) {
	var faults []problem.Field
	if quantity == 0 || quantity < -maxStock || quantity > maxStock {
		faults = append(faults, problem.Field{Location: "quantity", Code: "out_of_range", Message: "must be up to 1000000000, and less than 0 for what is taken out"})
	}
	if !programme.Coded(reason) {
		faults = append(faults, problem.Field{Location: "reason", Code: "code_malformed", Message: programme.CodeRule})
	}
	if len(faults) > 0 {
		return Reward{}, invalid(faults)
	}
	return r.stocking(ctx, id, func(tx *pg.Tx, was Reward, by string, now time.Time) error {
		m := Movement{Move: Receive, Quantity: quantity, Reason: reason, By: by, At: now}
		if quantity < 0 {
			m.Move, m.Quantity = Withdraw, -quantity
		}
		if was.Kind == Voucher && m.Move == Receive {
			return problem.New(problem.Conflict, "reward_voucher", "Vouchers come in by their codes: upload them.")
		}
		if err := move(tx, was, m); err != nil {
			return err
		}
		if was.Kind == Voucher {
			withdrawVouchers(tx, id, m.Quantity, now)
		}
		return nil
	})
}

// stocking locks a reward and does something with it that is no change of its offer.
func (r *Rewards) stocking(ctx context.Context, id uuid.UUID, do func(tx *pg.Tx, was Reward, by string, now time.Time) error) (Reward, error) {
	caller, _ := auth.From(ctx)
	now := r.now()
	result, err := r.db.Command(ctx, caller.Tenant, func(tx *pg.Tx) (pg.Result, error) {
		was, err := lock(ctx, tx, id, now)
		if err != nil {
			return pg.Result{}, err
		}
		return pg.Result{ID: id, Status: http.StatusCreated}, do(tx, was, caller.Subject, now)
	})
	return r.told(ctx, result, err)
}

// now is cut to what the database keeps, so that an answer reads the same at once and later.
func (r *Rewards) now() time.Time { return r.clock().UTC().Truncate(time.Microsecond) }
