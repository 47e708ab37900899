package insight_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/insight"
)

type body = map[string]any

// list is what the API answers.
type list struct {
	Items []struct {
		Name, Kind, Text string
		Number           *float64
		Inputs           []string   `json:"input_classes"`
		About            string     `json:"about_customer_id"`
		ComputedAt       time.Time  `json:"computed_at"`
		ValidUntil       *time.Time `json:"valid_until"`
		StatedBy         string     `json:"stated_by"`
	}
	Withheld []struct{ Class, Why string }
}

// texts are name and value of each, such as tier=gold.
func (l list) texts() (texts []string) {
	for _, i := range l.Items {
		text := i.Name + "=" + i.Text
		if i.Number != nil {
			text += fmt.Sprint(*i.Number)
		}
		texts = append(texts, text)
	}
	return texts
}

type world struct {
	*accountstest.World
	t           *testing.T
	lei, mother string
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{World: accountstest.Start(t), t: t}
	w.lei, w.mother = w.Customer(t, "pizza", "person", "李雷"), w.Customer(t, "pizza", "person", "王芳")
	return w
}

func path(customer string, name ...string) string {
	return "/v1/customers/" + customer + "/insights" + strings.Join(append([]string{""}, name...), "/")
}

// segment is a segment that was computed on a day of November.
func segment(text string, day int, inputs ...string) body {
	return body{"kind": "segment", "text": text, "input_classes": inputs, "computed_at": fmt.Sprintf("2026-11-%02dT08:00:00Z", day)}
}

func (w *world) say(customer, name string, what body) {
	w.t.Helper()
	w.Want(http.StatusOK, http.MethodPut, path(customer, name), w.Token(auth.RoleIntegrator, "pizza"), what, nil)
}

func (w *world) seen(role, customer, query string) (l list) {
	w.t.Helper()
	w.Want(http.StatusOK, http.MethodGet, path(customer)+query, w.Token(role, "pizza"), nil, &l)
	return l
}

func TestWhatIsSaidOfACustomerIsReadAgain(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.say(w.lei, "tier", segment(" gold ", 20, "behaviour", "identity", "behaviour"))
	w.say(w.lei, "churn_risk", body{
		"kind": "score", "number": 0.25, "input_classes": []string{"behaviour"}, "computed_at": "2026-11-20T16:00:00.123456789+08:00", "valid_until": "2026-12-20T08:00:00Z",
	})
	w.say(w.lei, "zero", body{"kind": "score", "number": 0, "input_classes": []string{"behaviour"}, "computed_at": "2026-11-20T08:00:00Z"})
	l := w.seen(auth.RoleAgent, w.lei, "")
	if want := []string{"churn_risk=0.25", "tier=gold", "zero=0"}; !slices.Equal(l.texts(), want) {
		t.Fatalf("got %v, want %v", l.texts(), want)
	}
	risk, tier := l.Items[0], l.Items[1]
	if !risk.ComputedAt.Equal(time.Date(2026, 11, 20, 8, 0, 0, 123456000, time.UTC)) || risk.ValidUntil == nil || risk.StatedBy != "integrator@pizza" || risk.Kind != "score" {
		t.Errorf("%+v", risk)
	}
	if !slices.Equal(tier.Inputs, []string{"behaviour", "identity"}) || tier.ValidUntil != nil || tier.About != "" {
		t.Errorf("%+v", tier)
	}
	var one struct{ Text string }
	w.Want(http.StatusOK, http.MethodGet, path(w.lei, "tier"), w.Token(auth.RoleAgent, "pizza"), nil, &one)
	if one.Text != "gold" {
		t.Errorf("%+v", one)
	}
}

func TestWhatWasComputedLaterHolds(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.say(w.lei, "tier", segment("silver", 20, "behaviour"))
	w.say(w.lei, "tier", segment("gold", 21, "behaviour"))
	w.say(w.lei, "tier", segment("platinum", 21, "behaviour")) // mended
	late := w.Do(http.MethodPut, path(w.lei, "tier"), w.Token(auth.RoleIntegrator, "pizza"), segment("silver", 20, "behaviour"))
	if late.Status != http.StatusConflict || late.Code() != "insight_newer" {
		t.Errorf("an older one: %d %s", late.Status, late.Body)
	}
	// The new one may be of another kind and hide more than the old one did.
	w.say(w.lei, "tier", body{"kind": "score", "number": 3, "input_classes": []string{"financial"}, "computed_at": "2026-11-22T08:00:00Z"})
	if l := w.seen(auth.RoleAgent, w.lei, ""); len(l.Items) > 0 {
		t.Errorf("%v", l.texts())
	}
	if l := w.seen(auth.RoleAdmin, w.lei, "?reason=T-1"); !slices.Equal(l.texts(), []string{"tier=3"}) {
		t.Errorf("%v", l.texts())
	}
}

func TestAnInsightIsHiddenWhereAnyOfItsInputsIs(t *testing.T) {
	t.Parallel()
	w := start(t)
	for name, inputs := range map[string]string{
		"a_behaviour": "behaviour", "b_contact": "contact identity", "c_financial": "financial", "d_mixed": "behaviour financial", "e_health": "health", "f_special": "special contact",
	} {
		w.say(w.lei, name, segment("x", 20, strings.Fields(inputs)...))
	}
	relative := segment("x", 20, "health")
	relative["about_customer_id"] = w.mother
	w.say(w.lei, "g_relative", relative)
	everyday := segment("x", 20, "behaviour")
	everyday["about_customer_id"] = w.mother
	w.say(w.lei, "h_relative", everyday)
	for query, want := range map[string]string{
		"agent ":                                  "a_behaviour b_contact h_relative",
		"agent ?reason=T-1":                       "a_behaviour b_contact h_relative",
		"marketing ?purpose=analysis":             "a_behaviour h_relative",
		"manager ?purpose=credit&reason=T-1":      "b_contact c_financial",
		"manager ?purpose=credit":                 "b_contact",
		"manager ?purpose=care&reason=T-1":        "b_contact e_health g_relative",
		"admin ":                                  "a_behaviour b_contact h_relative",
		"admin ?purpose=integration&reason=T-1":   "a_behaviour b_contact c_financial d_mixed e_health f_special g_relative h_relative",
		"operations ?reason=T-1":                  "a_behaviour b_contact h_relative",
		"integrator ?purpose=integration&reason=": "a_behaviour b_contact h_relative",
	} {
		role, query, _ := strings.Cut(query, " ")
		l := w.seen(role, w.lei, query)
		var names []string
		for _, i := range l.Items {
			names = append(names, i.Name)
			one := w.Do(http.MethodGet, path(w.lei, i.Name)+query, w.Token(role, "pizza"), nil)
			if one.Status != http.StatusOK {
				t.Errorf("%s %s: %s alone is %d", role, query, i.Name, one.Status)
			}
		}
		if strings.Join(names, " ") != want {
			t.Errorf("%s %s: sees %v, want %s", role, query, names, want)
		}
	}
	// What is out of sight is as if it were not there.
	agent := w.Token(auth.RoleAgent, "pizza")
	hidden, none := w.Do(http.MethodGet, path(w.lei, "e_health"), agent, nil), w.Do(http.MethodGet, path(w.lei, "nothing"), agent, nil)
	if hidden.Status != http.StatusNotFound || hidden.Code() != none.Code() || hidden.Code() != "insight_not_found" {
		t.Errorf("hidden: %d %s; not there: %d %s", hidden.Status, hidden.Body, none.Status, none.Body)
	}
}

func TestALookAtASensitiveInsightIsLoggedUnderWhoseDataItIs(t *testing.T) {
	t.Parallel()
	w := start(t)
	relative := segment("x", 20, "behaviour", "health")
	relative["about_customer_id"] = w.mother
	w.say(w.lei, "relative", relative)
	w.say(w.lei, "limit", segment("x", 20, "financial"))
	w.seen(auth.RoleManager, w.lei, "?purpose=service&reason=T-1")
	if n := w.Count(`SELECT count(*) FROM access_log`); n != 0 {
		t.Errorf("nothing sensitive was seen, and %d looks are logged", n)
	}
	w.seen(auth.RoleAdmin, w.lei, "?reason=T-1")
	for _, want := range []struct{ customer, classes string }{{w.mother, "health"}, {w.lei, "financial"}} {
		if n := w.Count(`SELECT count(*) FROM access_log WHERE customer_id = $1 AND classes = $2 AND view = 'insights' AND reason = 'T-1'`, want.customer, want.classes); n != 1 {
			t.Errorf("%s of %s: %d entries", want.classes, want.customer, n)
		}
	}
}

func TestInsightsFollowMerges(t *testing.T) {
	t.Parallel()
	w := start(t)
	twin := w.Customer(t, "pizza", "person", "Lei Li")
	w.say(w.lei, "tier", segment("gold", 20, "behaviour"))
	w.say(twin, "tier", segment("silver", 21, "behaviour"))
	w.say(twin, "grade", segment("A", 19, "behaviour"))
	w.Absorb(t, "pizza", w.lei, twin)
	for _, id := range []string{w.lei, twin} {
		if l := w.seen(auth.RoleAgent, id, ""); !slices.Equal(l.texts(), []string{"grade=A", "tier=silver"}) {
			t.Errorf("merged: %v", l.texts())
		}
	}
	w.say(twin, "tier", segment("bronze", 22, "behaviour"))
	w.Restore(t, "pizza", w.lei, twin)
	if l := w.seen(auth.RoleAgent, w.lei, ""); !slices.Equal(l.texts(), []string{"tier=gold"}) {
		t.Errorf("restored: %v", l.texts())
	}
	if l := w.seen(auth.RoleAgent, twin, ""); !slices.Equal(l.texts(), []string{"grade=A", "tier=bronze"}) {
		t.Errorf("restored: %v", l.texts())
	}
	// Taken away is whatever the name says of the customer, by whichever id.
	w.Absorb(t, "pizza", w.lei, twin)
	w.Want(http.StatusNoContent, http.MethodDelete, path(w.lei, "tier"), w.Token(auth.RoleIntegrator, "pizza"), nil, nil)
	if l := w.seen(auth.RoleAgent, twin, ""); !slices.Equal(l.texts(), []string{"grade=A"}) {
		t.Errorf("taken away: %v", l.texts())
	}
	again := w.Do(http.MethodDelete, path(w.lei, "tier"), w.Token(auth.RoleIntegrator, "pizza"), nil)
	if again.Status != http.StatusNotFound || again.Code() != "insight_not_found" {
		t.Errorf("taken away twice: %d %s", again.Status, again.Body)
	}
}

func TestACustomerHasAtMostAHundred(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.AsSuperuser(t, `INSERT INTO insight (tenant_id, customer_id, name, kind, value_text, input_classes, computed_at, stated_by)
		SELECT 'pizza', $1, 'n' || n, 'segment', 'x', '{behaviour}', '2026-11-01', 'me' FROM generate_series(1, 100) n`, w.lei)
	w.say(w.lei, "n100", segment("y", 20, "behaviour")) // in the place of one
	more := w.Do(http.MethodPut, path(w.lei, "n101"), w.Token(auth.RoleIntegrator, "pizza"), segment("x", 20, "behaviour"))
	if more.Status != http.StatusConflict || more.Code() != "insights_too_many" {
		t.Errorf("one more: %d %s", more.Status, more.Body)
	}
}

func TestErasureTakesAwayWhatIsSaidOfThePersonAndFromThePerson(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.say(w.mother, "tier", segment("gold", 20, "behaviour"))
	relative := segment("x", 20, "health")
	relative["about_customer_id"] = w.mother
	w.say(w.lei, "relative", relative)
	w.say(w.lei, "tier", segment("gold", 20, "behaviour"))
	for _, tenant := range []string{"music", "pizza", "pizza"} {
		var erased map[string]int64
		err := w.DB.Tx(t.Context(), tenant, func(tx *pg.Tx) (err error) {
			erased, err = insight.Erase(t.Context(), tx, []uuid.UUID{uuid.MustParse(w.mother)})
			return err
		})
		left := w.Count(`SELECT count(*) FROM insight`)
		if want := map[string]int64{"music": 3, "pizza": 1}[tenant]; err != nil || left != want || tenant == "music" && erased["insights"] != 0 {
			t.Errorf("%s: %v, %v, left %d", tenant, erased, err, left)
		}
	}
}

func TestTheLatestOfEachNameIsKept(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	got := insight.Latest([]insight.Insight{
		{Name: "b", Text: "old", ComputedAt: at}, {Name: "a", Text: "only", ComputedAt: at}, {Name: "b", Text: "new", ComputedAt: at.Add(time.Second)},
	})
	if len(got) != 2 || got[0].Text != "only" || got[1].Text != "new" {
		t.Errorf("%+v", got)
	}
	if l := (insight.Insight{Inputs: []access.Class{access.Health}}).Look("profile", uuid.Max); l.Customer != uuid.Max {
		t.Errorf("%+v", l)
	}
}
