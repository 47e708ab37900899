// Package alias lets a service follow the merges of customers that accounts tells of.
//
// Rows that hang on a customer keep the id that they were written with, for ever, and each service reads them by all ids that
// mean the same customer. So an undo is exact: there is nothing to be moved back. Which ids these are stands in the table
// customer_alias, which a service has that asks for it (app.Module.Aliases); its functions are for reading through it:
//
//	customer_root(tenant, id)    the customer whom the id means
//	customer_group(tenant, id)   all ids that mean that customer, as an array, the root first
//	customer_aliases(tenant)     every id that means another one, with that one: for what reads all customers
//
// Ask for them once a statement: customer_id = ANY ((SELECT customer_group($1, $2))::uuid[]) is an index condition, and where the
// planner rather reads a small table from end to end, the function is not called for each row. For pages in an order that an
// index has, join LATERAL to unnest(customer_group($1, $2)). Answers to callers name the root.
package alias

import (
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
)

// Table is where aliases stand; in a service with a projection it is one of the tables of that.
const Table = "customer_alias"

// Change is what an event says of an id: whom it means from then on.
type Change struct {
	CustomerID uuid.UUID // the id
	SurvivorID uuid.UUID // whom it means; Nil: the customer is one of its own again
	MergeID    uuid.UUID
	Epoch      int   // of the event; so is Sequence, in the stream of CustomerID
	Sequence   int64 // a change with a lower one never wins over one with a higher
}

// Handles are empty messages of the events that change aliases.
func Handles() []proto.Message {
	return []proto.Message{&accountsv1.CustomerAbsorbed{}, &accountsv1.CustomerRestored{}}
}

// Read gives the change that an event makes; ok is false for an event of another type. One that breaks its contract is a
// problem of the kind Unprocessable.
func Read(e inbox.Event) (c Change, ok bool, err error) {
	var customer, survivor, merge string
	restored := false
	switch m := e.Message.(type) {
	case *accountsv1.CustomerAbsorbed:
		customer, survivor, merge = m.GetCustomerId(), m.GetSurvivorId(), m.GetMergeId()
	case *accountsv1.CustomerRestored:
		customer, survivor, merge = m.GetCustomerId(), m.GetSurvivorId(), m.GetMergeId()
		restored = true
	default:
		return Change{}, false, nil
	}
	c = Change{Epoch: e.Epoch, Sequence: e.Sequence}
	for _, id := range []struct {
		field, text string
		to          *uuid.UUID
	}{{"customer_id", customer, &c.CustomerID}, {"survivor_id", survivor, &c.SurvivorID}, {"merge_id", merge, &c.MergeID}} {
		if *id.to, err = uuid.Parse(id.text); err != nil || *id.to == uuid.Nil {
			return Change{}, true, broken(e, id.field, "is not an id")
		}
	}
	if c.SurvivorID == c.CustomerID {
		return Change{}, true, broken(e, "survivor_id", "is the customer itself")
	}
	if restored {
		c.SurvivorID = uuid.Nil
	}
	return c, true, nil
}

func broken(e inbox.Event, field, why string) error {
	return problem.New(problem.Unprocessable, "event_breaks_contract", "%s %s: %s %s.", e.Type, e.ID, field, why)
}

// Queue queues changes, which may come late, twice and in any order. Until the transaction ends nobody holds the tenant's
// aliases (see [Hold]).
func Queue(tx *pg.Tx, changes ...Change) {
	latest := make(map[uuid.UUID]Change, len(changes))
	for _, c := range changes {
		was, there := latest[c.CustomerID]
		if !there || was.Epoch < c.Epoch || was.Epoch == c.Epoch && was.Sequence < c.Sequence {
			latest[c.CustomerID] = c
		}
	}
	n := len(latest)
	if n == 0 {
		return
	}
	customers, survivors, merges := make([]uuid.UUID, 0, n), make([]*uuid.UUID, 0, n), make([]uuid.UUID, 0, n)
	epochs, sequences := make([]int32, 0, n), make([]int64, 0, n)
	for _, c := range latest {
		customers, survivors, merges = append(customers, c.CustomerID), append(survivors, pg.OrNull(c.SurvivorID)), append(merges, c.MergeID)
		epochs, sequences = append(epochs, int32(c.Epoch)), append(sequences, c.Sequence)
	}
	tx.Queue(`SELECT pg_advisory_xact_lock(`+lockKey+`)`, tx.Tenant())
	tx.Queue(`INSERT INTO customer_alias AS a (tenant_id, customer_id, survivor_id, merge_id, epoch, seq)
		SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::int[], $6::bigint[])
		ON CONFLICT (tenant_id, customer_id) DO UPDATE
			SET survivor_id = excluded.survivor_id, merge_id = excluded.merge_id, epoch = excluded.epoch, seq = excluded.seq
			WHERE (a.epoch, a.seq) < (excluded.epoch, excluded.seq)`,
		tx.Tenant(), customers, survivors, merges, epochs, sequences)
}

// lockKey names the aliases of the tenant $1 among advisory locks.
const lockKey = `hashtextextended('` + Table + ` ' || $1, 0)`

// Hold queues a lock by which the tenant's aliases stay as they are until the transaction ends: for a command that changes
// rows of several ids and is right only while these mean one customer. Holders do not keep each other waiting. Take it
// before any lock of a row.
func Hold(tx *pg.Tx) { tx.Queue(`SELECT pg_advisory_xact_lock_shared(`+lockKey+`)`, tx.Tenant()) }

// With has a consumer follow merges as well: it handles their events beside its own, and reads the topic of accounts.
func With(c inbox.Consumer) inbox.Consumer {
	if topic := bus.TopicFor("accounts"); !slices.Contains(c.Topics, topic) {
		c.Topics = append(slices.Clip(c.Topics), topic)
	}
	c.Handles = append(slices.Clip(c.Handles), Handles()...)
	inner := c.Apply
	c.Apply = func(ctx context.Context, tx *pg.Tx, events []inbox.Event) error {
		var changes []Change
		rest := events[:0:0]
		for _, e := range events {
			change, ok, err := Read(e)
			switch {
			case err != nil:
				return err
			case ok:
				changes = append(changes, change)
			default:
				rest = append(rest, e)
			}
		}
		Queue(tx, changes...)
		if len(rest) == 0 {
			return tx.Flush(ctx)
		}
		return inner(ctx, tx, rest)
	}
	return c
}

// Root queues the question whom the id means; the answer is there after the next round trip. It is the id itself where it
// was never merged, and Nil for Nil.
func Root(tx *pg.Tx, id uuid.UUID) *uuid.UUID {
	root := new(uuid.UUID)
	if id != uuid.Nil {
		tx.Queue(`SELECT customer_root($1, $2)`, tx.Tenant(), id).QueryRow(func(row pgx.Row) error { return row.Scan(root) })
	}
	return root
}

// Roots is Root for many ids at once; those of ids that were never merged are among the answers as well.
func Roots(tx *pg.Tx, ids []uuid.UUID) map[uuid.UUID]uuid.UUID {
	roots := make(map[uuid.UUID]uuid.UUID, len(ids))
	if len(ids) == 0 {
		return roots
	}
	tx.Queue(`SELECT n.id, customer_root($1, n.id) FROM unnest($2::uuid[]) AS n(id)`, tx.Tenant(), ids).Query(func(rows pgx.Rows) error {
		var id, root uuid.UUID
		_, err := pgx.ForEachRow(rows, []any{&id, &root}, func() error { roots[id] = root; return nil })
		return err
	})
	return roots
}
