package httpx

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// maxDepth is how deep objects and arrays may nest.
const maxDepth = 64

// scan refuses what encoding/json and huma would let pass: U+0000, bad UTF-8, lone surrogates, duplicate keys and deep
// nesting; and, on the way, everything that is not exactly one JSON document. It reads the body once and keeps nothing
// of it, and its messages repeat no values.
func scan(body []byte) error {
	s := scanner{b: body}
	s.space()
	if s.i == len(s.b) {
		return problem.New(problem.BadRequest, "body_missing", "The body is empty; send a JSON document.")
	}
	f := s.value(0)
	if f == nil {
		if s.space(); s.i < len(s.b) {
			f = s.fault("json_trailing_data", "something follows the JSON document")
		}
	}
	if f == nil {
		return nil
	}
	return problem.New(problem.BadRequest, f.code, "The body cannot be read: %s.", f.message).WithField(f.location, f.code, f.message)
}

// fault is what is wrong with a body, and where.
type fault struct{ code, message, location string }

// scanner reads one document. Recursion is bounded by maxDepth.
type scanner struct {
	b    []byte
	i    int
	path []step
}

// step leads to a member (key set) or an element (index) of what is above.
type step struct {
	key   []byte
	index int
}

func (s *scanner) fault(code, message string) *fault {
	return &fault{code: code, message: fmt.Sprintf("%s (at byte %d)", message, s.i), location: s.location()}
}

// malformed says that something was expected here; a zero byte gets its own code wherever it stands.
func (s *scanner) malformed(expected string) *fault {
	switch {
	case s.i >= len(s.b):
		return s.fault("json_malformed", "it ends too early, "+expected+" was expected")
	case s.b[s.i] == 0:
		return s.fault("json_nul", "it holds U+0000")
	case s.b[s.i] >= utf8.RuneSelf:
		if r, n := utf8.DecodeRune(s.b[s.i:]); r == utf8.RuneError && n <= 1 {
			return s.fault("json_utf8", "it is not UTF-8")
		}
	}
	return s.fault("json_malformed", "it is not JSON, "+expected+" was expected")
}

func (s *scanner) location() string {
	var b strings.Builder
	b.WriteString("body")
	for _, st := range s.path {
		if st.key == nil {
			b.WriteString("[" + strconv.Itoa(st.index) + "]")
			continue
		}
		b.WriteString("." + safeName(string(st.key)))
	}
	return b.String()
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

// peek gives the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *scanner) value(depth int) *fault {
	switch c := s.peek(); {
	case c == '{' || c == '[':
		if depth == maxDepth {
			return s.fault("json_depth", fmt.Sprintf("it nests deeper than %d levels", maxDepth))
		}
		s.i++
		if c == '{' {
			return s.object(depth + 1)
		}
		return s.array(depth + 1)
	case c == '"':
		_, f := s.str()
		return f
	case c == '-' || (c >= '0' && c <= '9'):
		return s.number()
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	default:
		return s.malformed("a value")
	}
}

func (s *scanner) literal(word string) *fault {
	if !bytes.HasPrefix(s.b[s.i:], []byte(word)) {
		return s.malformed("a value")
	}
	s.i += len(word)
	return nil
}

func (s *scanner) array(depth int) *fault {
	s.path = append(s.path, step{})
	if s.space(); s.peek() == ']' {
		s.i++
		s.path = s.path[:len(s.path)-1]
		return nil
	}
	for n := 0; ; n++ {
		s.path[len(s.path)-1].index = n
		s.space()
		if f := s.value(depth); f != nil {
			return f
		}
		s.space()
		switch s.peek() {
		case ',':
			s.i++
		case ']':
			s.i++
			s.path = s.path[:len(s.path)-1]
			return nil
		default:
			return s.malformed("a comma or the end of the array")
		}
	}
}

func (s *scanner) object(depth int) *fault {
	var seen keys
	s.path = append(s.path, step{key: []byte{}})
	if s.space(); s.peek() == '}' {
		s.i++
		s.path = s.path[:len(s.path)-1]
		return nil
	}
	for {
		if s.space(); s.peek() != '"' {
			return s.malformed("a key")
		}
		key, f := s.str()
		if f != nil {
			return f
		}
		s.path[len(s.path)-1].key = key
		if !seen.add(key) {
			return s.fault("json_duplicate_key", "a key stands twice in one object")
		}
		if s.space(); s.peek() != ':' {
			return s.malformed("a colon")
		}
		s.i++
		s.space()
		if f := s.value(depth); f != nil {
			return f
		}
		s.space()
		switch s.peek() {
		case ',':
			s.i++
		case '}':
			s.i++
			s.path = s.path[:len(s.path)-1]
			return nil
		default:
			return s.malformed("a comma or the end of the object")
		}
	}
}

// keys remembers the keys of one object: a few in place, many in a map.
type keys struct {
	few  [8][]byte
	n    int
	many map[string]struct{}
}

// add tells whether the key is new.
func (k *keys) add(key []byte) bool {
	if k.many == nil {
		for _, old := range k.few[:k.n] {
			if bytes.Equal(old, key) {
				return false
			}
		}
		if k.n < len(k.few) {
			k.few[k.n] = key
			k.n++
			return true
		}
		k.many = make(map[string]struct{}, 2*len(k.few))
		for _, old := range k.few {
			k.many[string(old)] = struct{}{}
		}
	}
	if _, old := k.many[string(key)]; old {
		return false
	}
	k.many[string(key)] = struct{}{}
	return true
}

func (s *scanner) number() *fault {
	if s.peek() == '-' {
		s.i++
	}
	switch c := s.peek(); {
	case c == '0':
		s.i++
	case c >= '1' && c <= '9':
		s.digits()
	default:
		return s.malformed("a digit")
	}
	if s.peek() == '.' {
		s.i++
		if !s.digits() {
			return s.malformed("a digit")
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.i++
		if c := s.peek(); c == '+' || c == '-' {
			s.i++
		}
		if !s.digits() {
			return s.malformed("a digit")
		}
	}
	return nil
}

func (s *scanner) digits() bool {
	start := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i > start
}

// str reads a string and gives its decoded bytes, which share the body's where there is nothing to decode.
func (s *scanner) str() ([]byte, *fault) {
	open := s.i
	s.i++
	escaped := false
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			if !escaped {
				return s.b[open+1 : s.i-1], nil
			}
			var decoded string
			if json.Unmarshal(s.b[open:s.i], &decoded) != nil {
				return nil, s.malformed("a string")
			}
			return []byte(decoded), nil
		case c == '\\':
			escaped = true
			if f := s.escape(); f != nil {
				return nil, f
			}
		case c < ' ':
			return nil, s.malformed("an escaped control character")
		case c < utf8.RuneSelf:
			s.i++
		default:
			r, n := utf8.DecodeRune(s.b[s.i:])
			if r == utf8.RuneError && n <= 1 {
				return nil, s.fault("json_utf8", "it is not UTF-8")
			}
			s.i += n
		}
	}
	return nil, s.malformed("the end of a string")
}

// escape reads one escape, a pair of surrogates at once.
func (s *scanner) escape() *fault {
	s.i++
	switch s.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.i++
		return nil
	case 'u':
	default:
		return s.malformed("an escape")
	}
	unit, ok := s.hex(s.i + 1)
	switch {
	case !ok:
		return s.malformed("four hexadecimal digits")
	case unit == 0:
		return s.fault("json_nul", "it holds U+0000")
	case unit < 0xd800 || unit > 0xdfff:
		s.i += 5
		return nil
	case unit < 0xdc00 && bytes.HasPrefix(s.b[s.i+5:], []byte(`\u`)):
		if low, ok := s.hex(s.i + 7); ok && low >= 0xdc00 && low <= 0xdfff {
			s.i += 11
			return nil
		}
	}
	return s.fault("json_surrogate", "it holds half of a surrogate pair, which is no character")
}

// hex reads four hexadecimal digits at from.
func (s *scanner) hex(from int) (uint64, bool) {
	if from+4 > len(s.b) {
		return 0, false
	}
	for _, c := range s.b[from : from+4] {
		if !strings.ContainsRune("0123456789abcdefABCDEF", rune(c)) {
			return 0, false
		}
	}
	v, err := strconv.ParseUint(string(s.b[from:from+4]), 16, 32)
	return v, err == nil
}

// safeName cuts a name that came from outside down to what may be shown: 64 printable characters.
func safeName(name string) string {
	out := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !strconv.IsPrint(r) {
			return '?'
		}
		return r
	}, name)
	if utf8.RuneCountInString(out) > 64 {
		out = string([]rune(out)[:64]) + "…"
	}
	return out
}
