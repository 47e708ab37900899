package opportunity

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

type moveInput struct {
	OpportunityPath
	Body opportunityMove
}

// opportunityMove is where an opportunity goes.
type opportunityMove struct {
	Stage string `json:"stage" maxLength:"64" doc:"Code of a stage of its pipeline." example:"proposal"`
}

type winInput struct {
	OpportunityPath
	Body opportunityWin
}

// opportunityWin is what the customer bought.
type opportunityWin struct {
	Orders []uuid.UUID `json:"orders,omitempty" nullable:"false" maxItems:"50" doc:"Ids of the customer's orders, where they are known."`
}

type loseInput struct {
	OpportunityPath
	Body opportunityLoss
}

// opportunityLoss is why an opportunity is lost.
type opportunityLoss struct {
	Reason     string `json:"reason" maxLength:"64" doc:"Code of a reason of /v1/loss-reasons." example:"competitor"`
	Competitor string `json:"competitor,omitempty" maxLength:"64" doc:"Code of whom it was lost to." example:"pasta-planet"`
}

type historyInput struct {
	OpportunityPath
	httpx.Page
}

type historyAnswer struct{ Body opportunityHistory }

type opportunityHistory struct {
	Items      []opportunityEntry `json:"items" nullable:"false" doc:"From the opening on, without a gap."`
	NextCursor string             `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

// opportunityEntry is a time at which an opportunity stood somewhere.
type opportunityEntry struct {
	No        int        `json:"no" doc:"From 1: the opening."`
	Pipeline  string     `json:"pipeline"`
	Stage     string     `json:"stage"`
	State     State      `json:"state" enum:"open,won,lost,withdrawn" doc:"open: it was in the stage; else it stood closed in it."`
	EnteredAt time.Time  `json:"entered_at"`
	LeftAt    *time.Time `json:"left_at,omitempty" doc:"Absent: it still stands so."`
	Seconds   int64      `json:"seconds" doc:"Whole seconds from entered_at to left_at, or to now."`
	By        string     `json:"by" doc:"Subject of whoever brought it there."`
}

func (o *Opportunities) historyHTTP(ctx context.Context, in *historyInput) (*historyAnswer, error) {
	now := o.now()
	items, next, err := httpx.PageByNumber(in.Page, func(after, limit int) ([]Entry, error) { return o.History(ctx, in.ID, after, limit) },
		func(e Entry) int { return e.No },
		func(e Entry) opportunityEntry {
			return opportunityEntry{e.No, e.Pipeline, e.Stage, e.State, e.EnteredAt, pg.OrNull(e.LeftAt), e.Seconds(now), e.By}
		})
	return &historyAnswer{opportunityHistory{items, next}}, err
}

// actionRoutes adds what moves and closes opportunities.
func (o *Opportunities) actionRoutes(api *httpx.API) {
	const tag, path = "Opportunities", "/v1/opportunities/{opportunity_id}"
	errors := []int{http.StatusNotFound, http.StatusConflict, http.StatusGone}
	ok := answered(http.StatusOK)
	httpx.Register(api, httpx.Operation{
		ID: "move-opportunity", Method: http.MethodPost, Path: path + "/move", Tag: tag, Summary: "Take an opportunity to another stage",
		Description: "Forwards, by one stage or several, where it has what each stage on the way requires; backwards freely.",
		Permission:  auth.SalesWrite, Errors: errors,
	}, func(ctx context.Context, in *moveInput) (*opportunityAnswer, error) {
		return ok(o.Move(ctx, in.ID, in.Body.Stage))
	})
	httpx.Register(api, httpx.Operation{
		ID: "win-opportunity", Method: http.MethodPost, Path: path + "/win", Tag: tag, Summary: "Close an opportunity as won",
		Permission: auth.SalesWrite, Errors: errors,
	}, func(ctx context.Context, in *winInput) (*opportunityAnswer, error) {
		return ok(o.Win(ctx, in.ID, in.Body.Orders...))
	})
	httpx.Register(api, httpx.Operation{
		ID: "lose-opportunity", Method: http.MethodPost, Path: path + "/lose", Tag: tag, Summary: "Close an opportunity as lost",
		Permission: auth.SalesWrite, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *loseInput) (*opportunityAnswer, error) {
		return ok(o.Lose(ctx, in.ID, in.Body.Reason, in.Body.Competitor))
	})
	httpx.Register(api, httpx.Operation{
		ID: "reopen-opportunity", Method: http.MethodPost, Path: path + "/reopen", Tag: tag, Summary: "Open a closed opportunity again",
		Description: "In the stage that it was closed in; in the first, where the pipeline no longer has that. What lead scoring learned of it is taken back.",
		Permission:  auth.SalesWrite, Errors: errors,
	}, func(ctx context.Context, in *OpportunityPath) (*opportunityAnswer, error) {
		return ok(o.Reopen(ctx, in.ID))
	})
	httpx.Register(api, httpx.Operation{
		ID: "withdraw-opportunity", Method: http.MethodPost, Path: path + "/withdraw", Tag: tag, Summary: "Take the opening of an opportunity back",
		Description: "While nothing happened to it; one that came of a lead is withdrawn by undoing the lead's conversion. It counts nowhere any more.",
		Permission:  auth.SalesWrite, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *OpportunityPath) (*opportunityAnswer, error) {
		return ok(o.Withdraw(ctx, in.ID))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-opportunity-stages", Method: http.MethodGet, Path: path + "/stages", Tag: tag, Summary: "Where an opportunity stood, and for how long",
		Permission: auth.SalesRead, Errors: []int{http.StatusNotFound},
	}, o.historyHTTP)
}

type linesInput struct {
	OpportunityEdit
	Body opportunityLines
}

// opportunityLines are all products of an opportunity.
type opportunityLines struct {
	Lines []opportunityLine `json:"lines" nullable:"false" maxItems:"200" doc:"All of them; none: the amount stays as it was, and can be typed again."`
}

type contactInput struct {
	OpportunityEdit
	CustomerID uuid.UUID `path:"customer_id" format:"uuid"`
	Body       OpportunityContact
}

type dropContactInput struct {
	OpportunityEdit
	CustomerID uuid.UUID `path:"customer_id" format:"uuid"`
}

type rivalInput struct {
	OpportunityEdit
	Competitor string `path:"competitor" maxLength:"64" doc:"Code."`
	Body       opportunityRivalWords
}

type dropRivalInput struct {
	OpportunityEdit
	Competitor string `path:"competitor" maxLength:"64" doc:"Code."`
}

// partRoutes adds what changes the parts of opportunities.
func (o *Opportunities) partRoutes(api *httpx.API) {
	const tag, path = "Opportunities", "/v1/opportunities/{opportunity_id}"
	ok := answered(http.StatusOK)
	httpx.Register(api, httpx.Operation{
		ID: "set-opportunity-lines", Method: http.MethodPut, Path: path + "/lines", Tag: tag, Summary: "Say which products the customer may buy",
		Description: "The amount of the opportunity is their sum.", Permission: auth.SalesWrite, Errors: edited,
	}, func(ctx context.Context, in *linesInput) (*opportunityAnswer, error) {
		return ok(o.SetLines(ctx, in.ID, readLines(in.Body.Lines), in.fresh))
	})
	httpx.Register(api, httpx.Operation{
		ID: "set-opportunity-contact", Method: http.MethodPut, Path: path + "/contacts/{customer_id}", Tag: tag, Summary: "Say who a person is in the decision",
		Description: "The person is a customer of accounts as well. What is left out is not known.", Permission: auth.SalesWrite, Errors: edited,
	}, func(ctx context.Context, in *contactInput) (*opportunityAnswer, error) {
		return ok(o.SetContact(ctx, in.ID, in.Body.contact(in.CustomerID), in.fresh))
	})
	httpx.Register(api, httpx.Operation{
		ID: "drop-opportunity-contact", Method: http.MethodDelete, Path: path + "/contacts/{customer_id}", Tag: tag, Summary: "Take a person out of an opportunity",
		Permission: auth.SalesWrite, Errors: edited,
	}, func(ctx context.Context, in *dropContactInput) (*opportunityAnswer, error) {
		return ok(o.DropContact(ctx, in.ID, in.CustomerID, in.fresh))
	})
	httpx.Register(api, httpx.Operation{
		ID: "set-opportunity-competitor", Method: http.MethodPut, Path: path + "/competitors/{competitor}", Tag: tag, Summary: "Say how a competitor stands in an opportunity",
		Permission: auth.SalesWrite, Errors: edited,
	}, func(ctx context.Context, in *rivalInput) (*opportunityAnswer, error) {
		return ok(o.SetRival(ctx, in.ID, Rival{Competitor: in.Competitor, Strengths: in.Body.Strengths, Weaknesses: in.Body.Weaknesses}, in.fresh))
	})
	httpx.Register(api, httpx.Operation{
		ID: "drop-opportunity-competitor", Method: http.MethodDelete, Path: path + "/competitors/{competitor}", Tag: tag, Summary: "Take a competitor out of an opportunity",
		Permission: auth.SalesWrite, Errors: edited,
	}, func(ctx context.Context, in *dropRivalInput) (*opportunityAnswer, error) {
		return ok(o.DropRival(ctx, in.ID, in.Competitor, in.fresh))
	})
}
