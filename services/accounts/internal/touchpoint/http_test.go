package touchpoint_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
)

type body = map[string]any

type view struct {
	Code, Title, Stage, Channel string
	Archived                    bool
	Version                     int64
}

func TestTheCatalogueIsKept(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	admin, agent, music := w.Token(auth.RoleAdmin, "pizza"), w.Token(auth.RoleAgent, "pizza"), w.Token(auth.RoleAdmin, "music")
	hotline := body{"code": "hotline", "title": "服务热线", "stage": "service", "channel": "phone"}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/touchpoints", admin, hotline, nil)
	taken := w.Want(http.StatusConflict, http.MethodPost, "/v1/touchpoints", admin, hotline, nil)
	if taken.Code() != "touchpoint_exists" {
		t.Errorf("%s", taken.Body)
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/touchpoints", music, hotline, nil) // another tenant's catalogue
	for _, code := range []string{"advert", "Brochure", "shop"} {
		status := http.StatusCreated
		if code == "Brochure" {
			status = http.StatusUnprocessableEntity
		}
		w.Want(status, http.MethodPost, "/v1/touchpoints", admin, body{"code": code, "title": code, "stage": "awareness"}, nil)
	}
	read := w.Want(http.StatusOK, http.MethodGet, "/v1/touchpoints/hotline", agent, nil, nil)
	golden.JSON(t, "testdata/touchpoint.json", read.Body)

	var v view
	w.Want(http.StatusOK, http.MethodPatch, "/v1/touchpoints/hotline", admin, body{"title": "Hotline", "channel": ""}, &v, "If-Match", read.Header.Get("ETag"))
	if v.Title != "Hotline" || v.Channel != "" || v.Stage != "service" || v.Version != 2 {
		t.Errorf("%+v", v)
	}
	w.Want(http.StatusPreconditionFailed, http.MethodPatch, "/v1/touchpoints/hotline", admin, body{"title": "x"}, nil, "If-Match", `"1"`)
	for range 2 {
		w.Want(http.StatusOK, http.MethodPost, "/v1/touchpoints/shop/archive", admin, nil, &v)
		if !v.Archived || v.Version != 2 {
			t.Errorf("%+v", v)
		}
	}
	list := func(query string) (codes []string) {
		for cursor := ""; ; {
			var page struct {
				Items      []view
				NextCursor string `json:"next_cursor"`
			}
			w.Want(http.StatusOK, http.MethodGet, "/v1/touchpoints?limit=1&cursor="+cursor+"&"+query, agent, nil, &page)
			for _, one := range page.Items {
				codes = append(codes, one.Code)
			}
			if cursor = page.NextCursor; cursor == "" {
				return codes
			}
		}
	}
	for query, want := range map[string][]string{
		"": {"advert", "hotline"}, "archived=true": {"advert", "hotline", "shop"}, "stage=awareness&archived=true": {"advert", "shop"}, "stage=loyalty": nil,
	} {
		if got := list(query); !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", query, got, want)
		}
	}
	w.Want(http.StatusOK, http.MethodPost, "/v1/touchpoints/shop/restore", admin, nil, &v)
	if v.Archived {
		t.Errorf("%+v", v)
	}
}

func TestOnlyWhoConfiguresChangesTheCatalogue(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	admin, agent := w.Token(auth.RoleAdmin, "pizza"), w.Token(auth.RoleAgent, "pizza")
	made := body{"code": "shop", "title": "x", "stage": "purchase"}
	w.Want(http.StatusForbidden, http.MethodPost, "/v1/touchpoints", agent, made, nil)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/touchpoints", admin, made, nil)
	w.Want(http.StatusForbidden, http.MethodPatch, "/v1/touchpoints/shop", agent, body{"title": "y"}, nil, "If-Match", `"1"`)
	w.Want(http.StatusForbidden, http.MethodPost, "/v1/touchpoints/shop/archive", agent, nil, nil)
	w.Want(http.StatusOK, http.MethodPost, "/v1/tenants/pizza/suspend", w.Root, nil, nil)
	for _, path := range []string{"/v1/touchpoints/shop/archive", "/v1/touchpoints/shop/restore"} {
		w.Want(http.StatusForbidden, http.MethodPost, path, admin, nil, nil)
	}
	w.Want(http.StatusForbidden, http.MethodPost, "/v1/touchpoints", admin, body{"code": "web", "title": "x", "stage": "purchase"}, nil)
	w.Want(http.StatusOK, http.MethodGet, "/v1/touchpoints/shop", agent, nil, nil)
}

func TestTouchpointsRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	admin := w.Token(auth.RoleAdmin, "pizza")
	var made atomic.Int64
	fresh := func() string {
		return fmt.Sprintf(`{"code":"t%d","title":"x","stage":"service","channel":"web"}`, made.Add(1))
	}
	for _, code := range []string{"shop", "web"} { // to be changed, and to go into the archive and out of it
		w.Want(http.StatusCreated, http.MethodPost, "/v1/touchpoints", admin, body{"code": code, "title": "x", "stage": "purchase"}, nil)
	}
	for name, target := range map[string]badinput.Target{
		"create": {Method: http.MethodPost, Path: "/v1/touchpoints", Body: fresh(), Fresh: fresh, OtherBody: fresh(), Replay: true},
		"list":   {Method: http.MethodGet, Path: "/v1/touchpoints", List: true},
		"get":    {Method: http.MethodGet, Path: "/v1/touchpoints/shop", Owned: true},
		"change": {Method: http.MethodPatch, Path: "/v1/touchpoints/shop", Body: `{"title":"x","stage":"purchase","channel":""}`, Version: true, Owned: true,
			Header: http.Header{"If-Match": {`"1"`}}},
		"archive": {Method: http.MethodPost, Path: "/v1/touchpoints/web/archive", Owned: true, Replay: true},
		"restore": {Method: http.MethodPost, Path: "/v1/touchpoints/web/restore", Owned: true, Replay: true},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, admin
			badinput.Check(t, target)
		})
	}
	for _, b := range []body{
		{"code": "x", "title": "x", "stage": "divorce"}, {"code": "x", "title": "x", "stage": "service", "channel": "fax"},
		{"code": "X", "title": "x", "stage": "service"}, {"code": "x", "title": " ", "stage": "service"}, {"code": "x", "title": "x"},
	} {
		w.Want(http.StatusUnprocessableEntity, http.MethodPost, "/v1/touchpoints", admin, b, nil)
	}
	missing := w.Want(http.StatusNotFound, http.MethodGet, "/v1/touchpoints/none", admin, nil, nil)
	if missing.Code() != "touchpoint_not_found" {
		t.Errorf("%s", missing.Body)
	}
}
