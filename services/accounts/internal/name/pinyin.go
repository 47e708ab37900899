// Package name compares folded names (see platform/fold): by their letters, by how they sound, and by the pinyin in which people
// type a Chinese name.
package name

import (
	"slices"
	"strings"
	"sync"

	"github.com/mozillazg/go-pinyin"
	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/fold"
)

const (
	maxReadings  = 4  // of one character: a family name is often not its first reading (单 is Shan, 曾 is Zeng)
	maxSpellings = 16 // of one run of characters
)

// known keeps the readings of the characters that were asked for, since taking tones off is most of the work; names have some
// thousands of them.
var known sync.Map

// readings gives how a Han character is read, without tones: the commonest first. ü is given as u and as v, for people
// type both.
func readings(r rune) []string {
	if out, ok := known.Load(r); ok {
		return out.([]string)
	}
	out := toneless(r)
	known.Store(r, out)
	return out
}

func toneless(r rune) []string {
	var out []string
	for reading := range strings.SplitSeq(pinyin.PinyinDict[int(r)], ",") {
		var u, v strings.Builder
		for _, c := range norm.NFD.String(reading) {
			switch {
			case c == 0x0308: // the diaeresis of the ü before it
				typed := strings.TrimSuffix(v.String(), "u") + "v"
				v.Reset()
				v.WriteString(typed)
			case c >= 'a' && c <= 'z':
				u.WriteRune(c)
				v.WriteRune(c)
			}
		}
		for _, typed := range []string{u.String(), v.String()} {
			if typed != "" && !slices.Contains(out, typed) {
				out = append(out, typed)
			}
		}
		if len(out) >= maxReadings {
			break
		}
	}
	return out
}

// Spellings gives the ways in which a run of Han characters is typed in pinyin without blanks: lilei for 李雷; and those in
// which it is typed by initials alone: ll. Characters without a reading make the run have none. At most 16 of each, those
// with the commonest readings first.
func Spellings(han string) (full, initials []string) {
	full, initials = []string{""}, []string{""}
	for _, r := range han {
		syllables := readings(r)
		if len(syllables) == 0 {
			return nil, nil
		}
		var letters []string
		for _, s := range syllables {
			if !slices.Contains(letters, s[:1]) {
				letters = append(letters, s[:1])
			}
		}
		full, initials = product(full, syllables), product(initials, letters)
	}
	return full, initials
}

func product(heads, tails []string) []string {
	out := make([]string, 0, len(heads)*len(tails))
	for _, tail := range tails { // the commonest reading of the last character goes with all that is before it, first
		for _, head := range heads {
			out = append(out, head+tail)
		}
	}
	return out[:min(len(out), maxSpellings)]
}

// syllables gives all readings, sorted.
var syllables = sync.OnceValue(func() []string {
	var all []string
	seen := make(map[string]bool)
	for r := range pinyin.PinyinDict {
		for _, s := range toneless(rune(r)) {
			if !seen[s] {
				seen[s], all = true, append(all, s)
			}
		}
	}
	slices.Sort(all)
	return all
})

// Completions gives what the letters become when their last syllable is typed to its end, in every way in which they can be
// cut into syllables: lilei and the like for lile. None where they are no pinyin. A run of characters whose spelling begins
// with the letters has a beginning that is spelt as they are, or as one of these.
func Completions(letters string) []string {
	var out []string
	all := syllables()
	ends := make([]bool, len(letters)+1) // where a syllable may end
	ends[0] = true
	for i := range letters {
		if !ends[i] {
			continue
		}
		rest := letters[i:]
		for j := 1; j <= len(rest); j++ {
			at, whole := slices.BinarySearch(all, rest[:j])
			if whole {
				ends[i+j] = true
			}
			if at == len(all) || !strings.HasPrefix(all[at], rest[:j]) {
				break
			}
		}
		at, _ := slices.BinarySearch(all, rest)
		for ; at < len(all) && strings.HasPrefix(all[at], rest); at++ {
			if tail := all[at][len(rest):]; tail != "" && !slices.Contains(out, letters+tail) {
				out = append(out, letters+tail)
			}
		}
	}
	return out
}

// Sounds gives what a folded name is called in Latin letters, in either order of its parts: a Latin name without its
// blanks, and a Chinese one by its pinyin with the family name, of one or two characters, first or last. Names that share
// one are said alike: 李雷, Li Lei and Lei Li.
func Sounds(folded string) []string {
	words, han := fold.Words(folded)
	switch {
	case len(han) == 0 && len(words) > 0:
		return []string{strings.Join(words, "")}
	case len(words) > 0 || len(han) != 1:
		return nil // of both scripts: neither tells the other's sound
	}
	runes := []rune(han[0])
	orders := []string{han[0]}
	for family := 1; family <= 2 && family < len(runes); family++ {
		orders = append(orders, string(runes[family:])+string(runes[:family]))
	}
	var out []string
	for _, order := range orders {
		full, _ := Spellings(order)
		for _, s := range full {
			if !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
}

// Initials gives the first letters of a folded name: of the words of a Latin one, of the pinyin of a Chinese one.
func Initials(folded string) []string {
	words, han := fold.Words(folded)
	if len(han) == 1 && len(words) == 0 {
		_, initials := Spellings(han[0])
		return initials
	}
	if len(han) > 0 || len(words) < 2 {
		return nil
	}
	var letters strings.Builder
	for _, w := range words {
		letters.WriteRune([]rune(w)[0])
	}
	return []string{letters.String()}
}
