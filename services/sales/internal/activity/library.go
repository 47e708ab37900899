package activity

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

// Commands on outcomes and on the library of objections.

// maxAnswers is how many answers an objection can have, archived ones included.
const maxAnswers = 200

// SetOutcomes puts another list of outcomes in the place of the present one. What was completed before keeps what its outcome was taken for.
func (a *Activities) SetOutcomes(ctx context.Context, list []Outcome, fresh func(version int64) error) (Outcomes, error) {
	caller, _ := auth.From(ctx)
	_, err := a.db.Command(ctx, caller.Tenant, func(tx *pg.Tx) (pg.Result, error) {
		lockOutcomes(tx)
		was := queueOutcomes(tx)
		if err := tx.Flush(ctx); err != nil {
			return pg.Result{}, err
		}
		if err := fresh(was.Version); err != nil {
			return pg.Result{}, err
		}
		if faults := outcomeFaults(list); len(faults) > 0 {
			return pg.Result{}, problem.InvalidBody("outcomes_invalid", "Nothing was changed: mend the fields named here.", faults)
		}
		saveOutcomes(tx, Outcomes{Version: was.Version + 1, List: list, ChangedAt: a.now(), ChangedBy: caller.Subject})
		return pg.Result{Status: http.StatusOK}, nil
	})
	if err != nil {
		return Outcomes{}, err
	}
	return a.Outcomes(ctx)
}

const maxObjection = 500 // characters

func objectionInvalid(faults []problem.Field) error {
	return problem.InvalidBody("objection_invalid", "Nothing was changed: mend the fields named here.", faults)
}

// AddObjection puts an objection into the library. A code that another one has, or had, is a Conflict: objection_exists.
func (a *Activities) AddObjection(ctx context.Context, code string, t Wording) (Objection, error) {
	caller, _ := auth.From(ctx)
	faults := t.faults("text.", maxObjection)
	if !codeShape.MatchString(code) {
		faults = append(faults, problem.Field{Location: "code", Code: "code_malformed", Message: codeRule})
	}
	if len(faults) > 0 {
		return Objection{}, objectionInvalid(faults)
	}
	result, err := a.db.Command(ctx, caller.Tenant, func(tx *pg.Tx) (pg.Result, error) {
		insertObjection(tx, Objection{Code: code, Version: 1, Text: t, ChangedAt: a.now(), ChangedBy: caller.Subject})
		return pg.Result{Status: http.StatusCreated}, nil
	})
	if name, _ := pg.Constraint(err); name == objectionConstraint {
		return Objection{}, problem.New(problem.Conflict, "objection_exists", "There is an objection of this code, or was one that is archived.")
	}
	if err != nil {
		return Objection{}, err
	}
	if result.Replayed {
		httpx.MarkReplayed(ctx)
	}
	return a.Objection(ctx, code)
}

// SetObjection says an objection in other words, or archives it, or puts it back.
func (a *Activities) SetObjection(ctx context.Context, code string, t Wording, archived bool, fresh func(version int64) error) (Objection, error) {
	caller, _ := auth.From(ctx)
	_, err := a.db.Command(ctx, caller.Tenant, func(tx *pg.Tx) (pg.Result, error) {
		was, err := lockObjection(ctx, tx, code)
		if err != nil {
			return pg.Result{}, err
		}
		if err := fresh(was.Version); err != nil {
			return pg.Result{}, err
		}
		if faults := t.faults("text.", maxObjection); len(faults) > 0 {
			return pg.Result{}, objectionInvalid(faults)
		}
		saveObjection(tx, Objection{Code: code, Version: was.Version + 1, Text: t, Archived: archived, ChangedAt: a.now(), ChangedBy: caller.Subject})
		return pg.Result{Status: http.StatusOK}, nil
	})
	if err != nil {
		return Objection{}, err
	}
	return a.Objection(ctx, code)
}

// AddAnswer puts an answer to an objection into the library, by the caller.
func (a *Activities) AddAnswer(ctx context.Context, code string, t Wording) (Answer, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Answer{}, err
	}
	caller, _ := auth.From(ctx)
	result, err := a.db.Command(ctx, caller.Tenant, func(tx *pg.Tx) (pg.Result, error) {
		if _, err := lockObjection(ctx, tx, code); err != nil {
			return pg.Result{}, err
		}
		if faults := t.faults("text.", 2000); len(faults) > 0 {
			return pg.Result{}, objectionInvalid(faults)
		}
		all, err := answers(ctx, tx, code, true)
		if err != nil {
			return pg.Result{}, err
		}
		if len(all) >= maxAnswers {
			return pg.Result{}, problem.New(problem.Conflict, "answers_full", "An objection has at most %d answers, archived ones included.", maxAnswers)
		}
		insertAnswer(tx, Answer{ID: id, Objection: code, Text: t, Author: caller.Subject, CreatedAt: a.now()})
		return pg.Result{ID: id, Status: http.StatusCreated}, nil
	})
	if err != nil {
		return Answer{}, err
	}
	if result.Replayed {
		httpx.MarkReplayed(ctx)
	}
	return a.answer(ctx, result.ID)
}

// ArchiveAnswer takes an answer out of the library, or puts it back in. What followed where it was given stays known.
func (a *Activities) ArchiveAnswer(ctx context.Context, code string, id uuid.UUID, archived bool) (Answer, error) {
	caller, _ := auth.From(ctx)
	_, err := a.db.Command(ctx, caller.Tenant, func(tx *pg.Tx) (pg.Result, error) {
		is, err := lockAnswer(ctx, tx, code, id)
		if err != nil {
			return pg.Result{}, err
		}
		if is.ArchivedAt.IsZero() == archived {
			if is.ArchivedAt = (time.Time{}); archived {
				is.ArchivedAt = a.now()
			}
			saveAnswer(tx, is)
		}
		return pg.Result{ID: id, Status: http.StatusOK}, nil
	})
	if err != nil {
		return Answer{}, err
	}
	return a.answer(ctx, id)
}
