package inbox

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEventsAreAppliedOnceAndInOrder(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		given [][]change
		diary []string
		held  []string
	}{
		{
			"in order",
			[][]change{{{customer: "a", seq: 1}, {customer: "b", seq: 1}, {customer: "a", seq: 2}}, {{customer: "a", seq: 3}}},
			[]string{"a1", "b1", "a2", "a3"}, nil,
		},
		{
			"twice in a batch, and again later",
			[][]change{{{customer: "a", seq: 1}, {customer: "a", seq: 1}, {customer: "a", seq: 2}}, {{customer: "a", seq: 1}, {customer: "a", seq: 2}, {customer: "a", seq: 3}}},
			[]string{"a1", "a2", "a3"}, nil,
		},
		{
			"a type that is not handled moves the cursor",
			[][]change{{{customer: "a", seq: 1, kind: "guanxi.accounts.events.v1.CustomerMoved"}}, {{customer: "a", seq: 2}}},
			[]string{"a2"}, nil,
		},
		{
			"a gap holds what is behind it, and nobody else",
			[][]change{{{customer: "a", seq: 1}, {customer: "a", seq: 3}, {customer: "b", seq: 1}, {customer: "a", seq: 4}}, {{customer: "a", seq: 5}}},
			[]string{"a1", "b1"}, []string{"parked:a3", "queued:a4", "queued:a5"},
		},
		{
			"a gap is filled later",
			[][]change{{{customer: "a", seq: 1}, {customer: "a", seq: 3}, {customer: "a", seq: 4}}, {{customer: "a", seq: 2}, {customer: "a", seq: 5}}},
			[]string{"a1", "a2", "a3", "a4", "a5"}, nil,
		},
		{
			"a gap is filled within the batch",
			[][]change{{{customer: "a", seq: 2}, {customer: "a", seq: 1}, {customer: "a", seq: 3}}},
			[]string{"a1", "a2", "a3"}, nil,
		},
		{
			"two gaps are filled from behind",
			[][]change{{{customer: "a", seq: 5}}, {{customer: "a", seq: 3}}, {{customer: "a", seq: 1}, {customer: "a", seq: 4}}, {{customer: "a", seq: 2}}},
			[]string{"a1", "a2", "a3", "a4", "a5"}, nil,
		},
		{
			"held events that come again are held once",
			[][]change{{{customer: "a", seq: 2}, {customer: "a", seq: 3}}, {{customer: "a", seq: 2}, {customer: "a", seq: 3}}},
			nil, []string{"parked:a2", "queued:a3"},
		},
		{
			"a higher epoch begins anew, a lower one is over",
			[][]change{{{customer: "a", seq: 1}, {customer: "a", seq: 2}}, {{customer: "a", seq: 2, epoch: 2}, {customer: "a", seq: 3, epoch: 2}, {customer: "a", seq: 3}}},
			[]string{"a1", "a2", "a2", "a3"}, nil,
		},
		{
			"an aggregate that is new in a higher epoch begins anywhere",
			[][]change{{{customer: "a", seq: 7, epoch: 2}, {customer: "a", seq: 8, epoch: 2}}},
			[]string{"a7", "a8"}, nil,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, plain(), true)
			for _, batch := range c.given {
				b.changes(batch...)
				b.release()
			}
			require.Equal(t, strings.Join(c.diary, " "), strings.Join(b.diary("music"), " "))
			require.Equal(t, strings.Join(c.held, " "), strings.Join(b.held(), " "))
			require.Equal(t, b.next, b.position())
		})
	}
}

func TestAnUnorderedConsumerGetsEachEventOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, plain(), false)
	b.changes(change{customer: "a", seq: 2}, change{customer: "a", seq: 1}, change{customer: "a", seq: 2})
	b.changes(change{customer: "a", seq: 1}, change{customer: "a", seq: 5})
	require.Equal(t, []string{"a2", "a1", "a5"}, b.diary("music"))
	require.Empty(t, b.held())
}

func TestABatchIsOneTransaction(t *testing.T) {
	t.Parallel()
	for _, ordered := range []bool{true, false} {
		t.Run(fmt.Sprint("ordered ", ordered), func(t *testing.T) {
			t.Parallel()
			b := setup(t, plain(), ordered)
			all := make([]change, MaxBatch)
			for i := range all {
				all[i] = change{customer: fmt.Sprintf("c%d-", i%100), seq: int64(i/100 + 1), tenant: []string{"music", "pizza"}[i%2]}
			}
			b.changes(all...)
			require.Equal(t, []int{250, 250}, b.batches, "one call a tenant")
			require.EqualValues(t, MaxBatch, b.count("SELECT count(*) FROM diary"))
			// Every row carries the id of the transaction that wrote it.
			require.EqualValues(t, 1, b.count(`SELECT count(DISTINCT x) FROM (SELECT xmin::text x FROM diary
				UNION SELECT xmin::text FROM inbox_position UNION SELECT xmin::text FROM inbox_cursor UNION SELECT xmin::text FROM inbox_seen) w`))
		})
	}
}

func TestMoreThanABatchIsSplit(t *testing.T) {
	t.Parallel()
	b := setup(t, plain(), true)
	all := make([]change, MaxBatch+7)
	for i := range all {
		all[i] = change{customer: "a", seq: int64(i + 1)}
	}
	b.changes(all...)
	require.Equal(t, []int{MaxBatch, 7}, b.batches)
}

func TestTenantsAreKeptApart(t *testing.T) {
	t.Parallel()
	b := setup(t, plain(), true)
	// The same aggregate id twice: two customers.
	b.changes(change{customer: "a", seq: 1, tenant: "music"}, change{customer: "a", seq: 1, tenant: "pizza"}, change{customer: "a", seq: 2, tenant: "pizza"})
	require.Equal(t, []string{"a1"}, b.diary("music"))
	require.Equal(t, []string{"a1", "a2"}, b.diary("pizza"))
	require.Equal(t, mark{1, 1}, b.cursor("music", "a"))
	require.Equal(t, mark{1, 2}, b.cursor("pizza", "a"))
}

func TestAZombieIsFenced(t *testing.T) {
	t.Parallel()
	b := setup(t, plain(), false)
	msgs := b.messages(change{customer: "a", seq: 1}, change{customer: "a", seq: 2}, change{customer: "a", seq: 3})
	zombie := b.newEngine()

	b.give(msgs[:2]...) // meanwhile another process has taken over
	next, err := zombie.process(t.Context(), b.topic, 0, 0, msgs[:2])
	require.NoError(t, err)
	require.EqualValues(t, 2, next, "it goes on behind what it finds applied")
	next, err = zombie.process(t.Context(), b.topic, 0, 0, msgs)
	require.NoError(t, err)
	require.EqualValues(t, 3, next)
	require.Equal(t, []string{"a1", "a2", "a3"}, b.diary("music"))
}

func TestAPositionThatWasSetBackIsReadAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, plain(), true)
	msgs := b.messages(change{customer: "a", seq: 1}, change{customer: "a", seq: 2}, change{customer: "a", seq: 3})
	b.give(msgs[:2]...)
	_, err := b.db.Pool().Exec(t.Context(), "UPDATE inbox_position SET next_offset = 0")
	require.NoError(t, err)
	_, err = b.engine.process(t.Context(), b.topic, 0, 2, msgs[2:])
	require.ErrorIs(t, err, errRestart)
	b.give(msgs...) // which the bus does after asking for the position
	require.Equal(t, []string{"a1", "a2", "a3"}, b.diary("music"))
}

func TestAnUnorderedConsumerRemembersOnlyWhatItHandles(t *testing.T) {
	t.Parallel()
	b := setup(t, plain(), false)
	other := "guanxi.accounts.events.v1.CustomerRegistered"
	b.changes(change{customer: "a", seq: 1, kind: other}, change{customer: "a", seq: 2}, change{customer: "a", seq: 2}, change{customer: "b", seq: 1, kind: other})
	b.changes(change{customer: "b", seq: 2, kind: other})
	require.Equal(t, []string{"a2"}, b.diary("music"))
	require.EqualValues(t, 1, b.count("SELECT count(*) FROM inbox_seen"))
	require.EqualValues(t, 5, b.position())
}
