package conversion_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/conversion"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func TestWhichLeadsCanBeConverted(t *testing.T) {
	t.Parallel()
	somebody := uuid.Must(uuid.NewV7())
	for name, c := range map[string]struct {
		lead lead.Lead
		wish conversion.Wish
		code string
	}{
		"an open one with a name":             {lead.Lead{State: lead.Open, Contact: lead.Contact{Name: "Han Mei"}}, conversion.Wish{}, ""},
		"a qualified one of a company":        {lead.Lead{State: lead.Qualified, Contact: lead.Contact{Company: "Lotus"}}, conversion.Wish{}, ""},
		"one that is being warmed up":         {lead.Lead{State: lead.Nurturing, Contact: lead.Contact{Company: "Lotus"}}, conversion.Wish{}, ""},
		"one with a mailbox only":             {lead.Lead{State: lead.Open, Contact: lead.Contact{Email: "a@example.com"}}, conversion.Wish{}, "lead_nameless"},
		"the same, when it is said who it is": {lead.Lead{State: lead.Open, Contact: lead.Contact{Email: "a@example.com"}}, conversion.Wish{CustomerID: somebody}, ""},
		"the same, when that is known":        {lead.Lead{State: lead.Open, CustomerID: somebody}, conversion.Wish{}, ""},
		"a lost one":                          {lead.Lead{State: lead.Lost, Contact: lead.Contact{Name: "Han Mei"}}, conversion.Wish{}, "lead_state_unfit"},
		"a converted one":                     {lead.Lead{State: lead.Converted, Contact: lead.Contact{Name: "Han Mei"}}, conversion.Wish{}, "lead_state_unfit"},
		"one whose words were deleted":        {lead.Lead{State: lead.Open, ErasedAt: noon}, conversion.Wish{CustomerID: somebody}, "lead_erased"},
	} {
		made, err := conversion.Request(somebody, c.lead, c.wish, "li", noon)
		if c.code == "" && (err != nil || made.State != conversion.Running || !made.Moving()) {
			t.Errorf("%s: %+v %v", name, made, err)
		}
		if c.code != "" && (err == nil || problem.From(err).Code != c.code) {
			t.Errorf("%s: got %v, want %s", name, err, c.code)
		}
	}
}

func TestAConversionIsAtRestWhenNothingIsLeftToPutBack(t *testing.T) {
	t.Parallel()
	one := conversion.Party{ID: uuid.Must(uuid.NewV7()), Created: true}
	begun, err := conversion.Request(uuid.Must(uuid.NewV7()), lead.Lead{State: lead.Open, Contact: lead.Contact{Name: "Han Mei"}}, conversion.Wish{}, "li", noon)
	if err != nil {
		t.Fatal(err)
	}
	known := begun.Introduced(conversion.Party{ID: one.ID}, conversion.Party{}, uuid.Nil, "CNY", noon)
	made := begun.Introduced(one, conversion.Party{}, uuid.Nil, "CNY", noon)
	related := begun.Introduced(conversion.Party{ID: one.ID}, conversion.Party{ID: one.ID}, one.ID, "CNY", noon)
	for name, c := range map[string]struct {
		now    conversion.Conversion
		moving bool
	}{
		"begun":                                 {begun, true},
		"introduced":                            {made, true},
		"converted":                             {made.Done(one.ID, noon), false},
		"refused before anybody was registered": {begun.Refuse("customer_not_found", nil, noon), false},
		"refused of a customer who was known":   {known.Refuse("stage_unknown", nil, noon), false},
		"refused after somebody was registered": {made.Refuse("stage_unknown", nil, noon), true},
		"refused after a contact was related":   {related.Refuse("stage_unknown", nil, noon), true},
		"refused and put back":                  {made.Refuse("stage_unknown", nil, noon).PutBack(noon), false},
		"undone":                                {made.Done(one.ID, noon).Undid(noon), true},
		"undone of a customer who was known":    {known.Done(one.ID, noon).Undid(noon), false},
		"kept":                                  {made.Done(one.ID, noon).Kept("customer_followed", noon), false},
	} {
		if c.now.Moving() != c.moving {
			t.Errorf("%s: moving is %t: %+v", name, c.now.Moving(), c.now)
		}
	}
	if _, err := begun.Undo("li", noon); problem.From(err).Code != "conversion_not_done" {
		t.Errorf("what has not ended is not undone: %v", err)
	}
	if _, err := made.Refuse("x", nil, noon).Undo("li", noon); problem.From(err).Code != "conversion_not_done" {
		t.Errorf("what was refused is not undone: %v", err)
	}
}

func TestWhatTellsOfTheConversionItselfDidNotFollow(t *testing.T) {
	t.Parallel()
	told := []conversion.Told{
		{Service: "accounts", Title: "customer_registered"}, {Service: "sales", Title: "lead_converted"}, {Service: "sales", Title: "opportunity_opened"},
		{Service: "accounts", Title: "relationship_changed"}, {Service: "analytics", Title: "lifecycle_stage_proposed"}, {Service: "analytics", Title: "segment_entered"},
	}
	if conversion.Followed(told) || conversion.Followed(nil) {
		t.Error("nothing followed")
	}
	for _, one := range []conversion.Told{
		{Service: "sales", Title: "order_placed"}, {Service: "tickets", Title: "ticket_opened"}, {Service: "accounts", Title: "interaction_recorded"},
		{Service: "sales", Title: "opportunity_won"}, {Service: "accounts", Title: "consent_changed"}, {Service: "loyalty", Title: "points_earned"},
		{Service: "sales", Title: "quote_sent"},
	} {
		if !conversion.Followed(append(told, one)) {
			t.Errorf("%s followed", one.Title)
		}
	}
}
