package tag

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// Tags is what can be done with tags.
type Tags struct {
	db, ops *pg.DB
	runs    *run.Runs
	clock   func() time.Time
	chunk   int // customers of one step of a run
}

// New makes the capability; db is of the app role, ops of the ops role.
func New(db, ops *pg.DB, runs *run.Runs, clock func() time.Time) *Tags {
	return &Tags{db: db, ops: ops, runs: runs, clock: clock, chunk: 5000}
}

func (t *Tags) now() time.Time { return t.clock().UTC().Truncate(time.Microsecond) }

func subject(ctx context.Context) string {
	caller, _ := auth.From(ctx)
	return caller.Subject
}

func refuse(faults []problem.Field) error {
	if len(faults) == 0 {
		return nil
	}
	return problem.InvalidBody("tag_invalid", "The tag was not accepted: mend the fields named here.", faults)
}

// Create makes a tag or a group; who has it is found behind the scenes. Conflict tag_exists, Unprocessable tag_invalid, tags_too_many.
func (t *Tags) Create(ctx context.Context, d Definition) (Shown, error) {
	if err := refuse(d.Check()); err != nil {
		return Shown{}, err
	}
	now := t.now()
	made := Tag{Definition: d, ID: uuid.Must(uuid.NewV7()), Version: 1, CreatedAt: now, UpdatedAt: now, UpdatedBy: subject(ctx)}
	result, err := t.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		lockDefinitions(tx)
		all, err := load(ctx, tx)
		if err != nil {
			return pg.Result{}, err
		}
		if _, there := all[d.Code]; there {
			return pg.Result{}, problem.New(problem.Conflict, "tag_exists", "There is a tag of this code already; archived ones keep theirs.")
		}
		active := len(all.ordered(func(t Tag) bool { return !t.Archived }))
		if active >= MaxTags || len(all) >= MaxAll {
			return pg.Result{}, problem.New(problem.Unprocessable, "tags_too_many",
				"There can be at most %d tags and groups, and %d with archived ones. Archive one, or make bands of one.", MaxTags, MaxAll)
		}
		if err := refuse(all.place(d)); err != nil {
			return pg.Result{}, err
		}
		if err := save(tx, made); err != nil {
			return pg.Result{}, err
		}
		return pg.Result{ID: made.ID, Status: http.StatusCreated}, t.tagAll(ctx, tx, d.Kind != Group)
	})
	return t.shownByID(ctx, result, err)
}

// tagAll asks for a run where one is needed. One that is under way sees that the definitions are others, and begins anew.
func (t *Tags) tagAll(ctx context.Context, tx *pg.Tx, needed bool) error {
	if !needed {
		return nil
	}
	_, err := t.runs.Ask(ctx, tx, Kind, run.Today(t.clock))
	if problem.KindOf(err) == problem.Conflict {
		return nil
	}
	return err
}

// Change defines a tag anew; code and kind stay. ifMatch is the version that was read.
func (t *Tags) Change(ctx context.Context, code, ifMatch string, d Definition) (Shown, error) {
	return t.edit(ctx, code, ifMatch, func(all tree, of *Tag) error {
		d.Code, d.Kind = of.Code, of.Kind
		of.Definition = d
		return refuse(append(d.Check(), all.place(d)...))
	})
}

// Archive takes a tag from all who have it, for good: Conflict tag_has_others for a group that holds tags that are not archived.
func (t *Tags) Archive(ctx context.Context, code, ifMatch string) (Shown, error) {
	return t.edit(ctx, code, ifMatch, func(all tree, of *Tag) error {
		if _, active := all.below(of.Code); active {
			return problem.New(problem.Conflict, "tag_has_others", "The group holds others. Archive or move them first.")
		}
		of.Archived = true
		return nil
	})
}

func (t *Tags) edit(ctx context.Context, code, ifMatch string, change func(all tree, of *Tag) error) (Shown, error) {
	result, err := t.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		lockDefinitions(tx)
		all, err := load(ctx, tx)
		if err != nil {
			return pg.Result{}, err
		}
		of, ok := all[code]
		if !ok {
			return pg.Result{}, unknown()
		}
		if err := httpx.IfMatch(ifMatch, of.Version); err != nil {
			return pg.Result{}, err
		}
		if of.Archived {
			return pg.Result{}, problem.New(problem.Conflict, "tag_archived", "The tag was archived and does not change any more.")
		}
		was := of
		if err := change(all, &of); err != nil {
			return pg.Result{}, err
		}
		of.Version++
		of.UpdatedAt, of.UpdatedBy = t.now(), subject(ctx)
		if err := save(tx, of); err != nil {
			return pg.Result{}, err
		}
		return pg.Result{ID: of.ID, Status: http.StatusOK}, t.tagAll(ctx, tx, of.Kind != Group && (of.Archived || !was.means(of.Definition)))
	})
	return t.shownByID(ctx, result, err)
}

// Ask asks for a run over all customers: Conflict run_open where that was asked for and is not done.
func (t *Tags) Ask(ctx context.Context) (Progress, error) {
	result, err := t.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		asked, err := t.runs.Ask(ctx, tx, Kind, run.Today(t.clock))
		return pg.Result{ID: asked.ID, Status: http.StatusAccepted}, err
	})
	if err != nil {
		return Progress{}, err
	}
	if result.Replayed {
		httpx.MarkReplayed(ctx)
	}
	return t.Run(ctx, result.ID)
}
