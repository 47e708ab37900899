package opportunity

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
)

var errStageNotFound = problem.New(problem.NotFound, "stage_not_found", "The pipeline has no such stage.")

// BoardView says what is to be seen of a pipeline.
type BoardView struct {
	Code  string `path:"code" maxLength:"64" doc:"Of the pipeline."`
	Owner string `query:"owner" maxLength:"200" doc:"Only this subject's."`
	Team  string `query:"team" maxLength:"64" doc:"Only those of the team of this code."`
	Sort  Sort   `query:"sort" enum:"expected_close,amount,age" default:"expected_close" doc:"Of the cards: the earliest to close, the largest amount, or the longest in the stage first."`
}

func (b BoardView) view() View {
	return View{Pipeline: b.Code, Owner: b.Owner, Team: b.Team, Sort: b.Sort}
}

type boardInput struct {
	BoardView
	Cards int `query:"cards" minimum:"1" maximum:"100" default:"20" doc:"How many cards of each stage to give at most."`
}

type boardAnswer struct{ Body boardBody }

type boardBody struct {
	Pipeline string        `json:"pipeline" doc:"Code." example:"standard"`
	Name     string        `json:"name"`
	Stages   []boardColumn `json:"stages" nullable:"false" doc:"In order."`
}

// boardColumn is a stage on a board.
type boardColumn struct {
	Code        string      `json:"code" example:"proposal"`
	Name        string      `json:"name"`
	Probability int32       `json:"probability" doc:"In percent."`
	Count       int64       `json:"count" doc:"Open opportunities in it."`
	Sums        []boardSum  `json:"sums" nullable:"false" doc:"By currency."`
	Cards       []boardCard `json:"cards" nullable:"false" doc:"The first ones."`
	NextCursor  string      `json:"next_cursor,omitempty" doc:"Where the cards of the stage go on; absent where these are all."`
}

type boardSum struct {
	Currency      string `json:"currency" example:"CNY"`
	Count         int64  `json:"count"`
	AmountMinor   int64  `json:"amount_minor"`
	WeightedMinor int64  `json:"weighted_minor" doc:"Each weighted by the stage's probability and rounded to the nearest minor unit, halves away from 0."`
}

// boardCard is an opportunity on a board.
type boardCard struct {
	OpportunityID   uuid.UUID         `json:"opportunity_id" format:"uuid"`
	CustomerID      uuid.UUID         `json:"customer_id" format:"uuid"`
	Name            string            `json:"name"`
	Currency        string            `json:"currency"`
	AmountMinor     int64             `json:"amount_minor"`
	ExpectedCloseOn string            `json:"expected_close_on,omitempty" format:"date"`
	NextStep        string            `json:"next_step,omitempty"`
	NextStepOn      string            `json:"next_step_on,omitempty" format:"date"`
	Owner           string            `json:"owner"`
	Team            string            `json:"team"`
	Category        pipeline.Category `json:"forecast_category,omitempty" doc:"Its own; absent: the stage's."`
	StageSince      time.Time         `json:"stage_since"`
	Stalled         string            `json:"stalled,omitempty" enum:"age,no_next_step,next_step_overdue" doc:"Why nothing goes on any more; absent: it does."`
	Version         int64             `json:"version" doc:"The ETag."`
}

func showCard(c Card) boardCard {
	return boardCard{
		OpportunityID: c.ID, CustomerID: c.CustomerID, Name: c.Name, Currency: c.Currency, AmountMinor: c.AmountMinor,
		ExpectedCloseOn: dayText(c.ExpectedCloseOn), NextStep: c.NextStep, NextStepOn: dayText(c.NextStepOn), Owner: c.Owner, Team: c.Team,
		Category: c.Category, StageSince: c.StageSince, Stalled: c.Stall.Reason, Version: c.Version,
	}
}

func showCards(all []Card) []boardCard {
	shown := make([]boardCard, len(all))
	for i, c := range all {
		shown[i] = showCard(c)
	}
	return shown
}

type stageInput struct {
	BoardView
	Stage string `path:"stage" maxLength:"64" doc:"Code."`
	httpx.Page
}

type stageAnswer struct{ Body boardPage }

type boardPage struct {
	Items      []boardCard `json:"items" nullable:"false"`
	NextCursor string      `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

func (o *Opportunities) boardHTTP(ctx context.Context, in *boardInput) (*boardAnswer, error) {
	v := in.view()
	v.Cards = in.Cards
	p, columns, err := o.Board(ctx, v)
	if err != nil {
		return nil, err
	}
	body := boardBody{Pipeline: p.Code, Name: p.Name, Stages: make([]boardColumn, len(columns))}
	for i, c := range columns {
		shown := boardColumn{
			Code: c.Stage.Code, Name: c.Stage.Name, Probability: c.Stage.Probability, Count: c.Count, Sums: make([]boardSum, len(c.Sums)),
			Cards: showCards(c.Cards), NextCursor: c.Next,
		}
		for j, s := range c.Sums {
			shown.Sums[j] = boardSum(s)
		}
		body.Stages[i] = shown
	}
	return &boardAnswer{body}, nil
}

// boardRoutes adds the views of pipelines.
func (o *Opportunities) boardRoutes(api *httpx.API) {
	const tag, path = "Opportunities", "/v1/pipelines/{code}/board"
	httpx.Register(api, httpx.Operation{
		ID: "get-board", Method: http.MethodGet, Path: path, Tag: tag, Summary: "See the open opportunities of a pipeline by stage",
		Description: "Of each stage what it comes to and the first cards.", Permission: auth.SalesRead, Errors: []int{http.StatusNotFound},
	}, o.boardHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "list-board-cards", Method: http.MethodGet, Path: path + "/{stage}", Tag: tag, Summary: "See more cards of a stage",
		Description: "The cursor is one of the board, or of the page before, in the same order.", Permission: auth.SalesRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *stageInput) (*stageAnswer, error) {
		cards, next, err := o.CardsOf(ctx, in.view(), in.Stage, in.Cursor, in.Limit)
		return &stageAnswer{boardPage{showCards(cards), next}}, err
	})
}
