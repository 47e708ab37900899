package tickets_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	erasurev1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/erasure/activities/v1"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

type body = ticketstest.Body

// matter is a ticket or a complaint as the API shows it.
type matter struct {
	Ticket    string `json:"ticket_id"`
	Complaint string `json:"complaint_id"`
	Customer  string `json:"customer_id"`
	Subject   string
	ETag      int64 `json:"version"`
}

// enquires opens a ticket of the customer.
func enquires(w *ticketstest.World, customer uuid.UUID, words string) (m matter) {
	w.Want(http.StatusCreated, http.MethodPost, "/v1/tickets", w.Agent, body{
		"kind": "enquiry", "channel": "phone", "customer_id": customer, "subject": words, "description": words, "impact": 3, "urgency": 3,
	}, &m)
	return m
}

// list gives what a customer has, in pages of one.
func list(w *ticketstest.World, path string, customer uuid.UUID) (all []matter) {
	for cursor := ""; ; {
		var page struct {
			Items      []matter
			NextCursor string `json:"next_cursor"`
		}
		w.Want(http.StatusOK, http.MethodGet, path+"?limit=1&customer_id="+customer.String()+"&cursor="+cursor, w.Agent, nil, &page)
		all = append(all, page.Items...)
		if cursor = page.NextCursor; cursor == "" {
			return all
		}
	}
}

// ids gives the ids of matters, and fails where one is not the customer's.
func ids(t *testing.T, all []matter, customer uuid.UUID) (ids []string) {
	t.Helper()
	for _, m := range all {
		if m.Customer != customer.String() {
			t.Errorf("%+v is not shown as that of %s", m, customer)
		}
		if m.Complaint != "" {
			m.Ticket = m.Complaint
		}
		ids = append(ids, m.Ticket)
	}
	return ids
}

func TestMattersOfMergedCustomersAreOneListUntilItIsUndone(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	accounts := w.Accounts("pizza")
	wei, li := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	one, two, three := enquires(w, wei, "one"), enquires(w, li, "two"), enquires(w, wei, "three")
	first, second := w.Register(wei.String()), w.Register(li.String())
	enquires(w, uuid.Must(uuid.NewV7()), "another's")
	accounts.Merge(li, wei)

	tickets := []string{second.TicketID, first.TicketID, three.Ticket, two.Ticket, one.Ticket}
	for _, id := range []uuid.UUID{wei, li} {
		if got := ids(t, list(w, "/v1/tickets", id), wei); !slices.Equal(got, tickets) {
			t.Errorf("tickets %v, want %v", got, tickets)
		}
		if got := ids(t, list(w, "/v1/complaints", id), wei); !slices.Equal(got, []string{second.ID, first.ID}) {
			t.Errorf("complaints %v", got)
		}
	}
	var read matter
	w.Want(http.StatusOK, http.MethodGet, "/v1/complaints/"+second.ID, w.Agent, nil, &read)
	if read.Customer != wei.String() {
		t.Errorf("the complaint is shown as that of %s, want the survivor", read.Customer)
	}
	if late := enquires(w, li, "late"); late.Customer != wei.String() {
		t.Errorf("a ticket for the absorbed id is answered as that of %s", late.Customer)
	}
	if late := w.Register(li.String()); late.Customer != wei.String() {
		t.Errorf("a complaint for the absorbed id is answered as that of %s", late.Customer)
	}
	var page struct{ Items []matter }
	w.Want(http.StatusOK, http.MethodGet, "/v1/tickets?customer_id="+wei.String(), w.Token(auth.RoleAgent, "music"), nil, &page)
	if len(page.Items) != 0 {
		t.Errorf("another tenant sees %+v", page.Items)
	}

	accounts.Undo(li, wei)
	if got := ids(t, list(w, "/v1/complaints", wei), wei); !slices.Equal(got, []string{first.ID}) {
		t.Errorf("after the undo the survivor complains of %v", got)
	}
	if got := ids(t, list(w, "/v1/tickets", li), li); len(got) != 4 || got[3] != two.Ticket || got[2] != second.TicketID {
		t.Errorf("after the undo the other has %v, want its own, those included that came since", got)
	}
}

func TestAnErasedCustomersWordsAreNowhere(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	wei, other := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	said := enquires(w, wei, "我叫张伟 and my number is 4711-0815")
	enquires(w, other, "I am somebody else")
	var c ticketstest.Complaint
	cold := ticketstest.Cold(wei.String())
	cold["description"], cold["wish"] = "张伟的比萨是凉的", "Call me on 4711-0815."
	w.Want(http.StatusCreated, http.MethodPost, "/v1/complaints", w.Agent, cold, &c)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/ticket-fields", w.Manager, body{"name": "caller", "title": "Caller", "type": "text"}, nil)
	w.Want(http.StatusOK, http.MethodPatch, "/v1/tickets/"+said.Ticket, w.Agent, body{"tags": []string{"张伟"}, "custom_fields": body{"caller": "张伟"}}, nil, "If-Match", "*")
	w.Want(http.StatusCreated, http.MethodPost, "/v1/tickets/"+said.Ticket+"/replies", w.Agent, body{"author": "customer", "words": "I am 张伟."}, nil)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/tickets/"+said.Ticket+"/notes", w.Agent, body{"words": "张伟 called from 4711-0815."}, nil)
	secrets := []string{"张伟", "4711-0815"}
	if found := w.Mentions(secrets...); len(found) == 0 {
		t.Fatal("the search does not even find what is there")
	}

	if holds, done := w.AskToErase("music", wei); len(holds) != 0 || slices.ContainsFunc(done, func(d *erasurev1.Erased) bool { return d.GetCount() != 0 }) {
		t.Fatalf("another tenant's process is held by %v and erased %v", holds, done)
	}
	for _, want := range []map[string]int64{{"ticket": 2, "ticket_text": 2, "complaint_text": 2}, {}} { // and again
		holds, done := w.AskToErase("pizza", wei)
		if len(holds) != 1 || holds[0].GetCode() != "complaint_open" || holds[0].GetReferenceId() != c.ID {
			t.Errorf("got %v, want that the open complaint holds", holds)
		}
		for _, d := range done {
			if d.GetCount() != want[d.GetWhat()] || d.GetLeft() != 0 {
				t.Errorf("got %v, want %d", d, want[d.GetWhat()])
			}
			delete(want, d.GetWhat())
		}
		if len(want) > 0 {
			t.Errorf("of %v nothing is said", want)
		}
	}
	if found := w.Mentions(secrets...); len(found) != 0 {
		t.Errorf("the words still stand in %v", found)
	}
	if found := w.Mentions("I am somebody else"); len(found) == 0 {
		t.Error("somebody else's words are gone as well")
	}
	if holds, _ := w.AskToErase("pizza", uuid.Must(uuid.NewV7())); len(holds) != 0 {
		t.Errorf("somebody else is held back by %v", holds)
	}
	var read matter
	w.Want(http.StatusOK, http.MethodGet, "/v1/tickets/"+said.Ticket, w.Agent, nil, &read)
	if read.Subject != "" || read.ETag != 5 || read.Customer != wei.String() {
		t.Errorf("the ticket is %+v, want it empty and of a new version", read)
	}

	w.Want(http.StatusGone, http.MethodPost, "/v1/complaints", w.Agent, cold, nil)
	w.Want(http.StatusGone, http.MethodPost, "/v1/tickets", w.Agent, body{
		"kind": "enquiry", "channel": "phone", "customer_id": wei, "subject": secrets[0], "impact": 3, "urgency": 3,
	}, nil)
	w.Want(http.StatusGone, http.MethodPatch, "/v1/tickets/"+said.Ticket, w.Agent, body{"tags": []string{secrets[0]}}, nil, "If-Match", "*")
	// What is still to be done for somebody who was erased, is moved on.
	w.Want(http.StatusOK, http.MethodPatch, "/v1/tickets/"+said.Ticket, w.Agent, body{"impact": 1}, nil, "If-Match", "*")
	w.Want(http.StatusOK, http.MethodPost, "/v1/tickets/"+said.Ticket+"/status", w.Agent, body{"status": "on_hold"}, nil, "If-Match", "*")
	for path, b := range map[string]body{"/replies": {"author": "customer", "words": secrets[0]}, "/notes": {"words": secrets[0]}} {
		w.Want(http.StatusGone, http.MethodPost, "/v1/tickets/"+said.Ticket+path, w.Agent, b, nil)
	}
	w.Want(http.StatusGone, http.MethodPost, "/v1/complaints/"+c.ID+"/withdraw", w.Agent, body{"reason": secrets[0]}, nil)
	if found := w.Mentions(secrets...); len(found) != 0 {
		t.Errorf("the words are back in %v", found)
	}
}

func TestTheEventErasesWhatABackupBroughtBack(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	wei := uuid.Must(uuid.NewV7())
	enquires(w, wei, "My name is Zhang Wei.")
	w.Register(wei.String())
	w.Accounts("pizza").Erase(wei)
	if found := w.Mentions("Zhang Wei", "The pizza was cold."); len(found) != 0 {
		t.Errorf("the words still stand in %v", found)
	}
}
