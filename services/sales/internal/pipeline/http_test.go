package pipeline_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
)

type body = map[string]any

// office is a running service whose manager sets pipelines.
type office struct {
	*salestest.World
	manager, music string // tokens: of the tenants pizza and music
}

func open(t *testing.T) *office {
	t.Helper()
	w := salestest.Start(t)
	return &office{World: w, manager: w.Token(auth.RoleManager, "pizza"), music: w.Token(auth.RoleManager, "music")}
}

func stage(code string, probability int, change body) body {
	s := body{"code": code, "name": strings.ToUpper(code), "probability": probability}
	for name, value := range change {
		s[name] = value
	}
	return s
}

func content(change body) body {
	b := body{"name": "Key accounts", "currency": "CNY", "stages": []body{
		stage("first", 10, body{"age_limit_days": 14}),
		stage("pilot", 40, body{"requires": []string{"next_step", "amount", "amount"}, "condition": " 'coach' in roles ", "forecast_category": "best_case"}),
		stage("final", 90, body{"forecast_category": "commit"}),
	}}
	for name, value := range change {
		b[name] = value
	}
	return b
}

func coded(code string, b body) body {
	b["code"] = code
	return b
}

func (o *office) opens(t *testing.T, pipeline, stage string) (id string) {
	t.Helper()
	var made struct {
		ID string `json:"opportunity_id"`
	}
	o.Want(http.StatusCreated, http.MethodPost, "/v1/opportunities", o.Sales, body{
		"customer_id": uuid.Must(uuid.NewV7()), "name": "Ovens", "pipeline": pipeline, "stage": stage, "currency": "CNY",
	}, &made)
	return made.ID
}

func TestAPipelineIsWrittenReadAndChanged(t *testing.T) {
	t.Parallel()
	o := open(t)
	made := o.Want(http.StatusCreated, http.MethodPost, "/v1/pipelines", o.manager, coded("key-accounts", content(nil)), nil, "Idempotency-Key", "k1")
	golden.JSON(t, "testdata/pipeline.json", made.Body)
	require.Equal(t, `"1"`, made.Header.Get("ETag"))
	again := o.Want(http.StatusCreated, http.MethodPost, "/v1/pipelines", o.manager, coded("key-accounts", content(nil)), nil, "Idempotency-Key", "k1")
	require.Equal(t, "true", again.Header.Get("Idempotent-Replay"))
	require.JSONEq(t, string(made.Body), string(again.Body))
	require.Equal(t, "pipeline_exists", o.Do(http.MethodPost, "/v1/pipelines", o.manager, coded("key-accounts", content(nil))).Code())
	require.Equal(t, "pipeline_exists", o.Do(http.MethodPost, "/v1/pipelines", o.manager, coded("standard", content(nil))).Code())

	path := "/v1/pipelines/key-accounts"
	require.Equal(t, http.StatusNotFound, o.Do(http.MethodGet, path, o.music, nil).Status, "another tenant has no such pipeline")
	require.Equal(t, http.StatusNotFound, o.Do(http.MethodPut, path, o.music, content(nil), "If-Match", "*").Status)
	require.Equal(t, http.StatusForbidden, o.Do(http.MethodPut, path, o.Sales, content(nil), "If-Match", `"1"`).Status)
	same := o.Want(http.StatusOK, http.MethodPut, path, o.manager, content(nil), nil, "If-Match", `"1"`)
	require.Equal(t, `"1"`, same.Header.Get("ETag"), "nothing is other than before")
	renamed := o.Want(http.StatusOK, http.MethodPut, path, o.manager, content(body{"name": "Great accounts"}), nil, "If-Match", `"1"`)
	require.Equal(t, `"2"`, renamed.Header.Get("ETag"))
	require.Equal(t, "version_stale", o.Do(http.MethodPut, path, o.manager, content(nil), "If-Match", `"1"`).Code())
	require.Equal(t, "if_match_missing", o.Do(http.MethodPut, path, o.manager, content(nil)).Code())

	var list struct {
		Items []struct {
			Code    string
			Version int
		}
	}
	o.Want(http.StatusOK, http.MethodGet, "/v1/pipelines", o.Sales, nil, &list)
	require.Equal(t, "[{standard 0} {key-accounts 2}]", fmt.Sprint(list.Items))
	standard := body{"name": "Ours", "stages": []body{stage("only", 50, nil)}, "follow_up": body{"active": false, "remind_days": 0, "escalate_days": 0, "close_days": 0}}
	o.Want(http.StatusOK, http.MethodPut, "/v1/pipelines/standard", o.manager, standard, nil, "If-Match", `"0"`)
	o.Want(http.StatusOK, http.MethodGet, "/v1/pipelines", o.music, nil, &list)
	require.Equal(t, "[{standard 0}]", fmt.Sprint(list.Items), "of another tenant nothing changed")
}

func TestAStageThatIsInUseStays(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.Want(http.StatusCreated, http.MethodPost, "/v1/pipelines", o.manager, coded("key-accounts", content(nil)), nil)
	path := "/v1/pipelines/key-accounts"
	first, second := o.opens(t, "key-accounts", ""), o.opens(t, "key-accounts", "first")
	without := content(body{"stages": []body{stage("pilot", 40, nil), stage("final", 90, nil)}})
	refused := o.Do(http.MethodPut, path, o.manager, without, "If-Match", "*")
	require.Equal(t, "stage_in_use", refused.Code())
	require.Equal(t, http.StatusConflict, refused.Status)
	require.Contains(t, string(refused.Body), "2 open opportunities in stages that would be gone: 2 in first")
	require.Equal(t, "pipeline_in_use", o.Do(http.MethodPut, path, o.manager, content(body{"archived": true}), "If-Match", "*").Code())

	// Another order and other names leave everything where it is.
	o.Want(http.StatusOK, http.MethodPut, path, o.manager, content(body{"stages": []body{stage("pilot", 5, nil), stage("first", 20, body{"name": "Other"}), stage("final", 90, nil)}}), nil, "If-Match", "*")
	var now struct{ Stage, State string }
	o.Want(http.StatusOK, http.MethodGet, "/v1/opportunities/"+first, o.Sales, nil, &now)
	require.Equal(t, "first", now.Stage)

	lose := body{"reason": "price"}
	o.Want(http.StatusOK, http.MethodPost, "/v1/opportunities/"+first+"/lose", o.Sales, lose, nil)
	require.Contains(t, string(o.Do(http.MethodPut, path, o.manager, without, "If-Match", "*").Body), "1 open opportunities")
	o.Want(http.StatusOK, http.MethodPost, "/v1/opportunities/"+second+"/lose", o.Sales, lose, nil)
	o.Want(http.StatusOK, http.MethodPut, path, o.manager, without, nil, "If-Match", "*")
	o.Want(http.StatusOK, http.MethodPost, "/v1/opportunities/"+second+"/reopen", o.Sales, nil, &now)
	require.Equal(t, "pilot", now.Stage, "the stage that it was lost in is gone: it begins anew")
	require.Equal(t, "pipeline_in_use", o.Do(http.MethodPut, path, o.manager, content(body{"archived": true}), "If-Match", "*").Code())
	o.Want(http.StatusOK, http.MethodPost, "/v1/opportunities/"+second+"/lose", o.Sales, lose, nil)
	o.Want(http.StatusOK, http.MethodPut, path, o.manager, content(body{"archived": true}), nil, "If-Match", "*")
	refused = o.Do(http.MethodPost, "/v1/opportunities", o.Sales, body{"customer_id": uuid.Must(uuid.NewV7()), "name": "Ovens", "pipeline": "key-accounts"})
	require.Contains(t, string(refused.Body), "pipeline_archived")
}

func TestReasonsForLosses(t *testing.T) {
	t.Parallel()
	o := open(t)
	var list struct {
		Items []struct {
			Code, Name           string
			Leads, Opportunities bool
			Archived             bool
			Version              int
		}
	}
	find := func(code string) string {
		o.Want(http.StatusOK, http.MethodGet, "/v1/loss-reasons", o.Sales, nil, &list)
		for _, r := range list.Items {
			if r.Code == code {
				return fmt.Sprint(r.Name, r.Leads, r.Opportunities, r.Archived, r.Version)
			}
		}
		return ""
	}
	require.Equal(t, "Pricefalse true false 0", find("price"))
	o.Want(http.StatusOK, http.MethodPut, "/v1/loss-reasons/price", o.manager, body{"name": "Too dear", "opportunities": true, "archived": true}, nil, "If-Match", `"0"`)
	require.Equal(t, "Too dearfalse true true 1", find("price"))
	o.Want(http.StatusCreated, http.MethodPost, "/v1/loss-reasons", o.manager, body{"code": "no_stock", "name": "Nothing in stock", "opportunities": true}, nil)
	require.Equal(t, "loss_reason_exists", o.Do(http.MethodPost, "/v1/loss-reasons", o.manager, body{"code": "no_stock", "name": "x", "leads": true}).Code())
	require.Equal(t, "loss_reason_exists", o.Do(http.MethodPost, "/v1/loss-reasons", o.manager, body{"code": "other", "name": "x", "leads": true}).Code())
	require.Equal(t, "loss_reason_not_found", o.Do(http.MethodPut, "/v1/loss-reasons/no_stock", o.music, body{"name": "x", "leads": true}, "If-Match", "*").Code())

	for reason, code := range map[string]string{
		"price": "reason_archived", "spam": "reason_unfit", "weather": "reason_unknown", "": "reason_required", "no_stock": "",
	} {
		lost := o.Do(http.MethodPost, "/v1/opportunities/"+o.opens(t, "", "")+"/lose", o.Sales, body{"reason": reason})
		if code == "" {
			require.Equal(t, http.StatusOK, lost.Status)
			continue
		}
		require.Equal(t, http.StatusUnprocessableEntity, lost.Status)
		require.Contains(t, string(lost.Body), code)
	}
}

func TestCompetitors(t *testing.T) {
	t.Parallel()
	o := open(t)
	made := o.Want(http.StatusCreated, http.MethodPost, "/v1/competitors", o.manager, body{"code": "pasta-planet", "name": " Pasta  Planet "}, nil)
	golden.JSON(t, "testdata/competitor.json", made.Body)
	require.Equal(t, "competitor_exists", o.Do(http.MethodPost, "/v1/competitors", o.manager, body{"code": "pasta-planet", "name": "x"}).Code())
	o.Want(http.StatusOK, http.MethodPut, "/v1/competitors/pasta-planet", o.manager, body{"name": "Pasta Planet", "archived": true}, nil, "If-Match", `"1"`)
	require.Equal(t, "version_stale", o.Do(http.MethodPut, "/v1/competitors/pasta-planet", o.manager, body{"name": "x"}, "If-Match", `"1"`).Code())
	require.Equal(t, "competitor_not_found", o.Do(http.MethodPut, "/v1/competitors/pasta-planet", o.music, body{"name": "x"}, "If-Match", "*").Code())
	var list struct{ Items []struct{ Code string } }
	o.Want(http.StatusOK, http.MethodGet, "/v1/competitors", o.music, nil, &list)
	require.Empty(t, list.Items)
	lost := o.Do(http.MethodPost, "/v1/opportunities/"+o.opens(t, "", "")+"/lose", o.Sales, body{"reason": "competitor", "competitor": "pasta-planet"})
	require.Contains(t, string(lost.Body), "competitor_archived")
}

func TestWhatIsRefusedOfPipelinesSaysWhere(t *testing.T) {
	t.Parallel()
	o := open(t)
	many := make([]body, 21)
	for i := range many {
		many[i] = stage(fmt.Sprintf("s%d", i), i, nil)
	}
	for name, c := range map[string]struct {
		content        body
		location, code string
	}{
		"a code that is none":           {coded("Key Accounts", content(nil)), "body.code", "code_malformed"},
		"no name":                       {coded("k", content(body{"name": " "})), "body.name", "name_malformed"},
		"a name of two lines":           {coded("k", content(body{"name": "a\u0007b"})), "body.name", "name_malformed"},
		"money of nobody":               {coded("k", content(body{"currency": "XXX"})), "body.currency", "currency_unknown"},
		"no stages":                     {coded("k", content(body{"stages": []body{}})), "body.stages", ""},
		"21 stages":                     {coded("k", content(body{"stages": many})), "body.stages", ""},
		"more than certain":             {coded("k", content(body{"stages": []body{stage("a", 101, nil)}})), "body.stages[0].probability", ""},
		"less than impossible":          {coded("k", content(body{"stages": []body{stage("a", -1, nil)}})), "body.stages[0].probability", ""},
		"half a percent":                {coded("k", content(body{"stages": []body{{"code": "a", "name": "A", "probability": 0.5}}})), "body.stages[0].probability", ""},
		"stages out of order":           {coded("k", content(body{"stages": []body{stage("a", 50, nil), stage("b", 40, nil)}})), "body.stages[1].probability", "stages_out_of_order"},
		"a stage twice":                 {coded("k", content(body{"stages": []body{stage("a", 1, nil), stage("b", 2, nil), stage("a", 3, nil)}})), "body.stages[2].code", "stage_twice"},
		"a stage of no code":            {coded("k", content(body{"stages": []body{stage("", 1, nil)}})), "body.stages[0].code", "code_malformed"},
		"a stage of no name":            {coded("k", content(body{"stages": []body{stage("a", 1, body{"name": ""})}})), "body.stages[0].name", "name_malformed"},
		"an age below nothing":          {coded("k", content(body{"stages": []body{stage("a", 1, body{"age_limit_days": -1})}})), "body.stages[0].age_limit_days", ""},
		"a requirement of nothing":      {coded("k", content(body{"stages": []body{stage("a", 1, body{"requires": []string{"luck"}})}})), "body.stages[0].requires[0]", ""},
		"a category of nothing":         {coded("k", content(body{"stages": []body{stage("a", 1, body{"forecast_category": "closed"})}})), "body.stages[0].forecast_category", ""},
		"a condition that is none":      {coded("k", content(body{"stages": []body{stage("a", 1, body{"condition": "amount_minor >"})}})), "body.stages[0].condition", "condition_malformed"},
		"a condition of what is not":    {coded("k", content(body{"stages": []body{stage("a", 1, body{"condition": "grade == 'a'"})}})), "body.stages[0].condition", "condition_malformed"},
		"a condition that says nothing": {coded("k", content(body{"stages": []body{stage("a", 1, body{"condition": "amount_minor"})}})), "body.stages[0].condition", "condition_not_bool"},
		"a condition without end": {coded("k", content(body{"stages": []body{stage("a", 1, body{"condition": "tags.all(a, tags.all(b, tags.all(c, a + b + c != '')))"})}})),
			"body.stages[0].condition", "condition_too_costly"},
		"reminders out of order": {coded("k", content(body{"follow_up": body{"active": true, "remind_days": 3, "escalate_days": 2, "close_days": 10}})), "body.follow_up", "follow_up_out_of_order"},
	} {
		refused := o.Do(http.MethodPost, "/v1/pipelines", o.manager, c.content)
		require.Equal(t, http.StatusUnprocessableEntity, refused.Status, "%s: %s", name, refused.Body)
		require.Contains(t, string(refused.Body), fmt.Sprintf("%q", c.location), name)
		require.Contains(t, string(refused.Body), c.code, name)
	}
	for path, b := range map[string]body{
		"/v1/loss-reasons": {"code": "x", "name": "Of nothing"},
		"/v1/competitors":  {"code": "x", "name": ""},
	} {
		require.Equal(t, http.StatusUnprocessableEntity, o.Do(http.MethodPost, path, o.manager, b).Status)
	}
}

func TestBadInputToPipelines(t *testing.T) {
	t.Parallel()
	o := open(t)
	n := 0
	fresh := func(format string) func() string {
		return func() string { n++; return fmt.Sprintf(format, fmt.Sprintf("c%d", n)) }
	}
	pipeline := fresh(`{"code":%q,"name":"Key accounts","stages":[{"code":"a","name":"A","probability":10}]}`)
	reason, competitor := fresh(`{"code":%q,"name":"X","leads":true}`), fresh(`{"code":%q,"name":"X"}`)
	o.Want(http.StatusCreated, http.MethodPost, "/v1/pipelines", o.manager, []byte(`{"code":"mine","name":"Mine","stages":[{"code":"a","name":"A","probability":10}]}`), nil)
	o.Want(http.StatusCreated, http.MethodPost, "/v1/loss-reasons", o.manager, []byte(`{"code":"mine","name":"X","leads":true}`), nil)
	o.Want(http.StatusCreated, http.MethodPost, "/v1/competitors", o.manager, []byte(`{"code":"mine","name":"X"}`), nil)
	anyVersion := http.Header{"If-Match": {"*"}}
	for name, target := range map[string]badinput.Target{
		"make":              {Method: http.MethodPost, Path: "/v1/pipelines", Body: pipeline(), Fresh: pipeline, OtherBody: pipeline(), Replay: true},
		"change":            {Method: http.MethodPut, Path: "/v1/pipelines/mine", Body: `{"name":"Mine","stages":[{"code":"a","name":"A","probability":20}]}`, Version: true, Header: anyVersion},
		"get":               {Method: http.MethodGet, Path: "/v1/pipelines/mine"},
		"make reason":       {Method: http.MethodPost, Path: "/v1/loss-reasons", Body: reason(), Fresh: reason, OtherBody: reason(), Replay: true},
		"change reason":     {Method: http.MethodPut, Path: "/v1/loss-reasons/mine", Body: `{"name":"Mine","leads":true}`, Version: true, Header: anyVersion},
		"make competitor":   {Method: http.MethodPost, Path: "/v1/competitors", Body: competitor(), Fresh: competitor, OtherBody: competitor(), Replay: true},
		"change competitor": {Method: http.MethodPut, Path: "/v1/competitors/mine", Body: `{"name":"Mine"}`, Version: true, Header: anyVersion},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = o.URL, o.manager
			badinput.Check(t, target)
		})
	}
}
