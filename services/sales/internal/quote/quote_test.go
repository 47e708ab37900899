package quote_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/quote"
)

func code(err error) string {
	if err == nil {
		return ""
	}
	return problem.From(err).Code
}

// always lets an edit pass, whatever the revision.
func always(int64) error { return nil }

func TestWithinTheSellersLimitsNobodyIsAsked(t *testing.T) {
	t.Parallel()
	s := open(t)
	q := s.submitted(1000)
	require.Equal(t, quote.Approved, q.Latest().State)
	require.Equal(t, 1, s.told("QuoteApproved"))
	require.Zero(t, s.told("QuoteApprovalRequested"))
	q = s.submitted(1001)
	require.Equal(t, quote.InApproval, q.Latest().State)
	require.Equal(t, "manager", q.Latest().Approval.Level().Code)
	require.Equal(t, time.Date(2026, 11, 26, 17, 30, 0, 0, time.UTC), q.Latest().Approval.DueAt, "8 working hours, from half past nine")
}

func TestWhatNoLevelMayApproveIsNotSubmitted(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.levels(func(p *quote.Policy) { p.Levels[1].Limits.Amounts = map[string]int64{"CNY": 10_000_000} })
	for name, change := range map[string]func(o *quote.Offer){
		"a discount above every level": func(o *quote.Offer) { o.Discount.Rate = 5001 },
		"an amount above every level":  func(o *quote.Offer) { o.Discount.Rate, o.Lines[0].UnitPrice = 1500, of[int64](90_000_000) },
		"another currency":             func(o *quote.Offer) { o.Discount.Rate, o.Currency = 1500, "USD" },
	} {
		o := free(0)
		change(&o)
		q, err := s.quotes.Create(s.as(mei), someone(), uuid.Nil, o)
		require.NoError(t, err)
		_, err = s.quotes.Submit(s.as(mei), q.ID, 1)
		require.Equal(t, "quote_beyond_policy", code(err), name)
	}
}

func TestWhichLevelsAreAsked(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.levels(nil)
	for name, c := range map[string]struct {
		change func(o *quote.Offer)
		last   int
	}{
		"a discount of the first level":   {func(o *quote.Offer) { o.Discount.Rate = 2000 }, 0},
		"a discount of the second":        {func(o *quote.Offer) { o.Discount.Rate = 2001 }, 1},
		"an amount of the second":         {func(o *quote.Offer) { o.Discount.Rate, o.Lines[0].UnitPrice = 1500, of[int64](9_000_000) }, 1},
		"a currency that the first lacks": {func(o *quote.Offer) { o.Discount.Rate, o.Currency = 1500, "USD" }, 1},
	} {
		o := free(0)
		c.change(&o)
		q, err := s.quotes.Create(s.as(mei), someone(), uuid.Nil, o)
		require.NoError(t, err)
		q, err = s.quotes.Submit(s.as(mei), q.ID, 1)
		require.NoError(t, err, name)
		require.Equal(t, c.last, q.Latest().Approval.Last, name)
		require.Equal(t, "team", q.Latest().Approval.Level().Code, "the lowest is asked first")
	}
}

func TestASentVersionStaysAndAnEditMakesTheNext(t *testing.T) {
	t.Parallel()
	s := open(t)
	q := s.sent()
	first := q.Versions[0]
	edited, err := s.quotes.Edit(s.as(mei), q.ID, free(500), always)
	require.NoError(t, err)
	require.Len(t, edited.Versions, 2)
	require.Equal(t, quote.Draft, edited.Latest().State)
	was, err := s.quotes.Version(s.as(mei), q.ID, 1)
	require.NoError(t, err)
	require.Equal(t, first, was.Versions[0], "what the customer has does not change")

	again, err := s.quotes.Edit(s.as(chen), q.ID, free(600), always)
	require.NoError(t, err)
	require.Len(t, again.Versions, 2, "a draft is written anew")
	require.Equal(t, []string{"chen", "mei"}, again.Latest().Authors)
	require.EqualValues(t, 600, again.Latest().Content.Discount.Rate)

	_, err = s.quotes.Submit(s.as(mei), q.ID, 1)
	require.Equal(t, "quote_version_not_latest", code(err))
	_, err = s.quotes.Submit(s.as(mei), q.ID, 3)
	require.Equal(t, "quote_version_not_found", code(err))
	_, err = s.quotes.Send(s.as(mei), q.ID, 2)
	require.Equal(t, "quote_state", code(err), "a draft is not sent")
	_, err = s.quotes.Submit(s.as(mei), q.ID, 2)
	require.NoError(t, err)
	second, err := s.quotes.Send(s.as(mei), q.ID, 2)
	require.NoError(t, err)
	require.Equal(t, quote.Withdrawn, second.Versions[0].State)
	require.Equal(t, "superseded", second.Versions[0].Reason)
	_, err = s.quotes.Accept(s.as(mei), q.ID, 1, false)
	require.Equal(t, "quote_version_not_latest", code(err))
	taken, err := s.quotes.Accept(s.as(mei), q.ID, 2, false)
	require.NoError(t, err)
	require.Equal(t, quote.Accepted, taken.Latest().State)
	_, err = s.quotes.Edit(s.as(mei), q.ID, free(0), always)
	require.Equal(t, "quote_accepted", code(err))
}

func TestTheDatabaseItselfKeepsWhatWasSent(t *testing.T) {
	t.Parallel()
	s := open(t)
	q := s.sent()
	for _, sql := range []string{
		`UPDATE quote_version SET total_minor = 1, net_minor = 1, amount_minor = 1 WHERE quote_id = $1`,
		`UPDATE quote_version SET valid_until = '2030-01-01' WHERE quote_id = $1`,
		`DELETE FROM quote_line WHERE quote_id = $1`,
		`UPDATE quote_line SET quantity = 2 WHERE quote_id = $1`,
		`UPDATE quote_step SET by_subject = 'x' WHERE quote_id = $1`,
	} {
		require.Error(t, s.db.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
			tx.Queue(sql, q.ID)
			return tx.Flush(t.Context())
		}), sql)
	}
}

func TestTheSentVersionCanBeTakenWhileTheNextIsWritten(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.levels(nil)
	q := s.sent()
	_, err := s.quotes.Edit(s.as(mei), q.ID, free(1500), always)
	require.NoError(t, err)
	_, err = s.quotes.Submit(s.as(mei), q.ID, 2)
	require.NoError(t, err)
	taken, err := s.quotes.Accept(s.as(mei), q.ID, 1, false)
	require.NoError(t, err)
	require.Equal(t, []quote.State{quote.Accepted, quote.Withdrawn}, []quote.State{taken.Versions[0].State, taken.Versions[1].State})
	require.Zero(t, taken.Versions[1].Approval.DueAt, "nobody is asked any more")
}

func TestAnEditVoidsAnApproval(t *testing.T) {
	t.Parallel()
	s := open(t)
	q := s.submitted(500)
	edited, err := s.quotes.Edit(s.as(mei), q.ID, free(900), always)
	require.NoError(t, err)
	require.Len(t, edited.Versions, 1)
	require.Equal(t, quote.Draft, edited.Latest().State)
	_, err = s.quotes.Send(s.as(mei), q.ID, 1)
	require.Equal(t, "quote_state", code(err))
}

func TestAQuoteEndsOnce(t *testing.T) {
	t.Parallel()
	s := open(t)
	declined, err := s.quotes.Decline(s.as(mei), s.sent().ID, 1, "too_expensive", "They said: no.")
	require.NoError(t, err)
	require.Equal(t, "too_expensive", declined.Latest().Reason)
	_, err = s.quotes.Accept(s.as(mei), declined.ID, 1, false)
	require.Equal(t, "quote_state", code(err))
	next, err := s.quotes.Edit(s.as(mei), declined.ID, free(100), always)
	require.NoError(t, err, "another offer may follow")
	require.Len(t, next.Versions, 2)
	gone, err := s.quotes.Withdraw(s.as(mei), declined.ID, "no_budget", "")
	require.NoError(t, err)
	require.Equal(t, []quote.State{quote.Declined, quote.Withdrawn}, []quote.State{gone.Versions[0].State, gone.Versions[1].State})
	for _, try := range []func() error{
		func() error { _, err := s.quotes.Edit(s.as(mei), declined.ID, free(100), always); return err },
		func() error { _, err := s.quotes.Submit(s.as(mei), declined.ID, 2); return err },
		func() error { _, err := s.quotes.Withdraw(s.as(mei), declined.ID, "x", ""); return err },
	} {
		require.Equal(t, "quote_withdrawn", code(try()))
	}
	_, err = s.quotes.Decline(s.as(mei), s.sent().ID, 1, "Not a code", "")
	require.Equal(t, "decision_invalid", code(err))
}

func TestAQuoteIsTakenUntilItsLastDayEnds(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.levels(nil) // the zone is Shanghai's
	o := free(0)
	o.ValidUntil = "2026-11-27"
	offered := func() quote.Told {
		q, err := s.quotes.Create(s.as(mei), someone(), uuid.Nil, o)
		require.NoError(t, err)
		_, err = s.quotes.Submit(s.as(mei), q.ID, 1)
		require.NoError(t, err)
		q, err = s.quotes.Send(s.as(mei), q.ID, 1)
		require.NoError(t, err)
		return q
	}
	first, second := offered(), offered()
	drafted, err := s.quotes.Create(s.as(mei), someone(), uuid.Nil, o)
	require.NoError(t, err)
	s.now = time.Date(2026, 11, 27, 15, 59, 59, 999_999_000, time.UTC)
	_, err = s.quotes.Accept(s.as(mei), first.ID, 1, false)
	require.NoError(t, err)
	require.NoError(t, s.quotes.Expire(t.Context()))
	require.Equal(t, quote.Sent, s.get(second.ID).Latest().State)
	s.now = time.Date(2026, 11, 27, 16, 0, 0, 0, time.UTC) // midnight in Shanghai
	_, err = s.quotes.Accept(s.as(mei), second.ID, 1, false)
	require.Equal(t, "quote_expired", code(err))
	_, err = s.quotes.Submit(s.as(mei), drafted.ID, 1)
	require.Equal(t, "quote_expired", code(err))
	for range 3 {
		require.NoError(t, s.quotes.Expire(t.Context()))
	}
	now := s.get(second.ID)
	require.Equal(t, quote.Expired, now.Latest().State)
	require.Equal(t, 1, s.told("QuoteExpired"), "it is told once")
	golden.JSON(t, "testdata/expired.event.json", s.event("QuoteExpired"))
	_, err = s.quotes.Accept(s.as(mei), second.ID, 1, false)
	require.Equal(t, "quote_expired", code(err))
	edited, err := s.quotes.Edit(s.as(mei), second.ID, free(0), always)
	require.NoError(t, err)
	require.EqualValues(t, 2, edited.Latest().No)
	require.Equal(t, quote.Accepted, s.get(first.ID).Latest().State)
}

func TestTheRulesOfDecisions(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.levels(nil)
	_, err := s.quotes.Edit(s.as(chen), s.drafted(2500).ID, free(2500), always)
	require.NoError(t, err)
	decide := func(q quote.Told, by auth.Principal, a quote.Action, level string) error {
		_, err := s.quotes.Decide(s.as(by), quote.Decision{QuoteID: q.ID, Version: 1, Action: a, Level: level, Code: "margin"}, "")
		return err
	}
	q := s.submitted(2500)
	boss := auth.Principal{Subject: "mei", Tenant: "pizza", Roles: []string{auth.RoleManager}}
	require.Equal(t, "approval_own", code(decide(q, boss, quote.ActionApprove, "team")), "whoever wrote it")
	require.Equal(t, "approval_own", code(decide(q, boss, quote.ActionReject, "team")))
	require.Equal(t, "permission_missing", code(decide(q, mei, quote.ActionApprove, "team")))
	require.Equal(t, "approval_level_passed", code(decide(q, wang, quote.ActionApprove, "company")), "a level that is not asked yet")
	require.Equal(t, "quote_not_found", code(decide(q, eve, quote.ActionApprove, "team")), "another tenant's")
	require.Equal(t, "decision_unknown", code(decide(q, wang, quote.ActionSend, "team")))
	edited, err := s.quotes.Edit(s.as(chen), s.drafted(2500).ID, free(2500), always)
	require.NoError(t, err)
	_, err = s.quotes.Submit(s.as(wang), edited.ID, 1)
	require.NoError(t, err)
	require.Equal(t, "approval_own", code(decide(edited, chen, quote.ActionApprove, "team")), "whoever edited it")
	require.Equal(t, "approval_own", code(decide(edited, wang, quote.ActionApprove, "team")), "whoever submitted it")
	require.Equal(t, "quote_state", code(decide(s.drafted(0), wang, quote.ActionApprove, "")), "nobody is asked")
	require.Zero(t, s.count(`SELECT count(*) FROM quote_note`), "what is refused leaves no words")
}

func TestWhatWaitsForWhom(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.levels(nil)
	first, second := s.submitted(1500), s.submitted(2500)
	s.submitted(500) // is approved at once
	waits := func(p auth.Principal) (ids []uuid.UUID) {
		found, err := s.quotes.Awaiting(s.as(p), uuid.Nil, 10)
		require.NoError(t, err)
		for _, q := range found {
			ids = append(ids, q.ID)
		}
		return ids
	}
	require.Equal(t, []uuid.UUID{second.ID, first.ID}, waits(chen))
	require.Equal(t, []uuid.UUID{second.ID, first.ID}, waits(wang))
	require.Empty(t, waits(mei), "nobody is asked about their own")
	require.Empty(t, waits(eve), "nor about another tenant's")
	s.levels(func(p *quote.Policy) { p.Levels[0].Approvers = []string{"zhao"} })
	third := s.submitted(1500)
	require.NotContains(t, waits(chen), third.ID, "others are asked")
	require.Contains(t, waits(auth.Principal{Subject: "zhao", Tenant: "pizza", Roles: []string{auth.RoleManager}}), third.ID)
	_, err := s.quotes.Withdraw(s.as(mei), first.ID, "mistake", "")
	require.NoError(t, err)
	require.Equal(t, []uuid.UUID{second.ID}, waits(chen))
}

func TestVersionsAreCompared(t *testing.T) {
	t.Parallel()
	s := open(t)
	q := s.sent()
	o := free(500)
	o.Terms, o.Lines[1].Quantity = "Pay at once.", 3
	o.Lines = append(o.Lines[1:], quote.OfferLine{Text: "A hood", Quantity: 1, UnitPrice: of[int64](100)})
	_, err := s.quotes.Edit(s.as(mei), q.ID, o, always)
	require.NoError(t, err)
	d, err := s.quotes.Compare(s.as(mei), q.ID, 1, 2)
	require.NoError(t, err)
	require.Equal(t, []quote.Difference{
		{Field: "terms", From: "", To: "Pay at once."}, {Field: "discount.rate", From: "0", To: "500"}, {Field: "amount_minor", From: "2600000", To: "900100"},
		{Field: "net_minor", From: "2600000", To: "855095"}, {Field: "total_minor", From: "2600000", To: "855095"}, {Field: "discount_granted", From: "0", To: "500"},
	}, d.Fields)
	require.Equal(t, []quote.LineDifference{
		{From: 2, To: 1, Text: "Fitting, a day", Fields: []quote.Difference{
			{Field: "quantity", From: "2", To: "3"}, {Field: "net_minor", From: "600000", To: "855000"}, {Field: "gross_minor", From: "600000", To: "855000"},
		}},
		{To: 2, Text: "A hood"}, {From: 1, Text: "An oven"},
	}, d.Lines)
	same, err := s.quotes.Compare(s.as(mei), q.ID, 2, 2)
	require.NoError(t, err)
	require.Empty(t, append(same.Lines, quote.LineDifference{})[1:])
	require.Empty(t, same.Fields)
	_, err = s.quotes.Compare(s.as(mei), q.ID, 1, 3)
	require.Equal(t, "quote_version_not_found", code(err))
	_, err = s.quotes.Compare(s.as(eve), q.ID, 1, 2)
	require.Equal(t, "quote_not_found", code(err))
}

func TestFaultsOfAPolicyAreNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(p *quote.Policy)
		faults []string
	}{
		"the standard one":         {func(*quote.Policy) {}, nil},
		"a limit of 101 %":         {func(p *quote.Policy) { p.Levels[0].Limits.Discount = 10_100 }, []string{"levels[0].discount_up_to rate_out_of_range"}},
		"a level below the seller": {func(p *quote.Policy) { p.Levels[0].Limits.Discount = 900 }, []string{"levels[0].discount_up_to levels_unordered"}},
		"a currency of the past":   {func(p *quote.Policy) { p.Own.Amounts = map[string]int64{"DEM": 1} }, []string{"own.amounts_up_to currency_unknown"}},
		"a negative amount":        {func(p *quote.Policy) { p.Own.Amounts = map[string]int64{"CNY": -1} }, []string{"own.amounts_up_to amount_negative"}},
		"a level twice":            {func(p *quote.Policy) { p.Levels = append(p.Levels, p.Levels[0]) }, []string{"levels[1].code code_used"}},
		"a code with a space":      {func(p *quote.Policy) { p.Levels[0].Code = "a b" }, []string{"levels[0].code code_malformed"}},
		"a nameless level":         {func(p *quote.Policy) { p.Levels[0].Name = " " }, []string{"levels[0].name required"}},
		"a nameless approver":      {func(p *quote.Policy) { p.Levels[0].Approvers = []string{""} }, []string{"levels[0].approvers subject_malformed"}},
		"no time to answer":        {func(p *quote.Policy) { p.Levels[0].Within = 0 }, []string{"levels[0].answer_seconds out_of_range"}},
		"no working hours":         {func(p *quote.Policy) { p.Hours.Week = quote.Policy{}.Hours.Week }, []string{"working_hours.week calendar_never_opens"}},
		"a zone of nowhere":        {func(p *quote.Policy) { p.TimeZone = "Moon/Base" }, []string{"time_zone time_zone_unknown"}},
		"valid for ever":           {func(p *quote.Policy) { p.ValidityDays = 5000 }, []string{"validity_days out_of_range"}},
		"another language":         {func(p *quote.Policy) { p.Language = "tlh" }, []string{"language language_unknown"}},
		"silence that says yes":    {func(p *quote.Policy) { p.Silence = "approve" }, []string{"silence silence_unknown"}},
	} {
		p := quote.StandardPolicy()
		c.change(&p)
		_, faults := p.Normalise()
		require.Equal(t, c.faults, codes(faults), name)
	}
}
