package filter

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Parse reads a filter's text form and checks it. A fault of the form says at which character it stands, a fault of a condition
// names its place as in the JSON form, below at.
func Parse(text, at string) (Node, []problem.Field) {
	if len(text) > MaxText {
		return Node{}, []problem.Field{{Location: at, Code: "too_large", Message: fmt.Sprintf("has more than %d bytes", MaxText)}}
	}
	p := parser{text: text}
	p.next()
	n := p.or(1)
	if p.failed == "" && p.token.kind != endToken {
		p.fail("expected and, or, or the end")
	}
	if p.failed != "" {
		return Node{}, []problem.Field{{Location: at, Code: "syntax", Message: p.failed}}
	}
	if faults := Check(n, at); len(faults) > 0 {
		return Node{}, faults
	}
	return n.Normal(), nil
}

type tokenKind byte

const (
	endToken    tokenKind = iota
	wordToken             // a word of the form, or a field
	signToken             // ( ) , and comparisons
	textToken             // in quotation marks
	numberToken           // a number, a day or an instant
)

type token struct {
	kind tokenKind
	text string
	at   int // bytes before it
}

type parser struct {
	text   string
	pos    int
	token  token
	nodes  int
	failed string // the first fault, in words
}

func (p *parser) fail(format string, args ...any) {
	if p.failed == "" {
		p.failed = fmt.Sprintf(format, args...) + fmt.Sprintf(" at character %d", utf8.RuneCountInString(p.text[:p.token.at])+1)
	}
	p.token, p.pos = token{kind: endToken, at: p.token.at}, len(p.text)
}

// bareText tells whether a text is read back as one token without quotation marks.
func bareText(s string) bool {
	return s != "" && s[0] >= '0' && s[0] <= '9' && !strings.ContainsFunc(s, func(r rune) bool { return !inNumber(r) })
}

// inNumber tells whether numbers, days and instants have the letter in them.
func inNumber(r rune) bool {
	return r >= '0' && r <= '9' || r == '.' || r == '-' || r == '+' || r == ':' || r == 'T' || r == 'Z' || r == 'e' || r == 'E'
}

func inWord(r rune) bool {
	return r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// next reads the next token.
func (p *parser) next() {
	for p.pos < len(p.text) && strings.ContainsRune(" \t\r\n", rune(p.text[p.pos])) {
		p.pos++
	}
	p.token = token{at: p.pos}
	if p.pos == len(p.text) {
		return
	}
	rest := p.text[p.pos:]
	switch c := rest[0]; {
	case strings.IndexByte("(),", c) >= 0:
		p.take(signToken, 1)
	case strings.IndexByte("=!<>", c) >= 0:
		length := 1
		if len(rest) > 1 && rest[1] == '=' {
			length = 2
		}
		p.take(signToken, length)
	case c == '"':
		p.quoted(rest)
	case c == '-' || c >= '0' && c <= '9':
		p.take(numberToken, span(rest, inNumber))
	default:
		length := span(rest, inWord)
		if length == 0 {
			p.fail("did not expect this")
			return
		}
		p.take(wordToken, length)
	}
}

// span is the length of the letters at the beginning for which in holds.
func span(s string, in func(rune) bool) int {
	if end := strings.IndexFunc(s, func(r rune) bool { return !in(r) }); end >= 0 {
		return end
	}
	return len(s)
}

func (p *parser) take(kind tokenKind, length int) {
	p.token.kind, p.token.text = kind, p.text[p.pos:p.pos+length]
	p.pos += length
}

func (p *parser) quoted(rest string) {
	var b strings.Builder
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '"':
			p.token.kind, p.token.text = textToken, b.String()
			p.pos += i + 1
			return
		case c == '\\' && (i+1 == len(rest) || rest[i+1] != '"' && rest[i+1] != '\\'):
			p.fail(`a backslash stands before " or \ only, in the text that begins`)
			return
		case c == '\\':
			i++
			b.WriteByte(rest[i])
		default:
			b.WriteByte(c)
		}
	}
	p.fail("no end of the text that begins")
}

// word takes the word if it is the next one.
func (p *parser) word(w string) bool {
	if p.token.kind == wordToken && strings.EqualFold(p.token.text, w) {
		p.next()
		return true
	}
	return false
}

func (p *parser) sign(s string) bool {
	if p.token.kind == signToken && p.token.text == s {
		p.next()
		return true
	}
	return false
}

func (p *parser) must(ok bool, what string) {
	if !ok {
		p.fail("expected %s", what)
	}
}

// depth of groups as written; the tree may come out flatter.
func (p *parser) or(depth int) Node {
	nodes := []Node{p.and(depth)}
	for p.word("or") {
		nodes = append(nodes, p.and(depth))
	}
	if len(nodes) == 1 {
		return nodes[0]
	}
	return Node{Any: nodes}
}

func (p *parser) and(depth int) Node {
	nodes := []Node{p.unary(depth)}
	for p.word("and") {
		nodes = append(nodes, p.unary(depth))
	}
	if len(nodes) == 1 {
		return nodes[0]
	}
	return Node{All: nodes}
}

func (p *parser) unary(depth int) Node {
	p.nodes++
	switch {
	case p.nodes > MaxNodes:
		p.fail("there are more than %d conditions and groups", MaxNodes)
		return Node{}
	case depth > 2*MaxDepth:
		p.fail("it is nested deeper than %d", MaxDepth)
		return Node{}
	case p.word("not"):
		inner := p.unary(depth + 1)
		return Node{Not: &inner}
	case p.sign("("):
		inner := p.or(depth + 1)
		p.must(p.sign(")"), "a closing bracket")
		return inner
	case p.word("everyone"):
		return Everyone()
	case p.word("nobody"):
		return Nobody()
	case p.word("in"):
		p.must(p.word("segment"), "segment and its code")
		return Node{Op: InSegment, Segment: p.name("the code of a segment")}
	default:
		return p.condition()
	}
}

func (p *parser) name(what string) string {
	name := p.token.text
	p.must(p.token.kind == wordToken, what)
	p.next()
	return name
}

func (p *parser) condition() Node {
	n := Node{Field: p.name("a field, not, or an opening bracket")}
	if p.token.kind == signToken {
		for op, sign := range symbols {
			if p.sign(sign) {
				n.Op, n.Values = op, []Value{p.value()}
				return n
			}
		}
	}
	switch {
	case p.word("between"):
		from := p.value()
		p.must(p.word("and"), "and with the second value")
		n.Op, n.Values = Between, []Value{from, p.value()}
	case p.word("in"):
		n.Op, n.Values = OneOf, p.values()
	case p.word("has"):
		p.has(&n)
	case p.word("is"):
		n.Op = IsKnown
		if !p.word("known") {
			p.must(p.word("unknown"), "known or unknown")
			n.Op = IsUnknown
		}
	case p.word("within"):
		n.Op = Within
		if p.word("next") {
			n.Op = Next
		}
		n.Values = []Value{p.value()}
		p.must(p.word("days"), "days")
	case p.word("before"):
		n.Op, n.Values = Before, []Value{p.value()}
		p.must(p.word("days"), "days ago")
		p.must(p.word("ago"), "ago")
	default:
		p.fail("expected =, !=, <, <=, >, >=, between, in, has, is, within or before")
	}
	return n
}

func (p *parser) has(n *Node) {
	switch {
	case p.word("any"):
		n.Op, n.Values = AnyOf, p.values()
	case p.word("all"):
		n.Op, n.Values = AllOf, p.values()
	case p.word("none"):
		n.Op, n.Values = NoneOf, p.values()
	default:
		n.Op, n.Values = Contains, []Value{p.value()}
	}
}

func (p *parser) values() []Value {
	p.must(p.sign("("), "an opening bracket")
	values := []Value{p.value()}
	for p.sign(",") {
		values = append(values, p.value())
		if len(values) > MaxValues {
			p.fail("there are more than %d values", MaxValues)
		}
	}
	p.must(p.sign(")"), "a comma or a closing bracket")
	return values
}

func (p *parser) value() Value {
	t := p.token
	switch {
	case t.kind == textToken:
		p.next()
		return Text(t.text)
	case p.word("true"):
		return Flag(true)
	case p.word("false"):
		return Flag(false)
	case t.kind == numberToken:
		if number, err := strconv.ParseFloat(t.text, 64); err == nil {
			p.next()
			return Number(number)
		}
		if _, ok := instant(Text(t.text)); ok {
			p.next()
			return Text(t.text)
		}
	}
	p.fail("expected a number, a text in quotation marks, a day, an instant, true or false")
	return Value{}
}
