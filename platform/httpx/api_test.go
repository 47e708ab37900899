package httpx_test

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

func TestAnOperationThatIsNotFitIsFoundAtTheStart(t *testing.T) {
	t.Parallel()
	type narrow struct {
		N int32 `query:"n"`
	}
	w := newWorld(t, httpx.Config{}, func(*httpx.API) {})
	good := httpx.Operation{ID: "x", Method: http.MethodGet, Path: "/x", Permission: auth.OrdersRead}
	cases := map[string]func(op httpx.Operation) httpx.Operation{
		"no permission":          func(op httpx.Operation) httpx.Operation { op.Permission = ""; return op },
		"public with permission": func(op httpx.Operation) httpx.Operation { op.Public = true; return op },
		"an unknown permission":  func(op httpx.Operation) httpx.Operation { op.Permission = "orders.eat"; return op },
		"no ID":                  func(op httpx.Operation) httpx.Operation { op.ID = ""; return op },
		"no path":                func(op httpx.Operation) httpx.Operation { op.Path = ""; return op },
	}
	for name, change := range cases {
		require.Panics(t, func() {
			httpx.Register(w.api, change(good), func(context.Context, *struct{}) (*struct{}, error) { return nil, nil })
		}, name)
	}
	require.Panics(t, func() {
		httpx.Register(w.api, good, func(context.Context, *narrow) (*struct{}, error) { return nil, nil })
	}, "a parameter that huma would cut off")
	require.Empty(t, w.api.Operations())
}

func TestEveryOperationDeclaresItsPermission(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpx.Config{}, shop(created1))
	require.Len(t, w.api.Operations(), 5)
	for _, op := range w.api.Operations() {
		require.NotEmpty(t, op.Permission, op.ID)
	}
}

// The document of the shop, whole. UPDATE_GOLDEN=1 writes it anew.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpx.Config{}, shop(created1))
	first, err := w.api.OpenAPI()
	require.NoError(t, err)
	again := httpx.NewServer(httpx.Config{}, nil, slog.New(slog.DiscardHandler)).API("shop", "1.0.0", "Shop")
	shop(created1)(again)
	second, err := again.OpenAPI()
	require.NoError(t, err)
	require.Equal(t, string(first), string(second), "the same bytes every time")

	const golden = "testdata/shop.yaml"
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.WriteFile(golden, first, 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), string(first))

	resp, err := http.Get(w.url + "/openapi/shop.yaml") // without a token
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
}

func TestCursorsComeBackWhole(t *testing.T) {
	t.Parallel()
	cursor := httpx.EncodeCursor("2026-11-22T12:00:00Z", "关系", "")
	parts, err := httpx.DecodeCursor(cursor, 3)
	require.NoError(t, err)
	require.Equal(t, []string{"2026-11-22T12:00:00Z", "关系", ""}, parts)
	parts, err = httpx.DecodeCursor("", 3)
	require.NoError(t, err)
	require.Nil(t, parts)
	for name, broken := range map[string]string{
		"cut off": cursor[:len(cursor)-1], "one letter changed": "B" + cursor[1:], "of another list": httpx.EncodeCursor("1"),
		"words": "next", "U+0000": httpx.EncodeCursor("a", "b\x00", "c"), "padded": cursor + "=", "long": strings.Repeat("A", 5000),
	} {
		_, err := httpx.DecodeCursor(broken, 3)
		require.ErrorIs(t, err, problem.New(problem.BadRequest, "cursor_invalid", ""), name)
	}
}

func TestIfMatch(t *testing.T) {
	t.Parallel()
	cases := []struct {
		header string
		code   string
		kind   problem.Kind
	}{
		{`"3"`, "", ""}, {` "3" `, "", ""}, {`"2", "3"`, "", ""}, {`*`, "", ""},
		{``, "if_match_missing", problem.PreconditionRequired},
		{`"2"`, "version_stale", problem.PreconditionFailed}, {`"03"`, "version_stale", problem.PreconditionFailed},
		{`W/"3"`, "version_stale", problem.PreconditionFailed},
		{`3`, "if_match_invalid", problem.BadRequest}, {`"3`, "if_match_invalid", problem.BadRequest}, {`"2",`, "if_match_invalid", problem.BadRequest},
	}
	for _, c := range cases {
		err := httpx.IfMatch(c.header, 3)
		if c.code == "" {
			require.NoError(t, err, c.header)
			continue
		}
		require.ErrorIs(t, err, problem.New(c.kind, c.code, ""), c.header)
	}
}

func TestANumberInACursorIsOneThatColumnsHave(t *testing.T) {
	t.Parallel()
	for cursor, want := range map[string]int{
		"": 0, httpx.EncodeCursor("1"): 1, httpx.EncodeCursor("2147483647"): 2147483647,
		httpx.EncodeCursor("0"): -1, httpx.EncodeCursor("-1"): -1, httpx.EncodeCursor("2147483648"): -1, httpx.EncodeCursor("x"): -1,
		httpx.EncodeCursor("1", "2"): -1, "broken": -1,
	} {
		got, err := httpx.FromNumber(cursor)
		if want < 0 {
			if problem.From(err).Code != "cursor_invalid" {
				t.Errorf("%q: got %d %v", cursor, got, err)
			}
		} else if got != want || err != nil {
			t.Errorf("%q: got %d %v, want %d", cursor, got, err, want)
		}
	}
}
