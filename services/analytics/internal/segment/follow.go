package segment

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	analyticsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/analytics/events/v1"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/filter"
)

// followed is a segment as customers are judged by it.
type followed struct {
	id      uuid.UUID
	code    string
	version int64
	live    bool
	filter  filter.Node // resolved
}

// Follow judges customers by all live segments, in the transaction in which their portraits were reckoned, and gives who came
// and who went as events. It is a portrait.Follow: it comes after all that scores and tags customers.
func (s *Segments) Follow(ctx context.Context, tx *pg.Tx, customers []uuid.UUID, at time.Time) ([]outbox.Event, error) {
	if len(customers) == 0 {
		return nil, nil
	}
	holdDefinitions(tx)
	// What follows at once is not to be looked for again.
	tx.Queue(`DELETE FROM segment_due WHERE tenant_id = $1 AND tx = txid_current()`, tx.Tenant())
	b, err := loadBook(ctx, tx)
	if err != nil {
		return nil, err
	}
	tx.Queue(forgetListed, tx.Tenant(), customers)
	live, err := b.live(ctx, tx)
	if err != nil {
		return nil, err
	}
	events, _, _, err := judge(ctx, tx, live, customers, at, causeFacts)
	return events, err
}

// forgetListed takes erased customers out of lists by hand: they have no portrait, and mean nobody else.
const forgetListed = `WITH erased AS MATERIALIZED (SELECT c.id FROM unnest($2::uuid[]) AS c(id)
		WHERE NOT EXISTS (SELECT FROM portrait p WHERE p.tenant_id = $1 AND p.customer_id = c.id) AND customer_root($1, c.id) = c.id),
	ids AS MATERIALIZED (SELECT DISTINCT unnest(customer_group($1, e.id)) AS id FROM erased e),
	gone AS (DELETE FROM segment_member m USING segment s WHERE m.tenant_id = $1 AND m.customer_id IN (SELECT id FROM ids)
		AND s.tenant_id = $1 AND s.id = m.segment_id AND s.kind = 'static' RETURNING m.segment_id)
	INSERT INTO segment_flow (tenant_id, segment_id, day, slot, entered, gone)
	SELECT $1, segment_id, (now() AT TIME ZONE 'UTC')::date, pg_backend_pid() % 32, 0, count(*) FROM gone GROUP BY segment_id ORDER BY segment_id
	ON CONFLICT (tenant_id, segment_id, day, slot) DO UPDATE SET gone = segment_flow.gone + excluded.gone`

// live gives the live segments with their versions, in the order of their ids, which is that of their locks.
func (b book) live(ctx context.Context, tx *pg.Tx) ([]followed, error) {
	var all []followed
	for code, e := range b {
		if e.kind != Live {
			continue
		}
		n, err := b.resolved(code, *e.filter)
		if err != nil {
			return nil, err
		}
		all = append(all, followed{id: e.id, code: code, live: true, filter: n})
	}
	slices.SortFunc(all, func(a, b followed) int { return slices.Compare(a.id[:], b.id[:]) })
	return all, versions(ctx, tx, all)
}

func versions(ctx context.Context, tx *pg.Tx, all []followed) error {
	if len(all) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, len(all))
	for i, f := range all {
		ids[i] = f.id
	}
	rows, err := tx.Query(ctx, `SELECT s.version FROM unnest($2::uuid[]) WITH ORDINALITY AS i(id, no)
		JOIN segment s ON s.tenant_id = $1 AND s.id = i.id ORDER BY i.no`, tx.Tenant(), ids)
	if err != nil {
		return err
	}
	defer rows.Close()
	for i := 0; rows.Next(); i++ {
		if err := rows.Scan(&all[i].version); err != nil {
			return err
		}
	}
	return rows.Err()
}

// judgement is the statement that moves customers between segments: who is wanted by their portraits and is not in comes in,
// who is in and not wanted goes. Rows are locked in the order of their key by everybody. $1 is the tenant, $2 today, $3 the
// customers, $4 the segments, $5 the moment; $verdicts are a row a segment: its id, and whether a portrait is wanted.
const judgement = `WITH wanted AS MATERIALIZED (
		SELECT v.segment_id, portrait.customer_id FROM portrait CROSS JOIN LATERAL (VALUES $verdicts) AS v(segment_id, holds)
		WHERE portrait.tenant_id = $1 AND portrait.customer_id = ANY ($3::uuid[]) AND $2::date IS NOT NULL AND v.holds),
	unwanted AS MATERIALIZED (
		SELECT m.segment_id, m.customer_id FROM segment_member m
		WHERE m.tenant_id = $1 AND m.customer_id = ANY ($3::uuid[]) AND m.segment_id = ANY ($4::uuid[])
			AND NOT EXISTS (SELECT FROM wanted w WHERE w.segment_id = m.segment_id AND w.customer_id = m.customer_id)
		ORDER BY m.segment_id, m.customer_id FOR UPDATE OF m),
	gone AS (
		DELETE FROM segment_member m USING unwanted u
		WHERE m.tenant_id = $1 AND m.segment_id = u.segment_id AND m.customer_id = u.customer_id RETURNING m.segment_id, m.customer_id),
	come AS (
		INSERT INTO segment_member (tenant_id, segment_id, customer_id, since)
		SELECT $1, w.segment_id, w.customer_id, $5::timestamptz FROM wanted w
		WHERE NOT EXISTS (SELECT FROM segment_member m WHERE m.tenant_id = $1 AND m.segment_id = w.segment_id AND m.customer_id = w.customer_id)
		ORDER BY w.segment_id, w.customer_id
		ON CONFLICT DO NOTHING RETURNING segment_id, customer_id)
	SELECT segment_id, customer_id, true, '' FROM come
	UNION ALL
	SELECT g.segment_id, g.customer_id, false, CASE
		WHEN EXISTS (SELECT FROM portrait p WHERE p.tenant_id = $1 AND p.customer_id = g.customer_id) THEN ''
		WHEN customer_root($1, g.customer_id) <> g.customer_id THEN 'merged' ELSE 'erased' END FROM gone g
	ORDER BY 2, 1`

// judge moves customers between the segments, by which they are judged all at once, and gives the events of live ones.
func judge(ctx context.Context, tx *pg.Tx, segments []followed, customers []uuid.UUID, at time.Time, cause string) (
	events []outbox.Event, in, out map[uuid.UUID]int64, err error,
) {
	if len(segments) == 0 || len(customers) == 0 {
		return nil, nil, nil, nil
	}
	ids := make([]uuid.UUID, len(segments))
	by := make(map[uuid.UUID]followed, len(segments))
	args := []any{tx.Tenant(), at.UTC().Truncate(24 * time.Hour), customers, nil, at}
	var verdicts strings.Builder
	for i, f := range segments {
		ids[i], by[f.id] = f.id, f
		args = append(args, f.id)
		if i > 0 {
			verdicts.WriteString(", ")
		}
		verdicts.WriteString("(" + placeholder(len(args)) + "::uuid, ")
		condition, err := f.filter.SQL(&args, "$2::date")
		if err != nil {
			return nil, nil, nil, err
		}
		verdicts.WriteString(condition + ")")
	}
	args[3] = ids
	rows, err := tx.Query(ctx, strings.Replace(judgement, "$verdicts", verdicts.String(), 1), args...)
	if err != nil {
		return nil, nil, nil, err
	}
	defer rows.Close()
	var (
		segment, customer uuid.UUID
		entered           bool
		why               string
	)
	in, out = map[uuid.UUID]int64{}, map[uuid.UUID]int64{}
	for rows.Next() {
		if err := rows.Scan(&segment, &customer, &entered, &why); err != nil {
			return nil, nil, nil, err
		}
		if why == "" {
			why = cause
		}
		if entered {
			in[segment]++
		} else {
			out[segment]++
		}
		if f := by[segment]; f.live {
			events = append(events, f.event(customer, entered, why, at))
		}
	}
	if err := rows.Err(); err != nil {
		return nil, nil, nil, err
	}
	count(tx, at, in, out)
	return events, in, out, nil
}

func (f followed) event(customer uuid.UUID, entered bool, cause string, at time.Time) outbox.Event {
	e := outbox.Event{Aggregate: "customer", ID: customer, Time: at}
	if entered {
		e.Message = &analyticsv1.SegmentEntered{
			CustomerId: customer.String(), SegmentId: f.id.String(), Segment: f.code, SegmentVersion: f.version, Cause: cause, EnteredAt: timestamppb.New(at),
		}
		return e
	}
	e.Message = &analyticsv1.SegmentLeft{
		CustomerId: customer.String(), SegmentId: f.id.String(), Segment: f.code, SegmentVersion: f.version, Cause: cause, LeftAt: timestamppb.New(at),
	}
	return e
}
