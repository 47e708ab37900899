package imports

import (
	"context"
	"net/http"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// maxQualitySpan bounds the time that is looked over.
const maxQualitySpan = 367 * 24 * time.Hour

type qualityInput struct {
	From time.Time `query:"from" required:"true" doc:"Only imports that finished from then on."`
	To   time.Time `query:"to" required:"true" doc:"Only imports that finished before; at most 367 days later."`
}

type qualityOutput struct{ Body ImportQuality }

// ImportQuality is how many rows of files that were brought in were good enough.
type ImportQuality struct {
	Imports  int64 `json:"imports" doc:"That finished in the time; trials (dry_run) do not count."`
	Rows     int64 `json:"rows" doc:"Of all of them; a file that was brought in again counts again."`
	Accepted int64 `json:"accepted" doc:"Of the rows."`
}

// qualityRoute adds the operation by which it is measured how good the data are that come in. Whoever looks after the machinery may
// ask, without the right to bring anything in.
func (i *Imports) qualityRoute(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: i.kind.Name + "-imports-quality", Method: http.MethodGet, Path: "/v1/ops/" + i.service + "/imports/" + i.kind.Name,
		Summary: "How many rows of the imports of " + i.kind.Name + " were accepted", Tag: "operations", Permission: auth.OpsRead,
	}, i.quality)
}

func (i *Imports) quality(ctx context.Context, in *qualityInput) (*qualityOutput, error) {
	if !in.To.After(in.From) || in.To.Sub(in.From) > maxQualitySpan {
		return nil, problem.New(problem.Unprocessable, "span_invalid", "The time that is looked over must end after it begins, and last at most 367 days.").
			WithField("query.to", "span_invalid", "must be after from, by at most 367 days")
	}
	out := &qualityOutput{}
	err := i.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		return tx.QueryRow(ctx, `SELECT count(*), coalesce(sum(row_count), 0)::bigint, coalesce(sum(accepted), 0)::bigint FROM import_job
			WHERE tenant_id = $1 AND kind = $2 AND state = 'finished' AND NOT dry_run AND finished_at >= $3 AND finished_at < $4`,
			tx.Tenant(), i.kind.Name, in.From, in.To).Scan(&out.Body.Imports, &out.Body.Rows, &out.Body.Accepted)
	})
	return out, err
}
