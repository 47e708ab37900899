package opportunity

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/businesstime"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
	"github.com/guanxi-crm/guanxi/services/sales/internal/team"
)

// Kind is what somebody is asked for about an opportunity that stalled.
type Kind string

// The kinds, in the order in which they are asked.
const (
	Remind       Kind = "remind"        // whoever sells: go on with it
	Escalate     Kind = "escalate"      // the lead of the team: look after it
	ProposeClose Kind = "propose_close" // whoever sells: lose it, or go on
)

// Asked is something that somebody was asked for.
type Asked struct {
	ID            uuid.UUID // UUIDv7
	OpportunityID uuid.UUID
	Stall         int // which time it stalled, from 1
	Kind          Kind
	Subject       string // who is asked; empty: nobody is known
	Team          string // code
	Reason        string // why it stalled
	AskedAt       time.Time
	DoneAt        time.Time // once it went on, or was closed; zero before
}

// step is something that will be asked.
type step struct {
	kind Kind
	at   time.Time
}

// steps give what is asked about an opportunity that stalled, and when: at the end of the n-th working day after it did.
func steps(u pipeline.FollowUp, c businesstime.Calendar, stalled time.Time) []step {
	if !u.Active {
		return nil
	}
	return []step{
		{Remind, c.AddDays(stalled, int(u.RemindDays))}, {Escalate, c.AddDays(stalled, int(u.EscalateDays))}, {ProposeClose, c.AddDays(stalled, int(u.CloseDays))},
	}
}

// workdays are the working days of whoever has no calendar: Monday to Friday.
func workdays(zone *time.Location) businesstime.Calendar {
	day := []businesstime.Interval{{From: 0, To: 24 * 60}}
	return businesstime.Hours{Week: businesstime.Week{Monday: day, Tuesday: day, Wednesday: day, Thursday: day, Friday: day}}.Calendar(zone)
}

// whom gives who is asked: whoever sells and the lead of the team, each in the place of the other where there is nobody.
func whom(k Kind, owner, lead string) string {
	if k == Escalate {
		owner, lead = lead, owner
	}
	if owner == "" {
		return lead
	}
	return owner
}

// Progress is what the follow-up of an opportunity knows, and its answer to the query "state". It travels in histories: codes, numbers
// and times only.
type Progress struct {
	Over   bool      `json:"over"` // it goes on, is closed, or everybody was asked
	Stall  int       `json:"stall"`
	Reason string    `json:"reason,omitempty"`
	Stage  string    `json:"stage,omitempty"`
	Team   string    `json:"team,omitempty"`
	Asked  int       `json:"asked"` // how many of the steps
	DueAt  time.Time `json:"due_at,omitzero"`
}

// followUp asks what is due about an opportunity that stalled, once each, and tells what comes next.
func (o *Opportunities) followUp(ctx context.Context, in Input) (Progress, error) {
	var p Progress
	err := o.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		book := pipeline.All(tx)
		was, err := Lock(ctx, tx, in.ID)
		if err != nil {
			return err
		}
		p = Progress{Over: true, Stall: was.Stalls, Reason: was.Stall.Reason, Stage: was.Stage, Team: was.Team}
		if was.Stall.Reason == "" {
			return nil
		}
		of, _ := book.Find(was.Pipeline)
		lead, calendar, err := o.people(ctx, tx, was)
		if err != nil {
			return err
		}
		asked, err := kindsAsked(ctx, tx, was.ID, was.Stalls)
		if err != nil {
			return err
		}
		var events []outbox.Event
		now, next := o.now(), time.Time{}
		for _, s := range steps(of.FollowUp, calendar, was.Stall.At) {
			switch {
			case asked[s.kind]:
				p.Asked++
			case s.at.After(now):
				if next.IsZero() {
					next = s.at
				}
			default:
				made, err := ask(tx, was, s.kind, whom(s.kind, was.Owner, lead), now)
				if err != nil {
					return err
				}
				events = append(events, askedEvent(was, made))
				p.Asked++
			}
		}
		p.Over, p.DueAt = next.IsZero(), next
		was.FollowUpAt = next
		saveStalls(tx, []Opportunity{was})
		return o.outbox.Append(ctx, tx, events...)
	})
	return p, err
}

// people gives the lead of an opportunity's team and the working days of whoever sells; of somebody who has no hours, Monday to
// Friday in the team's zone.
func (o *Opportunities) people(ctx context.Context, tx *pg.Tx, of Opportunity) (lead string, days businesstime.Calendar, err error) {
	days = workdays(time.UTC)
	if of.Team != "" {
		found, err := team.Find(ctx, tx, of.Team)
		switch {
		case err == nil:
			lead, days = found.Lead, workdays(found.Location())
		case problem.KindOf(err) != problem.NotFound:
			return "", days, err
		}
	}
	if of.Owner != "" {
		who, err := team.FindPerson(ctx, tx, of.Owner, o.now())
		switch {
		case err == nil && who.Hours != nil:
			days = who.Calendar()
		case err != nil && problem.KindOf(err) != problem.NotFound:
			return "", days, err
		}
	}
	return lead, days, nil
}

// ask queues that somebody is asked for something.
func ask(tx *pg.Tx, of Opportunity, k Kind, subject string, now time.Time) (Asked, error) {
	id, err := uuid.NewV7()
	a := Asked{ID: id, OpportunityID: of.ID, Stall: of.Stalls, Kind: k, Subject: subject, Team: of.Team, Reason: of.Stall.Reason, AskedAt: now}
	tx.Queue(`INSERT INTO opportunity_asked (tenant_id, id, opportunity_id, stall, kind, subject, team, reason, asked_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, tx.Tenant(), a.ID, a.OpportunityID, a.Stall, a.Kind, a.Subject, a.Team, a.Reason, a.AskedAt)
	return a, err
}

func askedEvent(o Opportunity, a Asked) outbox.Event {
	return event(o, a.AskedAt, &salesv1.OpportunityFollowUpAsked{
		OpportunityId: o.ID.String(), CustomerId: o.CustomerID.String(), AskedId: a.ID.String(), Kind: string(a.Kind), Subject: a.Subject,
		Team: a.Team, Reason: a.Reason, Stall: int32(a.Stall), AskedAt: timestamppb.New(a.AskedAt),
	})
}

// kindsAsked gives what was asked the time that an opportunity stalled.
func kindsAsked(ctx context.Context, tx *pg.Tx, id uuid.UUID, stall int) (map[Kind]bool, error) {
	rows, err := tx.Query(ctx, `SELECT kind FROM opportunity_asked WHERE tenant_id = $1 AND opportunity_id = $2 AND stall = $3`, tx.Tenant(), id, stall)
	if err != nil {
		return nil, err
	}
	asked := make(map[Kind]bool)
	var k Kind
	_, err = pgx.ForEachRow(rows, []any{&k}, func() error { asked[k] = true; return nil })
	return asked, err
}

// settle queues that what was asked about opportunities is done.
func settle(tx *pg.Tx, now time.Time, ids ...uuid.UUID) {
	if len(ids) > 0 {
		tx.Queue(`UPDATE opportunity_asked SET done_at = $3 WHERE tenant_id = $1 AND opportunity_id = ANY ($2::uuid[]) AND done_at IS NULL`,
			tx.Tenant(), ids, now)
	}
}

// workflowID is the id of the follow-up of an opportunity.
func workflowID(tenant string, id uuid.UUID) string {
	return "opportunity-follow-up/" + tenant + "/" + id.String()
}

// start describes the follow-up of an opportunity. Its row decides what is left to do, so that one that was ended by hand can be started
// anew, and one that runs goes on with whatever stalled anew.
func (o *Opportunities) start(tenant string, id uuid.UUID) flow.Start {
	return flow.Start{ID: workflowID(tenant, id), Queue: o.service, Workflow: WorkflowName, Args: []any{Input{ID: id}}, Search: flow.Search{Stage: "stalled"}, Again: true}
}

// poke has the follow-up of an opportunity look at it. It does not wait for that.
func (o *Opportunities) poke(ctx context.Context, id uuid.UUID) {
	if o.flow != nil {
		go o.flow.Poke(context.WithoutCancel(ctx), workflowID(auth.Tenant(ctx), id))
	}
}

const (
	sweepLate = 10 * time.Minute // after somebody ought to have been asked nobody was: the process is gone
	sweepMost = 500
)

// Sweep looks once over all tenants for opportunities whose follow-up was ended by hand or lost, and has it started anew. One that runs
// stays as it is. It may be called in any number of processes.
func (o *Opportunities) Sweep(ctx context.Context) error {
	_, err := o.starter.Revive(ctx, process, o.start, `SELECT tenant_id, id FROM opportunity_follow_up_late($1, $2)`, o.now().Add(-sweepLate), sweepMost)
	return err
}

// AskedFilter says which of what people were asked is meant.
type AskedFilter struct {
	Subject string // who was asked; empty: anybody
	Team    string
	Done    bool      // also what is done
	Before  uuid.UUID // only what was asked before this
}

// AskedOf gives up to limit of what people were asked, the latest first.
func (o *Opportunities) AskedOf(ctx context.Context, f AskedFilter, limit int) ([]Asked, error) {
	return read(ctx, o, func(tx *pg.Tx) ([]Asked, error) {
		rows, err := tx.Query(ctx, `SELECT a.id, a.opportunity_id, a.stall, a.kind, a.subject, a.team, a.reason, a.asked_at, a.done_at
			FROM opportunity_asked a
			WHERE a.tenant_id = $1 AND ($2 = '' OR a.subject = $2) AND ($3 = '' OR a.team = $3) AND ($4 OR a.done_at IS NULL)
				AND ($5::uuid IS NULL OR a.id < $5)
			ORDER BY a.id DESC LIMIT $6`, tx.Tenant(), f.Subject, f.Team, f.Done, pg.OrNull(f.Before), limit)
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(rows, func(row pgx.CollectableRow) (a Asked, err error) {
			var done *time.Time
			err = row.Scan(&a.ID, &a.OpportunityID, &a.Stall, &a.Kind, &a.Subject, &a.Team, &a.Reason, &a.AskedAt, &done)
			a.AskedAt, a.DoneAt = a.AskedAt.UTC(), utc(done)
			return a, err
		})
	})
}
