package calendar_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/calendar"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

type body = ticketstest.Body

type list = []any

type view struct {
	ID       string `json:"calendar_id"`
	Name     string
	Default  bool
	Archived bool
	Version  int64
}

func hours(pairs ...string) list {
	var all list
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, body{"from": pairs[i], "to": pairs[i+1]})
	}
	return all
}

// shop is open by day from Monday to Friday, with a lunch break; in 2026 the National Day is a holiday, a Saturday is not.
func shop(name string) body {
	day := hours("13:00", "18:00", "09:00", "12:00")
	return body{"name": name, "time_zone": "Asia/Shanghai",
		"week": body{"monday": day, "tuesday": day, "wednesday": day, "thursday": day, "friday": day},
		"years": list{body{"year": 2026, "holidays": list{body{"date": "2026-10-02"}, body{"date": "2026-10-01", "name": "国庆节"}},
			"openings": list{body{"date": "2026-10-10", "name": "worked", "hours": hours("09:00", "12:00")}}}},
	}
}

func make1(t *testing.T, w *ticketstest.World, b body) view {
	t.Helper()
	var v view
	w.Want(http.StatusCreated, http.MethodPost, "/v1/calendars", w.Manager, b, &v)
	return v
}

func TestACalendarIsKept(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	v := make1(t, w, shop(" Shop "))
	path := "/v1/calendars/" + v.ID
	read := w.Want(http.StatusOK, http.MethodGet, path, w.Agent, nil, &v)
	golden.JSON(t, "testdata/calendar.json", read.Body)
	taken := w.Want(http.StatusConflict, http.MethodPost, "/v1/calendars", w.Manager, shop("Shop"), nil)
	if taken.Code() != "calendar_exists" {
		t.Errorf("%s", taken.Body)
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/calendars", w.Token(auth.RoleManager, "music"), shop("Shop"), nil) // another tenant's

	changed := shop("Shop")
	changed["years"] = list{}
	w.Want(http.StatusForbidden, http.MethodPut, path, w.Agent, changed, nil, "If-Match", `"1"`)
	w.Want(http.StatusOK, http.MethodPut, path, w.Manager, shop("Shop"), &v, "If-Match", `"1"`)
	if v.Version != 1 {
		t.Errorf("nothing was changed, but the version is %d", v.Version)
	}
	w.Want(http.StatusOK, http.MethodPut, path, w.Manager, changed, &v, "If-Match", `"1"`)
	w.Want(http.StatusPreconditionFailed, http.MethodPut, path, w.Manager, shop("Shop"), nil, "If-Match", `"1"`)
	w.Want(http.StatusPreconditionRequired, http.MethodPut, path, w.Manager, shop("Shop"), nil)

	var page struct {
		Items []struct {
			Version int64
			By      string
			Years   list
		}
		NextCursor string `json:"next_cursor"`
	}
	w.Want(http.StatusOK, http.MethodGet, path+"/versions?limit=1", w.Agent, nil, &page)
	if len(page.Items) != 1 || page.Items[0].Version != 2 || len(page.Items[0].Years) != 0 || page.Items[0].By == "" {
		t.Fatalf("%+v", page)
	}
	w.Want(http.StatusOK, http.MethodGet, path+"/versions?limit=1&cursor="+page.NextCursor, w.Agent, nil, &page)
	if len(page.Items) != 1 || page.Items[0].Version != 1 || len(page.Items[0].Years) != 1 {
		t.Fatalf("%+v", page)
	}
}

func TestTheArchiveAndTheDefault(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	first, second := make1(t, w, shop("first")), make1(t, w, shop("second"))
	var v view
	w.Want(http.StatusOK, http.MethodPost, "/v1/calendars/"+first.ID+"/make-default", w.Manager, nil, &v)
	if !v.Default || v.Version != 2 {
		t.Errorf("%+v", v)
	}
	kept := w.Want(http.StatusConflict, http.MethodPost, "/v1/calendars/"+first.ID+"/archive", w.Manager, nil, nil)
	if kept.Code() != "calendar_is_default" {
		t.Errorf("%s", kept.Body)
	}
	w.Want(http.StatusOK, http.MethodPost, "/v1/calendars/"+second.ID+"/make-default", w.Manager, nil, &v)
	for range 2 {
		w.Want(http.StatusOK, http.MethodPost, "/v1/calendars/"+first.ID+"/archive", w.Manager, nil, &v)
		if !v.Archived || v.Default || v.Version != 3 {
			t.Errorf("%+v", v)
		}
	}
	gone := w.Want(http.StatusConflict, http.MethodPost, "/v1/calendars/"+first.ID+"/make-default", w.Manager, nil, nil)
	if gone.Code() != "calendar_archived" {
		t.Errorf("%s", gone.Body)
	}
	names := func(query string) (names []string) {
		for cursor := ""; ; {
			var page struct {
				Items      []view
				NextCursor string `json:"next_cursor"`
			}
			w.Want(http.StatusOK, http.MethodGet, "/v1/calendars?limit=1&cursor="+cursor+query, w.Agent, nil, &page)
			for _, one := range page.Items {
				names = append(names, one.Name)
			}
			if cursor = page.NextCursor; cursor == "" {
				return names
			}
		}
	}
	if got := names(""); !slices.Equal(got, []string{"second"}) {
		t.Errorf("%v", got)
	}
	if got := names("&archived=true"); !slices.Equal(got, []string{"first", "second"}) {
		t.Errorf("%v", got)
	}
	w.Want(http.StatusOK, http.MethodPost, "/v1/calendars/"+first.ID+"/restore", w.Manager, nil, &v)
	if v.Archived {
		t.Errorf("%+v", v)
	}
}

// What moves deadlines leaves a mark for whoever reckons them anew, in the transaction of the change; what does not leaves
// none.
func TestAChangeMarksDeadlinesToBeReckonedAnew(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	v := make1(t, w, shop("Shop"))
	path := "/v1/calendars/" + v.ID
	marks := func() int64 {
		return w.Count(`SELECT count(*) FROM calendar_change WHERE calendar_id = $1 AND done_at IS NULL`, v.ID)
	}
	put := func(b body) { w.Want(http.StatusOK, http.MethodPut, path, w.Manager, b, nil, "If-Match", "*") }
	for _, step := range []struct {
		name string
		do   func()
		more int64
	}{
		{"a new name", func() { put(shop("Another")) }, 0},
		{"the same again", func() { put(shop("Another")) }, 0},
		{"another zone", func() { b := shop("Another"); b["time_zone"] = "Europe/Berlin"; put(b) }, 1},
		{"no holidays", func() { b := shop("Another"); b["time_zone"], b["years"] = "Europe/Berlin", list{}; put(b) }, 1},
		{"the archive", func() { w.Want(http.StatusOK, http.MethodPost, path+"/archive", w.Manager, nil, nil) }, 0},
		{"out of it", func() { w.Want(http.StatusOK, http.MethodPost, path+"/restore", w.Manager, nil, nil) }, 0},
		{"the default", func() { w.Want(http.StatusOK, http.MethodPost, path+"/make-default", w.Manager, nil, nil) }, 1},
		{"a refusal", func() {
			w.Want(http.StatusPreconditionFailed, http.MethodPut, path, w.Manager, shop("x"), nil, "If-Match", `"1"`)
		}, 0},
	} {
		before := marks()
		step.do()
		if got := marks() - before; got != step.more {
			t.Errorf("%s left %d marks, want %d", step.name, got, step.more)
		}
	}
	if got := w.Count(`SELECT count(*) FROM calendar_change WHERE is_default AND version = 7`); got != 1 {
		t.Errorf("%d marks of the default", got)
	}
	err := w.DB.System(t.Context(), func(tx *pg.Tx) error {
		var n int
		err := tx.QueryRow(t.Context(), `SELECT count(*) FROM calendar_change_pending(10) WHERE tenant_id = 'pizza'`).Scan(&n)
		if err == nil && n != 3 {
			t.Errorf("%d are pending", n)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Whoever saves a deadline has read the calendar before a change, and is seen by whoever reckons anew after it; or it reads
// it after. There is nothing between.
func TestAChangeWaitsForWhoeverReckons(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	v := make1(t, w, shop("Shop"))
	reading, changed := make(chan struct{}), make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		defer close(changed)
		<-reading
		b := shop("Shop")
		b["years"] = list{}
		if answer := w.Do(http.MethodPut, "/v1/calendars/"+v.ID, w.Manager, b, "If-Match", "*"); answer.Status != http.StatusOK {
			t.Errorf("%d %s", answer.Status, answer.Body)
		}
	})
	err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		if _, err := calendar.Load(t.Context(), tx, uuid.Nil); err != nil {
			return err
		}
		close(reading)
		w.Eventually("the change waits", func() bool {
			return w.Count(`SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`) > 0
		})
		select {
		case <-changed:
			t.Error("the change did not wait")
		default:
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wait.Wait()
	if got := w.Count(`SELECT version FROM calendar WHERE id = $1`, v.ID); got != 2 {
		t.Errorf("the version is %d", got)
	}
}

func TestOtherRoomsFindCalendars(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	v := make1(t, w, shop("Shop"))
	id := uuid.MustParse(v.ID)
	in := func(tenant string, fn func(tx *pg.Tx)) {
		t.Helper()
		if err := w.DB.Tx(t.Context(), tenant, func(tx *pg.Tx) error { fn(tx); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	monday := time.Date(2026, 3, 2, 4, 30, 0, 0, time.UTC) // half past twelve in Shanghai
	in("pizza", func(tx *pg.Tx) {
		found, err := calendar.Load(t.Context(), tx, id, uuid.New())
		if err != nil || len(found) != 1 || !found[id].Add(monday, time.Hour).Equal(monday.Add(90*time.Minute)) || found[id].Version != 1 {
			t.Errorf("%v %v", found, err)
		}
		if d, err := calendar.Default(t.Context(), tx); err != nil || d != calendar.Always() {
			t.Errorf("%v %v", d, err)
		}
	})
	in("music", func(tx *pg.Tx) {
		if found, err := calendar.Load(t.Context(), tx, id); err != nil || len(found) != 0 {
			t.Errorf("another tenant's: %v %v", found, err)
		}
		if _, err := calendar.Hold(t.Context(), tx, id); err == nil {
			t.Error("another tenant's is held")
		}
	})
	w.Want(http.StatusOK, http.MethodPost, "/v1/calendars/"+v.ID+"/make-default", w.Manager, nil, nil)
	other := make1(t, w, shop("Other"))
	w.Want(http.StatusOK, http.MethodPost, "/v1/calendars/"+other.ID+"/archive", w.Manager, nil, nil)
	in("pizza", func(tx *pg.Tx) {
		if d, err := calendar.Default(t.Context(), tx); err != nil || d.ID != id {
			t.Errorf("%v %v", d, err)
		}
		if c, err := calendar.Hold(t.Context(), tx, id); err != nil || c.ID != id {
			t.Errorf("%v %v", c, err)
		}
		if _, err := calendar.Hold(t.Context(), tx, uuid.MustParse(other.ID)); err == nil {
			t.Error("one in the archive is held")
		}
		if found, err := calendar.Load(t.Context(), tx, uuid.MustParse(other.ID)); err != nil || len(found) != 1 {
			t.Errorf("one in the archive is not found: %v %v", found, err)
		}
	})
	in("music", func(tx *pg.Tx) {
		if d, err := calendar.Default(t.Context(), tx); err != nil || d != calendar.Always() {
			t.Errorf("another tenant's default: %v %v", d, err)
		}
	})
}

func TestDeadlinesCanBeTried(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	path := "/v1/calendars/" + make1(t, w, shop("Shop")).ID
	var got struct {
		At, Local string
		Seconds   float64
		Ranges    []struct{ From, To string }
		More      bool
	}
	// On Wednesday at five in the evening; the National Day, a holiday and the weekend follow.
	w.Want(http.StatusOK, http.MethodPost, path+"/add", w.Agent, body{"from": "2026-09-30T17:00:00+08:00", "seconds": 7200}, &got)
	if got.At != "2026-10-05T02:00:00Z" || got.Local != "2026-10-05T10:00:00+08:00" || got.Seconds != 7200 || len(got.Ranges) != 2 || got.Ranges[0].To != "2026-09-30T10:00:00Z" {
		t.Errorf("%+v", got)
	}
	w.Want(http.StatusOK, http.MethodPost, path+"/add", w.Agent, body{"from": "2026-09-30T17:00:00+08:00", "working_days": 6}, &got)
	if got.Local != "2026-10-10T12:00:00+08:00" {
		t.Errorf("%+v", got)
	}
	pause := list{body{"from": "2026-03-02T10:00:00+08:00", "to": "2026-03-02T11:00:00.5+08:00"}}
	w.Want(http.StatusOK, http.MethodPost, path+"/add", w.Agent, body{"from": "2026-03-02T09:00:00+08:00", "seconds": 7200, "pauses": pause}, &got)
	if got.Local != "2026-03-02T13:00:00.5+08:00" || got.Seconds != 7200 {
		t.Errorf("%+v", got)
	}
	w.Want(http.StatusOK, http.MethodPost, path+"/between", w.Agent, body{"from": "2026-03-02T09:00:00+08:00", "to": "2026-03-03T09:00:00+08:00", "pauses": pause}, &got)
	if got.Seconds != 7*3600-0.5 {
		t.Errorf("%+v", got)
	}
	w.Want(http.StatusOK, http.MethodPost, path+"/between", w.Agent, body{"from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"}, &got)
	if len(got.Ranges) != 100 || !got.More || got.Seconds != (259*8+3)*3600 { // 261 working days, two holidays, half a Saturday
		t.Errorf("%v %v %v", len(got.Ranges), got.More, got.Seconds/3600)
	}
	seldom := make1(t, w, body{"name": "seldom", "time_zone": "UTC", "week": body{"monday": hours("00:00", "00:01")}})
	far := w.Want(http.StatusUnprocessableEntity, http.MethodPost, "/v1/calendars/"+seldom.ID+"/add", w.Agent, body{"from": "2026-03-02T09:00:00Z", "seconds": 316224000}, nil)
	if far.Code() != "deadline_out_of_reach" {
		t.Errorf("%s", far.Body)
	}
}

func TestCalendarsRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	kept := make1(t, w, shop("kept"))
	path := "/v1/calendars/" + kept.ID
	var made atomic.Int64
	fresh := func() string {
		return fmt.Sprintf(`{"name":"c%d","time_zone":"UTC","week":{"monday":[{"from":"09:00","to":"24:00"}]},"years":[]}`, made.Add(1))
	}
	match := http.Header{"If-Match": {"*"}}
	for name, target := range map[string]badinput.Target{
		"create":       {Method: http.MethodPost, Path: "/v1/calendars", Body: fresh(), Fresh: fresh, OtherBody: fresh(), Replay: true},
		"list":         {Method: http.MethodGet, Path: "/v1/calendars", List: true},
		"get":          {Method: http.MethodGet, Path: path, Owned: true},
		"versions":     {Method: http.MethodGet, Path: path + "/versions", Owned: true, List: true},
		"replace":      {Method: http.MethodPut, Path: path, Body: `{"name":"kept","time_zone":"UTC","week":{"monday":[{"from":"09:00","to":"24:00"}]}}`, Version: true, Owned: true, Header: match},
		"make-default": {Method: http.MethodPost, Path: path + "/make-default", Owned: true, Replay: true},
		"archive":      {Method: http.MethodPost, Path: "/v1/calendars/" + make1(t, w, shop("archived")).ID + "/archive", Owned: true, Replay: true},
		"restore":      {Method: http.MethodPost, Path: path + "/restore", Owned: true, Replay: true},
		"add":          {Method: http.MethodPost, Path: path + "/add", Owned: true, Body: `{"from":"2026-03-02T09:00:00Z","seconds":60}`},
		"between":      {Method: http.MethodPost, Path: path + "/between", Owned: true, Body: `{"from":"2026-03-02T09:00:00Z","to":"2026-03-02T09:00:00Z"}`},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.Director
			badinput.Check(t, target)
		})
	}
}

func TestCalendarsThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	monday := func(pairs ...string) body { return body{"week": body{"monday": hours(pairs...)}} }
	year := func(y int, b body) body {
		b["year"] = y
		return body{"years": list{b}}
	}
	day := func(dates ...string) (holidays list) {
		for _, d := range dates {
			holidays = append(holidays, body{"date": d})
		}
		return holidays
	}
	for _, c := range []struct {
		name     string
		change   body
		location string
		code     string // empty: the schema's
	}{
		{"never open", body{"week": body{}}, "body.week", "calendar_never_opens"},
		{"never open, in words", body{"week": body{"monday": list{}}}, "body.week", "calendar_never_opens"},
		{"open on single dates only", body{"week": body{}, "years": list{body{"year": 2026, "openings": list{body{"date": "2026-01-01", "hours": hours("09:00", "10:00")}}}}}, "body.week", "calendar_never_opens"},
		{"overlapping", monday("09:00", "12:00", "11:59", "13:00"), "body.week.monday", "intervals_overlap"},
		{"twice the same", monday("09:00", "12:00", "09:00", "12:00"), "body.week.monday", "intervals_overlap"},
		{"one within the other", monday("13:00", "14:00", "09:00", "18:00"), "body.week.monday", "intervals_overlap"},
		{"empty", monday("09:00", "09:00"), "body.week.monday[0]", "interval_empty"},
		{"over midnight", monday("09:00", "10:00", "22:00", "06:00"), "body.week.monday[1]", "interval_empty"},
		{"from 24:00", monday("24:00", "24:00"), "body.week.monday[0]", "interval_empty"},
		{"24:01", monday("09:00", "24:01"), "body.week.monday[0].to", ""},
		{"25:00", monday("25:00", "26:00"), "body.week.monday[0].from", ""},
		{"9:00", monday("9:00", "10:00"), "body.week.monday[0].from", ""},
		{"seconds", monday("09:00:00", "10:00"), "body.week.monday[0].from", ""},
		{"no end", body{"week": body{"monday": list{body{"from": "09:00"}}}}, "body.week.monday[0].to", ""},
		{"a day that is none", body{"week": body{"monday": hours("09:00", "10:00"), "noday": list{}}}, "body.week.noday", ""},
		{"no zone", body{"time_zone": ""}, "body.time_zone", "time_zone_unknown"},
		{"a zone on Mars", body{"time_zone": "Mars/Olympus"}, "body.time_zone", "time_zone_unknown"},
		{"the zone of the machine", body{"time_zone": "Local"}, "body.time_zone", "time_zone_unknown"},
		{"a zone in other files", body{"time_zone": "../zoneinfo/UTC"}, "body.time_zone", "time_zone_unknown"},
		{"a zone with leap seconds", body{"time_zone": "right/UTC"}, "body.time_zone", "time_zone_unknown"},
		{"an offset", body{"time_zone": "+08:00"}, "body.time_zone", "time_zone_unknown"},
		{"no name", body{"name": " "}, "body.name", "name_malformed"},
		{"a name of two lines", body{"name": "a\nb"}, "body.name", "name_malformed"},
		{"a holiday outside its year", year(2026, body{"holidays": day("2026-12-31", "2027-01-01")}), "body.years[0].holidays[1].date", "date_outside_year"},
		{"an opening outside its year", year(2026, body{"openings": list{body{"date": "2025-12-31", "hours": hours("09:00", "10:00")}}}), "body.years[0].openings[0].date", "date_outside_year"},
		{"a holiday twice", year(2026, body{"holidays": day("2026-12-31", "2026-12-31")}), "body.years[0].holidays[1].date", "date_twice"},
		{"an opening twice", year(2026, body{"openings": list{body{"date": "2026-12-31", "hours": hours("09:00", "10:00")}, body{"date": "2026-12-31", "hours": hours("10:00", "11:00")}}}), "body.years[0].openings[1].date", "date_twice"},
		{"a date that is none", year(2026, body{"holidays": day("2026-02-29")}), "body.years[0].holidays[0].date", ""},
		{"no date", year(2026, body{"holidays": list{body{}}}), "body.years[0].holidays[0].date", ""},
		{"an opening without hours", year(2026, body{"openings": list{body{"date": "2026-12-31", "hours": list{}}}}), "body.years[0].openings[0].hours", ""},
		{"an opening that overlaps", year(2026, body{"openings": list{body{"date": "2026-12-31", "hours": hours("09:00", "10:00", "09:30", "11:00")}}}), "body.years[0].openings[0].hours", "intervals_overlap"},
		{"a year twice", body{"years": list{body{"year": 2026}, body{"year": 2026}}}, "body.years[1].year", "year_twice"},
		{"a year long ago", year(1969, body{}), "body.years[0].year", ""},
		{"a year far ahead", year(2200, body{}), "body.years[0].year", ""},
	} {
		b := shop(uuid.NewString())
		for key, value := range c.change {
			b[key] = value
		}
		answer := w.Want(http.StatusUnprocessableEntity, http.MethodPost, "/v1/calendars", w.Manager, b, nil)
		var p struct {
			Errors []struct{ Location, Code string }
		}
		answer.Decode(t, &p)
		found := false
		for _, e := range p.Errors {
			found = found || e.Location == c.location && (c.code == "" || e.Code == c.code)
		}
		if !found {
			t.Errorf("%s: %s", c.name, answer.Body)
		}
	}
}

func TestTrialsThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	path := "/v1/calendars/" + make1(t, w, shop("Shop")).ID
	const from = "2026-03-02T09:00:00Z"
	upside := list{body{"from": from, "to": "2026-03-01T09:00:00Z"}}
	for _, c := range []struct {
		operation string
		body      body
	}{
		{"add", body{"from": from}}, {"add", body{"from": from, "seconds": 0}}, {"add", body{"from": from, "seconds": -5}},
		{"add", body{"from": from, "seconds": 60, "working_days": 1}}, {"add", body{"from": from, "seconds": 1 << 40}}, {"add", body{"from": from, "working_days": 3661}},
		{"add", body{"from": "1969-03-02T09:00:00Z", "seconds": 60}}, {"add", body{"from": "9999-03-02T09:00:00Z", "seconds": 60}},
		{"add", body{"from": from, "seconds": 60, "pauses": upside}}, {"add", body{"from": from, "working_days": 1, "pauses": list{body{"from": from, "to": from}}}},
		{"between", body{"from": from}}, {"between", body{"from": from, "to": "2026-03-02T08:59:59Z"}}, {"between", body{"from": from, "to": "2036-03-12T09:00:00Z"}},
		{"between", body{"from": from, "to": from, "pauses": upside}},
	} {
		w.Want(http.StatusUnprocessableEntity, http.MethodPost, path+"/"+c.operation, w.Agent, c.body, nil)
	}
}

func TestATenantHasSoManyCalendars(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		tx.Queue(`INSERT INTO calendar (tenant_id, id, version, name, zone, hours, archived, created_at, changed_at)
			SELECT 'pizza', gen_random_uuid(), 1, n::text, 'UTC', '{}', true, now(), now() FROM generate_series(1, 199) n`)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	var made atomic.Int64
	for n := range 5 {
		wait.Go(func() {
			if w.Do(http.MethodPost, "/v1/calendars", w.Manager, shop(fmt.Sprintf("shop %d", n))).Status == http.StatusCreated {
				made.Add(1)
			}
		})
	}
	wait.Wait()
	if made.Load() != 1 {
		t.Errorf("%d were made, though one could be", made.Load())
	}
}
