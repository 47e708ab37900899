package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	loyaltyactivitiesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/activities/v1"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/audit"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/grant"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
)

type body = map[string]any

type report struct {
	OK          bool
	Members     int64
	Entries     int64
	Total       int64 `json:"differences_total"`
	Differences []struct {
		What string
	}
}

func (r report) what() (all []string) {
	for _, d := range r.Differences {
		all = append(all, d.What)
	}
	return all
}

// story is a ledger in which everything has happened: purchases, returns, a debt and its payment, spends, a grant and its
// reversal, one that was reversed before it came, locked points and their release, adjustments, a spend that was given back, and
// points that ran out.
func story(t *testing.T) (*loyaltytest.World, loyaltytest.Member) {
	t.Helper()
	w := loyaltytest.Start(t)
	longAgo := time.Date(1997, 1, 1, 12, 0, 0, 0, time.UTC)
	lily := uuid.Must(uuid.NewV7())
	spent, locked := loyaltytest.NewOrder(lily), loyaltytest.NewOrder(lily)
	w.Tell(spent.Placed(t, longAgo, 10000), locked.Placed(t, time.Now(), 5000))
	member := w.Member(lily)
	w.Want(http.StatusCreated, http.MethodPost, member.Path+"/spends", w.Manager, body{"points": 80, "reason_type": "reward"}, nil)
	w.Tell(locked.Returned(t, 1000), spent.Returned(t, 10000)) // 20 available and 40 locked ones: a debt of 40
	w.Tell(loyaltytest.NewOrder(lily).Placed(t, longAgo, 10000))
	w.Tell(loyaltytest.NewOrder(lily).Placed(t, time.Now(), 3000))
	later := ledger.New(w.DB, outbox.New("loyalty"), func() time.Time { return time.Now().AddDate(0, 1, 0) })
	if _, err := ledger.NewReleaser(later, w.Database.DB(pg.Ops), "loyalty").Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	grants := grant.New(w.DB, later)
	ctx := auth.With(t.Context(), auth.Principal{Subject: "process", Tenant: "pizza"})
	for _, key := range []string{"kept", "taken back"} {
		if _, err := grants.Grant(ctx, &loyaltyactivitiesv1.GrantPoints{
			IdempotencyKey: key, CustomerId: lily.String(), Points: 500, ReasonType: "complaint", ReasonId: uuid.NewString(),
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"taken back", "never came"} {
		if _, err := grants.Reverse(ctx, &loyaltyactivitiesv1.ReverseGrant{IdempotencyKey: key}); err != nil {
			t.Fatal(err)
		}
	}
	byHand(ctx, t, w, later, grants, member)
	w.Tell(loyaltytest.NewOrder(lily).Placed(t, time.Now(), 2000))
	w.Enrol()
	return w, w.Read(member)
}

// byHand goes on with adjustments, a spend that is given back, and points that run out, some of which are asked back then. The
// member has 19 points more after it.
func byHand(ctx context.Context, t *testing.T, w *loyaltytest.World, later *ledger.Ledger, grants *grant.Grants, m loyaltytest.Member) {
	t.Helper()
	reason := ledger.Reason{Type: "test"}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, points := range []int64{25, -5} {
		_, err := later.Adjust(ctx, m.MemberID, points, reason)
		must(err)
	}
	spent, err := later.Spend(ctx, m.MemberID, ledger.Spending{Points: 10, Reason: reason})
	must(err)
	_, err = later.Restore(ctx, spent.ID, reason)
	must(err)
	given, err := grants.Grant(ctx, &loyaltyactivitiesv1.GrantPoints{
		IdempotencyKey: "runs out", CustomerId: m.CustomerID.String(), Points: 50, ReasonType: "complaint", ReasonId: uuid.NewString(),
	})
	must(err)
	w.Admin(`UPDATE lot SET expires_at = now() WHERE id = $1`, given.GetEntryId())
	_, err = later.Spend(ctx, m.MemberID, ledger.Spending{Points: 1, Reason: reason})
	must(err)
	back, err := grants.Reverse(ctx, &loyaltyactivitiesv1.ReverseGrant{IdempotencyKey: "runs out"})
	must(err)
	if back.GetPoints() != 0 || back.GetDebt() != 0 {
		t.Errorf("what ran out was taken back: %v", back)
	}
}

func TestAGoodLedgerPasses(t *testing.T) {
	t.Parallel()
	w, lily := story(t)
	if lily.Available != 60+30+500+19 || lily.Pending != 20 || lily.Debt != 0 {
		t.Fatalf("the story has another end: %+v", lily)
	}
	golden.JSON(t, "testdata/audit.json", w.Want(http.StatusOK, http.MethodPost, "/v1/points/audits", w.Auditor, nil, nil).Body)
}

// TestWhateverHappensAtOnceTheLedgerAddsUp books from all sides at once for three members: people earn and spend, some of
// them repeating themselves, workflows grant and reverse, orders come in and come back, and releasers release.
func TestWhateverHappensAtOnceTheLedgerAddsUp(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	members := []loyaltytest.Member{w.Enrol(), w.Enrol(), w.Enrol()}
	for _, m := range members {
		w.Earn(m, 300)
	}
	var (
		wait     sync.WaitGroup
		ops      = w.Database.DB(pg.Ops)
		ctx      = auth.With(t.Context(), auth.Principal{Subject: "process", Tenant: "pizza"})
		tomorrow = ledger.New(w.DB, outbox.New("loyalty"), func() time.Time { return time.Now().AddDate(0, 0, 1) })
		grants   = grant.New(w.DB, tomorrow)
	)
	several := func(times int, do func(n int, m loyaltytest.Member)) {
		for worker := range 3 {
			wait.Go(func() {
				for n := range times {
					do(n, members[(n+worker)%len(members)])
				}
			})
		}
	}
	post := func(n int, m loyaltytest.Member, what string, b body) {
		answer := w.Do(http.MethodPost, m.Path+what, w.Manager, b, "Idempotency-Key", fmt.Sprint(what, n, m.MemberID)) // of two workers at times
		if answer.Status != http.StatusCreated && answer.Status != http.StatusConflict {
			t.Errorf("%s: %d %s", what, answer.Status, answer.Body)
		}
	}
	several(40, func(n int, m loyaltytest.Member) {
		post(n, m, "/spends", body{"points": 7 + n%5, "reason_type": "reward"})
	})
	several(10, func(n int, m loyaltytest.Member) { // of which every other one is given back, at times by two workers at once
		var spent struct {
			EntryID string `json:"entry_id"`
		}
		answer := w.Do(http.MethodPost, m.Path+"/spends", w.Manager, body{"points": 3, "reason_type": "game"}, "Idempotency-Key", fmt.Sprint("game ", n, m.MemberID))
		if json.Unmarshal(answer.Body, &spent) == nil && answer.Status == http.StatusCreated && n%2 == 0 {
			again := w.Do(http.MethodPost, "/v1/spends/"+spent.EntryID+"/reverse", w.Manager, body{"reason_type": "cancelled"})
			if again.Status != http.StatusCreated && again.Code() != "spend_restored" {
				t.Errorf("given back: %d %s", again.Status, again.Body)
			}
		}
	})
	several(10, func(n int, m loyaltytest.Member) {
		post(n, m, "/adjustments", body{"points": 2 - 3*(n%2), "reason_type": "correction"})
	})
	several(20, func(n int, m loyaltytest.Member) {
		post(n, m, "/earns", body{"points": 5 + n%5, "reason_type": "campaign", "locked_until": time.Now().Add(time.Duration(n%3) * time.Hour).Truncate(time.Hour)})
	})
	several(15, func(n int, m loyaltytest.Member) {
		key := fmt.Sprint("grant ", n%8)
		if n%3 == 2 {
			if _, err := grants.Reverse(ctx, &loyaltyactivitiesv1.ReverseGrant{IdempotencyKey: key}); err != nil {
				t.Error(err)
			}
			return
		}
		_, err := grants.Grant(ctx, &loyaltyactivitiesv1.GrantPoints{
			IdempotencyKey: key, CustomerId: m.CustomerID.String(), Points: 20, ReasonType: "complaint", ReasonId: uuid.Nil.String(),
		})
		if code := problem.From(err); code != nil && code.Code != "grant_reversed" && code.Code != "idempotency_key_reused" {
			t.Error(err)
		}
	})
	several(10, func(int, loyaltytest.Member) {
		if _, err := ledger.NewReleaser(tomorrow, ops, "loyalty").Release(t.Context()); err != nil {
			t.Error(err)
		}
	})
	var events []bus.Event
	for n := range 60 {
		order := loyaltytest.NewOrder(members[n%3].CustomerID)
		events = append(events, order.Placed(t, time.Now().AddDate(0, 0, -13-n%2), 2000))
		if n%2 == 0 {
			events = append(events, order.Returned(t, 1000), order.Returned(t, 1000))
		}
	}
	w.Tell(events...)
	wait.Wait()
	var found report
	if answer := w.Want(http.StatusOK, http.MethodPost, "/v1/points/audits", w.Auditor, nil, &found); !found.OK {
		t.Fatalf("%s", answer.Body)
	}
	var sum struct{ Earned, Reversed, Spent, Restored, Adjusted, Available, Pending, Debt int64 }
	w.Want(http.StatusOK, http.MethodGet, "/v1/points/summary", w.Manager, nil, &sum)
	if sum.Earned-sum.Reversed-sum.Spent+sum.Restored+sum.Adjusted != sum.Available+sum.Pending-sum.Debt ||
		sum.Spent == 0 || sum.Reversed == 0 || sum.Restored == 0 || sum.Adjusted == 0 {
		t.Fatalf("%+v", sum)
	}
}

// TestWhatASuperuserBreaksIsFound breaks one thing at a time, with every constraint out of the way.
func TestWhatASuperuserBreaksIsFound(t *testing.T) {
	t.Parallel()
	w, lily := story(t)
	for _, table := range []string{"member", "ledger_entry", "lot", "lot_use"} {
		w.Admin(`CREATE TABLE kept_` + table + ` AS SELECT * FROM ` + table)
		w.Admin(`DO $$ DECLARE c text; BEGIN
			FOR c IN SELECT conname FROM pg_constraint WHERE conrelid = '` + table + `'::regclass LOOP
				EXECUTE format('ALTER TABLE ` + table + ` DROP CONSTRAINT %I', c);
			END LOOP; END $$`)
	}
	const latest = ` WHERE member_id = $1 AND entry_no = (SELECT max(entry_no) FROM ledger_entry WHERE member_id = $1)`
	for name, c := range map[string]struct {
		sql  string
		what string // one that must be among the differences
	}{
		"points out of nothing on the member":  {`UPDATE member SET available = available + 1 WHERE id = $1`, "available"},
		"locked ones":                          {`UPDATE member SET pending = pending + 1 WHERE id = $1`, "pending"},
		"a debt out of nothing":                {`UPDATE member SET debt = 1 WHERE id = $1`, "debt"},
		"an entry for more":                    {`UPDATE ledger_entry SET available = available + 1` + latest, "entry"},
		"an entry for more that adds up":       {`UPDATE ledger_entry SET available = available + 1, issued = issued - 1` + latest, "available"},
		"an entry and the balance for more":    {`WITH m AS (UPDATE member SET available = available + 1 WHERE id = $1) UPDATE ledger_entry SET available = available + 1, issued = issued - 1` + latest, "lots_available"},
		"an entry less":                        {`DELETE FROM ledger_entry` + latest, "entries"},
		"a tombstone with points":              {`UPDATE ledger_entry SET available = 7 WHERE member_id IS NULL AND $1::uuid IS NOT NULL`, ""},
		"a lot with more left":                 {`UPDATE lot SET remaining = remaining + 1 WHERE id = (SELECT id FROM lot WHERE member_id = $1 AND remaining > 0 LIMIT 1)`, "lot_remaining"},
		"a used lot with something left":       {`UPDATE lot SET remaining = 1 WHERE id = (SELECT id FROM lot WHERE member_id = $1 AND remaining = 0 LIMIT 1)`, "lot_remaining"},
		"a larger lot":                         {`UPDATE lot SET points = points + 1, remaining = remaining + 1 WHERE id = (SELECT id FROM lot WHERE member_id = $1 AND remaining > 0 LIMIT 1)`, "lot_points"},
		"a lot less":                           {`DELETE FROM lot WHERE member_id = $1 AND remaining > 0`, "lot_points"},
		"a lot released before its time":       {`UPDATE lot SET released = true WHERE member_id = $1`, "lots_pending"},
		"a use less":                           {`DELETE FROM lot_use WHERE $1::uuid IS NOT NULL AND lot_id = (SELECT lot_id FROM lot_use LIMIT 1)`, "lots_taken"},
		"a member less":                        {`DELETE FROM member WHERE id = $1`, "member"},
		"all members less":                     {`DELETE FROM member WHERE $1::uuid IS NOT NULL`, "member"},
		"another's entries":                    {`UPDATE ledger_entry SET member_id = (SELECT id FROM member WHERE id <> $1)` + latest, "entries"},
		"a balance that was written otherwise": {`UPDATE ledger_entry SET available_after = available_after + 1` + latest, "available_after"},
		"more given back than was spent":       {`UPDATE ledger_entry SET redeemed = redeemed - 1, available = available + 1 WHERE kind = 'restore' AND $1::uuid IS NOT NULL`, "restored"},
		"what gives back nothing that is":      {`UPDATE ledger_entry SET reverses = $1 WHERE kind = 'restore'`, "restored"},
		"a lot of which less ran out":          {`UPDATE lot SET expired = expired - 1 WHERE expired > 0 AND $1::uuid IS NOT NULL`, "lot_expired"},
		"a lot of which less was asked back":   {`UPDATE lot SET waived = waived - 1 WHERE waived > 0 AND $1::uuid IS NOT NULL`, "lot_waived"},
		"a lot that was given by hand less":    {`DELETE FROM lot WHERE member_id = $1 AND id = (SELECT id FROM ledger_entry WHERE kind = 'adjustment' AND adjusted < 0)`, "lot_points"},
		"what ran out, of no lot":              {`DELETE FROM lot_use WHERE $1::uuid IS NOT NULL AND entry_id = (SELECT id FROM ledger_entry WHERE kind = 'expiry')`, "lots_taken"},
		"what was given back, to no lot":       {`DELETE FROM lot_use WHERE $1::uuid IS NOT NULL AND points < 0`, "lots_taken"},
		"another programme's entry":            {`UPDATE ledger_entry SET programme = 'club'` + latest, "programme"},
		"an entry's number":                    {`UPDATE ledger_entry SET entry_no = entry_no + 1` + latest, "entry_count"},
	} {
		w.Admin(c.sql, lily.MemberID)
		var found report
		w.Want(http.StatusOK, http.MethodPost, "/v1/points/audits", w.Auditor, nil, &found)
		if found.OK || c.what != "" && !strings.Contains(" "+strings.Join(found.what(), " ")+" ", " "+c.what+" ") {
			t.Errorf("%s: %+v, want %q", name, found, c.what)
		}
		for _, table := range []string{"member", "ledger_entry", "lot", "lot_use"} {
			w.Admin(`TRUNCATE ` + table)
			w.Admin(`INSERT INTO ` + table + ` SELECT * FROM kept_` + table)
		}
	}
	var found report
	if w.Want(http.StatusOK, http.MethodPost, "/v1/points/audits", w.Auditor, nil, &found); !found.OK {
		t.Fatalf("everything is mended: %+v", found)
	}
}

func TestAReportListsAHundredDifferencesAndCountsAll(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	for range 3 {
		w.Earn(w.Enrol(), 10)
	}
	w.Admin(`INSERT INTO member (tenant_id, id, customer_id, card_number, source, enrolled_at, available)
		SELECT 'pizza', gen_random_uuid(), gen_random_uuid(), n::text, 'test', now(), 1 FROM generate_series(1, 4500) n`)
	var found report
	w.Want(http.StatusOK, http.MethodPost, "/v1/points/audits", w.Auditor, nil, &found)
	if found.OK || found.Members != 4503 || found.Entries != 3 || found.Total != 4500 || len(found.Differences) != 100 {
		t.Fatalf("%d members, %d entries, %d differences, %d of them listed", found.Members, found.Entries, found.Total, len(found.Differences))
	}
}

// check runs the hourly workflow.
func check(t *testing.T, w *loyaltytest.World, log *slog.Logger) (audit.Report, error) {
	t.Helper()
	env := flowtest.Environment(t, auth.Principal{Subject: "schedule:" + audit.WorkflowName}, audit.WorkflowName+"-2026-11-22T12:00:00Z")
	audit.New(w.DB, w.Database.DB(pg.Ops), time.Now).Activities(log).Register(env)
	env.ExecuteWorkflow(audit.WorkflowName)
	var found audit.Report
	if err := env.GetWorkflowError(); err != nil {
		return found, err
	}
	return found, env.GetWorkflowResult(&found)
}

func TestEveryHourTheLedgersOfAllTenantsAreChecked(t *testing.T) {
	t.Parallel()
	w, lily := story(t)
	music := loyaltytest.NewOrder(uuid.Must(uuid.NewV7()))
	music.Tenant = "music"
	w.Tell(music.Placed(t, time.Now(), 10000))
	found, err := check(t, w, slog.New(slog.DiscardHandler))
	if err != nil || found.Members != 3 || found.Entries != w.Count(`SELECT count(*) FROM ledger_entry`) || !found.OK() {
		t.Fatalf("%+v %v", found, err)
	}

	w.Admin(`UPDATE member SET available = available + 1 WHERE id = $1`, lily.MemberID)
	var log strings.Builder
	_, err = check(t, w, slog.New(slog.NewTextHandler(&log, nil)))
	var failed *temporal.ApplicationError
	if !errors.As(err, &failed) || failed.Type() != "ledger_differs" || !failed.NonRetryable() {
		t.Fatalf("got %v", err)
	}
	if said := log.String(); !strings.Contains(said, lily.MemberID.String()) || !strings.Contains(said, "tenant=pizza") || !strings.Contains(said, "what=available") {
		t.Fatalf("the log says %s", said)
	}
}

// TestACheckGoesOnWhereAKilledWorkerWas begins with what a worker had told when it was killed: the tenants before are not
// checked again, and what was counted is kept.
func TestACheckGoesOnWhereAKilledWorkerWas(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	first, second := w.Enrol(), w.Enrol()
	w.Earn(first, 10)
	w.Earn(second, 10)
	suite := &testsuite.WorkflowTestSuite{}
	env := suite.NewTestActivityEnvironment()
	a := audit.New(w.DB, w.Database.DB(pg.Ops), time.Now).Activities(slog.New(slog.DiscardHandler))
	env.RegisterActivity(a.Check)
	env.SetHeartbeatDetails(map[string]any{
		"tenant": "pizza", "after": first.MemberID, "report": audit.Report{Members: 41, Entries: 1000},
	})
	value, err := env.ExecuteActivity(a.Check)
	var found audit.Report
	if err == nil {
		err = value.Get(&found)
	}
	if err != nil || found.Members != 42 || found.Entries != 1001 {
		t.Fatalf("%+v %v", found, err)
	}
}

func TestWhoMayCheck(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	w.Earn(w.Enrol(), 10)
	badinput.Check(t, badinput.Target{URL: w.URL, Method: http.MethodPost, Path: "/v1/points/audits", Token: w.Auditor})
	for role, status := range map[string]int{auth.RoleManager: 403, auth.RoleAgent: 403, auth.RoleAdmin: 200} {
		if answer := w.Do(http.MethodPost, "/v1/points/audits", w.Token(role, "pizza"), nil); answer.Status != status {
			t.Errorf("%s: got %d %s", role, answer.Status, answer.Body)
		}
	}
	var found report
	w.Want(http.StatusOK, http.MethodPost, "/v1/points/audits", w.Token(auth.RoleOperations, "music"), nil, &found)
	if !found.OK || found.Members != 0 || found.Entries != 0 {
		t.Errorf("another tenant's ledger was looked at: %+v", found)
	}
}
