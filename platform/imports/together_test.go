package imports

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// ordered reads a file of two columns whose rows belong together by the first, from the position of a batch before.
func ordered(file string, at *batch) *reader {
	p := plan{Width: 2, Entries: []entry{{Target: "order", Column: 1, Required: true}, {Target: "line", Column: 2, Required: true}}}
	position, line := int64(0), int64(0)
	if at != nil {
		position, line = at.position, at.line
	}
	r := &reader{scanner: newScanner(strings.NewReader(file[position:]), formatCSV, position, line), parser: newParser(formatCSV, p)}
	if at != nil {
		r.number = at.rows[len(at.rows)-1].Number
	}
	r.together, r.column = Kind{Together: func([]string) string { return "order" }}.together([]string{"order", "line"})
	return r
}

// read reads all batches of the file; anew with every batch, as after a crash, or going on.
func readAll(t interface{ Fatal(...any) }, file string, anew bool) (batches [][]string, rejections []string) {
	r := ordered(file, nil)
	for {
		b := new(batch)
		if err := r.read(b); err != nil {
			t.Fatal(err)
		}
		var rows []string
		for _, row := range b.rows {
			rows = append(rows, row.Get("order")+"/"+row.Get("line"))
		}
		sortByLine(b.rejected)
		for _, f := range b.rejected {
			rejections = append(rejections, fmt.Sprint(f.Line, " ", f.Code))
		}
		batches = append(batches, rows)
		if b.ended {
			return batches, rejections
		}
		if anew && len(b.rows) > 0 {
			r = ordered(file, b)
		}
	}
}

func TestRowsThatBelongTogetherComeInOneBatch(t *testing.T) {
	t.Parallel()
	var file strings.Builder
	for n := range 999 {
		fmt.Fprintf(&file, "o%d,1\n", n)
	}
	for n := range 50 {
		fmt.Fprintf(&file, "large,%d\n", n)
	}
	file.WriteString("after,1\nafter,2\n")
	for _, anew := range []bool{false, true} {
		batches, rejections := readAll(t, file.String(), anew)
		if len(batches) != 2 || len(batches[0]) != 1049 || !slices.Equal(batches[1], []string{"after/1", "after/2"}) || len(rejections) > 0 {
			t.Fatalf("%d batches, the first of %d rows, %v, %v", len(batches), len(batches[0]), batches[1:], rejections)
		}
	}
}

func TestARowThatCannotBeReadTakesThoseAlongThatBelongToIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, rows, rejections string }{
		"all can be read":                      {"a,1\na,2\nb,1\n", "a/1 a/2 b/1", ""},
		"a value is missing":                   {"a,1\na,\nb,1\n", "b/1", "1 together_incomplete;2 required"},
		"and of the first row":                 {"a,\na,2\na,3\nb,1\n", "b/1", "1 required;2 together_incomplete;3 together_incomplete"},
		"whose it is cannot be told":           {"a,1\nx\nb,1\nc,1\n", "c/1", "1 together_incomplete;2 column_count;3 together_incomplete"},
		"in the middle of one":                 {"a,1\nx\na,2\nb,1\n", "b/1", "1 together_incomplete;2 column_count;3 together_incomplete"},
		"it names none":                        {"a,1\n,2\nb,1\nc,1\n", "c/1", "1 together_incomplete;2 required;3 together_incomplete"},
		"at the beginning":                     {"x\na,1\nb,1\n", "b/1", "1 column_count;2 together_incomplete"},
		"at the end":                           {"a,1\nb,1\nx\n", "a/1", "2 together_incomplete;3 column_count"},
		"two, one after the other":             {"a,1\nx\ny\nb,1\nc,1\n", "c/1", "1 together_incomplete;2 column_count;3 column_count;4 together_incomplete"},
		"the same again later is none of them": {"a,1\na,\nb,1\na,1\n", "b/1 a/1", "1 together_incomplete;2 required"},
	} {
		batches, rejections := readAll(t, c.file, false)
		if got := strings.Join(slices.Concat(batches...), " "); got != c.rows || strings.Join(rejections, ";") != c.rejections {
			t.Errorf("%s: got %q, %q", name, got, rejections)
		}
	}
}

func TestRowsThatBelongTogetherWithoutEndAreRefused(t *testing.T) {
	t.Parallel()
	r := ordered(strings.Repeat("same,1\n", mostTogether+2), nil)
	var p *problem.Error
	if err := r.read(new(batch)); !errors.As(err, &p) || p.Code != "rows_together_too_many" {
		t.Fatalf("got %v", err)
	}
}

// TestNoCutPartsWhatBelongsTogether reads files of runs of any length with faulty rows anywhere: however the batches are cut, and
// whether it is read on or anew, a run is in one batch with all its rows, or all of it is rejected.
func TestNoCutPartsWhatBelongsTogether(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var file strings.Builder
		lines, faulty := make(map[string]int), make(map[string]bool)
		for n := range rapid.IntRange(1, 12).Draw(t, "orders") {
			order := fmt.Sprint("o", n)
			lines[order] = rapid.SampledFrom([]int{1, 2, 3, 400, 999, 1000, 1001}).Draw(t, "lines")
			bad := rapid.IntRange(-3*lines[order], lines[order]-1).Draw(t, "faulty")
			for l := range lines[order] {
				if l == bad {
					faulty[order] = true
					fmt.Fprintf(&file, "%s,\n", order)
				} else {
					fmt.Fprintf(&file, "%s,%d\n", order, l)
				}
			}
		}
		batches, rejections := readAll(t, file.String(), rapid.Bool().Draw(t, "anew"))
		seen, rejected := make(map[string]bool), 0
		for _, rows := range batches {
			in := make(map[string]int)
			for _, row := range rows {
				order, _, _ := strings.Cut(row, "/")
				in[order]++
			}
			for order, n := range in {
				if n != lines[order] || seen[order] || faulty[order] {
					t.Fatalf("%d of %d rows of %s, seen before: %v, faulty: %v", n, lines[order], order, seen[order], faulty[order])
				}
				seen[order] = true
			}
		}
		for order, n := range lines {
			if faulty[order] {
				rejected += n
			} else if !seen[order] {
				t.Fatalf("%s is missing", order)
			}
		}
		if len(rejections) != rejected {
			t.Fatalf("%d rows were rejected, want %d", len(rejections), rejected)
		}
	})
}

func TestABatchIsHalvedWhereNothingBelongsTogether(t *testing.T) {
	t.Parallel()
	for keys, want := range map[string]int{"aabb": 2, "aaab": 3, "abbb": 1, "aaaa": 0, "ab": 1, "aabbcc": 2, "abcd": 2} {
		var rows []Row
		for _, k := range strings.Split(keys, "") {
			rows = append(rows, NewRow(1, []string{"order"}, []string{k}))
		}
		if got := half(rows, 0); got != want {
			t.Errorf("%s: %d, want %d", keys, got, want)
		}
		if got := half(rows, -1); got != len(rows)/2 {
			t.Errorf("%s, each for itself: %d", keys, got)
		}
	}
}
