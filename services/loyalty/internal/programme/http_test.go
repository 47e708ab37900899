package programme_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
)

type body = map[string]any

// shown is a programme or a version as the API shows it.
type shown struct {
	Code          string    `json:"code"`
	Zone          string    `json:"zone"`
	Version       int       `json:"version"`
	Latest        int       `json:"latest"`
	EffectiveFrom time.Time `json:"effective_from"`
	Terms         struct {
		ReturnDays int `json:"return_days"`
	} `json:"terms"`
}

func terms(returnDays int) body { return body{"return_days": returnDays, "join_by_purchase": true} }

func TestEveryTenantHasTheStandardProgramme(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	var p shown
	answer := w.Want(http.StatusOK, http.MethodGet, "/v1/programmes/standard", w.Manager, nil, &p)
	if p.Version != 0 || p.Terms.ReturnDays != 14 || answer.Header.Get("ETag") != `"0"` {
		t.Errorf("%+v %s", p, answer.Header.Get("ETag"))
	}
	var all struct{ Items []shown }
	w.Want(http.StatusOK, http.MethodGet, "/v1/programmes", w.Manager, nil, &all)
	if len(all.Items) != 1 || all.Items[0].Code != "standard" {
		t.Errorf("%+v", all)
	}
	w.Want(http.StatusNotFound, http.MethodGet, "/v1/programmes/club", w.Manager, nil, nil)
}

func TestAVersionHoldsFromItsTimeOn(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	var made shown
	w.Want(http.StatusCreated, http.MethodPost, "/v1/programmes", w.Manager,
		body{"code": "club", "name": "Club", "zone": "Asia/Shanghai", "terms": terms(7)}, &made)
	if made.Version != 1 || made.Terms.ReturnDays != 7 {
		t.Fatalf("%+v", made)
	}
	ahead := time.Now().Add(24 * time.Hour).UTC().Truncate(time.Microsecond)
	next := body{"effective_from": ahead, "terms": terms(30)}
	w.Want(http.StatusPreconditionRequired, http.MethodPost, "/v1/programmes/club/versions", w.Manager, next, nil)
	w.Want(http.StatusPreconditionFailed, http.MethodPost, "/v1/programmes/club/versions", w.Manager, next, nil, "If-Match", `"7"`)
	key := uuid.NewString()
	var again shown
	w.Want(http.StatusCreated, http.MethodPost, "/v1/programmes/club/versions", w.Manager, next, &made, "If-Match", `"1"`, "Idempotency-Key", key)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/programmes/club/versions", w.Manager, next, &again, "If-Match", `"1"`, "Idempotency-Key", key)
	if made.Version != 2 || again != made || !made.EffectiveFrom.Equal(ahead) {
		t.Fatalf("%+v, and again %+v", made, again)
	}
	for at, days := range map[string]int{
		"":                                      7,
		"?at=2020-01-01T00:00:00Z":              7, // before there was any: by its first terms
		"?at=" + ahead.Format(time.RFC3339Nano): 30,
		"?at=" + ahead.Add(-time.Microsecond).Format(time.RFC3339Nano): 7,
	} {
		var p shown
		w.Want(http.StatusOK, http.MethodGet, "/v1/programmes/club"+at, w.Manager, nil, &p)
		if p.Terms.ReturnDays != days || p.Zone != "Asia/Shanghai" || p.Latest != 2 {
			t.Errorf("%s: %+v", at, p)
		}
	}

	withdrawn := w.Want(http.StatusOK, http.MethodPost, "/v1/programmes/club/versions/2/withdraw", w.Manager, nil, nil)
	if !strings.Contains(string(withdrawn.Body), "withdrawn_at") {
		t.Errorf("%s", withdrawn.Body)
	}
	w.Want(http.StatusOK, http.MethodPost, "/v1/programmes/club/versions/2/withdraw", w.Manager, nil, nil)
	var p shown
	w.Want(http.StatusOK, http.MethodGet, "/v1/programmes/club?at="+ahead.Format(time.RFC3339Nano), w.Manager, nil, &p)
	if p.Terms.ReturnDays != 7 {
		t.Errorf("a version that was taken back holds: %+v", p)
	}
	if got := w.Want(http.StatusConflict, http.MethodPost, "/v1/programmes/club/versions/1/withdraw", w.Manager, nil, nil); got.Code() != "version_in_force" {
		t.Errorf("%s", got.Code())
	}
	var list struct{ Items []shown }
	w.Want(http.StatusOK, http.MethodGet, "/v1/programmes/club/versions", w.Manager, nil, &list)
	if len(list.Items) != 2 || list.Items[0].Version != 2 {
		t.Errorf("%+v", list)
	}

	other := w.Token(auth.RoleAdmin, "music")
	w.Want(http.StatusNotFound, http.MethodGet, "/v1/programmes/club", other, nil, nil)
	w.Want(http.StatusNotFound, http.MethodGet, "/v1/programmes/club/versions/1", other, nil, nil)
	w.Want(http.StatusNotFound, http.MethodPost, "/v1/programmes/club/versions", other, next, nil, "If-Match", `"2"`)
	w.Want(http.StatusNotFound, http.MethodPost, "/v1/programmes/club/versions/2/withdraw", other, nil, nil)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/programmes", other, body{"code": "club", "name": "Fans", "zone": "UTC", "terms": terms(1)}, nil)
}

func TestOfManyWhoWriteAVersionOneDoes(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/programmes", w.Manager, body{"code": "standard", "name": "Pizza", "zone": "Asia/Shanghai", "terms": terms(7)}, nil)
	statuses := make(chan int, 8)
	for range cap(statuses) {
		go func() {
			statuses <- w.Do(http.MethodPost, "/v1/programmes/standard/versions", w.Manager, body{"terms": terms(3)}, "If-Match", `"1"`).Status
		}()
	}
	count := map[int]int{}
	for range cap(statuses) {
		count[<-statuses]++
	}
	if count[http.StatusCreated] != 1 || count[http.StatusPreconditionFailed] != 7 {
		t.Errorf("%v", count)
	}
	if got := w.Do(http.MethodPost, "/v1/programmes", w.Manager, body{"code": "standard", "name": "Again", "zone": "UTC", "terms": terms(7)}); got.Code() != "programme_exists" {
		t.Errorf("%d %s", got.Status, got.Code())
	}
}

func TestProgrammesRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/programmes", w.Manager, body{"code": "club", "name": "Club", "zone": "UTC", "terms": terms(7)}, nil)
	good := func() body { return body{"code": "other", "name": "Other", "zone": "UTC", "terms": terms(7)} }
	for name, change := range map[string]func(body){
		"programme_invalid code":              func(b body) { b["code"] = "No Code" },
		"programme_invalid name":              func(b body) { b["name"] = "" },
		"programme_invalid zone":              func(b body) { b["zone"] = "Mars/Olympus" },
		"programme_invalid zone, local":       func(b body) { b["zone"] = "Local" },
		"programme_invalid terms.return_days": func(b body) { b["terms"] = terms(-1) },
		"programme_invalid terms.worth.currency": func(b body) {
			b["terms"] = body{"return_days": 1, "join_by_purchase": true, "worth": body{"currency": "XXX", "points": 100, "minor": 100}}
		},
		"programme_invalid terms.worth.points": func(b body) {
			b["terms"] = body{"return_days": 1, "join_by_purchase": true, "worth": body{"currency": "CNY", "points": 0, "minor": 100}}
		},
		"programme_invalid terms.categories[1].code": func(b body) {
			two := body{"code": "coffee", "prefixes": []string{"COF"}}
			b["terms"] = body{"return_days": 1, "join_by_purchase": true, "categories": []body{two, two}}
		},
		"programme_invalid terms.categories[0].prefixes": func(b body) {
			b["terms"] = body{"return_days": 1, "join_by_purchase": true, "categories": []body{{"code": "coffee", "prefixes": []string{}}}}
		},
	} {
		b := good()
		change(b)
		got := w.Do(http.MethodPost, "/v1/programmes", w.Manager, b)
		place := strings.TrimSuffix(strings.TrimPrefix(name, "programme_invalid "), ", local")
		if got.Status != http.StatusUnprocessableEntity || got.Code() != "programme_invalid" || !strings.Contains(string(got.Body), `"`+place+`"`) &&
			!strings.Contains(string(got.Body), "."+place+`"`) {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	past := w.Do(http.MethodPost, "/v1/programmes/club/versions", w.Manager,
		body{"effective_from": "2020-01-01T00:00:00Z", "terms": terms(7)}, "If-Match", `"1"`)
	if past.Status != http.StatusUnprocessableEntity || !strings.Contains(string(past.Body), "in_the_past") {
		t.Errorf("%d %s", past.Status, past.Body)
	}
	agent := w.Token(auth.RoleAgent, "pizza")
	w.Want(http.StatusForbidden, http.MethodPost, "/v1/programmes", agent, good(), nil)

	n := 0
	fresh := func() string {
		n++
		return fmt.Sprintf(`{"code":"p%d","name":"P","zone":"UTC","terms":{"return_days":1,"join_by_purchase":true}}`, n)
	}
	version := `{"terms":{"return_days":1,"join_by_purchase":true}}`
	for name, target := range map[string]badinput.Target{
		"create":   {Method: http.MethodPost, Path: "/v1/programmes", Body: fresh(), Fresh: fresh, OtherBody: fresh(), Replay: true},
		"get":      {Method: http.MethodGet, Path: "/v1/programmes/club", Owned: true},
		"list":     {Method: http.MethodGet, Path: "/v1/programmes"},
		"write":    {Method: http.MethodPost, Path: "/v1/programmes/club/versions", Body: version, Version: true, Owned: true, Header: http.Header{"If-Match": {`"1"`}}},
		"versions": {Method: http.MethodGet, Path: "/v1/programmes/club/versions", List: true},
		"version":  {Method: http.MethodGet, Path: "/v1/programmes/club/versions/1", Owned: true},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.Manager
			badinput.Check(t, target)
		})
	}
}
