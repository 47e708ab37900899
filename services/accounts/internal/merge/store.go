package merge

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
)

var (
	errNotFound = problem.New(problem.NotFound, "merge_not_found", "There is no such merge.")
)

const stageField = "stage"

// stage is the text form of a customer's stage.
type stage struct {
	Stage       customer.Stage `json:"stage"`
	Since       *time.Time     `json:"since,omitempty"`
	ManualUntil *time.Time     `json:"manual_until,omitempty"`
}

// recordOf gives a customer's own row as a merge sees it.
func recordOf(c customer.Customer) (Record, error) {
	r := Record{
		ID: c.ID, Version: c.Version, Kind: string(c.Kind), State: string(c.State), Root: c.RootID, Aliases: c.Aliases, Source: c.Source,
		RegisteredAt: c.RegisteredAt, ChangedAt: c.ChangedAt, Fields: Fields{}, Tags: c.Tags,
	}
	for name, value := range map[string]string{
		"display_name": c.Display, "given_name": c.Given, "family_name": c.Family, "legal_name": c.Legal, "owner": c.Owner,
	} {
		if value != "" {
			r.Fields[name] = value
		}
	}
	for name, value := range c.Custom {
		text, err := jsonText(value)
		if err != nil {
			return Record{}, err
		}
		r.Fields[CustomPrefix+name] = text
	}
	if c.StageSince.IsZero() { // a stage that never changed is no value
		return r, nil
	}
	text, err := jsonText(stage{c.Stage, pg.OrNull(c.StageSince), pg.OrNull(c.StageManualUntil)})
	r.Fields[stageField] = text
	return r, err
}

// with gives a customer whose own row has the fields and tags.
func (s State) with(c customer.Customer) (customer.Customer, error) {
	c.Names = customer.Names{
		Display: s.Fields["display_name"], Given: s.Fields["given_name"], Family: s.Fields["family_name"], Legal: s.Fields["legal_name"],
	}
	c.Owner, c.Tags = s.Fields["owner"], s.Tags
	c.Custom = make(map[string]any)
	for name, text := range s.Fields {
		if field, custom := strings.CutPrefix(name, CustomPrefix); custom {
			var value any
			if err := json.Unmarshal([]byte(text), &value); err != nil {
				return c, err
			}
			c.Custom[field] = value
		}
	}
	at := stage{Stage: customer.Awareness}
	if text := s.Fields[stageField]; text != "" {
		if err := json.Unmarshal([]byte(text), &at); err != nil {
			return c, err
		}
	}
	c.Stage, c.StageSince, c.StageManualUntil = at.Stage, orZero(at.Since), orZero(at.ManualUntil)
	return c, nil
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// jsonText is the one text of a value in JSON: what a merge kept of a field is compared with what is there now.
func jsonText(value any) (string, error) {
	var text strings.Builder
	to := json.NewEncoder(&text)
	to.SetEscapeHTML(false)
	err := to.Encode(value)
	return strings.TrimSuffix(text.String(), "\n"), err
}

// read gives a state that was kept, its values in their one text form: an older program wrote them as the database has them.
func (s *State) read(text string) error {
	if err := json.Unmarshal([]byte(text), s); err != nil {
		return err
	}
	for name, was := range s.Fields {
		var value any
		switch {
		case name == stageField:
			value = &stage{}
		case strings.HasPrefix(name, CustomPrefix):
			value = new(any)
		default:
			continue
		}
		if err := json.Unmarshal([]byte(was), value); err != nil {
			return err
		}
		if at, ok := value.(*stage); ok {
			at.Since, at.ManualUntil = pg.OrNull(orZero(at.Since)), pg.OrNull(orZero(at.ManualUntil))
		}
		now, err := jsonText(value)
		if err != nil {
			return err
		}
		s.Fields[name] = now
	}
	return nil
}

// maxHolds bounds how often locked begins anew.
const maxHolds = 5

var errBusy = problem.New(problem.Unavailable, "customer_busy", "The customer is being merged at this moment. Try again.")

// locked keeps everybody else from changing or holding the customers, with all ids that mean the same, until the transaction
// ends, and says whom each of the ids means then.
func locked(ctx context.Context, tx *pg.Tx, refs ...customer.Ref) (map[uuid.UUID]customer.Ref, error) {
	var ids []uuid.UUID
	for _, r := range refs {
		ids = append(append(ids, r.ID), r.Group()...)
	}
	for range maxHolds {
		slices.SortFunc(ids, compareIDs)
		ids = slices.Compact(ids)
		now, err := customer.Lock(ctx, tx, ids...)
		if err != nil {
			return nil, err
		}
		more := false // who came to mean one of them while this waited
		for _, r := range now {
			for _, id := range r.Group() {
				if !slices.Contains(ids, id) {
					ids, more = append(ids, id), true
				}
			}
		}
		if !more {
			return now, nil
		}
	}
	return nil, errBusy
}

const columns = `m.id, m.survivor_id, m.absorbed_id, m.reason, m.merged_at, m.merged_by, m.undone_at, coalesce(m.undone_by, '')`

// row is a merge with what it did to the survivor's record.
type row struct {
	Merge
	Layer
}

func insert(tx *pg.Tx, m Merge, l Layer) error {
	before, after, err := l.text()
	if err != nil {
		return err
	}
	tx.Queue(`INSERT INTO customer_merge (tenant_id, id, survivor_id, absorbed_id, reason, before, after, merged_at, merged_by)
		VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7::jsonb, $8, $9)`,
		tx.Tenant(), m.ID, m.SurvivorID, m.AbsorbedID, m.Reason, before, after, m.MergedAt, m.MergedBy)
	return nil
}

func (l Layer) text() (before, after string, err error) {
	b, err := json.Marshal(l.Before)
	if err != nil {
		return "", "", err
	}
	a, err := json.Marshal(l.After)
	return string(b), string(a), err
}

// rebase queues what a merge did as if an earlier one had never been.
func rebase(tx *pg.Tx, layers []Layer) error {
	for _, l := range layers {
		before, after, err := l.text()
		if err != nil {
			return err
		}
		tx.Queue(`UPDATE customer_merge SET before = $3::jsonb, after = $4::jsonb WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), l.ID, before, after)
	}
	return nil
}

// markUndone queues the end of a merge. What it did is not needed any more, and personal.
func markUndone(tx *pg.Tx, m Merge) {
	tx.Queue(`UPDATE customer_merge SET undone_at = $3, undone_by = $4, before = '{}', after = '{}' WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), m.ID, m.UndoneAt, m.UndoneBy)
}

// get gives a merge, or errNotFound.
func get(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Merge, error) {
	m, err := scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM customer_merge m WHERE m.tenant_id = $1 AND m.id = $2`, tx.Tenant(), id))
	if errors.Is(err, pgx.ErrNoRows) {
		return Merge{}, errNotFound
	}
	return m, err
}

// standing gives the survivor's merges that stand, in order, with what each did but for the tags of those who were absorbed.
func standing(ctx context.Context, tx *pg.Tx, survivor uuid.UUID) ([]row, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+`, m.before::text, m.after::text FROM customer_merge m
		WHERE m.tenant_id = $1 AND m.survivor_id = $2 AND m.undone_at IS NULL ORDER BY m.merged_at, m.id`, tx.Tenant(), survivor)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (one row, err error) {
		var before, after string
		var undone *time.Time
		m := &one.Merge
		err = r.Scan(&m.ID, &m.SurvivorID, &m.AbsorbedID, &m.Reason, &m.MergedAt, &m.MergedBy, &undone, &m.UndoneBy, &before, &after)
		if err != nil {
			return row{}, err
		}
		one.Layer.ID = m.ID
		return one, errors.Join(one.Before.read(before), one.After.read(after))
	})
}

// undoneBetween tells whether any of the one customers was merged with any of the others, and that was undone.
func undoneBetween(ctx context.Context, tx *pg.Tx, one, other []uuid.UUID) (undone bool, err error) {
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM customer_merge WHERE tenant_id = $1 AND undone_at IS NOT NULL
		AND (survivor_id = ANY($2::uuid[]) AND absorbed_id = ANY($3::uuid[]) OR survivor_id = ANY($3::uuid[]) AND absorbed_id = ANY($2::uuid[])))`,
		tx.Tenant(), one, other).Scan(&undone)
	return undone, err
}

// list gives up to limit merges of any of the customers that come before the one of the given id, the latest first.
func list(ctx context.Context, tx *pg.Tx, group []uuid.UUID, before uuid.UUID, limit int) ([]Merge, error) {
	if before == uuid.Nil {
		before = uuid.Max
	}
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM customer_merge m WHERE m.tenant_id = $1
		AND (m.survivor_id = ANY($2::uuid[]) OR m.absorbed_id = ANY($2::uuid[])) AND m.id < $3 ORDER BY m.id DESC LIMIT $4`,
		tx.Tenant(), group, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (Merge, error) { return scan(r) })
}

func scan(r pgx.Row) (m Merge, err error) {
	var undone *time.Time
	err = r.Scan(&m.ID, &m.SurvivorID, &m.AbsorbedID, &m.Reason, &m.MergedAt, &m.MergedBy, &undone, &m.UndoneBy)
	if undone != nil {
		m.UndoneAt = undone.UTC()
	}
	m.MergedAt = m.MergedAt.UTC()
	return m, err
}

// Erase empties what merges kept of the customers' records and tells how many merges that were. It may be repeated.
func Erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) (map[string]int64, error) {
	tag, err := tx.ExecNow(ctx, `UPDATE customer_merge SET before = '{}', after = '{}' WHERE tenant_id = $1
		AND (survivor_id = ANY($2::uuid[]) OR absorbed_id = ANY($2::uuid[])) AND (before <> '{}' OR after <> '{}')`, tx.Tenant(), customers)
	return map[string]int64{"merge": tag.RowsAffected()}, err
}

// deleteFrom gives ids without those that go.
func deleteFrom(ids []uuid.UUID, gone ...uuid.UUID) []uuid.UUID {
	return slices.DeleteFunc(slices.Clone(ids), func(id uuid.UUID) bool { return slices.Contains(gone, id) })
}
