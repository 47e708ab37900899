package category

import (
	"context"
	"net/http"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

var (
	errInUse    = problem.New(problem.Conflict, "category_in_use", "Tickets bear this category: put it into the archive instead.")
	errNotEmpty = problem.New(problem.Conflict, "category_not_empty", "There are categories below this one: move or delete them first.")
)

// Categories is what can be done with categories.
type Categories struct {
	db    *pg.DB
	clock func() time.Time
}

// New makes the capability.
func New(db *pg.DB, clock func() time.Time) *Categories { return &Categories{db: db, clock: clock} }

// Create adds a category of code, parent and title. A code that is taken is the Conflict category_exists.
func (c *Categories) Create(ctx context.Context, d Category) (Category, error) {
	var made Category
	result, err := c.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		tree, err := c.locked(ctx, tx)
		if err != nil {
			return pg.Result{}, err
		}
		if _, taken := tree[d.Code]; taken {
			return pg.Result{}, problem.New(problem.Conflict, "category_exists",
				"There is a category of this code already, which may be in the archive: change it, or choose another code.")
		}
		var faults []problem.Field
		if made, faults = tree.Add(d, c.now()); len(faults) > 0 {
			return pg.Result{}, invalid(faults)
		}
		insert(tx, made)
		return pg.Result{Status: http.StatusCreated}, nil
	})
	if err == nil && result.Replayed { // the body is the same, and with it the code
		httpx.MarkReplayed(ctx)
		return c.Get(ctx, d.Code)
	}
	return made, err
}

// Patch is a change of a category; what is nil stays as it is.
type Patch struct {
	Title    *string
	Parent   *string
	Archived *bool
}

// Change changes or moves a category, if it still is as the caller saw it: fresh is asked with the version.
func (c *Categories) Change(ctx context.Context, code string, p Patch, fresh func(version int64) error) (Category, error) {
	var now Category
	_, err := c.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		tree, was, err := c.found(ctx, tx, code, fresh)
		if err != nil {
			return pg.Result{}, err
		}
		to := was
		if p.Title != nil {
			to.Title = *p.Title
		}
		if p.Parent != nil {
			to.Parent = *p.Parent
		}
		if p.Archived != nil {
			to.Archived = *p.Archived
		}
		var changed bool
		var faults []problem.Field
		if now, changed, faults = tree.Change(code, to, c.now()); len(faults) > 0 {
			return pg.Result{}, invalid(faults)
		}
		if changed {
			save(tx, now)
		}
		return pg.Result{Status: http.StatusOK}, nil
	})
	return now, err
}

// Delete takes away a category that no ticket ever had and that nothing is below.
func (c *Categories) Delete(ctx context.Context, code string, fresh func(version int64) error) error {
	_, err := c.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		tree, was, err := c.found(ctx, tx, code, fresh)
		switch {
		case err != nil:
			return pg.Result{}, err
		case was.Used:
			return pg.Result{}, errInUse
		case tree.Children(code):
			return pg.Result{}, errNotEmpty
		}
		remove(tx, code)
		return pg.Result{Status: http.StatusNoContent}, nil
	})
	return err
}

// locked gives the tree, which stays as it is until the transaction ends.
func (c *Categories) locked(ctx context.Context, tx *pg.Tx) (Tree, error) {
	lock(tx)
	tree := All(tx)
	return tree, tx.Flush(ctx)
}

func (c *Categories) found(ctx context.Context, tx *pg.Tx, code string, fresh func(version int64) error) (Tree, Category, error) {
	tree, err := c.locked(ctx, tx)
	if err != nil {
		return nil, Category{}, err
	}
	was, known := tree[code]
	if !known {
		return nil, Category{}, errNotFound
	}
	return tree, was, fresh(was.Version)
}

// now is cut to what the database keeps, so that an answer reads the same at once and later.
func (c *Categories) now() time.Time { return c.clock().UTC().Truncate(time.Microsecond) }

func invalid(faults []problem.Field) error {
	return problem.InvalidBody("category_invalid", "The category was not accepted: mend the fields named here.", faults)
}
