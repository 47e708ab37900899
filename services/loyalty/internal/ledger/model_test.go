package ledger_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/audit"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// model is a tenant whose ledger is held against the reference after everything that is done to it.
type model struct {
	*testing.T
	reference
	w      *loyaltytest.World
	ledger *ledger.Ledger
	sweep  *ledger.Expirer
	tenant string
	dice   *rand.Rand
	log    []string // what was done
	keys   int
	order  []*refMember
	earned []*refEarned
	spends []*refSpent
	merges map[uuid.UUID]int64 // how often customers were merged or restored
	past   []refPast
}

type refEarned struct {
	entry        uuid.UUID
	of           *refMember
	points, back int64 // given, and taken back since
}

type refSpent struct {
	entries  []uuid.UUID
	took     refSpend
	restored bool
}

// refPast is what a member had at a time, by its balance then.
type refPast struct {
	at time.Time
	of uuid.UUID
	member.Balance
}

// TestTheLedgerDoesWhatTheSimplestOneDoes does anything in any order to ledgers of several tenants at once, each under terms of
// its own, and holds balances, lots and entries against the reference after each step. GUANXI_TEST_SEED repeats a run,
// GUANXI_TEST_STEPS makes it longer.
func TestTheLedgerDoesWhatTheSimplestOneDoes(t *testing.T) {
	t.Parallel()
	seed, steps := uint64(time.Now().UnixNano()), 120
	if s, err := strconv.ParseUint(os.Getenv("GUANXI_TEST_SEED"), 10, 64); err == nil {
		seed = s
	}
	if n, err := strconv.Atoi(os.Getenv("GUANXI_TEST_STEPS")); err == nil {
		steps = n
	}
	w := loyaltytest.Start(t)
	for n, terms := range []string{
		`{}`,
		`{"expiry": {"kind": "months", "months": 1}}`,
		`{"expiry": {"kind": "year_end", "months": 1}}`,
		`{"expiry": {"kind": "inactivity", "months": 1}}`,
	} {
		t.Run(terms, func(t *testing.T) {
			t.Parallel()
			m := newModel(t, w, fmt.Sprint("tenant-", n), terms, rand.New(rand.NewPCG(seed, uint64(n))))
			defer func() {
				if t.Failed() {
					t.Logf("GUANXI_TEST_SEED=%d, what was done:\n%s", seed, strings.Join(m.log, "\n"))
				}
			}()
			for range steps {
				m.step()
				m.compare()
			}
			m.end()
		})
	}
}

func newModel(t *testing.T, w *loyaltytest.World, tenant, terms string, dice *rand.Rand) *model {
	t.Helper()
	m := &model{T: t, w: w, tenant: tenant, dice: dice, merges: make(map[uuid.UUID]int64)}
	m.admin(`INSERT INTO programme (tenant_id, code, name, zone, by_subject, created_at) VALUES ($1, 'standard', 'Standard', 'Asia/Shanghai', 'test', now())`, tenant)
	m.admin(`INSERT INTO programme_version (tenant_id, programme, no, id, effective_from, terms, by_subject, created_at)
		VALUES ($1, 'standard', 1, gen_random_uuid(), '2020-01-01', $2, 'test', now())`, tenant, terms)
	// The days of the model are all to come: what the service does by itself, by the true time, finds nothing to do.
	m.reference = reference{
		now: time.Now().UTC().Truncate(time.Microsecond).AddDate(0, 1, 0), members: make(map[uuid.UUID]*refMember), root: make(map[uuid.UUID]uuid.UUID),
	}
	m.ledger = ledger.New(w.DB, outbox.New("loyalty"), func() time.Time { return m.now })
	m.sweep = ledger.NewExpirer(m.ledger, w.Database.DB(pg.Ops), slog.New(slog.DiscardHandler), "test")
	members := member.New(w.DB, outbox.New("loyalty"), func() time.Time { return m.now })
	for range 3 {
		seen, _, err := members.Enrol(m.ctx(""), uuid.Must(uuid.NewV7()), programme.StandardCode, "test")
		if err != nil {
			t.Fatal(err)
		}
		one := &refMember{id: seen.ID, customer: seen.CustomerID, state: member.Active, enrolled: seen.EnrolledAt}
		m.members[seen.ID] = one
		m.order = append(m.order, one)
	}
	m.tx(func(tx *pg.Tx) error {
		book := programme.BookOf(tx)
		if err := tx.Flush(t.Context()); err != nil {
			return err
		}
		var ok bool
		if m.rules, ok = book.At(programme.StandardCode, m.now); !ok || m.rules.Version != 1 {
			t.Fatal("the terms are not there")
		}
		return nil
	})
	return m
}

// ctx is that of a request with a key; without one where it is empty.
func (m *model) ctx(key string) context.Context {
	ctx := auth.With(m.Context(), auth.Principal{Subject: "somebody", Tenant: m.tenant})
	if key != "" {
		ctx = pg.WithOnce(ctx, pg.Once{Subject: "somebody", Operation: "test", Key: key, BodyHash: []byte(key)})
	}
	return ctx
}

func (m *model) tx(do func(tx *pg.Tx) error) {
	m.Helper()
	if err := m.w.DB.Tx(m.Context(), m.tenant, do); err != nil {
		m.Fatal(err)
	}
}

// admin carries out a statement as the superuser.
func (m *model) admin(sql string, args ...any) {
	m.Helper()
	conn, err := pgx.Connect(m.Context(), m.w.Database.AdminURL())
	if err == nil {
		_, err = conn.Exec(m.Context(), sql, args...)
		_ = conn.Close(m.Context())
	}
	if err != nil {
		m.Fatal(err)
	}
}

func (m *model) did(format string, args ...any) {
	m.log = append(m.log, m.now.Format(time.RFC3339)+" "+fmt.Sprintf(format, args...))
}

func pick[T any](dice *rand.Rand, from []T) T { return from[dice.IntN(len(from))] }

// compare holds what stands in the database against the reference. What has run out, or become free, and was not touched since
// is put right first: nobody may see a difference.
func (m *model) compare() {
	m.Helper()
	var rows []string
	m.tx(func(tx *pg.Tx) error {
		found, err := member.FindAll(m.Context(), tx, []uuid.UUID{m.order[0].id, m.order[1].id, m.order[2].id})
		if err != nil {
			return err
		}
		lots := ledger.QueueLots(tx, nil, m.lotIDs(), 0)
		if err := tx.Flush(m.Context()); err != nil {
			return err
		}
		for _, f := range found {
			m.compareMember(ledger.Account{Member: f}, m.members[f.ID], lots.Of(f.ID))
			m.past = append(m.past, refPast{m.now, f.ID, f.Balance})
		}
		rows, err = m.read(tx)
		return err
	})
	want := slices.Clone(m.rows)
	slices.Sort(want)
	slices.Sort(rows)
	if !slices.Equal(rows, want) {
		m.Fatalf("after %s:\nentries\n%s\nwant\n%s", m.log[len(m.log)-1], strings.Join(rows, "\n"), strings.Join(want, "\n"))
	}
}

func (m *model) lotIDs() (ids []uuid.UUID) {
	for _, one := range m.order {
		for _, l := range one.lots {
			ids = append(ids, l.id)
		}
	}
	return ids
}

func (m *model) compareMember(a ledger.Account, want *refMember, lots []ledger.Lot) {
	m.Helper()
	last := "nothing"
	if len(m.log) > 0 {
		last = m.log[len(m.log)-1]
	}
	sums := map[bool]int64{}
	byID := make(map[uuid.UUID]ledger.Lot)
	for _, l := range lots {
		sums[l.Released] += l.Remaining
		if end := a.RunsOut(l, m.rules); l.Remaining > 0 && !end.IsZero() && !m.now.Before(end) {
			l.Expired, l.Remaining = l.Expired+l.Remaining, 0
		}
		byID[l.ID] = l
	}
	if a.Available != sums[true] || a.Pending != sums[false] || a.Debt != want.debt || a.Debt > 0 && a.Available+a.Pending > 0 {
		m.Fatalf("after %s: %s has %+v, lots %v, and owes %d", last, a.ID, a.Balance, sums, want.debt)
	}
	if len(lots) != len(want.lots) || !a.ActiveAt.Equal(want.active) {
		m.Fatalf("after %s: %s has %d lots and was active at %s, want %d and %s", last, a.ID, len(lots), a.ActiveAt, len(want.lots), want.active)
	}
	for _, l := range want.lots {
		got := byID[l.id]
		same := got.Points == l.points && got.Remaining == l.left && got.Expired == l.expired && got.Waived == l.waived && got.AvailableAt.Equal(l.free)
		if !same || l.left > 0 && !got.ExpiresAt.Equal(l.expires) {
			m.Fatalf("after %s: lot %+v, want %+v", last, got, *l)
		}
	}
}

// read gives the entries as the reference writes them, but for those that say what time did.
func (m *model) read(tx *pg.Tx) (rows []string, err error) {
	found, err := tx.Query(m.Context(), `SELECT e.member_id, e.kind, CASE e.kind WHEN 'earn' THEN -issued WHEN 'reversal' THEN issued WHEN 'spend' THEN redeemed
			WHEN 'restore' THEN -redeemed ELSE -adjusted END, -debt, waived, coalesce(u.uses, '')
		FROM ledger_entry e LEFT JOIN LATERAL (SELECT string_agg(lot_id || ':' || points, ' ' ORDER BY lot_id || ':' || points) AS uses
			FROM lot_use WHERE tenant_id = e.tenant_id AND entry_id = e.id) u ON true
		WHERE e.tenant_id = $1 AND e.kind NOT IN ('release', 'expiry')`, m.tenant)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(found, func(row pgx.CollectableRow) (string, error) {
		var (
			of                   uuid.UUID
			kind, uses           string
			points, debt, waived int64
		)
		err := row.Scan(&of, &kind, &points, &debt, &waived, &uses)
		return fmt.Sprintf("%s %s %d debt %d waived %d [%s]", of, kind, points, debt, waived, uses), err
	})
}

// end asks for balances of the past, has the auditor check everything, and adds up.
func (m *model) end() {
	m.Helper()
	m.now = m.now.Add(time.Second)
	for range 20 {
		p := pick(m.dice, m.past)
		then, err := m.ledger.Balance(m.ctx(""), p.of, p.at)
		if err != nil || then.Balance != p.Balance {
			m.Fatalf("at %s %s had %+v, now it is said to have had %+v (%v)", p.at, p.of, p.Balance, then.Balance, err)
		}
	}
	report, err := audit.New(m.w.DB, m.w.Database.DB(pg.Ops), time.Now).Check(m.ctx(""))
	if err != nil || !report.OK() || report.Members != 3 {
		m.Fatalf("%+v %v", report, err)
	}
	s, err := m.ledger.Summary(m.ctx(""))
	if err != nil || s.Earned-s.Reversed-s.Spent+s.Restored-s.Expired+s.Adjusted != s.Available+s.Pending-s.Debt || s.LedgerSum != 0 || s.Members != 3 {
		m.Fatalf("%+v %v", s, err)
	}
	m.Logf("%d rows; earned %d, reversed %d, spent %d, restored %d, expired %d, adjusted %d", len(m.rows), s.Earned, s.Reversed, s.Spent, s.Restored,
		s.Expired, s.Adjusted)
}
