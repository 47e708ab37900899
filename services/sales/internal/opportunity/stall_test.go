package opportunity_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/services/sales/internal/opportunity"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
)

func change(step *string, on *time.Time) opportunity.Change {
	return opportunity.Change{NextStep: step, NextStepOn: on}
}

func TestAnOpportunityStallsOnceAndAnewAfterItWasMended(t *testing.T) {
	t.Parallel()
	s := open(t)
	o := s.opens(ready) // the next step is on 4 December, and 14 days in the first stage are the limit
	s.now = time.Date(2026, 12, 4, 23, 59, 0, 0, time.UTC)
	s.scans()
	require.Empty(t, s.see(o.ID).Stall.Reason)
	s.now = s.now.Add(time.Minute)
	s.scans()
	s.scans()
	stalled := s.see(o.ID)
	require.Equal(t, opportunity.Stall{At: s.now, Reason: "next_step_overdue"}, stalled.Stall)
	require.EqualValues(t, 1, stalled.Version, "that is nothing that somebody changed")
	require.EqualValues(t, 1, s.told("OpportunityStalled"))

	// A change that mends nothing leaves it so; what mends it lets it stall again.
	name := "Four ovens"
	_, err := s.all.Change(s.as(mei), o.ID, opportunity.Change{Name: &name}, nil, anyVersion)
	require.NoError(t, err)
	require.Equal(t, stalled.Stall, s.see(o.ID).Stall)
	later := date(2026, 12, 8)
	mended, err := s.all.Change(s.as(mei), o.ID, change(nil, &later), nil, anyVersion)
	require.NoError(t, err)
	require.Empty(t, mended.Stall.Reason)
	s.scans()
	require.EqualValues(t, 1, s.told("OpportunityStalled"))
	s.now = time.Date(2026, 12, 9, 0, 0, 1, 0, time.UTC)
	s.scans()
	again := s.see(o.ID)
	require.Equal(t, []any{"next_step_overdue", 2}, []any{again.Stall.Reason, again.Stalls})
	require.EqualValues(t, 2, s.told("OpportunityStalled"))

	// It has been too long in its stage by now as well: another step alone does not mend it.
	s.now = thursday.Add(14 * day)
	later = date(2027, 1, 8)
	is, err := s.all.Change(s.as(mei), o.ID, change(nil, &later), nil, anyVersion)
	require.NoError(t, err)
	require.Equal(t, "age", is.Stall.Reason)
	s.scans()
	require.EqualValues(t, 2, s.told("OpportunityStalled"), "it stalled without a break")
	is = s.moves(o.ID, "qualified")
	require.Empty(t, is.Stall.Reason)
	s.now = time.Date(2027, 1, 9, 0, 0, 0, 0, time.UTC)
	s.scans()
	require.Equal(t, "next_step_overdue", s.see(o.ID).Stall.Reason)
	_, err = s.all.Win(s.as(mei), o.ID)
	require.NoError(t, err)
	s.now = s.now.Add(100 * day)
	s.scans()
	require.EqualValues(t, 3, s.told("OpportunityStalled"))
	require.Empty(t, s.see(o.ID).Stall.Reason, "what is closed does not stall")
}

func TestWithoutANextStepItStallsAfterADay(t *testing.T) {
	t.Parallel()
	s := open(t)
	o := s.opens(nil)
	s.now = thursday.Add(day - time.Microsecond)
	s.scans()
	require.Empty(t, s.see(o.ID).Stall.Reason)
	s.now = thursday.Add(day)
	s.scans()
	require.Equal(t, "no_next_step", s.see(o.ID).Stall.Reason)
}

func TestAnotherAgeLimitIsLookedAtAtOnce(t *testing.T) {
	t.Parallel()
	s := open(t)
	o := s.opens(func(d *opportunity.Draft) { ready(d); d.NextStepOn = date(2027, 6, 1) })
	s.now = thursday.Add(10 * day)
	s.scans()
	require.Empty(t, s.see(o.ID).Stall.Reason)
	limit := func(days int32) {
		p, err := s.pipelines.Get(s.as(wang), "standard")
		require.NoError(t, err)
		p.Stages[0].AgeLimitDays = days
		_, err = s.pipelines.Change(s.as(wang), "standard", p, anyVersion)
		require.NoError(t, err)
	}
	limit(10)
	s.scans()
	require.Equal(t, "age", s.see(o.ID).Stall.Reason)
	limit(11)
	s.scans()
	require.Empty(t, s.see(o.ID).Stall.Reason, "by the new limit it goes on")
	limit(0)
	s.now = thursday.Add(100 * day)
	s.scans()
	require.Empty(t, s.see(o.ID).Stall.Reason)
	require.EqualValues(t, 1, s.told("OpportunityStalled"))
}

func TestManyStallAtOnceInEachTenantByItself(t *testing.T) {
	t.Parallel()
	s := open(t)
	for range 600 {
		s.opens(nil)
	}
	_, err := s.all.Open(s.as(eve), draft(nil))
	require.NoError(t, err)
	s.now = thursday.Add(2 * day)
	s.scans()
	require.EqualValues(t, 601, s.told("OpportunityStalled"))
	found, err := s.all.List(s.as(eve), opportunity.Filter{Stalled: true}, 10)
	require.NoError(t, err)
	require.Len(t, found, 1)
}

func TestTheStandardPipelineFollowsUp(t *testing.T) {
	t.Parallel()
	require.Equal(t, pipeline.FollowUp{Active: true, RemindDays: 1, EscalateDays: 3, CloseDays: 10}, pipeline.Standard().FollowUp)
}
