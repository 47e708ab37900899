package nurture

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// What is not there, and what is another tenant's, is answered alike.
var (
	errNotFound    = problem.New(problem.NotFound, "nurturing_not_found", "There is no such nurturing.")
	errNoProgramme = problem.New(problem.NotFound, "nurture_programme_not_found", "There is no such programme.")
)

// Constraints whose violation means something to whoever asked.
const (
	runningIndex  = "nurture_case_running"  // a lead is warmed up once at a time
	decisionIndex = "nurture_decision_pkey" // a decision is made once
)

const programmeColumns = `p.code, p.version, p.terms, p.changed_at, p.changed_by`

func scanProgramme(row pgx.Row) (p Programme, err error) {
	err = row.Scan(&p.Code, &p.Version, &p.ProgrammeTerms, &p.ChangedAt, &p.By)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errNoProgramme
	}
	p.ChangedAt = p.ChangedAt.UTC()
	return p, err
}

// latest gives the programme of a code as it is now; with lock it stays so until the transaction ends.
func latest(ctx context.Context, tx *pg.Tx, code string, lock bool) (Programme, error) {
	locking := ""
	if lock {
		locking = " FOR UPDATE"
	}
	return scanProgramme(tx.QueryRow(ctx, `SELECT `+programmeColumns+` FROM nurture_programme p WHERE p.tenant_id = $1 AND p.code = $2 AND p.latest`+locking,
		tx.Tenant(), code))
}

func saveProgramme(tx *pg.Tx, p Programme) {
	tx.Queue(`UPDATE nurture_programme SET latest = false WHERE tenant_id = $1 AND code = $2 AND latest`, tx.Tenant(), p.Code)
	tx.Queue(`INSERT INTO nurture_programme (tenant_id, code, version, latest, terms, changed_at, changed_by) VALUES ($1, $2, $3, true, $4, $5, $6)`,
		tx.Tenant(), p.Code, p.Version, p.ProgrammeTerms, p.ChangedAt, p.By)
}

const caseColumns = `c.id, c.lead_id, c.programme, c.programme_version, c.stage, c.code, c.next, c.round, c.touches, c.enquiries, c.threshold, c.due_at,
	c.paused_at, c.steps, c.version, c.started_at, c.over_at`

func scanCase(row pgx.Row) (c Case, err error) {
	var due, paused, over *time.Time
	err = row.Scan(&c.ID, &c.LeadID, &c.Programme, &c.ProgrammeVersion, &c.Stage, &c.Code, &c.Next, &c.Round, &c.Touches, &c.Enquiries, &c.Threshold,
		&due, &paused, &c.Steps, &c.Version, &c.StartedAt, &over)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errNotFound
	}
	c.Due, c.PausedAt, c.OverAt, c.StartedAt = utc(due), utc(paused), utc(over), c.StartedAt.UTC()
	return c, err
}

func utc(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// load gives a case; with lock it stays as it is until the transaction ends. Its lead is locked before it.
func load(ctx context.Context, tx *pg.Tx, id uuid.UUID, lock bool) (Case, error) {
	locking := ""
	if lock {
		locking = " FOR UPDATE"
	}
	return scanCase(tx.QueryRow(ctx, `SELECT `+caseColumns+` FROM nurture_case c WHERE c.tenant_id = $1 AND c.id = $2`+locking, tx.Tenant(), id))
}

// programmeOf gives the programme of a case as it was when the case began.
func programmeOf(ctx context.Context, tx *pg.Tx, c Case) (Programme, error) {
	return scanProgramme(tx.QueryRow(ctx, `SELECT `+programmeColumns+` FROM nurture_programme p WHERE p.tenant_id = $1 AND p.code = $2 AND p.version = $3`,
		tx.Tenant(), c.Programme, c.ProgrammeVersion))
}

func insert(tx *pg.Tx, c Case) {
	tx.Queue(`INSERT INTO nurture_case (tenant_id, id, lead_id, programme, programme_version, stage, code, next, round, touches, enquiries, threshold,
			due_at, paused_at, steps, version, started_at, over_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
		tx.Tenant(), c.ID, c.LeadID, c.Programme, c.ProgrammeVersion, c.Stage, c.Code, c.Next, c.Round, c.Touches, c.Enquiries, c.Threshold,
		pg.OrNull(c.Due), pg.OrNull(c.PausedAt), c.Steps, c.Version, c.StartedAt, pg.OrNull(c.OverAt))
}

// save queues a case as it is now, with the decisions that came to it.
func save(tx *pg.Tx, was, c Case) {
	tx.Queue(`UPDATE nurture_case SET stage = $3, code = $4, next = $5, round = $6, touches = $7, due_at = $8, paused_at = $9, steps = $10, version = $11,
			over_at = $12 WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), c.ID, c.Stage, c.Code, c.Next, c.Round, c.Touches, pg.OrNull(c.Due), pg.OrNull(c.PausedAt), c.Steps, c.Version, pg.OrNull(c.OverAt))
	for _, s := range c.Steps[len(was.Steps):] {
		if s.DecisionID != uuid.Nil {
			tx.Queue(`INSERT INTO nurture_decision (tenant_id, id, case_id, hash) VALUES ($1, $2, $3, $4)`, tx.Tenant(), s.DecisionID, c.ID, s.Hash)
		}
	}
}

// decided gives the case that a decision was made about, and the hash of its request; found is false where it was not made.
func decided(ctx context.Context, tx *pg.Tx, id uuid.UUID) (at uuid.UUID, hash []byte, found bool, err error) {
	err = tx.QueryRow(ctx, `SELECT case_id, hash FROM nurture_decision WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), id).Scan(&at, &hash)
	if errors.Is(err, pgx.ErrNoRows) {
		return at, nil, false, nil
	}
	return at, hash, err == nil, err
}
