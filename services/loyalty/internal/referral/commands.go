package referral

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/growth"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// Referrals is what can be done with referrals.
type Referrals struct {
	db      *pg.DB
	ledger  *ledger.Ledger
	growths *growth.Growths
	clock   func() time.Time
}

// New makes the capability.
func New(db *pg.DB, l *ledger.Ledger, g *growth.Growths, clock func() time.Time) *Referrals {
	return &Referrals{db: db, ledger: l, growths: g, clock: clock}
}

func (r *Referrals) now() time.Time { return r.clock().UTC().Truncate(time.Microsecond) }

func subject(ctx context.Context) string {
	p, _ := auth.From(ctx)
	return p.Subject
}

// may tells why a member cannot refer anybody; nil where it can.
func may(m member.Member) error {
	switch {
	case m.CardNumber == "":
		return problem.New(problem.Gone, "referrer_erased", "The customer whose member this is was erased: nobody is there to refer anybody.")
	case m.State == member.Left:
		return problem.New(problem.Conflict, "referrer_left", "The member has left the programme and refers nobody.")
	case m.State == member.Suspended:
		return problem.New(problem.Conflict, "referrer_suspended", "The member is suspended and refers nobody until somebody reinstates it.")
	}
	return nil
}

// termsOf gives a programme's terms of referrals at a time, or the Conflict referral_off.
func termsOf(book *programme.Book, code string, at time.Time) (programme.Programme, error) {
	p, ok := book.At(code, at)
	if !ok || !p.Referral.On() {
		return programme.Programme{}, problem.New(problem.Conflict, "referral_off", "The programme rewards no referrals: its terms say nothing of them.")
	}
	return p, nil
}

// MakeCode gives a member a code; of one who has one it gives that (made false).
func (r *Referrals) MakeCode(ctx context.Context, memberID uuid.UUID) (c Code, made bool, err error) {
	for {
		c, made, err = r.makeCode(ctx, memberID)
		if name, _ := pg.Constraint(err); name != codeConstraint && name != codeMemberConstraint {
			return c, made, err
		}
		// Somebody else has this code, which happens once in a lifetime; or the member got one at the same moment.
	}
}

func (r *Referrals) makeCode(ctx context.Context, memberID uuid.UUID) (c Code, made bool, err error) {
	result, err := r.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		book := programme.BookOf(tx)
		m, err := member.Lock(ctx, tx, memberID)
		if err != nil {
			return pg.Result{}, err
		}
		now := r.now()
		if err := may(m); err != nil {
			return pg.Result{}, err
		}
		if _, err := termsOf(book, m.Programme, now); err != nil {
			return pg.Result{}, err
		}
		c, err = codeOf(ctx, tx, memberID)
		if problem.KindOf(err) != problem.NotFound {
			return pg.Result{ID: memberID, Status: http.StatusOK}, err
		}
		c = Code{MemberID: memberID, MadeAt: now}
		if c.Code, err = newCode(); err != nil {
			return pg.Result{}, err
		}
		insertCode(tx, c)
		return pg.Result{ID: memberID, Status: http.StatusCreated}, tx.Flush(ctx)
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		c, err = r.Code(ctx, memberID)
	}
	return c, result.Status == http.StatusCreated, err
}

// Name names a customer as referred by whoever has the code, see ReadCode. Refused as Conflicts: referral_off, referrer_suspended,
// referrer_left, referral_self, referral_ring, referral_chain_too_long, referral_cap, referred_already, referred_bought, referred_late;
// as Gone: customer_erased, referrer_erased; as NotFound: referral_code_unknown.
func (r *Referrals) Name(ctx context.Context, code string, customer uuid.UUID) (Referral, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Referral{}, err
	}
	var named Referral
	result, err := r.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		alias.Hold(tx)
		lockGraph(tx)
		erasure.Refuse(tx, customer)
		book := programme.BookOf(tx)
		c, err := findCode(ctx, tx, code)
		if err != nil {
			return pg.Result{}, err
		}
		referrer, err := member.Find(ctx, tx, c.MemberID)
		if err != nil {
			return pg.Result{}, err
		}
		now := r.now()
		named = Referral{
			ID: id, Programme: referrer.Programme, Code: code, ReferrerID: referrer.ID, ReferrerCustomer: referrer.CustomerID, ReferredCustomer: customer,
			State: Open, NamedAt: now, NamedBy: subject(ctx),
		}
		p, err := termsOf(book, referrer.Programme, now)
		if err == nil {
			err = may(referrer)
		}
		if err != nil {
			return pg.Result{}, err
		}
		b, err := look(ctx, tx, p.Code, referrer.CustomerID, customer, now, now.AddDate(0, 0, -p.Referral.CapDays))
		if err != nil {
			return pg.Result{}, err
		}
		if err := b.refuse(p.Referral, now); err != nil {
			return pg.Result{}, err
		}
		if n := p.Referral.PurchaseDays; n > 0 {
			named.ExpiresAt = now.AddDate(0, 0, n)
		}
		insertReferral(tx, named)
		return pg.Result{ID: id, Status: http.StatusCreated}, nil
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return r.Get(ctx, result.ID)
	}
	return named, err
}

// refuse tells why the one cannot refer the other; nil where that can be.
func (b between) refuse(terms programme.Referral, now time.Time) error {
	conflict := func(code, detail string, args ...any) error {
		return problem.New(problem.Conflict, code, detail, args...)
	}
	switch {
	case b.same:
		return conflict("referral_self", "The code is the customer's own.")
	case b.referred:
		return conflict("referred_already", "The customer was referred already; that counts once.")
	case b.bought:
		return conflict("referred_bought", "The customer has bought before, and cannot be referred any more.")
	case !b.joined.IsZero() && now.After(b.joined.AddDate(0, 0, terms.JoinedDays)):
		return conflict("referred_late", "The customer has been a member for longer than the %d days within which this can be said.", terms.JoinedDays)
	case b.ring:
		return conflict("referral_ring", "The member was referred by this customer, or by somebody whom this customer brought: referrals do not go round in a circle.")
	case b.groups > maxChain:
		return conflict("referral_chain_too_long", "The chain of referrals behind the member has more than %d links, and is not searched for a circle any further.", maxChain)
	case terms.Cap > 0 && b.lately >= terms.Cap:
		return conflict("referral_cap", "The member has referred %d customers within %d days, which is as many as count.", b.lately, terms.CapDays)
	}
	return nil
}

// Undo takes a referral back by hand: what both got is taken from them, or, where the customer has not bought, nothing comes of it
// any more. One that came to nothing is the Conflict referral_over.
func (r *Referrals) Undo(ctx context.Context, id uuid.UUID) (Referral, error) {
	result, err := r.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		book := programme.BookOf(tx)
		was, err := find(ctx, tx, id, true)
		if err != nil {
			return pg.Result{}, err
		}
		now := r.now()
		switch was.At(now).State {
		case Open:
			was.State, was.Reason, was.DecidedAt = Void, ReasonByHand, now
			save(tx, []Referral{was})
		case Completed:
			w := newWork(r, book, subject(ctx), now)
			if err := w.members(ctx, tx, nil, []uuid.UUID{was.ReferrerID, was.ReferredID}); err != nil {
				return pg.Result{}, err
			}
			if err := w.takeBack(ctx, tx, []*matter{{Referral: was}}, ReasonByHand); err != nil {
				return pg.Result{}, err
			}
			if err := w.book(ctx, tx); err != nil {
				return pg.Result{}, err
			}
			return pg.Result{ID: id, Status: http.StatusOK}, r.growths.Rescore(ctx, tx, book, w.touched, growth.CauseReferral)
		default:
			return pg.Result{}, problem.New(problem.Conflict, "referral_over", "The referral is %s: there is nothing to take back.", was.At(now).State)
		}
		return pg.Result{ID: id, Status: http.StatusOK}, nil
	})
	if err != nil {
		return Referral{}, err
	}
	if result.Replayed {
		httpx.MarkReplayed(ctx)
	}
	return r.Get(ctx, id)
}
