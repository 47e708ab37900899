package entitlement

import (
	"context"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// maxSubjects bounds an answer on who worked: far more than work in one unit.
const maxSubjects = 10_000

type activityInput struct {
	Unit  string `query:"unit" required:"true" minLength:"1" maxLength:"255" doc:"The unit; those below it count as well." example:"north/branch-3"`
	Since string `query:"since" required:"true" format:"date" doc:"The first UTC day that counts." example:"2031-03-01"`
}

type activityAnswer struct{ Body UnitActivity }

// UnitActivity is who of a unit has worked with a service.
type UnitActivity struct {
	Unit     string   `json:"unit" example:"north/branch-3"`
	Since    string   `json:"since" format:"date" example:"2031-03-01"`
	Subjects []string `json:"subjects" doc:"Subjects of the tokens of those who did something with the service since then, in order."`
}

// Routes adds GET /v1/ops/{service}/activity, by which it is measured how many of a unit use what was introduced.
func (g *Gate) Routes(service string) func(*httpx.API) {
	return func(api *httpx.API) {
		httpx.Register(api, httpx.Operation{
			ID: "get-" + service + "-activity", Method: http.MethodGet, Path: "/v1/ops/" + service + "/activity", Tag: "operations",
			Summary:     "Who of a unit has worked with the service",
			Description: "Of the last 60 days, with a delay of some seconds.",
			Permission:  auth.OpsRead,
		}, g.activity)
	}
}

func (g *Gate) activity(ctx context.Context, in *activityInput) (*activityAnswer, error) {
	since, err := time.Parse(time.DateOnly, in.Since)
	if err != nil {
		return nil, problem.New(problem.Unprocessable, "validation_failed", "since is no date.").WithField("query.since", "date_malformed", "must be a date such as 2031-03-01")
	}
	body := UnitActivity{Unit: in.Unit, Since: in.Since}
	err = g.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT DISTINCT subject FROM unit_activity WHERE tenant_id = $1 AND day >= $2 AND (unit = $3 OR starts_with(unit, $3 || '/'))
			ORDER BY subject LIMIT $4`, tx.Tenant(), since, in.Unit, maxSubjects)
		if err != nil {
			return err
		}
		body.Subjects, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		return nil, err
	}
	return &activityAnswer{body}, nil
}
