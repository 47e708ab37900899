package survey

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Surveys is what can be done with surveys.
type Surveys struct {
	db      *pg.DB
	outbox  *outbox.Outbox
	starter *starts.Starter
	clock   func() time.Time
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, starter *starts.Starter, clock func() time.Time) *Surveys {
	return &Surveys{db: db, outbox: o, starter: starter, clock: clock}
}

// now is cut to what the database keeps, so that an answer reads the same at once and later.
func (s *Surveys) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

func subject(ctx context.Context) string {
	p, _ := auth.From(ctx)
	return p.Subject
}

func invalid(faults []problem.Field) error {
	return problem.InvalidBody("survey_invalid", "The survey was not accepted: mend the fields named here.", faults)
}

// Make makes a survey, with the first version of its questions; open at once.
func (s *Surveys) Make(ctx context.Context, draft Survey) (Survey, error) {
	made := draft.Settled()
	if faults := made.Check(); len(faults) > 0 {
		return Survey{}, invalid(faults)
	}
	var err error
	if made.ID, err = uuid.NewV7(); err != nil {
		return Survey{}, err
	}
	made.Version, made.Questions, made.ChangedAt = 1, 1, s.now()
	result, err := s.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		insertSurvey(tx, made, subject(ctx))
		return pg.Result{ID: made.ID, Status: http.StatusCreated}, nil
	})
	if name, _ := pg.Constraint(err); name == "survey_code" {
		return Survey{}, problem.New(problem.Conflict, "survey_code_taken", "There is a survey with this code already. Change it, or take another code.")
	}
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return s.Get(ctx, result.ID, 0)
	}
	return made, err
}

// Change puts a new version of the questions in the place of the present one, if the survey still is as the caller saw it:
// fresh is asked with its version. Invitations that are out keep the questions they were made with.
func (s *Surveys) Change(ctx context.Context, id uuid.UUID, content Content, fresh func(version int64) error) (Survey, error) {
	return s.alter(ctx, id, fresh, func(ctx context.Context, tx *pg.Tx, was Survey) (Survey, error) {
		now := was
		now.Content = content
		now = now.Settled()
		if faults := now.Check(); len(faults) > 0 {
			return Survey{}, invalid(faults)
		}
		before, err := allQuestions(ctx, tx, id)
		if err != nil {
			return Survey{}, err
		}
		if faults := now.Comparable(before); len(faults) > 0 {
			return Survey{}, invalid(faults)
		}
		now.Questions++
		return now, nil
	})
}

// SetClosed closes a survey, so that nobody is invited any more, or opens it again.
func (s *Surveys) SetClosed(ctx context.Context, id uuid.UUID, closed bool) (Survey, error) {
	return s.alter(ctx, id, func(int64) error { return nil }, func(_ context.Context, _ *pg.Tx, was Survey) (Survey, error) {
		was.Closed = closed
		return was, nil
	})
}

func (s *Surveys) alter(ctx context.Context, id uuid.UUID, fresh func(int64) error,
	rule func(ctx context.Context, tx *pg.Tx, was Survey) (Survey, error),
) (now Survey, err error) {
	at := s.now()
	result, err := s.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		was, err := loadSurvey(ctx, tx, id, 0, true)
		if err != nil {
			return pg.Result{}, err
		}
		if err := fresh(was.Version); err != nil {
			return pg.Result{}, err
		}
		if now, err = rule(ctx, tx, was); err != nil {
			return pg.Result{}, err
		}
		if now.Questions != was.Questions || now.Closed != was.Closed {
			now.Version, now.ChangedAt = was.Version+1, at
			if now.Questions != was.Questions {
				insertVersion(tx, now, subject(ctx))
			}
			saveSurvey(tx, now)
		}
		return pg.Result{ID: id, Status: http.StatusOK}, nil
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return s.Get(ctx, id, 0)
	}
	return now, err
}

// AddTrigger makes a trigger, which asks about what happens from then on.
func (s *Surveys) AddTrigger(ctx context.Context, t Trigger) (Trigger, error) {
	if faults := t.Check(); len(faults) > 0 {
		return Trigger{}, invalidTrigger(faults)
	}
	var err error
	if t.ID, err = uuid.NewV7(); err != nil {
		return Trigger{}, err
	}
	t.Version, t.Since = 1, s.now()
	result, err := s.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		if err := fits(ctx, tx, t); err != nil {
			return pg.Result{}, err
		}
		saveTrigger(tx, t)
		return pg.Result{ID: t.ID, Status: http.StatusCreated}, nil
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return s.Trigger(ctx, result.ID)
	}
	return t, err
}

func invalidTrigger(faults []problem.Field) error {
	return problem.InvalidBody("survey_trigger_invalid", "The trigger was not accepted: mend the fields named here.", faults)
}

// fits holds a trigger to its survey.
func fits(ctx context.Context, tx *pg.Tx, t Trigger) error {
	of, err := loadSurvey(ctx, tx, t.SurveyID, 0, false)
	if problem.KindOf(err) == problem.NotFound {
		return invalidTrigger([]problem.Field{{Location: "survey_id", Code: "survey_not_found", Message: "there is no such survey"}})
	}
	if err == nil && of.Anonymous && t.Moment == ComplaintClosed {
		return invalidTrigger([]problem.Field{{Location: "survey_id", Code: "survey_anonymous", Message: "an anonymous survey cannot be about a complaint"}})
	}
	return err
}

// ChangeTrigger changes a trigger, if it still is as the caller saw it. One that was off asks about what happens from then on.
func (s *Surveys) ChangeTrigger(ctx context.Context, to Trigger, fresh func(version int64) error) (Trigger, error) {
	if faults := to.Check(); len(faults) > 0 {
		return Trigger{}, invalidTrigger(faults)
	}
	at := s.now()
	err := s.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		was, err := loadTrigger(ctx, tx, to.ID, true)
		if err != nil {
			return err
		}
		if err := fresh(was.Version); err != nil {
			return err
		}
		if err := fits(ctx, tx, to); err != nil {
			return err
		}
		to.Version, to.Since = was.Version+1, was.Since
		if to.Active && !was.Active || to.Moment != was.Moment {
			to.Since = at
		}
		saveTrigger(tx, to)
		return nil
	})
	return to, err
}

// InviteByHand asks a customer because somebody wants it.
func (s *Surveys) InviteByHand(ctx context.Context, in Invitation) (Invited, error) {
	result, err := s.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		if in.TicketID != uuid.Nil {
			if err := knownTicket(ctx, tx, in.TicketID); err != nil {
				return pg.Result{}, err
			}
		}
		id, err := Invite(ctx, tx, s.outbox, s.starter, s.now(), in)
		return pg.Result{ID: id, Status: http.StatusCreated}, err
	})
	if err != nil {
		return Invited{}, err
	}
	if result.Replayed {
		httpx.MarkReplayed(ctx)
	}
	return s.Invitation(ctx, result.ID)
}

// knownTicket refuses a ticket that the tenant does not have.
func knownTicket(ctx context.Context, tx *pg.Tx, id uuid.UUID) error {
	var known bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM ticket WHERE tenant_id = $1 AND id = $2)`, tx.Tenant(), id).Scan(&known)
	if err == nil && !known {
		return problem.InvalidBody("survey_invitation_invalid", "The invitation was not accepted: mend the fields named here.",
			[]problem.Field{{Location: "ticket_id", Code: "ticket_not_found", Message: "there is no such ticket"}})
	}
	return err
}

// Fetch gives the secret of an invitation's link, once: to whoever delivers it, or (byHand) to the agent who hands it over.
// Nothing but its hash is kept.
func (s *Surveys) Fetch(ctx context.Context, id uuid.UUID, byHand bool) (i Invited, secret string, err error) {
	var hash []byte
	secret, hash = newSecret()
	err = s.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if i, err = loadInvitation(ctx, tx, id, true); err != nil {
			return err
		}
		if err := i.Fetch(byHand, s.now()); err != nil {
			return err
		}
		saveLink(tx, id, hash, subject(ctx))
		return nil
	})
	return i, secret, err
}

// Bounce says that an invitation did not arrive.
func (s *Surveys) Bounce(ctx context.Context, id uuid.UUID) (now Invited, err error) {
	err = s.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		was, err := loadInvitation(ctx, tx, id, true)
		if err != nil {
			return err
		}
		if now, err = was.Bounce(); err == nil && now.State != was.State {
			saveInvitation(tx, now)
		}
		return err
	})
	return now, err
}

// Again has accounts asked once more whether and how the customer may be reached.
func (s *Surveys) Again(ctx context.Context, id uuid.UUID) (Invited, error) {
	result, err := s.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		was, err := loadInvitation(ctx, tx, id, true)
		if err != nil {
			return pg.Result{}, err
		}
		now, err := was.Again()
		if err != nil {
			return pg.Result{}, err
		}
		saveInvitation(tx, now)
		return pg.Result{ID: id, Status: http.StatusOK}, s.starter.Queue(ctx, tx, start(tx.Tenant(), id))
	})
	if err != nil {
		return Invited{}, err
	}
	if result.Replayed {
		httpx.MarkReplayed(ctx)
	}
	return s.Invitation(ctx, id)
}

// errNoLink is the one answer to all secrets that no link has, whatever they look like.
var errNoLink = problem.New(problem.NotFound, "survey_link_unknown", "This link leads nowhere. It may have been copied in part.")

// respondent acts for whoever has a link.
func respondent(ctx context.Context, tenant string) context.Context {
	return auth.With(ctx, auth.Principal{Subject: "respondent", Tenant: tenant})
}

// Answer takes the answers of whoever has the link, once: of several at once one is taken.
func (s *Surveys) Answer(ctx context.Context, secret, language string, answers []Given) error {
	l, ok, err := follow(ctx, s.db, secret)
	if err != nil || !ok {
		return orNoLink(err)
	}
	ctx = respondent(ctx, l.tenant)
	at := s.now()
	return s.db.Tx(ctx, l.tenant, func(tx *pg.Tx) error {
		i, err := loadInvitation(ctx, tx, l.id, true)
		switch {
		case err != nil:
			return err
		case !i.Fetched: // erased in the meantime
			return errNoLink
		}
		if err := i.Answerable(at); err != nil {
			return err
		}
		of, err := loadSurvey(ctx, tx, i.SurveyID, i.SurveyVersion, false)
		if err != nil {
			return err
		}
		done, faults := of.Content.fill(answers)
		if len(faults) > 0 {
			return problem.InvalidBody("answers_invalid", "The answers were not accepted: mend the fields named here.", faults)
		}
		if _, ok := of.Content.Title[language]; !ok {
			language = of.Content.Language
		}
		i.State = Answered
		g := given{survey: i.SurveyID, version: i.SurveyVersion, touchpoint: i.Touchpoint, language: language, content: done}
		if i.Anonymous {
			g.id, g.at = dayID(at), day(at)
			saveInvitation(tx, i)
			return s.keepAnonymous(ctx, tx, of.Kind, g)
		}
		if g.id, err = uuid.NewV7(); err != nil {
			return err
		}
		g.at, i.AnsweredAt = at, at
		g.invitation, g.customer, g.ticket, g.complaint, g.channel = i.ID, i.CustomerID, i.TicketID, i.ComplaintID, i.Channel
		saveInvitation(tx, i)
		insertAnswer(tx, g)
		return s.outbox.Append(ctx, tx, answeredEvent(of.Kind, g))
	})
}

// keepAnonymous puts an answer into the urn, and takes all out once there are enough to be mixed.
func (s *Surveys) keepAnonymous(ctx context.Context, tx *pg.Tx, k Kind, g given) error {
	n := intoUrn(tx, g)
	if err := tx.Flush(ctx); err != nil || *n < mixed {
		return err
	}
	return s.takeOut(ctx, tx, g.survey, k, g.at.Add(24*time.Hour))
}

// takeOut makes what lies in a survey's urn, of days before the given one, answers.
func (s *Surveys) takeOut(ctx context.Context, tx *pg.Tx, survey uuid.UUID, k Kind, before time.Time) error {
	out, err := outOfUrn(ctx, tx, survey, before)
	if err != nil {
		return err
	}
	if len(out) == 0 {
		return nil
	}
	events := make([]outbox.Event, len(out))
	for n, g := range out {
		insertAnswer(tx, g)
		events[n] = answeredEvent(k, g)
	}
	return s.outbox.Append(ctx, tx, events...)
}

func orNoLink(err error) error {
	if err != nil {
		return err
	}
	return errNoLink
}
