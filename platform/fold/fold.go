// Package fold brings what people write to the form in which it is compared and looked for: writing alike means being alike,
// whatever accents, case, blanks, traditional or simplified characters.
package fold

import (
	_ "embed" // the table of traditional characters
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// simplifiedTable gives for each traditional character the simplified one, a pair a line. It is made of the table
// TSCharacters of OpenCC (https://github.com/BYVoid/OpenCC, Apache License 2.0; the first choice where that has several)
// with the variants of Hong Kong and Taiwan that it leaves to phrases. No library: those for Go carry dictionaries of
// phrases, which are wrong for names (乾 is 干, but 乾隆 stays), and put flags of their own into every program.
//
//go:embed simplified.txt
var simplifiedTable string

// simplified is read when the first Han character is folded: most processes of a cluster never see one.
var simplified = sync.OnceValue(func() map[rune]rune {
	table := make(map[rune]rune, 4200)
	for line := range strings.Lines(simplifiedTable) {
		if pair := []rune(strings.TrimSpace(line)); len(pair) == 2 {
			table[pair[0]] = pair[1]
		}
	}
	return table
})

// plain are the Latin letters that no decomposition takes apart, as they are typed where a keyboard has them not.
var plain = map[rune]string{
	'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'đ': "d", 'ð': "d", 'þ': "th", 'ł': "l", 'ħ': "h", 'ı': "i", 'ς': "σ",
}

// Text gives the form in which names and words are compared: compatibility forms are one (NFKC), letters are small and without
// accents, traditional characters are simplified, and whatever is neither letter nor digit is one blank between words, but
// none between two Han characters.
func Text(s string) string {
	var out strings.Builder
	blank, afterHan := false, false
	for _, r := range norm.NFD.String(strings.ToLower(norm.NFKC.String(s))) {
		switch {
		case r >= 0x0300 && r <= 0x036f, r == '\'', r == '’', r == 'ʼ': // accents; O'Neil is oneil
			continue
		case !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r):
			blank = out.Len() > 0
			continue
		}
		if blank && !(afterHan && Han(r)) { // 李 雷 is 李雷
			out.WriteByte(' ')
		}
		blank, afterHan = false, Han(r)
		switch letters, special := plain[r]; {
		case special:
			out.WriteString(letters)
		case Han(r):
			out.WriteRune(simple(r))
		default:
			out.WriteRune(r)
		}
	}
	return norm.NFC.String(out.String())
}

// Han tells whether r is a Han character.
func Han(r rune) bool { return unicode.Is(unicode.Han, r) }

func simple(r rune) rune {
	if s, ok := simplified()[r]; ok {
		return s
	}
	return r
}

// Words gives the words of a folded text, apart from its runs of Han characters, both in order.
func Words(folded string) (words, han []string) {
	for field := range strings.FieldsSeq(folded) {
		runes := []rune(field)
		for i := 0; i < len(runes); {
			j := i
			for j < len(runes) && Han(runes[j]) == Han(runes[i]) {
				j++
			}
			if Han(runes[i]) {
				han = append(han, string(runes[i:j]))
			} else {
				words = append(words, string(runes[i:j]))
			}
			i = j
		}
	}
	return words, han
}

// Compact gives a folded text without its blanks.
func Compact(folded string) string { return strings.ReplaceAll(folded, " ", "") }
