package customerimport

import (
	"context"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/tenant"
)

// New makes the imports of customers.
func New(db *pg.DB, o *outbox.Outbox, fl *flow.Client, service string, clock func() time.Time) *imports.Imports {
	importer := &importer{outbox: o, clock: clock}
	return imports.New(db, o, fl, service, imports.Kind{
		Path: "/v1/customers/imports", Name: "customers", Permission: auth.CustomersImport,
		Columns: columns(), Apply: importer.apply, Finished: finished,
	}, clock)
}

type importer struct {
	outbox *outbox.Outbox
	clock  func() time.Time
}

// apply brings a batch in with three round trips, however many rows it has: the tenant, the customers who are known by
// ids of the batch, and all that is written.
func (m *importer) apply(ctx context.Context, tx *pg.Tx, job imports.Job, rows []imports.Row) ([]imports.Rejection, error) {
	t, err := tenant.ForWrite(ctx, tx)
	if err != nil {
		return nil, err
	}
	var (
		records  []record
		ids      []identity.Identity
		rejected []imports.Rejection
	)
	for _, row := range rows {
		r, faults := read(row.Line, job.Columns, row.Get, t.Region)
		if len(faults) > 0 {
			rejected = append(rejected, faults...)
			continue
		}
		records = append(records, r)
		ids = append(ids, r.exclusive()...)
	}
	known, err := customer.LockHolders(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	b := newBatch(job.Policy, m.clock().UTC().Truncate(time.Microsecond), newID, known)
	for _, r := range records {
		rejected = append(rejected, b.take(r)...)
	}
	added, changed := b.result()
	if len(added) > 0 {
		customer.Insert(tx, added...)
		events := make([]outbox.Event, len(added))
		for n, c := range added {
			events[n] = customer.RegisteredEvent(c)
		}
		if err := m.outbox.Append(ctx, tx, events...); err != nil {
			return nil, err
		}
	}
	return rejected, customer.Save(ctx, tx, m.outbox, changed...)
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

func finished(job imports.Job) outbox.Event {
	return outbox.Event{Aggregate: "import", ID: job.ID, Time: job.FinishedAt, Message: &accountsv1.ImportFinished{
		ImportId: job.ID.String(), Kind: job.Kind, Rows: job.Rows, Accepted: job.Accepted, Rejected: job.Rejected,
		FinishedAt: timestamppb.New(job.FinishedAt),
	}}
}
