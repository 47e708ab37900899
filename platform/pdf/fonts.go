// Package pdf draws paper: A4 pages with text in any script that the fonts of an installation have, the same bytes for the same
// content. What stands on the paper is its callers' affair.
package pdf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"

	"codeberg.org/go-pdf/fpdf"
)

// Fonts are what paper is drawn with: each character in the first font that has it. They are read once and belong to no paper.
type Fonts struct{ regular, bold []face }

// face is one font.
type face struct {
	name   string // within the paper
	bytes  []byte // a TrueType file
	glyphs *sfnt.Font
}

// usual are files in which Chinese characters are found on many machines, where an installation names none.
var usual = []string{
	"/usr/share/fonts/truetype/noto/NotoSansSC-Regular.ttf",
	"/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
	"/usr/share/fonts/truetype/arphic-gbsn00lp/gbsn00lp.ttf",
	"/System/Library/Fonts/Supplemental/Arial Unicode.ttf",
	"C:/Windows/Fonts/simhei.ttf",
}

// OpenFonts reads the fonts that an installation names, in that order; where it names none, one of those that a machine may have is
// taken. The Go fonts, which come with the program and have Latin, Greek and Cyrillic letters, stand in for what the others lack. A
// file must be a TrueType font by itself (.ttf): neither a collection (.ttc) nor one with PostScript outlines (.otf).
func OpenFonts(files []string) (*Fonts, error) {
	f := &Fonts{}
	named := len(files) > 0
	if !named {
		files = usual
	}
	for i, file := range files {
		raw, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) && !named {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("font of PDFs: %w", err)
		}
		one, err := openFace(fmt.Sprintf("font%d", i), raw)
		if err != nil {
			return nil, fmt.Errorf("font of PDFs %s: %w", filepath.Base(file), err)
		}
		f.regular = append(f.regular, one)
		if !named {
			break
		}
	}
	f.bold = f.regular
	for to, raw := range map[*[]face][]byte{&f.regular: goregular.TTF, &f.bold: gobold.TTF} {
		name := "go"
		if to == &f.bold {
			name = "gobold"
		}
		one, err := openFace(name, raw)
		if err != nil {
			return nil, err
		}
		*to = append((*to)[:len(*to):len(*to)], one)
	}
	return f, nil
}

// openFace reads a font and tries it.
func openFace(name string, raw []byte) (face, error) {
	if len(raw) < 4 || string(raw[:4]) != "\x00\x01\x00\x00" && string(raw[:4]) != "true" {
		return face{}, errors.New("must be a TrueType font by itself (.ttf), neither a collection nor one with PostScript outlines")
	}
	glyphs, err := sfnt.Parse(raw)
	if err != nil {
		return face{}, err
	}
	trial := fpdf.New("P", "mm", "A4", "")
	trial.AddUTF8FontFromBytes(name, "", raw)
	trial.SetFont(name, "", 10)
	return face{name, raw, glyphs}, trial.Error()
}

// has tells whether the font has a character. The library that writes the paper knows those of Unicode's first plane only.
func (f face) has(r rune) bool {
	if r > 0xFFFE {
		return false
	}
	index, err := f.glyphs.GlyphIndex(nil, r)
	return err == nil && index != 0
}

// run is text in one font.
type run struct {
	face int
	text string
}

// Missing is the first character that leaves ink and that no font has, 0 for none.
func (f *Fonts) Missing(s string) rune {
	for _, r := range s {
		if !unicode.IsSpace(r) && !slices.ContainsFunc(f.regular, func(one face) bool { return one.has(r) }) {
			return r
		}
	}
	return 0
}

// Without gives the text with a mark in the place of each character that no font has, and whether there was any.
func (f *Fonts) Without(s, mark string) (drawable string, missing bool) {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsSpace(r) || f.Missing(string(r)) == 0 {
			b.WriteRune(r)
			continue
		}
		missing = true
		b.WriteString(mark)
	}
	return b.String(), missing
}

// runs cuts a line of text where its font changes. A character that no font has is left out: see Missing.
func runs(faces []face, s string) (all []run) {
	for _, r := range s {
		at := -1
		for i := range faces {
			if faces[i].has(r) {
				at = i
				break
			}
		}
		if at < 0 {
			continue
		}
		if n := len(all); n > 0 && all[n-1].face == at {
			all[n-1].text += string(r)
			continue
		}
		all = append(all, run{at, string(r)})
	}
	return all
}
