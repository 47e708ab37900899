package audit

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

type reportAnswer struct{ Body reportView }

// reportView is a report as the API shows it.
type reportView struct {
	OK          bool             `json:"ok" doc:"Every number is what the ledger's entries say."`
	CheckedAt   time.Time        `json:"checked_at"`
	LedgerSum   int64            `json:"ledger_sum" doc:"All postings added up: 0."`
	Entries     int64            `json:"entries"`
	Members     int64            `json:"members"`
	Total       int64            `json:"differences_total" doc:"How many differences there are."`
	Differences []differenceView `json:"differences" nullable:"false" doc:"At most 100."`
	Programmes  []auditedView    `json:"programmes" nullable:"false" doc:"By programme: owed - debt + programme_accounts is 0."`
}

// auditedView is a programme in a report.
type auditedView struct {
	Programme         string `json:"programme" doc:"Its code." example:"standard"`
	OK                bool   `json:"ok" doc:"Its accounts are what its members have."`
	Members           int64  `json:"members"`
	Entries           int64  `json:"entries"`
	LedgerSum         int64  `json:"ledger_sum" doc:"All postings added up: 0."`
	Owed              int64  `json:"owed" doc:"Points that members have, locked ones included, by their balances."`
	Debt              int64  `json:"debt" doc:"Points that they owe, by their balances."`
	ProgrammeAccounts int64  `json:"programme_accounts" doc:"What the accounts of the programme and of partners come to, by the ledger's entries."`
}

type differenceView struct {
	MemberID string `json:"member_id,omitempty" format:"uuid"`
	About    string `json:"about,omitempty" format:"uuid" doc:"The entry or the lot that it is about; absent for the member as a whole."`
	What     string `json:"what" example:"available" doc:"The number that differs."`
	Wanted   int64  `json:"wanted" doc:"What it is by the ledger's entries."`
	Found    int64  `json:"found"`
}

func show(r Report) reportView {
	v := reportView{
		OK: r.OK(), CheckedAt: r.CheckedAt, LedgerSum: r.LedgerSum, Entries: r.Entries, Members: r.Members, Total: r.Total,
		Differences: make([]differenceView, len(r.Differences)), Programmes: make([]auditedView, len(r.Programmes)),
	}
	for i, p := range r.Programmes {
		v.Programmes[i] = auditedView{p.Code, p.ok(), p.Members, p.Entries, p.LedgerSum, p.Owed, p.Debt, p.Issued}
	}
	for i, d := range r.Differences {
		v.Differences[i] = differenceView{MemberID: text(d.MemberID), About: text(d.About), What: d.What, Wanted: d.Wanted, Found: d.Found}
	}
	return v
}

func text(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

// Routes adds the check.
func (a *Auditor) Routes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "audit-points", Method: http.MethodPost, Path: "/v1/points/audits", Tag: "Points", Summary: "Check the whole ledger",
		Description: "Compares balances and lots with the ledger's entries. It changes nothing. The same check runs every hour over all tenants; of a ledger that is too large for an answer in time, look at that one.",
		Permission:  auth.LoyaltyAudit, Status: http.StatusOK, Timeout: 40 * time.Second,
	}, func(ctx context.Context, _ *struct{}) (*reportAnswer, error) {
		report, err := a.Check(ctx)
		return &reportAnswer{show(report)}, err
	})
}
