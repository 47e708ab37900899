package badinput

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/httpx"
)

// marker stands in for personal data in bad values: no answer may repeat it.
const marker = "Zhang-San-13800138000"

func body(name, content, code string) Case {
	return Case{Name: name, Status: http.StatusBadRequest, Code: code, Change: func(r *http.Request) { setBody(r, content) }}
}

// bodies are documents that no operation can read.
func (target Target) bodies() []Case {
	good := target.Body
	open := strings.TrimSuffix(strings.TrimSpace(good), "}") // to which a member can be added
	comma := ","
	if strings.TrimSpace(open) == "{" {
		comma = ""
	}
	big := open + comma + `"padding":"` + strings.Repeat("x", 10<<20) + `"}`
	cases := []Case{
		body("empty body", "", "body_missing"),
		body("white space for a body", " \n", "body_missing"),
		body("malformed JSON: cut off", strings.TrimSuffix(strings.TrimSpace(good), "}"), "json_malformed"),
		body("malformed JSON: a trailing comma", open+",}", "json_malformed"),
		body("malformed JSON: words", "name="+marker, "json_malformed"),
		body("malformed JSON: NaN", open+comma+`"n":NaN}`, "json_malformed"),
		body("a byte order mark", "\ufeff"+good, "json_malformed"),
		body("trailing data", good+good, "json_trailing_data"),
		body("trailing junk", good+"]", "json_trailing_data"),
		body("U+0000, raw", open+comma+"\"n\":\"\x00\"}", "json_nul"),
		body("U+0000, escaped", open+comma+`"n":"a\u0000b"}`, "json_nul"),
		body("U+0000 in a key", open+comma+`"n\u0000":1}`, "json_nul"),
		body("bad UTF-8", open+comma+"\"n\":\"\xff\xfe\"}", "json_utf8"),
		body("bad UTF-8: overlong", open+comma+"\"n\":\"\xc0\x80\"}", "json_utf8"),
		body("bad UTF-8: a surrogate in bytes", open+comma+"\"n\":\"\xed\xa0\x80\"}", "json_utf8"),
		body("half a surrogate pair", open+comma+`"n":"\ud800"}`, "json_surrogate"),
		body("half a surrogate pair, the low one", open+comma+`"n":"\udc00x"}`, "json_surrogate"),
		body("depth 10,000 of arrays", open+comma+`"n":`+strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000)+"}", "json_depth"),
		body("depth 10,000 of objects", open+comma+`"n":`+strings.Repeat(`{"a":`, 10_000)+"1"+strings.Repeat("}", 10_000)+"}", "json_depth"),
		body("duplicate keys", open+comma+`"n":1,"n":2}`, "json_duplicate_key"),
		body("duplicate keys, one escaped", open+comma+`"nm":1,"n\u006d":2}`, "json_duplicate_key"),
		body("duplicate keys, below", open+comma+`"n":[{"a":1,"a":2}]}`, "json_duplicate_key"),
		{Name: "an array for the object", Status: http.StatusUnprocessableEntity, Code: "validation_failed", Location: "body",
			Change: func(r *http.Request) { setBody(r, "["+good+"]") }},
		{Name: "null for the object", Status: http.StatusUnprocessableEntity, Code: "validation_failed", Location: "body",
			Change: func(r *http.Request) { setBody(r, "null") }},
		{Name: "an unknown field", Status: http.StatusUnprocessableEntity, Code: "validation_failed", Location: "body.no_such_field", Echo: marker,
			Change: func(r *http.Request) { setBody(r, open+comma+`"no_such_field":"`+marker+`"}`) }},
		{Name: "10 MiB body", Status: http.StatusRequestEntityTooLarge, Code: "body_too_large",
			Change: func(r *http.Request) { setBody(r, big) }},
		{Name: "10 MiB body without a length", Status: http.StatusRequestEntityTooLarge, Code: "body_too_large",
			Change: func(r *http.Request) { setBody(r, big); r.ContentLength = -1 }},
		{Name: "a form for JSON", Status: http.StatusUnsupportedMediaType, Code: "content_type",
			Change: func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }},
		{Name: "no content type", Status: http.StatusUnsupportedMediaType, Code: "content_type",
			Change: func(r *http.Request) { r.Header.Del("Content-Type") }},
		{Name: "another charset", Status: http.StatusUnsupportedMediaType, Code: "content_type",
			Change: func(r *http.Request) { r.Header.Set("Content-Type", "application/json; charset=gb18030") }},
		{Name: "a compressed body", Status: http.StatusUnsupportedMediaType, Code: "content_encoding",
			Change: func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }},
	}
	return cases
}

// fields gives each member of the working body a value of the wrong type, and each integer one that does not fit.
func (target Target) fields(t *testing.T) []Case {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(target.Body), &members); err != nil {
		t.Fatalf("the working body is not an object: %v", err)
	}
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	with := func(name, value string) string {
		changed := map[string]json.RawMessage{}
		for k, v := range members {
			changed[k] = v
		}
		changed[name] = json.RawMessage(value)
		raw, err := json.Marshal(changed)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	var cases []Case
	add := func(kind, name, value string) {
		content := with(name, value)
		cases = append(cases, Case{
			Name: kind + ": " + name, Status: http.StatusUnprocessableEntity, Code: "validation_failed",
			Location: "body." + name, Echo: marker, Change: func(r *http.Request) { setBody(r, content) },
		})
	}
	for _, name := range names {
		switch value := strings.TrimSpace(string(members[name])); value[0] {
		case '"':
			add("wrong type", name, `{"x":"`+marker+`"}`)
		case '{', '[', 't', 'f':
			add("wrong type", name, `"`+marker+`"`)
		case 'n':
		default:
			add("wrong type", name, `"`+marker+`"`)
			if !strings.ContainsAny(value, ".eE") {
				add("a fraction", name, "1.5")
				add("more than 64 bits", name, "99999999999999999999")
			}
		}
	}
	return cases
}

// unexpectedBodies are for operations without a body.
func (target Target) unexpectedBodies() []Case {
	return []Case{{
		Name: "a body where none is taken", Status: http.StatusBadRequest, Code: "body_unexpected",
		Change: func(r *http.Request) { setBody(r, `{"a":1}`); r.Header.Set("Content-Type", "application/json") },
	}}
}

func query(name, raw string, status int, code, location string) Case {
	return Case{Name: name, Status: status, Code: code, Location: location, Echo: marker, Change: func(r *http.Request) {
		kept := r.URL.Query()
		parameter, _, _ := strings.Cut(raw, "=")
		kept.Del(parameter) // so that the bad value stands alone
		r.URL.RawQuery = strings.TrimPrefix(kept.Encode()+"&"+raw, "&")
	}}
}

// requests are faults around the body.
func (target Target) requests() []Case {
	cases := []Case{
		query("an unknown parameter", "no_such="+marker, http.StatusUnprocessableEntity, "validation_failed", "query.no_such"),
		query("U+0000 in the query", "no_such=%00", http.StatusBadRequest, "query_invalid", "query.no_such"),
		query("bad UTF-8 in the query", "no_such=%ff", http.StatusBadRequest, "query_invalid", "query.no_such"),
		query("a query that cannot be taken apart", "no_such=%zz", http.StatusBadRequest, "query_invalid", ""),
		{Name: "U+0000 in the path", Status: http.StatusBadRequest, Code: "path_invalid", Change: func(r *http.Request) {
			r.URL.Path += "\x00"
		}},
		{Name: "bad UTF-8 in the path", Status: http.StatusBadRequest, Code: "path_invalid", Change: func(r *http.Request) {
			r.URL.Path += "\xff"
		}},
		{Name: "bad UTF-8 in a header", Status: http.StatusBadRequest, Code: "header_invalid", Change: func(r *http.Request) {
			r.Header.Set("X-Note", "\xff")
		}},
	}
	if target.Method != http.MethodPost {
		return cases
	}
	for name, key := range map[string]string{
		"an empty idempotency key": "", "an idempotency key of 256 characters": strings.Repeat("k", 256),
		"an idempotency key that is not ASCII": "密钥",
	} {
		cases = append(cases, Case{
			Name: name, Status: http.StatusBadRequest, Code: "idempotency_key_invalid", Location: "header.Idempotency-Key",
			Change: func(r *http.Request) { r.Header["Idempotency-Key"] = []string{key} },
		})
	}
	return append(cases, Case{
		Name: "two idempotency keys", Status: http.StatusBadRequest, Code: "idempotency_key_invalid",
		Change: func(r *http.Request) { r.Header["Idempotency-Key"] = []string{"a", "b"} },
	})
}

func lists() []Case {
	const invalid = http.StatusUnprocessableEntity
	return []Case{
		query("limit 0", "limit=0", invalid, "validation_failed", "query.limit"),
		query("limit -1", "limit=-1", invalid, "validation_failed", "query.limit"),
		query("limit 201", "limit=201", invalid, "validation_failed", "query.limit"),
		query("limit 10,000", "limit=10000", invalid, "validation_failed", "query.limit"),
		query("limit in words", "limit="+marker, invalid, "validation_failed", "query.limit"),
		query("limit of more than 64 bits", "limit=99999999999999999999", invalid, "validation_failed", "query.limit"),
		query("limit twice", "limit=1&limit=2", invalid, "validation_failed", "query.limit"),
		query("a broken cursor", "cursor="+marker, http.StatusBadRequest, "cursor_invalid", "query.cursor"),
		query("a cursor that is no base64", "cursor=%25%25", http.StatusBadRequest, "cursor_invalid", "query.cursor"),
		query("a cursor of 2,000 characters", "cursor="+strings.Repeat("A", 2000), invalid, "validation_failed", "query.cursor"),
	}
}

// forged sends cursors that look like those of the list and have in them what no list gives: they may find nothing, but are no
// fault of the server.
func (target Target) forged(t *testing.T) {
	for _, part := range []string{"3000000000", "-3000000000", "99999999999999999999", "0", "'", "2026-13-45"} {
		for n := 1; n <= 3; n++ {
			cursor := httpx.EncodeCursor(slices.Repeat([]string{part}, n)...)
			status, _, body := target.send(t, func(r *http.Request) {
				kept := r.URL.Query()
				kept.Set("cursor", cursor)
				r.URL.RawQuery = kept.Encode()
			})
			if status >= 500 {
				t.Errorf("%d times %q: got %d: %s", n, part, status, body)
			}
		}
	}
}

func versions() []Case {
	tag := func(name, value string, status int, code string) Case {
		return Case{Name: name, Status: status, Code: code, Change: func(r *http.Request) { r.Header.Set("If-Match", value) }}
	}
	return []Case{
		{Name: "no If-Match", Status: http.StatusPreconditionRequired, Code: "if_match_missing",
			Change: func(r *http.Request) { r.Header.Del("If-Match") }},
		tag("a stale ETag", `"999999999"`, http.StatusPreconditionFailed, "version_stale"),
		tag("a weak ETag", `W/"1"`, http.StatusPreconditionFailed, "version_stale"),
		tag("an ETag without quotes", `1`, http.StatusBadRequest, "if_match_invalid"),
	}
}
