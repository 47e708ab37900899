package retention

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Exclusion says that nobody wants a customer back. It holds for every id that means the customer.
type Exclusion struct {
	CustomerID uuid.UUID
	LossKind   LossKind // Fraudulent or LetGo
	By         string
	At         time.Time
}

// Exclude has a customer never be won back, and cancels the case that is open: nothing more is sent.
func (r *Retention) Exclude(ctx context.Context, e Exclusion) (Exclusion, error) {
	f := &faultFinder{}
	if e.CustomerID == uuid.Nil {
		f.fault("customer_id", "customer_required", "must be the id of a customer")
	}
	if !e.LossKind.Excluded() {
		f.fault("loss_kind", "loss_kind_unknown", "must be fraudulent or let_go")
	}
	if len(f.faults) > 0 {
		return Exclusion{}, problem.InvalidBody("retention_exclusion_invalid", "Nobody was excluded: mend the fields named here.", f.faults)
	}
	e.By, e.At = flow.ActorOf(ctx).Subject, r.now()
	_, err := r.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		saveExclusion(tx, e)
		return pg.Result{ID: e.CustomerID, Status: http.StatusCreated}, r.cancelOpen(ctx, tx, []uuid.UUID{e.CustomerID}, string(e.LossKind), e.By)
	})
	return e, err
}

// Readmit takes an exclusion back, of all ids that mean the customer.
func (r *Retention) Readmit(ctx context.Context, customer uuid.UUID) error {
	return r.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		tag, err := tx.ExecNow(ctx, `DELETE FROM retention_exclusion WHERE tenant_id = $1 AND customer_id = ANY ((SELECT customer_group($1, $2))::uuid[])`,
			tx.Tenant(), customer)
		if err == nil && tag.RowsAffected() == 0 {
			err = problem.New(problem.NotFound, "retention_exclusion_not_found", "This customer is not excluded.")
		}
		return err
	})
}

// Exclusions gives up to limit exclusions after one, in the order of the customers' ids; of one customer, unless that is Nil.
func (r *Retention) Exclusions(ctx context.Context, customer, after uuid.UUID, limit int) (page []Exclusion, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT x.customer_id, x.loss_kind, x.by_subject, x.at FROM retention_exclusion x
			WHERE x.tenant_id = $1 AND x.customer_id > $2 AND ($3::uuid IS NULL OR x.customer_id = ANY ((SELECT customer_group($1, $3))::uuid[]))
			ORDER BY x.customer_id LIMIT $4`, tx.Tenant(), after, pg.OrNull(customer), limit)
		if err != nil {
			return err
		}
		page, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Exclusion])
		return err
	})
	return page, err
}

func saveExclusion(tx *pg.Tx, e Exclusion) {
	tx.Queue(`INSERT INTO retention_exclusion (tenant_id, customer_id, loss_kind, by_subject, at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (tenant_id, customer_id) DO UPDATE SET loss_kind = excluded.loss_kind, by_subject = excluded.by_subject, at = excluded.at`,
		tx.Tenant(), e.CustomerID, e.LossKind, e.By, e.At)
}

// cancelOpen cancels the open cases of the customers, whoever their ids mean, at once; their processes are told.
func (r *Retention) cancelOpen(ctx context.Context, tx *pg.Tx, customers []uuid.UUID, code, by string) error {
	open, err := openOf(ctx, tx, customers)
	if err != nil {
		return err
	}
	now := r.now()
	for _, was := range open {
		a, err := lookAround(ctx, tx, was, now)
		if err != nil {
			return err
		}
		is := was
		if LossKind(code).Excluded() {
			is.LossKind = LossKind(code)
		}
		is.Close(Cancelled, code, a.revenue, Step{Action: ActionEnd, Code: code, By: by, At: now})
		save(tx, was, is, true)
		if err := r.outbox.Append(ctx, tx, changeEvents(was, is, time.Time{}, now)...); err != nil {
			return err
		}
	}
	return tx.Flush(ctx)
}

// Erase empties what people wrote about the customers, and cancels their cases: nothing more is sent. What was bought, and
// which arm they were in, stays, of ids that name nobody.
func (r *Retention) Erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]erasure.Erased, error) {
	done := erasure.Erased{What: "retention_note"}
	if err := r.cancelOpen(ctx, tx, customers, codeErased, process); err != nil {
		return nil, err
	}
	const theirs = `n.tenant_id = $1 AND n.words <> '' AND n.case_id IN (SELECT c.id FROM retention_case c WHERE c.tenant_id = $1 AND c.customer_id = ANY ($2::uuid[]))`
	tx.Queue(`UPDATE retention_note n SET words = '' WHERE `+theirs, tx.Tenant(), customers).
		Exec(func(tag pgconn.CommandTag) error { done.Count = tag.RowsAffected(); return nil })
	err := tx.QueryRow(ctx, `SELECT count(*) FROM retention_note n WHERE `+theirs, tx.Tenant(), customers).Scan(&done.Left)
	return []erasure.Erased{done}, err
}
