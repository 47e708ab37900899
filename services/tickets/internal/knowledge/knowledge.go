// Package knowledge keeps articles on what people ask again and again: written as drafts, published in versions, found by
// their words, suggested on tickets, and judged by whether they helped.
package knowledge

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Audience is who may read an article.
type Audience string

// The audiences.
const (
	Internal Audience = "internal" // the staff
	Public   Audience = "public"   // customers as well
)

// State is where an article or a version of it stands.
type State string

// The states. An article is a draft until a version of it is published, and archived when it was withdrawn. Of its versions at
// most one is a draft and one published; those that were replaced are archived.
const (
	Draft     State = "draft"
	Published State = "published"
	Archived  State = "archived"
)

// Text is what a version says.
type Text struct {
	Title    string
	Body     string   // as it was given: plain text or Markdown; whoever shows it takes it for no HTML
	Keywords []string // by which it is found besides, sorted
	Category string   // code of a ticket category; empty for none
	Audience Audience
	Language string // BCP 47, such as en or zh-Hans
}

// Version is one version of an article.
type Version struct {
	No    int // from 1
	State State
	Text
	By          string // who wrote it last
	WrittenAt   time.Time
	PublishedBy string // empty: it never was
	PublishedAt time.Time
	ArchivedAt  time.Time
}

// Article is how an article stands.
type Article struct {
	ID        uuid.UUID // UUIDv7
	Version   int64     // rises with every change
	State     State
	Current   int // the version that is found: the published one, the draft before there is any, the last published once archived
	Draft     int // the version that is being written; 0 for none
	Last      int // the highest number of a version
	Title     string
	Category  string
	Audience  Audience
	Language  string
	Excerpt   string
	Helped    int64 // tickets that it helped with
	NotHelped int64
	ChangedAt time.Time
}

const (
	maxTitle    = 200
	maxBody     = 50_000
	maxKeywords = 20
	maxKeyword  = 64
	maxExcerpt  = 240
)

// Clean gives the text as it is kept, or names every field that is not right.
func (t Text) Clean() (Text, []problem.Field) {
	var faults []problem.Field
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	t.Title = norm.NFC.String(strings.TrimSpace(t.Title))
	t.Body = norm.NFC.String(strings.TrimSpace(t.Body))
	if n := utf8.RuneCountInString(t.Title); n < 1 || n > maxTitle || strings.ContainsFunc(t.Title, unicode.IsControl) {
		fault("title", "title_malformed", "must be 1 to 200 characters in one line")
	}
	if n := utf8.RuneCountInString(t.Body); n < 1 || n > maxBody {
		fault("body", "body_malformed", "must be 1 to 50000 characters")
	}
	keywords := make([]string, 0, len(t.Keywords))
	for _, k := range t.Keywords {
		k = norm.NFC.String(strings.TrimSpace(k))
		if n := utf8.RuneCountInString(k); n < 1 || n > maxKeyword || strings.ContainsFunc(k, unicode.IsControl) {
			fault("keywords", "keyword_malformed", "must be 1 to 64 characters each")
			break
		}
		keywords = append(keywords, k)
	}
	slices.Sort(keywords)
	t.Keywords = slices.Compact(keywords)
	if len(t.Keywords) > maxKeywords {
		fault("keywords", "keywords_too_many", "must be at most 20")
	}
	if t.Audience != Internal && t.Audience != Public {
		fault("audience", "audience_unknown", "must be internal or public")
	}
	tag, err := language.Parse(t.Language)
	if err != nil || tag == language.Und {
		fault("language", "language_unknown", "must be a language of BCP 47, such as en or zh-Hans")
	} else {
		t.Language = tag.String()
	}
	return t, faults
}

// excerpt gives the beginning of the body in one line.
func (t Text) excerpt() string {
	runes := []rune(strings.Join(strings.Fields(t.Body), " "))
	return string(runes[:min(len(runes), maxExcerpt)])
}

// show takes over what the version says that is found from now on.
func (a Article) show(v Version) Article {
	a.Current, a.Title, a.Category, a.Audience, a.Language, a.Excerpt = v.No, v.Title, v.Category, v.Audience, v.Language, v.excerpt()
	return a
}

// changed marks that the article is not what it was.
func (a Article) changed(now time.Time) Article {
	a.Version++
	a.ChangedAt = now
	return a
}

// Start gives a new article with its first draft.
func Start(id uuid.UUID, t Text, by string, now time.Time) (Article, Version) {
	v := Version{No: 1, State: Draft, Text: t, By: by, WrittenAt: now}
	return Article{ID: id, State: Draft, Draft: 1, Last: 1}.show(v).changed(now), v
}

// Write gives the article with another text of its draft, or with a new draft where it has none. What is published stays.
func (a Article) Write(t Text, by string, now time.Time) (Article, Version) {
	if a.Draft == 0 {
		a.Last++
		a.Draft = a.Last
	}
	v := Version{No: a.Draft, State: Draft, Text: t, By: by, WrittenAt: now}
	if a.State == Draft {
		a = a.show(v)
	}
	return a.changed(now), v
}

// Publish gives the article with its draft in the place of what was published, or refuses where it has no draft. Nobody else
// need agree; who did it stands in the version. An archived article comes back with it.
func (a Article) Publish(draft Version, by string, now time.Time) (Article, Version, error) {
	if a.Draft == 0 {
		return a, draft, problem.New(problem.Conflict, "article_no_draft", "The article has no draft that could be published: write one first.")
	}
	draft.State, draft.PublishedBy, draft.PublishedAt = Published, by, now
	a.State, a.Draft = Published, 0
	return a.show(draft).changed(now), draft, nil
}

// Archive gives the article withdrawn: it is neither found among the published ones nor suggested any more, and its draft is
// given up. It refuses where the article is archived already.
func (a Article) Archive(now time.Time) (Article, error) {
	if a.State == Archived && a.Draft == 0 {
		return a, problem.New(problem.Conflict, "article_archived", "The article is archived already.")
	}
	a.State, a.Draft = Archived, 0
	return a.changed(now), nil
}

// judged gives the article with its counts after somebody said whether it helped with a ticket, of which before was said until
// then; nil: nothing. That does not make another version of it.
func (a Article) judged(before *bool, helped bool) Article {
	count := func(helped bool, n int64) {
		if helped {
			a.Helped += n
		} else {
			a.NotHelped += n
		}
	}
	if before != nil {
		count(*before, -1)
	}
	count(helped, 1)
	return a
}
