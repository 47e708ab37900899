package search

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/fold"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/name"
)

// The kinds of terms. A kind is the letter behind the tenant's mark.
const (
	termWord     = 'n' // a word of a name in letters
	termSuffix   = 'u' // the end of such a word, so that a part of it begins one of them
	termHan      = 'h' // 1 to 4 Han characters in a row
	termPinyin   = 'p' // how those are typed, without blanks; Latin names without theirs
	termInitials = 'i'
	termSound    = 'q' // the whole name as name.Sounds gives it
	termMail     = 'm' // a mail address
	termMailWord = 'e' // a word before its @
	termDomain   = 'd' // what is behind it, and the domains above
	termDigits   = 'g' // 4 digits in a row of a telephone number
	termKey      = 'k' // an exclusive identity, without separators and in capitals
	termTag      = 't'
	termOwner    = 'o'
	termState    = 's' // archived ones only
	termKind     = 'y'
	termField    = 'c' // field=value
	termPostal   = 'z' // country and postal code
)

const (
	gramSize  = 4 // digits: the shortest part of a telephone number that is looked for
	maxRun    = 4 // Han characters of one term
	minSuffix = 3 // letters: the shortest part from within a word that is looked for
	maxWord   = 64
	maxTerm   = 200 // bytes; longer ones stand as their hash
)

// expr is a tsquery; the empty one finds everybody, and none nobody.
type expr string

const none expr = "-"

func and(parts ...expr) expr {
	kept := slices.DeleteFunc(slices.Clone(parts), func(e expr) bool { return e == "" })
	if slices.Contains(kept, none) {
		return none
	}
	return join(kept, " & ")
}

func or(parts ...expr) expr {
	if slices.Contains(parts, "") {
		return ""
	}
	kept := slices.DeleteFunc(slices.Clone(parts), func(e expr) bool { return e == none })
	if len(kept) == 0 {
		return none
	}
	return join(slices.Compact(kept), " | ")
}

func not(e expr) expr {
	switch e {
	case none:
		return ""
	case "":
		return none
	default:
		return "!(" + e + ")"
	}
}

func join(parts []expr, by string) expr {
	texts := make([]string, len(parts))
	for i, e := range parts {
		texts[i] = string(e)
		if len(parts) > 1 {
			texts[i] = "(" + texts[i] + ")"
		}
	}
	return expr(strings.Join(texts, by))
}

// terms makes the terms of one tenant.
type terms struct{ mark string }

func newTerms(tenant string) terms {
	h := fnv.New32a()
	_, _ = h.Write([]byte(tenant))
	return terms{fmt.Sprintf("%07s", strconv.FormatUint(uint64(h.Sum32()), 36))}
}

func (s terms) term(kind rune, body string) string {
	if len(body) > maxTerm {
		sum := sha256.Sum256([]byte(body))
		body = "#" + hex.EncodeToString(sum[:16])
	}
	return s.mark + string(kind) + body
}

// lex is the expression of one term, prefix that of all terms that begin so.
func (s terms) lex(kind rune, body string) expr    { return expr(quoted(s.term(kind, body))) }
func (s terms) prefix(kind rune, body string) expr { return s.lex(kind, body) + ":*" }

// quoted writes a term as tsvector and tsquery read it.
func quoted(term string) string {
	if strings.ContainsAny(term, `'\`) { // hardly ever, and a million terms are quoted while a file is indexed
		term = strings.ReplaceAll(strings.ReplaceAll(term, `\`, `\\`), `'`, `''`)
	}
	return "'" + term + "'"
}

// hanRun is the expression of whoever has the characters in a row: longer runs by their parts of 4.
func (s terms) hanRun(run string) expr {
	runes := []rune(run)
	if len(runes) <= maxRun {
		return s.lex(termHan, run)
	}
	var all []expr
	for i := 0; i+maxRun <= len(runes); i++ {
		all = append(all, s.lex(termHan, string(runes[i:i+maxRun])))
	}
	return and(all...)
}

// digits is the expression of whoever has a telephone number with all runs of 4 that these digits have.
func (s terms) digits(digits string) expr {
	var all []expr
	for i := 0; i+gramSize <= len(digits); i++ {
		all = append(all, s.lex(termDigits, digits[i:i+gramSize]))
	}
	return and(all...)
}

// near gives the keys by which a word's misspellings are found, hashed with the tenant.
func (s terms) near(word string) []int64 {
	keys := name.Near(word)
	out := make([]int64, len(keys))
	for i, k := range keys {
		sum := fnv.New64a()
		_, _ = sum.Write([]byte(s.mark + k))
		out[i] = int64(binary.BigEndian.Uint64(sum.Sum(nil)))
	}
	return out
}

// Record is what a customer is found by, with what those have who were merged into it.
type Record struct {
	Display    string
	Names      []string // all of them
	Kind       string
	Archived   bool
	Tags       []string
	Owner      string
	Identities []identity.Identity // valid ones
	Verified   []identity.Identity // those of them that were shown to be the customer's
	Postal     []string            // country and code, such as CN 100000
	Custom     map[string]any      // of fields that are not sensitive
}

// bag collects terms.
type bag struct {
	terms
	seen map[string]bool
}

func (b bag) add(kind rune, body string) { b.seen[b.term(kind, body)] = true }

// of gives a customer's terms, sorted, and the words of the names in letters.
func (s terms) of(r Record) (all, words []string) {
	b := bag{s, make(map[string]bool)}
	for _, n := range r.Names {
		folded := fold.Text(n)
		for _, w := range b.name(folded) {
			if !slices.Contains(words, w) {
				words = append(words, w)
			}
		}
	}
	for _, i := range r.Identities {
		b.identity(i)
	}
	for _, tag := range r.Tags {
		b.add(termTag, tag)
	}
	for _, code := range r.Postal {
		b.add(termPostal, code)
	}
	for field, value := range r.Custom {
		for _, text := range fieldTexts(value) {
			b.add(termField, field+"="+text)
		}
	}
	if r.Owner != "" {
		b.add(termOwner, r.Owner)
	}
	if r.Archived {
		b.add(termState, "archived")
	}
	b.add(termKind, r.Kind)
	slices.Sort(words)
	for t := range b.seen {
		all = append(all, t)
	}
	slices.Sort(all)
	return all, words
}

// name adds the terms of a folded name and gives its words in letters.
func (b bag) name(folded string) []string {
	words, han := fold.Words(folded)
	for i, w := range words {
		runes := []rune(w)
		runes = runes[:min(len(runes), maxWord)]
		words[i] = string(runes)
		b.add(termWord, words[i])
		for j := 1; j+minSuffix <= len(runes); j++ {
			b.add(termSuffix, string(runes[j:]))
		}
		if i > 0 && i < maxTokens {
			b.add(termPinyin, words[i-1]+words[i])
		}
	}
	for _, run := range han {
		b.han([]rune(run))
	}
	for _, sound := range name.Sounds(folded) {
		b.add(termSound, sound)
	}
	for _, letters := range name.Initials(folded) {
		b.add(termInitials, letters)
	}
	return words
}

// han adds the terms of a run of Han characters: all runs of up to 4 of them, and how each is typed.
func (b bag) han(runes []rune) {
	for i := range runes {
		for n := 1; n <= maxRun && i+n <= len(runes); n++ {
			part := string(runes[i : i+n])
			b.add(termHan, part)
			full, initials := name.Spellings(part)
			for _, s := range full {
				b.add(termPinyin, s)
			}
			if n == 1 {
				continue
			}
			for _, s := range initials {
				b.add(termInitials, s)
			}
		}
	}
}

// identity adds the terms of an identity.
func (b bag) identity(i identity.Identity) {
	switch i.Type {
	case identity.Phone:
		digits := digitsOf(i.Value)
		for j := 0; j+gramSize <= len(digits); j++ {
			b.add(termDigits, digits[j:j+gramSize])
		}
	case identity.Email:
		b.add(termMail, i.Value)
		local, domain, _ := strings.Cut(i.Value, "@")
		words, _ := fold.Words(fold.Text(local))
		for _, w := range words {
			b.add(termMailWord, w)
		}
		for domain != "" && strings.Contains(domain, ".") { // com alone tells nothing
			b.add(termDomain, domain)
			_, domain, _ = strings.Cut(domain, ".")
		}
	case identity.WebDevice: // nobody types one
	default:
		b.add(termKey, canonical(i.Value))
	}
}

// canonical gives a card or an id as people may type it: without blanks and hyphens, in capitals.
func canonical(s string) string {
	return strings.ToUpper(strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' {
			return -1
		}
		return r
	}, norm.NFKC.String(s)))
}

func digitsOf(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// fieldText gives a custom field's value as it is compared.
func fieldText(s string) string { return strings.ToLower(norm.NFKC.String(strings.TrimSpace(s))) }

// fieldTexts gives what a custom field's JSON value is found by: each of several choices.
func fieldTexts(value any) []string {
	switch v := value.(type) {
	case string:
		return []string{fieldText(v)}
	case bool:
		return []string{strconv.FormatBool(v)}
	case float64:
		return []string{number(v)}
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return nil
		}
		return []string{number(f)}
	case []any:
		var out []string
		for _, one := range v {
			out = append(out, fieldTexts(one)...)
		}
		return out
	default:
		return nil
	}
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// Exact gives the expressions by which the index finds whoever has a name that sounds so, a postal code, or a custom
// field's value: what matching asks for. Tenant is the transaction's.
func Exact(tenant string) Keys { return Keys{newTerms(tenant)} }

// Keys makes expressions for Hits.
type Keys struct{ terms terms }

// Sound is whoever has a name that sounds so: see name.Sounds.
func (k Keys) Sound(sound string) string { return string(k.terms.lex(termSound, sound)) }

// Initials is whoever has a name with these initials: see name.Initials.
func (k Keys) Initials(letters string) string { return string(k.terms.lex(termInitials, letters)) }

// Postal is whoever has an address with the country's postal code.
func (k Keys) Postal(country, code string) string {
	return string(k.terms.lex(termPostal, PostalKey(country, code)))
}

// Field is whoever has the value in a custom field that is not sensitive.
func (k Keys) Field(field, value string) string {
	return string(k.terms.lex(termField, field+"="+value))
}

// PostalKey gives a country's postal code as it is compared; empty without a code.
func PostalKey(country, code string) string {
	code = canonical(code)
	if code == "" {
		return ""
	}
	return country + " " + code
}

// FieldTexts gives a custom field's value, as JSON has it, in the form in which it is compared; none for what cannot be.
func FieldTexts(value any) []string { return fieldTexts(value) }
