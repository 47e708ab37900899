package team_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
	"github.com/guanxi-crm/guanxi/services/sales/internal/team"
)

type body = map[string]any

// house is a service and somebody who configures its tenant pizza.
type house struct {
	*salestest.World
	manager string
}

func open(t *testing.T) *house {
	t.Helper()
	w := salestest.Start(t)
	return &house{w, w.Token(auth.RoleManager, "pizza")}
}

func (h *house) put(path string, b body) {
	h.Want(http.StatusOK, http.MethodPut, path, h.manager, b, nil, "If-Match", "*")
}

func (h *house) as(subject, role string) string {
	return h.TokenFor(map[string]any{"subject": subject, "tenant": "pizza", "roles": []string{role}})
}

type seller struct {
	Subject   string
	Teams     []string
	Working   bool
	WorksFrom *time.Time `json:"works_from"`
	Absences  []struct {
		AbsenceID string `json:"absence_id"`
		To        *time.Time
	}
	Version int64
}

type teamView struct {
	Code         string
	Name         string
	Members      []string
	Strategy     string
	OutsideHours string `json:"outside_hours"`
	TimeZone     string `json:"time_zone"`
	Archived     bool
	Version      int64
	ChangedBy    string `json:"changed_by"`
}

func TestTeamsAreKeptAndChanged(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.put("/v1/sellers/li", body{"capacity": 3, "languages": []string{"zh", "en", "zh"}, "skills": []string{"wine"}})
	h.put("/v1/sellers/wang", body{"capacity": 5})
	var v teamView
	path := "/v1/teams/shanghai"
	h.Want(http.StatusOK, http.MethodPut, path, h.manager, body{"name": " Shang  hai ", "lead": "zhao", "time_zone": "Asia/Shanghai", "members": []string{"wang", "li", "li"}}, &v, "If-Match", `"0"`)
	if v.Name != "Shang hai" || v.Version != 1 || !slices.Equal(v.Members, []string{"li", "wang"}) || v.Strategy != "round_robin" || v.OutsideHours != "wait" || v.ChangedBy == "" {
		t.Fatalf("%+v", v)
	}
	h.Want(http.StatusPreconditionFailed, http.MethodPut, path, h.manager, body{"name": "x", "members": []string{}}, nil, "If-Match", `"0"`)
	h.Want(http.StatusPreconditionRequired, http.MethodPut, path, h.manager, body{"name": "x", "members": []string{}}, nil)
	same := body{"name": "Shang hai", "lead": "zhao", "time_zone": "Asia/Shanghai", "members": []string{"li", "wang"}}
	h.Want(http.StatusOK, http.MethodPut, path, h.manager, same, &v, "If-Match", `"1"`)
	if v.Version != 1 {
		t.Errorf("the same again is version %d", v.Version)
	}
	same["members"], same["archived"] = []string{"wang"}, true
	h.Want(http.StatusOK, http.MethodPut, path, h.manager, same, &v, "If-Match", `"1"`)
	var p seller
	h.Want(http.StatusOK, http.MethodGet, "/v1/sellers/li", h.Sales, nil, &p)
	if v.Version != 2 || !v.Archived || len(p.Teams) != 0 {
		t.Errorf("%+v %+v", v, p)
	}
	for query, want := range map[string]int{"": 0, "?archived=true": 1} {
		var page struct{ Items []teamView }
		h.Want(http.StatusOK, http.MethodGet, "/v1/teams"+query, h.Sales, nil, &page)
		if len(page.Items) != want {
			t.Errorf("%q: %+v", query, page)
		}
	}
	other := h.Token(auth.RoleManager, "music")
	h.Want(http.StatusNotFound, http.MethodGet, path, other, nil, nil)
	h.Want(http.StatusNotFound, http.MethodGet, "/v1/sellers/li", other, nil, nil)
	h.Want(http.StatusUnprocessableEntity, http.MethodPut, path, other, body{"name": "x", "members": []string{"li"}}, nil, "If-Match", "*")
	h.Want(http.StatusOK, http.MethodPut, path, other, body{"name": "x", "members": []string{}}, &v, "If-Match", `"0"`)
	if v.Version != 1 {
		t.Errorf("another tenant's team is version %d of ours", v.Version)
	}
}

func TestPagesOfPeople(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, subject := range []string{"a", "b", "c", "d"} {
		h.put("/v1/sellers/"+subject, body{"capacity": 1, "archived": subject == "b"})
	}
	h.put("/v1/teams/north", body{"name": "North", "members": []string{"a", "b", "d"}})
	for query, want := range map[string]string{"": "acd", "&archived=true": "abcd", "&team=north": "ad", "&team=south": ""} {
		got, cursor := "", ""
		for {
			var page struct {
				Items      []seller
				NextCursor string `json:"next_cursor"`
			}
			h.Want(http.StatusOK, http.MethodGet, "/v1/sellers?limit=1&cursor="+cursor+query, h.Sales, nil, &page)
			for _, one := range page.Items {
				got += one.Subject
			}
			if cursor = page.NextCursor; cursor == "" {
				break
			}
		}
		if got != want {
			t.Errorf("%q: %s instead of %s", query, got, want)
		}
	}
}

func TestWhoMaySayThatSomebodyIsAway(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.put("/v1/sellers/li", body{"capacity": 3})
	h.put("/v1/teams/shanghai", body{"name": "Shanghai", "lead": "zhao", "members": []string{"li"}})
	from := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	away := body{"from": from, "to": from.Add(48 * time.Hour)}
	h.Want(http.StatusForbidden, http.MethodPost, "/v1/sellers/li/absences", h.as("chen", auth.RoleSales), away, nil)
	h.Want(http.StatusNotFound, http.MethodPost, "/v1/sellers/me/absences", h.as("chen", auth.RoleSales), away, nil)
	var told [3]struct {
		AbsenceID string `json:"absence_id"`
	}
	h.Want(http.StatusCreated, http.MethodPost, "/v1/sellers/me/absences", h.as("li", auth.RoleSales), away, &told[0])
	h.Want(http.StatusCreated, http.MethodPost, "/v1/sellers/li/absences", h.as("zhao", auth.RoleSales), body{"from": from.Add(72 * time.Hour)}, &told[1])
	h.Want(http.StatusCreated, http.MethodPost, "/v1/sellers/li/absences", h.manager, away, &told[2], "Idempotency-Key", "k")
	again := h.Want(http.StatusCreated, http.MethodPost, "/v1/sellers/li/absences", h.manager, away, nil, "Idempotency-Key", "k")
	if !strings.Contains(string(again.Body), told[2].AbsenceID) {
		t.Errorf("%s", again.Body)
	}
	var p seller
	h.Want(http.StatusOK, http.MethodGet, "/v1/sellers/li", h.Sales, nil, &p)
	if p.Working || len(p.Absences) != 3 || p.WorksFrom == nil || !p.WorksFrom.Equal(from.Add(48*time.Hour)) || p.Version != 1 {
		t.Errorf("%+v", p)
	}
	h.Want(http.StatusForbidden, http.MethodDelete, "/v1/sellers/li/absences/"+told[0].AbsenceID, h.as("chen", auth.RoleSales), nil, nil)
	h.Want(http.StatusNotFound, http.MethodDelete, "/v1/sellers/li/absences/"+uuid.NewString(), h.manager, nil, nil)
	for _, one := range []int{0, 2} {
		h.Want(http.StatusNoContent, http.MethodDelete, "/v1/sellers/li/absences/"+told[one].AbsenceID, h.manager, nil, nil)
	}
	p = seller{}
	h.Want(http.StatusOK, http.MethodGet, "/v1/sellers/li", h.Sales, nil, &p)
	if !p.Working || len(p.Absences) != 1 || p.Absences[0].To != nil {
		t.Errorf("%+v", p)
	}
}

func TestTheBookOfATenant(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.put("/v1/sellers/li", body{"capacity": 3, "hours": body{"week": body{"monday": []body{{"from": "09:00", "to": "17:00"}}}}})
	h.put("/v1/sellers/wang", body{"capacity": 4, "archived": true})
	h.put("/v1/teams/north", body{"name": "North", "members": []string{"li", "wang"}})
	now := time.Now()
	h.Want(http.StatusCreated, http.MethodPost, "/v1/sellers/li/absences", h.manager, body{"from": now, "to": now.Add(time.Hour)}, nil)
	read := func(tenant string, since time.Time) (book *team.Book) {
		err := h.DB.Read(t.Context(), tenant, func(tx *pg.Tx) error {
			book = team.All(tx, since)
			return tx.Flush(t.Context())
		})
		if err != nil {
			t.Fatal(err)
		}
		return book
	}
	book := read("pizza", now)
	members := book.Members("north")
	if len(members) != 2 || members[0].Subject != "li" || len(members[0].Absences) != 1 || members[0].Hours == nil || !members[1].Archived {
		t.Errorf("%+v", members)
	}
	if p, ok := read("pizza", now.Add(2*time.Hour)).Person("li"); !ok || len(p.Absences) != 0 {
		t.Errorf("an absence that is over: %+v", p)
	}
	if other := read("music", now); len(other.Teams()) != 0 || len(other.People()) != 0 {
		t.Errorf("%+v", other)
	}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.put("/v1/sellers/li", body{"capacity": 3})
	h.put("/v1/teams/north", body{"name": "North", "members": []string{}})
	var told struct {
		AbsenceID string `json:"absence_id"`
	}
	h.Want(http.StatusCreated, http.MethodPost, "/v1/sellers/li/absences", h.manager, body{"from": time.Now()}, &told)
	from := time.Now().Add(time.Hour).UTC()
	n := 0
	absence := func() string {
		n++
		return fmt.Sprintf(`{"from":%q}`, from.Add(time.Duration(n)*time.Minute).Format(time.RFC3339))
	}
	any1 := http.Header{"If-Match": {"*"}}
	for name, target := range map[string]badinput.Target{
		"teams":    {Method: http.MethodGet, Path: "/v1/teams", List: true},
		"team":     {Method: http.MethodGet, Path: "/v1/teams/north", Owned: true},
		"put team": {Method: http.MethodPut, Path: "/v1/teams/north", Body: `{"name":"North","members":["li"]}`, Version: true, Header: any1},
		"sellers":  {Method: http.MethodGet, Path: "/v1/sellers", List: true},
		"seller":   {Method: http.MethodGet, Path: "/v1/sellers/li", Owned: true},
		"put seller": {Method: http.MethodPut, Path: "/v1/sellers/li", Version: true, Header: any1,
			Body: `{"capacity":3,"time_zone":"Asia/Shanghai","hours":{"week":{"monday":[{"from":"09:00","to":"17:00"}]}}}`},
		"absences":       {Method: http.MethodGet, Path: "/v1/sellers/li/absences", List: true, Owned: true},
		"absence":        {Method: http.MethodPost, Path: "/v1/sellers/li/absences", Body: absence(), Owned: true, Replay: true, Fresh: absence, OtherBody: absence()},
		"delete absence": {Method: http.MethodDelete, Path: "/v1/sellers/li/absences/" + told.AbsenceID, Owned: true},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = h.URL, h.manager
			badinput.Check(t, target)
		})
	}
}

func TestWhatIsNotAccepted(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.put("/v1/sellers/li", body{"capacity": 3})
	team := func(name string, value any) body {
		b := body{"name": "x", "members": []string{}}
		b[name] = value
		return b
	}
	monday := func(hours ...body) body { return body{"capacity": 1, "hours": body{"week": body{"monday": hours}}} }
	for _, c := range []struct {
		path     string
		body     body
		location string
	}{
		{"/v1/teams/UPPER", team("name", "x"), "body.code"},
		{"/v1/teams/x", team("name", " "), "body.name"}, {"/v1/teams/x", team("name", "a\u0007"), "body.name"},
		{"/v1/teams/x", team("members", []string{"nobody"}), "body.members[0]"},
		{"/v1/teams/x", team("strategy", "lottery"), "body.strategy"}, {"/v1/teams/x", team("outside_hours", "sleep"), "body.outside_hours"},
		{"/v1/teams/x", team("time_zone", "Mars/Olympus"), "body.time_zone"}, {"/v1/teams/x", team("time_zone", "Local"), "body.time_zone"},
		{"/v1/teams/x", team("pipeline", "No Code"), "body.pipeline"}, {"/v1/teams/x", team("price_list", "No Code"), "body.price_list"},
		{"/v1/teams/x", team("lead", "a\u0007"), "body.lead"},
		{"/v1/sellers/" + strings.Repeat("x", 201), body{"capacity": 1}, "path.subject"},
		{"/v1/sellers/x", body{"capacity": -1}, "body.capacity"}, {"/v1/sellers/x", body{"capacity": 10001}, "body.capacity"},
		{"/v1/sellers/x", body{"capacity": 1, "languages": []string{"Chinese"}}, "body.languages[0]"},
		{"/v1/sellers/x", body{"capacity": 1, "skills": []string{"No Code"}}, "body.skills[0]"},
		{"/v1/sellers/x", body{"capacity": 1, "time_zone": "here"}, "body.time_zone"},
		{"/v1/sellers/x", body{"capacity": 1, "hours": body{"week": body{}}}, "body.hours.week"},
		{"/v1/sellers/x", monday(body{"from": "17:00", "to": "09:00"}), "body.hours.week.monday[0]"},
		{"/v1/sellers/x", monday(body{"from": "09:00", "to": "12:00"}, body{"from": "11:00", "to": "13:00"}), "body.hours.week.monday"},
		{"/v1/sellers/x", monday(body{"from": "9", "to": "12:00"}), "body.hours.week.monday[0].from"},
	} {
		answer := h.Want(http.StatusUnprocessableEntity, http.MethodPut, c.path, h.manager, c.body, nil, "If-Match", "*")
		var p struct{ Errors []struct{ Location string } }
		answer.Decode(t, &p)
		if !slices.ContainsFunc(p.Errors, func(e struct{ Location string }) bool { return e.Location == c.location }) {
			t.Errorf("%s %v: %s", c.path, c.body, answer.Body)
		}
	}
	now := time.Now()
	for location, b := range map[string]body{
		"body.from": {"from": now.AddDate(-4, 0, 0)}, "body.to": {"from": now, "to": now}, "body.to ": {"from": now.AddDate(0, 0, -2), "to": now.AddDate(0, 0, -1)},
		"body.to  ": {"from": now, "to": now.AddDate(4, 0, 0)},
	} {
		answer := h.Want(http.StatusUnprocessableEntity, http.MethodPost, "/v1/sellers/li/absences", h.manager, b, nil)
		if !strings.Contains(string(answer.Body), `"`+strings.TrimSpace(location)+`"`) {
			t.Errorf("%v: %s", b, answer.Body)
		}
	}
	h.Want(http.StatusForbidden, http.MethodPut, "/v1/teams/x", h.Sales, team("name", "x"), nil, "If-Match", "*")
	h.Want(http.StatusForbidden, http.MethodPut, "/v1/sellers/x", h.Sales, body{"capacity": 1}, nil, "If-Match", "*")
}
