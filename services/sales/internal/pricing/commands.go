package pricing

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

const (
	maxRules    = 200 // of a tenant, outside the archive
	maxBenefits = 500
)

// Pricing is what can be done with price rules and benefits.
type Pricing struct {
	db    *pg.DB
	clock func() time.Time
}

// New makes the capability.
func New(db *pg.DB, clock func() time.Time) *Pricing { return &Pricing{db: db, clock: clock} }

// now is cut to what the database keeps.
func (p *Pricing) now() time.Time { return p.clock().UTC().Truncate(time.Microsecond) }

func subject(ctx context.Context) string {
	caller, _ := auth.From(ctx)
	return caller.Subject
}

func invalid(code, what string, f faults) error {
	return problem.InvalidBody(code, what+" was not accepted: mend the fields named here.", f)
}

// refused says why a rule is not taken. One that is unfair is refused by that name, whatever else is wrong with it.
func refused(f faults) error {
	if slices.ContainsFunc(f, func(one problem.Field) bool { return one.Code == codeUnfair }) {
		return problem.InvalidBody(codeUnfair, "The price rule was not accepted: a price must not hang on who buys. "+
			"Publish a benefit, with a text that customers can read and the tiers that have it, and let the rule ask for that.", f)
	}
	return invalid("price_rule_invalid", "The price rule", f)
}

// PutRule makes a rule, or changes it, if it still is as the caller saw it: fresh is asked with the version, which is 0 where there
// is none yet. A rule whose condition reads anything of the customer but published benefits is refused: price_rule_unfair.
func (p *Pricing) PutRule(ctx context.Context, r Rule, fresh func(version int64) error) (Rule, error) {
	r.From, r.To = cut(r.From), cut(r.To)
	benefits, words, f := r.faults()
	if len(f) > 0 {
		return Rule{}, refused(f)
	}
	err := p.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		lock(tx)
		now := p.now()
		found, published := getRule(tx, r.Code), publishedAt(tx, later(now, r.From))
		rules, tiers := countRules(tx), tiersAmong(tx, words)
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		was := *found
		if err := fresh(was.Version); err != nil {
			return err
		}
		if f := readable(benefits, *published, *tiers); len(f) > 0 {
			return refused(f)
		}
		if !r.Archived && (was.Version == 0 || was.Archived) && *rules >= maxRules {
			return problem.New(problem.Conflict, "price_rules_too_many", "There are %d price rules: put one into the archive before you add another.", *rules)
		}
		r.Version, r.By, r.ChangedAt = was.Version, was.By, was.ChangedAt
		if r == was {
			return nil
		}
		r.Version, r.By, r.ChangedAt = was.Version+1, subject(ctx), now
		saveRule(tx, r)
		return nil
	})
	return r, err
}

// readable names what a condition may not read: benefits that are not published when the rule begins to be used, and channels and
// price lists that bear a tier's code.
func readable(benefits []string, published []Benefit, tiers []string) (f faults) {
	for _, code := range benefits {
		if !slices.ContainsFunc(published, func(b Benefit) bool { return b.Code == code && !b.Withdrawn }) {
			f.add("condition", codeUnfair, fmt.Sprintf("asks for the benefit %q, which is not published by the time from which the rule is used", code))
		}
	}
	for _, tier := range tiers {
		f.add("condition", codeUnfair, fmt.Sprintf("compares with a text that holds %q, the code of a tier", tier))
	}
	return f
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// cut brings a time to the form in which the database keeps it; the zero time stays.
func cut(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Microsecond)
}

// PutBenefit publishes a benefit, or another version of it, if it still is as the caller saw it. It is published from the given
// time on, from now where that is zero; until then the version before holds.
func (p *Pricing) PutBenefit(ctx context.Context, b Benefit, fresh func(version int64) error) (Benefit, error) {
	now := p.now()
	if b.PublishedFrom = cut(b.PublishedFrom); b.PublishedFrom.IsZero() {
		b.PublishedFrom = now
	}
	err := p.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		lock(tx)
		found, all := lastBenefit(tx, b.Code), countBenefits(tx)
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		was := *found
		if err := fresh(was.Version); err != nil {
			return err
		}
		b.Tiers = slices.Sorted(slices.Values(b.Tiers))
		if b.TextEN == was.TextEN && b.TextZH == was.TextZH && slices.Equal(b.Tiers, was.Tiers) && b.Withdrawn == was.Withdrawn &&
			(b.PublishedFrom.Equal(was.PublishedFrom) || b.PublishedFrom.Equal(now) && !was.PublishedFrom.After(now)) {
			b = was
			return nil
		}
		f := b.faults(now)
		if b.PublishedFrom.Before(was.PublishedFrom) {
			f.add("published_from", "published_from_before", "must not be before that of the version before, which is published first")
		}
		if len(f) > 0 {
			return invalid("benefit_invalid", "The benefit", f)
		}
		if was.Version == 0 && *all >= maxBenefits {
			return problem.New(problem.Conflict, "benefits_too_many", "There are %d benefits, which is all that a tenant can have.", *all)
		}
		b.Version, b.By, b.At = was.Version+1, subject(ctx), now
		saveBenefit(tx, b)
		return nil
	})
	return b, err
}
