package httpx

import (
	"golang.org/x/text/language"
)

// Language chooses the language that an operation answers in, "en" or "zh": the one that is asked for (a language tag such as zh-CN) or,
// where none is, the one that fits an Accept-Language header best; English where nothing fits.
func Language(asked, accepts string) string {
	if asked != "" {
		accepts = asked
	}
	tags, _, err := language.ParseAcceptLanguage(accepts)
	if err != nil {
		return "en" // what cannot be read asks for nothing
	}
	for _, tag := range tags {
		switch base, _ := tag.Base(); base.String() {
		case "zh":
			return "zh"
		case "en":
			return "en"
		}
	}
	return "en"
}
