package customerimport

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/field"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// fields are the custom fields of the tenant in these tests.
func fields() field.Set {
	set := field.Set{}
	for _, d := range []field.Definition{
		{Name: "size", Type: field.Integer}, {Name: "height", Type: field.Number}, {Name: "member", Type: field.Boolean},
		{Name: "since", Type: field.Date}, {Name: "note", Type: field.Text}, {Name: "grade", Type: field.Choice, Choices: []string{"a", "b"}},
		{Name: "likes", Type: field.Choices, Choices: []string{"coffee", "tea"}},
	} {
		d.Class = access.Behaviour
		set[d.Name] = d
	}
	set["old"] = field.Definition{Name: "old", Type: field.Text, Archived: true}
	return set
}

// row is a line of a file with the values of its columns.
type row map[string]string

// serials gives ids 1, 2, 3, ... .
func serials() func() uuid.UUID {
	next := 0
	return func() uuid.UUID { next++; return id(next) }
}

func readRow(t *testing.T, line int64, r row, newID func() uuid.UUID) (*record, []imports.Rejection) {
	t.Helper()
	var mapped []string
	for column := range r {
		mapped = append(mapped, column)
	}
	slices.Sort(mapped)
	rd := reading{mapped: mapped, region: "CN", fields: fields(), at: noon, newID: newID}
	return rd.read(line, func(column string) string { return r[column] })
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
		{"one of several is bad", row{"display_name": "x", "phone": "138 0013 8000\nsoon"}, []string{"phone phone_malformed"}},
		{"a tag that is none", row{"display_name": "x", "tags": "vip\n" + strings.Repeat("x", 65)}, []string{"tags tag_malformed"}},
		{"an owner that is none", row{"display_name": "x", "owner": "a\tb\x01"}, []string{"owner owner_malformed"}},
		{"custom fields of every type", row{"display_name": "x", "custom:size": "43", "custom:member": "true", "custom:since": "2026-11-22",
			"custom:height": "1.8", "custom:note": "17", "custom:likes": "tea\ncoffee", "custom:grade": "b"}, nil},
		{"custom fields that are malformed", row{"display_name": "x", "custom:size": "large", "custom:member": "yes", "custom:likes": "tea\nbeer"},
			[]string{"custom:likes value_malformed", "custom:member value_malformed", "custom:size value_malformed"}},
		{"an address of columns", row{"display_name": "x", "address:lines": "1 Main St\nFlat 2", "address:city": "Boston", "address:country": "US"}, nil},
		{"an address without lines", row{"display_name": "x", "address:city": "Boston"}, []string{"address:lines address_malformed"}},
		{"an address in no country", row{"display_name": "x", "address:lines": "1 Main St", "address:country": "XX"}, []string{"address:country country_unknown"}},
		{"addresses as an array", row{"display_name": "x", "addresses": `[{"lines":["1 Main St"]},{"kind":"work","lines":["2 Main St"]}]`}, nil},
		{"addresses that are none", row{"display_name": "x", "addresses": `{"lines":["1 Main St"]}`}, []string{"addresses addresses_malformed"}},
		{"addresses with an unknown part", row{"display_name": "x", "addresses": `[{"street":"Main St"}]`}, []string{"addresses addresses_malformed"}},
		{"too many addresses", row{"display_name": "x", "addresses": "[" + strings.Repeat(`{"lines":["1 Main St"]},`, 20) + `{"lines":["1 Main St"]}]`},
			[]string{"addresses too_many"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, faults := readRow(t, 7, c.row, serials())
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
	const phone = "138 0013 8000"
	number := identity.Identity{Type: identity.Phone, Value: "+8613800138000"}
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
		{"a telephone and its name are somebody who is there", imports.Skip, []row{{"phone": phone, "display_name": "tao  LI"}}, nil, nil, nil},
		{"update of one who was found by telephone and name", imports.Update, []row{{"phone": phone, "display_name": "Tao Li", "card": "VIP17", "tags": "vip"}},
			nil, []string{"Tao Li 2 [identities tags]"}, nil},
		{"a telephone with another name is somebody else", imports.Skip, []row{{"phone": phone, "display_name": "Bo Li"}}, []string{"Bo Li"}, nil, nil},
		{"a name alone is nobody who is there", imports.Skip, []row{{"display_name": "Tao Li"}}, []string{"Tao Li"}, nil, nil},
		{"another id of the same system speaks against it", imports.Skip, []row{{"phone": phone, "display_name": "Mei Li", "external:shop": "5"}},
			[]string{"Mei Li"}, nil, nil},
		{"an id of another system does not", imports.Update, []row{{"phone": phone, "display_name": "Mei Li", "external:till": "5"}},
			nil, []string{"Mei Li 2 [identities]"}, nil},
		{"an exclusive id goes before telephone and name", imports.Update, []row{{"external:shop": "1", "phone": phone, "display_name": "Tao Li"}},
			nil, []string{"Tao Li 4 [display_name identities]"}, nil},
		{"two in the file with a telephone and a name are one", imports.Skip, []row{{"phone": "138 0013 8001", "display_name": "Bo"}, {"phone": "13800138001", "display_name": "bo"}},
			[]string{"Bo"}, nil, nil},
		{"several of the name: skip leaves them", imports.Skip, []row{{"phone": phone, "external:shop": "9", "display_name": "Mei Li"}, {"phone": phone, "display_name": "Mei Li"}},
			[]string{"Mei Li"}, nil, nil},
		{"several of the name: update does not guess", imports.Update, []row{{"phone": phone, "external:shop": "9", "display_name": "Mei Li"}, {"phone": phone, "display_name": "Mei Li"}},
			[]string{"Mei Li"}, nil, []string{"phone match_ambiguous"}},
		{"create makes another one", imports.Create, []row{{"phone": phone, "display_name": "Tao Li"}, {"phone": phone, "display_name": "Tao Li"}},
			[]string{"Tao Li", "Tao Li"}, nil, nil},
		{"create makes nobody with an id of another", imports.Create, []row{{"card": "FIRST", "display_name": "x"}, {"external:shop": "8"}, {"external:shop": "8"}},
			[]string{""}, nil, []string{"card identity_taken", "external:shop identity_taken"}},
		{"update of all that a row can say", imports.Update, []row{{"external:shop": "1", "kind": "organisation", "owner": "ann", "custom:size": "43",
			"address:lines": "1 Main St", "tags": "b\na"}, {"external:shop": "1", "address:lines": "1 Main St", "tags": "a\nc", "custom:note": "x"}},
			nil, []string{"Lei Li 4 [addresses custom_fields kind owner tags]"}, nil},
		{"nameless customers by external id", imports.Skip, []row{{"external:shop": "8"}, {"external:shop": "9"}}, []string{"", ""}, nil, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			first, _ := customer.Register(id(100), customer.Draft{Names: customer.Names{Given: "Lei", Family: "Li"},
				Identities: []identity.Identity{one, {Type: identity.Card, Value: "FIRST"}}}, noon)
			second, _ := customer.Register(id(101), customer.Draft{Identities: []identity.Identity{two}}, noon)
			first.Version = 3
			third, _ := customer.Register(id(102), customer.Draft{Names: customer.Names{Display: "Tao Li"}, Identities: []identity.Identity{number}}, noon)
			fourth, _ := customer.Register(id(103), customer.Draft{Names: customer.Names{Display: "Mei Li"}, Identities: []identity.Identity{number,
				{Type: identity.External("shop"), Value: "4"}}}, noon)
			newID := serials()
			b := newBatch(c.policy, noon.Add(time.Hour), newID, len(c.rows),
				map[identity.Identity]customer.Customer{one: first, {Type: identity.Card, Value: "FIRST"}: first, two: second},
				others{customers: []customer.Customer{third, fourth}})
			var faults []string
			for n, r := range c.rows {
				rec, wrong := readRow(t, int64(n+1), r, newID)
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

// TestTheTenantsRulesSayWhomARowIsAbout has rules by which a row is one of these customers, who share nothing with it.
func TestTheTenantsRulesSayWhomARowIsAbout(t *testing.T) {
	t.Parallel()
	number := identity.Identity{Type: identity.Phone, Value: "+8613800138000"}
	for _, c := range []struct {
		name    string
		policy  imports.Policy
		row     row
		certain []uuid.UUID
		want    []string
	}{
		{"skip leaves whom a rule finds", imports.Skip, row{"display_name": "Lei"}, []uuid.UUID{id(101)}, nil},
		{"update changes whom a rule finds", imports.Update, row{"display_name": "Lei", "tags": "vip"}, []uuid.UUID{id(101)}, []string{"Lei 2"}},
		{"create asks no rule", imports.Create, row{"display_name": "Lei"}, []uuid.UUID{id(101)}, []string{"Lei 1"}},
		{"several: skip leaves them", imports.Skip, row{"display_name": "Lei"}, []uuid.UUID{id(101), id(102)}, nil},
		{"several: update does not guess", imports.Update, row{"display_name": "Lei"}, []uuid.UUID{id(101), id(102)}, []string{" match_ambiguous"}},
		{"one by a rule and another by telephone and name", imports.Update, row{"display_name": "Tao Li", "phone": "138 0013 8000"}, []uuid.UUID{id(101)}, []string{"phone match_ambiguous"}},
		{"the same by a rule and by telephone and name", imports.Update, row{"display_name": "Tao Li", "phone": "138 0013 8000", "tags": "vip"}, []uuid.UUID{id(102)}, []string{"Tao Li 2"}},
		{"another id of the same system speaks against it", imports.Update, row{"display_name": "Lei", "external:shop": "9"}, []uuid.UUID{id(101)}, []string{"Lei 1"}},
		{"somebody who was erased meanwhile", imports.Update, row{"display_name": "Lei"}, []uuid.UUID{id(999)}, []string{"Lei 1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			first, _ := customer.Register(id(101), customer.Draft{Names: customer.Names{Display: "Mei"},
				Identities: []identity.Identity{{Type: identity.External("shop"), Value: "1"}}}, noon)
			second, _ := customer.Register(id(102), customer.Draft{Names: customer.Names{Display: "Tao Li"}, Identities: []identity.Identity{number}}, noon)
			newID := serials()
			rec, wrong := readRow(t, 1, c.row, newID)
			if len(wrong) > 0 {
				t.Fatal(wrong)
			}
			b := newBatch(c.policy, noon.Add(time.Hour), newID, 1, nil,
				others{customers: []customer.Customer{first, second}, certain: map[uuid.UUID][]uuid.UUID{rec.made.ID: c.certain}})
			var got []string
			for _, f := range b.take(rec) {
				got = append(got, f.Column+" "+f.Code)
			}
			news, changes := b.result()
			for _, one := range news {
				got = append(got, fmt.Sprint(one.Display, " ", one.Version))
			}
			for _, one := range changes {
				got = append(got, fmt.Sprint(one.Now.Display, " ", one.Now.Version))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func id(n int) uuid.UUID {
	var out uuid.UUID
	binary.BigEndian.PutUint64(out[8:], uint64(n))
	return out
}
