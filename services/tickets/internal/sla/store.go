package sla

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/calendar"
)

// errNotFound is the same for a policy that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "sla_policy_not_found", "There is no such service level policy.")

// nameIndex is the constraint that lets a name stand once among the policies that pick tickets.
const nameIndex = "sla_policy_by_name"

// externalIndex is the constraint that lets an external id stand once among them.
const externalIndex = "sla_policy_by_external_id"

// definition is a version of a policy as it is kept. A field that is missing has its zero value.
type definition struct {
	Name       string             `json:"name"`
	Position   int                `json:"position"`
	Condition  string             `json:"condition"`
	CalendarID uuid.UUID          `json:"calendar_id"`
	Targets    [5][3]int64        `json:"targets"` // seconds by priority: first response, next response, resolution
	Pausing    map[Clock][]string `json:"pausing"`
	Reopening  Reopening          `json:"reopening"`
	Steps      []definedStep      `json:"steps"`
}

type definedStep struct {
	Clock   Clock  `json:"clock"`
	Percent int    `json:"percent"`
	Action  Action `json:"action"`
	Queue   string `json:"queue"`
}

func defined(p Policy) definition {
	d := definition{Name: p.Name, Position: p.Position, Condition: p.Condition, CalendarID: p.CalendarID, Pausing: p.Pausing, Reopening: p.Reopening}
	for i, t := range p.Targets {
		d.Targets[i] = [3]int64{int64(t.FirstResponse / time.Second), int64(t.NextResponse / time.Second), int64(t.Resolution / time.Second)}
	}
	for _, s := range p.Steps {
		d.Steps = append(d.Steps, definedStep(s))
	}
	return d
}

// kept is a version of a policy as it was read.
type kept struct {
	id      uuid.UUID
	version int64
	raw     []byte
}

func (k kept) policy() (Policy, error) {
	var d definition
	if err := json.Unmarshal(k.raw, &d); err != nil {
		return Policy{}, fmt.Errorf("service level policy %s, version %d: %w", k.id, k.version, err)
	}
	p := Policy{
		ID: k.id, Version: k.version, Name: d.Name, Position: d.Position, Condition: d.Condition, CalendarID: d.CalendarID, Pausing: d.Pausing,
		Reopening: d.Reopening, Steps: []Step{},
	}
	for i, t := range d.Targets {
		p.Targets[i] = Targets{time.Duration(t[0]) * time.Second, time.Duration(t[1]) * time.Second, time.Duration(t[2]) * time.Second}
	}
	for _, s := range d.Steps {
		p.Steps = append(p.Steps, Step(s))
	}
	return p, nil
}

// Book is what a tenant promises at one moment. It is filled by the next round trip of the transaction.
type Book struct {
	calendars *calendar.Book
	present   []kept // in their order
	held      *kept
}

// lockKey is the advisory lock that whoever changes a tenant's policies holds alone, and whoever chooses one together with
// others: so no ticket is opened by a version that was corrected meanwhile.
const lockKey = `hashtextextended('sla_policy' || chr(31) || $1, 0)`

// lock queues that nobody chooses among the tenant's policies, or changes them, until the transaction ends.
func lock(tx *pg.Tx) { tx.Queue(`SELECT pg_advisory_xact_lock(`+lockKey+`)`, tx.Tenant()) }

// Read queues the search for the present policies and the calendars of the transaction's tenant: no round trip of its own.
// Choose works after the next one.
func Read(tx *pg.Tx) *Book {
	b := &Book{calendars: calendar.All(tx)}
	tx.Queue(`SELECT pg_advisory_xact_lock_shared(`+lockKey+`)`, tx.Tenant())
	tx.Queue(`SELECT p.id, p.version, v.definition FROM sla_policy p
		JOIN sla_policy_version v ON v.tenant_id = p.tenant_id AND v.policy_id = p.id AND v.version = p.version
		WHERE p.tenant_id = $1 AND NOT p.archived ORDER BY p.position, p.id`, tx.Tenant()).Query(func(rows pgx.Rows) (err error) {
		b.present, err = collect(rows)
		return err
	})
	return b
}

// ReadOf queues the search for the policy by which the ticket is measured, ticket.policy_id in the version
// ticket.policy_version, and for the calendars: no round trip of its own. Queue it after the ticket's lock. Held works after
// the next round trip; Choose finds no policy.
func ReadOf(tx *pg.Tx, ticket uuid.UUID) *Book {
	b := &Book{calendars: calendar.All(tx)}
	b.hold(tx, ticket)
	return b
}

// ReadBoth is Read and ReadOf, for a ticket that is classified anew.
func ReadBoth(tx *pg.Tx, ticket uuid.UUID) *Book {
	b := Read(tx)
	b.hold(tx, ticket)
	return b
}

func (b *Book) hold(tx *pg.Tx, ticket uuid.UUID) {
	tx.Queue(`SELECT v.policy_id, v.version, v.definition FROM ticket t
		JOIN sla_policy_version v ON v.tenant_id = t.tenant_id AND v.policy_id = t.policy_id AND v.version = t.policy_version
		WHERE t.tenant_id = $1 AND t.id = $2`, tx.Tenant(), ticket).Query(func(rows pgx.Rows) error {
		found, err := collect(rows)
		if len(found) > 0 {
			b.held = &found[0]
		}
		return err
	})
}

func collect(rows pgx.Rows) ([]kept, error) {
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (k kept, err error) { return k, row.Scan(&k.id, &k.version, &k.raw) })
}

// Choose gives the first policy that fits the facts, with its calendar; the zero Policy where none does.
func (b *Book) Choose(f Facts) (Policy, calendar.Calendar) {
	for _, k := range b.present {
		p, err := k.policy()
		if err != nil {
			continue // was checked when it was written
		}
		if chosen, fits := Choose([]Policy{p}, f); fits {
			return chosen, b.CalendarOf(chosen)
		}
	}
	return Policy{}, calendar.Always()
}

// Held gives the policy by which the ticket of ReadOf is measured, with its calendar; the zero Policy where there is none.
func (b *Book) Held() (Policy, calendar.Calendar) {
	if b.held == nil {
		return Policy{}, calendar.Always()
	}
	p, err := b.held.policy()
	if err != nil {
		return Policy{}, calendar.Always()
	}
	return p, b.CalendarOf(p)
}

// CalendarOf gives the calendar by which a policy reckons, as it is at present.
func (b *Book) CalendarOf(p Policy) calendar.Calendar {
	c, ok := b.calendars.Calendar(p.CalendarID)
	if !ok {
		return calendar.Always()
	}
	return c
}

// Reference names a version of a policy.
type Reference struct {
	ID      uuid.UUID
	Version int64
}

// Versions gives versions of policies of the transaction's tenant: one round trip.
func Versions(ctx context.Context, tx *pg.Tx, wanted []Reference) (map[Reference]Policy, error) {
	ids, versions := make([]uuid.UUID, len(wanted)), make([]int64, len(wanted))
	for i, w := range wanted {
		ids[i], versions[i] = w.ID, w.Version
	}
	rows, err := tx.Query(ctx, `SELECT v.policy_id, v.version, v.definition FROM unnest($2::uuid[], $3::bigint[]) AS w(id, version)
		JOIN sla_policy_version v ON v.tenant_id = $1 AND v.policy_id = w.id AND v.version = w.version`, tx.Tenant(), ids, versions)
	if err != nil {
		return nil, err
	}
	all, err := collect(rows)
	if err != nil {
		return nil, err
	}
	found := make(map[Reference]Policy, len(all))
	for _, k := range all {
		p, err := k.policy()
		if err != nil {
			return nil, err
		}
		found[Reference{k.id, k.version}] = p
	}
	return found, nil
}

// Stored is a policy with how it is kept.
type Stored struct {
	Policy
	Archived   bool
	Correction bool // open tickets of the versions before went over to this version
	Managed
	By string
	At time.Time
}

const storedColumns = `v.policy_id, v.version, v.definition, p.archived, v.correction, p.managed_by, p.external_id, v.by_subject, v.at`

func scanStored(row pgx.CollectableRow) (Stored, error) {
	var k kept
	var s Stored
	err := row.Scan(&k.id, &k.version, &k.raw, &s.Archived, &s.Correction, &s.ManagedBy, &s.ExternalID, &s.By, &s.At)
	if err == nil {
		s.Policy, err = k.policy()
	}
	return s, err
}

// get gives a policy as it is at present, or errNotFound.
func get(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Stored, error) {
	rows, err := tx.Query(ctx, `SELECT `+storedColumns+` FROM sla_policy p
		JOIN sla_policy_version v ON v.tenant_id = p.tenant_id AND v.policy_id = p.id AND v.version = p.version
		WHERE p.tenant_id = $1 AND p.id = $2`, tx.Tenant(), id)
	if err != nil {
		return Stored{}, err
	}
	s, err := pgx.CollectExactlyOneRow(rows, scanStored)
	if errors.Is(err, pgx.ErrNoRows) {
		return Stored{}, errNotFound
	}
	return s, err
}

// present gives the policies that pick tickets, in their order.
func present(ctx context.Context, tx *pg.Tx) ([]Stored, error) {
	rows, err := tx.Query(ctx, `SELECT `+storedColumns+` FROM sla_policy p
		JOIN sla_policy_version v ON v.tenant_id = p.tenant_id AND v.policy_id = p.id AND v.version = p.version
		WHERE p.tenant_id = $1 AND NOT p.archived ORDER BY p.position, p.id`, tx.Tenant())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanStored)
}

// versions gives up to limit versions of a policy before one, the latest first; none where there is no such policy.
func versions(ctx context.Context, tx *pg.Tx, id uuid.UUID, before int64, limit int) ([]Stored, error) {
	rows, err := tx.Query(ctx, `SELECT `+storedColumns+` FROM sla_policy_version v
		JOIN sla_policy p ON p.tenant_id = v.tenant_id AND p.id = v.policy_id
		WHERE v.tenant_id = $1 AND v.policy_id = $2 AND v.version < $3 ORDER BY v.version DESC LIMIT $4`, tx.Tenant(), id, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanStored)
}

// count counts the policies that pick tickets.
func count(ctx context.Context, tx *pg.Tx) (n int, err error) {
	err = tx.QueryRow(ctx, `SELECT count(*) FROM sla_policy WHERE tenant_id = $1 AND NOT archived`, tx.Tenant()).Scan(&n)
	return n, err
}

// save queues a policy in a version that is new.
func save(tx *pg.Tx, s Stored) error {
	raw, err := json.Marshal(defined(s.Policy))
	if err != nil {
		return err
	}
	tx.Queue(`INSERT INTO sla_policy (tenant_id, id, version, name, position, archived, created_at, managed_by, external_id)
		VALUES ($1, $2, $3, $4, $5, false, $6, $7, $8)
		ON CONFLICT (tenant_id, id) DO UPDATE SET version = excluded.version, name = excluded.name, position = excluded.position,
			managed_by = excluded.managed_by, external_id = excluded.external_id`,
		tx.Tenant(), s.ID, s.Version, s.Name, s.Position, s.At, s.ManagedBy, s.ExternalID)
	tx.Queue(`INSERT INTO sla_policy_version (tenant_id, policy_id, version, definition, correction, by_subject, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, tx.Tenant(), s.ID, s.Version, raw, s.Correction, s.By, s.At)
	return nil
}

// correct queues that open tickets measured by any version of the policy go over to the present one.
func correct(tx *pg.Tx, id uuid.UUID, s Stored) {
	tx.Queue(`INSERT INTO sla_recomputation (tenant_id, id, cause, tickets, policy_id, by_default, correction, reason, by_subject, asked_at, looked_at, changed)
		VALUES ($1, $2, 'policy', 'open', $3, false, true, 'policy_corrected', $4, $5, 0, 0)`, tx.Tenant(), id, s.ID, s.By, s.At)
}

// archive queues that a policy picks no ticket any more.
func archive(tx *pg.Tx, id uuid.UUID) {
	tx.Queue(`UPDATE sla_policy SET archived = true WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), id)
}

// release queues that people may change a policy again.
func release(tx *pg.Tx, id uuid.UUID) {
	tx.Queue(`UPDATE sla_policy SET managed_by = '', external_id = '' WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), id)
}

// Standing is how a customer stands with the tenant. Both are codes; empty where nothing is known.
type Standing struct{ Grade, Tier string }

// StandingOf queues the search for a customer's standing, grade and tier each for itself: of one who was merged, what was told of
// whom the id means now, or else what was told last of all ids that mean the same. It is there after the next round trip.
func StandingOf(tx *pg.Tx, customer uuid.UUID) *Standing {
	found := &Standing{}
	if customer == uuid.Nil {
		return found
	}
	tx.Queue(`WITH ids AS MATERIALIZED (SELECT customer_group($1, $2) AS all_of), told AS MATERIALIZED (
			SELECT s.grade, s.tier, s.customer_id = ids.all_of[1] AS own, coalesce(s.grade_at, s.set_at) AS grade_at, coalesce(s.tier_at, s.set_at) AS tier_at
			FROM ids, customer_standing s WHERE s.tenant_id = $1 AND s.customer_id = ANY ((SELECT all_of FROM ids)::uuid[]))
		SELECT coalesce((SELECT grade FROM told WHERE isfinite(grade_at) ORDER BY own DESC, grade_at DESC LIMIT 1), ''),
			coalesce((SELECT tier FROM told WHERE isfinite(tier_at) ORDER BY own DESC, tier_at DESC LIMIT 1), '')`, tx.Tenant(), customer).
		QueryRow(func(row pgx.Row) error { return row.Scan(&found.Grade, &found.Tier) })
	return found
}

// saveStanding queues what somebody says of grade and tier now, whatever was told before.
func saveStanding(tx *pg.Tx, customer uuid.UUID, s Standing, at time.Time) {
	tx.Queue(`INSERT INTO customer_standing AS s (tenant_id, customer_id, grade, tier, set_at, grade_at, tier_at) VALUES ($1, $2, $3, $4, $5, $5, $5)
		ON CONFLICT (tenant_id, customer_id) DO UPDATE SET grade = excluded.grade, tier = excluded.tier, set_at = excluded.set_at,
			grade_at = greatest(excluded.grade_at, s.grade_at), tier_at = greatest(excluded.tier_at, s.tier_at)`,
		tx.Tenant(), customer, s.Grade, s.Tier, at)
}

// saveTold queues what other services tell: of each customer a grade, a tier, or both, unless something later was told of that. What
// nothing was ever told of is as of before all time.
func saveTold(tx *pg.Tx, told []Told) {
	n := len(told)
	if n == 0 {
		return
	}
	customers, grades, tiers := make([]uuid.UUID, n), make([]string, n), make([]string, n)
	gradesAt, tiersAt := make([]*time.Time, n), make([]*time.Time, n)
	for i, t := range told {
		customers[i], grades[i], tiers[i] = t.Customer, t.Grade, t.Tier
		if !t.GradeAt.IsZero() {
			gradesAt[i] = &told[i].GradeAt
		}
		if !t.TierAt.IsZero() {
			tiersAt[i] = &told[i].TierAt
		}
	}
	tx.Queue(`INSERT INTO customer_standing AS s (tenant_id, customer_id, grade, tier, set_at, grade_at, tier_at)
		SELECT $1, n.customer_id, n.grade, n.tier, greatest(n.grade_at, n.tier_at), coalesce(n.grade_at, '-infinity'), coalesce(n.tier_at, '-infinity')
		FROM unnest($2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[]) AS n(customer_id, grade, tier, grade_at, tier_at)
		ORDER BY n.customer_id
		ON CONFLICT (tenant_id, customer_id) DO UPDATE SET
			grade = CASE WHEN excluded.grade_at >= coalesce(s.grade_at, s.set_at) THEN excluded.grade ELSE s.grade END,
			tier = CASE WHEN excluded.tier_at >= coalesce(s.tier_at, s.set_at) THEN excluded.tier ELSE s.tier END,
			grade_at = greatest(excluded.grade_at, coalesce(s.grade_at, s.set_at)), tier_at = greatest(excluded.tier_at, coalesce(s.tier_at, s.set_at)),
			set_at = greatest(excluded.set_at, s.set_at)`,
		tx.Tenant(), customers, grades, tiers, gradesAt, tiersAt)
}

// Erase takes away how the customers stand.
func Erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]erasure.Erased, error) {
	tag, err := tx.ExecNow(ctx, `DELETE FROM customer_standing WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[])`, tx.Tenant(), customers)
	return []erasure.Erased{{What: "customer_standing", Count: tag.RowsAffected()}}, err
}
