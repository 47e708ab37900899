package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/guanxi-crm/guanxi/platform/pdf"
)

// paper is a run that is being drawn. What no font has stands as a question mark, and the last page says so.
type paper struct {
	*pdf.Paper
	fonts   *pdf.Fonts
	missing bool
}

const inner = pdf.Width - 2*pdf.Margin

// PDF writes a run as a PDF: the same bytes for the same run and fonts.
func (r Run) PDF(w io.Writer, fonts *pdf.Fonts) error {
	d := r.data("")
	p := &paper{Paper: fonts.Paper(d.Title, r.RanAt), fonts: fonts}
	title := p.drawable(d.Title)
	p.OnPage(func() {
		p.Y = pdf.Height - 12
		p.Line(pdf.Margin, p.fit(title, inner-20, pdf.Small), pdf.Small, false, false)
		p.Line(pdf.Width-pdf.Margin, fmt.Sprintf("Page %d", p.Page()), pdf.Small, false, true)
	})
	p.NewPage()
	for _, line := range p.Wrap(title, inner, pdf.Large) {
		p.line(line, pdf.Large, true)
	}
	p.line("Made "+d.RanAt+".", pdf.Normal, false)
	for _, s := range d.Sections {
		p.section(s)
	}
	if p.missing {
		p.Y += 4
		p.Block(inner, "Some characters are in no font of this installation (pdf.fonts), and stand as question marks.", pdf.Small)
	}
	_, err := p.WriteTo(w)
	return err
}

func (p *paper) drawable(s string) string {
	s, missing := p.fonts.Without(s, "?")
	p.missing = p.missing || missing
	return s
}

func (p *paper) line(s string, size float64, bold bool) {
	p.Room(size * pdf.Lead)
	p.Line(pdf.Margin, s, size, bold, false)
	p.Y += size * pdf.Lead
}

func (p *paper) section(s pageSection) {
	p.Y += 6
	p.Room(30)
	for _, line := range p.Wrap(p.drawable(s.Title), inner, pdf.Normal+3) {
		p.line(line, pdf.Normal+3, true)
	}
	p.Y++
	for _, text := range []string{s.Text, s.Problem} {
		p.Block(inner, p.drawable(text), pdf.Normal)
	}
	for _, c := range s.Charts {
		p.chart(c)
	}
	if len(s.Head) == 0 {
		return
	}
	p.table(s)
	said := ""
	if s.AsOf != "" {
		said = "As of " + s.AsOf + ". "
	}
	if s.Currency != "" {
		said += "Amounts in minor units of " + s.Currency + "."
	}
	p.Y++
	p.Block(inner, said, pdf.Small)
}

// chart draws a metric over time as lines; a period without a value parts them, and one alone is a dash.
func (p *paper) chart(c chart) {
	const high, indent = 40.0, 28.0
	p.Room(high + 18)
	p.Y += 2
	p.line(p.drawable(c.Title), pdf.Normal, true)
	left, right, top := pdf.Margin+indent, pdf.Width-pdf.Margin, p.Y+1
	bottom := top + high
	p.Stroke(left, top, left, bottom)
	p.Stroke(left, bottom, right, bottom)
	at := func(x, y float64, s string, toRight bool) {
		p.Y = y
		p.Line(x, s, pdf.Small, false, toRight)
	}
	at(left-1, top-1, c.Top, true)
	at(left-1, bottom-3, c.Bottom, true)
	at(left, bottom+1, c.First, false)
	at(right, bottom+1, c.Last, true)
	for _, part := range c.parts {
		x := func(i int) float64 { return left + (right-left)*part[i].x }
		y := func(i int) float64 { return bottom - high*part[i].y }
		if len(part) == 1 {
			p.Stroke(x(0)-0.5, y(0), x(0)+0.5, y(0))
		}
		for i := 1; i < len(part); i++ {
			p.Stroke(x(i-1), y(i-1), x(i), y(i))
		}
	}
	p.Y = bottom + 6
}

// table draws the numbers, the head again on each page. Columns that have no room beside others follow in tables of their own,
// each with the first column.
func (p *paper) table(s pageSection) {
	const most = 6 // columns beside the first
	for from := 1; ; from += most {
		to := min(from+most, len(s.Head))
		p.part(s, from, max(from, to))
		if to >= len(s.Head) {
			return
		}
		p.Y += 3
	}
}

func (p *paper) part(s pageSection, from, to int) {
	of := func(row []string) []string {
		return append([]string{row[0]}, row[min(from, len(row)):min(to, len(row))]...)
	}
	p.Y += 2
	p.Room(15)
	p.row(of(s.Head), true)
	for _, row := range s.Rows {
		if p.Y+p.high(of(row)) > pdf.Bottom {
			p.NewPage()
			p.row(of(s.Head), true)
		}
		p.row(of(row), false)
	}
}

func cellWidth(cells []string) float64 { return inner / float64(len(cells)) }

// cell is the lines of a cell; a longer one than some lines is cut.
func (p *paper) cell(s string, wide float64) []string {
	const most = 4
	lines := p.Wrap(p.drawable(s), wide-2, pdf.Small)
	if len(lines) > most {
		lines = append(lines[:most-1], p.fit(lines[most-1]+" …", wide-2, pdf.Small))
	}
	return lines
}

func (p *paper) high(cells []string) (high float64) {
	for _, s := range cells {
		high = max(high, float64(len(p.cell(s, cellWidth(cells))))*pdf.Small*pdf.Lead)
	}
	return high + 2
}

func (p *paper) row(cells []string, bold bool) {
	top, wide := p.Y+1, cellWidth(cells)
	high := p.high(cells)
	for i, s := range cells {
		p.Y = top
		for _, line := range p.cell(s, wide) {
			x := pdf.Margin + wide*float64(i)
			if i > 0 {
				x += wide - 1
			}
			p.Line(x, line, pdf.Small, bold, i > 0)
			p.Y += pdf.Small * pdf.Lead
		}
	}
	p.Y = top + high - 1
	p.Stroke(pdf.Margin, p.Y, pdf.Width-pdf.Margin, p.Y)
}

// fit cuts a line to a width.
func (p *paper) fit(s string, wide, size float64) string {
	if p.Width(s, size, false) <= wide {
		return s
	}
	all := []rune(strings.TrimSuffix(s, " …"))
	for len(all) > 0 && p.Width(string(all)+"…", size, false) > wide {
		all = all[:len(all)-1]
	}
	return string(all) + "…"
}
