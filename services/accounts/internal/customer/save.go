package customer

import (
	"bytes"
	"context"
	"maps"
	"slices"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	referencev1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/reference/v1"
)

// Changed is a customer before and after a change, and the names of the fields that differ.
type Changed struct {
	Was, Now Customer
	Fields   []string
	Move     *Move // into another stage, or a longer or shorter hold on it
}

func changedIf(changed bool, was, now Customer, field string) Changed {
	if !changed {
		return Changed{Was: was, Now: was}
	}
	return Changed{Was: was, Now: now, Fields: []string{field}}
}

// Save queues changed customers, what was added to them, changed and taken away, and their events; those without a change
// are left out. The customers are locked.
func Save(ctx context.Context, tx *pg.Tx, o *outbox.Outbox, changes ...Changed) error {
	var (
		customers  []Customer
		identities []Identity
		kept, rest []Address
		moves      []Move
		events     []outbox.Event
	)
	for _, ch := range changes {
		if len(ch.Fields) == 0 && ch.Move == nil {
			continue
		}
		customers = append(customers, ch.Now)
		changed := ch.identities()
		saved, removed := ch.addresses()
		identities, kept, rest = append(identities, changed...), append(kept, saved...), append(rest, removed...)
		if ch.Move != nil {
			moves = append(moves, *ch.Move)
		}
		events = append(events, ch.events(changed, append(saved, removed...))...)
	}
	if len(customers) == 0 {
		return nil
	}
	Update(tx, customers...)
	saveIdentities(tx, identities)
	saveAddresses(tx, kept)
	removeAddresses(tx, rest)
	insertMoves(tx, moves)
	return o.Append(ctx, tx, events...)
}

// identities gives the rows that are new or differ.
func (ch Changed) identities() []Identity {
	var out []Identity
	for n, row := range ch.Now.rows {
		if n >= len(ch.Was.rows) || row != ch.Was.rows[n] {
			out = append(out, row)
		}
	}
	return out
}

// addresses gives those that are new or differ, and those that are gone.
func (ch Changed) addresses() (saved, removed []Address) {
	was := make(map[uuid.UUID]Address, len(ch.Was.Addresses))
	for _, a := range ch.Was.Addresses {
		was[a.ID] = a
	}
	for _, a := range ch.Now.Addresses {
		if before, known := was[a.ID]; !known || !before.equal(a.Place) {
			saved = append(saved, a)
		}
		delete(was, a.ID)
	}
	removed = slices.Collect(maps.Values(was))
	slices.SortFunc(removed, func(a, b Address) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return saved, removed
}

// events tells of the change on the stream of the customer, and of what hangs on an alias on the alias's: whoever follows
// that id's ids in other systems would otherwise take them for the survivor's, also after the merge is undone.
func (ch Changed) events(identities []Identity, addresses []Address) []outbox.Event {
	hanging := make(map[uuid.UUID][]string)
	add := func(id uuid.UUID, field string) {
		if !slices.Contains(hanging[id], field) {
			hanging[id] = append(hanging[id], field)
		}
	}
	for _, a := range addresses {
		add(a.CustomerID, "addresses")
	}
	for _, i := range identities {
		add(i.CustomerID, "identities")
	}
	for _, field := range ch.Fields {
		if field != "addresses" && field != "identities" {
			add(ch.Now.ID, field)
		}
	}
	var events []outbox.Event
	if m := ch.Move; m != nil && m.Stage != ch.Was.Stage {
		events = append(events, movedEvent(ch.Now, ch.Was.Stage, *m))
	} else if m != nil {
		add(ch.Now.ID, "stage_manual_until")
	}
	for _, id := range ch.Now.Group() {
		if fields := hanging[id]; len(fields) > 0 {
			slices.Sort(fields)
			events = append(events, ChangedEvent(ch.Now, id, fields))
		}
	}
	return events
}

const aggregate = "customer"

// RegisteredEvent tells of a new customer, without any personal data.
func RegisteredEvent(c Customer) outbox.Event {
	kinds := map[Kind]accountsv1.CustomerKind{
		Person: accountsv1.CustomerKind_CUSTOMER_KIND_PERSON, Organisation: accountsv1.CustomerKind_CUSTOMER_KIND_ORGANISATION,
	}
	return outbox.Event{Aggregate: aggregate, ID: c.ID, First: true, Time: c.RegisteredAt, Message: &accountsv1.CustomerRegistered{
		CustomerId: c.ID.String(), Kind: kinds[c.Kind], Source: c.Source, ExternalRefs: refs(c, c.ID),
		RegisteredAt: timestamppb.New(c.RegisteredAt),
	}}
}

// ChangedEvent tells on the stream of id, the customer's own or an alias, which fields changed (sorted), and by which ids
// other systems know that one.
func ChangedEvent(c Customer, id uuid.UUID, fields []string) outbox.Event {
	return outbox.Event{Aggregate: aggregate, ID: id, Time: c.ChangedAt, Message: &accountsv1.CustomerChanged{
		CustomerId: id.String(), ChangedFields: fields, ExternalRefs: refs(c, id), ChangedAt: timestamppb.New(c.ChangedAt),
	}}
}

func movedEvent(c Customer, before Stage, m Move) outbox.Event {
	return outbox.Event{Aggregate: aggregate, ID: c.ID, Time: c.ChangedAt, Message: &accountsv1.LifecycleStageChanged{
		CustomerId: c.ID.String(), StageBefore: wireStage(before), Stage: wireStage(m.Stage), Segment: string(m.Stage.Segment()),
		Reason: m.Reason, ChangedAt: timestamppb.New(m.Since),
	}}
}

func wireStage(s Stage) accountsv1.LifecycleStage {
	return map[Stage]accountsv1.LifecycleStage{
		Awareness:   accountsv1.LifecycleStage_LIFECYCLE_STAGE_AWARENESS,
		Exploration: accountsv1.LifecycleStage_LIFECYCLE_STAGE_EXPLORATION,
		Familiarity: accountsv1.LifecycleStage_LIFECYCLE_STAGE_FAMILIARITY,
		Loyalty:     accountsv1.LifecycleStage_LIFECYCLE_STAGE_LOYALTY,
		Separation:  accountsv1.LifecycleStage_LIFECYCLE_STAGE_SEPARATION,
	}[s]
}

// refs gives the ids by which other systems know the customer of the id, one merged into the customer or itself.
func refs(c Customer, id uuid.UUID) []*referencev1.ExternalRef {
	var out []*referencev1.ExternalRef
	for _, i := range external(c.rows, id) {
		system, _ := i.Type.System()
		out = append(out, &referencev1.ExternalRef{System: system, Id: i.Value})
	}
	return out
}
