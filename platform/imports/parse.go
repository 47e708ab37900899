package imports

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// format is how a file is written.
type format string

const (
	formatCSV        format = "csv"        // RFC 4180: commas, quotes, line breaks within quotes
	formatJSONL      format = "jsonl"      // one JSON object a line
	formatWhitespace format = "whitespace" // columns separated by any number of blanks
)

// splitCSV appends the values of a record whose quotes scanner has found to be in order.
func splitCSV(raw string, to []string) []string {
	for {
		if !strings.HasPrefix(raw, `"`) {
			value, rest, more := strings.Cut(raw, ",")
			to = append(to, value)
			if !more {
				return to
			}
			raw = rest
			continue
		}
		end := closing([]byte(raw), 1)
		if end < 0 {
			return append(to, raw)
		}
		value := raw[1 : end-1]
		if strings.Contains(value, `""`) {
			value = strings.ReplaceAll(value, `""`, `"`)
		}
		if strings.Contains(value, "\r\n") {
			value = strings.ReplaceAll(value, "\r\n", "\n")
		}
		to = append(to, value)
		if end >= len(raw) || raw[end] != ',' {
			return to
		}
		raw = raw[end+1:]
	}
}

// parser turns records into rows as a plan says.
type parser struct {
	format format
	plan   plan
	schema *schema
	keys   map[string]bool   // jsonl: keys that the plan reads
	fields []string          // of the record at hand
	more   map[string]string // of the record at hand, by the names of open columns; nil: none
}

func newParser(f format, p plan) *parser {
	ps := &parser{format: f, plan: p, schema: p.schema(), keys: map[string]bool{}}
	for _, e := range p.Entries {
		if e.Key != "" {
			ps.keys[e.Key] = true
		}
	}
	return ps
}

// row reads a record into values, which has one place for each entry of the plan. It returns the row's faults; a row
// that has any is not to be applied.
func (ps *parser) row(rec record, values []string) []fault {
	ps.more = nil
	if rec.fault != nil {
		return []fault{*rec.fault}
	}
	var object map[string]json.RawMessage
	switch ps.format {
	case formatJSONL:
		var f *fault
		if object, f = ps.object(rec.raw); f != nil {
			return []fault{*f}
		}
	case formatCSV:
		ps.fields = splitCSV(rec.raw, ps.fields[:0])
	default:
		ps.fields = append(ps.fields[:0], strings.Fields(rec.raw)...)
	}
	if ps.format != formatJSONL && len(ps.fields) != ps.plan.Width {
		return []fault{{code: "column_count",
			reason: fmt.Sprintf("has %d columns, the file has %d", len(ps.fields), ps.plan.Width)}}
	}
	var faults []fault
	for i, e := range ps.plan.Entries {
		value, f := ps.value(e, rec, object)
		if f == nil && value == "" && e.Required {
			f = &fault{code: "required", reason: "must have a value"}
		}
		if f != nil {
			f.column = e.Target
			faults = append(faults, *f)
		}
		values[i] = value
	}
	return append(faults, ps.others(object)...)
}

// others reads the open columns of an object.
func (ps *parser) others(object map[string]json.RawMessage) (faults []fault) {
	if len(ps.plan.Open) == 0 {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		e, open := ps.open(key)
		if !open {
			continue
		}
		value, f := fromJSON(e, object[key])
		switch {
		case f != nil:
			f.column = key
			faults = append(faults, *f)
		case value != "":
			if ps.more == nil {
				ps.more = make(map[string]string)
			}
			ps.more[key] = value
		}
	}
	return faults
}

// open gives the open column that a key means.
func (ps *parser) open(key string) (entry, bool) {
	for _, e := range ps.plan.Open {
		if strings.HasPrefix(key, e.Target) && len(key) > len(e.Target) && !ps.keys[key] {
			return e, true
		}
	}
	return entry{}, false
}

func fromJSON(e entry, raw json.RawMessage) (string, *fault) {
	switch {
	case e.JSON:
		return structured(raw)
	case e.Many:
		return several(raw)
	default:
		return scalar(raw)
	}
}

func (ps *parser) value(e entry, rec record, object map[string]json.RawMessage) (string, *fault) {
	switch {
	case e.Line:
		return fmt.Sprint(rec.line), nil
	case e.Column > 0:
		return ps.cell(strings.TrimSpace(ps.fields[e.Column-1])), nil
	case e.Key != "":
		return fromJSON(e, object[e.Key])
	default:
		return e.Text, nil
	}
}

// object reads one JSON object; its values stay as they are written.
func (ps *parser) object(raw string) (map[string]json.RawMessage, *fault) {
	malformed := &fault{code: "json_malformed", reason: "is not one whole JSON object"}
	dec := json.NewDecoder(strings.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, malformed
	}
	object := make(map[string]json.RawMessage, len(ps.keys))
	for dec.More() {
		t, err := dec.Token()
		key, ok := t.(string)
		if err != nil || !ok {
			return nil, malformed
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, malformed
		}
		if _, twice := object[key]; twice {
			return nil, &fault{code: "key_duplicate", reason: fmt.Sprintf("has the key %q twice", key)}
		}
		if _, open := ps.open(key); !open && !ps.keys[key] && ps.plan.Strict {
			return nil, &fault{code: "column_unknown",
				reason: fmt.Sprintf("has the key %q, which is no column; give a mapping to leave it out", key)}
		}
		object[key] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, malformed
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, malformed
	}
	return object, nil
}

// cell takes the mark off that keeps a spreadsheet from calculating with a cell.
func (ps *parser) cell(value string) string {
	if ps.format == formatCSV {
		return Unmark(value)
	}
	return value
}

// structured gives any JSON value as it is written; null and nothing as "".
func structured(raw json.RawMessage) (string, *fault) {
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return "", nil
	case raw[0] == '"': // the JSON may be in a text, as it is in a cell
		return scalar(raw)
	case bytes.Contains(raw, []byte(`\u0000`)):
		return "", containsNUL()
	}
	return string(raw), nil
}

// several gives an array of scalars one a line, or a single one as it is.
func several(raw json.RawMessage) (string, *fault) {
	if len(raw) == 0 || raw[0] != '[' {
		return scalar(raw)
	}
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return "", &fault{code: "json_malformed", reason: "is not a JSON array"}
	}
	var values []string
	for _, item := range items {
		value, f := scalar(item)
		if f != nil {
			return "", f
		}
		if value != "" {
			values = append(values, value)
		}
	}
	return strings.Join(values, "\n"), nil
}

func containsNUL() *fault {
	return &fault{code: "contains_nul", reason: "contains the character U+0000"}
}

// scalar gives a JSON value as text: strings without their quotes, numbers as they are written, null and nothing as "".
func scalar(raw json.RawMessage) (string, *fault) {
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return "", nil
	case raw[0] == '{' || raw[0] == '[':
		return "", &fault{code: "value_not_scalar", reason: "must be a text, a number or true or false"}
	case raw[0] != '"':
		return string(raw), nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", &fault{code: "json_malformed", reason: "is not a JSON text"}
	}
	if strings.ContainsRune(s, 0) {
		return "", containsNUL()
	}
	return strings.TrimSpace(s), nil
}
