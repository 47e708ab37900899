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

// ParkedDetail is the answer with a parked event whole.
type ParkedDetail struct {
	Parked
	Headers []parkedHeader `json:"headers" nullable:"false"`
	Key     []byte         `json:"key" doc:"Base64."`
	Payload string         `json:"payload,omitempty" doc:"The value, when it is text."`
	Binary  []byte         `json:"payload_base64,omitempty" doc:"The value, when it is not."`
	Time    time.Time      `json:"message_time"`
}

type parkedHeader struct {
	Key    string `json:"key"`
	Value  string `json:"value,omitempty" doc:"When it is text."`
	Binary []byte `json:"value_base64,omitempty" doc:"When it is not."`
}

type parkedList struct {
	Body struct {
		Parked     []Parked `json:"parked" nullable:"false"`
		NextCursor string   `json:"next_cursor,omitempty"`
	}
}

type inboxConsumer struct {
	Name      string          `json:"name"`
	Ordered   bool            `json:"ordered"`
	Parked    int64           `json:"parked" doc:"Events that people must decide on, of all tenants."`
	Queued    int64           `json:"queued" doc:"Events that wait behind them."`
	Lag       int64           `json:"lag" doc:"Messages that are not applied yet; -1 when the broker cannot be reached."`
	Positions []inboxPosition `json:"positions" nullable:"false"`
}

type inboxPosition struct {
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
	out.Body.Parked, out.Body.NextCursor = append([]Parked{}, page...), next
	return out, nil
}

type parkedID struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}

func (o Ops) showParked(ctx context.Context, in *parkedID) (*struct{ Body ParkedDetail }, error) {
	p, err := Show(ctx, o.DB, actorOf(ctx).Tenant, in.ID)
	if err != nil {
		return nil, err
	}
	d := ParkedDetail{Parked: p, Key: p.Key, Time: p.Time, Headers: make([]parkedHeader, len(p.Headers))}
	d.Payload, d.Binary = textOr(p.Payload)
	for i, h := range p.Headers {
		d.Headers[i].Key = h.Key
		d.Headers[i].Value, d.Headers[i].Binary = textOr(h.Value)
	}
	return &struct{ Body ParkedDetail }{d}, nil
}

type parkedRelease struct {
	Body struct {
		ID    uuid.UUID `json:"id"`
		State string    `json:"state" enum:"releasing"`
	}
}

func (o Ops) release(ctx context.Context, in *parkedID) (*parkedRelease, error) {
	actor := actorOf(ctx)
	done, err := Release(ctx, o.DB, actor.Tenant, in.ID, actor.Subject)
	if err != nil {
		return nil, err
	}
	o.decided(ctx, "released", in.ID, actor, done.Replayed)
	out := &parkedRelease{}
	out.Body.ID, out.Body.State = in.ID, "releasing"
	return out, nil
}

type parkedDiscard struct {
	ID   uuid.UUID `path:"id" format:"uuid"`
	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"1000" doc:"Why it is dropped. Kept; no personal data."`
	}
}

func (o Ops) discard(ctx context.Context, in *parkedDiscard) (*struct{}, error) {
	actor := actorOf(ctx)
	done, err := Discard(ctx, o.DB, actor.Tenant, in.ID, actor.Subject, in.Body.Reason)
	if err != nil {
		return nil, err
	}
	o.decided(ctx, "discarded", in.ID, actor, done.Replayed)
	return nil, nil
}

func (o Ops) decided(ctx context.Context, decision string, id uuid.UUID, actor auth.Principal, replayed bool) {
	if replayed {
		httpx.MarkReplayed(ctx)
		return
	}
	o.Log.InfoContext(ctx, "decided on a parked event", "decision", decision,
		"parked", id.String(), "actor", actor.Subject, "tenant", actor.Tenant)
}

type consumerList struct {
	Body struct {
		Consumers []inboxConsumer `json:"consumers" nullable:"false"`
	}
}

func (o Ops) listConsumers(ctx context.Context, _ *struct{}) (*consumerList, error) {
	out := &consumerList{}
	out.Body.Consumers = make([]inboxConsumer, len(o.Consumers))
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
func (o Ops) describe(ctx context.Context, c Consumer, state ConsumerState) inboxConsumer {
	v := inboxConsumer{Name: c.Name, Ordered: c.Ordered, Parked: state.Parked, Queued: state.Queued, Positions: []inboxPosition{}}
	for _, topic := range c.Topics {
		_, ends, err := o.Bus.Offsets(ctx, topic)
		if err != nil {
			v.Lag = -1
			o.Log.WarnContext(ctx, "the broker does not tell offsets", "topic", topic, "error", err)
			continue
		}
		for partition, end := range ends {
			next := state.Position(topic, partition)
			v.Positions = append(v.Positions, inboxPosition{topic, partition, next, end})
			if v.Lag >= 0 {
				v.Lag += max(0, end-next)
			}
		}
	}
	return v
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
