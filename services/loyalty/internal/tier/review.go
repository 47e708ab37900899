package tier

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// pageMembers is how many members are looked at in one transaction.
const pageMembers = 500

// Parts of a sweep, in their order.
const (
	PartTerms = "terms" // everybody, once for each version of a programme that came into force
	PartDue   = "due"   // whoever's review, floor or warning is due
	PartEnded = "ended"
)

// Sweep is how far the way through all members is. The zero Sweep begins.
type Sweep struct {
	Part string `json:"part,omitempty"`
	// Of the part terms: the version in hand, none where Version is 0, and the member before the next page.
	Tenant    string    `json:"tenant,omitempty"`
	Programme string    `json:"programme,omitempty"`
	Version   int       `json:"version,omitempty"`
	After     uuid.UUID `json:"after,omitzero"`
	Spoilt    bool      `json:"spoilt,omitempty"` // it did not work with some member: the version stays open
	// Of the part due: the place in the order of what is due.
	DueAt  time.Time `json:"due_at,omitzero"`
	Owner  string    `json:"owner,omitempty"` // tenant
	Member uuid.UUID `json:"member,omitzero"`

	Members int64 `json:"members"` // that were looked at
	Decided int64 `json:"decided"`
	Warned  int64 `json:"warned"`
	Failed  int64 `json:"failed"` // with whom it did not work; they stay due
}

// Ended tells whether nothing is left.
func (s Sweep) Ended() bool { return s.Part == PartEnded }

// Reviewer reviews the tiers of all members. It may run in any number of processes: whoever has the member's lock sees what
// another decided, and that nothing is due any more.
type Reviewer struct {
	tiers *Tiers
	log   *slog.Logger
	size  int // of a page, in members
}

// Reviewer makes the reviewer.
func (t *Tiers) Reviewer(log *slog.Logger) *Reviewer {
	return &Reviewer{tiers: t, log: log, size: pageMembers}
}

// Step does one page, and gives where the sweep stands then. Only names the tenant that is meant; empty: all.
func (r *Reviewer) Step(ctx context.Context, s Sweep, only string) (Sweep, error) {
	switch {
	case s.Part == "":
		s.Part = PartTerms
		return s, nil
	case s.Part == PartTerms && s.Version == 0:
		return r.nextVersion(ctx, s, only)
	case s.Part == PartTerms:
		return r.judge(ctx, s)
	case s.Part == PartDue:
		return r.due(ctx, s, only)
	}
	return s, nil
}

// nextVersion takes the next version in hand that came into force and by which not everybody was judged.
func (r *Reviewer) nextVersion(ctx context.Context, s Sweep, only string) (Sweep, error) {
	var rows []struct {
		Tenant, Programme string
		Version           int
	}
	err := r.tiers.ops.System(ctx, func(tx *pg.Tx) error {
		found, err := tx.Query(ctx, `SELECT v.tenant_id, v.programme, v.no FROM (
				SELECT DISTINCT ON (tenant_id, programme) tenant_id, programme, no FROM programme_version
				WHERE withdrawn_at IS NULL AND effective_from <= $1 AND (tenant_id, programme) > ($2, $3) AND ($4 = '' OR tenant_id = $4)
				ORDER BY tenant_id, programme, effective_from DESC, no DESC
			) v WHERE NOT EXISTS (SELECT FROM tier_version d WHERE d.tenant_id = v.tenant_id AND d.programme = v.programme AND d.version = v.no)
			ORDER BY v.tenant_id, v.programme LIMIT 1`, r.tiers.now(), s.Tenant, s.Programme, only)
		if err == nil {
			rows, err = pgx.CollectRows(found, pgx.RowToStructByPos[struct {
				Tenant, Programme string
				Version           int
			}])
		}
		return err
	})
	if err != nil {
		return s, err
	}
	if len(rows) == 0 {
		s.Part, s.Tenant, s.Programme = PartDue, "", ""
		return s, nil
	}
	s.Tenant, s.Programme, s.Version, s.After, s.Spoilt = rows[0].Tenant, rows[0].Programme, rows[0].Version, uuid.Nil, false
	return s, nil
}

// judge judges a page of a programme's members by the version in hand. Who has no standing has nothing to be judged.
func (r *Reviewer) judge(ctx context.Context, s Sweep) (Sweep, error) {
	all, err := r.tiers.ops.Across(ctx, `SELECT tenant_id, member_id FROM tier_standing
		WHERE tenant_id = $1 AND programme = $2 AND version <> $3 AND member_id > $4 ORDER BY member_id LIMIT $5`,
		s.Tenant, s.Programme, s.Version, s.After, r.size)
	if err != nil {
		return s, err
	}
	if len(all) == 0 {
		if !s.Spoilt {
			err = r.tiers.db.Tx(ctx, s.Tenant, func(tx *pg.Tx) error {
				tx.Queue(`INSERT INTO tier_version (tenant_id, programme, version, done_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
					s.Tenant, s.Programme, s.Version, r.tiers.now())
				return nil
			})
		}
		if err == nil {
			s.Version = 0
		}
		return s, err
	}
	failed := s.Failed
	s, err = r.page(ctx, s, s.Tenant, ids(all), func(c *file) bool { return c.Version != c.version })
	if err == nil {
		s.After, s.Spoilt = all[len(all)-1].ID, s.Spoilt || s.Failed > failed
	}
	return s, err
}

func ids(all []pg.Of) []uuid.UUID {
	ids := make([]uuid.UUID, len(all))
	for i, one := range all {
		ids[i] = one.ID
	}
	return ids
}

// due looks at a page of those whose time has come, in the order of their times, tenants and ids.
func (r *Reviewer) due(ctx context.Context, s Sweep, only string) (Sweep, error) {
	type row struct {
		Of pg.Of
		At time.Time
	}
	var all []row
	now := r.tiers.now()
	err := r.tiers.ops.System(ctx, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT tenant_id, member_id, due_at FROM tier_standing
			WHERE due_at <= $1 AND (due_at, tenant_id, member_id) > ($2, $3, $4) AND ($5 = '' OR tenant_id = $5)
			ORDER BY due_at, tenant_id, member_id LIMIT $6`, now, s.DueAt, s.Owner, s.Member, only, r.size)
		if err != nil {
			return err
		}
		var one row
		_, err = pgx.ForEachRow(rows, []any{&one.Of.Tenant, &one.Of.ID, &one.At}, func() error { all = append(all, one); return nil })
		return err
	})
	if err != nil {
		return s, err
	}
	if len(all) == 0 {
		s.Part = PartEnded
		return s, nil
	}
	for begin := 0; begin < len(all); { // a page of each tenant
		end := begin
		var members []uuid.UUID
		for ; end < len(all) && all[end].Of.Tenant == all[begin].Of.Tenant; end++ {
			members = append(members, all[end].Of.ID)
		}
		s, err = r.page(ctx, s, all[begin].Of.Tenant, members, func(c *file) bool { return !c.DueAt.IsZero() && !c.DueAt.After(c.now) })
		if err != nil {
			return s, err
		}
		last := all[end-1]
		s.DueAt, s.Owner, s.Member = last.At.UTC(), last.Of.Tenant, last.Of.ID
		begin = end
	}
	return s, nil
}

// page looks at members in one transaction; where that does not work with one of them, at each in one of its own.
func (r *Reviewer) page(ctx context.Context, s Sweep, tenant string, members []uuid.UUID, wanted func(*file) bool) (Sweep, error) {
	done, err := r.tiers.lookAt(ctx, tenant, members, wanted)
	switch {
	case err == nil:
		return s.with(done), nil
	case ctx.Err() != nil || pg.Transient(err):
		return s, err
	case len(members) == 1:
		r.log.ErrorContext(ctx, "a tier cannot be reviewed", "tenant", tenant, "member", members[0], "error", err)
		s.Failed++
		return s, nil
	}
	for _, one := range members {
		if s, err = r.page(ctx, s, tenant, []uuid.UUID{one}, wanted); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s Sweep) with(done Sweep) Sweep {
	s.Members += done.Members
	s.Decided += done.Decided
	s.Warned += done.Warned
	return s
}

// lookAt locks the members and looks at those that are still wanted then.
func (t *Tiers) lookAt(ctx context.Context, tenant string, ids []uuid.UUID, wanted func(*file) bool) (done Sweep, err error) {
	_, err = t.db.Command(ctx, tenant, func(tx *pg.Tx) (pg.Result, error) {
		done = Sweep{}
		member.LockAll(tx, ids)
		book := programme.BookOf(tx)
		members, err := member.FindAll(ctx, tx, ids)
		if err != nil {
			return pg.Result{}, err
		}
		f := files{now: t.now(), by: subject(ctx)}
		for _, m := range members {
			if p, ok := book.At(m.Programme, f.now); ok {
				f.put(p, m)
			}
		}
		if err := f.load(ctx, tx); err != nil {
			return pg.Result{}, err
		}
		for _, c := range f.inOrder {
			if !wanted(c) {
				continue
			}
			c.look()
			done.Members++
			done.Decided += int64(len(c.decided))
			if c.warning != nil {
				done.Warned++
			}
		}
		return pg.Result{}, t.outbox.Append(ctx, tx, f.save(tx)...)
	})
	return done, err
}
