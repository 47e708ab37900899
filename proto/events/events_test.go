package events_test

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/guanxi-crm/guanxi/proto/events"
	optionsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/options/v1"
)

// promised are the names of all events in the baseline, which is made from the contracts and not from Go code.
func promised(t *testing.T) []string {
	t.Helper()
	raw, err := os.ReadFile("../baseline.binpb")
	if err != nil {
		t.Fatal(err)
	}
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(raw, &set); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range set.GetFile() {
		for _, m := range file.GetMessageType() {
			if proto.HasExtension(m.GetOptions(), optionsv1.E_Event) {
				names = append(names, file.GetPackage()+"."+m.GetName())
			}
		}
	}
	slices.Sort(names)
	return names
}

func TestNoEventOfTheContractsIsForgotten(t *testing.T) {
	t.Parallel()
	var known []string
	for _, e := range events.All() {
		known = append(known, e.Name())
	}
	want := promised(t)
	if len(want) == 0 {
		t.Fatal("the baseline holds no events")
	}
	for _, name := range want {
		if !slices.Contains(known, name) {
			t.Errorf("%s is not known: import its package in events.go", name)
		}
	}
	for _, name := range known {
		if !slices.Contains(want, name) {
			t.Errorf("%s is in no contract", name)
		}
	}
	if !slices.IsSorted(known) {
		t.Errorf("not in order: %v", known)
	}
}

// read gives what an event of the type says of itself. It is written as JSON, since this test must not import what
// events.go could have forgotten.
func read(t *testing.T, name, text string) (events.About, error) {
	t.Helper()
	for _, e := range events.All() {
		if e.Name() == name {
			m := e.New()
			if err := protojson.Unmarshal([]byte(text), m); err != nil {
				t.Fatal(err)
			}
			return e.Read(m)
		}
	}
	t.Fatalf("%s is no event", name)
	return events.About{}, nil
}

func TestEveryExampleSaysWhenItHappened(t *testing.T) {
	t.Parallel()
	for _, e := range events.All() {
		raw, err := os.ReadFile(filepath.Join("..", "examples", e.Name()+".json"))
		if err != nil {
			t.Fatal(err)
		}
		m := e.New()
		if err := protojson.Unmarshal(raw, m); err != nil {
			t.Fatal(err)
		}
		about, err := e.Read(m)
		switch {
		case err != nil || about.At.IsZero():
			t.Errorf("%s: %v, %v", e.Name(), about.At, err)
		case e.Title() == "" || e.Aggregate() == "" || e.Topic() != "guanxi."+e.Service()+".events.v1":
			t.Errorf("%s: title %q, aggregate %q, service %q, topic %q", e.Name(), e.Title(), e.Aggregate(), e.Service(), e.Topic())
		case about.Customer != "" && !e.NamesCustomer():
			t.Errorf("%s is about the customer %s, and names none", e.Name(), about.Customer)
		}
	}
}

func TestAnEventSaysWhatIsShownOfItAndWhichFactsItChanges(t *testing.T) {
	t.Parallel()
	at := time.Date(1997, 1, 12, 9, 30, 0, 0, time.UTC)
	cases := map[string]struct {
		event, text string
		want        events.About
	}{
		"everything": {
			"guanxi.sales.events.v1.OrderPlaced",
			`{"customerId": "c", "channel": "shop", "currency": "USD", "totalMinor": "7700", "units": "2", "placedAt": "1997-01-12T09:30:00Z"}`,
			events.About{
				Customer: "c", At: at,
				Shows: []events.Shown{{"channel", "shop"}, {"currency", "USD"}, {"total_minor", int64(7700)}, {"units", int64(2)}},
				Facts: []events.Change{
					{Name: "orders", Effect: optionsv1.FactEffect_FACT_EFFECT_ADD, Value: 1},
					{Name: "revenue_minor", Unit: "USD", Effect: optionsv1.FactEffect_FACT_EFFECT_ADD, Value: 7700},
				},
			},
		},
		"a customer who is not known yet, and a number that is 0": {
			"guanxi.sales.events.v1.OrderReturned",
			`{"currency": "USD", "amountMinor": "100", "returnedAt": "1997-01-12T09:30:00Z"}`,
			events.About{
				At:    at,
				Shows: []events.Shown{{"currency", "USD"}, {"amount_minor", int64(100)}, {"units", int64(0)}},
				Facts: []events.Change{{Name: "returned_minor", Unit: "USD", Effect: optionsv1.FactEffect_FACT_EFFECT_ADD, Value: 100}},
			},
		},
		"small integers and truths": {
			"guanxi.tickets.events.v1.ComplaintAssessed",
			`{"customerId": "c", "number": "T-000123", "admissible": true, "severity": 2, "assessedAt": "1997-01-12T09:30:00Z"}`,
			events.About{
				Customer: "c", At: at,
				Shows: []events.Shown{{"number", "T-000123"}, {"admissible", true}, {"severity", int64(2)}},
			},
		},
		"a code that counts": {
			"guanxi.tickets.events.v1.TicketStatusChanged",
			`{"customerId": "c", "statusBefore": "new", "status": "pending", "changedAt": "1997-01-12T09:30:00Z"}`,
			events.About{
				Customer: "c", At: at,
				Shows: []events.Shown{{"number", ""}, {"status_before", "new"}, {"status", "pending"}},
				Facts: []events.Change{{Name: "tickets_open", Effect: optionsv1.FactEffect_FACT_EFFECT_SET, Value: 1}},
			},
		},
		"a code that does not": {
			"guanxi.tickets.events.v1.TicketStatusChanged",
			`{"customerId": "c", "statusBefore": "new", "status": "resolved", "changedAt": "1997-01-12T09:30:00Z"}`,
			events.About{
				Customer: "c", At: at,
				Shows: []events.Shown{{"number", ""}, {"status_before", "new"}, {"status", "resolved"}},
				Facts: []events.Change{{Name: "tickets_open", Effect: optionsv1.FactEffect_FACT_EFFECT_SET, Value: 0}},
			},
		},
		"nothing but a customer": {
			"guanxi.sales.events.v1.OrderAttributed", `{"customerId": "c", "attributedAt": "1997-01-12T09:30:00Z"}`,
			events.About{Customer: "c", At: at},
		},
		"about no customer": {
			"guanxi.accounts.events.v1.TenantCreated", `{"tenantId": "music", "createdAt": "1997-01-12T09:30:00Z"}`,
			events.About{At: at},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := read(t, c.event, c.text)
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Fatalf("got %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

func TestSomeEventsAreAContactAndSomeAreNot(t *testing.T) {
	t.Parallel()
	var contacts []string
	for _, e := range events.All() {
		if when, contact := e.Contact(); contact {
			contacts = append(contacts, strings.TrimSpace(e.Service()+" "+e.Title()+" "+when.Field+" "+strings.Join(when.OneOf, " ")))
		}
	}
	want := []string{
		"accounts interaction_recorded", "sales activity_completed kind call meeting visit", "sales quote_sent", "tickets complaint_answered", "tickets complaint_registered", "tickets survey_answered", "tickets ticket_opened", "tickets ticket_replied",
	}
	if !slices.Equal(contacts, want) {
		t.Errorf("got %v, want %v", contacts, want)
	}
}

func TestAnEventWithoutATimeBreaksItsContract(t *testing.T) {
	t.Parallel()
	_, err := read(t, "guanxi.sales.events.v1.OrderPlaced", `{"currency": "USD"}`)
	if err == nil || err.Error() != "placed_at is not a time" {
		t.Fatalf("got %v", err)
	}
}
