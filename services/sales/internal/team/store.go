package team

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/businesstime"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// What is not there, and what is another tenant's, is answered alike.
var (
	errNotFound  = problem.New(problem.NotFound, "team_not_found", "There is no such team.")
	errNoPerson  = problem.New(problem.NotFound, "seller_not_found", "There is nobody of this subject who sells.")
	errNoAbsence = problem.New(problem.NotFound, "absence_not_found", "There is no such absence of this person.")
)

const (
	teamColumns = `t.code, t.version, t.name, t.lead, t.pipeline, t.price_list, t.zone, t.strategy, t.outside_hours, t.archived, t.changed_at, t.changed_by,
		ARRAY (SELECT m.subject FROM team_member m WHERE m.tenant_id = t.tenant_id AND m.team = t.code ORDER BY m.subject)`
	personColumns = `p.subject, p.version, p.capacity, p.languages, p.skills, p.zone, p.hours, p.archived, p.changed_at, p.changed_by,
		ARRAY (SELECT m.team FROM team_member m WHERE m.tenant_id = p.tenant_id AND m.subject = p.subject ORDER BY m.team)`
	absenceColumns = `a.id, a.from_at, a.to_at, a.told_by, a.told_at`
)

func scanTeam(row pgx.Row) (t Team, err error) {
	err = row.Scan(&t.Code, &t.Version, &t.Name, &t.Lead, &t.Pipeline, &t.PriceList, &t.Zone, &t.Strategy, &t.OutsideHours, &t.Archived,
		&t.ChangedAt, &t.By, &t.Members)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errNotFound
	}
	t.ChangedAt = t.ChangedAt.UTC()
	return t, err
}

func scanPerson(row pgx.Row) (p Person, err error) {
	var hours []byte
	err = row.Scan(&p.Subject, &p.Version, &p.Capacity, &p.Languages, &p.Skills, &p.Zone, &hours, &p.Archived, &p.ChangedAt, &p.By, &p.Teams)
	if errors.Is(err, pgx.ErrNoRows) {
		return p, errNoPerson
	}
	if err == nil && hours != nil {
		p.Hours = &businesstime.Hours{}
		err = json.Unmarshal(hours, p.Hours)
	}
	p.ChangedAt = p.ChangedAt.UTC()
	return p, err
}

func scanAbsence(row pgx.Row, more ...any) (a Absence, err error) {
	var to *time.Time
	err = row.Scan(append([]any{&a.ID, &a.From, &to, &a.By, &a.At}, more...)...)
	a.From, a.At = a.From.UTC(), a.At.UTC()
	if to != nil {
		a.To = to.UTC()
	}
	return a, err
}

// Find gives the team of a code, one in the archive too, or the problem team_not_found; one round trip.
func Find(ctx context.Context, tx *pg.Tx, code string) (Team, error) {
	return scanTeam(tx.QueryRow(ctx, `SELECT `+teamColumns+` FROM team t WHERE t.tenant_id = $1 AND t.code = $2`, tx.Tenant(), code))
}

// FindPerson gives the person of a subject, one who has left too, or the problem seller_not_found; one round trip. Absences
// that ended before since are left out.
func FindPerson(ctx context.Context, tx *pg.Tx, subject string, since time.Time) (Person, error) {
	away := absences(tx, []string{subject}, since)
	p, err := scanPerson(tx.QueryRow(ctx, `SELECT `+personColumns+` FROM team_person p WHERE p.tenant_id = $1 AND p.subject = $2`, tx.Tenant(), subject))
	p.Absences = away[subject]
	return p, err
}

// All queues the reading of the tenant's teams and people, those in the archive too; the book is filled in by the next round
// trip. Absences that ended before since are left out.
func All(tx *pg.Tx, since time.Time) *Book {
	b := NewBook(nil, nil)
	away := absences(tx, nil, since)
	tx.Queue(`SELECT `+personColumns+` FROM team_person p WHERE p.tenant_id = $1`, tx.Tenant()).Query(func(rows pgx.Rows) error {
		all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Person, error) { return scanPerson(row) })
		for _, p := range all {
			p.Absences = away[p.Subject]
			b.people[p.Subject] = p
		}
		return err
	})
	tx.Queue(`SELECT `+teamColumns+` FROM team t WHERE t.tenant_id = $1`, tx.Tenant()).Query(func(rows pgx.Rows) error {
		all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Team, error) { return scanTeam(row) })
		for _, t := range all {
			b.teams[t.Code] = t
		}
		return err
	})
	return b
}

// absences queues the reading of the absences of the subjects (nil: of all) that have not ended before since, in the order
// in which they begin.
func absences(tx *pg.Tx, subjects []string, since time.Time) map[string][]Absence {
	found := map[string][]Absence{}
	tx.Queue(`SELECT `+absenceColumns+`, a.subject FROM team_absence a
		WHERE a.tenant_id = $1 AND ($2::text[] IS NULL OR a.subject = ANY ($2)) AND (a.to_at > $3 OR a.to_at IS NULL)
		ORDER BY a.from_at, a.id`, tx.Tenant(), subjects, since).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var subject string
			a, err := scanAbsence(rows, &subject)
			if err != nil {
				return err
			}
			found[subject] = append(found[subject], a)
		}
		return rows.Err()
	})
	return found
}

// lock queues the lock of whoever changes who is of which team.
func lock(tx *pg.Tx) {
	tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('team ' || $1, 0))`, tx.Tenant())
}

func saveTeam(tx *pg.Tx, t Team) {
	tx.Queue(`INSERT INTO team (tenant_id, code, version, name, lead, pipeline, price_list, zone, strategy, outside_hours, archived, changed_at, changed_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (tenant_id, code) DO UPDATE SET version = $3, name = $4, lead = $5, pipeline = $6, price_list = $7, zone = $8, strategy = $9,
			outside_hours = $10, archived = $11, changed_at = $12, changed_by = $13`,
		tx.Tenant(), t.Code, t.Version, t.Name, t.Lead, t.Pipeline, t.PriceList, t.Zone, t.Strategy, t.OutsideHours, t.Archived, t.ChangedAt, t.By)
	tx.Queue(`DELETE FROM team_member WHERE tenant_id = $1 AND team = $2 AND NOT subject = ANY ($3)`, tx.Tenant(), t.Code, t.Members)
	tx.Queue(`INSERT INTO team_member (tenant_id, team, subject) SELECT $1, $2, unnest($3::text[]) ON CONFLICT DO NOTHING`, tx.Tenant(), t.Code, t.Members)
}

func savePerson(tx *pg.Tx, p Person) {
	tx.Queue(`INSERT INTO team_person (tenant_id, subject, version, capacity, languages, skills, zone, hours, archived, changed_at, changed_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (tenant_id, subject) DO UPDATE SET version = $3, capacity = $4, languages = $5, skills = $6, zone = $7, hours = $8, archived = $9,
			changed_at = $10, changed_by = $11`,
		tx.Tenant(), p.Subject, p.Version, p.Capacity, p.Languages, p.Skills, p.Zone, p.Hours, p.Archived, p.ChangedAt, p.By)
}

func saveAbsence(tx *pg.Tx, subject string, a Absence) {
	tx.Queue(`INSERT INTO team_absence (tenant_id, id, subject, from_at, to_at, told_by, told_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		tx.Tenant(), a.ID, subject, a.From, pg.OrNull(a.To), a.By, a.At)
}

func getAbsence(ctx context.Context, tx *pg.Tx, subject string, id uuid.UUID) (Absence, error) {
	a, err := scanAbsence(tx.QueryRow(ctx, `SELECT `+absenceColumns+` FROM team_absence a WHERE a.tenant_id = $1 AND a.id = $2 AND a.subject = $3`,
		tx.Tenant(), id, subject))
	if errors.Is(err, pgx.ErrNoRows) {
		err = errNoAbsence
	}
	return a, err
}

// listed gives up to limit absences of a person told before the given one, the latest first.
func listed(ctx context.Context, tx *pg.Tx, subject string, before uuid.UUID, limit int) ([]Absence, error) {
	rows, err := tx.Query(ctx, `SELECT `+absenceColumns+` FROM team_absence a
		WHERE a.tenant_id = $1 AND a.subject = $2 AND ($3::uuid IS NULL OR a.id < $3) ORDER BY a.id DESC LIMIT $4`,
		tx.Tenant(), subject, pg.OrNull(before), limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Absence, error) { return scanAbsence(row) })
}
