package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/tools/devstack/demo"
	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

type object = map[string]any

// stand are the people who sell catering for the pizza shop: li sells, wang leads, chen administers.
type stand struct{ li, wang, chen *client.Client }

func (in *installation) stand() stand {
	in.t.Helper()
	person := func(subject, role string) *client.Client {
		c, err := client.New(in.stack.ServerURL(), client.FromDevIssuer(in.stack.IssuerURL(), client.DevToken{Subject: subject, Tenant: demo.Pizza, Roles: []string{role}}))
		if err != nil {
			in.t.Fatal(err)
		}
		return c
	}
	return stand{person("li", "sales"), person("wang", "manager"), person("chen", "admin")}
}

// put sends a PUT or PATCH until the platform has it.
func (in *installation) put(ctx context.Context, c *client.Client, method, path, etag string, body any) {
	in.t.Helper()
	in.persist(ctx, path, func() error {
		_, err := c.Do(ctx, client.Request{Method: method, Path: path, In: body, IfMatch: etag}, nil)
		return err
	})
}

// kill takes both processes away; they are started again by themselves.
func (in *installation) kill() {
	in.t.Helper()
	for _, kill := range []func() error{in.first.Kill, in.second.Kill} {
		if err := kill(); err != nil {
			in.t.Fatal(err)
		}
	}
}

// where waits until what is read at a path is as it should be.
func where[T any](ctx context.Context, in *installation, c *client.Client, path string, holds func(T) bool) (now T) {
	in.t.Helper()
	in.eventually(3*time.Minute, func() error {
		var read T
		if err := c.Get(ctx, path, nil, &read); err != nil {
			return err
		}
		if now = read; !holds(read) {
			return fmt.Errorf("%s is %+v", path, read)
		}
		return nil
	})
	return now
}

// prospect is a lead as the API shows it.
type prospect struct {
	LeadID     string `json:"lead_id"`
	State      string `json:"state"`
	Owner      string `json:"owner"`
	Team       string `json:"team"`
	Company    string `json:"company"`
	Enquiries  int    `json:"enquiries"`
	CustomerID string `json:"customer_id"`
}

// conversion is one as the API shows it.
type conversion struct {
	State         string `json:"state"`
	CustomerID    string `json:"customer_id"`
	ContactID     string `json:"contact_id"`
	OpportunityID string `json:"opportunity_id"`
	Refusal       string `json:"refusal"`
	Settled       bool   `json:"settled"`
}

func (c conversion) ended() bool { return c.State != "running" && c.State != "undoing" && c.Settled }

// quoted is a quote as the API shows it.
type quoted struct {
	QuoteID string `json:"quote_id"`
	State   string `json:"state"`
	Latest  struct {
		Version int    `json:"version"`
		OrderID string `json:"order_id"`
		Totals  struct {
			TotalMinor int64 `json:"total_minor"`
		} `json:"totals"`
		Approval struct {
			Level string `json:"level"`
		} `json:"approval"`
	} `json:"latest"`
}

// fill sends a form of a website, as a browser does: without a token.
func (in *installation) fill(ctx context.Context, key string, fields map[string]string) {
	in.t.Helper()
	body, err := json.Marshal(object{"fields": fields})
	if err != nil {
		in.t.Fatal(err)
	}
	in.eventually(time.Minute, func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, in.stack.ServerURL()+"/v1/forms/"+key+"/leads", bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Origin", "https://www.pizza.example")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusAccepted {
			return fmt.Errorf("the form is answered with %d", res.StatusCode)
		}
		return nil
	})
}

// sells sets up who sells, and what a seller may grant.
func (in *installation) sells(ctx context.Context, s stand) (form string) {
	in.t.Helper()
	in.put(ctx, s.wang, http.MethodPut, "/v1/sellers/li", "*", object{"capacity": 30})
	in.put(ctx, s.wang, http.MethodPut, "/v1/teams/catering", "*", object{"name": "Catering", "lead": "wang", "members": []string{"li"}})
	in.put(ctx, s.wang, http.MethodPut, "/v1/assignment-rules", "*", object{"rules": []object{{"condition": `source == "web"`, "team": "catering"}}})
	in.put(ctx, s.wang, http.MethodPut, "/v1/quote-policy", "*", object{
		"discount_up_to": 500, "silence": "reject", "language": "en", "time_zone": "Asia/Shanghai", "validity_days": 30, "approve_twice": false, "working_hours": object{"monday": []object{{"from": "09:00", "to": "18:00"}}},
		"levels": []object{{"code": "manager", "name": "Manager", "discount_up_to": 3000, "answer_seconds": 86400}},
	})
	var made struct {
		Key string `json:"form_key"`
	}
	in.step(ctx, s.wang, "/v1/lead-forms", "form", object{
		"code": "catering", "name": "Ask for an offer", "origins": []string{"https://www.pizza.example"}, "source": "web", "per_minute": 60,
		"fields": []object{{"name": "company"}, {"name": "name", "required": true}, {"name": "email", "required": true}, {"name": "message"}},
	}, &made)
	return made.Key
}

func TestAFormOnTheWebsiteBecomesAnOrderAlthoughTheWorkersAreKilled(t *testing.T) {
	t.Parallel()
	in := install(t)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	in.persist(ctx, "tenants", func() error { return in.at().Tenants(ctx) })
	s := in.stand()
	key := in.sells(ctx, s)
	words := map[string]string{"company": "Lotus Hotels", "name": "Han Mei", "email": "mei@lotus-hotels.example", "message": "Breakfast for 40 hotels."}
	in.fill(ctx, key, words)
	in.fill(ctx, key, words) // pressed twice: no second lead
	found := where(ctx, in, s.wang, "/v1/leads?source=web", func(page struct{ Items []prospect }) bool {
		return len(page.Items) == 1 && page.Items[0].Owner == "li" && page.Items[0].Enquiries == 2
	})
	lead := "/v1/leads/" + found.Items[0].LeadID
	in.step(ctx, s.li, lead+"/qualify", "qualify", object{"need": "Breakfast", "budget_minor": 12_000_000, "budget_currency": "CNY", "authority": "decision_maker"}, nil)

	in.step(ctx, s.li, lead+"/convert", "convert", object{"opportunity": object{"name": "Breakfast for 40 hotels"}}, nil)
	in.kill()
	in.step(ctx, s.wang, lead+"/convert", "convert-too", object{}, nil) // somebody else, who gets the same
	made := where(ctx, in, s.li, lead+"/conversion", conversion.ended)
	if made.State != "converted" || made.ContactID == "" {
		t.Fatalf("%+v", made)
	}
	opportunity := "/v1/opportunities/" + made.OpportunityID
	in.put(ctx, s.li, http.MethodPatch, opportunity, "*", object{"expected_close_on": "2027-01-31", "next_step": "Tasting", "next_step_on": "2026-12-20"})
	in.step(ctx, s.li, opportunity+"/move", "move", object{"stage": "negotiation"}, nil)

	var q quoted
	in.step(ctx, s.li, "/v1/quotes", "quote", object{
		"customer_id": made.CustomerID, "opportunity_id": made.OpportunityID, "currency": "CNY", "recipient": "Lotus Hotels", "title": "Breakfast",
		"lines": []object{{"text": "Breakfast, a month", "quantity": 12, "unit_price_minor": 1_000_000, "discount": object{"rate": 1200}, "tax": object{"rate": 600}}},
	}, &q)
	version := "/v1/quotes/" + q.QuoteID + "/versions/1"
	in.step(ctx, s.li, version+"/submit", "submit", nil, nil)
	in.kill()
	where(ctx, in, s.li, "/v1/quotes/"+q.QuoteID, func(now quoted) bool { return now.State == "in_approval" && now.Latest.Approval.Level == "manager" })
	var refused *client.Problem
	err := s.li.Post(ctx, version+"/approve", object{"level": "manager"}, nil)
	for err != nil && !errors.As(err, &refused) { // while it is started again
		err = s.li.Post(ctx, version+"/approve", object{"level": "manager"}, nil)
	}
	if refused == nil || refused.Status != http.StatusForbidden {
		t.Fatalf("nobody approves their own: %v", err)
	}
	in.step(ctx, s.wang, version+"/approve", "approve", object{"level": "manager", "words": "Go."}, nil)
	in.kill()
	where(ctx, in, s.li, "/v1/quotes/"+q.QuoteID, func(now quoted) bool { return now.State == "approved" })
	in.step(ctx, s.li, version+"/send", "send", nil, nil)
	in.step(ctx, s.li, version+"/accept", "accept", object{"win_opportunity": true}, nil)
	in.kill()

	accepted := where(ctx, in, s.li, "/v1/quotes/"+q.QuoteID, func(now quoted) bool { return now.State == "accepted" && now.Latest.OrderID != "" })
	const total = (12_000_000 - 1_440_000) * 106 / 100
	if accepted.Latest.Totals.TotalMinor != total {
		t.Errorf("the quote comes to %d, want %d", accepted.Latest.Totals.TotalMinor, total)
	}
	in.eventually(5*time.Minute, in.level)
	sold, err := s.chen.CustomerTotals(ctx, made.CustomerID)
	if err != nil || sold.Orders != 1 || sold.RevenueMinor != total {
		t.Errorf("the books say %+v %v", sold, err)
	}
	in.eventually(time.Minute, func() error {
		timeline, err := s.chen.GetTimeline(ctx, made.CustomerID)
		if err != nil {
			return err
		}
		for _, title := range []string{"lead_converted", "opportunity_opened", "opportunity_won", "quote_sent", "quote_accepted", "order_placed"} {
			if timeline.Count(title) != 1 {
				return fmt.Errorf("%s stands %d times on the timeline", title, timeline.Count(title))
			}
		}
		return nil
	})
	var customers struct{ Items []struct{ Kind string } }
	if err := s.chen.Get(ctx, "/v1/customers?limit=200", nil, &customers); err != nil || len(customers.Items) != 2 {
		t.Errorf("%+v %v: want the company and its contact, once each", customers, err)
	}
	if n := in.parked(); n != 0 {
		t.Errorf("%d events were parked", n)
	}
}

func TestAConversionIsTakenBackInEveryService(t *testing.T) {
	t.Parallel()
	in := install(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	in.persist(ctx, "tenants", func() error { return in.at().Tenants(ctx) })
	s := in.stand()
	var known struct {
		ID string `json:"customer_id"`
	}
	in.step(ctx, s.chen, "/v1/customers", "known", object{
		"display_name": "Han Mei", "owner": "li", "identities": []object{{"type": "email", "value": "mei@lotus-hotels.example", "verified": true}},
	}, &known)
	in.eventually(5*time.Minute, in.level)

	var lead prospect
	in.step(ctx, s.li, "/v1/leads", "lead", object{"name": "Mei Han", "email": "Mei@Lotus-Hotels.example", "source": "fair"}, &lead)
	mine := where(ctx, in, s.li, "/v1/leads/"+lead.LeadID, func(now prospect) bool { return now.CustomerID != "" })
	if mine.CustomerID != known.ID || mine.Owner != "li" {
		t.Errorf("her mailbox tells who she is, and who looks after her: %+v", mine)
	}

	var other prospect
	in.step(ctx, s.li, "/v1/leads", "other", object{"company": "Rose Inns", "name": "Li Lei", "email": "lei@rose-inns.example", "source": "fair"}, &other)
	path := "/v1/leads/" + other.LeadID
	in.step(ctx, s.li, path+"/convert", "convert", object{}, nil)
	made := where(ctx, in, s.li, path+"/conversion", conversion.ended)
	if made.State != "converted" {
		t.Fatalf("%+v", made)
	}
	in.eventually(5*time.Minute, in.level)
	in.step(ctx, s.li, path+"/unconvert", "undo", nil, nil)
	in.kill()
	if back := where(ctx, in, s.li, path+"/conversion", conversion.ended); back.State != "undone" {
		t.Fatalf("%+v", back)
	}
	for _, id := range []string{made.CustomerID, made.ContactID} {
		where(ctx, in, s.chen, "/v1/customers/"+id, func(now struct{ State string }) bool { return now.State == "archived" })
	}
	where(ctx, in, s.li, path, func(now prospect) bool { return now.State == "open" && now.CustomerID == "" })
	in.step(ctx, s.li, path+"/convert", "again", object{}, nil)
	if again := where(ctx, in, s.li, path+"/conversion", conversion.ended); again.CustomerID != made.CustomerID || again.ContactID != made.ContactID {
		t.Errorf("converted again, they are the same two: %+v, then %+v", made, again)
	}
	var p *client.Problem
	if err := in.client(demo.Music, "sales").Get(ctx, path, nil, nil); !errors.As(err, &p) || p.Status != http.StatusNotFound {
		t.Errorf("another tenant's: %v", err)
	}
	if n := in.parked(); n != 0 {
		t.Errorf("%d events were parked", n)
	}
	if text := fmt.Sprint(in.topicsMention(ctx, "Rose", "lei@")); text != "[]" {
		t.Errorf("topics tell who it is: %s", text)
	}
}

// topicsMention gives the texts that stand in an event of sales or accounts.
func (in *installation) topicsMention(ctx context.Context, texts ...string) (all []string) {
	in.t.Helper()
	for _, service := range []string{"accounts", "sales"} {
		in.wire(ctx, bus.TopicFor(service), func(_ int, raw []byte) {
			for _, text := range texts {
				if bytes.Contains(raw, []byte(text)) {
					all = append(all, service+": "+string(raw))
				}
			}
		})
	}
	return all
}
