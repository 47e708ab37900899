package pdf

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"
)

// The paper is A4, in millimetres.
const (
	Width  = 210.0
	Height = 297.0
	Margin = 15.0
	Bottom = Height - 20
)

// Sizes of letters in points.
const (
	Small  = 8.0
	Normal = 9.5
	Large  = 18.0
	// Lead is what a line takes, in millimetres a point.
	Lead = 0.45
)

// Paper is what is being drawn. Y is where it is being drawn next, in millimetres from the top.
type Paper struct {
	Y      float64
	pdf    *fpdf.Fpdf
	fonts  *Fonts
	added  map[string]bool
	onPage func()
}

// Paper begins one; at is when its content was made.
func (f *Fonts) Paper(title string, at time.Time) *Paper {
	p := &Paper{pdf: fpdf.New("P", "mm", "A4", ""), fonts: f, added: map[string]bool{}, onPage: func() {}}
	p.pdf.SetCatalogSort(true)
	p.pdf.SetCreationDate(at)
	p.pdf.SetModificationDate(at)
	p.pdf.SetProducer("Guanxi", true)
	p.pdf.SetTitle(title, true)
	p.pdf.SetAutoPageBreak(false, 0)
	return p
}

// OnPage draws on every page that begins from now on.
func (p *Paper) OnPage(draw func()) { p.onPage = draw }

// Page is the number of the page that is being drawn.
func (p *Paper) Page() int { return p.pdf.PageNo() }

// NewPage begins a page.
func (p *Paper) NewPage() {
	p.pdf.AddPage()
	p.onPage()
	p.Y = Margin
}

// Stroke draws a straight line.
func (p *Paper) Stroke(x1, y1, x2, y2 float64) { p.pdf.Line(x1, y1, x2, y2) }

// WriteTo writes the paper, all or nothing: a fault is told before the first byte.
func (p *Paper) WriteTo(w io.Writer) (int64, error) {
	var out bytes.Buffer
	if err := p.pdf.Output(&out); err != nil {
		return 0, fmt.Errorf("drawing a PDF: %w", err)
	}
	return out.WriteTo(w)
}

// font chooses a font, and puts it into the paper where it is used first.
func (p *Paper) font(one face, size float64) {
	if !p.added[one.name] {
		p.pdf.AddUTF8FontFromBytes(one.name, "", one.bytes)
		p.added[one.name] = true
	}
	p.pdf.SetFont(one.name, "", size)
}

func (p *Paper) faces(bold bool) []face {
	if bold {
		return p.fonts.bold
	}
	return p.fonts.regular
}

// Width gives how wide a line of text is.
func (p *Paper) Width(s string, size float64, bold bool) (wide float64) {
	all := runs(p.faces(bold), s)
	for _, r := range all {
		p.font(p.faces(bold)[r.face], size)
		wide += p.pdf.GetStringWidth(r.text)
	}
	return wide
}

// Line draws one line of text, which begins at x or, where it is to end there, ends at x; p.Y is its top.
func (p *Paper) Line(x float64, s string, size float64, bold, right bool) {
	if right {
		x -= p.Width(s, size, bold)
	}
	all := runs(p.faces(bold), s)
	for _, r := range all {
		p.font(p.faces(bold)[r.face], size)
		p.pdf.Text(x, p.Y+size*0.35, r.text)
		x += p.pdf.GetStringWidth(r.text)
	}
}

// Wrap cuts text into lines of a width: between words, and between characters where words are not set apart by spaces or are too
// long.
func (p *Paper) Wrap(s string, wide, size float64) (lines []string) {
	for paragraph := range strings.SplitSeq(s, "\n") {
		paragraph = strings.Join(strings.Fields(paragraph), " ")
		rest := []rune(paragraph)
		for len(rest) > 0 {
			n, space, sum := 0, 0, 0.0
			for n < len(rest) {
				if sum += p.Width(string(rest[n]), size, false); sum > wide && n > 0 {
					break
				}
				if rest[n] == ' ' {
					space = n
				}
				n++
			}
			if n < len(rest) && space > 0 && rest[n] != ' ' && rest[n] < 0x2E80 && rest[n-1] < 0x2E80 {
				n = space
			}
			lines = append(lines, strings.TrimSpace(string(rest[:n])))
			rest = []rune(strings.TrimLeft(string(rest[n:]), " "))
		}
		if paragraph == "" {
			lines = append(lines, "")
		}
	}
	return lines
}

// Room begins another page where so much has no room on this one.
func (p *Paper) Room(high float64) {
	if p.Y+high > Bottom {
		p.NewPage()
	}
}

// Block draws lines of text of a width.
func (p *Paper) Block(wide float64, s string, size float64) {
	if s == "" {
		return
	}
	for _, l := range p.Wrap(s, wide, size) {
		p.Room(size * Lead)
		p.Line(Margin, l, size, false, false)
		p.Y += size * Lead
	}
}
