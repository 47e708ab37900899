package outbox

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestInQuietTimesFewPollsAreMade(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		state func(r *Relay)
		made  int // of a hundred
	}{
		{"nothing is wrong", func(r *Relay) { r.heard.Store(true) }, 10},
		{"notifications are not heard", func(*Relay) {}, 100},
		{"a shard backs off", func(r *Relay) { r.heard.Store(true); r.failing[3].Store(true) }, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var r Relay
			c.state(&r)
			made := 0
			for n := range 100 {
				if r.due(n) {
					made++
				}
			}
			assert.Equal(t, c.made, made)
		})
	}
}
