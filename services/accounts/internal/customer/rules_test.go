package customer_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
)

func TestAnIdentityEndsAndBeginsAnew(t *testing.T) {
	t.Parallel()
	c, _ := customer.Register(uuid.New(), customer.Draft{
		Identities: []identity.Identity{phone, card},
		Validity:   map[identity.Identity]customer.Validity{phone: {ValidFrom: noon.Add(-time.Hour)}},
	}, noon)

	if _, _, err := c.Verify(atErp, later, later); err == nil {
		t.Error("an identity was verified that the customer does not have")
	}
	if _, _, err := c.End(atErp, later, later); err == nil {
		t.Error("an identity ended that the customer does not have")
	}
	if _, _, err := c.End(phone, noon.Add(-2*time.Hour), later); err == nil {
		t.Error("an identity ended before it began")
	}
	verified, changed, err := c.Verify(card, noon, later)
	if err != nil || !changed || verified.Version != 2 {
		t.Fatalf("verified %v %v: %+v", changed, err, verified)
	}
	if _, changed, _ = verified.Verify(card, noon.Add(-time.Minute), later); changed {
		t.Error("an earlier verification counts after a later one")
	}
	ended, changed, err := verified.End(card, later, later)
	if err != nil || !changed || ended.Version != 3 || ended.Identities[0].Valid() || !ended.Identities[1].Valid() {
		t.Fatalf("ended %v %v: %+v", changed, err, ended)
	}
	if again, changed, err := ended.End(card, later.Add(time.Hour), later); err != nil || changed || again.Version != 3 {
		t.Errorf("ended twice: %v %v", changed, err)
	}
	if _, _, err = ended.Verify(card, later, later); err == nil {
		t.Error("an identity was verified that had ended")
	}
	anew, added := ended.Identify(card, later.Add(time.Hour))
	if !added || len(anew.Identities) != 2 || !anew.Identities[0].Valid() || !anew.Identities[0].VerifiedAt.IsZero() || anew.Identities[0].ValidFrom != later.Add(time.Hour) {
		t.Errorf("begun anew %v: %+v", added, anew.Identities)
	}
	if c.Identities[0].VerifiedAt != (time.Time{}) || !verified.Identities[0].Valid() {
		t.Error("the customer before was changed as well")
	}
}

func TestIdsInOtherSystemsThatEndedAreNotTold(t *testing.T) {
	t.Parallel()
	c, _ := customer.Register(uuid.New(), customer.Draft{Identities: []identity.Identity{cdnow, atErp}}, noon)
	c, _, err := c.End(cdnow, later, later)
	if got := c.External(); err != nil || !slices.Equal(got, []identity.Identity{atErp}) {
		t.Fatalf("%v %v", got, err)
	}
}

func TestCompletenessNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	mail := identity.Identity{Type: identity.Email, Value: "lei@example.com"}
	home := []customer.Address{{ID: uuid.New(), Place: customer.Place{Kind: "home", Lines: []string{"1"}, Country: "CN"}}}
	shown := map[identity.Identity]customer.Validity{phone: {VerifiedAt: noon}}
	gone := map[identity.Identity]customer.Validity{phone: {ValidTo: noon}}
	cases := []struct {
		name    string
		draft   customer.Draft
		score   int
		missing string
	}{
		{"a person with a name for all", customer.Draft{Names: customer.Names{Display: "老李"}}, 0,
			"phone email verified_contact address given_name family_name own_identity"},
		{"a person of whom all is known", customer.Draft{Names: customer.Names{Given: "雷", Family: "李"},
			Identities: []identity.Identity{phone, mail, card}, Validity: shown, Addresses: home}, 100, ""},
		{"one with a telephone", customer.Draft{Names: customer.Names{Given: "雷"}, Identities: []identity.Identity{phone}}, 30,
			"email verified_contact address family_name own_identity"},
		{"one whose telephone is no longer theirs", customer.Draft{Names: customer.Names{Given: "雷"}, Identities: []identity.Identity{phone}, Validity: gone}, 10,
			"phone email verified_contact address family_name own_identity"},
		{"an organisation", customer.Draft{Kind: customer.Organisation, Names: customer.Names{Display: "老王"}}, 0,
			"legal_name phone address email verified_contact owner"},
		{"an organisation of which all is known", customer.Draft{Kind: customer.Organisation, Names: customer.Names{Legal: "老王比萨有限公司"}, Owner: "ann",
			Identities: []identity.Identity{phone, mail}, Validity: shown, Addresses: home}, 100, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			made, faults := customer.Register(uuid.New(), c.draft, noon)
			if got := made.Completeness(); got.Score != c.score || strings.Join(got.Missing, " ") != c.missing || len(faults) > 0 {
				t.Fatalf("got %+v (%v), want %d and %s", got, faults, c.score, c.missing)
			}
		})
	}
}

func TestTheStageThatFollowsFromOrders(t *testing.T) {
	t.Parallel()
	cases := []struct {
		now    customer.Stage
		orders int64
		next   customer.Stage
		reason string
	}{
		{customer.Awareness, 0, "", ""},
		{customer.Awareness, 1, customer.Exploration, "first_purchase"},
		{customer.Awareness, 2, customer.Familiarity, "repeat_purchase"},
		{customer.Exploration, 1, "", ""},
		{customer.Exploration, 7, customer.Familiarity, "repeat_purchase"},
		{customer.Familiarity, 7, "", ""},
		{customer.Loyalty, 7, "", ""},
		{customer.Separation, 7, "", ""},
	}
	for _, c := range cases {
		next, reason, moves := customer.StageAfter(c.now, c.orders)
		if moves != (c.next != "") || moves && (next != c.next || reason != c.reason) {
			t.Errorf("%s after %d orders: got %v %s %s, want %s %s", c.now, c.orders, moves, next, reason, c.next, c.reason)
		}
	}
	for stage, want := range map[customer.Stage]customer.Segment{
		customer.Awareness: customer.Suspect, customer.Exploration: customer.Prospect, customer.Familiarity: customer.Current,
		customer.Loyalty: customer.Current, customer.Separation: customer.Lost,
	} {
		if got := stage.Segment(); got != want {
			t.Errorf("%s makes a customer %s, want %s", stage, got, want)
		}
	}
}

func TestTwoMovesAreNeverOfTheSameMoment(t *testing.T) {
	t.Parallel()
	c, _ := customer.Register(uuid.New(), customer.Draft{Names: customer.Names{Display: "x"}}, noon)
	c, first, _ := c.MoveTo(customer.Loyalty, "by_hand", "ann", time.Time{}, noon)
	c, second, changed := c.MoveTo(customer.Separation, "by_hand", "ann", later, noon)
	if !changed || !second.Since.After(first.Since) || c.StageSince != second.Since || c.Version != 3 {
		t.Fatalf("%+v after %+v: %+v", second, first, c)
	}
	if _, _, changed = c.MoveTo(customer.Separation, "again", "bob", later, later); changed {
		t.Error("a move to where the customer is counts")
	}
	if held, _, changed := c.MoveTo(customer.Separation, "longer", "bob", later.Add(time.Hour), later); !changed || held.StageManualUntil != later.Add(time.Hour) {
		t.Error("the stage was not held longer")
	}
}

func TestChangeSaysWhichDetailsDiffer(t *testing.T) {
	t.Parallel()
	c, _ := customer.Register(uuid.New(), customer.Draft{Names: customer.Names{Display: "老李"}, Tags: []string{"vip", " 网 站 ", "vip"}, Owner: "ann"}, noon)
	if !slices.Equal(c.Tags, []string{"vip", "网 站"}) {
		t.Fatalf("tags %q", c.Tags)
	}
	long := strings.Repeat("名", 256)
	cases := []struct {
		name   string
		change func(*customer.Details)
		want   []string // fields, or locations of faults
	}{
		{"nothing", func(*customer.Details) {}, nil},
		{"the same tags in another order", func(d *customer.Details) { d.Tags = []string{"网 站", "vip"} }, nil},
		{"all at once", func(d *customer.Details) {
			d.Display, d.Kind, d.Tags, d.Owner, d.Custom = "李", customer.Organisation, nil, "bob", map[string]any{"a": int64(1)}
		}, []string{"custom_fields", "display_name", "kind", "owner", "tags"}},
		{"an unknown kind", func(d *customer.Details) { d.Kind = "robot" }, []string{"kind"}},
		{"tags that are none", func(d *customer.Details) { d.Tags = []string{"a", " ", "b\u202ec", long} }, []string{"tags[1]", "tags[2]", "tags[3]"}},
		{"too many tags", func(d *customer.Details) {
			for n := range 51 {
				d.Tags = append(d.Tags, fmt.Sprint(n))
			}
		}, []string{"tags"}},
		{"an owner too long", func(d *customer.Details) { d.Owner = long }, []string{"owner"}},
	}
	for _, one := range cases {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			d := c.Details()
			one.change(&d)
			now, changed, faults := c.Change(d, later)
			if got := slices.Concat(changed, locations(faults)); !slices.Equal(got, one.want) {
				t.Fatalf("got %q, want %q", got, one.want)
			}
			if want := c.Version + int64(min(len(changed), 1)); now.Version != want {
				t.Fatalf("version %d, want %d", now.Version, want)
			}
		})
	}
}

func TestAddressesAreBroughtToOneForm(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("路", 201)
	cases := []struct {
		name   string
		place  customer.Place
		faults []string
	}{
		{"one line is enough", customer.Place{Lines: []string{" 中山路  1 号 "}}, nil},
		{"all of it", customer.Place{Kind: "work", Lines: []string{"1", "2", "3", "4", "5"}, City: "上海", Region: "上海", PostalCode: "200001", Country: "cn"}, nil},
		{"nothing", customer.Place{}, []string{"lines"}},
		{"six lines", customer.Place{Lines: []string{"1", "2", "3", "4", "5", "6"}}, []string{"lines"}},
		{"an empty line and an endless one", customer.Place{Lines: []string{" ", long}}, []string{"lines[0]", "lines[1]"}},
		{"an unknown kind", customer.Place{Kind: "moon", Lines: []string{"1"}}, []string{"kind"}},
		{"everything too long", customer.Place{Lines: []string{"1"}, City: long, Region: long, PostalCode: long}, []string{"city", "region", "postal_code"}},
		{"no country", customer.Place{Lines: []string{"1"}, Country: "XX"}, []string{"country"}},
		{"a country in three letters", customer.Place{Lines: []string{"1"}, Country: "CHN"}, []string{"country"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, faults := c.place.Normalise("CN")
			if got := locations(faults); !slices.Equal(got, c.faults) {
				t.Fatalf("faults at %q, want %q", got, c.faults)
			}
			if len(faults) == 0 && (p.Country != "CN" || strings.Contains(p.Lines[0], "  ") || p.Kind == "") {
				t.Fatalf("%+v", p)
			}
		})
	}
}
