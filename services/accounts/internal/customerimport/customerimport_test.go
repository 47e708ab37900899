package customerimport

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// row is a line of a file with the values of its columns.
type row map[string]string

func readRow(t *testing.T, line int64, r row) (record, []imports.Rejection) {
	t.Helper()
	var mapped []string
	for column := range r {
		mapped = append(mapped, column)
	}
	slices.Sort(mapped)
	return read(line, mapped, func(column string) string { return r[column] }, "CN")
}

func TestReadNamesLineColumnAndReason(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		row    row
		faults []string // column code
	}{
		{"an external id is enough", row{"external:cdnow": "00001"}, nil},
		{"a name is enough", row{"display_name": "李雷"}, nil},
		{"everything", row{"kind": "organisation", "legal_name": "老王比萨", "phone": "010 6552 9988",
			"email": "wang@example.com", "card": "VIP-0001", "external:erp": "7"}, nil},
		{"columns without a value do not count", row{"external:cdnow": "1", "phone": "", "email": "", "kind": ""}, nil},
		{"a row without anybody", row{"external:cdnow": "", "display_name": ""}, []string{"display_name required"}},
		{"a telephone alone is nobody", row{"phone": "138 0013 8000"}, []string{"display_name required"}},
		{"a kind that is none", row{"display_name": "x", "kind": "robot"}, []string{"kind kind_unknown"}},
		{"each bad identity is named", row{"display_name": "x", "phone": "soon", "email": "at", "card": "#"},
			[]string{"card card_malformed", "email email_malformed", "phone phone_malformed"}},
		{"a system in capitals", row{"external:CDNOW": "1"}, []string{"external:CDNOW system_malformed"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, faults := readRow(t, 7, c.row)
			var got []string
			for _, f := range faults {
				got = append(got, f.Column+" "+f.Code)
				if f.Line != 7 || f.Reason == "" {
					t.Errorf("want line 7 and a reason: %+v", f)
				}
			}
			if !slices.Equal(got, c.faults) {
				t.Fatalf("got %q, want %q", got, c.faults)
			}
		})
	}
}

func TestABatchDoesWhatThePolicySays(t *testing.T) {
	t.Parallel()
	one := identity.Identity{Type: identity.External("shop"), Value: "1"}
	two := identity.Identity{Type: identity.External("shop"), Value: "2"}
	cases := []struct {
		name    string
		policy  imports.Policy
		rows    []row
		added   []string // display names
		changed []string // display name, version, fields
		faults  []string // column code
	}{
		{"new customers", imports.Skip, []row{{"external:shop": "8", "display_name": "Mei"}, {"external:shop": "9", "display_name": "Tao"}},
			[]string{"Mei", "Tao"}, nil, nil},
		{"a customer repeated in the file is one", imports.Skip,
			[]row{{"external:shop": "8", "display_name": "Mei"}, {"external:shop": "8", "display_name": "May"}, {"external:shop": "8"}},
			[]string{"Mei"}, nil, nil},
		{"skip leaves who is there", imports.Skip, []row{{"external:shop": "1", "display_name": "Other"}}, nil, nil, nil},
		{"update changes names and adds identities", imports.Update,
			[]row{{"external:shop": "1", "given_name": "Lily", "card": "VIP17", "phone": "138 0013 8000"}},
			nil, []string{"Lily Li 4 [display_name given_name identities]"}, nil},
		{"update with what is there changes nothing", imports.Update, []row{{"external:shop": "1", "given_name": "Lei"}}, nil, nil, nil},
		{"two rows of one customer are one change", imports.Update,
			[]row{{"external:shop": "1", "given_name": "Lily"}, {"external:shop": "1", "given_name": "Lulu"}},
			nil, []string{"Lulu Li 4 [display_name given_name]"}, nil},
		{"update of one who came in the same file", imports.Update,
			[]row{{"external:shop": "8", "display_name": "Mei"}, {"external:shop": "8", "card": "VIP17"}, {"card": "VIP17", "display_name": "May"}},
			[]string{"May"}, nil, nil},
		{"ids of two customers in one row", imports.Update, []row{{"card": "FIRST", "external:shop": "2"}},
			nil, nil, []string{"external:shop identity_conflict"}},
		{"the good rows around a bad one go in", imports.Skip,
			[]row{{"external:shop": "8", "display_name": "Mei"}, {"card": "FIRST", "external:shop": "2"}, {"external:shop": "9", "display_name": "Tao"}},
			[]string{"Mei", "Tao"}, nil, []string{"external:shop identity_conflict"}},
		{"nameless customers by external id", imports.Skip, []row{{"external:shop": "8"}, {"external:shop": "9"}}, []string{"", ""}, nil, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			first, _ := customer.Register(id(100), customer.Draft{Names: customer.Names{Given: "Lei", Family: "Li"},
				Identities: []identity.Identity{one, {Type: identity.Card, Value: "FIRST"}}}, noon)
			second, _ := customer.Register(id(101), customer.Draft{Identities: []identity.Identity{two}}, noon)
			first.Version = 3
			next := 0
			b := newBatch(c.policy, noon.Add(time.Hour), func() uuid.UUID { next++; return id(next) },
				map[identity.Identity]customer.Customer{one: first, {Type: identity.Card, Value: "FIRST"}: first, two: second})
			var faults []string
			for n, r := range c.rows {
				rec, wrong := readRow(t, int64(n+1), r)
				for _, f := range append(wrong, b.take(rec)...) {
					faults = append(faults, f.Column+" "+f.Code)
				}
			}
			var added, changed []string
			news, changes := b.result()
			for _, one := range news {
				added = append(added, one.Display)
			}
			for _, one := range changes {
				changed = append(changed, fmt.Sprintf("%s %d %v", one.Now.Display, one.Now.Version, one.Fields))
			}
			if !slices.Equal(added, c.added) || !slices.Equal(changed, c.changed) || !slices.Equal(faults, c.faults) {
				t.Fatalf("added %q, want %q; changed %q, want %q; faults %q, want %q",
					added, c.added, changed, c.changed, faults, c.faults)
			}
		})
	}
}

func id(n int) uuid.UUID {
	var out uuid.UUID
	binary.BigEndian.PutUint64(out[8:], uint64(n))
	return out
}
