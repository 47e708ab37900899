package lead

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// errNotFound is the same for a lead that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "lead_not_found", "There is no such lead.")

// externalIndex is the constraint that gives another system's name to one enquiry only.
const externalIndex = "lead_enquiry_external"

const columns = `l.id, l.state, l.name, l.company, l.job_title, l.email, l.phone, l.website, l.domain, l.country, l.language, l.industry,
	l.capture, l.source, l.campaign, l.form_id, l.team, l.owner, l.assigned_at, l.pipeline, l.stage,
	l.tags, l.custom, l.need, l.budget_minor, l.budget_currency, l.authority, l.decide_by, l.qualified_at, l.qualified_by, l.lost_at, l.lost_reason,
	l.converted_at, l.contact_id, l.opportunity_id, l.before_state, l.before_customer, l.customer_id, customer_root(l.tenant_id, l.customer_id),
	l.customer_candidates, l.customer_checked_at, l.enquiries, l.enquired_at, l.captured_at, l.recorded_at, l.changed_at, l.erased_at, l.version`

// Lock gives a lead and keeps others from changing it until the transaction ends; lead_not_found where there is none. The lead knows
// who works on it: what is done with it is in its history under the principal of ctx.
func Lock(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Lead, error) {
	l, err := scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM lead l WHERE l.tenant_id = $1 AND l.id = $2 FOR UPDATE OF l`, tx.Tenant(), id))
	l.actor = actor(ctx)
	return l, err
}

// Get gives a lead; lead_not_found where there is none.
func Get(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Lead, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM lead l WHERE l.tenant_id = $1 AND l.id = $2`, tx.Tenant(), id))
}

// lockAll locks those of the leads that are there, in the order of their ids, and gives them as they are then.
func lockAll(ctx context.Context, tx *pg.Tx, ids []uuid.UUID) (map[uuid.UUID]Lead, error) {
	found := make(map[uuid.UUID]Lead, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM lead l WHERE l.tenant_id = $1 AND l.id = ANY ($2::uuid[]) ORDER BY l.id FOR UPDATE OF l`, tx.Tenant(), ids)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Lead, error) { return scan(row) })
	for _, l := range all {
		l.actor = actor(ctx)
		found[l.ID] = l
	}
	return found, err
}

// actor is the subject of who works.
func actor(ctx context.Context) string {
	p, _ := auth.From(ctx)
	return p.Subject
}

func scan(row pgx.Row) (Lead, error) {
	var (
		l                                                        Lead
		form, contact, opportunity, before, customer, root       *uuid.UUID
		assigned, decide, qualified, lost, converted, at, erased *time.Time
		custom, candidates                                       []byte
	)
	err := row.Scan(&l.ID, &l.State, &l.Name, &l.Company, &l.JobTitle, &l.Email, &l.Phone, &l.Website, &l.Domain, &l.Country, &l.Language, &l.Industry,
		&l.Capture, &l.Source, &l.Campaign, &form, &l.Team, &l.Owner, &assigned, &l.Pipeline, &l.Stage,
		&l.Tags, &custom, &l.Need, &l.BudgetMinor, &l.Currency, &l.Authority, &decide, &qualified, &l.QualifiedBy, &lost, &l.LostReason,
		&converted, &contact, &opportunity, &l.BeforeState, &before, &customer, &root,
		&candidates, &at, &l.Enquiries, &l.EnquiredAt, &l.CapturedAt, &l.RecordedAt, &l.ChangedAt, &erased, &l.Version)
	if errors.Is(err, pgx.ErrNoRows) {
		return Lead{}, errNotFound
	}
	if err != nil {
		return Lead{}, err
	}
	l.FormID, l.ContactID, l.OpportunityID, l.BeforeCustomer = orNone(form), orNone(contact), orNone(opportunity), orNone(before)
	l.CustomerID, l.Root = orNone(customer), orNone(root)
	l.AssignedAt, l.DecideBy, l.QualifiedAt, l.LostAt = utc(assigned), utc(decide), utc(qualified), utc(lost)
	l.ConvertedAt, l.CustomerCheckedAt, l.ErasedAt = utc(converted), utc(at), utc(erased)
	l.EnquiredAt, l.CapturedAt, l.RecordedAt, l.ChangedAt = l.EnquiredAt.UTC(), l.CapturedAt.UTC(), l.RecordedAt.UTC(), l.ChangedAt.UTC()
	return l, errors.Join(json.Unmarshal(custom, &l.Custom), json.Unmarshal(candidates, &l.Candidates))
}

func orNone[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func utc(t *time.Time) time.Time { return orNone(t).UTC() }

// Save queues that a lead that is locked is kept as it is now, with what was done to it since as its history.
func Save(tx *pg.Tx, l Lead) { SaveAll(tx, l) }

// SaveAll is Save for any number, in the same number of statements.
func SaveAll(tx *pg.Tx, leads ...Lead) {
	if len(leads) == 0 {
		return
	}
	tx.Queue(`UPDATE lead l SET `+assignments+` FROM `+recordset+` WHERE l.tenant_id = $1 AND l.id = n.id`, tx.Tenant(), asJSON(leads))
	saveTags(tx, leads)
	saveHistory(tx, leads)
}

// insert queues new leads with their tags and their history.
func insert(tx *pg.Tx, leads []Lead) {
	if len(leads) == 0 {
		return
	}
	tx.Queue(`INSERT INTO lead (tenant_id, `+names+`) SELECT $1, `+values+` FROM `+recordset+` ORDER BY n.id`,
		tx.Tenant(), asJSON(leads))
	addTags(tx, leads)
	saveHistory(tx, leads)
}
