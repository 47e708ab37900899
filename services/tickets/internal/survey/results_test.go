package survey_test

import (
	"encoding/csv"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/survey"
)

func TestResultsOfAQuestionnaire(t *testing.T) {
	t.Parallel()
	w := begin(t)
	var s made
	w.Want(http.StatusCreated, http.MethodPost, "/v1/surveys", w.Manager, body{"code": "many", "kind": "questionnaire", "content": content()}, &s)
	one := func(n int) {
		choice := []string{"a", "b"}[n%2]
		w.give(s, uuid.NewString(), "one", body{"choices": []string{choice}}, "many", body{"choices": [][]string{{"a", "c"}, {"b", "c"}}[n%2]},
			"much", 1+n%7, "more", 7, "pair", body{"with": 1, "without": []int{3, 5}[n%2]}, "index", 10, "met", 7, "near", 4,
			"gap", body{"perceived": 3, "ideal": 3 + n%3}, "words", "because")
	}
	for n := range 29 {
		one(n)
	}
	r := w.results(s, "")
	if r.Total.Verdict != "not_enough_data" || r.Total.Answers != 29 || r.Index != nil || r.Distance != nil || r.Questions[2].Verdict != "not_enough_data" || r.Dimensions[0].Verdict != "not_enough_data" {
		t.Fatalf("29 answers: %+v", r)
	}
	one(29)
	r = w.results(s, "")
	by := map[string]question{}
	for _, q := range r.Questions {
		by[q.Question] = q
	}
	if r.Total.Verdict != "enough" || r.Total.Score != nil || *r.Total.Rate != 1 {
		t.Errorf("%+v", r.Total)
	}
	if q := by["one"]; q.N != 30 || q.Counts[0].N != 15 || q.Counts[1].N != 15 || q.Counts[2].N != 0 {
		t.Errorf("one: %+v", q)
	}
	if q := by["many"]; q.N != 30 || q.Counts[0].N != 15 || q.Counts[1].N != 15 || q.Counts[2].N != 30 {
		t.Errorf("many: %+v", q)
	}
	if q := by["pair"]; q.Better != 1 || q.Worse != -0.5 || q.Counts[1].Value != "one_dimensional" || q.Counts[1].N != 15 || q.Counts[2].N != 15 {
		t.Errorf("pair: %+v", q)
	}
	if q := by["gap"]; q.Gap != 1 || *r.Distance != 2 {
		t.Errorf("gap: %+v, distance %v", q, r.Distance)
	}
	if got, want := *r.Index, (9*2.0+6+3)/4/9*100; got < want-1e-9 || got > want+1e-9 {
		t.Errorf("index %g, want %g", got, want)
	}
	if d := r.Dimensions[0]; d.Dimension != "ability" || d.Mean <= 5 || d.Mean >= 6 {
		t.Errorf("%+v", d)
	}
	if q := by["words"]; q.N != 30 || len(q.Counts) != 0 {
		t.Errorf("words: %+v", q)
	}
}

func TestResultsByTouchpointAndPeriod(t *testing.T) {
	t.Parallel()
	w := begin(t)
	s := w.from("csat")
	for n := range 40 {
		touchpoint := []string{"store", "web"}[n%4/3]
		path := w.link(w.invite(s, uuid.NewString(), "touchpoint", touchpoint))
		w.Want(http.StatusNoContent, http.MethodPost, path+"/answer", "", filled("score", 3+n%3), nil)
	}
	w.invite(s, uuid.NewString(), "touchpoint", "web") // who does not answer
	w.alter(`UPDATE survey_invitation SET sent_at = sent_at - interval '40 days' WHERE touchpoint = 'web' AND state = 'answered'`)
	r := w.results(s, "?group=touchpoint")
	if r.Total.Score == nil || r.Total.Sent != 41 || r.Total.Answered != 40 || len(r.Groups) != 2 {
		t.Fatalf("%+v", r)
	}
	store, web := r.Groups[0], r.Groups[1]
	if store.Group != "store" || store.Answers != 30 || store.Score == nil || web.Answers != 10 || web.Score != nil || web.Verdict != "not_enough_data" {
		t.Errorf("store %+v, web %+v", store, web)
	}
	if v := *r.Total.Score; v.Value != 26.0/40 || v.Low >= v.Value || v.High <= v.Value {
		t.Errorf("%+v", v)
	}
	if r := w.results(s, "?touchpoint=web&from="+time.Now().UTC().Add(-time.Hour).Format(time.RFC3339)); r.Total.Sent != 1 || *r.Total.Rate != 0 || r.Total.Answers != 10 {
		t.Errorf("of what was sent lately: %+v", r.Total)
	}
	if r := w.results(s, "?to=2020-01-01T00:00:00Z"); r.Total.Sent != 0 || r.Total.Answers != 0 || r.Total.Rate != nil {
		t.Errorf("before there was anything: %+v", r.Total)
	}
	if r := w.results(s, "?group=month"); len(r.Groups) < 2 || !strings.HasSuffix(r.Groups[0].Group, "-01") {
		t.Errorf("by month: %+v", r.Groups)
	}
}

func TestInAnonymousModeNothingLeadsBack(t *testing.T) {
	t.Parallel()
	w := begin(t)
	s, lei := w.from("csat", "anonymous", true), uuid.NewString()
	i := w.invite(s, lei)
	path := w.link(i)
	w.Want(http.StatusNoContent, http.MethodPost, path+"/answer", "", filled("score", 2, "why", "cold"), nil)
	if a := w.Do(http.MethodPost, path+"/answer", "", filled("score", 2)); a.Code() != "survey_answered" {
		t.Errorf("answered again: %d %s", a.Status, a.Body)
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/survey-invitations/"+i.ID, w.Agent, nil, &i)
	if i.State != "sent" || i.Answered != "" {
		t.Errorf("the invitation tells that it was answered: %+v", i)
	}
	if r := w.results(s, ""); r.Total.Answered != 1 || r.Total.Answers != 0 {
		t.Errorf("the one answer is not mixed with others: %+v", r.Total)
	}
	for range 4 {
		w.give(s, uuid.NewString(), "score", 5)
	}
	if n := w.Count(`SELECT count(*) FROM survey_answer WHERE invitation_id IS NULL AND customer_id IS NULL AND ticket_id IS NULL
		AND answered_at = date_trunc('day', answered_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AND abs(extract(epoch FROM now() - answered_at)) < 86400`); n != 5 {
		t.Errorf("%d answers do not tell whose they are, nor when in the day they were given", n)
	}
	if n := w.Count(`SELECT count(DISTINCT i.id) FROM survey_answer a JOIN survey_invitation i ON i.xmin = a.xmin`); n != 1 {
		t.Errorf("the transactions of %d invitations tell answers", n)
	}
	if n := w.Count(`SELECT count(*) FROM survey_answer a WHERE substr(a.id::text, 1, 13) IN (SELECT substr(i.id::text, 1, 13) FROM survey_invitation i)`); n != 0 {
		t.Errorf("ids tell when %d answers were given", n)
	}
	sent, answered := w.EventsOf("SurveySent", 5), w.EventsOf("SurveyAnswered", 5)
	for _, e := range answered {
		for _, other := range sent {
			if e.AggregateID == other.AggregateID || strings.Contains(string(e.Data), other.AggregateID) || strings.Contains(string(other.Data), lei) {
				t.Errorf("%s leads to %s", e.Data, other.Data)
			}
		}
		if !e.Time.Equal(e.Time.Truncate(24 * time.Hour)) {
			t.Errorf("the event tells when: %s", e.Time)
		}
	}
	if a := w.Do(http.MethodGet, "/v1/surveys/"+s.ID+"/answers", w.Manager, nil); a.Code() != "not_enough_data" {
		t.Errorf("the few answers of those who were asked: %d %s", a.Status, a.Body)
	}
	if r := w.results(s, ""); r.Total.Answers != 5 || len(r.Questions[0].Counts) != 0 {
		t.Errorf("%+v", r)
	}
	for range 25 {
		w.give(s, uuid.NewString(), "score", 5)
	}
	list := w.Want(http.StatusOK, http.MethodGet, "/v1/surveys/"+s.ID+"/answers?limit=200", w.Manager, nil, nil)
	if strings.Contains(string(list.Body), "customer_id") || strings.Contains(string(list.Body), "invitation_id") || !strings.Contains(string(list.Body), "cold") {
		t.Errorf("%s", list.Body)
	}
	if r := w.results(s, ""); r.Total.Answers != 30 || r.Total.Score == nil {
		t.Errorf("%+v", r.Total)
	}
	if a := w.Do(http.MethodPost, "/v1/survey-triggers", w.Manager, body{"survey_id": s.ID, "moment": "complaint_closed", "cooldown_days": 0, "active": true}); a.Status != http.StatusUnprocessableEntity {
		t.Errorf("a complaint is not verified by nobody: %d %s", a.Status, a.Body)
	}
}

func TestFewAnonymousAnswersAreTakenOutTheDayAfter(t *testing.T) {
	t.Parallel()
	w := begin(t)
	s := w.from("csat", "anonymous", true)
	w.give(s, uuid.NewString(), "score", 4, "why", "warm")
	w.give(s, uuid.NewString(), "score", 1)
	surveys := survey.New(w.DB, outbox.New("tickets"), nil, time.Now)
	empty := func() int64 {
		if err := surveys.EmptyUrns(t.Context()); err != nil {
			t.Fatal(err)
		}
		return w.Count(`SELECT count(*) FROM survey_answer`)
	}
	if n := empty(); n != 0 {
		t.Errorf("%d of the same day", n)
	}
	w.alter(`UPDATE survey_urn SET answered_on = answered_on - interval '1 day'`)
	if n := empty(); n != 2 || w.Count(`SELECT count(*) FROM survey_words WHERE words = 'warm'`) != 1 {
		t.Errorf("%d of the day before", n)
	}
	if n := empty(); n != 2 || w.Count(`SELECT count(*) FROM survey_urn`) != 0 {
		t.Errorf("again: %d", n)
	}
}

func TestOfManyAnonymousAnswersAtOnceNoneIsLost(t *testing.T) {
	t.Parallel()
	w := begin(t)
	s := w.from("nps", "anonymous", true)
	var paths []string
	for range 30 {
		paths = append(paths, w.link(w.invite(s, uuid.NewString())))
	}
	var all sync.WaitGroup
	for n, path := range paths {
		all.Go(func() {
			if a := w.Do(http.MethodPost, path+"/answer", "", filled("score", n%11)); a.Status != http.StatusNoContent {
				t.Errorf("got %d %s", a.Status, a.Body)
			}
		})
	}
	all.Wait()
	if n := w.Count(`SELECT count(*) FROM survey_answer`); n != 30 {
		t.Errorf("%d answers", n)
	}
}

func TestAnswersAreExportedRowByRow(t *testing.T) {
	t.Parallel()
	w := begin(t)
	s := w.from("csat")
	w.give(s, uuid.NewString(), "score", 5, "why", "=1+1")
	w.give(s, uuid.NewString(), "score", 1, "why", "cold, \"very\"\ncold")
	a := w.Want(http.StatusOK, http.MethodGet, "/v1/surveys/"+s.ID+"/answers.csv", w.Manager, nil, nil)
	rows, err := csv.NewReader(strings.NewReader(string(a.Body))).ReadAll()
	if err != nil || len(rows) != 5 {
		t.Fatalf("%v: %s", err, a.Body)
	}
	column := func(row int, name string) string { return rows[row][slices.Index(rows[0], name)] }
	if column(1, "question") != "score" || column(1, "number") != "5" || column(2, "words") != "'=1+1" || column(4, "words") != "cold, \"very\"\ncold" || column(3, "language") != "zh" {
		t.Errorf("%q", rows)
	}
	if a := w.Do(http.MethodGet, "/v1/surveys/"+s.ID+"/answers.csv?from=yesterday", w.Manager, nil); a.Status != http.StatusUnprocessableEntity {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := w.Want(http.StatusOK, http.MethodGet, "/v1/surveys/"+s.ID+"/answers.csv?to=2020-01-01T00:00:00Z", w.Manager, nil, nil); strings.Count(string(a.Body), "\n") != 1 {
		t.Errorf("%s", a.Body)
	}
}
