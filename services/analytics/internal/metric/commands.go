package metric

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Draft is what a tenant says of a metric.
type Draft struct {
	Name, Definition, Formula, Owner string
	Unit                             Unit
}

// on gives the metric as the draft has it, checked against the catalogue.
func (d Draft) on(m Metric, catalogue map[string]Metric) (Metric, error) {
	var found []problem.Field
	for _, t := range []struct{ at, text string }{{"name", d.Name}, {"definition", d.Definition}, {"owner", d.Owner}, {"formula", d.Formula}} {
		if strings.TrimSpace(t.text) == "" || strings.ContainsFunc(t.text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }) {
			found = append(found, problem.Field{Location: t.at, Code: "required", Message: "must be said, without control characters"})
		}
	}
	m.Name, m.Definition, m.Formula, m.Owner, m.Unit = strings.TrimSpace(d.Name), strings.TrimSpace(d.Definition), strings.TrimSpace(d.Formula), strings.TrimSpace(d.Owner), d.Unit
	if len(found) == 0 {
		m, found = define(m, catalogue)
	}
	if len(found) > 0 {
		return m, problem.InvalidBody("metric_invalid", "The metric was not accepted: mend the fields named here.", found)
	}
	return m, nil
}

// Metrics is what a tenant can do with metrics of its own.
type Metrics struct {
	db    *pg.DB
	clock func() time.Time
}

// New makes the capability.
func New(db *pg.DB, clock func() time.Time) *Metrics { return &Metrics{db, clock} }

// Create defines a metric. A code that is taken, be it by a built-in one, is the Conflict metric_exists.
func (c *Metrics) Create(ctx context.Context, code string, d Draft) (Metric, error) {
	if !codeForm.MatchString(code) || code == "query" || code == "period" || dimensionOf[code].Code != "" {
		return Metric{}, problem.InvalidBody("metric_invalid", "The metric was not accepted: mend the fields named here.",
			[]problem.Field{{Location: "code", Code: "invalid", Message: "must be small letters, digits and _, and neither query, period nor a dimension's"}})
	}
	return c.change(ctx, code, http.StatusCreated, func(was *Metric, all map[string]Metric) (Metric, error) {
		if was != nil {
			return Metric{}, problem.New(problem.Conflict, "metric_exists", "There is a metric with this code, be it in the archive. Choose another code, or change that one.")
		}
		if len(all)-len(builtIn) >= MaxDefined {
			return Metric{}, problem.New(problem.Conflict, "metric_limit", "There are %d metrics of your own already: change one of them.", MaxDefined)
		}
		return d.on(Metric{Code: code}, all)
	})
}

// Replace gives a metric another definition, if it still is as the caller saw it: fresh is asked with the version.
func (c *Metrics) Replace(ctx context.Context, code string, d Draft, fresh func(version int64) error) (Metric, error) {
	return c.change(ctx, code, http.StatusOK, func(was *Metric, all map[string]Metric) (Metric, error) {
		if was == nil {
			return Metric{}, errNotFound
		}
		if err := fresh(was.Version); err != nil {
			return Metric{}, err
		}
		m, err := d.on(*was, all)
		if err != nil {
			return m, err
		}
		return m, dependents(m, *was, all)
	})
}

// dependents refuses a change that takes the sense from metrics that are made of this one.
func dependents(now, was Metric, all map[string]Metric) error {
	if now.Grain == was.Grain {
		return nil
	}
	return unused(now.Code, all, "Others are made of this metric, and could not be reckoned with one that tells of another time: %s.")
}

// unused refuses with the names of the metrics that are made of code.
func unused(code string, all map[string]Metric, format string) error {
	f := newFormulas(all)
	var users []string
	for _, m := range all {
		if m.BuiltIn || m.Archived || m.Code == code {
			continue
		}
		if one, faults := f.of(m); len(faults) == 0 && slices.Contains(one.names, code) {
			users = append(users, m.Code)
		}
	}
	if len(users) == 0 {
		return nil
	}
	slices.Sort(users)
	return problem.New(problem.Conflict, "metric_in_use", format, strings.Join(users, ", "))
}

// Archive puts a metric into the archive, or takes it out. One that others are made of stays.
func (c *Metrics) Archive(ctx context.Context, code string, archived bool) (Metric, error) {
	return c.change(ctx, code, http.StatusOK, func(was *Metric, all map[string]Metric) (Metric, error) {
		if was == nil {
			return Metric{}, errNotFound
		}
		now := *was
		if now.Archived = archived; archived {
			return now, unused(code, all, "Others are made of this metric: %s. Change or archive them first.")
		}
		return now, nil
	})
}

// change saves what the rule makes of a metric, when that is something else. was is nil where there is none yet.
func (c *Metrics) change(ctx context.Context, code string, status int, rule func(was *Metric, all map[string]Metric) (Metric, error)) (Metric, error) {
	if _, builtIn := builtInOf[code]; builtIn {
		return Metric{}, problem.New(problem.Conflict, "metric_built_in", "This metric is built in: define one of your own with another code.")
	}
	var now Metric
	result, err := c.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		lockAll(tx)
		all, err := catalogueOf(ctx, tx)
		if err != nil {
			return pg.Result{}, err
		}
		var was *Metric
		if m, ok := all[code]; ok {
			was = &m
		}
		if now, err = rule(was, all); err != nil {
			return pg.Result{}, err
		}
		if was != nil && was.Name == now.Name && was.Definition == now.Definition && was.Formula == now.Formula && was.Owner == now.Owner &&
			was.Unit == now.Unit && was.Archived == now.Archived {
			return pg.Result{Status: status}, nil
		}
		now.Version++
		now.ChangedAt = c.clock().UTC().Truncate(time.Microsecond)
		caller, _ := auth.From(ctx)
		save(tx, now, caller.Subject)
		return pg.Result{Status: status}, nil
	})
	if err != nil {
		return Metric{}, err
	}
	if result.Replayed {
		httpx.MarkReplayed(ctx)
		err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
			now, err = get(ctx, tx, code)
			return err
		})
	}
	return now, err
}

// Versions gives up to limit versions of a metric before the given one, the latest first.
func (c *Metrics) Versions(ctx context.Context, code string, before, limit int) (all []Version, err error) {
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if _, err := get(ctx, tx, code); err != nil {
			return err
		}
		all, err = versions(ctx, tx, code, before, limit)
		return err
	})
	return all, err
}
