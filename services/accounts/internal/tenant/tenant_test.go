package tenant_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/tenant"
)

var (
	noon  = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	pizza = tenant.Settings{
		DisplayName: "老王比萨", Region: "CN", Language: "zh-Hans", TimeZone: "Asia/Shanghai", Currency: "CNY",
	}
)

func TestCreateNamesEveryFault(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		id     string
		change func(*tenant.Settings)
		faults []string
	}{
		{"all in order", "pizza", func(*tenant.Settings) {}, nil},
		{"capitals in the id", "Pizza", func(*tenant.Settings) {}, []string{"tenant_id"}},
		{"an id too long", strings.Repeat("p", 64), func(*tenant.Settings) {}, []string{"tenant_id"}},
		{"no name", "pizza", func(s *tenant.Settings) { s.DisplayName = "  " }, []string{"display_name"}},
		{"a name with a line end", "pizza", func(s *tenant.Settings) { s.DisplayName = "a\nb" }, []string{"display_name"}},
		{"an unknown region", "pizza", func(s *tenant.Settings) { s.Region = "QQ" }, []string{"region"}},
		{"a continent", "pizza", func(s *tenant.Settings) { s.Region = "142" }, []string{"region"}},
		{"an unknown language", "pizza", func(s *tenant.Settings) { s.Language = "klingonish" }, []string{"language"}},
		{"an unknown zone", "pizza", func(s *tenant.Settings) { s.TimeZone = "Mars/Olympus" }, []string{"time_zone"}},
		{"the machine's zone", "pizza", func(s *tenant.Settings) { s.TimeZone = "Local" }, []string{"time_zone"}},
		{"a currency of the past", "pizza", func(s *tenant.Settings) { s.Currency = "DEM" }, []string{"currency"}},
		{"nothing right", "", func(s *tenant.Settings) { *s = tenant.Settings{} },
			[]string{"tenant_id", "display_name", "region", "language", "time_zone", "currency"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			settings := pizza
			c.change(&settings)
			_, faults := tenant.Create(c.id, uuid.New(), settings, noon)
			if got := locations(faults); !slices.Equal(got, c.faults) {
				t.Fatalf("faults at %v, want %v", got, c.faults)
			}
		})
	}
}

func TestChangeCountsVersionsAndNamesFields(t *testing.T) {
	t.Parallel()
	before, _ := tenant.Create("pizza", uuid.New(), pizza, noon)

	same, changed, faults := before.Change(pizza, noon.Add(time.Hour))
	if len(faults)+len(changed) > 0 || same != before {
		t.Fatalf("a change to the same changed %v: %+v", changed, same)
	}

	settings := pizza
	settings.Currency, settings.Region = "HKD", "hk"
	after, changed, _ := before.Change(settings, noon.Add(time.Hour))
	if !slices.Equal(changed, []string{"currency", "region"}) || after.Version != 2 || after.Region != "HK" {
		t.Fatalf("changed %v: %+v", changed, after)
	}
	if !after.ChangedAt.Equal(noon.Add(time.Hour)) || !after.CreatedAt.Equal(noon) {
		t.Fatalf("times: %+v", after)
	}
}

func TestASuspendedTenantCannotWriteUntilItIsResumed(t *testing.T) {
	t.Parallel()
	active, _ := tenant.Create("pizza", uuid.New(), pizza, noon)
	if err := active.Writable(); err != nil {
		t.Fatal(err)
	}
	suspended, changed := active.To(tenant.Suspended, noon)
	if !changed || suspended.Version != 2 {
		t.Fatalf("%v %+v", changed, suspended)
	}
	if p := problem.From(suspended.Writable()); p.Kind != problem.Forbidden || p.Code != "tenant_suspended" {
		t.Fatalf("got %v", p)
	}
	if _, again := suspended.To(tenant.Suspended, noon); again {
		t.Fatal("suspended twice")
	}
	resumed, _ := suspended.To(tenant.Active, noon)
	if err := resumed.Writable(); err != nil || resumed.Version != 3 {
		t.Fatalf("%v %+v", err, resumed)
	}
}

func locations(faults []problem.Field) []string {
	var out []string
	for _, f := range faults {
		out = append(out, f.Location)
	}
	return out
}

func TestADayIsTheTenants(t *testing.T) {
	t.Parallel()
	shanghai := tenant.Tenant{Settings: tenant.Settings{TimeZone: "Asia/Shanghai"}}
	evening := time.Date(2026, 11, 22, 17, 30, 0, 0, time.UTC) // half past one there
	day := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	if got := shanghai.Day(evening); !got.Equal(day) {
		t.Errorf("the day is %s", got)
	}
	if got, want := shanghai.Begins(day), time.Date(2026, 11, 22, 16, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("it begins at %s, want %s", got, want)
	}
}
