package imports

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// plan is a mapping resolved against the file: what fills each column of a row. It is kept with the job.
type plan struct {
	Entries []entry `json:"entries"`
	// Width is the number of columns that each record must have; 0 for JSON Lines.
	Width int `json:"width,omitempty"`
	// Open are the columns with a prefix, which lines of JSON may have without being mapped; the prefix is the target.
	Open []entry `json:"open,omitempty"`
	// Strict refuses JSON keys that no entry reads: there was no mapping that left them out on purpose.
	Strict bool `json:"strict,omitempty"`
}

// entry fills one column from one source: a column of the file, a JSON key, the line number or a constant.
type entry struct {
	Target   string `json:"target"`
	Required bool   `json:"required,omitempty"`
	Many     bool   `json:"many,omitempty"`
	JSON     bool   `json:"json,omitempty"`
	Column   int    `json:"column,omitempty"` // 1-based
	Key      string `json:"key,omitempty"`
	Line     bool   `json:"line,omitempty"`
	Text     string `json:"text,omitempty"`
}

func (p plan) columns() []string {
	names := make([]string, len(p.Entries))
	for i, e := range p.Entries {
		names[i] = e.Target
	}
	return names
}

func (p plan) schema() *schema {
	s := &schema{columns: p.columns(), index: make(map[string]int, len(p.Entries))}
	for i, name := range s.columns {
		s.index[name] = i
	}
	return s
}

// assignment is one entry of a mapping as it was written: target=source.
type assignment struct {
	target string
	source string
	quote  byte // ' for a constant, " for a quoted name, 0 for neither
}

// parseMapping reads target=source,target=source. A source is the name of a column of the header or of a JSON key
// (within double quotes where it has commas or begins with one of the signs that follow), #3 for the third column,
// 'text' for a constant, $line for the line number. Quotes are doubled within quotes.
func parseMapping(written []string) ([]assignment, error) {
	var all []assignment
	for _, s := range written {
		for rest := s; strings.TrimSpace(rest) != ""; {
			a, after, err := parseAssignment(rest)
			if err != nil {
				return nil, invalid("mapping_malformed", "query.mapping", "%s", err)
			}
			all, rest = append(all, a), after
		}
	}
	return all, nil
}

func parseAssignment(s string) (a assignment, rest string, err error) {
	target, after, ok := strings.Cut(s, "=")
	if a.target = strings.TrimSpace(target); !ok || a.target == "" {
		return a, "", fmt.Errorf("%q is not target=source", s)
	}
	after = strings.TrimLeft(after, " ")
	if after == "" || (after[0] != '\'' && after[0] != '"') {
		a.source, rest, _ = strings.Cut(after, ",")
		if a.source = strings.TrimSpace(a.source); a.source == "" {
			return a, "", fmt.Errorf("%s has no source", a.target)
		}
		return a, rest, nil
	}
	a.quote = after[0]
	double := string([]byte{a.quote, a.quote})
	for i := 1; ; i++ {
		n := strings.IndexByte(after[i:], a.quote)
		if n < 0 {
			return a, "", fmt.Errorf("the source of %s has a quote that is never closed", a.target)
		}
		i += n
		if strings.HasPrefix(after[i:], double) {
			i++
			continue
		}
		a.source = strings.ReplaceAll(after[1:i], double, double[:1])
		rest = strings.TrimLeft(after[i+1:], " ")
		if rest != "" && rest[0] != ',' {
			return a, "", fmt.Errorf("after the source of %s there is %q instead of a comma", a.target, rest)
		}
		return a, strings.TrimPrefix(rest, ","), nil
	}
}

// resolve makes the plan of a file: header holds the names of its first record, nil where it has none; width is the
// number of its columns.
func resolve(k Kind, f format, mapping []assignment, header []string, width int) (plan, error) {
	p := plan{Width: width, Strict: len(mapping) == 0}
	if len(mapping) == 0 {
		var err error
		if mapping, err = defaultMapping(k, f, header); err != nil {
			return plan{}, err
		}
	}
	for _, c := range k.Columns {
		if prefix, open := strings.CutSuffix(c.Name, "*"); open && p.Strict && f == formatJSONL {
			p.Open = append(p.Open, entry{Target: prefix, Many: c.Many, JSON: c.JSON})
		}
	}
	for _, a := range mapping {
		column, ok := k.column(a.target)
		if !ok {
			return plan{}, invalid("mapping_target_unknown", "query.mapping", "%q is no column; there are %s", a.target, k.names())
		}
		if slices.Contains(p.columns(), a.target) {
			return plan{}, invalid("mapping_target_twice", "query.mapping", "%q has two sources", a.target)
		}
		e, err := source(a, f, header, width)
		if err != nil {
			return plan{}, err
		}
		e.Target, e.Required, e.Many, e.JSON = a.target, column.Required, column.Many, column.JSON
		p.Entries = append(p.Entries, e)
	}
	for _, c := range k.Columns {
		if c.Required && !slices.Contains(p.columns(), c.Name) {
			return plan{}, invalid("column_missing", "query.mapping", "nothing fills the column %q, which is required", c.Name)
		}
	}
	if len(p.Entries) == 0 {
		return plan{}, invalid("mapping_empty", "query.mapping", "no column is filled; there are %s", k.names())
	}
	return p, nil
}

// defaultMapping takes each column from where the file has its name.
func defaultMapping(k Kind, f format, header []string) ([]assignment, error) {
	var mapping []assignment
	switch {
	case f == formatJSONL:
		for _, c := range k.Columns {
			if !strings.HasSuffix(c.Name, ":*") {
				mapping = append(mapping, assignment{target: c.Name, source: c.Name, quote: '"'})
			}
		}
	case header == nil:
		return nil, invalid("mapping_required", "query.mapping", "is required for a file without a header, such as %s=#1", k.Columns[0].Name)
	default:
		for _, name := range header {
			if _, ok := k.column(name); !ok {
				return nil, invalid("column_unknown", "body", "the header names %q, which is no column; there are %s. Give a mapping to leave it out", name, k.names())
			}
			mapping = append(mapping, assignment{target: name, source: name, quote: '"'})
		}
	}
	return mapping, nil
}

func source(a assignment, f format, header []string, width int) (entry, error) {
	switch {
	case a.quote == '\'':
		return entry{Text: a.source}, nil
	case a.quote == 0 && a.source == "$line":
		return entry{Line: true}, nil
	case a.quote == 0 && strings.HasPrefix(a.source, "$"):
		return entry{}, invalid("mapping_source_unknown", "query.mapping", "%q is not known; there is $line", a.source)
	case a.quote == 0 && strings.HasPrefix(a.source, "#") && f != formatJSONL:
		n, err := strconv.Atoi(a.source[1:])
		if err != nil || n < 1 || (width > 0 && n > width) {
			return entry{}, invalid("mapping_source_unknown", "query.mapping", "there is no column %s; the file has %d", a.source, width)
		}
		return entry{Column: n}, nil
	case f == formatJSONL:
		return entry{Key: a.source}, nil
	}
	first := slices.Index(header, a.source)
	switch {
	case header == nil:
		return entry{}, invalid("mapping_source_unknown", "query.mapping", "%q is a name, but the file has no header; say #1 for the first column", a.source)
	case first < 0:
		return entry{}, invalid("mapping_source_unknown", "query.mapping", "the header does not name %q; it names %s", a.source, strings.Join(header, ", "))
	case slices.Contains(header[first+1:], a.source):
		return entry{}, invalid("mapping_source_twice", "body", "the header names %q twice; say which by its number, such as #%d", a.source, first+1)
	}
	return entry{Column: first + 1}, nil
}

// column finds the column that a mapping's target means.
func (k Kind) column(target string) (Column, bool) {
	for _, c := range k.Columns {
		prefix, open := strings.CutSuffix(c.Name, "*")
		if c.Name == target && !open || open && strings.HasPrefix(target, prefix) && len(target) > len(prefix) {
			return c, true
		}
	}
	return Column{}, false
}

func (k Kind) names() string {
	names := make([]string, len(k.Columns))
	for i, c := range k.Columns {
		names[i] = c.Name
	}
	return strings.Join(names, ", ")
}

func invalid(code, location, format string, args ...any) *problem.Error {
	message := fmt.Sprintf(format, args...)
	return problem.New(problem.Unprocessable, code, "The import cannot begin: %s.", message).WithField(location, code, message)
}
