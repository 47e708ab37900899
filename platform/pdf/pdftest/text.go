package pdftest

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/ledongthuc/pdf"
	"github.com/stretchr/testify/require"
)

// Text reads a PDF back: all that is written on its pages, without spaces, since where a line ends is the paper's affair. Each
// character must have a glyph in the font that the PDF brings along.
func Text(t testing.TB, raw []byte) (all string, pages int) {
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
