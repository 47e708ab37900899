package activity

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// ActivityReminder says how long before an activity is due its owner is reminded.
type ActivityReminder struct {
	Amount int  `json:"amount" minimum:"0" maximum:"1440" example:"30"`
	Unit   Unit `json:"unit" enum:"minutes,hours,days" doc:"Of the owner's working time; days are days on which they work, 0 the day itself."`
}

// ActivityPlan is what people say of an activity that is to be done.
type ActivityPlan struct {
	Title     string             `json:"title" minLength:"1" maxLength:"200" example:"Call about the tasting"`
	Notes     string             `json:"notes,omitempty" maxLength:"4000"`
	Owner     string             `json:"owner,omitempty" maxLength:"200" doc:"Subject of who is to do it; absent: the caller." example:"user-li"`
	DueOn     string             `json:"due_on" format:"date" example:"2026-12-04"`
	DueTime   string             `json:"due_time,omitempty" maxLength:"5" doc:"On the wall of the zone, HH:MM; absent: some time that day." example:"14:30"`
	Zone      string             `json:"zone,omitempty" maxLength:"64" doc:"IANA name; absent: that of the owner's working hours, or UTC." example:"Asia/Shanghai"`
	Reminders []ActivityReminder `json:"reminders,omitempty" nullable:"false" maxItems:"5"`
}

func (p ActivityPlan) plan(caller string) Plan {
	plan := Plan{Title: p.Title, Notes: p.Notes, Owner: p.Owner, Due: Due{Time: p.DueTime, Zone: p.Zone}}
	plan.Due.On, _ = time.Parse(dayForm, p.DueOn) // the schema let nothing else through; the zero day is refused
	if plan.Owner == "" {
		plan.Owner = caller
	}
	for _, r := range p.Reminders {
		plan.Reminders = append(plan.Reminders, Before(r))
	}
	return plan
}

// activityAlarm is a reminder as it is kept.
type activityAlarm struct {
	No       int        `json:"no"`
	Amount   int        `json:"amount"`
	Unit     Unit       `json:"unit" enum:"minutes,hours,days"`
	RemindAt time.Time  `json:"remind_at" doc:"When it is given, in the owner's working time."`
	GivenAt  *time.Time `json:"given_at,omitempty" doc:"When it was; absent: not yet."`
	GivenTo  string     `json:"given_to,omitempty" doc:"Subject."`
	SeenAt   *time.Time `json:"seen_at,omitempty"`
}

// activityView is an activity as the API shows it.
type activityView struct {
	ID            uuid.UUID  `json:"activity_id" format:"uuid"`
	Kind          Kind       `json:"kind" enum:"task,call,meeting,visit"`
	State         State      `json:"state" enum:"open,completed,cancelled"`
	CustomerID    *uuid.UUID `json:"customer_id,omitempty" format:"uuid" doc:"Whom it is about; of an activity on a lead, whom the lead is known to be."`
	LeadID        *uuid.UUID `json:"lead_id,omitempty" format:"uuid"`
	OpportunityID *uuid.UUID `json:"opportunity_id,omitempty" format:"uuid"`
	ActivityPlan
	DueAt       time.Time       `json:"due_at" doc:"Day, time and zone as an instant; without a time the end of the day."`
	Overdue     bool            `json:"overdue" doc:"It is open, and was due."`
	Alarms      []activityAlarm `json:"alarms" nullable:"false" doc:"Its reminders with the times at which they are given; those of plans that were changed too, where they were given."`
	Outcome     string          `json:"outcome,omitempty" doc:"Code of what came of it."`
	Effect      Effect          `json:"effect,omitempty" doc:"What the outcome is taken for: good, neutral or bad."`
	Report      string          `json:"report,omitempty" doc:"What came of it, in words."`
	Objection   string          `json:"objection,omitempty" doc:"Code of what the customer objected."`
	AnswerID    *uuid.UUID      `json:"answer_id,omitempty" format:"uuid" doc:"What of the library was answered."`
	CompletedAt *time.Time      `json:"completed_at,omitempty"`
	CancelledAt *time.Time      `json:"cancelled_at,omitempty"`
	Reason      string          `json:"reason,omitempty" doc:"Code of why it was cancelled."`
	ClosedBy    string          `json:"closed_by,omitempty" doc:"Subject of whoever completed or cancelled it."`
	ErasedAt    *time.Time      `json:"erased_at,omitempty" doc:"When its words were taken away with somebody who was erased."`
	Version     int64           `json:"version" doc:"The ETag."`
	CreatedAt   time.Time       `json:"created_at"`
	CreatedBy   string          `json:"created_by" doc:"Subject."`
	ChangedAt   time.Time       `json:"changed_at"`
	ChangedBy   string          `json:"changed_by" doc:"Subject."`
}

func show(a Activity, now time.Time) activityView {
	v := activityView{
		ID: a.ID, Kind: a.Kind, State: a.State, CustomerID: pg.OrNull(a.Root), LeadID: pg.OrNull(a.Lead), OpportunityID: pg.OrNull(a.Opportunity),
		ActivityPlan: ActivityPlan{Title: a.Title, Notes: a.Notes, Owner: a.Owner, DueOn: a.Due.On.Format(dayForm), DueTime: a.Due.Time, Zone: a.Due.Zone},
		DueAt:        a.DueAt, Overdue: a.State == Open && !a.DueAt.After(now), Alarms: []activityAlarm{}, Outcome: a.Outcome, Effect: a.Effect, Report: a.Report,
		Objection: a.Objection, AnswerID: pg.OrNull(a.Answer), CompletedAt: pg.OrNull(a.DoneAt), CancelledAt: pg.OrNull(a.StoppedAt), Reason: a.Reason,
		ClosedBy: a.ClosedBy, ErasedAt: pg.OrNull(a.ErasedAt), Version: a.Version, CreatedAt: a.CreatedAt, CreatedBy: a.CreatedBy, ChangedAt: a.ChangedAt,
		ChangedBy: a.ChangedBy,
	}
	for _, b := range a.Reminders {
		v.Reminders = append(v.Reminders, ActivityReminder(b))
	}
	for _, r := range a.Alarms {
		v.Alarms = append(v.Alarms, showAlarm(r))
	}
	return v
}

func showAlarm(r Alarm) activityAlarm {
	return activityAlarm{No: r.No, Amount: r.Amount, Unit: r.Unit, RemindAt: r.At, GivenAt: pg.OrNull(r.GivenAt), GivenTo: r.GivenTo, SeenAt: pg.OrNull(r.SeenAt)}
}

type activityAnswer struct {
	Status int
	ETag   string `header:"ETag"`
	Body   activityView
}

func (a *Activities) answered(status int) func(Activity, error) (*activityAnswer, error) {
	return func(one Activity, err error) (*activityAnswer, error) {
		if err != nil {
			return nil, err
		}
		return &activityAnswer{Status: status, ETag: httpx.ETag(one.Version), Body: show(one, a.now())}, nil
	}
}

// ActivityPath names an activity.
type ActivityPath struct {
	ID uuid.UUID `path:"activity_id" format:"uuid"`
}

type createActivity struct{ Body newActivity }

// newActivity is what an activity is made of.
type newActivity struct {
	Kind          Kind       `json:"kind" enum:"task,call,meeting,visit"`
	CustomerID    *uuid.UUID `json:"customer_id,omitempty" format:"uuid" doc:"Whom it is about; absent: the customer of the opportunity or of the lead."`
	LeadID        *uuid.UUID `json:"lead_id,omitempty" format:"uuid"`
	OpportunityID *uuid.UUID `json:"opportunity_id,omitempty" format:"uuid" doc:"One of the three is needed; all that are named have to be of one another."`
	ActivityPlan
}

type changeActivity struct {
	ActivityPath
	IfMatch string `header:"If-Match" doc:"The ETag of the activity as it was read."`
	Body    ActivityPlan
}

type reassignActivity struct {
	ActivityPath
	Body struct {
		Owner string `json:"owner" minLength:"1" maxLength:"200" doc:"Subject of who is to do it from now on."`
	}
}

type completeActivity struct {
	ActivityPath
	Body newActivityResult
}

// newActivityResult is what came of an activity.
type newActivityResult struct {
	Outcome     string     `json:"outcome" maxLength:"64" doc:"Code: see /v1/activity-outcomes." example:"interested"`
	Report      string     `json:"report,omitempty" maxLength:"4000" doc:"In words."`
	Objection   string     `json:"objection,omitempty" maxLength:"64" doc:"Code of what the customer objected: see /v1/objections." example:"too_expensive"`
	AnswerID    *uuid.UUID `json:"answer_id,omitempty" format:"uuid" doc:"What of the library was answered."`
	CompletedAt *time.Time `json:"completed_at,omitempty" doc:"When it was done; not in the future. Absent: now."`
}

type cancelActivity struct {
	ActivityPath
	Body struct {
		Reason string `json:"reason" maxLength:"64" doc:"A code of why." example:"not_needed"`
	}
}

// ListActivities says which activities are meant.
type ListActivities struct {
	httpx.Page
	Owner         string    `query:"owner" maxLength:"200" doc:"Only those of this subject; me: of the caller."`
	State         State     `query:"state" enum:"open,completed,cancelled" doc:"Only those of this state."`
	Kind          Kind      `query:"kind" enum:"task,call,meeting,visit" doc:"Only those of this kind."`
	CustomerID    uuid.UUID `query:"customer_id" format:"uuid" doc:"Only those about this customer."`
	LeadID        uuid.UUID `query:"lead_id" format:"uuid" doc:"Only those on this lead."`
	OpportunityID uuid.UUID `query:"opportunity_id" format:"uuid" doc:"Only those on this opportunity."`
	DueBefore     time.Time `query:"due_before" doc:"Only those that are due up to then: the end of today gives what is to be done today."`
	DueAfter      time.Time `query:"due_after" doc:"Only those that are due later."`
	Overdue       bool      `query:"overdue" doc:"Only those that are open, and were due."`
	Objection     string    `query:"objection" maxLength:"64" doc:"Only those in which this was objected."`
}

func (l ListActivities) filter(caller string, now time.Time) (Filter, error) {
	f := Filter{
		Owner: l.Owner, State: l.State, Kind: l.Kind, Of: Links{l.CustomerID, l.LeadID, l.OpportunityID}, DueBefore: l.DueBefore, DueAfter: l.DueAfter,
		Objection: l.Objection,
	}
	if f.Owner == "me" {
		f.Owner = caller
	}
	if l.Overdue {
		if l.State != "" && l.State != Open {
			return f, problem.New(problem.Unprocessable, "filter_empty", "What is overdue is open.").WithField("query.state", "out_of_range", "must be open, or left out")
		}
		if f.State = Open; f.DueBefore.IsZero() || f.DueBefore.After(now) {
			f.DueBefore = now
		}
	}
	parts, err := httpx.DecodeCursor(l.Cursor, 2)
	if parts == nil || err != nil {
		return f, err
	}
	at, err := time.Parse(time.RFC3339Nano, parts[0])
	id, err2 := uuid.Parse(parts[1])
	if err != nil || err2 != nil || at.Year() < 1 || at.Year() > 9999 {
		return f, httpx.CursorInvalid()
	}
	f.After = place{at, id}
	return f, nil
}

type activityList struct{ Body activityPage }

type activityPage struct {
	Items      []activityView `json:"items" nullable:"false" doc:"In the order in which they are due."`
	NextCursor string         `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

func (a *Activities) list(ctx context.Context, in *ListActivities) (*activityList, error) {
	caller, _ := auth.From(ctx)
	now := a.now()
	f, err := in.filter(caller.Subject, now)
	if err != nil {
		return nil, err
	}
	found, err := a.List(ctx, f, in.Limit+1)
	if err != nil {
		return nil, err
	}
	page, next := httpx.NextPage(found, in.Limit, func(last Activity) []string {
		return []string{last.DueAt.Format(time.RFC3339Nano), last.ID.String()}
	})
	list := &activityList{Body: activityPage{Items: make([]activityView, len(page)), NextCursor: next}}
	for i, one := range page {
		list.Body.Items[i] = show(one, now)
	}
	return list, nil
}

// ReminderPath names a reminder of an activity.
type ReminderPath struct {
	ActivityPath
	No int `path:"no" minimum:"1" maximum:"2147483647"`
}

type reminderList struct{ Body reminderPage }

type reminderPage struct {
	Items      []reminderView `json:"items" nullable:"false" doc:"The oldest first."`
	NextCursor string         `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

// reminderView is a reminder that somebody was given.
type reminderView struct {
	activityAlarm
	Activity activityView `json:"activity"`
}

// listReminders lists what the caller was reminded of and has not seen.
func (a *Activities) listReminders(ctx context.Context, in *httpx.Page) (*reminderList, error) {
	caller, _ := auth.From(ctx)
	var after mark
	parts, err := httpx.DecodeCursor(in.Cursor, 3)
	if err != nil {
		return nil, err
	}
	if parts != nil {
		var err2, err3 error
		after.at, err = time.Parse(time.RFC3339Nano, parts[0])
		after.id, err2 = uuid.Parse(parts[1])
		no, err3 := strconv.ParseInt(parts[2], 10, 32)
		if err != nil || err2 != nil || err3 != nil {
			return nil, httpx.CursorInvalid()
		}
		after.no = int(no)
	}
	found, err := a.Given(ctx, caller.Subject, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	page, next := httpx.NextPage(found, in.Limit, func(last Reminder) []string {
		return []string{last.GivenAt.Format(time.RFC3339Nano), last.Of.ID.String(), strconv.Itoa(last.No)}
	})
	list := &reminderList{Body: reminderPage{Items: make([]reminderView, len(page)), NextCursor: next}}
	for i, r := range page {
		list.Body.Items[i] = reminderView{showAlarm(r.Alarm), show(r.Of, a.now())}
	}
	return list, nil
}

const tag = "Activities"

// Routes registers the operations on activities, on their outcomes and on the library of objections.
func (a *Activities) Routes(api *httpx.API) {
	a.planRoutes(api)
	a.doRoutes(api)
	a.libraryRoutes(api)
}

func (a *Activities) planRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "plan-activity", Method: http.MethodPost, Path: "/v1/activities", Tag: tag, Permission: auth.SalesWrite, Status: http.StatusCreated,
		Summary:     "Plan a task, a call, a meeting or a visit",
		Description: "It is on a customer, a lead or an opportunity, or on several that are of one another. Whoever is to do it is reminded in their working hours.",
		Errors:      []int{http.StatusGone},
	}, func(ctx context.Context, in *createActivity) (*activityAnswer, error) {
		caller, _ := auth.From(ctx)
		of := Links{orZero(in.Body.CustomerID), orZero(in.Body.LeadID), orZero(in.Body.OpportunityID)}
		return a.answered(http.StatusCreated)(a.Create(ctx, in.Body.Kind, of, in.Body.plan(caller.Subject)))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-activities", Method: http.MethodGet, Path: "/v1/activities", Tag: tag, Permission: auth.SalesRead,
		Summary:     "List activities",
		Description: "owner=me&state=open&due_before=<the end of today> is what the caller has to do today; overdue=true what is late.",
	}, a.list)
	httpx.Register(api, httpx.Operation{
		ID: "get-activity", Method: http.MethodGet, Path: "/v1/activities/{activity_id}", Tag: tag, Permission: auth.SalesRead,
		Summary: "Read an activity", Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *ActivityPath) (*activityAnswer, error) {
		return a.answered(http.StatusOK)(a.Get(ctx, in.ID))
	})
	httpx.Register(api, httpx.Operation{
		ID: "change-activity", Method: http.MethodPut, Path: "/v1/activities/{activity_id}", Tag: tag, Permission: auth.SalesWrite,
		Summary:     "Plan an open activity anew",
		Description: "Where day, owner or reminders are others, reminders that were not given yet are put in their place, and those that were are given anew.",
		Errors:      []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
	}, func(ctx context.Context, in *changeActivity) (*activityAnswer, error) {
		caller, _ := auth.From(ctx)
		return a.answered(http.StatusOK)(a.Replan(ctx, in.ID, in.Body.plan(caller.Subject), func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }))
	})
	httpx.Register(api, httpx.Operation{
		ID: "reassign-activity", Method: http.MethodPost, Path: "/v1/activities/{activity_id}/reassign", Tag: tag, Permission: auth.SalesWrite,
		Summary: "Give an open activity to somebody else", Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
	}, func(ctx context.Context, in *reassignActivity) (*activityAnswer, error) {
		return a.answered(http.StatusOK)(a.Reassign(ctx, in.ID, in.Body.Owner))
	})
}

func (a *Activities) doRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "complete-activity", Method: http.MethodPost, Path: "/v1/activities/{activity_id}/complete", Tag: tag, Permission: auth.SalesWrite,
		Summary:     "Say what came of an activity",
		Description: "With what the customer objected, and what was answered: by what follows, answers are ranked. The next step of an opportunity is left to whoever sells.",
		Errors:      []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
	}, func(ctx context.Context, in *completeActivity) (*activityAnswer, error) {
		return a.answered(http.StatusOK)(a.Complete(ctx, in.ID, Result{
			Outcome: in.Body.Outcome, Report: in.Body.Report, Objection: in.Body.Objection, Answer: orZero(in.Body.AnswerID),
			At: orZero(in.Body.CompletedAt).UTC().Truncate(time.Microsecond),
		}))
	})
	httpx.Register(api, httpx.Operation{
		ID: "cancel-activity", Method: http.MethodPost, Path: "/v1/activities/{activity_id}/cancel", Tag: tag, Permission: auth.SalesWrite,
		Summary: "Say that an activity is not to be done any more", Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
	}, func(ctx context.Context, in *cancelActivity) (*activityAnswer, error) {
		return a.answered(http.StatusOK)(a.Cancel(ctx, in.ID, in.Body.Reason))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-activity-reminders", Method: http.MethodGet, Path: "/v1/activity-reminders", Tag: tag, Permission: auth.SalesRead,
		Summary: "List what the caller was reminded of and has not seen",
	}, a.listReminders)
	httpx.Register(api, httpx.Operation{
		ID: "see-activity-reminder", Method: http.MethodPost, Path: "/v1/activities/{activity_id}/reminders/{no}/seen", Tag: tag, Permission: auth.SalesRead,
		Summary: "Say that the caller has seen a reminder", Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *ReminderPath) (*struct{}, error) { return nil, a.See(ctx, in.ID, in.No) })
}
