package programme

import (
	"fmt"

	"github.com/guanxi-crm/guanxi/platform/money"
)

// Referral says what both sides of a referral get when the referred customer has bought. The zero Referral: there are none.
type Referral struct {
	ReferrerPoints int64 `json:"referrer_points,omitempty" doc:"That the member gets whose code it was: 0 to 1000000." example:"200"`
	ReferredPoints int64 `json:"referred_points,omitempty" doc:"That the referred customer gets: 0 to 1000000." example:"100"`
	// JoinedDays is how long after they became a member somebody may still be named as referred.
	JoinedDays int `json:"joined_days,omitempty" doc:"How many days after becoming a member a customer may still be named as referred, 0 to 365; whoever is no member yet may always be." example:"7"`
	// PurchaseDays is how long after that the first purchase may come; 0: any time.
	PurchaseDays int `json:"purchase_days,omitempty" doc:"Within how many days after that the first purchase has to come, up to 3650; 0: any time." example:"90"`
	// Minimums are what a purchase has to come to; one in a currency that is not here counts from the first minor unit.
	Minimums []Minimum `json:"minimums,omitempty" doc:"What the purchase has to come to at least, by currency; in others anything above 0."`
	Cap      int       `json:"cap,omitempty" doc:"How many customers a member may refer within cap_days, up to 10000; 0: any number." example:"20"`
	CapDays  int       `json:"cap_days,omitempty" doc:"1 to 3650, with cap." example:"365"`
	// KeepReturned leaves the points where they are when the purchase comes back in full; otherwise they are taken back.
	KeepReturned bool `json:"keep_returned,omitempty" doc:"Leaves both their points also when the purchase comes back in full. Otherwise they are taken back then; until the return window ends they are locked either way."`
}

// Minimum is the least amount of a currency.
type Minimum struct {
	Currency string `json:"currency" doc:"ISO 4217." example:"CNY"`
	Minor    int64  `json:"minor" doc:"In minor units, more than 0." example:"10000"`
}

// On tells whether members can refer customers.
func (r Referral) On() bool { return r.ReferrerPoints > 0 || r.ReferredPoints > 0 }

// Enough tells whether a purchase of which so much is left, in minor units, is one for which both are rewarded.
func (r Referral) Enough(currency string, minor int64) bool {
	for _, m := range r.Minimums {
		if m.Currency == currency {
			return minor >= m.Minor
		}
	}
	return minor > 0
}

func (r Referral) faults(note fault) {
	between := func(field string, n, least, most int64) {
		if n < least || n > most {
			note("referral."+field, "out_of_range", fmt.Sprintf("must be %d to %d", least, most))
		}
	}
	between("referrer_points", r.ReferrerPoints, 0, 1_000_000)
	between("referred_points", r.ReferredPoints, 0, 1_000_000)
	between("joined_days", int64(r.JoinedDays), 0, 365)
	between("purchase_days", int64(r.PurchaseDays), 0, maxWindowDays)
	between("cap", int64(r.Cap), 0, 10_000)
	if r.Cap > 0 || r.CapDays != 0 {
		between("cap_days", int64(r.CapDays), 1, maxWindowDays)
	}
	if r.Cap == 0 && r.CapDays != 0 {
		note("referral.cap", "required", "must be given with cap_days")
	}
	if !r.On() && (r.JoinedDays != 0 || r.PurchaseDays != 0 || r.Cap != 0 || len(r.Minimums) > 0 || r.KeepReturned) {
		note("referral.referrer_points", "required", "must say what at least one side gets")
	}
	seen := make(map[string]bool)
	for i, m := range r.Minimums {
		at := fmt.Sprintf("referral.minimums[%d]", i)
		if _, ok := money.Digits(m.Currency); !ok {
			note(at+".currency", "currency_unknown", "must be an ISO 4217 code, such as CNY")
		} else if seen[m.Currency] {
			note(at+".currency", "currency_twice", "must be the only one of its currency")
		}
		seen[m.Currency] = true
		if m.Minor < 1 || m.Minor > money.Max {
			note(at+".minor", "out_of_range", fmt.Sprintf("must be 1 to %d", money.Max))
		}
	}
}
