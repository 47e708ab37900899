package reward_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
)

func TestTheCatalogue(t *testing.T) {
	t.Parallel()
	k := open(t)
	made := k.Want(http.StatusCreated, http.MethodPost, "/v1/rewards", k.Manager, body{"code": "mug", "kind": "delivery", "name": "Enamel mug", "points": 300,
		"fulfil_seconds": 86400, "confirm": true, "limit": 2, "limit_days": 30, "stock": 50, "low_stock_at": 10}, nil)
	golden.JSON(t, "testdata/reward.json", made.Body)
	require.Equal(t, `"1"`, made.Header.Get("ETag"))
	var mug view
	made.Decode(t, &mug)
	require.Equal(t, "reward_exists", k.Do(http.MethodPost, "/v1/rewards", k.Manager, body{"code": "mug", "kind": "counter", "name": "x", "points": 1, "fulfil_seconds": 1}).Code())
	k.Want(http.StatusCreated, http.MethodPost, "/v1/rewards", k.music(), body{"code": "mug", "kind": "counter", "name": "x", "points": 1, "fulfil_seconds": 1}, nil)

	offer := body{"name": "Blue mug", "fulfil_seconds": 3600}
	require.Equal(t, "version_stale", k.Do(http.MethodPut, k.path(mug), k.Manager, offer, "If-Match", `"7"`).Code())
	require.Equal(t, http.StatusNotFound, k.Do(http.MethodPut, k.path(mug), k.music(), offer, "If-Match", `"1"`).Status)
	changed := k.Want(http.StatusOK, http.MethodPut, k.path(mug), k.Manager, offer, &mug, "If-Match", `"1"`)
	require.Equal(t, `"2"`, changed.Header.Get("ETag"))
	k.Want(http.StatusOK, http.MethodPost, k.path(mug)+"/archive", k.Manager, nil, &mug, "If-Match", `"2"`)
	require.NotEmpty(t, mug.Archived)
	require.Equal(t, "reward_archived", k.Do(http.MethodPost, k.path(mug)+"/archive", k.Manager, nil, "If-Match", `"3"`).Code())
	require.Equal(t, "reward_archived", k.try(k.rich(1000), body{"reward": "mug"}).Code())
	list := func(query string) (codes []string) {
		var page struct{ Items []view }
		k.Want(http.StatusOK, http.MethodGet, "/v1/rewards?"+query, k.Manager, nil, &page)
		for _, v := range page.Items {
			codes = append(codes, v.Code)
		}
		return codes
	}
	k.offered("book", "counter", body{"stock": 3, "low_stock_at": 3})
	require.Equal(t, []string{"book"}, list(""))
	require.Equal(t, []string{"mug", "book"}, list("archived=true"))
	require.Equal(t, []string{"book"}, list("archived=true&low_stock=true"))
	require.Equal(t, []string{"mug"}, list("archived=true&kind=delivery"))
	require.Empty(t, list("programme=coffee-club"))
	k.Want(http.StatusOK, http.MethodPost, k.path(mug)+"/unarchive", k.Manager, nil, nil, "If-Match", `"3"`)
	require.Empty(t, k.look(mug).Archived)
	k.redeem(k.rich(1000), "mug")
}

func TestACostNeverRewritesThePast(t *testing.T) {
	t.Parallel()
	k := open(t)
	mug, lily := k.offered("mug", "counter", nil), k.rich(1000)
	first := k.redeem(lily, "mug")
	costs := k.path(mug) + "/costs"
	k.Want(http.StatusCreated, http.MethodPost, costs, k.Manager, body{"points": 400}, &mug)
	require.EqualValues(t, 400, mug.Points)
	require.EqualValues(t, 400, k.redeem(lily, "mug").Points)
	require.Equal(t, "reward_cost_changed", k.try(lily, body{"reward": "mug", "points": 100}).Code())
	require.EqualValues(t, 100, k.see(first).Points)
	next := time.Now().Add(time.Hour)
	k.Want(http.StatusCreated, http.MethodPost, costs, k.Manager, body{"points": 500, "effective_from": next}, &mug)
	require.EqualValues(t, 400, mug.Points)
	require.EqualValues(t, 500, mug.Next.Points)
	k.Want(http.StatusCreated, http.MethodPost, costs, k.Manager, body{"points": 450, "effective_from": next}, &mug)
	require.EqualValues(t, 450, mug.Next.Points, "of two that begin together the later written one holds")
	require.EqualValues(t, 1000-100-400, k.Read(lily).Available)
	k.decide(first, "cancel", body{"reason": "changed_mind"})
	require.EqualValues(t, 1000-400, k.Read(lily).Available, "what was paid comes back, not what it costs by now")
	refused := k.Do(http.MethodPost, costs, k.Manager, body{"points": 1, "effective_from": time.Now().Add(-time.Hour)})
	require.Equal(t, http.StatusUnprocessableEntity, refused.Status)
	var page struct{ Items []struct{ No, Points int64 } }
	k.Want(http.StatusOK, http.MethodGet, costs+"?limit=3", k.Manager, nil, &page)
	require.Equal(t, []struct{ No, Points int64 }{{4, 450}, {3, 500}, {2, 400}}, page.Items)
	later, err := k.rewards(func() time.Time { return next.Add(time.Second) }).Get(auth.With(t.Context(), auth.Principal{Tenant: "pizza"}), uuid.MustParse(mug.ID))
	require.NoError(t, err)
	require.EqualValues(t, 450, later.Points)
	// Nobody changes what was written, not even we.
	require.Error(t, k.asApp(`UPDATE reward_cost SET points = 1`))
	require.Error(t, k.asApp(`DELETE FROM reward_movement`))
}

func TestStockIsBookedWithReasons(t *testing.T) {
	t.Parallel()
	k := open(t)
	mug := k.offered("mug", "counter", body{"stock": 3})
	g := k.redeem(k.rich(1000), "mug")
	stock := func(v view, quantity int, reason string) string {
		return refusal(k.Do(http.MethodPost, k.path(v)+"/stock", k.Manager, body{"quantity": quantity, "reason": reason}))
	}
	require.Empty(t, stock(mug, 10, "delivery"))
	require.Equal(t, "reward_out_of_stock", stock(mug, -13, "broken"), "what is reserved stays")
	require.Empty(t, stock(mug, -12, "broken"))
	k.decide(g, "fulfil", body{})
	var page struct {
		Items []struct {
			No, Quantity int64
			Kind, Reason string
			StockAfter   int64 `json:"stock_after"`
		}
		NextCursor string `json:"next_cursor"`
	}
	var lines []string
	for cursor := ""; ; cursor = page.NextCursor {
		page.NextCursor = ""
		k.Want(http.StatusOK, http.MethodGet, k.path(mug)+"/movements?limit=2&cursor="+cursor, k.Manager, nil, &page)
		for _, m := range page.Items {
			lines = append(lines, fmt.Sprint(m.No, m.Kind, m.Quantity, m.Reason, m.StockAfter))
		}
		if page.NextCursor == "" {
			break
		}
	}
	require.Equal(t, []string{"5given1redemption0", "4withdrawn12broken0", "3received10delivery12", "2reserved1redemption2", "1received3first_stock3"}, lines)
	require.Equal(t, "reward_unlimited", stock(k.offered("song", "counter", nil), 1, "more"))
	require.Equal(t, "reward_voucher", stock(k.offered("ticket", "voucher", nil), 1, "more"))
	require.Equal(t, http.StatusNotFound, k.Do(http.MethodPost, k.path(mug)+"/stock", k.music(), body{"quantity": 1, "reason": "x"}).Status)
	k.holds()
}

func TestCodesOfVouchersComeInOnce(t *testing.T) {
	t.Parallel()
	k := open(t)
	ticket, other := k.offered("ticket", "voucher", nil), k.offered("other", "voucher", nil)
	var lines strings.Builder
	lines.WriteString("code\r\n")
	for i := range 100_000 {
		fmt.Fprintf(&lines, "FILE-%06d\r\n", i)
	}
	upload := func(v view, file string, headers ...string) (code string, faults []string) {
		a := k.Do(http.MethodPost, k.path(v)+"/voucher-files", k.Manager, []byte(file), append([]string{"Content-Type", "text/csv"}, headers...)...)
		var p struct {
			Errors []struct{ Location, Code string }
		}
		require.NoError(t, json.Unmarshal(a.Body, &p))
		for _, f := range p.Errors {
			faults = append(faults, f.Location+" "+f.Code)
		}
		require.NotContains(t, string(a.Body), "FILE-")
		return refusal(a), faults
	}
	code, _ := upload(ticket, lines.String(), "Idempotency-Key", "file-1")
	require.Empty(t, code)
	code, _ = upload(ticket, lines.String(), "Idempotency-Key", "file-1")
	require.Empty(t, code, "the same file under the same key is the first answer again")
	require.True(t, is(k.look(ticket).Stock, 100_000))
	for name, c := range map[string]struct {
		file   string
		faults []string
	}{
		"empty":                   {"", []string{"body.lines[1] header_missing"}},
		"no header":               {"FILE-AAAA\n", []string{"body.lines[1] header_missing"}},
		"no code":                 {"code\n", []string{"body.codes out_of_range"}},
		"two columns":             {"code\nFILE-AAAA,1\n", []string{"body.lines[2] csv_malformed"}},
		"an open quote":           {"code\nFILE-AAAA\n\"FILE", []string{"body.lines[3] csv_malformed"}},
		"short, spaces, not ours": {"code\nabc\nFILE AAAA\n代码代码\n", []string{"body.lines[2] voucher_malformed", "body.lines[3] voucher_malformed", "body.lines[4] voucher_malformed"}},
		"twice in the file":       {"code\nFILE-AAAA\nFILE-BBBB\nFILE-AAAA\n", []string{"body.lines[4] voucher_twice"}},
		"known":                   {"code\nFILE-AAAA\nFILE-000017\n", []string{"body.lines[3] voucher_known"}},
		"too many":                {"code\n" + strings.Repeat("FILE\n", 100_001), []string{"body.codes out_of_range"}},
	} {
		code, faults := upload(other, c.file)
		require.Equal(t, "vouchers_invalid", code, name)
		require.Equal(t, c.faults, faults, name)
	}
	require.True(t, is(k.look(other).Stock, 0), "all or nothing")
	for _, c := range []struct {
		path, token, kind string
		status            int
	}{
		{k.path(other), k.Manager, "application/json", http.StatusUnsupportedMediaType},
		{k.path(other), k.music(), "text/csv", http.StatusNotFound},
		{k.path(other), k.Token(auth.RoleAgent, "pizza"), "text/csv", http.StatusForbidden},
		{"/v1/rewards/17", k.Manager, "text/csv", http.StatusUnprocessableEntity},
	} {
		a := k.Do(http.MethodPost, c.path+"/voucher-files", c.token, []byte("code\nFILE-AAAA\n"), "Content-Type", c.kind)
		require.Equal(t, c.status, a.Status, "%s", a.Body)
	}
	big := k.Do(http.MethodPost, k.path(other)+"/voucher-files", k.Manager, []byte(strings.Repeat("code\n", 2<<20)), "Content-Type", "text/csv")
	require.Equal(t, http.StatusRequestEntityTooLarge, big.Status)
	require.Equal(t, "reward_not_voucher", k.Do(http.MethodPost, k.path(k.offered("mug", "counter", nil))+"/vouchers", k.Manager, body{"codes": []string{"FILE-AAAA"}}).Code())
	require.Equal(t, http.StatusNotFound, k.Do(http.MethodPost, k.path(other)+"/vouchers", k.music(), body{"codes": []string{"FILE-AAAA"}}).Status)
	k.Want(http.StatusCreated, http.MethodPost, k.path(other)+"/vouchers", k.Manager, body{"codes": []string{"FILE-AAAA", "FILE-BBBB"}}, nil)
	k.Want(http.StatusCreated, http.MethodPost, k.path(other)+"/stock", k.Manager, body{"quantity": -1, "reason": "leaked"}, nil)
	got := k.reach(k.redeem(k.rich(100), "other"), "fulfilled")
	require.NotContains(t, string(k.codes(got, k.Manager).Body), "FILE-AAAA", "it was taken out")
	k.holds()
}

func TestTiersAndLimits(t *testing.T) {
	t.Parallel()
	k := open(t)
	k.Want(http.StatusCreated, http.MethodPost, "/v1/programmes", k.Manager, body{"code": "standard", "name": "Standard", "zone": "UTC", "terms": body{"return_days": 14, "join_by_purchase": true,
		"tiers": body{"levels": []body{{"code": "basic", "threshold": 0}, {"code": "gold", "threshold": 1000}}}}}, nil)
	k.offered("mug", "counter", body{"tier": "gold"})
	refused := k.Do(http.MethodPost, "/v1/rewards", k.Manager, body{"code": "cup", "kind": "counter", "name": "x", "points": 1, "fulfil_seconds": 1, "tier": "platinum"})
	require.Contains(t, string(refused.Body), "tier_unknown")
	lily := k.rich(1000)
	require.Equal(t, "reward_tier", k.try(lily, body{"reward": "mug"}).Code())
	k.Admin(`INSERT INTO tier_standing (tenant_id, member_id, programme, version, base, base_rank, level, since)
		VALUES ('pizza', $1, 'standard', 1, 'gold', 1, 'gold', now()) ON CONFLICT (tenant_id, member_id) DO UPDATE SET base = 'gold', base_rank = 1, level = 'gold'`, lily.MemberID)
	k.redeem(lily, "mug")
	k.offered("book", "counter", body{"limit": 2, "limit_days": 7})
	first := k.redeem(lily, "book")
	require.Equal(t, "reward_limit", k.try(lily, body{"reward": "book", "quantity": 2}).Code())
	k.redeem(lily, "book")
	require.Equal(t, "reward_limit", k.try(lily, body{"reward": "book"}).Code())
	k.Admin(`UPDATE redemption SET redeemed_at = now() - interval '8 days' WHERE id = $1`, first.ID)
	k.redeem(lily, "book")
	k.holds()
}

// TestLimitsHoldHoweverManyAskAtOnce has one member redeem more than the limit at once.
func TestLimitsHoldHoweverManyAskAtOnce(t *testing.T) {
	t.Parallel()
	k := open(t)
	k.offered("mug", "counter", body{"limit": 3})
	lily := k.rich(10_000)
	answers := make(chan string, 20)
	for range cap(answers) {
		go func() {
			answers <- k.Do(http.MethodPost, lily.Path+"/redemptions", k.Manager, body{"reward": "mug"}).Code()
		}()
	}
	counts := map[string]int{}
	for range cap(answers) {
		counts[<-answers]++
	}
	require.Equal(t, map[string]int{"": 3, "reward_limit": 17}, counts)
	require.EqualValues(t, 10_000-300, k.Read(lily).Available)
	k.holds()
}

func TestWhoMayDoWhatWithRewards(t *testing.T) {
	t.Parallel()
	k := open(t)
	mug := k.offered("mug", "counter", nil)
	g := k.redeem(k.rich(100), "mug")
	agent := k.Token(auth.RoleAgent, "pizza")
	for _, c := range []struct {
		name, method, path, token string
		body                      any
		status                    int
	}{
		{"an agent reads", http.MethodGet, k.path(mug), agent, nil, 200},
		{"an agent puts nothing into the catalogue", http.MethodPost, "/v1/rewards", agent, body{}, 403},
		{"nor redeems", http.MethodPost, "/v1/members/" + uuid.NewString() + "/redemptions", agent, body{"reward": "mug"}, 403},
		{"nor cancels", http.MethodPost, "/v1/redemptions/" + g.ID + "/cancel", agent, body{"reason": "x"}, 403},
		{"marketing writes the catalogue, and books nothing", http.MethodPost, "/v1/redemptions/" + g.ID + "/cancel", k.Token(auth.RoleMarketing, "pizza"), body{"reason": "x"}, 403},
		{"another tenant's reward is not there", http.MethodGet, k.path(mug), k.music(), nil, 404},
		{"nor is its redemption", http.MethodGet, "/v1/redemptions/" + g.ID, k.music(), nil, 404},
		{"which nobody else cancels", http.MethodPost, "/v1/redemptions/" + g.ID + "/cancel", k.music(), body{"reason": "x"}, 404},
		{"a member that is not there", http.MethodPost, "/v1/members/" + uuid.NewString() + "/redemptions", k.Manager, body{"reward": "mug"}, 404},
	} {
		if a := k.Do(c.method, c.path, c.token, c.body); a.Status != c.status {
			t.Errorf("%s: got %d %s, want %d", c.name, a.Status, a.Body, c.status)
		}
	}
}

func TestRewardsRefuseBadInput(t *testing.T) {
	t.Parallel()
	k := open(t)
	mug, ticket, lily := k.offered("mug", "delivery", body{"confirm": true}), k.vouchers("ticket", 1), k.rich(1_000_000)
	n := 0
	fresh := func(format string) func() string {
		return func() string { n++; return fmt.Sprintf(format, n) }
	}
	redemption := func(steps ...string) string {
		g := k.redeem(lily, "mug")
		for _, s := range steps {
			k.decide(g, s, body{})
		}
		return "/v1/redemptions/" + g.ID
	}
	reward := fresh(`{"code":"r%d","kind":"delivery","name":"Mug","points":3,"fulfil_seconds":60,"stock":5,"limit":2,"limit_days":3,"low_stock_at":1,"confirm":true}`)
	codes := fresh(`{"codes":["CODE-%04d"]}`)
	anyVersion := http.Header{"If-Match": {"*"}}
	issued := k.reach(k.redeem(lily, "ticket"), "fulfilled")
	for name, target := range map[string]badinput.Target{
		"create":           {Method: http.MethodPost, Path: "/v1/rewards", Body: reward(), Fresh: reward, OtherBody: reward(), Replay: true},
		"change":           {Method: http.MethodPut, Path: k.path(mug), Body: `{"name":"Mug","fulfil_seconds":60,"confirm":true,"low_stock_at":3}`, Owned: true, Version: true, Header: anyVersion},
		"price":            {Method: http.MethodPost, Path: k.path(mug) + "/costs", Body: `{"points":10}`, Owned: true, Replay: true, OtherBody: `{"points":11}`},
		"upload":           {Method: http.MethodPost, Path: k.path(ticket) + "/vouchers", Body: codes(), Fresh: codes, OtherBody: codes(), Owned: true, Replay: true},
		"get":              {Method: http.MethodGet, Path: k.path(mug), Owned: true},
		"list":             {Method: http.MethodGet, Path: "/v1/rewards", List: true},
		"costs":            {Method: http.MethodGet, Path: k.path(mug) + "/costs", Owned: true, List: true},
		"movements":        {Method: http.MethodGet, Path: k.path(mug) + "/movements", Owned: true, List: true},
		"report":           {Method: http.MethodGet, Path: "/v1/reward-report", List: true},
		"redeem":           {Method: http.MethodPost, Path: lily.Path + "/redemptions", Body: `{"reward":"mug","quantity":1}`, Owned: true, Replay: true, OtherBody: `{"reward":"mug","quantity":2}`},
		"list redemptions": {Method: http.MethodGet, Path: "/v1/redemptions", List: true},
		"redemption":       {Method: http.MethodGet, Path: redemption(), Owned: true},
		"fulfil":           {Method: http.MethodPost, Path: redemption(), Body: `{"reference":"SF1"}`, Owned: true},
		"codes":            {Method: http.MethodGet, Path: "/v1/redemptions/" + issued.ID + "/vouchers", Owned: true},
		"cancel":           {Method: http.MethodPost, Path: redemption() + "/cancel", Body: `{"reason":"broken"}`, Owned: true},
		"confirm":          {Method: http.MethodPost, Path: redemption("fulfil") + "/confirm", Owned: true},
		"archive":          {Method: http.MethodPost, Path: k.path(k.offered("old", "counter", nil)) + "/archive", Owned: true, Version: true, Header: anyVersion},
	} {
		if name == "fulfil" {
			target.Path += "/fulfil"
		}
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = k.URL, k.Manager
			badinput.Check(t, target)
		})
	}
	stock := `{"quantity":5,"reason":"delivery"}`
	t.Run("restock", func(t *testing.T) {
		badinput.Check(t, badinput.Target{URL: k.URL, Token: k.Manager, Method: http.MethodPost, Path: k.path(k.offered("cup", "counter", body{"stock": 0})) + "/stock",
			Body: stock, Owned: true, Replay: true, OtherBody: `{"quantity":6,"reason":"delivery"}`})
	})
}

func TestWhatIsRefusedOfRewardsSaysWhere(t *testing.T) {
	t.Parallel()
	k := open(t)
	mug, lily := k.offered("mug", "counter", body{"stock": 5}), k.rich(100)
	g := k.redeem(lily, "mug")
	good := func(change body) body {
		b := body{"code": "cup", "kind": "counter", "name": "Cup", "points": 10, "fulfil_seconds": 60}
		for name, value := range change {
			b[name] = value
		}
		return b
	}
	for name, c := range map[string]struct {
		path     string
		body     body
		location string
	}{
		"a code that is none":          {"/v1/rewards", good(body{"code": "Cup!"}), "code"},
		"no kind of ours":              {"/v1/rewards", good(body{"kind": "magic"}), "kind"},
		"for nothing":                  {"/v1/rewards", good(body{"points": 0}), "points"},
		"for a fraction":               {"/v1/rewards", good(body{"points": 1.5}), "points"},
		"for too much":                 {"/v1/rewards", good(body{"points": 1_000_001}), "points"},
		"no name":                      {"/v1/rewards", good(body{"name": "  "}), "name"},
		"a tier without tiers":         {"/v1/rewards", good(body{"tier": "gold"}), "tier"},
		"an unknown programme":         {"/v1/rewards", good(body{"programme": "nothing"}), "programme"},
		"a stock of vouchers":          {"/v1/rewards", good(body{"kind": "voucher", "stock": 3}), "stock"},
		"a voucher to be confirmed":    {"/v1/rewards", good(body{"kind": "voucher", "confirm": true}), "confirm"},
		"less than nothing":            {"/v1/rewards", good(body{"stock": -1}), "stock"},
		"over before it begins":        {"/v1/rewards", good(body{"valid_from": "2030-01-01T00:00:00Z", "valid_until": "2029-01-01T00:00:00Z"}), "valid_until"},
		"a cost of yesterday":          {"/v1/rewards", good(body{"effective_from": "2020-01-01T00:00:00Z"}), "effective_from"},
		"a cost of the far future":     {k.path(mug) + "/costs", body{"points": 1, "effective_from": "2100-01-01T00:00:00Z"}, "effective_from"},
		"nothing of stock":             {k.path(mug) + "/stock", body{"quantity": 0, "reason": "x"}, "quantity"},
		"huge stock":                   {k.path(mug) + "/stock", body{"quantity": 1e18, "reason": "x"}, "quantity"},
		"a reason in words":            {k.path(mug) + "/stock", body{"quantity": 1, "reason": "Fell off the lorry"}, "reason"},
		"no such reward":               {lily.Path + "/redemptions", body{"reward": "moon"}, "reward"},
		"a reward that is no code":     {lily.Path + "/redemptions", body{"reward": "../mug"}, "reward"},
		"none of it":                   {lily.Path + "/redemptions", body{"reward": "mug", "quantity": 0}, "quantity"},
		"less than none":               {lily.Path + "/redemptions", body{"reward": "mug", "quantity": -1}, "quantity"},
		"half of one":                  {lily.Path + "/redemptions", body{"reward": "mug", "quantity": 0.5}, "quantity"},
		"too many":                     {lily.Path + "/redemptions", body{"reward": "mug", "quantity": 101}, "quantity"},
		"a reference over two lines":   {"/v1/redemptions/" + g.ID + "/fulfil", body{"reference": "SF\n1"}, "reference"},
		"a reference that is too long": {"/v1/redemptions/" + g.ID + "/fulfil", body{"reference": strings.Repeat("1", 65)}, "reference"},
		"cancelled for no reason":      {"/v1/redemptions/" + g.ID + "/cancel", body{"reason": ""}, "reason"},
		"cancelled for a story":        {"/v1/redemptions/" + g.ID + "/cancel", body{"reason": "Mr Li moved to Xi'an"}, "reason"},
		"no codes":                     {k.path(mug) + "/vouchers", body{"codes": []string{}}, "codes"},
	} {
		a := k.Do(http.MethodPost, c.path, k.Manager, c.body)
		var p struct{ Errors []struct{ Location string } }
		require.NoError(t, json.Unmarshal(a.Body, &p))
		found := false
		for _, e := range p.Errors {
			found = found || strings.TrimPrefix(e.Location, "body.") == c.location
		}
		if a.Status != http.StatusUnprocessableEntity || !found {
			t.Errorf("%s: got %d %s, want 422 at %s", name, a.Status, a.Body, c.location)
		}
	}
	require.Equal(t, "range_empty", k.Do(http.MethodGet, "/v1/reward-report?"+url.Values{"from": {"2026-01-02T00:00:00Z"}, "until": {"2026-01-01T00:00:00Z"}}.Encode(), k.Manager, nil).Code())
	require.Equal(t, "reserved", k.see(g).State, "nothing of that changed anything")
	k.holds()
}
