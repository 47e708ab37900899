package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Uses is what the room that has things in pipelines tells of them.
type Uses struct {
	// Open counts what is open in a pipeline, by the code of the stage.
	Open func(ctx context.Context, tx *pg.Tx, pipeline string) (map[string]int64, error)
	// Changed queues whatever follows from stages that are other than before.
	Changed func(tx *pg.Tx, pipeline string, now time.Time)
}

// Pipelines is what can be done with pipelines, reasons for losses and competitors.
type Pipelines struct {
	db    *pg.DB
	uses  Uses
	clock func() time.Time
}

// New makes the capability.
func New(db *pg.DB, uses Uses, clock func() time.Time) *Pipelines {
	return &Pipelines{db: db, uses: uses, clock: clock}
}

// now is cut to what the database keeps, so that an answer reads the same at once and later.
func (p *Pipelines) now() time.Time { return p.clock().UTC().Truncate(time.Microsecond) }

// Make makes a pipeline. A code that is in use, by an archived pipeline as well, is a Conflict, pipeline_exists.
func (p *Pipelines) Make(ctx context.Context, made Pipeline) (Pipeline, error) {
	return p.write(ctx, made.Code, http.StatusCreated, func(_ context.Context, _ *pg.Tx, book *Book) (Pipeline, error) {
		if _, taken := book.Find(made.Code); taken {
			return Pipeline{}, problem.New(problem.Conflict, "pipeline_exists", "There is a pipeline of this code, which may be archived: change that one, or choose another code.")
		}
		if len(book.pipelines) >= maxPipelines {
			return Pipeline{}, problem.New(problem.Unprocessable, "too_many_pipelines", "A tenant has at most %d pipelines, archived ones included.", maxPipelines)
		}
		return made, nil
	})
}

// Change puts a pipeline in the place of what it was, if that still is as the caller saw it: fresh is asked with its version, 0 for
// the standard one that nobody has written. A stage that open opportunities are in stays; so does a pipeline that has any.
func (p *Pipelines) Change(ctx context.Context, code string, to Pipeline, fresh func(version int64) error) (Pipeline, error) {
	return p.write(ctx, code, http.StatusOK, func(ctx context.Context, tx *pg.Tx, book *Book) (Pipeline, error) {
		was, known := book.Find(code)
		if !known {
			return Pipeline{}, errNotFound
		}
		if err := fresh(was.Version); err != nil {
			return Pipeline{}, err
		}
		to.Code, to.Version, to.ChangedAt, to.By = code, was.Version, was.ChangedAt, was.By
		gone := was.Gone(to)
		if len(gone) == 0 && (was.Archived || !to.Archived) {
			return to, nil
		}
		open, err := p.uses.Open(ctx, tx, code)
		if err != nil {
			return Pipeline{}, err
		}
		return to, inUse(open, gone, to.Archived && !was.Archived)
	})
}

// inUse is the problem of stages, or of a whole pipeline, that open opportunities are in.
func inUse(open map[string]int64, gone []string, archived bool) error {
	var busy []string
	var in, all int64
	for _, code := range slices.Sorted(maps.Keys(open)) {
		all += open[code]
		if slices.Contains(gone, code) {
			in += open[code]
			busy = append(busy, fmt.Sprintf("%d in %s", open[code], code))
		}
	}
	switch {
	case in > 0:
		return problem.New(problem.Conflict, "stage_in_use", "There are %d open opportunities in stages that would be gone: %s. Move them first.", in, strings.Join(busy, ", ")).
			WithField("body.stages", "stage_in_use", fmt.Sprintf("%d open opportunities: %s", in, strings.Join(busy, ", ")))
	case archived && all > 0:
		return problem.New(problem.Conflict, "pipeline_in_use", "There are %d open opportunities in the pipeline: close them first.", all).
			WithField("body.archived", "pipeline_in_use", fmt.Sprintf("%d open opportunities", all))
	}
	return nil
}

// write checks a pipeline and saves it, while nobody uses or changes any.
func (p *Pipelines) write(ctx context.Context, code string, status int, rule func(ctx context.Context, tx *pg.Tx, book *Book) (Pipeline, error)) (Pipeline, error) {
	caller, _ := auth.From(ctx)
	var is Pipeline
	result, err := p.db.Command(ctx, caller.Tenant, func(tx *pg.Tx) (pg.Result, error) {
		lock(tx)
		book := All(tx)
		if err := tx.Flush(ctx); err != nil {
			return pg.Result{}, err
		}
		to, err := rule(ctx, tx, book)
		if err != nil {
			return pg.Result{}, err
		}
		checked, wrong := to.check()
		if len(wrong) > 0 {
			return pg.Result{}, problem.InvalidBody("pipeline_invalid", "The pipeline was not accepted: mend the fields named here.", wrong)
		}
		is = checked
		if was, known := book.Find(code); known && status == http.StatusOK && same(was, is) {
			return pg.Result{Status: status}, nil
		}
		is.Version, is.ChangedAt, is.By = is.Version+1, p.now(), caller.Subject
		save(tx, is)
		p.uses.Changed(tx, code, is.ChangedAt)
		return pg.Result{Status: status}, nil
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return p.Get(ctx, code)
	}
	return is, err
}

// same tells whether two pipelines say the same.
func same(a, b Pipeline) bool {
	for _, p := range []*Pipeline{&a, &b} {
		p.Version, p.ChangedAt, p.By = 0, time.Time{}, ""
		p.Stages = slices.Clone(p.Stages)
		for i := range p.Stages {
			p.Stages[i].Requires = orEmpty(p.Stages[i].Requires)
		}
	}
	return reflect.DeepEqual(a, b)
}

// listed is something that a tenant lists by code.
type listed interface{ Reason | Competitor }

// ledger says how a list is kept.
type ledger[T listed] struct {
	what    string // such as loss_reason, in codes of problems
	missing error
	find    func(ctx context.Context, tx *pg.Tx, code string) (one T, known bool, own int, err error)
	check   func(T) (T, []problem.Field)
	version func(T) int64
	stamp   func(T, int64, time.Time) T
	save    func(*pg.Tx, T)
}

// put writes an entry of a list: a new one where fresh is nil, else in the place of the one that fresh accepts.
func put[T listed](ctx context.Context, p *Pipelines, l ledger[T], code string, to T, fresh func(version int64) error) (is T, err error) {
	status := http.StatusOK
	if fresh == nil {
		status = http.StatusCreated
	}
	result, err := p.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		lock(tx)
		was, known, own, err := l.find(ctx, tx, code)
		switch {
		case err != nil:
			return pg.Result{}, err
		case known && fresh == nil:
			return pg.Result{}, problem.New(problem.Conflict, l.what+"_exists", "There is one of this code, which may be archived: change that one, or choose another code.")
		case !known && fresh != nil:
			return pg.Result{}, l.missing
		case !known && own >= maxListed:
			return pg.Result{}, problem.New(problem.Unprocessable, "too_many_"+l.what+"s", "A tenant has at most %d, archived ones included.", maxListed)
		case fresh != nil:
			if err := fresh(l.version(was)); err != nil {
				return pg.Result{}, err
			}
		}
		checked, wrong := l.check(to)
		if len(wrong) > 0 {
			return pg.Result{}, problem.InvalidBody(l.what+"_invalid", "Nothing was changed: mend the fields named here.", wrong)
		}
		is = l.stamp(checked, l.version(was)+1, p.now())
		l.save(tx, is)
		return pg.Result{ID: uuid.Nil, Status: status}, nil
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		err = p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
			is, _, _, err = l.find(ctx, tx, code)
			return err
		})
	}
	return is, err
}

// PutReason writes a reason for losses: a new one where fresh is nil, else in the place of the one whose version fresh accepts, 0 for a
// standard reason.
func (p *Pipelines) PutReason(ctx context.Context, to Reason, fresh func(version int64) error) (Reason, error) {
	return put(ctx, p, ledger[Reason]{
		what: "loss_reason", missing: errNoReason, check: Reason.check, save: saveReason,
		find: func(ctx context.Context, tx *pg.Tx, code string) (Reason, bool, int, error) {
			all := AllReasons(tx)
			err := tx.Flush(ctx)
			one, known := all.Find(code)
			return one, known, len(all.own), err
		},
		version: func(r Reason) int64 { return r.Version },
		stamp: func(r Reason, version int64, at time.Time) Reason {
			r.Version, r.ChangedAt = version, at
			return r
		},
	}, to.Code, to, fresh)
}

// PutCompetitor writes a competitor: a new one where fresh is nil, else in the place of the one whose version fresh accepts.
func (p *Pipelines) PutCompetitor(ctx context.Context, to Competitor, fresh func(version int64) error) (Competitor, error) {
	return put(ctx, p, ledger[Competitor]{
		what: "competitor", missing: errNoCompetitor, check: Competitor.check, save: saveCompetitor,
		find: func(ctx context.Context, tx *pg.Tx, code string) (Competitor, bool, int, error) {
			all := AllCompetitors(tx)
			err := tx.Flush(ctx)
			one, known := all[code]
			return one, known, len(all), err
		},
		version: func(c Competitor) int64 { return c.Version },
		stamp: func(c Competitor, version int64, at time.Time) Competitor {
			c.Version, c.ChangedAt = version, at
			return c
		},
	}, to.Code, to, fresh)
}

// sorted gives them by code.
func (c Competitors) sorted() []Competitor {
	return slices.SortedFunc(maps.Values(c), func(a, b Competitor) int { return cmp.Compare(a.Code, b.Code) })
}
