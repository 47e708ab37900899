package customerimport

import (
	"context"
	"maps"
	"slices"
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
	"github.com/guanxi-crm/guanxi/services/accounts/internal/field"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/tenant"
)

// New makes the imports of customers.
func New(db *pg.DB, o *outbox.Outbox, fl *flow.Client, service string, clock func() time.Time) *imports.Imports {
	importer := &importer{outbox: o, clock: clock}
	return imports.New(db, o, fl, service, imports.Kind{
		Path: "/v1/customers/imports", Name: "customers", Permission: auth.CustomersImport,
		Columns: columns(), Policies: []imports.Policy{imports.Skip, imports.Update, imports.Create},
		Check: check, Apply: importer.apply, Finished: finished,
	}, clock)
}

type importer struct {
	outbox *outbox.Outbox
	clock  func() time.Time
}

// check refuses a mapping that fills custom fields which the tenant does not have.
func check(ctx context.Context, tx *pg.Tx, mapped []string) ([]string, error) {
	fields, err := field.Definitions(ctx, tx)
	return unknown(mapped, fields), err
}

// apply brings a batch in with a handful of round trips, however many rows it has: the tenant and its custom fields, the
// customers who are known by ids of the batch, those who are alike, and all that is written.
func (m *importer) apply(ctx context.Context, tx *pg.Tx, job imports.Job, rows []imports.Row) ([]imports.Rejection, error) {
	fields := field.Queue(tx)
	t, err := tenant.ForWrite(ctx, tx)
	if err != nil {
		return nil, err
	}
	rd := reading{mapped: job.Columns, region: t.Region, fields: fields, at: m.clock().UTC().Truncate(time.Microsecond), newID: newID}
	var (
		records  []record
		ids      []identity.Identity
		rejected []imports.Rejection
	)
	for _, row := range rows {
		r, faults := rd.read(row.Line, row.Get, row.More()...)
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
	sharing, err := m.sharing(ctx, tx, job.Policy, records, known)
	if err != nil {
		return nil, err
	}
	b := newBatch(job.Policy, rd.at, newID, known, sharing)
	for _, r := range records {
		rejected = append(rejected, b.take(r)...)
	}
	return rejected, m.save(ctx, tx, b, fields)
}

// sharing locks and gives who is alike to a record that names nobody by an id of their own.
func (m *importer) sharing(ctx context.Context, tx *pg.Tx, policy imports.Policy, records []record, known map[identity.Identity]customer.Customer) ([]customer.Customer, error) {
	if policy == imports.Create {
		return nil, nil
	}
	var shared []identity.Identity
	var names []string
	for _, r := range records {
		if slices.ContainsFunc(r.exclusive(), func(i identity.Identity) bool { _, held := known[i]; return held }) {
			continue
		}
		for _, i := range r.shared() {
			shared, names = append(shared, i), append(names, nameOf(r.made.Display))
		}
	}
	return lockSharing(ctx, tx, shared, names)
}

// save queues what the batch came to.
func (m *importer) save(ctx context.Context, tx *pg.Tx, b *batch, fields field.Set) error {
	added, changed := b.result()
	used := make(map[string]any)
	for _, c := range added {
		maps.Copy(used, c.Custom)
	}
	for _, ch := range changed {
		maps.Copy(used, ch.Now.Custom)
	}
	for name := range used {
		if _, defined := fields[name]; !defined {
			delete(used, name)
		}
	}
	fields.Use(tx, used)
	if len(added) > 0 {
		customer.Insert(tx, added...)
		events := make([]outbox.Event, len(added))
		for n, c := range added {
			events[n] = customer.RegisteredEvent(c)
		}
		if err := m.outbox.Append(ctx, tx, events...); err != nil {
			return err
		}
	}
	return customer.Save(ctx, tx, m.outbox, changed...)
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

func finished(job imports.Job) outbox.Event {
	return outbox.Event{Aggregate: "import", ID: job.ID, Time: job.FinishedAt, Message: &accountsv1.ImportFinished{
		ImportId: job.ID.String(), Kind: job.Kind, Rows: job.Rows, Accepted: job.Accepted, Rejected: job.Rejected,
		FinishedAt: timestamppb.New(job.FinishedAt),
	}}
}
