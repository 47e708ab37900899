package imports

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"
)

// maxRecord is the longest record in bytes, its quoted line breaks included. A longer one is rejected, not read.
const maxRecord = 1 << 20

// keptOfLong is how much of a record that is too long goes into the file of rejected rows.
const keptOfLong = 1 << 10

// fault says why a record cannot be read.
type fault struct{ column, code, reason string }

// record is one record of the file, without the line break at its end.
type record struct {
	raw   string
	line  int64 // on which it begins, 1-based
	fault *fault
}

// scanner cuts a file into records without ever holding more than one of them and a read buffer.
type scanner struct {
	src    io.Reader
	quoted bool // CSV: line breaks between quotes belong to the record
	buf    []byte
	r, w   int
	ended  bool
	// position is the byte offset in the file of what comes next, line the number of physical lines before it.
	position, line int64
}

func newScanner(src io.Reader, f format, position, line int64) *scanner {
	return &scanner{src: src, quoted: f == formatCSV, buf: make([]byte, 64<<10), position: position, line: line}
}

// next gives the next record that is not blank, and io.EOF after the last.
func (s *scanner) next() (record, error) {
	for {
		rec, blank, err := s.one()
		if err != nil || !blank {
			return rec, err
		}
	}
}

func (s *scanner) one() (rec record, blank bool, err error) {
	for {
		window := s.buf[s.r:s.w]
		c := s.cut(window)
		switch {
		case c.more && !s.ended:
			if err := s.fill(); err != nil {
				return record{}, false, err
			}
			continue
		case len(window) == 0:
			return record{}, false, io.EOF
		}
		rec = record{line: s.line + 1, fault: c.fault}
		raw := trimBreak(window[:c.length])
		switch {
		case c.tooLong:
			rec.raw = string(raw[:min(len(raw), keptOfLong)])
			return rec, false, s.skipLine()
		case c.fault == nil && !utf8.Valid(raw):
			rec.fault = &fault{code: "broken_utf8", reason: "is not valid UTF-8; save the file as UTF-8"}
		case c.fault == nil && bytes.IndexByte(raw, 0) >= 0:
			rec.fault = &fault{code: "contains_nul", reason: "contains the character U+0000"}
		}
		rec.raw = string(raw)
		s.advance(window[:c.length])
		return rec, rec.fault == nil && len(bytes.TrimSpace(raw)) == 0, nil
	}
}

// cutting is where the first record of a window ends.
type cutting struct {
	length  int  // bytes of the record with its line break
	more    bool // the window ends before the record does
	tooLong bool
	fault   *fault
}

// cut finds the end of the window's first record. When quotes are broken, only the physical line on which the record
// begins is given up, so that one stray quote does not swallow the rows after it.
func (s *scanner) cut(window []byte) cutting {
	end := bytes.IndexByte(window, '\n') + 1
	if end == 0 {
		end = len(window)
		if !s.ended && len(window) <= maxRecord {
			return cutting{more: true}
		}
	}
	first := window[:end]
	switch {
	case end > maxRecord:
		return cutting{length: end, tooLong: true, fault: &fault{code: "record_too_long", reason: "is longer than 1 MiB"}}
	case !s.quoted || bytes.IndexByte(first, '"') < 0:
		return cutting{length: end}
	}
	switch length, state := quotedEnd(window, s.ended); {
	case state == quotesBroken:
		return cutting{length: end, fault: &fault{code: "quote_misplaced",
			reason: `has a quote in the middle of a value; put the value in quotes and double those within it`}}
	case state == quotesFine && length <= maxRecord:
		return cutting{length: length}
	case !s.ended && len(window) <= maxRecord:
		return cutting{more: true}
	default:
		return cutting{length: end, fault: &fault{code: "quote_unclosed", reason: "has a quote that is not closed within 1 MiB"}}
	}
}

type quotes int

const (
	quotesFine quotes = iota
	quotesOpen        // the record goes on behind the window
	quotesBroken
)

// quotedEnd walks the fields of a CSV record up to the line break that ends it (RFC 4180), or up to the end of b where
// the file ends there.
func quotedEnd(b []byte, ended bool) (length int, state quotes) {
	for i := 0; ; {
		if i < len(b) && b[i] == '"' {
			if i = closing(b, i+1); i < 0 {
				return 0, quotesOpen
			}
			rest := b[i:]
			switch {
			case len(rest) == 0, len(rest) == 1 && rest[0] == '\r':
				return len(b), openUnless(ended)
			case rest[0] == ',':
				i++
				continue
			case rest[0] == '\n':
				return i + 1, quotesFine
			case rest[0] == '\r' && rest[1] == '\n':
				return i + 2, quotesFine
			default:
				return 0, quotesBroken
			}
		}
		n := bytes.IndexAny(b[i:], ",\n\"")
		switch {
		case n < 0:
			return len(b), openUnless(ended)
		case b[i+n] == '"':
			return 0, quotesBroken
		case b[i+n] == '\n':
			return i + n + 1, quotesFine
		}
		i += n + 1
	}
}

func openUnless(ended bool) quotes {
	if ended {
		return quotesFine
	}
	return quotesOpen
}

// closing gives the index after the quote that closes the value beginning at i; -1 when there is none.
func closing(b []byte, i int) int {
	for {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		i += n + 1
		if i == len(b) || b[i] != '"' {
			return i
		}
		i++
	}
}

// fill reads more behind the window, making room for one record of the greatest length.
func (s *scanner) fill() error {
	if s.r > 0 {
		s.w = copy(s.buf, s.buf[s.r:s.w])
		s.r = 0
	}
	if s.w == len(s.buf) {
		grown := make([]byte, 2*len(s.buf))
		copy(grown, s.buf[:s.w])
		s.buf = grown
	}
	n, err := s.src.Read(s.buf[s.w:])
	s.w += n
	if errors.Is(err, io.EOF) {
		s.ended, err = true, nil
	}
	return err
}

// advance moves behind what was consumed.
func (s *scanner) advance(consumed []byte) {
	s.r += len(consumed)
	s.position += int64(len(consumed))
	s.line += int64(bytes.Count(consumed, []byte{'\n'}))
	if s.ended && s.r == s.w && len(consumed) > 0 && consumed[len(consumed)-1] != '\n' {
		s.line++ // the last line has no line break
	}
}

// skipLine moves to the beginning of the next physical line, however far that is.
func (s *scanner) skipLine() error {
	for {
		window := s.buf[s.r:s.w]
		if i := bytes.IndexByte(window, '\n'); i >= 0 {
			s.advance(window[:i+1])
			return nil
		}
		s.advance(window)
		if s.ended {
			return nil
		}
		if err := s.fill(); err != nil {
			return err
		}
	}
}

func trimBreak(b []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(b, []byte{'\n'}), []byte{'\r'})
}
