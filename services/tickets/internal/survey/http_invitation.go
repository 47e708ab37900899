package survey

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// surveyTrigger is what of a trigger is the caller's.
type surveyTrigger struct {
	SurveyID     uuid.UUID `json:"survey_id" format:"uuid" doc:"What is sent."`
	Moment       Moment    `json:"moment" enum:"ticket_resolved,ticket_closed,complaint_closed,interaction" doc:"What has it sent."`
	Filter       string    `json:"filter,omitempty" maxLength:"64" doc:"Only after this resolution, outcome or touchpoint." example:"solved"`
	Channel      string    `json:"channel,omitempty" enum:"email,sms,phone,wechat,wecom,post," doc:"Absent: whichever the customer prefers of those that are allowed."`
	CoolDownDays int       `json:"cooldown_days" minimum:"0" maximum:"365" doc:"Who was invited to any survey within as many days is left in peace."`
	Active       bool      `json:"active"`
}

type surveyTriggerView struct {
	TriggerID uuid.UUID `json:"trigger_id" format:"uuid"`
	Version   int64     `json:"version"`
	Since     time.Time `json:"since" doc:"What happened before is not asked about."`
	SurveyTriggerFields
}

// SurveyTriggerFields is surveyTrigger within a view.
type SurveyTriggerFields surveyTrigger

type surveyTriggerAnswer struct {
	ETag string `header:"ETag"`
	Body surveyTriggerView
}

type surveyTriggerPage struct {
	Items      []surveyTriggerView `json:"items" nullable:"false"`
	NextCursor string              `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

func showTrigger(t Trigger) surveyTriggerView {
	return surveyTriggerView{TriggerID: t.ID, Version: t.Version, Since: t.Since, SurveyTriggerFields: SurveyTriggerFields{
		SurveyID: t.SurveyID, Moment: t.Moment, Filter: t.Filter, Channel: t.Channel, CoolDownDays: t.CoolDownDays, Active: t.Active,
	}}
}

func triggered(t Trigger, err error) (*surveyTriggerAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &surveyTriggerAnswer{httpx.ETag(t.Version), showTrigger(t)}, nil
}

func (b surveyTrigger) read() Trigger {
	return Trigger{SurveyID: b.SurveyID, Moment: b.Moment, Filter: b.Filter, Channel: b.Channel, CoolDownDays: b.CoolDownDays, Active: b.Active}
}

type changeTriggerInput struct {
	ID      uuid.UUID `path:"trigger_id" format:"uuid"`
	IfMatch string    `header:"If-Match" doc:"The ETag of the trigger as it was read."`
	Body    surveyTrigger
}

func (s *Surveys) triggerRoutes(api *httpx.API) {
	const path = "/v1/survey-triggers"
	httpx.Register(api, httpx.Operation{
		ID: "add-survey-trigger", Method: http.MethodPost, Path: path, Tag: tag, Summary: "Have a survey sent when something happens",
		Description: "It asks about what happens from then on. A customer in their cool-down is not asked; the invitation says so.",
		Permission:  auth.SurveysManage, Status: http.StatusCreated,
	}, func(ctx context.Context, in *struct{ Body surveyTrigger }) (*surveyTriggerAnswer, error) {
		return triggered(s.AddTrigger(ctx, in.Body.read()))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-survey-triggers", Method: http.MethodGet, Path: path, Tag: tag, Summary: "List what has surveys sent, the latest first",
		Permission: auth.SurveysRead,
	}, func(ctx context.Context, in *struct{ httpx.Page }) (*struct{ Body surveyTriggerPage }, error) {
		items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Trigger, error) {
			return s.ListTriggers(ctx, before, limit)
		}, func(t Trigger) uuid.UUID { return t.ID }, showTrigger)
		if err != nil {
			return nil, err
		}
		return &struct{ Body surveyTriggerPage }{surveyTriggerPage{items, next}}, nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "change-survey-trigger", Method: http.MethodPut, Path: path + "/{trigger_id}", Tag: tag, Summary: "Change what has a survey sent, or stop it",
		Permission: auth.SurveysManage, Errors: []int{http.StatusNotFound, http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *changeTriggerInput) (*surveyTriggerAnswer, error) {
		t := in.Body.read()
		t.ID = in.ID
		return triggered(s.ChangeTrigger(ctx, t, func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }))
	})
}

type surveyInvitation struct {
	InvitationID  uuid.UUID  `json:"invitation_id" format:"uuid"`
	SurveyID      uuid.UUID  `json:"survey_id" format:"uuid"`
	SurveyVersion int64      `json:"survey_version" doc:"Of the questions."`
	Kind          Kind       `json:"kind" enum:"csat,nps,ces,questionnaire"`
	Anonymous     bool       `json:"anonymous"`
	CustomerID    *uuid.UUID `json:"customer_id,omitempty" format:"uuid" doc:"The customer whom the invitation's id means now; absent once erased."`
	TicketID      *uuid.UUID `json:"ticket_id,omitempty" format:"uuid"`
	ComplaintID   *uuid.UUID `json:"complaint_id,omitempty" format:"uuid"`
	TriggerID     *uuid.UUID `json:"trigger_id,omitempty" format:"uuid"`
	Touchpoint    string     `json:"touchpoint,omitempty"`
	Channel       string     `json:"channel,omitempty" doc:"To ask by; once sent, by which."`
	ByHand        bool       `json:"by_hand"`
	Round         int        `json:"round" doc:"How often accounts was asked, this time included."`
	State         State      `json:"state" enum:"waiting,refused,sent,bounced,answered" doc:"In anonymous mode never answered: it is not told whose an answer is."`
	Refusal       string     `json:"refusal,omitempty" doc:"Why nothing is sent: no_consent, withdrawn, no_address and others of accounts; cool_down, survey_closed."`
	ContactID     *uuid.UUID `json:"contact_id,omitempty" format:"uuid" doc:"By which the address is fetched from accounts."`
	LinkFetched   bool       `json:"link_fetched"`
	CreatedAt     time.Time  `json:"created_at"`
	SentAt        *time.Time `json:"sent_at,omitempty"`
	LocksAt       *time.Time `json:"locks_at,omitempty" doc:"Until when it can be answered: 14 days."`
	AnsweredAt    *time.Time `json:"answered_at,omitempty"`
}

func showInvitation(i Invited) surveyInvitation {
	return surveyInvitation{InvitationID: i.ID, SurveyID: i.SurveyID, SurveyVersion: i.SurveyVersion, Kind: i.Kind, Anonymous: i.Anonymous,
		CustomerID: pg.OrNull(i.Root), TicketID: pg.OrNull(i.TicketID), ComplaintID: pg.OrNull(i.ComplaintID), TriggerID: pg.OrNull(i.TriggerID),
		Touchpoint: i.Touchpoint, Channel: i.Channel, ByHand: i.ByHand, Round: i.Round, State: i.Shown(), Refusal: i.Refusal, ContactID: pg.OrNull(i.ContactID),
		LinkFetched: i.Fetched, CreatedAt: i.CreatedAt, SentAt: pg.OrNull(i.SentAt), LocksAt: pg.OrNull(i.LocksAt), AnsweredAt: pg.OrNull(i.AnsweredAt)}
}

type invitationAnswer struct{ Body surveyInvitation }

func invited(i Invited, err error) (*invitationAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &invitationAnswer{showInvitation(i)}, nil
}

type newInvitation struct {
	SurveyID   uuid.UUID  `json:"survey_id" format:"uuid"`
	CustomerID uuid.UUID  `json:"customer_id" format:"uuid"`
	TicketID   *uuid.UUID `json:"ticket_id,omitempty" format:"uuid" doc:"What it is about."`
	Touchpoint string     `json:"touchpoint,omitempty" maxLength:"64" pattern:"^[a-z0-9_-]*$" doc:"Code."`
	Channel    string     `json:"channel,omitempty" enum:"email,sms,phone,wechat,wecom,post,"`
	ByHand     bool       `json:"by_hand,omitempty" doc:"You hand the link over yourself: consent is not asked for, and nothing is delivered."`
}

type byInvitation struct {
	ID uuid.UUID `path:"invitation_id" format:"uuid"`
}

type invitationsInput struct {
	httpx.Page
	SurveyID   uuid.UUID `query:"survey_id" format:"uuid" doc:"Only to this survey."`
	CustomerID uuid.UUID `query:"customer_id" format:"uuid" doc:"Only this customer's, those included of customers who were merged with this one."`
	State      State     `query:"state" enum:"waiting,refused,sent,bounced,answered" doc:"Only those in this state."`
}

type invitationPage struct {
	Items      []surveyInvitation `json:"items" nullable:"false"`
	NextCursor string             `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type linkAnswer struct {
	CacheControl string `header:"Cache-Control"`
	Body         surveyLink
}

type surveyLink struct {
	InvitationID uuid.UUID `json:"invitation_id" format:"uuid"`
	Token        string    `json:"token" doc:"The link's secret. It is kept nowhere."`
	Path         string    `json:"path" doc:"Where the form is, on this host." example:"/v1/survey-forms/…"`
	Page         string    `json:"page" doc:"Where people find it with a browser." example:"/v1/survey-forms/…/page"`
	LocksAt      time.Time `json:"locks_at" doc:"Until when it can be answered."`
}

func (s *Surveys) invitationRoutes(api *httpx.API) {
	const path = "/v1/survey-invitations"
	httpx.Register(api, httpx.Operation{
		ID: "invite-to-survey", Method: http.MethodPost, Path: path, Tag: tag, Summary: "Ask a customer",
		Description: "A process asks accounts at that moment whether and how the customer may be reached for a survey. If so SurveySent follows, and whoever " +
			"delivers fetches address and link; if not the invitation says why. There is no cool-down for what a person asks for.",
		Permission: auth.SurveysSend, Status: http.StatusCreated, Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
	}, func(ctx context.Context, in *struct{ Body newInvitation }) (*invitationAnswer, error) {
		b := in.Body
		i := Invitation{SurveyID: b.SurveyID, CustomerID: b.CustomerID, Touchpoint: b.Touchpoint, Channel: b.Channel, ByHand: b.ByHand}
		if b.TicketID != nil {
			i.TicketID = *b.TicketID
		}
		return invited(s.InviteByHand(ctx, i))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-survey-invitations", Method: http.MethodGet, Path: path, Tag: tag, Summary: "List invitations, the latest first", Permission: auth.SurveysSend,
	}, func(ctx context.Context, in *invitationsInput) (*struct{ Body invitationPage }, error) {
		items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Invited, error) {
			return s.Invitations(ctx, Filter{SurveyID: in.SurveyID, CustomerID: in.CustomerID, State: in.State, Before: before}, limit)
		}, func(i Invited) uuid.UUID { return i.ID }, showInvitation)
		if err != nil {
			return nil, err
		}
		return &struct{ Body invitationPage }{invitationPage{items, next}}, nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-survey-invitation", Method: http.MethodGet, Path: path + "/{invitation_id}", Tag: tag, Summary: "Read an invitation",
		Permission: auth.SurveysSend, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *byInvitation) (*invitationAnswer, error) {
		return invited(s.Invitation(ctx, in.ID))
	})
	for _, way := range []struct {
		id, path, summary, description string
		permission                     auth.Permission
		byHand                         bool
	}{
		{"fetch-survey-link", "/link", "Fetch the link of an invitation, once", "For whoever delivers it, after SurveySent. A second time it is 409 link_used, also under the same Idempotency-Key: only the hash of the secret is kept.", auth.ContactsReveal, false},
		{"hand-over-survey-link", "/hand-over", "Fetch the link of an invitation that is handed over, once", "For the agent. A second time it is 409 link_used, also under the same Idempotency-Key: only the hash of the secret is kept.", auth.SurveysSend, true},
	} {
		httpx.Register(api, httpx.Operation{
			ID: way.id, Method: http.MethodPost, Path: path + "/{invitation_id}" + way.path, Tag: tag, Summary: way.summary, Description: way.description,
			Permission: way.permission, Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
		}, func(ctx context.Context, in *byInvitation) (*linkAnswer, error) {
			i, secret, err := s.Fetch(ctx, in.ID, way.byHand)
			if err != nil {
				return nil, err
			}
			return &linkAnswer{"no-store", surveyLink{i.ID, secret, "/v1/survey-forms/" + secret, "/v1/survey-forms/" + secret + "/page", i.LocksAt}}, nil
		})
	}
	httpx.Register(api, httpx.Operation{
		ID: "bounce-survey-invitation", Method: http.MethodPost, Path: path + "/{invitation_id}/bounce", Tag: tag, Summary: "Say that an invitation did not arrive",
		Description: "It no longer counts in the response rate. Said again it stays so; if it is answered after all, it did arrive.",
		Permission:  auth.ContactsReveal, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *byInvitation) (*invitationAnswer, error) {
		return invited(s.Bounce(ctx, in.ID))
	})
	httpx.Register(api, httpx.Operation{
		ID: "ask-again-for-survey", Method: http.MethodPost, Path: path + "/{invitation_id}/again", Tag: tag, Summary: "Ask a customer once more",
		Description: "Where nothing was sent, where it did not arrive, or where the link was not fetched in time: accounts is asked anew, and SurveySent follows with another " +
			"contact. A link that is out stays the only one (409 link_used).",
		Permission: auth.SurveysSend, Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
	}, func(ctx context.Context, in *byInvitation) (*invitationAnswer, error) {
		return invited(s.Again(ctx, in.ID))
	})
}
