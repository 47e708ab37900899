package leadimport_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
)

type body = map[string]any

const path = "/v1/leads/imports"

// bring uploads a file of comma-separated values and waits until its import has ended.
func bring(w *salestest.World, file string) apptest.Import {
	return w.Ended(w.Upload(path, w.Token(auth.RoleIntegrator, "pizza"), url.Values{"format": {"csv"}}, file))
}

func rejections(w *salestest.World, i apptest.Import) (all []string) {
	for _, r := range w.Rejections(i) {
		all = append(all, r.String())
	}
	return all
}

func TestAClosedLeadOfWhichNobodyWroteDownWhenItCameInIsTaken(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	file := "external_id,system,name,outcome,closed_at,reason\n1,old,Ann,won,2025-02-01,\n2,old,Bob,lost,2025-02-02,price\n"
	for n, want := range []int64{2, 2} { // brought again it changes nothing
		if v := bring(w, file); v.State != "finished" || v.Rejected != 0 {
			t.Fatalf("time %d: %+v %v", n+1, v, rejections(w, v))
		}
		if n := w.Count(`SELECT count(*) FROM lead WHERE captured_at = coalesce(converted_at, lost_at)`); n != want {
			t.Errorf("%d leads came in when they ended", n)
		}
	}
}

func TestClosedLeadsCountAtOnce(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	v := bring(w, "external_id,system,name,source,captured_at,outcome,closed_at,stage,reason\n"+
		"1,old,Ann,web,2025-01-01,won,2025-02-01,,\n"+
		"2,old,Bob,web,2025-01-01,lost,2025-02-02,proposal,price\n"+
		"3,old,Cai,fair,2025-01-01,,,,\n")
	if v.State != "finished" || v.Accepted != 3 {
		t.Fatalf("%+v %v", v, rejections(w, v))
	}
	for field, want := range map[string][2]int64{
		"source/web": {1, 1}, "stage/standard/new": {1, 1}, "stage/standard/proposal": {1, 1}, "stage/standard/negotiation": {1, 0}, "source/fair": {0, 0},
	} {
		name, value, _ := strings.Cut(field, "/")
		won := w.Count(`SELECT coalesce(sum(won), 0)::bigint FROM scoring_count WHERE field = $1 AND value = $2`, name, value)
		lost := w.Count(`SELECT coalesce(sum(lost), 0)::bigint FROM scoring_count WHERE field = $1 AND value = $2`, name, value)
		if won != want[0] || lost != want[1] {
			t.Errorf("%s was won %d and lost %d times, want %v", field, won, lost, want)
		}
	}
	if n := w.Count(`SELECT count(*) FROM lead WHERE state = 'converted' AND converted_at = '2025-02-01' AND opportunity_id IS NULL`); n != 1 {
		t.Errorf("%d won leads", n)
	}
	if n := w.Count(`SELECT count(*) FROM lead WHERE state = 'lost' AND lost_at = '2025-02-02' AND lost_reason = 'price' AND stage = 'proposal' AND captured_at = '2025-01-01'`); n != 1 {
		t.Errorf("%d lost leads", n)
	}
	if n := len(w.EventsOf("LeadCaptured", 3)); n != 3 {
		t.Errorf("%d were captured", n)
	}
	golden.JSON(t, "testdata/lead_won.json", w.EventsOf("LeadConverted", 1)[0].Data)
	golden.JSON(t, "testdata/lead_lost.json", w.EventsOf("LeadLost", 1)[0].Data)
}

func TestGoodRowsGoInAndBadOnesAreNamed(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	manager := w.Token(auth.RoleManager, "pizza")
	w.Want(http.StatusCreated, http.MethodPost, "/v1/lead-fields", manager, body{"name": "size", "title": "Size", "type": "integer"}, nil)
	w.Want(http.StatusOK, http.MethodPut, "/v1/sellers/hans", manager, body{"capacity": 10}, nil, "If-Match", "*")
	w.Want(http.StatusOK, http.MethodPut, "/v1/teams/north", manager, body{"name": "North", "members": []string{"hans"}}, nil, "If-Match", "*")
	gone := uuid.Must(uuid.NewV7())
	w.Accounts("pizza").Erase(gone)
	v := bring(w, "external_id,system,name,email,phone,country,source,team,owner,customer_id,tags,custom:size,captured_at,outcome,closed_at,stage,reason\n"+
		"1,old,Ann,ann@example.com,030 901820,DE,web,north,hans,,a,5,,,,,\n"+ // 2: good
		"2,old,Bob,bob,,,web,,,,,,,,,,\n"+
		"3,old,Cai,,12,,web,,,,,,,,,,\n"+
		"4,old,Dan,,,Atlantis,web,,,,,,,,,,\n"+
		"5,old,Eve,,,,Our Web,,,,,,,,,,\n"+
		"6,old,Fay,,,,,south,,,,,,,,,\n"+
		"7,old,Gus,,,,,north,zoe,,,,,,,,\n"+
		"8,old,,,,,web,,,,,,,,,,\n"+
		"9,old,Ida,,,,,,,,,many,,,,,\n"+
		"10,old,Jon,,,,,,,,,,2030-01-01,,,,\n"+
		"11,old,Kai,,,,,,,,,,2025-01-01,lost,2025-02-01,,\n"+
		"12,old,Lea,,,,,,,,,,2025-01-01,lost,,,price\n"+
		"13,old,Max,,,,,,,,,,2025-01-01,lost,2024-12-31,,price\n"+
		"14,old,Ned,,,,,,,,,,2025-01-01,lost,2025-02-01,nowhere,price\n"+
		"15,old,Oda,,,,,,,,,,2025-01-01,won,2025-02-01,,price\n"+
		"16,old,Pia,,,,,,,"+gone.String()+",,,,,,,\n"+
		"1,old,Ann,other@example.com,,,web,,,,,,,,,,\n")
	if v.State != "finished" || v.Accepted != 1 || v.Rejected != 16 {
		t.Fatalf("%+v", v)
	}
	if got, want := rejections(w, v), []string{
		"3 email email_malformed", "4 phone phone_malformed", "5 country country_unknown", "6 source source_malformed", "7 team team_unknown",
		"8 owner owner_of_another_team", "9 name contact_required", "10 custom:size value_malformed", "11 captured_at captured_at_out_of_range",
		"12 reason reason_required", "13 closed_at closed_at_required", "14 closed_at closed_at_out_of_range", "15 stage stage_unknown",
		"16 reason reason_unfit", "17 customer_id customer_erased", "18 external_id lead_differs",
	}; !slices.Equal(got, want) {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
	var page struct {
		Items []struct {
			Phone, Team, Owner string
			Custom             body `json:"custom_fields"`
			Tags               []string
		}
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/leads", w.Sales, nil, &page)
	if l := page.Items[0]; len(page.Items) != 1 || l.Phone != "+4930901820" || l.Owner != "hans" || l.Custom["size"] != 5.0 || !slices.Equal(l.Tags, []string{"a"}) {
		t.Errorf("%+v", page)
	}
	w.EventsOf("LeadAssigned", 1)
}

func TestAFileBroughtTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	var file strings.Builder
	file.WriteString("external_id,system,name,email,outcome,closed_at,captured_at,reason\n")
	const rows = 2500 // three batches
	for n := range rows {
		outcome := []string{",,2025-01-01,", "won,2025-02-01,2025-01-01,", "lost,2025-02-01,2025-01-01,price"}[n%3]
		fmt.Fprintf(&file, "%d,old,Name %d,n%d@firm%d.example,%s\n", n, n, n, n, outcome)
	}
	for range 2 {
		if v := bring(w, file.String()); v.State != "finished" || v.Accepted != rows {
			t.Fatalf("%+v %v", v, rejections(w, v))
		}
	}
	if n := w.Count(`SELECT count(*) FROM lead`); n != rows {
		t.Errorf("%d leads", n)
	}
	if n := w.Count(`SELECT sum(enquiries) FROM lead`); n != rows {
		t.Errorf("%d enquiries", n)
	}
	if v := bring(w, strings.Replace(file.String(), "Name 7,", "Name 7b,", 1)); v.Accepted != rows-1 {
		t.Errorf("with one other name: %+v", v)
	}
}

func TestOpenRowsOfOnePersonAreOneLead(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/leads", w.Sales, body{"name": "Lily Chen", "email": "lily@northern-pizza.example"}, nil)
	v := bring(w, "name,email,phone,tags,outcome,closed_at,captured_at\n"+
		"L. Chen,LILY@northern-pizza.example,13800138000,hot,,,\n"+ // the one that is there
		"Hans,hans@example.com,,,,,\n"+ // a new one
		"H.,hans@example.com,,,,,\n"+ // the one above
		"Lily Chen,lily@northern-pizza.example,,,won,2025-02-01,2025-01-01\n") // what became of an older one
	if v.Accepted != 4 {
		t.Fatalf("%+v %v", v, rejections(w, v))
	}
	if n := w.Count(`SELECT count(*) FROM lead`); n != 3 {
		t.Errorf("%d leads", n)
	}
	if n := w.Count(`SELECT count(*) FROM lead WHERE state = 'open' AND enquiries = 2`); n != 2 {
		t.Errorf("%d open leads have an enquiry more", n)
	}
	if n := w.Count(`SELECT count(*) FROM lead WHERE phone = '+8613800138000' AND tags = ARRAY['hot'] AND name = 'Lily Chen'`); n != 1 {
		t.Error("what the file knows was not filled in")
	}
}

func TestAFileWithColumnsOfNobodysIsRefused(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	for name, c := range map[string]struct {
		file string
		code string
	}{
		"a column that is none":            {"name,shoe\nAnn,4\n", "column_unknown"},
		"a custom field that is not there": {"name,custom:shoe\nAnn,4\n", "mapping_target_unknown"},
	} {
		answer := w.Do(http.MethodPost, path+"?format=csv", w.Token(auth.RoleIntegrator, "pizza"), c.file, "Content-Type", "text/plain")
		if answer.Status != http.StatusUnprocessableEntity || answer.Code() != c.code {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
	}
}
