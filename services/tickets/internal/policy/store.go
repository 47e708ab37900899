package policy

import (
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

const columns = `version, step_seconds, customer_seconds, reminders, rounds, free_minor, manager_minor, point_minor`

// Of queues the search for the policy of the transaction's tenant; it is filled by the next round trip.
func Of(tx *pg.Tx) *Policy {
	found := Standard()
	tx.Queue(`SELECT `+columns+` FROM complaint_policy WHERE tenant_id = $1`, tx.Tenant()).QueryRow(func(row pgx.Row) error {
		var step, customer int64
		var p Policy
		err := row.Scan(&p.Version, &step, &customer, &p.Reminders, &p.Rounds, &p.FreeMinor, &p.ManagerMinor, &p.PointMinor)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		p.StepWithin, p.CustomerWithin = time.Duration(step)*time.Second, time.Duration(customer)*time.Second
		found = p
		return err
	})
	return &found
}

// lock queues a lock against others who change the policy, which lasts until the transaction ends.
func lock(tx *pg.Tx) {
	tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('complaint_policy' || chr(31) || $1, 0))`, tx.Tenant())
}

func save(tx *pg.Tx, p Policy) {
	tx.Queue(`INSERT INTO complaint_policy (tenant_id, `+columns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (tenant_id) DO UPDATE SET version = $2, step_seconds = $3, customer_seconds = $4, reminders = $5, rounds = $6,
			free_minor = $7, manager_minor = $8, point_minor = $9`,
		tx.Tenant(), p.Version, int64(p.StepWithin/time.Second), int64(p.CustomerWithin/time.Second), p.Reminders, p.Rounds,
		p.FreeMinor, p.ManagerMinor, p.PointMinor)
}
