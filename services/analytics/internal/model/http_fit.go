package model

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// fitTime is how long a fit in a request may take.
const fitTime = 40 * time.Second

// modelFitAnswer is the answer to a fit.
type modelFitAnswer struct {
	Model       *modelView        `json:"model,omitempty" doc:"With 200."`
	Predictions []json.RawMessage `json:"predictions,omitempty" doc:"Of a table: one for each row, in its order."`
	Job         *modelJobView     `json:"job,omitempty" doc:"With 202: read it again until it is done."`
}

type fitOutput struct {
	Status   int
	Location string `header:"Location" doc:"Where the model, or the job, can be read."`
	Body     modelFitAnswer
}

// fitRoute adds POST /v1/models/<kind>/fit.
func fitRoute[B any, P Body[B]](api *httpx.API, m *Models, o Offer[B]) {
	var settings B
	httpx.Register(api, httpx.Operation{
		ID: "fit-" + o.Kind, Method: http.MethodPost, Path: "/v1/models/" + o.Kind + "/fit", Tag: tag, Summary: o.Summary,
		Description: o.Description + "\n\nRows come in the body, up to 20,000, or as CSV with a header, up to 1,000,000; settings are query parameters then. " +
			"What is small is fitted at once (200); otherwise a job is made (202), which ends within some minutes.",
		Permission: auth.AnalyticsManage, Status: http.StatusOK, MaxBody: 8 << 20, Timeout: fitTime, Errors: []int{http.StatusConflict},
		Upload: &httpx.Upload{
			Consumes: []string{"text/csv"}, MaxBody: maxUpload, Settings: settings,
			Handle: func(c *gin.Context) error { return fitUpload[B, P](c, m, o) },
		},
	}, func(ctx context.Context, in *struct{ Body B }) (*fitOutput, error) {
		return fitBody[B, P](ctx, m, o, &in.Body)
	})
}

// fitBody fits what a JSON body asks for.
func fitBody[B any, P Body[B]](ctx context.Context, m *Models, o Offer[B], body *B) (*fitOutput, error) {
	input := P(body).Asked()
	n, given := P(body).Given()
	faults := P(body).Check()
	switch {
	case input.Source == "" && given:
		input.Source = FromTable
	case input.Source == "":
		faults = append(faults, problem.Field{Location: "source", Code: "required", Message: "say facts, or give rows"})
	case input.Source == FromFacts && given:
		faults = append(faults, problem.Field{Location: "rows", Code: "not_allowed", Message: "there are none when the source is facts"})
	case input.Source == FromTable && !given:
		faults = append(faults, problem.Field{Location: "rows", Code: "required", Message: "are missing"})
	}
	if given && n > smallRows {
		faults = append(faults, problem.Field{Location: "rows", Code: "too_many", Message: "are more than 20000; send them as text/csv"})
	}
	if given && input.Later {
		faults = append(faults, problem.Field{Location: "later", Code: "not_allowed", Message: "is for facts and for text/csv"})
	}
	if len(faults) > 0 {
		return nil, problem.InvalidBody("validation_failed", "Some of what was sent is not valid; errors says what.", faults)
	}
	options, err := optionsOf(body)
	if err != nil {
		return nil, err
	}
	later := input.Later
	if input.Source == FromFacts && !later {
		if later, err = m.large(ctx); err != nil {
			return nil, err
		}
	}
	if later {
		return queued(m.enqueue(ctx, o.Kind, input.Source, options, nil))
	}
	return fitNow(ctx, m, o, Order[B]{Tenant: auth.Tenant(ctx), Source: input.Source, Body: body}, options)
}

// fitUpload fits a table that comes as CSV.
func fitUpload[B any, P Body[B]](c *gin.Context, m *Models, o Offer[B]) error {
	body, err := httpx.SettingsOf[B](c)
	if err != nil {
		return err
	}
	input := P(&body).Asked()
	input.Source = FromTable
	if faults := P(&body).Check(); len(faults) > 0 {
		p := problem.New(problem.Unprocessable, "validation_failed", "Some of what was sent is not valid; errors says what.")
		for _, f := range faults {
			p = p.WithField("query."+f.Location, f.Code, f.Message)
		}
		return p
	}
	hashed := httpx.HashBody(c)
	raw, err := io.ReadAll(hashed)
	if err != nil {
		return err
	}
	table, err := ReadTable(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	options, err := optionsOf(&body)
	if err != nil {
		return err
	}
	ctx := hashed.Context()
	var out *fitOutput
	if input.Later || len(table.Rows) > smallRows {
		out, err = queued(m.enqueue(ctx, o.Kind, FromTable, options, raw))
	} else {
		out, err = fitNow(ctx, m, o, Order[B]{Tenant: auth.Tenant(ctx), Source: FromTable, Body: &body, Table: &table}, options)
	}
	if err != nil {
		return err
	}
	c.Header("Location", out.Location)
	c.JSON(out.Status, out.Body)
	return nil
}

// fitNow fits within the request and keeps the model.
func fitNow[B any](ctx context.Context, m *Models, o Offer[B], order Order[B], options json.RawMessage) (*fitOutput, error) {
	f, err := o.Fit(ctx, order)
	if err != nil {
		return nil, err
	}
	made, says, err := m.keep(ctx, o.Kind, order.Source, options, f)
	if err != nil {
		return nil, err
	}
	v := show(made)
	return &fitOutput{Status: http.StatusOK, Location: "/v1/models/" + made.ID.String(), Body: modelFitAnswer{Model: &v, Predictions: says}}, nil
}

func queued(j Job, err error) (*fitOutput, error) {
	if err != nil {
		return nil, err
	}
	v := showJob(j)
	return &fitOutput{Status: http.StatusAccepted, Location: "/v1/models/jobs/" + j.ID.String(), Body: modelFitAnswer{Job: &v}}, nil
}

// optionsOf gives what was asked for without the rows.
func optionsOf(body any) (json.RawMessage, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, err
	}
	delete(fields, "rows")
	return json.Marshal(fields)
}
