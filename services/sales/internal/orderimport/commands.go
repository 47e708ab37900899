package orderimport

import (
	"context"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
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
		Columns: columns(), Apply: m.apply, Finished: finished,
	}, clock)
}

type importer struct {
	outbox *outbox.Outbox
	clock  func() time.Time
}

// apply brings a batch in with two round trips, however many rows it has: what is known of its orders and customers,
// and all that is written.
func (m *importer) apply(ctx context.Context, tx *pg.Tx, _ imports.Job, rows []imports.Row) ([]imports.Rejection, error) {
	var (
		now              = m.clock().UTC().Truncate(time.Microsecond)
		orders           = make([]order.Order, 0, len(rows))
		lines            = make([]int64, 0, len(rows))
		names, customers = make([]externalref.Ref, 0, len(rows)), make([]externalref.Ref, 0, len(rows))
		rejected         []imports.Rejection
	)
	for _, row := range rows {
		o, faults := read(row.Line, row.Get, uuid.Must(uuid.NewV7()), now)
		if len(faults) > 0 {
			rejected = append(rejected, faults...)
			continue
		}
		orders, lines = append(orders, o), append(lines, row.Line)
		names, customers = append(names, o.ExternalRef), append(customers, o.CustomerRef)
	}
	if len(orders) == 0 {
		return rejected, nil
	}
	b := &batch{seen: order.Find(tx, names)}
	known, err := customerref.Resolve(ctx, tx, customers)
	if err != nil {
		return nil, err
	}
	for i, o := range orders {
		rejected = append(rejected, b.take(lines[i], o.Of(known))...)
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
