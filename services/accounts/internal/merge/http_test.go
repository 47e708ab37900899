package merge_test

import (
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/matching"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/search"
)

type body = map[string]any

type customerView struct {
	CustomerID string `json:"customer_id"`
	GivenName  string `json:"given_name"`
	FamilyName string `json:"family_name"`
	Version    int64  `json:"version"`
	Identities []struct{ Type, Value string }
}

type mergeView struct {
	MergeID    string `json:"merge_id"`
	SurvivorID string `json:"survivor_id"`
	AbsorbedID string `json:"absorbed_id"`
	UndoneAt   string `json:"undone_at"`
	Fields     []struct{ Field, Value, From, Rule string }
}

type world struct {
	*accountstest.World
	t       *testing.T
	manager string
}

func start(t *testing.T) *world {
	t.Helper()
	w := accountstest.Start(t)
	return &world{World: w, t: t, manager: w.Token(auth.RoleManager, "pizza")}
}

// registered gives the id of a new customer of pizza who has a card.
func (w *world) registered(given, family, card string) string {
	w.t.Helper()
	var c customerView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", w.manager, body{
		"given_name": given, "family_name": family, "identities": []body{{"type": "card", "value": card}},
	}, &c)
	return c.CustomerID
}

func (w *world) read(id string) customerView {
	w.t.Helper()
	var c customerView
	w.Want(http.StatusOK, http.MethodGet, "/v1/customers/"+id, w.manager, nil, &c)
	return c
}

func (w *world) merged(survivor, absorbed string) mergeView {
	w.t.Helper()
	var m mergeView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers/"+survivor+"/merges", w.manager, body{"absorbed_id": absorbed}, &m)
	return m
}

func (w *world) undone(id string) mergeView {
	w.t.Helper()
	var m mergeView
	w.Want(http.StatusOK, http.MethodPost, "/v1/merges/"+id+"/undo", w.manager, nil, &m)
	return m
}

// cards gives the values of a customer's cards.
func (c customerView) cards() (values []string) {
	for _, i := range c.Identities {
		if i.Type == "card" {
			values = append(values, i.Value)
		}
	}
	return values
}

func TestAMergeMakesOneOfTwoAndAnUndoTwoOfOne(t *testing.T) {
	t.Parallel()
	w := start(t)
	lily, lilly := w.registered("Lily", "Chen", "VIP1"), w.registered("Lilly", "Chen", "VIP2")
	was, wasAbsorbed := w.read(lily), w.read(lilly)

	var dry mergeView
	w.Want(http.StatusOK, http.MethodPost, "/v1/customers/"+lily+"/merges", w.manager, body{"absorbed_id": lilly, "dry_run": true}, &dry)
	require.Empty(t, dry.MergeID)
	require.Contains(t, dry.Fields, struct{ Field, Value, From, Rule string }{"given_name", "Lilly", lilly, "most_recent"})
	require.Equal(t, was, w.read(lily), "a dry run changes nothing")
	w.Want(http.StatusOK, http.MethodPost, "/v1/customers/"+lily+"/merges", w.manager, body{
		"absorbed_id": lilly, "dry_run": true, "rule": "oldest", "rules": body{"family_name": "most_recent"}, "choose": body{"given_name": lily},
	}, &dry)
	require.Contains(t, dry.Fields, struct{ Field, Value, From, Rule string }{"given_name", "Lily", lily, "by_hand"})
	require.Contains(t, dry.Fields, struct{ Field, Value, From, Rule string }{"family_name", "Chen", lilly, "most_recent"})
	require.Contains(t, dry.Fields, struct{ Field, Value, From, Rule string }{"display_name", "Lily Chen", lily, "oldest"})

	m := w.merged(lily, lilly)
	for _, id := range []string{lily, lilly} {
		c := w.read(id)
		require.Equal(t, lily, c.CustomerID, "the absorbed id means the survivor")
		require.Equal(t, "Lilly", c.GivenName)
		require.ElementsMatch(t, []string{"VIP1", "VIP2"}, c.cards())
	}
	var found struct{ Items []customerView }
	w.Want(http.StatusOK, http.MethodGet, "/v1/customers/lookup?type=card&value=VIP2", w.manager, nil, &found)
	require.Len(t, found.Items, 1)
	require.Equal(t, lily, found.Items[0].CustomerID)

	// Each gets something: what is addressed to an id is that id's.
	w.Want(http.StatusOK, http.MethodPost, "/v1/customers/"+lily+"/identities", w.manager, body{"type": "card", "value": "VIP3"}, nil)
	w.Want(http.StatusOK, http.MethodPost, "/v1/customers/"+lilly+"/identities", w.manager, body{"type": "card", "value": "VIP4"}, nil)
	tag := w.Do(http.MethodGet, "/v1/customers/"+lily, w.manager, nil).Header.Get("ETag")
	w.Want(http.StatusOK, http.MethodPatch, "/v1/customers/"+lilly, w.manager, body{"family_name": "Chan"}, nil, "If-Match", tag)

	require.NotEmpty(t, w.undone(m.MergeID).UndoneAt)
	now, nowAbsorbed := w.read(lily), w.read(lilly)
	require.Equal(t, lily, now.CustomerID)
	require.Equal(t, was.GivenName, now.GivenName, "restored")
	require.Equal(t, "Chan", now.FamilyName, "changed since")
	require.ElementsMatch(t, []string{"VIP1", "VIP3"}, now.cards())
	require.Equal(t, lilly, nowAbsorbed.CustomerID)
	require.Equal(t, wasAbsorbed.GivenName, nowAbsorbed.GivenName)
	require.Equal(t, "Chen", nowAbsorbed.FamilyName)
	require.ElementsMatch(t, []string{"VIP2", "VIP4"}, nowAbsorbed.cards())
	require.Equal(t, "merge_undone", w.Want(http.StatusConflict, http.MethodPost, "/v1/merges/"+m.MergeID+"/undo", w.manager, nil, nil).Code())

	for event, id := range map[string]string{
		"CustomerMerged": lily, "CustomerAbsorbed": lilly, "CustomerMergeUndone": lily, "CustomerRestored": lilly,
	} {
		require.Equal(t, id, w.EventsOf(event, 1)[0].AggregateID, event)
	}
}

func TestAliasesFormATree(t *testing.T) {
	t.Parallel()
	w := start(t)
	a, b, c := w.registered("A", "Wang", "AAAA1"), w.registered("B", "Wang", "BBBB1"), w.registered("C", "Wang", "CCCC1")
	inner, outer := w.merged(b, a), w.merged(c, b)
	for _, id := range []string{a, b, c} {
		require.Equal(t, c, w.read(id).CustomerID)
		require.Len(t, w.read(id).Identities, 3)
	}
	require.Equal(t, "survivor_absorbed", w.Want(http.StatusConflict, http.MethodPost, "/v1/merges/"+inner.MergeID+"/undo", w.manager, nil, nil).Code())
	w.undone(outer.MergeID)
	require.Equal(t, b, w.read(a).CustomerID)
	require.Equal(t, c, w.read(c).CustomerID)
	w.undone(inner.MergeID)
	for _, id := range []string{a, b, c} {
		require.Equal(t, id, w.read(id).CustomerID)
		require.Len(t, w.read(id).Identities, 1)
	}
	var listed struct{ Items []mergeView }
	w.Want(http.StatusOK, http.MethodGet, "/v1/customers/"+b+"/merges?limit=1", w.manager, nil, &listed)
	require.Equal(t, outer.MergeID, listed.Items[0].MergeID, "undone ones are history, the latest first")
}

func TestWhatCannotBeMerged(t *testing.T) {
	t.Parallel()
	w := start(t)
	lily, lilly, last := w.registered("Lily", "Chen", "VIP1"), w.registered("Lilly", "Chen", "VIP2"), w.registered("Li", "Chen", "VIP3")
	var firm, theirs customerView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", w.manager, body{"kind": "organisation", "legal_name": "老王比萨店"}, &firm)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", w.Token(auth.RoleManager, "music"), body{"display_name": "Lily"}, &theirs)
	w.merged(lily, lilly)
	for name, c := range map[string]struct {
		survivor, absorbed string
		status             int
		code               string
	}{
		"oneself":                     {lily, lily, 422, "merge_invalid"},
		"an alias of oneself":         {lily, lilly, 422, "merge_invalid"},
		"into an alias of itself":     {lilly, lily, 422, "merge_invalid"},
		"one who is absorbed already": {last, lilly, 409, "customer_absorbed"},
		"a firm":                      {lily, firm.CustomerID, 422, "merge_invalid"},
		"another tenant's":            {lily, theirs.CustomerID, 404, "customer_not_found"},
		"into another tenant's":       {theirs.CustomerID, lily, 404, "customer_not_found"},
		"nobody":                      {lily, uuid.NewString(), 404, "customer_not_found"},
	} {
		got := w.Want(c.status, http.MethodPost, "/v1/customers/"+c.survivor+"/merges", w.manager, body{"absorbed_id": c.absorbed}, nil)
		require.Equal(t, c.code, got.Code(), name)
		got = w.Want(c.status, http.MethodPost, "/v1/customers/"+c.survivor+"/merges", w.manager, body{"absorbed_id": c.absorbed, "dry_run": true}, nil)
		require.Equal(t, c.code, got.Code(), "a dry run of "+name)
	}
	for name, in := range map[string]body{
		"no id":             {},
		"no such rule":      {"absorbed_id": last, "rule": "newest"},
		"a field of no one": {"absorbed_id": last, "rules": body{"legal_name": "oldest"}},
		"chosen of another": {"absorbed_id": last, "choose": body{"given_name": firm.CustomerID}},
		"a reason in prose": {"absorbed_id": last, "reason": "Lily said so"},
	} {
		require.Equal(t, 422, w.Do(http.MethodPost, "/v1/customers/"+lily+"/merges", w.manager, in).Status, name)
	}
	agent := w.Token(auth.RoleAgent, "pizza")
	w.Want(http.StatusForbidden, http.MethodPost, "/v1/customers/"+lily+"/merges", agent, body{"absorbed_id": last}, nil)
	w.Want(http.StatusNotFound, http.MethodPost, "/v1/merges/"+uuid.NewString()+"/undo", w.manager, nil, nil)
}

func TestAMergeOfAnotherTenantIsNotThere(t *testing.T) {
	t.Parallel()
	w := start(t)
	m := w.merged(w.registered("Lily", "Chen", "VIP1"), w.registered("Lilly", "Chen", "VIP2"))
	other := w.Token(auth.RoleManager, "music")
	w.Want(http.StatusNotFound, http.MethodGet, "/v1/merges/"+m.MergeID, other, nil, nil)
	w.Want(http.StatusNotFound, http.MethodPost, "/v1/merges/"+m.MergeID+"/undo", other, nil, nil)
	w.Want(http.StatusOK, http.MethodGet, "/v1/merges/"+m.MergeID, w.manager, nil, nil)
}

func TestARepeatedMergeGivesTheFirstAnswer(t *testing.T) {
	t.Parallel()
	w := start(t)
	lily, lilly := w.registered("Lily", "Chen", "VIP1"), w.registered("Lilly", "Chen", "VIP2")
	var first, second mergeView
	for _, m := range []*mergeView{&first, &second} {
		w.Want(http.StatusCreated, http.MethodPost, "/v1/customers/"+lily+"/merges", w.manager, body{"absorbed_id": lilly}, m, "Idempotency-Key", "one")
	}
	require.Equal(t, first, second)
	require.EqualValues(t, 1, w.Count(`SELECT count(*) FROM customer_merge`))
}

// TestMergesInACircleAtOnceEndWithOneTree merges three customers into each other at the same time, again and again.
func TestMergesInACircleAtOnceEndWithOneTree(t *testing.T) {
	t.Parallel()
	w := start(t)
	for range 5 {
		ids := []string{w.registered("A", "Wu", card()), w.registered("B", "Wu", card()), w.registered("C", "Wu", card())}
		var all sync.WaitGroup
		for n := range ids {
			for _, k := range []int{1, 2} {
				all.Go(func() {
					answer := w.Do(http.MethodPost, "/v1/customers/"+ids[n]+"/merges", w.manager, body{"absorbed_id": ids[(n+k)%3]})
					require.Contains(w.t, []int{201, 409, 422}, answer.Status, "%s", answer.Body)
				})
			}
		}
		all.Wait()
		root := w.read(ids[0])
		for _, id := range ids {
			require.Equal(t, root, w.read(id))
		}
		require.Len(t, root.Identities, 3)
	}
}

func card() string { return "C" + strings.ToUpper(strings.ReplaceAll(uuid.NewString(), "-", ""))[:20] }

type duplicateView struct {
	DuplicateID string `json:"duplicate_id"`
	State       string `json:"state"`
}

// found waits until a pair is in the queue.
func (w *world) found() duplicateView {
	w.t.Helper()
	var queue struct{ Items []duplicateView }
	matches := matching.New(w.DB, time.Now)
	indexer := search.NewIndexer(w.DB, w.Database.DB(pg.Ops), slog.New(slog.DiscardHandler), matches.Follow)
	w.Eventually("a pair is found", func() bool {
		require.NoError(w.t, indexer.Turn(w.t.Context()))
		w.Want(http.StatusOK, http.MethodGet, "/v1/duplicates", w.manager, nil, &queue)
		return len(queue.Items) > 0
	})
	require.Len(w.t, queue.Items, 1)
	return queue.Items[0]
}

func TestAPairOfTheQueueIsAccepted(t *testing.T) {
	t.Parallel()
	w := start(t)
	twin := func() string {
		var c customerView
		w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", w.manager, body{
			"given_name": "Lily", "family_name": "Chen", "allow_duplicate": true, "identities": []body{{"type": "email", "value": "lily@example.com"}},
		}, &c)
		return c.CustomerID
	}
	first, second := twin(), twin()
	pair := w.found()
	accept := "/v1/duplicates/" + pair.DuplicateID + "/accept"
	w.Want(http.StatusUnprocessableEntity, http.MethodPost, accept, w.manager, body{"survivor_id": uuid.NewString()}, nil)
	w.Want(http.StatusNotFound, http.MethodPost, accept, w.Token(auth.RoleManager, "music"), body{}, nil)
	var m mergeView
	w.Want(http.StatusCreated, http.MethodPost, accept, w.manager, body{}, &m)
	require.Equal(t, [2]string{first, second}, [2]string{m.SurvivorID, m.AbsorbedID}, "the first one stays")
	require.Equal(t, first, w.read(second).CustomerID)
	require.Equal(t, "duplicate_decided", w.Want(http.StatusConflict, http.MethodPost, accept, w.manager, body{}, nil).Code())
}

func TestADryRunShowsNothingSensitive(t *testing.T) {
	t.Parallel()
	w := start(t)
	admin := w.Token(auth.RoleAdmin, "pizza")
	for name, class := range map[string]string{"allergy": "health", "shoe": "behaviour"} {
		w.Want(http.StatusCreated, http.MethodPost, "/v1/custom-fields", admin, body{"name": name, "title": name, "type": "text", "class": class}, nil)
	}
	register := func(name string) string {
		var c customerView
		w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", admin, body{
			"given_name": name, "custom_fields": body{"allergy": "penicillin of " + name, "shoe": "size of " + name}}, &c)
		return c.CustomerID
	}
	survivor, absorbed := register("Lily"), register("Lilly")
	answer := w.Want(http.StatusOK, http.MethodPost, "/v1/customers/"+survivor+"/merges", w.manager, body{"absorbed_id": absorbed, "dry_run": true}, nil)
	require.NotContains(t, string(answer.Body), "penicillin")
	require.Contains(t, string(answer.Body), "size of Lilly")
	require.Contains(t, string(answer.Body), `"custom.allergy"`)
}
