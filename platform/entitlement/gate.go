package entitlement

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	rolloutv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/rollout/events/v1"
)

const (
	// fresh is for how long what was read of a tenant is gone by.
	fresh = time.Second
	// keptDays is for how many days it is kept who worked: a week is asked for, and a rollout looks back on the one before it went live.
	keptDays = 60
)

// Gate is what a service asks before an operation is carried out, and where it notes who asked.
type Gate struct {
	db    *pg.DB
	clock func() time.Time

	mu      sync.Mutex
	tenants map[string]*known
	noted   map[activity]bool // false: not in the table yet
	day     time.Time         // that noted is of
}

// known is what was read of a tenant. Its own lock makes many requests at once read once.
type known struct {
	mu  sync.Mutex
	at  time.Time
	all []Entitlement
}

// activity is that somebody of a unit worked on the day.
type activity struct{ tenant, unit, subject string }

// New makes the gate of one service.
func New(db *pg.DB, clock func() time.Time) *Gate {
	return &Gate{db: db, clock: clock, tenants: map[string]*known{}, noted: map[activity]bool{}}
}

// Admit refuses whose unit is not live for what the permission is for, as [Check] says, and notes who is admitted. What a rollout
// changes is gone by within about a second of its being heard.
func (g *Gate) Admit(ctx context.Context, p auth.Principal, perm auth.Permission) error {
	if perm.Capability() == "" || p.Tenant == "" || !p.WorksInUnit() {
		return nil
	}
	all, err := g.read(ctx, p.Tenant)
	if err != nil {
		return err
	}
	if err := Check(all, p, perm); err != nil {
		return err
	}
	g.note(p)
	return nil
}

func (g *Gate) read(ctx context.Context, tenant string) ([]Entitlement, error) {
	g.mu.Lock()
	k := g.tenants[tenant]
	if k == nil {
		k = &known{}
		g.tenants[tenant] = k
	}
	g.mu.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := g.clock(); now.Sub(k.at) >= fresh || now.Before(k.at) {
		var all []Entitlement
		err := g.db.Read(ctx, tenant, func(tx *pg.Tx) (err error) {
			all, err = Read(ctx, tx)
			return err
		})
		if err != nil {
			return nil, err
		}
		k.all, k.at = all, now
	}
	return k.all, nil
}

// Read gives what rollouts say of the tenant, as far as the service has heard.
func Read(ctx context.Context, tx *pg.Tx) ([]Entitlement, error) {
	rows, err := tx.Query(ctx, `SELECT capability, units, everyone FROM entitlement WHERE tenant_id = $1`, tx.Tenant())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Entitlement])
}

// Consumer keeps what rollouts tell.
func (g *Gate) Consumer() inbox.Consumer {
	return inbox.Consumer{
		Name:    "entitlements",
		Topics:  []string{bus.TopicFor("rollout")},
		Ordered: true, // the last word of a rollout counts
		Lasting: true,
		Handles: []proto.Message{&rolloutv1.EntitlementsChanged{}},
		Apply:   apply,
	}
}

func apply(ctx context.Context, tx *pg.Tx, events []inbox.Event) error {
	latest := make(map[uuid.UUID][]*rolloutv1.Entitlement)
	for _, e := range events {
		m := e.Message.(*rolloutv1.EntitlementsChanged)
		r := e.Contract()
		id := r.ID("rollout_id", m.GetRolloutId())
		if err := r.Err(); err != nil {
			return err
		}
		latest[id] = m.GetEntitlements()
	}
	ids := slices.Collect(maps.Keys(latest))
	tx.Queue(`DELETE FROM entitlement WHERE tenant_id = $1 AND rollout_id = ANY ($2)`, tx.Tenant(), ids)
	for id, all := range latest {
		for _, e := range all {
			tx.Queue(`INSERT INTO entitlement (tenant_id, rollout_id, capability, units, everyone) VALUES ($1, $2, $3, $4, $5)
				ON CONFLICT (tenant_id, rollout_id, capability) DO NOTHING`, // a capability that is named twice counts once
				tx.Tenant(), id, e.GetCapability(), append([]string{}, e.GetUnits()...), e.GetEveryone())
		}
	}
	return tx.Flush(ctx)
}

// note keeps that somebody of a unit worked today.
func (g *Gate) note(p auth.Principal) {
	if p.Unit == "" {
		return
	}
	today := g.clock().UTC().Truncate(24 * time.Hour)
	a := activity{p.Tenant, p.Unit, p.Subject}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !today.Equal(g.day) {
		g.day, g.noted = today, map[activity]bool{}
	}
	if !g.noted[a] {
		g.noted[a] = false
	}
}

// Flush writes who worked since the last time. A process that is killed before has forgotten them, and notes them when they ask
// again.
func (g *Gate) Flush(ctx context.Context) error {
	g.mu.Lock()
	day, units, subjects := g.day, map[string][]string{}, map[string][]string{}
	for a, written := range g.noted {
		if !written {
			units[a.tenant], subjects[a.tenant] = append(units[a.tenant], a.unit), append(subjects[a.tenant], a.subject)
		}
	}
	g.mu.Unlock()
	for tenant := range units {
		err := g.db.Tx(ctx, tenant, func(tx *pg.Tx) error {
			tx.Queue(`INSERT INTO unit_activity (tenant_id, day, unit, subject) SELECT $1, $2, u, s FROM unnest($3::text[], $4::text[]) AS seen (u, s)
				ON CONFLICT DO NOTHING`, tenant, day, units[tenant], subjects[tenant])
			tx.Queue(`DELETE FROM unit_activity WHERE tenant_id = $1 AND day < $2`, tenant, day.AddDate(0, 0, -keptDays))
			return tx.Flush(ctx)
		})
		if err != nil {
			return err
		}
		g.mu.Lock()
		if day.Equal(g.day) {
			for i, unit := range units[tenant] {
				g.noted[activity{tenant, unit, subjects[tenant][i]}] = true
			}
		}
		g.mu.Unlock()
	}
	return nil
}
