package team

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

func (s *Teams) read(ctx context.Context, look func(tx *pg.Tx) error) error {
	return s.db.Read(ctx, auth.Tenant(ctx), look)
}

// Team gives a team of the caller's tenant.
func (s *Teams) Team(ctx context.Context, code string) (t Team, err error) {
	err = s.read(ctx, func(tx *pg.Tx) error { t, err = Find(ctx, tx, code); return err })
	return t, err
}

// Person gives somebody of the caller's tenant who sells.
func (s *Teams) Person(ctx context.Context, subject string) (p Person, err error) {
	err = s.read(ctx, func(tx *pg.Tx) error { p, err = FindPerson(ctx, tx, subject, s.now()); return err })
	return p, err
}

// List gives up to limit teams after a code, in the order of their codes; those in the archive are left out, unless they are
// asked for.
func (s *Teams) List(ctx context.Context, after string, archived bool, limit int) (page []Team, err error) {
	err = s.read(ctx, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+teamColumns+` FROM team t
			WHERE t.tenant_id = $1 AND t.code > $2 AND ($3 OR NOT t.archived) ORDER BY t.code LIMIT $4`, tx.Tenant(), after, archived, limit)
		if err != nil {
			return err
		}
		page, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Team, error) { return scanTeam(row) })
		return err
	})
	return page, err
}

// People gives up to limit people after a subject, in the order of their subjects, of a team or, where it is empty, of all;
// those who have left are left out, unless they are asked for.
func (s *Teams) People(ctx context.Context, team, after string, archived bool, limit int) (page []Person, err error) {
	err = s.read(ctx, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+personColumns+` FROM team_person p
			WHERE p.tenant_id = $1 AND p.subject > $2 AND ($3 OR NOT p.archived)
				AND ($4 = '' OR EXISTS (SELECT FROM team_member m WHERE m.tenant_id = $1 AND m.team = $4 AND m.subject = p.subject))
			ORDER BY p.subject LIMIT $5`, tx.Tenant(), after, archived, team, limit)
		if err != nil {
			return err
		}
		if page, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Person, error) { return scanPerson(row) }); err != nil {
			return err
		}
		subjects := make([]string, len(page))
		for i, p := range page {
			subjects[i] = p.Subject
		}
		away := absences(tx, subjects, s.now())
		err = tx.Flush(ctx)
		for i := range page {
			page[i].Absences = away[page[i].Subject]
		}
		return err
	})
	return page, err
}

// Absences gives up to limit absences of a person that were told before the given one (Nil: from the latest on), those that
// are over too, the latest first.
func (s *Teams) Absences(ctx context.Context, subject string, before uuid.UUID, limit int) (page []Absence, err error) {
	err = s.read(ctx, func(tx *pg.Tx) error {
		if _, err := FindPerson(ctx, tx, subject, s.now()); err != nil {
			return err
		}
		page, err = listed(ctx, tx, subject, before, limit)
		return err
	})
	return page, err
}
