package app

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestASmallHeapMayGrowToTheRoomAndALargeOneByAsMuchAsItHas(t *testing.T) {
	t.Parallel()
	const mb = 1 << 20
	for _, c := range []struct {
		live uint64
		want int // percent
	}{
		{0, 1000}, {4 * mb, 1000}, {20 * mb, 450}, {40 * mb, 200}, {56 * mb, 100}, {112 * mb, 100}, {4096 * mb, 100},
	} {
		assert.Equal(t, c.want, growth(c.live, 112*mb), fmt.Sprintf("%d MB", c.live/mb))
	}
}

func TestEveryCollectionIsFollowed(t *testing.T) {
	t.Parallel()
	calls := make(chan struct{}, 100)
	afterEachCollection(func() {
		select {
		case calls <- struct{}{}:
		default:
		}
	})
	for range 3 {
		require.Eventually(t, func() bool {
			runtime.GC()
			select {
			case <-calls:
				return true
			default:
				return false
			}
		}, 10*time.Second, time.Millisecond)
	}
}
