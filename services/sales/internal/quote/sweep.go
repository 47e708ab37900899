package quote

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
)

const (
	sweepLate  = 10 * time.Minute // after its due time nothing has happened: the process is gone
	sweepMost  = 500
	expireMost = 500 // of one look
)

// Sweep looks once over all tenants for versions whose process was ended by hand or lost, and has it started anew where the
// approval stands. A process that runs stays as it is. It may be called in any number of processes.
func (s *Quotes) Sweep(ctx context.Context) error {
	return s.each(ctx, `SELECT tenant_id, id FROM quote_overdue($1, $2)`, s.now().Add(-sweepLate), sweepMost, func(ctx context.Context, id uuid.UUID) error {
		return s.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
			q, err := load(ctx, tx, id, false)
			if err != nil {
				return err
			}
			return s.starter.Queue(ctx, tx, s.start(auth.Tenant(ctx), id, q.Latest().No))
		})
	})
}

// Expire looks once over all tenants for quotes that were not answered in time, and ends and tells of each once. It may be called
// in any number of processes.
func (s *Quotes) Expire(ctx context.Context) error {
	return s.each(ctx, `SELECT tenant_id, id FROM quote_expired($1, $2)`, s.now(), expireMost, func(ctx context.Context, id uuid.UUID) error {
		_, _, err := s.change(ctx, id, false, func(_ *pg.Tx, was Quote, at time.Time) (Quote, []outbox.Event, error) {
			return was.Expire(at), nil, nil
		})
		return err
	})
}

// each does something about the quotes that a statement lists, on behalf of the process. One that fails does not keep the others.
func (s *Quotes) each(ctx context.Context, sql string, at time.Time, most int, do func(ctx context.Context, id uuid.UUID) error) error {
	listed, err := s.db.Across(ctx, sql, at, most)
	if err != nil {
		return fmt.Errorf("quotes to look at: %w", err)
	}
	var errs []error
	for _, one := range listed {
		if err := do(auth.With(ctx, auth.Principal{Subject: process, Tenant: one.Tenant}), one.ID); err != nil {
			errs = append(errs, fmt.Errorf("quote %s of %s: %w", one.ID, one.Tenant, err))
		}
	}
	return errors.Join(errs...)
}
