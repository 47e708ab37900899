// Package process leads a rollout by a workflow of Temporal: it measures what gates, risks and goals ask for, does what is due, and
// takes the decisions of people.
package process

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/guanxi-crm/guanxi/platform/peer"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/gate"
)

// Measurer asks the other services for the numbers by which gates open. It is for activities: nothing of it may stand in a
// transaction.
type Measurer struct {
	peers *peer.Client
	clock func() time.Time
}

// NewMeasurer makes a measurer.
func NewMeasurer(peers *peer.Client, clock func() time.Time) *Measurer {
	return &Measurer{peers: peers, clock: clock}
}

// Question is what is to be measured.
type Question struct {
	Metric     string
	Units      []string // codes; for a metric that is measured for units
	Headcount  int      // of the units and those below them
	WindowDays int      // 0: the metric's own
	// Before is when the rollout was started, where the number is compared with the one of the window that ended then; zero
	// where it is not.
	Before time.Time
}

// Measure measures on behalf of the principal of the context, in its tenant. What cannot be asked at this moment, or of which nothing
// happened yet, is no error but a measurement that is not known.
func (m *Measurer) Measure(ctx context.Context, q Question) (gate.Measurement, error) {
	now := m.clock().UTC().Truncate(time.Microsecond)
	got := gate.Measurement{At: now}
	metric, known := gate.MetricOf(q.Metric)
	if !known {
		return got, nil
	}
	days := q.WindowDays
	if days == 0 {
		days = metric.WindowDays
	}
	value, err := m.share(ctx, q, days, now)
	if notNow(err) {
		return got, nil
	}
	if err != nil {
		return got, fmt.Errorf("measure %s: %w", q.Metric, err)
	}
	got.Value, got.Sample, got.Known = value.of(), value.all, true
	if !q.Before.IsZero() && metric.Before {
		before, err := m.share(ctx, q, days, q.Before)
		if notNow(err) {
			return gate.Measurement{At: now}, nil
		}
		if err != nil {
			return got, fmt.Errorf("measure %s before the rollout: %w", q.Metric, err)
		}
		got.Before, got.BeforeN = before.of(), before.all
	}
	return got, nil
}

// errBlind says that somebody answered that they cannot know at this moment.
var errBlind = errors.New("cannot be known now")

// notNow tells whether the same may be asked again later.
func notNow(err error) bool {
	return errors.Is(err, errBlind) || problem.KindOf(err) == problem.Unavailable
}

// part is how many of all are counted; a number of events is a part of which all is 1.
type part struct {
	some float64
	all  int
}

// of is the share; 0 of nothing, on which a gate with a least sample does not rely.
func (p part) of() float64 {
	if p.all == 0 {
		return 0
	}
	return p.some / float64(p.all)
}

// share measures a metric in the window of days that ends at a time; one that has no window is as it is now.
func (m *Measurer) share(ctx context.Context, q Question, days int, end time.Time) (part, error) {
	from := end.AddDate(0, 0, -days)
	switch q.Metric {
	case gate.ImportQuality:
		return m.importQuality(ctx, from, end)
	case gate.ActiveUsers:
		return m.activeUsers(ctx, q, from)
	case gate.SLAAttainment:
		return m.slaAttainment(ctx, from, end)
	case gate.CSAT:
		return m.csat(ctx, from, end)
	case gate.ErrorRate:
		return m.errorRate(ctx, from, end)
	case gate.ConsumerLag:
		return m.consumerLag(ctx)
	default:
		return part{}, errBlind
	}
}

// services are those of the installation that work for units and take events in.
func services() []string {
	return []string{"accounts", "sales", "loyalty", "tickets", "analytics"}
}

func (m *Measurer) get(ctx context.Context, service, path string, query url.Values, out any) error {
	_, err := m.peers.Call(ctx, peer.Request{Service: service, Method: http.MethodGet, Path: path, Query: query}, out)
	return err
}

func span(from, to time.Time) url.Values {
	return url.Values{"from": {from.UTC().Format(time.RFC3339Nano)}, "to": {to.UTC().Format(time.RFC3339Nano)}}
}

func (m *Measurer) importQuality(ctx context.Context, from, to time.Time) (p part, err error) {
	for _, of := range []struct{ service, kind string }{{"accounts", "customers"}, {"sales", "leads"}, {"sales", "orders"}} {
		var said struct {
			Rows     int `json:"rows"`
			Accepted int `json:"accepted"`
		}
		if err := m.get(ctx, of.service, "/v1/ops/"+of.service+"/imports/"+of.kind, span(from, to), &said); err != nil {
			return part{}, err
		}
		p.some += float64(said.Accepted)
		p.all += said.Rows
	}
	return p, nil
}

// activeUsers counts whoever worked with any service once.
func (m *Measurer) activeUsers(ctx context.Context, q Question, from time.Time) (part, error) {
	seen := map[string]bool{}
	for _, service := range services() {
		for _, unit := range q.Units {
			var said struct {
				Subjects []string `json:"subjects"`
			}
			query := url.Values{"unit": {unit}, "since": {from.UTC().AddDate(0, 0, 1).Format(time.DateOnly)}}
			if err := m.get(ctx, service, "/v1/ops/"+service+"/activity", query, &said); err != nil {
				return part{}, err
			}
			for _, subject := range said.Subjects {
				seen[subject] = true
			}
		}
	}
	return part{some: float64(min(len(seen), q.Headcount)), all: q.Headcount}, nil
}

func (m *Measurer) slaAttainment(ctx context.Context, from, to time.Time) (p part, err error) {
	var said struct {
		Items []struct {
			Met      int `json:"met"`
			Breached int `json:"breached"`
			Overdue  int `json:"overdue"`
		} `json:"items"`
	}
	if err := m.get(ctx, "tickets", "/v1/ticket-reports/service-levels", span(from, to), &said); err != nil {
		return part{}, err
	}
	for _, level := range said.Items {
		p.some += float64(level.Met)
		p.all += level.Met + level.Breached + level.Overdue
	}
	return p, nil
}

// csat weighs each survey by its answers. A survey with too few for a score of its own is left out.
func (m *Measurer) csat(ctx context.Context, from, to time.Time) (p part, err error) {
	query := url.Values{"limit": {"200"}}
	for {
		var page struct {
			Items []struct {
				ID   string `json:"survey_id"`
				Kind string `json:"kind"`
			} `json:"items"`
			Next string `json:"next_cursor"`
		}
		if err := m.get(ctx, "tickets", "/v1/surveys", query, &page); err != nil {
			return part{}, err
		}
		for _, survey := range page.Items {
			if survey.Kind != "csat" {
				continue
			}
			var said struct {
				Total struct {
					Answers int `json:"answers"`
					Score   *struct {
						Value float64 `json:"value"`
					} `json:"score"`
				} `json:"total"`
			}
			if err := m.get(ctx, "tickets", "/v1/surveys/"+url.PathEscape(survey.ID)+"/results", span(from, to), &said); err != nil {
				return part{}, err
			}
			if said.Total.Score != nil {
				p.some += said.Total.Score.Value * float64(said.Total.Answers)
				p.all += said.Total.Answers
			}
		}
		if page.Next == "" {
			return p, nil
		}
		query.Set("cursor", page.Next)
	}
}

// errorRate counts the requests that any service answered with a fault of the platform, in whole hours.
func (m *Measurer) errorRate(ctx context.Context, from, to time.Time) (p part, err error) {
	for _, service := range services() {
		var said struct {
			Requests int `json:"requests"`
			Errors   int `json:"errors"`
		}
		if err := m.get(ctx, service, "/v1/ops/"+service+"/requests", span(from, to), &said); err != nil {
			return part{}, err
		}
		p.some += float64(said.Errors)
		p.all += said.Requests
	}
	return p, nil
}

// consumerLag is that of the consumer furthest behind.
func (m *Measurer) consumerLag(ctx context.Context) (part, error) {
	var most int64
	for _, service := range services() {
		var said struct {
			Database  string `json:"database"`
			Consumers []struct {
				Lag int64 `json:"lag"`
			} `json:"consumers"`
		}
		if err := m.get(ctx, service, "/v1/ops/"+service+"/status", nil, &said); err != nil {
			return part{}, err
		}
		if said.Database != "ok" {
			return part{}, errBlind
		}
		for _, c := range said.Consumers {
			if c.Lag < 0 { // Kafka cannot be asked
				return part{}, errBlind
			}
			most = max(most, c.Lag)
		}
	}
	return part{some: float64(most), all: 1}, nil
}
