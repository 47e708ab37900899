package retention_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/services/loyalty/internal/retention"
)

func TestTheReportCountsAllWhoWereAssignedAndAllThatTheyBoughtInTime(t *testing.T) {
	t.Parallel()
	s := open(t)
	p := s.plan("winback", func(t *retention.Terms) { t.HoldOutPermille = 400 })
	s.plan("other", nil)
	arms := map[retention.Arm][]uuid.UUID{}
	for len(arms[retention.Treated]) < 6 || len(arms[retention.HeldOut]) < 4 {
		who := someone()
		arm := retention.Treated
		if retention.Bucket("pizza", "winback", p.Salt, who) < 400 {
			arm = retention.HeldOut
		}
		if len(arms[arm]) < map[retention.Arm]int{retention.Treated: 6, retention.HeldOut: 4}[arm] {
			arms[arm] = append(arms[arm], who)
			s.byHand(who, "winback")
		}
	}
	s.byHand(someone(), "other")
	treated, held := arms[retention.Treated], arms[retention.HeldOut]
	at := func(days int) (on func(who uuid.UUID, fen int64) uuid.UUID) {
		return func(who uuid.UUID, fen int64) uuid.UUID {
			return s.sold(who, thursday.Add(time.Duration(days)*day), fen)
		}
	}
	before, err := s.retentions.Report(s.as(wang), "winback")
	require.NoError(t, err)
	require.EqualValues(t, []int64{6, 6, 0, 4, 4, 0}, []int64{before.Treated.Assigned, before.Treated.Running, before.Treated.Measured,
		before.HeldOut.Assigned, before.HeldOut.Running, before.HeldOut.Measured})
	require.False(t, before.Enough)
	require.False(t, before.Compared)

	s.now = thursday.Add(2 * day)
	at(1)(treated[0], 1_000)
	at(50)(treated[0], 2_000)   // after the case was closed, within its time
	at(61)(treated[0], 100_000) // too late
	whole := at(5)(treated[1], 3_000)
	s.told("pizza", s.retentions.Orders(), back(whole, 3_000))
	part := at(5)(treated[2], 3_000)
	s.told("pizza", s.retentions.Orders(), back(part, 1_000))
	s.told("pizza", s.retentions.Orders(), placed(someone(), treated[3], thursday.Add(9*day), "USD", 700))
	_, err = s.retentions.Exclude(s.as(wang), retention.Exclusion{CustomerID: treated[4], LossKind: retention.Fraudulent})
	require.NoError(t, err)
	at(20)(treated[4], 5_000) // cancelled, and measured all the same
	at(30)(held[0], 4_000)
	// The id of somebody who is merged into a held-out customer buys.
	alias := someone()
	s.merged(alias, held[1])
	at(31)(alias, 600)

	s.now = thursday.Add(60 * day)
	r, err := s.retentions.Report(s.as(wang), "winback")
	require.NoError(t, err)
	require.EqualValues(t, []int64{6, 0, 6, 1, 0, 4}, []int64{r.Treated.Assigned, r.Treated.Running, r.Treated.Measured, r.Treated.Cancelled, r.Treated.Reached, r.Treated.Retained})
	require.EqualValues(t, []int64{4, 0, 4, 0, 0, 2}, []int64{r.HeldOut.Assigned, r.HeldOut.Running, r.HeldOut.Measured, r.HeldOut.Cancelled, r.HeldOut.Reached, r.HeldOut.Retained})
	require.InDelta(t, 10_000.0/6, r.Treated.Revenue.Mean, 1e-9, "3,000 + 0 + 2,000 + 0 + 5,000 + 0 of six")
	require.InDelta(t, 1_150, r.HeldOut.Revenue.Mean, 1e-9)
	require.EqualValues(t, 1, r.OtherCurrencies)
	require.InDelta(t, 4.0/6-2.0/4, r.Uplift, 1e-12)
	require.Equal(t, retention.Newcombe(4, 6, 2, 4), r.UpliftIn)
	require.InDelta(t, (10_000.0/6-1_150)*6, r.Incremental, 1e-6)
	require.False(t, r.Enough)
	require.Contains(t, r.Verdict, "Not enough data")

	_, err = s.retentions.Report(s.as(eve), "winback")
	require.Equal(t, "retention_plan_not_found", code(err))
}
