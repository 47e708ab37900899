package tier_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/tier"
)

func TestARoundGoesOnFromWhereAKilledOneWas(t *testing.T) {
	t.Parallel()
	y := newYears(t, "2027-03-01 10:00", metals())
	var q []tier.Qualifying
	for _, id := range y.crowd("pizza", 20, y.at("2026-05-01 00:00")) {
		q = append(q, tier.Qualifying{Member: member.Member{ID: id}, Points: 700, Key: "order/" + id.String(), At: *y.now.Load()})
	}
	require.NoError(t, y.qualify("pizza", q...))
	y.is("2029-01-01 00:00")
	env := (&testsuite.WorkflowTestSuite{}).NewTestActivityEnvironment()
	env.RegisterActivity(tier.Round(y.reviewer().Small()))
	env.SetHeartbeatDetails(tier.Sweep{Part: tier.PartDue, Members: 5})
	got, err := env.ExecuteActivity(tier.Round(y.reviewer().Small()), tier.Sweep{})
	require.NoError(t, err)
	var s tier.Sweep
	require.NoError(t, got.Get(&s))
	require.True(t, s.Ended(), "%+v", s)
	require.EqualValues(t, 25, s.Members)
}
