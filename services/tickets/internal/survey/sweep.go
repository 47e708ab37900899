package survey

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	left, err := s.db.Across(ctx, `SELECT tenant_id, id FROM survey_urn_left($1)`, today)
	if err != nil {
		return fmt.Errorf("answers in urns: %w", err)
	}
	var errs []error
	for _, l := range left {
		ctx := auth.With(ctx, auth.Principal{Subject: sender, Tenant: l.Tenant})
		err := s.db.Tx(ctx, l.Tenant, func(tx *pg.Tx) error {
			lockUrn(tx, l.ID)
			of, err := loadSurvey(ctx, tx, l.ID, 0, false)
			if err != nil {
				return err
			}
			return s.takeOut(ctx, tx, l.ID, of.Kind, today)
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("urn of survey %s: %w", l.ID, err))
		}
	}
	return errors.Join(errs...)
}

// Sweep looks once over all tenants for invitations whose process was ended by hand or lost, and has it started anew. One
// that runs stays as it is. It may be called in any number of processes.
func (s *Surveys) Sweep(ctx context.Context) error {
	_, err := s.starter.Revive(ctx, sender, start, `SELECT tenant_id, id FROM survey_waiting($1, $2)`, s.now().Add(-sweepLate), sweepMost)
	return err
}
