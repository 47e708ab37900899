package app_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
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
