package value

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
)

// check gives what is wrong with settings that are to be kept.
func (s Settings) check() (faults []problem.Field) {
	add := func(location, message string) {
		faults = append(faults, problem.Field{Location: location, Code: "invalid", Message: message})
	}
	if s.Currency != "" {
		if _, ok := money.Digits(s.Currency); !ok {
			add("currency", "is not a code of ISO 4217")
		}
	}
	for code, minor := range s.Acquisition {
		if code == "" || len(code) > 64 || strings.ContainsRune(code, 0) || minor < 0 || minor > money.Max {
			add("acquisition", "has a source without a code of 1 to 64 bytes, or an amount below 0 or too large")
			break
		}
	}
	for origin, minor := range s.Touches {
		if origin != "nurture" && origin != "retention" && origin != "survey" || minor < 0 || minor > money.Max {
			add("touches", "has an origin other than nurture, retention and survey, or an amount below 0 or too large")
			break
		}
	}
	return faults
}

// SetSettings keeps new settings, and has all customers valued anew by them. Without a currency, costs are in the reporting one.
func (v *Values) SetSettings(ctx context.Context, s Settings, ifMatch string) (Settings, error) {
	if faults := s.check(); len(faults) > 0 {
		return Settings{}, problem.InvalidBody("value_settings_invalid", "The settings stay as they were: mend the fields named here.", faults)
	}
	caller, _ := auth.From(ctx)
	_, err := v.db.Command(ctx, caller.Tenant, func(tx *pg.Tx) (pg.Result, error) {
		there, err := readSettings(ctx, tx, true)
		if err != nil {
			return pg.Result{}, err
		}
		if err := httpx.IfMatch(ifMatch, there.Version); err != nil {
			return pg.Result{}, err
		}
		if s.Currency == "" {
			if s.Currency, err = portrait.Currency(ctx, tx); err != nil {
				return pg.Result{}, err
			}
		}
		s.Version, s.ChangedAt, s.ChangedBy = there.Version+1, v.now(), caller.Subject
		queueSettings(tx, s)
		return pg.Result{Status: http.StatusOK}, v.again(ctx, tx, v.today())
	})
	return s, err
}

// Start asks for a run as of the day; Conflict run_open where one that was asked for is not done.
func (v *Values) Start(ctx context.Context, asOf time.Time) (r Running, err error) {
	if asOf.After(v.today()) {
		return r, problem.InvalidBody("validation_failed", "Some of what was sent is not valid; errors says what.",
			[]problem.Field{{Location: "as_of", Code: "in_future", Message: "is in the future"}})
	}
	result, err := v.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		var err error
		r.Run, err = v.runs.Ask(ctx, tx, Kind, asOf)
		return pg.Result{ID: r.Run.ID, Status: http.StatusAccepted}, err
	})
	if err != nil || !result.Replayed {
		return r, err
	}
	httpx.MarkReplayed(ctx)
	return v.Run(ctx, result.ID)
}
