package survey

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

const invitationColumns = `i.id, i.survey_id, i.survey_version, s.kind, i.anonymous, i.customer_id, i.ticket_id, i.complaint_id, i.source_id,
	i.trigger_id, i.touchpoint, i.channel, i.by_hand, i.round, i.state, i.refusal, i.contact_id, i.token_hash IS NOT NULL, i.created_at, i.sent_at,
	i.locks_at, i.answered_at`

// insertInvitation queues a new invitation.
func insertInvitation(tx *pg.Tx, i Invited) {
	tx.Queue(`INSERT INTO survey_invitation (tenant_id, id, survey_id, survey_version, anonymous, customer_id, ticket_id, complaint_id, source_id,
			trigger_id, touchpoint, channel, by_hand, state, refusal, fetched_by, created_at, sent_at, locks_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, '', $16, $17, $18)`,
		tx.Tenant(), i.ID, i.SurveyID, i.SurveyVersion, i.Anonymous, i.CustomerID, pg.OrNull(i.TicketID), pg.OrNull(i.ComplaintID),
		pg.OrNull(i.SourceID), pg.OrNull(i.TriggerID), i.Touchpoint, i.Channel, i.ByHand, i.State, i.Refusal, i.CreatedAt,
		pg.OrNull(i.SentAt), pg.OrNull(i.LocksAt))
}

// saveInvitation queues what a rule changed of an invitation that is locked.
func saveInvitation(tx *pg.Tx, i Invited) {
	tx.Queue(`UPDATE survey_invitation SET state = $3, refusal = $4, contact_id = $5, channel = $6, sent_at = $7, locks_at = $8, answered_at = $9,
			round = $10, token_hash = CASE WHEN $10 > round THEN NULL ELSE token_hash END
		WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), i.ID, i.State, i.Refusal, pg.OrNull(i.ContactID), i.Channel, pg.OrNull(i.SentAt), pg.OrNull(i.LocksAt), pg.OrNull(i.AnsweredAt),
		i.Round)
}

// saveLink queues that the link was fetched.
func saveLink(tx *pg.Tx, id uuid.UUID, hash []byte, by string) {
	tx.Queue(`UPDATE survey_invitation SET token_hash = $3, fetched_by = $4 WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), id, hash, by)
}

// loadInvitation gives an invitation, or errInvitationNotFound; locked until the transaction ends, if asked to. One round trip.
func loadInvitation(ctx context.Context, tx *pg.Tx, id uuid.UUID, lockedFor bool) (Invited, error) {
	if lockedFor {
		tx.Queue(`SELECT 1 FROM survey_invitation WHERE tenant_id = $1 AND id = $2 FOR UPDATE`, tx.Tenant(), id)
	}
	return scanInvitation(tx.QueryRow(ctx, `SELECT `+invitationColumns+`, customer_root($1, i.customer_id) FROM survey_invitation i
		JOIN survey s ON s.tenant_id = i.tenant_id AND s.id = i.survey_id WHERE i.tenant_id = $1 AND i.id = $2`, tx.Tenant(), id))
}

// Filter says which invitations are meant; the zero Filter means all.
type Filter struct {
	SurveyID   uuid.UUID
	CustomerID uuid.UUID // with all ids that mean the same customer
	State      State
	Before     uuid.UUID
}

// listInvitations gives up to limit invitations that fit the filter, the latest first.
func listInvitations(ctx context.Context, tx *pg.Tx, f Filter, limit int) ([]Invited, error) {
	if f.Before == uuid.Nil {
		f.Before = uuid.Max
	}
	args := []any{tx.Tenant(), f.Before}
	where := []string{"i.tenant_id = $1", "i.id < $2"}
	only := func(condition string, value any) {
		args = append(args, value)
		where = append(where, fmt.Sprintf(condition, len(args)))
	}
	if f.SurveyID != uuid.Nil {
		only("i.survey_id = $%d", f.SurveyID)
	}
	if f.State != "" { // as it is shown
		only("CASE WHEN i.anonymous AND i.state = 'answered' THEN 'sent' ELSE i.state END = $%d", f.State)
	}
	from := "survey_invitation i"
	if f.CustomerID != uuid.Nil { // of each id that means the customer the latest, by the index that has them in order
		args = append(args, f.CustomerID)
		inner := strings.Join(append(where, "i.customer_id = g.id"), " AND ")
		from = fmt.Sprintf(`unnest(customer_group($1, $%d)) AS g(id) CROSS JOIN LATERAL (SELECT * FROM survey_invitation i WHERE %s
			ORDER BY i.id DESC LIMIT %d) i`, len(args), inner, limit)
	}
	rows, err := tx.Query(ctx, fmt.Sprintf(`SELECT %s, customer_root($1, i.customer_id) FROM %s
		JOIN survey s ON s.tenant_id = i.tenant_id AND s.id = i.survey_id WHERE %s ORDER BY i.id DESC LIMIT %d`,
		invitationColumns, from, strings.Join(where, " AND "), limit), args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Invited, error) { return scanInvitation(row) })
}

func scanInvitation(row pgx.Row) (Invited, error) {
	var (
		i                                                           Invited
		customer, ticket, complaint, source, trigger, contact, root *uuid.UUID
		sent, locks, answered                                       *time.Time
	)
	err := row.Scan(&i.ID, &i.SurveyID, &i.SurveyVersion, &i.Kind, &i.Anonymous, &customer, &ticket, &complaint, &source, &trigger,
		&i.Touchpoint, &i.Channel, &i.ByHand, &i.Round, &i.State, &i.Refusal, &contact, &i.Fetched, &i.CreatedAt, &sent, &locks, &answered, &root)
	if errors.Is(err, pgx.ErrNoRows) {
		return Invited{}, errInvitationNotFound
	}
	i.CustomerID, i.TicketID, i.ComplaintID, i.SourceID = orNil(customer), orNil(ticket), orNil(complaint), orNil(source)
	i.TriggerID, i.ContactID, i.Root = orNil(trigger), orNil(contact), orNil(root)
	i.CreatedAt, i.SentAt, i.LocksAt, i.AnsweredAt = i.CreatedAt.UTC(), utc(sent), utc(locks), utc(answered)
	return i, err
}

// lockCustomers queues locks by which nobody else decides about invitations of the customers until the transaction ends. All
// ids of a customer have one lock; the order keeps two transactions from waiting for each other.
func lockCustomers(tx *pg.Tx, customers []uuid.UUID) {
	tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('survey_customer ' || $1 || ' ' || r.id, 0))
		FROM (SELECT DISTINCT customer_root($1, c.id)::text AS id FROM unnest($2::uuid[]) AS c(id) ORDER BY 1) r`, tx.Tenant(), customers)
}

// inviteOn queues an invitation that a trigger calls for, unless it was made before or the customer was erased; told gets its
// state once it is made. Within the cool-down of another invitation that was, or may be, sent it is refused at once.
func inviteOn(tx *pg.Tx, i Invited, coolDownDays int, told func(State)) {
	tx.Queue(`INSERT INTO survey_invitation (tenant_id, id, survey_id, survey_version, anonymous, customer_id, ticket_id, complaint_id, source_id,
			trigger_id, touchpoint, channel, by_hand, state, refusal, fetched_by, created_at)
		SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, false, CASE WHEN o.often THEN 'refused' ELSE 'waiting' END,
			CASE WHEN o.often THEN $15 ELSE '' END, '', $13
		  FROM (SELECT $14::integer > 0 AND EXISTS (SELECT FROM survey_invitation p
			     WHERE p.tenant_id = $1 AND p.customer_id = ANY ((SELECT customer_group($1, $6))::uuid[]) AND p.state <> 'refused'
			       AND p.created_at > $13::timestamptz - make_interval(days => $14)) AS often) o
		 WHERE NOT EXISTS (SELECT FROM erased_customer e WHERE e.tenant_id = $1 AND e.customer_id = $6)
		ON CONFLICT (tenant_id, trigger_id, source_id) DO NOTHING RETURNING state`,
		tx.Tenant(), i.ID, i.SurveyID, i.SurveyVersion, i.Anonymous, i.CustomerID, pg.OrNull(i.TicketID), pg.OrNull(i.ComplaintID), i.SourceID,
		i.TriggerID, i.Touchpoint, i.Channel, i.CreatedAt, coolDownDays, CoolDown).QueryRow(func(row pgx.Row) error {
		var state State
		err := row.Scan(&state)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err == nil {
			told(state)
		}
		return err
	})
}

// Erase takes out who was asked and who answered, and empties what they wrote. Links that are out are answered no more. In
// anonymous mode nobody knows whose an answer is, also here.
func Erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]erasure.Erased, error) {
	words, who := erasure.Erased{What: "survey_text"}, erasure.Erased{What: "survey_answer"}
	asked := erasure.Erased{What: "survey_invitation"}
	// The invitations first: whoever answers one of them at this moment is waited for, and found; who comes later finds no link.
	tx.Queue(`UPDATE survey_invitation SET customer_id = NULL, ticket_id = NULL, complaint_id = NULL, source_id = NULL, contact_id = NULL,
			token_hash = NULL, refusal = CASE state WHEN 'waiting' THEN 'customer_erased' ELSE refusal END,
			state = CASE state WHEN 'waiting' THEN 'refused' ELSE state END
		WHERE tenant_id = $1 AND customer_id = ANY ($2::uuid[])`, tx.Tenant(), customers).
		Exec(func(tag pgconn.CommandTag) error { asked.Count = tag.RowsAffected(); return nil })
	tx.Queue(`SELECT words, answers FROM survey_erase($1)`, customers).QueryRow(func(row pgx.Row) error { return row.Scan(&words.Count, &who.Count) })
	tx.Queue(`SELECT (SELECT count(*) FROM survey_answer WHERE tenant_id = $1 AND customer_id = ANY ($2::uuid[])),
			(SELECT count(*) FROM survey_invitation WHERE tenant_id = $1 AND customer_id = ANY ($2::uuid[]))`, tx.Tenant(), customers).
		QueryRow(func(row pgx.Row) error { return row.Scan(&who.Left, &asked.Left) })
	err := tx.Flush(ctx)
	return []erasure.Erased{words, who, asked}, err
}
