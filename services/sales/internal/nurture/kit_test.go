package nurture_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/problem"
	accountsactivitiesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/activities/v1"
)

type body = map[string]any

// neighbour stands in for accounts: it keeps the promise of the contract of its activity.
type neighbour struct {
	mu      sync.Mutex
	now     func() time.Time
	refuse  map[string]string // by touch: why the customer is not reached
	fault   string            // with which it refuses the question itself
	away    int               // how many calls find it away
	stale   int               // how many answers are too old to be of use
	asked   []*accountsactivitiesv1.ResolveContact
	tenants []string
	answers map[string]*accountsactivitiesv1.ResolveContactResult
}

func (n *neighbour) register(r worker.Registry) {
	r.RegisterActivityWithOptions(n.resolve, activity.RegisterOptions{Name: flow.ActivityName(&accountsactivitiesv1.ResolveContact{})})
}

func (n *neighbour) resolve(ctx context.Context, in *accountsactivitiesv1.ResolveContact) (*accountsactivitiesv1.ResolveContactResult, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.away > 0 {
		n.away--
		return nil, errors.New("away")
	}
	if n.fault != "" {
		return nil, problem.New(problem.Unprocessable, n.fault, "This is not valid.")
	}
	if before := n.answers[in.GetIdempotencyKey()]; before != nil {
		return before, nil
	}
	n.asked, n.tenants = append(n.asked, in), append(n.tenants, auth.Tenant(ctx))
	answer := &accountsactivitiesv1.ResolveContactResult{Allowed: true, ContactId: uuid.NewString(), Channel: "email", ValidUntil: timestamppb.New(n.now().Add(time.Hour))}
	if in.GetChannel() != "" {
		answer.Channel = in.GetChannel()
	}
	if n.stale > 0 {
		n.stale--
		answer.ValidUntil = timestamppb.New(n.now().Add(-time.Minute))
	}
	parts := strings.Split(in.GetIdempotencyKey(), "/") // nurture/pizza/<id>/white_paper-2/0
	touch, _, _ := strings.Cut(parts[len(parts)-2], "-")
	if why := n.refuse[touch]; why != "" {
		answer = &accountsactivitiesv1.ResolveContactResult{Refusal: why, ContactId: uuid.NewString()}
	}
	if n.answers == nil {
		n.answers = map[string]*accountsactivitiesv1.ResolveContactResult{}
	}
	n.answers[in.GetIdempotencyKey()] = answer
	return answer, nil
}

type view struct {
	ID      string `json:"nurturing_id"`
	Stage   string
	Code    string
	Touches int
	DueAt   *time.Time `json:"due_at"`
	Steps   []struct {
		Action, Touch, Channel, Code, By string
		ContactID                        string `json:"contact_id"`
		At                               time.Time
	}
	Next      []string  `json:"next_actions"`
	StartedAt time.Time `json:"started_at"`
}

// story gives what happened, with what and why, and after how many hours.
func (v view) story() (list []string) {
	for _, s := range v.Steps {
		parts := []string{s.Action}
		for _, p := range []string{s.Touch, s.Channel, s.Code} {
			if p != "" {
				parts = append(parts, p)
			}
		}
		list = append(list, strings.Join(parts, " ")+" "+s.At.Sub(v.StartedAt).Round(time.Hour).String())
	}
	return list
}

var number atomic.Int64

// programme is one of two touches within four days, and a silence of a week, for change to differ from.
func programme(change body) body {
	b := body{"name": "Welcome", "active": true, "on_silence": "recycle", "silence_seconds": 7 * 86400, "agreed_field": "agreed", "touches": []body{
		{"code": "white_paper", "after_seconds": 86400}, {"code": "webinar", "after_seconds": 3 * 86400, "channel": "email"},
	}}
	for k, v := range change {
		if b[k] = v; v == nil {
			delete(b, k)
		}
	}
	return b
}

func somebody() string { return fmt.Sprintf("Somebody %d", number.Add(1)) }
