package ticket

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Watcher is somebody who wants to hear of a ticket besides the agent who has it.
type Watcher struct {
	Subject string // of the issuer's tokens
	AddedAt time.Time
}

const (
	maxWatchers = 50
	maxSubjectN = 200 // characters of a subject of tokens
)

// Watch adds somebody to those who watch a ticket; whoever does already goes on.
func (t *Tickets) Watch(ctx context.Context, id uuid.UUID, subject string) (all []Watcher, err error) {
	if n := utf8.RuneCountInString(subject); n < 1 || n > maxSubjectN || strings.ContainsFunc(subject, unicode.IsControl) {
		return nil, problem.New(problem.Unprocessable, "subject_invalid", "The subject of a person is 1 to 200 characters.")
	}
	return t.watching(ctx, id, func(tx *pg.Tx, was []Watcher) ([]Watcher, error) {
		w := Watcher{Subject: subject, AddedAt: t.now()}
		at, known := slices.BinarySearchFunc(was, w, bySubject)
		if known {
			return was, nil
		}
		if len(was) >= maxWatchers {
			return nil, problem.New(problem.Conflict, "too_many_watchers", "A ticket is watched by at most %d people.", maxWatchers)
		}
		tx.Queue(`INSERT INTO ticket_watcher (tenant_id, ticket_id, subject, added_at) VALUES ($1, $2, $3, $4)`, tx.Tenant(), id, subject, w.AddedAt)
		return slices.Insert(was, at, w), nil
	})
}

// Unwatch takes somebody from those who watch a ticket; whoever does not stays away.
func (t *Tickets) Unwatch(ctx context.Context, id uuid.UUID, subject string) error {
	_, err := t.watching(ctx, id, func(tx *pg.Tx, was []Watcher) ([]Watcher, error) {
		tx.Queue(`DELETE FROM ticket_watcher WHERE tenant_id = $1 AND ticket_id = $2 AND subject = $3`, tx.Tenant(), id, subject)
		return was, nil
	})
	return err
}

// watching locks a ticket and changes who watches it: that is nobody's edit, so that its version stays.
func (t *Tickets) watching(ctx context.Context, id uuid.UUID, change func(tx *pg.Tx, was []Watcher) ([]Watcher, error)) (all []Watcher, err error) {
	_, err = t.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		var locked Ticket
		queueLock(tx, id, &locked)
		was, err := watchers(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		all, err = change(tx, was)
		return pg.Result{ID: id, Status: http.StatusOK}, err
	})
	return all, err
}

func bySubject(a, b Watcher) int { return strings.Compare(a.Subject, b.Subject) }

func watchers(ctx context.Context, tx *pg.Tx, id uuid.UUID) ([]Watcher, error) {
	rows, err := tx.Query(ctx, `SELECT subject, added_at FROM ticket_watcher WHERE tenant_id = $1 AND ticket_id = $2
		ORDER BY subject COLLATE "C"`, tx.Tenant(), id)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (w Watcher, err error) {
		err = row.Scan(&w.Subject, &w.AddedAt)
		w.AddedAt = w.AddedAt.UTC()
		return w, err
	})
}
