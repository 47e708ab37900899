package inbox

import (
	"context"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// parkedView is a parked event in a list.
type parkedView struct {
	ID          uuid.UUID `json:"id"`
	Consumer    string    `json:"consumer"`
	Tenant      string    `json:"tenant,omitempty" doc:"Missing for what could not be decoded, as are the next five."`
	EventID     string    `json:"event_id,omitempty"`
	EventType   string    `json:"event_type,omitempty"`
	Aggregate   string    `json:"aggregate,omitempty" doc:"Its type."`
	AggregateID string    `json:"aggregate_id,omitempty"`
	Sequence    int64     `json:"sequence,omitempty"`
	Epoch       int       `json:"epoch,omitempty"`
	Topic       string    `json:"topic"`
	Partition   int       `json:"partition"`
	Offset      int64     `json:"offset"`
	State       string    `json:"state" enum:"parked,queued,releasing"`
	Code        string    `json:"code" doc:"Why, for programs: undecodable, sequence_gap, panic, apply_failed, or the code of a problem."`
	Error       string    `json:"error" doc:"Why, for people."`
	Tries       int       `json:"tries"`
	ParkedAt    time.Time `json:"parked_at"`
	QueueLength int64     `json:"queue_length" doc:"Events of the same aggregate that wait behind it."`
}

// parkedDetail is a parked event whole.
type parkedDetail struct {
	parkedView
	Headers []headerView `json:"headers"`
	Key     []byte       `json:"key" doc:"Base64."`
	Payload string       `json:"payload,omitempty" doc:"The value, when it is text."`
	Binary  []byte       `json:"payload_base64,omitempty" doc:"The value, when it is not."`
	Time    time.Time    `json:"time" doc:"Of the message."`
}

type headerView struct {
	Key    string `json:"key"`
	Value  string `json:"value,omitempty" doc:"When it is text."`
	Binary []byte `json:"value_base64,omitempty" doc:"When it is not."`
}

type parkedList struct {
	Body struct {
		Parked     []parkedView `json:"parked"`
		NextCursor string       `json:"next_cursor,omitempty"`
	}
}

type consumerView struct {
	Name      string         `json:"name"`
	Ordered   bool           `json:"ordered"`
	Parked    int64          `json:"parked" doc:"Events that people must decide on, of all tenants."`
	Queued    int64          `json:"queued" doc:"Events that wait behind them."`
	Lag       int64          `json:"lag" doc:"Messages that are not applied yet; -1 when the broker cannot be reached."`
	Positions []positionView `json:"positions"`
}

type positionView struct {
	Topic     string `json:"topic"`
	Partition int    `json:"partition"`
	Next      int64  `json:"next_offset" doc:"The offset that is applied next."`
	End       int64  `json:"end_offset" doc:"The offset that the next message will get; -1 when the broker cannot be reached."`
}

// Routes mounts the operators' routes: parked events, consumers and, for a service with a projection, rebuilds. An
// operator of a tenant sees that tenant's parked events; an administrator of the platform without a tenant sees all, and
// what could not be decoded.
func Routes(o Ops) func(*httpx.API) {
	return func(api *httpx.API) {
		base := "/v1/ops/" + o.Service
		o.parkedRoutes(api, base)
		httpx.Register(api, o.operation("consumers", http.MethodGet, base+"/consumers", "Where the consumers stand", ""), o.listConsumers)
		if len(o.ProjectionTables) > 0 {
			o.rebuildRoutes(api, base)
		}
	}
}

func (o Ops) operation(id, method, path, summary, description string) httpx.Operation {
	return httpx.Operation{ID: o.Service + "-ops-" + id, Method: method, Path: path, Summary: summary, Description: description,
		Tag: "operations", Permission: auth.Operate, AnyTenant: true}
}

func (o Ops) parkedRoutes(api *httpx.API, base string) {
	httpx.Register(api, o.operation("parked-list", http.MethodGet, base+"/parked", "Parked events, the oldest first", ""), o.listParked)
	httpx.Register(api, o.operation("parked-show", http.MethodGet, base+"/parked/{id}", "One parked event with headers and payload", ""), o.showParked)
	release := o.operation("parked-release", http.MethodPost, base+"/parked/{id}/release", "Try a parked event again",
		"It is applied within a second or so, and after it what waits behind it, in order; when it fails again it stays parked with "+
			"the new error. Releasing an event that is held for a gap (sequence_gap) accepts the gap: should the missing events come "+
			"later, they are dropped.")
	release.Status = http.StatusAccepted
	httpx.Register(api, release, o.release)
	discard := o.operation("parked-discard", http.MethodPost, base+"/parked/{id}/discard", "Drop a parked event for good",
		"What waits behind it takes its turn. The event is kept aside with who dropped it, why and when.")
	discard.Status = http.StatusNoContent
	httpx.Register(api, discard, o.discard)
}

type parkedInput struct {
	httpx.Page
	Consumer string `query:"consumer" maxLength:"200" doc:"Only this consumer's."`
	State    string `query:"state" enum:"parked,queued" default:"parked" doc:"parked, or queued behind one that is."`
}

func (o Ops) listParked(ctx context.Context, in *parkedInput) (*parkedList, error) {
	f := Filter{Consumer: in.Consumer, State: in.State, Limit: in.Limit + 1}
	parts, err := httpx.DecodeCursor(in.Cursor, 1)
	if err != nil {
		return nil, err
	}
	if parts != nil {
		if f.After, err = uuid.Parse(parts[0]); err != nil {
			return nil, httpx.CursorInvalid()
		}
	}
	rows, err := List(ctx, o.DB, actorOf(ctx).Tenant, f)
	if err != nil {
		return nil, err
	}
	page, next := httpx.NextPage(rows, in.Limit, func(last Parked) []string { return []string{last.ID.String()} })
	out := &parkedList{}
	out.Body.NextCursor = next
	out.Body.Parked = make([]parkedView, len(page))
	for i, p := range page {
		out.Body.Parked[i] = p.view()
	}
	return out, nil
}

type parkedID struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}

func (o Ops) showParked(ctx context.Context, in *parkedID) (*struct{ Body parkedDetail }, error) {
	p, err := Show(ctx, o.DB, actorOf(ctx).Tenant, in.ID)
	if err != nil {
		return nil, err
	}
	d := parkedDetail{parkedView: p.view(), Key: p.Key, Time: p.Time, Headers: make([]headerView, len(p.Headers))}
	d.Payload, d.Binary = textOr(p.Payload)
	for i, h := range p.Headers {
		d.Headers[i].Key = h.Key
		d.Headers[i].Value, d.Headers[i].Binary = textOr(h.Value)
	}
	return &struct{ Body parkedDetail }{d}, nil
}

type releaseOutput struct {
	Body struct {
		ID    uuid.UUID `json:"id"`
		State string    `json:"state" enum:"releasing"`
	}
}

func (o Ops) release(ctx context.Context, in *parkedID) (*releaseOutput, error) {
	actor := actorOf(ctx)
	done, err := Release(ctx, o.DB, actor.Tenant, in.ID, actor.Subject)
	if err != nil {
		return nil, err
	}
	o.decided(ctx, "a parked event is released", in.ID, actor, done.Replayed)
	out := &releaseOutput{}
	out.Body.ID, out.Body.State = in.ID, "releasing"
	return out, nil
}

type discardInput struct {
	parkedID
	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"1000" doc:"Why it is dropped. Kept; no personal data."`
	}
}

func (o Ops) discard(ctx context.Context, in *discardInput) (*struct{}, error) {
	actor := actorOf(ctx)
	done, err := Discard(ctx, o.DB, actor.Tenant, in.ID, actor.Subject, in.Body.Reason)
	if err != nil {
		return nil, err
	}
	o.decided(ctx, "a parked event is discarded", in.ID, actor, done.Replayed)
	return nil, nil
}

func (o Ops) decided(ctx context.Context, what string, id uuid.UUID, actor auth.Principal, replayed bool) {
	if replayed {
		httpx.MarkReplayed(ctx)
		return
	}
	o.Log.InfoContext(ctx, what, "parked", id.String(), "actor", actor.Subject, "tenant", actor.Tenant)
}

func (o Ops) listConsumers(ctx context.Context, _ *struct{}) (*struct {
	Body struct {
		Consumers []consumerView `json:"consumers"`
	}
}, error) {
	out := &struct {
		Body struct {
			Consumers []consumerView `json:"consumers"`
		}
	}{}
	out.Body.Consumers = make([]consumerView, len(o.Consumers))
	for i, c := range o.Consumers {
		state, err := State(ctx, o.OpsDB, c)
		if err != nil {
			return nil, err
		}
		out.Body.Consumers[i] = o.describe(ctx, c, state)
	}
	return out, nil
}

// describe counts the lag from the consumer's own positions; Kafka's committed offsets trail behind them.
func (o Ops) describe(ctx context.Context, c Consumer, state ConsumerState) consumerView {
	v := consumerView{Name: c.Name, Ordered: c.Ordered, Parked: state.Parked, Queued: state.Queued, Positions: []positionView{}}
	for _, topic := range c.Topics {
		_, ends, err := o.Bus.Offsets(ctx, topic)
		if err != nil {
			v.Lag = -1
			o.Log.WarnContext(ctx, "the broker does not tell offsets", "topic", topic, "error", err)
			continue
		}
		for partition, end := range ends {
			next := state.Position(topic, partition)
			v.Positions = append(v.Positions, positionView{topic, partition, next, end})
			if v.Lag >= 0 {
				v.Lag += max(0, end-next)
			}
		}
	}
	return v
}

func (p Parked) view() parkedView {
	return parkedView{ID: p.ID, Consumer: p.Consumer, Tenant: p.Tenant, EventID: p.EventID, EventType: p.Type, Aggregate: p.AggregateType,
		AggregateID: p.AggregateID, Sequence: p.Sequence, Epoch: p.Epoch, Topic: p.Topic, Partition: p.Partition, Offset: p.Offset,
		State: p.State, Code: p.Code, Error: p.Error, Tries: p.Tries, ParkedAt: p.ParkedAt, QueueLength: p.QueueLength}
}

// textOr gives text as text and everything else as bytes.
func textOr(b []byte) (text string, binary []byte) {
	if utf8.Valid(b) {
		return string(b), nil
	}
	return "", b
}

func actorOf(ctx context.Context) auth.Principal {
	p, ok := auth.From(ctx)
	if !ok {
		panic("inbox: an operators' route without a principal")
	}
	return p
}

// platformOnly refuses operators of one tenant what concerns all.
func platformOnly(p auth.Principal) error {
	if p.PlatformAdmin() {
		return nil
	}
	return problem.New(problem.Forbidden, "platform_admin_required",
		"A projection holds the data of all tenants, so only an administrator of the platform rebuilds it.")
}
