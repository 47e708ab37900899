package funnel

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/sales/internal/forecast"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
)

// most is how many funnels one answer has at most.
const most = 200

// Funnels is what can be asked about conversion.
type Funnels struct {
	db    *pg.DB
	clock func() time.Time
}

// New makes the capability.
func New(db *pg.DB, clock func() time.Time) *Funnels { return &Funnels{db: db, clock: clock} }

// leadCases are leads with the opportunities that came of them: when they came to each step, what became of them and when that was.
// The opportunity's pipeline is the one that counts, and where there is none the lead's. What came in as won was never an opportunity.
const leadCases = `
	SELECT l.source, CASE WHEN o.id IS NULL THEN l.owner ELSE o.owner END AS owner, CASE WHEN o.id IS NULL THEN l.team ELSE o.team END AS team,
		l.captured_at AS began,
		ARRAY[l.captured_at, q.at, l.converted_at] || s.times || ARRAY[CASE WHEN o.state = 'won' THEN o.closed_at WHEN o.id IS NULL THEN l.converted_at END] AS times,
		CASE WHEN l.state = 'lost' OR o.state = 'lost' THEN 'lost' WHEN o.state = 'won' OR l.state = 'converted' AND o.id IS NULL THEN 'won' ELSE 'open' END AS state,
		CASE WHEN o.id IS NULL THEN l.lost_at ELSE o.closed_at END AS closed
	FROM lead l
	LEFT JOIN LATERAL (SELECT k.* FROM opportunity k WHERE k.tenant_id = @tenant AND k.lead_id = l.id AND k.state <> 'withdrawn' LIMIT 1) o ON true
	LEFT JOIN LATERAL (SELECT min(h.changed_at) AS at FROM lead_history h WHERE h.tenant_id = @tenant AND h.lead_id = l.id AND h.state_to = 'qualified') q ON true
	CROSS JOIN LATERAL (` + stageTimes + `) s
	WHERE l.tenant_id = @tenant AND l.captured_at < @until AND (NOT @cohort OR l.captured_at >= @since)
		AND CASE WHEN o.id IS NULL THEN l.pipeline ELSE o.pipeline END = @pipeline AND (@source = '' OR l.source = @source)`

// opportunityCases are opportunities, of leads or not.
const opportunityCases = `
	SELECT o.source, o.owner, o.team, o.opened_at AS began, s.times || ARRAY[CASE WHEN o.state = 'won' THEN o.closed_at END] AS times, o.state, o.closed_at AS closed
	FROM opportunity o CROSS JOIN LATERAL (` + stageTimes + `) s
	WHERE o.tenant_id = @tenant AND o.state <> 'withdrawn' AND o.opened_at < @until AND (NOT @cohort OR o.opened_at >= @since)
		AND o.pipeline = @pipeline AND (@source = '' OR o.source = @source)`

// stageTimes are when an opportunity first came to each stage.
const stageTimes = `SELECT array_agg((SELECT min(h.entered_at) FROM opportunity_stage h
		WHERE h.tenant_id = @tenant AND h.opportunity_id = o.id AND h.pipeline = @pipeline AND h.stage = k.stage AND h.state = 'open') ORDER BY k.n) AS times
	FROM unnest(@stages::text[]) WITH ORDINALITY AS k(stage, n)`

// countSteps counts the cases at each step. A case passes a step when it first comes to it or to any later one.
const countSteps = `SELECT c.key, k.n, count(*) FILTER (WHERE k.counts), count(*) FILTER (WHERE k.onward), count(*) FILTER (WHERE k.lost), count(*) FILTER (WHERE k.open),
		count(k.seconds), coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY k.seconds), 0), coalesce(avg(k.seconds), 0),
		coalesce(percentile_cont(0.9) WITHIN GROUP (ORDER BY k.seconds), 0)
	FROM (
		SELECT c.*, CASE @by WHEN 'source' THEN c.source WHEN 'owner' THEN c.owner WHEN 'team' THEN c.team
			WHEN 'month' THEN to_char(c.began AT TIME ZONE @zone, 'YYYY-MM') ELSE '' END AS key FROM (%s) c
		WHERE (@owner = '' OR c.owner = @owner) AND (@team = '' OR c.team = @team)
	) c
	CROSS JOIN generate_series(1, @steps) AS g(n)
	CROSS JOIN LATERAL (SELECT (SELECT min(t) FROM unnest(c.times[g.n:]) AS t) AS at, (SELECT min(t) FROM unnest(c.times[g.n + 1:]) AS t) AS next OFFSET 0) p
	CROSS JOIN LATERAL (SELECT g.n,
		p.at IS NOT NULL AND (@cohort OR p.at >= @since AND p.at < @until) AS counts,
		p.next IS NOT NULL AND (@cohort OR p.next >= @since AND p.next < @until) AS onward,
		p.at IS NOT NULL AND p.next IS NULL AND c.state = 'lost' AND (@cohort OR c.closed >= @since AND c.closed < @until) AS lost,
		p.at IS NOT NULL AND p.next IS NULL AND c.state = 'open' AND (@cohort OR p.at >= @since AND p.at < @until) AS open,
		CASE WHEN c.times[g.n + 1] >= c.times[g.n] AND (@cohort OR c.times[g.n + 1] >= @since AND c.times[g.n + 1] < @until)
			THEN extract(epoch FROM c.times[g.n + 1] - c.times[g.n])::float8 END AS seconds
	) k
	GROUP BY c.key, k.n ORDER BY c.key, k.n LIMIT @limit`

// Ask reckons funnels; whoever lacks sales.report asks about what is theirs.
func (f *Funnels) Ask(ctx context.Context, q Query) (all []Funnel, zone string, err error) {
	if q.Owner, err = forecast.Own(ctx, q.Owner); err != nil {
		return nil, "", err
	}
	if err := q.check(); err != nil {
		return nil, "", err
	}
	err = f.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		set := forecast.SettingOf(tx)
		p, err := pipeline.Find(ctx, tx, q.Pipeline)
		if err != nil {
			return err
		}
		zone = set.Zone.String()
		all, err = count(ctx, tx, q, p, set.Zone)
		return err
	})
	return all, zone, err
}

func count(ctx context.Context, tx *pg.Tx, q Query, p pipeline.Pipeline, zone *time.Location) ([]Funnel, error) {
	steps := q.steps(p)
	first := len(steps) - 1 - len(p.Stages) // place of the first stage
	cases := leadCases
	if q.Of == OfOpportunities {
		cases = opportunityCases
	}
	rows, err := tx.Query(ctx, strings.Replace(countSteps, "%s", cases, 1), pgx.NamedArgs{
		"tenant": tx.Tenant(), "pipeline": q.Pipeline, "stages": p.Codes(), "source": q.Source, "owner": q.Owner, "team": q.Team, "by": q.By, "zone": zone.String(),
		"cohort": q.Mode == Cohort, "since": midnight(q.From, zone), "until": midnight(q.To.AddDate(0, 0, 1), zone), "steps": len(steps), "limit": most * len(steps),
	})
	if err != nil {
		return nil, err
	}
	var (
		all []Funnel
		key string
		n   int
		s   Step
	)
	_, err = pgx.ForEachRow(rows, []any{&key, &n, &s.Reached, &s.WentOn, &s.Lost, &s.Open, &s.Timed, &s.Median, &s.Mean, &s.P90}, func() error {
		if n == 1 {
			all = append(all, Funnel{Key: key})
		}
		s.Code, s.Stage = steps[n-1], n > first && n < len(steps)
		last := &all[len(all)-1]
		last.Steps = append(last.Steps, s)
		return nil
	})
	if len(all) == 0 && q.By == "" { // of no case
		all = []Funnel{{}}
		for i, code := range steps {
			all[0].Steps = append(all[0].Steps, Step{Code: code, Stage: i >= first && i < len(steps)-1})
		}
	}
	return all, err
}

// midnight gives when a day begins in a zone.
func midnight(day time.Time, zone *time.Location) time.Time {
	year, month, d := day.Date()
	return time.Date(year, month, d, 0, 0, 0, 0, zone)
}
