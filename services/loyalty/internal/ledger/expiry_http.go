package ledger

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

// expiringView is points that run out at a time.
type expiringView struct {
	Points int64     `json:"points" doc:"As things stand: what is spent before does not run out."`
	At     time.Time `json:"at" doc:"The end of a day in the programme's time zone; from then on they cannot be spent."`
}

func showExpiring(next []Expiring) (views []expiringView) {
	for _, e := range next {
		views = append(views, expiringView(e))
	}
	return views
}

func (l *Ledger) showExpiring(ctx context.Context, memberID uuid.UUID) ([]expiringView, error) {
	next, err := l.Expiring(ctx, memberID)
	return showExpiring(next), err
}

type startedExpiryAnswer struct{ Body startedExpiry }

// startedExpiry names a process that has points run out.
type startedExpiry struct {
	WorkflowID string `json:"workflow_id" doc:"Of the process, to be followed in Temporal. One that is under way already is not started twice."`
	RunID      string `json:"run_id"`
}

// Routes adds the command by which operators have points run out at once.
func (x *Expirer) Routes(fl *flow.Client) func(api *httpx.API) {
	return func(api *httpx.API) {
		httpx.Register(api, httpx.Operation{
			ID: "expire-points", Method: http.MethodPost, Path: "/v1/points/expiries", Tag: "Points", Summary: "Have points run out now whose time has come",
			Description: "Starts for the caller's tenant what runs every half hour for all: what has run out is taken, and members are told of what will run out within 30 days. To start it again does no harm.",
			Permission:  auth.LoyaltyAudit, Status: http.StatusAccepted, Errors: []int{http.StatusServiceUnavailable},
		}, func(ctx context.Context, _ *struct{}) (*startedExpiryAnswer, error) {
			id := ExpiryName + "/" + auth.Tenant(ctx)
			run, err := fl.Start(ctx, flow.Start{ID: id, Queue: x.ledger.db.Service(), Workflow: ExpiryName, Args: []any{Sweep{}}, Again: true})
			return &startedExpiryAnswer{startedExpiry{id, run}}, err
		})
	}
}
