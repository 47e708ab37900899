package member_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
)

type body = map[string]any

func TestACustomerIsEnrolledOnce(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := body{"customer_id": uuid.Must(uuid.NewV7())}
	var first, again loyaltytest.Member
	golden.JSON(t, "testdata/member.json", w.Want(http.StatusCreated, http.MethodPost, "/v1/members", w.Manager, lily, &first).Body)
	w.Want(http.StatusOK, http.MethodPost, "/v1/members", w.Manager, lily, &again)
	if again != first {
		t.Fatalf("first %+v, then %+v", first, again)
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/members", w.Token(auth.RoleManager, "music"), lily, nil)
	events := w.EventsOf("MemberEnrolled", 2)
	golden.JSON(t, "testdata/member_enrolled.json", events[0].Data)
	if len(events) != 2 || events[0].Sequence != 1 {
		t.Fatalf("%+v", events)
	}
}

func TestTwentyAtOnceEnrolOneMember(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := body{"customer_id": uuid.Must(uuid.NewV7())}
	var enrolled atomic.Int64
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			switch answer := w.Do(http.MethodPost, "/v1/members", w.Manager, lily); answer.Status {
			case http.StatusCreated:
				enrolled.Add(1)
			case http.StatusOK:
			default:
				t.Errorf("got %d %s", answer.Status, answer.Body)
			}
		})
	}
	wait.Wait()
	if n := len(w.EventsOf("MemberEnrolled", 1)); n != 1 || enrolled.Load() != 1 {
		t.Fatalf("%d enrolled, %d events", enrolled.Load(), n)
	}
}

func TestListsOfMembers(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	var all []string
	var last loyaltytest.Member
	for range 5 {
		last = w.Enrol()
		all = append(all, last.MemberID.String())
	}
	list := func(token, query string) (ids []string) {
		for cursor := ""; ; {
			var page struct {
				Items      []loyaltytest.Member
				NextCursor string `json:"next_cursor"`
			}
			w.Want(http.StatusOK, http.MethodGet, fmt.Sprintf("/v1/members?limit=2&cursor=%s%s", cursor, query), token, nil, &page)
			for _, m := range page.Items {
				ids = append(ids, m.MemberID.String())
			}
			if cursor = page.NextCursor; cursor == "" {
				return ids
			}
		}
	}
	if got := list(w.Manager, ""); !slices.Equal(got, all) {
		t.Errorf("got %v, want %v", got, all)
	}
	if got := list(w.Manager, "&customer_id="+last.CustomerID.String()); !slices.Equal(got, all[4:]) {
		t.Errorf("of one customer: got %v", got)
	}
	if got := list(w.Token(auth.RoleManager, "music"), ""); len(got) > 0 {
		t.Errorf("another tenant sees %v", got)
	}
}

func TestWhoMaySeeAndEnrolMembers(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := w.Enrol()
	agent := w.Token(auth.RoleAgent, "pizza")
	for _, c := range []struct {
		name, method, path, token string
		body                      any
		status                    int
	}{
		{"another tenant's is not there", http.MethodGet, lily.Path, w.Token(auth.RoleManager, "music"), nil, 404},
		{"nor one that never was", http.MethodGet, "/v1/members/" + uuid.NewString(), w.Manager, nil, 404},
		{"an agent reads", http.MethodGet, lily.Path, agent, nil, 200},
		{"an agent does not enrol", http.MethodPost, "/v1/members", agent, body{"customer_id": uuid.New()}, 403},
		{"an administrator of the platform has no members", http.MethodGet, "/v1/members", w.Token(auth.RolePlatformAdmin, ""), nil, 403},
	} {
		if answer := w.Do(c.method, c.path, c.token, c.body); answer.Status != c.status {
			t.Errorf("%s: got %d %s, want %d", c.name, answer.Status, answer.Body, c.status)
		}
	}
}

func TestMembersRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := w.Enrol()
	enrol := func() string { return fmt.Sprintf(`{"customer_id":%q}`, uuid.Must(uuid.NewV7())) }
	for name, target := range map[string]badinput.Target{
		"enrol":     {Method: http.MethodPost, Path: "/v1/members", Body: enrol(), Replay: true, Fresh: enrol, OtherBody: enrol()},
		"list":      {Method: http.MethodGet, Path: "/v1/members", List: true},
		"get":       {Method: http.MethodGet, Path: lily.Path, Owned: true},
		"suspend":   {Method: http.MethodPost, Path: w.Enrol().Path + "/suspend", Body: `{"reason":"fraud_suspected"}`, Owned: true},
		"reinstate": {Method: http.MethodPost, Path: suspended(w).Path + "/reinstate", Body: `{"reason":"cleared"}`, Owned: true},
		"replace the card": {
			Method: http.MethodPost, Path: lily.Path + "/replace-card", Body: `{"reason":"lost"}`, Owned: true, Replay: true, OtherBody: `{"reason":"stolen"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.Manager
			badinput.Check(t, target)
		})
	}
	for name, bad := range map[string]body{
		"nobody": {"customer_id": uuid.Nil}, "no id": {"customer_id": "17"}, "nothing": {},
		"no such programme": {"customer_id": uuid.New(), "programme": "miles"}, "an empty programme": {"customer_id": uuid.New(), "programme": ""},
		"another tenant's programme": {"customer_id": uuid.New(), "programme": "music"},
	} {
		if answer := w.Do(http.MethodPost, "/v1/members", w.Manager, bad); answer.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: got %d %s", name, answer.Status, answer.Body)
		}
	}
}

// suspended gives a member who is suspended.
func suspended(w *loyaltytest.World) loyaltytest.Member {
	m := w.Enrol()
	w.Do(http.MethodPost, m.Path+"/suspend", w.Manager, body{"reason": "fraud_suspected"})
	return m
}

func TestAMemberIsSuspendedAndReinstated(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := w.Enrol()
	type view struct {
		State       string
		StateReason string `json:"state_reason"`
		StateAt     string `json:"state_at"`
	}
	change := func(status int, action, reason string) (v view) {
		t.Helper()
		w.Want(status, http.MethodPost, lily.Path+"/"+action, w.Manager, body{"reason": reason}, &v)
		return v
	}
	change(http.StatusConflict, "reinstate", "cleared")
	if v := change(http.StatusOK, "suspend", "fraud_suspected"); v.State != "suspended" || v.StateReason != "fraud_suspected" || v.StateAt == "" {
		t.Fatalf("%+v", v)
	}
	change(http.StatusConflict, "suspend", "fraud_suspected")
	w.Earn(lily, 100)
	if answer := w.Do(http.MethodPost, lily.Path+"/spends", w.Manager, body{"points": 1, "reason_type": "reward"}); answer.Status != http.StatusConflict {
		t.Fatalf("a suspended member spent: %d %s", answer.Status, answer.Body)
	}
	if got := w.Read(lily).Available; got != 100 {
		t.Fatalf("a suspended member has %d points", got)
	}
	if v := change(http.StatusOK, "reinstate", "cleared"); v.State != "active" || v.StateReason != "cleared" {
		t.Fatalf("%+v", v)
	}
	w.Want(http.StatusCreated, http.MethodPost, lily.Path+"/spends", w.Manager, body{"points": 1, "reason_type": "reward"}, nil)
	golden.JSON(t, "testdata/member_suspended.json", w.EventsOf("MemberSuspended", 1)[0].Data)
	golden.JSON(t, "testdata/member_reinstated.json", w.EventsOf("MemberReinstated", 1)[0].Data)
	agent := w.Token(auth.RoleAgent, "pizza")
	if answer := w.Do(http.MethodPost, lily.Path+"/suspend", agent, body{"reason": "x"}); answer.Status != http.StatusForbidden {
		t.Errorf("an agent suspends: %d", answer.Status)
	}
}

func TestACardIsReplacedAndTheOldOneIsFoundBlocked(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := w.Enrol()
	type found struct {
		Items []struct {
			MemberID    uuid.UUID `json:"member_id"`
			CardNumber  string    `json:"card_number"`
			BlockedCard *struct {
				CardNumber string `json:"card_number"`
				Reason     string
			} `json:"blocked_card"`
		}
	}
	byCard := func(token, number string) (f found) {
		t.Helper()
		w.Want(http.StatusOK, http.MethodGet, "/v1/members?card_number="+number, token, nil, &f)
		return f
	}
	var replaced loyaltytest.Member
	w.Want(http.StatusOK, http.MethodPost, lily.Path+"/replace-card", w.Manager, body{"reason": "lost"}, &replaced)
	if replaced.CardNumber == lily.CardNumber || replaced.MemberID != lily.MemberID {
		t.Fatalf("%+v", replaced)
	}
	if f := byCard(w.Manager, replaced.CardNumber); len(f.Items) != 1 || f.Items[0].BlockedCard != nil {
		t.Fatalf("by the new card: %+v", f)
	}
	f := byCard(w.Manager, lily.CardNumber)
	if len(f.Items) != 1 || f.Items[0].MemberID != lily.MemberID || f.Items[0].CardNumber != replaced.CardNumber {
		t.Fatalf("by the old card: %+v", f)
	}
	if b := f.Items[0].BlockedCard; b == nil || b.CardNumber != lily.CardNumber || b.Reason != "lost" {
		t.Fatalf("the old card is not blocked: %+v", b)
	}
	if f := byCard(w.Token(auth.RoleManager, "music"), lily.CardNumber); len(f.Items) != 0 {
		t.Fatalf("another tenant finds %+v", f)
	}
	wrong := []byte(lily.CardNumber)
	wrong[15] = '0' + (wrong[15]-'0'+1)%10
	if answer := w.Do(http.MethodGet, "/v1/members?card_number="+string(wrong), w.Manager, nil); answer.Status != 422 || !bytes.Contains(answer.Body, []byte("card_check_digit_wrong")) {
		t.Fatalf("a wrong check digit: %d %s", answer.Status, answer.Body)
	}
}

func TestMembersOfSeveralProgrammesAreListedByProgrammeAndState(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/programmes", w.Manager, body{
		"code": "miles", "name": "Miles", "zone": "Asia/Shanghai", "terms": body{"return_days": 14, "join_by_purchase": false},
	}, nil)
	lily := suspended(w)
	var miles struct {
		loyaltytest.Member
		Programme string
	}
	enrol := body{"customer_id": lily.CustomerID, "programme": "miles"}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/members", w.Manager, enrol, &miles)
	if miles.Programme != "miles" || miles.MemberID == lily.MemberID {
		t.Fatalf("%+v", miles)
	}
	w.Want(http.StatusOK, http.MethodPost, "/v1/members", w.Manager, enrol, nil)
	if answer := w.Do(http.MethodPost, "/v1/members", w.Token(auth.RoleManager, "music"), enrol); answer.Status != 422 {
		t.Errorf("a programme of another tenant: got %d %s", answer.Status, answer.Body)
	}
	for query, want := range map[string][]uuid.UUID{
		"":                                         {lily.MemberID, miles.MemberID},
		"&programme=miles":                         {miles.MemberID},
		"&programme=standard":                      {lily.MemberID},
		"&state=suspended":                         {lily.MemberID},
		"&state=active":                            {miles.MemberID},
		"&state=left":                              nil,
		"&state=suspended&programme=miles":         nil,
		"&state=active&programme=miles":            {miles.MemberID},
		"&programme=none":                          nil,
		"&card_number=" + miles.CardNumber:         {miles.MemberID},
		"&customer_id=" + uuid.NewString():         nil,
		"&customer_id=" + lily.CustomerID.String(): {lily.MemberID, miles.MemberID},
	} {
		var page struct{ Items []loyaltytest.Member }
		w.Want(http.StatusOK, http.MethodGet, "/v1/members?limit=9"+query, w.Manager, nil, &page)
		var got []uuid.UUID
		for _, m := range page.Items {
			got = append(got, m.MemberID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", query, got, want)
		}
	}
	w.Want(http.StatusUnprocessableEntity, http.MethodGet, "/v1/members?state=gone", w.Manager, nil, nil)
}

func TestTheCardsOfAnErasedCustomerAreForgotten(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily, rose := w.Enrol(), w.Enrol()
	for _, m := range []loyaltytest.Member{lily, rose} {
		w.Want(http.StatusOK, http.MethodPost, m.Path+"/replace-card", w.Manager, body{"reason": "lost"}, nil)
	}
	present := w.Read(lily).CardNumber
	if got := w.Mentions(lily.CardNumber, present); len(got) != 2 {
		t.Fatalf("the cards stand in %v", got)
	}
	w.AskToErase("pizza", lily.CustomerID)
	if got := w.Mentions(lily.CardNumber, present); len(got) > 0 {
		t.Errorf("the cards still stand in %v", got)
	}
	if got := w.Mentions(rose.CardNumber); len(got) != 1 {
		t.Errorf("another's stand in %v", got)
	}
	for action, status := range map[string]int{"replace-card": http.StatusGone, "rejoin": http.StatusGone, "suspend": http.StatusOK} {
		if answer := w.Do(http.MethodPost, lily.Path+"/"+action, w.Manager, body{"reason": "lost"}); answer.Status != status {
			t.Errorf("%s: got %d %s", action, answer.Status, answer.Body)
		}
	}
	if answer := w.Do(http.MethodPost, "/v1/members", w.Manager, body{"customer_id": lily.CustomerID}); answer.Status != http.StatusGone {
		t.Errorf("enrolled again: got %d %s", answer.Status, answer.Body)
	}
	w.Want(http.StatusOK, http.MethodPost, rose.Path+"/leave", w.Manager, body{"reason": "moved"}, nil)
	if answer := w.Do(http.MethodPost, rose.Path+"/replace-card", w.Manager, body{"reason": "lost"}); answer.Status != http.StatusConflict {
		t.Errorf("a card for one who left: got %d %s", answer.Status, answer.Body)
	}
}

func TestManyWhoSuspendAtOnceSuspendOnce(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := w.Enrol()
	var done, refused atomic.Int64
	var wait sync.WaitGroup
	for range 10 {
		wait.Go(func() {
			switch answer := w.Do(http.MethodPost, lily.Path+"/suspend", w.Manager, body{"reason": "fraud_suspected"}); answer.Status {
			case http.StatusOK:
				done.Add(1)
			case http.StatusConflict:
				refused.Add(1)
			default:
				t.Errorf("got %d %s", answer.Status, answer.Body)
			}
		})
	}
	wait.Wait()
	if n := len(w.EventsOf("MemberSuspended", 1)); done.Load() != 1 || refused.Load() != 9 || n != 1 {
		t.Errorf("%d suspended, %d refused, %d events", done.Load(), refused.Load(), n)
	}
}
