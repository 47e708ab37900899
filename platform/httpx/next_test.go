package httpx_test

import (
	"slices"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/httpx"
)

func TestNextPageHasACursorOnlyWhereMoreFollows(t *testing.T) {
	t.Parallel()
	key := func(s string) []string { return []string{s} }
	for _, c := range []struct{ rows, page, after []string }{
		{nil, nil, nil},
		{[]string{"a"}, []string{"a"}, nil},
		{[]string{"a", "b"}, []string{"a", "b"}, nil},
		{[]string{"a", "b", "c"}, []string{"a", "b"}, []string{"b"}},
	} {
		page, next := httpx.NextPage(c.rows, 2, key)
		after, err := httpx.DecodeCursor(next, 1)
		if !slices.Equal(page, c.page) || !slices.Equal(after, c.after) || err != nil {
			t.Errorf("%v: page %v, then after %v (%v)", c.rows, page, after, err)
		}
	}
}
