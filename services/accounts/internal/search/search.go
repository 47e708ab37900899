// Package search finds customers by what people know of them: a name or a part of it in any script, pinyin, initials, the
// end of a telephone number, a mail address, a card, a tag, a custom field. It reads an index of its own, which follows the
// customers within moments.
package search

import (
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/fold"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/name"
)

// Sort says in which order customers are found.
type Sort string

// The orders.
const (
	Relevance Sort = "relevance"     // names that begin so, then whole words and numbers, then parts, then what was mistyped
	ByName    Sort = "name"          // as folded: small letters without accents
	Newest    Sort = "registered_at" // the latest first
)

// Query is what is looked for.
type Query struct {
	Text  string // as people type it; empty: whoever the filters leave
	Kind  string // person or organisation; empty: both
	Tags  []string
	Owner string
	State string            // active, archived or any
	Field map[string]string // values of custom fields by name, as texts
	Sort  Sort
	// What the caller sees: what is not seen finds nobody.
	Identity, Contact, Behaviour bool
}

// Hit is a customer who was found.
type Hit struct {
	CustomerID   uuid.UUID
	Kind         string
	DisplayName  string
	State        string
	Owner        string
	Tags         []string
	RegisteredAt time.Time
}

// Found is a page of what was found, in order.
type Found struct {
	Hits []Hit
	Next *place    // where the next page begins; nil: there is none
	AsOf time.Time // every change before this time is found
}

// place is where a customer stands among those who are found.
type place struct {
	tier     int
	name     string
	customer uuid.UUID
}

// The tiers, in order of relevance.
const (
	tierBegins = iota // the name begins so
	tierExact         // whole words, numbers, addresses
	tierPart          // parts of them
	tierTypo          // words with a letter or two wrong
)

// maxTokens is how many words of what was typed are looked at.
const maxTokens = 6

// plan is a query as the index is asked.
type plan struct {
	terms  // whose marks the terms bear
	filter expr
	all    expr     // whoever matches at all, exact ones included
	exact  expr     // by whole words
	begins string   // the folded text, by which names may begin; empty: no text
	words  []string // that may be mistyped
	tokens []token
}

// read makes the plan of a query.
func read(tenant string, q Query) plan {
	p := plan{terms: newTerms(tenant)}
	p.filter = p.filters(q)
	text := strings.TrimSpace(q.Text)
	if text == "" {
		p.all, p.exact = p.filter, p.filter
		return p
	}
	p.tokens = tokens(text)
	if len(p.tokens) == 0 {
		p.all, p.exact = none, none
		return p
	}
	var exact, all []expr
	for _, t := range p.tokens {
		e, a := p.token(t, q, nil)
		exact, all = append(exact, e), append(all, or(e, a))
		if q.Identity && t.word() {
			p.words = append(p.words, t.folded)
		}
	}
	whole := none
	if key := canonical(text); q.Identity && key != "" && len(p.tokens) > 1 {
		whole = p.lex(termKey, key) // a card with its blanks
	}
	p.exact = and(or(and(exact...), whole), p.filter)
	p.all = and(or(and(all...), whole), p.filter)
	if q.Identity {
		p.begins = fold.Text(text)
	}
	return p
}

// filters gives what narrows a query whatever its text; the empty expression where nothing does.
func (s terms) filters(q Query) expr {
	var all []expr
	switch q.State {
	case "archived":
		all = append(all, s.lex(termState, "archived"))
	case "any":
	default:
		all = append(all, not(s.lex(termState, "archived")))
	}
	if q.Kind != "" {
		all = append(all, s.lex(termKind, q.Kind))
	}
	for _, tag := range q.Tags {
		all = append(all, s.lex(termTag, tag))
	}
	if q.Owner != "" {
		all = append(all, s.lex(termOwner, q.Owner))
	}
	for field, value := range q.Field {
		all = append(all, s.lex(termField, field+"="+fieldText(value)))
	}
	return and(all...)
}

// narrowed tells whether the query names anything that the index of terms can begin with.
func (q Query) narrowed() bool {
	return strings.TrimSpace(q.Text) != "" || q.Kind != "" || len(q.Tags) > 0 || q.Owner != "" || len(q.Field) > 0 || q.State == "archived"
}

// token is a word of what was typed.
type token struct {
	raw    string // in small letters
	folded string // without accents; of several words where it had signs between them
}

// tokens gives the words of a text; a telephone number with its blanks is one.
func tokens(text string) []token {
	if digits := digitsOf(text); len(digits) >= gramSize && strings.Trim(text, "0123456789 +()-./") == "" {
		return []token{{digits, digits}}
	}
	var out []token
	for _, field := range strings.Fields(strings.ToLower(text)) {
		if folded := fold.Text(field); folded != "" && len(out) < maxTokens {
			out = append(out, token{field, folded})
		}
	}
	return out
}

// word tells whether the token is one in letters, which can be mistyped.
func (t token) word() bool {
	return name.Typos(t.folded) > 0 && !strings.ContainsFunc(t.folded, func(r rune) bool { return !unicode.IsLetter(r) || fold.Han(r) })
}

// token gives the terms of which a customer must have one: those of whole words, and those of parts. Like are words that
// the token may be a misspelling of.
func (s terms) token(t token, q Query, like []string) (exact, part expr) {
	var exacts, parts []expr
	words, han := fold.Words(t.folded)
	if q.Identity {
		e, p := s.nameToken(words, han)
		exacts, parts = append(exacts, e), append(parts, p)
		if key := canonical(t.raw); key != "" {
			exacts = append(exacts, s.lex(termKey, key))
		}
		for _, w := range like {
			exacts = append(exacts, s.lex(termWord, w))
		}
	}
	if q.Contact {
		e, p := s.contactToken(t, words)
		exacts, parts = append(exacts, e), append(parts, p)
	}
	return or(exacts...), or(parts...)
}

// nameToken gives the terms of a token that is a name or a part of one.
func (s terms) nameToken(words, han []string) (exact, part expr) {
	var exacts, parts []expr
	for _, w := range words {
		n := len([]rune(w))
		e := []expr{s.lex(termWord, w), s.lex(termPinyin, w)}
		p := []expr{s.prefix(termWord, w)}
		if n >= 2 {
			e, p = append(e, s.lex(termInitials, w)), append(p, s.prefix(termPinyin, w))
		}
		if n >= minSuffix {
			p = append(p, s.prefix(termSuffix, w))
		}
		exacts, parts = append(exacts, or(e...)), append(parts, or(append(e, p...)...))
	}
	for _, run := range han {
		e := s.hanRun(run)
		exacts, parts = append(exacts, e), append(parts, e)
	}
	if len(exacts) == 0 {
		return none, none
	}
	return and(exacts...), and(parts...)
}

// contactToken gives the terms of a token that is a telephone number or a mail address, or a part of one.
func (s terms) contactToken(t token, words []string) (exact, part expr) {
	var exacts, parts []expr
	if digits := digitsOf(t.folded); len(digits) >= gramSize && digits == t.folded {
		exacts = append(exacts, s.digits(digits))
		if national := strings.TrimLeft(digits, "0"); national != digits && len(national) >= gramSize {
			exacts = append(exacts, s.digits(national)) // E.164 drops the zero of a trunk
		}
	}
	local, domain, address := strings.Cut(t.raw, "@")
	switch {
	case address:
		exacts, parts = append(exacts, s.lex(termMail, t.raw)), append(parts, s.prefix(termMail, t.raw))
		var all []expr
		localWords, _ := fold.Words(fold.Text(local))
		for _, w := range localWords {
			all = append(all, s.lex(termMailWord, w))
		}
		if domain != "" {
			all = append(all, s.prefix(termDomain, domain))
		}
		if len(all) > 0 {
			parts = append(parts, and(all...))
		}
	case strings.Contains(t.raw, "."):
		exacts, parts = append(exacts, s.lex(termDomain, t.raw)), append(parts, s.prefix(termMail, t.raw))
	default:
		for _, w := range words {
			exacts = append(exacts, s.lex(termMailWord, w))
			if len([]rune(w)) >= minSuffix {
				parts = append(parts, s.prefix(termMail, w), s.prefix(termMailWord, w))
			}
		}
	}
	return or(exacts...), or(parts...)
}

// mistyped gives the plan's expression with each word replaced by those that it may be a misspelling of; none where no
// word is like any.
func (p plan) mistyped(q Query, like map[string][]string) expr {
	var all []expr
	misspelt := false
	for _, t := range p.tokens {
		e, part := p.token(t, q, like[t.folded])
		misspelt = misspelt || len(like[t.folded]) > 0
		all = append(all, or(e, part))
	}
	if !misspelt {
		return none
	}
	return and(and(all...), p.filter, not(p.all))
}
