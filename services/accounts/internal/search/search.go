// Package search finds customers by what people know of them: a name or a part of it in any script, pinyin, initials, the
// end of a telephone number, a mail address, a card, a tag, a custom field. It reads an index of its own, which follows the
// customers within moments.
package search

import (
	"slices"
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
	known  vocabulary
}

// vocabulary gives the words in letters of the tenant's customers that begin as a typed one does: in order, the typed one
// first where somebody has it, and of more than maxBegin no more than maxBegin+1. A typed word that is not in it is too
// short for that.
//
// It is there for the index' sake, which reads all that a beginning stands for before it looks at anything else, while it
// goes through whole words no further than the rarest word of the query leads: half of all people have one of some hundred
// given names, and who has one of them and a rare family name is found by the latter.
type vocabulary map[string][]string

// maxBegin is how many whole words stand for a beginning.
const maxBegin = 20

// beginnings gives the words of the query that the vocabulary is asked for.
func (q Query) beginnings() (all []string) {
	if !q.Identity {
		return nil
	}
	for _, t := range tokens(strings.TrimSpace(q.Text)) {
		words, _ := fold.Words(t.folded)
		for _, w := range words {
			if name.Typos(w) > 0 && !slices.Contains(all, w) { // shorter ones are not kept
				all = append(all, w)
			}
		}
	}
	return all
}

// read makes the plan of a query.
func read(tenant string, q Query, known vocabulary) plan {
	p := plan{terms: newTerms(tenant), known: known}
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
func (p plan) token(t token, q Query, like []string) (exact, part expr) {
	var exacts, parts []expr
	words, han := fold.Words(t.folded)
	if q.Identity {
		e, part := p.nameToken(words, han)
		exacts, parts = append(exacts, e), append(parts, part)
		if key := canonical(t.raw); key != "" {
			exacts = append(exacts, p.lex(termKey, key))
		}
		for _, w := range like {
			exacts = append(exacts, p.lex(termWord, w))
		}
	}
	if q.Contact {
		e, part := p.contactToken(t, words)
		exacts, parts = append(exacts, e), append(parts, part)
	}
	return or(exacts...), or(parts...)
}

// nameToken gives the terms of a token that is a name or a part of one.
func (p plan) nameToken(words, han []string) (exact, part expr) {
	var exacts, parts []expr
	for _, w := range words {
		e := []expr{p.lex(termWord, w), p.lex(termPinyin, w)}
		if len([]rune(w)) >= 2 {
			e = append(e, p.lex(termInitials, w))
		}
		exacts, parts = append(exacts, or(e...)), append(parts, or(append(e, p.beginning(w)...)...))
	}
	for _, run := range han {
		e := p.hanRun(run)
		exacts, parts = append(exacts, e), append(parts, e)
	}
	if len(exacts) == 0 {
		return none, none
	}
	return and(exacts...), and(parts...)
}

// beginning gives the terms of names that have the word as a part: see vocabulary.
func (p plan) beginning(w string) (all []expr) {
	words, told := p.known[w]
	if told && len(words) <= maxBegin {
		for _, longer := range words {
			if longer != w {
				all = append(all, p.lex(termWord, longer))
			}
		}
	} else {
		all = append(all, p.prefix(termWord, w))
	}
	n := len([]rune(w))
	switch {
	case len(words) > 0 && words[0] == w: // a name, which is not looked for as the beginning of two others written as one
		for _, longer := range name.Completions(w) {
			all = append(all, p.lex(termPinyin, longer))
		}
	case n >= 2:
		all = append(all, p.prefix(termPinyin, w))
	}
	if n >= minSuffix {
		all = append(all, p.prefix(termSuffix, w))
	}
	return all
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
			if len([]rune(w)) >= minSuffix { // an address begins with one of its words
				parts = append(parts, s.prefix(termMailWord, w))
			}
		}
	}
	return or(exacts...), or(parts...)
}

// mistyped gives the expression of all with each word or those that it may be a misspelling of; none where no word is like
// any. Whoever matches as the query is written matches this, too.
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
	return and(and(all...), p.filter)
}
