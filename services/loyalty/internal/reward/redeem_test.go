package reward_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
)

func TestARewardIsFetchedAtTheCounter(t *testing.T) {
	t.Parallel()
	k := open(t)
	mug, lily := k.offered("mug", "counter", body{"stock": 5, "low_stock_at": 4}), k.rich(250)
	require.False(t, mug.LowStock)
	var g got
	golden.JSON(t, "testdata/redemption.json", k.Want(http.StatusCreated, http.MethodPost, lily.Path+"/redemptions", k.Manager, body{"reward": "mug", "quantity": 2}, &g).Body)
	require.EqualValues(t, 50, k.Read(lily).Available)
	now := k.look(mug)
	require.True(t, is(now.Stock, 3) && now.Reserved == 2 && now.LowStock, "%+v", now)
	require.Equal(t, "fulfilled", k.decide(g, "fulfil", body{"reference": "till-3"}).State)
	now = k.look(mug)
	require.True(t, is(now.Stock, 3) && now.Reserved == 0 && now.Given == 2 && is(now.Received, 5), "%+v", now)
	for _, what := range []string{"fulfil", "cancel"} {
		require.Equal(t, "redemption_fulfilled", k.Do(http.MethodPost, "/v1/redemptions/"+g.ID+"/"+what, k.Manager, map[string]body{"fulfil": {}, "cancel": {"reason": "x"}}[what]).Code())
	}
	golden.JSON(t, "testdata/reward_redeemed.json", k.EventsOf("RewardRedeemed", 1)[0].Data)
	golden.JSON(t, "testdata/redemption_fulfilled.json", k.EventsOf("RedemptionFulfilled", 1)[0].Data)
	k.holds()
}

func TestACancelledRedemptionGivesEverythingBackOnce(t *testing.T) {
	t.Parallel()
	k := open(t)
	mug, lily := k.offered("mug", "delivery", body{"stock": 1, "confirm": true}), k.rich(100)
	g := k.redeem(lily, "mug")
	require.Equal(t, "reward_out_of_stock", k.try(k.rich(100), body{"reward": "mug"}).Code())
	require.Equal(t, "handed_over", k.decide(g, "fulfil", body{"reference": "SF1234567890"}).State)
	var wait sync.WaitGroup
	var mu sync.Mutex
	answers := map[int]int{}
	for range 10 {
		wait.Go(func() {
			a := k.Do(http.MethodPost, "/v1/redemptions/"+g.ID+"/cancel", k.Manager, body{"reason": "came_back"})
			mu.Lock()
			answers[a.Status]++
			mu.Unlock()
		})
	}
	wait.Wait()
	require.Equal(t, map[int]int{200: 1, 409: 9}, answers)
	require.EqualValues(t, 100, k.Read(lily).Available)
	require.True(t, is(k.look(mug).Stock, 1))
	golden.JSON(t, "testdata/redemption_cancelled.json", k.EventsOf("RedemptionCancelled", 1)[0].Data)
	require.Len(t, k.EventsOf("PointsRestored", 1), 1)
	require.Equal(t, "reserved", k.redeem(lily, "mug").State, "and can be redeemed again")
	k.holds()
}

func TestWhatIsSentWaitsToBeConfirmed(t *testing.T) {
	t.Parallel()
	k := open(t)
	k.offered("book", "delivery", body{"confirm": true})
	g := k.redeem(k.rich(100), "book")
	confirm := "/v1/redemptions/" + g.ID + "/confirm"
	require.Equal(t, "redemption_reserved", k.Do(http.MethodPost, confirm, k.Manager, nil).Code())
	sent := k.decide(g, "fulfil", body{"reference": "SF1"})
	require.Equal(t, "handed_over", sent.State)
	require.Empty(t, k.EventsOf("RedemptionFulfilled", 0))
	var now got
	k.Want(http.StatusOK, http.MethodPost, confirm, k.Manager, nil, &now)
	require.Equal(t, []string{"fulfilled", "SF1", ""}, []string{now.State, now.Reference, now.DueAt})
	k.holds()
}

func TestOfFiftyWhoWantTheLastOneExactlyOneHasIt(t *testing.T) {
	t.Parallel()
	k := open(t)
	for _, of := range []view{k.offered("mug", "counter", body{"stock": 1}), k.vouchers("ticket", 1)} {
		members := make([]loyaltytest.Member, 50)
		for i := range members {
			members[i] = k.rich(100)
		}
		var wait sync.WaitGroup
		var mu sync.Mutex
		codes, winner := map[string]int{}, uuid.Nil
		for _, m := range members {
			wait.Go(func() {
				a := k.try(m, body{"reward": of.Code})
				mu.Lock()
				defer mu.Unlock()
				if a.Status == http.StatusCreated {
					winner = m.MemberID
					codes["won"]++
					return
				}
				codes[a.Code()]++
			})
		}
		wait.Wait()
		require.Equal(t, map[string]int{"won": 1, "reward_out_of_stock": 49}, codes)
		for _, m := range members {
			want := int64(100)
			if m.MemberID == winner {
				want = 0
			}
			require.Equal(t, want, k.Read(m).Available)
		}
		require.True(t, is(k.look(of).Stock, 0))
	}
	k.holds()
}

func TestAVoucherIsIssuedByItselfAndShownToWhoRedeemedIt(t *testing.T) {
	t.Parallel()
	k := open(t)
	ticket, lily := k.vouchers("ticket", 3), k.rich(300)
	require.True(t, is(ticket.Stock, 3))
	first := k.reach(k.redeem(lily, "ticket"), "fulfilled")
	var g got
	k.Want(http.StatusCreated, http.MethodPost, lily.Path+"/redemptions", k.Manager, body{"reward": "ticket", "quantity": 2}, &g)
	second := k.reach(g, "fulfilled")
	require.Equal(t, "process:redemption", second.ClosedBy)
	shown := k.codes(first, k.Manager)
	require.Equal(t, "no-store", shown.Header.Get("Cache-Control"))
	require.JSONEq(t, `{"codes":["ticket-SECRET-0000"]}`, withoutSchema(t, shown.Body))
	require.JSONEq(t, `{"codes":["ticket-SECRET-0001","ticket-SECRET-0002"]}`, withoutSchema(t, k.codes(second, k.Manager).Body))
	require.Equal(t, "voucher_of_another", k.codes(first, k.Token(auth.RoleAdmin, "pizza")).Code(), "not even the administrator")
	require.Equal(t, http.StatusNotFound, k.codes(first, k.music()).Status)
	require.Equal(t, "reward_out_of_stock", k.try(k.rich(100), body{"reward": "ticket"}).Code())
	k.holds()

	// Wherever else something is kept or told, there is no code.
	for _, e := range k.Events(len(k.EventsOf("RewardRedeemed", 2))) {
		require.NotContains(t, string(e.Data), "SECRET")
	}
	for _, table := range []string{"idempotency", "process_start", "redemption", "reward", "reward_movement", "ledger_entry", "outbox"} {
		require.Zero(t, k.Count(`SELECT count(*) FROM `+table+` t WHERE t::text LIKE '%SECRET%'`), table)
	}
}

// withoutSchema takes out what tells where a body's schema is.
func withoutSchema(t *testing.T, b []byte) string {
	t.Helper()
	s := string(b)
	if i, j := strings.Index(s, `"$schema"`), strings.Index(s, `"codes"`); i >= 0 && j > i {
		s = s[:i] + s[j:]
	}
	return s
}

func TestCodesAreNotShownBeforeTheyAreIssued(t *testing.T) {
	t.Parallel()
	k := open(t)
	k.vouchers("ticket", 1)
	k.Flow.Work(nil) // no process runs
	g := k.redeem(k.rich(100), "ticket")
	require.Equal(t, "redemption_reserved", k.codes(g, k.Manager).Code())
	require.Equal(t, "redemption_voucher", k.Do(http.MethodPost, "/v1/redemptions/"+g.ID+"/fulfil", k.Manager, body{}).Code())
	k.decide(g, "cancel", body{"reason": "customer_withdrew"})
	require.Equal(t, "redemption_cancelled", k.codes(g, k.Manager).Code())
	require.Equal(t, "reserved", k.redeem(k.rich(100), "ticket").State, "nobody saw it, so it is given to another")
	k.holds()
}

func TestAVoucherOfWhoeverWasErasedMeanwhileIsCancelled(t *testing.T) {
	t.Parallel()
	k := open(t)
	ticket, lily := k.vouchers("ticket", 1), k.rich(100)
	k.Flow.Work(nil) // no process runs yet
	g := k.redeem(lily, "ticket")
	k.Accounts("pizza").Erase(lily.CustomerID)
	k.Flow.Work(k.rewards(time.Now).Worker)
	now := k.reach(g, "cancelled")
	require.Equal(t, []string{"not_fulfilled", "customer_erased"}, []string{now.Reason, now.Failure})
	require.True(t, is(k.look(ticket).Stock, 1))
	k.holds()
}

func TestErasureTakesCodesAndReferencesOut(t *testing.T) {
	t.Parallel()
	k := open(t)
	k.vouchers("ticket", 2)
	k.offered("book", "delivery", nil)
	lily, mei := k.rich(300), k.rich(300)
	ticket := k.reach(k.redeem(lily, "ticket"), "fulfilled")
	other := k.reach(k.redeem(mei, "ticket"), "fulfilled")
	book, second := k.redeem(lily, "book"), k.redeem(lily, "book")
	k.decide(book, "fulfil", body{"reference": "SF1234567890"})
	k.Accounts("pizza").Erase(lily.CustomerID)
	require.Empty(t, k.see(book).Reference)
	require.Equal(t, "customer_erased", k.codes(ticket, k.Manager).Code())
	require.Equal(t, http.StatusOK, k.codes(other, k.Manager).Status)
	require.Equal(t, http.StatusGone, k.try(lily, body{"reward": "book"}).Status)
	require.Equal(t, "customer_erased", k.Do(http.MethodPost, "/v1/redemptions/"+second.ID+"/fulfil", k.Manager, body{"reference": "SF2"}).Code(), "there is nobody to send it to")
	k.decide(second, "cancel", body{"reason": "customer_erased"})
	var v view
	again := k.offered("other", "voucher", nil)
	require.Equal(t, "vouchers_invalid", k.Do(http.MethodPost, k.path(again)+"/vouchers", k.Manager, body{"codes": []string{"ticket-SECRET-0000"}}).Code(), "it is still known that it was given")
	k.Want(http.StatusCreated, http.MethodPost, k.path(again)+"/vouchers", k.Manager, body{"codes": []string{"fresh-code"}}, &v)
	k.holds()
}

func TestMergedCustomersRedeemAndCountTogether(t *testing.T) {
	t.Parallel()
	k := open(t)
	k.offered("mug", "counter", body{"limit": 2})
	lily, li := k.rich(150), k.rich(150)
	first := k.redeem(lily, "mug")
	accounts := k.Accounts("pizza")
	accounts.Merge(li.CustomerID, lily.CustomerID)
	second := k.redeem(li, "mug") // 50 of lily's, 50 of li's, or the like
	require.EqualValues(t, 100, k.Read(lily).Available)
	require.Equal(t, "reward_limit", k.try(lily, body{"reward": "mug"}).Code())
	for _, m := range []loyaltytest.Member{lily, li} {
		require.Equal(t, []string{second.ID, first.ID}, k.list("member_id="+m.MemberID.String()))
	}
	k.decide(second, "cancel", body{"reason": "customer_withdrew"})
	require.EqualValues(t, 200, k.Read(li).Available)
	accounts.Undo(li.CustomerID, lily.CustomerID)
	require.EqualValues(t, 50, k.Read(lily).Available)
	require.EqualValues(t, 150, k.Read(li).Available)
	require.Equal(t, []string{second.ID}, k.list("member_id="+li.MemberID.String()))
	k.redeem(li, "mug")
	k.holds()
}

// list gives the ids of redemptions, page by page.
func (k *kiosk) list(query string) (ids []string) {
	k.t.Helper()
	for cursor := ""; ; {
		var page struct {
			Items      []got
			NextCursor string `json:"next_cursor"`
		}
		k.Want(http.StatusOK, http.MethodGet, fmt.Sprintf("/v1/redemptions?limit=2&cursor=%s&%s", cursor, query), k.Manager, nil, &page)
		for _, g := range page.Items {
			ids = append(ids, g.ID)
		}
		if cursor = page.NextCursor; cursor == "" {
			return ids
		}
	}
}

func TestListsAndReportOfRedemptions(t *testing.T) {
	t.Parallel()
	k := open(t)
	mug, book := k.offered("mug", "counter", body{"stock": 10}), k.offered("book", "delivery", nil)
	lily, mei := k.rich(1000), k.rich(1000)
	a, b, c, d := k.redeem(lily, "mug"), k.redeem(mei, "mug"), k.redeem(lily, "book"), k.redeem(lily, "mug")
	k.decide(a, "fulfil", body{})
	k.decide(b, "cancel", body{"reason": "broken"})
	for query, want := range map[string][]string{
		"":                                    {d.ID, c.ID, b.ID, a.ID},
		"member_id=" + lily.MemberID.String(): {d.ID, c.ID, a.ID},
		"reward_id=" + mug.ID:                 {d.ID, b.ID, a.ID},
		"state=reserved":                      {d.ID, c.ID},
		"state=cancelled":                     {b.ID},
		"state=reserved&reward_id=" + book.ID: {c.ID},
		"member_id=" + uuid.NewString():       nil,
		"state=reserved&member_id=" + a.MemberID.String() + "&reward_id=" + mug.ID: {d.ID},
	} {
		require.Equal(t, want, k.list(query), query)
	}
	var report struct{ Items []body }
	k.Want(http.StatusOK, http.MethodGet, "/v1/reward-report", k.Manager, nil, &report)
	require.Len(t, report.Items, 2)
	of := func(row body, names ...string) (numbers []any) {
		for _, n := range names {
			numbers = append(numbers, row[n])
		}
		return numbers
	}
	require.Equal(t, []any{"mug", 3.0, 3.0, 1.0, 1.0, 1.0, 200.0, 8.0, 1.0, 1.0, 10.0},
		of(report.Items[0], "code", "redemptions", "redeemed", "open", "fulfilled", "cancelled", "points", "stock", "reserved", "given", "received"))
	require.Equal(t, []any{"book", 1.0, 100.0, nil}, of(report.Items[1], "code", "open", "points", "stock"))
	k.Want(http.StatusOK, http.MethodGet, "/v1/reward-report?until="+time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), k.Manager, nil, &report)
	require.Equal(t, []any{0.0, 0.0, 8.0}, of(report.Items[0], "redeemed", "points", "stock"))
	require.Empty(t, func() []body {
		var page struct{ Items []body }
		k.Want(http.StatusOK, http.MethodGet, "/v1/redemptions", k.music(), nil, &page)
		return page.Items
	}(), "another tenant sees nothing")
}

func TestAKeyIsKeptForEver(t *testing.T) {
	t.Parallel()
	k := open(t)
	k.offered("mug", "counter", body{"stock": 1})
	lily := k.rich(100)
	first := k.redeem(lily, "mug", "Idempotency-Key", "once")
	k.ForgetKeys()
	again := k.Want(http.StatusCreated, http.MethodPost, lily.Path+"/redemptions", k.Manager, body{"reward": "mug"}, nil, "Idempotency-Key", "once")
	require.Equal(t, "true", again.Header.Get("Idempotent-Replay"))
	require.Contains(t, string(again.Body), first.ID)
	k.ForgetKeys()
	other := k.Do(http.MethodPost, lily.Path+"/redemptions", k.Manager, body{"reward": "mug", "quantity": 2}, "Idempotency-Key", "once")
	require.Equal(t, "idempotency_key_reused", other.Code())
	k.holds()
}

func TestWhoCannotRedeem(t *testing.T) {
	t.Parallel()
	k := open(t)
	k.offered("mug", "counter", nil)
	suspended, left, poor := k.rich(500), k.rich(500), k.rich(99)
	k.Admin(`UPDATE member SET state = 'suspended' WHERE id = $1`, suspended.MemberID)
	k.Admin(`UPDATE member SET state = 'left' WHERE id = $1`, left.MemberID)
	for code, m := range map[string]loyaltytest.Member{"member_suspended": suspended, "member_left": left, "points_insufficient": poor} {
		require.Equal(t, code, k.try(m, body{"reward": "mug"}).Code())
	}
	require.Equal(t, http.StatusNotFound, k.Do(http.MethodPost, poor.Path+"/redemptions", k.music(), body{"reward": "mug"}).Status)
	require.Zero(t, k.Count(`SELECT count(*) FROM redemption`))
	k.holds()
}

// TestEverythingAddsUpWhateverHappensAtOnce has many people redeem, cancel, hand over, restock and withdraw at once, and looks all the
// time whether a stock does not add up.
func TestEverythingAddsUpWhateverHappensAtOnce(t *testing.T) {
	t.Parallel()
	k := open(t)
	rewards := []view{k.offered("mug", "counter", body{"stock": 12}), k.offered("book", "delivery", body{"stock": 12, "confirm": true}), k.vouchers("ticket", 12)}
	stop, looked := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				looked <- n
				return
			default:
				k.holds()
				n++
			}
		}
	}()
	var wait sync.WaitGroup
	for worker := range 6 {
		m := k.rich(3000)
		wait.Go(func() {
			for n := range 8 {
				v := rewards[(worker+n)%len(rewards)]
				a := k.try(m, body{"reward": v.Code, "quantity": 1 + n%2})
				var g got
				if a.Status == http.StatusCreated {
					a.Decode(t, &g)
					switch (worker + n) % 4 {
					case 0, 1:
						k.Do(http.MethodPost, "/v1/redemptions/"+g.ID+"/cancel", k.Manager, body{"reason": "changed_mind"})
					case 2:
						k.Do(http.MethodPost, "/v1/redemptions/"+g.ID+"/fulfil", k.Manager, body{})
						k.Do(http.MethodPost, "/v1/redemptions/"+g.ID+"/confirm", k.Manager, nil)
					}
				} else if a.Code() != "reward_out_of_stock" {
					t.Errorf("got %d %s", a.Status, a.Body)
				}
				if n%4 == 3 {
					k.Do(http.MethodPost, k.path(v)+"/stock", k.Manager, body{"quantity": 1 - 2*(worker%2), "reason": "counted"})
				}
			}
		})
	}
	wait.Wait()
	close(stop)
	t.Logf("looked %d times", <-looked)
	k.Eventually("vouchers are issued", func() bool {
		return k.Count(`SELECT count(*) FROM redemption WHERE kind = 'voucher' AND closed_at IS NULL`) == 0
	})
	k.holds()
	require.Zero(t, k.Count(`SELECT count(*) FROM (SELECT code_hash FROM reward_voucher WHERE redemption_id IS NOT NULL GROUP BY code_hash HAVING count(*) > 1) x`))
}
