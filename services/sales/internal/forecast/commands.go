package forecast

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
)

// Aggregate is the type of the aggregate whose events are published here.
const Aggregate = "forecast_snapshot"

// totalsTold is how many sums an event tells at most.
const totalsTold = 1000

// Forecasts is what can be done with forecasts.
type Forecasts struct {
	db     *pg.DB
	outbox *outbox.Outbox
	clock  func() time.Time
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, clock func() time.Time) *Forecasts {
	return &Forecasts{db: db, outbox: o, clock: clock}
}

func (f *Forecasts) now() time.Time { return f.clock().UTC().Truncate(time.Microsecond) }

// Take takes a snapshot of the caller's tenant besides those of the weeks.
func (f *Forecasts) Take(ctx context.Context) (Snapshot, error) {
	caller, _ := auth.From(ctx)
	var taken Snapshot
	result, err := f.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (_ pg.Result, err error) {
		taken, _, err = f.take(ctx, tx, false, caller.Subject)
		return pg.Result{ID: taken.ID, Status: http.StatusCreated}, err
	})
	if err != nil || !result.Replayed {
		return taken, err
	}
	return f.Snapshot(ctx, result.ID)
}

// TakeWeek takes the snapshot of a tenant's present week, where there is none yet.
func (f *Forecasts) TakeWeek(ctx context.Context, tenant string) (taken bool, err error) {
	caller, _ := auth.From(ctx)
	_, err = f.db.Command(ctx, tenant, func(tx *pg.Tx) (_ pg.Result, err error) {
		_, taken, err = f.take(ctx, tx, true, caller.Subject)
		return pg.Result{}, err
	})
	return taken, err
}

func (f *Forecasts) take(ctx context.Context, tx *pg.Tx, weekly bool, by string) (s Snapshot, taken bool, err error) {
	set, args, err := present(ctx, tx)
	if err != nil {
		return s, false, err
	}
	s = Snapshot{ID: uuid.Must(uuid.NewV7()), By: by, TakenAt: f.now()}
	if weekly {
		s.Week = Week(s.TakenAt, set.Zone)
		var there bool
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM forecast_snapshot WHERE tenant_id = $1 AND week = $2)`, tx.Tenant(), s.Week).Scan(&there); err != nil || there {
			return Snapshot{}, false, err
		}
	}
	args["since"] = quarterBegins(s.TakenAt, set.Zone)
	if s, taken, err = take(ctx, tx, s, args); err != nil || !taken {
		return s, false, err
	}
	args["snapshot"] = s.ID
	Scope{}.args(args)
	totals, err := sums(ctx, tx, snapshotLines, By{Pipeline: true, Month: true}, args, totalsTold)
	if err != nil {
		return s, false, err
	}
	event := &salesv1.ForecastSnapshotTaken{SnapshotId: s.ID.String(), Week: s.Week, Opportunities: s.Opportunities, TakenAt: timestamppb.New(s.TakenAt)}
	for _, t := range totals {
		event.Totals = append(event.Totals, &salesv1.ForecastLine{
			Pipeline: t.Pipeline, Month: t.Month, Category: t.Category, Currency: t.Currency, Opportunities: t.Opportunities,
			AmountMinor: t.AmountMinor, WeightedMinor: t.WeightedMinor,
		})
	}
	return s, true, f.outbox.Append(ctx, tx, outbox.Event{Aggregate: Aggregate, ID: s.ID, Time: s.TakenAt, Message: event, First: true})
}

// SetZone sets in which zone days, weeks and months begin. Snapshots keep the months that they were taken with.
func (f *Forecasts) SetZone(ctx context.Context, zone, ifMatch string) (Setting, error) {
	location, err := time.LoadLocation(zone)
	if err != nil || zone == "" || zone == "Local" {
		return Setting{}, problem.InvalidBody("forecast_setting_invalid", "The setting stays as it was: mend the field named here.",
			[]problem.Field{{Location: "zone", Code: "zone_unknown", Message: "must be the IANA name of a time zone, such as Asia/Shanghai"}})
	}
	caller, _ := auth.From(ctx)
	var set Setting
	_, err = f.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('forecast_setting' || chr(31) || $1::text, 0))`, tx.Tenant())
		was := SettingOf(tx)
		if err := tx.Flush(ctx); err != nil {
			return pg.Result{}, err
		}
		if err := httpx.IfMatch(ifMatch, was.Version); err != nil {
			return pg.Result{}, err
		}
		set = Setting{Zone: location, Version: was.Version + 1, By: caller.Subject, ChangedAt: f.now()}
		tx.Queue(`INSERT INTO forecast_setting (tenant_id, zone, version, by_subject, changed_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (tenant_id) DO UPDATE SET zone = excluded.zone, version = excluded.version, by_subject = excluded.by_subject, changed_at = excluded.changed_at`,
			tx.Tenant(), zone, set.Version, set.By, set.ChangedAt)
		return pg.Result{}, nil
	})
	return set, err
}

// Own narrows what is asked for to what the caller may see: all with sales.report, else what is the caller's own.
func Own(ctx context.Context, owner string) (string, error) {
	caller, _ := auth.From(ctx)
	if caller.Can(auth.SalesReport) {
		return owner, nil
	}
	if owner != "" && owner != caller.Subject {
		return "", problem.New(problem.Forbidden, "forecast_of_others", "Forecasts of others are seen with the permission %s.", auth.SalesReport)
	}
	if caller.Subject == "" {
		return "", errors.New("forecast: nobody asks")
	}
	return caller.Subject, nil
}
