package imports

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestScannerCutsRecords(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxRecord+10)
	cases := []struct {
		name   string
		format format
		file   string
		want   []string // line:raw, or line!code
	}{
		{"lines", formatWhitespace, "a b\nc d\n", []string{"1:a b", "2:c d"}},
		{"no line break at the end", formatWhitespace, "a\nb", []string{"1:a", "2:b"}},
		{"CRLF", formatCSV, "a,b\r\nc,d\r\n", []string{"1:a,b", "2:c,d"}},
		{"blank lines", formatCSV, "\n\na,b\n  \n\r\nc,d\n\n", []string{"3:a,b", "6:c,d"}},
		{"quotes", formatCSV, `"a ""b"", c",d` + "\n", []string{`1:"a ""b"", c",d`}},
		{"line breaks within quotes", formatCSV, "\"a\nb\r\nc\",d\ne,f\n", []string{"1:\"a\nb\r\nc\",d", "4:e,f"}},
		{"quoted value at the end without line break", formatCSV, "a,\"b\"", []string{`1:a,"b"`}},
		{"quote in the middle", formatCSV, "a,5\" pipe\nb,c\n", []string{"1!quote_misplaced", "2:b,c"}},
		{"text after a quoted value", formatCSV, "\"a\"x,b\nc,d\n", []string{"1!quote_misplaced", "2:c,d"}},
		{"quote never closed", formatCSV, "\"a,b\nc,d\ne,f", []string{"1!quote_unclosed", "2:c,d", "3:e,f"}},
		{"quote closed by a later row's", formatCSV, "\"a,b\n\"c\",d\n", []string{"1!quote_misplaced", "2:\"c\",d"}},
		{"quotes mean nothing outside CSV", formatWhitespace, "a \"b\nc\" d\n", []string{"1:a \"b", "2:c\" d"}},
		{"broken UTF-8", formatCSV, "a,\xff\nb,c\n", []string{"1!broken_utf8", "2:b,c"}},
		{"U+0000", formatCSV, "a,\x00\nb,c\n", []string{"1!contains_nul", "2:b,c"}},
		{"too long", formatCSV, "a\n" + long + "\nb\n", []string{"1:a", "2!record_too_long", "3:b"}},
		{"too long at the end", formatCSV, "a\n" + long, []string{"1:a", "2!record_too_long"}},
		{"quoted and too long", formatCSV, "a\n\"" + strings.Repeat("x\n", maxRecord/2) + "y\",b\nc\n",
			nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			whole := scanAll(t, strings.NewReader(c.file), c.format)
			if c.want != nil {
				require.Equal(t, c.want, whole)
			} else {
				require.Equal(t, "2!quote_unclosed", whole[1])
				require.Equal(t, fmt.Sprintf("%d:c", strings.Count(c.file, "\n")), whole[len(whole)-1])
			}
			if len(c.file) < 1000 {
				require.Equal(t, whole, scanAll(t, iotest.OneByteReader(strings.NewReader(c.file)), c.format), "byte by byte")
			}
		})
	}
}

func TestScannerGoesOnFromAnyRecord(t *testing.T) {
	t.Parallel()
	file := randomCSV(rand.New(rand.NewPCG(1, 2)), 500)
	whole := scanAll(t, strings.NewReader(file), formatCSV)
	var pieces []string
	var position, line int64
	for {
		s := newScanner(strings.NewReader(file[position:]), formatCSV, position, line)
		rec, err := s.next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		pieces = append(pieces, show(rec))
		position, line = s.position, s.line
	}
	require.Equal(t, whole, pieces)
}

func scanAll(t *testing.T, r io.Reader, f format) (all []string) {
	t.Helper()
	for s := newScanner(r, f, 0, 0); ; {
		rec, err := s.next()
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		all = append(all, show(rec))
	}
}

func show(r record) string {
	if r.fault != nil {
		return fmt.Sprintf("%d!%s", r.line, r.fault.code)
	}
	return fmt.Sprintf("%d:%s", r.line, r.raw)
}

// randomCSV makes a file of which some records are broken, one way or the other.
func randomCSV(r *rand.Rand, rows int) string {
	pieces := []string{"plain", "1", `"quoted"`, `"with, comma"`, "\"two\nlines\"", `"say ""hi"""`, "", "中文"}
	broken := []string{`br"oken`, "\xff", `"open`}
	ends := []string{"\n", "\n", "\n", "\r\n", "\n\n"}
	var b strings.Builder
	for row := range rows {
		for k := range 1 + r.IntN(4) {
			if k > 0 {
				b.WriteByte(',')
			}
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		if row%20 == 7 {
			b.WriteString("," + broken[r.IntN(len(broken))])
		}
		b.WriteString(ends[r.IntN(len(ends))])
	}
	return b.String()
}

func TestReadsWhatTheStandardLibraryWrites(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	pieces := []string{"plain", "with, comma", "two\nlines", `say "hi"`, "x", "中文", `"`, " spaced "}
	var want [][]string
	var file strings.Builder
	w := csv.NewWriter(&file)
	for range 1000 {
		fields := []string{"first"}
		for range r.IntN(5) {
			fields = append(fields, pieces[r.IntN(len(pieces))])
		}
		want = append(want, fields)
		require.NoError(t, w.Write(fields))
	}
	w.Flush()
	s := newScanner(strings.NewReader(file.String()), formatCSV, 0, 0)
	for _, fields := range want {
		rec, err := s.next()
		require.NoError(t, err)
		require.Nil(t, rec.fault)
		require.Equal(t, fields, splitCSV(rec.raw, nil))
	}
	_, err := s.next()
	require.ErrorIs(t, err, io.EOF)
}

func TestSplitCSV(t *testing.T) {
	t.Parallel()
	cases := map[string][]string{
		"":               {""},
		"a":              {"a"},
		"a,b,":           {"a", "b", ""},
		`"a,b",c`:        {"a,b", "c"},
		`"a ""b""",""`:   {`a "b"`, ""},
		"\"a\r\nb\",c":   {"a\nb", "c"},
		`"",x,""""`:      {"", "x", `"`},
		`中文,"名,字"`:       {"中文", "名,字"},
		`"a",b,"c","d,"`: {"a", "b", "c", "d,"},
	}
	for raw, want := range cases {
		require.Equal(t, want, splitCSV(raw, nil), raw)
	}
}

// endless is a line of so many bytes, and rows around it.
type endless struct {
	left int64
	tail *strings.Reader
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return e.tail.Read(p)
	}
	n := min(int64(len(p)), e.left)
	for i := range p[:n] {
		p[i] = 'x'
	}
	e.left -= n
	return int(n), nil
}

// A line of any length costs a buffer of a few records, and the row after it is read.
func TestALineOf300MegabytesIsOneRejectedRowInBoundedMemory(t *testing.T) {
	t.Parallel()
	s := newScanner(io.MultiReader(strings.NewReader("a,b\n"), &endless{300 << 20, strings.NewReader("\nc,d\n")}), formatCSV, 0, 0)
	var got []string
	for {
		rec, err := s.next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		require.LessOrEqual(t, len(rec.raw), keptOfLong)
		got = append(got, show(rec))
	}
	require.Equal(t, []string{"1:a,b", "2!record_too_long", "3:c,d"}, got)
	require.Equal(t, int64(len("a,b\n")+300<<20+len("\nc,d\n")), s.position)
	require.LessOrEqual(t, len(s.buf), 4*maxRecord)
}
