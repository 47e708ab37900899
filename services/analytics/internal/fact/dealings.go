package fact

import (
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
)

// Lead is what a batch says of a lead: what it does not say is empty.
type Lead struct {
	ID            uuid.UUID `json:"id"`
	SeenAt        time.Time `json:"seen_at"` // of its first event in the batch: the capture, unless that was missed
	CustomerID    uuid.UUID `json:"customer_id,omitzero"`
	Capture       string    `json:"capture"`
	Source        string    `json:"source"`
	Campaign      string    `json:"campaign"`
	State         string    `json:"state"` // open, converted or lost; with it the three below hold
	ConvertedAt   time.Time `json:"converted_at,omitzero"`
	LostAt        time.Time `json:"lost_at,omitzero"`
	OpportunityID uuid.UUID `json:"opportunity_id,omitzero"`
}

func (l *Lead) is(state string, converted, lost time.Time, opportunity uuid.UUID) {
	l.State, l.ConvertedAt, l.LostAt, l.OpportunityID = state, converted, lost, opportunity
}

// Opportunity is what a batch says of an opportunity.
type Opportunity struct {
	ID          uuid.UUID `json:"id"`
	SeenAt      time.Time `json:"seen_at"` // the opening, unless that was missed
	CustomerID  uuid.UUID `json:"customer_id,omitzero"`
	LeadID      uuid.UUID `json:"lead_id,omitzero"`
	Pipeline    string    `json:"pipeline"`
	Source      string    `json:"source"`
	Stage       string    `json:"stage"`
	State       string    `json:"state"` // open, won, lost or withdrawn; with it the two below hold
	ClosedAt    time.Time `json:"closed_at,omitzero"`
	Reason      string    `json:"reason"`
	Currency    string    `json:"currency"` // with it the amount holds
	AmountMinor int64     `json:"amount_minor"`
}

func (o *Opportunity) is(state string, closed time.Time, reason string) {
	o.State, o.ClosedAt, o.Reason = state, closed, reason
}

func (o *Opportunity) worth(currency string, amount int64) {
	if currency != "" {
		o.Currency, o.AmountMinor = currency, amount
	}
}

// lead reads an event of a lead; ok is false for one of another kind.
func (b *Batch) lead(r *reader, e inbox.Event) (ok bool) {
	at := func(id, customer string, when time.Time) *Lead {
		leadID, customerID := r.ID("lead_id", id), r.MaybeID("customer_id", customer)
		l := b.Leads.of(leadID, func() Lead { return Lead{ID: leadID, SeenAt: when} })
		l.CustomerID = said(customerID, l.CustomerID)
		return l
	}
	switch m := e.Message.(type) {
	case *salesv1.LeadCaptured:
		l := at(m.GetLeadId(), m.GetCustomerId(), r.Time("captured_at", m.GetCapturedAt()))
		l.Capture, l.Source, l.Campaign = m.GetCapture(), m.GetSource(), m.GetCampaign()
		l.is("open", time.Time{}, time.Time{}, uuid.Nil)
	case *salesv1.LeadConverted:
		when := r.Time("converted_at", m.GetConvertedAt())
		at(m.GetLeadId(), m.GetCustomerId(), when).is("converted", when, time.Time{}, r.MaybeID("opportunity_id", m.GetOpportunityId()))
	case *salesv1.LeadConversionUndone:
		at(m.GetLeadId(), m.GetCustomerId(), r.Time("undone_at", m.GetUndoneAt())).is("open", time.Time{}, time.Time{}, uuid.Nil)
	case *salesv1.LeadLost:
		when := r.Time("lost_at", m.GetLostAt())
		at(m.GetLeadId(), m.GetCustomerId(), when).is("lost", time.Time{}, when, uuid.Nil)
	case *salesv1.LeadReopened:
		at(m.GetLeadId(), m.GetCustomerId(), r.Time("reopened_at", m.GetReopenedAt())).is("open", time.Time{}, time.Time{}, uuid.Nil)
	case *salesv1.LeadTouchDue:
		b.Touches = append(b.Touches, Touch{
			ID: e.ID, CustomerID: pg.OrNull(r.MaybeID("customer_id", m.GetCustomerId())), Campaign: m.GetProgramme(), Touch: m.GetTouch(),
			Channel: m.GetChannel(), Origin: "nurture", At: r.Time("due_at", m.GetDueAt()),
		})
	default:
		return false
	}
	return true
}

// opportunity reads an event of an opportunity.
func (b *Batch) opportunity(r *reader, e inbox.Event) (ok bool) {
	at := func(id, customer string, when time.Time) *Opportunity {
		opportunityID, customerID := r.ID("opportunity_id", id), r.MaybeID("customer_id", customer)
		o := b.Opportunities.of(opportunityID, func() Opportunity { return Opportunity{ID: opportunityID, SeenAt: when} })
		o.CustomerID = said(customerID, o.CustomerID)
		return o
	}
	switch m := e.Message.(type) {
	case *salesv1.OpportunityOpened:
		o := at(m.GetOpportunityId(), m.GetCustomerId(), r.Time("opened_at", m.GetOpenedAt()))
		o.LeadID, o.Pipeline, o.Source, o.Stage = r.MaybeID("lead_id", m.GetLeadId()), m.GetPipeline(), m.GetSource(), m.GetStage()
		o.is("open", time.Time{}, "")
		o.worth(m.GetCurrency(), m.GetAmountMinor())
	case *salesv1.OpportunityStageChanged:
		o := at(m.GetOpportunityId(), m.GetCustomerId(), r.Time("changed_at", m.GetChangedAt()))
		o.Pipeline, o.Stage = m.GetPipeline(), m.GetStage()
		o.worth(m.GetCurrency(), m.GetAmountMinor())
	case *salesv1.OpportunityChanged:
		at(m.GetOpportunityId(), m.GetCustomerId(), r.Time("changed_at", m.GetChangedAt())).worth(m.GetCurrency(), m.GetAmountMinor())
	case *salesv1.OpportunityWon:
		when := r.Time("won_at", m.GetWonAt())
		o := at(m.GetOpportunityId(), m.GetCustomerId(), when)
		o.Pipeline, o.Stage, o.Source = m.GetPipeline(), m.GetStage(), m.GetSource()
		o.is("won", when, "")
		o.worth(m.GetCurrency(), m.GetAmountMinor())
	case *salesv1.OpportunityLost:
		when := r.Time("lost_at", m.GetLostAt())
		o := at(m.GetOpportunityId(), m.GetCustomerId(), when)
		o.Pipeline, o.Stage, o.Source = m.GetPipeline(), m.GetStage(), m.GetSource()
		o.is("lost", when, m.GetReason())
		o.worth(m.GetCurrency(), m.GetAmountMinor())
	case *salesv1.OpportunityReopened:
		o := at(m.GetOpportunityId(), m.GetCustomerId(), r.Time("reopened_at", m.GetReopenedAt()))
		o.Stage = m.GetStage()
		o.is("open", time.Time{}, "")
		o.worth(m.GetCurrency(), m.GetAmountMinor())
	case *salesv1.OpportunityWithdrawn:
		when := r.Time("withdrawn_at", m.GetWithdrawnAt())
		at(m.GetOpportunityId(), m.GetCustomerId(), when).is("withdrawn", when, "")
	default:
		return false
	}
	return true
}

// said is what an event says now, or what was said before where it says nothing.
func said[T comparable](now, before T) T {
	var nothing T
	if now == nothing {
		return before
	}
	return now
}
