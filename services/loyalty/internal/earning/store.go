package earning

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/rule"
)

// queueKnown queues the reading of the terms and of what is known of the facts' orders and members; it is filled in by the next
// round trip.
func queueKnown(tx *pg.Tx, facts []fact) *known {
	k := &known{book: programme.BookOf(tx), members: make(map[member.Key]membership), asked: make(map[question]bool)}
	ids, customers := make([]uuid.UUID, 0, len(facts)), make([]uuid.UUID, 0, len(facts))
	asked := make(map[uuid.UUID]bool, len(facts))
	for _, f := range facts {
		if !asked[f.order] {
			asked[f.order] = true
			ids = append(ids, f.order)
		}
		if f.customer != uuid.Nil && !asked[f.customer] {
			asked[f.customer] = true
			customers = append(customers, f.customer)
		}
	}
	k.orders = queueOrders(tx, ids)
	if len(customers) == 0 {
		return k
	}
	tx.Queue(`SELECT m.id, m.customer_id, m.programme, m.state FROM unnest($2::uuid[]) AS n(id)
		CROSS JOIN LATERAL (SELECT * FROM member k WHERE k.tenant_id = $1 AND k.customer_id = n.id OFFSET 0) m`, tx.Tenant(), customers).
		Query(func(rows pgx.Rows) error {
			var (
				m   membership
				key member.Key
			)
			_, err := pgx.ForEachRow(rows, []any{&m.id, &key.CustomerID, &key.Programme, &m.state}, func() error {
				k.members[key] = m
				return nil
			})
			return err
		})
	return k
}

const orderColumns = `o.order_id, o.customer_id, o.channel, o.currency, o.units, o.total_minor, o.lines, o.returned_minor, o.placed_at, o.returns`

// shareColumns are those of the standard programme's share in its order, which other programmes' shares have as well.
const shareColumns = `s.member_id, s.version, s.tier, s.first_purchase, s.points, s.taken_back, s.qualifying, s.qualifying_back, s.entry_id, s.outcome`

// row is where columns of an order or a share are read to.
type row struct {
	order
	customer, member, entry *uuid.UUID
	lines, outcome          []byte
	share
}

func (r *row) ofOrder() []any {
	return []any{&r.ID, &r.customer, &r.Channel, &r.Currency, &r.Units, &r.TotalMinor, &r.lines, &r.ReturnedMinor, &r.PlacedAt, &r.Returns}
}

func (r *row) ofShare() []any {
	return []any{
		&r.member, &r.Version, &r.Tier, &r.First, &r.Points, &r.TakenBack, &r.Qualifying, &r.QualifyingBack, &r.entry, &r.outcome,
	}
}

// read gives the order.
func (r *row) read() (order, error) {
	o := r.order
	o.CustomerID, o.PlacedAt = orNil(r.customer), o.PlacedAt.UTC()
	o.Worth, _ = (programme.Terms{}).Points(o.TotalMinor, o.Currency)
	var err error
	o.Lines, err = readLines(r.lines)
	return o, err
}

// readShare gives the share of a programme; ok is false where there is none: nobody earned.
func (r *row) readShare(code string) (s share, ok bool, err error) {
	s = r.share
	s.Programme, s.MemberID, s.EntryID = code, orNil(r.member), orNil(r.entry)
	if s.MemberID == uuid.Nil && s.EntryID == uuid.Nil {
		return s, false, nil
	}
	if r.member == nil { // of before tiers: all points count
		s.Qualifying, s.QualifyingBack = 0, 0
	}
	if r.outcome != nil {
		s.Outcome = &outcome{}
		err = json.Unmarshal(r.outcome, s.Outcome)
	}
	return s, true, err
}

func orNil(id *uuid.UUID) uuid.UUID {
	if id == nil {
		return uuid.Nil
	}
	return *id
}

// queueOrders queues the reading of orders with what they earned; they are filled in by the next round trip. Each is looked
// for by its whole key: a plain join that was planned while the table was new would read all orders of the tenant.
func queueOrders(tx *pg.Tx, ids []uuid.UUID) (orders map[uuid.UUID]order) {
	orders = make(map[uuid.UUID]order, len(ids))
	tx.Queue(`SELECT `+orderColumns+`, `+shareOfOrder+` FROM unnest($2::uuid[]) AS n(id)
		JOIN LATERAL (SELECT * FROM earning_order k WHERE k.tenant_id = $1 AND k.order_id = n.id LIMIT 1) o ON true`,
		tx.Tenant(), ids).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var r row
			if err := rows.Scan(append(r.ofOrder(), r.ofShare()...)...); err != nil {
				return err
			}
			o, err := r.read()
			if err != nil {
				return err
			}
			s, ok, err := r.readShare(programme.StandardCode)
			if err != nil {
				return err
			}
			if ok && o.CustomerID != uuid.Nil {
				o.Shares = append(o.Shares, s)
			}
			orders[o.ID] = o
		}
		return rows.Err()
	})
	tx.Queue(`SELECT s.order_id, s.programme, `+shareColumns+` FROM unnest($2::uuid[]) AS n(id)
		CROSS JOIN LATERAL (SELECT * FROM earning_share k WHERE k.tenant_id = $1 AND k.order_id = n.id ORDER BY k.programme OFFSET 0) s`,
		tx.Tenant(), ids).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var (
				r    row
				id   uuid.UUID
				code string
			)
			if err := rows.Scan(append([]any{&id, &code}, r.ofShare()...)...); err != nil {
				return err
			}
			s, _, err := r.readShare(code)
			if err != nil {
				return err
			}
			o := orders[id]
			o.Shares = append(o.Shares, s)
			orders[id] = o
		}
		return rows.Err()
	})
	return orders
}

// shareOfOrder is shareColumns of the order itself.
var shareOfOrder = strings.ReplaceAll(shareColumns, "s.", "o.")

// saveOrders queues the orders that were touched, new ones and others, as they are now, with what they earned in the standard
// programme. While the customer is not known, points is what the order is worth without any rule.
func saveOrders(tx *pg.Tx, orders map[uuid.UUID]order, touched map[uuid.UUID]bool) {
	n := len(touched)
	if n == 0 {
		return
	}
	ids, customers, currencies := make([]uuid.UUID, 0, n), make([]*uuid.UUID, 0, n), make([]string, 0, n)
	totals, returned, placed := make([]int64, 0, n), make([]int64, 0, n), make([]time.Time, 0, n)
	channels, units, lines := make([]string, 0, n), make([]int64, 0, n), make([]*string, 0, n)
	returns := make([]string, 0, n)
	shares := newShares(n)
	for id := range touched {
		o := orders[id]
		ids, currencies, totals, returned = append(ids, id), append(currencies, o.Currency), append(totals, o.TotalMinor), append(returned, o.ReturnedMinor)
		customers, placed, returns = append(customers, pg.OrNull(o.CustomerID)), append(placed, o.PlacedAt), append(returns, arrayText(o.Returns))
		channels, units, lines = append(channels, o.Channel), append(units, o.Units), append(lines, linesText(o.Lines))
		shares.add(o.standard())
	}
	tx.Queue(`INSERT INTO earning_order (tenant_id, order_id, customer_id, currency, total_minor, returned_minor, placed_at, returns,
			channel, units, lines, `+shareNames+`)
		SELECT $1, n.id, n.customer_id, n.currency, n.total, n.returned, n.placed_at, n.returns::uuid[], n.channel, n.units, n.lines, `+shareValues+`
		FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::bigint[], $7::timestamptz[], $8::text[], $9::text[], $10::bigint[], $11::jsonb[],
			$12::uuid[], $13::int[], $14::text[], $15::boolean[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[], $20::uuid[], $21::jsonb[])
			AS n(id, customer_id, currency, total, returned, placed_at, returns, channel, units, lines, `+shareNames+`)
		ORDER BY n.id
		ON CONFLICT (tenant_id, order_id) DO UPDATE SET customer_id = excluded.customer_id, returned_minor = excluded.returned_minor,
			returns = excluded.returns, `+shareChanges, append([]any{
		tx.Tenant(), ids, customers, currencies, totals, returned, placed, returns, channels, units, lines,
	}, shares.args()...)...)
}

// standard is what the order earned in the standard programme.
func (o order) standard() share {
	for _, s := range o.Shares {
		if s.Programme == programme.StandardCode {
			return s
		}
	}
	if o.CustomerID == uuid.Nil {
		return share{Points: o.Worth}
	}
	return share{}
}

const shareNames = `member_id, version, tier, first_purchase, points, taken_back, qualifying, qualifying_back, entry_id, outcome`

const shareChanges = `member_id = excluded.member_id, version = excluded.version, tier = excluded.tier, first_purchase = excluded.first_purchase,
	points = excluded.points, taken_back = excluded.taken_back, qualifying = excluded.qualifying, qualifying_back = excluded.qualifying_back,
	entry_id = excluded.entry_id, outcome = excluded.outcome`

var shareValues = strings.ReplaceAll("n."+shareNames, ", ", ", n.")

// shares are shares by columns, as sets of rows are written.
type shares struct {
	members, entries                         []*uuid.UUID
	versions                                 []int
	tiers                                    []string
	firsts                                   []*bool
	points, back, qualifying, qualifyingBack []int64
	outcomes                                 []*string
}

func newShares(n int) *shares {
	return &shares{
		members: make([]*uuid.UUID, 0, n), entries: make([]*uuid.UUID, 0, n), versions: make([]int, 0, n), tiers: make([]string, 0, n),
		firsts: make([]*bool, 0, n), points: make([]int64, 0, n), back: make([]int64, 0, n), qualifying: make([]int64, 0, n),
		qualifyingBack: make([]int64, 0, n), outcomes: make([]*string, 0, n),
	}
}

func (c *shares) add(s share) {
	c.members, c.entries = append(c.members, pg.OrNull(s.MemberID)), append(c.entries, pg.OrNull(s.EntryID))
	c.versions, c.tiers, c.firsts = append(c.versions, s.Version), append(c.tiers, s.Tier), append(c.firsts, s.First)
	c.points, c.back = append(c.points, s.Points), append(c.back, s.TakenBack)
	c.qualifying, c.qualifyingBack = append(c.qualifying, s.Qualifying), append(c.qualifyingBack, s.QualifyingBack)
	var text *string
	if s.Outcome != nil {
		if written, err := json.Marshal(s.Outcome); err == nil { // it has nothing that cannot be written
			one := string(written)
			text = &one
		}
	}
	c.outcomes = append(c.outcomes, text)
}

func (c *shares) args() []any {
	return []any{c.members, c.versions, c.tiers, c.firsts, c.points, c.back, c.qualifying, c.qualifyingBack, c.entries, c.outcomes}
}

// saveShares queues what the orders that were touched earned in other programmes than the standard one.
func saveShares(tx *pg.Tx, orders map[uuid.UUID]order, touched map[uuid.UUID]bool) {
	var (
		ids, customers []uuid.UUID
		codes          []string
		placed         []time.Time
		all            = newShares(0)
	)
	for id := range touched {
		o := orders[id]
		for _, s := range o.Shares {
			if s.Programme == programme.StandardCode {
				continue
			}
			ids, customers, codes, placed = append(ids, id), append(customers, o.CustomerID), append(codes, s.Programme), append(placed, o.PlacedAt)
			all.add(s)
		}
	}
	if len(ids) == 0 {
		return
	}
	tx.Queue(`INSERT INTO earning_share (tenant_id, order_id, customer_id, programme, placed_at, `+shareNames+`)
		SELECT $1, n.* FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::uuid[], $7::int[], $8::text[], $9::boolean[],
			$10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::uuid[], $15::jsonb[])
			AS n(id, customer_id, programme, placed_at, `+shareNames+`)
		ORDER BY n.id, n.programme
		ON CONFLICT (tenant_id, order_id, programme) DO UPDATE SET `+shareChanges,
		append([]any{tx.Tenant(), ids, customers, codes, placed}, all.args()...)...)
}

func saveReturns(tx *pg.Tx, back []returned) {
	n := len(back)
	if n == 0 {
		return
	}
	orders, ids, nos := make([]uuid.UUID, n), make([]uuid.UUID, n), make([]int, n)
	amounts, at := make([]int64, n), make([]time.Time, n)
	for i, b := range back {
		orders[i], ids[i], nos[i], amounts[i], at[i] = b.order, b.ID, b.no, b.AmountMinor, b.ReturnedAt
	}
	tx.Queue(`INSERT INTO earning_return (tenant_id, order_id, return_id, no, amount_minor, returned_at)
		SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::int[], $5::bigint[], $6::timestamptz[])`, tx.Tenant(), orders, ids, nos, amounts, at)
}

func saveCaps(tx *pg.Tx, uses []capUse) {
	n := len(uses)
	if n == 0 {
		return
	}
	members, caps, at := make([]uuid.UUID, n), make([]string, n), make([]time.Time, n)
	orders, points := make([]uuid.UUID, n), make([]int64, n)
	for i, u := range uses {
		members[i], caps[i], at[i], orders[i], points[i] = u.member, u.cap, u.placedAt, u.order, u.points
	}
	tx.Queue(`INSERT INTO earning_cap (tenant_id, member_id, cap, placed_at, order_id, points)
		SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::timestamptz[], $5::uuid[], $6::bigint[])`, tx.Tenant(), members, caps, at, orders, points)
}

// queueCaps queues the counting of windows of caps.
func queueCaps(tx *pg.Tx, windows []window) (kept map[window]int64) {
	kept = make(map[window]int64, len(windows))
	n := len(windows)
	if n == 0 {
		return kept
	}
	members, caps := make([]uuid.UUID, n), make([]string, n)
	from, until := make([]time.Time, n), make([]time.Time, n)
	for i, w := range windows {
		members[i], caps[i], from[i], until[i] = w.member, w.cap, w.from, w.until
	}
	tx.Queue(`SELECT n.no, c.points FROM unnest($2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[]) WITH ORDINALITY AS n(member_id, cap, since, until, no)
		CROSS JOIN LATERAL (SELECT coalesce(sum(k.points), 0)::bigint AS points FROM earning_cap k
			WHERE k.tenant_id = $1 AND k.member_id = n.member_id AND k.cap = n.cap AND k.placed_at >= n.since AND k.placed_at < n.until) c`,
		tx.Tenant(), members, caps, from, until).Query(func(rows pgx.Rows) error {
		var no, points int64
		_, err := pgx.ForEachRow(rows, []any{&no, &points}, func() error {
			kept[windows[no-1]] = points
			return nil
		})
		return err
	})
	return kept
}

// queueBirths queues the reading of customers' months of birth: what they said, or else what was said of whoever is the same
// customer.
func queueBirths(tx *pg.Tx, customers []uuid.UUID) (months map[uuid.UUID]int) {
	months = make(map[uuid.UUID]int, len(customers))
	if len(customers) == 0 {
		return months
	}
	tx.Queue(birthsOf, tx.Tenant(), customers).Query(func(rows pgx.Rows) error {
		var (
			id    uuid.UUID
			month int
		)
		_, err := pgx.ForEachRow(rows, []any{&id, &month}, func() error { months[id] = month; return nil })
		return err
	})
	return months
}

const birthsOf = `SELECT n.id, b.month FROM unnest($2::uuid[]) AS n(id)
	CROSS JOIN LATERAL (SELECT customer_group($1, n.id) AS ids OFFSET 0) g
	CROSS JOIN LATERAL (SELECT k.month FROM birthday_month k WHERE k.tenant_id = $1 AND k.customer_id = ANY (g.ids)
		ORDER BY k.customer_id <> n.id, k.at DESC LIMIT 1) b`

// queueBuyers queues the reading of whom customers' ids mean, and which of these had bought something.
func queueBuyers(tx *pg.Tx, customers []uuid.UUID) (roots map[uuid.UUID]uuid.UUID, buyers map[uuid.UUID]bool) {
	roots, buyers = make(map[uuid.UUID]uuid.UUID, len(customers)), make(map[uuid.UUID]bool)
	if len(customers) == 0 {
		return roots, buyers
	}
	tx.Queue(`SELECT n.id, customer_root($1, n.id), EXISTS (SELECT FROM earning_order o WHERE o.tenant_id = $1 AND o.customer_id = ANY (g.ids))
		FROM unnest($2::uuid[]) AS n(id) CROSS JOIN LATERAL (SELECT customer_group($1, n.id) AS ids OFFSET 0) g`, tx.Tenant(), customers).
		Query(func(rows pgx.Rows) error {
			var (
				id, root uuid.UUID
				has      bool
			)
			_, err := pgx.ForEachRow(rows, []any{&id, &root, &has}, func() error {
				roots[id] = root
				if has {
					buyers[root] = true
				}
				return nil
			})
			return err
		})
	return roots, buyers
}

// linesText writes lines in short; nil where none are known.
func linesText(lines []rule.Line) *string {
	if lines == nil {
		return nil
	}
	b := []byte{'['}
	for i, l := range lines {
		if i > 0 {
			b = append(b, ',')
		}
		sku, err := json.Marshal(l.SKU)
		if err != nil {
			sku = []byte(`""`)
		}
		b = append(append(b, '['), sku...)
		b = strconv.AppendInt(append(b, ','), l.Quantity, 10)
		b = append(strconv.AppendInt(append(b, ','), l.AmountMinor, 10), ']')
	}
	text := string(append(b, ']'))
	return &text
}

func readLines(text []byte) (lines []rule.Line, err error) {
	if text == nil {
		return nil, nil
	}
	var all [][3]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	lines = make([]rule.Line, len(all))
	for i, l := range all {
		if err := json.Unmarshal(l[0], &lines[i].SKU); err != nil {
			return nil, err
		}
		if lines[i].Quantity, err = strconv.ParseInt(string(l[1]), 10, 64); err != nil {
			return nil, err
		}
		if lines[i].AmountMinor, err = strconv.ParseInt(string(l[2]), 10, 64); err != nil {
			return nil, err
		}
	}
	return lines, nil
}

// arrayText writes ids as an array of PostgreSQL: a set of rows cannot have arrays of different lengths in one column.
func arrayText(ids []uuid.UUID) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(id.String())
	}
	b.WriteByte('}')
	return b.String()
}
