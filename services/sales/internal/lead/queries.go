package lead

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/externalref"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/sales/internal/scoring"
)

// Get gives a lead of the caller's tenant.
func (s *Leads) Get(ctx context.Context, id uuid.UUID) (Lead, error) {
	seen, err := s.See(ctx, id)
	return seen.Lead, err
}

// See gives a lead of the caller's tenant with its score.
func (s *Leads) See(ctx context.Context, id uuid.UUID) (seen Seen, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		scores := scoring.Of(tx, []uuid.UUID{id})
		if seen.Lead, err = Get(ctx, tx, id); err == nil {
			seen.Score = scores.Get(id)
		}
		return err
	})
	return seen, err
}

// Setting gives what the caller's tenant wants of leads.
func (s *Leads) Setting(ctx context.Context) (now Setting, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		found := setting(tx, ``)
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		now = *found
		return nil
	})
	return now, err
}

// Filter says which leads are meant; the zero Filter means all.
type Filter struct {
	State      State
	Owner      string
	Unassigned bool
	Team       string
	Source     string
	Campaign   string
	Tag        string
	CustomerID uuid.UUID
	Begins     string // what the name or the company begins with
	ByScore    bool   // the likeliest first, instead of the latest
	After      *Spot
}

// Spot is where a lead stands in a list.
type Spot struct {
	Score int32 // of a list by score
	ID    uuid.UUID
}

// List gives up to limit leads with their scores.
func (s *Leads) List(ctx context.Context, f Filter, limit int) (page []Seen, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		sql, args := listSQL(tx.Tenant(), f, limit)
		rows, err := tx.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		leads, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Lead, error) { return scan(row) })
		if err != nil {
			return err
		}
		ids := make([]uuid.UUID, len(leads))
		for i, l := range leads {
			ids[i] = l.ID
		}
		scores := scoring.Of(tx, ids)
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		page = make([]Seen, len(leads))
		for i, l := range leads {
			page[i] = Seen{l, scores.Get(l.ID)}
		}
		return nil
	})
	return page, err
}

// last is behind every text that begins with something.
const last = "\U0010FFFF"

func listSQL(tenant string, f Filter, limit int) (sql string, args []any) {
	where, args := []string{"l.tenant_id = $1"}, []any{tenant}
	only := func(condition string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			condition = strings.ReplaceAll(condition, "?", fmt.Sprintf("$%d", len(args)))
		}
		where = append(where, condition)
	}
	for _, one := range []struct{ column, value string }{
		{"state", string(f.State)}, {"owner", f.Owner}, {"team", f.Team}, {"source", f.Source}, {"campaign", f.Campaign},
	} {
		if one.value != "" {
			only("l."+one.column+" = ?", one.value)
		}
	}
	if f.Unassigned {
		only("l.owner = ''")
	}
	if f.Tag != "" {
		only("EXISTS (SELECT FROM lead_tag t WHERE t.tenant_id = $1 AND t.tag = ? AND t.lead_id = l.id)", strings.ToLower(f.Tag))
	}
	if f.CustomerID != uuid.Nil {
		only("l.customer_id = ANY ((SELECT customer_group($1, ?))::uuid[])", f.CustomerID)
	}
	if f.Begins != "" {
		key := searchKey(f.Begins)
		args = append(args, key, key+last)
		from, to := fmt.Sprintf("$%d", len(args)-1), fmt.Sprintf("$%d", len(args))
		where = append(where, `l.id IN (SELECT b.id FROM lead b WHERE b.tenant_id = $1 AND b.name_key >= `+from+` AND b.name_key < `+to+`
			UNION ALL SELECT b.id FROM lead b WHERE b.tenant_id = $1 AND b.company_key >= `+from+` AND b.company_key < `+to+`)`)
	}
	order := `l.id DESC`
	join := ``
	if f.ByScore {
		const score = `coalesce(c.manual, c.probability, 0)`
		order = score + ` DESC, l.id DESC`
		join = ` LEFT JOIN LATERAL (SELECT k.manual, k.probability FROM scoring_case k WHERE k.tenant_id = $1 AND k.id = l.id AND k.state = 'open'
			AND l.state IN ('open', 'nurturing', 'qualified') LIMIT 1) c ON true`
		if f.After != nil {
			args = append(args, f.After.Score, f.After.ID)
			where = append(where, fmt.Sprintf(`(%s, l.id) < ($%d, $%d)`, score, len(args)-1, len(args)))
		}
	} else if f.After != nil {
		only("l.id < ?", f.After.ID)
	}
	return `SELECT ` + columns + ` FROM lead l` + join + ` WHERE ` + strings.Join(where, " AND ") + ` ORDER BY ` + order + fmt.Sprintf(` LIMIT %d`, limit), args
}

// Change is one change of a lead.
type Change struct {
	No       int64 // the version that it made
	What     string
	From, To State // From is empty for the first
	Team     string
	Owner    string
	Reason   string
	By       string
	At       time.Time
}

// History gives up to limit changes of a lead before the one of a number (0: from the latest), the latest first.
func (s *Leads) History(ctx context.Context, id uuid.UUID, before, limit int) (all []Change, err error) {
	err = s.hanging(ctx, id, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT no, what, state_from, state_to, team, owner, reason, changed_by, changed_at FROM lead_history
			WHERE tenant_id = $1 AND lead_id = $2 AND ($3 = 0 OR no < $3) ORDER BY no DESC LIMIT $4`, tx.Tenant(), id, before, limit)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Change])
		return err
	})
	return all, err
}

// Enquiries gives up to limit enquiries of a lead before the one of an id (Nil: from the latest), the latest first.
func (s *Leads) Enquiries(ctx context.Context, id, before uuid.UUID, limit int) (all []Enquiry, err error) {
	err = s.hanging(ctx, id, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT id, lead_id, external_system, external_id, capture, source, campaign, form_id, matched_by, name, company, email,
				phone, message, enquired_at FROM lead_enquiry
			WHERE tenant_id = $1 AND lead_id = $2 AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4`, tx.Tenant(), id, pg.OrNull(before), limit)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (e Enquiry, err error) {
			var system, external *string
			var form *uuid.UUID
			err = row.Scan(&e.ID, &e.LeadID, &system, &external, &e.Capture, &e.Source, &e.Campaign, &form, &e.MatchedBy, &e.Name, &e.Company, &e.Email,
				&e.Phone, &e.Message, &e.At)
			e.FormID, e.ExternalRef = orNone(form), externalref.Ref{System: orNone(system), ID: orNone(external)}
			return e, err
		})
		return err
	})
	return all, err
}

// hanging reads what hangs on a lead, which there must be.
func (s *Leads) hanging(ctx context.Context, id uuid.UUID, read func(tx *pg.Tx) error) error {
	return s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		var there bool
		tx.Queue(`SELECT EXISTS (SELECT FROM lead WHERE tenant_id = $1 AND id = $2)`, tx.Tenant(), id).
			QueryRow(func(row pgx.Row) error { return row.Scan(&there) })
		if err := read(tx); err != nil {
			return err
		}
		if !there {
			return errNotFound
		}
		return nil
	})
}
