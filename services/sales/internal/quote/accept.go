package quote

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/order"
)

// Accept says that the customer takes the version that they have, in time, and makes the order in the same transaction: a line for
// a line, each with its tax, so that the order's total is the quote's. If asked to, the quote's opportunity is won by the order.
func (s *Quotes) Accept(ctx context.Context, id uuid.UUID, no int32, win bool) (Told, error) {
	told, err := s.do(ctx, id, func(tx *pg.Tx, was Quote, at time.Time) (Quote, []outbox.Event, error) {
		if _, err := was.Accept(no, uuid.Nil, subject(ctx), at); err != nil { // before an order is made in vain
			return was, nil, err
		}
		if win && was.OpportunityID == uuid.Nil {
			return was, nil, problem.InvalidBody("quote_without_opportunity", "The quote belongs to no opportunity that could be won.",
				[]problem.Field{{Location: "win_opportunity", Code: "opportunity_missing", Message: "must be left out, where there is no opportunity"}})
		}
		lines, err := linesOf(ctx, tx, id, no)
		if err != nil {
			return was, nil, err
		}
		placed, told, err := s.orders.PlaceIn(ctx, tx, draft(was, was.Versions[no-1], lines, at))
		if err != nil {
			return was, nil, err
		}
		if win {
			_, won, err := s.opportunities.WinIn(ctx, tx, was.OpportunityID, placed.ID)
			if err != nil {
				return was, nil, err
			}
			told = append(told, won...)
		}
		now, err := was.Accept(no, placed.ID, subject(ctx), at)
		return now, told, err
	})
	return told, order.Placed(err)
}

// draft is the order that an accepted version makes.
func draft(q Quote, v Version, lines []Line, at time.Time) order.Draft {
	d := order.Draft{CustomerID: q.CustomerID, QuoteID: q.ID, OpportunityID: q.OpportunityID, Channel: channel, Currency: v.Content.Currency,
		TotalMinor: &v.Totals.TotalMinor, PlacedAt: at}
	for _, l := range lines {
		d.Lines = append(d.Lines, order.DraftLine{SKU: l.SKU, Quantity: l.Quantity, AmountMinor: l.GrossMinor})
	}
	return d
}
