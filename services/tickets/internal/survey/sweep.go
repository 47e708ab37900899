package survey

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

const (
	sweepLate = 10 * time.Minute // an invitation that waits for so long has lost its process
	sweepMost = 500
)

// EmptyUrns takes out once, of all tenants, what is left in the urns of answers of the days before today, where too few came
// to be mixed. It may be called in any number of processes.
func (s *Surveys) EmptyUrns(ctx context.Context) error {
	today := day(s.now())
	left, err := s.links(ctx, `SELECT tenant_id, id FROM survey_urn_left($1)`, today)
	if err != nil {
		return fmt.Errorf("answers in urns: %w", err)
	}
	var errs []error
	for _, l := range left {
		ctx := auth.With(ctx, auth.Principal{Subject: sender, Tenant: l.tenant})
		err := s.db.Tx(ctx, l.tenant, func(tx *pg.Tx) error {
			lockUrn(tx, l.id)
			of, err := loadSurvey(ctx, tx, l.id, 0, false)
			if err != nil {
				return err
			}
			return s.takeOut(ctx, tx, l.id, of.Kind, today)
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("urn of survey %s: %w", l.id, err))
		}
	}
	return errors.Join(errs...)
}

// links gives what a function lists of all tenants.
func (s *Surveys) links(ctx context.Context, sql string, args ...any) (all []link, err error) {
	err = s.db.System(ctx, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (l link, err error) { return l, row.Scan(&l.tenant, &l.id) })
		return err
	})
	return all, err
}

// Sweep looks once over all tenants for invitations whose process was ended by hand or lost, and has it started anew. One
// that runs stays as it is. It may be called in any number of processes.
func (s *Surveys) Sweep(ctx context.Context) error {
	left, err := s.links(ctx, `SELECT tenant_id, id FROM survey_waiting($1, $2)`, s.now().Add(-sweepLate), sweepMost)
	if err != nil {
		return fmt.Errorf("invitations without a process: %w", err)
	}
	var errs []error
	for _, l := range left {
		ctx := auth.With(ctx, auth.Principal{Subject: sender, Tenant: l.tenant})
		err := s.db.Tx(ctx, l.tenant, func(tx *pg.Tx) error { return s.starter.Queue(ctx, tx, start(l.tenant, l.id)) })
		if err != nil {
			errs = append(errs, fmt.Errorf("invitation %s: %w", l.id, err))
		}
	}
	return errors.Join(errs...)
}
