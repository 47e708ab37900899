package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// boardOpen is how many open opportunities a board is read with.
const boardOpen = 10_000

// boardPipeline is the pipeline that they are in, with the stages of the standard one.
const boardPipeline = "bench-board"

// measureBoard reads the board of a pipeline with many open opportunities.
func measureBoard(ctx context.Context, b *bench) error {
	stages := make([]map[string]any, 4)
	for i, s := range []string{"new", "qualified", "proposal", "negotiation"} {
		stages[i] = map[string]any{"code": s, "name": s, "probability": 10 + 20*i}
	}
	_, err := b.api.Do(ctx, client.Request{Method: http.MethodPost, Path: "/v1/pipelines", In: map[string]any{
		"code": boardPipeline, "name": "Bench", "currency": "CNY", "stages": stages,
	}}, nil)
	if err != nil {
		return err
	}
	n := length(b, boardOpen, 1_000)
	if err := b.loadOpportunities(ctx, n); err != nil {
		return err
	}
	if err := b.ask(ctx, boardOf(n)); err != nil {
		return err
	}
	return b.settle(ctx)
}

// loadOpportunities makes copies of an opportunity that was opened by the API, with its stage history, spread over stages, owners,
// amounts and days. It takes the tables as they are, so that they may get more columns.
func (b *bench) loadOpportunities(ctx context.Context, n int) (err error) {
	var made struct {
		ID string `json:"opportunity_id"`
	}
	err = b.api.Post(ctx, "/v1/opportunities", map[string]any{
		"customer_id": "01900000-0000-7000-8000-000000000000", "name": "Ovens for three kitchens", "pipeline": boardPipeline, "amount_minor": 1,
		"next_step": "Taste test with the cook", "next_step_on": "2099-12-31",
	}, &made)
	if err != nil {
		return err
	}
	conn, err := b.database(ctx, "sales")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	var columns string // those that are not reckoned from others
	err = conn.QueryRow(ctx, `SELECT string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position) FROM information_schema.columns
		WHERE table_schema = 'public' AND table_name = 'opportunity' AND is_generated = 'NEVER'`).Scan(&columns)
	if err != nil {
		return err
	}
	for _, sql := range []string{
		`CREATE TEMP TABLE copy AS SELECT i, gen_random_uuid() AS id, gen_random_uuid() AS customer, now() - random() * interval '60 days' AS opened,
			(ARRAY['new', 'qualified', 'proposal', 'negotiation'])[1 + i % 4] AS stage FROM generate_series(1, @n) AS i`,
		`INSERT INTO opportunity (` + columns + `) SELECT ` + columns + ` FROM (
			SELECT (jsonb_populate_record(o, jsonb_build_object('id', c.id, 'customer_id', c.customer, 'stage', c.stage, 'opened_at', c.opened, 'stage_since', c.opened,
				'amount_minor', (random() * 10000000)::bigint, 'expected_close_on', (now() + random() * interval '180 days')::date, 'owner', 'seller-' || c.i % 50))).*
			FROM opportunity o, copy c WHERE o.tenant_id = @tenant AND o.id = @id) x`,
		`INSERT INTO opportunity_stage SELECT (jsonb_populate_record(s, jsonb_build_object('opportunity_id', c.id, 'stage', c.stage, 'entered_at', c.opened))).*
			FROM opportunity_stage s, copy c WHERE s.tenant_id = @tenant AND s.opportunity_id = @id`,
		`VACUUM (ANALYZE) opportunity, opportunity_stage`, `CHECKPOINT`,
	} {
		args := []any{pgx.NamedArgs{"n": n, "tenant": tenant, "id": made.ID}}
		if !strings.Contains(sql, "@") {
			args = nil
		}
		if _, err := conn.Exec(ctx, sql, args...); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

// boardOf asks for the board, beside one statement that reads the same rows: sums and first cards of each stage.
func boardOf(n int) question {
	return question{
		name: fmt.Sprintf("GET /v1/pipelines/{code}/board of %d open opportunities", n), atMost: 50, rate: 20, service: "sales",
		path:    func(*bench, int) (string, error) { return "/v1/pipelines/" + boardPipeline + "/board", nil },
		against: "SELECT of sums and cards",
		sql: `SELECT s.stage, s.sums, c.cards FROM (
				SELECT stage, jsonb_agg(jsonb_build_array(currency, n, amount)) AS sums FROM (
					SELECT stage, currency, count(*) AS n, sum(amount_minor) AS amount FROM opportunity
					WHERE tenant_id = $1 AND pipeline = $2 AND state = 'open' GROUP BY stage, currency) x GROUP BY stage) s
			CROSS JOIN LATERAL (SELECT jsonb_agg(o) AS cards FROM (SELECT * FROM opportunity
				WHERE tenant_id = $1 AND pipeline = $2 AND stage = s.stage AND state = 'open' ORDER BY closes_on, id LIMIT 21) o) c`,
		args: func(*bench, int) ([]any, error) { return []any{boardPipeline}, nil },
	}
}
