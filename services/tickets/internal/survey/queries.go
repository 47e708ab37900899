package survey

import (
	"context"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Get gives a survey with a version of its questions; 0: the present one.
func (s *Surveys) Get(ctx context.Context, id uuid.UUID, questions int64) (found Survey, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		found, err = loadSurvey(ctx, tx, id, questions, false)
		return err
	})
	return found, err
}

// List gives up to limit surveys before the given one (Nil: the latest), the latest first.
func (s *Surveys) List(ctx context.Context, before uuid.UUID, limit int) (page []Survey, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		page, err = listSurveys(ctx, tx, before, limit)
		return err
	})
	return page, err
}

// Trigger gives a trigger.
func (s *Surveys) Trigger(ctx context.Context, id uuid.UUID) (found Trigger, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		found, err = loadTrigger(ctx, tx, id, false)
		return err
	})
	return found, err
}

// ListTriggers gives up to limit triggers before the given one (Nil: the latest), the latest first.
func (s *Surveys) ListTriggers(ctx context.Context, before uuid.UUID, limit int) (page []Trigger, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		page, err = listTriggers(ctx, tx, before, limit)
		return err
	})
	return page, err
}

// Invitation gives an invitation.
func (s *Surveys) Invitation(ctx context.Context, id uuid.UUID) (found Invited, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		found, err = loadInvitation(ctx, tx, id, false)
		return err
	})
	return found, err
}

// Invitations gives up to limit invitations that fit the filter, the latest first.
func (s *Surveys) Invitations(ctx context.Context, f Filter, limit int) (page []Invited, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		page, err = listInvitations(ctx, tx, f, limit)
		return err
	})
	return page, err
}

// Form is what somebody who has a link is shown.
type Form struct {
	Survey     Survey
	Invitation Invited
}

// Form gives the questions of a link, if it can still be answered.
func (s *Surveys) Form(ctx context.Context, secret string) (f Form, err error) {
	l, ok, err := follow(ctx, s.db, secret)
	if err != nil || !ok {
		return Form{}, orNoLink(err)
	}
	ctx = respondent(ctx, l.tenant)
	err = s.db.Read(ctx, l.tenant, func(tx *pg.Tx) error {
		i, err := loadInvitation(ctx, tx, l.id, false)
		switch {
		case err != nil:
			return err
		case !i.Fetched: // erased in the meantime
			return errNoLink
		}
		if err := i.Answerable(s.now()); err != nil {
			return err
		}
		f.Invitation = i
		f.Survey, err = loadSurvey(ctx, tx, i.SurveyID, i.SurveyVersion, false)
		return err
	})
	return f, err
}
