package grant_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	loyaltyactivitiesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/activities/v1"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/grant"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
)

type body = map[string]any

// world is a running service and its activities, called as its worker calls them.
type world struct {
	*loyaltytest.World
	*grant.Grants
	ctx context.Context
}

func start(t *testing.T) *world {
	t.Helper()
	w := loyaltytest.Start(t)
	return &world{
		World: w, Grants: grant.New(w.DB, ledger.New(w.DB, outbox.New("loyalty"), time.Now)),
		ctx: auth.With(t.Context(), auth.Principal{Subject: "process", Tenant: "pizza"}),
	}
}

func have(m loyaltytest.Member) [3]int64 { return [3]int64{m.Available, m.Pending, m.Debt} }

// asked is 500 points for a complaint.
func asked(key string, customer uuid.UUID) *loyaltyactivitiesv1.GrantPoints {
	return &loyaltyactivitiesv1.GrantPoints{
		IdempotencyKey: key, CustomerId: customer.String(), Points: 500, ReasonType: "complaint", ReasonId: complaint,
	}
}

const complaint = "01890000-0000-7000-8000-000000000001"

func undo(key string) *loyaltyactivitiesv1.ReverseGrant {
	return &loyaltyactivitiesv1.ReverseGrant{IdempotencyKey: key}
}

func TestAGrantIsGivenOnceAndTakenBackOnce(t *testing.T) {
	t.Parallel()
	w := start(t)
	lily := uuid.Must(uuid.NewV7())
	first, err := w.Grant(w.ctx, asked("k", lily))
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.Grant(w.ctx, asked("k", lily))
	if err != nil || !proto.Equal(first, again) {
		t.Fatalf("first %v, then %v %v", first, again, err)
	}
	member := w.Member(lily)
	if have(member) != [3]int64{500, 0, 0} || member.Source != "grant" || first.GetMemberId() != member.MemberID.String() || first.GetPoints() != 500 {
		t.Fatalf("%+v %v", member, first)
	}
	back, err := w.Reverse(w.ctx, undo("k"))
	if err != nil || back.GetPoints() != 500 || back.GetDebt() != 0 || back.GetEntryId() == "" {
		t.Fatalf("%v %v", back, err)
	}
	backAgain, err := w.Reverse(w.ctx, undo("k"))
	if err != nil || !proto.Equal(back, backAgain) {
		t.Fatalf("first %v, then %v %v", back, backAgain, err)
	}
	if got := w.Member(lily); have(got) != [3]int64{} {
		t.Fatalf("%+v", got)
	}
	granted, err := w.Grant(w.ctx, asked("k", lily)) // whoever asks late for the answer gets it, and no points
	if err != nil || !proto.Equal(first, granted) || w.Member(lily).Available != 0 {
		t.Fatalf("%v %v", granted, err)
	}
	golden.JSON(t, "testdata/points_earned.json", w.EventsOf("PointsEarned", 1)[0].Data)
	golden.JSON(t, "testdata/points_reversed.json", w.EventsOf("PointsReversed", 1)[0].Data)
	golden.JSON(t, "testdata/summary.json", w.Want(http.StatusOK, http.MethodGet, "/v1/points/summary", w.Manager, nil, nil).Body)
}

func TestAGrantThatWasSpentIsOwedWhenItIsReversed(t *testing.T) {
	t.Parallel()
	w := start(t)
	lily := w.Enrol()
	w.Earn(lily, 100)
	if _, err := w.Grant(w.ctx, asked("k", lily.CustomerID)); err != nil {
		t.Fatal(err)
	}
	w.Want(http.StatusCreated, http.MethodPost, lily.Path+"/spends", w.Manager, body{"points": 450, "reason_type": "reward"}, nil)
	back, err := w.Reverse(w.ctx, undo("k"))
	if err != nil || back.GetPoints() != 500 || back.GetDebt() != 350 {
		t.Fatalf("150 of the 500 points were left: %v %v", back, err)
	}
	if got := w.Read(lily); have(got) != [3]int64{0, 0, 350} {
		t.Fatalf("%+v", got)
	}
}

func TestAGrantThatWasReversedBeforeItCameDoesNotCome(t *testing.T) {
	t.Parallel()
	w := start(t)
	lily := uuid.Must(uuid.NewV7())
	for range 2 {
		back, err := w.Reverse(w.ctx, undo("k"))
		if err != nil || !proto.Equal(back, &loyaltyactivitiesv1.ReverseGrantResult{}) {
			t.Fatalf("%v %v", back, err)
		}
	}
	if _, err := w.Grant(w.ctx, asked("k", lily)); problem.From(err).Code != "grant_reversed" || !problem.CallersFault(err) {
		t.Fatalf("got %v", err)
	}
	if got := w.Member(lily); got.MemberID != uuid.Nil {
		t.Fatalf("enrolled for nothing: %+v", got)
	}
	if _, err := w.Grant(w.ctx, asked("another", lily)); err != nil {
		t.Fatal(err)
	}
}

func TestAKeyBelongsToOneGrantOfATenant(t *testing.T) {
	t.Parallel()
	w := start(t)
	lily, mia := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	if _, err := w.Grant(w.ctx, asked("k", lily)); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*loyaltyactivitiesv1.GrantPoints){
		"customer":    func(g *loyaltyactivitiesv1.GrantPoints) { g.CustomerId = mia.String() },
		"points":      func(g *loyaltyactivitiesv1.GrantPoints) { g.Points++ },
		"reason":      func(g *loyaltyactivitiesv1.GrantPoints) { g.ReasonType = "birthday" },
		"reason's id": func(g *loyaltyactivitiesv1.GrantPoints) { g.ReasonId = mia.String() },
	} {
		other := asked("k", lily)
		change(other)
		if _, err := w.Grant(w.ctx, other); problem.From(err).Code != "idempotency_key_reused" {
			t.Errorf("another %s: got %v", name, err)
		}
	}
	if got := w.Member(mia); got.MemberID != uuid.Nil {
		t.Errorf("enrolled for nothing: %+v", got)
	}
	music := auth.With(t.Context(), auth.Principal{Subject: "process", Tenant: "music"})
	if _, err := w.Grant(music, asked("k", mia)); err != nil {
		t.Error(err)
	}
	if back, err := w.Reverse(music, undo("no such")); err != nil || back.GetPoints() != 0 {
		t.Errorf("%v %v", back, err)
	}
}

func TestGrantsRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := start(t)
	lily := uuid.Must(uuid.NewV7())
	for name, change := range map[string]func(*loyaltyactivitiesv1.GrantPoints){
		"no key":                       func(g *loyaltyactivitiesv1.GrantPoints) { g.IdempotencyKey = "" },
		"a key of 256 characters":      func(g *loyaltyactivitiesv1.GrantPoints) { g.IdempotencyKey = strings.Repeat("键", 256) },
		"a key with U+0000":            func(g *loyaltyactivitiesv1.GrantPoints) { g.IdempotencyKey = "a\x00" },
		"a key that is no UTF-8":       func(g *loyaltyactivitiesv1.GrantPoints) { g.IdempotencyKey = "\xff" },
		"nobody":                       func(g *loyaltyactivitiesv1.GrantPoints) { g.CustomerId = "" },
		"nobody's id":                  func(g *loyaltyactivitiesv1.GrantPoints) { g.CustomerId = "17" },
		"the id of nothing":            func(g *loyaltyactivitiesv1.GrantPoints) { g.CustomerId = uuid.Nil.String() },
		"no points":                    func(g *loyaltyactivitiesv1.GrantPoints) { g.Points = 0 },
		"less than none":               func(g *loyaltyactivitiesv1.GrantPoints) { g.Points = -500 },
		"a million and one":            func(g *loyaltyactivitiesv1.GrantPoints) { g.Points = 1_000_001 },
		"the largest integer":          func(g *loyaltyactivitiesv1.GrantPoints) { g.Points = 1<<63 - 1 },
		"no reason":                    func(g *loyaltyactivitiesv1.GrantPoints) { g.ReasonType = "" },
		"a reason that is no code":     func(g *loyaltyactivitiesv1.GrantPoints) { g.ReasonType = "Complaint 17" },
		"a reason whose id is no UUID": func(g *loyaltyactivitiesv1.GrantPoints) { g.ReasonId = "17" },
	} {
		bad := asked("k", lily)
		change(bad)
		if _, err := w.Grant(w.ctx, bad); problem.From(err).Code != "grant_invalid" || !problem.CallersFault(err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := w.Reverse(w.ctx, undo("")); problem.From(err).Code != "grant_invalid" {
		t.Errorf("a reversal of no key: got %v", err)
	}
	if _, err := w.Grant(w.ctx, asked(strings.Repeat("键", 255), lily)); err != nil {
		t.Errorf("a key of 255 characters: %v", err)
	}
}

// TestGrantsAndReversalsAtOnce asks for the same grants and their reversals from many sides: each comes at most once,
// is taken back at most once, and afterwards is not there, whichever came first.
func TestGrantsAndReversalsAtOnce(t *testing.T) {
	t.Parallel()
	w := start(t)
	lily := uuid.Must(uuid.NewV7())
	var wait sync.WaitGroup
	for n := range 60 {
		key := string(rune('a' + n%6))
		wait.Go(func() {
			if n/6%2 == 0 {
				if _, err := w.Grant(w.ctx, asked(key, lily)); err != nil && problem.From(err).Code != "grant_reversed" {
					t.Error(err)
				}
			} else if _, err := w.Reverse(w.ctx, undo(key)); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if got := w.Member(lily); have(got) != [3]int64{} {
		t.Fatalf("%+v", got)
	}
	if n := w.Count(`SELECT count(*) FROM ledger_entry WHERE kind IN ('grant', 'void')`); n != 6 {
		t.Fatalf("%d grants and tombstones of 6 keys", n)
	}
}

func TestAWorkflowAsksByTheNameOfTheContract(t *testing.T) {
	t.Parallel()
	w := start(t)
	lily := uuid.Must(uuid.NewV7())
	env := flowtest.Environment(t, auth.Principal{Subject: "agent", Tenant: "pizza"}, "complaint/pizza/1")
	w.Register(env)
	env.ExecuteWorkflow(func(ctx workflow.Context) (*loyaltyactivitiesv1.GrantPointsResult, error) {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
		var given *loyaltyactivitiesv1.GrantPointsResult
		request := asked("complaint/pizza/1/points/1", lily)
		err := workflow.ExecuteActivity(ctx, flow.ActivityName(request), request).Get(ctx, &given)
		return given, err
	})
	var given *loyaltyactivitiesv1.GrantPointsResult
	if err := env.GetWorkflowResult(&given); err != nil || given.GetPoints() != 500 {
		t.Fatalf("%v %v", given, err)
	}
	if n := w.Count(`SELECT count(*) FROM ledger_entry WHERE tenant_id = 'pizza' AND booked_by = 'agent'`); n != 1 {
		t.Fatalf("%d entries", n)
	}
}

func TestARemedyIsPricedBeforeAnybodyPromisesIt(t *testing.T) {
	t.Parallel()
	w := start(t)
	lily := uuid.Must(uuid.NewV7())
	quote := func(points, minor int64, currency string) (*loyaltyactivitiesv1.QuoteRemedyResult, string) {
		q, err := w.Quote(w.ctx, &loyaltyactivitiesv1.QuoteRemedy{CustomerId: lily.String(), Points: points, AmountMinor: minor, Currency: currency})
		if err != nil {
			return nil, problem.From(err).Code
		}
		return q, ""
	}
	if _, code := quote(500, 0, "CNY"); code != "worth_unknown" {
		t.Errorf("nobody said what a point is worth: %q", code)
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/programmes", w.Manager, body{"code": "standard", "name": "Pizza club", "zone": "Asia/Shanghai",
		"terms": body{
			"return_days": 14, "join_by_purchase": true, "worth": body{"currency": "CNY", "points": 300, "minor": 100},
			"expiry": body{"kind": "year_end"},
		}}, nil)
	for _, c := range []struct {
		points, minor, wantPoints, wantMinor int64
		currency, code                       string
	}{
		{points: 500, currency: "CNY", wantPoints: 500, wantMinor: 166}, // 166.67 fen, rounded down
		{minor: 166, currency: "CNY", wantPoints: 498, wantMinor: 166},
		{minor: 1, currency: "CNY", wantPoints: 3, wantMinor: 1},
		{points: 1, currency: "CNY", wantPoints: 1, wantMinor: 0},
		{points: 500, currency: "USD", code: "quote_invalid"},
		{points: 500, minor: 1, currency: "CNY", code: "quote_invalid"},
		{currency: "CNY", code: "quote_invalid"},
		{points: -1, currency: "CNY", code: "quote_invalid"},
		{points: 1_000_001, currency: "CNY", code: "quote_invalid"},
		{minor: 1 << 62, currency: "CNY", code: "quote_invalid"},
		{minor: -5, currency: "CNY", code: "quote_invalid"},
	} {
		q, code := quote(c.points, c.minor, c.currency)
		if code != c.code || q.GetPoints() != c.wantPoints || q.GetAmountMinor() != c.wantMinor {
			t.Errorf("%+v: %v %q", c, q, code)
		}
		if code == "" && (!q.GetSpendable() || q.GetExpiresAt() == nil) {
			t.Errorf("%+v: %v", c, q)
		}
	}
	if _, err := w.Quote(w.ctx, &loyaltyactivitiesv1.QuoteRemedy{CustomerId: "lily", Points: 1, Currency: "CNY"}); problem.From(err).Code != "quote_invalid" {
		t.Error(err)
	}
	if n := w.Count(`SELECT count(*) FROM member`); n != 0 {
		t.Errorf("asking made %d members", n)
	}

	granted, err := w.Grant(w.ctx, asked("k", lily))
	if err != nil {
		t.Fatal(err)
	}
	path := "/v1/members/" + granted.GetMemberId()
	w.Want(http.StatusCreated, http.MethodPost, path+"/spends", w.Manager, body{"points": 400, "reason_type": "reward"}, nil)
	if _, err := w.Reverse(w.ctx, undo("k")); err != nil {
		t.Fatal(err)
	}
	if q, _ := quote(500, 0, "CNY"); q.GetDebtPaid() != 400 {
		t.Errorf("a debt of 400 would be paid first: %v", q)
	}
}
