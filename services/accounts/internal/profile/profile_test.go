package profile_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	ticketsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/tickets/events/v1"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
)

type body = map[string]any

// profile is what the API answers.
type view struct {
	CustomerID string   `json:"customer_id"`
	Aliases    []string `json:"aliases"`
	Kind       string
	State      string
	Names      *struct {
		DisplayName string `json:"display_name"`
	}
	Identities []struct {
		Type, Value string
		Calling     bool
	}
	Calling *struct {
		Phone string
		Known bool
	}
	Addresses []struct {
		Kind  string
		Lines []string
		City  string
	}
	Consents []struct {
		Purpose, Channel, Address, State, Kind string
		Since                                  time.Time
	}
	Child  bool
	Tags   []string
	Stage  string
	Fields []struct {
		Name, Title, Class string
		Value              any
	}
	Insights []struct {
		Name, Text string
		About      string `json:"about_customer_id"`
	}
	Facts struct {
		Grade, Tier     string
		ChurnRisk       *float64 `json:"churn_risk"`
		NextBestAction  string   `json:"next_best_action"`
		PointsAvailable *int64   `json:"points_available"`
		Orders          *int64
		OpenTickets     *int64     `json:"open_tickets"`
		OpenComplaints  *int64     `json:"open_complaints"`
		LastContactAt   *time.Time `json:"last_contact_at"`
		LifetimeValue   []struct {
			Currency    string
			AmountMinor int64 `json:"amount_minor"`
		} `json:"lifetime_value"`
	}
	Orders []struct {
		At      time.Time
		Title   string
		OrderID string `json:"order_id"`
		Details map[string]any
	}
	Purpose  string
	Withheld []struct{ Class, Why string }
	AsOf     []struct {
		Service string
		At      time.Time
	} `json:"as_of"`
}

func (p view) withheld() (texts []string) {
	for _, w := range p.Withheld {
		texts = append(texts, w.Class+" "+w.Why)
	}
	return texts
}

func (p view) identities() (texts []string) {
	for _, i := range p.Identities {
		text := i.Type + " " + i.Value
		if i.Calling {
			text += " calling"
		}
		texts = append(texts, text)
	}
	return texts
}

func (p view) consents() (texts []string) {
	for _, c := range p.Consents {
		texts = append(texts, strings.Join(strings.Fields(strings.Join([]string{c.Purpose, c.Channel, c.Address, c.State}, " ")), " "))
	}
	return texts
}

func (p view) fields() (names []string) {
	for _, f := range p.Fields {
		names = append(names, f.Name)
	}
	return names
}

func (p view) insights() (names []string) {
	for _, i := range p.Insights {
		names = append(names, i.Name)
	}
	return names
}

// world is a pizza shop with Li Lei, who has told it much, and Li Lei's mother.
type world struct {
	*accountstest.World
	t           *testing.T
	lei, mother string
	seq         map[string]int64
}

// secrets are values that an agent who takes an order must never see.
var secrets = []string{"AB-negative", "7734512", "Das Kapital", "gluten", "sugar-free-for-mother", "grant-no-credit", "Schubert"}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{World: accountstest.Start(t), t: t, seq: make(map[string]int64)}
	var made struct {
		CustomerID string `json:"customer_id"`
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", w.Token(auth.RoleIntegrator, "pizza"), body{
		"family_name": "李", "given_name": "雷", "source": "till", "identities": []body{
			{"type": "phone", "value": "138 0013 8000"}, {"type": "phone", "value": "010 6552 9988"}, {"type": "email", "value": "li.lei@example.com"},
			{"type": "card", "value": "VIP-0017"},
		},
	}, &made)
	w.lei, w.mother = made.CustomerID, w.Customer(t, "pizza", "person", "王芳")
	for name, class := range map[string]string{"topping": "behaviour", "blood_group": "health", "balance": "financial", "loans": "special", "allergy": "health"} {
		w.AsSuperuser(t, `INSERT INTO custom_field (tenant_id, name, title, type, class, archived, version, created_at, changed_at)
			VALUES ('pizza', $1, 'The ' || $1, 'text', $2, $1 = 'allergy', 1, now(), now())`, name, class)
	}
	w.AsSuperuser(t, `UPDATE customer SET tags = '{regular}', custom = '{"topping": "mushrooms", "blood_group": "AB-negative", "balance": "7734512",
		"loans": "Das Kapital", "allergy": "gluten", "undefined": "Schubert"}' WHERE id = $1`, w.lei)
	w.AsSuperuser(t, `INSERT INTO customer_address (tenant_id, id, customer_id, kind, lines, city, region, postal_code, country, added_at)
		VALUES ('pizza', gen_random_uuid(), $1, 'delivery', '{"建国路 1 号","302 室"}', '北京', '', '100020', 'CN', now())`, w.lei)
	w.say(w.lei, "next_best_action", body{"kind": "recommendation", "text": "offer-dessert", "input_classes": []string{"behaviour"}})
	w.say(w.lei, "credit", body{"kind": "recommendation", "text": "grant-no-credit", "input_classes": []string{"behaviour", "financial"}})
	w.say(w.lei, "dessert", body{"kind": "recommendation", "text": "sugar-free-for-mother", "input_classes": []string{"health"}, "about_customer_id": w.mother})
	w.say(w.lei, "grade", body{"kind": "segment", "text": "A", "input_classes": []string{"behaviour"}})
	w.say(w.lei, "tier", body{"kind": "segment", "text": "gold", "input_classes": []string{"behaviour"}})
	w.say(w.lei, "churn_risk", body{"kind": "score", "number": 0.25, "input_classes": []string{"behaviour"}})
	return w
}

// say attaches an insight, as another system does.
func (w *world) say(customer, name string, insight body) {
	w.t.Helper()
	if insight["computed_at"] == nil {
		insight["computed_at"] = "2026-11-20T08:00:00Z"
	}
	w.Want(http.StatusOK, http.MethodPut, "/v1/customers/"+customer+"/insights/"+name, w.Token(auth.RoleIntegrator, "pizza"), insight, nil)
}

func (w *world) profile(role, customer, query string) (p view) {
	w.t.Helper()
	w.Want(http.StatusOK, http.MethodGet, "/v1/customers/"+customer+"/profile"+query, w.Token(role, "pizza"), nil, &p)
	return p
}

// told publishes what another service tells.
func (w *world) told(aggregate, id string, m proto.Message) {
	w.t.Helper()
	data, err := protojson.Marshal(m)
	if err != nil {
		w.t.Fatal(err)
	}
	w.seq[id]++
	d := m.ProtoReflect().Descriptor()
	topic := string(d.ParentFile().Package())
	service := strings.Split(topic, ".")[1]
	w.Publish(service, bus.Event{
		ID: newID(), Type: string(d.FullName()), Source: "/guanxi/test", Tenant: "pizza", Epoch: 1, Topic: topic, AggregateType: aggregate,
		AggregateID: id, Sequence: w.seq[id], Time: heard, Data: data,
	})
}

var heard = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func on(day int) *timestamppb.Timestamp {
	return timestamppb.New(time.Date(2026, 11, day, 12, 0, 0, 0, time.UTC))
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

func (w *world) ordered(customer string, day int, total int64) (order string) {
	order = newID().String()
	w.told("order", order, &salesv1.OrderPlaced{
		OrderId: order, CustomerId: customer, Channel: "shop", Currency: "CNY", Units: 2, TotalMinor: total, PlacedAt: on(day),
	})
	return order
}

// entries waits until so many entries of other services stand on timelines.
func (w *world) entries(n int64) {
	w.t.Helper()
	w.Eventually(fmt.Sprintf("%d entries", n), func() bool {
		return w.Count(`SELECT count(*) FROM timeline_entry WHERE aggregate <> 'customer'`) == n
	})
}

// TestAnAgentWhoTakesAnOrderSeesWhatThatNeedsAndNoMore is the story by which the platform is judged: somebody shows a
// membership card at the counter of a pizza shop, or calls.
func TestAnAgentWhoTakesAnOrderSeesWhatThatNeedsAndNoMore(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.ordered(w.lei, 20, 14800)
	w.ordered(w.lei, 21, 6900)
	w.entries(2)
	agent := w.Token(auth.RoleAgent, "pizza")

	var found struct {
		Items []struct {
			CustomerID string `json:"customer_id"`
		}
	}
	lookup := w.Want(http.StatusOK, http.MethodGet, "/v1/customers/lookup?type=card&value=vip0017", agent, nil, &found)
	if len(found.Items) != 1 || found.Items[0].CustomerID != w.lei {
		t.Fatalf("the card finds %s", lookup.Body)
	}
	path := "/v1/customers/" + w.lei
	whole := w.Want(http.StatusOK, http.MethodGet, path+"/profile?purpose=order_taking&calling="+url.QueryEscape("138 0013 8000"), agent, nil, nil)
	var p view
	whole.Decode(t, &p)
	if p.CustomerID != w.lei || p.Names == nil || p.Names.DisplayName != "李雷" || p.Kind != "person" || p.State != "active" || p.Purpose != "order_taking" {
		t.Errorf("who it is: %s", whole.Body)
	}
	if want := []string{"card VIP0017", "email li.lei@example.com", "phone +861065529988", "phone +8613800138000 calling"}; !slices.Equal(p.identities(), want) {
		t.Errorf("identities %v, want %v", p.identities(), want)
	}
	if p.Calling == nil || p.Calling.Phone != "+8613800138000" || !p.Calling.Known {
		t.Errorf("calling: %+v", p.Calling)
	}
	if len(p.Addresses) != 1 || p.Addresses[0].City != "北京" || len(p.Addresses[0].Lines) != 2 {
		t.Errorf("addresses: %+v", p.Addresses)
	}
	if len(p.Orders) != 2 || p.Orders[0].Title != "order_placed" || p.Orders[0].Details["total_minor"] != 6900.0 {
		t.Errorf("orders: %+v", p.Orders)
	}
	if p.Facts.NextBestAction != "offer-dessert" || !slices.Equal(p.insights(), []string{"churn_risk", "grade", "next_best_action", "tier"}) {
		t.Errorf("recommended is %q of %v", p.Facts.NextBestAction, p.insights())
	}
	if !slices.Equal(p.fields(), []string{"topping"}) || p.Fields[0].Value != "mushrooms" || p.Fields[0].Title != "The topping" {
		t.Errorf("fields: %+v", p.Fields)
	}
	if want := []string{"financial not_for_purpose", "health not_for_purpose", "special not_for_purpose"}; !slices.Equal(p.withheld(), want) {
		t.Errorf("withheld %v", p.withheld())
	}

	answers := map[string][]byte{"lookup": lookup.Body, "profile": whole.Body}
	for name, path := range map[string]string{
		"the customer": path, "the list": "/v1/customers?limit=200", "the timeline": path + "/timeline", "insights": path + "/insights",
		"with a reason": path + "/profile?reason=T-000123", "for service": path + "/profile?purpose=service&reason=T-000123",
		"the mother": "/v1/customers/" + w.mother + "/profile",
	} {
		answers[name] = w.Want(http.StatusOK, http.MethodGet, path, agent, nil, nil).Body
	}
	for name, answer := range answers {
		for _, secret := range secrets {
			if bytes.Contains(answer, []byte(secret)) {
				t.Errorf("%s tells %q: %s", name, secret, answer)
			}
		}
	}
	if refused := w.Do(http.MethodGet, path+"/profile?purpose=care&reason=T-000123", agent, nil); refused.Status != http.StatusForbidden || refused.Code() != "purpose_not_allowed" {
		t.Errorf("an agent who gives care: %d %s", refused.Status, refused.Body)
	}
	if n := w.Count(`SELECT count(*) FROM access_log`); n != 0 {
		t.Errorf("%d looks at sensitive data are logged, and there was none", n)
	}
}

func TestWhoMaySeeSensitiveDataSeesItAndTheLogTells(t *testing.T) {
	t.Parallel()
	w := start(t)
	p := w.profile(auth.RoleManager, w.lei, "?purpose=care")
	if len(p.Fields) > 0 || !slices.Contains(p.withheld(), "health reason_required") {
		t.Errorf("without a reason: %v, withheld %v", p.fields(), p.withheld())
	}
	p = w.profile(auth.RoleManager, w.lei, "?purpose=care&reason=T-000123")
	if !slices.Equal(p.fields(), []string{"blood_group"}) || !slices.Equal(p.insights(), []string{"dessert"}) || p.Insights[0].About != w.mother {
		t.Errorf("care: %v and %v", p.fields(), p.insights())
	}
	if len(p.Orders) > 0 || p.Facts.Orders != nil || p.Facts.Grade != "" || p.Stage != "" || p.Tags != nil {
		t.Errorf("care does not need to know what the customer does: %+v", p)
	}
	p = w.profile(auth.RoleManager, w.lei, "?purpose=credit&reason=T-000123")
	if !slices.Equal(p.fields(), []string{"balance"}) || len(p.Insights) > 0 { // credit was drawn from behaviour as well
		t.Errorf("credit: %v and %v", p.fields(), p.insights())
	}
	p = w.profile(auth.RoleAdmin, w.lei, "?reason=audit-7")
	if !slices.Equal(p.fields(), []string{"balance", "blood_group", "loans", "topping"}) || len(p.Withheld) > 0 || len(p.Insights) != 6 {
		t.Errorf("administration: %v and %v, withheld %v", p.fields(), p.insights(), p.withheld())
	}
	var log struct {
		Items []struct {
			Subject, Purpose, Reason, View string
			Customer                       string `json:"customer_id"`
			Classes                        []string
		}
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/access-log", w.Token(auth.RoleAdmin, "pizza"), nil, &log)
	var got []string
	who := map[string]string{w.lei: "lei", w.mother: "mother"}
	for _, e := range log.Items {
		got = append(got, fmt.Sprint(e.Subject, " ", e.Purpose, " ", e.Reason, " ", e.View, " ", who[e.Customer], " ", strings.Join(e.Classes, "+")))
	}
	slices.Reverse(got)
	want := []string{
		"manager@pizza care T-000123 profile lei health", "manager@pizza care T-000123 profile mother health",
		"manager@pizza credit T-000123 profile lei financial",
		"admin@pizza administration audit-7 profile lei financial+health+special", "admin@pizza administration audit-7 profile mother health",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the log tells\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestALookThatCannotBeLoggedIsNotAnswered(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.AsSuperuser(t, `DO $$ BEGIN EXECUTE format('REVOKE INSERT ON access_log FROM %I', guanxi_role('app')); END $$`)
	path := "/v1/customers/" + w.lei
	for _, view := range []string{path + "/profile?purpose=care&reason=T-000123", path + "/insights?purpose=care&reason=T-000123"} {
		answer := w.Do(http.MethodGet, view, w.Token(auth.RoleManager, "pizza"), nil)
		if answer.Status < 500 || bytes.Contains(answer.Body, []byte("AB-negative")) || bytes.Contains(answer.Body, []byte("sugar-free")) {
			t.Errorf("%s: %d %s", view, answer.Status, answer.Body)
		}
	}
	if p := w.profile(auth.RoleManager, w.lei, "?purpose=care"); p.CustomerID != w.lei {
		t.Errorf("what is not sensitive: %+v", p)
	}
}

func TestAnAnalystDoesNotLearnWhoItIs(t *testing.T) {
	t.Parallel()
	w := start(t)
	answer := w.Want(http.StatusOK, http.MethodGet, "/v1/customers/"+w.lei+"/profile?purpose=analysis&calling=13800138000", w.Token(auth.RoleMarketing, "pizza"), nil, nil)
	for _, secret := range append([]string{"李", "雷", "13800138000", "65529988", "li.lei", "VIP0017", "北京"}, secrets...) {
		if bytes.Contains(answer.Body, []byte(secret)) {
			t.Errorf("the analysis tells %q", secret)
		}
	}
	var p view
	answer.Decode(t, &p)
	if p.Facts.Grade != "A" || !slices.Contains(p.withheld(), "identity not_for_purpose") || !slices.Contains(p.withheld(), "contact not_for_purpose") {
		t.Errorf("%s", answer.Body)
	}
}

func TestTheFactsOfAProfileComeOfEveryService(t *testing.T) {
	t.Parallel()
	w := start(t)
	order := w.ordered(w.lei, 20, 14800)
	w.told("order", order, &salesv1.OrderReturned{
		ReturnId: newID().String(), OrderId: order, CustomerId: w.lei, Currency: "CNY", Units: 1, AmountMinor: 4800, ReturnedAt: on(21),
	})
	w.told("member", newID().String(), &loyaltyv1.PointsEarned{CustomerId: w.lei, Points: 20, EarnedAt: on(20), AvailableAt: on(20), Available: 148})
	first, second := newID().String(), newID().String()
	for _, id := range []string{first, second} {
		w.told("ticket", id, &ticketsv1.TicketOpened{TicketId: id, CustomerId: w.lei, Kind: "enquiry", Channel: "phone", Priority: 3, OpenedAt: on(22)})
	}
	for _, status := range []string{"open", "pending", "resolved"} {
		w.told("ticket", first, &ticketsv1.TicketStatusChanged{TicketId: first, CustomerId: w.lei, Status: status, ChangedAt: on(25)})
	}
	w.told("interaction", newID().String(), &accountsv1.InteractionRecorded{CustomerId: w.lei, Channel: "phone", Direction: "inbound", OccurredAt: on(24)})
	w.entries(9)
	p := w.profile(auth.RoleAgent, w.lei, "")
	f := p.Facts
	if *f.Orders != 1 || *f.PointsAvailable != 148 || *f.OpenTickets != 1 || *f.OpenComplaints != 0 || f.Grade != "A" || f.Tier != "gold" || *f.ChurnRisk != 0.25 {
		t.Errorf("facts %+v", f)
	}
	if len(f.LifetimeValue) != 1 || f.LifetimeValue[0].Currency != "CNY" || f.LifetimeValue[0].AmountMinor != 10000 {
		t.Errorf("lifetime value %+v", f.LifetimeValue)
	}
	if f.LastContactAt == nil || !f.LastContactAt.Equal(on(24).AsTime()) {
		t.Errorf("last contact %v", f.LastContactAt)
	}
	var services []string
	for _, a := range p.AsOf {
		services = append(services, a.Service)
		if a.Service == "sales" && !a.At.Equal(heard) {
			t.Errorf("sales as of %v", a.At)
		}
	}
	if !slices.Equal(services, []string{"accounts", "loyalty", "sales", "tickets"}) {
		t.Errorf("as of %v", services)
	}
}

// TestOnlySomeOfWhatSellersDidWasAContact has a seller's task be none, however late it was done, and a call be one.
func TestOnlySomeOfWhatSellersDidWasAContact(t *testing.T) {
	t.Parallel()
	w := start(t)
	done := func(kind string, day int) {
		id := newID().String()
		w.told("activity", id, &salesv1.ActivityCompleted{ActivityId: id, CustomerId: w.lei, Kind: kind, Outcome: "call", CompletedAt: on(day)})
	}
	for entries, c := range []struct {
		kind string
		day  int
		want int // day of the last contact; 0: none
	}{{"task", 22, 0}, {"call", 20, 20}, {"meeting", 21, 21}, {"task", 24, 21}, {"visit", 23, 23}} {
		done(c.kind, c.day)
		w.entries(int64(1 + entries))
		got := w.profile(auth.RoleAgent, w.lei, "").Facts.LastContactAt
		if c.want == 0 && got != nil || c.want != 0 && (got == nil || !got.Equal(on(c.want).AsTime())) {
			t.Errorf("after the %s of the %d. the last contact is %v, want the %d.", c.kind, c.day, got, c.want)
		}
	}
}

func TestAnotherTelephoneMayBeCalling(t *testing.T) {
	t.Parallel()
	w := start(t)
	p := w.profile(auth.RoleAgent, w.lei, "?calling="+url.QueryEscape("+1 202 555 0123"))
	if p.Calling == nil || p.Calling.Phone != "+12025550123" || p.Calling.Known || slices.ContainsFunc(p.identities(), func(i string) bool { return strings.HasSuffix(i, "calling") }) {
		t.Errorf("%+v %v", p.Calling, p.identities())
	}
	if p := w.profile(auth.RoleAgent, w.lei, ""); p.Calling != nil {
		t.Errorf("nobody calls, and %+v", p.Calling)
	}
}

func TestWhatIsOverIsNotShown(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.say(w.lei, "offer", body{"kind": "recommendation", "text": "offer-wine", "input_classes": []string{"behaviour"}, "valid_until": "2026-11-21T08:00:00Z"})
	w.AsSuperuser(t, `UPDATE customer_identity SET valid_to = now() - interval '1 day' WHERE value = '+861065529988'`)
	w.AsSuperuser(t, `UPDATE customer_identity SET valid_from = now() + interval '1 day' WHERE value = 'VIP0017'`)
	p := w.profile(auth.RoleAgent, w.lei, "")
	if want := []string{"email li.lei@example.com", "phone +8613800138000"}; !slices.Equal(p.identities(), want) {
		t.Errorf("identities %v, want %v", p.identities(), want)
	}
	if slices.Contains(p.insights(), "offer") {
		t.Error("a recommendation is shown after its time")
	}
}

func TestAProfileIsThatOfAllWhoWereMerged(t *testing.T) {
	t.Parallel()
	w := start(t)
	var twin struct {
		CustomerID string `json:"customer_id"`
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", w.Token(auth.RoleIntegrator, "pizza"), body{
		"display_name": "Lei Li", "allow_duplicate": true, "identities": []body{{"type": "phone", "value": "138 0013 8000"}, {"type": "external:shop", "value": "77"}},
	}, &twin)
	w.say(twin.CustomerID, "next_best_action", body{"kind": "recommendation", "text": "offer-coffee", "input_classes": []string{"behaviour"}, "computed_at": "2026-11-21T08:00:00Z"})
	// The newest of a name holds, also where it is out of sight: what is older is not shown in its stead.
	w.say(twin.CustomerID, "grade", body{"kind": "segment", "text": "B", "input_classes": []string{"financial"}, "computed_at": "2026-11-21T08:00:00Z"})
	w.ordered(w.lei, 20, 100)
	w.ordered(twin.CustomerID, 21, 200)
	w.entries(2)
	before := w.profile(auth.RoleAgent, w.lei, "")
	w.Absorb(t, "pizza", w.lei, twin.CustomerID)
	for _, id := range []string{w.lei, twin.CustomerID} {
		p := w.profile(auth.RoleAgent, id, "?calling=13800138000")
		if p.CustomerID != w.lei || !slices.Equal(p.Aliases, []string{twin.CustomerID}) || p.Names.DisplayName != "李雷" {
			t.Errorf("%s is %s, also %v", id, p.CustomerID, p.Aliases)
		}
		want := []string{"card VIP0017", "email li.lei@example.com", "phone +861065529988", "phone +8613800138000 calling", "external:shop 77"}
		if !slices.Equal(p.identities(), want) {
			t.Errorf("identities %v", p.identities())
		}
		if len(p.Orders) != 2 || *p.Facts.Orders != 2 || p.Facts.LifetimeValue[0].AmountMinor != 300 || p.Orders[0].Details["total_minor"] != 200.0 {
			t.Errorf("orders %+v, facts %+v", p.Orders, p.Facts)
		}
		if p.Facts.NextBestAction != "offer-coffee" || p.Facts.Grade != "" {
			t.Errorf("next %q, grade %q", p.Facts.NextBestAction, p.Facts.Grade)
		}
	}
	w.Restore(t, "pizza", w.lei, twin.CustomerID)
	after := w.profile(auth.RoleAgent, w.lei, "")
	if fmt.Sprint(after.identities(), after.Orders, after.insights(), after.Aliases) != fmt.Sprint(before.identities(), before.Orders, before.insights(), before.Aliases) {
		t.Errorf("after the merge was undone: %+v, before it: %+v", after, before)
	}
	if p := w.profile(auth.RoleAgent, twin.CustomerID, ""); len(p.Orders) != 1 || p.Facts.NextBestAction != "offer-coffee" {
		t.Errorf("the other one: %+v", p)
	}
}

func TestTheStateOfACustomerDecidesWhetherThereIsAProfile(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.Put(t, "pizza", w.lei, "archived")
	if p := w.profile(auth.RoleAgent, w.lei, ""); p.State != "archived" {
		t.Errorf("%+v", p)
	}
	w.Put(t, "pizza", w.lei, "erased")
	path := "/v1/customers/" + w.lei
	for _, view := range []string{path + "/profile", path + "/profile?reason=T-1", path + "/insights", path + "/timeline"} {
		if answer := w.Do(http.MethodGet, view, w.Token(auth.RoleAdmin, "pizza"), nil); answer.Status != http.StatusGone || answer.Code() != "customer_erased" {
			t.Errorf("%s of an erased one: %d %s", view, answer.Status, answer.Body)
		}
	}
	if n := w.Count(`SELECT count(*) FROM access_log`); n != 0 {
		t.Errorf("%d looks at nobody are logged", n)
	}
}
