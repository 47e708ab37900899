package turns_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/turns"
)

func TestNoMoreWorkThanThereAreTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		two := turns.New(2)
		first, err := two.Take(t.Context())
		require.NoError(t, err)
		_, err = two.Take(t.Context())
		require.NoError(t, err)
		got := false
		go func() {
			if _, err := two.Take(t.Context()); err == nil {
				got = true
			}
		}()
		synctest.Wait()
		require.False(t, got, "both turns are taken")
		first()
		synctest.Wait()
		require.True(t, got, "who waits is next")
	})
}

func TestWhoeverKeepsTurnsLeavesOne(t *testing.T) {
	t.Parallel()
	two := turns.New(2)
	keep, err := two.Keep(t.Context())
	require.NoError(t, err)
	none, err := two.Keep(t.Context()) // works without
	require.NoError(t, err)
	batch, err := two.Take(t.Context())
	require.NoError(t, err, "one goes round")
	over, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = two.Take(over)
	require.ErrorIs(t, err, context.Canceled)
	none()
	batch()
	keep()
	for range 2 {
		_, err = two.Take(t.Context())
		require.NoError(t, err, "all are given back")
	}
	_, err = two.Keep(over)
	require.ErrorIs(t, err, context.Canceled)
}

func TestWithoutTurnsNothingWaits(t *testing.T) {
	t.Parallel()
	var none *turns.Turns
	for range 100 {
		_, err := none.Take(t.Context())
		require.NoError(t, err)
		_, err = none.Keep(t.Context())
		require.NoError(t, err)
	}
}
