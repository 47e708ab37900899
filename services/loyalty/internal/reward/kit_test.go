package reward_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/reward"
)

type body = map[string]any

// view is a reward as the API shows it.
type view struct {
	ID       string `json:"reward_id"`
	Code     string `json:"code"`
	Points   int64  `json:"points"`
	Stock    *int64 `json:"stock"`
	Reserved int64  `json:"reserved"`
	Given    int64  `json:"given"`
	Received *int64 `json:"received"`
	LowStock bool   `json:"low_stock"`
	Archived string `json:"archived_at"`
	Version  int64  `json:"version"`
	Next     *struct {
		Points int64 `json:"points"`
	} `json:"next_cost"`
}

// got is a redemption as the API shows it.
type got struct {
	ID        string    `json:"redemption_id"`
	MemberID  uuid.UUID `json:"member_id"`
	State     string    `json:"state"`
	Points    int64     `json:"points"`
	Quantity  int       `json:"quantity"`
	Reference string    `json:"reference"`
	Reason    string    `json:"reason"`
	Failure   string    `json:"failure"`
	ClosedBy  string    `json:"closed_by"`
	DueAt     string    `json:"due_at"`
}

// kiosk is a running service whose rewards and redemptions are looked at.
type kiosk struct {
	*loyaltytest.World
	t    testing.TB
	stop func() // starting processes
}

// open runs the service, and starts the processes that its events call for.
func open(t testing.TB) *kiosk {
	t.Helper()
	k := &kiosk{World: loyaltytest.Start(t), t: t}
	ctx, stop := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		if err := starts.New(k.DB, k.Flow.Client()).Run(ctx); err != nil {
			t.Errorf("starter: %v", err)
		}
	})
	k.stop = func() { stop(); done.Wait() }
	t.Cleanup(k.stop)
	return k
}

// offered puts a reward into the catalogue; change says what is special about it.
func (k *kiosk) offered(code, kind string, change body) view {
	k.t.Helper()
	b := body{"code": code, "kind": kind, "name": "A " + code, "points": 100, "fulfil_seconds": 3600}
	for name, value := range change {
		b[name] = value
	}
	var v view
	k.Want(http.StatusCreated, http.MethodPost, "/v1/rewards", k.Manager, b, &v)
	return v
}

// vouchers puts a voucher with so many codes into the catalogue.
func (k *kiosk) vouchers(code string, n int) view {
	k.t.Helper()
	v := k.offered(code, "voucher", nil)
	codes := make([]string, n)
	for i := range codes {
		codes[i] = fmt.Sprintf("%s-SECRET-%04d", code, i)
	}
	k.Want(http.StatusCreated, http.MethodPost, k.path(v)+"/vouchers", k.Manager, body{"codes": codes}, &v)
	return v
}

func (k *kiosk) path(v view) string { return "/v1/rewards/" + v.ID }

// look reads a reward.
func (k *kiosk) look(v view) (now view) {
	k.t.Helper()
	k.Want(http.StatusOK, http.MethodGet, k.path(v), k.Manager, nil, &now)
	return now
}

// rich is a member who has points.
func (k *kiosk) rich(points int64) loyaltytest.Member {
	k.t.Helper()
	m := k.Enrol()
	k.Earn(m, points)
	return m
}

// redeem redeems one of a reward, which must be taken.
func (k *kiosk) redeem(m loyaltytest.Member, code string, headers ...string) (g got) {
	k.t.Helper()
	k.Want(http.StatusCreated, http.MethodPost, m.Path+"/redemptions", k.Manager, body{"reward": code}, &g, headers...)
	return g
}

// try redeems and gives what was answered.
func (k *kiosk) try(m loyaltytest.Member, b body) apptest.Answer {
	k.t.Helper()
	return k.Do(http.MethodPost, m.Path+"/redemptions", k.Manager, b)
}

// decide says something of a redemption, which must be taken.
func (k *kiosk) decide(g got, what string, b any) (now got) {
	k.t.Helper()
	k.Want(http.StatusOK, http.MethodPost, "/v1/redemptions/"+g.ID+"/"+what, k.Manager, b, &now)
	return now
}

// see reads a redemption.
func (k *kiosk) see(g got) (now got) {
	k.t.Helper()
	k.Want(http.StatusOK, http.MethodGet, "/v1/redemptions/"+g.ID, k.Manager, nil, &now)
	return now
}

// reach waits until a redemption is in a state.
func (k *kiosk) reach(g got, state string) (now got) {
	k.t.Helper()
	k.Eventually(g.ID+" is "+state, func() bool {
		now = k.see(g)
		return now.State == state
	})
	return now
}

// refusal is the code of the problem that was answered; empty where it was none.
func refusal(a apptest.Answer) string {
	if a.Status < http.StatusBadRequest {
		return ""
	}
	return a.Code()
}

// codes reads the codes of a redemption as the one whose token it is.
func (k *kiosk) codes(g got, token string) apptest.Answer {
	k.t.Helper()
	return k.Do(http.MethodGet, "/v1/redemptions/"+g.ID+"/vouchers", token, nil)
}

// rewards is the capability beside the service's own, by another clock.
func (k *kiosk) rewards(clock func() time.Time) *reward.Rewards {
	o := outbox.New("loyalty")
	return reward.New(k.DB, o, ledger.New(k.DB, o, clock), k.Flow.Client(), starts.New(k.DB, k.Flow.Client()), "loyalty", clock)
}

// music is a manager of another tenant.
func (k *kiosk) music() string { return k.Token(auth.RoleManager, "music") }

// is tells whether a number that may be absent is n.
func is(p *int64, n int64) bool { return p != nil && *p == n }

// holds checks that all rewards add up: what is where, the movements behind it, the open and fulfilled redemptions, and the codes.
func (k *kiosk) holds() {
	k.t.Helper()
	for what, sql := range map[string]string{
		"stock + reserved + given = received": `SELECT count(*) FROM reward WHERE stock + reserved + given <> received`,
		"the movements add up to the counters": `SELECT count(*) FROM reward r CROSS JOIN LATERAL (SELECT
				coalesce(sum(CASE kind WHEN 'received' THEN quantity WHEN 'withdrawn' THEN -quantity END), 0) AS received,
				coalesce(sum(CASE kind WHEN 'reserved' THEN quantity WHEN 'released' THEN -quantity WHEN 'given' THEN -quantity END), 0) AS reserved,
				coalesce(sum(quantity) FILTER (WHERE kind = 'given'), 0) AS given, count(*) AS n
			FROM reward_movement m WHERE m.tenant_id = r.tenant_id AND m.reward_id = r.id) m
			WHERE (r.received IS NOT NULL AND m.received <> r.received) OR m.reserved <> r.reserved OR m.given <> r.given OR m.n <> r.movements`,
		"so do the redemptions": `SELECT count(*) FROM reward r CROSS JOIN LATERAL (SELECT
				coalesce(sum(quantity) FILTER (WHERE closed_at IS NULL), 0) AS reserved, coalesce(sum(quantity) FILTER (WHERE state = 'fulfilled'), 0) AS given
			FROM redemption d WHERE d.tenant_id = r.tenant_id AND d.reward_id = r.id) d WHERE d.reserved <> r.reserved OR d.given <> r.given`,
		"and the codes": `SELECT count(*) FROM reward r CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE redemption_id IS NULL AND withdrawn_at IS NULL) AS free,
				count(*) FILTER (WHERE redemption_id IS NOT NULL) AS taken
			FROM reward_voucher v WHERE v.tenant_id = r.tenant_id AND v.reward_id = r.id) v
			WHERE r.kind = 'voucher' AND (v.free <> r.stock OR v.taken <> r.reserved + r.given)`,
		"points of what is not cancelled are spent, of what is are back": `SELECT count(*) FROM redemption d CROSS JOIN LATERAL (
				SELECT -coalesce(sum(e.available + e.pending + e.debt), 0) AS spent FROM ledger_entry e
				WHERE e.tenant_id = d.tenant_id AND e.reason_id = d.id::text) e
			WHERE e.spent <> CASE d.state WHEN 'cancelled' THEN 0 ELSE d.points END`,
	} {
		if n := k.Count(sql); n != 0 {
			k.t.Errorf("%s: not for %d", what, n)
		}
	}
}

// asApp carries out a statement of the service's own role in the tenant pizza.
func (k *kiosk) asApp(sql string) error {
	return k.DB.Tx(k.t.Context(), "pizza", func(tx *pg.Tx) error {
		_, err := tx.ExecNow(k.t.Context(), sql)
		return err
	})
}
