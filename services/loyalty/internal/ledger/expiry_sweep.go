package ledger

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// Bounds of one step of a sweep.
const (
	sweepMost  = 8000 // lots, but for those of the last group
	sweepLanes = 2    // transactions at once: while one is carried out, the next one is made
	leastPiece = 100  // what is less is not worth dividing
)

// bounds are those of a page of a sweep.
type bounds struct {
	groups int // of lots
	look   int // members who are looked at for inactivity
	piece  int // groups in a transaction, and the rest of the last member's
}

// Expirer has points run out, and says so 30 days before. It may run in any number of processes.
type Expirer struct {
	ledger *Ledger
	ops    *pg.DB
	log    *slog.Logger
	by     string
	bounds
}

// NewExpirer makes the expirer of a service; ops looks over the lots of all tenants.
func NewExpirer(l *Ledger, ops *pg.DB, log *slog.Logger, service string) *Expirer {
	return &Expirer{ledger: l, ops: ops, log: log, by: "expiry:" + service, bounds: bounds{groups: 4000, look: 20_000, piece: 1000}}
}

// ExpireAll goes the whole way, of all tenants or, where only is not empty, of one.
func (x *Expirer) ExpireAll(ctx context.Context, only string) (s Sweep, err error) {
	for err == nil && !s.Ended() {
		s, err = x.Step(ctx, s, only)
	}
	return s, err
}

// Step goes on from where the sweep stands by one page, whose members are worked on in transactions of their own: it may be
// cut off anywhere and gone again.
func (x *Expirer) Step(ctx context.Context, s Sweep, only string) (Sweep, error) {
	switch s.Part {
	case "":
		s.enter(sweepLots)
		return s, nil
	case sweepLots, sweepWarn:
		return x.stepLots(ctx, s, only)
	case sweepIdle:
		return x.stepIdle(ctx, s, only)
	default:
		return s, nil
	}
}

// stepLots goes on by a page of lots.
func (x *Expirer) stepLots(ctx context.Context, s Sweep, only string) (Sweep, error) {
	now := x.ledger.Now()
	until := now
	if s.Part == sweepWarn {
		until = now.Add(warnedBefore)
		if s.At.Before(now) {
			s.At, s.Tenant, s.Member = now.Add(time.Microsecond), "", uuid.Nil // what has run out by now is no matter of warnings
		}
	}
	var groups []group
	err := x.ops.System(ctx, func(tx *pg.Tx) (err error) {
		groups, err = groupsAfter(ctx, tx, s, only, until, x.groups)
		return err
	})
	if err != nil {
		return s, fmt.Errorf("looking for points that run out: %w", err)
	}
	if len(groups) == 0 {
		s.enter(s.Part.next())
		return s, nil
	}
	var lots int64
	for n, g := range groups {
		if lots += g.Lots; lots >= sweepMost {
			groups = groups[:n+1]
			break
		}
	}
	last := groups[len(groups)-1]
	work := make(map[string][]ending)
	for _, g := range groups {
		if s.Part == sweepLots || !g.Told {
			work[g.Tenant] = append(work[g.Tenant], ending{MemberID: g.Member, At: g.At.UTC()})
		}
	}
	do := x.expire
	if s.Part == sweepWarn {
		do = x.warn
	}
	d, err := x.inPieces(ctx, work, do)
	s.count(d)
	if err != nil {
		return s, err
	}
	s.At, s.Tenant, s.Member = last.At, last.Tenant, last.Member
	return s, nil
}

// stepIdle goes on by a page of members of a tenant one of whose programmes lets points run out by inactivity.
func (x *Expirer) stepIdle(ctx context.Context, s Sweep, only string) (Sweep, error) {
	if s.Tenant == "" || s.Member == uuid.Max {
		err := x.ops.System(ctx, func(tx *pg.Tx) (err error) {
			s.Tenant, err = tenantByInactivity(ctx, tx, s.Tenant, only)
			return err
		})
		s.Member = uuid.Nil
		if err == nil && s.Tenant == "" {
			s.enter(sweepEnded)
		}
		if err != nil || s.Ended() {
			return s, err
		}
	}
	expired, warned, last, err := x.idle(ctx, s)
	if err != nil {
		return s, fmt.Errorf("looking for members of %s who did nothing for long: %w", s.Tenant, err)
	}
	d, err := x.inPieces(ctx, map[string][]ending{s.Tenant: expired}, x.expireIdle)
	s.count(d)
	if err == nil {
		d, err = x.inPieces(ctx, map[string][]ending{s.Tenant: warned}, x.warn)
		s.count(d)
	}
	if err != nil {
		return s, err
	}
	if s.Member = last; last == uuid.Nil {
		s.Member = uuid.Max
	}
	return s, nil
}

// idle looks at a page of members of a tenant: those whose points run out by inactivity by now, and those whose do soon. last is the
// last one that was looked at, Nil at the end.
func (x *Expirer) idle(ctx context.Context, s Sweep) (expired, warned []ending, last uuid.UUID, err error) {
	now := x.ledger.Now()
	err = x.ledger.db.Read(ctx, s.Tenant, func(tx *pg.Tx) error {
		book := programme.BookOf(tx)
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		rules := make(map[string]programme.Programme)
		var codes []string
		var before []time.Time
		for _, code := range book.Codes() {
			if p, ok := book.At(code, now); ok && p.Expiry.Kind == programme.ExpiryInactivity {
				rules[code] = p
				// More than are meant, by the days in which months differ; each is judged by the calendar below.
				codes, before = append(codes, code), append(before, now.Add(warnedBefore).AddDate(0, -p.Expiry.Months, 4))
			}
		}
		if len(codes) == 0 {
			return nil
		}
		idlers, to, err := idlersAfter(ctx, tx, s.Member, codes, before, x.look)
		for _, i := range idlers {
			p := rules[i.Programme]
			switch at := p.Expiry.Inactive(i.ActiveAt, p.Zone); {
			case at.IsZero() || at.After(now.Add(warnedBefore)):
			case at.After(now):
				warned = append(warned, ending{MemberID: i.ID, At: at})
			default:
				expired = append(expired, ending{MemberID: i.ID, At: at})
			}
		}
		last = to
		return err
	})
	return expired, warned, last, err
}

// inPieces has the work done in transactions, some at once. A member comes into one of them only.
func (x *Expirer) inPieces(ctx context.Context, work map[string][]ending,
	do func(ctx context.Context, tenant string, of []ending) (done, error),
) (all done, err error) {
	var lanes errgroup.Group
	lanes.SetLimit(sweepLanes)
	results := make(chan done)
	go func() {
		defer close(results)
		for tenant, of := range work {
			slices.SortStableFunc(of, func(a, b ending) int { return bytes.Compare(a.MemberID[:], b.MemberID[:]) })
			size := min(x.piece, max(leastPiece, (len(of)+sweepLanes-1)/sweepLanes)) // so that no lane waits for another for long
			for len(of) > 0 {
				n := min(size, len(of))
				for n < len(of) && of[n].MemberID == of[n-1].MemberID {
					n++
				}
				piece := of[:n]
				of = of[n:]
				lanes.Go(func() error {
					d, err := x.doOrDivide(ctx, tenant, piece, do)
					results <- d
					return err
				})
			}
		}
		err = lanes.Wait()
	}()
	for d := range results {
		all = all.and(d)
	}
	return all, err
}

// doOrDivide does the work in one transaction; where that does not work and it is not the infrastructure's fault, in halves, until the member
// with whom it does not work stands alone: the others' points do not wait for it.
func (x *Expirer) doOrDivide(ctx context.Context, tenant string, of []ending,
	do func(ctx context.Context, tenant string, of []ending) (done, error),
) (done, error) {
	d, err := do(ctx, tenant, of)
	switch {
	case err == nil:
		return d, nil
	case pg.Transient(err) || ctx.Err() != nil:
		return done{}, fmt.Errorf("points of %s that run out: %w", tenant, err)
	case len(of) == 1:
		x.log.ErrorContext(ctx, "points of a member do not run out as they should", "tenant", tenant, "member", of[0].MemberID, "error", err)
		return done{failed: 1}, nil
	}
	half := len(of) / 2
	one, err := x.doOrDivide(ctx, tenant, of[:half], do)
	if err != nil {
		return one, err
	}
	other, err := x.doOrDivide(ctx, tenant, of[half:], do)
	return one.and(other), err
}

// expire has what is overdue of the members run out.
func (x *Expirer) expire(ctx context.Context, tenant string, of []ending) (done, error) {
	return x.expireLots(ctx, tenant, of, queueOverdue)
}

// expireIdle is expire for members who may lose all their lots.
func (x *Expirer) expireIdle(ctx context.Context, tenant string, of []ending) (done, error) {
	return x.expireLots(ctx, tenant, of, func(tx *pg.Tx, members []uuid.UUID, _ time.Time) *Lots { return QueueLots(tx, members, nil, 0) })
}

// expireLots has points run out: the members locked, their lots read, and all written, two round trips however many they are. Who
// earned or spent meanwhile, or whose points were taken meanwhile, is judged as it stands once it is locked.
func (x *Expirer) expireLots(ctx context.Context, tenant string, of []ending,
	read func(tx *pg.Tx, members []uuid.UUID, now time.Time) *Lots,
) (d done, err error) {
	members := membersOf(of)
	_, err = x.ledger.db.Command(ctx, tenant, func(tx *pg.Tx) (pg.Result, error) {
		now := x.ledger.Now()
		book := programme.BookOf(tx)
		member.LockAll(tx, members)
		lots := read(tx, members, now)
		found, err := member.FindAll(ctx, tx, members)
		if err != nil {
			return pg.Result{}, err
		}
		var steps []Step
		for _, m := range found {
			_, some, _, err := Account{m}.Overdue(x.by, now, termsNow(book, m, now), lots.Of(m.ID))
			if err != nil {
				return pg.Result{}, err
			}
			steps = append(steps, some...)
		}
		d = doneBy(steps)
		return pg.Result{}, x.ledger.Book(ctx, tx, nil, steps...)
	})
	if err != nil {
		return done{}, err
	}
	return d, nil
}

// warn tells the members, who are locked for it, of what runs out at those times; of each member and time once.
func (x *Expirer) warn(ctx context.Context, tenant string, of []ending) (d done, err error) {
	members := membersOf(of)
	ids, at := make([]uuid.UUID, len(of)), make([]time.Time, len(of))
	for i, e := range of {
		ids[i], at[i] = e.MemberID, e.At
	}
	_, err = x.ledger.db.Command(ctx, tenant, func(tx *pg.Tx) (pg.Result, error) {
		now := x.ledger.Now()
		book := programme.BookOf(tx)
		accounts, err := lockAll(ctx, tx, members)
		if err != nil {
			return pg.Result{}, err
		}
		endings, err := endingsOf(ctx, tx, ids, at)
		if err != nil {
			return pg.Result{}, err
		}
		var told []ending
		var events []outbox.Event
		for _, e := range endings {
			a, there := accounts[e.MemberID]
			if !there {
				continue // the auditor's check finds it
			}
			if e.Points = a.warns(e, termsNow(book, a.Member, now)); e.Points > 0 {
				told, events = append(told, e), append(events, warning(a, e.At, e.Points, now))
			}
		}
		d = done{warned: int64(len(told))}
		if len(told) > 0 {
			insertWarnings(tx, told, now)
		}
		return pg.Result{}, x.ledger.outbox.Append(ctx, tx, events...)
	})
	if err != nil {
		return done{}, err
	}
	return d, nil
}

// membersOf gives each of the members once. They come sorted.
func membersOf(of []ending) []uuid.UUID {
	ids := make([]uuid.UUID, 0, len(of))
	for _, e := range of {
		if len(ids) == 0 || ids[len(ids)-1] != e.MemberID {
			ids = append(ids, e.MemberID)
		}
	}
	return ids
}
