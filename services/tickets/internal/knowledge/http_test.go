package knowledge_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

type body = ticketstest.Body

type article struct {
	ID        string `json:"article_id"`
	State     string
	Current   int
	Draft     int
	Title     string
	Audience  string
	Helped    int64
	NotHelped int64 `json:"not_helped"`
	Version   int64
	Score     int64
	Matched   []string
	Said      *bool `json:"said_to_help"`
}

type page struct {
	Items      []article
	NextCursor string `json:"next_cursor"`
}

func (p page) titles() []string {
	all := []string{}
	for _, a := range p.Items {
		all = append(all, a.Title)
	}
	return all
}

type world struct {
	*ticketstest.World
	t *testing.T
}

func start(t *testing.T) *world {
	t.Helper()
	return &world{ticketstest.Start(t), t}
}

func text(title, content string) body {
	return body{"title": title, "body": content, "audience": "public", "language": "en"}
}

// begin writes a first draft.
func (w *world) begin(b body) article {
	w.t.Helper()
	var a article
	w.Want(http.StatusCreated, http.MethodPost, "/v1/articles", w.Agent, b, &a)
	return a
}

// do takes a step with an article as it is.
func (w *world) do(a article, method, step string, b any) article {
	w.t.Helper()
	var now article
	w.Want(http.StatusOK, method, "/v1/articles/"+a.ID+"/"+step, w.Agent, b, &now, "If-Match", "*")
	return now
}

// publish writes and publishes an article.
func (w *world) publish(title, content string) article {
	w.t.Helper()
	return w.do(w.begin(text(title, content)), http.MethodPost, "publish", nil)
}

// find asks with a query string's parameters, in turns.
func (w *world) find(token string, parameters ...string) page {
	w.t.Helper()
	query := url.Values{}
	for i := 0; i < len(parameters); i += 2 {
		query.Add(parameters[i], parameters[i+1])
	}
	var p page
	w.Want(http.StatusOK, http.MethodGet, "/v1/articles?"+query.Encode(), token, nil, &p)
	return p
}

func TestAnArticleIsWrittenPublishedAndReplaced(t *testing.T) {
	t.Parallel()
	w := start(t)
	a := w.begin(body{"title": " A bottle is missing ", "body": "Count the <b>bottles</b>.\n\nThen send one.", "keywords": []string{"cola", "short"}, "audience": "internal", "language": "en"})
	if got := w.find(w.Agent).titles(); len(got) != 0 {
		t.Fatalf("a draft is found: %v", got)
	}
	a = w.do(a, http.MethodPost, "publish", nil)
	b := text("A bottle is short", "Send one.")
	b["audience"] = "public"
	a = w.do(a, http.MethodPut, "draft", b)
	if a.Current != 1 || a.Draft != 2 || a.Title != "A bottle is missing" || a.Audience != "internal" {
		t.Fatalf("with a second draft: %+v", a)
	}
	if got := w.find(w.Agent, "q", "short").titles(); !slices.Equal(got, []string{"A bottle is missing"}) { // by its keyword
		t.Fatalf("found: %v", got)
	}
	a = w.do(a, http.MethodPost, "publish", nil)
	if got := w.find(w.Agent, "audience", "public").titles(); !slices.Equal(got, []string{"A bottle is short"}) {
		t.Fatalf("found: %v", got)
	}
	golden.JSON(t, "testdata/article.json", w.Want(http.StatusOK, http.MethodGet, "/v1/articles/"+a.ID, w.Agent, nil, nil).Body)
	golden.JSON(t, "testdata/versions.json", w.Want(http.StatusOK, http.MethodGet, "/v1/articles/"+a.ID+"/versions", w.Agent, nil, nil).Body)
	first := w.Want(http.StatusOK, http.MethodGet, "/v1/articles/"+a.ID+"/versions/1", w.Agent, nil, nil)
	if !strings.Contains(string(first.Body), `"state":"archived"`) || first.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Fatalf("%v %s", first.Header, first.Body)
	}

	var versions struct {
		Items      []struct{ No int }
		NextCursor string `json:"next_cursor"`
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/articles/"+a.ID+"/versions?limit=1", w.Agent, nil, &versions)
	next := versions.NextCursor
	versions.NextCursor = ""
	w.Want(http.StatusOK, http.MethodGet, "/v1/articles/"+a.ID+"/versions?limit=1&cursor="+next, w.Agent, nil, &versions)
	if len(versions.Items) != 1 || versions.Items[0].No != 1 || versions.NextCursor != "" {
		t.Fatalf("%+v", versions)
	}

	w.do(a, http.MethodPost, "archive", nil)
	if got := w.find(w.Agent, "q", "bottle").titles(); len(got) != 0 {
		t.Fatalf("found after it was withdrawn: %v", got)
	}
	if got := w.find(w.Agent, "q", "bottle", "state", "archived").titles(); len(got) != 1 {
		t.Fatalf("not found among what was withdrawn: %v", got)
	}
	if got := w.Want(http.StatusConflict, http.MethodPost, "/v1/articles/"+a.ID+"/publish", w.Agent, nil, nil, "If-Match", "*").Code(); got != "article_no_draft" {
		t.Fatalf("%s", got)
	}
	back := w.do(w.do(a, http.MethodPut, "draft", text("It is back", "x")), http.MethodPost, "publish", nil)
	if back.State != "published" || back.Current != 3 {
		t.Fatalf("brought back: %+v", back)
	}
}

func TestTwoWhoWriteDoNotOverwriteEachOther(t *testing.T) {
	t.Parallel()
	w := start(t)
	a := w.begin(text("one", "x"))
	path := "/v1/articles/" + a.ID + "/draft"
	var wait sync.WaitGroup
	answers := make([]int, 8)
	for i := range answers {
		wait.Go(func() { answers[i] = w.Do(http.MethodPut, path, w.Agent, text("mine", "x"), "If-Match", `"1"`).Status })
	}
	wait.Wait()
	slices.Sort(answers)
	if answers[0] != http.StatusOK || answers[1] != http.StatusPreconditionFailed {
		t.Fatalf("%v", answers)
	}
	w.Want(http.StatusPreconditionRequired, http.MethodPut, path, w.Agent, text("mine", "x"), nil)
}

func TestArticlesAreFoundByTheirWords(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.publish("Delivery is late", "Say when it comes. Bottles may be cold.")
	w.publish("可乐少了怎么办", "数一数可乐，补发一瓶。")
	w.publish("Missing bottles", "A delivery may lack some.")
	for text, want := range map[string][]string{
		"bottles":       {"Missing bottles", "Delivery is late"}, // in the title first
		"deliv":         {"Delivery is late", "Missing bottles"},
		"LATE delivery": {"Delivery is late"},
		"late missing":  {},
		"可樂":            {"可乐少了怎么办"}, // traditional
		"补发":            {"可乐少了怎么办"},
		"乐":             {"可乐少了怎么办"},
		"乐可":            {},
		"!":             {},
		"'); --":        {},
	} {
		if got := w.find(w.Agent, "q", text).titles(); !slices.Equal(got, want) {
			t.Errorf("%q finds %v, want %v", text, got, want)
		}
	}
	if got := w.find(w.Agent, "q", "bottles", "language", "de").titles(); len(got) != 0 {
		t.Errorf("in another language: %v", got)
	}
	first := w.find(w.Agent, "q", "bottles", "limit", "1")
	second := w.find(w.Agent, "q", "bottles", "limit", "1", "cursor", first.NextCursor)
	if got := append(first.titles(), second.titles()...); !slices.Equal(got, []string{"Missing bottles", "Delivery is late"}) || second.NextCursor != "" {
		t.Errorf("in pages: %v", got)
	}
	if got := w.find(w.Agent, "limit", "2").titles(); !slices.Equal(got, []string{"Missing bottles", "可乐少了怎么办"}) {
		t.Errorf("without words: %v", got)
	}
}

// open opens a ticket of the tenant pizza and gives its id.
func (w *world) open(subject, description string) string {
	w.t.Helper()
	var v struct {
		ID string `json:"ticket_id"`
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/tickets", w.Agent,
		body{"kind": "incident", "channel": "phone", "subject": subject, "description": description, "impact": 2, "urgency": 2}, &v)
	return v.ID
}

func (w *world) suggested(ticket, query string) page {
	w.t.Helper()
	var p page
	w.Want(http.StatusOK, http.MethodGet, "/v1/tickets/"+ticket+"/articles"+query, w.Agent, nil, &p)
	return p
}

func TestArticlesAreSuggestedOnATicketAndJudged(t *testing.T) {
	t.Parallel()
	w := start(t)
	late := w.publish("Late deliveries", "Where the rider is.")
	cola := w.publish("Cola is missing", "Send one with the next delivery.")
	w.publish("Opening hours", "From noon on.")
	w.begin(text("Draft on missing cola", "not yet"))
	ticket := w.open("Two colas are missing", "两瓶可乐没到。")

	got := w.suggested(ticket, "")
	if !slices.Equal(got.titles(), []string{"Cola is missing"}) || !slices.Contains(got.Items[0].Matched, "missi") || got.Items[0].Said != nil {
		t.Fatalf("suggested: %+v", got)
	}
	both := w.open("The delivery is late, and the cola is missing", "")
	if got := w.suggested(both, ""); len(got.Items) != 2 || len(w.suggested(both, "?limit=1").Items) != 1 {
		t.Fatalf("suggested: %+v", got)
	}

	judge := func(a article, ticket string, helped bool) (now article) {
		t.Helper()
		w.Want(http.StatusOK, http.MethodPost, "/v1/articles/"+a.ID+"/uses", w.Agent, body{"ticket_id": ticket, "helped": helped}, &now)
		return now
	}
	before := w.suggested(both, "").Items
	if now := judge(cola, ticket, false); now.Helped != 0 || now.NotHelped != 1 || now.Version != cola.Version {
		t.Fatalf("in vain: %+v", now)
	}
	if now := judge(cola, ticket, true); now.Helped != 1 || now.NotHelped != 0 {
		t.Fatalf("thought better of: %+v", now)
	}
	judge(late, both, false)
	after := w.suggested(both, "").Items
	score := func(all []article, id string) int64 {
		for _, a := range all {
			if a.ID == id {
				return a.Score
			}
		}
		return -1
	}
	if score(after, cola.ID) <= score(before, cola.ID) || score(after, late.ID) >= score(before, late.ID) {
		t.Errorf("what helped is not suggested for it: before %+v, after %+v", before, after)
	}
	if said := w.suggested(ticket, "").Items[0].Said; said == nil || !*said {
		t.Errorf("what was said is not shown: %v", said)
	}

	w.do(late, http.MethodPost, "archive", nil)
	if got := w.suggested(both, "").titles(); slices.Contains(got, "Late deliveries") {
		t.Errorf("withdrawn and suggested: %v", got)
	}
	if got := w.Want(http.StatusConflict, http.MethodPost, "/v1/articles/"+late.ID+"/uses", w.Agent, body{"ticket_id": ticket, "helped": true}, nil).Code(); got != "article_not_published" {
		t.Errorf("%s", got)
	}
}

func TestArticlesAreFoundInTheTreeOfCategories(t *testing.T) {
	t.Parallel()
	w := start(t)
	for _, c := range []body{{"code": "drinks", "title": "Drinks"}, {"code": "cola", "parent": "drinks", "title": "Cola"}, {"code": "food", "title": "Food"}} {
		w.Want(http.StatusCreated, http.MethodPost, "/v1/ticket-categories", w.Manager, c, nil)
	}
	about := func(category string) article {
		b := text("Missing "+category, "It is missing.")
		b["category"] = category
		return w.do(w.begin(b), http.MethodPost, "publish", nil)
	}
	cola, food := about("cola"), about("food")
	for query, want := range map[string][]string{
		"category=drinks": {"Missing cola"}, "category=cola": {"Missing cola"}, "category=food": {"Missing food"}, "category=none": {},
		"q=missing&category=drinks": {"Missing cola"}, "q=missing&category=none": {},
	} {
		values, _ := url.ParseQuery(query)
		if got := w.find(w.Agent, "category", values.Get("category"), "q", values.Get("q")).titles(); !slices.Equal(got, want) {
			t.Errorf("%s finds %v, want %v", query, got, want)
		}
	}
	var ticket struct {
		ID string `json:"ticket_id"`
	}
	for _, c := range []struct {
		category string
		first    article
	}{{"cola", cola}, {"food", food}} { // both say missing as often
		w.Want(http.StatusCreated, http.MethodPost, "/v1/tickets", w.Agent,
			body{"kind": "incident", "channel": "phone", "subject": "One is missing", "impact": 2, "urgency": 2, "category": c.category}, &ticket)
		if got := w.suggested(ticket.ID, "").titles(); len(got) != 2 || got[0] != c.first.Title {
			t.Errorf("on a ticket about %s: %v", c.category, got)
		}
	}
	if got := w.Do(http.MethodDelete, "/v1/ticket-categories/food", w.Manager, nil, "If-Match", "*"); got.Status != http.StatusConflict {
		t.Errorf("a category of an article is taken away: %d %s", got.Status, got.Body)
	}
}

func TestNobodySeesAnotherTenantsArticles(t *testing.T) {
	t.Parallel()
	w := start(t)
	a := w.publish("Cola is missing", "Send one.")
	ticket := w.open("Cola is missing", "")
	music := w.Token(auth.RoleAgent, "music")
	if got := w.find(music, "q", "cola").titles(); len(got) != 0 {
		t.Errorf("found: %v", got)
	}
	if got := w.find(music).titles(); len(got) != 0 {
		t.Errorf("listed: %v", got)
	}
	for path, b := range map[string]any{
		"GET /v1/articles/" + a.ID: nil, "GET /v1/articles/" + a.ID + "/versions": nil, "GET /v1/articles/" + a.ID + "/versions/1": nil,
		"PUT /v1/articles/" + a.ID + "/draft": text("mine", "x"), "POST /v1/articles/" + a.ID + "/publish": nil, "POST /v1/articles/" + a.ID + "/archive": nil,
		"GET /v1/tickets/" + ticket + "/articles": nil, "POST /v1/articles/" + a.ID + "/uses": body{"ticket_id": ticket, "helped": true},
	} {
		method, path, _ := strings.Cut(path, " ")
		w.Want(http.StatusNotFound, method, path, music, b, nil, "If-Match", "*")
	}
	w.Want(http.StatusForbidden, http.MethodPost, "/v1/articles", w.Token(auth.RoleSales, "pizza"), text("x", "x"), nil)
	w.Want(http.StatusForbidden, http.MethodGet, "/v1/articles", w.Token(auth.RoleMarketing, "pizza"), nil, nil)
}

// Whatever the statistics say, words are looked for in their index.
func TestWordsAreLookedForInTheirIndex(t *testing.T) {
	t.Parallel()
	w := start(t)
	conn, err := pgx.Connect(t.Context(), w.Database.AdminURL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	values := map[string]string{
		"p_every": "NULL::tsquery", "p_most": "1000", "p_terms": "ARRAY['x']::tsquery[]", "p_titles": "ARRAY['^x']::tsquery[]", "p_weights": "ARRAY[1.0::float8]",
		"p_state": "'published'", "p_audience": "''", "p_language": "''", "p_categories": "NULL::text[]", "p_near": "''", "p_score": "1",
		"p_id": "'00000000-0000-0000-0000-000000000000'::uuid", "p_limit": "10",
	}
	for _, function := range []string{"article_counts", "article_find"} {
		var source string
		var settings []string
		if err := conn.QueryRow(t.Context(), `SELECT prosrc, proconfig FROM pg_proc WHERE proname = $1`, function).Scan(&source, &settings); err != nil {
			t.Fatal(err)
		}
		for _, setting := range settings {
			if name, value, _ := strings.Cut(setting, "="); strings.HasPrefix(name, "enable_") {
				if _, err := conn.Exec(t.Context(), "SET "+name+" = "+value); err != nil {
					t.Fatal(err)
				}
			}
		}
		source = regexp.MustCompile(`\bp_\w+`).ReplaceAllStringFunc(source, func(p string) string { return values[p] })
		rows, err := conn.Query(t.Context(), "EXPLAIN "+source)
		if err != nil {
			t.Fatalf("%s: %v", function, err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if plan := strings.Join(lines, "\n"); err != nil || !strings.Contains(plan, "Bitmap Index Scan on article_terms") || strings.Contains(plan, "Seq Scan on article") ||
			function == "article_find" && strings.Count(plan, "Bitmap Index Scan on article_terms") != 2 {
			t.Errorf("%s: %v\n%s", function, err, plan)
		}
	}
}

func TestArticlesRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := start(t)
	a := w.publish("Cola is missing", "Send one.")
	ticket := w.open("Cola is missing", "")
	draft := `{"title": "Cola", "body": "Send one.", "keywords": ["a"], "audience": "public", "language": "en"}`
	match := http.Header{"If-Match": {"*"}}
	one := "/v1/articles/" + a.ID
	target := func(change badinput.Target) badinput.Target { change.URL, change.Token = w.URL, w.Agent; return change }
	badinput.Check(t, target(badinput.Target{Method: http.MethodPost, Path: "/v1/articles", Body: draft, Replay: true,
		OtherBody: `{"title": "Other", "body": "x", "audience": "public", "language": "en"}`}))
	badinput.Check(t, target(badinput.Target{Method: http.MethodGet, Path: "/v1/articles?q=cola", List: true}))
	badinput.Check(t, target(badinput.Target{Method: http.MethodGet, Path: one, Owned: true}))
	badinput.Check(t, target(badinput.Target{Method: http.MethodGet, Path: one + "/versions", List: true, Owned: true}))
	badinput.Check(t, target(badinput.Target{Method: http.MethodPut, Path: one + "/draft", Body: draft, Version: true, Owned: true, Header: match}))
	badinput.Check(t, target(badinput.Target{Method: http.MethodPost, Path: one + "/uses", Body: `{"ticket_id": "` + ticket + `", "helped": true}`, Owned: true}))
	badinput.Check(t, target(badinput.Target{Method: http.MethodGet, Path: "/v1/tickets/" + ticket + "/articles", Owned: true}))

	for _, c := range []struct {
		change body
		code   string
	}{
		{body{"title": "two\nlines"}, "title_malformed"}, {body{"body": "  "}, "body_malformed"}, {body{"language": "xx-yy-zz-1"}, "language_unknown"},
		{body{"keywords": []string{" "}}, "keyword_malformed"}, {body{"category": "none-such"}, "category_unknown"},
	} {
		b := text("Cola", "Send one.")
		for k, v := range c.change {
			b[k] = v
		}
		if got := w.Want(http.StatusUnprocessableEntity, http.MethodPost, "/v1/articles", w.Agent, b, nil); !strings.Contains(string(got.Body), c.code) {
			t.Errorf("%v: %s", c.change, got.Body)
		}
	}
	for _, query := range []string{"state=gone", "audience=all", "limit=0", "cursor=x", "colour=red", "q=%00", "q=%ff"} {
		if a := w.Do(http.MethodGet, "/v1/articles?"+query, w.Agent, nil); a.Status < 400 || a.Status > 422 {
			t.Errorf("%s: %d %s", query, a.Status, a.Body)
		}
	}
	for path, status := range map[string]int{one + "/versions/0": 422, one + "/versions/9": 404, one + "/versions/x": 422} {
		w.Want(status, http.MethodGet, path, w.Agent, nil, nil)
	}
	w.Want(http.StatusNotFound, http.MethodPost, one+"/uses", w.Agent, body{"ticket_id": a.ID, "helped": true}, nil)
}
