package mining

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/model"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// readFields reads numbers of portraits: $2 is today, the condition's arguments begin at $3. NaN: there is none.
func readFields(ctx context.Context, tx *pg.Tx, fields []string, today time.Time, condition string, args ...any) ([]uuid.UUID, Matrix, error) {
	columns := make([]string, len(fields))
	for i, name := range fields {
		f, ok := portrait.Lookup(name)
		if !ok {
			return nil, Matrix{}, problem.New(problem.Conflict, "field_retired", "Portraits do not have the field %q any more: fit another model.", name)
		}
		sql := f.SQL("$2::date")
		if f.Type == portrait.Flag {
			sql = "(" + sql + ")::int"
		}
		columns[i] = "coalesce((" + sql + ")::float8, 'NaN')"
	}
	rows, err := tx.Query(ctx, `SELECT customer_id, ARRAY[`+strings.Join(columns, ", ")+`] FROM portrait WHERE tenant_id = $1 AND $2::date IS NOT NULL AND `+condition,
		append([]any{tx.Tenant(), today}, args...)...)
	if err != nil {
		return nil, Matrix{}, err
	}
	var ids []uuid.UUID
	m := Matrix{Cols: len(fields)}
	var id uuid.UUID
	var row []float64
	_, err = pgx.ForEachRow(rows, []any{&id, &row}, func() error {
		ids, m.Data = append(ids, id), append(m.Data, row...)
		return nil
	})
	return ids, m, err
}

// clusters says in which cluster each row is, as portraits have the numbers; empty for one that lacks some.
func (s clustersState) clusters(centres, m Matrix) []string {
	logs := make([]bool, m.Cols)
	for j, name := range s.Fields {
		logs[j] = slices.Contains(s.Log, name)
	}
	names := make([]string, m.Rows())
	own := make([]float64, m.Cols)
	for i := range names {
		lacks := false
		for j, v := range m.Row(i) {
			missing := math.IsNaN(v)
			lacks = lacks || missing
			if v = logged(v, logs[j]); missing {
				v = s.Means[j]
			}
			if s.Scale == scalePopulation {
				v = scaled(v, s.Means[j], s.Deviations[j])
			}
			own[j] = v
		}
		if !lacks || s.Missing == missingMean {
			c, _ := Nearest(centres, own)
			names[i] = clusterName(c)
		}
	}
	return names
}

// useClusters sets the writing of clusters in motion.
func (m *Mining) useClusters(_ context.Context, tx *pg.Tx, of model.Model) error {
	if of.Source != model.FromFacts {
		return problem.New(problem.Conflict, "model_of_a_table", "Clusters of a table are not those of customers. Fit a model of facts.")
	}
	queueAssignment(tx, assignment{ModelID: of.ID, Day: m.today(), StartedAt: m.now()})
	return nil
}

// Assign gives portraits the cluster that they are in by the model in use, chunk by chunk, where that has not been done today. What
// is written stays when it breaks off. It is called by a loop of every worker.
func (m *Mining) Assign(ctx context.Context) error {
	due, err := m.ops.Across(ctx, `SELECT tenant_id, id FROM mining_assignment_due($1)`, m.today())
	if err != nil {
		return err
	}
	for _, of := range due {
		for more := true; more; {
			if err := run.Yield(ctx, m.db, of.Tenant); err != nil {
				return err
			}
			if more, err = m.assignSome(ctx, of.Tenant); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *Mining) assignSome(ctx context.Context, tenant string) (more bool, err error) {
	err = m.db.Tx(ctx, tenant, func(tx *pg.Tx) error {
		more = false
		a, mine, err := claimAssignment(ctx, tx)
		if err != nil || !mine {
			return err
		}
		if a.Done {
			if !a.Day.Before(m.today()) {
				return nil
			}
			a = assignment{ModelID: a.ModelID, Day: m.today(), StartedAt: m.now()} // another day
		}
		of, err := model.Find(ctx, tx, a.ModelID)
		if err != nil {
			return err
		}
		state, centres, err := decodeState(of)
		if err != nil {
			return err
		}
		ids, rows, err := readFields(ctx, tx, state.Fields, a.Day, `customer_id > $3 ORDER BY customer_id LIMIT $4`, a.After, m.chunk)
		if err != nil {
			return err
		}
		changed, err := writeClusters(ctx, tx, ids, state.clusters(centres, rows))
		if err != nil {
			return err
		}
		a.Customers += int64(len(ids))
		a.Changed += changed
		if more = len(ids) == m.chunk; more {
			a.After = ids[len(ids)-1]
		} else {
			at := m.now()
			a.Done, a.FinishedAt = true, &at
		}
		queueAssignment(tx, a)
		return nil
	})
	return more, err
}

// Follow gives customers whose portraits were reckoned the cluster that they are in by now.
func (m *Mining) Follow(ctx context.Context, tx *pg.Tx, customers []uuid.UUID, at time.Time) ([]outbox.Event, error) {
	a, inUse, err := findAssignment(ctx, tx)
	if err != nil || !inUse {
		return nil, err
	}
	of, err := model.Find(ctx, tx, a.ModelID)
	if err != nil {
		return nil, err
	}
	state, centres, err := decodeState(of)
	if err != nil {
		return nil, err
	}
	ids, rows, err := readFields(ctx, tx, state.Fields, at.UTC().Truncate(24*time.Hour), `customer_id = ANY ($3) ORDER BY customer_id`, customers)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	_, err = writeClusters(ctx, tx, ids, state.clusters(centres, rows))
	return nil, err
}
