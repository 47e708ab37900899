package tier_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/tier"
)

func TestWhoEarnsEnoughRisesAtOnceAndFallsOneStepAfterTheNextYear(t *testing.T) {
	t.Parallel()
	y := newYears(t, "2027-03-01 10:00", metals())
	lily := y.crowd("pizza", 1, y.at("2026-05-01 00:00"))[0]
	y.buys(lily, 400, "order/1", "")
	if got := y.tier(lily); got != "bronze" {
		t.Fatalf("400 points make %q", got)
	}
	y.buys(lily, 600, "order/2", "")
	y.buys(lily, 600, "order/2", "") // told again
	if got := y.tier(lily); got != "gold" {
		t.Fatalf("1000 points make %q", got)
	}
	for _, step := range []struct{ at, want string }{
		{"2027-12-31 23:59", "gold"}, {"2028-01-01 00:00", "gold"}, // by what was earned in 2027
		{"2028-12-31 23:59", "gold"}, {"2029-01-01 00:00", "silver"}, // nothing was earned in 2028
		{"2029-12-31 23:59", "silver"}, {"2030-01-01 00:00", "bronze"}, {"2035-01-01 00:00", "bronze"},
	} {
		y.is(step.at)
		if s := y.review(y.reviewer()); s.Failed > 0 {
			t.Fatalf("%+v", s)
		}
		if got := y.tier(lily); got != step.want {
			t.Errorf("at %s: %q, want %q", step.at, got, step.want)
		}
	}
	if n := y.Count(`SELECT count(*) FROM tier_decision WHERE reason = 'review'`); n != 3 {
		t.Errorf("%d reviews", n)
	}
}

func TestEventsOfTiers(t *testing.T) {
	t.Parallel()
	y := newYears(t, "2027-03-01 10:00", metals())
	lily := y.crowd("pizza", 1, y.at("2026-05-01 00:00"))[0]
	y.buys(lily, 1200, "order/1", "")
	y.is("2028-12-02 00:00")
	for range 3 { // the fall is told of once
		y.review(y.reviewer())
	}
	y.is("2029-01-01 00:00")
	y.review(y.reviewer())
	events := y.Events(3)
	for i, file := range []string{"tier_changed.json", "tier_will_fall.json", "tier_changed_review.json"} {
		golden.JSON(t, "testdata/"+file, events[i].Data)
	}
}

// TestEveryMemberIsDecidedAboutOnce has two processes review the same members at once, each killed again and again.
func TestEveryMemberIsDecidedAboutOnce(t *testing.T) {
	t.Parallel()
	y := newYears(t, "2027-03-01 10:00", metals())
	const members = 120
	var q []tier.Qualifying
	for _, tenant := range []string{"pizza", "music"} {
		if tenant == "music" {
			y.terms("music", 1, "2020-01-01 00:00", metals())
		}
		q = q[:0]
		for i, id := range y.crowd(tenant, members, y.at("2026-05-01 00:00")) {
			q = append(q, tier.Qualifying{Member: member.Member{ID: id}, Points: int64(500 + 100*(i%7)), Key: "order/" + id.String(), At: *y.now.Load()})
		}
		if err := y.qualify(tenant, q...); err != nil {
			t.Fatal(err)
		}
	}
	y.is("2029-01-01 00:00") // two reviews are due, of 2027 and of 2028
	var wg sync.WaitGroup
	for p := range 2 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(p)))
			r := y.reviewer().Small()
			var kept tier.Sweep // what a history would have
			for !kept.Ended() {
				ctx, kill := context.WithTimeout(as(context.WithoutCancel(t.Context()), ""), time.Duration(random.IntN(25))*time.Millisecond)
				s, err := r.Step(ctx, kept, "")
				kill()
				if err == nil && random.IntN(3) > 0 { // sometimes what was done is not told any more
					kept = s
				}
			}
		})
	}
	wg.Wait()
	if s := y.review(y.reviewer()); s.Members != 0 {
		t.Errorf("%d members were left", s.Members)
	}
	if n := y.Count(`SELECT count(*) FROM (SELECT FROM tier_decision WHERE reason = 'review' GROUP BY tenant_id, member_id, review_at HAVING count(*) = 1) x`); n != 4*members {
		t.Errorf("%d decisions, want %d", n, 4*members)
	}
	if n := y.Count(`SELECT count(*) FROM tier_decision WHERE reason = 'review'`); n != 4*members {
		t.Errorf("%d decisions, want %d", n, 4*members)
	}
	if n := y.Count(`SELECT count(*) FROM tier_standing s WHERE level <> (SELECT level FROM tier_decision d
		WHERE d.tenant_id = s.tenant_id AND d.member_id = s.member_id AND d.no = s.decisions)`); n != 0 {
		t.Errorf("of %d members the latest decision is not where they stand", n)
	}
	// Each rise, and each fall, was told once.
	if n, m := y.Count(`SELECT count(*) FROM tier_decision WHERE from_level <> level`), y.Count(`SELECT coalesce(sum(seq), 0)::bigint FROM outbox_seq WHERE aggregate_type = 'member'`); n != m {
		t.Errorf("%d moves, %d events", n, m)
	}
}

// TestOneBadMemberKeepsNobodyElse has a row that cannot be judged.
func TestOneBadMemberKeepsNobodyElse(t *testing.T) {
	t.Parallel()
	y := newYears(t, "2027-03-01 10:00", metals())
	crowd := y.crowd("pizza", 20, y.at("2026-05-01 00:00"))
	for i, id := range crowd {
		y.buys(id, 700, fmt.Sprint("order/", i), "")
	}
	y.Admin(`INSERT INTO tier_decision (tenant_id, member_id, no, programme, reason, from_level, level, rank, qualifying, by_subject, decided_at)
		VALUES ('pizza', $1, 2, 'standard', 'review', '', '', 0, 0, 'test', now())`, crowd[5]) // in the place of the next
	y.is("2029-01-01 00:00")
	var log strings.Builder
	s := y.review(y.tiers.Reviewer(slog.New(slog.NewTextHandler(&log, nil))).Small())
	if s.Failed != 1 || !strings.Contains(log.String(), crowd[5].String()) {
		t.Errorf("%+v %s", s, log.String())
	}
	if n := y.Count(`SELECT count(*) FROM tier_standing WHERE level = 'bronze'`); n != 19 {
		t.Errorf("%d members fell", n)
	}
}

func TestAChangeOfTheTermsIsJudgedOnceForEverybody(t *testing.T) {
	t.Parallel()
	y := newYears(t, "2027-03-01 10:00", metals())
	crowd := y.crowd("pizza", 30, y.at("2026-05-01 00:00"))
	for i, id := range crowd {
		y.buys(id, []int64{300, 600, 1000}[i%3], fmt.Sprint("order/", i), "")
	}
	steeper := metals()
	steeper.Levels = []programme.Level{{Code: "bronze"}, {Code: "silver", Threshold: 200}, {Code: "platinum", Threshold: 5000}}
	y.terms("pizza", 2, "2027-06-01 00:00", steeper)
	y.is("2027-05-31 23:59")
	y.review(y.reviewer().Small())
	if n := y.Count(`SELECT count(*) FROM tier_decision WHERE reason = 'programme_changed'`); n != 0 {
		t.Fatalf("%d were judged before it was in force", n)
	}
	y.is("2027-06-01 00:00")
	for range 2 {
		y.review(y.reviewer().Small())
	}
	for i, id := range crowd { // 300 rises at once; gold is no more, and its place is platinum's until the next review
		if want := []string{"silver", "silver", "platinum"}[i%3]; y.tier(id) != want {
			t.Fatalf("%d: %q, want %q", i, y.tier(id), want)
		}
	}
	if n := y.Count(`SELECT count(*) FROM tier_decision WHERE reason = 'programme_changed'`); n != 20 {
		t.Errorf("%d moved by the change", n)
	}
	if n := y.Count(`SELECT count(*) FROM tier_version WHERE version = 2`); n != 1 {
		t.Error("the version is still open")
	}
	y.is("2028-01-01 00:00")
	y.review(y.reviewer())
	if got := y.tier(crowd[2]); got != "silver" {
		t.Errorf("the next review leaves %q", got)
	}
	y.terms("pizza", 3, "2028-02-01 00:00", programme.Tiers{})
	y.is("2028-02-01 00:00")
	y.review(y.reviewer().Small())
	if n := y.Count(`SELECT count(*) FROM tier_standing WHERE level <> '' OR due_at IS NOT NULL`); n != 0 {
		t.Errorf("%d members have a tier of a programme that has none", n)
	}
}

// TestCountersAreTheSumsOfTheRows books from many sides at once, with repetitions.
func TestCountersAreTheSumsOfTheRows(t *testing.T) {
	t.Parallel()
	y := newYears(t, "2028-03-01 10:00", metals())
	crowd := y.crowd("pizza", 5, y.at("2026-05-01 00:00"))
	var wg sync.WaitGroup
	for p := range 6 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(p%3), 7)) // each is told of by two
			for n := range 25 {
				var q []tier.Qualifying
				for k := range 1 + random.IntN(6) {
					key := fmt.Sprintf("order/%d/%d/%d", p%3, n, k)
					one := tier.Qualifying{
						Member: member.Member{ID: crowd[random.IntN(len(crowd))]}, Points: 1 + random.Int64N(90), Key: key,
						At: y.now.Load().Add(-time.Duration(random.IntN(500*86400)) * time.Second),
					}
					q = append(q, one, one)
					if random.IntN(3) == 0 {
						back := one
						back.Points, back.Key, back.Takes = -1, "return/"+key, key
						q = append(q, back)
					}
				}
				if err := y.qualify("pizza", q...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	y.buys(crowd[0], -50, "return/never", "")
	if n := y.Count(`SELECT count(*) FROM (
		SELECT member_id, (counts_at AT TIME ZONE 'Asia/Shanghai')::date AS day, sum(points) AS points FROM tier_points GROUP BY 1, 2
	) r FULL JOIN tier_day d USING (member_id, day) WHERE r.points IS DISTINCT FROM d.points`); n != 0 {
		t.Errorf("%d counters differ from the rows", n)
	}
	if n := y.Count(`SELECT count(*) FROM tier_points`); n < 100 {
		t.Errorf("only %d rows", n)
	}
	// Whatever the order, everybody stands where the years' sums say.
	for _, id := range crowd {
		var best int64
		for _, year := range []int{2027, 2028} {
			n := y.Count(`SELECT coalesce(sum(points), 0)::bigint FROM tier_points WHERE member_id = $1
				AND extract(year FROM counts_at AT TIME ZONE 'Asia/Shanghai') = $2`, id, year)
			best = max(best, n)
		}
		want := "bronze"
		if best >= 1000 {
			want = "gold"
		} else if best >= 500 {
			want = "silver"
		}
		if got := y.tier(id); got != want {
			t.Errorf("%d points make %q, want %q", best, got, want)
		}
	}
}

func TestWhatNeverCountedCannotBeTakenBack(t *testing.T) {
	t.Parallel()
	y := newYears(t, "2028-03-01 10:00", metals())
	id := y.crowd("pizza", 1, y.at("2026-05-01 00:00"))[0]
	if err := y.qualify("pizza", tier.Qualifying{Member: member.Member{ID: id}, Points: -5, Key: "return/1", Takes: "order/1", At: *y.now.Load()}); err != nil {
		t.Fatal(err)
	}
	if n := y.Count(`SELECT count(*) FROM tier_points`) + y.Count(`SELECT count(*) FROM tier_day`); n != 0 {
		t.Errorf("%d rows", n)
	}
}

func TestAReturnTakesATierAtOnceWhereTheTermsSay(t *testing.T) {
	t.Parallel()
	for rule, want := range map[string]string{"": "gold", programme.TakeBackAtOnce: "silver"} {
		tiers := metals()
		tiers.TakeBack = rule
		y := newYears(t, "2028-03-01 10:00", tiers)
		id := y.crowd("pizza", 1, y.at("2026-05-01 00:00"))[0]
		y.buys(id, 600, "order/1", "")
		y.buys(id, 450, "order/2", "")
		y.buys(id, -100, "return/1", "")
		if got := y.tier(id); got != want {
			t.Errorf("%q: %q, want %q", rule, got, want)
		}
	}
}

func TestAScoreDrivesTiers(t *testing.T) {
	t.Parallel()
	tiers := metals()
	tiers.DrivenBy = programme.DriveGrowth
	y := newYears(t, "2028-03-01 10:00", tiers)
	id := y.crowd("pizza", 1, y.at("2026-05-01 00:00"))[0]
	score := func(n int) {
		t.Helper()
		ctx := as(t.Context(), "pizza")
		if _, err := y.DB.Command(ctx, "pizza", func(tx *pg.Tx) (pg.Result, error) {
			book := programme.BookOf(tx)
			m, err := member.Lock(ctx, tx, id)
			if err == nil {
				_, err = y.tiers.Score(ctx, tx, book, m, n)
			}
			return pg.Result{}, err
		}); err != nil {
			t.Fatal(err)
		}
	}
	score(700)
	if got := y.tier(id); got != "silver" {
		t.Errorf("700 make %q", got)
	}
	score(100)
	y.is("2029-12-31 23:59") // kept through the year after that in which it was reached
	y.review(y.reviewer())
	if got := y.tier(id); got != "silver" {
		t.Errorf("before the review: %q", got)
	}
	y.is("2030-01-01 00:00")
	y.review(y.reviewer())
	if got := y.tier(id); got != "bronze" {
		t.Errorf("after the review: %q", got)
	}
}

func TestTheTiersOfSomeAreReadAtOnce(t *testing.T) {
	t.Parallel()
	y := newYears(t, "2028-03-01 10:00", metals())
	crowd := y.crowd("pizza", 2, y.at("2026-05-01 00:00"))
	y.buys(crowd[0], 600, "order/1", "")
	for tenant, want := range map[string][3]string{"pizza": {"silver", "bronze", ""}, "music": {"", "", ""}} {
		if err := y.DB.Read(t.Context(), tenant, func(tx *pg.Tx) error {
			s := tier.Of(tx, append(crowd, uuid.Max))
			if err := tx.Flush(t.Context()); err != nil {
				return err
			}
			if got := [3]string{s.Code(crowd[0]), s.Code(crowd[1]), s.Code(uuid.Max)}; got != want {
				t.Errorf("%s: %v, want %v", tenant, got, want)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}
