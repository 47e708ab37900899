package member_test

import (
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
		"enrol": {Method: http.MethodPost, Path: "/v1/members", Body: enrol(), Replay: true, Fresh: enrol, OtherBody: enrol()},
		"list":  {Method: http.MethodGet, Path: "/v1/members", List: true},
		"get":   {Method: http.MethodGet, Path: lily.Path, Owned: true},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.Manager
			badinput.Check(t, target)
		})
	}
	for name, bad := range map[string]body{
		"nobody": {"customer_id": uuid.Nil}, "no id": {"customer_id": "17"}, "nothing": {},
	} {
		if answer := w.Do(http.MethodPost, "/v1/members", w.Manager, bad); answer.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: got %d %s", name, answer.Status, answer.Body)
		}
	}
}
