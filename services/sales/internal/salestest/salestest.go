// Package salestest begins the tests of the rooms of sales: the service as it runs, fed with what accounts would tell.
// Only tests import it.
package salestest

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	referencev1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/reference/v1"
	"github.com/guanxi-crm/guanxi/services/sales"
)

// heard is when accounts told what it tells here.
var heard = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// World is a running service.
type World struct {
	*apptest.Service
	Sales string // the token of somebody who sells for the tenant pizza
	t     *testing.T
	told  map[uuid.UUID]int64 // events of each customer
}

// Start runs the service until the test ends.
func Start(t *testing.T) *World {
	t.Helper()
	s := apptest.Start(t, sales.Module())
	return &World{Service: s, Sales: s.Token(auth.RoleSales, "pizza"), t: t, told: map[uuid.UUID]int64{}}
}

// Tell publishes what accounts tells of a customer of the tenant who is known by ids of the system: that the customer was
// registered, or, from the second time on, changed.
func (w *World) Tell(tenant string, customer uuid.UUID, system string, ids ...string) {
	w.t.Helper()
	refs := make([]*referencev1.ExternalRef, len(ids))
	for n, id := range ids {
		refs[n] = &referencev1.ExternalRef{System: system, Id: id}
	}
	w.told[customer]++
	seq := w.told[customer]
	var message proto.Message = &accountsv1.CustomerRegistered{CustomerId: customer.String(), ExternalRefs: refs}
	if seq > 1 {
		message = &accountsv1.CustomerChanged{CustomerId: customer.String(), ExternalRefs: refs, ChangedFields: []string{"identities"}}
	}
	data, err := protojson.Marshal(message)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Publish("accounts", bus.Event{
		ID: uuid.Must(uuid.NewV7()), Type: string(message.ProtoReflect().Descriptor().FullName()), Source: "/guanxi/accounts", Epoch: 1,
		Tenant: tenant, AggregateType: "customer", AggregateID: customer.String(), Sequence: seq, Time: heard, Data: data,
	})
}
