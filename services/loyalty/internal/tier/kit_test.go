package tier_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/tier"
)

type body = map[string]any

// years are a world whose tiers have a clock that the test sets, by walls in Shanghai.
type years struct {
	*loyaltytest.World
	t     testing.TB
	now   atomic.Pointer[time.Time]
	tiers *tier.Tiers
}

func shanghai(t testing.TB) *time.Location {
	t.Helper()
	z, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func newYears(t testing.TB, at string, tiers programme.Tiers) *years {
	t.Helper()
	y := &years{World: loyaltytest.Start(t), t: t}
	y.is(at)
	y.tiers = tier.New(y.DB, y.Database.DB(pg.Ops), outbox.New("loyalty"), func() time.Time { return *y.now.Load() })
	y.terms("pizza", 1, "2020-01-01 00:00", tiers)
	return y
}

func (y *years) at(wall string) time.Time {
	y.t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", wall, shanghai(y.t))
	if err != nil {
		y.t.Fatal(err)
	}
	return at.UTC()
}

func (y *years) is(wall string) {
	y.t.Helper()
	at := y.at(wall)
	y.now.Store(&at)
}

// terms writes a version of the standard programme of a tenant.
func (y *years) terms(tenant string, no int, from string, tiers programme.Tiers) {
	y.t.Helper()
	terms := programme.Standard().Terms
	terms.Tiers = tiers
	written, err := json.Marshal(terms)
	if err != nil {
		y.t.Fatal(err)
	}
	y.Admin(`INSERT INTO programme (tenant_id, code, name, zone, by_subject, created_at)
		VALUES ($1, 'standard', 'Standard', 'Asia/Shanghai', 'test', now()) ON CONFLICT DO NOTHING`, tenant)
	y.Admin(`INSERT INTO programme_version (tenant_id, id, programme, no, effective_from, terms, by_subject, created_at)
		VALUES ($1, gen_random_uuid(), 'standard', $2, $3, $4, 'test', clock_timestamp())`, tenant, no, y.at(from), written)
}

// metals are bronze, silver from 500 points on and gold from 1000 on, by calendar years.
func metals() programme.Tiers {
	return programme.Tiers{WarnDays: 30, Levels: []programme.Level{
		{Code: "bronze", Name: "Bronze", NameZH: "铜卡", Benefits: []programme.TierBenefit{{Code: "birthday_cake", Text: "A cake", ZH: "生日蛋糕"}}},
		{Code: "silver", Name: "Silver", NameZH: "银卡", Threshold: 500},
		{Code: "gold", Name: "Gold", NameZH: "金卡", Threshold: 1000, Benefits: []programme.TierBenefit{{Code: "free_delivery", Text: "Free delivery", ZH: "免运费"}}},
	}}
}

func as(ctx context.Context, tenant string) context.Context {
	return auth.With(ctx, auth.Principal{Subject: "ann", Tenant: tenant})
}

// crowd makes members of a tenant who were enrolled at a time.
func (y *years) crowd(tenant string, n int, at time.Time) []uuid.UUID {
	y.t.Helper()
	ids, customers := make([]uuid.UUID, n), make([]uuid.UUID, n)
	for i := range ids {
		ids[i], customers[i] = uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	}
	y.Admin(`INSERT INTO member (tenant_id, id, customer_id, card_number, source, enrolled_at)
		SELECT $1, n.id, n.customer, n.id::text, 'api', $4 FROM unnest($2::uuid[], $3::uuid[]) AS n(id, customer)`, tenant, ids, customers, at)
	return ids
}

// qualify counts points of members of a tenant in one transaction.
func (y *years) qualify(tenant string, q ...tier.Qualifying) error {
	ctx := as(context.WithoutCancel(y.t.Context()), tenant)
	_, err := y.DB.Command(ctx, tenant, func(tx *pg.Tx) (pg.Result, error) {
		ids := make([]uuid.UUID, len(q))
		for i := range q {
			ids[i] = q[i].Member.ID
		}
		book := programme.BookOf(tx)
		member.LockAll(tx, ids)
		found, err := member.FindAll(ctx, tx, ids)
		if err != nil {
			return pg.Result{}, err
		}
		members := make(map[uuid.UUID]member.Member, len(found))
		for _, m := range found {
			members[m.ID] = m
		}
		for i := range q {
			q[i].Member = members[q[i].Member.ID]
		}
		events, err := y.tiers.Qualify(ctx, tx, book, members, q)
		if err != nil {
			return pg.Result{}, err
		}
		return pg.Result{}, outbox.New("loyalty").Append(ctx, tx, events...)
	})
	return err
}

// buys counts points of a member of the tenant pizza now, or at another time.
func (y *years) buys(id uuid.UUID, points int64, key, wall string) {
	y.t.Helper()
	at := *y.now.Load()
	if wall != "" {
		at = y.at(wall)
	}
	if err := y.qualify("pizza", tier.Qualifying{Member: member.Member{ID: id}, Points: points, Key: key, At: at}); err != nil {
		y.t.Fatal(err)
	}
}

func (y *years) reviewer() *tier.Reviewer { return y.tiers.Reviewer(slog.New(slog.DiscardHandler)) }

// review goes the whole way once.
func (y *years) review(r *tier.Reviewer) tier.Sweep {
	y.t.Helper()
	var s tier.Sweep
	for !s.Ended() {
		var err error
		if s, err = r.Step(as(context.WithoutCancel(y.t.Context()), ""), s, ""); err != nil {
			y.t.Fatal(err)
		}
	}
	return s
}

// tier gives where a member of the tenant stands by the table.
func (y *years) tier(id uuid.UUID) (level string) {
	y.t.Helper()
	err := y.DB.Read(y.t.Context(), "pizza", func(tx *pg.Tx) error {
		return tx.QueryRow(y.t.Context(), `SELECT coalesce((SELECT level FROM tier_standing WHERE tenant_id = 'pizza' AND member_id = $1), '')`, id).Scan(&level)
	})
	if err != nil {
		y.t.Fatal(err)
	}
	return level
}

func (y *years) floor(id uuid.UUID, level, reason string, until time.Time) error {
	ctx := as(y.t.Context(), "pizza")
	_, err := y.DB.Command(ctx, "pizza", func(tx *pg.Tx) (pg.Result, error) {
		book := programme.BookOf(tx)
		m, err := member.Lock(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		events, err := y.tiers.Floor(ctx, tx, book, m, level, reason, until)
		if err != nil {
			return pg.Result{}, err
		}
		return pg.Result{}, outbox.New("loyalty").Append(ctx, tx, events...)
	})
	return err
}
