package ledger_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
)

// later is a releaser, and the ledger, of a process whose clock is ahead by two hours.
func later(w *loyaltytest.World) (*ledger.Releaser, *ledger.Ledger) {
	l := ledger.New(w.DB, outbox.New("loyalty"), func() time.Time { return time.Now().Add(2 * time.Hour) })
	return ledger.NewReleaser(l, w.Database.DB(pg.Ops), "loyalty"), l
}

// lock gives the member points that are locked for an hour.
func lock(w *loyaltytest.World, token string, m loyaltytest.Member, points int, reason string) {
	w.Want(http.StatusCreated, http.MethodPost, m.Path+"/earns", token, body{
		"points": points, "reason_type": "campaign", "reason_id": reason, "locked_until": time.Now().Add(time.Hour),
	}, nil)
}

func TestLockedPointsAreReleasedInTime(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily, mia := w.Enrol(), w.Enrol()
	lock(w, w.Manager, lily, 100, "spring")
	lock(w, w.Manager, lily, 20, "summer")
	lock(w, w.Manager, mia, 3, "spring")
	w.Earn(lily, 5)
	releaser, points := later(w)
	now := ledger.NewReleaser(ledger.New(w.DB, outbox.New("loyalty"), time.Now), w.Database.DB(pg.Ops), "loyalty")
	if n, err := now.Release(t.Context()); n != 0 || err != nil {
		t.Fatalf("nothing is due yet: %d %v", n, err)
	}
	if n, err := releaser.Release(t.Context()); n != 3 || err != nil {
		t.Fatalf("%d released %v", n, err)
	}
	if n, err := releaser.Release(t.Context()); n != 0 || err != nil {
		t.Fatalf("%d released again %v", n, err)
	}
	if a, b := w.Read(lily), w.Read(mia); a.Available != 125 || a.Pending != 0 || b.Available != 3 || b.Pending != 0 {
		t.Fatalf("%+v %+v", a, b)
	}
	x, err := points.Explain(auth.With(t.Context(), auth.Principal{Subject: "x", Tenant: "pizza"}), lily.MemberID, 0, 1)
	if e := x.Entries[0]; err != nil || e.Kind != ledger.KindRelease || e.Points() != 20 || e.Reason.ID != "summer" || e.By != "release:loyalty" {
		t.Fatalf("%+v %v", x.Entries, err)
	}
	for _, event := range w.EventsOf("PointsReleased", 3) {
		if event.AggregateID == mia.MemberID.String() {
			golden.JSON(t, "testdata/points_released.json", event.Data)
		}
	}
}

func TestReleasersAtOnceReleaseOnce(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	members := make([]loyaltytest.Member, 10)
	for n := range members {
		members[n] = w.Enrol()
		for k := range 5 {
			lock(w, w.Manager, members[n], 10, fmt.Sprint(k))
		}
	}
	other := loyaltytest.Member{Path: "/v1/members/"}
	var enrolled loyaltytest.Member
	music := w.Token(auth.RoleManager, "music")
	w.Want(http.StatusCreated, http.MethodPost, "/v1/members", music, body{"customer_id": uuid.Must(uuid.NewV7())}, &enrolled)
	other.Path += enrolled.MemberID.String()
	lock(w, music, other, 7, "spring")

	var released atomic.Int64
	var wait sync.WaitGroup
	for range 6 {
		wait.Go(func() {
			releaser, points := later(w)
			n, err := releaser.Release(t.Context())
			if err != nil {
				t.Error(err)
			}
			released.Add(int64(n))
			for _, m := range members { // and spends release as well
				ctx := auth.With(context.Background(), auth.Principal{Subject: "x", Tenant: "pizza"})
				if _, err := points.Spend(ctx, m.MemberID, ledger.Spending{Points: 1, Reason: ledger.Reason{Type: "reward"}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if n := w.Count(`SELECT count(*) FROM ledger_entry WHERE kind = 'release'`); n != 51 || released.Load() > 51 {
		t.Fatalf("%d releases of 51 lots, %d by the releasers", n, released.Load())
	}
	for _, m := range members {
		if got := w.Read(m); got.Available != 44 || got.Pending != 0 {
			t.Errorf("%+v", got)
		}
	}
}

func TestASpendReleasesWhatIsDue(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := w.Enrol()
	lock(w, w.Manager, lily, 100, "spring")
	w.Earn(lily, 5)
	w.Want(http.StatusConflict, http.MethodPost, lily.Path+"/spends", w.Manager, body{"points": 6, "reason_type": "reward"}, nil)
	_, points := later(w)
	ctx := auth.With(t.Context(), auth.Principal{Subject: "x", Tenant: "pizza"})
	e, err := points.Spend(ctx, lily.MemberID, ledger.Spending{Points: 6, Reason: ledger.Reason{Type: "reward"}})
	if err != nil || e.No != 4 || e.AvailableAfter != 99 || len(e.Uses) != 1 {
		t.Fatalf("%+v %v", e, err)
	}
	if got := w.Read(lily); got.Available != 99 || got.Pending != 0 {
		t.Fatalf("%+v", got)
	}
}

// TestASpendOfManyLots takes more lots than a spend reads at first.
func TestASpendOfManyLots(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := w.Enrol()
	_, points := later(w)
	ctx := auth.With(t.Context(), auth.Principal{Subject: "x", Tenant: "pizza"})
	const lots = 210
	for n := range lots {
		until := time.Time{}
		if n%2 == 1 {
			until = time.Now().Add(time.Hour) // due by the clock of points
		}
		early := ledger.New(w.DB, outbox.New("loyalty"), time.Now)
		if _, err := early.Earn(ctx, lily.MemberID, ledger.Earning{Points: 1, Reason: ledger.Reason{Type: "campaign"}, LockedUntil: until}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ points, left int64 }{{50, lots - 50}, {110, lots - 160}, {lots - 160, 0}} {
		e, err := points.Spend(ctx, lily.MemberID, ledger.Spending{Points: c.points, Reason: ledger.Reason{Type: "reward"}})
		if err != nil || len(e.Uses) != int(c.points) {
			t.Fatalf("%d points: %+v %v", c.points, e, err)
		}
		if got := w.Read(lily); got.Available+got.Pending != c.left {
			t.Fatalf("%+v, want %d left", got, c.left)
		}
		if n := w.Count(`SELECT count(*) FROM lot a JOIN lot b USING (tenant_id, member_id)
			WHERE a.remaining = 0 AND b.remaining = 1 AND a.earned_at > b.earned_at`); n != 0 {
			t.Fatal("a younger lot was taken before an older one")
		}
	}
}
