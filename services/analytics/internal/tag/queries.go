package tag

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

func unknown() error {
	return problem.New(problem.NotFound, "tag_unknown", "There is no tag of this code.")
}

// Shown is a tag in its place, with how many have it.
type Shown struct {
	Tag
	Path       []string         // codes of the groups above, from the top on
	Holders    map[string]int64 // by value, as the last run found it
	Of         int64            // customers there were
	ReckonedAt time.Time        // zero: no run was done since there are tags
}

// shownByID gives what a command did, or says why it could not be done.
func (t *Tags) shownByID(ctx context.Context, result pg.Result, failed error) (s Shown, err error) {
	if failed != nil {
		return Shown{}, failed
	}
	if result.Replayed {
		httpx.MarkReplayed(ctx)
	}
	err = t.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		all, err := load(ctx, tx)
		if err != nil {
			return err
		}
		for _, one := range all {
			if one.ID == result.ID {
				shown, err := show(ctx, tx, all, one)
				if err == nil {
					s = shown[0]
				}
				return err
			}
		}
		return unknown()
	})
	return s, err
}

// show puts tags in their places, and adds how many have them.
func show(ctx context.Context, tx *pg.Tx, all tree, tags ...Tag) ([]Shown, error) {
	rows, err := tx.Query(ctx, `SELECT value, customers, of, reckoned_at FROM tag_coverage WHERE tenant_id = $1`, tx.Tenant())
	if err != nil {
		return nil, err
	}
	holders := map[string]int64{}
	var (
		value         string
		customers, of int64
		at            time.Time
	)
	if _, err := pgx.ForEachRow(rows, []any{&value, &customers, &of, &at}, func() error { holders[value] = customers; return nil }); err != nil {
		return nil, err
	}
	shown := make([]Shown, len(tags))
	for i, one := range tags {
		shown[i] = Shown{Tag: one, Path: all.path(one), Of: of, ReckonedAt: at.UTC(), Holders: holders}
		if at.Before(one.UpdatedAt) && one.Version == 1 {
			shown[i].ReckonedAt = time.Time{}
		}
	}
	return shown, nil
}

// Get gives a tag; version 0 is the present one. NotFound tag_unknown.
func (t *Tags) Get(ctx context.Context, code string, version int64) (s Shown, err error) {
	err = t.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		all, err := load(ctx, tx)
		if err != nil {
			return err
		}
		one, ok := all[code]
		if !ok {
			return unknown()
		}
		if version != 0 {
			rows, err := tx.Query(ctx, `SELECT `+versionColumns+` FROM tag_version v CROSS JOIN LATERAL jsonb_populate_record(NULL::tag, v.of) t
				WHERE v.tenant_id = $1 AND v.code = $2 AND v.version = $3`, tx.Tenant(), code, version)
			if err != nil {
				return err
			}
			if one, err = pgx.CollectExactlyOneRow(rows, scan); errors.Is(err, pgx.ErrNoRows) {
				return problem.New(problem.NotFound, "tag_unknown", "There is no such version of this tag.")
			} else if err != nil {
				return err
			}
		}
		shown, err := show(ctx, tx, all, one)
		if err == nil {
			s = shown[0]
		}
		return err
	})
	return s, err
}

const versionColumns = `t.id, t.code, t.kind, t.parent, t.name, t.description, t.owner, t.field, t.bands, t.filter, t.valid_days, t.archived, t.version, t.created_at, t.updated_at, t.updated_by`

// List gives tags by code; those that are archived only where they are asked for.
func (t *Tags) List(ctx context.Context, archived bool, after string, limit int) (found []Shown, err error) {
	err = t.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		all, err := load(ctx, tx)
		if err != nil {
			return err
		}
		tags := make([]Tag, 0, len(all))
		for _, one := range all {
			if one.Code > after && (archived || !one.Archived) {
				tags = append(tags, one)
			}
		}
		sortByCode(tags)
		found, err = show(ctx, tx, all, tags[:min(limit, len(tags))]...)
		return err
	})
	return found, err
}

// Holding is that a customer has a value of a tag.
type Holding struct {
	CustomerID uuid.UUID
	Value      string
	Since      time.Time
	Until      *time.Time // the last day; nil while the definition holds
}

// Customers gives who has a tag, or one band of it, in the order of their ids.
func (t *Tags) Customers(ctx context.Context, code, band string, after uuid.UUID, limit int) (found []Holding, err error) {
	err = t.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		all, err := load(ctx, tx)
		if err != nil {
			return err
		}
		one, ok := all[code]
		if !ok {
			return unknown()
		}
		var values []string
		for _, v := range one.Values() {
			if band == "" || v.Band == band {
				values = append(values, v.Code)
			}
		}
		if band != "" && len(values) == 0 {
			return problem.New(problem.Unprocessable, "tag_band_unknown", "The tag has no such band.").WithField("query.band", "unknown", "is none of the tag's bands")
		}
		rows, err := tx.Query(ctx, `SELECT h.customer_id, h.value, h.since, h.until FROM unnest($2::text[]) AS v(value) CROSS JOIN LATERAL (
				SELECT customer_id, value, since, until FROM tag_holder
				WHERE tenant_id = $1 AND value = v.value AND customer_id > $3 ORDER BY customer_id LIMIT $4) h
			ORDER BY h.customer_id LIMIT $4`, tx.Tenant(), values, after, limit)
		if err == nil {
			found, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Holding])
		}
		return err
	})
	return found, err
}

// Branch is what a customer has right below a group.
type Branch struct {
	Path []string // codes of the groups, from the top on; empty at the top
	Name string   // of the group
	Tags []Held
}

// Held is a tag that a customer has.
type Held struct {
	Tag   Tag
	Value Value
	Holding
}

// Of gives the tags of the customer whom the id means, by the tree: Gone customer_erased, NotFound customer_not_found.
func (t *Tags) Of(ctx context.Context, id uuid.UUID) (customer uuid.UUID, branches []Branch, err error) {
	err = t.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		root := alias.Root(tx, id)
		all, err := load(ctx, tx)
		if err != nil {
			return err
		}
		customer = *root
		if err := there(ctx, tx, customer); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT customer_id, value, since, until FROM tag_holder WHERE tenant_id = $1 AND customer_id = $2`, tx.Tenant(), customer)
		if err != nil {
			return err
		}
		holdings, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Holding])
		branches = all.branches(holdings)
		return err
	})
	return customer, branches, err
}

// branches puts what a customer has in the order of the tree.
func (t tree) branches(holdings []Holding) (all []Branch) {
	has := make(map[string]Holding, len(holdings))
	for _, h := range holdings {
		has[h.Value] = h
	}
	at := map[string]int{}
	for _, one := range t.ordered(func(one Tag) bool { return one.Kind != Group }) {
		for _, v := range one.Values() {
			h, ok := has[v.Code]
			if !ok {
				continue
			}
			i, ok := at[one.Parent]
			if !ok {
				i = len(all)
				at[one.Parent], all = i, append(all, Branch{Path: t.path(one), Name: t[one.Parent].Name})
			}
			all[i].Tags = append(all[i].Tags, Held{one, v, h})
		}
	}
	return all
}

// there refuses customers who have no portrait.
func there(ctx context.Context, tx *pg.Tx, id uuid.UUID) error {
	var portrayed bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM portrait WHERE tenant_id = $1 AND customer_id = $2)`, tx.Tenant(), id).Scan(&portrayed)
	if err != nil || portrayed {
		return err
	}
	return fact.Missing(ctx, tx, id)
}

// Run gives how far a run is; NotFound run_not_found.
func (t *Tags) Run(ctx context.Context, id uuid.UUID) (p Progress, err error) {
	err = t.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		of, err := run.Find(ctx, tx, Kind, id)
		if err == nil {
			p, err = progressOf(ctx, tx, of)
		}
		return err
	})
	return p, err
}
