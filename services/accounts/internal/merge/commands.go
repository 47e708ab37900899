package merge

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/field"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/matching"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/tenant"
)

// Merge is one merge: from MergedAt to UndoneAt the absorbed customer's id means the survivor.
type Merge struct {
	ID         uuid.UUID // UUIDv7
	SurvivorID uuid.UUID
	AbsorbedID uuid.UUID
	Reason     string // code
	MergedAt   time.Time
	MergedBy   string // subject
	UndoneAt   time.Time
	UndoneBy   string
}

// UndoUntil is when the merge can no longer be undone.
func (m Merge) UndoUntil() time.Time { return m.MergedAt.Add(UndoWithin) }

// Tangled finds relationships that would make no sense once the two groups of ids mean one customer, and gives a code for
// each sort; none: they can be merged.
type Tangled func(ctx context.Context, tx *pg.Tx, survivor, absorbed []uuid.UUID) ([]string, error)

// Erasing tells whether an erasure of any of the customers is under way: whoever is being erased is neither merged nor
// taken apart.
type Erasing func(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) (bool, error)

// Merges is what can be done with merges.
type Merges struct {
	db      *pg.DB
	outbox  *outbox.Outbox
	tangled Tangled
	erasing Erasing
	held    Held
	clock   func() time.Time
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, tangled Tangled, erasing Erasing, held Held, clock func() time.Time) *Merges {
	return &Merges{db: db, outbox: o, tangled: tangled, erasing: erasing, held: held, clock: clock}
}

// Request asks for a merge. An id of the survivor may be an alias; the absorbed one must stand for itself.
type Request struct {
	Survivor, Absorbed uuid.UUID
	// Pair is the pair of the queue of duplicates that is accepted by this; Nil: none. Absorbed is the other one of the pair
	// then, and Survivor, where it is Nil, the one who was registered first.
	Pair   uuid.UUID
	Reason string
	Choice Choice
}

// Preview says what the merge would make of the survivor's record and changes nothing. Values of sensitive custom fields are
// withheld.
func (m *Merges) Preview(ctx context.Context, in Request) (Merged, error) {
	var plan Merged
	err := m.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		defined, err := field.Definitions(ctx, tx)
		if err != nil {
			return err
		}
		p, err := m.plan(ctx, tx, in, false)
		if err != nil {
			return err
		}
		plan = p.merged
		for n, d := range plan.Decisions {
			if name, custom := strings.CutPrefix(d.Field, CustomPrefix); custom && defined[name].Class.Sensitive() {
				plan.Decisions[n].Value, plan.Decisions[n].Withheld = "", true
			}
		}
		return nil
	})
	return plan, err
}

// Merge makes the absorbed customer's id an alias of the survivor.
func (m *Merges) Merge(ctx context.Context, in Request) (Merge, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Merge{}, err
	}
	who, _ := auth.From(ctx)
	made := Merge{ID: id, Reason: in.Reason, MergedAt: m.now(), MergedBy: who.Subject}
	result, err := m.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		if _, err := tenant.ForWrite(ctx, tx); err != nil {
			return pg.Result{}, err
		}
		if in, err = accept(ctx, tx, in, made); err != nil {
			return pg.Result{}, err
		}
		p, err := m.plan(ctx, tx, in, true)
		if err != nil {
			return pg.Result{}, err
		}
		made.SurvivorID, made.AbsorbedID = p.survivor.ID, p.absorbed.ID
		return pg.Result{ID: id, Status: http.StatusCreated}, m.carryOut(ctx, tx, made, p)
	})
	return m.answer(ctx, made, result, err)
}

// accept takes note that a pair of the queue is one customer, and gives the request with the two of them.
func accept(ctx context.Context, tx *pg.Tx, in Request, made Merge) (Request, error) {
	if in.Pair == uuid.Nil {
		return in, nil
	}
	pair, err := matching.Accept(ctx, tx, in.Pair, made.MergedBy, made.MergedAt)
	if err != nil {
		return in, err
	}
	switch in.Survivor {
	case uuid.Nil, pair.Low:
		in.Survivor, in.Absorbed = pair.Low, pair.High
	case pair.High:
		in.Absorbed = pair.Low
	default:
		return in, problem.InvalidBody("merge_invalid", "The two were not merged: mend the fields named here.", []problem.Field{{
			Location: "survivor_id", Code: "customer_unknown", Message: "must be the id of one of the pair"}})
	}
	return in, nil
}

func (m *Merges) carryOut(ctx context.Context, tx *pg.Tx, made Merge, p planned) error {
	after := State{p.merged.Fields, p.merged.Tags}
	survivor, err := after.with(p.own[made.SurvivorID])
	if err != nil {
		return err
	}
	absorbed := p.own[made.AbsorbedID]
	survivor.Version, survivor.ChangedAt = survivor.Version+1, made.MergedAt
	survivor.Aliases = slices.Concat(survivor.Aliases, []uuid.UUID{absorbed.ID}, absorbed.Aliases)
	absorbed.State, absorbed.RootID = customer.Absorbed, survivor.ID
	absorbed.Version, absorbed.ChangedAt = absorbed.Version+1, made.MergedAt
	customer.Update(tx, append(p.mean(absorbed.Aliases, survivor.ID), survivor, absorbed)...)
	if err := insert(tx, made, Layer{Before: State{p.survivor.Fields, p.survivor.Tags}, After: after}); err != nil {
		return err
	}
	return m.outbox.Append(ctx, tx, mergedEvent(made), absorbedEvent(made))
}

// planned is a merge that can be made.
type planned struct {
	own                map[uuid.UUID]customer.Customer // of the two and of the aliases of the absorbed one
	survivor, absorbed Record
	merged             Merged
}

// mean gives the customers of the aliases, who stand for another from now on. Nothing else of them changes.
func (p planned) mean(aliases []uuid.UUID, root uuid.UUID) []customer.Customer {
	all := make([]customer.Customer, 0, len(aliases)+2)
	for _, id := range aliases {
		alias := p.own[id]
		alias.RootID = root
		all = append(all, alias)
	}
	return all
}

// plan reads the two customers, locked where they are to be changed, and plans their merge.
func (m *Merges) plan(ctx context.Context, tx *pg.Tx, in Request, change bool) (p planned, err error) {
	into, err := customer.Resolve(ctx, tx, in.Survivor)
	if err != nil {
		return p, err
	}
	goes, err := customer.Resolve(ctx, tx, in.Absorbed)
	if err != nil {
		return p, err
	}
	aliases := goes.Aliases
	if change {
		refs, err := locked(ctx, tx, into, goes)
		if err != nil {
			return p, err
		}
		aliases = refs[goes.ID].Aliases
	}
	if p.own, err = customer.Own(ctx, tx, append([]uuid.UUID{into.Root, goes.ID}, aliases...)...); err != nil {
		return p, err
	}
	if p.survivor, err = recordOf(p.own[into.Root]); err != nil {
		return p, err
	}
	if p.absorbed, err = recordOf(p.own[goes.ID]); err != nil {
		return p, err
	}
	if err := fit(in, p.survivor, p.absorbed); err != nil {
		return p, err
	}
	stays, joins := p.own[into.Root].Group(), p.own[goes.ID].Group()
	if err := m.refuseErasing(ctx, tx, slices.Concat(stays, joins)); err != nil {
		return p, err
	}
	tangles, err := m.tangled(ctx, tx, stays, joins)
	if err != nil {
		return p, err
	}
	if len(tangles) > 0 {
		refused := problem.New(problem.Conflict, "merge_tangles", "As one customer, the two would have relationships that make no sense. End those first.")
		for _, code := range tangles {
			refused = refused.WithField("body.absorbed_id", code, "the two are related, or would be in a circle")
		}
		return p, refused
	}
	var faults []problem.Field
	if p.merged, faults = Plan(p.survivor, p.absorbed, in.Choice); len(faults) > 0 {
		return p, problem.InvalidBody("merge_invalid", "The two were not merged: mend the fields named here.", faults)
	}
	return p, nil
}

func (m *Merges) refuseErasing(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) error {
	erasing, err := m.erasing(ctx, tx, customers)
	if err == nil && erasing {
		err = problem.New(problem.Conflict, "erasure_open", "An erasure of the customer is under way. Cancel it first, while that is possible.")
	}
	return err
}

// fit tells why two records cannot be merged as they stand.
func fit(in Request, survivor, absorbed Record) error {
	switch {
	case survivor.ID == absorbed.ID, absorbed.Root == survivor.ID:
		return problem.InvalidBody("merge_invalid", "The two were not merged: mend the fields named here.", []problem.Field{{
			Location: "absorbed_id", Code: "self_merge", Message: "means the same customer already"}})
	case survivor.State == string(customer.Absorbed): // it was absorbed between the first look and the lock
		return problem.New(problem.Conflict, "customer_absorbed", "The surviving customer has just been merged into another. Read it again.")
	case absorbed.State == string(customer.Absorbed):
		return problem.New(problem.Conflict, "customer_absorbed",
			"Customer %s is merged into %s already. Undo that merge, or merge that customer.", in.Absorbed, absorbed.Root)
	case survivor.State == string(customer.Erased), absorbed.State == string(customer.Erased):
		return problem.New(problem.Gone, "customer_erased", "One of the two was erased: there is nothing to be merged.")
	case survivor.State == string(customer.Archived):
		return archived(survivor.ID)
	case absorbed.State == string(customer.Archived):
		return archived(absorbed.ID)
	}
	return nil
}

func archived(id uuid.UUID) error {
	return problem.New(problem.Conflict, "customer_archived", "Customer %s is archived. Take it out of the archive first.", id)
}

// Undo makes the absorbed customer one of its own again. Both are as they were before, with all that each got since. What
// was changed in the survivor's record since stays there.
func (m *Merges) Undo(ctx context.Context, id uuid.UUID) (Merge, error) {
	who, _ := auth.From(ctx)
	var undone Merge
	result, err := m.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		if _, err := tenant.ForWrite(ctx, tx); err != nil {
			return pg.Result{}, err
		}
		was, err := get(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		undone = was
		undone.UndoneAt, undone.UndoneBy = m.now(), who.Subject
		return pg.Result{ID: id, Status: http.StatusOK}, m.takeBack(ctx, tx, undone)
	})
	return m.answer(ctx, undone, result, err)
}

func (m *Merges) takeBack(ctx context.Context, tx *pg.Tx, undone Merge) error {
	ref, err := customer.Resolve(ctx, tx, undone.SurvivorID)
	if err != nil {
		return err
	}
	refs, err := locked(ctx, tx, ref)
	if err != nil {
		return err
	}
	layers, err := standing(ctx, tx, undone.SurvivorID)
	if err != nil {
		return err
	}
	own, err := customer.Own(ctx, tx, append(refs[ref.ID].Group(), undone.SurvivorID, undone.AbsorbedID)...)
	if err != nil {
		return err
	}
	survivor := own[undone.SurvivorID]
	n := slices.IndexFunc(layers, func(r row) bool { return r.Merge.ID == undone.ID })
	switch {
	case n < 0:
		return problem.New(problem.Conflict, "merge_undone", "The merge was undone already.")
	case survivor.State == customer.Erased:
		return problem.New(problem.Gone, "customer_erased", "The customer was erased: nothing can be brought back.")
	case survivor.State == customer.Absorbed:
		return problem.New(problem.Conflict, "survivor_absorbed",
			"Customer %s was merged into another since. Undo that merge first.", survivor.ID)
	case survivor.State == customer.Archived:
		return archived(survivor.ID)
	case undone.UndoneAt.After(undone.UndoUntil()):
		return problem.New(problem.Conflict, "undo_expired", "A merge can be undone for 90 days, and these have passed.")
	}
	if err := m.refuseErasing(ctx, tx, survivor.Group()); err != nil {
		return err
	}
	if err := separate(tx, undone, own, layers, n); err != nil {
		return err
	}
	markUndone(tx, undone)
	matching.TakenApart(tx, undone.SurvivorID, undone.AbsorbedID, undone.UndoneBy, undone.UndoneAt)
	return m.outbox.Append(ctx, tx, undoneEvent(undone), restoredEvent(undone))
}

// separate queues the two customers as they are without the merge, which is the n-th of the layers. own are all of the
// survivor's group.
func separate(tx *pg.Tx, undone Merge, own map[uuid.UUID]customer.Customer, layers []row, n int) error {
	survivor, absorbed := own[undone.SurvivorID], own[undone.AbsorbedID]
	now, err := recordOf(survivor)
	if err != nil {
		return err
	}
	later := make([]Layer, 0, len(layers))
	for _, l := range layers[n+1:] {
		l.AbsorbedTags = own[l.AbsorbedID].Tags
		later = append(later, l.Layer)
	}
	state, rebased := Undo(layers[n].Layer, later, State{now.Fields, now.Tags})
	if err := rebase(tx, rebased); err != nil {
		return err
	}
	if survivor, err = state.with(survivor); err != nil {
		return err
	}
	survivor.Version, survivor.ChangedAt = survivor.Version+1, undone.UndoneAt
	survivor.Aliases = deleteFrom(survivor.Aliases, absorbed.Group()...)
	absorbed.State, absorbed.RootID = customer.Active, uuid.Nil
	absorbed.Version, absorbed.ChangedAt = absorbed.Version+1, undone.UndoneAt
	customer.Update(tx, append(planned{own: own}.mean(absorbed.Aliases, absorbed.ID), survivor, absorbed)...)
	return nil
}

// answer gives the merge of a command that succeeded, read anew when the command was a repetition.
func (m *Merges) answer(ctx context.Context, made Merge, result pg.Result, err error) (Merge, error) {
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return m.Get(ctx, result.ID)
	}
	return made, err
}

func (m *Merges) now() time.Time { return m.clock().UTC().Truncate(time.Microsecond) }

func compareIDs(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }

const aggregate = "customer"

func mergedEvent(m Merge) outbox.Event {
	return outbox.Event{Aggregate: aggregate, ID: m.SurvivorID, Time: m.MergedAt, Message: &accountsv1.CustomerMerged{
		CustomerId: m.SurvivorID.String(), AbsorbedId: m.AbsorbedID.String(), MergeId: m.ID.String(), MergedAt: timestamppb.New(m.MergedAt),
	}}
}

func absorbedEvent(m Merge) outbox.Event {
	return outbox.Event{Aggregate: aggregate, ID: m.AbsorbedID, Time: m.MergedAt, Message: &accountsv1.CustomerAbsorbed{
		CustomerId: m.AbsorbedID.String(), SurvivorId: m.SurvivorID.String(), MergeId: m.ID.String(), AbsorbedAt: timestamppb.New(m.MergedAt),
	}}
}

func undoneEvent(m Merge) outbox.Event {
	return outbox.Event{Aggregate: aggregate, ID: m.SurvivorID, Time: m.UndoneAt, Message: &accountsv1.CustomerMergeUndone{
		CustomerId: m.SurvivorID.String(), RestoredId: m.AbsorbedID.String(), MergeId: m.ID.String(), UndoneAt: timestamppb.New(m.UndoneAt),
	}}
}

func restoredEvent(m Merge) outbox.Event {
	return outbox.Event{Aggregate: aggregate, ID: m.AbsorbedID, Time: m.UndoneAt, Message: &accountsv1.CustomerRestored{
		CustomerId: m.AbsorbedID.String(), SurvivorId: m.SurvivorID.String(), MergeId: m.ID.String(), RestoredAt: timestamppb.New(m.UndoneAt),
	}}
}
