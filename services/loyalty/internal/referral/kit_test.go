package referral_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

type body = map[string]any

// world is a running service whose tenants pizza and music reward referrals: 200 points for the referrer, 100 for who was referred.
type world struct {
	*loyaltytest.World
	t    *testing.T
	told int64 // events of sales
}

func start(t *testing.T, change ...func(*programme.Terms)) *world {
	t.Helper()
	w := &world{World: loyaltytest.Start(t), t: t}
	for _, tenant := range []string{"pizza", "music"} {
		terms := programme.Terms{
			ReturnDays: 14, JoinByPurchase: true,
			Referral: programme.Referral{
				ReferrerPoints: 200, ReferredPoints: 100, JoinedDays: 7, PurchaseDays: 90, Minimums: []programme.Minimum{{Currency: "CNY", Minor: 10_000}},
			},
			Growth: programme.Growth{WindowDays: 365, Weights: []programme.Weight{{Behaviour: "referrals", Weight: 1, Half: 1}}},
		}
		for _, c := range change {
			c(&terms)
		}
		w.Want(http.StatusCreated, http.MethodPost, "/v1/programmes", w.Token(auth.RoleManager, tenant),
			body{"code": "standard", "name": "Bean club", "zone": "UTC", "terms": terms}, nil)
	}
	return w
}

// tell publishes what sales tells, and waits until referrals were judged by it.
func (w *world) tell(events ...bus.Event) {
	w.t.Helper()
	w.Publish("sales", events...)
	w.told += int64(len(events))
	for _, consumer := range []string{"growth-orders", "orders"} {
		w.Eventually("what sales tells is taken in", func() bool {
			return w.Count(`SELECT coalesce(sum(next_offset), 0)::bigint FROM inbox_position WHERE consumer = $1`, consumer) == w.told
		})
	}
}

// code gives the code of a member.
func (w *world) code(m loyaltytest.Member) string {
	w.t.Helper()
	var c struct{ Code string }
	answer := w.Do(http.MethodPost, m.Path+"/referral-codes", w.Manager, nil)
	if answer.Status != http.StatusCreated && answer.Status != http.StatusOK {
		w.t.Fatalf("got %d %s", answer.Status, answer.Body)
	}
	answer.Decode(w.t, &c)
	return c.Code
}

// referral is a referral as the API shows it.
type referral struct {
	ID             uuid.UUID `json:"referral_id"`
	State, Reason  string
	ReferrerPoints int64     `json:"referrer_points"`
	ReferredPoints int64     `json:"referred_points"`
	SameCustomer   bool      `json:"same_customer"`
	OrderID        uuid.UUID `json:"order_id"`
}

// name names a customer as referred by the member.
func (w *world) name(m loyaltytest.Member, customer uuid.UUID) (r referral) {
	w.t.Helper()
	w.Want(http.StatusCreated, http.MethodPost, "/v1/referrals", w.Manager, body{"code": w.code(m), "customer_id": customer}, &r)
	return r
}

// refused names a customer and gives the status and the code of the refusal, "409 referral_self"; "201" where it was none.
func (w *world) refused(code string, customer uuid.UUID) string {
	w.t.Helper()
	answer := w.Do(http.MethodPost, "/v1/referrals", w.Manager, body{"code": code, "customer_id": customer})
	if answer.Status == http.StatusCreated {
		return "201"
	}
	return fmt.Sprint(answer.Status, " ", answer.Code())
}

func (w *world) get(r referral) (now referral) {
	w.t.Helper()
	w.Want(http.StatusOK, http.MethodGet, "/v1/referrals/"+r.ID.String(), w.Manager, nil, &now)
	return now
}

// audited demands that the auditor finds nothing.
func (w *world) audited() {
	w.t.Helper()
	var report struct{ OK bool }
	if answer := w.Want(http.StatusOK, http.MethodPost, "/v1/points/audits", w.Auditor, nil, &report); !report.OK {
		w.t.Fatalf("the auditor finds %s", answer.Body)
	}
}

func customer() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// have is what a member has: available, pending, debt.
func have(m loyaltytest.Member) [3]int64 { return [3]int64{m.Available, m.Pending, m.Debt} }

func soon() time.Time { return time.Now().Add(time.Second) }
