// Package erasure takes the personal data of erased customers out of a service: when the erasure's workflow asks for it
// (the activities of guanxi.erasure.activities.v1), and again whenever accounts' event of it is heard. The event outlives
// everything: a service whose backup was restored, or that reads topics from their start, erases again by itself.
//
// What is left of an erased customer are ids and what hangs on them without a name: orders, points, figures. Whoever was
// erased is remembered, as an id, in the table erased_customer, so that no words are taken in for that id any more: see
// [Refuse]. What comes late and has none, an order of the day before or its points, is kept, so that books add up.
package erasure

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	erasurev1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/erasure/activities/v1"
)

// Hold is a reason not to erase yet.
type Hold struct {
	Code      string    // such as complaint_open
	Reference uuid.UUID // what it is about
}

// Erased says what became of one kind of thing.
type Erased struct {
	What  string // such as ticket
	Count int64  // emptied or taken away now
	Left  int64  // still with personal data in them: 0, or it failed
}

// Rooms is what a service does. The customers of a call are all ids of one person or of several, never none.
type Rooms struct {
	// Holds gives what keeps the customers from being erased; nil where nothing ever does.
	Holds func(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]Hold, error)
	// Erase takes out all that is personal, whether or not something holds. It lists every kind of thing, in a fixed order,
	// also where it finds nothing; called again it finds nothing left to do. nil where a service keeps nothing personal.
	Erase func(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]Erased, error)
}

// Eraser erases in one service.
type Eraser struct {
	db    *pg.DB
	rooms Rooms
}

// Each has every room take out what it keeps that is personal, one after the other.
func Each(rooms ...func(context.Context, *pg.Tx, []uuid.UUID) ([]Erased, error)) func(context.Context, *pg.Tx, []uuid.UUID) ([]Erased, error) {
	return func(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]Erased, error) {
		var all []Erased
		for _, room := range rooms {
			done, err := room(ctx, tx, customers)
			if err != nil {
				return nil, err
			}
			all = append(all, done...)
		}
		return all, nil
	}
}

// New makes the eraser of a service.
func New(db *pg.DB, rooms Rooms) *Eraser { return &Eraser{db: db, rooms: rooms} }

// Register registers the activities under the names of their requests.
func (e *Eraser) Register(r worker.Registry) {
	r.RegisterActivityWithOptions(e.Check, activity.RegisterOptions{Name: flow.ActivityName(&erasurev1.CheckErasure{})})
	r.RegisterActivityWithOptions(e.Erase, activity.RegisterOptions{Name: flow.ActivityName(&erasurev1.EraseCustomer{})})
}

// Check is the activity CheckErasure; see its contract.
func (e *Eraser) Check(ctx context.Context, in *erasurev1.CheckErasure) (*erasurev1.CheckErasureResult, error) {
	customers, err := readIDs(in.GetCustomerIds())
	if err != nil {
		return nil, err
	}
	answer := &erasurev1.CheckErasureResult{}
	if e.rooms.Holds == nil {
		return answer, nil
	}
	err = e.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		holds, err := e.rooms.Holds(ctx, tx, customers)
		for _, h := range holds {
			answer.Holds = append(answer.Holds, &erasurev1.Hold{Code: h.Code, ReferenceId: h.Reference.String()})
		}
		return err
	})
	return answer, err
}

// Erase is the activity EraseCustomer; see its contract.
func (e *Eraser) Erase(ctx context.Context, in *erasurev1.EraseCustomer) (*erasurev1.EraseCustomerResult, error) {
	customers, err := readIDs(in.GetCustomerIds())
	if err != nil {
		return nil, err
	}
	erasureID, err := uuid.Parse(in.GetErasureId())
	if err != nil || erasureID == uuid.Nil {
		return nil, invalid("erasure_id", "must be the erasure's id, a UUID")
	}
	answer := &erasurev1.EraseCustomerResult{}
	_, err = e.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		done, err := e.erase(ctx, tx, sameErasure(customers, erasureID))
		answer.Erased = nil
		for _, d := range done {
			answer.Erased = append(answer.Erased, &erasurev1.Erased{What: d.What, Count: d.Count, Left: d.Left})
		}
		return pg.Result{}, err
	})
	return answer, err
}

func readIDs(texts []string) ([]uuid.UUID, error) {
	ids := make([]uuid.UUID, len(texts))
	for i, text := range texts {
		id, err := uuid.Parse(text)
		if err != nil || id == uuid.Nil {
			return nil, invalid("customer_ids", "must be the ids of customers, UUIDs")
		}
		ids[i] = id
	}
	if len(ids) == 0 {
		return nil, invalid("customer_ids", "must name at least one customer")
	}
	return ids, nil
}

func invalid(field, message string) error {
	return problem.New(problem.Unprocessable, "erasure_invalid", "Nothing was erased: what was asked for is not valid.").
		WithField(field, field+"_invalid", message)
}

// request is one id that is to be erased.
type request struct{ customer, erasure uuid.UUID }

func sameErasure(customers []uuid.UUID, erasure uuid.UUID) []request {
	all := make([]request, len(customers))
	for i, c := range customers {
		all[i] = request{c, erasure}
	}
	return all
}

// erase remembers who is erased, and erases. Whoever writes for one of them at the same time is waited for, so that what
// was written is found; who comes later is refused.
func (e *Eraser) erase(ctx context.Context, tx *pg.Tx, all []request) ([]Erased, error) {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b request) int { return strings.Compare(a.customer.String(), b.customer.String()) })
	all = slices.CompactFunc(all, func(a, b request) bool { return a.customer == b.customer })
	customers, erasures := make([]uuid.UUID, len(all)), make([]uuid.UUID, len(all))
	for i, r := range all {
		customers[i], erasures[i] = r.customer, r.erasure
		tx.Queue(`SELECT pg_advisory_xact_lock(`+lockKey+`)`, tx.Tenant(), r.customer.String())
	}
	tx.Queue(`INSERT INTO erased_customer (tenant_id, customer_id, erasure_id) SELECT $1, * FROM unnest($2::uuid[], $3::uuid[])
		ON CONFLICT DO NOTHING`, tx.Tenant(), customers, erasures)
	if e.rooms.Erase == nil {
		return nil, tx.Flush(ctx)
	}
	return e.rooms.Erase(ctx, tx, customers)
}

// lockKey names what is written for the customer $2 of the tenant $1 among advisory locks.
const lockKey = `hashtextextended('erased_customer ' || $1 || ' ' || $2, 0)`

// Refuse queues that the transaction fails with the problem customer_erased (Gone) where the customer was erased. Otherwise the
// customer is not erased until the transaction ends. Call it before words about somebody are written.
func Refuse(tx *pg.Tx, customer uuid.UUID) {
	tx.Queue(`SELECT pg_advisory_xact_lock_shared(`+lockKey+`)`, tx.Tenant(), customer.String())
	tx.Queue(`SELECT EXISTS (SELECT FROM erased_customer WHERE tenant_id = $1 AND customer_id = $2)`, tx.Tenant(), customer).
		QueryRow(func(row pgx.Row) error {
			var erased bool
			if err := row.Scan(&erased); err != nil || !erased {
				return err
			}
			return Gone()
		})
}

// Gone is the problem with which work on an erased customer is refused: customer_erased.
func Gone() error {
	return problem.New(problem.Gone, "customer_erased", "The customer was erased: nothing can be kept of them any more.")
}

// Known queues the question which of the customers were erased; they are in the answer after the next round trip. The others are
// not erased until the transaction ends. It is for consumers, who pass over what is told of the erased.
func Known(tx *pg.Tx, customers []uuid.UUID) (erased map[uuid.UUID]bool) {
	erased = make(map[uuid.UUID]bool)
	if len(customers) == 0 {
		return erased
	}
	texts := make([]string, len(customers))
	for i, c := range customers {
		texts[i] = c.String()
	}
	slices.Sort(texts) // as those who erase lock them
	tx.Queue(`SELECT pg_advisory_xact_lock_shared(hashtextextended('erased_customer ' || $1 || ' ' || c.id, 0)) FROM unnest($2::text[]) AS c(id)`,
		tx.Tenant(), slices.Compact(texts))
	tx.Queue(`SELECT customer_id FROM erased_customer WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[])`, tx.Tenant(), customers).
		Query(func(rows pgx.Rows) error {
			var id uuid.UUID
			_, err := pgx.ForEachRow(rows, []any{&id}, func() error { erased[id] = true; return nil })
			return err
		})
	return erased
}

// Pace is for consumers that listen to accounts for erasures and merges alone: these are rare, and what passes by is much.
const Pace = 100 * time.Millisecond

// Consumer hears of erasures and erases.
func (e *Eraser) Consumer() inbox.Consumer {
	return e.With(inbox.Consumer{Name: "erasures", Lasting: true, Pace: Pace})
}

// With has a consumer hear of erasures as well: it handles their event beside its own, which come first in a batch, and reads
// the topic of accounts.
func (e *Eraser) With(c inbox.Consumer) inbox.Consumer {
	if topic := bus.TopicFor("accounts"); !slices.Contains(c.Topics, topic) {
		c.Topics = append(slices.Clip(c.Topics), topic)
	}
	c.Handles = append(slices.Clip(c.Handles), proto.Message(&accountsv1.CustomerErased{}))
	inner := c.Apply
	c.Apply = func(ctx context.Context, tx *pg.Tx, events []inbox.Event) error {
		var erased []request
		rest := events[:0:0]
		for _, event := range events {
			m, ok := event.Message.(*accountsv1.CustomerErased)
			if !ok {
				rest = append(rest, event)
				continue
			}
			customer, err := uuid.Parse(m.GetCustomerId())
			erasure, err2 := uuid.Parse(m.GetErasureId())
			if err != nil || err2 != nil || customer == uuid.Nil {
				return problem.New(problem.Unprocessable, "event_breaks_contract", "%s %s: customer_id and erasure_id must be ids.", event.Type, event.ID)
			}
			erased = append(erased, request{customer, erasure})
		}
		if len(rest) > 0 {
			if err := inner(ctx, tx, rest); err != nil {
				return err
			}
		}
		if len(erased) == 0 {
			return nil
		}
		_, err := e.erase(ctx, tx, erased)
		return err
	}
	return c
}
