package order

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/externalref"
	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	referencev1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/reference/v1"
	"github.com/guanxi-crm/guanxi/services/sales/internal/customerref"
)

// Customers is the consumer that learns from accounts whom other systems mean by their ids, and gives the orders that
// waited for it to their customers.
func (o *Orders) Customers() inbox.Consumer {
	return inbox.Consumer{
		Name:    "customers",
		Topics:  []string{bus.TopicFor("accounts")},
		Ordered: true,
		Handles: []proto.Message{&accountsv1.CustomerRegistered{}, &accountsv1.CustomerChanged{}},
		Apply:   o.learn,
	}
}

// Erase takes the names by which other systems know the customers out of the books, and out of rows of files that were not
// taken. Orders stay, without anything that tells whose they were but the id.
func Erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]erasure.Erased, error) {
	forgotten := customerref.Erase(tx, customers)
	inOrders := eraseNames(tx, customers)
	left, known := namesLeft(tx, customers)
	if err := tx.Flush(ctx); err != nil {
		return nil, err
	}
	inFiles, err := imports.Erase(ctx, tx, append(slices.Clone(*inOrders), *forgotten...))
	return []erasure.Erased{
		{What: "order", Count: int64(len(*inOrders)), Left: *left},
		{What: "customer_ref", Count: int64(len(*forgotten)), Left: *known},
		{What: "import_rejection", Count: inFiles},
	}, err
}

func (o *Orders) learn(ctx context.Context, tx *pg.Tx, events []inbox.Event) error {
	customers := make(map[externalref.Ref]uuid.UUID)
	for _, e := range events {
		var (
			id   string
			refs []*referencev1.ExternalRef
		)
		switch m := e.Message.(type) {
		case *accountsv1.CustomerRegistered:
			id, refs = m.GetCustomerId(), m.GetExternalRefs()
		case *accountsv1.CustomerChanged:
			id, refs = m.GetCustomerId(), m.GetExternalRefs()
		}
		customer, err := uuid.Parse(id)
		if err != nil {
			return problem.New(problem.Unprocessable, "event_malformed", "customer_id must be a UUID.").Because(err)
		}
		for _, r := range refs {
			customers[externalref.Ref{System: r.GetSystem(), ID: r.GetId()}] = customer
		}
	}
	if err := forget(ctx, tx, customers); err != nil || len(customers) == 0 {
		return err
	}
	customerref.Learn(tx, customers)
	attributed, err := attribute(ctx, tx, customers)
	if err != nil || len(attributed) == 0 {
		return err
	}
	at := o.now()
	told := make([]outbox.Event, 0, len(attributed))
	for order, customer := range attributed {
		told = append(told, attributedEvent(order, customer, at))
	}
	slices.SortFunc(told, func(a, b outbox.Event) int { return strings.Compare(a.ID.String(), b.ID.String()) })
	return o.outbox.Append(ctx, tx, told...)
}

// forget takes the names of erased customers out: a topic that is read from its start must not bring them back.
func forget(ctx context.Context, tx *pg.Tx, customers map[externalref.Ref]uuid.UUID) error {
	if len(customers) == 0 {
		return nil
	}
	erased := erasure.Known(tx, slices.Collect(maps.Values(customers)))
	if err := tx.Flush(ctx); err != nil {
		return err
	}
	maps.DeleteFunc(customers, func(_ externalref.Ref, customer uuid.UUID) bool { return erased[customer] })
	return nil
}
