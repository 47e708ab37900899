package opportunity_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/opportunity"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
)

// staged is an open opportunity in a stage of the standard pipeline.
func staged(stage string, change func(*opportunity.Opportunity)) opportunity.Opportunity {
	o := opportunity.Opportunity{
		ID: someone(), Version: 1, CustomerID: someone(), Name: "Ovens", Pipeline: "standard", Stage: stage, State: opportunity.Open, Currency: "CNY",
		OpenedAt: thursday, StageSince: thursday, NextStepSince: thursday, Moves: 1,
	}
	if change != nil {
		change(&o)
	}
	return o
}

func TestOneMovesForwardsWithWhatTheStagesRequireAndBackwardsFreely(t *testing.T) {
	t.Parallel()
	full := func(o *opportunity.Opportunity) {
		o.AmountMinor, o.ExpectedCloseOn, o.NextStep, o.NextStepOn = 100, date(2027, 1, 1), "Call", date(2026, 12, 1)
	}
	guarded := pipeline.Standard()
	guarded.Stages = slices.Clone(guarded.Stages)
	guarded.Stages[1].Condition = "'coach' in roles"
	guarded.Stages[1].Requires = pipeline.Requirements()[3:]
	for name, c := range map[string]struct {
		in       opportunity.Opportunity
		p        pipeline.Pipeline
		to, code string
		missing  []string
	}{
		"one forwards":             {staged("new", nil), pipeline.Standard(), "qualified", "", nil},
		"several forwards":         {staged("new", full), pipeline.Standard(), "negotiation", "", nil},
		"backwards":                {staged("negotiation", nil), pipeline.Standard(), "new", "", nil},
		"without what it requires": {staged("new", nil), pipeline.Standard(), "proposal", "stage_criteria_unmet", []string{"body.amount", "body.expected_close_on"}},
		"without what stages on the way require": {staged("qualified", nil), pipeline.Standard(), "negotiation", "stage_criteria_unmet",
			[]string{"body.amount", "body.expected_close_on", "body.amount", "body.expected_close_on", "body.next_step"}},
		"with all but what a condition wants": {staged("new", nil), guarded, "qualified", "stage_criteria_unmet",
			[]string{"body.owner", "body.source", "body.products", "body.contact", "body.decision_maker", "body.competitor", "body.stage"}},
		"with it": {staged("new", func(o *opportunity.Opportunity) {
			o.Owner, o.Source, o.Lines = "mei", "fair", []opportunity.Line{{SKU: "A", Quantity: 1}}
			o.Contacts = []opportunity.Contact{{Role: opportunity.DecisionMaker}, {Role: opportunity.Coach}}
			o.Rivals = []opportunity.Rival{{Competitor: "pasta-planet"}}
		}), guarded, "qualified", "", nil},
		"to nowhere":                      {staged("new", nil), pipeline.Standard(), "won", "stage_unknown", []string{"body.stage"}},
		"to where it is":                  {staged("new", nil), pipeline.Standard(), "new", "stage_unchanged", nil},
		"from a stage that is gone":       {staged("trial", nil), pipeline.Standard(), "qualified", "", nil},
		"when it is won":                  {staged("new", func(o *opportunity.Opportunity) { o.State = opportunity.Won }), pipeline.Standard(), "qualified", "opportunity_closed", nil},
		"when it is withdrawn":            {staged("new", func(o *opportunity.Opportunity) { o.State = opportunity.Withdrawn }), pipeline.Standard(), "qualified", "opportunity_withdrawn", nil},
		"to nowhere, when it is lost too": {staged("new", func(o *opportunity.Opportunity) { o.State = opportunity.Lost }), pipeline.Standard(), "x", "opportunity_closed", nil},
	} {
		is, e, err := c.in.Move(c.p, c.to, "mei", thursday.Add(90*time.Second))
		require.Equal(t, c.code, code(err), name)
		if c.code != "" {
			require.Equal(t, c.in, is, name)
			var locations []string
			for _, f := range problem.From(err).Fields {
				locations = append(locations, f.Location)
			}
			require.Equal(t, c.missing, locations, name)
			continue
		}
		require.Equal(t, opportunity.Entry{
			No: 2, Pipeline: "standard", Stage: c.to, State: opportunity.Open, EnteredAt: thursday.Add(90 * time.Second), By: "mei",
			PreviousStage: c.in.Stage, PreviousState: opportunity.Open, PreviousSeconds: 90,
		}, e, name)
		require.Equal(t, []any{c.to, int64(2), thursday.Add(90 * time.Second)}, []any{is.Stage, is.Version, is.StageSince}, name)
	}
}

func TestTheHistoryDoesNotGoBackwardsWhereAClockDoes(t *testing.T) {
	t.Parallel()
	is, e, err := staged("new", nil).Move(pipeline.Standard(), "qualified", "mei", thursday.Add(-time.Minute))
	require.NoError(t, err)
	require.Equal(t, thursday, e.EnteredAt)
	require.Equal(t, thursday, is.StageSince)
	require.Zero(t, e.PreviousSeconds)
}

func TestClosingAndReopening(t *testing.T) {
	t.Parallel()
	o := staged("proposal", nil)
	won, e, err := o.Win([]uuid.UUID{someone()}, "mei", thursday.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, []any{opportunity.Won, "proposal", thursday.Add(time.Hour), int64(3600)}, []any{won.State, won.Stage, won.ClosedAt, e.PreviousSeconds})
	for _, act := range []func(opportunity.Opportunity) error{
		func(o opportunity.Opportunity) error { _, _, err := o.Win(nil, "mei", thursday); return err },
		func(o opportunity.Opportunity) error { _, _, err := o.Lose("price", "", "mei", thursday); return err },
		func(o opportunity.Opportunity) error {
			_, _, err := o.Change(opportunity.Change{}, pipeline.Stage{}, "mei", thursday)
			return err
		},
		func(o opportunity.Opportunity) error {
			_, _, err := o.SetLines(nil, pipeline.Stage{}, "mei", thursday)
			return err
		},
	} {
		require.Equal(t, "opportunity_closed", code(act(won)))
	}
	back, e, err := won.Reopen(pipeline.Standard(), "mei", thursday.Add(3*time.Hour))
	require.NoError(t, err)
	require.Equal(t, []any{opportunity.Open, "proposal", opportunity.Won, int64(7200), 0, true}, []any{back.State, back.Stage, e.PreviousState, e.PreviousSeconds, len(back.Orders), back.ClosedAt.IsZero()})
	lost, _, err := back.Lose("competitor", "pasta-planet", "mei", thursday.Add(4*time.Hour))
	require.NoError(t, err)
	require.Equal(t, []any{opportunity.Lost, "competitor", "pasta-planet"}, []any{lost.State, lost.Reason, lost.Competitor})
	back, _, err = lost.Reopen(pipeline.Standard(), "mei", thursday.Add(5*time.Hour))
	require.NoError(t, err)
	require.Equal(t, []any{"", ""}, []any{back.Reason, back.Competitor})
	_, _, err = back.Reopen(pipeline.Standard(), "mei", thursday)
	require.Equal(t, "opportunity_open", code(err))
	_, _, err = back.Withdraw("mei", thursday)
	require.Equal(t, "opportunity_followed", code(err))
	_, _, err = won.Withdraw("mei", thursday)
	require.Equal(t, "opportunity_followed", code(err))
	_, _, err = staged("new", func(o *opportunity.Opportunity) { o.Followed = true }).Withdraw("mei", thursday)
	require.Equal(t, "opportunity_followed", code(err))
	gone, _, err := o.Withdraw("mei", thursday)
	require.NoError(t, err)
	_, _, err = gone.Reopen(pipeline.Standard(), "mei", thursday)
	require.Equal(t, "opportunity_withdrawn", code(err))
}

func TestWhatAStageRequiresStaysWhileOneIsInIt(t *testing.T) {
	t.Parallel()
	negotiation := pipeline.Standard().Stages[3]
	full := staged("negotiation", func(o *opportunity.Opportunity) {
		o.AmountMinor, o.ExpectedCloseOn, o.NextStep, o.NextStepOn = 100, date(2027, 1, 1), "Call", date(2026, 12, 1)
	})
	none, nothing, never := "", int64(0), time.Time{}
	for name, c := range map[string]opportunity.Change{"body.next_step": {NextStep: &none}, "body.amount": {AmountMinor: &nothing}, "body.expected_close_on": {ExpectedCloseOn: &never}} {
		_, _, err := full.Change(c, negotiation, "mei", thursday)
		require.Equal(t, "stage_criteria_unmet", code(err))
		require.Equal(t, name, problem.From(err).Fields[0].Location)
		_, changed, err := full.Change(c, pipeline.Standard().Stages[0], "mei", thursday)
		require.NoError(t, err, "elsewhere it may go")
		require.NotEmpty(t, changed)
	}
	// What it lacked already, because the stage requires it only since, keeps nothing else from being changed.
	lacking, name := staged("negotiation", nil), "More ovens"
	is, changed, err := lacking.Change(opportunity.Change{Name: &name}, negotiation, "mei", thursday)
	require.NoError(t, err)
	require.Equal(t, []string{"name"}, changed)
	require.EqualValues(t, 2, is.Version)
}

func TestAChangeOfNothingIsNone(t *testing.T) {
	t.Parallel()
	o := staged("new", func(o *opportunity.Opportunity) { o.Owner, o.Tags = "mei", []string{"a", "b"} })
	name, owner, tags, currency, amount := "  Ovens ", "mei", []string{"b", "a", "a"}, "CNY", int64(0)
	is, changed, err := o.Change(opportunity.Change{Name: &name, Owner: &owner, Tags: &tags, Currency: &currency, AmountMinor: &amount}, pipeline.Stage{}, "wang", thursday)
	require.NoError(t, err)
	require.Empty(t, changed)
	require.Equal(t, o, is)
}

func TestAmountsAndCurrencies(t *testing.T) {
	t.Parallel()
	euro, many := "EUR", int64(500)
	typed := staged("new", func(o *opportunity.Opportunity) { o.AmountMinor = 100 })
	_, _, err := typed.Change(opportunity.Change{Currency: &euro}, pipeline.Stage{}, "mei", thursday)
	require.Equal(t, "amount_required", problem.From(err).Fields[0].Code, "100 fen are not 100 cents")
	is, changed, err := typed.Change(opportunity.Change{Currency: &euro, AmountMinor: &many}, pipeline.Stage{}, "mei", thursday)
	require.NoError(t, err)
	require.Equal(t, []string{"amount_minor", "currency"}, changed)
	lined, changed, err := is.SetLines([]opportunity.Line{{SKU: "A", Quantity: 3, UnitMinor: 7}, {SKU: "B", Quantity: 1, UnitMinor: 0}}, pipeline.Stage{}, "mei", thursday)
	require.NoError(t, err)
	require.Equal(t, []string{"amount_minor", "lines"}, changed)
	require.EqualValues(t, 21, lined.AmountMinor)
	_, _, err = lined.Change(opportunity.Change{AmountMinor: &many}, pipeline.Stage{}, "mei", thursday)
	require.Equal(t, "amount_of_lines", code(err))
	yuan := "CNY"
	_, _, err = lined.Change(opportunity.Change{Currency: &yuan}, pipeline.Stage{}, "mei", thursday)
	require.Equal(t, "currency_fixed", code(err))
	without, _, err := lined.SetLines(nil, pipeline.Stage{}, "mei", thursday)
	require.NoError(t, err)
	require.EqualValues(t, 21, without.AmountMinor, "the amount stays, and can be typed again")
	for _, lines := range [][]opportunity.Line{
		{{SKU: "A", Quantity: 2, UnitMinor: money.Max}}, {{SKU: "A", Quantity: 1, UnitMinor: money.Max}, {SKU: "B", Quantity: 1, UnitMinor: 1}},
		{{SKU: "A", Quantity: money.Max + 1, UnitMinor: 0}}, {{SKU: "A", Quantity: 1<<62 + 1, UnitMinor: 4}}, {{SKU: "", Quantity: 1}}, {{SKU: "A", Quantity: 0}},
		{{SKU: "A", Quantity: 1, UnitMinor: -1}}, make([]opportunity.Line, 201),
	} {
		_, _, err := is.SetLines(lines, pipeline.Stage{}, "mei", thursday)
		require.Equal(t, "opportunity_invalid", code(err), fmt.Sprint(lines))
	}
}

// The amount is the exact sum of the lines, whatever they are, or they are refused since no JSON reader would keep it exact.
func TestTheAmountIsTheSumOfTheLines(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) opportunity.Line {
			return opportunity.Line{SKU: "A", Quantity: rapid.Int64Range(1, 1<<40).Draw(t, "quantity"), UnitMinor: rapid.Int64Range(0, 1<<30).Draw(t, "unit")}
		}), 1, 10).Draw(t, "lines")
		var sum float64 // exact enough to tell on which side of the bound it is, but near it
		var exact int64
		for _, l := range lines {
			sum += float64(l.Quantity) * float64(l.UnitMinor)
			exact += l.Quantity * l.UnitMinor
		}
		is, _, err := staged("new", nil).SetLines(lines, pipeline.Stage{}, "mei", thursday)
		switch {
		case sum > float64(money.Max)*1.001:
			require.Error(t, err)
		case sum < float64(money.Max)*0.999:
			require.NoError(t, err)
			require.Equal(t, exact, is.AmountMinor)
			raw, err := json.Marshal(is.AmountMinor)
			require.NoError(t, err)
			var read float64
			require.NoError(t, json.Unmarshal(raw, &read))
			require.Equal(t, exact, int64(read))
		}
	})
}

func TestTheNextStepHasADay(t *testing.T) {
	t.Parallel()
	step, on, none := "Call", date(2026, 12, 1), ""
	o := staged("new", nil)
	_, _, err := o.Change(opportunity.Change{NextStep: &step}, pipeline.Stage{}, "mei", thursday)
	require.Equal(t, "next_step_incomplete", problem.From(err).Fields[0].Code)
	_, _, err = o.Change(opportunity.Change{NextStepOn: &on}, pipeline.Stage{}, "mei", thursday)
	require.Equal(t, "next_step_incomplete", problem.From(err).Fields[0].Code)
	is, changed, err := o.Change(opportunity.Change{NextStep: &step, NextStepOn: &on}, pipeline.Stage{}, "mei", thursday.Add(day))
	require.NoError(t, err)
	require.Equal(t, []string{"next_step", "next_step_on"}, changed)
	require.Equal(t, thursday.Add(day), is.NextStepSince)
	is, changed, err = is.Change(opportunity.Change{NextStep: &none}, pipeline.Stage{}, "mei", thursday.Add(2*day))
	require.NoError(t, err)
	require.Equal(t, []string{"next_step", "next_step_on"}, changed, "the day goes with it")
	require.True(t, is.NextStepOn.IsZero())
}

func TestContactsAreOneEach(t *testing.T) {
	t.Parallel()
	lily, root, minus := someone(), someone(), -2
	o := staged("new", nil)
	is, changed, err := o.SetContact(opportunity.Contact{CustomerID: lily, Root: root, Role: opportunity.Coach, Influence: 3}, pipeline.Stage{}, "mei", thursday)
	require.NoError(t, err)
	require.Equal(t, []string{"contacts"}, changed)
	same, changed, err := is.SetContact(opportunity.Contact{CustomerID: lily, Root: root, Role: opportunity.Coach, Influence: 3}, pipeline.Stage{}, "wang", thursday)
	require.NoError(t, err)
	require.Empty(t, changed)
	require.Equal(t, is, same)
	// By the id that she means now she is the same person.
	is, _, err = is.SetContact(opportunity.Contact{CustomerID: root, Root: root, Role: opportunity.User, Leaning: &minus}, pipeline.Stage{}, "mei", thursday)
	require.NoError(t, err)
	require.Len(t, is.Contacts, 1)
	require.Equal(t, []any{lily, opportunity.User, 0, -2}, []any{is.Contacts[0].CustomerID, is.Contacts[0].Role, is.Contacts[0].Influence, *is.Contacts[0].Leaning})
	for n := range 99 {
		is, _, err = is.SetContact(opportunity.Contact{CustomerID: someone(), Root: someone()}, pipeline.Stage{}, "mei", thursday)
		require.NoError(t, err, n)
	}
	_, _, err = is.SetContact(opportunity.Contact{CustomerID: someone(), Root: someone()}, pipeline.Stage{}, "mei", thursday)
	require.Equal(t, "too_many_contacts", code(err))
	three, six := 3, 6
	for _, wrong := range []opportunity.Contact{{CustomerID: lily, Role: "friend"}, {CustomerID: lily, Influence: six}, {CustomerID: lily, Leaning: &three}, {}} {
		_, _, err = o.SetContact(wrong, pipeline.Stage{}, "mei", thursday)
		require.Equal(t, "opportunity_invalid", code(err))
	}
}
