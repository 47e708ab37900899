package survey_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

func TestASurveyIsHandedOverAndAnsweredOnce(t *testing.T) {
	t.Parallel()
	w := begin(t)
	s, lei := w.from("csat"), uuid.NewString()
	i := w.invite(s, lei, "touchpoint", "store")
	if i.State != "sent" || i.Fetched || i.Customer != lei {
		t.Fatalf("%+v", i)
	}
	path := w.link(i)
	if a := w.Do(http.MethodPost, "/v1/survey-invitations/"+i.ID+"/hand-over", w.Agent, nil); a.Code() != "link_used" {
		t.Errorf("fetched again: %d %s", a.Status, a.Body)
	}
	token := path[strings.LastIndex(path, "/")+1:]
	if len(token) != 43 { // 32 bytes
		t.Errorf("a secret of %d characters", len(token))
	}
	if n := w.Count(`SELECT count(*) FROM survey_invitation i WHERE to_jsonb(i)::text LIKE '%' || $1 || '%'`, token); n != 0 {
		t.Error("the secret is kept")
	}
	form := w.Want(http.StatusOK, http.MethodGet, path+"?language=zh", "", nil, nil)
	golden.JSON(t, "testdata/form.json", form.Body)
	if form.Header.Get("Cache-Control") != "no-store" || form.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("the form's address may leak: %v", form.Header)
	}
	w.Want(http.StatusNoContent, http.MethodPost, path+"/answer", "", filled("score", 4, "why", "<script>alert('热')</script>"), nil)
	for _, again := range []string{path, path + "/answer"} {
		method, b := http.MethodGet, any(nil)
		if strings.HasSuffix(again, "/answer") {
			method, b = http.MethodPost, filled("score", 1)
		}
		if a := w.Do(method, again, "", b); a.Status != http.StatusConflict || a.Code() != "survey_answered" {
			t.Errorf("%s again: %d %s", method, a.Status, a.Body)
		}
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/survey-invitations/"+i.ID, w.Agent, nil, &i)
	if i.State != "answered" || i.Answered == "" {
		t.Errorf("%+v", i)
	}
	sent, answered := w.EventsOf("SurveySent", 1)[0], w.EventsOf("SurveyAnswered", 1)[0]
	golden.JSON(t, "testdata/survey_sent.json", sent.Data)
	golden.JSON(t, "testdata/survey_answered.json", answered.Data)
	if strings.Contains(string(answered.Data), "script") || answered.AggregateID != i.ID || answered.Sequence != 2 {
		t.Errorf("%+v", answered)
	}
	list := w.Want(http.StatusOK, http.MethodGet, "/v1/surveys/"+s.ID+"/answers", w.Manager, nil, nil)
	golden.JSON(t, "testdata/answers.json", list.Body)
}

func TestAnAnswerTellsItsNumbersByQuestionAndNothingElse(t *testing.T) {
	t.Parallel()
	w := begin(t)
	var s made
	w.Want(http.StatusCreated, http.MethodPost, "/v1/surveys", w.Manager, body{"code": "many", "kind": "questionnaire", "content": content()}, &s)
	w.give(s, uuid.NewString(), "one", body{"choices": []string{"a"}}, "many", body{"choices": []string{"b", "c"}}, "much", 6,
		"pair", body{"with": 1, "without": 5}, "index", 9, "gap", body{"perceived": 4, "ideal": 7}, "words", "warm")
	answered := w.EventsOf("SurveyAnswered", 1)[0]
	golden.JSON(t, "testdata/survey_answered_ratings.json", answered.Data)
}

func TestOfFiftyWhoAnswerAtOnceOneIsTaken(t *testing.T) {
	t.Parallel()
	w := begin(t)
	s := w.from("nps")
	path := w.link(w.invite(s, uuid.NewString()))
	var taken, refused atomic.Int32
	var all sync.WaitGroup
	for n := range 50 {
		all.Go(func() {
			a := w.Do(http.MethodPost, path+"/answer", "", filled("score", n%11))
			switch {
			case a.Status == http.StatusNoContent:
				taken.Add(1)
			case a.Code() == "survey_answered":
				refused.Add(1)
			default:
				t.Errorf("got %d %s", a.Status, a.Body)
			}
		})
	}
	all.Wait()
	if taken.Load() != 1 || refused.Load() != 49 || w.Count(`SELECT count(*) FROM survey_answer`) != 1 {
		t.Errorf("%d taken, %d refused", taken.Load(), refused.Load())
	}
	w.EventsOf("SurveyAnswered", 1)
	if n := w.Count(`SELECT seq FROM outbox_seq WHERE aggregate_type = 'invitation'`); n != 2 {
		t.Errorf("%d events", n)
	}
}

func TestALinkIsFetchedOnceByTenAtOnce(t *testing.T) {
	t.Parallel()
	w := begin(t)
	i := w.invite(w.from("nps"), uuid.NewString())
	var given atomic.Int32
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			switch a := w.Do(http.MethodPost, "/v1/survey-invitations/"+i.ID+"/hand-over", w.Agent, nil); {
			case a.Status == http.StatusOK:
				given.Add(1)
			case a.Code() != "link_used":
				t.Errorf("got %d %s", a.Status, a.Body)
			}
		})
	}
	all.Wait()
	if given.Load() != 1 {
		t.Errorf("given %d times", given.Load())
	}
}

func TestLinksThatLeadNowhereAreAnsweredAlike(t *testing.T) {
	t.Parallel()
	w := begin(t)
	path := w.link(w.invite(w.from("csat"), uuid.NewString()))
	first := ""
	for _, token := range []string{
		"x", strings.Repeat("A", 43), path[len("/v1/survey-forms/"):][:42], strings.Repeat("z", 2000), "%E4%B8%AD", uuid.NewString(),
		strings.ToUpper(path[len("/v1/survey-forms/"):]), "' OR 1=1 --",
	} {
		token = strings.ReplaceAll(token, " ", "%20")
		for _, a := range []struct {
			status int
			body   []byte
		}{
			func() (r struct {
				status int
				body   []byte
			}) {
				got := w.Do(http.MethodGet, "/v1/survey-forms/"+token, "", nil)
				r.status, r.body = got.Status, got.Body
				return r
			}(),
			func() (r struct {
				status int
				body   []byte
			}) {
				got := w.Do(http.MethodPost, "/v1/survey-forms/"+token+"/answer", "", filled("score", 99, "nonsense", 1))
				r.status, r.body = got.Status, got.Body
				return r
			}(),
		} {
			var p map[string]any
			if err := json.Unmarshal(a.body, &p); err != nil {
				t.Fatalf("%s: %v", token, err)
			}
			delete(p, "trace_id")
			delete(p, "instance")
			text := fmt.Sprint(a.status, p)
			if first == "" {
				first = text
			}
			if text != first || a.status != http.StatusNotFound || p["code"] != "survey_link_unknown" {
				t.Errorf("%.50s: got %s, another one %s", token, text, first)
			}
		}
	}
}

func TestALinkLocksAfterFourteenDays(t *testing.T) {
	t.Parallel()
	w := begin(t)
	i := w.invite(w.from("ces"), uuid.NewString())
	sent, err := time.Parse(time.RFC3339Nano, i.Sent)
	locks, err2 := time.Parse(time.RFC3339Nano, i.Locks)
	if err != nil || err2 != nil || locks.Sub(sent) != 14*24*time.Hour {
		t.Fatalf("sent %s, locks %s", i.Sent, i.Locks)
	}
	path := w.link(i)
	w.alter(`UPDATE survey_invitation SET locks_at = now()`)
	if a := w.Do(http.MethodGet, path, "", nil); a.Status != http.StatusGone || a.Code() != "survey_locked" {
		t.Errorf("opened: %d %s", a.Status, a.Body)
	}
	if a := w.Do(http.MethodPost, "/v1/survey-invitations", w.Agent, body{"survey_id": w.from("ces").ID, "customer_id": uuid.NewString(), "ticket_id": uuid.NewString()}); a.Status != http.StatusUnprocessableEntity {
		t.Errorf("about a ticket that is not there: %d %s", a.Status, a.Body)
	}
	if a := w.Do(http.MethodPost, path+"/answer", "", filled("score", 4)); a.Status != http.StatusGone || a.Code() != "survey_locked" {
		t.Errorf("answered: %d %s", a.Status, a.Body)
	}
	late := w.invite(w.from("ces"), uuid.NewString())
	w.alter(`UPDATE survey_invitation SET locks_at = now()`)
	if a := w.Do(http.MethodPost, "/v1/survey-invitations/"+late.ID+"/hand-over", w.Agent, nil); a.Code() != "survey_locked" {
		t.Errorf("fetched too late: %d %s", a.Status, a.Body)
	}
}

func TestAnswersThatAreNotRightAreRefused(t *testing.T) {
	t.Parallel()
	w := begin(t)
	score, other := w.from("csat"), w.from("ideal_product")
	var many made
	w.Want(http.StatusCreated, http.MethodPost, "/v1/surveys", w.Manager, body{"code": "many", "kind": "questionnaire", "content": content()}, &many)
	for name, c := range map[string]struct {
		of   made
		b    any
		want string // location and code
	}{
		"nothing":                        {score, body{"answers": []body{}}, "body.answers answer_missing"},
		"a score above the scale":        {score, filled("score", 6), "body.answers[0].number out_of_range"},
		"a score below it":               {score, filled("score", 0), "body.answers[0].number out_of_range"},
		"no score":                       {score, filled("score", body{}), "body.answers[0].number out_of_range"},
		"the score twice":                {score, filled("score", 4, "score", 5), "body.answers[1].question question_unknown"},
		"another survey's question":      {score, filled("score", 4, "quality", 4), "body.answers[1].question question_unknown"},
		"words for a number":             {score, filled("score", "very"), "body.answers[0].words not_of_kind"},
		"a number for words":             {score, filled("score", 4, "why", 4), "body.answers[1].number not_of_kind"},
		"empty words":                    {score, filled("score", 4, "why", "  "), "body.answers[1].words words_length"},
		"half of a pair":                 {other, filled("quality", body{"perceived": 4}), "body.answers[0].ideal out_of_range"},
		"an option that is not there":    {many, filled("one", body{"choices": []string{"z"}}), "body.answers[0].choices[0] choice_unknown"},
		"two of one":                     {many, filled("one", body{"choices": []string{"a", "b"}}), "body.answers[0].choices choices_count"},
		"none of one":                    {many, filled("one", body{"choices": []string{}}), "body.answers[0].choices choices_count"},
		"an option twice":                {many, filled("one", body{"choices": []string{"a"}}, "many", body{"choices": []string{"a", "a"}}), "body.answers[1].choices[1] choice_unknown"},
		"a Kano pair out of its scale":   {many, filled("one", body{"choices": []string{"a"}}, "pair", body{"with": 0, "without": 6}), "body.answers[1].without out_of_range"},
		"an index item out of its scale": {many, filled("one", body{"choices": []string{"a"}}, "index", 11), "body.answers[1].number out_of_range"},
	} {
		path := w.link(w.invite(c.of, uuid.NewString()))
		a := w.Do(http.MethodPost, path+"/answer", "", c.b)
		var p struct {
			Errors []struct{ Location, Code string }
		}
		a.Decode(t, &p)
		found := slices.ContainsFunc(p.Errors, func(e struct{ Location, Code string }) bool { return e.Location+" "+e.Code == c.want })
		if a.Status != http.StatusUnprocessableEntity || !found {
			t.Errorf("%s: got %d %s, want %s", name, a.Status, a.Body, c.want)
		}
		if w.Do(http.MethodGet, path, "", nil).Status != http.StatusOK {
			t.Errorf("%s: the link is used up by what was refused", name)
		}
	}
}

// content is a questionnaire with a question of every kind, as the API takes it.
func content() body {
	words := func(s string) body { return body{"en": s} }
	options := []body{{"code": "a", "text": words("A")}, {"code": "b", "text": words("B")}, {"code": "c", "text": words("C")}}
	return body{"title": words("Many"), "language": "en", "questions": []body{
		{"code": "one", "kind": "single", "text": words("One?"), "required": true, "options": options},
		{"code": "many", "kind": "multiple", "text": words("Many?"), "options": options},
		{"code": "much", "kind": "scale", "text": words("How much?"), "min": 1, "max": 7, "dimension": "ability"},
		{"code": "more", "kind": "scale", "text": words("How much more?"), "min": 1, "max": 7, "dimension": "ability"},
		{"code": "pair", "kind": "kano", "text": words("With?"), "without": words("Without?")},
		{"code": "index", "kind": "acsi", "text": words("Over all?"), "role": "satisfaction", "weight": 2},
		{"code": "met", "kind": "acsi", "text": words("Expected?"), "role": "expectancy", "weight": 1},
		{"code": "near", "kind": "acsi", "text": words("Ideal?"), "role": "ideal", "weight": 1},
		{"code": "gap", "kind": "ideal", "text": words("Size?"), "min": 1, "max": 9, "weight": 2},
		{"code": "words", "kind": "text", "text": words("Why?")},
	}}
}

func TestVersionsOfASurvey(t *testing.T) {
	t.Parallel()
	w := begin(t)
	s := w.from("csat")
	early := w.link(w.invite(s, uuid.NewString()))
	title := s.Content["title"].(map[string]any)
	title["en"] = "How was it?"
	path := "/v1/surveys/" + s.ID
	if a := w.Do(http.MethodPut, path, w.Manager, s.Content); a.Code() != "if_match_missing" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	var now made
	w.Want(http.StatusOK, http.MethodPut, path, w.Manager, s.Content, &now, "If-Match", `"1"`)
	if now.Version != 2 || now.Questions != 2 {
		t.Errorf("%+v", now)
	}
	if a := w.Do(http.MethodPut, path, w.Manager, s.Content, "If-Match", `"1"`); a.Status != http.StatusPreconditionFailed {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	var form struct{ Title string }
	w.Want(http.StatusOK, http.MethodGet, early, "", nil, &form)
	if form.Title != "Your satisfaction" {
		t.Errorf("who was invited before keeps the questions: %+v", form)
	}
	w.Want(http.StatusOK, http.MethodGet, w.link(w.invite(s, uuid.NewString())), "", nil, &form)
	if form.Title != "How was it?" {
		t.Errorf("%+v", form)
	}
	var old made
	w.Want(http.StatusOK, http.MethodGet, path+"?questions_version=1", w.Manager, nil, &old)
	if old.Content["title"].(map[string]any)["en"] != "Your satisfaction" {
		t.Errorf("%+v", old)
	}
	w.Want(http.StatusNotFound, http.MethodGet, path+"?questions_version=9", w.Manager, nil, nil)
	w.Want(http.StatusOK, http.MethodPost, path+"/close", w.Manager, nil, &now)
	if a := w.Do(http.MethodPost, "/v1/survey-invitations", w.Agent, body{"survey_id": s.ID, "customer_id": uuid.NewString()}); a.Code() != "survey_closed" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	w.Want(http.StatusNoContent, http.MethodPost, early+"/answer", "", filled("score", 3), nil)
	w.Want(http.StatusOK, http.MethodPost, path+"/open", w.Manager, nil, &now)
	if now.State != "open" || now.Version != 4 || now.Questions != 2 {
		t.Errorf("%+v", now)
	}
	if a := w.Do(http.MethodPost, "/v1/surveys", w.Manager, body{"code": "twice", "template": "csat"}); a.Status != http.StatusCreated {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := w.Do(http.MethodPost, "/v1/surveys", w.Manager, body{"code": "twice", "template": "nps"}); a.Code() != "survey_code_taken" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

func TestATenantSeesItsOwnSurveysOnly(t *testing.T) {
	t.Parallel()
	w := begin(t)
	s := w.from("csat")
	i := w.invite(s, uuid.NewString())
	var trigger struct {
		ID string `json:"trigger_id"`
	}
	set := body{"survey_id": s.ID, "moment": "interaction", "cooldown_days": 30, "active": true}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/survey-triggers", w.Manager, set, &trigger)
	music := w.Token(auth.RoleAdmin, "music")
	courier := w.Token(auth.RoleIntegrator, "music")
	for _, c := range []struct {
		method, path, token string
		b                   any
	}{
		{http.MethodGet, "/v1/surveys/" + s.ID, music, nil},
		{http.MethodGet, "/v1/surveys/" + s.ID + "/results", music, nil},
		{http.MethodGet, "/v1/surveys/" + s.ID + "/answers", music, nil},
		{http.MethodGet, "/v1/surveys/" + s.ID + "/answers.csv", music, nil},
		{http.MethodPost, "/v1/surveys/" + s.ID + "/close", music, nil},
		{http.MethodGet, "/v1/survey-invitations/" + i.ID, music, nil},
		{http.MethodPost, "/v1/survey-invitations/" + i.ID + "/hand-over", music, nil},
		{http.MethodPost, "/v1/survey-invitations/" + i.ID + "/link", courier, nil},
		{http.MethodPost, "/v1/survey-invitations/" + i.ID + "/bounce", courier, nil},
		{http.MethodPost, "/v1/survey-invitations/" + i.ID + "/again", music, nil},
		{http.MethodPost, "/v1/survey-invitations", music, body{"survey_id": s.ID, "customer_id": uuid.NewString()}},
	} {
		if a := w.Do(c.method, c.path, c.token, c.b); a.Status != http.StatusNotFound {
			t.Errorf("%s %s: got %d %s", c.method, c.path, a.Status, a.Body)
		}
	}
	if a := w.Do(http.MethodPut, "/v1/survey-triggers/"+trigger.ID, music, set, "If-Match", "*"); a.Status != http.StatusNotFound {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := w.Do(http.MethodPost, "/v1/survey-triggers", music, set); a.Status != http.StatusUnprocessableEntity {
		t.Errorf("another tenant's survey is sent: %d %s", a.Status, a.Body)
	}
	for _, path := range []string{"/v1/surveys", "/v1/survey-triggers", "/v1/survey-invitations"} {
		var page struct{ Items []any }
		w.Want(http.StatusOK, http.MethodGet, path, music, nil, &page)
		if len(page.Items) != 0 {
			t.Errorf("%s: %v", path, page.Items)
		}
	}
	for _, c := range []struct{ method, path, token string }{
		{http.MethodPost, "/v1/survey-invitations/" + i.ID + "/link", w.Manager}, {http.MethodGet, "/v1/surveys/" + s.ID + "/results", w.Agent},
		{http.MethodPost, "/v1/surveys/" + s.ID + "/close", w.Agent}, {http.MethodPost, "/v1/survey-invitations/" + i.ID + "/bounce", w.Agent},
	} {
		w.Want(http.StatusForbidden, c.method, c.path, c.token, nil, nil)
	}
}

func TestWhatWasWrittenIsOnlyAddedTo(t *testing.T) {
	t.Parallel()
	w := begin(t)
	w.give(w.from("csat"), uuid.NewString(), "score", 5, "why", "warm")
	for _, table := range []string{"survey_answer", "survey_value", "survey_words", "survey_version"} {
		for _, sql := range []string{"UPDATE " + table + " SET tenant_id = tenant_id", "DELETE FROM " + table} {
			if err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error { tx.Queue(sql); return nil }); err == nil {
				t.Errorf("%s is allowed", sql)
			}
		}
	}
}

func TestSurveysRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := begin(t)
	s := w.from("csat")
	i := w.invite(s, uuid.NewString())
	text := func(b body) string {
		raw, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	fresh := func() string { return text(body{"code": "s" + uuid.NewString()[:8], "template": "nps"}) }
	invite := func() string { return text(body{"survey_id": s.ID, "customer_id": uuid.NewString()}) }
	for name, target := range map[string]badinput.Target{
		"make":        {Method: http.MethodPost, Path: "/v1/surveys", Body: fresh(), Fresh: fresh, Replay: true, OtherBody: fresh()},
		"change":      {Method: http.MethodPut, Path: "/v1/surveys/" + s.ID, Body: text(s.Content), Version: true, Owned: true, Header: http.Header{"If-Match": {`"1"`}}},
		"close":       {Method: http.MethodPost, Path: "/v1/surveys/" + w.from("csat").ID + "/close", Owned: true, Replay: true},
		"list":        {Method: http.MethodGet, Path: "/v1/surveys", List: true},
		"get":         {Method: http.MethodGet, Path: "/v1/surveys/" + s.ID, Owned: true},
		"results":     {Method: http.MethodGet, Path: "/v1/surveys/" + s.ID + "/results", Owned: true},
		"answers":     {Method: http.MethodGet, Path: "/v1/surveys/" + s.ID + "/answers", Owned: true, List: true},
		"trigger":     {Method: http.MethodPost, Path: "/v1/survey-triggers", Body: text(body{"survey_id": s.ID, "moment": "interaction", "cooldown_days": 30, "active": true}), Replay: true, OtherBody: text(body{"survey_id": s.ID, "moment": "ticket_closed", "cooldown_days": 30, "active": true})},
		"triggers":    {Method: http.MethodGet, Path: "/v1/survey-triggers", List: true},
		"invite":      {Method: http.MethodPost, Path: "/v1/survey-invitations", Body: invite(), Replay: true, OtherBody: invite()},
		"invitations": {Method: http.MethodGet, Path: "/v1/survey-invitations", List: true},
		"invitation":  {Method: http.MethodGet, Path: "/v1/survey-invitations/" + i.ID, Owned: true},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.Manager
			badinput.Check(t, target)
		})
	}
	path := w.link(w.invite(s, uuid.NewString()))
	for name, c := range map[string]struct {
		b      string
		status int
	}{
		"no JSON": {"{", 400}, "an unknown field": {`{"answers":[],"admin":true}`, 422}, "no answers": {`{}`, 422}, "a score of words": {`{"answers":[{"question":"score","number":"4"}]}`, 422},
		"a fraction": {`{"answers":[{"question":"score","number":4.5}]}`, 422}, "U+0000": {`{"answers":[{"question":"why","words":"\u0000"}]}`, 400},
		"2 MiB": {`{"answers":[{"question":"why","words":"` + strings.Repeat("a", 2<<20) + `"}]}`, 413}, "too many answers": {`{"answers":[` + strings.Repeat(`{"question":"score","number":4},`, 60) + `{"question":"score","number":4}]}`, 422},
	} {
		if a := w.Do(http.MethodPost, path+"/answer", "", c.b); a.Status != c.status {
			t.Errorf("%s: got %d %s", name, a.Status, a.Body)
		}
	}
	w.Want(http.StatusNoContent, http.MethodPost, path+"/answer", "", filled("score", 4), nil)
	for name, b := range map[string]any{
		"a trigger without end":    body{"survey_id": s.ID, "moment": "interaction", "cooldown_days": 366, "active": true},
		"a trigger of the past":    body{"survey_id": s.ID, "moment": "birthday", "cooldown_days": 1, "active": true},
		"a trigger for nothing":    body{"survey_id": uuid.NewString(), "moment": "interaction", "cooldown_days": 1, "active": true},
		"a trigger of odd filters": body{"survey_id": s.ID, "moment": "interaction", "filter": "a b", "cooldown_days": 1, "active": true},
	} {
		if a := w.Do(http.MethodPost, "/v1/survey-triggers", w.Manager, b); a.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	for name, b := range map[string]body{
		"neither kind nor template": {"code": "x"}, "both": {"code": "x", "template": "nps", "kind": "nps"}, "an unknown template": {"code": "x", "template": "horoscope"},
		"content without kind": {"code": "x", "content": content()}, "a code of spaces": {"code": "  ", "template": "nps"},
	} {
		if a := w.Do(http.MethodPost, "/v1/surveys", w.Manager, b); a.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
}

func TestAFormIsAPageForPeople(t *testing.T) {
	t.Parallel()
	w := begin(t)
	c := content()
	c["title"] = body{"en": `<script>alert("热")</script>`}
	var s made
	w.Want(http.StatusCreated, http.MethodPost, "/v1/surveys", w.Manager, body{"code": "page", "kind": "questionnaire", "content": c}, &s)
	path := w.link(w.invite(s, uuid.NewString()))
	a := w.Want(http.StatusOK, http.MethodGet, path+"/page", "", nil, nil, "Accept-Language", "de-AT, en;q=0.5")
	html := string(a.Body)
	if strings.Contains(html, "<script>alert") || !strings.Contains(html, "&lt;script&gt;alert") {
		t.Errorf("words run as a script: %s", html)
	}
	policy := a.Header.Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is %s", policy)
	}
	if a.Header.Get("Referrer-Policy") != "no-referrer" || a.Header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
		t.Errorf("%v", a.Header)
	}
	for _, want := range []string{`data-question="pair"`, `data-part="without"`, `data-part="ideal" value="9"`, `type="checkbox" name="many" data-part="choices" value="c"`, path + "/answer"} {
		if !strings.Contains(html, want) {
			t.Errorf("%s is missing in %s", want, html)
		}
	}
	ready := w.link(w.invite(w.from("nps", "anonymous", true), uuid.NewString()))
	for language, want := range map[string]string{"zh-CN,zh;q=0.9": "您的回答是匿名的", "de": "Ihre Antworten führen nicht", "fr": "Your answers do not lead back"} {
		if a := w.Do(http.MethodGet, ready+"/page", "", nil, "Accept-Language", language); !strings.Contains(string(a.Body), want) {
			t.Errorf("%s: %s", language, a.Body)
		}
	}
	if a := w.Do(http.MethodGet, "/v1/survey-forms/nowhere/page", "", nil); a.Status != http.StatusNotFound || a.Code() != "survey_link_unknown" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}
