package ticket_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

// whole is a ticket as the API shows it, with all that these tests look at.
type whole struct {
	ticketView
	Kind       string
	Customer   string         `json:"customer_id"`
	Asset      string         `json:"asset_id"`
	Category   string         `json:"category"`
	Subject    string         `json:"subject"`
	Tags       []string       `json:"tags"`
	Custom     map[string]any `json:"custom_fields"`
	Resolution string
	Queue      string
	Agent      string
	MergedInto string     `json:"merged_into"`
	ResolvedAt *time.Time `json:"resolved_at"`
	ClosesAt   *time.Time `json:"closes_at"`
	ClosedAt   *time.Time `json:"closed_at"`
}

func read(w *ticketstest.World, id string) (v whole) {
	w.Want(http.StatusOK, http.MethodGet, "/v1/tickets/"+id, w.Agent, nil, &v)
	return v
}

func move(w *ticketstest.World, id string, to body) (v whole) {
	w.Want(http.StatusOK, http.MethodPost, "/v1/tickets/"+id+"/status", w.Agent, to, &v, "If-Match", "*")
	return v
}

func TestEveryStatusLeadsWhereItMay(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	all := []string{"open", "pending", "on_hold", "resolved", "closed"}
	may := map[string][]string{
		"new": all, "open": {"pending", "on_hold", "resolved", "closed"}, "pending": {"open", "on_hold", "resolved", "closed"},
		"on_hold": {"open", "pending", "resolved", "closed"}, "resolved": {"open", "closed"}, "closed": nil,
	}
	for _, from := range slices.Sorted(maps.Keys(may)) {
		for _, to := range all {
			v := open(t, w)
			if from != "new" {
				move(w, v.ID, status(from))
			}
			answer := w.Do(http.MethodPost, "/v1/tickets/"+v.ID+"/status", w.Agent, status(to), "If-Match", "*")
			want := http.StatusConflict
			if slices.Contains(may[from], to) {
				want = http.StatusOK
			}
			if answer.Status != want || want == http.StatusConflict && answer.Code() != "ticket_status" {
				t.Errorf("from %s to %s: got %d %s", from, to, answer.Status, answer.Body)
			}
		}
	}
}

// status is the body that moves a ticket, with a resolution where one is needed.
func status(to string) body {
	if to == "resolved" {
		return body{"status": to, "resolution": "solved"}
	}
	return body{"status": to}
}

func TestAResolvedTicketIsReopenedOrClosed(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	v := open(t, w)
	done := move(w, v.ID, status("resolved"))
	if done.Resolution != "solved" || done.ResolvedAt == nil || done.ClosesAt == nil || !done.ClosesAt.Equal(done.ResolvedAt.AddDate(0, 0, 7)) || done.ClosedAt != nil {
		t.Fatalf("resolved: %+v", done)
	}
	again := move(w, v.ID, status("open"))
	if again.Reopened != 1 || again.ResolvedAt != nil || again.ClosesAt != nil || again.Resolution != "solved" {
		t.Fatalf("reopened: %+v", again)
	}
	move(w, v.ID, body{"status": "resolved", "resolution": "no_fault"})
	closed := move(w, v.ID, status("closed"))
	if closed.Resolution != "no_fault" || closed.ClosedAt == nil || closed.ClosesAt != nil || closed.ResolvedAt == nil {
		t.Fatalf("closed: %+v", closed)
	}
	first := map[string]any{}
	for _, e := range w.EventsOf("TicketResolved", 2) {
		for _, name := range []string{"solved", "no_fault"} {
			if strings.Contains(string(e.Data), `"`+name+`"`) {
				first[name] = strings.Contains(string(e.Data), "firstContact")
			}
		}
	}
	if first["solved"] != true || first["no_fault"] != false {
		t.Errorf("done in the first contact: %v", first)
	}
}

func TestAResolvedTicketIsClosedAfterDaysOfSilence(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	silent, heard, fresh := open(t, w), open(t, w), open(t, w)
	for _, v := range []ticketView{silent, heard} {
		move(w, v.ID, status("resolved"))
	}
	say(t, w, heard.ID, "customer", "Not at all.", nil)
	sweep := func(after time.Duration) {
		t.Helper()
		later := ticket.New(w.DB, outbox.New("tickets"), func() time.Time { return time.Now().Add(after) })
		if err := later.CloseResolved(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	const day = 24 * time.Hour
	sweep(7*day - time.Minute)
	if v := read(w, silent.ID); v.Status != "resolved" {
		t.Fatalf("closed before its time: %+v", v)
	}
	w.Want(http.StatusOK, http.MethodPut, "/v1/ticket-setting", w.Manager, body{"close_after_days": 0}, nil, "If-Match", `"0"`)
	sweep(400 * day)
	if v := read(w, silent.ID); v.Status != "resolved" || v.ClosesAt != nil {
		t.Fatalf("closed although its tenant never does: %+v", v)
	}
	w.Want(http.StatusOK, http.MethodPut, "/v1/ticket-setting", w.Manager, body{"close_after_days": 2}, nil, "If-Match", `"1"`)
	sweep(2*day + time.Minute)
	for range 2 { // again it changes nothing
		sweep(30 * day)
	}
	for id, want := range map[string]string{silent.ID: "closed", heard.ID: "open", fresh.ID: "new"} {
		if v := read(w, id); v.Status != want {
			t.Errorf("got %s, want %s", v.Status, want)
		}
	}
	if got := history(w, silent.ID); !slices.Equal(got, []string{"opened new", "status resolved solved", "status closed silence"}) {
		t.Errorf("%q", got)
	}
	golden.JSON(t, "testdata/ticket_closed.json", w.EventsOf("TicketClosed", 1)[0].Data)
}

func TestTheSettingIsATenantsOwn(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	var v struct {
		Days int `json:"close_after_days"`
	}
	const path = "/v1/ticket-setting"
	w.Want(http.StatusOK, http.MethodPut, path, w.Manager, body{"close_after_days": 30}, nil, "If-Match", `"0"`)
	w.Want(http.StatusPreconditionFailed, http.MethodPut, path, w.Manager, body{"close_after_days": 30}, nil, "If-Match", `"0"`)
	w.Want(http.StatusForbidden, http.MethodPut, path, w.Agent, body{"close_after_days": 30}, nil, "If-Match", `"1"`)
	for _, days := range []int{-1, 366} {
		w.Want(http.StatusUnprocessableEntity, http.MethodPut, path, w.Manager, body{"close_after_days": days}, nil, "If-Match", `"1"`)
	}
	if w.Want(http.StatusOK, http.MethodGet, path, w.Agent, nil, &v); v.Days != 30 {
		t.Errorf("got %d", v.Days)
	}
	if w.Want(http.StatusOK, http.MethodGet, path, w.Token(auth.RoleAgent, "music"), nil, &v); v.Days != 7 {
		t.Errorf("another tenant's: %d", v.Days)
	}
}

func TestATicketIsReclassified(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/ticket-categories", w.Manager, body{"code": "delivery", "title": "Delivery"}, nil)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/ticket-categories", w.Manager, body{"code": "late", "title": "Late", "parent": "delivery"}, nil)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/ticket-fields", w.Manager, body{"name": "minutes", "title": "Minutes late", "type": "integer"}, nil)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/ticket-fields", w.Manager, body{"name": "driver", "title": "Driver", "type": "text"}, nil)
	b := missing()
	delete(b, "customer_id")
	b["category"], b["tags"], b["custom_fields"] = "late", []string{"VIP", " vip ", "Cola"}, body{"minutes": 40, "driver": "Bo"}
	var v whole
	w.Want(http.StatusCreated, http.MethodPost, "/v1/tickets", w.Agent, b, &v)
	if v.Category != "late" || !slices.Equal(v.Tags, []string{"cola", "vip"}) || fmt.Sprint(v.Custom) != "map[driver:Bo minutes:40]" {
		t.Fatalf("%+v", v)
	}
	path := "/v1/tickets/" + v.ID
	customer, asset := uuid.Must(uuid.NewV7()).String(), uuid.Must(uuid.NewV7()).String()
	v = whole{} // decoding adds to a map that is there
	w.Want(http.StatusOK, http.MethodPatch, path, w.Agent, body{
		"kind": "enquiry", "customer_id": customer, "asset_id": asset, "category": "delivery", "impact": 1, "urgency": 1, "tags": []string{},
		"custom_fields": body{"minutes": nil, "driver": "Jo"}, "subject": "Three colas are missing",
	}, &v, "If-Match", `"1"`)
	if v.Kind != "enquiry" || v.Customer != customer || v.Asset != asset || v.Category != "delivery" || v.Priority != 1 || len(v.Tags) != 0 ||
		fmt.Sprint(v.Custom) != "map[driver:Jo]" || v.Subject != "Three colas are missing" || v.Version != 2 {
		t.Fatalf("%+v", v)
	}
	w.Want(http.StatusPreconditionFailed, http.MethodPatch, path, w.Agent, body{"impact": 2}, nil, "If-Match", `"1"`)
	w.Want(http.StatusOK, http.MethodPatch, path, w.Agent, body{"impact": 1, "custom_fields": body{"driver": "Jo", "minutes": nil}}, &v, "If-Match", `"2"`)
	if v.Version != 2 {
		t.Error("nothing was changed, and yet it counts")
	}
	w.Want(http.StatusOK, http.MethodPatch, path, w.Agent, body{"subject": "Colas"}, &v, "If-Match", `"2"`)
	w.Want(http.StatusOK, http.MethodPatch, path, w.Agent, body{"asset_id": "", "category": ""}, nil, "If-Match", `"3"`)
	if v = read(w, v.ID); v.Asset != "" || v.Category != "" {
		t.Errorf("%+v", v)
	}
	if got := history(w, v.ID); !slices.Equal(got, []string{"opened new", "reclassified new", "edited new", "reclassified new"}) {
		t.Errorf("%q", got)
	}
	for name, c := range map[string]struct {
		body     body
		location string
	}{
		"another customer": {body{"customer_id": uuid.Must(uuid.NewV7()).String()}, "customer_id"},
		"a complaint":      {body{"kind": "complaint"}, "kind"}, "no category of theirs": {body{"category": "early"}, "category"},
		"no field of theirs": {body{"custom_fields": body{"x": 1}}, "custom_fields.x"}, "a text for a number": {body{"custom_fields": body{"minutes": "40"}}, "custom_fields.minutes"},
		"an asset that is no id": {body{"asset_id": "x"}, "asset_id"}, "no subject": {body{"subject": " "}, "subject"},
		"an empty tag": {body{"tags": []string{" "}}, "tags[0]"}, "an impact of 4": {body{"impact": 4}, "impact"},
	} {
		answer := w.Do(http.MethodPatch, path, w.Agent, c.body, "If-Match", "*")
		if answer.Status != http.StatusUnprocessableEntity || !strings.Contains(string(answer.Body), `"body.`+c.location+`"`) {
			t.Errorf("%s: got %d %s", name, answer.Status, answer.Body)
		}
	}
	move(w, v.ID, status("closed"))
	if late := w.Want(http.StatusConflict, http.MethodPatch, path, w.Agent, body{"impact": 2}, nil, "If-Match", "*"); late.Code() != "ticket_closed" {
		t.Errorf("%s", late.Body)
	}
	w.Want(http.StatusNotFound, http.MethodPatch, path, w.Token(auth.RoleAgent, "music"), body{"impact": 2}, nil, "If-Match", "*")
}

// inTx runs what another room does in a transaction of the tenant pizza.
func inTx(t *testing.T, w *ticketstest.World, do func(ctx context.Context, tx *pg.Tx, o *outbox.Outbox) error) error {
	t.Helper()
	return w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error { return do(t.Context(), tx, outbox.New("tickets")) })
}

func TestATicketIsAssignedOnce(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	id := uuid.MustParse(open(t, w).ID)
	give := func(a ticket.Assignment) error {
		a.At = time.Now()
		return inTx(t, w, func(ctx context.Context, tx *pg.Tx, o *outbox.Outbox) error {
			_, err := ticket.Assign(ctx, tx, o, id, a)
			return err
		})
	}
	var pulled atomic.Int64
	var wait sync.WaitGroup
	for n := range 10 { // ten want it at once; it is had by whoever sees first that nobody has it
		wait.Go(func() {
			err := inTx(t, w, func(ctx context.Context, tx *pg.Tx, o *outbox.Outbox) error {
				v, err := ticket.Lock(ctx, tx, id)
				if err != nil || v.Agent != "" {
					return err
				}
				pulled.Add(1)
				_, err = ticket.AssignLocked(ctx, tx, o, v, ticket.Assignment{Queue: "kitchen", Agent: fmt.Sprint("agent", n), Reason: "pulled", At: time.Now()})
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	if wait.Wait(); pulled.Load() != 1 {
		t.Fatalf("%d have it", pulled.Load())
	}
	for range 2 { // again it is theirs already
		if err := give(ticket.Assignment{Queue: "kitchen", Agent: "wei", Reason: "assigned"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := give(ticket.Assignment{Queue: "kitchen", Agent: "li", Reason: "pulled", By: "li"}); err != nil {
		t.Fatal(err)
	}
	if v := read(w, id.String()); v.Agent != "li" || v.Queue != "kitchen" || v.Version != 4 {
		t.Errorf("%+v", v)
	}
	golden.JSON(t, "testdata/ticket_assigned.json", w.EventsOf("TicketAssigned", 3)[2].Data)
	move(w, id.String(), status("closed"))
	if err := give(ticket.Assignment{Agent: "li"}); problem.From(err).Code != "ticket_closed" {
		t.Errorf("a closed one: %v", err)
	}
}

func TestAMergedTicketGoesOnElsewhere(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	into, id := open(t, w), open(t, w)
	merge := func(id, into string) error {
		return inTx(t, w, func(ctx context.Context, tx *pg.Tx, o *outbox.Outbox) error {
			target, err := ticket.Lock(ctx, tx, uuid.MustParse(into))
			if err == nil {
				_, err = ticket.Merge(ctx, tx, o, uuid.MustParse(id), target, "li", time.Now())
			}
			return err
		})
	}
	if err := merge(id.ID, id.ID); problem.From(err).Code != "ticket_status" {
		t.Errorf("with itself: %v", err)
	}
	if err := merge(id.ID, into.ID); err != nil {
		t.Fatal(err)
	}
	if v := read(w, id.ID); v.Status != "closed" || v.MergedInto != into.ID || v.Resolution != "duplicate" {
		t.Errorf("%+v", v)
	}
	golden.JSON(t, "testdata/tickets_merged.json", w.EventsOf("TicketsMerged", 1)[0].Data)
	for name, err := range map[string]error{"again": merge(id.ID, into.ID), "into it": merge(into.ID, id.ID)} {
		if problem.KindOf(err) != problem.Conflict {
			t.Errorf("%s: %v", name, err)
		}
	}
	for path, b := range map[string]body{"/replies": {"author": "customer", "words": "x"}, "/status": status("open")} {
		if answer := w.Do(http.MethodPost, "/v1/tickets/"+id.ID+path, w.Agent, b, "If-Match", "*"); answer.Code() != "ticket_merged" {
			t.Errorf("%s: %s", path, answer.Body)
		}
	}
}

func TestOneOfManyWhoChangeATicketAtOnceDoes(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	v := open(t, w)
	var done atomic.Int64
	var wait sync.WaitGroup
	for n := range 12 {
		wait.Go(func() {
			var answer struct{ Status int }
			switch n % 3 {
			case 0:
				answer.Status = w.Do(http.MethodPost, "/v1/tickets/"+v.ID+"/status", w.Agent, status("pending"), "If-Match", `"1"`).Status
			case 1:
				answer.Status = w.Do(http.MethodPatch, "/v1/tickets/"+v.ID, w.Agent, body{"impact": 1}, "If-Match", `"1"`).Status
			default:
				answer.Status = w.Do(http.MethodPost, "/v1/tickets/"+v.ID+"/replies", w.Agent, body{"author": "agent", "words": "x"}, "If-Match", `"1"`).Status
			}
			if answer.Status < 300 {
				done.Add(1)
			} else if answer.Status != http.StatusPreconditionFailed {
				t.Errorf("got %d", answer.Status)
			}
		})
	}
	if wait.Wait(); done.Load() != 1 || read(w, v.ID).Version != 2 {
		t.Errorf("%d changed it", done.Load())
	}
}
