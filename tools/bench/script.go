package main

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// script turns the statements of one command, as they were seen on the line, into a script of pgbench that sends the
// same statements in the same batches. Two requests are compared: what is equal in both is sent as the same parameter
// each time; ids, the serial number of the test's own data, hashes, counters and shards are made anew for every
// transaction, so that rows and index entries spread as the command's do.
type script struct {
	serial    [2]string
	constants []string       // of the variables c1, c2, ...; they go to pgbench as -D
	ids       map[string]int // an id of the first request -> the number of its variable
	hashes    int
	counters  int
	body      strings.Builder
}

// newScript takes the serial numbers in the data of the two requests that are compared.
func newScript(serialA, serialB string) *script {
	return &script{serial: [2]string{serialA, serialB}, ids: make(map[string]int)}
}

// uuidPattern, argumentPattern and digestPattern match an id, a parameter of a statement, and a hash as text.
const (
	uuidPattern     = `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`
	argumentPattern = `\$\d+`
	digestPattern   = `^([a-z]+/)([0-9a-f]{32})$`
)

// trip adds a batch that is sent in one round trip. values are the SQL expressions of each statement's parameters.
func (s *script) trip(statements []string, values [][]string) {
	s.body.WriteString("\\startpipeline\n")
	argument := regexp.MustCompile(argumentPattern)
	for i, sql := range statements {
		s.body.WriteString(argument.ReplaceAllStringFunc(sql, func(name string) string {
			n, _ := strconv.Atoi(name[1:]) // the pattern lets nothing else through
			return values[i][n-1]
		}))
		s.body.WriteString(";\n")
	}
	s.body.WriteString("\\endpipeline\n")
}

// text is the script; the serial numbers are between two.
func (s *script) text(first, last int) string {
	const any63 = "random(1, 9223372036854775806)"
	var head strings.Builder
	// What has the same serial number is of the same shard: events of one aggregate come in order.
	fmt.Fprintf(&head, "\\set serial random(%d, %d)\n\\set shard :serial %% 16\n", first, last)
	for n := range len(s.ids) {
		fmt.Fprintf(&head, "\\set u%d %s\n", n+1, any63)
	}
	for n := range s.hashes {
		fmt.Fprintf(&head, "\\set h%d %s\n", n+1, any63)
	}
	for n := range s.counters {
		fmt.Fprintf(&head, "\\set n%d random(1, 9007199254740991)\n", n+1)
	}
	return head.String() + s.body.String()
}

// null is a parameter without a value.
func (s *script) null(kind string) string { return "NULL::" + kind }

// value is the expression of a parameter that was a in the first request and b in the second, both in the text form of
// the type.
func (s *script) value(kind, a, b string) string {
	digest := regexp.MustCompile(digestPattern)
	switch {
	case kind == "smallint": // the shard of events
		return "(:shard)::smallint"
	case kind == "smallint[]":
		return "ARRAY[:shard]::smallint[]"
	case a == b && !strings.Contains(a, s.serial[0]):
		return "(" + s.constant(a) + ")::" + kind
	case kind == "bigint": // of what the row before it came to
		s.counters++
		return fmt.Sprintf("(:n%d)::bigint", s.counters)
	case kind == "text" && digest.MatchString(a):
		s.hashes++
		return fmt.Sprintf("((%s)::text || md5((:h%d)::text))::text", s.constant(digest.FindStringSubmatch(a)[1]), s.hashes)
	case kind == "bytea":
		return s.bytes(a, b)
	case kind == "bytea[]":
		return "ARRAY[" + s.bytes(element(a), element(b)) + "]"
	}
	s.learn(a, b)
	if parts, varies := s.parts(a); varies {
		return "((" + parts + "))::" + kind
	}
	return "(" + s.constant(a) + ")::" + kind
}

// element gives the only element of an array of byte strings.
func element(array string) string {
	return strings.ReplaceAll(strings.Trim(array, `{"}`), `\\`, `\`)
}

func (s *script) bytes(a, b string) string {
	rawA, errA := hex.DecodeString(strings.TrimPrefix(a, `\x`))
	rawB, errB := hex.DecodeString(strings.TrimPrefix(b, `\x`))
	if errA == nil && errB == nil && utf8.Valid(rawA) && utf8.Valid(rawB) {
		s.learn(string(rawA), string(rawB))
		parts, varies := s.parts(string(rawA))
		if !varies {
			parts = "(" + s.constant(string(rawA)) + ")::text"
		}
		return "convert_to(" + parts + ", 'UTF8')"
	}
	s.hashes++
	return fmt.Sprintf("sha256(convert_to((:h%d)::text, 'UTF8'))", s.hashes)
}

func (s *script) constant(text string) string {
	if text == "" { // no variable of pgbench can be empty
		return "''"
	}
	s.constants = append(s.constants, text)
	return ":c" + strconv.Itoa(len(s.constants))
}

// learn finds the ids that differ.
func (s *script) learn(a, b string) {
	id := regexp.MustCompile(uuidPattern)
	inA, inB := id.FindAllString(a, -1), id.FindAllString(b, -1)
	for i, was := range inA {
		if _, known := s.ids[was]; !known && i < len(inB) && inB[i] != was {
			s.ids[was] = len(s.ids) + 1
		}
	}
}

// parts takes a text of the first request apart into constants and what varies.
func (s *script) parts(text string) (expression string, varies bool) {
	var list []string
	literal := func(part string) {
		if part != "" {
			list = append(list, "("+s.constant(part)+")::text")
		}
	}
	tokens := regexp.MustCompile(uuidPattern + "|" + regexp.QuoteMeta(s.serial[0]))
	end := 0
	for _, at := range tokens.FindAllStringIndex(text, -1) {
		from, to := at[0], at[1]
		made := "(:serial)::text"
		n, known := s.ids[text[from:to]]
		within := strings.Index(text[from:to], s.serial[0]) // it may be a part of an id
		switch {
		case known:
			made = uuidOf("u" + strconv.Itoa(n))
		case within >= 0:
			from += within
			to = from + len(s.serial[0])
		default:
			continue
		}
		literal(text[end:from])
		list, end, varies = append(list, made), to, true
	}
	if !varies {
		return "", false
	}
	literal(text[end:])
	return strings.Join(list, " || "), true
}

// uuidOf is the text of a UUID that begins with the time of the transaction, as a UUIDv7 does, so that its index entries
// lie where those of the command would.
func uuidOf(variable string) string {
	return "((lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0') || '7000' || lpad(to_hex((:" +
		variable + ")::bigint), 16, '0'))::uuid)::text"
}
