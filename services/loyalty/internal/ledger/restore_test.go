package ledger_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
)

type restored struct {
	EntryID  string `json:"entry_id"`
	Kind     string
	Reverses string
	Points   int64
	Restored int64
	Parts    []struct {
		MemberID uuid.UUID `json:"member_id"`
		Points   int64
	}
}

// terms has the standard programme of the tenant pizza go by terms, in Shanghai's days.
func terms(w *loyaltytest.World, terms string) {
	w.Admin(`INSERT INTO programme (tenant_id, code, name, zone, by_subject, created_at) VALUES ('pizza', 'standard', 'Standard', 'Asia/Shanghai', 'test', now())`)
	w.Admin(`INSERT INTO programme_version (tenant_id, programme, no, id, effective_from, terms, by_subject, created_at)
		VALUES ('pizza', 'standard', 1, gen_random_uuid(), '2020-01-01', $1, 'test', now())`, terms)
}

func reverse(spend string) string { return "/v1/spends/" + spend + "/reverse" }

func TestASpendIsGivenBackOnce(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := w.Enrol()
	w.Earn(lily, 100)
	var spent spentView
	w.Want(http.StatusCreated, http.MethodPost, lily.Path+"/spends", w.Manager, body{"points": 60, "reason_type": "reward", "reason_id": "mug"}, &spent)
	why := body{"reason_type": "order_cancelled", "reason_id": "17"}
	key := []string{"Idempotency-Key", "k"}
	first := w.Want(http.StatusCreated, http.MethodPost, reverse(spent.EntryID), w.Manager, why, nil, key...)
	golden.JSON(t, "testdata/restore.json", first.Body)
	w.ForgetKeys()
	if again := w.Want(http.StatusCreated, http.MethodPost, reverse(spent.EntryID), w.Manager, why, nil, key...); !bytes.Equal(first.Body, again.Body) {
		t.Errorf("first %s, then %s", first.Body, again.Body)
	}
	for name, c := range map[string]struct {
		path, code string
		status     int
	}{
		"a second time":     {reverse(spent.EntryID), "spend_restored", 409},
		"what is no spend":  {reverse(column(t, w, `SELECT id::text FROM ledger_entry WHERE kind = 'earn'`)), "entry_no_spend", 409},
		"what is not there": {reverse(uuid.NewString()), "entry_not_found", 404},
	} {
		if answer := w.Do(http.MethodPost, c.path, w.Manager, why); answer.Status != c.status || answer.Code() != c.code {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
	}
	if answer := w.Do(http.MethodPost, reverse(spent.EntryID), w.Token(auth.RoleManager, "music"), why); answer.Status != http.StatusNotFound {
		t.Errorf("another tenant's: %d %s", answer.Status, answer.Body)
	}
	if now := w.Read(lily); now.Available != 100 {
		t.Errorf("%+v", now)
	}
	golden.JSON(t, "testdata/points_restored.json", w.EventsOf("PointsRestored", 1)[0].Data)
}

func TestTwentyAtOnceGiveASpendBackOnce(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := w.Enrol()
	w.Earn(lily, 100)
	var spent spentView
	w.Want(http.StatusCreated, http.MethodPost, lily.Path+"/spends", w.Manager, body{"points": 60, "reason_type": "reward"}, &spent)
	var done atomic.Int64
	var wait sync.WaitGroup
	for n := range 20 {
		wait.Go(func() {
			answer := w.Do(http.MethodPost, reverse(spent.EntryID), w.Manager, body{"reason_type": "cancelled"}, "Idempotency-Key", fmt.Sprint(n))
			switch {
			case answer.Status == http.StatusCreated:
				done.Add(1)
			case answer.Code() != "spend_restored":
				t.Errorf("%d %s", answer.Status, answer.Body)
			}
		})
	}
	wait.Wait()
	if now := w.Read(lily); done.Load() != 1 || now.Available != 100 {
		t.Errorf("%d were done: %+v", done.Load(), now)
	}
}

func TestASpendOfAPoolIsGivenBackToEachEvenAfterTheUndo(t *testing.T) {
	t.Parallel()
	w, accounts, wei, li := merged(t)
	var spent spentView
	w.Want(http.StatusCreated, http.MethodPost, wei.Path+"/spends", w.Manager, body{"points": 60, "reason_type": "reward"}, &spent)
	accounts.Undo(li.CustomerID, wei.CustomerID)
	var back restored
	w.Want(http.StatusCreated, http.MethodPost, reverse(spent.Parts[0].EntryID), w.Manager, body{"reason_type": "cancelled"}, &back) // a part names the whole
	if back.Restored != 60 || back.Points != 10 || back.Reverses != spent.EntryID || len(back.Parts) != 1 || back.Parts[0].MemberID != li.MemberID || back.Parts[0].Points != 50 {
		t.Errorf("%+v", back)
	}
	if w.Read(wei).Available != 30 || w.Read(li).Available != 50 {
		t.Errorf("%+v %+v", w.Read(wei), w.Read(li))
	}
}

// TestWhatRanOutIsNeitherSpentNorOwed goes through the days of points that live a month: nobody sweeps meanwhile.
func TestWhatRanOutIsNeitherSpentNorOwed(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	terms(w, `{"expiry": {"kind": "months", "months": 1}}`)
	lily := w.Enrol()
	now := time.Date(2030, 1, 31, 12, 0, 0, 0, time.UTC)
	l := ledger.New(w.DB, outbox.New("loyalty"), func() time.Time { return now })
	ctx := auth.With(t.Context(), auth.Principal{Subject: "game", Tenant: "pizza"})
	reason := ledger.Reason{Type: "game"}
	earned, err := l.Earn(ctx, lily.MemberID, ledger.Earning{Points: 100, Reason: reason})
	if err != nil {
		t.Fatal(err)
	}
	spent, err := l.Spend(ctx, lily.MemberID, ledger.Spending{Points: 30, Reason: reason})
	if err != nil {
		t.Fatal(err)
	}
	end := time.Date(2030, 2, 28, 16, 0, 0, 0, time.UTC) // the end of a month's last day in Shanghai
	now = end.Add(-time.Microsecond)
	if _, err := l.Spend(ctx, lily.MemberID, ledger.Spending{Points: 10, Reason: reason}); err != nil {
		t.Errorf("in the last moment: %v", err)
	}
	now = end
	if _, err := l.Spend(ctx, lily.MemberID, ledger.Spending{Points: 1, Reason: reason}); problem.From(err) == nil || !strings.Contains(err.Error(), "has 0 points") {
		t.Errorf("a moment later: %v", err)
	}
	if _, err := l.Restore(ctx, spent.ID, reason); err != nil {
		t.Fatal(err)
	}
	x, err := l.Explain(ctx, lily.MemberID, 0, 10)
	month := time.Date(2030, 3, 31, 16, 0, 0, 0, time.UTC) // 30 days from March 1st, which it is in Shanghai
	if err != nil || x.Available != 30 || len(x.Lots) != 1 || !x.Lots[0].ExpiresAt.Equal(month) || x.Lots[0].Expired != 60 || x.Lots[0].ID != earned.ID {
		t.Errorf("%+v %v", x, err)
	}
	// 70 points are gone: 60 ran out, 10 were spent. The purchase comes back whole: the 30 are taken, nobody owes the 60, and the
	// 10 are owed.
	back, err := takeBackIn(ctx, w, l, lily.MemberID, earned.ID, 100, now)
	if err != nil || back.Points() != 40 || back.Waived != 60 || -back.Debt != 10 {
		t.Errorf("%+v %v", back, err)
	}
	if then, err := l.Balance(ctx, lily.MemberID, end.Add(-time.Microsecond)); err != nil || then.Available != 60 {
		t.Errorf("%+v %v", then, err)
	}
	s, err := l.Summary(ctx)
	if err != nil || s.Expired != 60 || s.Restored != 30 || s.Debt != 10 || s.LedgerSum != 0 {
		t.Errorf("%+v %v", s, err)
	}
}
