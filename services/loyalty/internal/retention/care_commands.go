package retention

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// Care gives the care plan of a programme; one of version 0 where none was written.
func (r *Retention) Care(ctx context.Context, code string) (p CarePlan, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		if err = knownProgramme(ctx, tx, code, "", r.now()); err != nil {
			return problem.New(problem.NotFound, "programme_not_found", "There is no such programme.")
		}
		p, err = loadCare(ctx, tx, code)
		return err
	})
	return p, err
}

// SetCare puts terms in the place of the present ones, if these still are as the caller saw them: fresh is asked with their
// version.
func (r *Retention) SetCare(ctx context.Context, code string, t CareTerms, fresh func(version int64) error) (now CarePlan, err error) {
	if faults := t.Faults(); len(faults) > 0 {
		return CarePlan{}, problem.InvalidBody("care_plan_invalid", "The plan was not accepted: mend the fields named here.", faults)
	}
	terms, err := json.Marshal(t)
	if err != nil {
		return CarePlan{}, err
	}
	err = r.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('care_plan ' || $1 || ' ' || $2, 0))`, tx.Tenant(), code)
		if err := knownProgramme(ctx, tx, code, "", r.now()); err != nil {
			return problem.New(problem.NotFound, "programme_not_found", "There is no such programme.")
		}
		was, err := loadCare(ctx, tx, code)
		if err != nil {
			return err
		}
		if err := fresh(was.Version); err != nil {
			return err
		}
		at := r.now()
		now = CarePlan{Programme: code, Version: was.Version + 1, Since: was.Since, CareTerms: t}
		if was.Version == 0 {
			now.Since = at
		}
		tx.Queue(`INSERT INTO care_plan (tenant_id, programme, version, terms, since, by_subject, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (tenant_id, programme) DO UPDATE SET version = $3, terms = $4, by_subject = $6, changed_at = $7`,
			tx.Tenant(), code, now.Version, terms, now.Since, flow.ActorOf(ctx).Subject, at)
		return nil
	})
	return now, err
}

func scanCare(row pgx.Row) (p CarePlan, err error) {
	var terms []byte
	if err = row.Scan(&p.Programme, &p.Version, &p.Since, &terms); err == nil {
		err = json.Unmarshal(terms, &p.CareTerms)
	}
	return p, err
}

func loadCare(ctx context.Context, tx *pg.Tx, code string) (CarePlan, error) {
	p, err := scanCare(tx.QueryRow(ctx, `SELECT programme, version, since, terms FROM care_plan WHERE tenant_id = $1 AND programme = $2`, tx.Tenant(), code))
	if errors.Is(err, pgx.ErrNoRows) {
		return CarePlan{Programme: code}, nil
	}
	return p, err
}

// Assets is the consumer that keeps the installed products of customers.
func (r *Retention) Assets() inbox.Consumer {
	return inbox.Consumer{
		Name:    "care-assets",
		Topics:  []string{bus.TopicFor("accounts")},
		Handles: []proto.Message{&accountsv1.AssetRegistered{}, &accountsv1.AssetSold{}, &accountsv1.AssetGivenUp{}},
		Apply: func(ctx context.Context, tx *pg.Tx, events []inbox.Event) error {
			for _, e := range events {
				if err := applyAsset(tx, e); err != nil {
					return err
				}
			}
			return tx.Flush(ctx)
		},
	}
}

// applyAsset queues what an event says of an asset. When it is sold AssetGivenUp is told of the former owner and AssetSold of
// the new one, in either order: it is given up only while it is still the former one's, and what is told late changes nothing.
func applyAsset(tx *pg.Tx, e inbox.Event) error {
	k := e.Contract()
	own := func(asset, customer, product string, since time.Time) {
		a, c := k.ID("asset_id", asset), k.ID("customer_id", customer)
		if k.Err() == nil {
			tx.Queue(`INSERT INTO care_asset AS k (tenant_id, asset_id, customer_id, product, since) VALUES ($1, $2, $3, $4, $5)
				ON CONFLICT (tenant_id, asset_id) DO UPDATE SET customer_id = $3, product = $4, since = $5, given_up_at = NULL WHERE k.since < $5`,
				tx.Tenant(), a, c, product, since)
		}
	}
	switch m := e.Message.(type) {
	case *accountsv1.AssetRegistered:
		own(m.GetAssetId(), m.GetCustomerId(), m.GetProduct(), m.GetRegisteredAt().AsTime())
	case *accountsv1.AssetSold:
		own(m.GetAssetId(), m.GetCustomerId(), m.GetProduct(), m.GetSoldAt().AsTime())
	case *accountsv1.AssetGivenUp:
		a, c := k.ID("asset_id", m.GetAssetId()), k.ID("customer_id", m.GetCustomerId())
		if k.Err() == nil {
			tx.Queue(`UPDATE care_asset SET given_up_at = $4 WHERE tenant_id = $1 AND asset_id = $2 AND customer_id = $3`, tx.Tenant(), a, c, m.GetGivenUpAt().AsTime())
		}
	}
	return k.Err()
}

// candidate is a member, or a member's asset, that the scan is at.
type candidate struct {
	member, about uuid.UUID
	programme     string
	since         time.Time
	born          int
}

// ofMembers lists members from the page after $2 on, of the programmes $3, with the months that their customers were born in. Of
// members who are one customer since a merge only the one counts who was enrolled first and has not left.
func ofMembers() string {
	return `SELECT m.id, m.id, m.programme, m.enrolled_at,
		coalesce((SELECT b.month FROM birthday_month b WHERE b.tenant_id = $1 AND b.customer_id = ANY (g.ids) ORDER BY b.customer_id <> m.customer_id, b.at DESC LIMIT 1), 0),
		m.state = 'left' OR cardinality(g.ids) > 1 AND EXISTS (SELECT FROM member k WHERE k.tenant_id = $1 AND k.customer_id = ANY (g.ids)
			AND k.programme = m.programme AND k.state <> 'left' AND (k.enrolled_at, k.id) < (m.enrolled_at, m.id))
	FROM (SELECT * FROM member k WHERE k.tenant_id = $1 AND k.id > $2 AND k.programme = ANY ($3::text[]) ORDER BY k.id LIMIT $4) m
	CROSS JOIN LATERAL (SELECT CASE WHEN ` + inMerge("m.customer_id") + `
		THEN customer_group($1, m.customer_id) ELSE ARRAY[m.customer_id] END AS ids OFFSET 0) g
	ORDER BY m.id`
}

// ofAssets lists assets likewise, each with the member of its owner: of several the one who is active and was enrolled first.
func ofAssets() string {
	return `SELECT coalesce(o.id, '00000000-0000-0000-0000-000000000000'), s.asset_id, coalesce(o.programme, ''), s.since, 0, o.id IS NULL
	FROM care_asset s
	LEFT JOIN LATERAL (SELECT DISTINCT ON (m.programme) m.id, m.programme FROM member m
		WHERE m.tenant_id = $1 AND m.customer_id = ANY (CASE WHEN ` + inMerge("s.customer_id") + `
			THEN customer_group($1, s.customer_id) ELSE ARRAY[s.customer_id] END)
			AND m.programme = ANY ($3::text[]) AND m.state <> 'left' ORDER BY m.programme, m.state <> 'active', m.enrolled_at, m.id) o ON true
	WHERE s.tenant_id = $1 AND s.given_up_at IS NULL AND s.asset_id IN (SELECT k.asset_id FROM care_asset k WHERE k.tenant_id = $1
		AND k.given_up_at IS NULL AND k.asset_id > $2 ORDER BY k.asset_id LIMIT $4) ORDER BY s.asset_id`
}

// carePage gives the members of the next page, or the owners of its assets, the points of the occasions that are due, each
// once. It gives the page's ids.
func (r *Retention) carePage(ctx context.Context, part string, after uuid.UUID) (ids []uuid.UUID, given int, err error) {
	now := r.now()
	_, err = r.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		ids, given = nil, 0
		plans := make(map[string]CarePlan)
		var codes []string
		tx.Queue(`SELECT programme, version, since, terms FROM care_plan WHERE tenant_id = $1`, tx.Tenant()).Query(func(rows pgx.Rows) error {
			for rows.Next() {
				p, err := scanCare(rows)
				if err != nil {
					return err
				}
				plans[p.Programme], codes = p, append(codes, p.Programme)
			}
			return rows.Err()
		})
		book := programme.BookOf(tx)
		if err := tx.Flush(ctx); err != nil || len(plans) == 0 {
			return pg.Result{}, err
		}
		wanted, page, err := careCandidates(ctx, tx, part, after, codes, func(c candidate) []Due {
			at, ok := book.At(c.programme, now)
			if !ok {
				return nil
			}
			if part == partAssets {
				return plans[c.programme].OfAsset(c.about, c.since, now, at.Zone)
			}
			return plans[c.programme].OfMember(c.member, c.since, c.born, now, at.Zone)
		})
		if err != nil || len(wanted) == 0 {
			ids = page
			return pg.Result{}, err
		}
		ids = page
		given, err = r.giveAll(ctx, tx, book, wanted, now)
		return pg.Result{}, err
	})
	return ids, given, err
}

// wantedOf is an occasion of a member.
type wantedOf struct {
	member uuid.UUID
	Due
}

// careCandidates reads a page and gives what is due of it.
func careCandidates(ctx context.Context, tx *pg.Tx, part string, after uuid.UUID, codes []string, due func(candidate) []Due) (wanted []wantedOf, page []uuid.UUID, err error) {
	list := ofMembers()
	if part == partAssets {
		list = ofAssets()
	}
	rows, err := tx.Query(ctx, list, tx.Tenant(), after, codes, pageSize)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var c candidate
		var skip bool
		if err := rows.Scan(&c.member, &c.about, &c.programme, &c.since, &c.born, &skip); err != nil {
			return nil, nil, err
		}
		if len(page) == 0 || page[len(page)-1] != c.about { // an asset stands once for each programme of its owner
			page = append(page, c.about)
		}
		if skip {
			continue
		}
		for _, d := range due(c) {
			wanted = append(wanted, wantedOf{c.member, d})
		}
	}
	return wanted, page, rows.Err()
}

// giveAll gives what was not given before.
func (r *Retention) giveAll(ctx context.Context, tx *pg.Tx, book *programme.Book, wanted []wantedOf, now time.Time) (given int, err error) {
	n := len(wanted)
	members, occasions, abouts, days := make([]uuid.UUID, n), make([]string, n), make([]uuid.UUID, n), make([]time.Time, n)
	for i, w := range wanted {
		members[i], occasions[i], abouts[i], days[i] = w.member, string(w.Occasion), w.About, w.On
	}
	member.LockAll(tx, members)
	before := make(map[string]bool)
	tx.Queue(`SELECT g.member_id, g.occasion, g.about, g.due_on FROM unnest($2::uuid[], $3::text[], $4::uuid[], $5::date[]) AS n(member, occasion, about, due_on)
		JOIN LATERAL (SELECT * FROM care_given k WHERE k.tenant_id = $1 AND k.member_id = n.member AND k.occasion = n.occasion AND k.about = n.about
			AND k.due_on = n.due_on LIMIT 1) g ON true`, tx.Tenant(), members, occasions, abouts, days).Query(func(rows pgx.Rows) error {
		var w wantedOf
		_, err := pgx.ForEachRow(rows, []any{&w.member, &w.Occasion, &w.About, &w.On}, func() error { before[w.key()] = true; return nil })
		return err
	})
	found, err := member.FindAll(ctx, tx, members)
	if err != nil {
		return 0, err
	}
	accounts := make(map[uuid.UUID]member.Member, len(found))
	for _, m := range found {
		accounts[m.ID] = m
	}
	var steps []ledger.Step
	for _, w := range wanted {
		m, there := accounts[w.member]
		if !there || before[w.key()] || m.CardNumber == "" || m.State == member.Left { // who was erased has no occasions
			continue
		}
		step, err := r.ledger.Give(m, book, ledger.KindGrant, ledger.Draft{
			Key: "care/" + w.key(), Reason: ledger.Reason{Type: string(w.Occasion), ID: w.About.String()}, By: process, EffectiveAt: now,
		}, w.Points, time.Time{})
		if _, refused := asRefused(err); refused {
			continue
		}
		if err != nil {
			return 0, err
		}
		before[w.key()] = true
		accounts[m.ID] = step.Account.Member
		steps = append(steps, step)
		tx.Queue(`INSERT INTO care_given (tenant_id, member_id, occasion, about, due_on, id, points, given_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			tx.Tenant(), w.member, w.Occasion, w.About, w.On, step.Entry.ID, w.Points, now)
	}
	if len(steps) == 0 {
		return 0, nil
	}
	return len(steps), r.ledger.Book(ctx, tx, nil, steps...)
}

// key names an occasion for ever.
func (w wantedOf) key() string {
	return fmt.Sprintf("%s/%s/%s/%s", w.Occasion, w.member, w.About, w.On.Format(time.DateOnly))
}

// Given is points that a member got on an occasion.
type Given struct {
	ID       uuid.UUID // of the ledger's entry
	MemberID uuid.UUID
	Occasion Occasion
	About    uuid.UUID
	On       time.Time
	Points   int64
	At       time.Time
}

// GivenTo gives up to limit occasions, the latest first, from before one; of a member, unless that is Nil.
func (r *Retention) GivenTo(ctx context.Context, memberID, before uuid.UUID, limit int) (page []Given, err error) {
	if before == uuid.Nil {
		before = uuid.Max
	}
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT g.id, g.member_id, g.occasion, g.about, g.due_on, g.points, g.given_at FROM care_given g
			WHERE g.tenant_id = $1 AND g.id < $2 AND ($3::uuid IS NULL OR g.member_id = $3) ORDER BY g.id DESC LIMIT $4`,
			tx.Tenant(), before, pg.OrNull(memberID), limit)
		if err != nil {
			return err
		}
		page, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Given])
		return err
	})
	return page, err
}
