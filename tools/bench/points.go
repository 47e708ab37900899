package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

const (
	// members is how many members earn independently of each other.
	members = 1000
	// earned is what each earn gives, and earning its body.
	earned  = 10
	earning = `{"points":10,"reason_type":"bench"}`
	// spending is the body of a spend of one point.
	spending = `{"points":1,"reason_type":"bench"}`

	// wantedEarns and wantedHotEarns are five times what a double-entry ledger that people use reaches.
	wantedEarns, wantedHotEarns = 750, 425
)

// sqlTenant is whose members pgbench gives points to: theirs are no entries of the platform's, so no auditor may look.
const sqlTenant = "bench-sql"

// measureEarn gives points over HTTP, each earn under an Idempotency-Key, to many members and then to one that everybody
// wants at once, each beside pgbench with the same statements in the same batches; then it has points spent on that one.
// At last the ledger has to be what was sent.
func measureEarn(ctx context.Context, b *bench) error {
	before, err := b.ledger(ctx)
	if err != nil {
		return err
	}
	ids, err := b.enrol(ctx, members)
	if err != nil {
		return err
	}
	op, err := b.earnOperation(ctx)
	if err != nil {
		return err
	}
	recorded, err := b.record(ctx, op)
	if err != nil {
		return err
	}
	b.add(recorded.rows(op.name)...)
	callers, closeAll, err := b.callers(ctx, tenant, b.addr(), b.clients)
	defer closeAll()
	if err != nil {
		return err
	}
	sent := 0
	for _, c := range []struct {
		name   string
		among  int
		wanted float64
	}{
		{fmt.Sprintf("%s over %d members", op.name, members), members, wantedEarns},
		{op.name + " on one member", 1, wantedHotEarns},
	} {
		p, err := newPgbench(b.dir, b.appURL(op.service), recorded, firstMember, firstMember+c.among-1)
		if err != nil {
			return err
		}
		result, err := b.compare(ctx, p, callers, func(caller *caller) error {
			return caller.post("/v1/members/"+ids[rand.IntN(c.among)]+"/earns", earning)
		})
		sent += result.done
		if err != nil {
			return err
		}
		b.add(result.row(c.name).atLeast(c.wanted))
	}
	spent, took, err := repeat(ctx, callers, length(b, 15*time.Second, time.Second), func(caller *caller) error {
		return caller.post("/v1/members/"+ids[0]+"/spends", spending)
	})
	if err != nil {
		return err
	}
	b.add(row{Name: "POST /v1/members/{id}/spends on one member", Unit: "/s", Measured: perSecond(spent, took)})
	return b.ledgerIs(ctx, before, client.PointsSummary{
		Members: members, Entries: int64(sent + spent), Earned: int64(sent * earned), Spent: int64(spent),
		Balance: client.Balance{Available: int64(sent*earned - spent)},
	})
}

// enrol makes members.
func (b *bench) enrol(ctx context.Context, n int) (ids []string, err error) {
	ids = make([]string, n)
	_, _, err = crowd(ctx, b.clients, n, func(ctx context.Context, i int) error {
		m, err := b.api.EnrolMember(ctx, uuid.NewString())
		ids[i] = m.MemberID
		return err
	})
	return ids, err
}

// firstMember is the serial number of the first of pgbench's members, and memberPrefix what comes before it in their ids.
const (
	firstMember  = 10_000_000
	memberPrefix = "00000000-0000-7000-8000-0000"
)

// earnOperation makes members whose ids can be written down without looking them up, and says how they earn. While it is
// recorded one of them earns again and again: what the counters of the member come to differs from request to request then.
func (b *bench) earnOperation(ctx context.Context) (operation, error) {
	op := operation{
		service: "loyalty", tenant: sqlTenant, name: "POST /v1/members/{id}/earns",
		serial: func() string { return fmt.Sprint(firstMember) },
		path:   func(serial string) string { return "/v1/members/" + memberPrefix + serial + "/earns" },
		body:   func(string) string { return earning },
	}
	if err := b.ensureTenant(ctx, op.tenant); err != nil {
		return op, err
	}
	conn, err := b.database(ctx, op.service)
	if err != nil {
		return op, err
	}
	_, err = conn.Exec(ctx, `INSERT INTO member (tenant_id, id, customer_id, card_number, source, enrolled_at)
		SELECT $1, ($2 || n)::uuid, ($2 || n)::uuid, n::text, 'bench', now() FROM generate_series($3::int, $3::int + $4::int - 1) n
		ON CONFLICT DO NOTHING`, op.tenant, memberPrefix, firstMember, members)
	return op, errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
}

// ledger adds the ledger of the tenant up, once nothing is on its way.
func (b *bench) ledger(ctx context.Context) (client.PointsSummary, error) {
	if err := b.settle(ctx); err != nil {
		return client.PointsSummary{}, err
	}
	return b.api.PointsSummary(ctx)
}

// ledgerIs demands that the ledger is what it was and what was sent since, and that the auditor's check is well.
func (b *bench) ledgerIs(ctx context.Context, before, sent client.PointsSummary) error {
	now, err := b.ledger(ctx)
	if err != nil {
		return err
	}
	sent.Members += before.Members
	sent.Entries += before.Entries
	sent.Earned += before.Earned
	sent.Granted += before.Granted
	sent.Reversed += before.Reversed
	sent.Spent += before.Spent
	sent.Available += before.Available
	sent.Pending += before.Pending
	sent.Debt += before.Debt
	if now != sent {
		return fmt.Errorf("the ledger has %+v where %+v was sent", now, sent)
	}
	audit, err := b.api.AuditPoints(ctx)
	if err != nil {
		return err
	}
	if !audit.OK {
		return fmt.Errorf("the auditor's check of the ledger is not well: %+v", audit)
	}
	b.say(fmt.Sprintf("the ledger has what was sent, and the auditor finds nothing wrong in %d entries", audit.Entries))
	return nil
}

const (
	atOnce  = 50 // spends
	enough  = 10 // of them are covered
	onePart = 10 // points each
)

// measureSpends lets many spend from one balance at once, in turns: exactly as many as it covers succeed, and nothing is
// left of it.
func measureSpends(ctx context.Context, b *bench) error {
	before, err := b.ledger(ctx)
	if err != nil {
		return err
	}
	turns := length(b, 20, 3)
	ids, err := b.enrol(ctx, turns)
	if err != nil {
		return err
	}
	worst := enough
	for _, id := range ids {
		if _, err := b.api.Earn(ctx, id, client.Booking{Points: enough * onePart, ReasonType: "bench"}); err != nil {
			return err
		}
		succeeded, err := b.spendAtOnce(ctx, id)
		if err != nil {
			return err
		}
		if succeeded != enough {
			worst = succeeded
		}
	}
	name := fmt.Sprintf("%d spends of %d at once on a balance of %d, %d times: succeeded each time", atOnce, onePart, enough*onePart, turns)
	b.add(row{Name: name, Unit: "spends", Measured: float64(worst)}.want(fmt.Sprintf("= %d", enough), worst == enough))
	if worst != enough {
		return nil // the figure says it
	}
	n := int64(turns)
	return b.ledgerIs(ctx, before, client.PointsSummary{
		Members: n, Entries: n * (1 + enough), Earned: n * enough * onePart, Spent: n * enough * onePart,
	})
}

// spendAtOnce counts how many of the spends were taken; the others have to be refused for want of points.
func (b *bench) spendAtOnce(ctx context.Context, memberID string) (succeeded int, err error) {
	var taken atomic.Int64
	_, _, err = crowd(ctx, atOnce, atOnce, func(ctx context.Context, _ int) error {
		_, err := b.api.Spend(ctx, memberID, client.Booking{Points: onePart, ReasonType: "bench"})
		var p *client.Problem
		switch {
		case err == nil:
			taken.Add(1)
		case !errors.As(err, &p) || p.Code != "points_insufficient":
			return err
		}
		return nil
	})
	return int(taken.Load()), err
}
