package bulk

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/macro"
)

// bulkTask is what is to be done with many tickets.
type bulkTask struct {
	TicketIDs []uuid.UUID         `json:"ticket_ids" minItems:"1" maxItems:"200" nullable:"false" doc:"The tickets, in the order in which they are acted on."`
	MacroID   *uuid.UUID          `json:"macro_id,omitempty" format:"uuid" doc:"A macro whose actions are taken; instead of actions."`
	Actions   []macro.MacroAction `json:"actions,omitempty" maxItems:"20" doc:"What is done to each, in order; as in a macro."`
	Values    macro.Values        `json:"values,omitempty" doc:"What fills the blanks {{value.NAME}} of words, by name."`
}

type bulkInput struct{ Body bulkTask }

type bulkAnswer struct{ Body bulkResults }

type bulkResults struct {
	Items   []bulkResult `json:"items" nullable:"false" doc:"One for each ticket, in the order in which they were named."`
	Done    int          `json:"done"`
	Refused int          `json:"refused"`
	Failed  int          `json:"failed" doc:"Send the same again with the same Idempotency-Key: what is done is not done twice."`
}

// bulkResult is what became of one ticket.
type bulkResult struct {
	TicketID uuid.UUID       `json:"ticket_id" format:"uuid"`
	Outcome  Outcome         `json:"outcome" enum:"done,refused,failed" doc:"done: all actions were taken; refused and failed: none was."`
	Code     string          `json:"code,omitempty" doc:"Of the problem, as for a single ticket." example:"ticket_status"`
	Detail   string          `json:"detail,omitempty"`
	Errors   []problem.Field `json:"errors,omitempty"`
}

// timeout is how long 200 tickets with 20 actions each may take.
const timeout = 2 * time.Minute

// Routes adds the operation.
func (b *Bulk) Routes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "act-on-tickets", Method: http.MethodPost, Path: "/v1/tickets/bulk", Tag: "Macros", Summary: "Take the same actions on many tickets",
		Description: "Each ticket is acted on by itself, as a whole or not at all; the answer says what became of each, and is 200 also where all were refused.",
		Permission:  auth.TicketsWrite, Timeout: timeout, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *bulkInput) (*bulkAnswer, error) {
		t := Task{Tickets: in.Body.TicketIDs, Actions: in.Body.Actions, Values: in.Body.Values}
		if in.Body.MacroID != nil {
			t.MacroID = *in.Body.MacroID
		}
		found, err := b.Do(ctx, t)
		if err != nil {
			return nil, err
		}
		body := bulkResults{Items: make([]bulkResult, len(found))}
		for i, r := range found {
			body.Items[i] = bulkResult{r.TicketID, r.Outcome, r.Code, r.Detail, r.Fields}
			switch r.Outcome {
			case Done:
				body.Done++
			case Refused:
				body.Refused++
			case Failed:
				body.Failed++
			}
		}
		return &bulkAnswer{body}, nil
	})
}
