package forecast

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
)

// Setting is in which zone days, weeks and months begin.
type Setting struct {
	Zone      *time.Location
	Version   int64 // 0: nothing was set, the zone is UTC
	By        string
	ChangedAt time.Time
}

// SettingOf queues the reading of the tenant's setting; it is filled in by the next round trip.
func SettingOf(tx *pg.Tx) *Setting {
	s := &Setting{Zone: time.UTC}
	tx.Queue(`SELECT zone, version, by_subject, changed_at FROM forecast_setting WHERE tenant_id = $1`, tx.Tenant()).QueryRow(func(row pgx.Row) error {
		var zone string
		err := row.Scan(&zone, &s.Version, &s.By, &s.ChangedAt)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err == nil {
			s.Zone, err = time.LoadLocation(zone)
		}
		s.ChangedAt = s.ChangedAt.UTC()
		return err
	})
	return s
}

// present reads what opportunities are weighted by, and the zone.
func present(ctx context.Context, tx *pg.Tx) (*Setting, pgx.NamedArgs, error) {
	set, book := SettingOf(tx), pipeline.All(tx)
	if err := tx.Flush(ctx); err != nil {
		return nil, nil, err
	}
	var (
		pipelines, stages, categories []string
		probabilities                 []int32
	)
	for _, p := range book.All() {
		for _, s := range p.Stages {
			pipelines, stages, categories = append(pipelines, p.Code), append(stages, s.Code), append(categories, string(s.Category))
			probabilities = append(probabilities, s.Probability)
		}
	}
	return set, pgx.NamedArgs{
		"tenant": tx.Tenant(), "zone": set.Zone.String(), "pipelines": pipelines, "stages": stages, "categories": categories, "probabilities": probabilities,
	}, nil
}

// presentLines are the lines of this moment: all that is open, and what was won since @since.
const presentLines = `
	SELECT o.id AS opportunity_id, o.pipeline, o.stage, o.team, o.owner,
		coalesce(to_char(CASE WHEN o.state = 'won' THEN (o.closed_at AT TIME ZONE @zone)::date ELSE o.expected_close_on END, 'YYYY-MM'), '') AS month,
		CASE WHEN o.state = 'won' THEN 'closed' ELSE coalesce(o.forecast_category, s.category, 'pipeline') END AS category,
		CASE WHEN o.state = 'won' THEN 100 ELSE coalesce(s.probability, 0) END AS probability, o.currency, o.amount_minor,
		CASE WHEN o.state = 'won' THEN o.amount_minor ELSE (o.amount_minor * coalesce(s.probability, 0) + 50) / 100 END AS weighted_minor
	FROM opportunity o
	LEFT JOIN unnest(@pipelines::text[], @stages::text[], @categories::text[], @probabilities::integer[]) AS s(pipeline, stage, category, probability)
		ON s.pipeline = o.pipeline AND s.stage = o.stage
	WHERE o.tenant_id = @tenant AND (o.state = 'open' OR o.state = 'won' AND o.closed_at >= @since)`

// snapshotLines are the lines of the snapshot @snapshot.
const snapshotLines = `SELECT * FROM forecast_snapshot_line k WHERE k.tenant_id = @tenant AND k.snapshot_id = @snapshot`

// inScope picks the lines of a scope.
const inScope = `(@pipeline = '' OR l.pipeline = @pipeline) AND (@team = '' OR l.team = @team) AND (@owner = '' OR l.owner = @owner)
	AND (@from = '' AND @to = '' OR l.month <> '' AND l.month >= @from AND (@to = '' OR l.month <= @to))`

func (s Scope) args(into pgx.NamedArgs) {
	into["pipeline"], into["team"], into["owner"], into["from"], into["to"] = s.Pipeline, s.Team, s.Owner, s.From, s.To
}

// sums adds lines up, which come to at most limit sums.
func sums(ctx context.Context, tx *pg.Tx, lines string, by By, args pgx.NamedArgs, limit int) ([]Sum, error) {
	args["by_pipeline"], args["by_team"], args["by_owner"], args["by_month"], args["limit"] = by.Pipeline, by.Team, by.Owner, by.Month, limit
	rows, err := tx.Query(ctx, `SELECT CASE WHEN @by_pipeline::boolean THEN l.pipeline ELSE '' END, CASE WHEN @by_team::boolean THEN l.team ELSE '' END,
			CASE WHEN @by_owner::boolean THEN l.owner ELSE '' END, CASE WHEN @by_month::boolean THEN l.month ELSE '' END,
			l.category, l.currency, count(*), sum(l.amount_minor)::bigint, sum(l.weighted_minor)::bigint
		FROM (`+lines+`) l WHERE `+inScope+`
		GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, array_position(ARRAY['pipeline', 'best_case', 'commit', 'closed'], l.category), 6 LIMIT @limit`, args)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Sum])
}

// Snapshot is what was expected at one moment.
type Snapshot struct {
	ID            uuid.UUID
	Week          string // that it stands for; empty: somebody asked for it besides
	Zone          string // whose months its lines have
	Opportunities int64
	By            string // subject
	TakenAt       time.Time
}

const snapshotColumns = `id, coalesce(week, ''), zone, opportunities, by_subject, taken_at`

func scanSnapshot(row pgx.CollectableRow) (s Snapshot, err error) {
	err = row.Scan(&s.ID, &s.Week, &s.Zone, &s.Opportunities, &s.By, &s.TakenAt)
	s.TakenAt = s.TakenAt.UTC()
	return s, err
}

func findSnapshot(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Snapshot, error) {
	rows, err := tx.Query(ctx, `SELECT `+snapshotColumns+` FROM forecast_snapshot WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), id)
	if err != nil {
		return Snapshot{}, err
	}
	s, err := pgx.CollectExactlyOneRow(rows, scanSnapshot)
	if errors.Is(err, pgx.ErrNoRows) {
		return Snapshot{}, problem.New(problem.NotFound, "forecast_snapshot_not_found", "There is no such snapshot.")
	}
	return s, err
}

// take writes a snapshot with its lines; taken is false where there is one of the week already.
func take(ctx context.Context, tx *pg.Tx, s Snapshot, args pgx.NamedArgs) (_ Snapshot, taken bool, err error) {
	args["id"], args["week"], args["by"], args["at"] = s.ID, pg.OrNull(s.Week), s.By, s.TakenAt
	rows, err := tx.Query(ctx, `WITH line AS MATERIALIZED (`+presentLines+`), snapshot AS (
			INSERT INTO forecast_snapshot (tenant_id, id, week, zone, opportunities, by_subject, taken_at)
			SELECT @tenant, @id, @week, @zone, count(*), @by, @at FROM line
			ON CONFLICT (tenant_id, week) DO NOTHING
			RETURNING `+snapshotColumns+`
		), written AS (
			INSERT INTO forecast_snapshot_line (tenant_id, snapshot_id, opportunity_id, pipeline, stage, team, owner, month, category, probability, currency,
				amount_minor, weighted_minor)
			SELECT @tenant, s.id, l.opportunity_id, l.pipeline, l.stage, l.team, l.owner, l.month, l.category, l.probability, l.currency, l.amount_minor, l.weighted_minor
			FROM line l CROSS JOIN snapshot s
		)
		SELECT * FROM snapshot`, args)
	if err != nil {
		return Snapshot{}, false, err
	}
	all, err := pgx.CollectRows(rows, scanSnapshot)
	if err != nil || len(all) == 0 {
		return Snapshot{}, false, err
	}
	return all[0], true, nil
}
