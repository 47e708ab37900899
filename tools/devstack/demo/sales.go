package demo

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// object is a JSON object.
type object = map[string]any

// catering is what the pizza shop sells to companies: who sells it, and what is to be asked of whom.
var catering = []struct {
	path string
	body object
}{
	{"/v1/sellers/li", object{"capacity": 30, "time_zone": "Asia/Shanghai", "languages": []string{"zh", "en"}}},
	{"/v1/sellers/zhao", object{"capacity": 20, "time_zone": "Asia/Shanghai", "languages": []string{"zh"}}},
	{"/v1/teams/catering", object{"name": "企业订餐 Catering", "lead": "manager", "members": []string{"li", "zhao"}, "time_zone": "Asia/Shanghai"}},
	{"/v1/assignment-rules", object{"rules": []object{{"name": "Catering", "condition": `source in ["web", "fair"]`, "team": "catering"}}}},
}

// enquiry is a company that asked, and how far the talks are: the stage of its opportunity, empty for a lead that is open still.
type enquiry struct {
	id                                  string
	company, name, email, source, stage string
	amount                              int64 // in fen
	closes                              int   // in how many days it is expected to
}

func enquiries() []enquiry {
	return []enquiry{
		{"1", "莲花酒店集团", "韩梅", "mei.han@lianhua-hotels.example", "fair", "qualified", 12_000_000, 90},
		{"2", "东方书店", "周文", "zhou@dongfang-books.example", "web", "proposal", 1_800_000, 60},
		{"3", "Harbour Shipping", "Anna Berg", "anna.berg@harbour-shipping.example", "fair", "negotiation", 4_500_000, 35},
		{"4", "明日学校", "刘洋", "liu@mingri-school.example", "web", "", 0, 0},
		{"5", "Green Tea Labs", "Tom Price", "tom@greentea-labs.example", "web", "", 0, 0},
		{"6", "西湖摄影", "孙倩", "sun@xihu-photo.example", "web", "", 0, 0},
	}
}

// LoadSales has companies ask the pizza shop for catering: some are leads still, some opportunities, one has a quote. What is there
// already stays as it is.
func (i Installation) LoadSales(ctx context.Context) error {
	if err := i.loadSales(ctx); err != nil {
		return fmt.Errorf("tenant %s, sales: %w", Pizza, err)
	}
	return nil
}

func (i Installation) loadSales(ctx context.Context) error {
	manager, err := i.ClientOf("manager", Pizza, "manager")
	if err != nil {
		return err
	}
	seller, err := i.ClientOf("li", Pizza, "sales")
	if err != nil {
		return err
	}
	for _, c := range catering {
		if _, err := manager.Do(ctx, client.Request{Method: http.MethodPut, Path: c.path, In: c.body, IfMatch: "*"}, nil); err != nil {
			return err
		}
	}
	opportunities := 0
	for _, e := range enquiries() {
		opened, err := e.load(ctx, seller)
		if err != nil {
			return fmt.Errorf("enquiry %s: %w", e.id, err)
		}
		if opened {
			opportunities++
		}
	}
	i.Report(fmt.Sprintf("tenant %s: a team that sells catering, %d leads, %d of them opportunities by now", Pizza, len(enquiries()), opportunities))
	return nil
}

// load brings an enquiry to where it stands, and tells whether it is an opportunity.
func (e enquiry) load(ctx context.Context, seller *client.Client) (opened bool, err error) {
	var lead struct {
		ID    string `json:"lead_id"`
		State string `json:"state"`
	}
	err = seller.Post(ctx, "/v1/leads", object{
		"external_ref": object{"system": "demo", "id": e.id}, "company": e.company, "name": e.name, "email": e.email, "source": e.source, "country": "CN",
	}, &lead)
	if err != nil || e.stage == "" {
		return false, err
	}
	if lead.State == "converted" { // by a run before, which may have been cut off
		return true, nil
	}
	path := "/v1/leads/" + lead.ID
	err = seller.Post(ctx, path+"/convert", object{"opportunity": object{"currency": "CNY", "amount_minor": e.amount}}, nil)
	if err != nil {
		return false, err
	}
	var c struct {
		State         string `json:"state"`
		Refusal       string `json:"refusal"`
		CustomerID    string `json:"customer_id"`
		OpportunityID string `json:"opportunity_id"`
	}
	for c.State == "" || c.State == "running" {
		if err := wait(ctx, 50*time.Millisecond); err != nil {
			return false, err
		}
		if err := seller.Get(ctx, path+"/conversion", nil, &c); err != nil {
			return false, err
		}
	}
	if c.State != "converted" {
		return false, fmt.Errorf("the conversion is %s: %s", c.State, c.Refusal)
	}
	opportunity := "/v1/opportunities/" + c.OpportunityID
	today := time.Now().UTC()
	_, err = seller.Do(ctx, client.Request{Method: http.MethodPatch, Path: opportunity, IfMatch: "*", In: object{
		"expected_close_on": today.AddDate(0, 0, e.closes).Format(time.DateOnly), "next_step": "试吃 Tasting", "next_step_on": today.AddDate(0, 0, 7).Format(time.DateOnly),
	}}, nil)
	if err == nil {
		err = seller.Post(ctx, opportunity+"/move", object{"stage": e.stage}, nil)
	}
	if err != nil || e.stage != "negotiation" {
		return true, err
	}
	return true, e.quote(ctx, seller, c.CustomerID, c.OpportunityID)
}

// quote offers what was talked about, within what a seller may grant. It is in English: Chinese paper wants a font, which an
// installation names in its configuration.
func (e enquiry) quote(ctx context.Context, seller *client.Client, customer, opportunity string) error {
	var q struct {
		ID string `json:"quote_id"`
	}
	err := seller.Post(ctx, "/v1/quotes", object{
		"customer_id": customer, "opportunity_id": opportunity, "currency": "CNY", "title": "Breakfast", "recipient": e.company,
		"lines": []object{{"text": "Breakfast, a month", "quantity": 12, "unit_price_minor": e.amount / 12, "tax": object{"rate": 600}}},
	}, &q)
	if err != nil {
		return err
	}
	version := "/v1/quotes/" + q.ID + "/versions/1"
	if err := seller.Post(ctx, version+"/submit", nil, nil); err != nil {
		return err
	}
	return seller.Post(ctx, version+"/send", nil, nil)
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
