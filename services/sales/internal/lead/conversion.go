package lead

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// ConvertIn makes a lead that is locked a customer with an opportunity: its case goes on as the opportunity's.
func (s *Leads) ConvertIn(tx *pg.Tx, l Lead, customer, contact, opportunity uuid.UUID, at time.Time) (Lead, error) {
	now, err := l.Convert(customer, contact, opportunity, at)
	if err == nil {
		Save(tx, now)
	}
	return now, err
}

// UnconvertIn takes the conversion of a lead that is locked back: its case is the lead's again, scored as the lead is now.
func (s *Leads) UnconvertIn(ctx context.Context, tx *pg.Tx, l Lead, at time.Time) (Lead, error) {
	now, err := l.Unconvert(at)
	if err != nil {
		return l, err
	}
	Save(tx, now)
	return now, s.rescore(ctx, tx, now)
}

// Codes gives what the lead's score is reckoned from, apart from its tags, for the opportunity that comes of it.
func (l Lead) Codes() map[string]string {
	return map[string]string{
		"source": l.Source, "campaign": l.Campaign, "country": l.Country, "language": l.Language, "industry": l.Industry,
		"capture": string(l.Capture), "email_state": correct(l.Email), "phone_state": correct(l.Phone), "authority": l.Authority,
	}
}
