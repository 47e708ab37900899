package forecast

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/team"
)

// Kinds of whose a target is.
const (
	OfTeam  = "team"
	OfOwner = "owner"
)

// Target is what a team or an owner is to win in a month or a quarter.
type Target struct {
	ID          uuid.UUID
	Kind        string // OfTeam or OfOwner
	Who         string // code of the team, or the owner's subject
	Period      string // YYYY-MM or YYYY-Qn
	Currency    string
	AmountMinor int64
	Version     int64
	By          string
	ChangedAt   time.Time
}

func (t Target) faults() (faults []problem.Field) {
	fault := func(at, code, message string) {
		faults = append(faults, problem.Field{Location: at, Code: code, Message: message})
	}
	if _, ok := ParsePeriod(t.Period); !ok {
		fault("period", "period_malformed", "must be a month such as 2026-11 or a quarter such as 2026-Q4")
	}
	if _, ok := money.Digits(t.Currency); !ok {
		fault("currency", "currency_unknown", "must be an ISO 4217 currency code, such as CNY")
	}
	if t.AmountMinor <= 0 || t.AmountMinor > money.Max {
		fault("amount_minor", "out_of_range", "must be more than 0 and at most 9007199254740991")
	}
	return faults
}

func refused(faults []problem.Field) error {
	return problem.InvalidBody("forecast_target_invalid", "The target was not set: mend the fields named here.", faults)
}

// SetTarget sets a new target. One of the same team or owner, period and currency is Conflict target_exists.
func (f *Forecasts) SetTarget(ctx context.Context, t Target) (Target, error) {
	if faults := t.faults(); len(faults) > 0 {
		return Target{}, refused(faults)
	}
	caller, _ := auth.From(ctx)
	t.ID, t.Version, t.By, t.ChangedAt = uuid.Must(uuid.NewV7()), 1, caller.Subject, f.now()
	result, err := f.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		if t.Kind == OfTeam {
			if _, err := team.Find(ctx, tx, t.Who); problem.KindOf(err) == problem.NotFound {
				return pg.Result{}, refused([]problem.Field{{Location: "team", Code: "team_unknown", Message: "is not the code of a team"}})
			} else if err != nil {
				return pg.Result{}, err
			}
		}
		tag, err := tx.ExecNow(ctx, `INSERT INTO forecast_target (tenant_id, id, kind, who, period, currency, amount_minor, version, by_subject, changed_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $9) ON CONFLICT ON CONSTRAINT forecast_target_once DO NOTHING`,
			tx.Tenant(), t.ID, t.Kind, t.Who, t.Period, t.Currency, t.AmountMinor, t.By, t.ChangedAt)
		if err == nil && tag.RowsAffected() == 0 {
			err = problem.New(problem.Conflict, "target_exists", "There is a target of this period and currency already: change that one.")
		}
		return pg.Result{ID: t.ID, Status: http.StatusCreated}, err
	})
	if err != nil || !result.Replayed {
		return t, err
	}
	err = f.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		t, err = findTarget(ctx, tx, result.ID, "")
		return err
	})
	return t, err
}

const targetColumns = `t.id, t.kind, t.who, t.period, t.currency, t.amount_minor, t.version, t.by_subject, t.changed_at`

func findTarget(ctx context.Context, tx *pg.Tx, id uuid.UUID, lock string) (t Target, err error) {
	err = tx.QueryRow(ctx, `SELECT `+targetColumns+` FROM forecast_target t WHERE t.tenant_id = $1 AND t.id = $2`+lock, tx.Tenant(), id).
		Scan(&t.ID, &t.Kind, &t.Who, &t.Period, &t.Currency, &t.AmountMinor, &t.Version, &t.By, &t.ChangedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return Target{}, problem.New(problem.NotFound, "forecast_target_not_found", "There is no such target.")
	}
	t.ChangedAt = t.ChangedAt.UTC()
	return t, err
}

// ChangeTarget gives a target another amount; 0 takes it away.
func (f *Forecasts) ChangeTarget(ctx context.Context, id uuid.UUID, amount int64, ifMatch string) (t Target, err error) {
	caller, _ := auth.From(ctx)
	_, err = f.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		if t, err = findTarget(ctx, tx, id, ` FOR UPDATE`); err != nil {
			return pg.Result{}, err
		}
		if err := httpx.IfMatch(ifMatch, t.Version); err != nil {
			return pg.Result{}, err
		}
		if amount == 0 {
			tx.Queue(`DELETE FROM forecast_target WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), id)
			return pg.Result{ID: id}, nil
		}
		t.AmountMinor, t.Version, t.By, t.ChangedAt = amount, t.Version+1, caller.Subject, f.now()
		if faults := t.faults(); len(faults) > 0 {
			return pg.Result{}, refused(faults)
		}
		tx.Queue(`UPDATE forecast_target SET amount_minor = $3, version = $4, by_subject = $5, changed_at = $6 WHERE tenant_id = $1 AND id = $2`,
			tx.Tenant(), id, t.AmountMinor, t.Version, t.By, t.ChangedAt)
		return pg.Result{ID: id}, nil
	})
	return t, err
}

// Attainment is how far a target is reached.
type Attainment struct {
	Target
	ClosedMinor                               int64 // won in the period
	WeightedMinor                             int64 // expected of what is open and to close in the period, weighted
	CommitMinor, BestCaseMinor, PipelineMinor int64 // of that, not weighted, by category
}

// Percent gives how much of a target an amount is, in percent with two decimals, halves away from 0.
func (a Attainment) Percent(amount int64) float64 { return ratio(amount, a.AmountMinor) }

// Attain lists targets with what is reached of them, in the order of their ids, after one. An empty period means all.
func (f *Forecasts) Attain(ctx context.Context, period, kind, who string, after uuid.UUID, limit int) (all []Attainment, err error) {
	caller, _ := auth.From(ctx)
	if !caller.Can(auth.SalesReport) {
		if kind == OfTeam || who != "" && who != caller.Subject {
			return nil, problem.New(problem.Forbidden, "forecast_of_others", "Targets of others are seen with the permission %s.", auth.SalesReport)
		}
		kind, who = OfOwner, caller.Subject
	}
	if _, ok := ParsePeriod(period); period != "" && !ok {
		return nil, problem.New(problem.Unprocessable, "forecast_invalid", "There are no such targets: mend the parameter named here.").
			WithField("query.period", "period_malformed", "must be a month such as 2026-11 or a quarter such as 2026-Q4")
	}
	err = f.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		targets, err := listTargets(ctx, tx, period, kind, who, after, limit)
		if err != nil || len(targets) == 0 {
			return err
		}
		all, err = attained(ctx, tx, targets)
		return err
	})
	return all, err
}

func listTargets(ctx context.Context, tx *pg.Tx, period, kind, who string, after uuid.UUID, limit int) ([]Target, error) {
	rows, err := tx.Query(ctx, `SELECT `+targetColumns+` FROM forecast_target t
		WHERE t.tenant_id = $1 AND ($2 = '' OR t.period = $2) AND ($3 = '' OR t.kind = $3) AND ($4 = '' OR t.who = $4) AND t.id > $5 ORDER BY t.id LIMIT $6`,
		tx.Tenant(), period, kind, who, after, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Target])
}

// attained adds up what is reached of the targets, in one statement for all of them.
func attained(ctx context.Context, tx *pg.Tx, targets []Target) ([]Attainment, error) {
	set, args, err := present(ctx, tx)
	if err != nil {
		return nil, err
	}
	var (
		kinds, whos, firsts, lasts, currencies []string
		earliest                               = "9999-12"
	)
	all := make([]Attainment, len(targets))
	for i, t := range targets {
		p, _ := ParsePeriod(t.Period)
		t.ChangedAt = t.ChangedAt.UTC()
		all[i].Target = t
		kinds, whos, firsts, lasts, currencies = append(kinds, t.Kind), append(whos, t.Who), append(firsts, p.First), append(lasts, p.Last), append(currencies, t.Currency)
		earliest = min(earliest, p.First)
	}
	args["since"], args["kinds"], args["whos"], args["firsts"], args["lasts"], args["currencies"] = begins(earliest, set.Zone), kinds, whos, firsts, lasts, currencies
	rows, err := tx.Query(ctx, `SELECT t.n, l.category, sum(l.amount_minor)::bigint, sum(l.weighted_minor)::bigint
		FROM (`+presentLines+`) l
		JOIN unnest(@kinds::text[], @whos::text[], @firsts::text[], @lasts::text[], @currencies::text[]) WITH ORDINALITY AS t(kind, who, first, last, currency, n)
			ON t.who = CASE t.kind WHEN 'team' THEN l.team ELSE l.owner END AND l.currency = t.currency AND l.month BETWEEN t.first AND t.last
		GROUP BY t.n, l.category`, args)
	if err != nil {
		return nil, err
	}
	var (
		n                int
		category         string
		amount, weighted int64
	)
	_, err = pgx.ForEachRow(rows, []any{&n, &category, &amount, &weighted}, func() error {
		a := &all[n-1]
		switch category {
		case Closed:
			a.ClosedMinor += amount
			return nil
		case "commit":
			a.CommitMinor += amount
		case "best_case":
			a.BestCaseMinor += amount
		default:
			a.PipelineMinor += amount
		}
		a.WeightedMinor += weighted
		return nil
	})
	return all, err
}
