package httpx

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Page is embedded in the input of a list.
type Page struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many to give at most."`
	Cursor string `query:"cursor" maxLength:"1024" doc:"Where to go on: next_cursor of the page before. Opaque."`
}

// EncodeCursor packs the sort key of the last row of a page. The parts must be valid UTF-8.
func EncodeCursor(parts ...string) string {
	raw, err := json.Marshal(parts)
	if err != nil {
		panic("httpx: strings always have a JSON form: " + err.Error())
	}
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(raw))
	return base64.RawURLEncoding.EncodeToString(append(sum, raw...))
}

// DecodeCursor unpacks a cursor of n parts; the empty cursor gives nil. A broken one is a BadRequest cursor_invalid.
// The checksum finds accidents, not intent: treat the parts as input.
func DecodeCursor(s string, n int) ([]string, error) {
	if s == "" {
		return nil, nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	var parts []string
	switch {
	case err != nil, len(raw) < 4, binary.BigEndian.Uint32(raw) != crc32.ChecksumIEEE(raw[4:]):
		return nil, cursorInvalid()
	case json.Unmarshal(raw[4:], &parts) != nil, len(parts) != n:
		return nil, cursorInvalid()
	}
	for _, p := range parts {
		if strings.ContainsRune(p, 0) {
			return nil, cursorInvalid()
		}
	}
	return parts, nil
}

func cursorInvalid() error {
	return problem.New(problem.BadRequest, "cursor_invalid", "The cursor is broken. Start again without one.").
		WithField("query.cursor", "cursor_invalid", "is not a cursor that this list gave")
}

// ETag gives the entity tag of a version.
func ETag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// IfMatch checks the If-Match header against the present version: PreconditionRequired if_match_missing without one,
// BadRequest if_match_invalid when it is no entity tag, PreconditionFailed version_stale when none of its tags is the
// present one. As in RFC 9110, * matches any version and a weak tag matches none.
func IfMatch(header string, version int64) error {
	header = strings.TrimSpace(header)
	if header == "" {
		return problem.New(problem.PreconditionRequired, "if_match_missing",
			"Say which version you change: send its ETag as If-Match.")
	}
	if header == "*" {
		return nil
	}
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.TrimSpace(tag)
		bare := strings.TrimPrefix(tag, "W/")
		if len(bare) < 2 || bare[0] != '"' || bare[len(bare)-1] != '"' || strings.Contains(bare[1:len(bare)-1], `"`) {
			return problem.New(problem.BadRequest, "if_match_invalid", `If-Match must be an entity tag such as "3", with its quotes.`).
				WithField("header.If-Match", "if_match_invalid", "is not an entity tag")
		}
		if tag == ETag(version) {
			return nil
		}
	}
	return problem.New(problem.PreconditionFailed, "version_stale",
		"Somebody else changed this in the meantime. Read it again and repeat your change.")
}
