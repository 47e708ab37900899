package knowledge

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// ArticleText is what people write, as the API takes and shows it.
type ArticleText struct {
	Title    string   `json:"title" example:"A bottle is missing" maxLength:"200"`
	Body     string   `json:"body" doc:"Plain text or Markdown. Whatever shows it must not take it for HTML." maxLength:"50000"`
	Keywords []string `json:"keywords,omitempty" doc:"Other words by which it is to be found; sorted." maxItems:"20"`
	Category string   `json:"category,omitempty" doc:"Code of a category of tickets." maxLength:"64"`
	Audience Audience `json:"audience" enum:"internal,public" doc:"internal: for the staff; public: customers may read it as well."`
	Language string   `json:"language" doc:"BCP 47." example:"zh-Hans" maxLength:"35"`
}

func (t ArticleText) text() Text {
	return Text(t)
}

// ArticleView is how an article stands, without its body, as the API shows it.
type ArticleView struct {
	ArticleID uuid.UUID `json:"article_id" format:"uuid"`
	State     State     `json:"state" enum:"draft,published,archived"`
	Current   int       `json:"current" doc:"Number of the version that this shows and that is found: the published one; before there is any, the draft."`
	Draft     int       `json:"draft,omitempty" doc:"Number of the version that is being written; absent where there is none."`
	Title     string    `json:"title"`
	Excerpt   string    `json:"excerpt" doc:"The beginning of the body."`
	Category  string    `json:"category,omitempty"`
	Audience  Audience  `json:"audience" enum:"internal,public"`
	Language  string    `json:"language"`
	Helped    int64     `json:"helped" doc:"Tickets that it helped with."`
	NotHelped int64     `json:"not_helped" doc:"Tickets that it was read for in vain."`
	Version   int64     `json:"version" doc:"Rises by one with every change of the article; the ETag. Counts are no change."`
	ChangedAt time.Time `json:"changed_at"`
}

func show(a Article) ArticleView {
	return ArticleView{
		ArticleID: a.ID, State: a.State, Current: a.Current, Draft: a.Draft, Title: a.Title, Excerpt: a.Excerpt, Category: a.Category,
		Audience: a.Audience, Language: a.Language, Helped: a.Helped, NotHelped: a.NotHelped, Version: a.Version, ChangedAt: a.ChangedAt.UTC(),
	}
}

// articleHit is an article that was found.
type articleHit struct {
	ArticleView
	Score   int64    `json:"score,omitempty" doc:"How well it fits, to be compared within one answer alone; absent where no words were looked for."`
	Matched []string `json:"matched,omitempty" doc:"What it was found by: words, beginnings of words, pairs of characters."`
}

// articleSuggestion is an article that may help with a ticket.
type articleSuggestion struct {
	ArticleView
	Score   int64    `json:"score" doc:"How well it fits, to be compared within one answer alone."`
	Matched []string `json:"matched" nullable:"false" doc:"What the ticket has in common with it, the rarest first."`
	Said    *bool    `json:"said_to_help,omitempty" doc:"Whether it was said to have helped with this ticket; absent where nothing was said."`
}

// articleVersion is one version of an article.
type articleVersion struct {
	No    int   `json:"no"`
	State State `json:"state" enum:"draft,published,archived"`
	ArticleText
	By          string     `json:"by" doc:"Subject of whoever wrote it last."`
	WrittenAt   time.Time  `json:"written_at"`
	PublishedBy string     `json:"published_by,omitempty"`
	PublishedAt *time.Time `json:"published_at,omitempty"`
	ArchivedAt  *time.Time `json:"archived_at,omitempty" doc:"When another one took its place, or the article was withdrawn."`
}

func showVersion(v Version) articleVersion {
	shown := articleVersion{
		No: v.No, State: v.State, By: v.By, WrittenAt: v.WrittenAt.UTC(), PublishedBy: v.PublishedBy,
		ArticleText: ArticleText(v.Text),
	}
	if !v.PublishedAt.IsZero() {
		shown.PublishedAt = pg.OrNull(v.PublishedAt.UTC())
	}
	if !v.ArchivedAt.IsZero() {
		shown.ArchivedAt = pg.OrNull(v.ArchivedAt.UTC())
	}
	return shown
}

type articleAnswer struct {
	ETag string `header:"ETag"`
	Body ArticleView
}

func answered(a Article, err error) (*articleAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &articleAnswer{ETag: httpx.ETag(a.Version), Body: show(a)}, nil
}

type startInput struct{ Body ArticleText }

// ArticleByID names an article.
type ArticleByID struct {
	ID uuid.UUID `path:"article_id" format:"uuid"`
}

type changeInput struct {
	ArticleByID
	IfMatch string `header:"If-Match" doc:"The ETag of the article as it was read."`
}

type writeInput struct {
	ArticleByID
	IfMatch string `header:"If-Match" doc:"The ETag of the article as it was read."`
	Body    ArticleText
}

type versionInput struct {
	ArticleByID
	No int `path:"no" minimum:"1" maximum:"2147483647"`
}

type versionAnswer struct{ Body articleVersion }

type versionsInput struct {
	ArticleByID
	httpx.Page
}

type versionsAnswer struct{ Body articleVersions }

type articleVersions struct {
	Items      []articleVersion `json:"items" nullable:"false"`
	NextCursor string           `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type findInput struct {
	Text     string   `query:"q" maxLength:"200" doc:"Words of the article, in any order; all must be there, the last letters of one may be missing. Chinese and other scripts without blanks are found by two characters in a row. Without it: all, the latest first." example:"missing bot"`
	State    State    `query:"state" enum:"draft,published,archived" default:"published" doc:"Of the articles: draft are those that never were published."`
	Audience Audience `query:"audience" enum:"internal,public"`
	Language string   `query:"language" maxLength:"35" doc:"BCP 47, exactly."`
	Category string   `query:"category" maxLength:"64" doc:"Only of this category or one below it."`
	httpx.Page
}

type findAnswer struct{ Body articlePage }

type articlePage struct {
	Items      []articleHit `json:"items" nullable:"false"`
	NextCursor string       `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type suggestInput struct {
	TicketID uuid.UUID `path:"ticket_id" format:"uuid"`
	Audience Audience  `query:"audience" enum:"internal,public"`
	Language string    `query:"language" maxLength:"35" doc:"BCP 47, exactly."`
	Limit    int       `query:"limit" minimum:"1" maximum:"20" default:"5" doc:"How many to give at most."`
}

type suggestAnswer struct{ Body articleSuggestions }

type articleSuggestions struct {
	Items []articleSuggestion `json:"items" nullable:"false"`
}

type useInput struct {
	ArticleByID
	Body articleVerdict
}

// articleVerdict says whether an article helped with a ticket.
type articleVerdict struct {
	TicketID uuid.UUID `json:"ticket_id" format:"uuid"`
	Helped   bool      `json:"helped"`
}

// Routes adds the operations on articles.
func (a *Articles) Routes(api *httpx.API) {
	const tag, one = "Knowledge", "/v1/articles/{article_id}"
	stale := []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired}
	httpx.Register(api, httpx.Operation{
		ID: "start-article", Method: http.MethodPost, Path: "/v1/articles", Tag: tag, Summary: "Write the first draft of an article",
		Permission: auth.KnowledgeWrite, Status: http.StatusCreated,
	}, func(ctx context.Context, in *startInput) (*articleAnswer, error) {
		return answered(a.Start(ctx, in.Body.text()))
	})
	httpx.Register(api, httpx.Operation{
		ID: "find-articles", Method: http.MethodGet, Path: "/v1/articles", Tag: tag, Summary: "Find articles, the best or the latest first",
		Permission: auth.TicketsRead,
	}, a.find)
	httpx.Register(api, httpx.Operation{
		ID: "get-article", Method: http.MethodGet, Path: one, Tag: tag, Summary: "Read how an article stands",
		Description: "What it says stands in its versions.",
		Permission:  auth.TicketsRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *ArticleByID) (*articleAnswer, error) { return answered(a.Get(ctx, in.ID)) })
	httpx.Register(api, httpx.Operation{
		ID: "list-article-versions", Method: http.MethodGet, Path: one + "/versions", Tag: tag, Summary: "List the versions of an article, the latest first",
		Permission: auth.TicketsRead, Errors: []int{http.StatusNotFound},
	}, a.listVersions)
	httpx.Register(api, httpx.Operation{
		ID: "get-article-version", Method: http.MethodGet, Path: one + "/versions/{no}", Tag: tag, Summary: "Read one version of an article",
		Permission: auth.TicketsRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *versionInput) (*versionAnswer, error) {
		v, err := a.Version(ctx, in.ID, in.No)
		if err != nil {
			return nil, err
		}
		return &versionAnswer{showVersion(v)}, nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "write-article", Method: http.MethodPut, Path: one + "/draft", Tag: tag, Summary: "Write the draft of an article",
		Description: "It is begun where there is none. What is published stays until the draft is.",
		Permission:  auth.KnowledgeWrite, Errors: stale,
	}, func(ctx context.Context, in *writeInput) (*articleAnswer, error) {
		return answered(a.Write(ctx, in.ID, in.Body.text(), fresh(in.IfMatch)))
	})
	httpx.Register(api, httpx.Operation{
		ID: "publish-article", Method: http.MethodPost, Path: one + "/publish", Tag: tag, Summary: "Publish the draft of an article",
		Permission: auth.KnowledgeWrite, Errors: stale,
	}, func(ctx context.Context, in *changeInput) (*articleAnswer, error) {
		return answered(a.Publish(ctx, in.ID, fresh(in.IfMatch)))
	})
	httpx.Register(api, httpx.Operation{
		ID: "archive-article", Method: http.MethodPost, Path: one + "/archive", Tag: tag, Summary: "Withdraw an article",
		Description: "Its draft is given up. Another draft brings it back when it is published.",
		Permission:  auth.KnowledgeWrite, Errors: stale,
	}, func(ctx context.Context, in *changeInput) (*articleAnswer, error) {
		return answered(a.Archive(ctx, in.ID, fresh(in.IfMatch)))
	})
	httpx.Register(api, httpx.Operation{
		ID: "judge-article", Method: http.MethodPost, Path: one + "/uses", Tag: tag, Summary: "Say whether an article helped with a ticket",
		Description: "Of what is said of the same ticket the last counts.",
		Permission:  auth.TicketsWrite, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *useInput) (*articleAnswer, error) {
		return answered(a.Use(ctx, in.ID, in.Body.TicketID, in.Body.Helped))
	})
	httpx.Register(api, httpx.Operation{
		ID: "suggest-articles", Method: http.MethodGet, Path: "/v1/tickets/{ticket_id}/articles", Tag: tag, Summary: "Suggest published articles on a ticket",
		Description: "By the words of its subject and description: rare ones count for more, those in a title three times, and so do the ticket's category and how often an article helped.",
		Permission:  auth.TicketsRead, Errors: []int{http.StatusNotFound},
	}, a.suggest)
}

func fresh(ifMatch string) func(version int64) error {
	return func(version int64) error { return httpx.IfMatch(ifMatch, version) }
}

func (a *Articles) find(ctx context.Context, in *findInput) (*findAnswer, error) {
	f := Filter{State: in.State, Audience: in.Audience, Language: in.Language, Category: in.Category}
	if strings.TrimSpace(in.Text) == "" {
		items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Hit, error) {
			return a.List(ctx, f, before, limit)
		}, func(h Hit) uuid.UUID { return h.ID }, showHit)
		if err != nil {
			return nil, err
		}
		return &findAnswer{articlePage{items, next}}, nil
	}
	after, err := placeOf(in.Cursor)
	if err != nil {
		return nil, err
	}
	hits, err := a.Search(ctx, f, in.Text, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	hits, next := httpx.NextPage(hits, in.Limit, func(last Hit) []string { return []string{strconv.FormatInt(last.Score, 10), last.ID.String()} })
	page := articlePage{Items: make([]articleHit, len(hits)), NextCursor: next}
	for i, h := range hits {
		page.Items[i] = showHit(h)
	}
	return &findAnswer{page}, nil
}

func showHit(h Hit) articleHit {
	return articleHit{ArticleView: show(h.Article), Score: h.Score, Matched: h.Matched}
}

// placeOf reads a cursor of a search.
func placeOf(cursor string) (Place, error) {
	parts, err := httpx.DecodeCursor(cursor, 2)
	if err != nil || parts == nil {
		return first(), err
	}
	score, err1 := strconv.ParseInt(parts[0], 10, 64)
	id, err2 := uuid.Parse(parts[1])
	if err1 != nil || err2 != nil {
		return Place{}, httpx.CursorInvalid()
	}
	return Place{score, id}, nil
}

func (a *Articles) listVersions(ctx context.Context, in *versionsInput) (*versionsAnswer, error) {
	items, next, err := httpx.PageByNumber(in.Page, func(before, limit int) ([]Version, error) {
		return a.Versions(ctx, in.ID, cmp.Or(before, math.MaxInt32), limit)
	}, func(v Version) int { return v.No }, showVersion)
	return &versionsAnswer{articleVersions{Items: items, NextCursor: next}}, err
}

func (a *Articles) suggest(ctx context.Context, in *suggestInput) (*suggestAnswer, error) {
	f := Filter{State: Published, Audience: in.Audience, Language: in.Language}
	hits, err := a.Suggest(ctx, in.TicketID, f, in.Limit)
	if err != nil {
		return nil, err
	}
	body := articleSuggestions{Items: []articleSuggestion{}}
	for _, h := range hits {
		body.Items = append(body.Items, articleSuggestion{ArticleView: show(h.Article), Score: h.Score, Matched: h.Matched, Said: h.Said})
	}
	return &suggestAnswer{body}, nil
}
