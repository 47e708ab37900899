package knowledge

import (
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/guanxi-crm/guanxi/platform/fold"
)

// An article is found by its folded words, and, of scripts that have no blanks between words, by single characters and pairs.
// A term begins with a mark of the tenant, so that tenants share no list of the index. There is no sign in it that would have to
// be doubled within quotes.

const (
	maxWord     = 48   // runes of a word
	maxTokens   = 12   // words of a search that are looked at
	maxGrams    = 24   // pairs of them
	maxAsked    = 80   // words of a ticket that are counted
	maxTelling  = 24   // of those, which are looked for
	maxText     = 2000 // characters of a ticket that are looked at
	common      = 1000 // articles: whatever more have than that tells nothing of a ticket
	shortestCut = 6    // letters from which on a ticket's word may end otherwise

	// maxTerms is how many bytes an article's terms have together: PostgreSQL takes 1 MiB. The rarest of articles has more, and is
	// not found by the words at its end.
	maxTerms = 900_000

	// inTitle stands before a word of a title or a keyword, which is a term besides the word itself.
	inTitle = "^"
)

// mark is what a tenant's terms begin with: 8 letters.
func mark(tenant string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(tenant))
	return fmt.Sprintf("%08x", h.Sum32())
}

// dense tells whether a script is written without blanks between words.
func dense(r rune) bool {
	const lengthMark = 'ー' // of kana, which belongs to no script
	return fold.Han(r) || r == lengthMark || unicode.In(r, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// runs gives the words of a text as they are looked for, and the runs of characters without blanks, both in order.
func runs(text string) (words []string, characters [][]rune) {
	for field := range strings.FieldsSeq(fold.Text(text)) {
		runes := []rune(field)
		for i := 0; i < len(runes); {
			j := i
			for j < len(runes) && dense(runes[j]) == dense(runes[i]) {
				j++
			}
			if dense(runes[i]) {
				characters = append(characters, runes[i:j])
			} else {
				words = append(words, string(runes[i:min(j, i+maxWord)]))
			}
			i = j
		}
	}
	return words, characters
}

// grams gives the pairs of characters in a row; of one alone itself.
func grams(run []rune) []string {
	if len(run) < 2 {
		return []string{string(run)}
	}
	pairs := make([]string, 0, len(run)-1)
	for i := 0; i+2 <= len(run); i++ {
		pairs = append(pairs, string(run[i:i+2]))
	}
	return pairs
}

// Terms gives what an article is found by, as a tsvector is written.
func Terms(tenant string, t Text) string {
	found := make(map[string]bool)
	begin, size := mark(tenant), 0
	add := func(text string, title bool) {
		words, characters := runs(text)
		for _, run := range characters {
			for _, r := range run {
				words = append(words, string(r))
			}
			words = append(words, grams(run)...)
		}
		for _, w := range words {
			found[w] = found[w] || size < maxTerms
			size += len(begin) + len(w)
			if title {
				found[inTitle+w] = true
			}
		}
	}
	add(t.Title, true)
	add(strings.Join(t.Keywords, "\n"), true)
	add(t.Body, false)
	var out strings.Builder
	for _, w := range slices.Sorted(maps.Keys(found)) {
		if found[w] {
			out.WriteString(quoted(begin+w) + " ")
		}
	}
	return out.String()
}

// quoted writes a term as tsvector and tsquery read it.
func quoted(term string) string { return "'" + term + "'" }

// term is a word that is looked for.
type term struct {
	word   string // for people
	query  string // as a tsquery
	title  string // the same in the title or among the keywords
	weight float64
}

func newTerm(tenant, word string, prefix bool) term {
	t := term{word: word, query: quoted(mark(tenant) + word), title: quoted(mark(tenant) + inTitle + word)}
	if prefix {
		t.query, t.title = t.query+":*", t.title+":*"
	}
	return t
}

// searched gives what a search looks for: all of it has to be there. A word in letters may be the beginning of one. None: there
// was no word in it.
func searched(tenant, text string) []term {
	words, characters := runs(text)
	var all []term
	for _, w := range words[:min(len(words), maxTokens)] {
		all = append(all, newTerm(tenant, w, true))
	}
	for _, run := range characters {
		for _, g := range grams(run) {
			if len(all) < maxTokens+maxGrams {
				all = append(all, newTerm(tenant, g, false))
			}
		}
	}
	return distinct(all)
}

// asked gives what a ticket's words look for: some of it may be there. A longer word is cut by two letters, so that deliveries
// finds delivery; which of them tell anything their counts say.
func asked(tenant, subject, description string) []term {
	runes := []rune(subject + "\n" + description)
	words, characters := runs(string(runes[:min(len(runes), maxText)]))
	var all []term
	for _, w := range words {
		letters := []rune(w)
		switch {
		case len(letters) < 2: // tells nothing
		case len(letters) >= shortestCut:
			all = append(all, newTerm(tenant, string(letters[:len(letters)-2]), true))
		default:
			all = append(all, newTerm(tenant, w, false))
		}
	}
	for _, run := range characters {
		if len(run) > 1 {
			for _, g := range grams(run) {
				all = append(all, newTerm(tenant, g, false))
			}
		}
	}
	all = distinct(all)
	return all[:min(len(all), maxAsked)]
}

func distinct(all []term) []term {
	seen := make(map[string]bool)
	return slices.DeleteFunc(all, func(t term) bool {
		known := seen[t.query]
		seen[t.query] = true
		return known
	})
}

// weigh gives each term the weight that its rarity has among all articles: the inverse document frequency of BM25,
// ln(1 + (N - n + 0.5) / (n + 0.5)) (Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009). counts has N first
// and then n of each term.
func weigh(all []term, counts []int64) {
	for i := range all {
		n := float64(counts[i+1])
		all[i].weight = math.Log1p((max(0, float64(counts[0])-n) + 0.5) / (n + 0.5))
	}
}

// telling gives of weighed terms those that some article has, and not too many, and that tell most.
func telling(all []term, counts []int64) []term {
	kept := make([]term, 0, len(all))
	for i, t := range all {
		if n := counts[i+1]; n > 0 && n < common {
			kept = append(kept, t)
		}
	}
	slices.SortStableFunc(kept, func(a, b term) int {
		switch {
		case a.weight > b.weight:
			return -1
		case a.weight < b.weight:
			return 1
		default:
			return 0
		}
	})
	return kept[:min(len(kept), maxTelling)]
}
