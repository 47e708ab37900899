package consent

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
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
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/tenant"
)

// Consents is what can be done with consents.
type Consents struct {
	db     *pg.DB
	outbox *outbox.Outbox
	hashes Hashes
	clock  func() time.Time
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, hashes Hashes, clock func() time.Time) *Consents {
	return &Consents{db: db, outbox: o, hashes: hashes, clock: clock}
}

// Told is a record as it is answered.
type Told struct {
	Record
	Root  uuid.UUID // the customer whom the record's id means now
	Token string    // that confirms it, once, to whoever made a pending record; otherwise empty
}

// Say records what a customer said of a purpose; address is as people write it, empty for all addresses. A withdrawal is
// recorded for each id of the customer. A pending grant comes with the token that confirms it, which is kept nowhere: a
// repetition of the request does not have it.
func (c *Consents) Say(ctx context.Context, id uuid.UUID, s Statement, address string) (Told, error) {
	caller, _ := auth.From(ctx)
	record, err := uuid.NewV7()
	if err != nil {
		return Told{}, err
	}
	var told Told
	result, err := c.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		hold := customer.HoldActive
		if s.State == Withdrawn { // is possible at any time
			hold = customer.Hold
		}
		ref, err := hold(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		h := queueHistory(tx, ref.Group())
		t, err := tenant.ForWrite(ctx, tx)
		if err != nil {
			return pg.Result{}, err
		}
		var faults []problem.Field
		s.Key.Address, faults = normalise(address, s.Key.Channel, t.Region)
		r, more := s.Record(record, id, caller.Subject, h.Childhood, c.now())
		if faults = append(faults, more...); len(faults) > 0 {
			return pg.Result{}, problem.InvalidBody("consent_invalid", "Nothing was recorded: mend the fields named here.", faults)
		}
		all, err := r.Copies(ref.Group(), uuid.NewV7)
		if err != nil {
			return pg.Result{}, err
		}
		insert(tx, all...)
		told = Told{Record: r, Root: ref.Root}
		if r.State == Pending {
			told.Token = rand.Text()
			insertConfirmation(tx, told.Token, r)
		}
		return pg.Result{ID: r.ID, Status: http.StatusCreated}, c.outbox.Append(ctx, tx, changedEvent(r))
	})
	return c.answer(ctx, told, result, err)
}

// normalise gives the one form of an address as people write it: of the type that the channel takes, and where there is no
// channel of the type that it looks like.
func normalise(address string, on Channel, region string) (identity.Identity, []problem.Field) {
	if address == "" {
		return identity.Identity{}, nil
	}
	a, fault := identity.Normalise(string(identity.Email), address, region)
	if fault != nil || on.AddressType() == identity.Phone {
		if phone, isNone := identity.Normalise(string(identity.Phone), address, region); isNone == nil {
			a, fault = phone, nil
		}
	}
	if fault != nil {
		return identity.Identity{}, []problem.Field{{Location: "address", Code: "address_malformed",
			Message: "must be a telephone number or a mail address"}}
	}
	return a, nil
}

// Confirm makes the pending grant that the token is of a grant. Used again, it gives the same answer.
func (c *Consents) Confirm(ctx context.Context, token string) (Told, error) {
	caller, _ := auth.From(ctx)
	id, err := uuid.NewV7()
	if err != nil {
		return Told{}, err
	}
	var told Told
	result, err := c.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		pending, err := findConfirmation(ctx, tx, token)
		if err != nil {
			return pg.Result{}, err
		}
		ref, err := customer.Hold(ctx, tx, pending.Customer)
		if err != nil {
			return pg.Result{}, err
		}
		lockConfirmation(tx, token)
		h := queueHistory(tx, ref.Group())
		done, found, err := confirmed(ctx, tx, pending.ID)
		switch told = (Told{Record: done, Root: ref.Root}); {
		case err != nil:
			return pg.Result{}, err
		case found:
			return pg.Result{ID: done.ID, Status: http.StatusOK}, nil
		}
		if _, err := tenant.ForWrite(ctx, tx); err != nil {
			return pg.Result{}, err
		}
		now := c.now()
		switch {
		case !now.Before(pending.ExpiresAt):
			return pg.Result{}, problem.New(problem.Gone, "confirmation_expired",
				"The confirmation came too late. Ask the customer again, and record a new grant.")
		case pending.Overtaken(h.Records):
			return pg.Result{}, problem.New(problem.Conflict, "confirmation_overtaken",
				"The customer withdrew after this was asked for. Ask the customer again, and record a new grant.")
		}
		told.Record = pending.Confirm(id, caller.Subject, now)
		insert(tx, told.Record)
		return pg.Result{ID: id, Status: http.StatusOK}, c.outbox.Append(ctx, tx, changedEvent(told.Record))
	})
	return c.answer(ctx, told, result, err)
}

// answer gives the record of a command, read anew when the command was a repetition.
func (c *Consents) answer(ctx context.Context, told Told, result pg.Result, err error) (Told, error) {
	if err != nil || !result.Replayed {
		return told, err
	}
	httpx.MarkReplayed(ctx)
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		r, err := get(ctx, tx, result.ID)
		if err != nil {
			return err
		}
		ref, err := customer.Resolve(ctx, tx, r.Customer)
		told = Told{Record: r, Root: ref.Root}
		return err
	})
	return told, err
}

// digest is what is kept of a token, which has 128 random bits: a plain hash cannot be turned back.
func digest(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// now is cut to what the database keeps, so that an answer reads the same at once and later.
func (c *Consents) now() time.Time { return c.clock().UTC().Truncate(time.Microsecond) }

// changedEvent tells what was said, without the address.
func changedEvent(r Record) outbox.Event {
	return outbox.Event{Aggregate: "customer", ID: r.Customer, Time: r.RecordedAt, Message: &accountsv1.ConsentChanged{
		CustomerId: r.Customer.String(), ConsentId: r.ID.String(), Purpose: string(r.Key.Purpose), Channel: string(r.Key.Channel),
		State: string(r.State), Kind: string(r.Kind), ChangedAt: timestamppb.New(r.SaidAt),
	}}
}
