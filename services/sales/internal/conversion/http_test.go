package conversion_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/sales/internal/conversion"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
)

func TestALeadBecomesACompanyItsContactAndAnOpportunity(t *testing.T) {
	t.Parallel()
	d := open(t)
	l := d.captured("Lotus Hotels", "Han Mei")
	c := d.convert(l, body{"opportunity": body{"name": "Breakfast for 40 hotels", "amount_minor": 5000000, "currency": "CNY"}})
	if c.State != "converted" || !c.CustomerCreated || c.ContactID == nil || c.OpportunityID == nil {
		t.Fatalf("%+v", c)
	}
	company, contact := d.register.people[*c.CustomerID], d.register.people[*c.ContactID]
	if company.Kind != "organisation" || company.Name != "Lotus Hotels" || contact.Kind != "person" || contact.Name != "Han Mei" ||
		d.register.contacts[[2]uuid.UUID{contact.ID, company.ID}] == uuid.Nil || len(contact.Identities) != 2 || contact.Identities[1].Value != l.Email {
		t.Errorf("registered were %+v and %+v, contacts are %v", company, contact, d.register.contacts)
	}
	if now := d.read(l); now.State != lead.Converted || now.CustomerID != *c.CustomerID || now.OpportunityID != *c.OpportunityID {
		t.Errorf("the lead is %+v", now)
	}
	if n := d.Count(`SELECT count(*) FROM opportunity WHERE lead_id = $1 AND customer_id = $2 AND amount_minor = 5000000 AND source = 'fair' AND owner = 'sales@pizza'`, l.ID, *c.CustomerID); n != 1 {
		t.Errorf("%d opportunities of that kind", n)
	}
	event := d.EventsOf("LeadConverted", 1)[0]
	golden.JSON(t, "testdata/lead_converted.json", event.Data)
	if text := string(event.Data); strings.Contains(text, "Han") || strings.Contains(text, "Lotus") || strings.Contains(text, "@") {
		t.Errorf("the event tells who it is: %s", text)
	}
}

func TestALeadWithoutACompanyBecomesAPerson(t *testing.T) {
	t.Parallel()
	d := open(t)
	l := d.captured("", "Han Mei")
	c := d.convert(l, body{})
	if c.State != "converted" || c.ContactID != nil || d.register.people[*c.CustomerID].Kind != "person" {
		t.Fatalf("%+v", c)
	}
}

func TestALeadThatIsKnownToBeACustomerBecomesThatOne(t *testing.T) {
	t.Parallel()
	d := open(t)
	known := d.register.add("organisation", "Lotus Hotels", nil)
	l := d.captured("Lotus", "Han Mei")
	c := d.convert(l, body{"customer_id": known})
	if c.State != "converted" || c.CustomerCreated || *c.CustomerID != known || c.ContactID == nil {
		t.Fatalf("%+v", c)
	}
	d.undo(l)
	if d.register.people[known].State != "active" || d.register.people[*c.ContactID].State != "archived" || len(d.register.contacts) != 0 {
		t.Errorf("the customer stays, the contact goes: %+v %v", d.register.people[*c.ContactID], d.register.contacts)
	}
	if again := d.convert(l, body{"customer_id": known}); again.State != "converted" || *again.ContactID != *c.ContactID || d.register.people[*c.ContactID].State != "active" {
		t.Errorf("the contact is taken out of the archive: %+v", again)
	}
}

func TestTwoWhoConvertALeadAtOnceGetOneCustomer(t *testing.T) {
	t.Parallel()
	d := open(t)
	l := d.captured("Lotus Hotels", "Han Mei")
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			if got := d.Do(http.MethodPost, path(l, "/convert"), d.Sales, body{}); got.Status != http.StatusAccepted && got.Status != http.StatusOK {
				t.Errorf("%d %s", got.Status, got.Body)
			}
		})
	}
	wait.Wait()
	if c := d.ended(l); c.State != "converted" || d.register.standing() != 2 {
		t.Errorf("%+v, %d customers", c, d.register.standing())
	}
	if n := d.Count(`SELECT count(*) FROM lead_conversion`); n != 1 {
		t.Errorf("%d conversions", n)
	}
	if n := d.Count(`SELECT count(*) FROM opportunity`); n != 1 {
		t.Errorf("%d opportunities", n)
	}
}

func TestSomebodyAlikeKeepsALeadFromBeingRegisteredTwice(t *testing.T) {
	t.Parallel()
	d := open(t)
	alike := d.register.add("organisation", "Lotus Hotels Ltd", nil)
	d.register.alike["Lotus Hotels"] = []uuid.UUID{alike}
	l := d.captured("Lotus Hotels", "Han Mei")
	c := d.convert(l, body{})
	if c.State != "refused" || c.Refusal != "duplicate_suspected" || len(c.Candidates) != 1 || c.Candidates[0].CustomerID != alike || d.read(l).State != lead.Open {
		t.Fatalf("%+v", c)
	}
	if d.register.standing() != 1 {
		t.Error("somebody was registered all the same")
	}
	if c = d.convert(l, body{"customer_id": alike}); c.State != "converted" || *c.CustomerID != alike {
		t.Errorf("the one who is meant: %+v", c)
	}
	d.undo(l)
	if c = d.convert(l, body{"allow_duplicate": true}); c.State != "converted" || *c.CustomerID == alike {
		t.Errorf("another one: %+v", c)
	}
}

func TestACompanyOfTheSameNameIsNotRegisteredTwice(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.register.add("organisation", "Lotus Hotels Asia", nil)
	lotus := d.register.add("organisation", "LOTUS Hotels", nil)
	l := d.captured("Lotus Hotels", "Han Mei")
	d.Eventually("accounts was asked who it may be", func() bool { return !d.read(l).CustomerCheckedAt.IsZero() })
	if now := d.read(l); len(now.Candidates) != 1 || now.Candidates[0].CustomerID != lotus || now.Candidates[0].Reasons[0] != "same_name" {
		t.Errorf("%+v", now.Candidates)
	}
	c := d.convert(l, body{})
	if c.State != "refused" || c.Refusal != "duplicate_suspected" || len(c.Candidates) != 1 || c.Candidates[0].CustomerID != lotus {
		t.Fatalf("%+v", c)
	}
	if c = d.convert(l, body{"customer_id": lotus}); c.State != "converted" || *c.CustomerID != lotus || c.ContactID == nil {
		t.Errorf("the one that is meant: %+v", c)
	}
	if c = d.convert(d.captured("Lotus Hotels Asia", "Li Lei"), body{"allow_duplicate": true}); c.State != "converted" || !c.CustomerCreated {
		t.Errorf("another one: %+v", c)
	}
}

func TestACompanyThatWasRegisteredForAContactWhoIsThereIsPutBack(t *testing.T) {
	t.Parallel()
	d := open(t)
	alike := d.register.add("person", "Han Mei", nil)
	d.register.alike["Han Mei"] = []uuid.UUID{alike}
	l := d.captured("Lotus Hotels", "Han Mei")
	c := d.convert(l, body{})
	if c.State != "refused" || c.Refusal != "contact_duplicate_suspected" || d.register.people[*c.CustomerID].State != "archived" {
		t.Fatalf("%+v", c)
	}
	if c = d.convert(l, body{"contact_id": alike}); c.State != "converted" || *c.ContactID != alike || !c.CustomerCreated || d.register.people[*c.CustomerID].State != "active" {
		t.Errorf("%+v", c)
	}
	if len(d.register.people) != 2 {
		t.Errorf("%d were registered in all, want the company once, and who was there", len(d.register.people))
	}
}

func TestAConversionIsUndoneAsLongAsNothingFollowed(t *testing.T) {
	t.Parallel()
	d := open(t)
	l := d.captured("Lotus Hotels", "Han Mei")
	was := d.read(l)
	c := d.convert(l, body{})
	d.register.concludes(*c.CustomerID, "lifecycle_stage_proposed")
	undone := d.undo(l)
	if undone.State != "undone" || undone.UndoneBy == "" || d.register.standing() != 0 || len(d.register.contacts) != 0 {
		t.Fatalf("%+v", undone)
	}
	now := d.read(l)
	if now.State != was.State || now.CustomerID != was.CustomerID || now.OpportunityID != uuid.Nil || now.Contact != was.Contact {
		t.Errorf("the lead was %+v and is %+v", was, now)
	}
	if n := d.Count(`SELECT count(*) FROM opportunity WHERE id = $1 AND state = 'withdrawn'`, *c.OpportunityID); n != 1 {
		t.Error("the opportunity stands still")
	}
	golden.JSON(t, "testdata/lead_conversion_undone.json", d.EventsOf("LeadConversionUndone", 1)[0].Data)
	d.EventsOf("OpportunityWithdrawn", 1)
	if again := d.undo(l); again.State != "undone" || again.ConversionID != c.ConversionID {
		t.Errorf("once more: %+v", again)
	}
	if d.convert(l, body{}).ConversionID == c.ConversionID {
		t.Error("it is a new conversion")
	}
}

func TestWhatFollowedKeepsAConversion(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		happens func(d *desk, c shown)
		refusal string
	}{
		"an order": {func(d *desk, c shown) {
			d.Want(http.StatusCreated, http.MethodPost, "/v1/orders", d.Sales, body{"customer_id": c.CustomerID, "currency": "CNY", "lines": []body{{"quantity": 1, "amount_minor": 100}}}, nil)
		}, "customer_followed"},
		"a quote of the opportunity": {func(d *desk, c shown) {
			d.Want(http.StatusCreated, http.MethodPost, "/v1/quotes", d.Sales, body{
				"customer_id": c.CustomerID, "opportunity_id": c.OpportunityID, "currency": "CNY", "lines": []body{{"text": "Cake", "quantity": 1, "unit_price_minor": 100}},
			}, nil)
		}, "opportunity_followed"},
		"a call about the opportunity": {func(d *desk, c shown) {
			d.Want(http.StatusCreated, http.MethodPost, "/v1/activities", d.Sales, body{"kind": "call", "title": "Call", "due_on": "2031-01-31", "opportunity_id": c.OpportunityID}, nil)
		}, "opportunity_followed"},
		"another stage of the opportunity": {func(d *desk, c shown) {
			d.Want(http.StatusOK, http.MethodPost, "/v1/opportunities/"+c.OpportunityID.String()+"/move", d.Sales, body{"stage": "qualified"}, nil)
		}, "opportunity_followed"},
		"the customer was changed": {func(d *desk, c shown) {
			d.register.mu.Lock()
			defer d.register.mu.Unlock()
			d.register.people[*c.CustomerID].version++
		}, "customer_followed"},
		"a ticket of the customer": {func(d *desk, c shown) {
			d.register.mu.Lock()
			defer d.register.mu.Unlock()
			d.register.people[*c.ContactID].told = append(d.register.people[*c.ContactID].told, conversion.Told{Service: "tickets", Title: "ticket_opened"})
		}, "customer_followed"},
		"the customer was erased": {func(d *desk, c shown) {
			d.register.mu.Lock()
			defer d.register.mu.Unlock()
			d.register.people[*c.CustomerID].State = "erased"
		}, "customer_followed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			l := d.captured("Lotus Hotels", "Han Mei")
			made := d.convert(l, body{})
			c.happens(d, made)
			kept := d.undo(l)
			if kept.State != "converted" || kept.Refusal != c.refusal || d.read(l).State != lead.Converted {
				t.Errorf("%+v", kept)
			}
			if n := d.Count(`SELECT count(*) FROM opportunity WHERE state = 'open'`); n != 1 {
				t.Errorf("%d open opportunities", n)
			}
		})
	}
}

// Whatever call of accounts fails, before or after it was carried out: in the end everybody is there once.
func TestAFailureOfAnyCallChangesNothingInTheEnd(t *testing.T) {
	t.Parallel()
	const most = 12 // more calls than a conversion makes
	d := open(t)
	for n := 1; n <= most; n++ {
		for _, after := range []bool{false, true} {
			l := d.captured(fmt.Sprintf("Lotus%d%t", n, after), "Han Mei")
			d.Eventually("accounts was asked who it may be", func() bool { return !d.read(l).CustomerCheckedAt.IsZero() })
			d.register.mu.Lock()
			from := len(d.register.calls)
			d.register.fail = func(at int, _ string) (bool, bool) { return at == from+n && !after, at == from+n && after }
			d.register.mu.Unlock()
			if c := d.convert(l, body{}); c.State != "converted" || d.register.standing() != 2 || len(d.register.contacts) != 1 {
				t.Errorf("call %d: %+v, %d customers, %d contacts", n, c, d.register.standing(), len(d.register.contacts))
			}
			if c := d.undo(l); c.State != "undone" || d.register.standing() != 0 || len(d.register.contacts) != 0 {
				t.Errorf("call %d: %+v, %d customers, %d contacts", n, c, d.register.standing(), len(d.register.contacts))
			}
		}
	}
}

func TestWhoALeadMayBeIsFoundBehindTheScenes(t *testing.T) {
	t.Parallel()
	d := open(t)
	at := time.Now()
	known := d.register.add("person", "Han Mei", func(p *somebody) {
		p.Owner, p.Addresses = "wang", []body{{"country": "CN"}}
		p.Identities = []identityView{{"email", "hanmei@example.com", &at}}
	})
	d.register.alike["Han Mei"] = []uuid.UUID{known}
	other := d.register.add("person", "Li Lei", nil)
	d.register.alike["Li Lei"] = []uuid.UUID{other}
	mei, lei, nobody := d.captured("", "Han Mei"), d.captured("", "Li Lei"), d.captured("", "Wang Fang")
	d.Eventually("all were asked for", func() bool {
		return d.Count(`SELECT count(*) FROM lead WHERE customer_checked_at IS NULL`) == 0
	})
	if l := d.read(mei); l.CustomerID != known || l.Owner != "wang" || l.Country != "CN" {
		t.Errorf("the mailbox is theirs: %+v", l)
	}
	if l := d.read(lei); l.CustomerID != uuid.Nil || len(l.Candidates) != 1 || l.Candidates[0].CustomerID != other || l.Owner != "" {
		t.Errorf("the name tells who it may be, and not who it is: %+v", l)
	}
	if l := d.read(nobody); l.CustomerID != uuid.Nil || len(l.Candidates) != 0 {
		t.Errorf("nobody: %+v", l)
	}
	if d.convert(mei, body{}).CustomerCreated {
		t.Error("the customer was known")
	}
	d.Want(http.StatusNoContent, http.MethodPut, path(lei, "/customer"), d.Sales, body{"customer_id": other}, nil)
	if c := d.convert(lei, body{}); c.CustomerCreated || *c.CustomerID != other {
		t.Errorf("somebody said who it is: %+v", c)
	}
}

func TestAccountsBeingAwayDelaysAndLosesNothing(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.register.fail = func(int, string) (bool, bool) { return true, false }
	l := d.captured("Lotus Hotels", "Han Mei")
	d.Want(http.StatusAccepted, http.MethodPost, path(l, "/convert"), d.Sales, body{}, nil)
	if got := d.Do(http.MethodPut, path(l, "/customer"), d.Sales, body{"customer_id": uuid.Must(uuid.NewV7())}); got.Status != http.StatusServiceUnavailable {
		t.Errorf("who it is cannot be looked up: %d %s", got.Status, got.Body)
	}
	d.register.mu.Lock()
	d.register.fail = nil
	d.register.mu.Unlock()
	if c := d.ended(l); c.State != "converted" {
		t.Errorf("%+v", c)
	}
}

func TestAConversionWhoseProcessWasLostGoesOn(t *testing.T) {
	t.Parallel()
	d := open(t)
	l := d.captured("Lotus Hotels", "Han Mei")
	lose := func() {
		t.Helper()
		if err := d.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
			tx.Queue(`DELETE FROM process_start WHERE tenant_id = 'pizza'`)
			tx.Queue(`UPDATE lead_conversion SET step_at = step_at - interval '1 hour' WHERE tenant_id = 'pizza'`)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		d.run()
		if err := d.conversions.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	d.stop()
	d.Want(http.StatusAccepted, http.MethodPost, path(l, "/convert"), d.Sales, body{}, nil)
	lose()
	if c := d.ended(l); c.State != "converted" {
		t.Fatalf("%+v", c)
	}
	d.stop()
	d.Want(http.StatusAccepted, http.MethodPost, path(l, "/unconvert"), d.Sales, nil, nil)
	lose()
	if c := d.ended(l); c.State != "undone" || d.register.standing() != 0 {
		t.Fatalf("%+v", c)
	}
}

func TestWhatCannotBeConverted(t *testing.T) {
	t.Parallel()
	d := open(t)
	l, lost, gone := d.captured("Lotus Hotels", "Han Mei"), d.captured("Rose Inns", "Li Lei"), d.captured("Tulip", "Wang Fang")
	if err := d.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		was, err := lead.Lock(d.ctx, tx, lost.ID)
		if err != nil {
			return err
		}
		now, err := was.Lose("no_budget", time.Now().UTC().Truncate(time.Microsecond))
		lead.Save(tx, now)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	erased := uuid.Must(uuid.NewV7())
	d.Accounts("pizza").Erase(erased)
	music, agent := d.Token(auth.RoleSales, "music"), d.Token(auth.RoleAgent, "pizza")
	for name, c := range map[string]struct {
		path, token string
		body        body
		status      int
		code        string
	}{
		"nothing there":               {"/v1/leads/" + uuid.Must(uuid.NewV7()).String() + "/convert", d.Sales, body{}, 404, "lead_not_found"},
		"another tenant's":            {path(l, "/convert"), music, body{}, 404, "lead_not_found"},
		"another tenant's undoing":    {path(l, "/unconvert"), music, nil, 404, "lead_not_found"},
		"by somebody who may not":     {path(l, "/convert"), agent, body{}, 403, "permission_missing"},
		"a lost one":                  {path(lost, "/convert"), d.Sales, body{}, 409, "lead_state_unfit"},
		"an undoing of nothing":       {path(gone, "/unconvert"), d.Sales, nil, 404, "conversion_not_found"},
		"an id that is none":          {"/v1/leads/17/convert", d.Sales, body{}, 422, "validation_failed"},
		"a customer who was erased":   {path(l, "/convert"), d.Sales, body{"customer_id": erased}, 410, "customer_erased"},
		"a contact who is it":         {path(l, "/convert"), d.Sales, body{"customer_id": l.ID, "contact_id": l.ID}, 422, "conversion_invalid"},
		"a day that is none":          {path(l, "/convert"), d.Sales, body{"opportunity": body{"expected_close_on": "2027-02-30"}}, 422, ""},
		"a negative amount":           {path(l, "/convert"), d.Sales, body{"opportunity": body{"amount_minor": -1}}, 422, "validation_failed"},
		"a field that is not known":   {path(l, "/convert"), d.Sales, body{"owner": "me"}, 422, "validation_failed"},
		"a customer that is no id":    {path(l, "/convert"), d.Sales, body{"customer_id": "17"}, 422, "validation_failed"},
		"a name that is far too long": {path(l, "/convert"), d.Sales, body{"opportunity": body{"name": strings.Repeat("a", 201)}}, 422, "validation_failed"},
	} {
		var sent any
		if c.body != nil { // a nil body would be sent as null
			sent = c.body
		}
		if got := d.Do(http.MethodPost, c.path, c.token, sent); got.Status != c.status || c.code != "" && got.Code() != c.code {
			t.Errorf("%s: got %d %s, want %d %s", name, got.Status, got.Body, c.status, c.code)
		}
	}
	for name, c := range map[string]struct {
		wish    body
		refusal string
	}{
		"a customer whom accounts does not know": {body{"customer_id": uuid.Must(uuid.NewV7())}, "customer_not_found"},
		"a pipeline that is not there":           {body{"opportunity": body{"pipeline": "golden"}}, "opportunity_invalid"},
		"a stage that is not there":              {body{"opportunity": body{"stage": "golden"}}, "stage_unknown"},
		"a currency that is none":                {body{"opportunity": body{"currency": "XXY"}}, "opportunity_invalid"},
		"a next step on no day":                  {body{"opportunity": body{"next_step": "call"}}, "opportunity_invalid"},
	} {
		if got := d.convert(l, c.wish); got.State != "refused" || got.Refusal != c.refusal || d.register.standing() != 0 {
			t.Errorf("%s: %+v, %d customers", name, got, d.register.standing())
		}
	}
	if c := d.convert(l, body{}); c.State != "converted" {
		t.Errorf("and then rightly: %+v", c)
	}
}
