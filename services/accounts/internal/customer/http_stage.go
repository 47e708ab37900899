package customer

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

type setStageInput struct {
	ID   uuid.UUID `path:"customer_id" format:"uuid"`
	Body newStage
}

// newStage is the stage that a person sets.
type newStage struct {
	Stage       Stage     `json:"stage" enum:"awareness,exploration,familiarity,loyalty,separation"`
	Reason      string    `json:"reason" doc:"Code of why: small letters, digits and _." example:"moved_abroad" maxLength:"63"`
	ManualUntil time.Time `json:"manual_until,omitempty" doc:"Until when only a person changes the stage again, at most ten years from now; without it orders may change it at once."`
}

type stagesInput struct {
	httpx.Page
	ID uuid.UUID `path:"customer_id" format:"uuid"`
}

type stagesAnswer struct{ Body customerStagePage }

type customerStagePage struct {
	Items      []customerStageView `json:"items" nullable:"false" doc:"The latest first."`
	NextCursor string              `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type customerStageView struct {
	CustomerID  uuid.UUID  `json:"customer_id" format:"uuid" doc:"The id by which it was said."`
	Stage       Stage      `json:"stage" enum:"awareness,exploration,familiarity,loyalty,separation"`
	Segment     Segment    `json:"segment" enum:"suspect,prospect,current,lost"`
	Since       time.Time  `json:"since"`
	Reason      string     `json:"reason" doc:"Code of why, such as first_purchase." example:"first_purchase"`
	By          string     `json:"by" doc:"Subject of whoever said so, or the part of the program."`
	ManualUntil *time.Time `json:"manual_until,omitempty"`
}

func (c *Customers) setStage(ctx context.Context, in *setStageInput) (*answer, error) {
	now, err := c.SetStage(ctx, in.ID, in.Body.Stage, in.Body.Reason, in.Body.ManualUntil)
	return answered(ctx, now, err)
}

func (c *Customers) stages(ctx context.Context, in *stagesInput) (*stagesAnswer, error) {
	before, of, err := moment(in.Cursor)
	if err != nil {
		return nil, err
	}
	moves, err := c.History(ctx, in.ID, before, of, in.Limit+1)
	if err != nil {
		return nil, err
	}
	page := customerStagePage{Items: []customerStageView{}}
	if len(moves) > in.Limit {
		moves = moves[:in.Limit]
		last := moves[in.Limit-1]
		page.NextCursor = httpx.EncodeCursor(last.Since.Format(time.RFC3339Nano), last.CustomerID.String())
	}
	for _, m := range moves {
		page.Items = append(page.Items, customerStageView{
			CustomerID: m.CustomerID, Stage: m.Stage, Segment: m.Stage.Segment(), Since: m.Since, Reason: m.Reason, By: m.By,
			ManualUntil: pg.OrNull(m.ManualUntil),
		})
	}
	return &stagesAnswer{page}, nil
}

// moment reads the place in a history at which a page begins; zero is the beginning.
func moment(cursor string) (at time.Time, of uuid.UUID, err error) {
	parts, err := httpx.DecodeCursor(cursor, 2)
	if err != nil || parts == nil {
		return time.Time{}, uuid.Nil, err
	}
	at, wrong := time.Parse(time.RFC3339Nano, parts[0])
	of, bad := uuid.Parse(parts[1])
	if wrong != nil || bad != nil {
		return time.Time{}, uuid.Nil, problem.New(problem.BadRequest, "cursor_invalid", "The cursor is none of this list.")
	}
	return at, of, nil
}
