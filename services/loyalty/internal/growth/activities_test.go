package growth_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/growth"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

func TestRecordedHistories(t *testing.T) {
	t.Parallel()
	flowtest.Replay(t, "testdata/history/*.json", func(r worker.WorkflowRegistry) {
		r.RegisterWorkflowWithOptions(growth.ScoreDaily, workflow.RegisterOptions{Name: growth.WorkflowName})
	})
}

// crowd makes so many members of each tenant, each of whom wrote a review at the time.
func crowd(w *world, each int, at time.Time) {
	for _, tenant := range []string{"pizza", "music"} {
		w.Admin(`INSERT INTO member (tenant_id, id, customer_id, card_number, source, enrolled_at)
			SELECT $1, gen_random_uuid(), gen_random_uuid(), $1 || n, 'api', now() FROM generate_series(1, $2::int) n`, tenant, each)
		w.Admin(`INSERT INTO growth_behaviour (tenant_id, kind, key, customer_id, occurred_at, recorded_at, recorded_by)
			SELECT tenant_id, 'reviews', id::text, customer_id, $2, $2, 'test' FROM member WHERE tenant_id = $1`, tenant, at)
	}
}

// round lets the workflow run to its end, or to its failure.
func round(t *testing.T, g *growth.Growths) error {
	t.Helper()
	env := flowtest.Environment(t, auth.Principal{Subject: "schedule:" + growth.WorkflowName}, growth.WorkflowName+"-2026-11-26T12:00:00Z")
	g.Register(env)
	env.ExecuteWorkflow(growth.WorkflowName, growth.Progress{})
	return env.GetWorkflowError()
}

// TestTheDailyRoundScoresEachMemberOnceADayAndIsResumed kills the round in the middle of a page, again and again.
func TestTheDailyRoundScoresEachMemberOnceADayAndIsResumed(t *testing.T) {
	t.Parallel()
	w := start(t)
	now := time.Now()
	crowd(w, 1234, now)
	scored := map[uuid.UUID]int{}
	calls, pending := 0, []uuid.UUID{}
	count := func(_ context.Context, tx *pg.Tx, _ *programme.Book, m member.Member, score int) ([]outbox.Event, error) {
		if calls++; calls%700 == 0 {
			pending = nil
			return nil, errors.New("killed")
		}
		if score != 20 {
			t.Errorf("got %d", score)
		}
		pending = append(pending, m.ID)
		tx.OnCommit(func() {
			for _, id := range pending {
				scored[id]++
			}
			pending = nil
		})
		return nil, nil
	}
	if err := round(t, w.at(now, count)); err != nil {
		t.Fatal(err)
	}
	if calls < 2*1234+3 {
		t.Fatalf("%d calls: nothing was killed", calls)
	}
	once := func(when string, want int) {
		t.Helper()
		for id, n := range scored {
			if n != want {
				t.Errorf("%s: %s was scored %d times", when, id, n)
			}
		}
		if len(scored) != 2*1234 || w.Count(`SELECT sum(members)::bigint FROM growth_round WHERE done`) != 2*1234 {
			t.Errorf("%s: %d members", when, len(scored))
		}
	}
	once("the first day", 1)
	if n := w.Count(`SELECT count(*) FROM growth_history WHERE cause = 'day' AND score = 20`); n != 2*1234 {
		t.Errorf("%d changes were told", n)
	}
	for _, later := range []time.Duration{0, time.Hour} {
		if now.Add(later).In(zone(t)).Day() != now.In(zone(t)).Day() {
			continue
		}
		if err := round(t, w.at(now.Add(later), count)); err != nil {
			t.Fatal(err)
		}
	}
	once("again on the same day", 1)
}

func zone(t *testing.T) *time.Location {
	t.Helper()
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	return shanghai
}

func TestScoresFallAsThingsLeaveTheWindowAndDriveTheTiers(t *testing.T) {
	t.Parallel()
	w := start(t)
	now := time.Now()
	m := w.Enrol()
	w.review(m, "old", now.AddDate(0, 0, -364))
	w.review(m, "new", now)
	w.becomes(m, 33)
	told := map[int]int{}
	drive := func(_ context.Context, _ *pg.Tx, _ *programme.Book, _ member.Member, score int) ([]outbox.Event, error) {
		told[score]++
		return nil, nil
	}
	for _, c := range []struct{ days, want int }{{0, 33}, {1, 33}, {2, 20}, {3, 20}, {366, 0}} {
		if err := round(t, w.at(now.AddDate(0, 0, c.days), drive)); err != nil {
			t.Fatal(err)
		}
		if got := w.kept(m); got != int64(c.want) {
			t.Fatalf("after %d days: got %d, want %d", c.days, got, c.want)
		}
	}
	if told[20] != 1 || told[0] != 1 || len(told) != 2 {
		t.Errorf("the tiers were told %v", told)
	}
	w.EventsOf("GrowthScored", 4) // 20, 33, then 20 and 0
}

func TestOtherTermsAreAppliedByTheNextRoundOfTheSameDay(t *testing.T) {
	t.Parallel()
	w := start(t)
	m, now := w.Enrol(), time.Now()
	w.review(m, "r", now)
	if err := round(t, w.at(now, nil)); err != nil {
		t.Fatal(err)
	}
	other := standard(func(all *programme.Terms) {
		all.Growth = programme.Growth{WindowDays: 30, Weights: []programme.Weight{{Behaviour: "reviews", Weight: 1, Half: 1}}}
	})
	w.Want(201, "POST", "/v1/programmes/standard/versions", w.Manager, body{"terms": other}, nil, "If-Match", `"1"`)
	if err := round(t, w.at(time.Now(), nil)); err != nil {
		t.Fatal(err)
	}
	if got := w.kept(m); got != 500 {
		t.Fatalf("got %d, want 500", got)
	}
}
