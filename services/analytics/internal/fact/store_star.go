package fact

import (
	"encoding/json"
	"fmt"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Rows of a batch come as one JSON array, of which what is not said is left out or empty. Two statements write what changes over
// time: the first takes back what no longer holds, the second adds what is said. So batches may be cut anywhere.
const (
	insertInteractions = `
INSERT INTO fact_interaction (tenant_id, interaction_id, customer_id, channel, direction, touchpoint, outcome, duration_seconds, occurred_at)
SELECT $1, n.id, n.customer_id, n.channel, n.direction, n.touchpoint, n.outcome, n.seconds, n.at
FROM jsonb_to_recordset($2::text::jsonb) AS n(id uuid, customer_id uuid, channel text, direction text, touchpoint text, outcome text, seconds bigint, at timestamptz)
ON CONFLICT DO NOTHING`

	insertTouches = `
INSERT INTO fact_touch (tenant_id, touch_id, customer_id, campaign, touch, channel, origin, at)
SELECT $1, n.id, n.customer_id, n.campaign, n.touch, n.channel, n.origin, n.at
FROM jsonb_to_recordset($2::text::jsonb) AS n(id uuid, customer_id uuid, campaign text, touch text, channel text, origin text, at timestamptz)
ON CONFLICT DO NOTHING`

	insertPoints = `
INSERT INTO fact_points (tenant_id, entry_id, member_id, customer_id, kind, points, reason_type, at)
SELECT $1, n.id, n.member_id, n.customer_id, n.kind, n.points, n.reason_type, n.at
FROM jsonb_to_recordset($2::text::jsonb) AS n(id uuid, member_id uuid, customer_id uuid, kind text, points bigint, reason_type text, at timestamptz)
ON CONFLICT DO NOTHING`

	upsertAnswers = `
INSERT INTO fact_answer AS f (tenant_id, answer_id, customer_id, survey_id, kind, score, touchpoint, ticket_id, complaint_id, answered_at, ratings, channel)
SELECT $1, n.id, n.customer_id, n.survey_id, n.kind, n.score, n.touchpoint, n.ticket_id, n.complaint_id, n.at, n.ratings, n.channel
FROM jsonb_to_recordset($2::text::jsonb) AS n(id uuid, customer_id uuid, survey_id uuid, kind text, score int, touchpoint text, ticket_id uuid, complaint_id uuid,
	at timestamptz, ratings jsonb, channel text)
ON CONFLICT (tenant_id, answer_id) DO UPDATE SET customer_id = excluded.customer_id, survey_id = excluded.survey_id, kind = excluded.kind,
	score = excluded.score, touchpoint = excluded.touchpoint, ticket_id = excluded.ticket_id, complaint_id = excluded.complaint_id,
	answered_at = excluded.answered_at, ratings = excluded.ratings, channel = excluded.channel`

	upsertLeads = `
INSERT INTO fact_lead AS f (tenant_id, lead_id, customer_id, capture, source, campaign, captured_at, state, converted_at, lost_at, opportunity_id)
SELECT $1, n.id, n.customer_id, n.capture, n.source, n.campaign, n.seen_at, n.state, n.converted_at, n.lost_at, n.opportunity_id
FROM jsonb_to_recordset($2::text::jsonb) AS n(id uuid, customer_id uuid, capture text, source text, campaign text, seen_at timestamptz, state text,
	converted_at timestamptz, lost_at timestamptz, opportunity_id uuid)
ON CONFLICT (tenant_id, lead_id) DO UPDATE SET customer_id = coalesce(excluded.customer_id, f.customer_id),
	capture = coalesce(nullif(excluded.capture, ''), f.capture), source = coalesce(nullif(excluded.source, ''), f.source),
	campaign = coalesce(nullif(excluded.campaign, ''), f.campaign), state = excluded.state, converted_at = excluded.converted_at,
	lost_at = excluded.lost_at, opportunity_id = excluded.opportunity_id`

	restateOpportunities = `
UPDATE fact_opportunity f SET state = n.state, closed_at = n.closed_at, reason = n.reason
FROM jsonb_to_recordset($2::text::jsonb) AS n(id uuid, state text, closed_at timestamptz, reason text)
WHERE f.tenant_id = $1 AND f.opportunity_id = n.id AND n.state <> ''`

	upsertOpportunities = `
INSERT INTO fact_opportunity AS f (tenant_id, opportunity_id, customer_id, lead_id, pipeline, source, stage, state, currency, amount_minor, opened_at, closed_at, reason)
SELECT $1, n.id, n.customer_id, n.lead_id, n.pipeline, n.source, n.stage, coalesce(nullif(n.state, ''), 'open'), n.currency, n.amount_minor, n.seen_at, n.closed_at, n.reason
FROM jsonb_to_recordset($2::text::jsonb) AS n(id uuid, customer_id uuid, lead_id uuid, pipeline text, source text, stage text, state text, currency text,
	amount_minor bigint, seen_at timestamptz, closed_at timestamptz, reason text)
ON CONFLICT (tenant_id, opportunity_id) DO UPDATE SET customer_id = coalesce(excluded.customer_id, f.customer_id),
	lead_id = coalesce(excluded.lead_id, f.lead_id), pipeline = coalesce(nullif(excluded.pipeline, ''), f.pipeline),
	source = coalesce(nullif(excluded.source, ''), f.source), stage = coalesce(nullif(excluded.stage, ''), f.stage),
	amount_minor = CASE WHEN excluded.currency <> '' THEN excluded.amount_minor ELSE f.amount_minor END,
	currency = coalesce(nullif(excluded.currency, ''), f.currency)`

	restateTickets = `
UPDATE fact_ticket f SET status = coalesce(nullif(n.status, ''), f.status),
	resolved_at = CASE WHEN n.anew THEN NULL ELSE f.resolved_at END, closed_at = CASE WHEN n.anew THEN NULL ELSE f.closed_at END,
	first_contact = CASE WHEN n.anew THEN NULL ELSE f.first_contact END, resolution = CASE WHEN n.anew THEN '' ELSE f.resolution END
FROM jsonb_to_recordset($2::text::jsonb) AS n(id uuid, status text, anew boolean)
WHERE f.tenant_id = $1 AND f.ticket_id = n.id`

	upsertTickets = `
INSERT INTO fact_ticket AS f (tenant_id, ticket_id, customer_id, kind, channel, priority, status, opened_at, resolved_at, closed_at, first_contact, reopened, replies, resolution)
SELECT $1, n.id, n.customer_id, n.kind, n.channel, n.priority, coalesce(nullif(n.status, ''), 'new'), n.seen_at, n.resolved_at, n.closed_at, n.first_contact, n.reopened, n.replies, n.resolution
FROM jsonb_to_recordset($2::text::jsonb) AS n(id uuid, customer_id uuid, kind text, channel text, priority int, status text, seen_at timestamptz, resolved_at timestamptz,
	closed_at timestamptz, first_contact boolean, reopened int, replies int, resolution text)
ON CONFLICT (tenant_id, ticket_id) DO UPDATE SET customer_id = coalesce(excluded.customer_id, f.customer_id),
	kind = coalesce(nullif(excluded.kind, ''), f.kind), channel = coalesce(nullif(excluded.channel, ''), f.channel),
	priority = coalesce(nullif(excluded.priority, 0), f.priority), resolved_at = coalesce(excluded.resolved_at, f.resolved_at),
	closed_at = coalesce(excluded.closed_at, f.closed_at), first_contact = coalesce(excluded.first_contact, f.first_contact),
	reopened = greatest(excluded.reopened, f.reopened), replies = f.replies + excluded.replies, resolution = coalesce(nullif(excluded.resolution, ''), f.resolution)`

	restateComplaints = `
UPDATE fact_complaint f SET severity = CASE WHEN n.assessed THEN NULL ELSE f.severity END,
	closed_at = CASE WHEN n.anew THEN NULL ELSE f.closed_at END, outcome = CASE WHEN n.anew THEN '' ELSE f.outcome END
FROM jsonb_to_recordset($2::text::jsonb) AS n(id uuid, assessed boolean, anew boolean)
WHERE f.tenant_id = $1 AND f.complaint_id = n.id AND (n.assessed OR n.anew)`

	upsertComplaints = `
INSERT INTO fact_complaint AS f (tenant_id, complaint_id, customer_id, category, severity, registered_at, closed_at, outcome, cost_minor, currency, reopened)
SELECT $1, n.id, n.customer_id, n.category, n.severity, n.seen_at, n.closed_at, n.outcome, n.cost_minor, n.currency, n.reopened
FROM jsonb_to_recordset($2::text::jsonb) AS n(id uuid, customer_id uuid, category text, severity int, seen_at timestamptz, closed_at timestamptz, outcome text,
	cost_minor bigint, currency text, reopened int)
ON CONFLICT (tenant_id, complaint_id) DO UPDATE SET customer_id = coalesce(excluded.customer_id, f.customer_id),
	category = coalesce(nullif(excluded.category, ''), f.category), severity = coalesce(excluded.severity, f.severity),
	closed_at = coalesce(excluded.closed_at, f.closed_at), outcome = coalesce(nullif(excluded.outcome, ''), f.outcome),
	cost_minor = CASE WHEN excluded.currency <> '' THEN excluded.cost_minor ELSE f.cost_minor END,
	currency = coalesce(nullif(excluded.currency, ''), f.currency), reopened = f.reopened + excluded.reopened`

	restateMembers = `
UPDATE fact_member f SET left_at = NULL FROM jsonb_to_recordset($2::text::jsonb) AS n(id uuid, here boolean)
WHERE f.tenant_id = $1 AND f.member_id = n.id AND n.here`

	upsertMembers = `
INSERT INTO fact_member AS f (tenant_id, member_id, customer_id, programme, tier, tier_rank, enrolled_at, left_at, points_available)
SELECT $1, n.id, n.customer_id, n.programme, n.tier, n.tier_rank, n.seen_at, n.left_at, coalesce(n.available, 0)
FROM jsonb_to_recordset($2::text::jsonb) AS n(id uuid, customer_id uuid, programme text, tier text, tier_rank int, seen_at timestamptz, left_at timestamptz, available bigint)
ON CONFLICT (tenant_id, member_id) DO UPDATE SET programme = coalesce(nullif(excluded.programme, ''), f.programme),
	tier_rank = CASE WHEN excluded.tier <> '' THEN excluded.tier_rank ELSE f.tier_rank END, tier = coalesce(nullif(excluded.tier, ''), f.tier),
	left_at = coalesce(excluded.left_at, f.left_at)`

	// Zero points are as much as any number: they are said, or not.
	holdPoints = `
UPDATE fact_member f SET points_available = n.available FROM jsonb_to_recordset($2::text::jsonb) AS n(id uuid, available bigint)
WHERE f.tenant_id = $1 AND f.member_id = n.id AND n.available IS NOT NULL`

	upsertMemberships = `
INSERT INTO fact_membership AS f (tenant_id, membership_id, customer_id, plan, started_at, renewals, ends_at, ended_at)
SELECT $1, n.id, n.customer_id, n.plan, n.seen_at, n.renewals, n.ends_at, n.ended_at
FROM jsonb_to_recordset($2::text::jsonb) AS n(id uuid, customer_id uuid, plan text, seen_at timestamptz, renewals int, ends_at timestamptz, ended_at timestamptz)
ON CONFLICT (tenant_id, membership_id) DO UPDATE SET plan = coalesce(nullif(excluded.plan, ''), f.plan), renewals = greatest(excluded.renewals, f.renewals),
	ends_at = coalesce(excluded.ends_at, f.ends_at), ended_at = coalesce(excluded.ended_at, f.ended_at)`
)

// queueStar queues what a batch has beside customers and orders.
func queueStar(tx *pg.Tx, b Batch) error {
	for _, rows := range []struct {
		any        bool
		list       any
		statements []string
	}{
		{len(b.Interactions) > 0, b.Interactions, []string{insertInteractions}},
		{len(b.Touches) > 0, b.Touches, []string{insertTouches}},
		{len(b.Points) > 0, b.Points, []string{insertPoints}},
		{len(b.Answers.List) > 0, b.Answers.List, []string{upsertAnswers}},
		{len(b.Leads.List) > 0, b.Leads.List, []string{upsertLeads}},
		{len(b.Opportunities.List) > 0, b.Opportunities.List, []string{restateOpportunities, upsertOpportunities}},
		{len(b.Tickets.List) > 0, b.Tickets.List, []string{restateTickets, upsertTickets}},
		{len(b.Complaints.List) > 0, b.Complaints.List, []string{restateComplaints, upsertComplaints}},
		{len(b.Members.List) > 0, b.Members.List, []string{restateMembers, upsertMembers, holdPoints}},
		{len(b.Memberships.List) > 0, b.Memberships.List, []string{upsertMemberships}},
	} {
		if !rows.any {
			continue
		}
		text, err := json.Marshal(rows.list)
		if err != nil {
			return fmt.Errorf("rows of facts: %w", err)
		}
		for _, sql := range rows.statements {
			tx.Queue(sql, tx.Tenant(), string(text))
		}
	}
	return nil
}
