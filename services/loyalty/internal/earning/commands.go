package earning

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

const (
	maxDryRun   = 400 * 24 * time.Hour // that a dry run looks over
	maxWaiting  = 5                    // dry runs of a tenant that are not done
	maxAttempts = 3                    // after which one that was interrupted each time has failed
	lease       = time.Minute
	maxRunning  = 20 * time.Minute
	chunk       = 2000 // orders that are read at once, at first
	leastChunk  = 50
)

// try has a dry run made of terms: of the orders placed from from until until, or of last month where both are zero. Nothing is
// changed by it.
func (e *Earnings) try(ctx context.Context, code string, terms programme.Terms, from, until time.Time) (dryRun, error) {
	now := e.now()
	p, err := e.termsOf(ctx, code, now)
	if err != nil {
		return dryRun{}, err
	}
	faults := terms.Faults()
	if from.IsZero() && until.IsZero() {
		from, until = lastMonth(now, p.Zone)
	}
	from, until = from.UTC().Truncate(time.Microsecond), until.UTC().Truncate(time.Microsecond)
	if !until.After(from) || until.Sub(from) > maxDryRun {
		faults = append(faults, problem.Field{Location: "until", Code: "out_of_range", Message: "must be after from, by 400 days at most; leave out both for last month"})
	}
	if len(faults) > 0 {
		return dryRun{}, problem.InvalidBody("dry_run_invalid", "The draft was not tried: mend the fields named here.", faults)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return dryRun{}, err
	}
	caller, _ := auth.From(ctx)
	d := dryRun{ID: id, Programme: code, Terms: terms, From: from, Until: until, State: stateQueued, By: caller.Subject, CreatedAt: now}
	result, err := e.db.Command(ctx, caller.Tenant, func(tx *pg.Tx) (pg.Result, error) {
		waiting, err := countWaiting(ctx, tx)
		if err != nil {
			return pg.Result{}, err
		}
		if waiting >= maxWaiting {
			return pg.Result{}, problem.New(problem.Conflict, "dry_runs_too_many", "%d dry runs are not done yet: wait for one of them.", waiting)
		}
		return pg.Result{ID: id, Status: http.StatusAccepted}, insertDryRun(tx, d)
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return e.dryRun(ctx, code, result.ID)
	}
	return d, err
}

func (e *Earnings) dryRun(ctx context.Context, code string, id uuid.UUID) (d dryRun, err error) {
	err = e.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		d, err = findDryRun(ctx, tx, code, id)
		return err
	})
	return d, err
}

// DryRuns makes all dry runs that wait, one after the other. Whoever is killed at it is followed by another one that begins anew.
func (e *Earnings) DryRuns(ctx context.Context) error {
	waiting, err := e.ops.Across(ctx, `SELECT tenant_id, id FROM earning_dry_run WHERE state IN ('queued', 'running') AND lease_until <= $1
		ORDER BY lease_until LIMIT 20`, e.now())
	if err != nil {
		return err
	}
	for _, one := range waiting {
		if err := e.run(ctx, one.Tenant, one.ID); err != nil {
			return err
		}
	}
	return nil
}

// run makes one dry run, unless somebody else does.
func (e *Earnings) run(ctx context.Context, tenant string, id uuid.UUID) error {
	var (
		d     dryRun
		mine  bool
		begun = e.now()
	)
	err := e.db.Tx(ctx, tenant, func(tx *pg.Tx) (err error) {
		d, mine, err = claim(ctx, tx, id, begun)
		return err
	})
	if err != nil || !mine || d.State == stateFailed {
		return err
	}
	s, err := e.simulate(ctx, tenant, d, begun)
	if ctx.Err() != nil {
		return err // the next one begins anew
	}
	return e.db.Tx(context.WithoutCancel(ctx), tenant, func(tx *pg.Tx) error {
		switch {
		case errors.Is(err, errTooLong):
			end(tx, id, stateFailed, "too_long", nil, e.now())
		case err != nil:
			return err
		default:
			end(tx, id, stateDone, "", s.tally, e.now())
		}
		return nil
	})
}

var errTooLong = errors.New("the dry run takes too long")

// simulate reads the orders in parts, none of which takes more than 5 seconds.
func (e *Earnings) simulate(ctx context.Context, tenant string, d dryRun, begun time.Time) (*simulation, error) {
	s := &simulation{from: d.From, tally: newTally()}
	after, size := position{}, chunk
	for {
		var part []seen
		err := e.db.Read(ctx, tenant, func(tx *pg.Tx) (err error) {
			book := programme.BookOf(tx)
			if err := tx.Flush(ctx); err != nil {
				return err
			}
			p, ok := book.At(d.Programme, e.now())
			if !ok {
				return errNoProgramme
			}
			p.Terms = d.Terms
			s.terms = p
			part, s.before, err = readPart(ctx, tx, d, s, after, size)
			return err
		})
		switch {
		case tookTooLong(err) && size > leastChunk:
			size /= 4
			continue
		case tookTooLong(err) || e.now().Sub(begun) > maxRunning:
			return nil, errTooLong
		case err != nil:
			return nil, err
		}
		for _, o := range part {
			s.judge(o)
		}
		if len(part) < size {
			s.closeMember()
			return s, nil
		}
		last := part[len(part)-1]
		after = position{last.CustomerID, last.PlacedAt, last.ID}
		if err := e.db.Tx(ctx, tenant, func(tx *pg.Tx) error { goOn(tx, d.ID, s.Orders, e.now()); return nil }); err != nil {
			return nil, err
		}
	}
}
