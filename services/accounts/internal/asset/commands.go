package asset

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/tenant"
)

// Assets is what can be done with assets.
type Assets struct {
	db     *pg.DB
	outbox *outbox.Outbox
	clock  func() time.Time
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, clock func() time.Time) *Assets {
	return &Assets{db: db, outbox: o, clock: clock}
}

// maxIDs is how many ids a command needs at most: of an asset, its owner, a service and two readings.
const maxIDs = 5

// newIDs gives what deals out new ids; each deal begins anew with the same ones, as a transaction that is repeated does.
func newIDs() (deal func() func() uuid.UUID, err error) {
	var ids [maxIDs]uuid.UUID
	for n := range ids {
		if ids[n], err = uuid.NewV7(); err != nil {
			return nil, err
		}
	}
	return func() func() uuid.UUID {
		next := -1
		return func() uuid.UUID { next++; return ids[next] }
	}, nil
}

// Register registers an asset of the customer.
func (s *Assets) Register(ctx context.Context, customerID uuid.UUID, d Draft) (Asset, error) {
	deal, err := newIDs()
	if err != nil {
		return Asset{}, err
	}
	var made Asset
	result, err := s.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		owner, err := customer.HoldActive(ctx, tx, customerID)
		if err != nil {
			return pg.Result{}, err
		}
		t, err := tenant.ForWrite(ctx, tx)
		if err != nil {
			return pg.Result{}, err
		}
		now := s.now()
		asset, readings, faults := Register(deal(), d, owner.ID, owner.Root, t.Day(now), now)
		if made = asset; len(faults) > 0 {
			return pg.Result{}, invalid(faults)
		}
		made.DueNow = made.Due.Over(t.Day(now))
		insert(tx, made)
		for _, r := range readings {
			insertReading(tx, made.ID, r)
		}
		if made.LastService != nil {
			insertService(tx, made.ID, *made.LastService)
		}
		return pg.Result{ID: made.ID, Status: http.StatusCreated}, s.outbox.Append(ctx, tx, registeredEvent(made))
	})
	return s.answer(ctx, made, result, err)
}

// change is an asset that is locked and about to be changed.
type change struct {
	tx     *pg.Tx
	was    Asset
	tenant tenant.Tenant
	today  time.Time // where the tenant is
	now    time.Time
}

// alter locks the asset and saves and tells what the rule makes of it.
func (s *Assets) alter(ctx context.Context, id uuid.UUID, rule func(c change) (Asset, []outbox.Event, error)) (Asset, error) {
	var now Asset
	result, err := s.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		lock(tx, id)
		was, err := get(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		t, err := tenant.ForWrite(ctx, tx)
		if err != nil {
			return pg.Result{}, err
		}
		at := s.now()
		var events []outbox.Event
		if now, events, err = rule(change{tx, was, t, t.Day(at), at}); err != nil {
			return pg.Result{}, err
		}
		save(tx, now)
		now.DueNow = now.Due.Over(t.Day(at))
		return pg.Result{ID: id, Status: http.StatusOK}, s.outbox.Append(ctx, tx, events...)
	})
	return s.answer(ctx, now, result, err)
}

// tend is alter for what somebody does to an asset of an owner who is still there.
func (s *Assets) tend(ctx context.Context, id uuid.UUID, rule func(c change) (Asset, error)) (Asset, error) {
	return s.alter(ctx, id, func(c change) (Asset, []outbox.Event, error) {
		if err := c.was.writable(); err != nil {
			return c.was, nil, err
		}
		if _, err := customer.HoldActive(ctx, c.tx, c.was.Owner.Customer); err != nil {
			return c.was, nil, err
		}
		now, err := rule(c)
		return now, nil, err
	})
}

// Change changes an asset, if it still is as the caller saw it: fresh is asked with the version.
func (s *Assets) Change(ctx context.Context, id uuid.UUID, p Patch, fresh func(version int64) error) (Asset, error) {
	return s.tend(ctx, id, func(c change) (Asset, error) {
		if err := fresh(c.was.Version); err != nil {
			return c.was, err
		}
		around, err := readingsAround(ctx, c.tx, id, c.today)
		if err != nil {
			return c.was, err
		}
		now, faults := c.was.Change(p, around.recent, c.today, c.now)
		if len(faults) > 0 {
			return c.was, invalid(faults)
		}
		saveOwnership(c.tx, *now.Owner)
		return now, nil
	})
}

// Meter is what somebody read, as it was given. The zero day is today.
type Meter struct {
	On       time.Time
	Value    int64
	Replaced bool
	Reason   string // code of why the meter was replaced
}

// Read records a reading of the meter.
func (s *Assets) Read(ctx context.Context, id uuid.UUID, m Meter) (Asset, error) {
	deal, err := newIDs()
	if err != nil {
		return Asset{}, err
	}
	return s.tend(ctx, id, func(c change) (Asset, error) {
		with, err := record(ctx, c, Reading{
			ID: deal()(), On: orDay(m.On, c.today), Meter: m.Value, Replaced: m.Replaced, Reason: m.Reason, RecordedAt: c.now,
		}, "read_on")
		if err != nil {
			return c.was, err
		}
		return c.was.Read(with.reading, with.all, c.now), nil
	})
}

// recorded is a reading that was accepted, among the recent ones.
type recorded struct {
	reading Reading
	all     []Reading
}

// record queues a reading, if it fits those beside it.
func record(ctx context.Context, c change, r Reading, dayField string) (recorded, error) {
	around, err := readingsAround(ctx, c.tx, c.was.ID, r.On)
	if err != nil {
		return recorded{}, err
	}
	var f faults
	f.day(dayField, r.On, c.today)
	r.No = c.was.Version + 1
	placed, more := InsertReading(r, around.before, around.after)
	if f = append(f, more...); len(f) > 0 {
		return recorded{}, invalid(f)
	}
	insertReading(c.tx, c.was.ID, placed)
	return recorded{placed, around.with(placed)}, nil
}

// Done is a service that was done, as it was given. The zero day is today.
type Done struct {
	On    time.Time
	Meter *int64 // none: nobody read it
	Work  string // code of what was done; empty: not said
}

// Serviced records a service, and what the meter showed then.
func (s *Assets) Serviced(ctx context.Context, id uuid.UUID, d Done) (Asset, error) {
	deal, err := newIDs()
	if err != nil {
		return Asset{}, err
	}
	return s.tend(ctx, id, func(c change) (Asset, error) {
		next := deal()
		done := Service{ID: next(), On: orDay(d.On, c.today), No: c.was.Version + 1, Meter: d.Meter, Work: d.Work, RecordedAt: c.now}
		var f faults
		f.day("serviced_on", done.On, c.today)
		if d.Work != "" && !codeShape.MatchString(d.Work) {
			f.add("work", "work_malformed", "must be a code of 1 to 64 lower-case letters, digits, - and _")
		}
		if len(f) > 0 {
			return c.was, invalid(f)
		}
		now := c.was
		if d.Meter == nil {
			around, err := readingsAround(ctx, c.tx, id, done.On)
			if err != nil {
				return c.was, err
			}
			if around.before != nil {
				done.Run = &around.before.Run
			}
			now = now.Serviced(done, around.recent, c.now)
		} else {
			with, err := record(ctx, c, Reading{ID: next(), On: done.On, Meter: *d.Meter, RecordedAt: c.now}, "serviced_on")
			if err != nil {
				return c.was, err
			}
			done.Run = &with.reading.Run
			now.see(with.reading)
			now = now.Serviced(done, with.all, c.now)
		}
		insertService(c.tx, id, done)
		return now, nil
	})
}

// Resale is a sale to a next owner, as it was given. The zero day is today.
type Resale struct {
	To   uuid.UUID
	On   time.Time
	Name string // what the next owner calls the asset
}

// Sell gives the asset to another owner: what was done to it goes along, who had it does not.
func (s *Assets) Sell(ctx context.Context, id uuid.UUID, r Resale) (Asset, error) {
	deal, err := newIDs()
	if err != nil {
		return Asset{}, err
	}
	return s.alter(ctx, id, func(c change) (Asset, []outbox.Event, error) {
		if c.was.Owner != nil || c.was.State == Scrapped {
			if err := c.was.writable(); err != nil {
				return c.was, nil, err
			}
		}
		to, err := customer.HoldActive(ctx, c.tx, r.To)
		if problem.KindOf(err) == problem.NotFound {
			err = invalid([]problem.Field{{Location: "customer_id", Code: "customer_not_found", Message: "is not the id of a customer"}})
		}
		if err != nil {
			return c.was, nil, err
		}
		next := Ownership{ID: deal()(), Customer: to.ID, Root: to.Root, Name: r.Name, Since: orDay(r.On, c.today)}
		now, former, faults := c.was.Sell(next, c.today, c.now)
		if len(faults) > 0 {
			return c.was, nil, invalid(faults)
		}
		at := c.at(next.Since)
		var events []outbox.Event
		if c.was.Owner != nil {
			saveOwnership(c.tx, former)
			events = append(events, givenUpEvent(now, former, at))
		}
		insertOwnership(c.tx, id, *now.Owner)
		return now, append(events, soldEvent(now, at)), nil
	})
}

// Scrap ends an asset's use. The zero day is today.
func (s *Assets) Scrap(ctx context.Context, id uuid.UUID, on time.Time) (Asset, error) {
	return s.alter(ctx, id, func(c change) (Asset, []outbox.Event, error) {
		if err := c.was.writable(); err != nil {
			return c.was, nil, err
		}
		day := orDay(on, c.today)
		now, former, faults := c.was.Scrap(day, c.today, c.now)
		if len(faults) > 0 {
			return c.was, nil, invalid(faults)
		}
		saveOwnership(c.tx, former)
		return now, []outbox.Event{givenUpEvent(now, former, c.at(day))}, nil
	})
}

// at is when something of the day took place, as far as is known: now, or when the day began.
func (c change) at(day time.Time) time.Time {
	if day.Equal(c.today) {
		return c.now
	}
	return c.tenant.Begins(day)
}

func orDay(on, today time.Time) time.Time {
	if on.IsZero() {
		return today
	}
	return on
}

// answer gives the asset of a command that succeeded, read anew when the command was a repetition, and explains the
// failure of one that met another asset's serial.
func (s *Assets) answer(ctx context.Context, made Asset, result pg.Result, err error) (Asset, error) {
	if name, _ := pg.Constraint(err); name == vinIndex || name == serialIndex {
		return Asset{}, s.taken(ctx, made, err)
	}
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return s.Get(ctx, result.ID)
	}
	return made, err
}

// taken names the asset that has the serial.
func (s *Assets) taken(ctx context.Context, made Asset, cause error) error {
	p := problem.New(problem.Conflict, "serial_taken", "Another asset in use has this serial. Look whether it was sold on.").Because(cause)
	err := s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		id, err := withSerial(ctx, tx, made.Type, made.Product, made.Serial)
		if err == nil {
			p = p.WithField("body.serial", "serial_taken", "belongs to asset "+id.String())
		}
		if problem.KindOf(err) == problem.NotFound { // it was scrapped meanwhile
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	return p
}

// now is cut to what the database keeps, so that an answer reads the same at once and later.
func (s *Assets) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

func invalid(f []problem.Field) error {
	return problem.InvalidBody("asset_invalid", "This was not accepted: mend the fields named here.", f)
}

const aggregate = "asset"

func registeredEvent(a Asset) outbox.Event {
	return outbox.Event{Aggregate: aggregate, ID: a.ID, Time: a.RegisteredAt, Message: &accountsv1.AssetRegistered{
		AssetId: a.ID.String(), CustomerId: a.Owner.Customer.String(), Product: a.Product, RegisteredAt: timestamppb.New(a.RegisteredAt),
	}}
}

func soldEvent(a Asset, at time.Time) outbox.Event {
	return outbox.Event{Aggregate: aggregate, ID: a.ID, Time: at, Message: &accountsv1.AssetSold{
		AssetId: a.ID.String(), CustomerId: a.Owner.Customer.String(), Product: a.Product, SoldAt: timestamppb.New(at),
	}}
}

func givenUpEvent(a Asset, former Ownership, at time.Time) outbox.Event {
	return outbox.Event{Aggregate: aggregate, ID: a.ID, Time: at, Message: &accountsv1.AssetGivenUp{
		AssetId: a.ID.String(), CustomerId: former.Customer.String(), Product: a.Product, Reason: former.GivenUp, GivenUpAt: timestamppb.New(at),
	}}
}
