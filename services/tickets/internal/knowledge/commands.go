package knowledge

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

// Articles is what can be done with articles.
type Articles struct {
	db      *pg.DB
	tickets *ticket.Tickets
	clock   func() time.Time
}

// New makes the capability.
func New(db *pg.DB, tickets *ticket.Tickets, clock func() time.Time) *Articles {
	return &Articles{db: db, tickets: tickets, clock: clock}
}

// now is cut to what the database keeps, so that an answer reads the same at once and later.
func (a *Articles) now() time.Time { return a.clock().UTC().Truncate(time.Microsecond) }

func invalid(faults []problem.Field) error {
	return problem.InvalidBody("article_invalid", "The article was not accepted: mend the fields named here.", faults)
}

// Start writes a new article's first draft.
func (a *Articles) Start(ctx context.Context, t Text) (Article, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Article{}, err
	}
	t, faults := t.Clean()
	if len(faults) > 0 {
		return Article{}, invalid(faults)
	}
	made, draft := Start(id, t, subject(ctx), a.now())
	result, err := a.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		if err := useCategory(ctx, tx, t.Category); err != nil {
			return pg.Result{}, err
		}
		insert(tx, made, draft)
		insertVersion(tx, id, draft)
		return pg.Result{ID: id, Status: http.StatusCreated}, nil
	})
	return a.answer(ctx, made, result, err)
}

// Write gives the article's draft another text, or begins a draft where there is none, if the article still is as the caller saw
// it: fresh is asked with its version.
func (a *Articles) Write(ctx context.Context, id uuid.UUID, t Text, fresh func(version int64) error) (Article, error) {
	t, faults := t.Clean()
	if len(faults) > 0 {
		return Article{}, invalid(faults)
	}
	return a.change(ctx, id, fresh, func(tx *pg.Tx, was Article, _ Version) (Article, error) {
		if err := useCategory(ctx, tx, t.Category); err != nil {
			return was, err
		}
		now, draft := was.Write(t, subject(ctx), a.now())
		if was.Draft == 0 {
			insertVersion(tx, id, draft)
		} else {
			saveVersion(tx, id, draft)
		}
		save(tx, now)
		if now.Current == draft.No {
			index(tx, id, draft.Text)
		}
		return now, nil
	})
}

// Publish puts the draft in the place of what was published; see Write for fresh.
func (a *Articles) Publish(ctx context.Context, id uuid.UUID, fresh func(version int64) error) (Article, error) {
	return a.change(ctx, id, fresh, func(tx *pg.Tx, was Article, draft Version) (Article, error) {
		at := a.now()
		now, published, err := was.Publish(draft, subject(ctx), at)
		if err != nil {
			return now, err
		}
		archiveVersions(tx, id, Published, at)
		saveVersion(tx, id, published)
		save(tx, now)
		index(tx, id, published.Text)
		return now, nil
	})
}

// Archive withdraws the article; see Write for fresh.
func (a *Articles) Archive(ctx context.Context, id uuid.UUID, fresh func(version int64) error) (Article, error) {
	return a.change(ctx, id, fresh, func(tx *pg.Tx, was Article, _ Version) (Article, error) {
		at := a.now()
		now, err := was.Archive(at)
		if err != nil {
			return now, err
		}
		archiveVersions(tx, id, Published, at)
		archiveVersions(tx, id, Draft, at)
		save(tx, now)
		return now, nil
	})
}

// change changes an article that is locked; do is given its draft as well, zero where there is none.
func (a *Articles) change(ctx context.Context, id uuid.UUID, fresh func(version int64) error, do func(tx *pg.Tx, was Article, draft Version) (Article, error)) (Article, error) {
	var now Article
	result, err := a.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		was, err := lock(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		if err := fresh(was.Version); err != nil {
			return pg.Result{}, err
		}
		var draft Version
		if was.Draft != 0 {
			if draft, err = version(ctx, tx, id, was.Draft); err != nil {
				return pg.Result{}, err
			}
		}
		now, err = do(tx, was, draft)
		return pg.Result{ID: id, Status: http.StatusOK}, err
	})
	return a.answer(ctx, now, result, err)
}

// Use says whether an article helped with a ticket. What is said last of the two counts.
func (a *Articles) Use(ctx context.Context, id, ticketID uuid.UUID, helped bool) (Article, error) {
	if _, err := a.tickets.Get(ctx, ticketID); err != nil {
		return Article{}, err
	}
	var now Article
	result, err := a.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		was, err := lock(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		if was.State != Published {
			return pg.Result{}, problem.New(problem.Conflict, "article_not_published", "Only a published article can help: this one is %s.", was.State)
		}
		before, err := lastUse(ctx, tx, id, ticketID)
		if err != nil {
			return pg.Result{}, err
		}
		now = was.judged(before, helped)
		saveUse(tx, id, ticketID, helped, was.Current, subject(ctx), a.now())
		saveCounts(tx, now)
		return pg.Result{ID: id, Status: http.StatusOK}, nil
	})
	return a.answer(ctx, now, result, err)
}

// answer gives the article of a command that succeeded, read anew when the command was a repetition.
func (a *Articles) answer(ctx context.Context, made Article, result pg.Result, err error) (Article, error) {
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return a.Get(ctx, result.ID)
	}
	return made, err
}

func subject(ctx context.Context) string {
	p, _ := auth.From(ctx)
	return p.Subject
}
