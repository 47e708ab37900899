package preference

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

// PreferenceView is a preference as the API shows it. It is exported so that what embeds it is documented whole.
type PreferenceView struct {
	Key        string    `json:"key" example:"contact_channel"`
	Value      string    `json:"value" doc:"Codes, with commas between where there are several." example:"email"`
	Source     Source    `json:"source" enum:"said,inferred"`
	Confidence float64   `json:"confidence" doc:"Above 0, at most 1; of what was said 1."`
	At         time.Time `json:"at" doc:"When it was said or inferred."`
	RecordedAt time.Time `json:"recorded_at"`
	RecordedBy string    `json:"recorded_by" doc:"Subject."`
}

func show(p Preference) PreferenceView {
	return PreferenceView{p.Key, p.Value, p.Source, p.Confidence, p.At, p.RecordedAt, p.RecordedBy}
}

// statedPreference is the preference that counts, with all that it was chosen from.
type statedPreference struct {
	PreferenceView
	Stated []PreferenceView `json:"stated" nullable:"false" doc:"All that is stated of the key: what was said first, of each source the latest first."`
}

type preferencesByKey struct {
	ID  uuid.UUID `path:"customer_id" format:"uuid"`
	Key string    `path:"key" pattern:"^[a-z][a-z0-9_]{0,62}$" doc:"contact_channel, language, contact_hours, or a code of your own." example:"contact_channel"`
}

type setInput struct {
	ID   uuid.UUID `path:"customer_id" format:"uuid"`
	Key  string    `path:"key" pattern:"^[a-z][a-z0-9_]{0,62}$" doc:"contact_channel, language, contact_hours, or a code of your own." example:"contact_channel"`
	Body newPreference
}

// newPreference is what a preference is stated with.
type newPreference struct {
	Value      string     `json:"value" maxLength:"200" doc:"Codes, with commas between where there are several." example:"email"`
	Source     Source     `json:"source,omitempty" enum:"said,inferred" default:"said"`
	Confidence float64    `json:"confidence,omitempty" doc:"Of what is inferred: above 0, at most 1."`
	At         *time.Time `json:"at,omitempty" doc:"When it was said or inferred; left out: now. What was stated later stays."`
}

type removeInput struct {
	ID     uuid.UUID `path:"customer_id" format:"uuid"`
	Key    string    `path:"key" pattern:"^[a-z][a-z0-9_]{0,62}$" doc:"contact_channel, language, contact_hours, or a code of your own." example:"contact_channel"`
	Source Source    `query:"source" enum:"said,inferred" doc:"Forget only what this source states."`
}

type answer struct{ Body statedPreference }

func answered(s Stated, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	counts, _ := Effective(s.All)
	body := statedPreference{show(counts), make([]PreferenceView, len(s.All))}
	for n, p := range s.All {
		body.Stated[n] = show(p)
	}
	return &answer{body}, nil
}

type listInput struct {
	ID uuid.UUID `path:"customer_id" format:"uuid"`
}

type listAnswer struct{ Body preferenceList }

type preferenceList struct {
	Items []PreferenceView `json:"items" nullable:"false" doc:"Those that count, by key."`
}

// Routes adds the operations on preferences.
func (c *Preferences) Routes(api *httpx.API) {
	const tag = "Preferences"
	missing := []int{http.StatusNotFound, http.StatusGone}
	httpx.Register(api, httpx.Operation{
		ID: "list-preferences", Method: http.MethodGet, Path: "/v1/customers/{customer_id}/preferences", Tag: tag,
		Summary: "List what a customer prefers", Description: "What was said outranks what was inferred, however new that is.",
		Permission: auth.CustomersRead, Errors: missing,
	}, func(ctx context.Context, in *listInput) (*listAnswer, error) {
		counting, err := c.List(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		body := preferenceList{make([]PreferenceView, len(counting))}
		for n, p := range counting {
			body.Items[n] = show(p)
		}
		return &listAnswer{body}, nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-preference", Method: http.MethodGet, Path: "/v1/customers/{customer_id}/preferences/{key}", Tag: tag,
		Summary: "Read a preference", Permission: auth.CustomersRead, Errors: missing,
	}, func(ctx context.Context, in *preferencesByKey) (*answer, error) {
		return answered(c.Get(ctx, in.ID, in.Key))
	})
	httpx.Register(api, httpx.Operation{
		ID: "state-preference", Method: http.MethodPut, Path: "/v1/customers/{customer_id}/preferences/{key}", Tag: tag,
		Summary: "State a preference", Permission: auth.CustomersWrite, Errors: missing,
	}, func(ctx context.Context, in *setInput) (*answer, error) {
		p := Preference{Customer: in.ID, Key: in.Key, Value: in.Body.Value, Source: in.Body.Source, Confidence: in.Body.Confidence}
		if in.Body.At != nil {
			p.At = *in.Body.At
		}
		return answered(c.Set(ctx, p))
	})
	httpx.Register(api, httpx.Operation{
		ID: "forget-preference", Method: http.MethodDelete, Path: "/v1/customers/{customer_id}/preferences/{key}", Tag: tag,
		Summary: "Forget a preference", Permission: auth.CustomersWrite, Errors: missing,
	}, func(ctx context.Context, in *removeInput) (*struct{}, error) {
		return nil, c.Remove(ctx, in.ID, in.Key, in.Source)
	})
}
