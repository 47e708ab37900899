package report

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// groups are what reports may be grouped by, with where that stands: in the alias t the ticket, or what was measured of it.
var groups = map[string]string{
	"agent": "t.agent", "queue": "t.queue", "policy": "coalesce(t.policy_id::text, '')",
	"category": "t.category", "channel": "t.channel", "kind": "t.kind", "priority": "t.priority::text", "": "''",
}

// begins is the first day of the part of the time that an instant is in; in UTC, weeks beginning on Mondays.
func begins(per, at string) string {
	switch per {
	case "day", "week", "month":
		return fmt.Sprintf("to_char(date_trunc('%s', %s AT TIME ZONE 'UTC'), 'YYYY-MM-DD')", per, at)
	default:
		return "''"
	}
}

// levels counts verdicts of clocks: of rounds that ended in the span, and of those that are overdue now and fell due in it.
func levels(ctx context.Context, tx *pg.Tx, s Span, by, per string, now time.Time) ([]Level, error) {
	rows, err := tx.Query(ctx, strings.NewReplacer("@group", groups[by], "@begins", begins(per, "t.at")).Replace(`
		SELECT t.clock, @group, coalesce(max(p.name) FILTER (WHERE $5), ''), @begins,
			count(*) FILTER (WHERE t.state = 'met'), count(*) FILTER (WHERE t.state = 'breached'), count(*) FILTER (WHERE t.state = 'overdue'),
			count(*) FILTER (WHERE t.state = 'cancelled'),
			coalesce(round(avg(t.difference) FILTER (WHERE t.state IN ('met', 'breached'))), 0)::bigint
		FROM (
			SELECT clock, agent, queue, policy_id, state, ended_at AS at, difference_seconds AS difference
			FROM sla_measurement WHERE tenant_id = $1 AND ended_at >= $2 AND ended_at < $3
			UNION ALL
			SELECT next_clock, agent, queue, policy_id, 'overdue', next_due_at, 0
			FROM ticket WHERE tenant_id = $1 AND status IN ('new', 'open', 'pending', 'on_hold') AND next_due_at >= $2 AND next_due_at < least($3, $4)
		) t LEFT JOIN sla_policy p ON p.tenant_id = $1 AND p.id = t.policy_id
		GROUP BY 1, 2, 4 ORDER BY 1, 4, 2`), tx.Tenant(), s.From, s.To, now, by == "policy")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (l Level, err error) {
		return l, row.Scan(&l.Clock, &l.Group, &l.Name, &l.Begins, &l.Met, &l.Breached, &l.Overdue, &l.Cancelled, &l.Difference)
	})
}

// backlog counts what is open.
func backlog(ctx context.Context, tx *pg.Tx, by string, now time.Time) ([]Backlog, error) {
	var counts strings.Builder
	from := 0
	for i, to := range ages {
		fmt.Fprintf(&counts, ", count(*) FILTER (WHERE age >= interval '%d days'", from)
		if i < len(ages)-1 {
			fmt.Fprintf(&counts, " AND age < interval '%d days'", to)
		}
		counts.WriteString(")")
		from = to
	}
	rows, err := tx.Query(ctx, strings.NewReplacer("@group", groups[by], "@ages", counts.String()).Replace(`
		SELECT @group, count(*), count(*) FILTER (WHERE t.status = 'new'), count(*) FILTER (WHERE t.status = 'pending'),
			count(*) FILTER (WHERE t.status = 'on_hold'), count(*) FILTER (WHERE t.next_due_at < $2), min(t.opened_at),
			extract(epoch FROM percentile_cont(0.5) WITHIN GROUP (ORDER BY age))::bigint@ages
		FROM (SELECT *, $2 - opened_at AS age FROM ticket WHERE tenant_id = $1 AND status IN ('new', 'open', 'pending', 'on_hold')) t
		GROUP BY 1 ORDER BY 2 DESC, 1`), tx.Tenant(), now)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (b Backlog, err error) {
		var median int64
		to := []any{&b.Group, &b.Open, &b.New, &b.Pending, &b.OnHold, &b.Overdue, &b.Oldest, &median}
		for i := range b.Ages {
			to = append(to, &b.Ages[i])
		}
		err = row.Scan(to...)
		b.Oldest, b.MedianAge = b.Oldest.UTC(), time.Duration(median)*time.Second
		return b, err
	})
}

// resolutions counts tickets that were resolved in the span for the first time. Complaints are led by a process of their own and
// are not among them.
func resolutions(ctx context.Context, tx *pg.Tx, s Span, by, per string) ([]Resolutions, error) {
	rows, err := tx.Query(ctx, strings.NewReplacer("@group", groups[by], "@begins", begins(per, "h.at")).Replace(`
		SELECT @group, @begins, count(*), count(*) FILTER (WHERE t.reopened = 0 AND NOT EXISTS (
				SELECT FROM ticket_history e WHERE e.tenant_id = h.tenant_id AND e.ticket_id = h.ticket_id AND e.no < h.no AND e.what = 'customer_contact')),
			count(*) FILTER (WHERE t.reopened > 0)
		FROM ticket_history h JOIN ticket t ON t.tenant_id = h.tenant_id AND t.id = h.ticket_id
		WHERE h.tenant_id = $1 AND h.what = 'status' AND h.status = 'resolved' AND h.at >= $2 AND h.at < $3 AND t.kind <> 'complaint'
			AND NOT EXISTS (SELECT FROM ticket_history e WHERE e.tenant_id = h.tenant_id AND e.ticket_id = h.ticket_id AND e.no < h.no
				AND e.what = 'status' AND e.status = 'resolved')
		GROUP BY 1, 2 ORDER BY 2, 1`), tx.Tenant(), s.From, s.To)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (r Resolutions, err error) {
		return r, row.Scan(&r.Group, &r.Begins, &r.Resolved, &r.FirstContact, &r.Reopened)
	})
}

// causes counts complaints that were registered in the span by what led to them, the most frequent first, and those of which
// that is not known (yet).
func causes(ctx context.Context, tx *pg.Tx, s Span, by string) (found []Cause, open int64, err error) {
	column := map[string]string{"cause": "cause", "category": "category", "unit": "unit"}[by]
	rows, err := tx.Query(ctx, `SELECT `+column+`, count(*), count(DISTINCT coalesce(a.root_id, c.customer_id))
		FROM complaint c LEFT JOIN customer_aliases($1) a ON a.customer_id = c.customer_id
		WHERE c.tenant_id = $1 AND c.registered_at >= $2 AND c.registered_at < $3
		GROUP BY 1 ORDER BY 2 DESC, 1`, tx.Tenant(), s.From, s.To)
	if err != nil {
		return nil, 0, err
	}
	var c Cause
	_, err = pgx.ForEachRow(rows, []any{&c.Code, &c.Complaints, &c.Customers}, func() error {
		if c.Code == "" {
			open = c.Complaints
			return nil
		}
		found = append(found, c)
		return nil
	})
	return found, open, err
}
