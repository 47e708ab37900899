package scoring

import (
	"context"
	"math"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

type leadScorePath struct {
	ID uuid.UUID `path:"lead_id" format:"uuid"`
}

type opportunityScorePath struct {
	ID uuid.UUID `path:"opportunity_id" format:"uuid"`
}

type scoreByHand struct {
	Probability float64 `json:"probability" minimum:"0.01" maximum:"99.99" doc:"In percent, with up to two decimals." example:"40"`
}

type setLeadScoreInput struct {
	ID   uuid.UUID `path:"lead_id" format:"uuid"`
	Body scoreByHand
}

type setOpportunityScoreInput struct {
	ID   uuid.UUID `path:"opportunity_id" format:"uuid"`
	Body scoreByHand
}

type scoreAnswer struct{ Body scoreView }

type scoreView struct {
	CaseID        uuid.UUID          `json:"case_id" format:"uuid" doc:"The lead's id, where there is one, else the opportunity's."`
	OpportunityID *uuid.UUID         `json:"opportunity_id,omitempty" format:"uuid"`
	State         string             `json:"state" enum:"open,won,lost"`
	Probability   float64            `json:"probability" doc:"In percent: the one that was set by hand where that was done, else the reckoned one; 100 of what is won, 0 of what is lost, and 0 where nothing was learnt yet."`
	Automatic     bool               `json:"automatic" doc:"False: set by hand."`
	Reckoned      float64            `json:"reckoned" doc:"In percent, by the counts of this moment; 0 where nothing was learnt yet."`
	SetBy         string             `json:"set_by,omitempty" doc:"Subject."`
	SetAt         *time.Time         `json:"set_at,omitempty"`
	Team          string             `json:"team,omitempty" doc:"Whose counts were taken; absent: those of all teams."`
	Won           float64            `json:"won" doc:"Count of what was won: of the first stage of the pipeline."`
	Lost          float64            `json:"lost"`
	PWon          float64            `json:"p_won" doc:"won / (won + lost)."`
	Factors       []scoreFactorView  `json:"factors" nullable:"false"`
	LeftOut       []scoreLeftOutView `json:"left_out" nullable:"false" doc:"Values that make no factor."`
	Words         []string           `json:"words" nullable:"false" doc:"All that in words."`
}

type scoreFactorView struct {
	Field  string  `json:"field"`
	Value  string  `json:"value" doc:"Code; of the stage with its pipeline, such as standard/qualified."`
	Won    float64 `json:"won" doc:"Count of what was won with this value."`
	Lost   float64 `json:"lost"`
	WonOf  float64 `json:"won_of" doc:"What won is divided by: the counts of all values of the field; of the stage, of the first one."`
	LostOf float64 `json:"lost_of"`
	Lift   float64 `json:"lift" doc:"(won/won_of) / (lost/lost_of): above 1 it speaks for the case."`
}

type scoreLeftOutView struct {
	Field  string `json:"field"`
	Value  string `json:"value"`
	Reason string `json:"reason" enum:"unseen,too_few" doc:"unseen: in nothing that was won or lost; too_few: a tag with fewer than 50 outcomes."`
}

// inPercent gives hundredths of a percent in percent.
func inPercent(hundredths int32) float64 { return float64(hundredths) / 100 }

// rounded leaves the noise of binary fractions away: counts are multiples of a tenth.
func rounded(f float64) float64 { return math.Round(f*1e6) / 1e6 }

func showScore(e Explained, err error) (*scoreAnswer, error) {
	if err != nil {
		return nil, err
	}
	holds := e.Score()
	v := scoreView{
		CaseID: e.ID, OpportunityID: pg.OrNull(e.Opportunity), State: e.State, Probability: inPercent(holds.Probability), Automatic: holds.Automatic,
		Reckoned: inPercent(e.Probability), SetBy: e.ManualBy, SetAt: pg.OrNull(e.ManualAt), Team: e.Learnt, Won: rounded(e.Won), Lost: rounded(e.Lost),
		Factors: make([]scoreFactorView, len(e.Factors)), LeftOut: make([]scoreLeftOutView, len(e.Uncounted)), Words: e.Words(),
	}
	if e.Probability > 0 {
		v.PWon = rounded(e.PWon())
	}
	for i, f := range e.Factors {
		v.Factors[i] = scoreFactorView{f.Field, f.Value, rounded(f.Won), rounded(f.Lost), rounded(f.WonOf), rounded(f.LostOf), rounded(f.Lift())}
	}
	for i, u := range e.Uncounted {
		v.LeftOut[i] = scoreLeftOutView(u)
	}
	return &scoreAnswer{v}, nil
}

// hundredths takes a probability in percent with up to two decimals.
func (b scoreByHand) hundredths() (int32, error) {
	h := math.Round(b.Probability * 100)
	if math.Abs(b.Probability*100-h) > 1e-6 {
		return 0, problem.InvalidBody("score_invalid", "The score was not set: mend the field named here.",
			[]problem.Field{{Location: "probability", Code: "too_precise", Message: "must have at most two decimals"}})
	}
	return int32(h), nil
}

func (s *Scoring) set(ctx context.Context, kind Kind, id uuid.UUID, b scoreByHand) (*scoreAnswer, error) {
	h, err := b.hundredths()
	if err != nil {
		return nil, err
	}
	return showScore(s.SetByHand(ctx, kind, id, h))
}

type scoringSettingAnswer struct {
	ETag string `header:"ETag"`
	Body scoringSettingView
}

type scoringSettingView struct {
	Fields    []string   `json:"fields" nullable:"false" doc:"That make factors."`
	StartAt   *time.Time `json:"start_at,omitempty" doc:"Outcomes before it do not count: said by the latest rebuild. Absent: all do."`
	ChangedBy string     `json:"changed_by,omitempty" doc:"Subject."`
	ChangedAt *time.Time `json:"changed_at,omitempty"`
}

type scoringSettingInput struct {
	IfMatch string `header:"If-Match" doc:"The ETag of the setting as it was read."`
	Body    scoringSettingBody
}

type scoringSettingBody struct {
	Fields []string `json:"fields" nullable:"false" maxItems:"20" doc:"Of source, campaign, country, industry, language, email_state, phone_state, capture, authority, tags and stage." example:"[\"source\",\"country\",\"tags\",\"stage\"]"`
}

func showSetting(set Setting, err error) (*scoringSettingAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &scoringSettingAnswer{httpx.ETag(set.Version), scoringSettingView{set.Fields, pg.OrNull(set.Start), set.By, pg.OrNull(set.ChangedAt)}}, nil
}

type scoringCountsInput struct {
	httpx.Page
	Team  string `query:"team" maxLength:"64" doc:"Only of this team."`
	Field string `query:"field" maxLength:"64" doc:"Only of this field."`
}

type scoringCountsAnswer struct{ Body scoringCountPage }

type scoringCountPage struct {
	Items      []scoringCountView `json:"items" nullable:"false"`
	NextCursor string             `json:"next_cursor,omitempty"`
}

type scoringCountView struct {
	Team  string  `json:"team,omitempty" doc:"Absent: of cases without one."`
	Field string  `json:"field"`
	Value string  `json:"value"`
	Won   float64 `json:"won"`
	Lost  float64 `json:"lost"`
}

func (s *Scoring) countsHTTP(ctx context.Context, in *scoringCountsInput) (*scoringCountsAnswer, error) {
	after, err := httpx.DecodeCursor(in.Cursor, 3)
	if err != nil {
		return nil, err
	}
	rows, err := s.Counts(ctx, in.Team, in.Field, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	page, next := httpx.NextPage(rows, in.Limit, func(last Count) []string { return []string{last.Team, last.Field, last.Value} })
	body := scoringCountPage{Items: make([]scoringCountView, len(page)), NextCursor: next}
	for i, c := range page {
		body.Items[i] = scoringCountView{c.Team, c.Field, c.Value, rounded(c.Won), rounded(c.Lost)}
	}
	return &scoringCountsAnswer{body}, nil
}

type rebuildInput struct {
	Body *rebuildBody
}

type rebuildBody struct {
	StartAt time.Time `json:"start_at,omitempty" doc:"Outcomes before it are left out, now and later; left out: all count."`
}

type rebuildPath struct {
	ID uuid.UUID `path:"rebuild_id" format:"uuid"`
}

type rebuildAnswer struct {
	Status int
	Body   rebuildView
}

type rebuildView struct {
	RebuildID  uuid.UUID  `json:"rebuild_id" format:"uuid"`
	State      string     `json:"state" enum:"queued,running,done"`
	StartAt    *time.Time `json:"start_at,omitempty"`
	Outcomes   int64      `json:"outcomes" doc:"Counted so far."`
	AskedBy    string     `json:"asked_by" doc:"Subject."`
	AskedAt    time.Time  `json:"asked_at"`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
}

func showRebuild(status int, r Rebuilding, err error) (*rebuildAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &rebuildAnswer{status, rebuildView{r.ID, r.State, pg.OrNull(r.Start), r.Outcomes, r.By, r.CreatedAt, pg.OrNull(r.FinishedAt)}}, nil
}

// Routes adds the operations on scores.
func (s *Scoring) Routes(api *httpx.API) {
	const tag = "Lead scoring"
	s.caseRoutes(api, tag)
	httpx.Register(api, httpx.Operation{
		ID: "get-lead-scoring", Method: http.MethodGet, Path: "/v1/lead-scoring", Tag: tag, Summary: "Read which fields make the scores of leads and opportunities",
		Permission: auth.SalesRead,
	}, func(ctx context.Context, _ *struct{}) (*scoringSettingAnswer, error) {
		return showSetting(s.Setting(ctx))
	})
	httpx.Register(api, httpx.Operation{
		ID: "set-lead-scoring", Method: http.MethodPut, Path: "/v1/lead-scoring", Tag: tag, Summary: "Say which fields make the scores of leads and opportunities",
		Description: "Open leads and opportunities are scored again behind the scenes.", Permission: auth.SalesConfigure,
	}, func(ctx context.Context, in *scoringSettingInput) (*scoringSettingAnswer, error) {
		return showSetting(s.SetFields(ctx, in.Body.Fields, in.IfMatch))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-lead-scoring-counts", Method: http.MethodGet, Path: "/v1/lead-scoring/counts", Tag: tag,
		Summary: "List how often each value was won and lost, by team, field and value", Description: "Each count began at 0.1.", Permission: auth.SalesRead,
	}, s.countsHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "rebuild-lead-scoring", Method: http.MethodPost, Path: "/v1/lead-scoring/rebuild", Tag: tag, Summary: "Make the counts anew from all that was won and lost since a time",
		Description: "It is done behind the scenes while cases go on being won and lost. From all of history it comes to what the counts are already.",
		Permission:  auth.SalesConfigure, Status: http.StatusAccepted, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, in *rebuildInput) (*rebuildAnswer, error) {
		var start time.Time
		if in.Body != nil {
			start = in.Body.StartAt
		}
		r, err := s.AskRebuild(ctx, start)
		return showRebuild(http.StatusAccepted, r, err)
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-lead-scoring-rebuild", Method: http.MethodGet, Path: "/v1/lead-scoring/rebuilds/{rebuild_id}", Tag: tag, Summary: "Read how far a rebuild of the counts is",
		Permission: auth.SalesRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *rebuildPath) (*rebuildAnswer, error) {
		r, err := s.Rebuilding(ctx, in.ID)
		return showRebuild(http.StatusOK, r, err)
	})
}

// caseRoutes adds those on the score of one lead or opportunity.
func (s *Scoring) caseRoutes(api *httpx.API, tag string) {
	missing, closed := []int{http.StatusNotFound}, []int{http.StatusNotFound, http.StatusConflict}
	httpx.Register(api, httpx.Operation{
		ID: "get-lead-score", Method: http.MethodGet, Path: "/v1/leads/{lead_id}/score", Tag: tag, Summary: "Explain how likely a lead is to buy",
		Description: "By the counts of this moment; lists show what was reckoned a little before.", Permission: auth.SalesRead, Errors: missing,
	}, func(ctx context.Context, in *leadScorePath) (*scoreAnswer, error) {
		return showScore(s.Explain(ctx, OfLead, in.ID))
	})
	httpx.Register(api, httpx.Operation{
		ID: "set-lead-score", Method: http.MethodPut, Path: "/v1/leads/{lead_id}/score", Tag: tag, Summary: "Set the score of a lead by hand",
		Permission: auth.SalesWrite, Errors: closed,
	}, func(ctx context.Context, in *setLeadScoreInput) (*scoreAnswer, error) {
		return s.set(ctx, OfLead, in.ID, in.Body)
	})
	httpx.Register(api, httpx.Operation{
		ID: "clear-lead-score", Method: http.MethodDelete, Path: "/v1/leads/{lead_id}/score", Tag: tag, Summary: "Have a lead scored by the counts again",
		Permission: auth.SalesWrite, Errors: closed, Status: http.StatusOK,
	}, func(ctx context.Context, in *leadScorePath) (*scoreAnswer, error) {
		return showScore(s.Clear(ctx, OfLead, in.ID))
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-opportunity-score", Method: http.MethodGet, Path: "/v1/opportunities/{opportunity_id}/score", Tag: tag, Summary: "Explain how likely an opportunity is to be won",
		Description: "By the counts of this moment; lists show what was reckoned a little before.", Permission: auth.SalesRead, Errors: missing,
	}, func(ctx context.Context, in *opportunityScorePath) (*scoreAnswer, error) {
		return showScore(s.Explain(ctx, OfOpportunity, in.ID))
	})
	httpx.Register(api, httpx.Operation{
		ID: "set-opportunity-score", Method: http.MethodPut, Path: "/v1/opportunities/{opportunity_id}/score", Tag: tag, Summary: "Set the score of an opportunity by hand",
		Permission: auth.SalesWrite, Errors: closed,
	}, func(ctx context.Context, in *setOpportunityScoreInput) (*scoreAnswer, error) {
		return s.set(ctx, OfOpportunity, in.ID, in.Body)
	})
	httpx.Register(api, httpx.Operation{
		ID: "clear-opportunity-score", Method: http.MethodDelete, Path: "/v1/opportunities/{opportunity_id}/score", Tag: tag,
		Summary: "Have an opportunity scored by the counts again", Permission: auth.SalesWrite, Errors: closed, Status: http.StatusOK,
	}, func(ctx context.Context, in *opportunityScorePath) (*scoreAnswer, error) {
		return showScore(s.Clear(ctx, OfOpportunity, in.ID))
	})
}
