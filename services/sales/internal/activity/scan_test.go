package activity_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/pg"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	"github.com/guanxi-crm/guanxi/services/sales/internal/activity"
)

func TestSomebodyIsRemindedOnceInTheirWorkingHours(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.works("li")
	o.is("2090-01-02 08:00") // a Monday
	a := o.planned("pizza", "2090-01-10", "10:00", activity.Before{Amount: 2, Unit: activity.Hours}, activity.Before{Amount: 1, Unit: activity.Days})
	o.is("2090-01-09 09:59")
	o.remind()
	if v := o.get(a.ID.String()); v.Alarms[0].GivenAt != "" || v.Alarms[1].GivenAt != "" {
		t.Errorf("too early: %+v", v)
	}
	o.is("2090-01-09 17:00")
	o.remind()
	o.remind()
	event := o.EventsOf("ActivityReminded", 2)[0]
	golden.JSON(t, "testdata/activity_reminded.json", event.Data)
	var m salesv1.ActivityReminded
	if err := protojson.Unmarshal(event.Data, &m); err != nil || m.GetActivityId() != a.ID.String() || m.GetOwner() != "li" || !m.GetDueAt().AsTime().Equal(a.DueAt) {
		t.Errorf("%v %v", &m, err)
	}
	if n := o.Count(`SELECT seq FROM outbox_seq WHERE aggregate_type = 'activity' AND aggregate_id = $1`, a.ID); n != 2 {
		t.Errorf("%d events", n)
	}
	li := o.TokenFor(map[string]any{"subject": "li", "roles": []string{auth.RoleSales}, "tenant": "pizza"})
	var page struct {
		Items []struct {
			No       int
			Activity view
		}
		NextCursor string `json:"next_cursor"`
	}
	o.Want(http.StatusOK, http.MethodGet, "/v1/activity-reminders?limit=1", li, nil, &page)
	first := page.Items[0].No
	cursor := page.NextCursor
	page.NextCursor = ""
	o.Want(http.StatusOK, http.MethodGet, "/v1/activity-reminders?limit=1&cursor="+cursor, li, nil, &page)
	if len(page.Items) != 1 || page.Items[0].No == first || page.NextCursor != "" || page.Items[0].Activity.ID != a.ID.String() {
		t.Errorf("%+v", page)
	}
	seen := fmt.Sprintf("/v1/activities/%s/reminders/%d/seen", a.ID, first)
	if got := o.Do(http.MethodPost, seen, o.Sales, nil); got.Code() != "reminder_of_another" {
		t.Errorf("somebody else: %d %s", got.Status, got.Body)
	}
	o.Want(http.StatusNoContent, http.MethodPost, seen, li, nil, nil)
	o.Want(http.StatusNoContent, http.MethodPost, seen, li, nil, nil)
	o.Want(http.StatusOK, http.MethodGet, "/v1/activity-reminders", li, nil, &page)
	if len(page.Items) != 1 {
		t.Errorf("%+v", page)
	}
	if _, err := o.own.Complete(o.as("pizza", "li"), a.ID, activity.Result{Outcome: "interested"}); err != nil {
		t.Fatal(err)
	}
	o.Want(http.StatusOK, http.MethodGet, "/v1/activity-reminders", li, nil, &page)
	if len(page.Items) != 0 {
		t.Errorf("of what is done nobody is reminded: %+v", page)
	}
}

func TestWhoIsRemindedLateIsRemindedWhenTheyWork(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.works("li")
	o.is("2090-01-02 08:00")
	inTime := o.planned("pizza", "2090-01-10", "10:00", activity.Before{Amount: 3, Unit: activity.Hours}).ID.String()
	tonight := o.planned("pizza", "2090-01-09", "23:00", activity.Before{Amount: 3, Unit: activity.Hours}).ID.String()
	o.is("2090-01-09 22:00") // nothing ran in the afternoon
	o.remind()
	if v := o.get(inTime); v.Alarms[0].GivenAt != "" || v.Alarms[0].RemindAt.Format(time.RFC3339) != "2090-01-10T01:00:00Z" {
		t.Errorf("it waits for the morning: %+v", v.Alarms)
	}
	if v := o.get(tonight); v.Alarms[0].GivenAt == "" {
		t.Errorf("that would be too late: %+v", v.Alarms)
	}
	o.is("2090-01-10 09:00")
	o.remind()
	if v := o.get(inTime); v.Alarms[0].GivenAt == "" || v.Alarms[0].GivenTo != "li" {
		t.Errorf("%+v", v.Alarms)
	}
}

func TestAChangedPlanRemindsAnewAndAClosedOneNotAtAll(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.is("2090-01-02 08:00")
	before := activity.Before{Amount: 30, Unit: activity.Minutes}
	moved, titled, cancelled := o.planned("pizza", "2090-01-10", "10:00", before), o.planned("pizza", "2090-01-10", "10:00", before), o.planned("pizza", "2090-01-10", "10:00", before)
	o.is("2090-01-10 09:30")
	if _, err := o.own.Cancel(o.as("pizza", "li"), cancelled.ID, "not_needed"); err != nil {
		t.Fatal(err)
	}
	o.remind()
	plan := moved.Plan
	plan.Due.Time = "11:00"
	if _, err := o.own.Replan(o.as("pizza", "li"), moved.ID, plan, func(int64) error { return nil }); err != nil {
		t.Fatal(err)
	}
	plan = titled.Plan
	plan.Title = "Call again"
	if _, err := o.own.Replan(o.as("pizza", "li"), titled.ID, plan, func(int64) error { return nil }); err != nil {
		t.Fatal(err)
	}
	o.is("2090-01-10 10:30")
	o.remind()
	for name, c := range map[string]struct {
		id   string
		want int64
	}{"moved": {moved.ID.String(), 2}, "titled": {titled.ID.String(), 1}, "cancelled": {cancelled.ID.String(), 0}} {
		if n := o.Count(`SELECT count(*) FROM activity_reminder WHERE activity_id = $1 AND given_at IS NOT NULL`, c.id); n != c.want {
			t.Errorf("%s: %d reminders, want %d", name, n, c.want)
		}
	}
	if _, err := o.own.Reassign(o.as("pizza", "li"), moved.ID, "wang"); err != nil {
		t.Fatal(err)
	}
	o.remind()
	if v := o.get(moved.ID.String()); v.Alarms[len(v.Alarms)-1].GivenTo != "wang" {
		t.Errorf("%+v", v.Alarms)
	}
}

// TestManyProcessesThatDieRemindOfEachOnce has processes of which some lose their connections, and some are told to stop, remind of two
// tenants' activities at once.
func TestManyProcessesThatDieRemindOfEachOnce(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.is("2090-01-02 08:00")
	const each = 60
	for range each {
		o.planned("pizza", "2090-01-10", "10:00", activity.Before{Amount: 1, Unit: activity.Hours})
		o.planned("music", "2090-01-10", "10:00", activity.Before{Amount: 1, Unit: activity.Hours}, activity.Before{Amount: 2, Unit: activity.Hours})
	}
	o.is("2090-01-10 09:30")
	var wait sync.WaitGroup
	for n := range 6 {
		wait.Go(func() {
			db := o.Database.DB(pg.App)
			own := o.another(db)
			for range 5 {
				ctx, stop := context.WithTimeout(t.Context(), time.Minute)
				if n%3 == 1 {
					stop() // it is told to stop before it begins
				}
				_ = own.Remind(ctx) // what fails is tried again
				stop()
			}
		})
		if n%3 == 2 {
			_, _ = o.Database.Terminate(t.Context(), pg.App)
		}
	}
	wait.Wait()
	o.remind()
	if n := o.Count(`SELECT count(*) FROM activity_reminder WHERE given_at IS NULL`); n != 0 {
		t.Errorf("%d were not given", n)
	}
	if n := o.Count(`SELECT count(*) FROM outbox_seq WHERE aggregate_type = 'activity' AND seq <> CASE tenant_id WHEN 'pizza' THEN 1 ELSE 2 END`); n != 0 {
		t.Errorf("%d activities were told of more or less often than they should be", n)
	}
	if n := o.Count(`SELECT sum(seq)::bigint FROM outbox_seq WHERE aggregate_type = 'activity'`); n != 3*each {
		t.Errorf("%d events", n)
	}
}
