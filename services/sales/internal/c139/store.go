package c139

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/sales/internal/opportunity"
)

// Causes of versions.
const (
	byPeople    = "people"
	byStructure = "structure"
)

// theEnd comes after every version.
var theEnd = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

const (
	versionSQL = `SELECT version, edition, at, by_subject FROM c139_version
		WHERE tenant_id = $1 AND opportunity_id = $2 AND at <= $3 ORDER BY version DESC LIMIT 1`

	itemColumns = `i.item, i.holds, coalesce(customer_root($1, i.coach_id), '00000000-0000-0000-0000-000000000000'), i.known_on, i.since, i.version,
		v.at, v.by_subject, coalesce(w.known, ''), coalesce(w.evidence, ''), i.worded AND w.item IS NULL`

	itemJoins = ` JOIN c139_version v ON v.tenant_id = i.tenant_id AND v.opportunity_id = i.opportunity_id AND v.version = i.version
		LEFT JOIN c139_words w ON w.tenant_id = i.tenant_id AND w.opportunity_id = i.opportunity_id AND w.item = i.item AND w.version = i.version`

	itemsSQL = `SELECT DISTINCT ON (i.item) ` + itemColumns + ` FROM c139_item i` + itemJoins + `
		WHERE i.tenant_id = $1 AND i.opportunity_id = $2 AND v.at <= $3 ORDER BY i.item, i.version DESC`
)

// look gives the card of an opportunity as it was at a time, with the structure as it is; the opportunity is read by get, which may
// lock it. One round trip beside that.
func look(ctx context.Context, tx *pg.Tx, id uuid.UUID, at time.Time, get func(context.Context, *pg.Tx, uuid.UUID) (opportunity.Opportunity, error)) (View, error) {
	of, err := get(ctx, tx, id)
	if err != nil {
		return View{}, err
	}
	v := View{Of: of, Card: Card{Opportunity: id, Entries: map[string]Entry{}}, Structure: structureOf(of.Contacts)}
	v.Card.Computed = v.Structure.Compute()
	tx.Queue(versionSQL, tx.Tenant(), id, at).QueryRow(func(row pgx.Row) error {
		err := row.Scan(&v.Card.Version, &v.Card.Edition, &v.Card.At, &v.Card.By)
		v.Card.At = v.Card.At.UTC()
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	tx.Queue(itemsSQL, tx.Tenant(), id, at).Query(func(rows pgx.Rows) error {
		entries, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Entry, error) { return scanEntry(row) })
		for _, e := range entries {
			v.Card.Entries[e.Code] = e
		}
		return err
	})
	return v, tx.Flush(ctx)
}

// structureOf gives who decides. Contacts who were merged are one, as the one that was changed last.
func structureOf(contacts []opportunity.Contact) Structure {
	contacts = slices.Clone(contacts)
	slices.SortStableFunc(contacts, func(a, b opportunity.Contact) int { return b.ChangedAt.Compare(a.ChangedAt) })
	var s Structure
	for _, c := range contacts {
		if !slices.ContainsFunc(s, func(p Person) bool { return p.ID == c.Root }) {
			s = append(s, Person{ID: c.Root, Role: c.Role, Influence: c.Influence, Leaning: c.Leaning})
		}
	}
	return s
}

func scanEntry(row pgx.Row, more ...any) (e Entry, err error) {
	err = row.Scan(append([]any{&e.Code, &e.Holds, &e.Coach, &e.On, &e.Since, &e.Version, &e.At, &e.By, &e.Known, &e.Evidence, &e.Erased}, more...)...)
	e.On, e.Since, e.At = e.On.UTC(), e.Since.UTC(), e.At.UTC()
	return e, err
}

// computedThen reads what the structure said when the card was written.
func computedThen(ctx context.Context, tx *pg.Tx, c *Card) error {
	c.Computed = Computed{}
	if c.Version == 0 {
		return nil
	}
	return tx.QueryRow(ctx, `SELECT fit_highest, key_people_help, majority_chose, top_decides FROM c139_version
		WHERE tenant_id = $1 AND opportunity_id = $2 AND version = $3`, tx.Tenant(), c.Opportunity, c.Version).
		Scan(&c.Computed.FitHighest, &c.Computed.KeyPeopleHelp, &c.Computed.MajorityChose, &c.Computed.TopDecides)
}

// confirmers has the coaches of a change named as the customers who they are now.
func confirmers(ctx context.Context, tx *pg.Tx, change Change) error {
	for i := range change {
		if change[i].Coach == uuid.Nil {
			continue
		}
		if err := tx.QueryRow(ctx, `SELECT customer_root($1, $2)`, tx.Tenant(), change[i].Coach).Scan(&change[i].Coach); err != nil {
			return err
		}
	}
	return nil
}

// save queues a version of a card and what it changed.
func save(tx *pg.Tx, c Card, cause string, changed []Entry) {
	n, by := c.Counts(), c.By
	if cause == byStructure {
		by = ""
	}
	tx.Queue(`INSERT INTO c139_version (tenant_id, opportunity_id, version, edition, cause, at, by_subject, things, coached, fronts, wins,
			fit_highest, key_people_help, majority_chose, top_decides)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		tx.Tenant(), c.Opportunity, c.Version, c.Edition, cause, c.At, by, n.Clear, n.Coached, n.Leading, n.Deciding,
		c.Computed.FitHighest, c.Computed.KeyPeopleHelp, c.Computed.MajorityChose, c.Computed.TopDecides)
	if len(changed) == 0 {
		return
	}
	var (
		codes, known, evidence []string
		holds                  []*bool
		coaches                []*uuid.UUID
		on, since              []time.Time
		worded                 []bool
	)
	for _, e := range changed {
		codes, known, evidence = append(codes, e.Code), append(known, e.Known), append(evidence, e.Evidence)
		holds, coaches = append(holds, e.Holds), append(coaches, pg.OrNull(e.Coach))
		on, since, worded = append(on, e.On), append(since, e.Since), append(worded, e.Known+e.Evidence != "")
	}
	tx.Queue(`INSERT INTO c139_item (tenant_id, opportunity_id, version, item, holds, coach_id, known_on, since, worded)
		SELECT $1, $2, $3, * FROM unnest($4::text[], $5::boolean[], $6::uuid[], $7::date[], $8::timestamptz[], $9::boolean[])`,
		tx.Tenant(), c.Opportunity, c.Version, codes, holds, coaches, on, since, worded)
	tx.Queue(`INSERT INTO c139_words (tenant_id, opportunity_id, version, item, known, evidence)
		SELECT $1, $2, $3, n.item, n.known, n.evidence FROM unnest($4::text[], $5::text[], $6::text[]) AS n (item, known, evidence)
		WHERE n.known || n.evidence <> ''`, tx.Tenant(), c.Opportunity, c.Version, codes, known, evidence)
}

// logged gives versions of a card, the latest first, each with the items that it changed and what they were before.
func logged(ctx context.Context, tx *pg.Tx, id uuid.UUID, from, until time.Time, before, limit int) ([]Logged, error) {
	rows, err := tx.Query(ctx, `SELECT version, cause, at, by_subject, things, coached, fronts, wins, fit_highest, key_people_help, majority_chose, top_decides
		FROM c139_version WHERE tenant_id = $1 AND opportunity_id = $2 AND at >= $3 AND at < $4 AND ($5 = 0 OR version < $5)
		ORDER BY version DESC LIMIT $6`, tx.Tenant(), id, from, until, before, limit)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (l Logged, err error) {
		err = row.Scan(&l.Version, &l.Cause, &l.At, &l.By, &l.Counts.Clear, &l.Counts.Coached, &l.Counts.Leading, &l.Counts.Deciding,
			&l.Computed.FitHighest, &l.Computed.KeyPeopleHelp, &l.Computed.MajorityChose, &l.Computed.TopDecides)
		l.At = l.At.UTC()
		return l, err
	})
	if err != nil || len(all) == 0 {
		return nil, err
	}
	// Each changed item of the versions, and after it what it was before.
	rows, err = tx.Query(ctx, `SELECT `+itemColumns+`, c.version FROM c139_item c
		CROSS JOIN LATERAL (SELECT * FROM c139_item p WHERE p.tenant_id = c.tenant_id AND p.opportunity_id = c.opportunity_id AND p.item = c.item
			AND p.version <= c.version ORDER BY p.version DESC LIMIT 2) i`+itemJoins+`
		WHERE c.tenant_id = $1 AND c.opportunity_id = $2 AND c.version BETWEEN $3 AND $4 ORDER BY c.version, c.item, i.version DESC`,
		tx.Tenant(), id, all[len(all)-1].Version, all[0].Version)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var of int
		e, err := scanEntry(rows, &of)
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(all, func(l Logged) bool { return l.Version == of })
		if l := &all[at]; e.Version == of {
			l.Changes = append(l.Changes, Logentry{After: e})
		} else {
			l.Changes[len(l.Changes)-1].Before = e
		}
	}
	return all, rows.Err()
}

// closed counts closed opportunities by what their cards counted. The card of each is looked up by its key.
func closed(ctx context.Context, tx *pg.Tx, q Query) ([]outcomes, error) {
	rows, err := tx.Query(ctx, `SELECT v.version IS NOT NULL, coalesce(v.things, 0), coalesce(v.coached, 0), coalesce(v.fronts, 0), coalesce(v.wins, 0),
			count(*) FILTER (WHERE o.state = 'won'), count(*) FILTER (WHERE o.state = 'lost')
		FROM opportunity o LEFT JOIN LATERAL (SELECT * FROM c139_version c WHERE c.tenant_id = o.tenant_id AND c.opportunity_id = o.id
			AND c.at <= o.closed_at - make_interval(hours => 24 * $5) ORDER BY c.version DESC LIMIT 1) v ON true
		WHERE o.tenant_id = $1 AND o.closed_at >= $2 AND o.closed_at < $3 AND o.state IN ('won', 'lost') AND ($4 = '' OR o.pipeline = $4)
		GROUP BY 1, 2, 3, 4, 5`, tx.Tenant(), q.From, q.Until, q.Pipeline, q.DaysBefore)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (o outcomes, err error) {
		return o, row.Scan(&o.carded, &o.Clear, &o.Coached, &o.Leading, &o.Deciding, &o.won, &o.lost)
	})
}

// Erase takes away the words of the cards of opportunities of the customers, and of those on which they are contacts or were
// asked to confirm something: whom words are about cannot be told. What they counted stays. It has to come before the contacts
// are taken away.
func Erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]erasure.Erased, error) {
	done, err := tx.ExecNow(ctx, `DELETE FROM c139_words w USING (
			SELECT o.id FROM opportunity o WHERE o.tenant_id = $1 AND o.customer_id = ANY($2::uuid[])
			UNION SELECT c.opportunity_id FROM opportunity_contact c WHERE c.tenant_id = $1 AND c.customer_id = ANY($2::uuid[])
			UNION SELECT i.opportunity_id FROM c139_item i WHERE i.tenant_id = $1 AND i.coach_id = ANY($2::uuid[])) n
		WHERE w.tenant_id = $1 AND w.opportunity_id = n.id`, tx.Tenant(), customers)
	return []erasure.Erased{{What: "c139_words", Count: done.RowsAffected()}}, err
}
