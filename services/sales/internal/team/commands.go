package team

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Teams is what can be done with teams and their people.
type Teams struct {
	db    *pg.DB
	clock func() time.Time
}

// New makes the capability.
func New(db *pg.DB, clock func() time.Time) *Teams { return &Teams{db: db, clock: clock} }

// PutTeam makes a team, or changes it, if it still is as the caller saw it: fresh is asked with the version, which is 0 where
// there is none yet.
func (s *Teams) PutTeam(ctx context.Context, t Team, fresh func(version int64) error) (Team, error) {
	err := s.change(ctx, func(tx *pg.Tx) error {
		book := All(tx, s.now())
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		was := book.teams[t.Code]
		if err := fresh(was.Version); err != nil {
			return err
		}
		known := make(map[string]bool, len(book.people))
		for subject := range book.people {
			known[subject] = true
		}
		checked, f := t.check(known)
		switch {
		case len(f) > 0:
			return problem.InvalidBody("team_invalid", "The team was not accepted: mend the fields named here.", f)
		case was.Version == 0 && len(book.teams) >= maxTeams:
			return problem.New(problem.Conflict, "team_limit", "There are %d teams already: change one of them.", maxTeams)
		}
		t = checked
		t.Version, t.ChangedAt, t.By = was.Version, was.ChangedAt, was.By
		if reflect.DeepEqual(t, was) {
			return nil
		}
		t.Version, t.ChangedAt, t.By = was.Version+1, s.now(), caller(ctx).Subject
		saveTeam(tx, t)
		return nil
	})
	return t, err
}

// PutPerson makes somebody who sells, or changes what is known of them, if that still is as the caller saw it.
func (s *Teams) PutPerson(ctx context.Context, p Person, fresh func(version int64) error) (Person, error) {
	err := s.change(ctx, func(tx *pg.Tx) error {
		var count int
		tx.Queue(`SELECT count(*) FROM team_person WHERE tenant_id = $1`, tx.Tenant()).QueryRow(func(row pgx.Row) error { return row.Scan(&count) })
		was, err := FindPerson(ctx, tx, p.Subject, s.now())
		if err != nil && problem.KindOf(err) != problem.NotFound {
			return err
		}
		if err := fresh(was.Version); err != nil {
			return err
		}
		checked, f := p.check()
		switch {
		case len(f) > 0:
			return problem.InvalidBody("seller_invalid", "The person was not accepted: mend the fields named here.", f)
		case was.Version == 0 && count >= maxPeople:
			return problem.New(problem.Conflict, "seller_limit", "There are %d people already: change one of them.", maxPeople)
		}
		p = checked
		p.Version, p.ChangedAt, p.By, p.Absences, p.Teams = was.Version, was.ChangedAt, was.By, was.Absences, was.Teams
		if reflect.DeepEqual(p, was) {
			return nil
		}
		p.Version, p.ChangedAt, p.By = was.Version+1, s.now(), caller(ctx).Subject
		savePerson(tx, p)
		return nil
	})
	return p, err
}

// TellAbsence says that somebody is not there for a time. One may say it of oneself; of others only who configures sales, or
// leads a team that they are of (see Answerable).
func (s *Teams) TellAbsence(ctx context.Context, subject string, a Absence) (Absence, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Absence{}, err
	}
	now := s.now()
	a = Absence{ID: id, From: exact(a.From), To: exact(a.To), By: caller(ctx).Subject, At: now}
	result, err := s.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		lock(tx)
		p, err := Answerable(ctx, tx, subject, now)
		if err != nil {
			return pg.Result{}, err
		}
		if f := checkAbsence(a, now); len(f) > 0 {
			return pg.Result{}, problem.InvalidBody("absence_invalid", "The absence was not accepted: mend the fields named here.", f)
		}
		if len(p.Absences) >= maxAbsences {
			return pg.Result{}, problem.New(problem.Conflict, "absence_limit", "There are %d absences already: end one of them.", maxAbsences)
		}
		saveAbsence(tx, subject, a)
		return pg.Result{ID: id, Status: http.StatusCreated}, nil
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
			a, err = getAbsence(ctx, tx, subject, result.ID)
			return err
		})
	}
	return a, err
}

// DropAbsence takes back what was said of an absence: who was said to be away is there.
func (s *Teams) DropAbsence(ctx context.Context, subject string, id uuid.UUID) error {
	now := s.now()
	_, err := s.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		lock(tx)
		if _, err := Answerable(ctx, tx, subject, now); err != nil {
			return pg.Result{}, err
		}
		if _, err := getAbsence(ctx, tx, subject, id); err != nil {
			return pg.Result{}, err
		}
		tx.Queue(`DELETE FROM team_absence WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), id)
		return pg.Result{ID: id, Status: http.StatusNoContent}, nil
	})
	return err
}

// Answerable gives the person of a subject to whoever may answer for them: they themselves, who leads a team of theirs, and who
// configures sales. Others get the problem seller_of_another; where there is no such person it is seller_not_found.
func Answerable(ctx context.Context, tx *pg.Tx, subject string, now time.Time) (Person, error) {
	me := caller(ctx)
	var leads bool
	tx.Queue(`SELECT EXISTS (SELECT FROM team_member m JOIN team t ON t.tenant_id = m.tenant_id AND t.code = m.team
		WHERE m.tenant_id = $1 AND m.subject = $2 AND t.lead = $3)`, tx.Tenant(), subject, me.Subject).
		QueryRow(func(row pgx.Row) error { return row.Scan(&leads) })
	p, err := FindPerson(ctx, tx, subject, now)
	if err == nil && subject != me.Subject && !leads && !me.Can(auth.SalesConfigure) {
		err = problem.New(problem.Forbidden, "seller_of_another", "Only they themselves, who leads a team of theirs, or who configures sales can do this for them.")
	}
	return p, err
}

// change is a transaction on what is configured, of which there is one at a time in a tenant.
func (s *Teams) change(ctx context.Context, do func(tx *pg.Tx) error) error {
	return s.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		lock(tx)
		return do(tx)
	})
}

func caller(ctx context.Context) auth.Principal {
	p, _ := auth.From(ctx)
	return p
}

// now is cut to what the database keeps, so that an answer reads the same at once and later.
func (s *Teams) now() time.Time { return exact(s.clock()) }

func exact(at time.Time) time.Time {
	if at.IsZero() {
		return at
	}
	return at.UTC().Truncate(time.Microsecond)
}
