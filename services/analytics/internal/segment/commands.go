package segment

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Segments is what can be done with segments.
type Segments struct {
	db, ops *pg.DB
	outbox  *outbox.Outbox
	clock   func() time.Time
	size    int    // customers of a chunk of a run
	stepped func() // is called after each step of a run; nil: nothing
}

// New makes the capability; db is of the app role, ops of the ops role.
func New(db, ops *pg.DB, o *outbox.Outbox, clock func() time.Time) *Segments {
	return &Segments{db: db, ops: ops, outbox: o, clock: clock, size: chunkOf}
}

func (s *Segments) now() time.Time   { return s.clock().UTC().Truncate(time.Microsecond) }
func (s *Segments) today() time.Time { return s.now().Truncate(24 * time.Hour) }

func subject(ctx context.Context) string {
	caller, _ := auth.From(ctx)
	return caller.Subject
}

// Create makes a segment; who is in is judged behind the scenes.
func (s *Segments) Create(ctx context.Context, d Definition) (Segment, error) {
	if faults := d.check(); len(faults) > 0 {
		return Segment{}, problem.InvalidBody("segment_invalid", "The segment was not accepted: mend the fields named here.", faults)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Segment{}, err
	}
	now := s.now()
	made := Segment{Definition: d, ID: id, State: active, Version: 1, CreatedAt: now, UpdatedAt: now, UpdatedBy: subject(ctx)}
	result, err := s.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		lockDefinitions(tx)
		var live, all int
		if err := tx.QueryRow(ctx, `SELECT count(*) FILTER (WHERE kind = 'live' AND state = 'active'), count(*) FROM segment WHERE tenant_id = $1`,
			tx.Tenant()).Scan(&live, &all); err != nil {
			return pg.Result{}, err
		}
		if all >= MaxAll || d.Kind == Live && live >= MaxLive {
			return pg.Result{}, problem.New(problem.Unprocessable, "segments_too_many",
				"There can be at most %d live segments, and %d together. Retire one, or make a static one.", MaxLive, MaxAll)
		}
		if err := s.define(ctx, tx, made); err != nil {
			return pg.Result{}, err
		}
		return pg.Result{ID: id, Status: http.StatusCreated}, nil
	})
	if name, _ := pg.Constraint(err); name == "segment_code" {
		return Segment{}, problem.New(problem.Conflict, "segment_exists", "There is a segment of this code already.")
	}
	if err != nil {
		return Segment{}, err
	}
	if result.Replayed {
		httpx.MarkReplayed(ctx)
	}
	return s.Get(ctx, result.ID)
}

// define checks what the filter names, saves the segment and asks for the run, if it has a filter.
func (s *Segments) define(ctx context.Context, tx *pg.Tx, of Segment) error {
	if of.Filter == nil {
		return save(tx, of, s.today())
	}
	b, err := loadBook(ctx, tx)
	if err != nil {
		return err
	}
	b[of.Code] = entry{id: of.ID, kind: of.Kind, filter: of.Filter}
	if _, err := b.resolved(of.Code, *of.Filter); err != nil {
		return err
	}
	due := []uuid.UUID{of.ID}
	for _, c := range b.dependents(of.Code) {
		if _, err := b.resolved(c, *b[c].filter); err != nil {
			return err
		}
		due = append(due, b[c].id)
	}
	if err := save(tx, of, s.today()); err != nil {
		return err
	}
	return ask(tx, causeDefinition, of.UpdatedAt, due...)
}

// Change defines a segment anew; code and kind stay.
func (s *Segments) Change(ctx context.Context, id uuid.UUID, ifMatch string, d Definition) (Segment, error) {
	return s.edit(ctx, id, ifMatch, func(tx *pg.Tx, of Segment) error {
		d.Code, d.Kind = of.Code, of.Kind
		if of.Filter == nil && d.Filter != nil {
			return problem.New(problem.Unprocessable, "segment_is_list", "The segment is a list by hand and takes no filter. Make another one.")
		}
		if faults := d.check(); len(faults) > 0 {
			return problem.InvalidBody("segment_invalid", "The segment was not changed: mend the fields named here.", faults)
		}
		if of.Filter != nil && d.Filter == nil {
			d.Filter = of.Filter
		}
		same := of.Filter == nil || of.Filter.String() == d.Filter.String()
		of.Definition = d
		if same {
			return save(tx, of, s.today())
		}
		return s.define(ctx, tx, of)
	})
}

// Retire ends a segment: a live one is left by all. One that others name cannot be retired.
func (s *Segments) Retire(ctx context.Context, id uuid.UUID, ifMatch string) (Segment, error) {
	return s.edit(ctx, id, ifMatch, func(tx *pg.Tx, of Segment) error {
		b, err := loadBook(ctx, tx)
		if err != nil {
			return err
		}
		if by := b.dependents(of.Code); len(by) > 0 {
			return problem.New(problem.Conflict, "segment_in_use", "Other segments name this one: %s. Define them without it first.", strings.Join(by, ", "))
		}
		of.State = retired
		if err := save(tx, of, s.today()); err != nil || of.Kind != Live {
			return err
		}
		return ask(tx, causeRetired, of.UpdatedAt, of.ID)
	})
}

func (s *Segments) edit(ctx context.Context, id uuid.UUID, ifMatch string, change func(tx *pg.Tx, of Segment) error) (Segment, error) {
	result, err := s.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		lockDefinitions(tx)
		of, err := load(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		if err := httpx.IfMatch(ifMatch, of.Version); err != nil {
			return pg.Result{}, err
		}
		if of.State != active {
			return pg.Result{}, problem.New(problem.Conflict, "segment_retired", "The segment was retired and does not change any more.")
		}
		of.Version++
		of.UpdatedAt, of.UpdatedBy = s.now(), subject(ctx)
		return pg.Result{ID: id, Status: http.StatusOK}, change(tx, of)
	})
	if err != nil {
		return Segment{}, err
	}
	if result.Replayed {
		httpx.MarkReplayed(ctx)
	}
	return s.Get(ctx, id)
}
