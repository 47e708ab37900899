package lead_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/golden"
)

// secrets are words of a lead that stand nowhere else.
var secrets = []string{"Zephyrine Quill", "zephyrine@quillworks.example", "+8613912345678", "Quillworks Ltd", "a pipe organ", "rang twice at noon", "QW-4711"}

// quill captures a lead of the secrets, of a customer or of nobody known, with a note and one enquiry more.
func (d *desk) quill(customer uuid.UUID) leadView {
	d.t.Helper()
	b := body{
		"name": secrets[0], "email": secrets[1], "phone": secrets[2], "company": secrets[3], "message": secrets[4], "source": "fair",
		"external_ref": body{"system": "fair-app", "id": secrets[6]},
	}
	if customer != uuid.Nil {
		b["customer_id"] = customer
	}
	l := d.capture(http.StatusCreated, b)
	d.capture(http.StatusOK, body{"name": secrets[0], "email": secrets[1], "message": secrets[4]})
	d.do(http.StatusOK, l.LeadID, "qualify", body{"need": secrets[4]})
	d.Want(http.StatusCreated, http.MethodPost, "/v1/leads/"+l.LeadID+"/notes", d.Sales, body{"words": secrets[5]}, nil)
	return l
}

func TestAnErasedCustomersLeadsLoseTheirWords(t *testing.T) {
	t.Parallel()
	d := start(t)
	customer, other := newID(), newID()
	l := d.quill(customer)
	kept := d.capture(http.StatusCreated, with(lily(), "customer_id", other))
	for round := range 2 {
		_, done := d.AskToErase("pizza", customer)
		for _, e := range done {
			want := int64(1 - round)
			if e.GetLeft() != 0 || (e.GetWhat() == "lead" || e.GetWhat() == "lead_note") && e.GetCount() != want {
				t.Errorf("round %d: %v", round, e)
			}
		}
	}
	d.EventsOf("LeadLost", 1)
	d.Eventually("the words are nowhere", func() bool { return len(d.Mentions(secrets...)) == 0 })
	now := d.get(l.LeadID)
	if now.State != "lost" || now.LostReason != "erased" || now.ErasedAt == "" || now.Source != "fair" || now.CustomerID != customer.String() {
		t.Errorf("%+v", now)
	}
	golden.JSON(t, "testdata/lead_erased.json", d.EventsOf("LeadLost", 1)[0].Data)
	if n := d.Count(`SELECT count(*) FROM scoring_case WHERE id = $1`, l.LeadID); n != 0 {
		t.Error("it still counts as one that was lost by selling")
	}
	for what, b := range map[string]any{"reopen": nil, "notes": body{"words": "x"}, "assign": body{"team": ""}, "qualify": body{}} {
		if refused := d.Do(http.MethodPost, "/v1/leads/"+l.LeadID+"/"+what, d.Sales, b); refused.Status != http.StatusGone {
			t.Errorf("%s: %d %s", what, refused.Status, refused.Body)
		}
	}
	d.Want(http.StatusGone, http.MethodPatch, "/v1/leads/"+l.LeadID, d.Sales, body{"name": "x"}, nil, "If-Match", "*")
	d.Want(http.StatusGone, http.MethodPost, "/v1/leads", d.Sales, body{"customer_id": customer, "name": secrets[0]}, nil)
	if still := d.get(kept.LeadID); still.Name != "Lily Chen" || still.State != "open" {
		t.Errorf("another customer's lead is %+v", still)
	}
}

func TestTheWordsOfALeadAreDeletedByHand(t *testing.T) {
	t.Parallel()
	d := start(t)
	l := d.quill(uuid.Nil)
	path := "/v1/leads/" + l.LeadID
	for range 2 {
		d.Want(http.StatusNoContent, http.MethodDelete, path, d.manager, nil, nil)
	}
	d.EventsOf("LeadLost", 1)
	d.Eventually("the words are nowhere", func() bool { return len(d.Mentions(secrets...)) == 0 })
	if now := d.get(l.LeadID); now.State != "lost" || now.ErasedAt == "" || now.Version != 4 {
		t.Errorf("%+v", now)
	}
	if again := d.capture(http.StatusCreated, body{"name": secrets[0], "email": secrets[1]}); again.LeadID == l.LeadID {
		t.Error("who comes again is found by words that were deleted")
	}
}

func TestRowsOfFilesThatWereNotTakenLoseAnErasedLeadsWords(t *testing.T) {
	t.Parallel()
	d := start(t)
	l := d.quill(uuid.Nil)
	ended := d.Ended(d.Upload("/v1/leads/imports", d.manager, url.Values{"format": {"csv"}}, "name,email,source\n"+
		"Somebody Else,"+secrets[1]+",Not A Code\nUntouched,untouched@example.com,Not A Code\n"))
	if ended.Rejected != 2 {
		t.Fatalf("%+v", ended)
	}
	d.Want(http.StatusNoContent, http.MethodDelete, "/v1/leads/"+l.LeadID, d.manager, nil, nil)
	d.Eventually("the words are nowhere", func() bool { return len(d.Mentions(secrets[1])) == 0 })
	if found := d.Mentions("untouched@example.com"); len(found) == 0 {
		t.Error("another row is gone as well")
	}
}

func TestLeadsOfMergedCustomersAreOneListUntilItIsUndone(t *testing.T) {
	t.Parallel()
	d := start(t)
	wei, li := newID(), newID()
	for name, customer := range map[string]uuid.UUID{"Wei": wei, "Li": li} {
		d.capture(http.StatusCreated, body{"name": name, "customer_id": customer})
	}
	of := func(id uuid.UUID) []string { return d.list(d.Sales, url.Values{"customer_id": {id.String()}}) }
	d.Accounts("pizza").Merge(li, wei)
	if got := of(wei); len(got) != 2 || len(of(li)) != 2 {
		t.Errorf("the survivor has %v", got)
	}
	d.Accounts("pizza").Undo(li, wei)
	if got := of(wei); len(got) != 1 || got[0] != "Wei" {
		t.Errorf("after the undo the survivor has %v", got)
	}
}
