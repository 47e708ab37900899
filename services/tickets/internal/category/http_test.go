package category_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

type body = ticketstest.Body

const root = "/v1/ticket-categories"

type view struct {
	Code, Parent, Title string
	Path                []string
	Archived, Used      bool
	Version             int64
}

// add adds a category below another of the tenant pizza.
func add(w *ticketstest.World, parent, code string) {
	w.Want(http.StatusCreated, http.MethodPost, root, w.Manager, body{"code": code, "parent": parent, "title": code}, nil)
}

// tree gives the paths of all categories, in pages of two.
func tree(w *ticketstest.World, token string) (paths []string) {
	for cursor := ""; ; {
		var page struct {
			Items      []view
			NextCursor string `json:"next_cursor"`
		}
		w.Want(http.StatusOK, http.MethodGet, root+"?limit=2&cursor="+cursor, token, nil, &page)
		for _, c := range page.Items {
			paths = append(paths, strings.Join(c.Path, "/"))
		}
		if cursor = page.NextCursor; cursor == "" {
			return paths
		}
	}
}

func grow(t *testing.T) *ticketstest.World {
	t.Helper()
	w := ticketstest.Start(t)
	for _, c := range [][2]string{{"", "kitchen"}, {"", "delivery"}, {"delivery", "late"}, {"delivery", "cold"}, {"cold", "cold-pizza"}, {"", "deli"}} {
		add(w, c[0], c[1])
	}
	return w
}

func TestTheTreeIsReadFromTheRoots(t *testing.T) {
	t.Parallel()
	w := grow(t)
	if got := tree(w, w.Agent); !slices.Equal(got, []string{"deli", "delivery", "delivery/cold", "delivery/cold/cold-pizza", "delivery/late", "kitchen"}) {
		t.Errorf("%q", got)
	}
	music := w.Token(auth.RoleAgent, "music")
	if got := tree(w, music); len(got) != 0 {
		t.Errorf("another tenant sees %q", got)
	}
	w.Want(http.StatusNotFound, http.MethodGet, root+"/late", music, nil, nil)
	w.Want(http.StatusCreated, http.MethodPost, root, w.Token(auth.RoleManager, "music"), body{"code": "late", "title": "Late"}, nil)
}

func TestACategoryMovesWithWhatIsBelowIt(t *testing.T) {
	t.Parallel()
	w := grow(t)
	var v view
	w.Want(http.StatusOK, http.MethodPatch, root+"/cold", w.Manager, body{"parent": "kitchen", "title": "冷"}, &v, "If-Match", `"1"`)
	if v.Version != 2 || v.Title != "冷" || !slices.Equal(v.Path, []string{"kitchen", "cold"}) {
		t.Errorf("%+v", v)
	}
	w.Want(http.StatusOK, http.MethodPatch, root+"/late", w.Manager, body{"parent": ""}, nil, "If-Match", `"1"`)
	if got := tree(w, w.Agent); !slices.Equal(got, []string{"deli", "delivery", "kitchen", "kitchen/cold", "kitchen/cold/cold-pizza", "late"}) {
		t.Errorf("%q", got)
	}
	for n := range 4 { // cold-pizza is on the third level; the sixth is the last
		add(w, fmt.Sprint("a", n-1)[:2*min(n, 1)], fmt.Sprint("a", n))
	}
	for name, c := range map[string]struct {
		path string
		body body
		code string
	}{
		"below itself": {"kitchen", body{"parent": "kitchen"}, "category_below_itself"}, "below its child": {"kitchen", body{"parent": "cold-pizza"}, "category_below_itself"},
		"below nothing": {"late", body{"parent": "x"}, "category_unknown"}, "too deep": {"kitchen", body{"parent": "a3"}, "tree_too_deep"},
		"without a title": {"late", body{"title": " "}, "title_malformed"},
	} {
		answer := w.Do(http.MethodPatch, root+"/"+c.path, w.Manager, c.body, "If-Match", "*")
		if answer.Status != http.StatusUnprocessableEntity || !strings.Contains(string(answer.Body), c.code) {
			t.Errorf("%s: got %d %s", name, answer.Status, answer.Body)
		}
	}
	w.Want(http.StatusForbidden, http.MethodPatch, root+"/late", w.Agent, body{"title": "x"}, nil, "If-Match", "*")
}

func TestACategoryInUseIsArchivedNotDeleted(t *testing.T) {
	t.Parallel()
	w := grow(t)
	enquiry := body{"kind": "enquiry", "channel": "web", "subject": "x", "impact": 3, "urgency": 3, "category": "late"}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/tickets", w.Agent, enquiry, nil)
	for code, want := range map[string]string{"late": "category_in_use", "cold": "category_not_empty"} {
		if answer := w.Do(http.MethodDelete, root+"/"+code, w.Manager, nil, "If-Match", "*"); answer.Status != http.StatusConflict || answer.Code() != want {
			t.Errorf("%s: %d %s", code, answer.Status, answer.Body)
		}
	}
	w.Want(http.StatusPreconditionFailed, http.MethodDelete, root+"/deli", w.Manager, nil, nil, "If-Match", `"2"`)
	w.Want(http.StatusNoContent, http.MethodDelete, root+"/deli", w.Manager, nil, nil, "If-Match", `"1"`)
	w.Want(http.StatusNotFound, http.MethodGet, root+"/deli", w.Agent, nil, nil)
	w.Want(http.StatusOK, http.MethodPatch, root+"/late", w.Manager, body{"archived": true}, nil, "If-Match", "*")
	if answer := w.Do(http.MethodPost, "/v1/tickets", w.Agent, enquiry); !strings.Contains(string(answer.Body), "category_archived") {
		t.Errorf("an archived category takes a ticket: %d %s", answer.Status, answer.Body)
	}
	if answer := w.Do(http.MethodPost, root, w.Manager, body{"code": "late", "title": "x"}); answer.Code() != "category_exists" {
		t.Errorf("%s", answer.Body)
	}
	if answer := w.Do(http.MethodPost, root, w.Manager, body{"code": "very-late", "parent": "late", "title": "x"}); answer.Status != http.StatusUnprocessableEntity {
		t.Errorf("below an archived one: %d %s", answer.Status, answer.Body)
	}
}

func TestATreeStaysOneWhenManyMoveIt(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	add(w, "", "a")
	add(w, "", "b")
	var moved atomic.Int64
	var wait sync.WaitGroup
	for n := range 8 { // a below b and b below a, at once
		wait.Go(func() {
			pair := [2]string{"a", "b"}
			if w.Do(http.MethodPatch, root+"/"+pair[n%2], w.Manager, body{"parent": pair[1-n%2]}, "If-Match", `"1"`).Status == http.StatusOK {
				moved.Add(1)
			}
		})
	}
	if wait.Wait(); moved.Load() != 1 || len(tree(w, w.Agent)) != 2 {
		t.Errorf("%d moved, %q", moved.Load(), tree(w, w.Agent))
	}
}

func TestCategoriesRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := grow(t)
	var made atomic.Int64
	create := func() string { return fmt.Sprintf(`{"code":"c%d","title":"A category"}`, made.Add(1)) }
	for name, target := range map[string]badinput.Target{
		"create": {Method: http.MethodPost, Path: root, Body: create(), Replay: true, Fresh: create, OtherBody: create()},
		"list":   {Method: http.MethodGet, Path: root, List: true},
		"get":    {Method: http.MethodGet, Path: root + "/late", Owned: true},
		"change": {Method: http.MethodPatch, Path: root + "/late", Body: `{"title":"late"}`, Version: true, Owned: true, Header: http.Header{"If-Match": {`"1"`}}},
		"delete": {Method: http.MethodDelete, Path: root + "/kitchen", Version: true, Owned: true, Header: http.Header{"If-Match": {`"1"`}}},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.Manager
			badinput.Check(t, target)
		})
	}
	for _, code := range []string{"", "Late", "-x", "a b", "迟", strings.Repeat("a", 65)} {
		if answer := w.Do(http.MethodPost, root, w.Manager, body{"code": code, "title": "x"}); answer.Status != http.StatusUnprocessableEntity {
			t.Errorf("code %q: got %d %s", code, answer.Status, answer.Body)
		}
	}
}
