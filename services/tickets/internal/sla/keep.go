package sla

import (
	"slices"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/pg"
	ticketsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/tickets/events/v1"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/calendar"
)

// Subject is the ticket that measurements are of, as far as they are kept and told with it.
type Subject struct {
	TicketID   uuid.UUID
	Number     string    // T-000123
	CustomerID uuid.UUID // Nil where nobody is known
	Agent      string    // who has it now: what is done now counts for them
	Queue      string
	Closed     bool // the verdicts stand from now on
	Policy     Policy
	Calendar   calendar.Calendar
}

// Measured is a ticket with its measurements.
type Measured struct {
	Subject
	All []Measurement
}

// Keep queues that the measurements which ended are kept for reports, and when the next step of the others is to be told.
// Every command that changes a ticket's history calls it, with the ticket locked. The ticket keeps what Next gives.
func Keep(tx *pg.Tx, s Subject, all []Measurement) {
	KeepAll(tx, []Measured{{s, all}}, false)
}

// KeepAll is Keep for many tickets at once. Verdicts of closed tickets change only where they are asked for anew.
func KeepAll(tx *pg.Tx, tickets []Measured, anew bool) {
	if len(tickets) > 0 {
		keepEnded(tx, tickets, anew)
		keepAlarms(tx, tickets)
	}
}

// KeepAlarms is KeepAll for tickets of which nothing ended, or all that did is kept as it is.
func KeepAlarms(tx *pg.Tx, tickets []Measured) {
	if len(tickets) > 0 {
		keepAlarms(tx, tickets)
	}
}

// keepEnded queues the measurements that ended, and takes back those that go on after all, or are no longer made: the ticket
// was reopened, or classified anew.
func keepEnded(tx *pg.Tx, tickets []Measured, anew bool) {
	var n int
	for _, t := range tickets {
		n += len(t.All)
	}
	var (
		id, policy, calendars                          = make([]uuid.UUID, 0, n), make([]uuid.UUID, 0, n), make([]*uuid.UUID, 0, n)
		clock, state, agent, queue                     = make([]string, 0, n), make([]string, 0, n), make([]string, 0, n), make([]string, 0, n)
		round, priority                                = make([]int32, 0, n), make([]int32, 0, n)
		version, calendarVersion, target, used, differ = make([]int64, 0, n), make([]int64, 0, n), make([]int64, 0, n), make([]int64, 0, n), make([]int64, 0, n)
		started, ended                                 = make([]time.Time, 0, n), make([]time.Time, 0, n)
		due, done                                      = make([]*time.Time, 0, n), make([]*time.Time, 0, n)
		final                                          = make([]bool, 0, n)
		all                                            = make([]uuid.UUID, 0, len(tickets))
	)
	for _, t := range tickets {
		all = append(all, t.TicketID)
		for _, m := range t.All {
			if m.Ended.IsZero() {
				continue
			}
			id, policy, calendars = append(id, t.TicketID), append(policy, t.Policy.ID), append(calendars, pg.OrNull(t.Calendar.ID))
			clock, state, agent, queue = append(clock, string(m.Clock)), append(state, string(m.State)), append(agent, t.Agent), append(queue, t.Queue)
			round, priority = append(round, int32(m.Round)), append(priority, int32(m.Priority))
			version, calendarVersion = append(version, t.Policy.Version), append(calendarVersion, t.Calendar.Version)
			target, used, differ = append(target, seconds(m.Target)), append(used, seconds(m.Used)), append(differ, seconds(m.Difference))
			started, ended = append(started, m.Started), append(ended, m.Ended)
			due, done = append(due, pg.OrNull(m.Due)), append(done, pg.OrNull(m.Done))
			final = append(final, t.Closed)
		}
	}
	tx.Queue(`DELETE FROM sla_measurement m WHERE m.tenant_id = $1 AND m.ticket_id = ANY($2::uuid[]) AND (NOT m.final OR $6)
		AND NOT EXISTS (SELECT FROM unnest($3::uuid[], $4::text[], $5::int[]) AS e(id, clock, round)
			WHERE e.id = m.ticket_id AND e.clock = m.clock AND e.round = m.round)`, tx.Tenant(), all, id, clock, round, anew)
	if len(id) == 0 {
		return
	}
	tx.Queue(`INSERT INTO sla_measurement AS m (tenant_id, ticket_id, clock, round, state, policy_id, policy_version, calendar_id, calendar_version,
			priority, agent, queue, started_at, due_at, done_at, ended_at, target_seconds, used_seconds, difference_seconds, final)
		SELECT $1, u.* FROM unnest($2::uuid[], $3::text[], $4::int[], $5::text[], $6::uuid[], $7::bigint[], $8::uuid[], $9::bigint[], $10::int[],
			$11::text[], $12::text[], $13::timestamptz[], $14::timestamptz[], $15::timestamptz[], $16::timestamptz[], $17::bigint[], $18::bigint[],
			$19::bigint[], $20::bool[]) AS u
		ON CONFLICT (tenant_id, ticket_id, clock, round) DO UPDATE SET state = excluded.state, policy_id = excluded.policy_id,
			policy_version = excluded.policy_version, calendar_id = excluded.calendar_id, calendar_version = excluded.calendar_version,
			priority = excluded.priority,
			agent = CASE WHEN m.ended_at = excluded.ended_at THEN m.agent ELSE excluded.agent END,
			queue = CASE WHEN m.ended_at = excluded.ended_at THEN m.queue ELSE excluded.queue END,
			started_at = excluded.started_at, due_at = excluded.due_at, done_at = excluded.done_at, ended_at = excluded.ended_at,
			target_seconds = excluded.target_seconds, used_seconds = excluded.used_seconds, difference_seconds = excluded.difference_seconds,
			final = excluded.final
		WHERE $21 OR NOT m.final AND (m.state, m.policy_id, m.policy_version, m.priority, m.due_at, m.ended_at, m.target_seconds, m.used_seconds, m.final)
			IS DISTINCT FROM (excluded.state, excluded.policy_id, excluded.policy_version, excluded.priority, excluded.due_at, excluded.ended_at,
				excluded.target_seconds, excluded.used_seconds, excluded.final)`,
		tx.Tenant(), id, clock, round, state, policy, version, calendars, calendarVersion, priority, agent, queue, started, due, done, ended,
		target, used, differ, final, anew)
}

// keepAlarms queues when the next step of each ticket is to be told: the earliest that was not told, also where that has
// passed already.
func keepAlarms(tx *pg.Tx, tickets []Measured) {
	var ids []uuid.UUID
	var clocks []string
	var rounds, percents []int
	var at []*time.Time
	add := func(id uuid.UUID, clock Clock, round, percent int, tell *time.Time) {
		ids, clocks, rounds = append(ids, id), append(clocks, string(clock)), append(rounds, round)
		percents, at = append(percents, percent), append(at, tell)
	}
	for _, t := range tickets {
		foreseen := false
		for _, m := range t.All {
			for _, s := range m.Steps {
				if !s.At.IsZero() {
					tell := s.Tell()
					add(t.TicketID, m.Clock, m.Round, s.Percent, &tell)
					foreseen = true
				}
			}
		}
		if !foreseen {
			add(t.TicketID, "", 0, 0, nil)
		}
	}
	// What was told is looked up by its key, step by step, whatever the planner was told of the table.
	tx.Queue(`INSERT INTO sla_alarm AS a (tenant_id, ticket_id, at)
		SELECT $1, s.id, min(s.at) FILTER (WHERE s.percent > coalesce(t.percent, 0))
		FROM unnest($2::uuid[], $3::text[], $4::int[], $5::int[], $6::timestamptz[]) AS s(id, clock, round, percent, at)
		LEFT JOIN LATERAL (SELECT percent FROM sla_told
			WHERE tenant_id = $1 AND ticket_id = s.id AND clock = s.clock AND round = s.round OFFSET 0) t ON true
		GROUP BY s.id ORDER BY s.id
		ON CONFLICT (tenant_id, ticket_id) DO UPDATE SET at = excluded.at WHERE a.at IS DISTINCT FROM excluded.at`,
		tx.Tenant(), ids, clocks, rounds, percents, at)
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// Met gives an SLAMet for each measurement that is done after a change and was not before, or has another verdict. They go
// on the ticket's stream.
func Met(s Subject, before, after []Measurement) []proto.Message {
	var told []proto.Message
	for _, m := range after {
		if m.Done.IsZero() {
			continue
		}
		known := slices.ContainsFunc(before, func(b Measurement) bool {
			return b.Clock == m.Clock && b.Round == m.Round && b.Done.Equal(m.Done) && b.State == m.State
		})
		if known {
			continue
		}
		told = append(told, &ticketsv1.SLAMet{
			TicketId: s.TicketID.String(), Number: s.Number, CustomerId: text(s.CustomerID), Clock: string(m.Clock), Round: int32(m.Round),
			PolicyId: s.Policy.ID.String(), PolicyVersion: s.Policy.Version, TargetSeconds: seconds(m.Target), DueAt: stamp(m.Due),
			DoneAt: timestamppb.New(m.Done), Met: m.State == IsMet, DifferenceSeconds: seconds(m.Difference),
		})
	}
	return told
}

// Warning gives the event of a step that was reached; of 100 %, that the deadline passed.
func Warning(s Subject, m Measurement, r Reach) proto.Message {
	if r.Percent == 100 {
		return &ticketsv1.SLABreached{
			TicketId: s.TicketID.String(), Number: s.Number, CustomerId: text(s.CustomerID), Clock: string(m.Clock), Round: int32(m.Round),
			PolicyId: s.Policy.ID.String(), PolicyVersion: s.Policy.Version, TargetSeconds: seconds(m.Target), DueAt: stamp(r.At),
		}
	}
	return &ticketsv1.SLAWarning{
		TicketId: s.TicketID.String(), Number: s.Number, CustomerId: text(s.CustomerID), Clock: string(m.Clock), Round: int32(m.Round),
		PolicyId: s.Policy.ID.String(), PolicyVersion: s.Policy.Version, TargetSeconds: seconds(m.Target), Percent: int32(r.Percent),
		DueAt: stamp(m.Due), WarnedAt: timestamppb.New(r.At),
	}
}

func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func text(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}
