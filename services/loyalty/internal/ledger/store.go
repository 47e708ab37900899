package ledger

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
)

// KeyConstraint is what gives a key to one entry only.
const KeyConstraint = "ledger_entry_key"

// ErrNoEntry says that there is no such entry.
var ErrNoEntry = problem.New(problem.NotFound, "entry_not_found", "The ledger has no such entry.")

// Book queues the steps, each of which begins where the one before it of the same member ended, and their events, after
// those in lead. The members are locked.
func (l *Ledger) Book(ctx context.Context, tx *pg.Tx, lead []outbox.Event, steps ...Step) error {
	events := make([]outbox.Event, len(lead), len(lead)+len(steps))
	copy(events, lead)
	for _, s := range steps {
		if s.Entry.Kind == KindReversal && s.Entry.Points() == 0 {
			continue // all that was to be taken back had run out
		}
		events = append(events, event(s))
	}
	if len(steps) == 1 && len(steps[0].Changed) <= 1 {
		saveOne(tx, steps[0])
	} else if len(steps) > 0 {
		save(tx, steps)
	}
	return l.outbox.Append(ctx, tx, events...)
}

// saveOne is save for a step that changes at most one lot. Without arrays the server keeps one plan for each statement
// instead of planning anew each time.
func saveOne(tx *pg.Tx, s Step) {
	e := s.Entry
	tx.Queue(`INSERT INTO ledger_entry (tenant_id, id, member_id, entry_no, kind, key, input_hash, reason_type, reason_id, reverses,
			booked_by, effective_at, recorded_at, pending, available, debt, issued, redeemed, expired, adjusted, settlement, available_after, part_of,
			programme, waived)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)`,
		tx.Tenant(), e.ID, e.MemberID, e.No, e.Kind, e.Key, e.InputHash, e.Reason.Type, e.Reason.ID, pg.OrNull(e.Reverses),
		e.By, e.EffectiveAt, e.RecordedAt, e.Pending, e.Available, e.Debt, e.Issued, e.Redeemed, e.Expired, e.Adjusted, e.Settlement,
		e.AvailableAfter, pg.OrNull(e.PartOf), e.Programme, e.Waived)
	for _, l := range s.Changed {
		tx.Queue(`UPDATE lot SET remaining = $3, released = $4, expires_at = $5, expired = $6, waived = $7 WHERE tenant_id = $1 AND id = $2`,
			tx.Tenant(), l.ID, l.Remaining, l.Released, pg.OrNull(l.ExpiresAt), l.Expired, l.Waived)
	}
	lapse(tx, s)
	if m := s.Made; m != nil {
		tx.Queue(`INSERT INTO lot (tenant_id, id, member_id, points, remaining, available_at, released, earned_at, reason_type, reason_id, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			tx.Tenant(), m.ID, m.MemberID, m.Points, m.Remaining, m.AvailableAt, m.Released, m.EarnedAt, m.Reason.Type, m.Reason.ID,
			pg.OrNull(m.ExpiresAt))
	}
	for _, u := range e.Uses {
		tx.Queue(`INSERT INTO lot_use (tenant_id, entry_id, lot_id, points) VALUES ($1, $2, $3, $4)`, tx.Tenant(), e.ID, u.LotID, u.Points)
	}
	member.Save(tx, s.Account.Member)
}

// save queues any number of steps in five statements: what was made and changed in several of them is written once, as it
// is in the end.
func save(tx *pg.Tx, steps []Step) {
	var (
		members = make(map[uuid.UUID]member.Member)
		place   = make(map[uuid.UUID]int) // of lots that were made
		made    []Lot
		changed = make(map[uuid.UUID]Lot)
	)
	for _, s := range steps {
		members[s.Account.ID] = s.Account.Member
		if s.Made != nil {
			place[s.Made.ID] = len(made)
			made = append(made, *s.Made)
		}
		for _, l := range s.Changed {
			if n, fresh := place[l.ID]; fresh {
				made[n] = l
			} else {
				changed[l.ID] = l
			}
		}
	}
	insertEntries(tx, steps)
	updateLots(tx, changed)
	lapse(tx, steps...)
	insertLots(tx, made)
	insertUses(tx, steps)
	final := make([]member.Member, 0, len(members))
	for _, m := range members {
		final = append(final, m)
	}
	member.Save(tx, final...)
}

// lapse queues what the steps say of lots that nobody touched. What they made themselves is to be inserted after it.
func lapse(tx *pg.Tx, steps ...Step) {
	for _, s := range steps {
		if !s.Lapsed.IsZero() {
			tx.Queue(`UPDATE lot SET expires_at = least(expires_at, $3) WHERE tenant_id = $1 AND member_id = $2 AND remaining > 0`,
				tx.Tenant(), s.Account.ID, s.Lapsed)
		}
	}
}

func insertEntries(tx *pg.Tx, steps []Step) {
	n := len(steps)
	ids, members, nos := make([]uuid.UUID, n), make([]uuid.UUID, n), make([]int64, n)
	kinds, keys, hashes := make([]string, n), make([]string, n), make([][]byte, n)
	types, reasons, by := make([]string, n), make([]string, n), make([]string, n)
	reverses, wholes := make([]*uuid.UUID, n), make([]*uuid.UUID, n)
	effective, recorded := make([]time.Time, n), make([]time.Time, n)
	var postings [8][]int64
	for k := range postings {
		postings[k] = make([]int64, n)
	}
	after, programmes, waived := make([]int64, n), make([]string, n), make([]int64, n)
	for i := range steps {
		e := &steps[i].Entry
		ids[i], members[i], nos[i], kinds[i], keys[i], hashes[i] = e.ID, e.MemberID, e.No, string(e.Kind), e.Key, e.InputHash
		types[i], reasons[i], by[i], effective[i], recorded[i] = e.Reason.Type, e.Reason.ID, e.By, e.EffectiveAt, e.RecordedAt
		reverses[i], wholes[i] = pg.OrNull(e.Reverses), pg.OrNull(e.PartOf)
		p := e.Postings
		for k, v := range [8]int64{p.Pending, p.Available, p.Debt, p.Issued, p.Redeemed, p.Expired, p.Adjusted, p.Settlement} {
			postings[k][i] = v
		}
		after[i], programmes[i], waived[i] = e.AvailableAfter, e.Programme, e.Waived
	}
	tx.Queue(`INSERT INTO ledger_entry (tenant_id, id, member_id, entry_no, kind, key, input_hash, reason_type, reason_id, reverses,
			booked_by, effective_at, recorded_at, pending, available, debt, issued, redeemed, expired, adjusted, settlement, available_after, part_of,
			programme, waived)
		SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::bytea[], $8::text[], $9::text[],
			$10::uuid[], $11::text[], $12::timestamptz[], $13::timestamptz[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[],
			$18::bigint[], $19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[], $23::uuid[], $24::text[], $25::bigint[])`,
		tx.Tenant(), ids, members, nos, kinds, keys, hashes, types, reasons, reverses, by, effective, recorded,
		postings[0], postings[1], postings[2], postings[3], postings[4], postings[5], postings[6], postings[7], after, wholes, programmes, waived)
}

func insertLots(tx *pg.Tx, lots []Lot) {
	n := len(lots)
	if n == 0 {
		return
	}
	ids, members, points, remaining := make([]uuid.UUID, n), make([]uuid.UUID, n), make([]int64, n), make([]int64, n)
	available, released, earned := make([]time.Time, n), make([]bool, n), make([]time.Time, n)
	types, reasons, expires := make([]string, n), make([]string, n), make([]*time.Time, n)
	for i, l := range lots {
		ids[i], members[i], points[i], remaining[i] = l.ID, l.MemberID, l.Points, l.Remaining
		available[i], released[i], earned[i], types[i], reasons[i] = l.AvailableAt, l.Released, l.EarnedAt, l.Reason.Type, l.Reason.ID
		expires[i] = pg.OrNull(l.ExpiresAt)
	}
	tx.Queue(`INSERT INTO lot (tenant_id, id, member_id, points, remaining, available_at, released, earned_at, reason_type, reason_id, expires_at)
		SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::bigint[], $6::timestamptz[], $7::boolean[], $8::timestamptz[],
			$9::text[], $10::text[], $11::timestamptz[])`, tx.Tenant(), ids, members, points, remaining, available, released, earned, types,
		reasons, expires)
}

func updateLots(tx *pg.Tx, lots map[uuid.UUID]Lot) {
	if len(lots) == 0 {
		return
	}
	n := len(lots)
	ids, remaining, released := make([]uuid.UUID, 0, n), make([]int64, 0, n), make([]bool, 0, n)
	expires, expired, waived := make([]*time.Time, 0, n), make([]int64, 0, n), make([]int64, 0, n)
	for _, l := range lots {
		ids, remaining, released = append(ids, l.ID), append(remaining, l.Remaining), append(released, l.Released)
		expires, expired, waived = append(expires, pg.OrNull(l.ExpiresAt)), append(expired, l.Expired), append(waived, l.Waived)
	}
	// The ids are said twice, so that only these lots are read, also by a plan made while the table was new.
	tx.Queue(`UPDATE lot l SET remaining = n.remaining, released = n.released, expires_at = n.expires_at, expired = n.expired, waived = n.waived
		FROM unnest($2::uuid[], $3::bigint[], $4::boolean[], $5::timestamptz[], $6::bigint[], $7::bigint[])
			AS n(id, remaining, released, expires_at, expired, waived)
		WHERE l.tenant_id = $1 AND l.id = n.id AND l.id = ANY($2::uuid[])`, tx.Tenant(), ids, remaining, released, expires, expired, waived)
}

func insertUses(tx *pg.Tx, steps []Step) {
	var entries, lots []uuid.UUID
	var points []int64
	for _, s := range steps {
		for _, u := range s.Entry.Uses {
			entries, lots, points = append(entries, s.Entry.ID), append(lots, u.LotID), append(points, u.Points)
		}
	}
	if len(entries) == 0 {
		return
	}
	tx.Queue(`INSERT INTO lot_use (tenant_id, entry_id, lot_id, points) SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::bigint[])`,
		tx.Tenant(), entries, lots, points)
}

// InsertVoid queues a tombstone: an entry without postings that keeps the key from being used.
func InsertVoid(tx *pg.Tx, b Booking) {
	tx.Queue(`INSERT INTO ledger_entry (tenant_id, id, kind, key, reason_type, reason_id, booked_by, effective_at, recorded_at, available_after)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0)`,
		tx.Tenant(), b.ID, KindVoid, b.Key, b.Reason.Type, b.Reason.ID, b.By, b.EffectiveAt, b.RecordedAt)
}

const lotColumns = `l.id, l.member_id, l.points, l.remaining, l.available_at, l.released, l.earned_at, l.reason_type, l.reason_id,
	l.expires_at, l.expired, l.waived`

func scanLot(row pgx.CollectableRow) (l Lot, err error) {
	var expires *time.Time
	err = row.Scan(&l.ID, &l.MemberID, &l.Points, &l.Remaining, &l.AvailableAt, &l.Released, &l.EarnedAt, &l.Reason.Type, &l.Reason.ID,
		&expires, &l.Expired, &l.Waived)
	l.AvailableAt, l.EarnedAt, l.ExpiresAt = l.AvailableAt.UTC(), l.EarnedAt.UTC(), orZero(expires)
	return l, err
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// Portions are how many of a member's lots are read at first, then where these are not enough, and in the end: all.
var Portions = [...]int{20, 1000, 0}

// QueueLots queues the reading of the members' lots that have points left; they are filled in by the next round trip. Of
// each member these are up to limit released ones and as many locked ones, as sooner orders them; 0 means all. The lots of
// the ids in own are among them, whether or not anything is left of them.
func QueueLots(tx *pg.Tx, members, own []uuid.UUID, limit int) (lots *Lots) {
	lots = &Lots{limit: limit}
	var most *int
	if limit > 0 {
		most = &limit
	}
	add := lots.add
	if len(members) == 1 { // a plan for any one member is kept; one for any number of them is made anew each time
		tx.Queue(openLotsOf("$2", "true"), tx.Tenant(), members[0], most).Query(add)
	} else {
		tx.Queue(`SELECT l.* FROM unnest($2::uuid[]) AS n(id) JOIN LATERAL (`+openLotsOf("n.id", "true")+`) l ON true`,
			tx.Tenant(), members, most).Query(add)
	}
	if len(own) > 0 {
		tx.Queue(`SELECT `+lotColumns+` FROM unnest($2::uuid[]) AS n(id)
			JOIN LATERAL (SELECT * FROM lot k WHERE k.tenant_id = $1 AND k.id = n.id LIMIT 1) l ON true`, tx.Tenant(), own).Query(add)
	}
	return lots
}

// queuePoolLots is QueueLots for all members who are the same customer as the given one; of the locked ones only those that are
// due at a time.
func queuePoolLots(tx *pg.Tx, memberID uuid.UUID, due time.Time, limit int) (lots *Lots) {
	lots = &Lots{limit: limit}
	tx.Queue(`SELECT l.* FROM (`+member.OfPool+`) AS n(id) JOIN LATERAL (`+openLotsOf("n.id", "l.available_at <= $4")+`) l ON true`,
		tx.Tenant(), memberID, pg.OrNull(limit), due).Query(lots.add)
	return lots
}

// add puts lots in that were read.
func (l *Lots) add(rows pgx.Rows) error {
	found, err := pgx.CollectRows(rows, scanLot)
	for _, lot := range found {
		l.put(lot)
	}
	return err
}

// openLotsOf gives the query for the open lots of a member of the tenant $1, up to $3 of each state; of the locked ones those
// that fulfil the condition.
func openLotsOf(memberID, locked string) string {
	of := func(state string) string {
		return `(SELECT ` + lotColumns + ` FROM lot l WHERE l.tenant_id = $1 AND l.member_id = ` + memberID + ` AND ` + state + `
			AND l.remaining > 0 ORDER BY l.expires_at, l.earned_at, l.id LIMIT $3)`
	}
	return of("l.released") + " UNION ALL " + of("NOT l.released AND "+locked)
}

// lockAll locks members and gives their accounts.
func lockAll(ctx context.Context, tx *pg.Tx, ids []uuid.UUID) (map[uuid.UUID]Account, error) {
	member.LockAll(tx, ids)
	members, err := member.FindAll(ctx, tx, ids)
	accounts := make(map[uuid.UUID]Account, len(members))
	for _, m := range members {
		accounts[m.ID] = Account{m}
	}
	return accounts, err
}

// dueOf gives up to 500 lots of the members, who are locked, whose lock ends by now, the longest due first.
func dueOf(ctx context.Context, tx *pg.Tx, members []uuid.UUID, now time.Time) ([]Lot, error) {
	rows, err := tx.Query(ctx, `SELECT `+lotColumns+` FROM lot l
		WHERE l.tenant_id = $1 AND l.member_id = ANY($2::uuid[]) AND NOT l.released AND l.remaining > 0 AND l.available_at <= $3
		ORDER BY l.available_at, l.id LIMIT $4`, tx.Tenant(), members, now, releaseAtOnce)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanLot)
}

const entryColumns = `e.id, e.member_id, e.entry_no, e.kind, e.key, e.input_hash, e.reason_type, e.reason_id, e.reverses, e.booked_by,
	e.effective_at, e.recorded_at, e.pending, e.available, e.debt, e.issued, e.redeemed, e.expired, e.adjusted, e.settlement,
	e.available_after, e.part_of, e.programme, e.waived, u.lots, u.points`

// uses of an entry e as arrays beside each other: one row an entry, however many lots.
const uses = `LEFT JOIN LATERAL (
		SELECT array_agg(lot_id ORDER BY lot_id) AS lots, array_agg(points ORDER BY lot_id) AS points
		FROM lot_use WHERE tenant_id = e.tenant_id AND entry_id = e.id
	) u ON true`

func scanEntry(row pgx.CollectableRow) (Entry, error) {
	var (
		e                       Entry
		memberID, undoes, whole *uuid.UUID
		no                      *int64
		lots                    []uuid.UUID
		points                  []int64
	)
	err := row.Scan(&e.ID, &memberID, &no, &e.Kind, &e.Key, &e.InputHash, &e.Reason.Type, &e.Reason.ID, &undoes, &e.By,
		&e.EffectiveAt, &e.RecordedAt, &e.Pending, &e.Available, &e.Debt, &e.Issued, &e.Redeemed, &e.Expired, &e.Adjusted,
		&e.Settlement, &e.AvailableAfter, &whole, &e.Programme, &e.Waived, &lots, &points)
	if err != nil {
		return Entry{}, err
	}
	if memberID != nil {
		e.MemberID, e.No = *memberID, *no
	}
	if undoes != nil {
		e.Reverses = *undoes
	}
	if whole != nil {
		e.PartOf = *whole
	}
	e.EffectiveAt, e.RecordedAt = e.EffectiveAt.UTC(), e.RecordedAt.UTC()
	for i := range lots {
		e.Uses = append(e.Uses, Use{LotID: lots[i], Points: points[i]})
	}
	return e, nil
}

// FindKey gives the entry that has the key, or ErrNoEntry.
func FindKey(ctx context.Context, tx *pg.Tx, key string) (Entry, error) {
	return oneEntry(tx.Query(ctx, `SELECT `+entryColumns+` FROM ledger_entry e `+uses+` WHERE e.tenant_id = $1 AND e.key = $2`,
		tx.Tenant(), key))
}

func findEntry(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Entry, error) {
	return oneEntry(tx.Query(ctx, `SELECT `+entryColumns+` FROM ledger_entry e `+uses+` WHERE e.tenant_id = $1 AND e.id = $2`,
		tx.Tenant(), id))
}

// partsOf gives the other entries of a spend, or of what gave one back, in the order in which they were booked.
func partsOf(ctx context.Context, tx *pg.Tx, first Entry) ([]Entry, error) {
	if first.Kind != KindSpend && first.Kind != KindRestore {
		return nil, nil
	}
	rows, err := tx.Query(ctx, `SELECT `+entryColumns+` FROM ledger_entry e `+uses+` WHERE e.tenant_id = $1 AND e.part_of = $2 ORDER BY e.id`,
		tx.Tenant(), first.ID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanEntry)
}

// partsOfAll is partsOf for those of the entries that may have some.
func partsOfAll(ctx context.Context, tx *pg.Tx, entries []Entry) (map[uuid.UUID][]Entry, error) {
	var wholes []uuid.UUID
	for _, e := range entries {
		if e.PartOf == uuid.Nil && (e.Kind == KindSpend || e.Kind == KindRestore) {
			wholes = append(wholes, e.ID)
		}
	}
	if len(wholes) == 0 {
		return nil, nil
	}
	rows, err := tx.Query(ctx, `SELECT `+entryColumns+` FROM ledger_entry e `+uses+` WHERE e.tenant_id = $1 AND e.part_of = ANY($2::uuid[]) ORDER BY e.id`,
		tx.Tenant(), wholes)
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, scanEntry)
	parts := make(map[uuid.UUID][]Entry)
	for _, e := range found {
		parts[e.PartOf] = append(parts[e.PartOf], e)
	}
	return parts, err
}

func oneEntry(rows pgx.Rows, err error) (Entry, error) {
	if err != nil {
		return Entry{}, err
	}
	e, err := pgx.CollectExactlyOneRow(rows, scanEntry)
	if errors.Is(err, pgx.ErrNoRows) {
		return Entry{}, ErrNoEntry
	}
	return e, err
}

// queueRestored queues the question whether any of the spends was given back.
func queueRestored(tx *pg.Tx, spends []uuid.UUID) (restored *bool) {
	restored = new(bool)
	tx.Queue(`SELECT EXISTS (SELECT 1 FROM ledger_entry WHERE tenant_id = $1 AND reverses = ANY($2::uuid[]) AND kind = 'restore')`,
		tx.Tenant(), spends).QueryRow(func(row pgx.Row) error { return row.Scan(restored) })
	return restored
}
