package merge

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/matching"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/tenant"
)

// Process is the subject of merges that nobody asked for; their reason is the name of the rule.
const Process = "matching"

// sweepMost is how many pairs are read at once.
const sweepMost = 200

// Why a pair that is automatic waits for people, beside what matching has to say and the codes of what refuses a merge.
const (
	onHold       = "on_hold"       // a legal hold stands: what a court wants to see stays as it is
	undoneBefore = "undone_before" // they were one already, and somebody took them apart
)

// Held tells whether a legal hold of any of the customers stands.
type Held func(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) (bool, error)

// Sweep looks once over all tenants for pairs whose two customers an automatic rule says to be one, and merges them. Each is
// a transaction of its own, so that it can be killed anywhere; it may be called in any number of processes.
func (m *Merges) Sweep(ctx context.Context) error {
	var after uuid.UUID
	var errs []error
	for {
		due, err := matching.WaitingPairs(ctx, m.db, after, sweepMost)
		if err != nil {
			return errors.Join(append(errs, fmt.Errorf("pairs that are automatic: %w", err))...)
		}
		for _, pair := range due {
			after = pair.ID
			if err := m.mergeOrLeave(ctx, pair); err != nil {
				errs = append(errs, fmt.Errorf("pair %s: %w", pair.ID, err))
				if pg.Transient(err) || ctx.Err() != nil {
					return errors.Join(errs...)
				}
			}
		}
		if len(due) < sweepMost {
			return errors.Join(errs...)
		}
	}
}

// mergeOrLeave makes one of the pair's two, or leaves it to people and says why.
func (m *Merges) mergeOrLeave(ctx context.Context, due matching.Waiting) error {
	ctx = auth.With(ctx, auth.Principal{Subject: Process, Tenant: due.Tenant})
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	return m.db.Tx(ctx, due.Tenant, func(tx *pg.Tx) error {
		if _, err := tenant.ForWrite(ctx, tx); err != nil {
			return err
		}
		pair, waits, err := matching.Claim(ctx, tx, due.ID)
		if err != nil || !waits {
			return err
		}
		left, err := m.mergeSure(ctx, tx, pair, id)
		if left != "" {
			matching.Leave(tx, pair.ID, left)
		}
		return err
	})
}

// mergeSure merges the pair's two under the id, or says why it does not.
func (m *Merges) mergeSure(ctx context.Context, tx *pg.Tx, pair matching.Pair, id uuid.UUID) (left string, err error) {
	refs, err := locked(ctx, tx, customer.Ref{ID: pair.Low, Root: pair.Low}, customer.Ref{ID: pair.High, Root: pair.High})
	if err != nil {
		return "", err
	}
	low, high := refs[pair.Low], refs[pair.High]
	if low.Root != pair.Low || high.Root != pair.High { // the queue has not heard of it yet
		return matching.NoLonger, nil
	}
	rule, left, err := matching.Sure(ctx, tx, pair)
	if err != nil || left != "" {
		return left, err
	}
	if left, err = m.forPeople(ctx, tx, low.Group(), high.Group()); err != nil || left != "" {
		return left, err
	}
	p, err := m.plan(ctx, tx, Request{Survivor: pair.Low, Absorbed: pair.High, Reason: rule}, true)
	switch {
	case problem.CallersFault(err):
		return problem.From(err).Code, nil
	case err != nil:
		return "", err
	}
	made := Merge{ID: id, SurvivorID: pair.Low, AbsorbedID: pair.High, Reason: rule, MergedAt: m.now(), MergedBy: Process}
	if _, err := matching.Accept(ctx, tx, pair.ID, Process, made.MergedAt); err != nil {
		return "", err
	}
	return "", m.carryOut(ctx, tx, made, p)
}

// forPeople says why two who match, by all ids that mean them, are a matter for people; empty: they are none.
func (m *Merges) forPeople(ctx context.Context, tx *pg.Tx, low, high []uuid.UUID) (left string, err error) {
	held, err := m.held(ctx, tx, slices.Concat(low, high))
	if err != nil || held {
		return onHold, err
	}
	undone, err := undoneBetween(ctx, tx, low, high)
	if err != nil || undone {
		return undoneBefore, err
	}
	return "", nil
}
