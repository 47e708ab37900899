package metric

import "slices"

// Dimension is something that metrics may be cut and filtered by. Its values are texts; where there is none it is unknown.
type Dimension struct {
	Code     string
	Doc      string
	Customer bool // of the customer as it stands now, by its portrait: such cuts read facts, not roll-ups

	column string // of the portrait
}

// Dimensions lists all dimensions: those of facts, then those of customers.
func Dimensions() []Dimension { return slices.Clone(dimensions) }

func ofFact(code, doc string) Dimension { return Dimension{Code: code, Doc: doc} }

func ofCustomer(code, column, doc string) Dimension {
	return Dimension{Code: code, Doc: doc, Customer: true, column: column}
}

var dimensions = []Dimension{
	ofFact("channel", "channel of the order"),
	ofFact("currency", "ISO 4217; amounts are then of this currency each"),
	ofFact("product", "article code of the order's line"),
	ofFact("ticket_kind", "enquiry, incident, complaint, suggestion, praise"),
	ofFact("ticket_channel", "channel of the ticket"),
	ofFact("priority", "1 the most urgent to 5"),
	ofFact("complaint_category", "category of the complaint"),
	ofFact("severity", "1 grave to 4 slight"),
	ofFact("interaction_channel", "channel of the interaction"),
	ofFact("direction", "inbound, outbound"),
	ofFact("touchpoint", "touchpoint of the interaction or the answer"),
	ofFact("survey", "id of the survey"),
	ofFact("campaign", "campaign of the touch or the lead"),
	ofFact("touch_channel", "channel of the touch"),
	ofFact("touch_origin", "nurture, retention, survey"),
	ofFact("points_reason", "what points were booked for"),
	ofFact("programme", "loyalty programme"),
	ofFact("member_tier", "tier of the member as it stands now"),
	ofFact("plan", "plan of the paid membership"),
	ofFact("capture", "how the lead came in: api, form, import, campaign_reply"),
	ofFact("lead_source", "source of the lead"),
	ofFact("pipeline", "pipeline of the opportunity"),
	ofFact("opportunity_source", "source of the opportunity"),
	ofFact("loss_reason", "why the opportunity was lost"),

	ofCustomer("customer_kind", "portrait.kind", "person, organisation"),
	ofCustomer("customer_source", "portrait.source", "where the registration came from"),
	ofCustomer("cohort_month", "to_char(portrait.first_purchase_on, 'YYYY-MM')", "month of the first net purchase, such as 1997-01"),
	ofCustomer("last_channel", "portrait.last_channel", "channel of the last net purchase"),
	ofCustomer("tier", "portrait.tier", "highest loyalty tier"),
	ofCustomer("rfm_cell", "portrait.rfm_cell", "cell of recency and frequency"),
	ofCustomer("grade", "portrait.grade", "place in the customer pyramid"),
	ofCustomer("stage", "portrait.stage", "stage of the relationship's life"),
	ofCustomer("cluster", "portrait.cluster", "cluster"),
}

var dimensionOf = func() map[string]Dimension {
	m := make(map[string]Dimension, len(dimensions))
	for _, d := range dimensions {
		m[d.Code] = d
	}
	return m
}()
