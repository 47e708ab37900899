package crisis

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

// decidingCrisis is the input of a decision; its body says what is decided.
type decidingCrisis[B crisisContent] struct {
	ID   uuid.UUID `path:"crisis_id" format:"uuid"`
	Body B
}

// crisisContent is what a person decides, and what is said with it.
type crisisContent interface {
	fill(d *Decision)
	said() string
}

// CrisisWhy is a decision that needs no words; they are part of every other.
type CrisisWhy struct {
	Words string `json:"words,omitempty" doc:"Why. It goes into no event." maxLength:"20000"`
}

func (w CrisisWhy) fill(*Decision) {}
func (w CrisisWhy) said() string   { return w.Words }

// CrisisWords is a decision that consists of what is said.
type CrisisWords struct {
	Words string `json:"words" doc:"What is said. It goes into no event." minLength:"1" maxLength:"20000"`
}

func (w CrisisWords) fill(*Decision) {}
func (w CrisisWords) said() string   { return w.Words }

type crisisStatement struct {
	CrisisWords
	Answer bool `json:"answer,omitempty" doc:"Whether it goes, as a public reply, to everybody whose complaint is linked as well."`
}

func (s crisisStatement) fill(d *Decision) { d.Answer = s.Answer }

type crisisReply struct {
	CrisisWords
	Everybody bool `json:"everybody,omitempty" doc:"Whether those are answered as well who had an answer before."`
}

func (r crisisReply) fill(d *Decision) { d.Everybody = r.Everybody }

type crisisTeam struct {
	CrisisWhy
	Team []string `json:"team" nullable:"false" minItems:"1" maxItems:"50" doc:"Subjects; they take the place of those who were named before." example:"[\"mei\", \"chen\"]"`
}

func (t crisisTeam) fill(d *Decision) { d.Team = t.Team }

type crisisLinks struct {
	CrisisWhy
	ComplaintIDs []uuid.UUID `json:"complaint_ids" nullable:"false" minItems:"1" maxItems:"200"`
}

func (l crisisLinks) fill(d *Decision) { d.Complaints = l.ComplaintIDs }

// decisionRoutes adds an operation for every decision.
func (c *Crises) decisionRoutes(api *httpx.API) {
	crisisRoute[CrisisWhy](c, api, Declare, "Declare a proposed crisis", "Complaints that belong to it are linked to it, those that come later as well. Its process starts a moment later.")
	crisisRoute[CrisisWords](c, api, Dismiss, "Say that a burst is no crisis", "Another one of the same series is proposed only when what is complained of from now on raises an alarm by itself.")
	crisisRoute[crisisTeam](c, api, Staff, "Name the team of a crisis", "")
	crisisRoute[crisisStatement](c, api, Hold, "Make the holding statement", "What is said while little is known. Updates are due at a fixed rhythm from then on.")
	crisisRoute[crisisReply](c, api, Answer, "Answer the linked complaints together",
		"The words go as a public reply to the ticket of every linked complaint that had no answer yet. The answer does not wait for it.")
	crisisRoute[crisisStatement](c, api, Update, "Say what is known and done by now", "The next update is due a rhythm later.")
	crisisRoute[crisisLinks](c, api, Link, "Say that complaints belong to a crisis", "")
	crisisRoute[crisisLinks](c, api, Unlink, "Say that complaints do not belong to a crisis", "They are not linked again by themselves.")
	crisisRoute[crisisStatement](c, api, Clear, "Give the all-clear", "The review is due then.")
	crisisRoute[CrisisWords](c, api, Review, "Review a crisis", "What was learned. It closes the crisis.")
}

func crisisRoute[B crisisContent](c *Crises, api *httpx.API, action Action, summary, description string) {
	httpx.Register(api, httpx.Operation{
		ID: string(action) + "-crisis", Method: http.MethodPost, Path: "/v1/crises/{crisis_id}/" + string(action), Tag: "Crises",
		Summary: summary, Description: description, Permission: right,
		Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable},
	}, func(ctx context.Context, in *decidingCrisis[B]) (*answerView, error) {
		d := Decision{CrisisID: in.ID, Action: action}
		in.Body.fill(&d)
		return answeredView(c.Decide(ctx, d, in.Body.said()))
	})
}

// crisisSetting is a setting as the API takes and shows it.
type crisisSetting struct {
	Threshold        float64  `json:"threshold" doc:"Probability of a false alarm of one look at all series: more than 0, at most 0.05." example:"0.0001"`
	WindowDays       int      `json:"window_days" doc:"Days in which complaints are counted, today included: 1 to 28. Days are those of UTC." example:"7"`
	BaseDays         int      `json:"base_days" doc:"Days before them with which they are compared: 14 to 730." example:"84"`
	SKUExposure      Exposure `json:"sku_exposure" doc:"By what articles are compared: units (of the article that were sold) or weekdays (the same days of the week)." example:"units"`
	CategoryExposure Exposure `json:"category_exposure" doc:"By what categories are compared: units (of all articles) or weekdays." example:"weekdays"`
	RecordedSince    string   `json:"recorded_since,omitempty" format:"date" doc:"Day since which complaints are complete here; nothing before it is compared with. Left out: as far back as there are sales, or complaints." example:"2026-01-01"`
	StatementSeconds int64    `json:"statement_seconds" doc:"For the holding statement, from the declaration." example:"3600"`
	UpdateSeconds    int64    `json:"update_seconds" doc:"The rhythm of updates." example:"14400"`
	ReviewSeconds    int64    `json:"review_seconds" doc:"For the review, from the all-clear." example:"1209600"`
}

type crisisSettingAnswer struct {
	ETag string `header:"ETag"`
	Body crisisSetting
}

type setCrisisSetting struct {
	IfMatch string `header:"If-Match" doc:"The ETag of the setting as it was read."`
	Body    crisisSetting
}

func answeredSetting(s Setting, err error) (*crisisSettingAnswer, error) {
	if err != nil {
		return nil, err
	}
	b := crisisSetting{
		Threshold: s.Threshold, WindowDays: s.WindowDays, BaseDays: s.BaseDays, SKUExposure: s.SKUExposure, CategoryExposure: s.CategoryExposure,
		StatementSeconds: int64(s.StatementWithin / time.Second), UpdateSeconds: int64(s.UpdateEvery / time.Second), ReviewSeconds: int64(s.ReviewWithin / time.Second),
	}
	if !s.RecordedSince.IsZero() {
		b.RecordedSince = s.RecordedSince.Format(time.DateOnly)
	}
	return &crisisSettingAnswer{ETag: httpx.ETag(s.Version), Body: b}, nil
}

// setting reads what the body says; huma has checked the date's form.
func (b crisisSetting) setting() Setting {
	seconds := func(n int64) time.Duration {
		return time.Duration(max(-1, min(n, int64(2*mostTime/time.Second)))) * time.Second
	}
	since, err := time.Parse(time.DateOnly, b.RecordedSince)
	if err != nil {
		since = time.Time{}
	}
	return Setting{
		Threshold: b.Threshold, WindowDays: b.WindowDays, BaseDays: b.BaseDays, SKUExposure: b.SKUExposure, CategoryExposure: b.CategoryExposure,
		RecordedSince: since, StatementWithin: seconds(b.StatementSeconds), UpdateEvery: seconds(b.UpdateSeconds), ReviewWithin: seconds(b.ReviewSeconds),
	}
}

func (c *Crises) settingRoutes(api *httpx.API) {
	const tag, path = "Crises", "/v1/crisis-setting"
	httpx.Register(api, httpx.Operation{
		ID: "get-crisis-setting", Method: http.MethodGet, Path: path, Tag: tag, Summary: "Read how bursts of complaints are looked for", Permission: auth.ComplaintsRead,
	}, func(ctx context.Context, _ *struct{}) (*crisisSettingAnswer, error) {
		return answeredSetting(c.Setting(ctx))
	})
	httpx.Register(api, httpx.Operation{
		ID: "set-crisis-setting", Method: http.MethodPut, Path: path, Tag: tag, Summary: "Set how bursts of complaints are looked for, and how a crisis is led",
		Description: "It holds for looks and for time limits that begin after it.",
		Permission:  right, Errors: []int{http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *setCrisisSetting) (*crisisSettingAnswer, error) {
		return answeredSetting(c.Set(ctx, in.Body.setting(), func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }))
	})
}
