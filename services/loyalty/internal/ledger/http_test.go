package ledger_test

import (
	"bytes"
	"fmt"
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
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
)

type body = map[string]any

type entryView struct {
	EntryID        string    `json:"entry_id"`
	Kind           string    `json:"kind"`
	Points         int64     `json:"points"`
	Available      int64     `json:"available"`
	Pending        int64     `json:"pending"`
	Debt           int64     `json:"debt"`
	AvailableAfter int64     `json:"available_after"`
	ReasonID       string    `json:"reason_id"`
	BookedAt       time.Time `json:"booked_at"`
}

func TestPointsAreEarnedAndSpent(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := w.Enrol()
	soon := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	golden.JSON(t, "testdata/earn.json", w.Want(http.StatusCreated, http.MethodPost, lily.Path+"/earns", w.Manager,
		body{"points": 100, "reason_type": "campaign", "reason_id": "spring"}, nil).Body)
	w.Want(http.StatusCreated, http.MethodPost, lily.Path+"/earns", w.Manager,
		body{"points": 50, "reason_type": "campaign", "locked_until": soon}, nil)
	golden.JSON(t, "testdata/spend.json", w.Want(http.StatusCreated, http.MethodPost, lily.Path+"/spends", w.Manager,
		body{"points": 60, "reason_type": "reward", "reason_id": "mug"}, nil).Body)
	if now := w.Read(lily); now.Available != 40 || now.Pending != 50 || now.Debt != 0 {
		t.Fatalf("%+v", now)
	}
	golden.JSON(t, "testdata/explanation.json", w.Want(http.StatusOK, http.MethodGet, lily.Path+"/explanation", w.Manager, nil, nil).Body)
	golden.JSON(t, "testdata/summary.json", w.Want(http.StatusOK, http.MethodGet, "/v1/points/summary", w.Manager, nil, nil).Body)
	golden.JSON(t, "testdata/points_earned.json", w.EventsOf("PointsEarned", 2)[0].Data)
	golden.JSON(t, "testdata/points_earned_locked.json", w.EventsOf("PointsEarned", 2)[1].Data)
	golden.JSON(t, "testdata/points_spent.json", w.EventsOf("PointsSpent", 1)[0].Data)
}

func TestMoreThanAvailableIsNotSpent(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := w.Enrol()
	w.Earn(lily, 100)
	refused := w.Want(http.StatusConflict, http.MethodPost, lily.Path+"/spends", w.Manager, body{"points": 101, "reason_type": "reward"}, nil)
	golden.JSON(t, "testdata/points_insufficient.json", refused.Body)
	if now := w.Read(lily); now.Available != 100 {
		t.Fatalf("%+v", now)
	}
}

// TestFiftyAtOnceSpendAHundredPointsTenTimes is the promise that no two spends take the same point.
func TestFiftyAtOnceSpendAHundredPointsTenTimes(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := w.Enrol()
	for range 4 {
		w.Earn(lily, 25)
	}
	var spent, refused atomic.Int64
	var wait sync.WaitGroup
	for n := range 50 {
		wait.Go(func() {
			answer := w.Do(http.MethodPost, lily.Path+"/spends", w.Manager, body{"points": 10, "reason_type": "reward", "reason_id": fmt.Sprint(n)},
				"Idempotency-Key", fmt.Sprint("spend ", n))
			switch {
			case answer.Status == http.StatusCreated:
				spent.Add(1)
			case answer.Code() == "points_insufficient":
				refused.Add(1)
			default:
				t.Errorf("got %d %s", answer.Status, answer.Body)
			}
		})
	}
	wait.Wait()
	if now := w.Read(lily); spent.Load() != 10 || refused.Load() != 40 || now.Available != 0 {
		t.Fatalf("%d spent, %d refused: %+v", spent.Load(), refused.Load(), now)
	}
	if n := w.Count(`SELECT count(*) FROM lot WHERE remaining > 0`); n != 0 {
		t.Fatalf("%d lots are left", n)
	}
}

func TestAKeyIsRememberedForEver(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily, mia := w.Enrol(), w.Enrol()
	w.Earn(lily, 100)
	w.Earn(mia, 100)
	spend := body{"points": 70, "reason_type": "reward"}
	key := []string{"Idempotency-Key", "k"}
	first := w.Want(http.StatusCreated, http.MethodPost, lily.Path+"/spends", w.Manager, spend, nil, key...)
	w.ForgetKeys()

	// 30 points are left: were it not known, it would be refused.
	again := w.Want(http.StatusCreated, http.MethodPost, lily.Path+"/spends", w.Manager, spend, nil, key...)
	if !bytes.Equal(first.Body, again.Body) || again.Header.Get("Idempotent-Replay") != "true" {
		t.Fatalf("first %s, then %s %v", first.Body, again.Body, again.Header)
	}
	for name, answer := range map[string]string{
		"another body":   w.Do(http.MethodPost, lily.Path+"/spends", w.Manager, body{"points": 1, "reason_type": "reward"}, key...).Code(),
		"another member": w.Do(http.MethodPost, mia.Path+"/spends", w.Manager, spend, key...).Code(),
	} {
		if answer != "idempotency_key_reused" {
			t.Errorf("%s: got %q", name, answer)
		}
	}
	w.Want(http.StatusCreated, http.MethodPost, lily.Path+"/earns", w.Manager, body{"points": 1, "reason_type": "reward"}, nil, key...)
	other := w.TokenFor(body{"subject": "somebody else", "tenant": "pizza", "roles": []string{auth.RoleManager}})
	w.Want(http.StatusCreated, http.MethodPost, mia.Path+"/spends", other, spend, nil, key...)
	if now := w.Read(lily); now.Available != 31 {
		t.Fatalf("%+v", now)
	}
}

func TestABalanceOfThePast(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := w.Enrol()
	type balance struct{ Available, Pending, Debt int64 }
	var entries [3]entryView
	for n, points := range []int{100, 20, 3} {
		w.Want(http.StatusCreated, http.MethodPost, lily.Path+"/earns", w.Manager, body{"points": points, "reason_type": "campaign"}, &entries[n])
	}
	at := func(when time.Time) (b balance) {
		w.Want(http.StatusOK, http.MethodGet, lily.Path+"/balance?at="+when.UTC().Format(time.RFC3339Nano), w.Manager, nil, &b)
		return b
	}
	for name, c := range map[string]struct {
		at   time.Time
		want int64
	}{
		"before all":        {entries[0].BookedAt.Add(-time.Microsecond), 0},
		"at the first":      {entries[0].BookedAt, 100},
		"before the second": {entries[1].BookedAt.Add(-time.Microsecond), 100},
		"at the second":     {entries[1].BookedAt, 120},
		"at the last":       {entries[2].BookedAt, 123},
	} {
		if got := at(c.at); got.Available != c.want {
			t.Errorf("%s: got %+v, want %d", name, got, c.want)
		}
	}
	var now balance
	w.Want(http.StatusOK, http.MethodGet, lily.Path+"/balance", w.Manager, nil, &now)
	if now.Available != 123 {
		t.Errorf("now: %+v", now)
	}
	future := w.Do(http.MethodGet, lily.Path+"/balance?at=2100-01-01T00:00:00Z", w.Manager, nil)
	if future.Status != http.StatusUnprocessableEntity || future.Code() != "at_in_future" {
		t.Errorf("%d %s", future.Status, future.Body)
	}
}

func TestAnExplanationGoesBackToTheFirstEntry(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := w.Enrol()
	for n := range 5 {
		w.Want(http.StatusCreated, http.MethodPost, lily.Path+"/earns", w.Manager, body{"points": n + 1, "reason_type": "campaign", "reason_id": fmt.Sprint(n)}, nil)
	}
	var seen []string
	var after []int64
	for cursor := ""; ; {
		var page struct {
			Items     []entryView `json:"items"`
			OpenTotal int64       `json:"open_lots_total"`
			Next      string      `json:"next_cursor"`
		}
		w.Want(http.StatusOK, http.MethodGet, lily.Path+"/explanation?limit=2&cursor="+cursor, w.Manager, nil, &page)
		for _, e := range page.Items {
			seen, after = append(seen, e.ReasonID), append(after, e.AvailableAfter)
		}
		if cursor == "" && page.OpenTotal != 5 {
			t.Fatalf("%d open lots", page.OpenTotal)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
		w.Earn(lily, 1) // what comes in meanwhile does not move the pages
		w.Want(http.StatusCreated, http.MethodPost, lily.Path+"/spends", w.Manager, body{"points": 1, "reason_type": "reward"}, nil)
	}
	if !slices.Equal(seen, []string{"4", "3", "2", "1", "0"}) || !slices.Equal(after, []int64{15, 10, 6, 3, 1}) {
		t.Fatalf("got %v %v", seen, after)
	}
}

func TestWhatIsBookedCannotBeChanged(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := w.Enrol()
	w.Earn(lily, 100)
	w.Want(http.StatusCreated, http.MethodPost, lily.Path+"/spends", w.Manager, body{"points": 1, "reason_type": "reward"}, nil)
	for _, sql := range []string{
		"UPDATE ledger_entry SET available = available + 1, issued = issued - 1", "DELETE FROM ledger_entry", "TRUNCATE ledger_entry",
		"UPDATE lot_use SET points = 2", "DELETE FROM lot_use", "DELETE FROM lot", "DELETE FROM member",
	} {
		err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
			tx.Queue(sql)
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s: got %v", sql, err)
		}
	}
	for name, sql := range map[string]string{
		"an entry that does not add up": `INSERT INTO ledger_entry (tenant_id, id, member_id, entry_no, kind, key, reason_type, reason_id, booked_by,
			effective_at, recorded_at, available, issued, available_after)
			SELECT 'pizza', gen_random_uuid(), id, 99, 'earn', 'k', 'x', '', 'x', now(), now(), 2, -1, 0 FROM member`,
		"a balance below zero":         `UPDATE member SET available = -1`,
		"a debt beside points":         `UPDATE member SET debt = 1`,
		"a lot with more than it had":  `UPDATE lot SET remaining = points + 1`,
		"a second entry of one number": `INSERT INTO ledger_entry SELECT tenant_id, gen_random_uuid(), member_id, entry_no, kind, 'other' FROM ledger_entry`,
	} {
		err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
			tx.Queue(sql)
			return nil
		})
		if _, broken := pg.Constraint(err); !broken {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestWhoMaySeeAndBookPoints(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := w.Enrol()
	earn := body{"points": 1, "reason_type": "campaign"}
	other, agent := w.Token(auth.RoleManager, "music"), w.Token(auth.RoleAgent, "pizza")
	for _, c := range []struct {
		name, method, path, token string
		body                      any
		status                    int
	}{
		{"another tenant's member gets nothing", http.MethodPost, "/earns", other, earn, 404},
		{"and spends nothing", http.MethodPost, "/spends", other, earn, 404},
		{"nor is its balance seen", http.MethodGet, "/balance", other, nil, 404},
		{"nor its explanation", http.MethodGet, "/explanation", other, nil, 404},
		{"an agent reads", http.MethodGet, "/explanation", agent, nil, 200},
		{"an agent gives nothing away", http.MethodPost, "/earns", agent, earn, 403},
		{"nor spends", http.MethodPost, "/spends", agent, earn, 403},
	} {
		if answer := w.Do(c.method, lily.Path+c.path, c.token, c.body); answer.Status != c.status {
			t.Errorf("%s: got %d %s, want %d", c.name, answer.Status, answer.Body, c.status)
		}
	}
	nobody := "/v1/members/" + uuid.NewString()
	w.Want(http.StatusNotFound, http.MethodGet, nobody+"/explanation", w.Manager, nil, nil)
	w.Want(http.StatusNotFound, http.MethodPost, nobody+"/spends", w.Manager, earn, nil)
}

func TestPointsRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := w.Enrol()
	w.Earn(lily, 1_000_000)
	const earn, spend = `{"points":100,"reason_type":"campaign","reason_id":"spring","locked_until":"2026-11-20T11:30:00Z"}`,
		`{"points":1,"reason_type":"reward","reason_id":"mug"}`
	for name, target := range map[string]badinput.Target{
		"earn":        {Method: http.MethodPost, Path: lily.Path + "/earns", Body: earn, Owned: true, Replay: true, OtherBody: `{"points":101,"reason_type":"campaign"}`},
		"spend":       {Method: http.MethodPost, Path: lily.Path + "/spends", Body: spend, Owned: true, Replay: true, OtherBody: `{"points":2,"reason_type":"reward"}`},
		"balance":     {Method: http.MethodGet, Path: lily.Path + "/balance", Owned: true},
		"explanation": {Method: http.MethodGet, Path: lily.Path + "/explanation", Owned: true, List: true},
		"summary":     {Method: http.MethodGet, Path: "/v1/points/summary"},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.Manager
			badinput.Check(t, target)
		})
	}
	good := body{"points": 1, "reason_type": "campaign"}
	for name, change := range map[string]body{
		"no points": {"points": 0}, "less than none": {"points": -1}, "a million and one": {"points": 1_000_001},
		"the largest integer": {"points": int64(1<<63 - 1)}, "no reason": {"reason_type": ""}, "a reason in capitals": {"reason_type": "Campaign"},
		"a reason of 65 letters": {"reason_type": strings.Repeat("x", 65)}, "a reason's id of 65 characters": {"reason_id": strings.Repeat("x", 65)},
		"a reason's id with a line end": {"reason_id": "a\nb"},
	} {
		bad := body{"points": good["points"], "reason_type": good["reason_type"]}
		for k, v := range change {
			bad[k] = v
		}
		for _, path := range []string{"/earns", "/spends"} {
			if answer := w.Do(http.MethodPost, lily.Path+path, w.Manager, bad); answer.Status != http.StatusUnprocessableEntity {
				t.Errorf("%s: %s: got %d %s", path, name, answer.Status, answer.Body)
			}
		}
	}
	far := body{"points": 1, "reason_type": "campaign", "locked_until": "2200-01-01T00:00:00Z"}
	if answer := w.Do(http.MethodPost, lily.Path+"/earns", w.Manager, far); answer.Status != http.StatusUnprocessableEntity {
		t.Errorf("locked for ever: got %d %s", answer.Status, answer.Body)
	}
	for query, status := range map[string]int{"at=yesterday": 422, "no_such=1": 422} {
		if answer := w.Do(http.MethodGet, lily.Path+"/balance?"+query, w.Manager, nil); answer.Status != status {
			t.Errorf("%s: got %d %s, want %d", query, answer.Status, answer.Body, status)
		}
	}
}
