package quote_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/ledongthuc/pdf"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/quote"
)

// fonts gives the fonts of an installation that names one which has the characters of a text.
func fonts(t *testing.T, text string) *quote.Fonts {
	t.Helper()
	file := filepath.Join(t.TempDir(), "song.ttf")
	require.NoError(t, os.WriteFile(file, fontOf(text), 0o600))
	f, err := quote.OpenFonts([]string{file})
	require.NoError(t, err)
	return f
}

// written is a quote whose only version says what the offer says.
func written(t *testing.T, o quote.Offer, change func(p *quote.Policy)) (quote.Quote, quote.Version) {
	t.Helper()
	p := quote.StandardPolicy()
	if change != nil {
		change(&p)
	}
	o, end, faults := o.Normalise(p, thursday)
	require.Empty(t, faults)
	w, faults := o.AddUp(nil, end)
	require.Empty(t, faults)
	q := quote.Begin(quote.Quote{ID: uuid.MustParse("01890000-0000-7000-8000-000000000001"), Number: 17}, w, "mei", thursday)
	return q, q.Latest()
}

// text reads a PDF back: all that is written on its pages, without spaces, since where a line ends is the paper's affair. Each
// character must have a glyph in the font that the PDF brings along.
func text(t *testing.T, raw []byte) (all string, pages int) {
	t.Helper()
	r, err := pdf.NewReader(bytes.NewReader(raw), int64(len(raw)))
	require.NoError(t, err)
	for n := range r.NumPage() {
		page := r.Page(n + 1)
		glyphs := map[string][]byte{}
		font := ""
		pdf.Interpret(page.V.Key("Contents"), func(stack *pdf.Stack, op string) {
			args := make([]pdf.Value, stack.Len())
			for i := range args {
				args[len(args)-1-i] = stack.Pop()
			}
			switch op {
			case "Tf":
				if font = args[0].Name(); glyphs[font] == nil {
					of := page.Font(font).V
					require.Equal(t, "Identity-H", of.Key("Encoding").Name())
					require.NotZero(t, of.Key("DescendantFonts").Index(0).Key("FontDescriptor").Key("FontFile2").Key("Length1").Int64())
					glyphs[font], err = io.ReadAll(of.Key("DescendantFonts").Index(0).Key("CIDToGIDMap").Reader())
					require.NoError(t, err)
				}
			case "Tj":
				shown := []byte(args[0].RawString())
				for i := 0; i+1 < len(shown); i += 2 { // the codes are those of Unicode, and say which glyph it is
					code := int(shown[i])<<8 | int(shown[i+1])
					require.False(t, glyphs[font][2*code] == 0 && glyphs[font][2*code+1] == 0, "U+%04X is not in the font", code)
					all += string(rune(code))
				}
			}
		})
	}
	return strings.Join(strings.Fields(all), ""), r.NumPage()
}

func draw(t *testing.T, f *quote.Fonts, q quote.Quote, v quote.Version) []byte {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, f.PDF(&out, q, v))
	return out.Bytes()
}

const chineseWords = "报价单版本日期有效期至致序号项目数量单价折扣净额税金小计格优惠项整合条款页草稿，非正式报云南过桥米线有限公司李经理烤炉上门安装质保两年。"

func TestThePaperSaysWhatTheVersionSays(t *testing.T) {
	t.Parallel()
	o := kitchen()
	o.Title, o.Recipient, o.Terms = "Oven and fitting", "Lily Chen\nPizza Street 1", "Two years of guarantee.\n\nPayment within 30 days."
	o.Lines[0].Discount.Rate, o.Lines[0].Tax.Rate = 1250, of[int32](1300)
	o.Discount.AmountMinor = 10_000
	q, v := written(t, o, func(p *quote.Policy) { p.Issuer = "Guanxi Kitchens Ltd" })
	f, err := quote.OpenFonts(nil)
	require.NoError(t, err)
	raw := draw(t, f, q, v)
	said, pages := text(t, raw)
	require.Equal(t, 1, pages)
	for _, want := range []string{
		"QuotationQ-000017", "GuanxiKitchensLtd", "LilyChen", "PizzaStreet1", "Ovenandfitting", "Validuntil:2026-12-26(UTC)", "OVEN", "Fitting,aday", "20,000.00",
		"13%", "Twoyearsofguarantee.", "Paymentwithin30days.", "DRAFT-notanoffer", "CNY-2,500.00", "CNY-100.00", "Date:2026-11-26", "version1",
	} {
		require.Contains(t, said, want)
	}
	require.Contains(t, said, "TotalCNY25,665.32", "17,425.53 with 13 %% and 5,974.47 without tax")
	for range 5 {
		require.True(t, bytes.Equal(raw, draw(t, f, q, v)), "the same version is the same bytes")
	}
	v.SentAt = thursday
	said, _ = text(t, draw(t, f, q, v))
	require.NotContains(t, said, "DRAFT")
}

func TestChineseComesOutRight(t *testing.T) {
	t.Parallel()
	o := kitchen()
	o.Title, o.Recipient, o.Terms, o.Lines[1].Text = "烤炉", "云南过桥米线有限公司\n李经理", "质保两年。", "上门安装"
	q, v := written(t, o, func(p *quote.Policy) { p.Language = quote.Chinese })
	f := fonts(t, chineseWords)
	raw := draw(t, f, q, v)
	said, _ := text(t, raw)
	for _, want := range []string{"报价单Q-000017", "云南过桥米线有限公司", "李经理", "质保两年。", "上门安装", "烤炉", "有效期至:2026-12-26", "合计CNY26,000.00", "草稿，非正式报价"} {
		require.Contains(t, said, want)
	}
	for range 5 {
		require.True(t, bytes.Equal(raw, draw(t, f, q, v)), "the same version is the same bytes")
	}
}

func TestAPaperWithoutTheFontSaysSo(t *testing.T) {
	t.Parallel()
	o := kitchen()
	o.Terms, o.Lines[1].Text = "质保两年。", "安装😀"
	q, v := written(t, o, func(p *quote.Policy) { p.Language = quote.Chinese })
	err := fonts(t, "abc").PDF(io.Discard, q, v)
	var p *problem.Error
	require.True(t, errors.As(err, &p), "%v", err)
	require.Equal(t, problem.Unprocessable, p.Kind)
	require.Equal(t, []string{"terms character_undrawable", "lines[1].text character_undrawable"}, codes(p.Fields))
	require.Contains(t, p.Fields[0].Message, "U+8D28")

	err = fonts(t, chineseWords).PDF(io.Discard, q, v)
	require.True(t, errors.As(err, &p), "%v", err)
	require.Equal(t, []string{"lines[1].text character_undrawable"}, codes(p.Fields), "and nothing beyond the first plane")

	q, v = written(t, kitchen(), func(p *quote.Policy) { p.Language = quote.Chinese })
	said, _ := text(t, draw(t, fonts(t, "abc"), q, v))
	require.Contains(t, said, "QuotationQ-000017", "the paper's own words are English where there is no font for others")
}

func TestALongQuoteGoesOnOnOtherPages(t *testing.T) {
	t.Parallel()
	o := kitchen()
	for range 200 {
		o.Lines = append(o.Lines, quote.OfferLine{Text: strings.Repeat("a long description of something ", 8), Quantity: 1, UnitPrice: of[int64](100)})
	}
	o.Terms = strings.Repeat("Terms that nobody reads. ", 300)
	q, v := written(t, o, nil)
	f, err := quote.OpenFonts(nil)
	require.NoError(t, err)
	said, pages := text(t, draw(t, f, q, v))
	require.Greater(t, pages, 10)
	require.Equal(t, 200, strings.Count(said, "description")/8)
	require.Contains(t, said, "TotalCNY26,200.00")
	require.Equal(t, 300, strings.Count(said, "nobodyreads"))
	// One item alone that is longer than a page.
	o = kitchen()
	o.Lines[1].Text = strings.TrimSpace(strings.Repeat("z\n", 500))
	q, v = written(t, o, nil)
	said, pages = text(t, draw(t, f, q, v))
	require.Equal(t, 500, strings.Count(said, "z"))
	require.Greater(t, pages, 5)
}

func TestAFontThatCannotBeUsedIsRefusedAtTheStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, raw := range map[string]string{"empty.ttf": "", "collection.ttc": "ttcf and more", "postscript.otf": "OTTO and more", "broken.ttf": "\x00\x01\x00\x00\xff\xff"} {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, []byte(raw), 0o600))
		_, err := quote.OpenFonts([]string{file})
		require.ErrorContains(t, err, name)
	}
	_, err := quote.OpenFonts([]string{filepath.Join(dir, "missing.ttf")})
	require.ErrorContains(t, err, "missing.ttf")
}
