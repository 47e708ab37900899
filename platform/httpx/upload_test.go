package httpx_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

type countedBody struct {
	Name  string    `json:"name,omitempty" query:"name" maxLength:"5" enum:"one,two" doc:"Which."`
	Scale float64   `json:"scale,omitempty" query:"scale" minimum:"1"`
	Marks []float64 `json:"marks,omitempty" query:"marks" maxItems:"2" nullable:"false"`
	Flag  bool      `json:"flag,omitempty" query:"flag"`
	Rows  []int     `json:"rows,omitempty"`
}

type countedAnswer struct {
	Rows  int
	Body  string
	Given countedBody
}

// counter is an operation that takes rows in JSON or as CSV.
func counter(a *httpx.API) {
	httpx.Register(a, httpx.Operation{
		ID: "count", Method: http.MethodPost, Path: "/v1/count", Permission: auth.CustomersRead,
		Upload: &httpx.Upload{Consumes: []string{"text/csv"}, MaxBody: 100, Settings: countedBody{}, Handle: func(c *gin.Context) error {
			given, err := httpx.SettingsOf[countedBody](c)
			if err != nil {
				return err
			}
			raw, err := io.ReadAll(httpx.HashBody(c))
			if err != nil {
				return err
			}
			c.JSON(http.StatusOK, countedAnswer{Body: string(raw), Given: given})
			return nil
		}},
	}, func(_ context.Context, in *struct{ Body countedBody }) (*struct{ Body countedAnswer }, error) {
		return &struct{ Body countedAnswer }{countedAnswer{Rows: len(in.Body.Rows), Given: in.Body}}, nil
	})
}

func TestAnOperationTakesAnUploadBesideJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpx.Config{}, counter)
	csv := http.Header{"Content-Type": {"text/csv; charset=utf-8"}}
	resp, body := w.do(http.MethodPost, "/v1/count", `{"rows":[1,2,3],"scale":2}`, nil)
	require.Equal(t, http.StatusOK, resp.StatusCode, string(body))
	require.Contains(t, string(body), `"Rows":3`)

	resp, body = w.do(http.MethodPost, "/v1/count?name=two&scale=1.5&marks=1,2.5&flag=true", "a,b\n1,2\n", csv)
	require.Equal(t, http.StatusOK, resp.StatusCode, string(body))
	require.JSONEq(t, `{"Rows":0,"Body":"a,b\n1,2\n","Given":{"name":"two","scale":1.5,"marks":[1,2.5],"flag":true}}`, string(body))

	for name, c := range map[string]struct {
		path, body string
		header     http.Header
		status     int
		says       string
	}{
		"a setting by query beside JSON": {"/v1/count?scale=2", `{}`, nil, 422, "query.scale"},
		"JSON that breaks a rule":        {"/v1/count", `{"scale":0}`, nil, 422, "body.scale"},
		"a setting that there is not":    {"/v1/count?rows=1", "a", csv, 422, "query.rows"},
		"a setting twice":                {"/v1/count?scale=2&scale=3", "a", csv, 422, "query.scale"},
		"a setting below its least":      {"/v1/count?scale=0.5", "a", csv, 422, "query.scale"},
		"a setting that is no number":    {"/v1/count?scale=much", "a", csv, 422, "query.scale"},
		"a setting without end":          {"/v1/count?scale=Inf", "a", csv, 422, "query.scale"},
		"a list that is too long":        {"/v1/count?marks=1,2,3", "a", csv, 422, "query.marks"},
		"a list with a word":             {"/v1/count?marks=1,x", "a", csv, 422, "query.marks"},
		"a text that is none of those":   {"/v1/count?name=six", "a", csv, 422, "query.name"},
		"a flag that is none":            {"/v1/count?flag=perhaps", "a", csv, 422, "query.flag"},
		"U+0000":                         {"/v1/count?name=%00", "a", csv, 400, "query.name"},
		"too much":                       {"/v1/count", strings.Repeat("a", 101), csv, 413, "body_too_large"},
		"another type":                   {"/v1/count", "a", http.Header{"Content-Type": {"text/plain"}}, 415, "content_type"},
		"nobody's token":                 {"/v1/count", "a", http.Header{"Content-Type": {"text/csv"}, "Authorization": {"Bearer x"}}, 401, "token"},
	} {
		resp, body := w.do(http.MethodPost, c.path, c.body, c.header)
		if resp.StatusCode != c.status || !strings.Contains(string(body), c.says) {
			t.Errorf("%s: got %d %s, want %d and %s", name, resp.StatusCode, body, c.status, c.says)
		}
	}
	document, err := w.api.OpenAPI()
	require.NoError(t, err)
	require.Contains(t, string(document), "text/csv")
	require.Contains(t, string(document), "With an upload only. Which.")
}
