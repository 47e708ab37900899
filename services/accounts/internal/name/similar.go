package name

import (
	"strings"

	"github.com/guanxi-crm/guanxi/platform/fold"
)

// Similarity tells how alike two folded names are written, from 0 to 1: the share of their trigrams that both have, each
// word with two blanks before it and one behind, as PostgreSQL's pg_trgm counts
// (https://www.postgresql.org/docs/current/pgtrgm.html). Single Han characters and pairs of them count instead of
// trigrams, since a Chinese name has only two or three characters. An empty name is like nothing.
func Similarity(a, b string) float64 {
	of, and := grams(a), grams(b)
	shared := 0
	for g := range of {
		if and[g] {
			shared++
		}
	}
	all := len(of) + len(and) - shared
	if all == 0 {
		return 0
	}
	return float64(shared) / float64(all)
}

func grams(folded string) map[string]bool {
	out := make(map[string]bool)
	words, han := fold.Words(folded)
	for _, w := range words {
		runes := []rune("  " + w + " ")
		for i := 0; i+3 <= len(runes); i++ {
			out[string(runes[i:i+3])] = true
		}
	}
	for _, run := range han {
		runes := []rune(run)
		for i := range runes {
			out[string(runes[i])] = true
			if i > 0 {
				out[string(runes[i-1:i+1])] = true
			}
		}
	}
	return out
}

// Typo bounds: a word of fewer letters than these is not taken for another one that differs by one, or by two, letters.
const (
	oneTypo  = 3
	twoTypos = 5
	// nearPrefix is how many letters of a word Near looks at: enough to find it, and few enough to stay short.
	nearPrefix = 7
)

// Typos gives how many letters of a word may be wrong: 0 to 2.
func Typos(word string) int {
	switch n := len([]rune(word)); {
	case n >= twoTypos:
		return 2
	case n >= oneTypo:
		return 1
	default:
		return 0
	}
}

// Near gives keys, one of which two words share whenever one becomes the other by as many typos as Typos allows: what is
// left of a word's beginning when letters are left out. This is the symmetric delete algorithm of Wolf Garbe
// (https://github.com/wolfgarbe/SymSpell). Words that share a key need not be alike: see Distance.
func Near(word string) []string {
	runes := []rune(word)
	runes = runes[:min(len(runes), nearPrefix)]
	seen := map[string]bool{string(runes): true}
	out := []string{string(runes)}
	level := [][]rune{runes}
	for range Typos(word) {
		var shorter [][]rune
		for _, w := range level {
			for i := range w {
				left := append(append([]rune{}, w[:i]...), w[i+1:]...)
				if key := string(left); !seen[key] {
					seen[key] = true
					out, shorter = append(out, key), append(shorter, left)
				}
			}
		}
		level = shorter
	}
	return out
}

// Distance counts the letters that are wrong, missing, too many or swapped with their neighbour between two words: the
// optimal string alignment distance.
func Distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	before, last, next := make([]int, len(t)+1), make([]int, len(t)+1), make([]int, len(t)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(s); i++ {
		next[0] = i
		for j := 1; j <= len(t); j++ {
			differs := 1
			if s[i-1] == t[j-1] {
				differs = 0
			}
			next[j] = min(last[j]+1, next[j-1]+1, last[j-1]+differs)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, last, next = last, next, before
	}
	return last[len(t)]
}

// Blank tells whether nothing of a name is left when it is folded.
func Blank(s string) bool { return strings.TrimSpace(fold.Text(s)) == "" }
