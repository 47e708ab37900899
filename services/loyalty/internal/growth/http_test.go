package growth_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/tier"
)

func TestAScoreIsComposedOfWhatAMemberDoesAndExplained(t *testing.T) {
	t.Parallel()
	w := start(t)
	lily, now := uuid.Must(uuid.NewV7()), time.Now()
	first := loyaltytest.NewOrder(lily)
	w.Tell(bought(t, first, now, line("COF-1", 200_000), line("TEA-1", 100_000), line("X-1", 100_000)), back(t, first, 2, 100_000),
		bought(t, loyaltytest.NewOrder(lily), now.AddDate(-2, 0, 0), line("MUG-1", 900_000))) // before the window
	m := w.Member(lily)
	w.becomes(m, 200+50) // half of spending, one of three categories: the tea came back
	w.Publish("accounts", contact(t, "pizza", lily, "inbound", now), contact(t, "pizza", lily, "outbound", now), contact(t, "music", lily, "inbound", now))
	w.becomes(m, 200+50+14)
	if got := w.review(m, "review-1", now); got != http.StatusCreated {
		t.Fatalf("got %d", got)
	}
	w.becomes(m, 200+50+14+20)
	golden.JSON(t, "testdata/growth.json", w.Want(http.StatusOK, http.MethodGet, m.Path+"/growth", w.Token(auth.RoleAgent, "pizza"), nil, nil).Body)
	scored := w.EventsOf("GrowthScored", 2)
	golden.JSON(t, "testdata/growth_scored.json", scored[len(scored)-1].Data)
	golden.JSON(t, "testdata/history.json", w.Want(http.StatusOK, http.MethodGet, m.Path+"/growth/history?limit=1", w.Manager, nil, nil).Body)
	w.Want(http.StatusNotFound, http.MethodGet, m.Path+"/growth", w.Token(auth.RoleManager, "music"), nil, nil)
}

// TestTheScoreDrivesTheTiersWhereTheTermsSaySo rises through a level by steps of which none is told of by itself, and lets a
// programme be driven by the score from then on that was not before.
func TestTheScoreDrivesTheTiersWhereTheTermsSaySo(t *testing.T) {
	t.Parallel()
	levels := []programme.Level{{Code: "base"}, {Code: "gold", Threshold: 42}}
	w := start(t, func(all *programme.Terms) {
		all.Growth.Step = 1000
		all.Tiers = programme.Tiers{Levels: levels, DrivenBy: programme.DriveGrowth}
	})
	levelOf := func(m loyaltytest.Member) string {
		var v struct{ Tier string }
		answer := w.Want(http.StatusOK, http.MethodGet, m.Path+"/tier", w.Manager, nil, nil)
		answer.Decode(t, &v)
		return v.Tier
	}
	m, now := w.Enrol(), time.Now()
	for n, want := range []string{"base", "base", "gold"} { // 20, 33, 42
		w.review(m, fmt.Sprint("r", n), now)
		if got := levelOf(m); got != want {
			t.Fatalf("after review %d: %q, want %s", n+1, got, want)
		}
	}
	if n := len(w.EventsOf("TierChanged", 1)); n != 1 {
		t.Errorf("%d changes were told", n)
	}
	by := func(driven string) programme.Terms {
		return standard(func(all *programme.Terms) { all.Tiers = programme.Tiers{Levels: levels, DrivenBy: driven} })
	}
	music := w.Token(auth.RoleManager, "music")
	w.Want(http.StatusCreated, http.MethodPost, "/v1/programmes/standard/versions", music, body{"terms": by("")}, nil, "If-Match", `"1"`)
	var other loyaltytest.Member
	w.Want(http.StatusCreated, http.MethodPost, "/v1/members", music, body{"customer_id": uuid.New()}, &other)
	for n := range 3 {
		w.Want(http.StatusCreated, http.MethodPost, "/v1/members/"+other.MemberID.String()+"/behaviours", music,
			body{"behaviour_id": fmt.Sprint("r", n), "kind": "review", "occurred_at": now.UTC().Format(time.RFC3339)}, nil)
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/programmes/standard/versions", music, body{"terms": by(programme.DriveGrowth)}, nil, "If-Match", `"2"`)
	tiers := tier.New(w.DB, w.Database.DB(pg.Ops), outbox.New("loyalty"), time.Now)
	if err := round(t, w.at(time.Now(), tiers.Score)); err != nil {
		t.Fatal(err)
	}
	if n := len(w.EventsOf("TierChanged", 2)); n != 2 {
		t.Errorf("%d changes were told once the score drives the tiers", n)
	}
}

func TestOnlyChangesOfAtLeastTheStepAreToldAndTheyAddUp(t *testing.T) {
	t.Parallel()
	w := start(t, func(all *programme.Terms) { all.Growth.Step = 30 })
	m, now := w.Enrol(), time.Now()
	for n, want := range []int{20, 33, 42, 50} { // 200, 333, 429, 500 of 1000 with a weight of 10 in 100, rounded down
		if got := w.review(m, fmt.Sprint("r", n), now); got != http.StatusCreated {
			t.Fatalf("got %d", got)
		}
		if got := w.growth(m); got.Score != want {
			t.Fatalf("after review %d: %+v, want %d", n+1, got, want)
		}
	}
	var page struct {
		Items []struct {
			Score int
			From  int `json:"from_score"`
		}
	}
	w.Want(http.StatusOK, http.MethodGet, m.Path+"/growth/history", w.Manager, nil, &page)
	if len(page.Items) != 1 || page.Items[0].Score != 33 || page.Items[0].From != 0 {
		t.Fatalf("%+v, want that 33 was told and neither 20 nor 50", page)
	}
	if events := w.EventsOf("GrowthScored", 1); len(events) != 1 {
		t.Fatalf("%d events", len(events))
	}
}

func TestAReportCountsOnceForItsID(t *testing.T) {
	t.Parallel()
	w := start(t)
	m, other, now := w.Enrol(), w.Enrol(), time.Now().Add(-time.Hour)
	var made, again atomic.Int64
	var wait sync.WaitGroup
	for range 50 {
		wait.Go(func() {
			switch got := w.review(m, "review-1", now); got {
			case http.StatusCreated:
				made.Add(1)
			case http.StatusOK:
				again.Add(1)
			default:
				t.Errorf("got %d", got)
			}
		})
	}
	wait.Wait()
	if made.Load() != 1 || again.Load() != 49 || w.growth(m).amount("reviews") != 1 {
		t.Fatalf("%d made, %d again, %+v", made.Load(), again.Load(), w.growth(m))
	}
	if got := w.review(other, "review-1", now); got != http.StatusConflict {
		t.Errorf("of another member: got %d", got)
	}
	if got := w.review(m, "review-1", now.Add(time.Minute)); got != http.StatusConflict {
		t.Errorf("at another time: got %d", got)
	}
	theirs := body{"behaviour_id": "review-1", "kind": "review", "occurred_at": now.UTC().Format(time.RFC3339)}
	var elsewhere loyaltytest.Member
	w.Want(http.StatusCreated, http.MethodPost, "/v1/members", w.Token(auth.RoleManager, "music"), body{"customer_id": uuid.New()}, &elsewhere)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/members/"+elsewhere.MemberID.String()+"/behaviours", w.Token(auth.RoleManager, "music"), theirs, nil)
	w.Want(http.StatusNotFound, http.MethodPost, m.Path+"/behaviours", w.Token(auth.RoleManager, "music"), theirs, nil)
}

func TestWhoLeftOrWasErasedDoesNothingAnyMore(t *testing.T) {
	t.Parallel()
	w := start(t)
	left, erased, now := w.Enrol(), w.Enrol(), time.Now()
	w.Admin(`UPDATE member SET state = 'left' WHERE id = $1`, left.MemberID)
	w.Accounts("pizza").Erase(erased.CustomerID)
	for _, c := range []struct {
		m      loyaltytest.Member
		status int
	}{{left, http.StatusConflict}, {erased, http.StatusGone}} {
		if got := w.review(c.m, uuid.NewString(), now); got != c.status {
			t.Errorf("got %d, want %d", got, c.status)
		}
	}
}

func TestAProgrammeWithoutTermsOfGrowthHasNoScore(t *testing.T) {
	t.Parallel()
	w := &world{loyaltytest.Start(t), t}
	m := w.Enrol()
	if answer := w.Do(http.MethodGet, m.Path+"/growth", w.Manager, nil); answer.Status != http.StatusNotFound || answer.Code() != "growth_off" {
		t.Fatalf("got %d %s", answer.Status, answer.Body)
	}
	if got := w.review(m, "early", time.Now()); got != http.StatusCreated {
		t.Fatalf("what is told before there is a score counts later: got %d", got)
	}
	w.write("pizza")
	if got := w.growth(m); got.amount("reviews") != 1 {
		t.Fatalf("%+v", got)
	}
}

func TestTermsOfGrowthAreChecked(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	for location, change := range map[string]func(*programme.Growth){
		"terms.growth.window_days": func(g *programme.Growth) { g.WindowDays = 0 },
		"terms.growth.step":        func(g *programme.Growth) { g.Step = 1001 },
		"terms.growth.weights": func(g *programme.Growth) {
			g.Weights = []programme.Weight{{Behaviour: "reviews", Half: 1}}
			g.Halves = nil
		},
		"terms.growth.weights[1].weight":    func(g *programme.Growth) { g.Weights[1].Weight = -1 },
		"terms.growth.weights[1].half":      func(g *programme.Growth) { g.Weights[1].Half = 7 },
		"terms.growth.weights[2].half":      func(g *programme.Growth) { g.Weights[2].Half = 0 },
		"terms.growth.weights[3].behaviour": func(g *programme.Growth) { g.Weights[3].Behaviour = "breadth" },
		"terms.growth.halves":               func(g *programme.Growth) { g.Halves = nil },
		"terms.growth.halves[0].currency":   func(g *programme.Growth) { g.Halves[0].Currency = "XXX" },
		"terms.growth.halves[1].currency":   func(g *programme.Growth) { g.Halves[1].Currency = "CNY" },
		"terms.growth.halves[1].minor":      func(g *programme.Growth) { g.Halves[1].Minor = 0 },
	} {
		answer := w.Do(http.MethodPost, "/v1/programmes", w.Manager, body{
			"code": "bad", "name": "Bad", "zone": "UTC", "terms": standard(func(all *programme.Terms) { change(&all.Growth) }),
		})
		var p struct{ Errors []struct{ Location string } }
		answer.Decode(t, &p)
		if answer.Status != http.StatusUnprocessableEntity || len(p.Errors) != 1 || p.Errors[0].Location != "body."+location {
			t.Errorf("%s: got %d %s", location, answer.Status, answer.Body)
		}
	}
}

func TestGrowthRefusesBadInput(t *testing.T) {
	t.Parallel()
	w := start(t)
	m := w.Enrol()
	fresh := func() string {
		return fmt.Sprintf(`{"behaviour_id":%q,"kind":"review","occurred_at":"2026-11-20T10:00:00Z"}`, uuid.NewString())
	}
	for name, target := range map[string]badinput.Target{
		"report":  {Method: http.MethodPost, Path: m.Path + "/behaviours", Body: fresh(), Fresh: fresh, OtherBody: fresh(), Replay: true, Owned: true},
		"get":     {Method: http.MethodGet, Path: m.Path + "/growth", Owned: true},
		"history": {Method: http.MethodGet, Path: m.Path + "/growth/history", List: true, Owned: true},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.Manager
			badinput.Check(t, target)
		})
	}
	good := body{"behaviour_id": "x", "kind": "review", "occurred_at": "2026-11-20T10:00:00Z"}
	for name, change := range map[string]body{
		"in the future":      {"occurred_at": time.Now().AddDate(0, 0, 2).UTC().Format(time.RFC3339)},
		"before there was":   {"occurred_at": "1969-12-31T23:59:59Z"},
		"no id":              {"behaviour_id": ""},
		"an id of words":     {"behaviour_id": "Lily's review"},
		"an id that is long": {"behaviour_id": fmt.Sprintf("%0129d", 1)},
		"another kind":       {"kind": "spending"},
	} {
		bad := body{}
		for k, v := range good {
			bad[k] = v
		}
		for k, v := range change {
			bad[k] = v
		}
		if answer := w.Do(http.MethodPost, m.Path+"/behaviours", w.Manager, bad); answer.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: got %d %s", name, answer.Status, answer.Body)
		}
	}
	if got := w.Do(http.MethodPost, m.Path+"/behaviours", w.Token(auth.RoleAgent, "pizza"), good).Status; got != http.StatusForbidden {
		t.Errorf("an agent: got %d", got)
	}
}
