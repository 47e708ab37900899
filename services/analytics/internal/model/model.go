// Package model keeps the models that other rooms fit: kinds, versions, parameters with their errors, how well they fit, and
// which of a kind is in use. It is the one way from a request to a model: a kind says how its orders are checked and fitted, and
// this room takes the order and the table in, lets small ones be fitted at once and large ones by a job that survives a kill,
// numbers and keeps the model and tells of it.
package model

import (
	"context"
	"encoding/json"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Aggregate is the type of models in events.
const Aggregate = "model"

// Where a model's rows come from.
const (
	FromFacts = "facts"
	FromTable = "table"
)

// Model is one that was fitted. It never changes.
type Model struct {
	ID       uuid.UUID
	Kind     string
	Version  int64 // within the kind, from 1
	Source   string
	Cutoff   time.Time // the last day of the facts; zero for a table
	Currency string    // of the facts; empty where it does not matter
	Rows     int64     // that it was fitted to
	Params   map[string]float64
	Errors   map[string]float64 // standard errors of params, as far as they are defined
	Fit      map[string]float64 // how good it is, such as log_likelihood
	Warnings []Warning
	Options  json.RawMessage // what was asked for, without the rows
	Detail   json.RawMessage // tables and plots of the kind, to be shown
	State    json.RawMessage // what its kind needs beside params to apply it; not shown

	Predicted int64 // rows of predictions
	TrainedAt time.Time
	TrainedBy string
	InUse     bool
	UsedSince time.Time // zero unless it is in use
}

// Fitted is what a kind makes of an order. Numbers that are not finite are left out of Params, Errors and Fit.
type Fitted struct {
	Cutoff   time.Time
	Currency string
	Rows     int64
	Params   map[string]float64
	Errors   map[string]float64
	Fit      map[string]float64
	Warnings []Warning
	Detail   any // becomes JSON
	State    any // becomes JSON
	// Predictions has one value a row of the table, in its order, each becoming a JSON object; of facts there are none, since what
	// a model in use says of customers stands in their portraits.
	Predictions []any
}

// States of a job.
const (
	Queued  = "queued"
	Running = "running"
	Done    = "done"
	Failed  = "failed"
)

// Job is a fit that was too large for its request.
type Job struct {
	ID         uuid.UUID
	Kind       string
	State      string
	Source     string
	Options    json.RawMessage
	Attempts   int
	AskedAt    time.Time
	AskedBy    string
	StartedAt  time.Time // zero before
	FinishedAt time.Time // zero before
	ModelID    uuid.UUID // of a job that is done
	Code       string    // of the problem that it failed with
	Reason     string
}

// Input is embedded in the JSON body of every kind's fit.
type Input struct {
	Source string `json:"source,omitempty" enum:"facts,table" doc:"Where the rows come from: what was bought, or rows of this request. Left out: table where there are rows."`
	Later  bool   `json:"later,omitempty" query:"later" doc:"Fit it in a job, however small it is: 202 and where to look."`
}

// Asked gives what every fit is asked with.
func (i *Input) Asked() *Input { return i }

// Body is what a pointer to the JSON body of a kind's fit is. Fields of the body that have a tag query are settings, which come
// by query when the table comes as CSV; the others are of JSON only.
type Body[B any] interface {
	*B
	Asked() *Input
	// Given tells whether rows were given, and how many.
	Given() (n int, given bool)
	// Check gives what is wrong with the settings; locations are names of fields.
	Check() []problem.Field
}

// Order is what a kind's Fit is asked for.
type Order[B any] struct {
	Tenant string
	Source string
	Body   *B     // the settings, and the rows of JSON
	Table  *Table // an uploaded table; nil otherwise
}

// Offer is one kind of model: how it is fitted.
type Offer[B any] struct {
	Kind        string // its code, as in POST /v1/models/<kind>/fit
	Summary     string
	Description string
	// Fit fits outside of any transaction, and reads facts in transactions of its own. It is given some ten seconds in a request and
	// some minutes in a job. What cannot be fitted is a problem of kind Unprocessable.
	Fit func(ctx context.Context, o Order[B]) (Fitted, error)
	// Used is told in the transaction in which a model of the kind comes into use; it may refuse, or set work in motion. May be nil.
	Used func(ctx context.Context, tx *pg.Tx, m Model) error
}

// NotEnough is the answer to a fit that there are too few rows for; format says what is missing.
func NotEnough(format string, args ...any) *problem.Error {
	return problem.New(problem.Unprocessable, "not_enough_data", format, args...)
}

// Largest a request and a job may be.
const (
	smallRows   = 20_000    // of a table that is fitted in its request
	smallOrders = 100_000   // of facts that are fitted in a request
	maxRows     = 1_000_000 // of a table
	maxColumns  = 1_000     // of a table
	maxUpload   = 128 << 20 // bytes of an upload
	maxAttempts = 3         // of a job whose worker dies
	// chunkRows is how many predictions stand in one row of the database.
	chunkRows = 500
	// chunkBytes is how much of an upload stands in one row of the database.
	chunkBytes = 1 << 20
	// leaseTime is how long a job is left alone whose worker gives no sign of life; it gives one every leaseTime/4.
	leaseTime = time.Minute
)

// finite leaves out what is no number.
func finite(in map[string]float64) map[string]float64 {
	out := make(map[string]float64, len(in))
	for k, v := range in {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			out[k] = v
		}
	}
	return out
}
