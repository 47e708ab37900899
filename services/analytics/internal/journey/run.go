package journey

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// progress is how far a run is.
type progress struct {
	phase   string
	after   uuid.UUID
	mapping int64 // version
	merged  merged
}

// step counts one part of the customers and keeps what it came to, in one transaction: a run that is broken off goes on after
// the last part, and counts nobody twice.
func (j *Journey) step(ctx context.Context, tx *pg.Tx, r run.Run) (done bool, err error) {
	at, mapping, err := j.resume(ctx, tx, r)
	if err != nil {
		return false, err
	}
	p := part{phase: at.phase, lo: at.after, merged: at.merged, until: r.AsOf.AddDate(0, 0, 1)}
	if p.phase == phaseCustomers {
		if p.hi, err = nextPart(ctx, tx, r.Kind, p.lo, j.size); err != nil {
			return false, err
		}
	}
	if r.Kind == KindCohorts {
		err = keepCohortsOf(ctx, tx, p, r.ID)
	} else {
		err = keepFunnelOf(ctx, tx, p, mapping, r.ID)
	}
	if err != nil {
		return false, err
	}
	switch {
	case p.phase == phaseCustomers && p.hi != uuid.Max:
		at.after = p.hi
	case p.phase == phaseCustomers:
		at.phase = phaseMerged
	case p.phase == phaseMerged && r.Kind == KindCohorts:
		at.phase = phaseNobody
	default:
		queueKept(tx, r, at.mapping, j.now())
		return true, nil
	}
	queueProgress(tx, r.ID, at)
	return false, nil
}

// resume gives where the run stands. One that began by rules that hold no more begins again.
func (j *Journey) resume(ctx context.Context, tx *pg.Tx, r run.Run) (at progress, m Mapping, err error) {
	if m, err = loadMapping(ctx, tx, false); err != nil {
		return at, m, err
	}
	err = tx.QueryRow(ctx, `SELECT phase, after_id, mapping_version, merged_ids, merged_roots FROM journey_progress WHERE tenant_id = $1 AND run_id = $2`, tx.Tenant(), r.ID).
		Scan(&at.phase, &at.after, &at.mapping, &at.merged.ids, &at.merged.roots)
	at.merged.fill()
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		at = progress{phase: phaseCustomers, mapping: m.Version}
		at.merged, err = readMerged(ctx, tx)
		return at, m, err
	case err != nil:
		return at, m, err
	case r.Kind == KindFunnel && at.mapping != m.Version:
		tx.Queue(`DELETE FROM journey_funnel WHERE tenant_id = $1 AND run_id = $2`, tx.Tenant(), r.ID)
		tx.Queue(`DELETE FROM journey_funnel_days WHERE tenant_id = $1 AND run_id = $2`, tx.Tenant(), r.ID)
		at = progress{phase: phaseCustomers, mapping: m.Version}
		at.merged, err = readMerged(ctx, tx)
	}
	return at, m, err
}

func queueProgress(tx *pg.Tx, id uuid.UUID, at progress) {
	tx.Queue(`INSERT INTO journey_progress (tenant_id, run_id, phase, after_id, mapping_version, merged_ids, merged_roots) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (tenant_id, run_id) DO UPDATE SET phase = excluded.phase, after_id = excluded.after_id, mapping_version = excluded.mapping_version,
			merged_ids = excluded.merged_ids, merged_roots = excluded.merged_roots`,
		tx.Tenant(), id, at.phase, at.after, at.mapping, orEmpty(at.merged.ids), orEmpty(at.merged.roots))
}

// queueKept has the numbers of the run read from now on, and forgets those of runs before.
func queueKept(tx *pg.Tx, r run.Run, mapping int64, now time.Time) {
	tx.Queue(`INSERT INTO journey_kept (tenant_id, kind, run_id, as_of, mapping_version, kept_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (tenant_id, kind) DO UPDATE SET run_id = excluded.run_id, as_of = excluded.as_of, mapping_version = excluded.mapping_version,
			kept_at = excluded.kept_at`, tx.Tenant(), r.Kind, r.ID, r.AsOf, mapping, now)
	tables := []string{"journey_cohort", "journey_rest"}
	if r.Kind == KindFunnel {
		tables = []string{"journey_funnel", "journey_funnel_days"}
	}
	for _, table := range tables {
		tx.Queue(`DELETE FROM `+table+` WHERE tenant_id = $1 AND run_id < $2`, tx.Tenant(), r.ID)
	}
	tx.Queue(`DELETE FROM journey_progress WHERE tenant_id = $1 AND run_id = $2`, tx.Tenant(), r.ID)
}

func keepCohortsOf(ctx context.Context, tx *pg.Tx, p part, id uuid.UUID) error {
	c := NewCohorts()
	var err error
	if p.phase == phaseNobody {
		err = readNobodys(ctx, tx, p, c)
	} else {
		err = readCohorts(ctx, tx, p, c)
	}
	if err != nil {
		return err
	}
	type row struct {
		Currency      string `json:"currency"`
		Cohort        string `json:"cohort"`
		Channel       string `json:"channel"`
		Age           int    `json:"age"`
		Customers     int64  `json:"customers"`
		Orders        int64  `json:"orders"`
		GrossMinor    int64  `json:"gross_minor"`
		ReturnedMinor int64  `json:"returned_minor"`
	}
	var cells, rest []row
	for key, cell := range c.Cells {
		cells = append(cells, row{key.Currency, day(key.Month), key.Channel, key.Age, cell.Customers, cell.Orders, cell.GrossMinor, cell.ReturnedMinor})
	}
	for key, cell := range c.Rest {
		rest = append(rest, row{Currency: key.Currency, Cohort: day(key.Month), Orders: cell.Orders, GrossMinor: cell.GrossMinor, ReturnedMinor: cell.ReturnedMinor})
	}
	if err := queueRows(tx, `INSERT INTO journey_cohort AS c (tenant_id, run_id, currency, cohort, channel, age, customers, orders, gross_minor, returned_minor)
		SELECT $1, $2, r.currency, r.cohort, r.channel, r.age, r.customers, r.orders, r.gross_minor, r.returned_minor
		FROM jsonb_to_recordset($3) AS r(currency text, cohort date, channel text, age integer, customers bigint, orders bigint, gross_minor bigint, returned_minor bigint)
		ON CONFLICT (tenant_id, run_id, currency, cohort, channel, age) DO UPDATE SET customers = c.customers + excluded.customers, orders = c.orders + excluded.orders,
			gross_minor = c.gross_minor + excluded.gross_minor, returned_minor = c.returned_minor + excluded.returned_minor`, id, cells); err != nil {
		return err
	}
	return queueRows(tx, `INSERT INTO journey_rest AS c (tenant_id, run_id, currency, month, orders, gross_minor, returned_minor)
		SELECT $1, $2, r.currency, r.cohort, r.orders, r.gross_minor, r.returned_minor
		FROM jsonb_to_recordset($3) AS r(currency text, cohort date, orders bigint, gross_minor bigint, returned_minor bigint)
		ON CONFLICT (tenant_id, run_id, currency, month) DO UPDATE SET orders = c.orders + excluded.orders, gross_minor = c.gross_minor + excluded.gross_minor,
			returned_minor = c.returned_minor + excluded.returned_minor`, id, rest)
}

func keepFunnelOf(ctx context.Context, tx *pg.Tx, p part, m Mapping, id uuid.UUID) error {
	f := Funnels{}
	if err := readFunnel(ctx, tx, p, m, f); err != nil {
		return err
	}
	type row struct {
		Month   string `json:"month"`
		Channel string `json:"channel"`
		Stage   int    `json:"stage"`
		Days    int    `json:"days"`
		People  int64  `json:"people"`
	}
	var reached, days []row
	for key, one := range f {
		for i, n := range one.Reached {
			if n > 0 {
				reached = append(reached, row{Month: day(key.Month), Channel: key.Channel, Stage: i + 1, People: n})
			}
		}
		for i := range one.Days {
			for _, d := range slices.Sorted(maps.Keys(one.Days[i])) {
				days = append(days, row{day(key.Month), key.Channel, i + 1, d, one.Days[i][d]})
			}
		}
	}
	if err := queueRows(tx, `INSERT INTO journey_funnel AS c (tenant_id, run_id, month, channel, stage, people)
		SELECT $1, $2, r.month, r.channel, r.stage, r.people FROM jsonb_to_recordset($3) AS r(month date, channel text, stage smallint, people bigint)
		ON CONFLICT (tenant_id, run_id, month, channel, stage) DO UPDATE SET people = c.people + excluded.people`, id, reached); err != nil {
		return err
	}
	return queueRows(tx, `INSERT INTO journey_funnel_days AS c (tenant_id, run_id, month, channel, stage, days, people)
		SELECT $1, $2, r.month, r.channel, r.stage, r.days, r.people FROM jsonb_to_recordset($3) AS r(month date, channel text, stage smallint, days integer, people bigint)
		ON CONFLICT (tenant_id, run_id, month, channel, stage, days) DO UPDATE SET people = c.people + excluded.people`, id, days)
}

func day(m Month) string { return m.First().Format(time.DateOnly) }

// queueRows queues a statement whose third argument is rows as JSON.
func queueRows[T any](tx *pg.Tx, sql string, id uuid.UUID, rows []T) error {
	if len(rows) == 0 {
		return nil
	}
	raw, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	tx.Queue(sql, tx.Tenant(), id, json.RawMessage(raw))
	return nil
}

// loadMapping reads the rules that hold; lock keeps others from changing them until the transaction ends.
func loadMapping(ctx context.Context, tx *pg.Tx, lock bool) (Mapping, error) {
	if lock {
		tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('journey_mapping ' || $1, 0))`, tx.Tenant())
	}
	var m Mapping
	err := tx.QueryRow(ctx, `SELECT version, rules, changed_by, changed_at FROM journey_mapping WHERE tenant_id = $1`, tx.Tenant()).
		Scan(&m.Version, &m.Rules, &m.ChangedBy, &m.ChangedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return StandardMapping(), nil
	}
	m.ChangedAt = m.ChangedAt.UTC()
	return m, err
}

func saveMapping(tx *pg.Tx, m Mapping) error {
	raw, err := json.Marshal(m.Rules)
	if err != nil {
		return err
	}
	tx.Queue(`INSERT INTO journey_mapping (tenant_id, version, rules, changed_by, changed_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (tenant_id) DO UPDATE SET version = excluded.version, rules = excluded.rules, changed_by = excluded.changed_by, changed_at = excluded.changed_at`,
		tx.Tenant(), m.Version, json.RawMessage(raw), m.ChangedBy, m.ChangedAt)
	return nil
}
