package leadimport

import (
	"context"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
	"github.com/guanxi-crm/guanxi/services/sales/internal/leadfield"
)

// New makes the imports of leads.
func New(db *pg.DB, o *outbox.Outbox, fl *flow.Client, service string, leads *lead.Leads, clock func() time.Time) *imports.Imports {
	m := &importer{leads: leads}
	return imports.New(db, o, fl, service, imports.Kind{
		Path: "/v1/leads/imports", Name: "leads", Permission: auth.SalesImport, Policies: []imports.Policy{imports.Skip},
		Columns: columns(), Check: check, Apply: m.apply, Finished: finished,
	}, clock)
}

type importer struct{ leads *lead.Leads }

// check refuses a mapping that fills custom fields which the tenant does not have.
func check(ctx context.Context, tx *pg.Tx, mapped []string) ([]string, error) {
	fields := leadfield.Kind().All(tx)
	if err := tx.Flush(ctx); err != nil {
		return nil, err
	}
	return unknown(mapped, fields), nil
}

// apply brings a batch in.
func (m *importer) apply(ctx context.Context, tx *pg.Tx, job imports.Job, rows []imports.Row) ([]imports.Rejection, error) {
	mapped := slices.DeleteFunc(slices.Clone(job.Columns), func(c string) bool { return !strings.HasPrefix(c, customPrefix) })
	var (
		rejected []imports.Rejection
		taken    = make([]lead.Row, 0, len(rows))
		lines    = make([]int64, 0, len(rows))
	)
	for _, row := range rows {
		custom := slices.DeleteFunc(append(slices.Clone(mapped), row.More()...), func(c string) bool { return !strings.HasPrefix(c, customPrefix) })
		r, wrong := read(row.Line, row.Get, custom)
		if len(wrong) > 0 {
			rejected = append(rejected, wrong...)
			continue
		}
		taken, lines = append(taken, r), append(lines, row.Line)
	}
	if len(taken) == 0 {
		return rejected, nil
	}
	wrong, err := m.leads.Import(ctx, tx, taken)
	for i, faults := range wrong {
		for _, f := range faults {
			rejected = append(rejected, imports.Rejection{Line: lines[i], Column: columnOf(f.Location), Code: f.Code, Reason: f.Message})
		}
	}
	return rejected, err
}

func finished(job imports.Job) outbox.Event {
	return outbox.Event{Aggregate: "import", ID: job.ID, Time: job.FinishedAt, Message: &salesv1.ImportFinished{
		ImportId: job.ID.String(), Kind: job.Kind, Rows: job.Rows, Accepted: job.Accepted, Rejected: job.Rejected,
		FinishedAt: timestamppb.New(job.FinishedAt),
	}}
}
