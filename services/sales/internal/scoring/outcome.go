package scoring

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// outcomes are what is written down of cases that were closed or reopened.
type outcomes struct {
	fresh   []writtenOutcome
	backIDs []uuid.UUID
	backNos []int
	backAt  []time.Time
}

// writtenOutcome is an outcome as its row is written.
type writtenOutcome struct {
	CaseID      uuid.UUID `json:"case_id"`
	No          int       `json:"no"`
	Won         bool      `json:"won"`
	At          time.Time `json:"at"`
	Team        string    `json:"team"`
	Fields      []string  `json:"fields"`
	Values      []string  `json:"values"`
	Generations []int     `json:"generations"`
}

func (o *outcomes) put(id uuid.UUID, no int, what *outcome, at time.Time) {
	w := writtenOutcome{CaseID: id, No: no, Won: what.won, At: at, Team: what.team, Generations: what.generations}
	for _, v := range what.values {
		w.Fields, w.Values = append(w.Fields, v.field), append(w.Values, v.code)
	}
	o.fresh = append(o.fresh, w)
}

func (o *outcomes) takeBack(id uuid.UUID, no int, at time.Time) {
	o.backIDs, o.backNos, o.backAt = append(o.backIDs, id), append(o.backNos, no), append(o.backAt, at)
}

// queue queues the writing.
func (o *outcomes) queue(tx *pg.Tx) {
	if len(o.backIDs) > 0 {
		tx.Queue(`UPDATE scoring_outcome o SET taken_back_at = b.at FROM unnest($2::uuid[], $3::integer[], $4::timestamptz[]) AS b(case_id, no, at)
			WHERE o.tenant_id = $1 AND o.case_id = b.case_id AND o.no = b.no`, tx.Tenant(), o.backIDs, o.backNos, o.backAt)
	}
	if len(o.fresh) == 0 {
		return
	}
	all, err := json.Marshal(o.fresh)
	if err != nil {
		panic("scoring: codes always have a JSON form: " + err.Error())
	}
	tx.Queue(`INSERT INTO scoring_outcome (tenant_id, case_id, no, won, at, team, fields, values, generations)
		SELECT $1, r.case_id, r.no, r.won, r.at, r.team, r.fields, r.values, r.generations
		FROM jsonb_to_recordset($2) AS r(case_id uuid, no integer, won boolean, at timestamptz, team text, fields text[], values text[], generations integer[])`,
		tx.Tenant(), all)
}

// queueMark says that open cases are to be scored again.
func queueMark(tx *pg.Tx) {
	tx.Queue(`INSERT INTO scoring_mark (tenant_id, id) VALUES ($1, $2)`, tx.Tenant(), uuid.Must(uuid.NewV7()))
}

// pairs puts fields and values side by side.
func pairs(fields, values []string) []value {
	all := make([]value, len(fields))
	for i := range fields {
		all[i] = value{fields[i], values[i]}
	}
	return all
}

func (o *outcome) standsIn(generation int) bool { return slices.Contains(o.generations, generation) }
