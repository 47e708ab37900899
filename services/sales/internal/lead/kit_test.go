package lead_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
)

type body = map[string]any

// leadView is a lead as the API shows it.
type leadView struct {
	LeadID     string `json:"lead_id"`
	State      string
	Name       string
	Company    string
	Email      string
	Phone      string
	Country    string
	Source     string
	Campaign   string
	Capture    string
	Team       string
	Owner      string
	Tags       []string
	Custom     body   `json:"custom_fields"`
	CustomerID string `json:"customer_id"`
	FormID     string `json:"form_id"`
	LostReason string `json:"lost_reason"`
	Need       string
	Budget     *int64 `json:"budget_minor"`
	Currency   string `json:"budget_currency"`
	DecideBy   string `json:"decide_by"`
	Qualified  string `json:"qualified_by"`
	Score      float64
	Enquiries  int
	ErasedAt   string `json:"erased_at"`
	Version    int64
}

// desk is where leads are worked on, for the tenant pizza.
type desk struct {
	*salestest.World
	t       *testing.T
	manager string // the token of who may set things
	music   string // of who sells for another tenant
}

func start(t *testing.T) *desk {
	t.Helper()
	w := salestest.Start(t)
	return &desk{World: w, t: t, manager: w.Token(auth.RoleManager, "pizza"), music: w.Token(auth.RoleSales, "music")}
}

// lily is somebody who wants an oven.
func lily() body {
	return body{
		"name": "Lily Chen", "company": "Northern Pizza", "job_title": "Buyer", "email": "Lily@Northern-Pizza.example", "phone": "138 0013 8000",
		"source": "fair", "message": "Two ovens, please.", "tags": []string{"ovens"},
	}
}

// with gives a body with some members changed; nil takes one away.
func with(b body, changes ...any) body {
	for i := 0; i < len(changes); i += 2 {
		if name := changes[i].(string); changes[i+1] == nil {
			delete(b, name)
		} else {
			b[name] = changes[i+1]
		}
	}
	return b
}

// capture captures a lead, which is a new one with 201 and an enquiry on another with 200.
func (d *desk) capture(status int, b body) (l leadView) {
	d.t.Helper()
	d.Want(status, http.MethodPost, "/v1/leads", d.Sales, b, &l)
	return l
}

func (d *desk) get(id string) (l leadView) {
	d.t.Helper()
	d.Want(http.StatusOK, http.MethodGet, "/v1/leads/"+id, d.Sales, nil, &l)
	return l
}

// do does something to a lead.
func (d *desk) do(status int, id, what string, b any) (l leadView) {
	d.t.Helper()
	answer := d.Do(http.MethodPost, "/v1/leads/"+id+"/"+what, d.Sales, b)
	if answer.Status != status {
		d.t.Fatalf("%s: got %d %s, want %d", what, answer.Status, answer.Body, status)
	}
	answer.Decode(d.t, &l)
	return l
}

// list gives the names of leads that fit, page by page.
func (d *desk) list(token string, filter url.Values) (names []string) {
	d.t.Helper()
	filter.Set("limit", "2")
	for {
		var page struct {
			Items      []leadView
			NextCursor string `json:"next_cursor"`
		}
		d.Want(http.StatusOK, http.MethodGet, "/v1/leads?"+filter.Encode(), token, nil, &page)
		for _, l := range page.Items {
			names = append(names, l.Name)
		}
		if page.NextCursor == "" {
			return names
		}
		filter.Set("cursor", page.NextCursor)
	}
}

// team makes a team of some people known.
func (d *desk) team(code string, members ...string) {
	d.t.Helper()
	for _, m := range members {
		d.Want(http.StatusOK, http.MethodPut, "/v1/sellers/"+m, d.manager, body{"capacity": 10}, nil, "If-Match", "*")
	}
	d.Want(http.StatusOK, http.MethodPut, "/v1/teams/"+code, d.manager, body{"name": code, "members": members}, nil, "If-Match", "*")
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }
