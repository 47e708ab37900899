package value

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// loadProgress gives how far the run is; one that is new has not begun.
func loadProgress(ctx context.Context, tx *pg.Tx, id uuid.UUID) (p progress, err error) {
	var purchases, spend *uuid.UUID
	p.run = id
	err = tx.QueryRow(ctx, `SELECT currency, begun, after, purchase_model, spend_model, settings, customers, buyers, predicted, changed, told, predicted_minor,
			realised_minor, new_minor, raised_minor, lowered_minor
		FROM value_run WHERE tenant_id = $1 AND run_id = $2`, tx.Tenant(), id).Scan(&p.currency, &p.begun, &p.after, &purchases, &spend, &p.settings,
		&p.customers, &p.buyers, &p.predicted, &p.changed, &p.told, &p.predictedMinor, &p.realisedMinor, &p.newMinor, &p.raisedMinor, &p.lowered)
	if errors.Is(err, pgx.ErrNoRows) {
		return p, nil
	}
	p.pinned = pinned{orNil(purchases), orNil(spend)}
	return p, err
}

func orNil(id *uuid.UUID) uuid.UUID {
	if id == nil {
		return uuid.Nil
	}
	return *id
}

func queueProgress(tx *pg.Tx, p progress) {
	tx.Queue(`INSERT INTO value_run (tenant_id, run_id, currency, begun, after, purchase_model, spend_model, settings, customers, buyers, predicted, changed,
			told, predicted_minor, realised_minor, new_minor, raised_minor, lowered_minor)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
		ON CONFLICT (tenant_id, run_id) DO UPDATE SET currency = excluded.currency, begun = excluded.begun, after = excluded.after,
			purchase_model = excluded.purchase_model, spend_model = excluded.spend_model, settings = excluded.settings, customers = excluded.customers,
			buyers = excluded.buyers, predicted = excluded.predicted, changed = excluded.changed, told = excluded.told,
			predicted_minor = excluded.predicted_minor, realised_minor = excluded.realised_minor, new_minor = excluded.new_minor,
			raised_minor = excluded.raised_minor, lowered_minor = excluded.lowered_minor`,
		tx.Tenant(), p.run, p.currency, p.begun, p.after, pg.OrNull(p.purchases), pg.OrNull(p.spend), p.settings, p.customers, p.buyers, p.predicted,
		p.changed, p.told, p.predictedMinor, p.realisedMinor, p.newMinor, p.raisedMinor, p.lowered)
}

// nextCustomers gives the next customers by their ids, locked against the reckoning of their facts, so that rows are locked in one
// order everywhere.
func nextCustomers(ctx context.Context, tx *pg.Tx, after uuid.UUID, limit int) (all []valued, err error) {
	rows, err := tx.Query(ctx, `SELECT customer_id, source, registered_at, predicted_value_minor, realised_value_minor, expected_purchases, p_alive
		FROM portrait WHERE tenant_id = $1 AND customer_id > $2 ORDER BY customer_id LIMIT $3 FOR NO KEY UPDATE`, tx.Tenant(), after, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (c valued, err error) {
		var registered *time.Time
		err = row.Scan(&c.customer, &c.source, &registered, &c.was.predicted, &c.was.realised, &c.was.purchases, &c.was.alive)
		if registered != nil {
			c.registered = registered.UTC()
		}
		return c, err
	})
}

// queueValues queues the portraits that changed.
func queueValues(tx *pg.Tx, all []valued) {
	var ids []uuid.UUID
	var predicted, realised []*int64
	var purchases, alive []*float32
	for i := range all {
		c := &all[i]
		if c.changed() {
			ids, predicted, realised = append(ids, c.customer), append(predicted, c.is.predicted), append(realised, &c.is.realised)
			purchases, alive = append(purchases, c.is.purchases), append(alive, c.is.alive)
		}
	}
	if len(ids) == 0 {
		return
	}
	tx.Queue(`UPDATE portrait p SET predicted_value_minor = v.predicted, realised_value_minor = v.realised, expected_purchases = v.purchases, p_alive = v.alive
		FROM unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::real[], $6::real[]) AS v(id, predicted, realised, purchases, alive)
		WHERE p.tenant_id = $1 AND p.customer_id = v.id AND p.customer_id = ANY ($2::uuid[])`, tx.Tenant(), ids, predicted, realised, purchases, alive)
}

// lastTold gives what was told of the customers last.
func lastTold(ctx context.Context, tx *pg.Tx, ids []uuid.UUID) (map[uuid.UUID]int64, error) {
	rows, err := tx.Query(ctx, `SELECT customer_id, predicted_minor FROM value_told WHERE tenant_id = $1 AND customer_id = ANY ($2)`, tx.Tenant(), ids)
	if err != nil {
		return nil, err
	}
	out := make(map[uuid.UUID]int64, len(ids))
	var id uuid.UUID
	var minor int64
	_, err = pgx.ForEachRow(rows, []any{&id, &minor}, func() error {
		out[id] = minor
		return nil
	})
	return out, err
}

func queueTold(tx *pg.Tx, ids []uuid.UUID, minors []int64, at time.Time) {
	tx.Queue(`INSERT INTO value_told (tenant_id, customer_id, predicted_minor, told_at) SELECT $1, n.id, n.minor, $4 FROM unnest($2::uuid[], $3::bigint[]) AS n(id, minor)
		ON CONFLICT (tenant_id, customer_id) DO UPDATE SET predicted_minor = excluded.predicted_minor, told_at = excluded.told_at`, tx.Tenant(), ids, minors, at)
}

const equityColumns = `as_of, currency, customers, buyers, predicted, predicted_minor, realised_minor, moved, new_minor, raised_minor, lowered_minor, gone_minor,
	purchase_model, spend_model, run_id, reckoned_at`

func scanEquity(row pgx.Row) (e Equity, err error) {
	var purchases, spend *uuid.UUID
	err = row.Scan(&e.AsOf, &e.Currency, &e.Customers, &e.Buyers, &e.Predicted, &e.PredictedMinor, &e.RealisedMinor, &e.Moved, &e.NewMinor, &e.RaisedMinor,
		&e.LoweredMinor, &e.GoneMinor, &purchases, &spend, &e.RunID, &e.ReckonedAt)
	e.PurchaseModel, e.SpendModel, e.ReckonedAt = orNil(purchases), orNil(spend), e.ReckonedAt.UTC()
	return e, err
}

// latestEquity gives the row that was reckoned last of a day that was at hand; there is false before the first.
func latestEquity(ctx context.Context, tx *pg.Tx) (e Equity, there bool, err error) {
	e, err = scanEquity(tx.QueryRow(ctx, `SELECT `+equityColumns+` FROM value_equity WHERE tenant_id = $1 AND moved ORDER BY reckoned_at DESC, as_of DESC LIMIT 1`, tx.Tenant()))
	if errors.Is(err, pgx.ErrNoRows) {
		return Equity{}, false, nil
	}
	return e, err == nil, err
}

// queueEquity queues the row. One of which it is known what moved it stays when the day is reckoned again after it is over.
func queueEquity(tx *pg.Tx, e Equity) {
	tx.Queue(`INSERT INTO value_equity (tenant_id, `+equityColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
		ON CONFLICT (tenant_id, as_of) DO UPDATE SET currency = excluded.currency, customers = excluded.customers, buyers = excluded.buyers,
			predicted = excluded.predicted, predicted_minor = excluded.predicted_minor, realised_minor = excluded.realised_minor, moved = excluded.moved,
			new_minor = excluded.new_minor, raised_minor = excluded.raised_minor, lowered_minor = excluded.lowered_minor, gone_minor = excluded.gone_minor,
			purchase_model = excluded.purchase_model, spend_model = excluded.spend_model, run_id = excluded.run_id, reckoned_at = excluded.reckoned_at
			WHERE excluded.moved OR NOT value_equity.moved`,
		tx.Tenant(), e.AsOf, e.Currency, e.Customers, e.Buyers, e.Predicted, e.PredictedMinor, e.RealisedMinor, e.Moved, e.NewMinor, e.RaisedMinor, e.LoweredMinor,
		e.GoneMinor, pg.OrNull(e.PurchaseModel), pg.OrNull(e.SpendModel), e.RunID, e.ReckonedAt)
}

// readEquity gives the rows between two days, both included, by day.
func readEquity(ctx context.Context, tx *pg.Tx, from, to time.Time, limit int) ([]Equity, error) {
	rows, err := tx.Query(ctx, `SELECT `+equityColumns+` FROM value_equity WHERE tenant_id = $1 AND as_of BETWEEN $2 AND $3 ORDER BY as_of LIMIT $4`, tx.Tenant(), from, to, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Equity, error) { return scanEquity(row) })
}
