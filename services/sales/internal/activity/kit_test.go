package activity_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/sales/internal/activity"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
)

type body = map[string]any

// view is an activity as the API shows it.
type view struct {
	ID            string `json:"activity_id"`
	State         string
	CustomerID    string `json:"customer_id"`
	LeadID        string `json:"lead_id"`
	OpportunityID string `json:"opportunity_id"`
	Title         string
	Report        string
	Owner         string
	Zone          string
	Overdue       bool
	DueAt         time.Time `json:"due_at"`
	Outcome       string
	Effect        string
	Objection     string
	Reason        string
	ErasedAt      string `json:"erased_at"`
	Version       int64
	Alarms        []struct {
		No       int
		RemindAt time.Time `json:"remind_at"`
		GivenAt  string    `json:"given_at"`
		GivenTo  string    `json:"given_to"`
		SeenAt   string    `json:"seen_at"`
	}
}

// office is a running service in which people sell, and the capability beside the service's own by a clock that the test sets: in a
// future that the service itself does not reach.
type office struct {
	*salestest.World
	t       *testing.T
	now     atomic.Pointer[time.Time]
	own     *activity.Activities
	manager string
}

func start(t *testing.T) *office {
	t.Helper()
	w := salestest.Start(t)
	o := &office{World: w, t: t, manager: w.Token(auth.RoleManager, "pizza")}
	o.own = o.another(w.DB)
	return o
}

// another is the capability as another process has it.
func (o *office) another(db *pg.DB) *activity.Activities {
	return activity.New(db, o.Database.DB(pg.Ops), outbox.New("sales"), func() time.Time { return *o.now.Load() })
}

// is sets the clock, as walls in Shanghai show it.
func (o *office) is(wall string) {
	o.t.Helper()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		o.t.Fatal(err)
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", wall, zone)
	if err != nil {
		o.t.Fatal(err)
	}
	o.now.Store(&at)
}

// as gives a context in which somebody of a tenant acts.
func (o *office) as(tenant, subject string) context.Context {
	return auth.With(o.t.Context(), auth.Principal{Subject: subject, Tenant: tenant})
}

// remind gives what is due.
func (o *office) remind() {
	o.t.Helper()
	if err := o.own.Remind(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
}

// on reads a day.
func on(day string) time.Time {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		panic(err)
	}
	return t
}

// planned is a call with somebody that is due in the year 2090, whose owner is li.
func (o *office) planned(tenant string, day, clock string, before ...activity.Before) activity.Activity {
	o.t.Helper()
	a, err := o.own.Create(o.as(tenant, "li"), activity.Call, activity.Links{Customer: newID()}, activity.Plan{
		Title: "Call", Owner: "li", Due: activity.Due{On: on(day), Time: clock, Zone: "Asia/Shanghai"}, Reminders: before,
	})
	if err != nil {
		o.t.Fatal(err)
	}
	return a
}

// works has somebody work from 9:00 to 18:00 on Monday to Friday, in Shanghai.
func (o *office) works(subject string) {
	o.t.Helper()
	hours := []body{{"from": "09:00", "to": "18:00"}}
	o.Want(http.StatusOK, http.MethodPut, "/v1/sellers/"+subject, o.manager, body{
		"capacity": 10, "time_zone": "Asia/Shanghai",
		"hours": body{"week": body{"monday": hours, "tuesday": hours, "wednesday": hours, "thursday": hours, "friday": hours}},
	}, nil, "If-Match", "*")
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

func soon(days int) string { return time.Now().AddDate(0, 0, days).UTC().Format(time.DateOnly) }

// create plans an activity by the API.
func (o *office) create(b body) (v view) {
	o.t.Helper()
	good := body{"kind": "call", "title": "Call", "due_on": soon(3)}
	for name, value := range b {
		good[name] = value
	}
	o.Want(http.StatusCreated, http.MethodPost, "/v1/activities", o.Sales, good, &v)
	return v
}

func (o *office) get(id string) (v view) {
	o.t.Helper()
	o.Want(http.StatusOK, http.MethodGet, "/v1/activities/"+id, o.Sales, nil, &v)
	return v
}

func (o *office) do(id, what string, b body) (v view) {
	o.t.Helper()
	o.Want(http.StatusOK, http.MethodPost, "/v1/activities/"+id+"/"+what, o.Sales, b, &v)
	return v
}

// opened is an opportunity with a customer.
func (o *office) opened(customer uuid.UUID, more body) string {
	o.t.Helper()
	b := body{"customer_id": customer, "name": "A new plant", "currency": "CNY", "amount_minor": 100}
	for name, value := range more {
		b[name] = value
	}
	var v struct {
		ID string `json:"opportunity_id"`
	}
	o.Want(http.StatusCreated, http.MethodPost, "/v1/opportunities", o.Sales, b, &v)
	return v.ID
}

// captured is a lead.
func (o *office) captured() string {
	o.t.Helper()
	var v struct {
		ID string `json:"lead_id"`
	}
	o.Want(http.StatusCreated, http.MethodPost, "/v1/leads", o.Sales, body{"name": "Lily Chen " + newID().String(), "source": "fair"}, &v)
	return v.ID
}

// list gives the ids of a list of activities.
func (o *office) list(token, query string) (ids []string) {
	o.t.Helper()
	var page struct{ Items []view }
	o.Want(http.StatusOK, http.MethodGet, "/v1/activities?"+query, token, nil, &page)
	for _, v := range page.Items {
		ids = append(ids, v.ID)
	}
	return ids
}
