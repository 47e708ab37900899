package pricing

import (
	"context"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Calculate says what a basket costs. Gone: customer_erased.
func (p *Pricing) Calculate(ctx context.Context, b Basket) (priced Priced, err error) {
	b.At = cut(b.At)
	var f []problem.Field
	err = p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if b.CustomerID != uuid.Nil {
			erasure.Refuse(tx, b.CustomerID)
		}
		priced, f, err = p.Price(ctx, tx, b)
		return err
	})
	if err == nil && len(f) > 0 {
		return Priced{}, problem.InvalidBody("basket_invalid", "The basket cannot be priced: mend the fields named here.", f)
	}
	return priced, err
}

// Rule gives a rule of the caller's tenant.
func (p *Pricing) Rule(ctx context.Context, code string) (Rule, error) {
	var found *Rule
	err := p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		found = getRule(tx, code)
		return tx.Flush(ctx)
	})
	if err != nil {
		return Rule{}, err
	}
	if found.Version == 0 {
		return Rule{}, errNoRule
	}
	return *found, nil
}

func (p *Pricing) rules(ctx context.Context, archived bool, position int, code string, limit int) (page []Rule, err error) {
	err = p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		page, err = listRules(ctx, tx, archived, position, code, limit)
		return err
	})
	return page, err
}

// Benefit gives a benefit of the caller's tenant as it was written last.
func (p *Pricing) Benefit(ctx context.Context, code string) (Benefit, error) {
	var found *Benefit
	err := p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		found = lastBenefit(tx, code)
		return tx.Flush(ctx)
	})
	if err != nil {
		return Benefit{}, err
	}
	if found.Version == 0 {
		return Benefit{}, errNoBenefit
	}
	return *found, nil
}

func (p *Pricing) benefits(ctx context.Context, after string, limit int) (page []Benefit, err error) {
	err = p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		page, err = listBenefits(ctx, tx, after, limit)
		return err
	})
	return page, err
}

func (p *Pricing) versions(ctx context.Context, code string, before int64, limit int) (page []Benefit, err error) {
	err = p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		last := lastBenefit(tx, code)
		if page, err = benefitVersions(ctx, tx, code, before, limit); err == nil && last.Version == 0 {
			err = errNoBenefit
		}
		return err
	})
	return page, err
}
