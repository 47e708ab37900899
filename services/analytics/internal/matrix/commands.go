package matrix

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Matrices answers by matrices.
type Matrices struct {
	db    *pg.DB
	clock func() time.Time
}

// New makes the capability.
func New(db *pg.DB, clock func() time.Time) *Matrices { return &Matrices{db: db, clock: clock} }

// Set makes a new version of the tenant's settings.
func (m *Matrices) Set(ctx context.Context, s Settings, ifMatch string) (Settings, error) {
	if err := s.check(); err != nil {
		return Settings{}, err
	}
	caller, _ := auth.From(ctx)
	s.By, s.ChangedAt = caller.Subject, m.clock().UTC().Truncate(time.Microsecond)
	content, err := json.Marshal(s)
	if err != nil {
		return Settings{}, err
	}
	_, err = m.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('matrix ' || $1, 0))`, tx.Tenant())
		was, err := load(ctx, tx)
		if err != nil {
			return pg.Result{}, err
		}
		if err := httpx.IfMatch(ifMatch, was.Version); err != nil {
			return pg.Result{}, err
		}
		s.Version = was.Version + 1
		tx.Queue(`INSERT INTO matrix_settings (tenant_id, version, content, by_subject, changed_at) VALUES ($1, $2, $3, $4, $5)`,
			tx.Tenant(), s.Version, content, s.By, s.ChangedAt)
		return pg.Result{}, nil
	})
	return s, err
}

// Settings gives what the tenant has set, or what the house has.
func (m *Matrices) Settings(ctx context.Context) (s Settings, err error) {
	err = m.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		s, err = load(ctx, tx)
		return err
	})
	return s, err
}

// load gives the present settings.
func load(ctx context.Context, tx *pg.Tx) (s Settings, err error) {
	var content []byte
	err = tx.QueryRow(ctx, `SELECT version, content, by_subject, changed_at FROM matrix_settings WHERE tenant_id = $1 ORDER BY version DESC LIMIT 1`, tx.Tenant()).
		Scan(&s.Version, &content, &s.By, &s.ChangedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return House(), nil
	}
	if err != nil {
		return s, err
	}
	s.ChangedAt = s.ChangedAt.UTC()
	return s, json.Unmarshal(content, &s)
}
