package report

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pdf"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/metric"
)

// Reports is what can be done with reports.
type Reports struct {
	db, ops *pg.DB
	numbers *metric.Queries
	fonts   *pdf.Fonts
	clock   func() time.Time
}

// New makes the capability. fonts draws its PDFs.
func New(db, ops *pg.DB, numbers *metric.Queries, fonts *pdf.Fonts, clock func() time.Time) *Reports {
	return &Reports{db, ops, numbers, fonts, clock}
}

// Report is a definition as it is kept.
type Report struct {
	Code string
	Content
	Version   int64
	NextAt    *time.Time // when it is due next
	Archived  bool
	ChangedAt time.Time
}

// Version is what a report was.
type Version struct {
	Version int64
	Content
	Archived bool
	By       string // subject of whoever made it so
	At       time.Time
}

var errArchived = problem.New(problem.Conflict, "report_archived", "The report is in the archive. Take it out first.")

// Run is one time that a report ran, with its numbers as they were.
type Run struct {
	ID      uuid.UUID
	Code    string
	DueAt   *time.Time // nil where somebody asked for it
	Version int64      // of the report
	RanAt   time.Time
	Result
}

func (r *Reports) now() time.Time { return r.clock().UTC().Truncate(time.Microsecond) }

// checked refuses a report whose questions cannot be asked, or whose schedule cannot be kept.
func (r *Reports) checked(ctx context.Context, tx *pg.Tx, c Content) error {
	found := c.check()
	for i, s := range c.Sections {
		at := func(field string, n int) string {
			if n < 0 {
				return fmt.Sprintf("sections[%d].question.%s", i, field)
			}
			return fmt.Sprintf("sections[%d].question.%s[%d]", i, field, n)
		}
		q, faults := s.question(r.now(), at)
		if len(faults) == 0 {
			var err error
			if faults, err = r.numbers.Check(ctx, tx, q, at); err != nil {
				return err
			}
		}
		found = append(found, faults...)
	}
	if len(found) > 0 {
		return problem.InvalidBody("report_invalid", "The report was not accepted: mend the fields named here.", found)
	}
	return nil
}

// question is what the section asks at a time.
func (s ReportSection) question(at time.Time, places func(field string, i int) string) (metric.Question, []problem.Field) {
	b := s.Question
	if b.Limit == 0 {
		b.Limit = 200
	}
	if s.LastDays > 0 {
		yesterday := at.UTC().AddDate(0, 0, -1)
		b.To, b.From = yesterday.Format(time.DateOnly), yesterday.AddDate(0, 0, 1-s.LastDays).Format(time.DateOnly)
	}
	return b.Question(places)
}

// Create defines a report.
func (r *Reports) Create(ctx context.Context, code string, c Content) (Report, error) {
	return r.change(ctx, code, http.StatusCreated, func(was *Report) (Report, error) {
		if was != nil {
			return Report{}, problem.New(problem.Conflict, "report_exists", "There is a report with this code. Choose another code, or change that one.")
		}
		return Report{Content: c}, nil
	})
}

// Replace gives a report another content, if it still is as the caller saw it.
func (r *Reports) Replace(ctx context.Context, code string, c Content, fresh func(version int64) error) (Report, error) {
	return r.change(ctx, code, http.StatusOK, func(was *Report) (Report, error) {
		switch {
		case was == nil:
			return Report{}, errNotFound
		case was.Archived:
			return Report{}, errArchived
		}
		return Report{Content: c}, fresh(was.Version)
	})
}

// Archive puts a report into the archive, in which it never runs, or takes it out.
func (r *Reports) Archive(ctx context.Context, code string, archived bool) (Report, error) {
	return r.change(ctx, code, http.StatusOK, func(was *Report) (Report, error) {
		switch {
		case was == nil:
			return Report{}, errNotFound
		case was.Archived == archived:
			return Report{}, problem.New(problem.Conflict, "report_archived_already", "The report is where it is to be already.")
		}
		return Report{Content: was.Content, Archived: archived}, nil
	})
}

func (r *Reports) change(ctx context.Context, code string, status int, rule func(was *Report) (Report, error)) (Report, error) {
	var now Report
	result, err := r.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('report' || chr(31) || $1, 0))`, tx.Tenant())
		var was *Report
		found, err := get(ctx, tx, code, "FOR UPDATE")
		if err == nil {
			was = &found
		} else if !errors.Is(err, errNotFound) {
			return pg.Result{}, err
		}
		if now, err = rule(was); err != nil {
			return pg.Result{}, err
		}
		now.Code, now.Version, now.ChangedAt = code, found.Version+1, r.now()
		if !now.Archived {
			if err := r.checked(ctx, tx, now.Content); err != nil {
				return pg.Result{}, err
			}
			now.NextAt = now.next(now.ChangedAt)
		}
		caller, _ := auth.From(ctx)
		save(tx, now, caller.Subject)
		return pg.Result{Status: status}, nil
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return r.Get(ctx, code)
	}
	return now, err
}

// Get gives a report.
func (r *Reports) Get(ctx context.Context, code string) (found Report, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		found, err = get(ctx, tx, code, "")
		return err
	})
	return found, err
}

// RunNow runs a report because somebody asks, and keeps what it came to.
func (r *Reports) RunNow(ctx context.Context, code string) (Run, error) {
	tenant := auth.Tenant(ctx)
	report, err := r.Get(ctx, code)
	if err != nil {
		return Run{}, err
	}
	if report.Archived {
		return Run{}, errArchived
	}
	run, err := r.reckon(ctx, tenant, report, nil)
	if err != nil {
		return Run{}, err
	}
	result, err := r.db.Command(ctx, tenant, func(tx *pg.Tx) (pg.Result, error) {
		keep(tx, run)
		return pg.Result{ID: run.ID, Status: http.StatusCreated}, nil
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return r.Run(ctx, code, result.ID)
	}
	return run, err
}

// reckon asks all that a report asks. A section that cannot be answered says why; others are there all the same.
func (r *Reports) reckon(ctx context.Context, tenant string, report Report, due *time.Time) (Run, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Run{}, err
	}
	at := r.now()
	run := Run{ID: id, Code: report.Code, DueAt: due, Version: report.Version, RanAt: at, Result: Result{Title: report.Title}}
	asked := at
	if due != nil {
		asked = *due // a run that is late is about the same days
	}
	for _, s := range report.Sections {
		one := ReportedSection{Title: s.Title, Text: s.Text}
		q, faults := s.question(asked, metric.InBody)
		if len(faults) > 0 {
			one.Problem = faults[0].Message
		} else if a, err := r.numbers.Ask(ctx, tenant, q, metric.InBody); err == nil {
			shown := metric.Show(a)
			one.Numbers = &shown
		} else if !problem.CallersFault(err) {
			return Run{}, err
		} else {
			one.Problem = problem.From(err).Detail
		}
		run.Sections = append(run.Sections, one)
	}
	return run, nil
}

// Pass runs what is due, each once: the run is kept in the transaction that says when the report is due next. Times that were
// missed while nobody was there are made up for by one run, that of the first of them.
func (r *Reports) Pass(ctx context.Context) error {
	type due struct{ tenant, code string }
	var all []due
	err := r.ops.System(ctx, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT tenant_id, code FROM report_due($1, 20)`, r.now())
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (d due, err error) { return d, row.Scan(&d.tenant, &d.code) })
		return err
	})
	for _, d := range all {
		err = errors.Join(err, r.runDue(ctx, d.tenant, d.code))
	}
	return err
}

func (r *Reports) runDue(ctx context.Context, tenant, code string) error {
	var report Report
	err := r.db.Read(ctx, tenant, func(tx *pg.Tx) (err error) {
		report, err = get(ctx, tx, code, "")
		return err
	})
	if err != nil || report.NextAt == nil || report.NextAt.After(r.now()) {
		return err
	}
	run, err := r.reckon(ctx, tenant, report, report.NextAt)
	if err != nil {
		return err
	}
	return r.db.Tx(ctx, tenant, func(tx *pg.Tx) error {
		now, err := get(ctx, tx, code, "FOR UPDATE")
		if err != nil || now.NextAt == nil || !now.NextAt.Equal(*run.DueAt) || now.Version != report.Version {
			return err // somebody else ran it, or changed it
		}
		keep(tx, run)
		tx.Queue(`UPDATE report SET next_at = $3 WHERE tenant_id = $1 AND code = $2`, tx.Tenant(), code, now.next(r.now()))
		return nil
	})
}
