package quote

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/guanxi-crm/guanxi/platform/businesstime"
	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/pdf"
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
		if f.Missing(chinese.all()) == 0 {
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
		if missing := f.Missing(s); missing != 0 {
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
		"The quote cannot be drawn: name a font that has its characters in the configuration (pdf.fonts), or write it otherwise.")
	for _, one := range wrong {
		p = p.WithField(one.Location, one.Code, one.Message)
	}
	return p
}

// column is one of the table of lines.
type column struct {
	width float64
	right bool
	title string
}

// paper is a version that is being drawn.
type paper struct {
	*pdf.Paper
	q        Quote
	v        Version
	say      labels
	currency string
	digits   int
}

// PDF writes a version, with its lines, as a PDF: the same bytes for the same version and fonts. What is not sent yet says so. A
// character that no font has is Unprocessable: character_undrawable.
func (f *Fonts) PDF(w io.Writer, q Quote, v Version) error {
	if err := f.drawable(v); err != nil {
		return err
	}
	digits, _ := money.Digits(v.Content.Currency)
	at := v.ChangedAt
	if !v.SentAt.IsZero() {
		at = v.SentAt
	}
	p := &paper{Paper: f.Paper(fmt.Sprintf("%s %d", q.Name(), v.No), at), q: q, v: v, say: f.words(v.Content.Language), currency: v.Content.Currency, digits: digits}
	p.OnPage(p.frame)
	p.NewPage()
	p.head(at)
	p.table()
	p.totals()
	p.terms()
	_, err := p.WriteTo(w)
	return err
}

// frame draws what is on each page: what it belongs to.
func (p *paper) frame() {
	p.Y = pdf.Height - 12
	p.Line(pdf.Margin, fmt.Sprintf("%s · %s %d", p.q.Name(), p.say.Version, p.v.No), pdf.Small, false, false)
	p.Line(pdf.Width-pdf.Margin, fmt.Sprintf("%s %d", p.say.Page, p.Page()), pdf.Small, false, true)
	if p.v.SentAt.IsZero() {
		p.Y = 7
		p.Line(pdf.Width/2+p.Width(p.say.NotValid, pdf.Normal, true)/2, p.say.NotValid, pdf.Normal, true, true)
	}
}

// head draws who quotes what to whom.
func (p *paper) head(at time.Time) {
	if zone, ok := businesstime.Zone(p.v.Content.TimeZone); ok {
		at = at.In(zone)
	}
	p.Block(110, p.v.Content.Issuer, pdf.Normal)
	p.Y += 4
	p.Line(pdf.Margin, p.say.Quote+" "+p.q.Name(), pdf.Large, true, false)
	p.Y += pdf.Large * pdf.Lead
	p.Block(pdf.Width-2*pdf.Margin, p.v.Content.Title, pdf.Normal+2)
	p.Y += 2
	for _, l := range [][2]string{{p.say.Date, at.Format(time.DateOnly)}, {p.say.ValidUntil, fmt.Sprintf("%s (%s)", p.v.Content.ValidUntil, p.v.Content.TimeZone)}} {
		p.Line(pdf.Margin, l[0]+": "+l[1], pdf.Normal, false, false)
		p.Y += pdf.Normal * pdf.Lead
	}
	if p.v.Content.Recipient != "" {
		p.Y += 2
		p.Line(pdf.Margin, p.say.To+":", pdf.Normal, true, false)
		p.Y += pdf.Normal * pdf.Lead
		p.Block(110, p.v.Content.Recipient, pdf.Normal)
	}
	p.Y += 4
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
			{fmt.Sprint(l.No)}, p.Wrap(item, columns[1].width-2, pdf.Normal), {fmt.Sprint(l.Quantity)}, {p.money(l.UnitMinor)},
			{p.money(l.AmountMinor - l.NetMinor)}, strings.Split(tax, "\n"), {p.money(l.GrossMinor)},
		}
		for len(row[1]) > 0 { // an item that is longer than a page goes on on the next
			fits := max(1, int((pdf.Bottom-p.Y-2)/(pdf.Normal*pdf.Lead)))
			if fits < min(len(row[1]), 3) {
				p.NewPage()
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
	top, high := p.Y+1, 0.0
	x := pdf.Margin
	for i, c := range columns {
		p.Y = top
		for _, s := range cells[i] {
			at := x
			if c.right {
				at = x + c.width
			}
			p.Line(at, s, pdf.Normal, bold, c.right)
			p.Y += pdf.Normal * pdf.Lead
		}
		high = max(high, p.Y-top)
		x += c.width
	}
	p.Y = top + high
	p.Stroke(pdf.Margin, p.Y+0.5, pdf.Width-pdf.Margin, p.Y+0.5)
	p.Y++
}

// totals draws the sums.
func (p *paper) totals() {
	t := p.v.Totals
	p.Y += 2
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
		p.Room(pdf.Normal * pdf.Lead)
		bold := l.what == p.say.Total
		p.Line(pdf.Width-pdf.Margin-50, l.what, pdf.Normal, bold, true)
		p.Line(pdf.Width-pdf.Margin, p.currency+" "+p.money(l.amount), pdf.Normal, bold, true)
		p.Y += pdf.Normal * pdf.Lead
	}
}

func (p *paper) terms() {
	if p.v.Content.Terms == "" {
		return
	}
	p.Y += 5
	p.Room(3 * pdf.Normal * pdf.Lead)
	p.Line(pdf.Margin, p.say.Terms, pdf.Normal, true, false)
	p.Y += pdf.Normal * pdf.Lead
	p.Block(pdf.Width-2*pdf.Margin, p.v.Content.Terms, pdf.Normal)
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
