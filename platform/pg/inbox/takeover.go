package inbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// learnDiscarded reads which events people have discarded: the rebuild passes over them.
func (b *rebuild) learnDiscarded(ctx context.Context) error {
	return b.ops.DB.System(ctx, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT consumer, topic, partition, kafka_offset FROM live.inbox_discarded`)
		if err != nil {
			return err
		}
		defer rows.Close()
		found := make(map[string]map[place]bool)
		for rows.Next() {
			var consumer string
			var at place
			if err := rows.Scan(&consumer, &at.topic, &at.partition, &at.offset); err != nil {
				return err
			}
			if found[consumer] == nil {
				found[consumer] = make(map[place]bool)
			}
			found[consumer][at] = true
		}
		for _, e := range b.engines {
			e.skip = found[e.consumer.Name]
		}
		return rows.Err()
	})
}

// acceptGaps asks for the release of what the shadow holds for a gap and the live side does not: there an operator, or
// an event that came in another order, has settled it.
func (b *rebuild) acceptGaps(ctx context.Context) error {
	var ids []string
	err := b.ops.OpsDB.System(ctx, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT h.id::text FROM shadow.inbox_parked h
			JOIN live.inbox_cursor c USING (tenant_id, consumer, topic, aggregate_type, aggregate_id)
			WHERE h.state = 'parked' AND h.code = $1 AND (c.epoch, c.last_seq) >= (h.epoch, h.seq)`, codeGap)
		if err != nil {
			return err
		}
		ids, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil || len(ids) == 0 {
		return err
	}
	return b.ops.DB.System(ctx, func(tx *pg.Tx) error {
		tx.Queue(`UPDATE shadow.inbox_parked SET release_requested_at = now(), release_requested_by = 'rebuild' WHERE id = ANY ($1::text[]::uuid[])`, ids)
		return nil
	})
}

// releaseAll tries everything that is parked in the shadow once more: an event that failed since another was not there
// yet, and that people released later on the live side, now finds it.
func (e *engine) releaseAll(ctx context.Context) error {
	err := e.db.System(ctx, func(tx *pg.Tx) error {
		_ = e.begin(tx)
		tx.Queue(`UPDATE inbox_parked SET release_requested_at = now(), release_requested_by = $2
			WHERE consumer = $1 AND state = 'parked' AND release_requested_at IS NULL`, e.consumer.Name, byPlatform)
		return nil
	})
	if err != nil {
		return err
	}
	return e.releaseRequested(ctx)
}

// compare hashes both sides.
func (b *rebuild) compare(ctx context.Context) (res RebuildResult, err error) {
	if res.HashLive, err = StateHash(ctx, b.ops.OpsDB, "live", b.ops.ProjectionTables...); err != nil {
		return RebuildResult{}, err
	}
	if res.HashRebuilt, err = StateHash(ctx, b.ops.OpsDB, "shadow", b.ops.ProjectionTables...); err != nil {
		return RebuildResult{}, err
	}
	res.Equal = res.HashLive == res.HashRebuilt
	err = b.ops.OpsDB.System(ctx, func(tx *pg.Tx) error {
		return tx.QueryRow(ctx, `SELECT (SELECT count(*) FROM live.inbox_parked), (SELECT count(*) FROM shadow.inbox_parked)`).
			Scan(&res.ParkedLive, &res.Parked)
	})
	return res, err
}

// swap makes the shadow the live side, in one transaction with what it lacks and with the record of the rebuild. Long
// readers of the live tables are waited for.
func (b *rebuild) swap(ctx context.Context, res RebuildResult, done func(ctx context.Context, tx pgx.Tx, res RebuildResult) error) error {
	lasting := []string{}
	for _, c := range b.ops.Consumers {
		if c.Lasting {
			lasting = append(lasting, c.Name)
		}
	}
	var err error
	for range 5 {
		err = pgx.BeginFunc(ctx, b.conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "SELECT public.inbox_carry_over($1)", lasting); err != nil {
				return fmt.Errorf("carry over: %w", err)
			}
			if _, err := tx.Exec(ctx, "SELECT guanxi_swap_projection()"); err != nil {
				return fmt.Errorf("swap: %w", err)
			}
			if done != nil {
				return done(ctx, tx, res)
			}
			return nil
		})
		var pe *pgconn.PgError
		if err == nil || !errors.As(err, &pe) || pe.Code != "55P03" && pe.Code != "40P01" { // lock not available, deadlock
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	return err
}
