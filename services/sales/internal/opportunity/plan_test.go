package opportunity_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/services/sales/internal/opportunity"
)

// crowd makes so many open opportunities out of one, spread over stages, owners, amounts and days.
func (s *shop) crowd(n int) {
	s.t.Helper()
	one := s.opens(ready)
	s.admin(`INSERT INTO opportunity (tenant_id, id, version, customer_id, name, pipeline, stage, state, currency, amount_minor, expected_close_on, next_step,
			next_step_on, next_step_since, owner, team, source, campaign, tags, custom_fields, score_fields, opened_at, stage_since, reason, competitor,
			stalled_reason, stalls, moves, changed_at, changed_by)
		SELECT tenant_id, gen_random_uuid(), 1, gen_random_uuid(), name, pipeline, (ARRAY['new', 'qualified', 'proposal', 'negotiation'])[1 + i % 4], state, currency,
			i * 7 % 1000003, expected_close_on + i % 180, next_step, next_step_on, next_step_since, 'seller-' || i % 50, team, source, campaign, tags,
			custom_fields, score_fields, opened_at, stage_since - i * interval '1 minute', reason, competitor, stalled_reason, stalls, moves, changed_at, changed_by
		FROM opportunity, generate_series(1, $2) i WHERE id = $1`, one.ID, n)
	// Of those that were won there are more.
	s.admin(`INSERT INTO opportunity (tenant_id, id, version, customer_id, name, pipeline, stage, state, currency, amount_minor, next_step, next_step_since, owner, team,
			source, campaign, tags, custom_fields, score_fields, opened_at, stage_since, closed_at, reason, competitor, stalled_reason, stalls, moves, changed_at, changed_by)
		SELECT tenant_id, gen_random_uuid(), 2, gen_random_uuid(), name, pipeline, stage, 'won', currency, amount_minor, '', next_step_since, owner, team,
			source, campaign, tags, custom_fields, score_fields, opened_at, stage_since, stage_since, reason, competitor, stalled_reason, stalls, moves, changed_at, changed_by
		FROM opportunity, generate_series(1, 4)`)
	s.admin(`VACUUM ANALYZE opportunity`)
}

// admin carries out a statement as the superuser, who is bound by nothing.
func (s *shop) admin(sql string, args ...any) {
	s.t.Helper()
	conn, err := pgx.Connect(s.t.Context(), s.database.AdminURL())
	require.NoError(s.t, err)
	_, err = conn.Exec(s.t.Context(), sql, args...)
	require.NoError(s.t, err)
	require.NoError(s.t, conn.Close(s.t.Context()))
}

// The board reads sums from the index alone, and of each stage only the cards that it shows, in the order of an index.
func TestTheBoardReadsNoMoreThanItShows(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.crowd(10_000)
	for _, sort := range []opportunity.Sort{opportunity.SortClose, opportunity.SortAmount, opportunity.SortAge} {
		v := opportunity.View{Pipeline: "standard", Sort: sort, Cards: 20}
		sums, cards := v.Explain(t.Context(), t, s.db, "pizza")
		require.Contains(t, sums, "Index Only Scan using opportunity_board on opportunity")
		require.NotContains(t, cards, "Sort", "%s: %s", sort, cards)
		require.NotContains(t, cards, "Seq Scan")
		require.Contains(t, cards, "Index Scan using opportunity_board")
		require.NotContains(t, cards, "rows=2500", "of each stage it reads the first ones")
	}
}
