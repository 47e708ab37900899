package lead

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
	"github.com/guanxi-crm/guanxi/services/sales/internal/scoring"
)

// Arrival is somebody who came in, before it is known whether they came before.
type Arrival struct {
	Lead    Lead
	Enquiry Enquiry
	Owner   string  // subject of who looks after a new lead already; empty for nobody
	Outcome Outcome // of what came in closed
}

// Outcome is what became of a lead before it came in here; the zero Outcome: nothing yet.
type Outcome struct {
	State  State // Converted or Lost
	At     time.Time
	Reason string // code, of a lost one
	Stage  string // code of how far it came; empty: a won one all stages, a lost one the first
}

// batch are arrivals that are sorted into new leads and enquiries on open ones.
type batch struct {
	keys   []Key
	now    time.Time
	actor  string
	leads  map[uuid.UUID]Lead // open ones that are locked, and new ones
	fresh  []uuid.UUID
	again  []uuid.UUID // open ones that somebody came of again
	asked  []Enquiry
	closed []Arrival
	events []outbox.Event
}

// Bring keeps arrivals, set by set, and gives for each the lead that it is now, as the last of them left it. Whoever calls it holds
// the keys (or the tenant's leads) until the transaction ends.
func (s *Leads) bring(ctx context.Context, tx *pg.Tx, w World, arrivals []Arrival) ([]Lead, error) {
	open := make([]Lead, len(arrivals))
	for i, a := range arrivals {
		if a.Outcome == (Outcome{}) {
			open[i] = a.Lead
		}
	}
	found, err := twins(ctx, tx, open, w.Setting.Dedupe)
	if err != nil {
		return nil, err
	}
	var ids []uuid.UUID
	for i, l := range open {
		for _, t := range found[i] {
			if t.key != KeyCompany || sameAtCompany(l, t) {
				ids = append(ids, t.id)
			}
		}
	}
	b := &batch{keys: w.Setting.Dedupe, now: s.now(), actor: actor(ctx)}
	if b.leads, err = lockAll(ctx, tx, ids); err != nil {
		return nil, err
	}
	which := make([]uuid.UUID, len(arrivals))
	for i, a := range arrivals {
		if which[i], err = b.take(a, found[i]); err != nil {
			return nil, err
		}
	}
	if err := s.save(ctx, tx, b, w.Pipelines); err != nil {
		return nil, err
	}
	now := make([]Lead, len(arrivals))
	for i, id := range which {
		now[i] = b.leads[id]
	}
	return now, nil
}

// take sorts one arrival in and gives the id of the lead that it is.
func (b *batch) take(a Arrival, found []twin) (uuid.UUID, error) {
	l := a.Lead
	l.actor = b.actor
	if a.Outcome != (Outcome{}) {
		return l.ID, b.close(l, a)
	}
	there := slices.DeleteFunc(slices.Clone(found), func(t twin) bool { return !b.leads[t.id].State.Working() })
	if t, ok := pick(l, append(there, b.alike(l)...)); ok {
		now, e, err := b.leads[t.id].Enquire(l, a.Enquiry, b.now)
		if err != nil {
			return uuid.Nil, err
		}
		e.MatchedBy = t.key
		b.leads[t.id] = now
		if !slices.Contains(b.fresh, t.id) && !slices.Contains(b.again, t.id) {
			b.again = append(b.again, t.id)
		}
		b.asked, b.events = append(b.asked, e), append(b.events, enquiredEvent(now, e, b.now))
		return t.id, nil
	}
	_, err := b.add(l, a)
	return l.ID, err
}

// add keeps a new lead and gives it as it is then.
func (b *batch) add(l Lead, a Arrival) (now Lead, err error) {
	b.fresh, b.asked, b.events = append(b.fresh, l.ID), append(b.asked, a.Enquiry), append(b.events, capturedEvent(l))
	if now = l; a.Owner != "" {
		if now, err = l.Assign(l.Team, a.Owner, "hand", b.now); err != nil {
			return l, err
		}
		b.events = append(b.events, assignedEvent(l, now, "hand"))
	}
	b.leads[l.ID] = now
	return now, nil
}

// close keeps a new lead that came in closed.
func (b *batch) close(l Lead, a Arrival) (err error) {
	if l, err = b.add(l, a); err != nil {
		return err
	}
	l.Stage = a.Outcome.Stage
	if a.Outcome.State == Converted {
		l, err = l.Convert(l.CustomerID, uuid.Nil, uuid.Nil, a.Outcome.At)
		b.events = append(b.events, wonBeforeEvent(l, b.now))
	} else {
		l, err = l.Lose(a.Outcome.Reason, a.Outcome.At)
		b.events = append(b.events, lostEvent(l, b.now))
	}
	b.leads[l.ID] = l
	b.closed = append(b.closed, a)
	return err
}

// alike gives the new leads of this batch that a lead may be the same as.
func (b *batch) alike(l Lead) (found []twin) {
	for _, id := range b.fresh {
		o := b.leads[id]
		if !o.State.Working() {
			continue
		}
		for _, k := range []struct {
			key  Key
			same bool
		}{
			{KeyCustomer, l.CustomerID != uuid.Nil && l.CustomerID == o.CustomerID},
			{KeyEmail, l.Email != "" && l.Email == o.Email}, {KeyPhone, l.Phone != "" && l.Phone == o.Phone},
			{KeyCompany, l.Domain != "" && l.Domain == o.Domain},
		} {
			if k.same && (k.key == KeyCustomer || slices.Contains(b.keys, k.key)) {
				found = append(found, twin{id: o.ID, key: k.key, name: o.Name, company: o.Company})
			}
		}
	}
	return found
}

// save writes what the batch came to, has it scored and tells of it.
func (s *Leads) save(ctx context.Context, tx *pg.Tx, b *batch, book *pipeline.Book) error {
	fresh, again := make([]Lead, len(b.fresh)), make([]Lead, len(b.again))
	cases := make([]scoring.Case, 0, len(fresh)+len(again))
	for i, id := range b.fresh {
		fresh[i] = b.leads[id]
		cases = append(cases, fresh[i].scored(book))
	}
	for i, id := range b.again {
		again[i] = b.leads[id]
		cases = append(cases, again[i].scored(book))
	}
	insert(tx, fresh)
	SaveAll(tx, again...)
	saveEnquiries(tx, b.asked)
	if err := s.outbox.Append(ctx, tx, b.events...); err != nil {
		return err
	}
	if err := s.scores.Save(ctx, tx, cases...); err != nil {
		return err
	}
	return s.count(ctx, tx, b.closed)
}

// count has closed arrivals count at the times at which they were closed.
func (s *Leads) count(ctx context.Context, tx *pg.Tx, arrived []Arrival) error {
	closed := make([]scoring.Closed, len(arrived))
	for i, a := range arrived {
		closed[i] = scoring.Closed{ID: a.Lead.ID, Won: a.Outcome.State == Converted, At: a.Outcome.At}
	}
	return s.scores.Close(ctx, tx, closed...)
}

// scored is the lead as its score is reckoned from: in codes.
func (l Lead) scored(book *pipeline.Book) scoring.Case {
	p, ok := book.Find(l.Pipeline)
	if !ok {
		p = pipeline.Standard()
	}
	stage := l.Stage
	if stage == "" {
		stage = p.First().Code
	}
	return scoring.Case{
		ID: l.ID, Team: l.Team, Pipeline: l.Pipeline, Stage: stage, Stages: p.Codes(), Tags: l.Tags,
		Fields: l.Codes(),
	}
}

// correct says of a way to reach somebody that it is there: whatever is kept has the right form.
func correct(kept string) string {
	if kept == "" {
		return ""
	}
	return "correct"
}
