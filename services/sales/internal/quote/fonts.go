package quote

import "github.com/guanxi-crm/guanxi/platform/pdf"

// Fonts are what the paper of a quote is drawn with.
type Fonts struct{ *pdf.Fonts }

// OpenFonts reads the fonts that an installation names, or those that there are: see pdf.OpenFonts.
func OpenFonts(files []string) (*Fonts, error) {
	f, err := pdf.OpenFonts(files)
	if err != nil {
		return nil, err
	}
	return &Fonts{f}, nil
}
