package ticket_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

// words is what was said, as the API shows it.
type words struct {
	ID     string `json:"reply_id"`
	No     int
	Author string
	Words  string
	By     string
	At     time.Time
}

type saidView struct {
	Reply  words
	Ticket ticketView
}

// say adds to a conversation of the tenant pizza, which must be taken.
func say(t *testing.T, w *ticketstest.World, id, author, text string, more body) saidView {
	t.Helper()
	b, path := body{"words": text}, "/v1/tickets/"+id+"/notes"
	if author != "note" {
		b["author"], path = author, "/v1/tickets/"+id+"/replies"
	}
	for name, value := range more {
		b[name] = value
	}
	var v saidView
	w.Want(http.StatusCreated, http.MethodPost, path, w.Agent, b, &v, "If-Match", "*")
	return v
}

// conversation gives all that was said, in pages of two.
func conversation(w *ticketstest.World, id, query string) (all []words) {
	for cursor := ""; ; {
		var page struct {
			Items      []words
			NextCursor string `json:"next_cursor"`
		}
		w.Want(http.StatusOK, http.MethodGet, "/v1/tickets/"+id+"/conversation?limit=2"+query+"&cursor="+cursor, w.Agent, nil, &page)
		all = append(all, page.Items...)
		if cursor = page.NextCursor; cursor == "" {
			return all
		}
	}
}

// entry is an entry of a history as the API shows it.
type entry struct {
	No     int
	What   string
	Status string
	By     string
	Code   string
	Ref    string
	Fields []string
	At     time.Time
}

func (e entry) String() string { return strings.TrimSpace(e.What + " " + e.Status + " " + e.Code) }

// history gives all that happened, in pages of three.
func history(w *ticketstest.World, id string) (all []string) {
	for cursor := ""; ; {
		var page struct {
			Items      []entry
			NextCursor string `json:"next_cursor"`
		}
		w.Want(http.StatusOK, http.MethodGet, "/v1/tickets/"+id+"/history?limit=3&cursor="+cursor, w.Agent, nil, &page)
		for _, e := range page.Items {
			all = append(all, e.String())
		}
		if cursor = page.NextCursor; cursor == "" {
			return all
		}
	}
}

func TestWhatIsSaidMovesTheTicket(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	for _, c := range []struct {
		author, from, want string
		reopened           int
	}{
		{"customer", "new", "new", 0}, {"customer", "open", "open", 0}, {"customer", "pending", "open", 0}, {"customer", "on_hold", "on_hold", 0},
		{"customer", "resolved", "open", 1},
		{"agent", "new", "open", 0}, {"agent", "open", "open", 0}, {"agent", "pending", "pending", 0}, {"agent", "resolved", "resolved", 0},
		{"automatic", "new", "new", 0}, {"automatic", "pending", "pending", 0}, {"automatic", "resolved", "resolved", 0},
		{"note", "new", "new", 0}, {"note", "pending", "pending", 0}, {"note", "resolved", "resolved", 0}, {"note", "closed", "closed", 0},
	} {
		v := open(t, w)
		if c.from != "new" {
			move := body{"status": c.from}
			if c.from == "resolved" {
				move["resolution"] = "solved"
			}
			w.Want(http.StatusOK, http.MethodPost, "/v1/tickets/"+v.ID+"/status", w.Agent, move, nil, "If-Match", "*")
		}
		got := say(t, w, v.ID, c.author, "What about my colas?", nil)
		if got.Ticket.Status != c.want || got.Ticket.Reopened != c.reopened {
			t.Errorf("a %s of one that is %s: got %s, reopened %d", c.author, c.from, got.Ticket.Status, got.Ticket.Reopened)
		}
	}
}

func TestWhatWasSaidStaysAsItIs(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	v := open(t, w)
	const evil = " <script>alert('你好')</script>\r\n\t<img src=x onerror=\"alert(1)\"> & </p> \u2028 "
	first := say(t, w, v.ID, "customer", evil, body{"channel": "email"})
	say(t, w, v.ID, "note", evil, nil)
	say(t, w, v.ID, "agent", "They are on the way.", body{"status": "pending"})
	say(t, w, v.ID, "automatic", "We got your mail.", nil)
	all := conversation(w, v.ID, "")
	var got []string
	for _, r := range all {
		got = append(got, fmt.Sprint(r.No, " ", r.Author))
	}
	if !slices.Equal(got, []string{"2 customer", "3 note", "4 agent", "6 automatic"}) || all[0].Words != evil || all[1].Words != evil || all[0].ID != first.Reply.ID {
		t.Fatalf("%v %q", got, all[0].Words)
	}
	for _, r := range conversation(w, v.ID, "&public=true") {
		if r.Author == "note" {
			t.Error("a note is shown as public")
		}
	}
	answer := w.Do(http.MethodGet, "/v1/tickets/"+v.ID+"/conversation", w.Agent, nil)
	if answer.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(answer.Header.Get("Content-Type"), "application/json") {
		t.Errorf("a browser may take the answer for something else: %v", answer.Header)
	}
	want := []string{"opened new", "customer_contact new", "note new", "public_reply new", "status pending agent", "automatic_reply pending"}
	if got := history(w, v.ID); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	golden.JSON(t, "testdata/ticket_replied.json", w.EventsOf("TicketReplied", 3)[0].Data)
	if found := w.Mentions("alert"); len(found) != 2 {
		t.Errorf("words stand in %v, want the reply and the note and nowhere else", found)
	}
	for _, table := range []string{"ticket_history", "ticket_reply", "ticket_note"} {
		for _, sql := range []string{"UPDATE " + table + " SET at = now()", "DELETE FROM " + table} {
			if _, err := w.Exec(t, "pizza", sql); err == nil {
				t.Errorf("the service may %s", sql)
			}
		}
	}
}

func TestAnAgentAnswersWhatTheyHaveRead(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	v := open(t, w)
	path := "/v1/tickets/" + v.ID + "/replies"
	reply := body{"author": "agent", "words": "They are on the way."}
	if missing := w.Want(http.StatusPreconditionRequired, http.MethodPost, path, w.Agent, reply, nil); missing.Code() != "if_match_missing" {
		t.Fatalf("%s", missing.Body)
	}
	w.Want(http.StatusCreated, http.MethodPost, path, w.Agent, body{"author": "customer", "words": "They are here!"}, nil)
	w.Want(http.StatusPreconditionFailed, http.MethodPost, path, w.Agent, reply, nil, "If-Match", `"1"`)
	w.Want(http.StatusPreconditionFailed, http.MethodPost, path, w.Agent, body{"author": "customer", "words": "?"}, nil, "If-Match", `"1"`)
	answer := w.Want(http.StatusCreated, http.MethodPost, path, w.Agent, reply, nil, "If-Match", `"2"`, "Idempotency-Key", "once")
	if answer.Header.Get("ETag") != `"3"` {
		t.Errorf("the ETag is %s", answer.Header.Get("ETag"))
	}
	var again saidView
	w.Want(http.StatusCreated, http.MethodPost, path, w.Agent, reply, &again, "If-Match", `"2"`, "Idempotency-Key", "once")
	if again.Reply.Words != "They are on the way." || len(conversation(w, v.ID, "")) != 2 {
		t.Errorf("repeated: %+v", again)
	}
}

func TestWhatCannotBeSaid(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	v, done := open(t, w), open(t, w)
	w.Want(http.StatusOK, http.MethodPost, "/v1/tickets/"+done.ID+"/status", w.Agent, body{"status": "closed"}, nil, "If-Match", "*")
	complaint := w.Register(uuid.Must(uuid.NewV7()).String())
	for _, c := range []struct {
		name, id string
		body     body
		status   int
		code     string
	}{
		{"nothing", v.ID, body{"author": "customer", "words": " \n "}, 422, "ticket_invalid"},
		{"too much", v.ID, body{"author": "customer", "words": strings.Repeat("字", 50_001)}, 422, ""},
		{"U+0000", v.ID, body{"author": "customer", "words": "a\x00b"}, 422, ""},
		{"by nobody known", v.ID, body{"author": "note", "words": "x"}, 422, ""},
		{"on a channel that is no code", v.ID, body{"author": "customer", "words": "x", "channel": "E-Mail"}, 422, "ticket_invalid"},
		{"a customer who resolves", v.ID, body{"author": "customer", "words": "x", "status": "resolved", "resolution": "solved"}, 422, "ticket_invalid"},
		{"resolved without how", v.ID, body{"author": "agent", "words": "x", "status": "resolved"}, 422, "ticket_invalid"},
		{"how without resolved", v.ID, body{"author": "agent", "words": "x", "resolution": "solved"}, 422, "ticket_invalid"},
		{"on a closed ticket", done.ID, body{"author": "customer", "words": "x"}, 409, "ticket_closed"},
		{"moving a complaint's ticket", complaint.TicketID, body{"author": "agent", "words": "x", "status": "closed"}, 409, "ticket_of_complaint"},
		{"on no ticket", uuid.Must(uuid.NewV7()).String(), body{"author": "customer", "words": "x"}, 404, "ticket_not_found"},
	} {
		answer := w.Do(http.MethodPost, "/v1/tickets/"+c.id+"/replies", w.Agent, c.body, "If-Match", "*")
		if answer.Status != c.status && !(c.status == 422 && answer.Status == 400) || c.code != "" && answer.Code() != c.code {
			t.Errorf("%s: got %d %s", c.name, answer.Status, answer.Body)
		}
	}
	said := say(t, w, complaint.TicketID, "customer", "And the cola was warm.", nil)
	if said.Ticket.Status != "new" {
		t.Errorf("what is said moves the ticket of a complaint: %+v", said.Ticket)
	}
}

func TestTimesAreGivenByWhoMayImport(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	importer := w.Token(auth.RoleIntegrator, "pizza")
	b := missing()
	b["opened_at"], b["live"] = "2024-02-29T08:00:00+08:00", true
	if refused := w.Want(http.StatusForbidden, http.MethodPost, "/v1/tickets", w.Agent, b, nil); refused.Code() != "time_not_yours_to_give" {
		t.Fatalf("%s", refused.Body)
	}
	var v struct {
		ID       string    `json:"ticket_id"`
		OpenedAt time.Time `json:"opened_at"`
		Live     bool
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/tickets", importer, b, &v)
	if !v.OpenedAt.Equal(time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)) || !v.Live {
		t.Fatalf("%+v", v)
	}
	path := "/v1/tickets/" + v.ID
	reply := func(at string) body { return body{"author": "customer", "words": "?", "at": at} }
	w.Want(http.StatusCreated, http.MethodPost, path+"/replies", importer, reply("2024-02-29T01:00:00Z"), nil)
	w.Want(http.StatusCreated, http.MethodPost, path+"/replies", importer, reply("2024-02-29T01:00:00Z"), nil) // at once
	early := w.Want(http.StatusUnprocessableEntity, http.MethodPost, path+"/replies", importer, reply("2024-02-29T00:59:59Z"), nil)
	if !strings.Contains(string(early.Body), "before_the_last") {
		t.Errorf("%s", early.Body)
	}
	for _, at := range []string{"2999-01-01T00:00:00Z", "1999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", time.Now().Add(time.Hour).Format(time.RFC3339)} {
		w.Want(http.StatusUnprocessableEntity, http.MethodPost, path+"/replies", importer, reply(at), nil)
		b["opened_at"] = at
		w.Want(http.StatusUnprocessableEntity, http.MethodPost, "/v1/tickets", importer, b, nil)
	}
	w.Want(http.StatusForbidden, http.MethodPost, path+"/status", w.Agent, body{"status": "open", "at": "2024-03-01T00:00:00Z"}, nil, "If-Match", "*")
	w.Want(http.StatusOK, http.MethodPost, path+"/status", importer, body{"status": "resolved", "resolution": "solved", "at": "2024-03-01T00:00:00Z"}, nil, "If-Match", "*")
	w.Want(http.StatusCreated, http.MethodPost, path+"/replies", importer, reply("2024-03-02T00:00:00Z"), nil)
	want := []string{
		"opened_live new", "customer_contact new", "customer_contact new", "status resolved solved",
		"customer_contact resolved", "status open customer_replied",
	}
	if got := history(w, v.ID); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	golden.JSON(t, "testdata/ticket_reopened.json", w.EventsOf("TicketReopened", 1)[0].Data)
	golden.JSON(t, "testdata/ticket_resolved.json", w.EventsOf("TicketResolved", 1)[0].Data)
}

func TestATicketIsWatched(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	v, other := open(t, w), open(t, w)
	path := "/v1/tickets/" + v.ID + "/watchers"
	for range 2 {
		w.Want(http.StatusOK, http.MethodPut, path+"/li", w.Agent, nil, nil)
		w.Want(http.StatusOK, http.MethodPut, path+"/anna@pizza", w.Agent, nil, nil)
	}
	w.Want(http.StatusOK, http.MethodPut, "/v1/tickets/"+other.ID+"/watchers/anna@pizza", w.Agent, nil, nil)
	w.Want(http.StatusNotFound, http.MethodPut, path+"/eve", w.Token(auth.RoleAgent, "music"), nil, nil)
	var all struct {
		Items []struct{ Subject string }
	}
	w.Want(http.StatusOK, http.MethodGet, path, w.Agent, nil, &all)
	if len(all.Items) != 2 || all.Items[0].Subject != "anna@pizza" || all.Items[1].Subject != "li" {
		t.Fatalf("%+v", all)
	}
	w.Want(http.StatusNoContent, http.MethodDelete, path+"/anna@pizza", w.Agent, nil, nil)
	w.Want(http.StatusNoContent, http.MethodDelete, path+"/anna@pizza", w.Agent, nil, nil)
	for watcher, want := range map[string]string{"li": v.ID, "anna@pizza": other.ID} {
		for _, sort := range []string{"latest", "due"} {
			var page struct{ Items []ticketView }
			w.Want(http.StatusOK, http.MethodGet, "/v1/tickets?sort="+sort+"&watcher="+watcher, w.Agent, nil, &page)
			if len(page.Items) != 1 || page.Items[0].ID != want {
				t.Errorf("%s watches %+v", watcher, page.Items)
			}
		}
	}
}
