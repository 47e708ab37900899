package segment

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/filter"
)

// previewWithin is how long a preview may take.
const previewWithin = 5 * time.Second

// Meaning says what the code of a segment stands for in a filter; see filter.Node.Resolve.
func Meaning(ctx context.Context, tx *pg.Tx, code string) (filter.Node, error) {
	b, err := loadBook(ctx, tx)
	if err != nil {
		return filter.Node{}, err
	}
	return b.meaning()(code)
}

// Resolve puts what they mean in the place of the segments that a filter names.
func Resolve(ctx context.Context, tx *pg.Tx, n filter.Node) (filter.Node, error) {
	if len(n.Segments()) == 0 {
		return n, nil
	}
	b, err := loadBook(ctx, tx)
	if err != nil {
		return filter.Node{}, err
	}
	return b.resolved("", n)
}

// Get gives a segment.
func (s *Segments) Get(ctx context.Context, id uuid.UUID) (of Segment, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		of, err = load(ctx, tx, id)
		return err
	})
	return of, err
}

// List gives segments in the order of their codes.
func (s *Segments) List(ctx context.Context, after string, limit int) (all []Segment, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+columns+` WHERE s.tenant_id = $1 AND s.code > $2 ORDER BY s.code LIMIT $3`, tx.Tenant(), after, limit)
		if err == nil {
			all, err = pgx.CollectRows(rows, scan)
		}
		return err
	})
	return all, err
}

// Previewed is whom a filter chooses.
type Previewed struct {
	Count, Customers int64
	Sample           []uuid.UUID
}

// Preview counts whom a filter chooses, of all customers, and gives some of them.
func (s *Segments) Preview(ctx context.Context, n filter.Node) (p Previewed, err error) {
	err = s.db.ReadWithin(ctx, auth.Tenant(ctx), previewWithin, func(tx *pg.Tx) error {
		b, err := loadBook(ctx, tx)
		if err != nil {
			return err
		}
		r, err := b.resolved("", n)
		if err != nil {
			return err
		}
		args := []any{tx.Tenant(), s.today()}
		condition, err := r.SQL(&args, "$2::date")
		if err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, `SELECT count(*) FILTER (WHERE $2::date IS NOT NULL AND (`+condition+`)), count(*) FROM portrait WHERE tenant_id = $1`,
			args...).Scan(&p.Count, &p.Customers); err != nil || p.Count == 0 {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT customer_id FROM portrait WHERE tenant_id = $1 AND $2::date IS NOT NULL AND (`+condition+`) LIMIT 10`, args...)
		if err == nil {
			p.Sample, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		}
		return err
	})
	return p, err
}

// Member is a customer in a segment.
type Member struct {
	CustomerID uuid.UUID
	Since      time.Time
}

// Members gives those who are in, in the order of their ids.
func (s *Segments) Members(ctx context.Context, id, after uuid.UUID, limit int) (all []Member, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if _, err := load(ctx, tx, id); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT customer_id, since FROM segment_member WHERE tenant_id = $1 AND segment_id = $2 AND customer_id > $3
			ORDER BY customer_id LIMIT $4`, tx.Tenant(), id, after, limit)
		if err == nil {
			all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Member])
		}
		return err
	})
	return all, err
}
