package app_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/app"
)

func TestALoopOutlivesFailuresAndTellsOfThemOnce(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	ctx, stop := context.WithCancel(t.Context())
	calls := 0
	loop := app.Every(time.Millisecond, slog.New(slog.NewTextHandler(&log, nil)), "the post", func(context.Context) error {
		switch calls++; calls {
		case 1, 2, 3, 5: // it fails, works, and fails again
			return errors.New("away")
		case 6:
			stop()
		}
		return nil
	})
	require.NoError(t, loop(ctx))
	require.Equal(t, 6, calls)
	require.Equal(t, 2, strings.Count(log.String(), "the post"), log.String())
}

func TestLoopsThatBeginTogetherDoNotAskTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const loops = 12
		ctx, stop := context.WithCancel(t.Context())
		asked := make(chan time.Time, 4*loops)
		for range loops {
			go func() {
				_ = app.Every(time.Second, slog.New(slog.DiscardHandler), "a question", func(context.Context) error {
					asked <- time.Now()
					return nil
				})(ctx)
			}()
		}
		time.Sleep(3 * time.Second)
		stop()
		synctest.Wait()
		close(asked)
		var last time.Time
		times := 0
		for at := range asked {
			if gap := at.Sub(last); gap < time.Millisecond {
				t.Errorf("two of %d loops asked within %v", loops, gap)
			}
			last = at
			times++
		}
		require.InDelta(t, 3*loops, times, 1, "how often all of them asked in 3 s")
	})
}
