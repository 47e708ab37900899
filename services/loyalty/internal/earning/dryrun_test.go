package earning_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/earning"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
)

// tried is a dry run as the API shows it.
type tried struct {
	DryRunID string `json:"dry_run_id"`
	State    string
	Reason   string
	Orders   int64
	Result   struct {
		Orders, Members int64
		Now             int64 `json:"points_now"`
		Then            int64 `json:"points_then"`
		Gain            int64 `json:"members_gaining"`
		Lose            int64 `json:"members_losing"`
		Rules           []struct {
			Rule string
			Now  int64 `json:"points_now"`
			Then int64 `json:"points_then"`
		}
		Caps []struct {
			Cap    string
			Orders int64
			Cut    int64 `json:"points_cut"`
		}
		Failed []struct {
			Rule   string
			Orders int64
		}
		Largest []struct {
			MemberID uuid.UUID `json:"member_id"`
			Now      int64     `json:"points_now"`
			Then     int64     `json:"points_then"`
		}
		NoLines int64 `json:"orders_without_lines"`
	}
}

// work makes the dry runs that wait, as the service does in the background.
func work(t *testing.T, w *loyaltytest.World) {
	t.Helper()
	if err := earning.New(w.DB, w.Database.DB(pg.Ops), time.Now).DryRuns(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// try makes a dry run.
func try(t *testing.T, w *loyaltytest.World, token, code string, draft body) (d tried) {
	t.Helper()
	w.Want(http.StatusAccepted, http.MethodPost, "/v1/programmes/"+code+"/dry-runs", token, draft, &d)
	if d.State != "queued" {
		t.Fatalf("%+v", d)
	}
	work(t, w)
	return read(w, token, code, d.DryRunID)
}

func read(w *loyaltytest.World, token, code, id string) (d tried) {
	w.Want(http.StatusOK, http.MethodGet, "/v1/programmes/"+code+"/dry-runs/"+id, token, nil, &d)
	return d
}

// TestADryRunSaysWhatReallyHappens tries terms on orders of a tenant who has none, and then lets the same orders come to a
// tenant where these terms are in force.
func TestADryRunSaysWhatReallyHappens(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	music := w.Token(auth.RoleManager, "music")
	terms := coffeeTerms()
	programmeFor(w, w.Manager, "standard", body{"return_days": 0, "join_by_purchase": true})
	programmeFor(w, music, "standard", terms)
	pizza, other := []bus.Event{}, []bus.Event{}
	var customers []uuid.UUID
	for range 12 {
		customers = append(customers, uuid.Must(uuid.NewV7()))
	}
	articles := []string{"COF-1", "CUP-1", "GIFT", "COF-2"}
	for n := range 90 { // of October and November, each customer's in order
		at := time.Date(2026, 10, 10, 0, 0, 0, 0, time.UTC).Add(time.Duration(n) * 9 * time.Hour)
		customer := customers[n*n%len(customers)]
		for k, events := range []*[]bus.Event{&pizza, &other} {
			o := loyaltytest.NewOrder(customer)
			o.Tenant = []string{"pizza", "music"}[k]
			*events = append(*events, bought(t, o, at, articles[n%4], 1000+n*n*7, articles[n/4%4], 900+n*37))
		}
	}
	for n := range pizza { // one by one, as they were placed: orders of different partitions are heard of in any order
		w.Tell(pizza[n], other[n])
	}
	before := w.Count(`SELECT count(*) FROM ledger_entry`)
	got := try(t, w, w.Manager, "standard", body{"terms": terms, "from": "2026-10-01T00:00:00+08:00", "until": "2026-12-01T00:00:00+08:00"})
	if got.State != "done" || got.Result.Orders != 90 || got.Orders != 90 {
		t.Fatalf("%+v", got)
	}
	const earnedBy = `SELECT coalesce(sum(points), 0)::bigint FROM earning_order WHERE tenant_id = $1`
	r := got.Result
	if now := w.Count(earnedBy, "pizza"); r.Now != now {
		t.Errorf("now: got %d, want %d", r.Now, now)
	}
	if then := w.Count(earnedBy, "music"); r.Then != then || then == r.Now {
		t.Errorf("then: got %d, want %d", r.Then, then)
	}
	for _, one := range r.Rules {
		then := w.Count(`SELECT coalesce(sum((p->>'points')::bigint), 0)::bigint FROM earning_order o, jsonb_array_elements(o.outcome->'parts') p
			WHERE o.tenant_id = 'music' AND p->>'rule' = $1`, one.Rule)
		if one.Then != then {
			t.Errorf("%s: got %d, want %d", one.Rule, one.Then, then)
		}
	}
	if i := slices.IndexFunc(r.Rules, func(x struct {
		Rule string
		Now  int64 `json:"points_now"`
		Then int64 `json:"points_then"`
	}) bool {
		return x.Rule == "default"
	}); i < 0 || r.Rules[i].Now != r.Now {
		t.Errorf("%+v", r.Rules)
	}
	for _, one := range r.Caps {
		cut := w.Count(`SELECT coalesce(sum((c->>'cut')::bigint), 0)::bigint FROM earning_order o, jsonb_array_elements(o.outcome->'caps') c
			WHERE o.tenant_id = 'music' AND c->>'cap' = $1`, one.Cap)
		if one.Cut != cut || cut == 0 {
			t.Errorf("%s: got %d, want %d", one.Cap, one.Cut, cut)
		}
	}
	if len(r.Caps) != 2 || len(r.Failed) != 1 || r.Failed[0].Orders != 90 || r.Members == 0 || r.Gain+r.Lose > r.Members || len(r.Largest) == 0 || r.NoLines != 0 {
		t.Errorf("%+v", r)
	}
	if after := w.Count(`SELECT count(*) FROM ledger_entry`); after != before {
		t.Errorf("a dry run booked %d entries", after-before)
	}
	// Of a part of the time, what the month had used before counts, as it would have.
	half := try(t, w, music, "standard", body{"terms": terms, "from": "2026-11-01T00:00:00+08:00", "until": "2026-12-01T00:00:00+08:00"})
	if half.Result.Now != half.Result.Then {
		t.Errorf("the terms in force give %d, and %d when they are tried", half.Result.Now, half.Result.Then)
	}
	middle := try(t, w, music, "standard", body{"terms": terms, "from": "2026-11-08T12:00:00Z", "until": "2026-11-20T00:00:00Z"})
	if middle.Result.Now != middle.Result.Then || middle.Result.Orders == 0 {
		t.Errorf("the terms in force give %d, and %d when they are tried from the middle of a month", middle.Result.Now, middle.Result.Then)
	}
}

func TestADryRunThatWasInterruptedBeginsAnew(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	programmeOf(w, "club", body{"return_days": 0, "join_by_purchase": true, "earning": body{"rules": list{body{"code": "base", "kind": "base", "points": "amount"}}}})
	lily := uuid.Must(uuid.NewV7())
	w.Tell(loyaltytest.NewOrder(lily).Placed(t, saturday, 10000))
	draft := body{"terms": body{"return_days": 0, "join_by_purchase": true, "earning": body{"rules": list{
		body{"code": "base", "kind": "base", "points": "amount * 2"}, body{"code": "early", "kind": "bonus", "when": "first_purchase && member_days == 0", "points": "3"},
	}}}, "from": "2026-11-01T00:00:00Z", "until": "2026-12-01T00:00:00Z"}
	d := try(t, w, w.Manager, "club", draft)
	if d.Result.Then != 203 || d.Result.Now != 100 || d.Result.Gain != 1 {
		t.Fatalf("%+v", d)
	}
	path := "/v1/programmes/club/dry-runs/" + d.DryRunID
	w.Admin(`UPDATE earning_dry_run SET state = 'running', result = NULL, orders = 1, attempts = 1, ended_at = NULL, lease_until = now()`)
	if work(t, w); read(w, w.Manager, "club", d.DryRunID).Result.Then != 203 {
		t.Fatal("it was not done again")
	}
	w.Admin(`UPDATE earning_dry_run SET state = 'running', result = NULL, attempts = 3, ended_at = NULL, lease_until = now() + interval '1 hour'`)
	if work(t, w); read(w, w.Manager, "club", d.DryRunID).State != "running" {
		t.Fatal("somebody else was at work on it")
	}
	w.Admin(`UPDATE earning_dry_run SET lease_until = now()`)
	if work(t, w); read(w, w.Manager, "club", d.DryRunID).Reason != "interrupted" {
		t.Fatal("it was interrupted three times")
	}
	w.Want(http.StatusNotFound, http.MethodGet, path, w.Token(auth.RoleManager, "music"), nil, nil)
	w.Want(http.StatusNotFound, http.MethodPost, "/v1/programmes/club/dry-runs", w.Token(auth.RoleManager, "music"), draft, nil)
}
