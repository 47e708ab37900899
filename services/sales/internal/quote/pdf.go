package quote

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"codeberg.org/go-pdf/fpdf"

	"github.com/guanxi-crm/guanxi/platform/businesstime"
	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// labels are the paper's own words.
type labels struct {
	Quote, Version, Date, ValidUntil, To, No, Item, Quantity, Price, Discount, Net, Tax, Amount string
	Sum, Rules, LineDiscounts, WholeDiscount, NetSum, TaxSum, Total, Terms, Page, NotValid      string
}

var english = labels{
	Quote: "Quotation", Version: "version", Date: "Date", ValidUntil: "Valid until", To: "To", No: "No.", Item: "Item", Quantity: "Quantity",
	Price: "Unit price", Discount: "Discount", Net: "Net", Tax: "Tax", Amount: "Amount", Sum: "Sum", Rules: "Price reductions", LineDiscounts: "Discounts on lines",
	WholeDiscount: "Discount on the whole", NetSum: "Net", TaxSum: "Tax", Total: "Total", Terms: "Terms", Page: "Page", NotValid: "DRAFT - not an offer",
}

var chinese = labels{
	Quote: "报价单", Version: "版本", Date: "日期", ValidUntil: "有效期至", To: "致", No: "序号", Item: "项目", Quantity: "数量",
	Price: "单价", Discount: "折扣", Net: "净额", Tax: "税额", Amount: "金额", Sum: "小计", Rules: "价格优惠", LineDiscounts: "单项折扣",
	WholeDiscount: "整单折扣", NetSum: "净额", TaxSum: "税额", Total: "合计", Terms: "条款", Page: "页", NotValid: "草稿，非正式报价",
}

// words gives the paper's own words in the language, or in English where the fonts do not have those characters.
func (f *Fonts) words(l Language) labels {
	if l == Chinese {
		if _, missing := runs(f.regular, chinese.all()); missing == 0 {
			return chinese
		}
	}
	return english
}

func (l labels) all() string {
	return strings.Join([]string{l.Quote, l.Version, l.Date, l.ValidUntil, l.To, l.No, l.Item, l.Quantity, l.Price, l.Discount, l.Net, l.Tax, l.Amount, l.Sum,
		l.Rules, l.LineDiscounts, l.WholeDiscount, l.NetSum, l.TaxSum, l.Total, l.Terms, l.Page, l.NotValid}, "")
}

// drawable refuses a version with a character that no font has. Of each field one such character is named, by its code.
func (f *Fonts) drawable(v Version) error {
	var wrong faults
	try := func(location, s string) {
		if _, missing := runs(f.regular, drawn(s)); missing != 0 {
			wrong.add(location, "character_undrawable", "has a character that no font of this installation has: U+%04X", missing)
		}
	}
	try("title", v.Content.Title)
	try("recipient", v.Content.Recipient)
	try("terms", v.Content.Terms)
	try("issuer", v.Content.Issuer)
	for i, l := range v.Lines {
		try(fmt.Sprintf("lines[%d].text", i), l.Text)
		try(fmt.Sprintf("lines[%d].sku", i), l.SKU)
	}
	if len(wrong) == 0 {
		return nil
	}
	p := problem.New(problem.Unprocessable, "character_undrawable",
		"The quote cannot be drawn: name a font that has its characters in the configuration (sales.quote_fonts), or write it otherwise.")
	for _, one := range wrong {
		p = p.WithField(one.Location, one.Code, one.Message)
	}
	return p
}

// drawn is what of a text leaves ink.
func drawn(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}

// The measures of the paper in millimetres, and of letters in points.
const (
	pageWidth, pageHeight = 210.0, 297.0
	margin                = 15.0
	bottom                = pageHeight - 20
	small, normal, large  = 8.0, 9.5, 18.0
	lead                  = 0.45 // of a line, in millimetres a point
)

// column is one of the table of lines.
type column struct {
	width float64
	right bool
	title string
}

// paper is a version that is being drawn.
type paper struct {
	pdf      *fpdf.Fpdf
	fonts    *Fonts
	added    map[string]bool
	q        Quote
	v        Version
	say      labels
	currency string
	digits   int
	y        float64
}

// PDF writes a version, with its lines, as a PDF: the same bytes for the same version and fonts. What is not sent yet says so. A
// character that no font has is Unprocessable: character_undrawable.
func (f *Fonts) PDF(w io.Writer, q Quote, v Version) error {
	if err := f.drawable(v); err != nil {
		return err
	}
	digits, _ := money.Digits(v.Content.Currency)
	p := &paper{pdf: fpdf.New("P", "mm", "A4", ""), fonts: f, added: map[string]bool{}, q: q, v: v, say: f.words(v.Content.Language), currency: v.Content.Currency, digits: digits}
	at := v.ChangedAt
	if !v.SentAt.IsZero() {
		at = v.SentAt
	}
	p.pdf.SetCatalogSort(true)
	p.pdf.SetCreationDate(at)
	p.pdf.SetModificationDate(at)
	p.pdf.SetProducer("Guanxi", true)
	p.pdf.SetTitle(fmt.Sprintf("%s %d", q.Name(), v.No), true)
	p.pdf.SetAutoPageBreak(false, 0)
	p.newPage()
	p.head(at)
	p.table()
	p.totals()
	p.terms()
	var out bytes.Buffer // so that a fault is told before the first byte is sent
	if err := p.pdf.Output(&out); err != nil {
		return fmt.Errorf("drawing a quote: %w", err)
	}
	_, err := w.Write(out.Bytes())
	return err
}

// font chooses a font, and puts it into the paper where it is used first.
func (p *paper) font(one face, size float64) {
	if !p.added[one.name] {
		p.pdf.AddUTF8FontFromBytes(one.name, "", one.bytes)
		p.added[one.name] = true
	}
	p.pdf.SetFont(one.name, "", size)
}

func (p *paper) faces(bold bool) []face {
	if bold {
		return p.fonts.bold
	}
	return p.fonts.regular
}

// width gives how wide a line of text is.
func (p *paper) width(s string, size float64, bold bool) (wide float64) {
	all, _ := runs(p.faces(bold), s)
	for _, r := range all {
		p.font(p.faces(bold)[r.face], size)
		wide += p.pdf.GetStringWidth(r.text)
	}
	return wide
}

// line draws one line of text, which begins at x or, where it is to end there, ends at x; p.y is its top.
func (p *paper) line(x float64, s string, size float64, bold, right bool) {
	if right {
		x -= p.width(s, size, bold)
	}
	all, _ := runs(p.faces(bold), s)
	for _, r := range all {
		p.font(p.faces(bold)[r.face], size)
		p.pdf.Text(x, p.y+size*0.35, r.text)
		x += p.pdf.GetStringWidth(r.text)
	}
}

// wrap cuts text into lines of a width: between words, and between characters where words are not set apart by spaces or are too
// long.
func (p *paper) wrap(s string, wide, size float64) (lines []string) {
	for paragraph := range strings.SplitSeq(s, "\n") {
		paragraph = strings.Join(strings.Fields(paragraph), " ")
		rest := []rune(paragraph)
		for len(rest) > 0 {
			n, space, sum := 0, 0, 0.0
			for n < len(rest) {
				if sum += p.width(string(rest[n]), size, false); sum > wide && n > 0 {
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

// newPage begins a page; on each is what it belongs to.
func (p *paper) newPage() {
	p.pdf.AddPage()
	p.y = pageHeight - 12
	p.line(margin, fmt.Sprintf("%s · %s %d", p.q.Name(), p.say.Version, p.v.No), small, false, false)
	p.line(pageWidth-margin, fmt.Sprintf("%s %d", p.say.Page, p.pdf.PageNo()), small, false, true)
	if p.v.SentAt.IsZero() {
		p.y = 7
		p.line(pageWidth/2+p.width(p.say.NotValid, normal, true)/2, p.say.NotValid, normal, true, true)
	}
	p.y = margin
}

// room begins another page where so much has no room on this one.
func (p *paper) room(high float64) {
	if p.y+high > bottom {
		p.newPage()
	}
}

// block draws lines of text of a width.
func (p *paper) block(wide float64, s string, size float64) {
	if s == "" {
		return
	}
	for _, l := range p.wrap(s, wide, size) {
		p.room(size * lead)
		p.line(margin, l, size, false, false)
		p.y += size * lead
	}
}

// head draws who quotes what to whom.
func (p *paper) head(at time.Time) {
	if zone, ok := businesstime.Zone(p.v.Content.TimeZone); ok {
		at = at.In(zone)
	}
	p.block(110, p.v.Content.Issuer, normal)
	p.y += 4
	p.line(margin, p.say.Quote+" "+p.q.Name(), large, true, false)
	p.y += large * lead
	p.block(pageWidth-2*margin, p.v.Content.Title, normal+2)
	p.y += 2
	for _, l := range [][2]string{{p.say.Date, at.Format(time.DateOnly)}, {p.say.ValidUntil, fmt.Sprintf("%s (%s)", p.v.Content.ValidUntil, p.v.Content.TimeZone)}} {
		p.line(margin, l[0]+": "+l[1], normal, false, false)
		p.y += normal * lead
	}
	if p.v.Content.Recipient != "" {
		p.y += 2
		p.line(margin, p.say.To+":", normal, true, false)
		p.y += normal * lead
		p.block(110, p.v.Content.Recipient, normal)
	}
	p.y += 4
}

// table draws the lines.
func (p *paper) table() {
	columns := []column{{9, false, p.say.No}, {55, false, p.say.Item}, {17, true, p.say.Quantity}, {25, true, p.say.Price}, {24, true, p.say.Discount},
		{25, true, p.say.Tax}, {25, true, p.say.Amount + " " + p.currency}}
	titles := func() {
		row := make([][]string, len(columns))
		for i, c := range columns {
			row[i] = []string{c.title}
		}
		p.row(columns, row, true)
	}
	titles()
	for _, l := range p.v.Lines {
		item := l.Text
		if l.SKU != "" {
			item = strings.TrimSuffix(l.SKU+"\n"+l.Text, "\n")
		}
		tax := p.money(l.TaxMinor)
		if l.Tax.Rate != nil {
			tax = percent(*l.Tax.Rate) + "\n" + tax
		}
		row := [][]string{
			{fmt.Sprint(l.No)}, p.wrap(item, columns[1].width-2, normal), {fmt.Sprint(l.Quantity)}, {p.money(l.UnitMinor)},
			{p.money(l.AmountMinor - l.NetMinor)}, strings.Split(tax, "\n"), {p.money(l.GrossMinor)},
		}
		for len(row[1]) > 0 { // an item that is longer than a page goes on on the next
			fits := max(1, int((bottom-p.y-2)/(normal*lead)))
			if fits < min(len(row[1]), 3) {
				p.newPage()
				titles()
				continue
			}
			part := append([][]string{}, row...)
			part[1] = row[1][:min(fits, len(row[1]))]
			p.row(columns, part, false)
			row = [][]string{nil, row[1][len(part[1]):], nil, nil, nil, nil, nil}
		}
	}
}

// row draws one row of the table, each cell of some lines.
func (p *paper) row(columns []column, cells [][]string, bold bool) {
	top, high := p.y+1, 0.0
	x := margin
	for i, c := range columns {
		p.y = top
		for _, s := range cells[i] {
			at := x
			if c.right {
				at = x + c.width
			}
			p.line(at, s, normal, bold, c.right)
			p.y += normal * lead
		}
		high = max(high, p.y-top)
		x += c.width
	}
	p.y = top + high
	p.pdf.Line(margin, p.y+0.5, pageWidth-margin, p.y+0.5)
	p.y++
}

// totals draws the sums.
func (p *paper) totals() {
	t := p.v.Totals
	p.y += 2
	for _, l := range []struct {
		what   string
		amount int64
		always bool
	}{
		{p.say.Sum, t.AmountMinor, true}, {p.say.Rules, -t.RuleMinor, false}, {p.say.LineDiscounts, -t.DiscountMinor, false},
		{p.say.WholeDiscount, -t.SharedMinor, false}, {p.say.NetSum, t.NetMinor, true}, {p.say.TaxSum, t.TaxMinor, true}, {p.say.Total, t.TotalMinor, true},
	} {
		if l.amount == 0 && !l.always {
			continue
		}
		p.room(normal * lead)
		bold := l.what == p.say.Total
		p.line(pageWidth-margin-50, l.what, normal, bold, true)
		p.line(pageWidth-margin, p.currency+" "+p.money(l.amount), normal, bold, true)
		p.y += normal * lead
	}
}

func (p *paper) terms() {
	if p.v.Content.Terms == "" {
		return
	}
	p.y += 5
	p.room(3 * normal * lead)
	p.line(margin, p.say.Terms, normal, true, false)
	p.y += normal * lead
	p.block(pageWidth-2*margin, p.v.Content.Terms, normal)
}

// money writes an amount in major units, thousands set apart by commas: 12,345.60.
func (p *paper) money(minor int64) string {
	sign := ""
	if minor < 0 {
		sign, minor = "-", -minor
	}
	s := fmt.Sprintf("%0*d", p.digits+1, minor)
	major, rest := s[:len(s)-p.digits], s[len(s)-p.digits:]
	for at := len(major) - 3; at > 0; at -= 3 {
		major = major[:at] + "," + major[at:]
	}
	if rest != "" {
		rest = "." + rest
	}
	return sign + major + rest
}

// percent writes hundredths of a percent: 12.5 %.
func percent(rate int32) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%d.%02d", rate/100, rate%100), "0"), ".") + " %"
}
