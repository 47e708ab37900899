package ticket

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Filter says which tickets are meant; the zero Filter means all.
type Filter struct {
	Status     Status
	Kind       Kind
	Priority   int
	Category   string
	Queue      string
	Agent      string
	Unassigned bool // nobody's
	Watcher    string
	CustomerID uuid.UUID
}

// Get gives a ticket of the caller's tenant.
func (t *Tickets) Get(ctx context.Context, id uuid.UUID) (Ticket, error) {
	return t.read(ctx, func(tx *pg.Tx) (Ticket, error) { return get(ctx, tx, id) })
}

// ByNumber gives the ticket of a number as people say it.
func (t *Tickets) ByNumber(ctx context.Context, said string) (Ticket, error) {
	number, ok := ParseNumber(said)
	if !ok {
		return Ticket{}, errNotFound
	}
	return t.read(ctx, func(tx *pg.Tx) (Ticket, error) { return byNumber(ctx, tx, number) })
}

func (t *Tickets) read(ctx context.Context, look func(tx *pg.Tx) (Ticket, error)) (found Ticket, err error) {
	err = t.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = look(tx)
		return err
	})
	return found, err
}

// said gives what was said under an id, with its ticket as it is now.
func (t *Tickets) said(ctx context.Context, ticket, id uuid.UUID) (now Ticket, r Reply, err error) {
	err = t.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if now, err = get(ctx, tx, ticket); err != nil {
			return err
		}
		r, err = wordsOf(ctx, tx, ticket, id)
		return err
	})
	return now, r, err
}

// List gives up to limit tickets that were opened before the one of the id (Nil: all), the latest first.
func (t *Tickets) List(ctx context.Context, f Filter, before uuid.UUID, limit int) (page []Ticket, err error) {
	err = t.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		page, err = list(ctx, tx, f, before, limit)
		return err
	})
	return page, err
}

// Due is a place in the inbox: after the ticket of the id, whose deadline this is; zero for one without.
type Due struct {
	At time.Time
	ID uuid.UUID // Nil: the first place
}

// Inbox gives up to limit tickets about which something is still to be done, by their next deadline; those without one
// come last.
func (t *Tickets) Inbox(ctx context.Context, f Filter, after Due, limit int) (page []Ticket, err error) {
	err = t.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		sql, args := inbox(tx.Tenant(), f, after, limit)
		rows, err := tx.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		page, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Ticket, error) { return scan(row) })
		return err
	})
	return page, err
}

// conditions collects what a statement asks for, with its arguments; $1 is the tenant.
type conditions struct {
	where []string
	args  []any
}

func (c *conditions) only(condition string, value any) {
	c.args = append(c.args, value)
	c.where = append(c.where, strings.ReplaceAll(condition, "?", fmt.Sprintf("$%d", len(c.args))))
}

// of adds what the filter asks for, without the customer.
func (f Filter) of(tenant string) conditions {
	c := conditions{where: []string{"tenant_id = $1"}, args: []any{tenant}}
	if f.Status != "" {
		c.only("status = ?", f.Status)
	}
	if f.Kind != "" {
		c.only("kind = ?", f.Kind)
	}
	if f.Priority != 0 {
		c.only("priority = ?", f.Priority)
	}
	if f.Category != "" {
		c.only("category = ?", f.Category)
	}
	if f.Queue != "" {
		c.only("queue = ?", f.Queue)
	}
	if f.Agent != "" {
		c.only("agent = ?", f.Agent)
	}
	if f.Unassigned {
		c.where = append(c.where, "agent = ''")
	}
	if f.Watcher != "" {
		c.only("id IN (SELECT w.ticket_id FROM ticket_watcher w WHERE w.tenant_id = $1 AND w.subject = ?)", f.Watcher)
	}
	return c
}

// list gives up to limit tickets that fit the filter, the latest first.
func list(ctx context.Context, tx *pg.Tx, f Filter, before uuid.UUID, limit int) ([]Ticket, error) {
	c := f.of(tx.Tenant())
	if before != uuid.Nil {
		c.only("id < ?", before)
	}
	last := fmt.Sprintf(`ORDER BY id DESC LIMIT %d`, limit)
	from := fmt.Sprintf(`(SELECT * FROM ticket WHERE %s %s) t`, strings.Join(c.where, " AND "), last)
	if f.CustomerID != uuid.Nil { // of each id that means the customer the latest, by the index that has them in order
		c.where = append(c.where, "customer_id = g.id")
		c.args = append(c.args, f.CustomerID)
		from = fmt.Sprintf(`(SELECT t.* FROM unnest(customer_group($1, $%d)) AS g(id)
			CROSS JOIN LATERAL (SELECT * FROM ticket WHERE %s %s) t) t`, len(c.args), strings.Join(c.where, " AND "), last)
	}
	rows, err := tx.Query(ctx, `SELECT `+read+` FROM `+from+` `+last, c.args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Ticket, error) { return scan(row) })
}

// open is the condition of the indexes that the inbox is read by, word for word.
const open = `status IN ('new', 'open', 'pending', 'on_hold')`

// inbox gives the statement of a page of the inbox: the tickets with a deadline, and where these do not fill the page those
// without, each in the order of an index.
func inbox(tenant string, f Filter, after Due, limit int) (sql string, args []any) {
	c := f.of(tenant)
	c.where = append(c.where, open)
	if f.CustomerID != uuid.Nil {
		c.only("customer_id = ANY (customer_group($1, ?))", f.CustomerID)
	}
	common := strings.Join(c.where, " AND ")
	branch := func(more string) string {
		return fmt.Sprintf(`(SELECT * FROM ticket WHERE %s AND %s ORDER BY next_due_at, id LIMIT %d)`, common, more, limit)
	}
	with, without := "next_due_at IS NOT NULL", "next_due_at IS NULL"
	switch {
	case after.ID == uuid.Nil:
	case after.At.IsZero():
		c.args = append(c.args, after.ID)
		return fmt.Sprintf(`SELECT %s FROM %s t`, read, branch(fmt.Sprintf("%s AND id > $%d", without, len(c.args)))), c.args
	default:
		c.args = append(c.args, after.At, after.ID)
		with = fmt.Sprintf("(next_due_at, id) > ($%d, $%d)", len(c.args)-1, len(c.args))
	}
	return fmt.Sprintf(`SELECT %s FROM (%s UNION ALL %s LIMIT %d) t`, read, branch(with), branch(without), limit), c.args
}

// History gives up to limit entries of a ticket's history, after the one of the number.
func (t *Tickets) History(ctx context.Context, id uuid.UUID, after, limit int) (page []Entry, err error) {
	err = t.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if _, err := get(ctx, tx, id); err != nil {
			return err
		}
		page, err = historyAfter(ctx, tx, id, after, limit)
		return err
	})
	return page, err
}

// Conversation gives up to limit of what was said on a ticket, after the entry of the number; with notes, if asked to.
func (t *Tickets) Conversation(ctx context.Context, id uuid.UUID, after, limit int, internal bool) (page []Reply, err error) {
	err = t.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if _, err := get(ctx, tx, id); err != nil {
			return err
		}
		page, err = conversation(ctx, tx, id, after, limit, internal)
		return err
	})
	return page, err
}

// Watchers gives who watches a ticket, by subject.
func (t *Tickets) Watchers(ctx context.Context, id uuid.UUID) (all []Watcher, err error) {
	err = t.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if _, err := get(ctx, tx, id); err != nil {
			return err
		}
		all, err = watchers(ctx, tx, id)
		return err
	})
	return all, err
}
