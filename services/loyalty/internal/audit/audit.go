// Package audit is the auditor's check of the ledger: that every entry adds up to zero, and that whatever is kept beside
// the entries, balances and lots, is what the entries say.
package audit

import (
	"time"

	"github.com/google/uuid"
)

// maxDifferences is how many differences a report lists; it counts all.
const maxDifferences = 100

// Difference is one thing that is not what the ledger says.
type Difference struct {
	MemberID uuid.UUID `json:"member_id"` // Nil where it is about none
	About    uuid.UUID `json:"about"`     // the entry or the lot; Nil where it is about the member as a whole
	What     string    `json:"what"`      // code, see the checks in queries.go
	Wanted   int64     `json:"wanted"`
	Found    int64     `json:"found"`
}

// Report is what a check found.
type Report struct {
	Members     int64        `json:"members"`
	Entries     int64        `json:"entries"`
	LedgerSum   int64        `json:"ledger_sum"` // of all postings
	Differences []Difference `json:"differences"`
	Total       int64        `json:"total"` // of differences
	CheckedAt   time.Time    `json:"checked_at"`
}

// OK tells whether everything is as it ought to be.
func (r Report) OK() bool { return r.Total == 0 && r.LedgerSum == 0 }

// add takes a further part of the check in.
func (r *Report) add(part Report) {
	r.Members += part.Members
	r.Entries += part.Entries
	r.LedgerSum += part.LedgerSum
	r.Total += part.Total
	free := maxDifferences - len(r.Differences)
	r.Differences = append(r.Differences, part.Differences[:min(free, len(part.Differences))]...)
}
