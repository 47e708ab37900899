package survey

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"html/template"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/guanxi-crm/guanxi/platform/httpx"
)

//go:embed page.html
var pageHTML string

// page is the form as a page for people, who follow links with a browser.
var page = template.Must(template.New("page").Parse(pageHTML))

// pageData is what the page is made of.
type pageData struct {
	Form      surveyForm
	Questions []pageQuestion
	Path      string // where the answers go
	Nonce     string // of the one style and the one script that may run
	Say       pageWords
}

type pageQuestion struct {
	formQuestion
	Numbers []int
	Scales  []pageScale
}

// pageScale is one row of numbers: pairs have two.
type pageScale struct{ Part, Text string }

// pageWords is what the page itself says.
type pageWords struct{ Send, Thanks, Failed, Missing, Anonymous, Perceived, Ideal, With, Without string }

var pageSays = map[string]pageWords{
	"en": {"Send", "Thank you. Your answers have arrived.", "This did not work. Please try again.", "Please answer the questions marked with *.",
		"Your answers do not lead back to you.", "As it is:", "As it should be:", "With it (1 I like it – 5 I dislike it):", "Without it (1 I like it – 5 I dislike it):"},
	"zh": {"提交", "谢谢！我们已收到您的回答。", "提交失败，请重试。", "请回答带 * 的问题。", "您的回答是匿名的，无法追溯到您。", "实际情况：", "理想情况：",
		"有此功能（1 喜欢 – 5 不喜欢）：", "没有此功能（1 喜欢 – 5 不喜欢）："},
	"de": {"Absenden", "Danke. Ihre Antworten sind angekommen.", "Das hat nicht geklappt. Bitte versuchen Sie es noch einmal.", "Bitte beantworten Sie die Fragen mit *.",
		"Ihre Antworten führen nicht zu Ihnen zurück.", "So ist es:", "So sollte es sein:", "Mit (1 gefällt mir – 5 gefällt mir nicht):", "Ohne (1 gefällt mir – 5 gefällt mir nicht):"},
}

// words gives what the page says in the language, or in English.
func words(tag string) pageWords {
	base, _, _ := strings.Cut(tag, "-")
	if w, ok := pageSays[base]; ok {
		return w
	}
	return pageSays["en"]
}

// render makes the page of a form.
func render(f surveyForm, path, nonce string) ([]byte, error) {
	d := pageData{Form: f, Path: path, Nonce: nonce, Say: words(f.Language)}
	for _, q := range f.Questions {
		one := pageQuestion{formQuestion: q}
		if q.Min != nil && q.Max != nil {
			for n := *q.Min; n <= *q.Max; n++ {
				one.Numbers = append(one.Numbers, n)
			}
		}
		switch q.Kind {
		case Kano:
			one.Scales = []pageScale{{"with", d.Say.With}, {"without", q.Without + " " + d.Say.Without}}
		case Ideal:
			one.Scales = []pageScale{{"perceived", d.Say.Perceived}, {"ideal", d.Say.Ideal}}
		case Single, Multiple, Text:
		default:
			one.Scales = []pageScale{{Part: "number"}}
		}
		d.Questions = append(d.Questions, one)
	}
	var b bytes.Buffer
	err := page.Execute(&b, d)
	return b.Bytes(), err
}

// pageOperation describes the page.
func pageOperation() httpx.Operation {
	return httpx.Operation{
		ID: "show-survey-form", Method: http.MethodGet, Path: "/v1/survey-forms/{token}/page", Tag: "Survey forms", Summary: "Show the form of a link as a page",
		Description: "Without sign-in, for people who follow the link with a browser.", Public: true, Produces: []string{"text/html"},
		Errors:     []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
		Parameters: []httpx.Parameter{{Name: "language", Description: "A language tag; where the survey does not have it, that of the browser, or its own."}},
	}
}

// page shows the form of a link. Nothing but its own script runs in it, and no other page can hold it.
func (s *Surveys) page(c *gin.Context) error {
	secret := c.Param("token")
	f, err := s.Form(c.Request.Context(), secret)
	if err != nil {
		return err
	}
	wanted := c.Query("language")
	for part := range strings.SplitSeq(c.GetHeader("Accept-Language"), ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		base, _, _ := strings.Cut(tag, "-")
		for _, one := range []string{tag, base} {
			if _, ok := f.Survey.Content.Title[one]; ok && wanted == "" {
				wanted = one
			}
		}
	}
	nonce := rand.Text()
	content, err := render(showForm(f, wanted), "/v1/survey-forms/"+secret+"/answer", nonce)
	if err != nil {
		return err
	}
	c.Header("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+nonce+"'; script-src 'nonce-"+nonce+"'; connect-src 'self'; "+
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	c.Header("Cache-Control", "no-store")
	c.Header("Referrer-Policy", "no-referrer")
	c.Header("X-Content-Type-Options", "nosniff")
	c.Data(http.StatusOK, "text/html; charset=utf-8", content)
	return nil
}
