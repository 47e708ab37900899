package merge

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
)

func TestWhatIsKeptOfACustomerIsTheSameTextHoweverItWasWritten(t *testing.T) {
	t.Parallel()
	c := customer.Customer{
		ID: lily, Kind: customer.Person, State: customer.Active, Names: customer.Names{Display: "Lily <3 & co"}, Stage: customer.Familiarity,
		StageSince: noon, StageManualUntil: noon.AddDate(0, 1, 0), Tags: []string{"vip"},
		Custom: map[string]any{"sizes": []any{"a", "b"}, "weight": 1.5, "words": "<b>& more", "whole": float64(9007199254740991)},
	}
	r, err := recordOf(c)
	require.NoError(t, err)

	// As a program before wrote it: as the database gave it, and times as they are on that machine's clock.
	var old State
	require.NoError(t, old.read(`{"fields": {"custom.sizes": "[\"a\", \"b\"]", "custom.weight": "1.50", "custom.words": "\"<b>& more\"",
		"custom.whole": "9007199254740991", "display_name": "Lily <3 & co",
		"stage": "{\"stage\":\"familiarity\",\"since\":\"2026-11-24T20:00:00+08:00\",\"manual_until\":\"2026-12-24T20:00:00+08:00\"}"}, "tags": ["vip"]}`))
	require.Equal(t, old, State{r.Fields, r.Tags})

	back, err := old.with(customer.Customer{ID: lily, Kind: c.Kind, State: c.State})
	require.NoError(t, err)
	require.Equal(t, c, back)
}

func TestARecordWithoutValuesHasNone(t *testing.T) {
	t.Parallel()
	r, err := recordOf(customer.Customer{ID: uuid.New(), Stage: customer.Awareness})
	require.NoError(t, err)
	require.Empty(t, r.Fields)
	c, err := State{}.with(customer.Customer{Owner: "ann", Stage: customer.Loyalty, StageSince: noon, Tags: []string{"vip"}})
	require.NoError(t, err)
	require.Equal(t, customer.Customer{Stage: customer.Awareness, Custom: map[string]any{}}, c)
}
