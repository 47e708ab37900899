package apptest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	erasurev1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/erasure/activities/v1"
)

// Accounts tells a service what accounts would of the customers of a tenant.
type Accounts struct {
	service *Service
	tenant  string
	told    map[uuid.UUID]int64 // events of each customer
}

// Accounts is accounts, for a service that is another one.
func (s *Service) Accounts(tenant string) *Accounts {
	return &Accounts{service: s, tenant: tenant, told: make(map[uuid.UUID]int64)}
}

// Event makes the next event of a customer; it is published by the caller, when and as often as wanted.
func (a *Accounts) Event(customer uuid.UUID, m proto.Message) bus.Event {
	a.service.t.Helper()
	data, err := protojson.Marshal(m)
	if err != nil {
		a.service.t.Fatal(err)
	}
	a.told[customer]++
	return bus.Event{
		ID: uuid.Must(uuid.NewV7()), Type: string(m.ProtoReflect().Descriptor().FullName()), Source: "/guanxi/accounts", Epoch: 1,
		Tenant: a.tenant, AggregateType: "customer", AggregateID: customer.String(), Sequence: a.told[customer], Time: time.Now().UTC(), Data: data,
	}
}

// Absorbed is the event by which the customer's id means the survivor.
func (a *Accounts) Absorbed(customer, survivor uuid.UUID) bus.Event {
	return a.Event(customer, &accountsv1.CustomerAbsorbed{
		CustomerId: customer.String(), SurvivorId: survivor.String(), MergeId: uuid.Must(uuid.NewV7()).String(), AbsorbedAt: timestamppb.Now(),
	})
}

// Restored is the event by which the customer is one of its own again.
func (a *Accounts) Restored(customer, survivor uuid.UUID) bus.Event {
	return a.Event(customer, &accountsv1.CustomerRestored{
		CustomerId: customer.String(), SurvivorId: survivor.String(), MergeId: uuid.Must(uuid.NewV7()).String(), RestoredAt: timestamppb.Now(),
	})
}

// Erased is the event by which the customer is erased.
func (a *Accounts) Erased(customer uuid.UUID) bus.Event {
	return a.Event(customer, &accountsv1.CustomerErased{
		CustomerId: customer.String(), ErasureId: uuid.Must(uuid.NewV7()).String(), ErasedAt: timestamppb.Now(),
	})
}

// Merge tells of a merge and waits until the service reads the customer as the survivor.
func (a *Accounts) Merge(customer, survivor uuid.UUID) {
	a.service.t.Helper()
	a.service.Publish("accounts", a.Absorbed(customer, survivor))
	a.service.Eventually("the merge is heard of", func() bool { return a.heard(customer) })
}

// Undo tells that a merge was undone and waits until the service has heard it.
func (a *Accounts) Undo(customer, survivor uuid.UUID) {
	a.service.t.Helper()
	a.service.Publish("accounts", a.Restored(customer, survivor))
	a.service.Eventually("the undo is heard of", func() bool { return a.heard(customer) })
}

// heard tells whether the service has heard the last event of the customer, which was about a merge.
func (a *Accounts) heard(customer uuid.UUID) bool {
	return a.service.Count(`SELECT count(*) FROM customer_alias WHERE tenant_id = $1 AND customer_id = $2 AND seq >= $3`,
		a.tenant, customer, a.told[customer]) == 1
}

// Erase tells that the customer was erased and waits until the service has erased it.
func (a *Accounts) Erase(customer uuid.UUID) {
	a.service.t.Helper()
	a.service.Publish("accounts", a.Erased(customer))
	a.service.Eventually("the erasure is heard of", func() bool {
		return a.service.Count(`SELECT count(*) FROM erased_customer WHERE tenant_id = $1 AND customer_id = $2`, a.tenant, customer) == 1
	})
}

// AskToErase asks the service, as the workflow of an erasure of the tenant does it, by the names of the contracts: what holds
// the customers back, and then, whatever that is, to erase them.
func (s *Service) AskToErase(tenant string, customers ...uuid.UUID) (holds []*erasurev1.Hold, erased []*erasurev1.Erased) {
	s.t.Helper()
	id := uuid.Must(uuid.NewV7()).String()
	env := flowtest.Environment(s.t, auth.Principal{Subject: "erasure", Tenant: tenant}, "erasure/"+tenant+"/"+id)
	if s.worker == nil {
		s.t.Fatal("the service has no worker")
	}
	s.worker(env)
	ids := make([]string, len(customers))
	for i, c := range customers {
		ids[i] = c.String()
	}
	var check erasurev1.CheckErasureResult
	var erase erasurev1.EraseCustomerResult
	env.ExecuteWorkflow(func(ctx workflow.Context) error {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
		checking, erasing := &erasurev1.CheckErasure{CustomerIds: ids}, &erasurev1.EraseCustomer{ErasureId: id, CustomerIds: ids}
		if err := workflow.ExecuteActivity(ctx, flow.ActivityName(checking), checking).Get(ctx, &check); err != nil {
			return err
		}
		return workflow.ExecuteActivity(ctx, flow.ActivityName(erasing), erasing).Get(ctx, &erase)
	})
	if err := env.GetWorkflowError(); err != nil {
		s.t.Fatalf("asked to erase: %v", err)
	}
	return check.GetHolds(), erase.GetErased()
}

// Mentions gives the tables in which a text stands, in any row of any tenant and in any column, as "schema.table: text". It
// sees all that the database has, the queues of events included.
func (s *Service) Mentions(texts ...string) []string {
	s.t.Helper()
	ctx := s.t.Context()
	conn, err := pgx.Connect(ctx, s.Database.AdminURL())
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	rows, err := conn.Query(ctx, `SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables
		WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`)
	if err != nil {
		s.t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		s.t.Fatal(err)
	}
	var found []string
	for _, table := range tables {
		for _, text := range texts {
			var there bool
			// A column of bytes shows as hexadecimal digits.
			err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM `+table+` AS r WHERE strpos(lower(r::text), lower($1)) > 0 OR strpos(r::text, $2) > 0)`,
				text, fmt.Sprintf("%x", text)).Scan(&there)
			if err != nil {
				s.t.Fatal(err)
			}
			if there {
				found = append(found, table+": "+strings.TrimSpace(text))
			}
		}
	}
	return found
}
