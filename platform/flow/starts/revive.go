package starts

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Revive has the processes started anew of rows whose process was ended by hand or lost: those that the statement lists, of
// all tenants, as pg.DB.Across does. A process that runs stays as it is. They are started on behalf of the subject. One row
// that fails does not keep the others; it gives what was listed. It may be called in any number of processes.
func (s *Starter) Revive(ctx context.Context, subject string, start func(tenant string, id uuid.UUID) flow.Start, sql string, args ...any) ([]pg.Of, error) {
	listed, err := s.db.Across(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("rows without a process: %w", err)
	}
	var errs []error
	for _, one := range listed {
		ctx := auth.With(ctx, auth.Principal{Subject: subject, Tenant: one.Tenant})
		err := s.db.Tx(ctx, one.Tenant, func(tx *pg.Tx) error { return s.Queue(ctx, tx, start(one.Tenant, one.ID)) })
		if err != nil {
			errs = append(errs, fmt.Errorf("%s of %s: %w", one.ID, one.Tenant, err))
		}
	}
	return listed, errors.Join(errs...)
}
