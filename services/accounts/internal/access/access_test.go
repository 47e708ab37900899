package access_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
)

// as is a context in which somebody with the roles calls.
func as(ctx context.Context, roles ...string) context.Context {
	return auth.With(ctx, auth.Principal{Subject: strings.Join(roles, "+"), Tenant: "pizza", Roles: roles})
}

func texts(classes []access.Class) string {
	var names []string
	for _, c := range classes {
		names = append(names, string(c))
	}
	return strings.Join(names, " ")
}

func TestACallerSeesWhatThePurposeNeedsAndTheRoleMaySee(t *testing.T) {
	t.Parallel()
	const everyday = "identity contact behaviour"
	for name, c := range map[string]struct {
		roles, purpose, reason string
		means, sees            string
	}{
		"an agent, usually":                         {"agent", "", "", "order_taking", everyday},
		"an agent who gives a reason":               {"agent", "service", "T-000123", "service", everyday},
		"marketing, usually":                        {"marketing", "", "", "marketing", everyday},
		"marketing that analyses":                   {"marketing", "analysis", "", "analysis", "behaviour"},
		"a manager, usually":                        {"manager", "", "", "service", everyday},
		"a manager who grants credit":               {"manager", "credit", "T-1", "credit", "identity contact financial"},
		"a manager who grants credit without why":   {"manager", "credit", "", "credit", "identity contact"},
		"a manager who gives care":                  {"manager", "care", "T-1", "care", "identity contact health"},
		"operations, bound by the role":             {"operations", "administration", "T-1", "administration", everyday},
		"an administrator without why":              {"admin", "", "", "administration", everyday},
		"an administrator":                          {"admin", "", "T-1", "administration", everyday + " financial health special"},
		"another system":                            {"integrator", "integration", "sync", "integration", everyday + " financial health special"},
		"another service of the installation":       {"service", "", "", "sales", everyday},
		"an agent who is a manager too, usually":    {"manager agent", "", "", "order_taking", everyday},
		"an agent who is a manager too, for credit": {"manager agent", "credit", "T-1", "credit", "identity contact financial"},
		// Operations may see little, but acts for the same purpose as somebody who may see all.
		"several roles for one purpose": {"operations admin", "administration", "T-1", "administration", everyday + " financial health special"},
	} {
		s, err := access.For(as(t.Context(), strings.Fields(c.roles)...), c.purpose)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s, err = s.Because(c.reason); err != nil || string(s.Purpose()) != c.means || texts(s.Seen()) != c.sees {
			t.Errorf("%s: for %s sees %q (%v), want for %s %q", name, s.Purpose(), texts(s.Seen()), err, c.means, c.sees)
		}
		for _, class := range access.Classes() {
			if s.May(class) != slices.Contains(s.Seen(), class) {
				t.Errorf("%s: May(%s) says something else", name, class)
			}
		}
		if len(s.Seen())+len(s.Withheld()) != len(access.Classes()) {
			t.Errorf("%s: sees %q and withholds %v", name, texts(s.Seen()), s.Withheld())
		}
	}
}

func TestItIsSaidWhyAClassIsWithheld(t *testing.T) {
	t.Parallel()
	s, err := access.For(as(t.Context(), auth.RoleOperations), "administration")
	if err != nil {
		t.Fatal(err)
	}
	want := []access.Withheld{{"financial", "not_for_role"}, {"health", "not_for_role"}, {"special", "not_for_role"}}
	if got := s.Withheld(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	s, _ = access.For(as(t.Context(), auth.RoleManager), "credit")
	want = []access.Withheld{{"financial", "reason_required"}, {"health", "not_for_purpose"}}
	if got := s.Withheld(access.Identity, access.Financial, access.Health); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestWhatIsDrawnFromSeveralClassesNeedsAllOfThem(t *testing.T) {
	t.Parallel()
	s, _ := access.For(as(t.Context(), auth.RoleAgent), "")
	for text, want := range map[string]bool{"": false, "behaviour": true, "behaviour contact": true, "behaviour health": false, "nonsense": false} {
		var classes []access.Class
		for _, c := range strings.Fields(text) {
			classes = append(classes, access.Class(c))
		}
		if got := s.MayAll(classes...); got != want {
			t.Errorf("of %q: %v", text, got)
		}
	}
	if (access.Sight{}).May(access.Identity) {
		t.Error("the zero sight sees something")
	}
}

func TestPurposesAndReasonsThatAreNone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		role, purpose, reason, code string
		kind                        problem.Kind
	}{
		"a purpose that nobody has":        {auth.RoleAdmin, "curiosity", "", "purpose_unknown", problem.Unprocessable},
		"a purpose in capitals":            {auth.RoleAdmin, "Credit", "", "purpose_unknown", problem.Unprocessable},
		"a purpose of others":              {auth.RoleAgent, "credit", "", "purpose_not_allowed", problem.Forbidden},
		"somebody who has none":            {auth.RolePlatformAdmin, "", "", "purpose_not_allowed", problem.Forbidden},
		"nobody":                           {"", "service", "", "purpose_not_allowed", problem.Forbidden},
		"prose for a reason":               {auth.RoleManager, "credit", "she asked me", "reason_malformed", problem.Unprocessable},
		"a name for a reason":              {auth.RoleManager, "credit", "李雷", "reason_malformed", problem.Unprocessable},
		"a reason without end":             {auth.RoleManager, "credit", strings.Repeat("a", 65), "reason_malformed", problem.Unprocessable},
		"a reason of two lines":            {auth.RoleManager, "credit", "T-1\nT-2", "reason_malformed", problem.Unprocessable},
		"a reason that begins with a dash": {auth.RoleManager, "credit", "-1", "reason_malformed", problem.Unprocessable},
	} {
		s, err := access.For(as(t.Context(), c.role), c.purpose)
		if err == nil {
			s, err = s.Because(c.reason)
		}
		if !errors.Is(err, problem.New(c.kind, c.code, "")) || len(s.Seen()) > 0 {
			t.Errorf("%s: got %v and sees %v", name, err, s.Seen())
		}
	}
}

func TestEveryRoleThatReadsCustomersReadsWhoTheyAre(t *testing.T) {
	t.Parallel()
	for _, role := range auth.Roles() {
		s, err := access.For(as(t.Context(), role), "")
		if reads := auth.Allows(role, auth.CustomersRead); reads != (err == nil) || reads && !s.MayAll(access.Identity, access.Contact, access.Behaviour) {
			t.Errorf("%s: usually sees %v, %v", role, s.Seen(), err)
		}
	}
}

func TestAllPurposesAreSomebodys(t *testing.T) {
	t.Parallel()
	for _, p := range access.Purposes() {
		s, err := access.For(as(t.Context(), auth.RoleAdmin), string(p))
		if err != nil {
			t.Errorf("%s: %v", p, err)
		}
		if s, _ = s.Because("T-1"); len(s.Seen()) == 0 {
			t.Errorf("%s: nothing is seen", p)
		}
	}
}

// TestEveryStandardFieldHasAClass reads the contract of the API, so that no field is shown of which nobody said who may see
// it.
func TestEveryStandardFieldHasAClass(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	// What is said of the answer, and what brings its class along.
	others := []string{"as_of", "fields", "insights", "purpose", "read_at"}
	contract := string(w.Want(http.StatusOK, http.MethodGet, "/openapi/accounts.yaml", "", nil, nil).Body)
	for schema, least := range map[string]int{"CustomerView": 10, "ProfileView": 12} {
		fields := properties(contract, schema)
		if len(fields) < least {
			t.Errorf("%s has the fields %v only", schema, fields)
		}
		for _, field := range fields {
			if _, known := access.OfField(field); known == slices.Contains(others, field) {
				t.Errorf("%s.%s has no class", schema, field)
			}
		}
	}
	if _, known := access.OfField("shoe_size"); known {
		t.Error("a field that is none has a class")
	}
	for kind, want := range map[string]access.Class{"phone": "contact", "email": "contact", "card": "identity", "external:till": "identity"} {
		if got := access.OfIdentity(kind); got != want {
			t.Errorf("%s is of class %s", kind, got)
		}
	}
}

// properties are the names of a schema's fields in an OpenAPI document.
func properties(contract, schema string) (names []string) {
	_, rest, _ := strings.Cut(contract, "\n    "+schema+":\n")
	_, rest, _ = strings.Cut(rest, "\n      properties:\n")
	for line := range strings.SplitSeq(rest, "\n") {
		if !strings.HasPrefix(line, "        ") {
			break
		}
		if name, ok := strings.CutSuffix(line[8:], ":"); ok && name[0] != ' ' {
			names = append(names, name)
		}
	}
	return names
}
