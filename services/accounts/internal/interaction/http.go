package interaction

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/touchpoint"
)

// InteractionEntry is an interaction in a list: without the words. It has a capital, so that the schema of the whole one has
// its fields, too.
type InteractionEntry struct {
	InteractionID   uuid.UUID          `json:"interaction_id" format:"uuid"`
	CustomerID      uuid.UUID          `json:"customer_id" format:"uuid"`
	Channel         touchpoint.Channel `json:"channel" enum:"counter,phone,email,sms,web,wechat,social,visit"`
	Direction       Direction          `json:"direction" enum:"inbound,outbound" doc:"inbound: the customer turned to us."`
	Touchpoint      string             `json:"touchpoint,omitempty" doc:"Code in the catalogue." example:"hotline"`
	Outcome         string             `json:"outcome,omitempty" doc:"Code of what came of it." example:"called_back"`
	OccurredAt      time.Time          `json:"occurred_at"`
	DurationSeconds int64              `json:"duration_seconds" doc:"0 where that means nothing."`
	HasSummary      bool               `json:"has_summary" doc:"Somebody wrote what it was about: read the interaction."`
	RecordedBy      string             `json:"recorded_by" doc:"Subject of the user."`
	RecordedAt      time.Time          `json:"recorded_at"`
}

// interactionView is a whole interaction, as far as the caller sees it.
type interactionView struct {
	InteractionEntry
	Summary  string               `json:"summary,omitempty" doc:"What it was about."`
	Identity *interactionIdentity `json:"identity,omitempty" doc:"By which the customer came."`
	Withheld []access.Withheld    `json:"withheld" nullable:"false" doc:"The classes that are out of your sight: what is of them was left out, if there is any."`
}

// interactionIdentity is by what a customer was recognised.
type interactionIdentity struct {
	Type  string `json:"type" example:"phone" maxLength:"64"`
	Value string `json:"value" doc:"Given as people write it, kept in its one form." example:"138 0013 8000" maxLength:"512"`
}

func entry(i Interaction) InteractionEntry {
	return InteractionEntry{
		InteractionID: i.ID, CustomerID: i.Root, Channel: i.Channel, Direction: i.Direction, Touchpoint: i.Touchpoint, Outcome: i.Outcome,
		OccurredAt: i.OccurredAt.UTC(), DurationSeconds: int64(i.Duration / time.Second), HasSummary: i.Summary != "",
		RecordedBy: i.RecordedBy, RecordedAt: i.RecordedAt.UTC(),
	}
}

// classes are those that an interaction is of; the identity is of one of the last two.
var classes = []access.Class{access.Behaviour, access.Identity, access.Contact}

// answered gives what of an interaction is in sight. It is what a customer did: who is not to see that for the purpose
// is Forbidden to see any of it.
func answered(i Interaction, s access.Sight, err error) (*answer, error) {
	switch {
	case err != nil:
		return nil, err
	case !s.May(access.Behaviour):
		return nil, problem.New(problem.Forbidden, "class_withheld", "An interaction is of the class behaviour, which is out of your sight for this purpose.")
	}
	v := interactionView{InteractionEntry: entry(i), Summary: i.Summary, Withheld: s.Withheld(classes...)}
	if t := string(i.Identity.Type); t != "" && s.May(access.OfIdentity(t)) {
		v.Identity = &interactionIdentity{t, i.Identity.Value}
	}
	return &answer{v}, nil
}

type answer struct{ Body interactionView }

type recordInput struct {
	ID   uuid.UUID `path:"customer_id" format:"uuid"`
	Body newInteraction
}

// newInteraction is what an interaction is recorded from.
type newInteraction struct {
	Channel         touchpoint.Channel   `json:"channel" enum:"counter,phone,email,sms,web,wechat,social,visit"`
	Direction       Direction            `json:"direction" enum:"inbound,outbound" doc:"inbound: the customer turned to us."`
	Touchpoint      string               `json:"touchpoint,omitempty" doc:"Code in the catalogue, of the channel if the touchpoint has one." example:"hotline" maxLength:"64"`
	Outcome         string               `json:"outcome,omitempty" doc:"Code of what came of it." example:"called_back" maxLength:"64"`
	OccurredAt      time.Time            `json:"occurred_at,omitempty" doc:"Left out: now. At most 5 minutes ahead of our clock."`
	DurationSeconds int64                `json:"duration_seconds,omitempty" minimum:"0" maximum:"86400"`
	Summary         string               `json:"summary,omitempty" doc:"What it was about. It stands in no event and no list." maxLength:"10000"`
	Identity        *interactionIdentity `json:"identity,omitempty" doc:"By which the customer came."`
}

type getInput struct {
	ID uuid.UUID `path:"interaction_id" format:"uuid"`
	access.Asked
}

type listInput struct {
	ID         uuid.UUID          `path:"customer_id" format:"uuid"`
	Channel    touchpoint.Channel `query:"channel" enum:"counter,phone,email,sms,web,wechat,social,visit" doc:"Only those of this channel."`
	Direction  Direction          `query:"direction" enum:"inbound,outbound" doc:"Only those of this direction."`
	Touchpoint string             `query:"touchpoint" maxLength:"64" doc:"Only those that name this touchpoint."`
	Outcome    string             `query:"outcome" maxLength:"64" doc:"Only those with this outcome."`
	From       time.Time          `query:"from" doc:"Only those at this time or after."`
	Until      time.Time          `query:"until" doc:"Only those before this time."`
	access.Asked
	httpx.Page
}

type listAnswer struct{ Body interactionPage }

type interactionPage struct {
	CustomerID uuid.UUID          `json:"customer_id" format:"uuid" doc:"Whom the id in the path means."`
	Items      []InteractionEntry `json:"items" nullable:"false" doc:"The latest first."`
	NextCursor string             `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
	Withheld   []access.Withheld  `json:"withheld" nullable:"false" doc:"Not empty: you do not see what customers do, for this purpose."`
}

// Routes adds the operations on interactions.
func (i *Interactions) Routes(api *httpx.API) {
	const tag = "Interactions"
	httpx.Register(api, httpx.Operation{
		ID: "record-interaction", Method: http.MethodPost, Path: "/v1/customers/{customer_id}/interactions", Tag: tag, Summary: "Record an interaction with a customer",
		Description: "It cannot be changed afterwards.",
		Permission:  auth.CustomersWrite, Status: http.StatusCreated, Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
	}, i.record)
	httpx.Register(api, httpx.Operation{
		ID: "list-interactions", Method: http.MethodGet, Path: "/v1/customers/{customer_id}/interactions", Tag: tag, Summary: "List a customer's interactions, the latest first",
		Permission: auth.CustomersRead, Errors: []int{http.StatusNotFound, http.StatusGone},
	}, i.list)
	httpx.Register(api, httpx.Operation{
		ID: "get-interaction", Method: http.MethodGet, Path: "/v1/interactions/{interaction_id}", Tag: tag, Summary: "Read an interaction",
		Permission: auth.CustomersRead, Errors: []int{http.StatusNotFound, http.StatusGone},
	}, func(ctx context.Context, in *getInput) (*answer, error) {
		sight, err := in.Sight(ctx)
		if err != nil {
			return nil, err
		}
		found, err := i.Get(ctx, in.ID)
		return answered(found, sight, err)
	})
}

// record answers with what was recorded, as far as the caller usually sees it.
func (i *Interactions) record(ctx context.Context, in *recordInput) (*answer, error) {
	sight, err := access.For(ctx, "")
	if err != nil {
		return nil, err
	}
	b := in.Body
	g := Given{Draft: Draft{
		Channel: b.Channel, Direction: b.Direction, Outcome: b.Outcome, OccurredAt: b.OccurredAt,
		Duration: time.Duration(b.DurationSeconds) * time.Second, Summary: b.Summary,
	}, Touchpoint: b.Touchpoint}
	if b.Identity != nil {
		g.IdentityType, g.IdentityValue = b.Identity.Type, b.Identity.Value
	}
	made, err := i.Record(ctx, in.ID, g)
	return answered(made, sight, err)
}

func (i *Interactions) list(ctx context.Context, in *listInput) (*listAnswer, error) {
	sight, err := in.Sight(ctx)
	if err != nil {
		return nil, err
	}
	f := Filter{Channel: in.Channel, Direction: in.Direction, Touchpoint: in.Touchpoint, Outcome: in.Outcome, From: in.From, Until: in.Until}
	if f.BeforeAt, f.Before, err = cursor(in.Cursor); err != nil {
		return nil, err
	}
	ref, found, err := i.List(ctx, in.ID, f, in.Limit+1)
	if err != nil {
		return nil, err
	}
	body := interactionPage{CustomerID: ref.Root, Items: []InteractionEntry{}, Withheld: sight.Withheld(access.Behaviour)}
	if !sight.May(access.Behaviour) {
		return &listAnswer{body}, nil
	}
	page, next := httpx.NextPage(found, in.Limit, func(last Interaction) []string {
		return []string{last.OccurredAt.UTC().Format(time.RFC3339Nano), last.ID.String()}
	})
	for _, one := range page {
		body.Items = append(body.Items, entry(one))
	}
	body.NextCursor = next
	return &listAnswer{body}, nil
}

// cursor gives the time and id of the interaction after which a page begins; the zero ones without a cursor.
func cursor(s string) (at time.Time, id uuid.UUID, err error) {
	parts, err := httpx.DecodeCursor(s, 2)
	if parts == nil || err != nil {
		return at, id, err
	}
	if at, err = time.Parse(time.RFC3339Nano, parts[0]); err != nil {
		return at, id, httpx.CursorInvalid()
	}
	if id, err = uuid.Parse(parts[1]); err != nil {
		return at, id, httpx.CursorInvalid()
	}
	return at, id, nil
}
