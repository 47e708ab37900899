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
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/pdf/pdftest"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/quote"
)

// fonts gives the fonts of an installation that names one which has the characters of a text.
func fonts(t *testing.T, text string) *quote.Fonts {
	t.Helper()
	file := filepath.Join(t.TempDir(), "song.ttf")
	require.NoError(t, os.WriteFile(file, pdftest.Font(text), 0o600))
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
	said, pages := pdftest.Text(t, raw)
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
	said, _ = pdftest.Text(t, draw(t, f, q, v))
	require.NotContains(t, said, "DRAFT")
}

func TestChineseComesOutRight(t *testing.T) {
	t.Parallel()
	o := kitchen()
	o.Title, o.Recipient, o.Terms, o.Lines[1].Text = "烤炉", "云南过桥米线有限公司\n李经理", "质保两年。", "上门安装"
	q, v := written(t, o, func(p *quote.Policy) { p.Language = quote.Chinese })
	f := fonts(t, chineseWords)
	raw := draw(t, f, q, v)
	said, _ := pdftest.Text(t, raw)
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
	said, _ := pdftest.Text(t, draw(t, fonts(t, "abc"), q, v))
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
	said, pages := pdftest.Text(t, draw(t, f, q, v))
	require.Greater(t, pages, 10)
	require.Equal(t, 200, strings.Count(said, "description")/8)
	require.Contains(t, said, "TotalCNY26,200.00")
	require.Equal(t, 300, strings.Count(said, "nobodyreads"))
	// One item alone that is longer than a page.
	o = kitchen()
	o.Lines[1].Text = strings.TrimSpace(strings.Repeat("z\n", 500))
	q, v = written(t, o, nil)
	said, pages = pdftest.Text(t, draw(t, f, q, v))
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
