package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// casesScored is how many open leads are scored again at once.
	casesScored = 100_000
	// scoringWanted is in how many seconds.
	scoringWanted = 5
	// scoringTenant is whose leads are scored by the platform, and scoringSQLTenant whose rows are written by plain SQL.
	scoringTenant, scoringSQLTenant = "bench-scoring", "bench-scoring-sql"
)

// measureScoring has many open leads scored again, as happens behind the scenes after counts moved: until the last score is written,
// the second until the work is noticed included, beside one UPDATE of as many rows of the same table. All scores change.
func measureScoring(ctx context.Context, b *bench) error {
	cases := length(b, casesScored, 5_000)
	if err := b.serve(ctx, "http,workers"); err != nil {
		return err
	}
	conn, err := b.database(ctx, "sales")
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for _, tenant := range []string{scoringSQLTenant, scoringTenant} {
		if err := b.ensureTenant(ctx, tenant); err != nil {
			return err
		}
		if err := openCases(ctx, conn, tenant, cases); err != nil {
			return err
		}
	}
	began := time.Now()
	if _, err := conn.Exec(ctx, `UPDATE scoring_case SET probability = 1 + (probability + 17) % 9000, scored_at = now() WHERE tenant_id = $1`, scoringSQLTenant); err != nil {
		return err
	}
	plain := time.Since(began)
	began = time.Now()
	if err := scoreAgain(ctx, conn, cases); err != nil {
		return err
	}
	b.add(row{Name: fmt.Sprintf("%d open leads scored again", cases), Unit: "s", Measured: time.Since(began).Seconds()}.
		against("one SQL statement that writes as many", plain.Seconds()).atMost(scoringWanted))
	return b.serve(ctx, "")
}

// openCases makes open leads of ten teams with what is known of them, none of them scored rightly, and counts to score them by.
func openCases(ctx context.Context, conn *pgx.Conn, tenant string, cases int) error {
	for _, sql := range []string{
		`INSERT INTO scoring_case (tenant_id, id, team, pipeline, stage, stages, fields, tags, probability, scored_at)
		 SELECT $1, ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'team-' || n % 10, 'standard', (ARRAY['new', 'qualified', 'proposal'])[1 + n % 3],
			ARRAY['new', 'qualified', 'proposal', 'negotiation'],
			jsonb_build_object('source', 's' || n % 20, 'country', 'c' || n % 60, 'email_state', 'correct', 'phone_state', (ARRAY['correct', 'incorrect'])[1 + n % 2]),
			ARRAY['t' || n % 30, 't' || n % 7], 9999, now() FROM generate_series(1, $2::int) n`,
		`INSERT INTO scoring_count (tenant_id, generation, team, field, value, won, lost)
		 SELECT $1, 1, 'team-' || t, f.field, f.value, 1 + (t * 31 + f.n * 17) % 90, 10 + (t * 13 + f.n * 29) % 400
		 FROM generate_series(0, 9) t CROSS JOIN (
			SELECT 'source' AS field, 's' || n AS value, n FROM generate_series(0, 19) n UNION ALL SELECT 'country', 'c' || n, n FROM generate_series(0, 59) n
			UNION ALL SELECT 'tags', 't' || n, n FROM generate_series(0, 29) n UNION ALL SELECT 'email_state', 'correct', 1
			UNION ALL SELECT 'phone_state', v, length(v) FROM unnest(ARRAY['correct', 'incorrect']) v
			UNION ALL SELECT 'stage', 'standard/' || v, length(v) FROM unnest(ARRAY['new', 'qualified', 'proposal', 'negotiation']) v
		 ) f WHERE $2::int > 0`,
	} {
		if _, err := conn.Exec(ctx, sql, tenant, cases); err != nil {
			return err
		}
	}
	_, err := conn.Exec(ctx, `VACUUM ANALYZE scoring_case, scoring_count`)
	return err
}

// scoreAgain says that counts moved, and waits until every open lead of the tenant has another score.
func scoreAgain(ctx context.Context, conn *pgx.Conn, cases int) error {
	if _, err := conn.Exec(ctx, `INSERT INTO scoring_mark (tenant_id, id) VALUES ($1, gen_random_uuid())`, scoringTenant); err != nil {
		return err
	}
	deadline := time.Now().Add(10 * time.Minute)
	for marked := true; marked; {
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
		if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM scoring_mark WHERE tenant_id = $1)`, scoringTenant).Scan(&marked); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return errors.New("the leads were not scored within ten minutes")
		}
	}
	var scored int
	if err := conn.QueryRow(ctx, `SELECT count(*) FROM scoring_case WHERE tenant_id = $1 AND probability < 9999`, scoringTenant).Scan(&scored); err != nil {
		return err
	}
	if scored != cases {
		return fmt.Errorf("%d of %d leads were scored", scored, cases)
	}
	return nil
}
