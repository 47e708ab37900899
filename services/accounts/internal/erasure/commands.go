package erasure

import (
	"context"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/tenant"
)

// Room is a part of accounts that keeps something personal.
type Room struct {
	Name string
	// Erase takes out all that is personal of the customers and tells, by what it is, how much that was. Called again it
	// finds nothing. words is what they could be recognised by.
	Erase func(ctx context.Context, tx *pg.Tx, customers []uuid.UUID, words []string) (map[string]int64, error)
}

// Erasures is what can be done with erasures and legal holds.
type Erasures struct {
	db       *pg.DB
	outbox   *outbox.Outbox
	flow     *flow.Client
	starter  *starts.Starter
	service  string   // task queue of the process
	services []string // task queues of all services that hold something of customers
	rooms    []Room
	clock    func() time.Time
}

// New makes the capability: service is the task queue of its process, others those of the other services that hold something
// of customers, and rooms are what accounts itself holds, in the order in which they erase.
func New(db *pg.DB, o *outbox.Outbox, fl *flow.Client, starter *starts.Starter, service string, others []string, rooms []Room, clock func() time.Time) *Erasures {
	all := append(slices.Clone(others), service) // accounts last: whom an id means is asked of it until the end
	return &Erasures{db: db, outbox: o, flow: fl, starter: starter, service: service, services: all, rooms: rooms, clock: clock}
}

// Request asks for the erasure of a customer, who may be named by an alias. A customer whose erasure is under way is a
// Conflict, erasure_open.
func (r *Erasures) Request(ctx context.Context, id uuid.UUID, reason string) (Erasure, error) {
	made := uuid.Must(uuid.NewV7())
	who, _ := auth.From(ctx)
	e := Erasure{ID: made, Version: 1, State: Requested, Reason: reason, Holds: []Hold{}, RequestedAt: r.now(), RequestedBy: who.Subject}
	e.ChangedAt = e.RequestedAt
	result, err := r.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		if _, err := tenant.ForWrite(ctx, tx); err != nil {
			return pg.Result{}, err
		}
		ref, err := customer.Hold(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		e.CustomerID, e.CustomerIDs = ref.Root, ref.Group()
		insert(tx, e)
		return pg.Result{ID: e.ID, Status: http.StatusAccepted}, r.starter.Queue(ctx, tx, r.start(tx.Tenant(), e.ID))
	})
	if name, _ := pg.Constraint(err); name == openIndex {
		return Erasure{}, problem.New(problem.Conflict, "erasure_open", "An erasure of this customer is under way already.").Because(err)
	}
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		found, _, err := r.Get(ctx, result.ID)
		return found, err
	}
	return e, err
}

func (r *Erasures) start(tenantID string, id uuid.UUID) flow.Start {
	return flow.Start{
		ID: "erasure/" + tenantID + "/" + id.String(), Queue: r.service, Workflow: WorkflowName,
		Args: []any{Input{ID: id, Services: r.services}}, Search: flow.Search{Stage: string(Requested)}, Again: true,
	}
}

// Decide brings a person's decision to the process.
func (r *Erasures) Decide(ctx context.Context, id uuid.UUID, action Action) (Erasure, error) {
	e, _, err := r.Get(ctx, id)
	if err != nil {
		return Erasure{}, err
	}
	if !e.Open() && action == Recheck {
		return Erasure{}, problem.New(problem.Conflict, "erasure_ended", "The erasure has ended; nothing is left to be looked at.")
	}
	if !e.Open() {
		_, err := e.Cancel(r.now())
		return e, err
	}
	err = r.flow.Decide(ctx, flow.Decision{
		Start: r.start(auth.Tenant(ctx), id), Name: DecideUpdate, ID: uuid.Must(uuid.NewV7()).String(), Args: []any{Decision{ID: id, Action: action}},
	}, &e)
	return e, err
}

// change locks the erasure, applies the rule and saves what it made of it.
func (r *Erasures) change(ctx context.Context, id uuid.UUID, rule func(tx *pg.Tx, was Erasure) (Erasure, error)) (Erasure, error) {
	var now Erasure
	err := r.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		was, err := get(ctx, tx, id, ` FOR UPDATE`)
		if err != nil {
			return err
		}
		if now, err = rule(tx, was); err != nil || reflect.DeepEqual(now, was) {
			return err
		}
		now.Version = was.Version + 1
		return update(tx, now)
	})
	return now, err
}

// Place places a legal hold on a customer.
func (r *Erasures) Place(ctx context.Context, id uuid.UUID, h LegalHold) (LegalHold, error) {
	who, _ := auth.From(ctx)
	h.ID, h.PlacedAt, h.PlacedBy = uuid.Must(uuid.NewV7()), r.now(), who.Subject
	if !h.Until.IsZero() && !h.Until.After(h.PlacedAt) {
		return LegalHold{}, problem.InvalidBody("legal_hold_invalid", "The hold was not placed: mend the fields named here.",
			[]problem.Field{{Location: "until", Code: "in_the_past", Message: "must be in the future"}})
	}
	result, err := r.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		if _, err := tenant.ForWrite(ctx, tx); err != nil {
			return pg.Result{}, err
		}
		ref, err := customer.Hold(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		h.CustomerID = ref.ID
		insertHold(tx, h)
		return pg.Result{ID: h.ID, Status: http.StatusCreated}, nil
	})
	return r.held(ctx, h, result, err)
}

// Lift lifts a legal hold; one that was lifted stays as it is.
func (r *Erasures) Lift(ctx context.Context, id uuid.UUID) (LegalHold, error) {
	who, _ := auth.From(ctx)
	var h LegalHold
	result, err := r.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		var err error
		if h, err = getHold(ctx, tx, id, ` FOR UPDATE`); err != nil {
			return pg.Result{}, err
		}
		if h.LiftedAt.IsZero() {
			h.LiftedAt, h.LiftedBy = r.now(), who.Subject
			liftHold(tx, h)
		}
		return pg.Result{ID: h.ID, Status: http.StatusOK}, nil
	})
	return r.held(ctx, h, result, err)
}

// held gives the hold of a command that succeeded, read anew when the command was a repetition.
func (r *Erasures) held(ctx context.Context, h LegalHold, result pg.Result, err error) (LegalHold, error) {
	if err != nil || !result.Replayed {
		return h, err
	}
	httpx.MarkReplayed(ctx)
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		h, err = getHold(ctx, tx, result.ID, "")
		return err
	})
	return h, err
}

// Rooms is what accounts itself does when it is asked to erase, as every service is.
func (r *Erasures) Rooms() erasure.Rooms { return erasure.Rooms{Holds: r.holds, Erase: r.erase} }

// holds gives the legal holds that stand, and whether files are kept that may name the customers, and bring them in again.
func (r *Erasures) holds(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]erasure.Hold, error) {
	group, err := groupOf(ctx, tx, customers)
	if err != nil {
		return nil, err
	}
	all, err := holdsOf(ctx, tx, group)
	var standing []erasure.Hold
	for _, h := range all {
		if h.stands(r.now()) {
			standing = append(standing, erasure.Hold{Code: h.Code, Reference: h.ID})
		}
	}
	if err != nil {
		return nil, err
	}
	files, err := imports.Pending(ctx, tx, r.now())
	if files > 0 {
		standing = append(standing, erasure.Hold{Code: importRunning})
	}
	return standing, err
}

// erase has every room erase, and looks again at what it left: a room that finds something twice has not erased it.
func (r *Erasures) erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]erasure.Erased, error) {
	known, err := words(ctx, tx, customers)
	if err != nil {
		return nil, err
	}
	var all []erasure.Erased
	for _, room := range r.rooms {
		done, err := room.Erase(ctx, tx, customers, known)
		if err != nil {
			return nil, err
		}
		again, err := room.Erase(ctx, tx, customers, known)
		if err != nil {
			return nil, err
		}
		for what, count := range done {
			all = append(all, erasure.Erased{What: what, Count: count, Left: again[what]})
		}
	}
	slices.SortFunc(all, func(a, b erasure.Erased) int { return strings.Compare(a.What, b.What) })
	return all, nil
}

func (r *Erasures) now() time.Time { return r.clock().UTC().Truncate(time.Microsecond) }

const aggregate = "customer"

func erasedEvent(id uuid.UUID, e Erasure) outbox.Event {
	return outbox.Event{Aggregate: aggregate, ID: id, Time: e.ErasedAt, Message: &accountsv1.CustomerErased{
		CustomerId: id.String(), ErasureId: e.ID.String(), ErasedAt: timestamppb.New(e.ErasedAt),
	}}
}
