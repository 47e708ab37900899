package policy

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

const columns = `version, step_seconds, customer_seconds, reminders, rounds, free_minor, manager_minor, point_minor,
	acknowledge_seconds, verify_seconds, low_score, reopens, manager_severity, director_severity, legal_days, legal_calendar_id,
	legal_warn_days, outside_bodies`

// Of queues the search for the policy and the menu of the transaction's tenant; they are filled by the next round trip.
func Of(tx *pg.Tx) *Policy {
	found := Standard()
	tx.Queue(`SELECT `+columns+` FROM complaint_policy WHERE tenant_id = $1`, tx.Tenant()).QueryRow(func(row pgx.Row) error {
		var step, customer, acknowledge, verify int64
		var calendar *uuid.UUID
		p := Policy{Menu: found.Menu}
		err := row.Scan(&p.Version, &step, &customer, &p.Reminders, &p.Rounds, &p.FreeMinor, &p.ManagerMinor, &p.PointMinor,
			&acknowledge, &verify, &p.LowScore, &p.Reopens, &p.ManagerSeverity, &p.DirectorSeverity, &p.LegalDays, &calendar,
			&p.LegalWarnDays, &p.OutsideBodies)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		p.StepWithin, p.CustomerWithin = time.Duration(step)*time.Second, time.Duration(customer)*time.Second
		p.AcknowledgeWithin, p.VerifyWithin = time.Duration(acknowledge)*time.Second, time.Duration(verify)*time.Second
		if calendar != nil {
			p.LegalCalendarID = *calendar
		}
		found = p
		return err
	})
	tx.Queue(`SELECT version, entries FROM complaint_menu WHERE tenant_id = $1`, tx.Tenant()).QueryRow(func(row pgx.Row) error {
		var m Menu
		var entries []byte
		err := row.Scan(&m.Version, &entries)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err == nil {
			err = json.Unmarshal(entries, &m.Entries)
		}
		found.Menu = m
		return err
	})
	return &found
}

// lock queues a lock against others who change the policy or the menu, which lasts until the transaction ends.
func lock(tx *pg.Tx) {
	tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('complaint_policy' || chr(31) || $1, 0))`, tx.Tenant())
}

func save(tx *pg.Tx, p Policy) {
	if p.LegalWarnDays == nil {
		p.LegalWarnDays = []int{}
	}
	if p.OutsideBodies == nil {
		p.OutsideBodies = []Body{}
	}
	tx.Queue(`INSERT INTO complaint_policy (tenant_id, `+columns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
		ON CONFLICT (tenant_id) DO UPDATE SET version = $2, step_seconds = $3, customer_seconds = $4, reminders = $5, rounds = $6,
			free_minor = $7, manager_minor = $8, point_minor = $9, acknowledge_seconds = $10, verify_seconds = $11, low_score = $12,
			reopens = $13, manager_severity = $14, director_severity = $15, legal_days = $16, legal_calendar_id = $17,
			legal_warn_days = $18, outside_bodies = $19`,
		tx.Tenant(), p.Version, int64(p.StepWithin/time.Second), int64(p.CustomerWithin/time.Second), p.Reminders, p.Rounds,
		p.FreeMinor, p.ManagerMinor, p.PointMinor, int64(p.AcknowledgeWithin/time.Second), int64(p.VerifyWithin/time.Second), p.LowScore,
		p.Reopens, p.ManagerSeverity, p.DirectorSeverity, p.LegalDays, pg.OrNull(p.LegalCalendarID), p.LegalWarnDays, p.OutsideBodies)
}

func saveMenu(tx *pg.Tx, m Menu) {
	tx.Queue(`INSERT INTO complaint_menu (tenant_id, version, entries) VALUES ($1, $2, $3)
		ON CONFLICT (tenant_id) DO UPDATE SET version = $2, entries = $3`, tx.Tenant(), m.Version, m.Entries)
}
