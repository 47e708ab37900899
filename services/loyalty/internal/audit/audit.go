// Package audit is the auditor's check of the ledger: that every entry adds up to zero, and that whatever is kept beside
// the entries, balances and lots, is what the entries say.
package audit

import (
	"cmp"
	"slices"
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
	Programmes  []Programme  `json:"programmes,omitempty"`
	CheckedAt   time.Time    `json:"checked_at"`
}

// Programme is a programme's part of a ledger; of several tenants', it is that of all programmes that have the code.
type Programme struct {
	Code      string `json:"code"`
	Members   int64  `json:"members"`
	Entries   int64  `json:"entries"`
	LedgerSum int64  `json:"ledger_sum"` // of all postings
	Owed      int64  `json:"owed"`       // points that the members have, locked ones included, by their balances
	Debt      int64  `json:"debt"`       // points that they owe, by their balances
	Issued    int64  `json:"issued"`     // what the accounts of the programme and of partners come to: Debt - Owed
}

// ok tells whether the programme's accounts are what its members have.
func (p Programme) ok() bool { return p.LedgerSum == 0 && p.Owed-p.Debt+p.Issued == 0 }

// OK tells whether everything is as it ought to be.
func (r Report) OK() bool {
	return r.Total == 0 && r.LedgerSum == 0 && !slices.ContainsFunc(r.Programmes, func(p Programme) bool { return !p.ok() })
}

// add takes a further part of the check in.
func (r *Report) add(part Report) {
	r.Members += part.Members
	r.Entries += part.Entries
	r.LedgerSum += part.LedgerSum
	r.Total += part.Total
	for _, p := range part.Programmes {
		r.addProgramme(p)
	}
	free := maxDifferences - len(r.Differences)
	r.Differences = append(r.Differences, part.Differences[:min(free, len(part.Differences))]...)
}

func (r *Report) addProgramme(p Programme) {
	n, there := slices.BinarySearchFunc(r.Programmes, p.Code, func(o Programme, code string) int { return cmp.Compare(o.Code, code) })
	if !there {
		r.Programmes = slices.Insert(r.Programmes, n, p)
		return
	}
	o := &r.Programmes[n]
	o.Members, o.Entries, o.LedgerSum = o.Members+p.Members, o.Entries+p.Entries, o.LedgerSum+p.LedgerSum
	o.Owed, o.Debt, o.Issued = o.Owed+p.Owed, o.Debt+p.Debt, o.Issued+p.Issued
}
