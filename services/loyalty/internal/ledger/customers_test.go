package ledger_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
)

// pooled is a balance as the API shows it.
type pooled struct {
	MemberID   uuid.UUID `json:"member_id"`
	CustomerID uuid.UUID `json:"customer_id"`
	Available  int64
	Pending    int64
	Debt       int64
	Own        *struct {
		CustomerID uuid.UUID `json:"customer_id"`
		Available  int64
		Pending    int64
		Debt       int64
	}
}

type spentView struct {
	EntryID  string    `json:"entry_id"`
	MemberID uuid.UUID `json:"member_id"`
	Points   int64
	Spent    int64
	Lots     []struct{ Points int64 }
	Parts    []struct {
		EntryID  string    `json:"entry_id"`
		MemberID uuid.UUID `json:"member_id"`
		Points   int64
		Lots     []struct{ Points int64 }
	}
}

// merged are two members: wei, who stands for li as well. Wei has 30 points, li 50 older ones and 7 locked ones.
func merged(t *testing.T) (w *loyaltytest.World, accounts *apptest.Accounts, wei, li loyaltytest.Member) {
	t.Helper()
	w = loyaltytest.Start(t)
	wei, li = w.Enrol(), w.Enrol()
	w.Earn(li, 50)
	w.Earn(wei, 30)
	w.Want(http.StatusCreated, http.MethodPost, li.Path+"/earns", w.Manager,
		body{"points": 7, "reason_type": "campaign", "locked_until": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)}, nil)
	accounts = w.Accounts("pizza")
	accounts.Merge(li.CustomerID, wei.CustomerID)
	return w, accounts, wei, li
}

func TestMergedMembersAreSeenWithWhatTheyHaveTogether(t *testing.T) {
	t.Parallel()
	w, accounts, wei, li := merged(t)
	w.Enrol()
	check := func(what string, got pooled, of loyaltytest.Member, own int64) {
		t.Helper()
		if got.MemberID != of.MemberID || got.Available != 80 || got.Pending != 7 || got.Own == nil || got.Own.Available != own || got.Own.CustomerID != of.CustomerID {
			t.Errorf("%s: %+v, own %+v", what, got, got.Own)
		}
		if got.CustomerID != uuid.Nil && got.CustomerID != wei.CustomerID {
			t.Errorf("%s: shown as customer %s, want the survivor", what, got.CustomerID)
		}
	}
	for m, own := range map[*loyaltytest.Member]int64{&wei: 30, &li: 50} {
		var got pooled
		w.Want(http.StatusOK, http.MethodGet, m.Path, w.Manager, nil, &got)
		check("the member", got, *m, own)
		got = pooled{}
		w.Want(http.StatusOK, http.MethodGet, m.Path+"/balance", w.Manager, nil, &got)
		check("the balance", got, *m, own)
		got = pooled{}
		w.Want(http.StatusOK, http.MethodGet, m.Path+"/balance?at="+time.Now().UTC().Format(time.RFC3339Nano), w.Manager, nil, &got)
		check("the balance of a moment ago", got, *m, own)
		got = pooled{}
		w.Want(http.StatusOK, http.MethodPost, "/v1/members", w.Manager, body{"customer_id": m.CustomerID}, &got)
		check("enrolled again", got, *m, own)
		var page struct{ Items []pooled }
		w.Want(http.StatusOK, http.MethodGet, "/v1/members?card_number="+m.CardNumber, w.Manager, nil, &page)
		if len(page.Items) != 1 {
			t.Fatalf("by the card: %+v", page)
		}
		check("by the card", page.Items[0], *m, own)
		w.Want(http.StatusOK, http.MethodGet, "/v1/members?customer_id="+m.CustomerID.String(), w.Manager, nil, &page)
		if len(page.Items) != 2 {
			t.Fatalf("by the customer: %+v", page)
		}
		check("by the customer", page.Items[0], wei, 30)
		check("by the customer", page.Items[1], li, 50)
		w.Want(http.StatusOK, http.MethodGet, "/v1/members?customer_id="+m.CustomerID.String(), w.Token(auth.RoleManager, "music"), nil, &page)
		if len(page.Items) != 0 {
			t.Errorf("another tenant sees %+v", page)
		}
	}
	w.Want(http.StatusUnprocessableEntity, http.MethodGet, "/v1/members?card_number=17", w.Manager, nil, nil)

	accounts.Undo(li.CustomerID, wei.CustomerID)
	var alone pooled
	w.Want(http.StatusOK, http.MethodGet, li.Path, w.Manager, nil, &alone)
	if alone.Available != 50 || alone.Pending != 7 || alone.Own != nil || alone.CustomerID != li.CustomerID {
		t.Errorf("after the undo: %+v", alone)
	}
}

func TestASpendTakesTheOldestPointsWhoseverTheyAre(t *testing.T) {
	t.Parallel()
	w, _, wei, li := merged(t)
	key := []string{"Idempotency-Key", "k"}
	spend := body{"points": 60, "reason_type": "reward"}
	var got spentView
	first := w.Want(http.StatusCreated, http.MethodPost, wei.Path+"/spends", w.Manager, spend, &got, key...)
	if got.Spent != 60 || got.MemberID != wei.MemberID || got.Points != 10 || len(got.Lots) != 1 || len(got.Parts) != 1 {
		t.Fatalf("%+v", got)
	}
	if p := got.Parts[0]; p.MemberID != li.MemberID || p.Points != 50 || len(p.Lots) != 1 || p.Lots[0].Points != 50 {
		t.Fatalf("%+v", got)
	}
	again := w.Want(http.StatusCreated, http.MethodPost, wei.Path+"/spends", w.Manager, spend, nil, key...)
	w.ForgetKeys()
	later := w.Want(http.StatusCreated, http.MethodPost, wei.Path+"/spends", w.Manager, spend, nil, key...)
	if !bytes.Equal(first.Body, again.Body) || !bytes.Equal(first.Body, later.Body) {
		t.Errorf("first %s, then %s, long after that %s", first.Body, again.Body, later.Body)
	}
	told := w.EventsOf("PointsSpent", 2)
	if len(told) != 2 {
		t.Errorf("%d spends are told, want one for each member", len(told))
	}
	w.Want(http.StatusConflict, http.MethodPost, li.Path+"/spends", w.Manager, body{"points": 21, "reason_type": "reward"}, nil)

	// One who is asked and has nothing has no entry; its answer is that of the one whose points were taken.
	w.Want(http.StatusCreated, http.MethodPost, li.Path+"/spends", w.Manager, body{"points": 20, "reason_type": "reward"}, &got)
	if got.MemberID != wei.MemberID || got.Spent != 20 || got.Points != 20 {
		t.Errorf("%+v", got)
	}
	var x struct {
		Available int64
		Items     []struct {
			PartOf string `json:"part_of"`
		}
		PooledWith []struct {
			MemberID  uuid.UUID `json:"member_id"`
			Available int64
			Pending   int64
		} `json:"pooled_with"`
	}
	w.Want(http.StatusOK, http.MethodGet, li.Path+"/explanation", w.Manager, nil, &x)
	if x.Available != 0 || len(x.Items) != 3 || x.Items[0].PartOf == "" || len(x.PooledWith) != 1 || x.PooledWith[0].MemberID != wei.MemberID {
		t.Errorf("%+v", x)
	}
}

// TestAPoolRespectsWhatOneOwes is about the rule alone.
func TestAPoolRespectsWhatOneOwes(t *testing.T) {
	t.Parallel()
	rich := member.Member{ID: id(1), CustomerID: id(11), State: member.Active, Balance: member.Balance{Available: 30}}
	owes := member.Member{ID: id(2), CustomerID: id(12), State: member.Active, Balance: member.Balance{Debt: 12}}
	lot := ledger.Lot{ID: id(3), MemberID: rich.ID, Points: 30, Remaining: 30, Released: true, EarnedAt: noon}
	pool := func() ledger.Pool { return ledger.NewPool(rich, owes) }
	if b := pool().Balance(); b.Available != 18 || b.Debt != 0 {
		t.Errorf("together they have %+v", b)
	}
	if _, err := pool().Spend(at(9, ledger.KindSpend), owes.ID, 19, []ledger.Lot{lot}); err == nil {
		t.Error("what is owed was spent")
	}
	steps, err := pool().Spend(at(9, ledger.KindSpend), owes.ID, 18, []ledger.Lot{lot})
	if err != nil || len(steps) != 1 || steps[0].Account.ID != rich.ID || steps[0].Account.Available != 12 || steps[0].Entry.PartOf != uuid.Nil {
		t.Errorf("%+v %v", steps, err)
	}
	rich.Available = 10
	if b := pool().Balance(); b.Available != 0 || b.Debt != 2 {
		t.Errorf("together they have %+v", b)
	}
}

// TestWhoIsOneCustomerIsFoundByIndex looks at the plan as the app role has it under row level security.
func TestWhoIsOneCustomerIsFoundByIndex(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	m := w.Enrol()
	var plan []string
	err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		tx.Queue(`INSERT INTO member (tenant_id, id, customer_id, card_number, source, enrolled_at)
			SELECT 'pizza', gen_random_uuid(), gen_random_uuid(), n, 'api', now() FROM generate_series(1, 20000) AS n`)
		tx.PlanForAny()
		rows, err := tx.Query(t.Context(), "EXPLAIN "+member.OfPool+" ORDER BY m.customer_id FOR UPDATE", "pizza", m.MemberID)
		if err != nil {
			return err
		}
		plan, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	text := strings.Join(plan, "\n")
	if err != nil || !strings.Contains(text, "member_customer") || strings.Contains(text, "Seq Scan") {
		t.Errorf("%v\n%s", err, text)
	}
}
