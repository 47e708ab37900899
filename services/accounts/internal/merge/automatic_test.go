package merge_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/erasure"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/matching"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/merge"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/relationship"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/search"
)

// automat is a service whose tenants have an automatic rule, and the processes that follow its customers when they are told.
type automat struct {
	*world
	admin   string
	indexer *search.Indexer
}

// automatic are the rules of the tests: the same telephone and a name that sounds the same is one customer.
var automatic = body{"rules": []body{
	{"name": "phone_and_sound", "result": "automatic", "criteria": []body{{"kind": "identity", "type": "phone"}, {"kind": "name_sound"}}},
	{"name": "mail_and_name", "result": "automatic", "criteria": []body{{"kind": "identity", "type": "email"}, {"kind": "name"}}},
	{"name": "name", "result": "review", "criteria": []body{{"kind": "name_sound"}}},
}}

func startAutomat(t *testing.T) *automat {
	t.Helper()
	w := start(t)
	a := &automat{world: w, admin: w.Token(auth.RoleAdmin, "pizza")}
	a.indexer = search.NewIndexer(w.DB, w.Database.DB(pg.Ops), slog.New(slog.DiscardHandler), matching.New(w.DB, time.Now).Follow)
	w.Want(http.StatusOK, http.MethodPut, "/v1/matching-rules", a.admin, automatic, nil, "If-Match", `"0"`)
	return a
}

// merges gives another process that merges.
func (a *automat) merges() *merge.Merges {
	erasures := erasure.New(a.DB, nil, nil, nil, "", nil, nil, time.Now)
	return merge.New(a.DB, outbox.New("accounts"), relationship.Tangled, erasure.Open, erasures.OnHold, time.Now)
}

// found brings the queue up to date.
func (a *automat) found() {
	a.t.Helper()
	a.Eventually("the queue is level", func() bool {
		require.NoError(a.t, a.indexer.Turn(a.t.Context()))
		return a.Count(`SELECT count(*) FROM customer_pending`) == 0
	})
}

// follow brings the queue up to date until nothing is merged any more.
func (a *automat) follow() {
	a.t.Helper()
	for merges := int64(-1); merges != a.Count(`SELECT count(*) FROM customer_merge`); {
		merges = a.Count(`SELECT count(*) FROM customer_merge`)
		a.found()
		require.NoError(a.t, a.merges().Sweep(a.t.Context()))
	}
}

// known registers a customer; identities are types and values in turns.
func (a *automat) known(name string, identities ...any) string {
	a.t.Helper()
	list := []body{}
	for i := 0; i < len(identities); i += 2 {
		list = append(list, body{"type": identities[i], "value": identities[i+1]})
	}
	var c customerView
	a.Want(http.StatusCreated, http.MethodPost, "/v1/customers", a.manager, body{"display_name": name, "identities": list, "allow_duplicate": true}, &c)
	return c.CustomerID
}

type waitingPair struct {
	DuplicateID string `json:"duplicate_id"`
	Result      string
	Rule        string
	LeftBecause string `json:"left_because"`
	DecidedBy   string `json:"decided_by"`
}

func (a *automat) queue(state string) []waitingPair {
	a.t.Helper()
	var page struct{ Items []waitingPair }
	a.Want(http.StatusOK, http.MethodGet, "/v1/duplicates?state="+state, a.manager, nil, &page)
	return page.Items
}

// between tells whether a pair is of the two.
func (a *automat) between(pair, one, other string) bool {
	a.t.Helper()
	var p struct {
		Customers []struct {
			CustomerID string `json:"customer_id"`
		}
	}
	a.Want(http.StatusOK, http.MethodGet, "/v1/duplicates/"+pair, a.manager, nil, &p)
	ids := []string{p.Customers[0].CustomerID, p.Customers[1].CustomerID}
	return slices.Contains(ids, one) && slices.Contains(ids, other)
}

// leaves holds the only open automatic pair to be left for the reason, and nobody to be merged.
func (a *automat) leaves(why string) waitingPair {
	a.t.Helper()
	a.follow()
	for _, p := range a.queue("open") {
		if p.Result == "automatic" {
			require.Equal(a.t, why, p.LeftBecause)
			require.Zero(a.t, a.Count(`SELECT count(*) FROM customer WHERE state = 'absorbed'`))
			return p
		}
	}
	a.t.Fatalf("there is no automatic pair, only %+v", a.queue("open"))
	return waitingPair{}
}

const number = "138 0013 8000"

func TestTwoWhomARuleSaysToBeOneAreMergedAndTakenApartForGood(t *testing.T) {
	t.Parallel()
	a := startAutomat(t)
	lei, li := a.known("李雷", "phone", number), a.known("Li Lei", "phone", number)
	before := a.read(lei)
	a.known("韩梅梅", "phone", number) // the same telephone alone is nothing
	a.follow()
	require.Equal(t, lei, a.read(li).CustomerID, "the one registered first stays")
	var page struct {
		Items []struct {
			mergeView
			Reason   string
			MergedBy string `json:"merged_by"`
		}
	}
	a.Want(http.StatusOK, http.MethodGet, "/v1/customers/"+lei+"/merges", a.manager, nil, &page)
	require.Len(t, page.Items, 1)
	m := page.Items[0]
	require.Equal(t, [4]string{lei, li, "phone_and_sound", "matching"}, [4]string{m.SurvivorID, m.AbsorbedID, m.Reason, m.MergedBy})
	require.Equal(t, "matching", a.queue("accepted")[0].DecidedBy)
	require.Equal(t, lei, a.EventsOf("CustomerMerged", 1)[0].AggregateID)
	require.Equal(t, li, a.EventsOf("CustomerAbsorbed", 1)[0].AggregateID)

	// Heard of again, and compared anew: there is one merge.
	a.Want(http.StatusAccepted, http.MethodPost, "/v1/duplicates/scan", a.manager, nil, nil)
	a.follow()
	require.EqualValues(t, 1, a.Count(`SELECT count(*) FROM customer_merge`))

	// Somebody who knows better takes them apart; whatever is changed of them, they stay so.
	a.undone(m.MergeID)
	require.Equal(t, before.Identities, a.read(lei).Identities)
	a.Want(http.StatusOK, http.MethodPatch, "/v1/customers/"+li, a.manager, body{"display_name": "LI LEI"}, nil, "If-Match", "*")
	a.Want(http.StatusAccepted, http.MethodPost, "/v1/duplicates/scan", a.manager, nil, nil)
	a.follow()
	require.Equal(t, li, a.read(li).CustomerID)
	require.EqualValues(t, 1, a.Count(`SELECT count(*) FROM customer_merge`))
	require.NotEqual(t, "matching", a.queue("dismissed")[0].DecidedBy)
}

func TestTwoWhoWereMergedByHandAndTakenApartAreLeftToPeople(t *testing.T) {
	t.Parallel()
	a := startAutomat(t)
	lei, li := a.known("李雷", "phone", number), a.known("Li Lei", "phone", number)
	a.undone(a.merged(lei, li).MergeID)
	a.leaves("undone_before")
}

func TestACustomerWhoChangesIsMerged(t *testing.T) {
	t.Parallel()
	a := startAutomat(t)
	lei, li := a.known("李雷", "phone", number), a.known("Li Lei", "phone", "139 1111 2222")
	a.follow()
	require.Equal(t, li, a.read(li).CustomerID, "a name alone, and yet they were merged")
	a.Want(http.StatusOK, http.MethodPost, "/v1/customers/"+li+"/identities", a.manager, body{"type": "phone", "value": number}, nil)
	a.follow()
	require.Equal(t, lei, a.read(li).CustomerID)
}

func TestWhoMatchesSeveralIsLeftToPeople(t *testing.T) {
	t.Parallel()
	a := startAutomat(t)
	// The one in the middle is the first by telephone, and the last by mail.
	first := a.known("李雷", "phone", number)
	middle := a.known("李雷", "phone", number, "email", "lei@example.com")
	last := a.known("李雷", "email", "lei@example.com")
	a.follow()
	pairs := a.queue("open")
	require.Len(t, pairs, 3, "first and last have their name in common")
	for _, p := range pairs {
		if p.Result == "automatic" {
			require.Equal(t, "several_match", p.LeftBecause)
		}
	}
	require.Zero(t, a.Count(`SELECT count(*) FROM customer_merge`))

	// Once somebody has said that the one is another, there is one left whom it can be.
	for _, p := range pairs {
		if p.Rule == "mail_and_name" {
			a.Want(http.StatusOK, http.MethodPost, "/v1/duplicates/"+p.DuplicateID+"/dismiss", a.manager, nil, nil)
		}
	}
	a.Want(http.StatusOK, http.MethodPatch, "/v1/customers/"+first, a.manager, body{"tags": []string{"vip"}}, nil, "If-Match", "*")
	a.follow()
	require.Equal(t, first, a.read(middle).CustomerID)
	// The last one is a match of the two who are one now, but was said to be another than one of them.
	a.Want(http.StatusOK, http.MethodPatch, "/v1/customers/"+last, a.manager, body{"tags": []string{"vip"}}, nil, "If-Match", "*")
	a.follow()
	require.Equal(t, last, a.read(last).CustomerID)
}

func TestWhatAnAutomaticMergeIsNotMadeOf(t *testing.T) {
	t.Parallel()
	verify := func(a *automat, id, typ, value string) {
		a.Want(http.StatusOK, http.MethodPost, "/v1/customers/"+id+"/identities/verify", a.manager, body{"type": typ, "value": value}, nil)
	}
	t.Run("a pair that was dismissed", func(t *testing.T) {
		t.Parallel()
		a := startAutomat(t)
		_, li := a.known("李雷", "phone", number), a.known("Li Lei", "phone", number)
		a.found()
		a.Want(http.StatusOK, http.MethodPost, "/v1/duplicates/"+a.queue("open")[0].DuplicateID+"/dismiss", a.manager, nil, nil)
		a.follow()
		require.Equal(t, li, a.read(li).CustomerID)
	})
	t.Run("one who was said to be another than somebody who was merged since", func(t *testing.T) {
		t.Parallel()
		a := startAutomat(t)
		lei, li := a.known("李雷", "phone", number), a.known("Li Lei", "phone", number)
		third := a.known("李雷", "phone", "139 1111 2222")
		a.found()
		for _, p := range a.queue("open") {
			if p.Result == "review" && a.between(p.DuplicateID, li, third) {
				a.Want(http.StatusOK, http.MethodPost, "/v1/duplicates/"+p.DuplicateID+"/dismiss", a.manager, nil, nil)
			}
		}
		a.merged(lei, third)
		require.NoError(t, a.merges().Sweep(t.Context())) // before the queue has followed
		require.Equal(t, li, a.read(li).CustomerID)
		require.EqualValues(t, 1, a.Count(`SELECT count(*) FROM duplicate_pair WHERE left_because = 'dismissed'`))
	})
	t.Run("two verified cards", func(t *testing.T) {
		t.Parallel()
		a := startAutomat(t)
		lei, li := a.known("李雷", "phone", number, "card", "VIP1"), a.known("Li Lei", "phone", number, "card", "VIP2")
		verify(a, lei, "card", "VIP1")
		a.found() // the pair is automatic yet
		verify(a, li, "card", "VIP2")
		require.NoError(t, a.merges().Sweep(t.Context()))
		require.Equal(t, "no_longer_automatic", a.queue("open")[0].LeftBecause)
		a.follow()
		require.Equal(t, li, a.read(li).CustomerID)
		require.Equal(t, "review", a.queue("open")[0].Result)
	})
	t.Run("somebody on hold", func(t *testing.T) {
		t.Parallel()
		a := startAutomat(t)
		lei, li := a.known("李雷", "phone", number), a.known("Li Lei", "phone", number)
		alias := a.registered("Lei", "Li", "VIP9")
		a.merged(li, alias)
		var hold struct {
			HoldID string `json:"hold_id"`
		}
		a.Want(http.StatusCreated, http.MethodPost, "/v1/customers/"+alias+"/legal-holds", a.admin, body{"code": "court_case"}, &hold)
		a.follow()
		require.Equal(t, "on_hold", a.queue("open")[0].LeftBecause, "by any of their ids")
		a.Want(http.StatusOK, http.MethodPost, "/v1/legal-holds/"+hold.HoldID+"/lift", a.admin, nil, nil)
		require.NoError(t, a.merges().Sweep(t.Context()))
		require.Equal(t, li, a.read(li).CustomerID, "what is left stays so until it is found again")
		a.Want(http.StatusAccepted, http.MethodPost, "/v1/duplicates/scan", a.manager, nil, nil)
		a.follow()
		require.Equal(t, lei, a.read(alias).CustomerID)
	})
	t.Run("somebody who is being erased", func(t *testing.T) {
		t.Parallel()
		a := startAutomat(t)
		a.known("李雷", "phone", number)
		li := a.known("Li Lei", "phone", number)
		a.Want(http.StatusAccepted, http.MethodPost, "/v1/customers/"+li+"/erasures", a.admin, body{}, nil)
		a.leaves("erasure_open")
	})
	t.Run("a rule that was changed since", func(t *testing.T) {
		t.Parallel()
		a := startAutomat(t)
		_, li := a.known("李雷", "phone", number), a.known("Li Lei", "phone", number)
		a.found()
		a.Want(http.StatusOK, http.MethodPut, "/v1/matching-rules", a.admin, body{"rules": []body{}}, nil, "If-Match", `"1"`)
		require.NoError(t, a.merges().Sweep(t.Context()))
		require.Equal(t, li, a.read(li).CustomerID)
	})
	t.Run("somebody in the archive", func(t *testing.T) {
		t.Parallel()
		a := startAutomat(t)
		_, li := a.known("李雷", "phone", number), a.known("Li Lei", "phone", number)
		a.found()
		a.Want(http.StatusOK, http.MethodPost, "/v1/customers/"+li+"/archive", a.manager, nil, nil)
		require.NoError(t, a.merges().Sweep(t.Context()))
		a.follow()
		require.Zero(t, a.Count(`SELECT count(*) FROM customer_merge`))
	})
	t.Run("two who would be related to themselves", func(t *testing.T) {
		t.Parallel()
		a := startAutomat(t)
		lei, li := a.known("李雷", "phone", number), a.known("Li Lei", "phone", number)
		a.Want(http.StatusCreated, http.MethodPost, "/v1/customers/"+lei+"/relationships", a.manager, body{"kind": "household", "related_id": li}, nil)
		a.leaves("merge_tangles")
	})
	t.Run("customers of a tenant that may not write", func(t *testing.T) {
		t.Parallel()
		a := startAutomat(t)
		_, li := a.known("李雷", "phone", number), a.known("Li Lei", "phone", number)
		a.found()
		a.Want(http.StatusOK, http.MethodPost, "/v1/tenants/pizza/suspend", a.Root, nil, nil)
		require.NoError(t, a.merges().Sweep(t.Context()))
		a.Want(http.StatusOK, http.MethodPost, "/v1/tenants/pizza/resume", a.Root, nil, nil)
		require.Equal(t, li, a.read(li).CustomerID)
		a.follow()
		require.NotEqual(t, li, a.read(li).CustomerID)
	})
}

func TestOtherTenantsCustomersAreNotMergedByThisOnesRules(t *testing.T) {
	t.Parallel()
	a := startAutomat(t)
	music := a.Token(auth.RoleManager, "music")
	for _, name := range []string{"李雷", "Li Lei"} {
		a.Want(http.StatusCreated, http.MethodPost, "/v1/customers", music, body{
			"display_name": name, "identities": []body{{"type": "phone", "value": "+8613800138000"}}, "allow_duplicate": true}, nil)
	}
	a.known("李雷", "phone", number)
	a.follow()
	require.Zero(t, a.Count(`SELECT count(*) FROM customer_merge`))
	var page struct{ Items []waitingPair }
	a.Want(http.StatusOK, http.MethodGet, "/v1/duplicates", music, nil, &page)
	require.Len(t, page.Items, 1, "they match, by music's rules, for people")
}

// TestAutomaticMergesSurviveWhateverHappensToTheProcess has several processes merge the same pairs side by side, each killed
// again and again.
func TestAutomaticMergesSurviveWhateverHappensToTheProcess(t *testing.T) {
	t.Parallel()
	a := startAutomat(t)
	const pairs = 12
	for n := range pairs {
		mail := "twin" + uuid.NewString() + "@example.com"
		name := string(rune('A'+n)) + "nna Wang"
		a.known(name, "email", mail)
		a.known(name, "email", mail)
	}
	a.found()
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			merges := a.merges()
			for range 20 {
				ctx, kill := context.WithTimeout(t.Context(), time.Duration(5+rand.IntN(40))*time.Millisecond)
				_ = merges.Sweep(ctx) // it is killed somewhere
				kill()
			}
		})
	}
	all.Wait()
	a.follow()
	require.EqualValues(t, pairs, a.Count(`SELECT count(*) FROM customer_merge`))
	require.EqualValues(t, pairs, a.Count(`SELECT count(*) FROM customer WHERE state = 'absorbed'`))
	require.Len(t, a.EventsOf("CustomerMerged", pairs), pairs)
	require.Empty(t, a.queue("open"))
}
