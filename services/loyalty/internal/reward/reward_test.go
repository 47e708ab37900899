package reward

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func code(err error) string {
	var p *problem.Error
	if errors.As(err, &p) {
		return p.Code
	}
	return ""
}

func tiered() programme.Programme {
	p := programme.Standard()
	p.Tiers.Levels = []programme.Level{{Code: "silver"}, {Code: "gold"}, {Code: "black"}}
	return p
}

func TestWhatCanBeRedeemedWhenAndByWhom(t *testing.T) {
	t.Parallel()
	mug := Reward{Points: 300, Kind: Counter, Stock: Stock{Limited: true, Received: 5, Free: 5}}
	for name, c := range map[string]struct {
		change func(r *Reward)
		wish   Wish
		of     Standing
		points int64
		code   string
	}{
		"one":                              {nil, Wish{Quantity: 1}, Standing{}, 300, ""},
		"two cost twice as much":           {nil, Wish{Quantity: 2}, Standing{}, 600, ""},
		"all that are left":                {nil, Wish{Quantity: 5}, Standing{}, 1500, ""},
		"one more than are left":           {nil, Wish{Quantity: 6}, Standing{}, 0, "reward_out_of_stock"},
		"as many as wanted without an end": {func(r *Reward) { r.Stock = Stock{} }, Wish{Quantity: 100}, Standing{}, 30000, ""},
		"for what was told":                {nil, Wish{Quantity: 2, Points: 600}, Standing{}, 600, ""},
		"not for less than it costs":       {nil, Wish{Quantity: 2, Points: 599}, Standing{}, 0, "reward_cost_changed"},
		"more than one spend takes":        {func(r *Reward) { r.Points = 600_000 }, Wish{Quantity: 2}, Standing{}, 0, "reward_too_much"},
		"archived":                         {func(r *Reward) { r.ArchivedAt = noon }, Wish{Quantity: 1}, Standing{}, 0, "reward_archived"},
		"the moment it begins":             {func(r *Reward) { r.ValidFrom = noon }, Wish{Quantity: 1}, Standing{}, 300, ""},
		"the moment before":                {func(r *Reward) { r.ValidFrom = noon.Add(1) }, Wish{Quantity: 1}, Standing{}, 0, "reward_not_yet"},
		"before it costs anything":         {func(r *Reward) { r.Points = 0 }, Wish{Quantity: 1}, Standing{}, 0, "reward_not_yet"},
		"the moment before it is over":     {func(r *Reward) { r.ValidUntil = noon.Add(1) }, Wish{Quantity: 1}, Standing{}, 300, ""},
		"the moment it is over":            {func(r *Reward) { r.ValidUntil = noon }, Wish{Quantity: 1}, Standing{}, 0, "reward_over"},
		"of the tier":                      {func(r *Reward) { r.Tier = "gold" }, Wish{Quantity: 1}, Standing{Level: "gold"}, 300, ""},
		"of a higher one":                  {func(r *Reward) { r.Tier = "gold" }, Wish{Quantity: 1}, Standing{Level: "black"}, 300, ""},
		"of a lower one":                   {func(r *Reward) { r.Tier = "gold" }, Wish{Quantity: 1}, Standing{Level: "silver"}, 0, "reward_tier"},
		"of none":                          {func(r *Reward) { r.Tier = "silver" }, Wish{Quantity: 1}, Standing{}, 0, "reward_tier"},
		"of a tier that is gone":           {func(r *Reward) { r.Tier = "pearl" }, Wish{Quantity: 1}, Standing{Level: "pearl"}, 0, "reward_tier"},
		"up to the limit":                  {func(r *Reward) { r.Limit = 3 }, Wish{Quantity: 2}, Standing{Taken: 1}, 600, ""},
		"over the limit":                   {func(r *Reward) { r.Limit, r.LimitDays = 3, 30 }, Wish{Quantity: 2}, Standing{Taken: 2}, 0, "reward_limit"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := mug
			if c.change != nil {
				c.change(&r)
			}
			points, err := r.Redeem(c.wish, tiered(), c.of, noon)
			if points != c.points || code(err) != c.code || (err == nil) != (c.code == "") {
				t.Fatalf("got %d, %v", points, err)
			}
		})
	}
}

func TestFaultsOfOffers(t *testing.T) {
	t.Parallel()
	good := Offer{Name: "Mug", FulfilWithin: time.Hour}
	for name, c := range map[string]struct {
		kind     Kind
		change   func(o *Offer)
		location string
	}{
		"good":                        {Counter, func(*Offer) {}, ""},
		"a tier of the programme":     {Counter, func(o *Offer) { o.Tier = "gold" }, ""},
		"another tier":                {Counter, func(o *Offer) { o.Tier = "golden" }, "tier"},
		"no name":                     {Counter, func(o *Offer) { o.Name = "" }, "name"},
		"spaces around the name":      {Counter, func(o *Offer) { o.Name = " Mug" }, "name"},
		"a limit below zero":          {Counter, func(o *Offer) { o.Limit = -1 }, "limit"},
		"days of no limit":            {Counter, func(o *Offer) { o.LimitDays = 3 }, "limit_days"},
		"over before it begins":       {Counter, func(o *Offer) { o.ValidFrom, o.ValidUntil = noon, noon }, "valid_until"},
		"no time":                     {Counter, func(o *Offer) { o.FulfilWithin = 0 }, "fulfil_seconds"},
		"too much time":               {Counter, func(o *Offer) { o.FulfilWithin = maxFulfil + time.Second }, "fulfil_seconds"},
		"a voucher that is confirmed": {Voucher, func(o *Offer) { o.Confirm = true }, "confirm"},
		"less than nothing is low":    {Counter, func(o *Offer) { o.LowStock = -1 }, "low_stock_at"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := good
			c.change(&o)
			faults := o.faults(c.kind, tiered())
			if (c.location == "") != (len(faults) == 0) || len(faults) > 0 && faults[0].Location != c.location {
				t.Fatalf("got %+v", faults)
			}
		})
	}
}

// TestStockAddsUpWhateverMoves makes movements as they come and holds the stock against sums of its own.
func TestStockAddsUpWhateverMoves(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := Stock{Limited: rapid.Bool().Draw(t, "limited")}
		var in, reserved, given, moves int64
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			n := rapid.Int64Range(1, 10).Draw(t, "n")
			move := rapid.SampledFrom([]Move{Receive, Withdraw, Reserve, Release, Give}).Draw(t, "move")
			if (move == Release || move == Give) && n > reserved {
				continue // only what was reserved is released or given: the redemption's row sees to that
			}
			was := s
			now, m, err := s.Move(Movement{Move: move, Quantity: n})
			free := in - reserved - given
			refused := !s.Limited && (move == Receive || move == Withdraw) || s.Limited && (move == Withdraw || move == Reserve) && n > free
			if (err != nil) != refused {
				t.Fatalf("%s %d of %+v: %v", move, n, s, err)
			}
			if err != nil {
				if now != was {
					t.Fatalf("refused, and changed: %+v to %+v", was, now)
				}
				continue
			}
			switch move {
			case Receive:
				in += n
			case Withdraw:
				in -= n
			case Reserve:
				reserved += n
			case Release:
				reserved -= n
			case Give:
				reserved, given = reserved-n, given+n
			}
			moves++
			s = now
			want := Stock{Limited: s.Limited, Reserved: reserved, Given: given, Movements: moves}
			if s.Limited {
				want.Received, want.Free = in, in-reserved-given
			}
			if s != want || !s.Holds() || m.No != moves || m.After != s.Free {
				t.Fatalf("got %+v by %+v, want %+v", s, m, want)
			}
		}
	})
}

func TestTheRoadsOfARedemption(t *testing.T) {
	t.Parallel()
	due := noon.Add(time.Hour)
	reserved := func(k Kind, confirm bool) Redemption {
		return Redemption{Version: 1, Kind: k, Confirm: confirm, FulfilWithin: time.Hour, State: Reserved, RedeemedAt: noon, DueAt: due}
	}
	in := func(s State) Redemption {
		r := reserved(Delivery, true)
		if r.State = s; s == Fulfilled || s == Cancelled {
			r.ClosedAt, r.DueAt = noon, time.Time{}
		}
		return r
	}
	hand := func(r Redemption) (Redemption, error) { return r.HandOver("SF1", "mei", noon) }
	arrive := func(r Redemption) (Redemption, error) { return r.Arrived("mei", noon) }
	issue := func(r Redemption) (Redemption, error) { return r.Issue(noon) }
	cancel := func(r Redemption) (Redemption, error) { return r.Cancel("broken", "", "mei", noon) }
	late := func(r Redemption) (Redemption, error) { return r.Overdue(due, due) }
	early := func(r Redemption) (Redemption, error) { return r.Overdue(due, due.Add(-1)) }
	for name, c := range map[string]struct {
		of   Redemption
		do   func(Redemption) (Redemption, error)
		to   State
		code string
	}{
		"fetched":                            {reserved(Counter, false), hand, Fulfilled, ""},
		"sent, to be confirmed":              {reserved(Delivery, true), hand, HandedOver, ""},
		"sent twice":                         {in(HandedOver), hand, HandedOver, "redemption_handed_over"},
		"a voucher by hand":                  {reserved(Voucher, false), hand, Reserved, "redemption_voucher"},
		"handed over once cancelled":         {in(Cancelled), hand, Cancelled, "redemption_cancelled"},
		"arrived":                            {in(HandedOver), arrive, Fulfilled, ""},
		"arrived before it was sent":         {in(Reserved), arrive, Reserved, "redemption_reserved"},
		"arrived twice":                      {in(Fulfilled), arrive, Fulfilled, "redemption_fulfilled"},
		"issued":                             {reserved(Voucher, false), issue, Fulfilled, ""},
		"issued, what is no voucher":         {reserved(Counter, false), issue, Reserved, "redemption_not_voucher"},
		"cancelled":                          {in(Reserved), cancel, Cancelled, ""},
		"cancelled on its way":               {in(HandedOver), cancel, Cancelled, ""},
		"cancelled, what the member has":     {in(Fulfilled), cancel, Fulfilled, "redemption_fulfilled"},
		"cancelled twice":                    {in(Cancelled), cancel, Cancelled, "redemption_cancelled"},
		"too late":                           {in(Reserved), late, Cancelled, ""},
		"not late yet":                       {in(Reserved), early, Reserved, ""},
		"never confirmed":                    {in(HandedOver), late, Fulfilled, ""},
		"too late once it is cancelled":      {in(Cancelled), late, Cancelled, ""},
		"too late for what the member has":   {in(Fulfilled), late, Fulfilled, ""},
		"too late by a time that is not due": {in(Reserved), func(r Redemption) (Redemption, error) { return r.Overdue(noon, due) }, Reserved, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now, err := c.do(c.of)
			if now.State != c.to || code(err) != c.code {
				t.Fatalf("got %s, %v", now.State, err)
			}
			changed := now.State != c.of.State
			if (now.Version == c.of.Version+1) != changed || now.Open() != now.ClosedAt.IsZero() || now.Open() == now.DueAt.IsZero() {
				t.Fatalf("got %+v of %+v", now, c.of)
			}
		})
	}
}
