package httpx

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

func TestScan(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, body string
		code       string // empty: taken
		location   string
	}{
		{"an object", `{"a":1}`, "", ""},
		{"white space around", " \t\r\n{ \"a\" : [ 1 , -0.5e+3 , true , false , null ] } \n", "", ""},
		{"a scalar", `"x"`, "", ""},
		{"empty containers", `{"a":{},"b":[],"":""}`, "", ""},
		{"Chinese and a pair of surrogates", `{"名":"关系 \ud83d\ude00 😀"}`, "", ""},
		{"the same key in two objects", `[{"a":1},{"a":2}]`, "", ""},
		{"many keys", `{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1}`, "", ""},
		{"depth 64", strings.Repeat("[", 64) + strings.Repeat("]", 64), "", ""},
		{"depth 65", strings.Repeat("[", 65) + strings.Repeat("]", 65), "json_depth", "body" + strings.Repeat("[0]", 64)},
		{"nothing", "", "body_missing", ""},
		{"a number with a leading zero", `{"a":01}`, "json_malformed", "body.a"},
		{"a bare minus", `[-]`, "json_malformed", "body[0]"},
		{"a bare point", `[1.]`, "json_malformed", "body[0]"},
		{"a bare exponent", `[1e]`, "json_malformed", "body[0]"},
		{"a plus", `[+1]`, "json_malformed", "body[0]"},
		{"single quotes", `{'a':1}`, "json_malformed", "body."},
		{"a comment", `{"a":1}//x`, "json_trailing_data", "body"},
		{"a tab in a string", "[\"a\tb\"]", "json_malformed", "body[0]"},
		{"an unknown escape", `["\x"]`, "json_malformed", "body[0]"},
		{"a short escape", `["\u12"]`, "json_malformed", "body[0]"},
		{"a sign for a hexadecimal digit", `["\u+123"]`, "json_malformed", "body[0]"},
		{"half a pair before a letter", `["\ud800\u0041"]`, "json_surrogate", "body[0]"},
		{"half a pair at the end", `["\ud800`, "json_surrogate", "body[0]"},
		{"the pair the wrong way round", `["\ude00\ud83d"]`, "json_surrogate", "body[0]"},
		{"U+0000 below", `{"a":[1,{"b":"\u0000"}]}`, "json_nul", "body.a[1].b"},
		{"U+0000 between", "{\x00\"a\":1}", "json_nul", "body."},
		{"bad UTF-8 between", "[\xff]", "json_utf8", "body[0]"},
		{"a key twice", `{"a":1,"b":{"c":1,"c":2}}`, "json_duplicate_key", "body.b.c"},
		{"a key twice, written differently", `{"a":1,"\u0061":2}`, "json_duplicate_key", "body.a"},
		{"a key twice among many", `{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"c":1}`, "json_duplicate_key", "body.c"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := scan([]byte(c.body))
			if c.code == "" {
				require.NoError(t, err)
				return
			}
			var p *problem.Error
			require.ErrorAs(t, err, &p)
			require.Equal(t, c.code, p.Code)
			require.Equal(t, problem.BadRequest, p.Kind)
			if c.location != "" {
				require.Equal(t, c.location, p.Fields[0].Location)
			}
		})
	}
}

// FuzzScan holds scan against the decoder behind it: whatever scan takes, encoding/json takes too, and whatever only
// scan refuses, it refuses for one of its own reasons.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5e3,"x\u00e9",null,true]}`, `{"a":1,"a":2}`, "[\"\xff\"]", `"\ud800\udc00"`, `[01]`, `{`, "\x00", `"\u0000"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		err := scan(body)
		valid := json.Valid(body)
		if err == nil && !valid {
			t.Fatalf("taken, but not JSON: %q", body)
		}
		var p *problem.Error
		if err != nil && valid && errors.As(err, &p) && (p.Code == "json_malformed" || p.Code == "body_missing" || p.Code == "json_trailing_data") {
			t.Fatalf("JSON, but refused as %v: %q", err, body)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	body := []byte(`{"external_ref":{"system":"till","id":"4711"},"customer_ref":{"system":"cdnow","id":"00001"},"channel":"shop",` +
		`"currency":"USD","placed_at":"2026-11-22T12:00:00Z","lines":[{"line_no":1,"sku":"CD","quantity":1,"amount_minor":1177}]}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := scan(body); err != nil {
			b.Fatal(err)
		}
	}
}

func TestSafeName(t *testing.T) {
	t.Parallel()
	require.Equal(t, "名字", safeName("名字"))
	require.Equal(t, "a?b", safeName("a\nb"))
	require.Equal(t, strings.Repeat("x", 64)+"…", safeName(strings.Repeat("x", 1000)))
}

// What huma says about a value never reaches the caller, whatever the words.
func TestTranslatePassesNoValueOn(t *testing.T) {
	t.Parallel()
	p := translate(422, "validation failed", []error{errors.New("mail: no angle-addr in ann@example.com")})
	require.NotContains(t, p.Error(), "ann@")
	require.Equal(t, 422, p.Kind.Status())
}
