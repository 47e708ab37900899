package growth_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/growth"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

type body = map[string]any

// world is a running service whose tenants pizza and music have a growth score.
type world struct {
	*loyaltytest.World
	t *testing.T
}

func start(t *testing.T, change ...func(*programme.Terms)) *world {
	t.Helper()
	w := &world{loyaltytest.Start(t), t}
	for _, tenant := range []string{"pizza", "music"} {
		w.write(tenant, change...)
	}
	return w
}

func standard(change ...func(*programme.Terms)) programme.Terms {
	all := programme.Terms{
		ReturnDays: 14, JoinByPurchase: true, Growth: terms(),
		Categories: []programme.Category{{Code: "coffee", Prefixes: []string{"COF-"}}, {Code: "tea", Prefixes: []string{"TEA-"}}, {Code: "mugs", Prefixes: []string{"MUG-"}}},
	}
	for _, c := range change {
		c(&all)
	}
	return all
}

// write gives the standard programme of a tenant terms of its own.
func (w *world) write(tenant string, change ...func(*programme.Terms)) {
	w.t.Helper()
	w.Want(http.StatusCreated, http.MethodPost, "/v1/programmes", w.Token(auth.RoleManager, tenant),
		body{"code": "standard", "name": "Bean club", "zone": "Asia/Shanghai", "terms": standard(change...)}, nil)
}

// bought is an order of a customer with a line for each article.
func bought(t *testing.T, o *loyaltytest.Order, at time.Time, lines ...*salesv1.OrderLine) bus.Event {
	t.Helper()
	m := &salesv1.OrderPlaced{OrderId: o.ID.String(), Channel: "shop", Currency: "CNY", PlacedAt: timestamppb.New(at)}
	if o.Customer != uuid.Nil {
		m.CustomerId = o.Customer.String()
	}
	for i, l := range lines {
		l.LineNo = int32(i + 1)
		m.Lines, m.Units, m.TotalMinor = append(m.Lines, l), m.Units+1, m.TotalMinor+l.AmountMinor
	}
	return o.Event(t, m)
}

func line(sku string, amount int64) *salesv1.OrderLine {
	return &salesv1.OrderLine{Sku: sku, Quantity: 1, AmountMinor: amount}
}

// back is goods of the order's line that came back.
func back(t *testing.T, o *loyaltytest.Order, no int32, amount int64) bus.Event {
	t.Helper()
	return o.Event(t, &salesv1.OrderReturned{
		ReturnId: uuid.Must(uuid.NewV7()).String(), OrderId: o.ID.String(), CustomerId: o.Customer.String(), Currency: "CNY", Units: 1, AmountMinor: amount,
		Lines: []*salesv1.OrderLine{{LineNo: no, Quantity: 1, AmountMinor: amount}}, ReturnedAt: timestamppb.Now(),
	})
}

// contact is an interaction of a customer, in the direction.
func contact(t *testing.T, tenant string, customer uuid.UUID, direction string, at time.Time) bus.Event {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	data, err := protojson.Marshal(&accountsv1.InteractionRecorded{
		InteractionId: id.String(), CustomerId: customer.String(), Channel: "phone", Direction: direction, OccurredAt: timestamppb.New(at),
	})
	if err != nil {
		t.Fatal(err)
	}
	return bus.Event{
		ID: uuid.Must(uuid.NewV7()), Type: "guanxi.accounts.events.v1.InteractionRecorded", Source: "/guanxi/accounts", Epoch: 1, Tenant: tenant,
		AggregateType: "interaction", AggregateID: id.String(), Sequence: 1, Time: time.Now().UTC(), Data: data,
	}
}

// score is a score as the API shows it.
type score struct {
	Score int
	Told  *struct {
		Score int
		Cause string
	}
	Parts []struct {
		Behaviour string
		Amount    int64
		Points    int
	}
}

func (s score) amount(behaviour string) int64 {
	for _, p := range s.Parts {
		if p.Behaviour == behaviour {
			return p.Amount
		}
	}
	return -1
}

func (w *world) growth(m loyaltytest.Member) (s score) {
	w.t.Helper()
	w.Want(http.StatusOK, http.MethodGet, m.Path+"/growth", w.Manager, nil, &s)
	return s
}

// kept is the score that was kept of a member; -1 where none was.
func (w *world) kept(m loyaltytest.Member) int64 {
	w.t.Helper()
	return w.Count(`SELECT coalesce((SELECT score FROM growth_score WHERE member_id = $1), -1)`, m.MemberID)
}

// becomes waits until the kept score of a member is what was wanted.
func (w *world) becomes(m loyaltytest.Member, want int) {
	w.t.Helper()
	w.Eventually("the score changes", func() bool { return w.kept(m) == int64(want) })
	if got := w.growth(m); got.Score != want {
		w.t.Fatalf("asked for, the score is %+v, want %d", got, want)
	}
}

// at is the capability as it works at another time, with tiers of the test.
func (w *world) at(now time.Time, drive growth.Drive) *growth.Growths {
	return growth.New(w.DB, w.Database.DB(pg.Ops), outbox.New("loyalty"), drive, func() time.Time { return now })
}

// review tells of a review of a member.
func (w *world) review(m loyaltytest.Member, id string, at time.Time) int {
	w.t.Helper()
	return w.Do(http.MethodPost, m.Path+"/behaviours", w.Manager, body{"behaviour_id": id, "kind": "review", "occurred_at": at.UTC().Format(time.RFC3339)}).Status
}
