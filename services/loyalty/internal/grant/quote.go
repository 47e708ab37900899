package grant

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	loyaltyactivitiesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/activities/v1"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// Quote says what points are worth as a remedy. See the contract of QuoteRemedy.
func (g *Grants) Quote(ctx context.Context, in *loyaltyactivitiesv1.QuoteRemedy) (*loyaltyactivitiesv1.QuoteRemedyResult, error) {
	customer, err := uuid.Parse(in.GetCustomerId())
	if err != nil || customer == uuid.Nil {
		return nil, quoteInvalid("customer_id", "must be a customer's id, a UUID")
	}
	if (in.GetPoints() == 0) == (in.GetAmountMinor() == 0) {
		return nil, quoteInvalid("points", "must be more than 0 where amount_minor is 0, and 0 where it is not")
	}
	var (
		book  *programme.Book
		m     member.Member
		known bool
	)
	err = g.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		book = programme.BookOf(tx)
		m, known, err = member.FindOf(ctx, tx, member.Key{CustomerID: customer, Programme: programme.StandardCode})
		return err
	})
	if err != nil {
		return nil, err
	}
	now := g.ledger.Now()
	terms, _ := book.At(programme.StandardCode, now) // it is always there
	points, err := pointsFor(terms.Worth, in)
	if err != nil {
		return nil, err
	}
	out := &loyaltyactivitiesv1.QuoteRemedyResult{
		Points: points, AmountMinor: terms.Worth.Of(points), Spendable: !known || m.CardNumber != "" && m.State == member.Active,
		DebtPaid: min(points, m.Debt),
	}
	if at := terms.Expiry.At(now, terms.Zone); !at.IsZero() {
		out.ExpiresAt = timestamppb.New(at)
	}
	return out, nil
}

// pointsFor gives the points that a request asks about.
func pointsFor(w programme.Worth, in *loyaltyactivitiesv1.QuoteRemedy) (int64, error) {
	switch {
	case !w.Known():
		return 0, problem.New(problem.Conflict, "worth_unknown",
			"Nobody said what a point of the standard programme is worth: write a version of it with terms.worth.")
	case in.GetCurrency() != w.Currency:
		return 0, quoteInvalid("currency", "must be the currency in which points are worth something: "+w.Currency)
	}
	points := in.GetPoints()
	if points == 0 {
		var ok bool
		if points, ok = w.For(in.GetAmountMinor()); !ok {
			return 0, quoteInvalid("amount_minor", "must be an amount that points can be worth")
		}
	}
	if points < 1 || points > ledger.MaxPoints {
		return 0, quoteInvalid("points", fmt.Sprintf("must come to 1 to %d points", ledger.MaxPoints))
	}
	return points, nil
}

func quoteInvalid(location, message string) error {
	return problem.New(problem.Unprocessable, "quote_invalid", "This cannot be priced: mend the field named here.").
		WithField(location, location+"_invalid", message)
}
