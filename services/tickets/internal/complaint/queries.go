package complaint

import (
	"cmp"
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Filter says which complaints are meant; the zero Filter means all.
type Filter struct {
	Stage      Stage
	CustomerID uuid.UUID
	CrisisID   uuid.UUID
	TicketID   uuid.UUID // only the one of this ticket
	Escalated  bool
	Before     uuid.UUID // only those registered before this one
}

// Told is a complaint with what people said about it.
type Told struct {
	Complaint
	Root  uuid.UUID // the customer whom the complaint's CustomerID means
	notes map[uuid.UUID]note
}

// said gives what was said about the complaint by the decision with which it was, in the order in which it was; under Nil is
// what was said at first.
func (t Told) said() map[uuid.UUID][]note {
	by := make(map[uuid.UUID][]note)
	for _, n := range t.notes {
		if n.complaint == t.ID {
			by[n.decision] = append(by[n.decision], n)
		}
	}
	for _, one := range by {
		slices.SortFunc(one, func(a, b note) int { return cmp.Compare(a.no, b.no) })
	}
	return by
}

// Get gives a complaint of the caller's tenant.
func (c *Complaints) Get(ctx context.Context, id uuid.UUID) (Told, error) {
	var found Told
	err := c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		if found.Complaint, err = load(ctx, tx, id, false); err != nil {
			return err
		}
		root := alias.Root(tx, found.CustomerID)
		found.notes, err = notes(ctx, tx, id)
		found.Root = *root
		return err
	})
	return found, err
}

// tell adds what people said to a complaint as it is known here.
func (c *Complaints) tell(ctx context.Context, known Complaint) (Told, error) {
	told := Told{Complaint: known}
	err := c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		root := alias.Root(tx, known.CustomerID)
		told.notes, err = notes(ctx, tx, known.ID)
		told.Root = *root
		return err
	})
	return told, err
}

// List gives up to limit complaints, the latest first.
func (c *Complaints) List(ctx context.Context, f Filter, limit int) ([]Told, error) {
	var page []Told
	err := c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		found, err := list(ctx, tx, f, limit)
		if err != nil {
			return err
		}
		ids, customers := make([]uuid.UUID, len(found)), make([]uuid.UUID, len(found))
		for i, one := range found {
			ids[i], customers[i] = one.ID, one.CustomerID
		}
		roots := alias.Roots(tx, customers)
		said, err := notes(ctx, tx, ids...)
		page = make([]Told, len(found))
		for i, one := range found {
			page[i] = Told{Complaint: one, Root: roots[one.CustomerID], notes: said}
		}
		return err
	})
	return page, err
}
