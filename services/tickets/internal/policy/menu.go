package policy

import (
	"fmt"
	"slices"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

// Kind is a sort of remedy.
type Kind string

// The kinds, in the order in which they are carried out: what can be taken back first, what cannot last.
const (
	Points      Kind = "points"       // by loyalty
	Apology     Kind = "apology"      // the words of the offer itself, in a letter
	Explanation Kind = "explanation"  // how it came about, in a letter
	Voucher     Kind = "voucher"      // of an amount
	Repair      Kind = "repair"       // these three by a ticket of their own
	Exchange    Kind = "exchange"     //
	FreeService Kind = "free_service" //
	Refund      Kind = "refund"       // of an order, by sales; cannot be taken back, and needs the customer's consent
)

// Kinds are all of them, in that order.
func Kinds() []Kind {
	return []Kind{Points, Apology, Explanation, Voucher, Repair, Exchange, FreeService, Refund}
}

// Justice is what a customer may find wanting, after Tax, Brown and Chandrashekaran (1998), "Customer Evaluations of Service
// Complaint Experiences": what comes out of it, how it came about, and how one was dealt with.
type Justice string

// The three.
const (
	Outcome     Justice = "outcome"
	Procedure   Justice = "procedure"
	Interaction Justice = "interaction"
)

// Menu is the remedies that a tenant offers.
type Menu struct {
	Version int64   // 0 while the standard one holds
	Entries []Entry // in the order in which they are shown
}

// Entry is one remedy of a menu.
type Entry struct {
	Code      string    `json:"code"`
	Kind      Kind      `json:"kind"`
	Justice   []Justice `json:"justice"`    // which it answers; at least one
	CostMinor int64     `json:"cost_minor"` // of one, unless the proposal says otherwise; of points and refunds it follows from what is given
	Consent   bool      `json:"consent"`    // whether it needs the customer's: the others are carried out for one who is silent as well
}

// StandardMenu has one entry of each kind, whose code is the kind.
func StandardMenu() Menu {
	return Menu{Entries: []Entry{
		{Code: "apology", Kind: Apology, Justice: []Justice{Interaction}},
		{Code: "explanation", Kind: Explanation, Justice: []Justice{Procedure, Interaction}},
		{Code: "repair", Kind: Repair, Justice: []Justice{Outcome}, Consent: true},
		{Code: "exchange", Kind: Exchange, Justice: []Justice{Outcome}, Consent: true},
		{Code: "refund", Kind: Refund, Justice: []Justice{Outcome}, Consent: true},
		{Code: "points", Kind: Points, Justice: []Justice{Outcome}},
		{Code: "voucher", Kind: Voucher, Justice: []Justice{Outcome}},
		{Code: "free_service", Kind: FreeService, Justice: []Justice{Outcome, Interaction}, Consent: true},
	}}
}

// Find gives the entry of a code or, where that is empty, the first one of the kind.
func (m Menu) Find(code string, kind Kind) (Entry, bool) {
	i := slices.IndexFunc(m.Entries, func(e Entry) bool { return e.Kind == kind && (code == "" || e.Code == code) })
	if i < 0 {
		return Entry{}, false
	}
	return m.Entries[i], true
}

const mostEntries = 50

// Check names every field that is not right.
func (m Menu) Check() (faults []problem.Field) {
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	if len(m.Entries) < 1 || len(m.Entries) > mostEntries {
		fault("entries", "out_of_range", "must be 1 to 50")
	}
	seen := map[string]bool{}
	for i, e := range m.Entries {
		at := fmt.Sprintf("entries[%d].", i)
		if !ticket.Code(e.Code) {
			fault(at+"code", "code_malformed", "must be a code of 1 to 64 lower-case letters, digits, - and _")
		}
		if seen[e.Code] {
			fault(at+"code", "code_taken", "must not be that of another entry")
		}
		seen[e.Code] = true
		if !slices.Contains(Kinds(), e.Kind) {
			fault(at+"kind", "kind_unknown", "must be points, apology, explanation, voucher, repair, exchange, free_service or refund")
		}
		if len(e.Justice) == 0 || slices.ContainsFunc(e.Justice, func(j Justice) bool { return j != Outcome && j != Procedure && j != Interaction }) {
			fault(at+"justice", "justice_unknown", "must be one or more of outcome, procedure and interaction")
		}
		if e.CostMinor < 0 || e.CostMinor > money.Max {
			fault(at+"cost_minor", "out_of_range", "must be 0 or more and a possible amount")
		}
		if (e.Kind == Points || e.Kind == Refund) && e.CostMinor != 0 {
			fault(at+"cost_minor", "cost_unexpected", "must be left out: what points and refunds cost follows from what is given")
		}
		if e.Kind == Refund && !e.Consent {
			fault(at+"consent", "consent_required", "must be true: money is not given back without the customer's consent")
		}
	}
	return faults
}
