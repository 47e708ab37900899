package growth

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// Drive tells the tiers of a member's new score; it gives the events of what that changed. The member is locked.
type Drive func(ctx context.Context, tx *pg.Tx, book *programme.Book, m member.Member, score int) ([]outbox.Event, error)

// Growths is what can be done with growth scores.
type Growths struct {
	db     *pg.DB
	ops    *pg.DB // looks over all tenants
	outbox *outbox.Outbox
	drive  Drive
	clock  func() time.Time
}

// New makes the capability; drive may be nil.
func New(db, ops *pg.DB, o *outbox.Outbox, drive Drive, clock func() time.Time) *Growths {
	return &Growths{db: db, ops: ops, outbox: o, drive: drive, clock: clock}
}

func (g *Growths) now() time.Time { return g.clock().UTC().Truncate(time.Microsecond) }

// count takes in how often something was done.
func (f *Facts) count(kind string, n int64) {
	switch kind {
	case programme.GrowthInteractions:
		f.Interactions = n
	case programme.GrowthReviews:
		f.Reviews = n
	case programme.GrowthReferrals:
		f.Referrals = n
	}
}

// categories gives those of the articles, each once, by their codes.
func categories(terms programme.Terms, skus []string) (codes []string) {
	for _, sku := range skus {
		if c := terms.CategoryOf(sku); c != "" && !slices.Contains(codes, c) {
			codes = append(codes, c)
		}
	}
	slices.Sort(codes)
	return codes
}

// scoring gives the programmes that have a growth score now, by their codes.
func scoring(book *programme.Book, now time.Time) (codes []string) {
	for _, code := range book.Codes() {
		if p, ok := book.At(code, now); ok && p.Growth.On() {
			codes = append(codes, code)
		}
	}
	return codes
}

// Rescore scores the members of all programmes that have a score who are one of the customers, or one with them. The book has
// been read.
func (g *Growths) Rescore(ctx context.Context, tx *pg.Tx, book *programme.Book, customers []uuid.UUID, cause string) error {
	codes := scoring(book, g.now())
	if len(codes) == 0 || len(customers) == 0 {
		return nil
	}
	members, err := membersOf(ctx, tx, customers, codes)
	if err != nil {
		return err
	}
	return g.rescore(ctx, tx, book, members, cause)
}

// rescore scores members. They are locked first: of several who write what one customer did at once, the last one to get the
// lock reads what all of them wrote.
func (g *Growths) rescore(ctx context.Context, tx *pg.Tx, book *programme.Book, ids []uuid.UUID, cause string) error {
	if len(ids) == 0 {
		return nil
	}
	member.LockAll(tx, ids)
	members, err := member.FindAll(ctx, tx, ids)
	if err != nil {
		return err
	}
	now := g.now()
	var subjects []*subject
	for _, m := range members {
		if s := judge(book, m, now); s != nil && m.State != member.Left {
			subjects = append(subjects, s)
		}
	}
	if len(subjects) == 0 {
		return nil
	}
	if err := readFacts(ctx, tx, subjects); err != nil {
		return err
	}
	return g.keep(ctx, tx, book, subjects, cause, now)
}

// judge gives the member as one to be scored now; nil where the programme has no score.
func judge(book *programme.Book, m member.Member, now time.Time) *subject {
	p, ok := book.At(m.Programme, now)
	if !ok || !p.Growth.On() {
		return nil
	}
	return &subject{Member: m, terms: p, since: p.Growth.Since(now, p.Zone).UTC(), until: until(now, p.Zone).UTC()}
}

// keep queues the scores of the subjects, tells of those that changed by at least the step of their programme, and lets every
// change drive the tiers; so does the first score by other terms, by which it may drive them for the first time.
func (g *Growths) keep(ctx context.Context, tx *pg.Tx, book *programme.Book, subjects []*subject, cause string, now time.Time) error {
	var (
		ids          []uuid.UUID
		scores, told []int32
		versions     []int32
		changes      []change
		events       []outbox.Event
	)
	for _, s := range subjects {
		to := Compose(s.terms.Growth, s.facts)
		if to.Score == s.was && s.version == s.terms.Version {
			continue
		}
		last := s.told
		if diff := to.Score - s.told; max(diff, -diff) >= s.terms.Growth.LeastChange() {
			id, err := uuid.NewV7()
			if err != nil {
				return err
			}
			last = to.Score
			changes = append(changes, change{id: id, s: s, to: to, cause: cause, scored: now})
			events = append(events, scoredEvent(s, to.Score, now))
		}
		ids, scores = append(ids, s.ID), append(scores, int32(to.Score))
		told, versions = append(told, int32(last)), append(versions, int32(s.terms.Version))
		if g.drive != nil {
			more, err := g.drive(ctx, tx, book, s.Member, to.Score)
			if err != nil {
				return err
			}
			events = append(events, more...)
		}
	}
	queueScores(tx, ids, scores, told, versions, now)
	if err := queueHistory(tx, changes); err != nil {
		return err
	}
	if len(events) == 0 {
		return nil
	}
	return g.outbox.Append(ctx, tx, events...)
}

func scoredEvent(s *subject, score int, now time.Time) outbox.Event {
	return outbox.Event{Aggregate: member.Aggregate, ID: s.ID, Time: now, Message: &loyaltyv1.GrowthScored{
		MemberId: s.ID.String(), CustomerId: s.CustomerID.String(), Programme: s.Programme, Score: int32(score), FromScore: int32(s.told),
		ScoredAt: timestamppb.New(now),
	}}
}

// Add queues behaviours that another room knows of; rescore the customers afterwards.
func Add(tx *pg.Tx, all ...Behaviour) { queueBehaviours(tx, all) }

// Report takes in what an integrator tells that a member did. The same key with the same content gives what stands in the books
// (made false); with another one it is the Conflict behaviour_id_reused. Whoever has left does nothing any more (Conflict
// member_left).
func (g *Growths) Report(ctx context.Context, memberID uuid.UUID, in Behaviour) (b Behaviour, made bool, err error) {
	caller, _ := auth.From(ctx)
	result, err := g.db.Command(ctx, caller.Tenant, func(tx *pg.Tx) (pg.Result, error) {
		m, err := member.Find(ctx, tx, memberID)
		if err != nil {
			return pg.Result{}, err
		}
		erasure.Refuse(tx, m.CustomerID)
		book := programme.BookOf(tx)
		if m, err = member.Lock(ctx, tx, memberID); err != nil {
			return pg.Result{}, err
		}
		b = in
		b.CustomerID, b.MemberID, b.Programme, b.RecordedAt, b.RecordedBy = m.CustomerID, m.ID, m.Programme, g.now(), caller.Subject
		b.OccurredAt = b.OccurredAt.UTC().Truncate(time.Microsecond)
		there, known, err := findBehaviour(ctx, tx, b.Kind, b.Key)
		switch {
		case err != nil:
			return pg.Result{}, err
		case known && (there.MemberID != b.MemberID || !there.OccurredAt.Equal(b.OccurredAt)):
			return pg.Result{}, problem.New(problem.Conflict, "behaviour_id_reused",
				"Something else was reported under this id already. Take another id, or report what you reported before.")
		case known:
			b = there
			return pg.Result{ID: m.ID, Status: http.StatusOK}, nil
		case m.State == member.Left:
			return pg.Result{}, problem.New(problem.Conflict, "member_left", "The member has left the programme: nothing is counted any more.")
		}
		queueBehaviours(tx, []Behaviour{b})
		return pg.Result{ID: m.ID, Status: http.StatusCreated}, g.Rescore(ctx, tx, book, []uuid.UUID{m.CustomerID}, CauseBehaviour)
	})
	if err == nil && result.Replayed {
		return g.reported(ctx, in)
	}
	return b, result.Status == http.StatusCreated, err
}
