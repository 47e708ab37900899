package ledger_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
)

// on is a time in Shanghai.
func on(t *testing.T, wall string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", wall, zone(t))
	if err != nil {
		t.Fatal(err)
	}
	return at.UTC()
}

func TestAnEntryIsToldInWords(t *testing.T) {
	t.Parallel()
	when := on(t, "2027-03-04 01:00") // the day before in UTC
	id := "01a218d6-8afc-76db-816b-c911df2bf89a"
	entry := func(k ledger.Kind, p ledger.Postings, reason ledger.Reason, after int64) ledger.Entry {
		return ledger.Entry{
			Booking:  ledger.Booking{Kind: k, Reason: reason, EffectiveAt: when, RecordedAt: when.Add(24 * time.Hour)},
			Postings: p, AvailableAfter: after,
		}
	}
	part := entry(ledger.KindSpend, ledger.Postings{Available: -1, Redeemed: 1}, ledger.Reason{Type: "reward"}, 0)
	part.PartOf = uuid.New()
	waived := entry(ledger.KindReversal, ledger.Postings{Available: -10, Debt: -5, Issued: 15}, ledger.Reason{Type: "order_return", ID: id}, 0)
	waived.Waived = 3
	ran := entry(ledger.KindExpiry, ledger.Postings{Available: -90, Expired: 90}, ledger.Reason{Type: "expiry"}, 5)
	ran.EffectiveAt = on(t, "2027-03-05 00:00")
	for _, c := range []struct {
		name             string
		entry            ledger.Entry
		english, chinese string
	}{
		{
			"an order, locked", entry(ledger.KindEarn, ledger.Postings{Pending: 1200, Issued: -1200}, ledger.Reason{Type: "order", ID: id}, 0),
			"On 4 March 2027 you earned 1,200 points for your order, 1,200 points of them locked at first. After that you had 0 points to spend.",
			"2027年3月4日，您因您的订单获得1200积分，其中1200积分先予锁定。此后可用0积分。",
		},
		{
			"one that pays a debt", entry(ledger.KindEarn, ledger.Postings{Available: 80, Debt: 20, Issued: -100}, ledger.Reason{Type: "campaign", ID: "spring"}, 80),
			"On 4 March 2027 you earned 100 points for a campaign (spring), 20 points of them paid what you owed. After that you had 80 points to spend.",
			"2027年3月4日，您因活动（spring）获得100积分，其中20积分用于抵扣所欠积分。此后可用80积分。",
		},
		{
			"a gift", entry(ledger.KindGrant, ledger.Postings{Available: 50, Issued: -50}, ledger.Reason{Type: "complaint", ID: id}, 50),
			"On 4 March 2027 you were given 50 points for your complaint. After that you had 50 points to spend.",
			"2027年3月4日，您因您的投诉获赠50积分。此后可用50积分。",
		},
		{
			"a spend", entry(ledger.KindSpend, ledger.Postings{Available: -30, Redeemed: 30}, ledger.Reason{Type: "reward", ID: "mug"}, 1),
			"On 4 March 2027 you spent 30 points on a reward (mug). After that you had 1 point to spend.",
			"2027年3月4日，您使用30积分，用于奖励（mug）。此后可用1积分。",
		},
		{
			"a part of a spend", part,
			"On 4 March 2027 you spent 1 point on a reward, as a part of what was spent of your memberships together. After that you had 0 points to spend.",
			"2027年3月4日，您使用1积分，用于奖励，这是您多个会员账户合并使用的一部分。此后可用0积分。",
		},
		{
			"a spend given back", entry(ledger.KindRestore, ledger.Postings{Available: 30, Redeemed: -30}, ledger.Reason{Type: "redemption_cancelled"}, 31),
			"On 5 March 2027 you got 30 points back that you had spent, for a reward that was cancelled. After that you had 31 points to spend.",
			"2027年3月5日，退还您已使用的30积分，原因：已取消的奖励。此后可用31积分。",
		},
		{
			"a release", entry(ledger.KindRelease, ledger.Postings{Pending: -7, Available: 7}, ledger.Reason{Type: "order", ID: id}, 7),
			"On 4 March 2027 7 points for your order became free to spend. After that you had 7 points to spend.",
			"2027年3月4日，来自您的订单的7积分解除锁定，可以使用。此后可用7积分。",
		},
		{
			"a return", waived,
			"On 5 March 2027 15 points were taken back for goods that you returned, 5 points of them had been spent already and are owed now, 3 points more had run out and are not asked for. After that you had 0 points to spend.",
			"2027年3月5日，因您退回的商品收回15积分，其中5积分已被使用，现为所欠积分，另有3积分已到期，不再收回。此后可用0积分。",
		},
		{
			"points that ran out", ran,
			"On 4 March 2027 90 points ran out at the end of the day, not having been spent in time. After that you had 5 points to spend.",
			"2027年3月4日，90积分因未及时使用，于当日结束时到期。此后可用5积分。",
		},
		{
			"points by hand", entry(ledger.KindAdjustment, ledger.Postings{Available: 5, Adjusted: -5}, ledger.Reason{Type: "goodwill"}, 5),
			"On 4 March 2027 5 points were added for goodwill. After that you had 5 points to spend.",
			"2027年3月4日，因商家心意增加5积分。此后可用5积分。",
		},
		{
			"points taken by hand, for a reason of their own", entry(ledger.KindAdjustment, ledger.Postings{Available: -5, Adjusted: 5}, ledger.Reason{Type: "till_mistake"}, 0),
			"On 4 March 2027 5 points were taken off for till mistake. After that you had 0 points to spend.",
			"2027年3月4日，因till mistake扣减5积分。此后可用0积分。",
		},
		{"a tombstone", entry(ledger.KindVoid, ledger.Postings{}, ledger.Reason{Type: "order"}, 0), "", ""},
	} {
		for l, want := range map[ledger.Language]string{ledger.English: c.english, ledger.Chinese: c.chinese} {
			if got := ledger.NewTeller(l, zone(t)).Entry(c.entry); got != want {
				t.Errorf("%s:\n got %s\nwant %s", c.name, got, want)
			}
		}
	}
}

func TestASpendOfSeveralMembershipsIsToldAsAWhole(t *testing.T) {
	t.Parallel()
	at := on(t, "2027-03-04 10:00")
	spend := func(n int64) ledger.Entry {
		return ledger.Entry{
			Booking:  ledger.Booking{Kind: ledger.KindSpend, Reason: ledger.Reason{Type: "reward"}, EffectiveAt: at, RecordedAt: at},
			Postings: ledger.Postings{Available: -n, Redeemed: n},
		}
	}
	want := "On 4 March 2027 you spent 30 points on a reward, and 25 points more of your other memberships with us. After that you had 0 points to spend."
	if got := ledger.NewTeller(ledger.English, zone(t)).Entry(spend(30), spend(20), spend(5)); got != want {
		t.Errorf("got %s", got)
	}
}

func TestABalanceIsToldInWords(t *testing.T) {
	t.Parallel()
	lot := func(left, of int64, earned string, released bool, until string) ledger.Lot {
		l := ledger.Lot{Points: of, Remaining: left, EarnedAt: on(t, earned), Released: released, Reason: ledger.Reason{Type: "order", ID: "7"}}
		if until != "" {
			l.AvailableAt = on(t, until)
		}
		return l
	}
	var many []ledger.Lot
	for range 7 {
		many = append(many, lot(1, 1, "2027-01-15 10:00", true, ""))
	}
	for _, c := range []struct {
		name             string
		x                ledger.Explanation
		english, chinese []string
	}{
		{"nothing", ledger.Explanation{}, []string{"You have no points to spend."}, []string{"您目前没有可用积分。"}},
		{
			"some of everything",
			ledger.Explanation{
				Balance:  member.Balance{Available: 70, Pending: 20},
				Lots:     []ledger.Lot{lot(70, 100, "2027-01-15 10:00", true, ""), lot(20, 20, "2027-03-03 10:00", false, "2027-03-17 10:00")},
				Expiring: []ledger.Expiring{{Points: 70, At: on(t, "2028-01-16 00:00")}, {Points: 20, At: on(t, "2028-03-18 00:00")}},
				Totals:   ledger.Totals{Earned: 135, Spent: 30, Restored: 5, Reversed: 10, Expired: 12, Adjusted: 2},
			},
			[]string{
				"You have 70 points to spend, and 20 points that are still locked.",
				"70 points of them are from 15 January 2027, for your order (7), what is left of 100 points.",
				"20 points of them are from 3 March 2027, for your order (7), locked until 17 March 2027, when it is certain that nothing comes back.",
				"70 points run out at the end of 15 January 2028, if you do not spend them before.",
				"20 points run out at the end of 17 March 2028, if you do not spend them before.",
				"In all you were given 135 points, spent 30 points, got 5 points back of what you had spent, 10 points were taken back, 12 points ran out, 2 points were added by hand.",
			},
			[]string{
				"您目前有70积分可用，另有20积分暂时锁定。",
				"其中70积分来自2027年1月15日，您的订单（7），是100积分的剩余部分。",
				"其中20积分来自2027年3月3日，您的订单（7），锁定至2027年3月17日，确认没有退货后即可使用。",
				"70积分将于2028年1月15日结束时到期，请在此之前使用。",
				"20积分将于2028年3月17日结束时到期，请在此之前使用。",
				"您累计获得135积分，使用30积分，退还已使用的5积分，被收回10积分，到期12积分，人工增加2积分。",
			},
		},
		{
			"a debt and why",
			ledger.Explanation{
				Balance: member.Balance{Debt: 5},
				Entries: []ledger.Entry{{
					Booking:  ledger.Booking{Kind: ledger.KindReversal, Reason: ledger.Reason{Type: "order_return"}, RecordedAt: on(t, "2027-03-04 10:00")},
					Postings: ledger.Postings{Debt: -5, Issued: 5},
				}},
				Others: []member.Member{{}},
			},
			[]string{
				"You have no points to spend.",
				"You owe 5 points, since points were taken back on 4 March 2027 for goods that you returned when you had spent them already, the next points that you earn pay that first.",
				"You have 1 other membership(s) with us since your records were joined; their points are spent together with these.",
			},
			[]string{
				"您目前没有可用积分。",
				"您欠5积分，因为2027年3月4日因您退回的商品收回积分时，这些积分已被使用，您之后获得的积分将首先用于抵扣。",
				"您的资料合并后，您名下还有1个会员账户，其积分可与此账户一并使用。",
			},
		},
		{
			"what runs out by doing nothing, and many lots",
			ledger.Explanation{
				Balance: member.Balance{Available: 7}, Lots: many, IdleAt: on(t, "2027-07-16 00:00"),
				Expiring: []ledger.Expiring{{Points: 7, At: on(t, "2027-07-16 00:00")}},
				Totals:   ledger.Totals{Earned: 8, Adjusted: -1},
			},
			[]string{
				"You have 7 points to spend.",
				"1 point of them is from 15 January 2027, for your order (7).", "", "", "", "",
				"2 points are from other occasions.",
				"All that you have runs out at the end of 15 July 2027, unless you earn or spend points before.",
				"In all you were given 8 points, 1 point was taken off by hand.",
			},
			[]string{
				"您目前有7积分可用。", "其中1积分来自2027年1月15日，您的订单（7）。", "", "", "", "",
				"另有2积分来自其他场合。",
				"如在此之前没有获得或使用积分，届时全部积分将于2027年7月15日结束时到期。",
				"您累计获得8积分，人工扣减1积分。",
			},
		},
	} {
		for l, want := range map[ledger.Language][]string{ledger.English: c.english, ledger.Chinese: c.chinese} {
			for i := range want { // an empty line is as the one before
				if want[i] == "" {
					want[i] = want[i-1]
				}
			}
			if got := ledger.NewTeller(l, zone(t)).Balance(c.x); strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("%s:\n got %s\nwant %s", c.name, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
			}
		}
	}
}

// explained is what the API says of a balance in words.
type explained struct {
	InWords []string `json:"in_words"`
	Items   []struct {
		InWords string `json:"in_words"`
		Parts   []struct {
			MemberID uuid.UUID `json:"member_id"`
			Points   int64
		}
	}
}

func TestAnExplanationHasTheWordsInTheLanguageAskedForAndTheParts(t *testing.T) {
	t.Parallel()
	w, _, wei, li := merged(t)
	w.Want(http.StatusCreated, http.MethodPost, wei.Path+"/spends", w.Manager, body{"points": 60, "reason_type": "reward"}, nil)
	read := func(query string, headers ...string) (x explained) {
		t.Helper()
		a := w.Want(http.StatusOK, http.MethodGet, wei.Path+"/explanation"+query, w.Manager, nil, nil, headers...)
		if err := json.Unmarshal(a.Body, &x); err != nil {
			t.Fatal(err)
		}
		return x
	}
	x := read("?limit=1")
	if len(x.Items) != 1 || len(x.Items[0].Parts) != 1 || x.Items[0].Parts[0].MemberID != li.MemberID || x.Items[0].Parts[0].Points+10 != 60 {
		t.Fatalf("%+v", x.Items)
	}
	if !strings.Contains(x.Items[0].InWords, "you spent 10 points on a reward, and 50 points more of your other memberships") {
		t.Fatal(x.Items[0].InWords)
	}
	for _, c := range []struct {
		query, accepts, want string
	}{
		{"", "", "You have 20 points to spend."},
		{"?language=zh", "en", "您目前有20积分可用。"},
		{"", "zh-CN,zh;q=0.9,en;q=0.8", "您目前有20积分可用。"},
		{"?language=en", "zh", "You have 20 points to spend."},
	} {
		if x := read(c.query, "Accept-Language", c.accepts); x.InWords[0] != c.want {
			t.Errorf("%s %s: %s", c.query, c.accepts, x.InWords[0])
		}
	}
	w.Want(http.StatusUnprocessableEntity, http.MethodGet, wei.Path+"/explanation?language=de", w.Manager, nil, nil)
}
