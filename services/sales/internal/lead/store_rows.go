package lead

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// stored are the columns that a lead is written to, with their types: leads travel as one JSON array, however many they are.
var stored = []struct{ name, kind string }{
	{"id", "uuid"}, {"state", "text"}, {"name", "text"}, {"company", "text"}, {"job_title", "text"}, {"email", "text"}, {"phone", "text"},
	{"website", "text"}, {"name_key", "text"}, {"company_key", "text"}, {"domain", "text"}, {"country", "text"}, {"language", "text"},
	{"industry", "text"}, {"capture", "text"}, {"source", "text"}, {"campaign", "text"}, {"form_id", "uuid"},
	{"team", "text"}, {"owner", "text"}, {"assigned_at", "timestamptz"}, {"pipeline", "text"},
	{"stage", "text"}, {"tags", "text[]"}, {"custom", "jsonb"}, {"need", "text"}, {"budget_minor", "bigint"}, {"budget_currency", "text"},
	{"authority", "text"}, {"decide_by", "date"}, {"qualified_at", "timestamptz"}, {"qualified_by", "text"}, {"lost_at", "timestamptz"},
	{"lost_reason", "text"}, {"converted_at", "timestamptz"}, {"contact_id", "uuid"}, {"opportunity_id", "uuid"}, {"before_state", "text"},
	{"before_customer", "uuid"}, {"customer_id", "uuid"}, {"customer_candidates", "jsonb"}, {"customer_checked_at", "timestamptz"},
	{"enquiries", "integer"}, {"enquired_at", "timestamptz"}, {"captured_at", "timestamptz"}, {"recorded_at", "timestamptz"},
	{"changed_at", "timestamptz"}, {"erased_at", "timestamptz"}, {"version", "bigint"},
}

// The parts of statements that write leads.
var (
	names       = joined(func(name, _ string) string { return name })
	values      = joined(func(name, _ string) string { return "n." + name })
	assignments = joined(func(name, _ string) string { return name + " = n." + name })
	recordset   = `json_to_recordset($2::json) AS n(` + joined(func(name, kind string) string { return name + " " + kind }) + `)`
)

func joined(each func(name, kind string) string) string {
	parts := make([]string, len(stored))
	for i, s := range stored {
		parts[i] = each(s.name, s.kind)
	}
	return strings.Join(parts, ", ")
}

// asJSON gives leads as the array that recordset reads.
func asJSON(leads []Lead) string {
	rows := make([]map[string]any, len(leads))
	for i, l := range leads {
		rows[i] = l.row()
	}
	raw, err := json.Marshal(rows)
	if err != nil {
		panic("lead: what was read from JSON always has a JSON form: " + err.Error())
	}
	return string(raw)
}

func (l Lead) row() map[string]any {
	row := map[string]any{
		"id": l.ID, "state": l.State, "name": l.Name, "company": l.Company, "job_title": l.JobTitle, "email": l.Email, "phone": l.Phone,
		"website": l.Website, "name_key": searchKey(l.Name), "company_key": searchKey(l.Company), "domain": l.Domain, "country": l.Country,
		"language": l.Language, "industry": l.Industry, "capture": l.Capture, "source": l.Source, "campaign": l.Campaign, "form_id": id(l.FormID),
		"team": l.Team, "owner": l.Owner, "assigned_at": instant(l.AssignedAt), "pipeline": l.Pipeline, "stage": l.Stage, "tags": orEmpty(l.Tags),
		"custom": l.Custom, "need": l.Need, "budget_minor": l.BudgetMinor, "budget_currency": l.Currency, "authority": l.Authority,
		"decide_by": instant(l.DecideBy), "qualified_at": instant(l.QualifiedAt), "qualified_by": l.QualifiedBy, "lost_at": instant(l.LostAt),
		"lost_reason": l.LostReason, "converted_at": instant(l.ConvertedAt), "contact_id": id(l.ContactID), "opportunity_id": id(l.OpportunityID),
		"before_state": l.BeforeState, "before_customer": id(l.BeforeCustomer), "customer_id": id(l.CustomerID),
		"customer_candidates": orEmpty(l.Candidates), "customer_checked_at": instant(l.CustomerCheckedAt), "enquiries": l.Enquiries,
		"enquired_at": l.EnquiredAt, "captured_at": l.CapturedAt, "recorded_at": l.RecordedAt, "changed_at": l.ChangedAt,
		"erased_at": instant(l.ErasedAt), "version": l.Version,
	}
	if l.Custom == nil {
		row["custom"] = map[string]any{}
	}
	return row
}

func id(v uuid.UUID) *uuid.UUID { return pg.OrNull(v) }

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// maxSearchKey is how many characters of a name lists can be searched by.
const maxSearchKey = 100

// searchKey gives words as the beginnings of names are compared: in small letters.
func searchKey(words string) string {
	words = strings.ToLower(words)
	if utf8.RuneCountInString(words) > maxSearchKey {
		words = string([]rune(words)[:maxSearchKey])
	}
	return words
}

// saveTags queues that leads that are there have the tags that they have.
func saveTags(tx *pg.Tx, leads []Lead) {
	ids := make([]uuid.UUID, len(leads))
	for i, l := range leads {
		ids[i] = l.ID
	}
	each, tags := tagged(leads)
	tx.Queue(`DELETE FROM lead_tag t WHERE t.tenant_id = $1 AND t.lead_id = ANY ($2::uuid[])
		AND NOT EXISTS (SELECT FROM unnest($3::uuid[], $4::text[]) AS n(id, tag) WHERE n.id = t.lead_id AND n.tag = t.tag)`, tx.Tenant(), ids, each, tags)
	addTags(tx, leads)
}

// addTags queues the tags of leads, those excepted that they have already.
func addTags(tx *pg.Tx, leads []Lead) {
	if each, tags := tagged(leads); len(tags) > 0 {
		tx.Queue(`INSERT INTO lead_tag (tenant_id, lead_id, tag) SELECT $1, n.id, n.tag FROM unnest($2::uuid[], $3::text[]) AS n(id, tag)
			ON CONFLICT DO NOTHING`, tx.Tenant(), each, tags)
	}
}

// tagged gives each tag of each lead, side by side.
func tagged(leads []Lead) (ids []uuid.UUID, tags []string) {
	for _, l := range leads {
		for _, tag := range l.Tags {
			ids, tags = append(ids, l.ID), append(tags, tag)
		}
	}
	return ids, tags
}

// saveHistory queues what was done to leads since they were read.
func saveHistory(tx *pg.Tx, leads []Lead) {
	var ids []uuid.UUID
	var nos []int64
	var what, from, to, teams, owners, reasons, by []string
	var at []time.Time
	for _, l := range leads {
		for _, s := range l.did {
			if s.by == "" {
				s.by = l.actor
			}
			ids, nos, at = append(ids, l.ID), append(nos, s.no), append(at, s.at)
			what, from, to = append(what, s.what), append(from, string(s.from)), append(to, string(s.to))
			teams, owners, reasons, by = append(teams, s.team), append(owners, s.owner), append(reasons, s.reason), append(by, s.by)
		}
	}
	if len(ids) == 0 {
		return
	}
	tx.Queue(`INSERT INTO lead_history (tenant_id, lead_id, no, what, state_from, state_to, team, owner, reason, changed_by, changed_at)
		SELECT $1, * FROM unnest($2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::timestamptz[])`,
		tx.Tenant(), ids, nos, what, from, to, teams, owners, reasons, by, at)
}
