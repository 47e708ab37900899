package lead_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/golden"
)

type formView struct {
	FormID  string `json:"form_id"`
	Key     string `json:"form_key"`
	State   string
	Version int64
}

const site = "https://www.pizza.example"

// offer is a form by which visitors ask for an offer.
func offer() body {
	return body{
		"code": "offer", "name": "Ask for an offer", "origins": []string{site, "https://PIZZA.example/"}, "trap": "fax", "source": "web", "campaign": "autumn-26",
		"tags": []string{"site"}, "per_minute": 1000,
		"fields": []body{{"name": "name", "required": true}, {"name": "email"}, {"name": "phone"}, {"name": "message"}, {"name": "custom.ovens"}},
	}
}

// shop is a desk with a form.
func shop(t *testing.T, form body) (*desk, formView) {
	t.Helper()
	d := start(t)
	d.Want(http.StatusCreated, http.MethodPost, "/v1/lead-fields", d.manager, body{"name": "ovens", "title": "Ovens", "type": "integer"}, nil)
	var f formView
	d.Want(http.StatusCreated, http.MethodPost, "/v1/lead-forms", d.manager, form, &f)
	return d, f
}

// filled is what a visitor filled in.
func filled(pairs ...string) body {
	fields := body{}
	for i := 0; i < len(pairs); i += 2 {
		fields[pairs[i]] = pairs[i+1]
	}
	return body{"fields": fields}
}

func TestAVisitorFillsInAForm(t *testing.T) {
	t.Parallel()
	d, f := shop(t, offer())
	golden.JSON(t, "testdata/form.json", d.Want(http.StatusOK, http.MethodGet, "/v1/lead-forms/"+f.FormID, d.Sales, nil, nil).Body)
	if len(f.Key) < 32 {
		t.Errorf("the key %q can be guessed", f.Key)
	}
	path := "/v1/forms/" + f.Key + "/leads"
	first := d.Want(http.StatusAccepted, http.MethodPost, path, "", filled("name", "Lily Chen", "email", "lily@northern-pizza.example", "custom.ovens", "2", "message", "Hello", "fax", ""), nil, "Origin", site)
	again := d.Want(http.StatusAccepted, http.MethodPost, path, "", filled("name", "Evil", "email", "LILY@northern-pizza.example", "phone", "13900139000"), nil, "Origin", site)
	trapped := d.Want(http.StatusAccepted, http.MethodPost, path, "", filled("name", "Bot", "email", "bot@spam.example", "fax", "1"), nil, "Origin", site)
	if string(first.Body) != string(again.Body) || string(first.Body) != string(trapped.Body) || strings.Contains(string(first.Body), "id") {
		t.Errorf("the answers tell who is known: %s, %s, %s", first.Body, again.Body, trapped.Body)
	}
	if got := first.Header.Get("Access-Control-Allow-Origin"); got != site || !slices.Contains(first.Header.Values("Vary"), "Origin") {
		t.Errorf("a browser may not read it: %v", first.Header)
	}
	var page struct{ Items []leadView }
	d.Want(http.StatusOK, http.MethodGet, "/v1/leads", d.Sales, nil, &page)
	if len(page.Items) != 1 {
		t.Fatalf("%d leads", len(page.Items))
	}
	l := page.Items[0]
	if l.Capture != "form" || l.FormID != f.FormID || l.Source != "web" || l.Campaign != "autumn-26" || !slices.Equal(l.Tags, []string{"site"}) || l.Custom["ovens"] != 2.0 || l.Enquiries != 2 {
		t.Errorf("%+v", l)
	}
	if l.Name != "Lily Chen" || l.Phone != "" {
		t.Errorf("a stranger changed the lead: %+v", l)
	}
	if got := d.EventsOf("LeadEnquired", 1)[0]; !strings.Contains(string(got.Data), `"form"`) || strings.Contains(string(got.Data), "Evil") {
		t.Errorf("%s", got.Data)
	}
}

func TestAFormIsNotFilledInFromElsewhere(t *testing.T) {
	t.Parallel()
	d, f := shop(t, offer())
	path := "/v1/forms/" + f.Key + "/leads"
	good := filled("name", "Lily")
	for name, c := range map[string]struct {
		method, path, origin string
		body                 any
		status               int
		code                 string
	}{
		"a browser asks":                {http.MethodOptions, path, site, nil, 204, ""},
		"on another of its sites":       {http.MethodOptions, path, "https://pizza.example", nil, 204, ""},
		"a browser asks on another":     {http.MethodOptions, path, "https://evil.example", nil, 403, "origin_not_allowed"},
		"a part of its name":            {http.MethodPost, path, "https://pizza.example.evil.example", good, 403, "origin_not_allowed"},
		"without encryption":            {http.MethodPost, path, "http://www.pizza.example", good, 403, "origin_not_allowed"},
		"from nowhere":                  {http.MethodPost, path, "null", good, 403, "origin_not_allowed"},
		"another server":                {http.MethodPost, path, "", good, 202, ""},
		"no such form":                  {http.MethodPost, "/v1/forms/" + strings.Repeat("A", 32) + "/leads", site, good, 404, "lead_form_not_found"},
		"an endless key":                {http.MethodPost, "/v1/forms/" + strings.Repeat("A", 2000) + "/leads", site, good, 404, "lead_form_not_found"},
		"a browser asks for no form":    {http.MethodOptions, "/v1/forms/x/leads", site, nil, 404, "lead_form_not_found"},
		"the id is no key":              {http.MethodPost, "/v1/forms/" + f.FormID + "/leads", site, good, 404, "lead_form_not_found"},
		"what is required is not there": {http.MethodPost, path, site, filled("email", "x@example.com"), 422, "lead_form_unfit"},
		"no address":                    {http.MethodPost, path, site, filled("name", "x", "email", "x"), 422, "lead_form_unfit"},
		"a number in words":             {http.MethodPost, path, site, filled("name", "x", "custom.ovens", "two"), 422, "lead_form_unfit"},
		"a field of nobody's":           {http.MethodPost, path, site, filled("name", "x", "owner", "me"), 422, "lead_form_unfit"},
		"no text":                       {http.MethodPost, path, site, body{"fields": body{"name": 1}}, 422, "validation_failed"},
		"nothing":                       {http.MethodPost, path, site, body{}, 422, "validation_failed"},
		"more than there is":            {http.MethodPost, path, site, body{"fields": body{}, "customer_id": uuid.NewString()}, 422, "validation_failed"},
		"a novel":                       {http.MethodPost, path, site, filled("name", "x", "message", strings.Repeat("x", 70000)), 413, "body_too_large"},
	} {
		answer := d.Do(c.method, c.path, "", c.body, "Origin", c.origin)
		if answer.Status != c.status || answer.Code() != c.code {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
		if allowed := answer.Header.Get("Access-Control-Allow-Origin"); (c.status < 300 || c.code == "lead_form_unfit") != (allowed == c.origin) && c.origin != "" {
			t.Errorf("%s: a browser may read it on %q", name, allowed)
		}
	}
	asked := d.Do(http.MethodOptions, path, "", nil, "Origin", site)
	if asked.Header.Get("Access-Control-Allow-Methods") != "POST" || asked.Header.Get("Access-Control-Allow-Headers") != "Content-Type" {
		t.Errorf("%v", asked.Header)
	}
}

func TestAFormIsFilledInSoOftenAMinute(t *testing.T) {
	t.Parallel()
	d, f := shop(t, with(offer(), "per_minute", 3))
	path := "/v1/forms/" + f.Key + "/leads"
	statuses := map[int]int{}
	for range 12 { // in at most two minutes, of 3 each
		answer := d.Do(http.MethodPost, path, "", filled("name", "Lily"))
		statuses[answer.Status]++
		if answer.Status == http.StatusTooManyRequests && answer.Code() != "lead_form_busy" {
			t.Errorf("%s", answer.Body)
		}
	}
	if ok, busy := statuses[http.StatusAccepted], statuses[http.StatusTooManyRequests]; ok < 3 || ok > 6 || ok+busy != 12 {
		t.Errorf("%v", statuses)
	}
}

func TestAFormIsChangedClosedAndGivenAnotherKey(t *testing.T) {
	t.Parallel()
	d, f := shop(t, offer())
	form, path := "/v1/lead-forms/"+f.FormID, "/v1/forms/"+f.Key+"/leads"
	if twice := d.Do(http.MethodPost, "/v1/lead-forms", d.manager, offer()); twice.Status != http.StatusConflict || twice.Code() != "lead_form_exists" {
		t.Errorf("%d %s", twice.Status, twice.Body)
	}
	change := with(offer(), "code", nil, "trap", nil, "per_minute", nil)
	d.Want(http.StatusOK, http.MethodPut, form, d.manager, change, &f, "If-Match", `"1"`)
	d.Want(http.StatusPreconditionFailed, http.MethodPut, form, d.manager, change, nil, "If-Match", `"1"`)
	d.Want(http.StatusUnprocessableEntity, http.MethodPost, path, "", filled("name", "x", "fax", "1"), nil)
	d.Want(http.StatusOK, http.MethodPost, form+"/close", d.manager, nil, nil, "If-Match", `"2"`)
	d.Want(http.StatusConflict, http.MethodPost, form+"/close", d.manager, nil, nil, "If-Match", `"3"`)
	d.Want(http.StatusNotFound, http.MethodPost, path, "", filled("name", "x"), nil)
	d.Want(http.StatusOK, http.MethodPost, form+"/open", d.manager, nil, nil, "If-Match", `"3"`)
	d.Want(http.StatusAccepted, http.MethodPost, path, "", filled("name", "x"), nil)
	before := f.Key
	d.Want(http.StatusOK, http.MethodPost, form+"/renew-key", d.manager, nil, &f, "If-Match", `"4"`)
	d.Want(http.StatusNotFound, http.MethodPost, path, "", filled("name", "x"), nil)
	d.Want(http.StatusAccepted, http.MethodPost, "/v1/forms/"+f.Key+"/leads", "", filled("name", "y"), nil)
	if f.Key == before {
		t.Error("the key is the same")
	}
	var page struct{ Items []formView }
	d.Want(http.StatusOK, http.MethodGet, "/v1/lead-forms", d.music, nil, &page)
	if len(page.Items) != 0 {
		t.Errorf("another tenant sees %+v", page)
	}
	d.Want(http.StatusNotFound, http.MethodGet, form, d.music, nil, nil)
	for name, c := range map[string]struct {
		change   body
		location string
	}{
		"no origin":       {body{"origins": []string{"www.pizza.example"}}, "body.origins[0]"},
		"a page":          {body{"origins": []string{site + "/contact"}}, "body.origins[0]"},
		"all":             {body{"origins": []string{"*"}}, "body.origins[0]"},
		"no field":        {body{"fields": []body{{"name": "owner"}}}, "body.fields[0].name"},
		"no custom field": {body{"fields": []body{{"name": "email"}, {"name": "custom.nothing"}}}, "body.fields[1].name"},
		"a field twice":   {body{"fields": []body{{"name": "email"}, {"name": "email"}}}, "body.fields[1].name"},
		"nobody asked":    {body{"fields": []body{{"name": "message"}}}, "body.fields"},
		"a trap in sight": {body{"trap": "email"}, "body.trap"},
		"no team":         {body{"team": "nowhere"}, "body.team"},
		"no source":       {body{"source": "Our Site"}, "body.source"},
		"too seldom":      {body{"per_minute": 0}, "body.per_minute"},
	} {
		b := with(offer(), "code", nil)
		for name, value := range c.change {
			b[name] = value
		}
		refused := d.Do(http.MethodPut, form, d.manager, b, "If-Match", "*")
		if refused.Status != http.StatusUnprocessableEntity || !strings.Contains(string(refused.Body), `"`+c.location+`"`) {
			t.Errorf("%s: %d %s", name, refused.Status, refused.Body)
		}
	}
}
