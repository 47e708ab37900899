package crisis

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Filter says which crises are meant; the zero Filter means all.
type Filter struct {
	Stage  Stage
	Before uuid.UUID // only those of before this one
}

// Told is a crisis with what people said about it, by the notes' ids.
type Told struct {
	Crisis
	notes map[uuid.UUID]string
}

// Get gives a crisis of the caller's tenant.
func (c *Crises) Get(ctx context.Context, id uuid.UUID) (told Told, err error) {
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		if told.Crisis, err = load(ctx, tx, id, false); err == nil {
			told.notes, err = notes(ctx, tx, id)
		}
		return err
	})
	return told, err
}

// List gives up to limit crises, the latest first.
func (c *Crises) List(ctx context.Context, f Filter, limit int) (page []Told, err error) {
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		found, err := list(ctx, tx, f, limit)
		if err != nil {
			return err
		}
		ids := make([]uuid.UUID, len(found))
		for i, one := range found {
			ids[i] = one.ID
		}
		said, err := notes(ctx, tx, ids...)
		page = make([]Told, len(found))
		for i, one := range found {
			page[i] = Told{Crisis: one, notes: said}
		}
		return err
	})
	return page, err
}

// Setting gives the setting of the caller's tenant.
func (c *Crises) Setting(ctx context.Context) (Setting, error) {
	var found *Setting
	err := c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		found = settingOf(tx)
		return tx.Flush(ctx)
	})
	if err != nil {
		return Setting{}, err
	}
	return *found, nil
}

// Look is what was found of all series of a tenant at one moment.
type Look struct {
	Window   Window
	SalesAt  time.Time // newest event of sales that is taken into account; zero for none
	Findings []Finding // the least probable first
	standing map[seriesKey]standing
}

// Series looks at all series of the caller's tenant as they are at this moment. Nothing is proposed.
func (c *Crises) Series(ctx context.Context) (look Look, err error) {
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		known, err := read(ctx, tx, c.now())
		if err != nil {
			return err
		}
		look = known.look()
		return nil
	})
	return look, err
}

func (k *counted) look() Look {
	return Look{Window: k.window, SalesAt: k.salesAt, Findings: Judge(k.series(), k.setting.Threshold), standing: k.standing}
}

// after gives up to limit findings behind one in their order; the zero Finding is before all.
func after(all []Finding, last *Finding, limit int) []Finding {
	if last != nil {
		i, _ := slices.BinarySearchFunc(all, *last, compare)
		for i < len(all) && compare(all[i], *last) <= 0 {
			i++
		}
		all = all[i:]
	}
	return all[:min(limit, len(all))]
}

// Member is a complaint of a crisis.
type Member struct {
	ComplaintID, TicketID uuid.UUID
	Number                string // of the ticket
	Stage                 string // of the complaint
	RegisteredAt          time.Time
	Linked                bool // false: a person took it out
	By                    string
	Answer                string    // what became of the last answer: planned, done or refused; empty for none
	AnswerCode            string    // why it was refused
	AnswerAt              time.Time // zero for none
}

// Members gives up to limit complaints of a crisis, the latest first, from before one; Nil for the first page.
func (c *Crises) Members(ctx context.Context, id, before uuid.UUID, limit int) (page []Member, err error) {
	where, args := "", []any{auth.Tenant(ctx), id}
	if before != uuid.Nil {
		where, args = "AND l.complaint_id < $3", append(args, before)
	}
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if _, err := load(ctx, tx, id, false); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, fmt.Sprintf(`SELECT l.complaint_id, c.ticket_id, c.number, c.stage, c.registered_at, l.linked, l.by_subject,
				coalesce(a.state, ''), coalesce(a.code, ''), a.at
			FROM crisis_complaint l JOIN complaint c ON c.tenant_id = l.tenant_id AND c.id = l.complaint_id
			LEFT JOIN LATERAL (SELECT state, code, at FROM crisis_answer a WHERE a.tenant_id = l.tenant_id AND a.crisis_id = l.crisis_id
				AND a.complaint_id = l.complaint_id ORDER BY a.at DESC, a.note_id DESC LIMIT 1) a ON true
			WHERE l.tenant_id = $1 AND l.crisis_id = $2 %s ORDER BY l.complaint_id DESC LIMIT %d`, where, limit), args...)
		if err != nil {
			return err
		}
		page, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (m Member, err error) {
			var at *time.Time
			err = row.Scan(&m.ComplaintID, &m.TicketID, &m.Number, &m.Stage, &m.RegisteredAt, &m.Linked, &m.By, &m.Answer, &m.AnswerCode, &at)
			if at != nil {
				m.AnswerAt = at.UTC()
			}
			m.RegisteredAt = m.RegisteredAt.UTC()
			return m, err
		})
		return err
	})
	return page, err
}
