package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// ticketsOpen is how many open tickets the inbox is read with, and are recomputed.
const ticketsOpen = 100_000

// measureTickets opens tickets, reads the inbox of many open ones, and has the deadlines of all of them reckoned anew.
func measureTickets(ctx context.Context, b *bench) error {
	hours, err := b.promise(ctx)
	if err != nil {
		return err
	}
	if err := b.openThroughput(ctx); err != nil {
		return err
	}
	n := length(b, ticketsOpen, 2_000)
	if err := b.loadTickets(ctx, n); err != nil {
		return err
	}
	if err := b.ask(ctx, inboxByDeadline(n)); err != nil {
		return err
	}
	return b.recompute(ctx, hours, n)
}

// hours is the business calendar by which the tickets' deadlines are reckoned.
type hours struct {
	id, etag string
	body     map[string]any
}

// promise makes a calendar with a lunch break and a policy that promises something of every clock.
func (b *bench) promise(ctx context.Context) (hours, error) {
	var week = map[string]any{}
	for _, day := range []string{"monday", "tuesday", "wednesday", "thursday", "friday"} {
		week[day] = []map[string]string{{"from": "09:00", "to": "12:00"}, {"from": "13:00", "to": "18:00"}}
	}
	h := hours{body: map[string]any{"name": "Bench " + uuid.NewString(), "time_zone": "Asia/Shanghai", "week": week}}
	var made struct {
		CalendarID string `json:"calendar_id"`
	}
	header, err := b.api.Do(ctx, client.Request{Method: http.MethodPost, Path: "/v1/calendars", In: h.body}, &made)
	if err != nil {
		return h, err
	}
	h.id, h.etag = made.CalendarID, header.Get("ETag")
	target := map[string]int64{"first_response_seconds": 4 * 3600, "next_response_seconds": 8 * 3600, "resolution_seconds": 40 * 3600}
	return h, b.api.Post(ctx, "/v1/sla-policies", map[string]any{
		"name": "Bench " + uuid.NewString(), "position": 1, "calendar_id": h.id,
		"targets": map[string]any{"p1": target, "p2": target, "p3": target, "p4": target, "p5": target},
	}, nil)
}

// openThroughput compares POST /v1/tickets with pgbench, as createThroughput does for customers.
func (b *bench) openThroughput(ctx context.Context) error {
	op := operation{
		service: "tickets", tenant: tenant, name: "POST /v1/tickets", serial: newSerial,
		path: func(string) string { return "/v1/tickets" }, body: ticket,
	}
	recorded, err := b.record(ctx, op)
	if err != nil {
		return err
	}
	b.add(recorded.rows(op.name)...)
	p, err := newPgbench(b.dir, b.appURL(op.service), recorded, 10_000_000+callersSerials, 99_999_999)
	if err != nil {
		return err
	}
	callers, closeAll, err := b.callers(ctx, tenant, b.addr(), b.clients)
	defer closeAll()
	if err != nil {
		return err
	}
	c, err := b.compare(ctx, p, callers, func(c *caller) error { return c.post("/v1/tickets", ticket(newSerial())) })
	if err != nil {
		return err
	}
	b.add(c.row(op.name).shareReached())
	return b.settle(ctx)
}

// ticket is the body that opens a ticket; serial has eight digits.
func ticket(serial string) string {
	return `{"kind":"incident","channel":"phone","customer_id":"01900000-0000-7000-8000-0000` + serial + `","subject":"No ` + serial +
		`","description":"The pizza of order ` + serial + ` was cold.","impact":2,"urgency":2}`
}

// loadTickets makes copies of a ticket that was opened by the API, with all that stands about it, opened within the last hours
// and due within the next days. It takes the tables as they are, so that they may get more columns.
func (b *bench) loadTickets(ctx context.Context, n int) (err error) {
	var made struct {
		TicketID string `json:"ticket_id"`
	}
	if err := b.api.Post(ctx, "/v1/tickets", map[string]any{"kind": "incident", "channel": "phone", "subject": "a ticket", "impact": 2, "urgency": 2}, &made); err != nil {
		return err
	}
	conn, err := b.database(ctx, "tickets")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	for _, sql := range []string{
		`CREATE TEMP TABLE copy AS SELECT i, gen_random_uuid() AS id, now() - random() * interval '2 hours' AS opened, now() + random() * interval '10 days' + interval '1 day' AS due
			FROM generate_series(1, @n) AS i`,
		`INSERT INTO ticket SELECT (jsonb_populate_record(t, jsonb_build_object('id', c.id, 'number', t.number + 1000000 + c.i, 'opened_at', c.opened,
			'changed_at', c.opened, 'next_due_at', c.due))).* FROM ticket t, copy c WHERE t.tenant_id = @tenant AND t.id = @id`,
		`INSERT INTO ticket_history SELECT (jsonb_populate_record(h, jsonb_build_object('ticket_id', c.id, 'at', c.opened, 'recorded_at', c.opened))).*
			FROM ticket_history h, copy c WHERE h.tenant_id = @tenant AND h.ticket_id = @id`,
		`INSERT INTO sla_alarm SELECT (jsonb_populate_record(a, jsonb_build_object('ticket_id', c.id, 'at', c.due))).*
			FROM sla_alarm a, copy c WHERE a.tenant_id = @tenant AND a.ticket_id = @id`,
		`VACUUM (ANALYZE)`, `CHECKPOINT`,
	} {
		args := []any{pgx.NamedArgs{"n": n, "tenant": tenant, "id": made.TicketID}}
		if !strings.Contains(sql, "@") {
			args = nil
		}
		if _, err := conn.Exec(ctx, sql, args...); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

// inboxByDeadline asks for the first page of the open tickets by deadline.
func inboxByDeadline(n int) question {
	return question{
		name: fmt.Sprintf("GET /v1/tickets?sort=due of %d open ones", n), atMost: 50, rate: 50, service: "tickets",
		path:    func(*bench, int) (string, error) { return "/v1/tickets?sort=due&limit=50", nil },
		against: "SELECT of the page",
		sql: `SELECT * FROM ticket WHERE tenant_id = $1 AND status IN ('new', 'open', 'pending', 'on_hold') AND next_due_at >= $2
			ORDER BY next_due_at, id LIMIT 50`,
		args: func(*bench, int) ([]any, error) { return []any{time.Unix(0, 0)}, nil },
	}
}

// recompute adds a holiday to the calendar and waits until the deadline of every open ticket was reckoned anew, beside one
// statement that writes another deadline to each of them.
func (b *bench) recompute(ctx context.Context, h hours, n int) (err error) {
	conn, err := b.database(ctx, "tickets")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	began := time.Now()
	tag, err := conn.Exec(ctx, `UPDATE ticket SET next_due_at = next_due_at + interval '1 minute', version = version + 1
		WHERE tenant_id = $1 AND next_due_at IS NOT NULL AND status IN ('new', 'open', 'pending', 'on_hold')`, tenant)
	if err != nil {
		return err
	}
	plain := time.Since(began)
	if tag.RowsAffected() < int64(n) {
		return fmt.Errorf("%d tickets have a deadline where %d should", tag.RowsAffected(), n)
	}
	if _, err := conn.Exec(ctx, `CHECKPOINT`); err != nil {
		return err
	}

	tomorrow := time.Now().AddDate(0, 0, 1)
	h.body["years"] = []map[string]any{{"year": tomorrow.Year(), "holidays": []map[string]string{{"date": tomorrow.Format(time.DateOnly), "name": "Bench"}}}}
	began = time.Now()
	if _, err := b.api.Do(ctx, client.Request{Method: http.MethodPut, Path: "/v1/calendars/" + h.id, In: h.body, IfMatch: h.etag}, nil); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	var looked int64
	for done := false; !done; {
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("%d tickets are reckoned anew: %w", looked, err)
		}
		err := conn.QueryRow(ctx, `SELECT coalesce(sum(looked_at), 0), count(*) > 0 AND count(*) = count(finished_at) FROM sla_recomputation
			WHERE tenant_id = $1 AND cause = 'calendar' AND calendar_id = $2`, tenant, h.id).Scan(&looked, &done)
		if err != nil {
			return err
		}
	}
	took := time.Since(began)
	if looked < int64(n) {
		return fmt.Errorf("%d tickets were reckoned anew where %d should", looked, n)
	}
	b.add(row{Name: fmt.Sprintf("deadlines of %d open tickets after a holiday was added", looked), Unit: "s", Measured: took.Seconds()}.
		against("UPDATE of each row, one statement", plain.Seconds()).atMost(30 * float64(looked) / ticketsOpen))
	return b.settle(ctx)
}
