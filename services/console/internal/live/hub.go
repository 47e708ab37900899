package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/proto/events"
)

const (
	// remembered is how many changes are kept for pages that lost their line for a moment.
	remembered = 4096
	// retry is the pause after reading failed.
	retry = 2 * time.Second
)

// entry is one change with its place in the hub's order.
type entry struct {
	seq    uint64
	tenant string
	change Change
}

// Hub hears of events and lets listeners know. The zero Hub is not usable.
type Hub struct {
	bus   *bus.Client
	log   *slog.Logger
	types map[string]events.Type
	topic []string

	mu        sync.Mutex
	run       string  // names this order of changes; another replica, and a later run, has another
	past      []entry // the latest, in order
	seq       uint64
	listeners map[*Listener]struct{}
	stop      context.CancelFunc // of reading; nil: nothing is read
	readers   *sync.WaitGroup    // of this run
}

// NewHub makes a hub that reads the topics of the services.
func NewHub(client *bus.Client, services []string, log *slog.Logger) *Hub {
	h := &Hub{bus: client, log: log, types: map[string]events.Type{}, listeners: map[*Listener]struct{}{}}
	for _, t := range events.All() {
		h.types[t.Name()] = t
	}
	for _, s := range services {
		h.topic = append(h.topic, bus.TopicFor(s))
	}
	return h
}

// Listener hears of the changes of one tenant.
type Listener struct {
	// Wake has a value when there may be something to Take.
	Wake   chan struct{}
	tenant string
	next   uint64 // the first that was not taken
	hub    *Hub
}

// Listen begins to listen. after is the id that the page heard last, empty for none. complete tells that the page missed nothing since.
func (h *Hub) Listen(tenant, after string) (l *Listener, complete bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stop == nil {
		ctx, cancel := context.WithCancel(context.Background())
		h.stop, h.run, h.past, h.readers = cancel, uuid.Must(uuid.NewV7()).String(), nil, &sync.WaitGroup{}
		for _, topic := range h.topic {
			h.readers.Go(func() { h.follow(ctx, topic) })
		}
	}
	l = &Listener{Wake: make(chan struct{}, 1), tenant: tenant, next: h.seq + 1, hub: h}
	h.listeners[l] = struct{}{}
	run, seq, _ := strings.Cut(after, "/")
	heard, err := strconv.ParseUint(seq, 10, 64)
	if err != nil || run != h.run || heard > h.seq || heard < h.seq && (len(h.past) == 0 || h.past[0].seq > heard+1) {
		return l, false
	}
	l.next = heard + 1
	if heard < h.seq {
		l.wake()
	}
	return l, true
}

// At is the id of what was taken last.
func (l *Listener) At() string {
	l.hub.mu.Lock()
	defer l.hub.mu.Unlock()
	return fmt.Sprintf("%s/%d", l.hub.run, l.next-1)
}

// Close ends listening. Where nobody listens any more nothing is read, and the last one waits until that is so.
func (l *Listener) Close() {
	h := l.hub
	h.mu.Lock()
	delete(h.listeners, l)
	var readers *sync.WaitGroup
	if len(h.listeners) == 0 && h.stop != nil {
		h.stop()
		h.stop, readers = nil, h.readers
	}
	h.mu.Unlock()
	if readers != nil {
		readers.Wait()
	}
}

// Take gives what changed since the last Take, and the id to come back with. complete is false where more happened than is kept.
func (l *Listener) Take() (changes []Change, id string, complete bool) {
	h := l.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	complete = l.next > h.seq || len(h.past) > 0 && h.past[0].seq <= l.next
	from, _ := slices.BinarySearchFunc(h.past, l.next, func(e entry, seq uint64) int { return int(e.seq) - int(seq) })
	for _, e := range h.past[from:] {
		if e.tenant == l.tenant {
			changes = append(changes, e.change)
		}
	}
	l.next = h.seq + 1
	return changes, fmt.Sprintf("%s/%d", h.run, h.seq), complete
}

func (l *Listener) wake() {
	select {
	case l.Wake <- struct{}{}:
	default:
	}
}

func (h *Hub) publish(tenant string, c Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq++
	if len(h.past) >= 2*remembered {
		h.past = slices.Clone(h.past[len(h.past)-remembered:])
	}
	h.past = append(h.past, entry{seq: h.seq, tenant: tenant, change: c})
	for l := range h.listeners {
		if l.tenant == tenant {
			l.wake()
		}
	}
}

// follow reads a topic from its present end until ctx ends. A topic that is not there yet is waited for.
func (h *Hub) follow(ctx context.Context, topic string) {
	_, next, err := h.bus.Offsets(ctx, topic)
	for ; err != nil; _, next, err = h.bus.Offsets(ctx, topic) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(retry): //nolint:forbidigo // a pause between tries, which no business time hangs on
		}
	}
	var partitions sync.WaitGroup
	for partition, from := range next {
		partitions.Go(func() { h.read(ctx, topic, partition, from) })
	}
	partitions.Wait()
}

func (h *Hub) read(ctx context.Context, topic string, partition int, from int64) {
	for ctx.Err() == nil {
		err := h.bus.Read(ctx, topic, partition, from, bus.Follow, func(m bus.Message) error {
			from = m.Offset + 1
			h.hear(m)
			return nil
		})
		if ctx.Err() != nil {
			return
		}
		if !errors.Is(err, context.Canceled) {
			h.log.WarnContext(ctx, "Live changes are read anew from the end of a topic", "topic", topic, "partition", partition, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(retry): //nolint:forbidigo // a pause between tries, which no business time hangs on
		}
		if _, next, err := h.bus.Offsets(ctx, topic); err == nil && partition < len(next) {
			from = next[partition]
		}
	}
}

// hear passes on what a message says. What is no event of ours is nobody's business here.
func (h *Hub) hear(m bus.Message) {
	e, err := bus.Decode(m)
	if err != nil {
		return
	}
	kind, known := h.types[e.Type]
	if !known {
		return
	}
	c := Change{Service: kind.Service(), Type: e.Type[strings.LastIndexByte(e.Type, '.')+1:], Aggregate: e.AggregateType, ID: e.AggregateID}
	if kind.NamesCustomer() {
		msg := kind.New()
		if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(e.Data, msg); err == nil {
			if about, err := kind.Read(msg); err == nil {
				c.Customer = about.Customer
			}
		}
	}
	h.publish(e.Tenant, c)
}
