package orderimport

import (
	"context"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/externalref"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	"github.com/guanxi-crm/guanxi/services/sales/internal/customerref"
	"github.com/guanxi-crm/guanxi/services/sales/internal/order"
)

// New makes the imports of orders.
func New(db *pg.DB, o *outbox.Outbox, fl *flow.Client, service string, clock func() time.Time) *imports.Imports {
	m := &importer{outbox: o, clock: clock}
	return imports.New(db, o, fl, service, imports.Kind{
		Path: "/v1/orders/imports", Name: "orders", Permission: auth.OrdersImport,
		Columns: columns(), Together: together, Prepare: m.prepare, Apply: m.apply, Finished: finished,
	}, clock)
}

type importer struct {
	outbox *outbox.Outbox
	clock  func() time.Time
}

// prepare reads a batch while others are written.
func (m *importer) prepare(_ context.Context, _ *pg.Tx, job imports.Job) (func(context.Context, []imports.Row) error, error) {
	several := together(job.Columns) != ""
	return func(_ context.Context, rows []imports.Row) error {
		prepare(rows, several, m.clock().UTC().Truncate(time.Microsecond))
		return nil
	}, nil
}

// apply brings a batch in with two round trips, however many rows it has: what is known of its orders and customers,
// and all that is written.
func (m *importer) apply(ctx context.Context, tx *pg.Tx, _ imports.Job, rows []imports.Row) ([]imports.Rejection, error) {
	groups, rejected := prepared(rows)
	if len(groups) == 0 {
		return rejected, nil
	}
	var (
		names = make([]externalref.Ref, len(groups))
		refs  = make([]externalref.Ref, 0, len(groups))
		ids   []uuid.UUID
	)
	for i, g := range groups {
		names[i] = g.order.ExternalRef
		if g.order.CustomerID != uuid.Nil {
			ids = append(ids, g.order.CustomerID)
		} else {
			refs = append(refs, g.order.CustomerRef)
		}
	}
	b := &batch{seen: order.Find(tx, names), erased: erasure.Known(tx, ids)}
	known, err := customerref.Resolve(ctx, tx, refs)
	if err == nil {
		err = tx.Flush(ctx) // where there was no name to resolve that would have taken it along
	}
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		rejected = append(rejected, b.take(g.rows, g.order.Of(known))...)
	}
	if len(b.fresh) == 0 {
		return rejected, nil
	}
	order.Insert(tx, b.fresh...)
	events := make([]outbox.Event, len(b.fresh))
	for i, o := range b.fresh {
		events[i] = order.PlacedEvent(o)
	}
	return rejected, m.outbox.Append(ctx, tx, events...)
}

func finished(job imports.Job) outbox.Event {
	return outbox.Event{Aggregate: "import", ID: job.ID, Time: job.FinishedAt, Message: &salesv1.ImportFinished{
		ImportId: job.ID.String(), Kind: job.Kind, Rows: job.Rows, Accepted: job.Accepted, Rejected: job.Rejected,
		FinishedAt: timestamppb.New(job.FinishedAt),
	}}
}
