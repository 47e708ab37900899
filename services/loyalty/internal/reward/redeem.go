package reward

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/tier"
)

// Redeem reserves a reward for a member and spends its points, in one transaction: both, or neither. Its process starts from its
// event. An Idempotency-Key is kept for ever.
//
// The member, with all who are the same customer, is locked before the reward, so that limits are counted while nobody else redeems
// for them, and the reward, which many may want at once, is locked last.
func (r *Rewards) Redeem(ctx context.Context, memberID uuid.UUID, w Wish) (Redemption, error) {
	if faults := w.faults(); len(faults) > 0 {
		return Redemption{}, problem.InvalidBody("redemption_invalid", "Nothing was redeemed: mend the fields named here.", faults)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Redemption{}, err
	}
	spend, err := uuid.NewV7()
	if err != nil {
		return Redemption{}, err
	}
	caller, _ := auth.From(ctx)
	by := requested(ctx)
	result, err := r.db.Command(ctx, caller.Tenant, func(tx *pg.Tx) (pg.Result, error) {
		before, hash := queueRequest(tx, by)
		m, err := member.See(ctx, tx, memberID)
		switch {
		case err != nil:
			return pg.Result{}, err
		case *before != uuid.Nil && !bytes.Equal(*hash, by.hash):
			return pg.Result{}, problem.New(problem.Unprocessable, "idempotency_key_reused", "This Idempotency-Key was used with another body. Use a new key for a new request.")
		case *before != uuid.Nil:
			return pg.Result{ID: *before, Status: http.StatusCreated, Replayed: true}, nil
		}
		made := Redemption{ID: id, MemberID: memberID, CustomerID: m.CustomerID, SpendID: spend, By: caller.Subject}
		return pg.Result{ID: id, Status: http.StatusCreated}, r.reserve(ctx, tx, m.Programme, made, w, by)
	})
	if err != nil {
		return Redemption{}, err
	}
	if result.Replayed {
		httpx.MarkReplayed(ctx)
	}
	return r.Redemption(ctx, result.ID)
}

// reserve does what Redeem says; made says who and under which ids.
func (r *Rewards) reserve(ctx context.Context, tx *pg.Tx, code string, made Redemption, w Wish, by request) error {
	now := r.now()
	erasure.Refuse(tx, made.CustomerID)
	pool := member.LockPool(tx, made.MemberID)
	book := programme.BookOf(tx)
	wanted, missing := queueByCode(tx, code, w.Reward, now)
	if err := tx.Flush(ctx); err != nil {
		return err
	}
	if *missing != nil {
		return problem.New(problem.Unprocessable, "reward_unknown", "The programme has no such reward.").
			WithField("reward", "reward_unknown", "must be the code of a reward of the member's programme")
	}
	p, _ := book.At(code, now)
	members := slices.Collect(maps.Keys(pool))
	levels := tier.Of(tx, []uuid.UUID{made.MemberID})
	taken := queueTaken(tx, wanted.ID, members, wanted.since(now))
	if err := tx.Flush(ctx); err != nil {
		return err
	}
	s := Standing{Level: levels.Code(made.MemberID), Taken: *taken}
	points, err := wanted.Redeem(w, p, s, now)
	if err != nil {
		return err
	}
	steps, err := r.ledger.SpendIn(ctx, tx, made.MemberID, ledger.Draft{
		ID: made.SpendID, Key: "redemption/" + made.ID.String(), Reason: ledger.Reason{Type: aggregate, ID: made.ID.String()}, By: made.By, EffectiveAt: now,
	}, points)
	if err != nil {
		return err
	}
	found, err := lock(ctx, tx, wanted.ID, now)
	if err != nil {
		return err
	}
	if points, err = found.Redeem(Wish{Reward: w.Reward, Quantity: w.Quantity, Points: points}, p, s, now); err != nil {
		return err // others were faster
	}
	full := reserve(found, w, points, made.By, now)
	full.ID, full.MemberID, full.CustomerID, full.SpendID = made.ID, made.MemberID, made.CustomerID, made.SpendID
	if err := moveFor(tx, found, Reserve, full, made.By, now); err != nil {
		return err
	}
	if full.Kind == Voucher {
		takeVouchers(tx, full.RewardID, full.ID, full.Quantity)
	}
	insertRedemption(tx, full, by)
	return r.ledger.Book(ctx, tx, []outbox.Event{redeemedEvent(full)}, steps...)
}

// requested says which request asks for something, of the caller's Idempotency-Key.
func requested(ctx context.Context) request {
	once, known := pg.OnceFrom(ctx)
	if !known || once.Key == "" {
		return request{}
	}
	sum := sha256.Sum256([]byte(once.Subject + "\x1f" + once.Operation + "\x1f" + once.Key))
	return request{key: hex.EncodeToString(sum[:16]), hash: once.BodyHash}
}

// moveFor queues the movement of a reward that is locked by which a redemption goes on.
func moveFor(tx *pg.Tx, of Reward, what Move, r Redemption, by string, now time.Time) error {
	reason := aggregate
	if what == Release {
		reason = r.Reason
	}
	return move(tx, of, Movement{Move: what, Quantity: int64(r.Quantity), Reason: reason, RedemptionID: r.ID, By: by, At: now})
}

// rule says how a redemption goes on; one of the same version changes nothing.
type rule func(was Redemption, now time.Time) (Redemption, error)

// HandOver says that a reward was sent or handed out. See Redemption.HandOver.
func (r *Rewards) HandOver(ctx context.Context, id uuid.UUID, reference string) (Redemption, error) {
	if faults := referenceFaults(reference); len(faults) > 0 {
		return Redemption{}, problem.InvalidBody("redemption_invalid", "Nothing was changed: mend the fields named here.", faults)
	}
	return r.decide(ctx, id, func(was Redemption, by string, now time.Time) (Redemption, error) {
		return was.HandOver(reference, by, now)
	})
}

// Confirm says that the member has what was handed over.
func (r *Rewards) Confirm(ctx context.Context, id uuid.UUID) (Redemption, error) {
	return r.decide(ctx, id, Redemption.Arrived)
}

// Cancel gives stock and points of a redemption back, for a reason.
func (r *Rewards) Cancel(ctx context.Context, id uuid.UUID, reason string) (Redemption, error) {
	if !programme.Coded(reason) {
		return Redemption{}, problem.InvalidBody("redemption_invalid", "Nothing was changed: mend the fields named here.",
			[]problem.Field{{Location: "reason", Code: "code_malformed", Message: programme.CodeRule}})
	}
	return r.decide(ctx, id, func(was Redemption, by string, now time.Time) (Redemption, error) {
		return was.Cancel(reason, "", by, now)
	})
}

// decide carries out what a person decided, and pokes the process.
func (r *Rewards) decide(ctx context.Context, id uuid.UUID, do func(was Redemption, by string, now time.Time) (Redemption, error)) (Redemption, error) {
	caller, _ := auth.From(ctx)
	now, replayed, err := r.change(ctx, id, func(was Redemption, now time.Time) (Redemption, error) { return do(was, caller.Subject, now) })
	if err != nil {
		return Redemption{}, err
	}
	if replayed {
		httpx.MarkReplayed(ctx)
		return r.Redemption(ctx, id)
	}
	if r.flow != nil {
		r.flow.Poke(ctx, workflowID(caller.Tenant, id))
	}
	return now, nil
}

// change locks a redemption, applies the rule, and does what follows from it: with stock, points and codes, and events. replayed
// tells that the request did this before.
func (r *Rewards) change(ctx context.Context, id uuid.UUID, do rule) (is Redemption, replayed bool, err error) {
	now := r.now()
	result, err := r.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		was, err := findRedemption(ctx, tx, id, true)
		if err != nil {
			return pg.Result{}, err
		}
		if is, err = do(was, now); err != nil {
			return pg.Result{}, err
		}
		answer := pg.Result{ID: id, Status: http.StatusOK}
		switch {
		case is.Version == was.Version:
			return answer, nil
		case is.State == Cancelled:
			return answer, r.giveBack(ctx, tx, is, now)
		default:
			return answer, r.handOut(ctx, tx, was, is, now)
		}
	})
	return is, result.Replayed, err
}

// giveBack queues what follows from a cancellation: the points go back to where they were taken from, the pieces to the stock.
func (r *Rewards) giveBack(ctx context.Context, tx *pg.Tx, is Redemption, now time.Time) error {
	steps, err := r.ledger.RestoreIn(ctx, tx, is.SpendID, ledger.Draft{
		Key: "redemption/" + is.ID.String() + "/cancelled", Reason: ledger.Reason{Type: "redemption_cancelled", ID: is.ID.String()}, By: is.ClosedBy, EffectiveAt: now,
	})
	if err != nil {
		return err
	}
	of, err := lock(ctx, tx, is.RewardID, now)
	if err != nil {
		return err
	}
	if err := moveFor(tx, of, Release, is, is.ClosedBy, now); err != nil {
		return err
	}
	if is.Kind == Voucher {
		releaseVouchers(tx, is.ID, is.Quantity)
	}
	saveRedemption(tx, is)
	return r.ledger.Book(ctx, tx, []outbox.Event{closedEvent(is)}, steps...)
}

// handOut queues what follows when a reward is handed over, or arrives. To somebody who was erased nothing is handed over any more.
func (r *Rewards) handOut(ctx context.Context, tx *pg.Tx, was, is Redemption, now time.Time) error {
	if was.State == Reserved {
		erasure.Refuse(tx, is.CustomerID)
	}
	if is.State != Fulfilled {
		saveRedemption(tx, is)
		return nil
	}
	if is.Kind == Voucher {
		codes, err := vouchers(ctx, tx, is.ID)
		if err != nil {
			return err
		}
		if len(codes) != is.Quantity {
			return problem.New(problem.Conflict, "voucher_missing", "The codes that were reserved are not there any more.")
		}
	}
	of, err := lock(ctx, tx, is.RewardID, now)
	if err != nil {
		return err
	}
	if err := moveFor(tx, of, Give, is, is.ClosedBy, now); err != nil {
		return err
	}
	saveRedemption(tx, is)
	return r.outbox.Append(ctx, tx, closedEvent(is))
}
