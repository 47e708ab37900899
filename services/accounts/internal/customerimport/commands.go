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
	"github.com/guanxi-crm/guanxi/services/accounts/internal/matching"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/tenant"
)

// New makes the imports of customers.
func New(db *pg.DB, o *outbox.Outbox, fl *flow.Client, service string, clock func() time.Time) *imports.Imports {
	importer := &importer{db: db, outbox: o, clock: clock}
	return imports.New(db, o, fl, service, imports.Kind{
		Path: "/v1/customers/imports", Name: "customers", Permission: auth.CustomersImport,
		Columns: columns(), Policies: []imports.Policy{imports.Skip, imports.Update, imports.Create},
		Check: check, Prepare: importer.prepare, Apart: apart, Apply: importer.apply, Finished: finished,
	}, clock)
}

type importer struct {
	db     *pg.DB
	outbox *outbox.Outbox
	clock  func() time.Time
}

// check refuses a mapping that fills custom fields which the tenant does not have.
func check(ctx context.Context, tx *pg.Tx, mapped []string) ([]string, error) {
	fields, err := field.Definitions(ctx, tx)
	return unknown(mapped, fields), err
}

// prepared is what is made of a row before its batch's transaction.
type prepared struct {
	by     *reading
	record *record
	faults []imports.Rejection
	batch  *ready // the same of all rows of a batch
}

// ready is a batch that was worked before its transaction.
type ready struct {
	rows    int
	used    bool    // tried once: what fails is worked anew
	outcome outcome // where nobody in it was known
	unknown bool    // that this was so, by what is written and by the batches that were not; no rule finds anybody else
	settles bool    // that it is the first to use a custom field: the field's definition is locked for that
}

// prepare reads batches by the tenant's settings of now and works them as if nobody in them were known, while the batch
// before is written, and asks whether that is so: of most files it is.
func (m *importer) prepare(ctx context.Context, tx *pg.Tx, job imports.Job) (func(context.Context, []imports.Row) error, error) {
	fields := field.Queue(tx)
	rules := matching.QueueRules(tx)
	region, err := tenant.Region(ctx, tx)
	if err != nil {
		return nil, err
	}
	before, working := &unwritten{}, newBatch(job.Policy, time.Time{}, newID, 0, nil, others{})
	return func(ctx context.Context, rows []imports.Row) error {
		by, b := m.reading(job, region, fields), &ready{rows: len(rows)}
		records := make([]*record, 0, len(rows))
		for n, row := range rows {
			p := prepared{by: by, batch: b}
			if p.record, p.faults = by.read(row.Line, row.Get, row.More()...); len(p.faults) == 0 {
				records = append(records, p.record)
				b.settles = b.settles || fields.Unused(p.record.made.Custom)
			}
			rows[n].Prepared = p
		}
		var held map[identity.Identity]bool
		err := m.db.Read(ctx, job.Tenant, func(tx *pg.Tx) (err error) {
			held, err = taken(ctx, tx, job.Policy, records)
			return err
		})
		if err != nil {
			return err
		}
		strangers := before.strangers(records)
		if b.unknown = strangers && len(held) == 0 && !rules.Automatic(); b.unknown {
			b.outcome = m.work(ctx, job.Tenant, working.begin(by.at), records)
		}
		return nil
	}, nil
}

// apart tells of a batch that nobody in it was known, so that all that it locks is the tenant, as others do, and its own new
// customers.
func apart(rows []imports.Row) bool {
	for n := range rows {
		if p, ok := rows[n].Prepared.(prepared); !ok || !p.batch.unknown || p.batch.settles {
			return false
		}
	}
	return true
}

// unwritten remembers the identities of the batches that may be unwritten while another is prepared.
type unwritten struct {
	batches [imports.Unwritten + 1]map[identity.Identity]bool // the last one is forgotten
}

// strangers tells whether the records have no identity of a batch before that may be unwritten, and remembers theirs.
func (u *unwritten) strangers(records []*record) bool {
	present := u.batches[imports.Unwritten]
	if clear(present); present == nil {
		present = make(map[identity.Identity]bool, 4*len(records))
	}
	strangers := true
	for _, r := range records {
		for _, i := range r.draft.Identities {
			for _, before := range u.batches[:imports.Unwritten] {
				strangers = strangers && !before[i]
			}
			present[i] = true
		}
	}
	copy(u.batches[1:], u.batches[:])
	u.batches[0] = present
	return strangers
}

func (m *importer) reading(job imports.Job, region string, fields field.Set) *reading {
	return &reading{mapped: job.Columns, region: region, fields: fields, at: m.clock().UTC().Truncate(time.Microsecond), newID: newID}
}

// apply brings a batch in with a handful of round trips, however many rows it has: the tenant, its custom fields and rules;
// unless it was found before that nobody in it is known, which of its identities anybody has, and those who have them; and
// all that is written. Who comes to be known between the two is met by the unique index of identities, and the batch is
// worked anew.
func (m *importer) apply(ctx context.Context, tx *pg.Tx, job imports.Job, rows []imports.Row) ([]imports.Rejection, error) {
	customer.InBulk(tx)
	fields := field.Queue(tx)
	rules := matching.QueueRules(tx)
	t, err := tenant.ForWrite(ctx, tx)
	if err != nil {
		return nil, err
	}
	rd := m.reading(job, t.Region, fields)
	records := make([]*record, 0, len(rows))
	var (
		rejected []imports.Rejection
		done     *ready
	)
	for _, row := range rows {
		p, ok := row.Prepared.(prepared)
		if !ok || !p.by.same(rd) { // the tenant's settings were changed since
			p.record, p.faults = rd.read(row.Line, row.Get, row.More()...)
			p.batch = nil
		}
		done = p.batch
		if len(p.faults) > 0 {
			rejected = append(rejected, p.faults...)
			continue
		}
		records = append(records, p.record)
	}
	var out outcome
	if done != nil && done.unknown && !done.used && done.rows == len(rows) && !rules.Automatic() {
		done.used = true
		out = done.outcome
	} else {
		known, others, err := m.find(ctx, tx, job.Policy, rules, records)
		if err != nil {
			return nil, err
		}
		out = m.work(ctx, tx.Tenant(), newBatch(job.Policy, rd.at, newID, len(records), known, others), records)
	}
	if out.err != nil {
		return nil, out.err
	}
	return append(rejected, out.rejected...), m.save(ctx, tx, out, fields)
}

// outcome is what a batch comes to.
type outcome struct {
	added    []*customer.Customer
	inserted customer.Insertion // them
	changed  []customer.Changed
	events   outbox.Encoded // of those who were added
	rejected []imports.Rejection
	err      error
}

// work applies the records to the batch.
func (m *importer) work(ctx context.Context, tenant string, b *batch, records []*record) (out outcome) {
	for _, r := range records {
		out.rejected = append(out.rejected, b.take(r)...)
	}
	out.added, out.changed = b.result()
	out.inserted = customer.NewInsertion(out.added...)
	events := make([]outbox.Event, len(out.added))
	for n, c := range out.added {
		events[n] = customer.RegisteredEvent(*c)
	}
	out.events, out.err = m.outbox.Encode(ctx, tenant, events...)
	return out
}

// find locks and gives who is known by an exclusive identity of a record, and others whom a record may be about that names
// nobody by one. Most files are of people whom nobody knows yet: one look tells which identities anybody has at all.
func (m *importer) find(ctx context.Context, tx *pg.Tx, policy imports.Policy, rules *matching.Rules, records []*record) (map[identity.Identity]customer.Customer, others, error) {
	taken, err := taken(ctx, tx, policy, records)
	if err != nil {
		return nil, others{}, err
	}
	var exclusive []identity.Identity
	for i := range taken {
		if i.Type.Exclusive() {
			exclusive = append(exclusive, i)
		}
	}
	var known map[identity.Identity]customer.Customer
	if len(exclusive) > 0 {
		if known, err = customer.LockHolders(ctx, tx, exclusive); err != nil {
			return nil, others{}, err
		}
	}
	if policy == imports.Create {
		return known, others{}, nil
	}
	unnamed := slices.DeleteFunc(slices.Clone(records), func(r *record) bool {
		return slices.ContainsFunc(r.draft.Identities, func(i identity.Identity) bool { _, held := known[i]; return held })
	})
	o, err := m.others(ctx, tx, rules, unnamed, taken)
	return known, o, err
}

// others are customers whom records may be about that name nobody.
type others struct {
	customers []customer.Customer       // locked
	certain   map[uuid.UUID][]uuid.UUID // by the id under which a record would be registered: who it is by the tenant's rules
}

// others locks and gives who is alike to a record by an identity that is taken, or is the same by one of the tenant's
// automatic rules. Where the tenant has none, nothing is asked about them.
func (m *importer) others(ctx context.Context, tx *pg.Tx, rules *matching.Rules, records []*record, taken map[identity.Identity]bool) (others, error) {
	var shared []identity.Identity
	var names []string
	drafts := make([]customer.Customer, len(records))
	for n, r := range records {
		drafts[n] = r.made
		for _, i := range r.shared() {
			if taken[i] {
				shared, names = append(shared, i), append(names, r.name)
			}
		}
	}
	ids, err := sharing(ctx, tx, shared, names)
	if err != nil {
		return others{}, err
	}
	same, err := rules.Certain(ctx, tx, drafts)
	if err != nil {
		return others{}, err
	}
	o := others{certain: make(map[uuid.UUID][]uuid.UUID)}
	for n, of := range same {
		if len(of) > 0 {
			o.certain[drafts[n].ID] = of
			ids = append(ids, of...)
		}
	}
	o.customers, err = lock(ctx, tx, ids)
	return o, err
}

// save queues what the batch came to.
func (m *importer) save(ctx context.Context, tx *pg.Tx, out outcome, fields field.Set) error {
	used := make(map[string]any)
	for _, c := range out.added {
		maps.Copy(used, c.Custom)
	}
	for _, ch := range out.changed {
		maps.Copy(used, ch.Now.Custom)
	}
	for name := range used {
		if _, defined := fields[name]; !defined {
			delete(used, name)
		}
	}
	fields.Use(tx, used)
	if len(out.added) > 0 {
		out.inserted.Queue(tx)
		m.outbox.AppendEncoded(tx, out.events)
	}
	return customer.Save(ctx, tx, m.outbox, out.changed...)
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

func finished(job imports.Job) outbox.Event {
	return outbox.Event{Aggregate: "import", ID: job.ID, Time: job.FinishedAt, Message: &accountsv1.ImportFinished{
		ImportId: job.ID.String(), Kind: job.Kind, Rows: job.Rows, Accepted: job.Accepted, Rejected: job.Rejected,
		FinishedAt: timestamppb.New(job.FinishedAt),
	}}
}
