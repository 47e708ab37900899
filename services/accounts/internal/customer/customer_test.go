package customer_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
)

var (
	noon  = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	later = noon.Add(time.Hour)
	phone = identity.Identity{Type: identity.Phone, Value: "+8613800138000"}
	card  = identity.Identity{Type: identity.Card, Value: "62258801"}
	cdnow = identity.Identity{Type: identity.External("cdnow"), Value: "00001"}
	atErp = identity.Identity{Type: identity.External("erp"), Value: "A7"}
)

func TestRegisterNamesEveryFault(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("名", 201)
	cases := []struct {
		name   string
		draft  customer.Draft
		faults []string
	}{
		{"a name is enough", customer.Draft{Names: customer.Names{Display: "李雷"}}, nil},
		{"an external id is enough", customer.Draft{Identities: []identity.Identity{cdnow}}, nil},
		{"a card is enough", customer.Draft{Identities: []identity.Identity{card}}, nil},
		{"a telephone alone is not: it may be a family's", customer.Draft{Identities: []identity.Identity{phone}}, []string{"display_name"}},
		{"nothing", customer.Draft{}, []string{"display_name"}},
		{"only blanks", customer.Draft{Names: customer.Names{Display: " \t "}}, []string{"display_name"}},
		{"an unknown kind", customer.Draft{Names: customer.Names{Display: "x"}, Kind: "robot"}, []string{"kind"}},
		{"names too long", customer.Draft{Names: customer.Names{Display: long, Given: long}}, []string{"display_name", "given_name"}},
		{"a name that runs backwards", customer.Draft{Names: customer.Names{Display: "abc\u202ecba"}}, []string{"display_name"}},
		{"a source too long", customer.Draft{Names: customer.Names{Display: "x"}, Source: long}, []string{"source"}},
		{"too many identities", customer.Draft{Names: customer.Names{Display: "x"}, Identities: many(51)}, []string{"identities"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, faults := customer.Register(uuid.New(), c.draft, noon)
			if got := locations(faults); !slices.Equal(got, c.faults) {
				t.Fatalf("faults at %v, want %v", got, c.faults)
			}
		})
	}
}

func TestTheDisplayNameIsMadeWhereItIsMissing(t *testing.T) {
	t.Parallel()
	cases := []struct {
		names customer.Names
		want  string
	}{
		{customer.Names{Family: "李", Given: "雷"}, "李雷"},
		{customer.Names{Family: "Li", Given: "Lei"}, "Lei Li"},
		{customer.Names{Family: "李", Given: "Bruce"}, "Bruce 李"},
		{customer.Names{Given: "  Mei   Mei "}, "Mei Mei"},
		{customer.Names{Legal: "北京比萨有限公司"}, "北京比萨有限公司"},
		{customer.Names{Display: "老李", Family: "李", Given: "雷"}, "老李"},
	}
	for _, c := range cases {
		got, faults := customer.Register(uuid.New(), customer.Draft{Names: c.names}, noon)
		if got.Display != c.want || len(faults) > 0 {
			t.Errorf("%+v: called %q (%v), want %q", c.names, got.Display, faults, c.want)
		}
	}
}

func TestAnIdentityGivenTwiceIsKeptOnce(t *testing.T) {
	t.Parallel()
	c, _ := customer.Register(uuid.New(), customer.Draft{Identities: []identity.Identity{cdnow, phone, cdnow}}, noon)
	if len(c.Identities) != 2 || c.Version != 1 {
		t.Fatalf("%+v", c)
	}
	again, added := c.Identify(cdnow, later)
	if added || again.Version != 1 || again.ChangedAt != noon {
		t.Fatalf("added %v: %+v", added, again)
	}
	more, added := c.Identify(card, later)
	if !added || more.Version != 2 || more.ChangedAt != later || len(c.Identities) != 2 {
		t.Fatalf("added %v: %+v; before %+v", added, more, c)
	}
	var many []identity.Identity
	for n := range 24 { // twelve, each twice
		many = append(many, identity.Identity{Type: identity.Phone, Value: fmt.Sprintf("+86138001380%02d", n%12)})
	}
	c, _ = customer.Register(uuid.New(), customer.Draft{Identities: many, Validity: map[identity.Identity]customer.Validity{many[3]: {VerifiedAt: noon}}}, noon)
	same, _ := customer.Register(c.ID, customer.Draft{Identities: many}, noon)
	for n := range many[:12] {
		if len(c.Identities) != 12 || len(same.Identities) != 12 || same.Identities[n].Identity != many[n] || c.Identities[n].Identity != many[n] ||
			c.Identities[n].VerifiedAt.IsZero() != (n != 3) || !same.Identities[n].VerifiedAt.IsZero() {
			t.Fatalf("of twelve, given twice: %+v and %+v", c.Identities, same.Identities)
		}
	}
}

func TestExternalIsOrderedAndLeavesTheRestOut(t *testing.T) {
	t.Parallel()
	c, _ := customer.Register(uuid.New(), customer.Draft{Identities: []identity.Identity{atErp, phone, cdnow, card}}, noon)
	if got := c.External(); !slices.Equal(got, []identity.Identity{cdnow, atErp}) {
		t.Fatalf("got %v", got)
	}
}

func TestRenameSaysWhichFieldsDiffer(t *testing.T) {
	t.Parallel()
	c, _ := customer.Register(uuid.New(), customer.Draft{Names: customer.Names{Family: "李", Given: "雷"}}, noon)

	same, changed, faults := c.Rename(c.Names, later)
	if len(changed)+len(faults) > 0 || same.Version != 1 {
		t.Fatalf("changed %v, faults %v", changed, faults)
	}
	other, changed, _ := c.Rename(customer.Names{Family: "李", Given: "蕾"}, later)
	if !slices.Equal(changed, []string{"display_name", "given_name"}) || other.Display != "李蕾" || other.Version != 2 {
		t.Fatalf("changed %v: %+v", changed, other)
	}
	if _, _, faults = c.Rename(customer.Names{}, later); len(faults) != 1 {
		t.Fatal("a customer without any identity lost the only name")
	}
}

func many(n int) []identity.Identity {
	var out []identity.Identity
	for i := range n {
		out = append(out, identity.Identity{Type: identity.Card, Value: strings.Repeat("A", i+1)})
	}
	return out
}

func locations(faults []problem.Field) []string {
	var out []string
	for _, f := range faults {
		out = append(out, f.Location)
	}
	return out
}
