package ledger_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

func TestABalanceIsPutRightByHand(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := w.Enrol()
	adjust := func(points int) body { return body{"points": points, "reason_type": "correction", "reason_id": "17"} }
	golden.JSON(t, "testdata/adjustment.json", w.Want(http.StatusCreated, http.MethodPost, lily.Path+"/adjustments", w.Manager, adjust(100), nil).Body)
	golden.JSON(t, "testdata/adjustment_taken.json", w.Want(http.StatusCreated, http.MethodPost, lily.Path+"/adjustments", w.Manager, adjust(-30), nil).Body)
	if answer := w.Do(http.MethodPost, lily.Path+"/adjustments", w.Manager, adjust(-71)); answer.Code() != "points_insufficient" || answer.Status != http.StatusConflict {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
	if now := w.Read(lily); now.Available != 70 {
		t.Errorf("%+v", now)
	}
	told := w.EventsOf("PointsAdjusted", 2)
	golden.JSON(t, "testdata/points_adjusted.json", told[0].Data)
	golden.JSON(t, "testdata/points_adjusted_taken.json", told[1].Data)
	for role, status := range map[string]int{auth.RoleAgent: 403, auth.RoleIntegrator: 403, auth.RoleAdmin: 201} {
		if answer := w.Do(http.MethodPost, lily.Path+"/adjustments", w.Token(role, "pizza"), adjust(1)); answer.Status != status {
			t.Errorf("%s: %d %s", role, answer.Status, answer.Body)
		}
	}
	if answer := w.Do(http.MethodPost, lily.Path+"/adjustments", w.Token(auth.RoleManager, "music"), adjust(1)); answer.Status != http.StatusNotFound {
		t.Errorf("another tenant's: %d %s", answer.Status, answer.Body)
	}
}

// TestWhoDoesNotEarnOrSpend goes through the states of members, and those who were erased.
func TestWhoDoesNotEarnOrSpend(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	why := body{"points": 1, "reason_type": "test"}
	less := body{"points": -1, "reason_type": "test"}
	for state, c := range map[string]struct {
		earn, spend, adjust, withdraw string // the codes; empty: it is done
	}{
		"active":    {},
		"suspended": {spend: "member_suspended"},
		"left":      {earn: "member_left", spend: "member_left", adjust: "member_left"},
		"erased":    {earn: "member_erased", spend: "member_erased", adjust: "member_erased"},
	} {
		m := w.Enrol()
		w.Earn(m, 100)
		var spent spentView
		w.Want(http.StatusCreated, http.MethodPost, m.Path+"/spends", w.Manager, body{"points": 10, "reason_type": "test"}, &spent)
		if state == "erased" {
			w.AskToErase("pizza", m.CustomerID)
		} else {
			w.Admin(`UPDATE member SET state = $2 WHERE id = $1`, m.MemberID, state)
		}
		for what, r := range map[string]struct {
			path string
			body body
			code string
		}{
			"earn": {"/earns", why, c.earn}, "spend": {"/spends", why, c.spend}, "adjust": {"/adjustments", why, c.adjust},
			"withdraw": {"/adjustments", less, c.withdraw},
		} {
			want := http.StatusCreated
			switch r.code {
			case "":
			case "member_erased":
				want = http.StatusGone
			default:
				want = http.StatusConflict
			}
			answer := w.Do(http.MethodPost, m.Path+r.path, w.Manager, r.body)
			if answer.Status != want || answer.Code() != r.code {
				t.Errorf("%s, %s: got %d %s", state, what, answer.Status, answer.Body)
			}
		}
		w.Want(http.StatusCreated, http.MethodPost, reverse(spent.EntryID), w.Manager, body{"reason_type": "test"}, nil) // what was paid for is theirs
	}
}

func TestASuspendedMembersPointsAreNotSpentByOthers(t *testing.T) {
	t.Parallel()
	w, _, wei, li := merged(t)
	w.Admin(`UPDATE member SET state = 'suspended' WHERE id = $1`, li.MemberID)
	if answer := w.Do(http.MethodPost, wei.Path+"/spends", w.Manager, body{"points": 31, "reason_type": "reward"}); answer.Code() != "points_insufficient" {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
	w.Want(http.StatusCreated, http.MethodPost, wei.Path+"/spends", w.Manager, body{"points": 30, "reason_type": "reward"}, nil)
}

func TestAdjustmentsAndReversalsRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := w.Enrol()
	w.Earn(lily, 1000)
	var spent spentView
	w.Want(http.StatusCreated, http.MethodPost, lily.Path+"/spends", w.Manager, body{"points": 10, "reason_type": "test"}, &spent)
	for name, target := range map[string]badinput.Target{
		"adjust": {
			Method: http.MethodPost, Path: lily.Path + "/adjustments", Body: `{"points":1,"reason_type":"correction","reason_id":"17"}`, Owned: true, Replay: true,
			OtherBody: `{"points":-1,"reason_type":"correction"}`,
		},
		"reverse": {
			Method: http.MethodPost, Path: reverse(spent.EntryID), Body: `{"reason_type":"cancelled","reason_id":"17"}`, Owned: true,
		}, // which works once
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.Manager
			badinput.Check(t, target)
		})
	}
	for name, bad := range map[string]body{
		"nothing": {"points": 0}, "too much": {"points": 1_000_001}, "too little": {"points": -1_000_001}, "a fraction": {"points": 1.5},
		"the least integer": {"points": int64(-1 << 63)}, "text": {"points": "1"}, "no points": {}, "no reason": {"points": 1, "reason_type": ""},
		"a reason in capitals": {"points": 1, "reason_type": "Correction"}, "a reason's id with a line end": {"points": 1, "reason_id": "a\nb"},
		"a reason's id of 65 characters": {"points": 1, "reason_id": strings.Repeat("x", 65)},
	} {
		if _, there := bad["reason_type"]; !there {
			bad["reason_type"] = "correction"
		}
		if answer := w.Do(http.MethodPost, lily.Path+"/adjustments", w.Manager, bad); answer.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
	}
	for _, bad := range []body{{}, {"reason_type": "Capital"}, {"reason_type": "x", "reason_id": "a\nb"}, {"reason_type": "x", "points": 1}} {
		if answer := w.Do(http.MethodPost, reverse(spent.EntryID), w.Manager, bad); answer.Status != http.StatusUnprocessableEntity {
			t.Errorf("%v: %d %s", bad, answer.Status, answer.Body)
		}
	}
}

func TestAProgrammeOwesWhatItsPointsAreWorth(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	terms(w, `{"worth": {"currency": "CNY", "points": 3, "minor": 10}}`)
	w.Admin(`INSERT INTO programme (tenant_id, code, name, zone, by_subject, created_at) VALUES ('pizza', 'club', 'Club', 'UTC', 'test', now())`)
	w.Admin(`INSERT INTO programme_version (tenant_id, programme, no, id, effective_from, terms, by_subject, created_at)
		VALUES ('pizza', 'club', 1, gen_random_uuid(), '2020-01-01', '{}', 'test', now())`)
	lily, mia := w.Enrol(), w.Enrol()
	w.Admin(`UPDATE member SET programme = 'club' WHERE id = $1`, mia.MemberID)
	w.Earn(lily, 100)
	w.Earn(mia, 7)
	var got struct {
		Available, Members int64
		Programmes         []struct {
			Programme                             string
			Earned, Available, Liability, Members int64
			Worth                                 *struct {
				Currency string
				Amount   int64 `json:"amount_minor"`
			} `json:"liability_worth"`
		}
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/points/summary", w.Manager, nil, &got)
	if len(got.Programmes) != 2 || got.Available != 107 || got.Members != 2 {
		t.Fatalf("%+v", got)
	}
	standard, club := got.Programmes[0], got.Programmes[1]
	if standard.Programme != "standard" || standard.Liability != 100 || standard.Worth == nil || standard.Worth.Currency != "CNY" || standard.Worth.Amount != 334 {
		t.Errorf("%+v %+v", standard, standard.Worth)
	}
	if club.Programme != "club" || club.Earned != 7 || club.Liability != 7 || club.Members != 1 || club.Worth != nil {
		t.Errorf("%+v", club)
	}
	var other struct{ Members int64 }
	w.Want(http.StatusOK, http.MethodGet, "/v1/points/summary", w.Token(auth.RoleManager, "music"), nil, &other)
	if other.Members != 0 {
		t.Errorf("another tenant sees %+v", other)
	}
}

// takeBackIn takes points of an earlier entry back as rooms do in their transactions.
func takeBackIn(ctx context.Context, w *loyaltytest.World, l *ledger.Ledger, memberID, entry uuid.UUID, points int64, now time.Time) (e ledger.Entry, err error) {
	id := uuid.Must(uuid.NewV7())
	_, err = w.DB.Command(ctx, "pizza", func(tx *pg.Tx) (pg.Result, error) {
		book := programme.BookOf(tx)
		m, err := member.Lock(ctx, tx, memberID)
		if err != nil {
			return pg.Result{}, err
		}
		lots := ledger.QueueLots(tx, []uuid.UUID{m.ID}, []uuid.UUID{entry}, 0)
		if err := tx.Flush(ctx); err != nil {
			return pg.Result{}, err
		}
		rules, ok := book.At(m.Programme, now)
		if !ok {
			return pg.Result{}, errors.New("no terms")
		}
		steps, err := ledger.Account{Member: m}.TakeBack(ledger.Booking{
			ID: id, Kind: ledger.KindReversal, Key: "return/" + id.String(), Reason: ledger.Reason{Type: "order_return"}, EffectiveAt: now, RecordedAt: now,
		}, rules, entry, points, lots.Of(m.ID))
		if err != nil {
			return pg.Result{}, err
		}
		e = steps[len(steps)-1].Entry
		return pg.Result{}, l.Book(ctx, tx, nil, steps...)
	})
	return e, err
}

// column gives the one value of a query by the superuser.
func column(t *testing.T, w *loyaltytest.World, sql string) (s string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), w.Database.AdminURL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if err := conn.QueryRow(t.Context(), sql).Scan(&s); err != nil {
		t.Fatal(err)
	}
	return s
}
