package programme

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

const (
	maxProgrammes = 20  // of a tenant
	maxVersions   = 500 // of a programme
	maxAhead      = 10 * 366 * 24 * time.Hour
)

// Programmes is what can be done with programmes.
type Programmes struct {
	db    *pg.DB
	clock func() time.Time
}

// New makes the capability.
func New(db *pg.DB, clock func() time.Time) *Programmes { return &Programmes{db: db, clock: clock} }

func (p *Programmes) now() time.Time { return p.clock().UTC().Truncate(time.Microsecond) }

// Draft is a programme to be made, with its first terms.
type Draft struct {
	Code, Name, Zone string
	Terms            Terms
}

// Stored is a version of a programme as it was written.
type Stored struct {
	Programme
	From      time.Time // since when it is in force
	By        string    // subject of whoever wrote it
	CreatedAt time.Time
	Withdrawn time.Time // zero for one that was not
	Latest    int       // number of the programme's latest version, which is its entity tag
	id        uuid.UUID
}

// Create makes a programme whose first terms are in force from now on. The standard programme is made by this as well, when
// a tenant wants other terms or another zone for it. A code that another programme has is the Conflict programme_exists.
func (p *Programmes) Create(ctx context.Context, d Draft) (Stored, error) {
	zone, faults := d.check()
	if len(faults) > 0 {
		return Stored{}, problem.InvalidBody("programme_invalid", "The programme was not accepted: mend the fields named here.", faults)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Stored{}, err
	}
	now := p.now()
	s := Stored{
		id: id, Programme: Programme{Code: d.Code, Name: d.Name, Zone: zone, Version: 1, Terms: d.Terms},
		From: now, By: subject(ctx), CreatedAt: now, Latest: 1,
	}
	result, err := p.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		n, err := countProgrammes(ctx, tx)
		if err != nil {
			return pg.Result{}, err
		}
		if n >= maxProgrammes {
			return pg.Result{}, problem.New(problem.Conflict, "programmes_too_many", "There are %d programmes already, which is as many as there can be.", n)
		}
		insertProgramme(tx, s)
		return pg.Result{ID: id, Status: http.StatusCreated}, insertVersion(tx, s)
	})
	if name, _ := pg.Constraint(err); name == "programme_pkey" {
		return Stored{}, problem.New(problem.Conflict, "programme_exists", "There is a programme of this code: write a version of it.")
	}
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return p.byID(ctx, result.ID)
	}
	return s, err
}

// Write adds a version to a programme, in force from a time on that is not past; zero for now. Versions before it hold until
// then, and what they did stands. fresh is asked with the number of the latest version.
func (p *Programmes) Write(ctx context.Context, code string, from time.Time, terms Terms, fresh func(latest int) error) (Stored, error) {
	now := p.now()
	faults := terms.Faults()
	switch {
	case from.IsZero():
		from = now
	case from.Before(now):
		faults = append(faults, problem.Field{Location: "effective_from", Code: "in_the_past", Message: "must be ahead: a version never changes what was"})
	case from.After(now.Add(maxAhead)):
		faults = append(faults, problem.Field{Location: "effective_from", Code: "out_of_range", Message: "must be at most ten years ahead"})
	}
	if len(faults) > 0 {
		return Stored{}, problem.InvalidBody("programme_invalid", "The version was not accepted: mend the fields named here.", faults)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Stored{}, err
	}
	var s Stored
	result, err := p.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		latest, err := lockProgramme(ctx, tx, code)
		if err != nil {
			return pg.Result{}, err
		}
		if err := fresh(latest.Latest); err != nil {
			return pg.Result{}, err
		}
		if latest.Latest >= maxVersions {
			return pg.Result{}, problem.New(problem.Conflict, "versions_too_many", "The programme has %d versions, which is as many as it can have.", latest.Latest)
		}
		s = Stored{
			id: id, Programme: Programme{Code: code, Name: latest.Name, Zone: latest.Zone, Version: latest.Latest + 1, Terms: terms},
			From: from.UTC().Truncate(time.Microsecond), By: subject(ctx), CreatedAt: now, Latest: latest.Latest + 1,
		}
		return pg.Result{ID: id, Status: http.StatusCreated}, insertVersion(tx, s)
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return p.byID(ctx, result.ID)
	}
	return s, err
}

// Withdraw takes a version back that is not in force yet. One that is, is the Conflict version_in_force; one that was taken
// back stays so.
func (p *Programmes) Withdraw(ctx context.Context, code string, no int) (Stored, error) {
	var s Stored
	_, err := p.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		if _, err := lockProgramme(ctx, tx, code); err != nil {
			return pg.Result{}, err
		}
		var err error
		if s, err = findVersion(ctx, tx, code, no); err != nil {
			return pg.Result{}, err
		}
		now := p.now()
		switch {
		case !s.Withdrawn.IsZero():
			return pg.Result{ID: s.id, Status: http.StatusOK}, nil
		case !s.From.After(now):
			return pg.Result{}, problem.New(problem.Conflict, "version_in_force",
				"This version is in force since %s: write another one instead.", s.From.Format(time.RFC3339))
		}
		s.Withdrawn = now
		withdraw(tx, code, no, now)
		return pg.Result{ID: s.id, Status: http.StatusOK}, nil
	})
	if err == nil && s.Code == "" {
		httpx.MarkReplayed(ctx)
		return p.Version(ctx, code, no)
	}
	return s, err
}

func (d Draft) check() (zone *time.Location, faults []problem.Field) {
	if !Coded(d.Code) {
		faults = append(faults, problem.Field{Location: "code", Code: "code_malformed", Message: CodeRule})
	}
	if d.Name == "" {
		faults = append(faults, problem.Field{Location: "name", Code: "name_required", Message: "must say how people call the programme"})
	}
	zone, err := time.LoadLocation(d.Zone)
	if err != nil || d.Zone == "" || d.Zone == "Local" {
		faults = append(faults, problem.Field{Location: "zone", Code: "zone_unknown", Message: "must be an IANA time zone, such as Asia/Shanghai"})
	}
	return zone, append(faults, d.Terms.Faults()...)
}

func subject(ctx context.Context) string {
	caller, _ := auth.From(ctx)
	return caller.Subject
}
