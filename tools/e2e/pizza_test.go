package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-crm/guanxi/tools/devstack/demo"
	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// unseen is what other systems know of the pizza shop's customer and his mother, by the custom field that holds it.
var unseen = map[string]string{
	"health_record": "insulin twice a day", "bank_balance": "18 442 017", "library_loans": "The Anatomy of Melancholy",
}

// TestTheAgentOfThePizzaShopSeesWhatTheOrderNeeds plays the call: an agent types the number of a membership card, sees who is
// calling from which telephone, where the pizza goes, what was ordered before and what to offer, and never what other systems
// have attached to the same customer or his mother. Whoever may see some of it does, and the log tells.
func TestTheAgentOfThePizzaShopSeesWhatTheOrderNeeds(t *testing.T) {
	t.Parallel()
	in := install(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	in.persist(ctx, "tenants", func() error { return in.at().Tenants(ctx) })
	d := in.desk()
	lei := in.pizzaCustomer(ctx, d)

	var found struct{ Items []client.Customer }
	raw := in.ask(ctx, d.agent, "/v1/customers/lookup", url.Values{"type": {"card"}, "value": {"PIZZA-0017"}}, &found)
	if len(found.Items) != 1 || found.Items[0].CustomerID != lei {
		t.Fatalf("the card leads to %s", raw)
	}
	answers := []string{raw}
	var p struct {
		Names struct {
			DisplayName string `json:"display_name"`
		} `json:"names"`
		Addresses  []struct{ City string } `json:"addresses"`
		Identities []struct {
			Type, Value string
			Calling     bool
		} `json:"identities"`
		Facts struct {
			NextBestAction string `json:"next_best_action"`
		} `json:"facts"`
		Orders   []struct{ Title string } `json:"orders"`
		Withheld []struct{ Class string } `json:"withheld"`
	}
	in.eventually(time.Minute, func() error { // the order is on its way to the timeline
		answers = append(answers, in.ask(ctx, d.agent, "/v1/customers/"+lei+"/profile",
			url.Values{"purpose": {"order_taking"}, "calling": {"138 0013 8077"}}, &p))
		if len(p.Orders) == 0 {
			return fmt.Errorf("no past order yet")
		}
		return nil
	})
	calling := ""
	for _, i := range p.Identities {
		if i.Calling {
			calling += i.Type + " " + i.Value
		}
	}
	if p.Names.DisplayName != "韩雷" || len(p.Addresses) != 1 || calling != "phone +8613800138077" || p.Facts.NextBestAction != "offer_dessert" {
		t.Fatalf("the agent sees %+v", p)
	}
	if len(p.Withheld) != 3 {
		t.Errorf("three classes are left out, and that is said: %+v", p.Withheld)
	}

	// Whatever else the agent asks, and for whatever reason.
	for _, path := range []string{"", "/timeline", "/insights", "/insights/credit", "/profile?purpose=order_taking&reason=curious", "/relationships", "/interactions"} {
		answers = append(answers, in.ask(ctx, d.agent, "/v1/customers/"+lei+path, nil, nil))
	}
	for _, query := range []string{"/v1/customers", "/v1/customers/search?q=" + url.QueryEscape("韩雷"), "/v1/customers/search?q=" + url.QueryEscape(unseen["library_loans"]),
		"/v1/customers/search?custom.bank_balance=" + url.QueryEscape(unseen["bank_balance"])} {
		answers = append(answers, in.ask(ctx, d.agent, query, nil, nil))
	}
	for _, answer := range answers {
		for what, secret := range unseen {
			if strings.Contains(answer, secret) {
				t.Errorf("the agent sees the %s: %s", what, answer)
			}
		}
		if strings.Contains(answer, "sugar_free") || strings.Contains(answer, "no_credit") {
			t.Errorf("the agent sees what follows from data that is hidden: %s", answer)
		}
	}
	err := d.agent.Get(ctx, "/v1/customers/"+lei+"/profile", url.Values{"purpose": {"care"}}, nil)
	if err == nil || !strings.Contains(err.Error(), "purpose_not_allowed") {
		t.Errorf("an agent acts for care: %v", err)
	}

	care := in.ask(ctx, d.manager, "/v1/customers/"+lei+"/profile", url.Values{"purpose": {"care"}, "reason": {"T-000123"}}, nil)
	if !strings.Contains(care, unseen["health_record"]) || strings.Contains(care, unseen["bank_balance"]) {
		t.Errorf("for care, a manager sees the health record and nothing of the bank: %s", care)
	}
	log := in.ask(ctx, d.admin, "/v1/access-log", url.Values{"customer_id": {lei}}, nil)
	if !strings.Contains(log, `"wang"`) || !strings.Contains(log, "T-000123") || strings.Contains(log, `"mei"`) {
		t.Errorf("the log tells of the manager's look, and of no look of the agent at what is sensitive: %s", log)
	}
	in.brokenLogIsFound(ctx, d)
}

// pizzaCustomer is a customer of whom other systems know much, with a mother of whom they know as much.
func (in *installation) pizzaCustomer(ctx context.Context, d desk) (lei string) {
	in.t.Helper()
	type object = map[string]any
	systems := in.client(demo.Pizza, "integrator")
	do := func(c *client.Client, method, path string, body, out any, ifMatch string) {
		in.t.Helper()
		in.persist(ctx, path, func() error {
			_, err := c.Do(ctx, client.Request{Method: method, Path: path, In: body, IfMatch: ifMatch}, out)
			return err
		})
	}
	for name, class := range map[string]string{"health_record": "health", "bank_balance": "financial", "library_loans": "special"} {
		do(d.admin, http.MethodPost, "/v1/custom-fields", object{"name": name, "title": name, "type": "text", "class": class}, nil, "")
	}
	register := func(family, given string, identities ...object) string {
		var made client.Customer
		do(systems, http.MethodPost, "/v1/customers", object{"family_name": family, "given_name": given, "identities": identities}, &made, "")
		do(systems, http.MethodPatch, "/v1/customers/"+made.CustomerID, object{"custom_fields": unseen}, nil, `"1"`)
		return made.CustomerID
	}
	lei = register("韩", "雷", object{"type": "card", "value": "PIZZA-0017"}, object{"type": "phone", "value": "138 0013 8077"}, object{"type": "phone", "value": "010 6552 9977"})
	mother := register("韩", "梅梅")
	do(systems, http.MethodPost, "/v1/customers/"+lei+"/addresses", object{"kind": "delivery", "lines": []string{"建国路 1 号"}, "city": "北京", "country": "CN"}, nil, "")
	do(systems, http.MethodPost, "/v1/customers/"+lei+"/relationships", object{"kind": "household", "related_id": mother}, nil, "")
	for name, insight := range map[string]object{
		"next_best_action": {"text": "offer_dessert", "input_classes": []string{"behaviour"}},
		"dessert":          {"text": "sugar_free", "input_classes": []string{"health"}, "about_customer_id": mother},
		"credit":           {"text": "no_credit", "input_classes": []string{"behaviour", "financial"}},
	} {
		insight["kind"], insight["computed_at"] = "recommendation", "2026-11-20T08:00:00Z"
		do(systems, http.MethodPut, "/v1/customers/"+lei+"/insights/"+name, insight, nil, "")
	}
	in.persist(ctx, "order", func() error {
		_, err := systems.PlaceOrder(ctx, client.Order{CustomerID: lei, Channel: "phone", Currency: "CNY",
			Lines: []client.OrderLine{{SKU: "margherita", Quantity: 2, AmountMinor: 9600}}})
		return err
	})
	return lei
}

// ask gives an answer as it was written, and decodes it into out, which may be nil. A refusal is an answer too.
func (in *installation) ask(ctx context.Context, c *client.Client, path string, query url.Values, out any) string {
	in.t.Helper()
	path, also, _ := strings.Cut(path, "?")
	if query == nil {
		query, _ = url.ParseQuery(also)
	}
	var raw json.RawMessage
	if err := c.Get(ctx, path, query, &raw); err != nil {
		if client.Temporary(err) || out != nil {
			in.t.Fatalf("%s: %v", path, err)
		}
		return err.Error()
	}
	if out != nil {
		if err := json.Unmarshal(raw, out); err != nil {
			in.t.Fatal(err)
		}
	}
	return string(raw)
}

// brokenLogIsFound has a superuser flip one byte of the log.
func (in *installation) brokenLogIsFound(ctx context.Context, d desk) {
	in.t.Helper()
	verified := func() bool {
		var answer struct {
			OK bool `json:"ok"`
		}
		if err := d.admin.Post(ctx, "/v1/access-log/verify", nil, &answer); err != nil {
			in.t.Fatal(err)
		}
		return answer.OK
	}
	if !verified() {
		in.t.Fatal("the log is broken before anybody broke it")
	}
	db, err := in.database(ctx, "accounts")
	if err != nil {
		in.t.Fatal(err)
	}
	defer func() { _ = db.Close(ctx) }()
	if _, err := db.Exec(ctx, `UPDATE access_log SET reason = 'T-000124' WHERE reason = 'T-000123'`); err != nil {
		in.t.Fatal(err)
	}
	if verified() {
		in.t.Error("one byte was flipped, and the log is said to be whole")
	}
}
