package externalref_test

import (
	"strings"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/externalref"
)

func TestNew(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, system, id string
		want             externalref.Ref
		fault            string
	}{
		{"kept as written", "cdnow", "00001", externalref.Ref{System: "cdnow", ID: "00001"}, ""},
		{"blanks go", "shop-2", " A7 ", externalref.Ref{System: "shop-2", ID: "A7"}, ""},
		{"any script", "erp", "客户-7", externalref.Ref{System: "erp", ID: "客户-7"}, ""},
		{"the longest", strings.Repeat("s", 32), strings.Repeat("客", 128), externalref.Ref{System: strings.Repeat("s", 32), ID: strings.Repeat("客", 128)}, ""},
		{"no system", "", "1", externalref.Ref{}, "system_malformed"},
		{"capitals", "CDNOW", "1", externalref.Ref{}, "system_malformed"},
		{"a hyphen first", "-x", "1", externalref.Ref{}, "system_malformed"},
		{"a system too long", strings.Repeat("s", 33), "1", externalref.Ref{}, "system_malformed"},
		{"no id", "cdnow", "  ", externalref.Ref{}, "external_id_malformed"},
		{"an id too long", "cdnow", strings.Repeat("1", 129), externalref.Ref{}, "external_id_malformed"},
		{"a line end within", "cdnow", "1\n2", externalref.Ref{}, "external_id_malformed"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, fault := externalref.New(c.system, c.id)
			code := ""
			if fault != nil {
				code = fault.Code
			}
			if got != c.want || code != c.fault {
				t.Fatalf("got %+v %q, want %+v %q", got, code, c.want, c.fault)
			}
		})
	}
}
