package forecast_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
)

// page is any list.
type page struct {
	Items []struct {
		OpportunityID uuid.UUID `json:"opportunity_id"`
		TargetID      string    `json:"target_id"`
		Owner         string
		Month         string
		Category      string
		Change        string
		AmountMinor   int64   `json:"amount_minor"`
		WeightedMinor int64   `json:"weighted_minor"`
		ClosedMinor   int64   `json:"closed_minor"`
		Attained      float64 `json:"attained_percent"`
		Missing       int64   `json:"missing_minor"`
	}
	NextCursor string `json:"next_cursor"`
	Reason     string `json:"nothing_to_compare"`
}

func TestWhoSellsSeesTheirOwnForecastAndManagersAll(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	o := officeOf(t, w, "pizza", "2026-11-26")
	o.now = time.Now().UTC()
	manager, ann := w.Token(auth.RoleManager, "pizza"), w.TokenFor(map[string]any{"subject": "ann", "tenant": "pizza", "roles": []string{auth.RoleSales}})
	o.opens(deal{stage: "proposal", amount: 100, owner: "ann", close: "2026-12-30"})
	o.opens(deal{stage: "proposal", amount: 1000, owner: "bob", close: "2026-12-30"})
	var all, own page
	w.Want(http.StatusOK, http.MethodGet, "/v1/forecast?by=owner,month", manager, nil, &all)
	w.Want(http.StatusOK, http.MethodGet, "/v1/forecast?by=owner", ann, nil, &own)
	if len(all.Items) != 2 || all.Items[0].Month != "2026-12" || len(own.Items) != 1 || own.Items[0].Owner != "ann" || own.Items[0].WeightedMinor != 50 {
		t.Fatalf("%+v %+v", all, own)
	}
	if code := w.Want(http.StatusForbidden, http.MethodGet, "/v1/forecast?owner=bob", ann, nil, nil).Code(); code != "forecast_of_others" {
		t.Error(code)
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/forecast?owner=ann", ann, nil, &own)
	w.Want(http.StatusForbidden, http.MethodPost, "/v1/forecast/snapshots", ann, nil, nil)
	var snapshot, again struct {
		SnapshotID    string `json:"snapshot_id"`
		Opportunities int64
		Week          string
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/forecast/snapshots", manager, nil, &snapshot, "Idempotency-Key", "monday")
	w.Want(http.StatusCreated, http.MethodPost, "/v1/forecast/snapshots", manager, nil, &again, "Idempotency-Key", "monday")
	if snapshot != again || snapshot.Opportunities != 2 || snapshot.Week != "" {
		t.Fatalf("%+v %+v", snapshot, again)
	}
	path := "/v1/forecast/snapshots/" + snapshot.SnapshotID
	w.Want(http.StatusOK, http.MethodGet, path+"/lines", ann, nil, &own)
	w.Want(http.StatusOK, http.MethodGet, path+"?by=owner", ann, nil, &all)
	if len(own.Items) != 1 || len(all.Items) != 1 {
		t.Fatalf("%+v %+v", own, all)
	}
	w.Want(http.StatusNotFound, http.MethodGet, path, w.Token(auth.RoleManager, "music"), nil, nil)
	w.Want(http.StatusNotFound, http.MethodGet, path+"/lines", w.Token(auth.RoleManager, "music"), nil, nil)
}

func TestTargetsAreSetChangedAndTakenAway(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	manager, ann := w.Token(auth.RoleManager, "pizza"), w.TokenFor(map[string]any{"subject": "ann", "tenant": "pizza", "roles": []string{auth.RoleSales}})
	o := officeOf(t, w, "pizza", "2026-11-26")
	o.now = time.Now().UTC()
	o.becomes(o.opens(deal{stage: "new", amount: 30, owner: "ann"}), "won")
	const path = "/v1/forecast/targets"
	month := o.now.Format("2006-01")
	target := func(change func(b body)) body {
		b := body{"owner": "ann", "period": month, "currency": "CNY", "amount_minor": 120}
		change(b)
		return b
	}
	same := func(body) {}
	var made struct {
		TargetID string `json:"target_id"`
	}
	w.Want(http.StatusForbidden, http.MethodPost, path, ann, target(same), nil)
	w.Want(http.StatusCreated, http.MethodPost, path, manager, target(same), &made)
	if code := w.Want(http.StatusConflict, http.MethodPost, path, manager, target(same), nil).Code(); code != "target_exists" {
		t.Error(code)
	}
	w.Want(http.StatusCreated, http.MethodPost, path, manager, target(func(b body) { b["owner"] = "bob" }), nil)
	for name, change := range map[string]func(b body){
		"neither a team nor an owner": func(b body) { delete(b, "owner") },
		"both":                        func(b body) { b["team"] = "north" },
		"a team that is none":         func(b body) { delete(b, "owner"); b["team"] = "nowhere" },
		"no period":                   func(b body) { b["period"] = "soon" },
		"a thirteenth month":          func(b body) { b["period"] = "2026-13" },
		"no currency":                 func(b body) { b["currency"] = "XYZ" },
		"nothing to reach":            func(b body) { b["amount_minor"] = 0 },
		"too much":                    func(b body) { b["amount_minor"] = int64(1) << 53 },
	} {
		if code := w.Want(http.StatusUnprocessableEntity, http.MethodPost, path, manager, target(change), nil).Code(); code != "forecast_target_invalid" {
			t.Errorf("%s: %s", name, code)
		}
	}
	var own, all page
	w.Want(http.StatusOK, http.MethodGet, path+"?period="+month, ann, nil, &own)
	w.Want(http.StatusOK, http.MethodGet, path, manager, nil, &all)
	if len(own.Items) != 1 || own.Items[0].ClosedMinor != 30 || own.Items[0].Attained != 25 || own.Items[0].Missing != 90 || own.Items[0].TargetID != made.TargetID || len(all.Items) != 2 {
		t.Fatalf("%+v %+v", own, all)
	}
	w.Want(http.StatusForbidden, http.MethodGet, path+"?owner=bob", ann, nil, nil)
	w.Want(http.StatusForbidden, http.MethodGet, path+"?team=north", ann, nil, nil)
	one := path + "/" + made.TargetID
	w.Want(http.StatusPreconditionFailed, http.MethodPut, one, manager, body{"amount_minor": 60}, nil, "If-Match", `"7"`)
	w.Want(http.StatusOK, http.MethodPut, one, manager, body{"amount_minor": 60}, nil, "If-Match", `"1"`)
	w.Want(http.StatusOK, http.MethodGet, path, ann, nil, &own)
	if own.Items[0].Attained != 50 {
		t.Fatalf("%+v", own)
	}
	w.Want(http.StatusNotFound, http.MethodDelete, one, w.Token(auth.RoleManager, "music"), nil, nil, "If-Match", "*")
	w.Want(http.StatusNoContent, http.MethodDelete, one, manager, nil, nil, "If-Match", `"2"`)
	w.Want(http.StatusNotFound, http.MethodDelete, one, manager, nil, nil, "If-Match", `"2"`)
}

func TestWhatIsNoForecastIsRefused(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	o := officeOf(t, w, "pizza", "2026-11-26")
	o.opens(deal{stage: "new", amount: 1, close: "2026-11-30"})
	early := o.take()
	o.is("2026-11-27")
	late := o.take()
	manager := w.Token(auth.RoleManager, "pizza")
	changes := func(was, is any) string {
		return fmt.Sprintf("/v1/forecast/changes?from_snapshot=%v&to_snapshot=%v", was, is)
	}
	for path, want := range map[string]int{
		"/v1/forecast?from=2026-13":                              http.StatusUnprocessableEntity,
		"/v1/forecast?to=november":                               http.StatusUnprocessableEntity,
		"/v1/forecast?from=2026-11&to=2026-10":                   http.StatusUnprocessableEntity,
		"/v1/forecast?by=mood":                                   http.StatusUnprocessableEntity,
		"/v1/forecast/accuracy?from=2010-01":                     http.StatusUnprocessableEntity,
		"/v1/forecast/targets?period=2026-Q5":                    http.StatusUnprocessableEntity,
		"/v1/forecast/targets?team=a&owner=b":                    http.StatusUnprocessableEntity,
		"/v1/forecast/changes?from_snapshot=" + late.ID.String(): http.StatusUnprocessableEntity,
		changes(late.ID, early.ID):                               http.StatusUnprocessableEntity,
		changes(early.ID, uuid.New()):                            http.StatusNotFound,
		changes(uuid.New(), late.ID):                             http.StatusNotFound,
		changes(early.ID, late.ID):                               http.StatusOK,
		"/v1/forecast/accuracy":                                  http.StatusOK,
	} {
		w.Want(want, http.MethodGet, path, manager, nil, nil)
	}
	w.Want(http.StatusNotFound, http.MethodGet, changes(early.ID, late.ID), w.Token(auth.RoleManager, "music"), nil, nil)
	if code := w.Want(http.StatusUnprocessableEntity, http.MethodPut, "/v1/forecast/setting", manager, body{"zone": "Mars/Base"}, nil, "If-Match", "*").Code(); code != "forecast_setting_invalid" {
		t.Error(code)
	}
}

func TestBadInputOfForecastsIsRefused(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	o := officeOf(t, w, "pizza", "2026-11-26")
	o.opens(deal{stage: "new", amount: 1, close: "2026-11-30"})
	a, b := o.take(), o.take()
	manager := w.Token(auth.RoleManager, "pizza")
	var made struct {
		TargetID string `json:"target_id"`
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/forecast/targets", manager, body{"owner": "x", "period": "2026-Q4", "currency": "CNY", "amount_minor": 1}, &made)
	version := http.Header{"If-Match": {"*"}}
	n := 0
	fresh := func() string {
		n++
		return fmt.Sprintf(`{"owner": "o%d", "period": "2026-11", "currency": "CNY", "amount_minor": 5}`, n)
	}
	for name, target := range map[string]badinput.Target{
		"the forecast":       {Method: http.MethodGet, Path: "/v1/forecast"},
		"the setting":        {Method: http.MethodGet, Path: "/v1/forecast/setting"},
		"change the setting": {Method: http.MethodPut, Path: "/v1/forecast/setting", Body: `{"zone": "Asia/Shanghai"}`, Header: version, Version: true},
		"take a snapshot":    {Method: http.MethodPost, Path: "/v1/forecast/snapshots"},
		"list snapshots":     {Method: http.MethodGet, Path: "/v1/forecast/snapshots", List: true},
		"read a snapshot":    {Method: http.MethodGet, Path: "/v1/forecast/snapshots/" + a.ID.String(), Owned: true},
		"list its lines":     {Method: http.MethodGet, Path: "/v1/forecast/snapshots/" + a.ID.String() + "/lines", Owned: true, List: true},
		"explain a change":   {Method: http.MethodGet, Path: "/v1/forecast/changes?from_snapshot=" + a.ID.String() + "&to_snapshot=" + b.ID.String(), Owned: true, List: true},
		"accuracy":           {Method: http.MethodGet, Path: "/v1/forecast/accuracy"},
		"list targets":       {Method: http.MethodGet, Path: "/v1/forecast/targets", List: true},
		"set a target":       {Method: http.MethodPost, Path: "/v1/forecast/targets", Body: fresh(), Fresh: fresh},
		"change a target":    {Method: http.MethodPut, Path: "/v1/forecast/targets/" + made.TargetID, Body: `{"amount_minor": 9}`, Header: version, Version: true, Owned: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target.URL, target.Token = w.URL, manager
			badinput.Check(t, target)
		})
	}
}
