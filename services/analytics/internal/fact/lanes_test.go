package fact

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
)

func TestNewsOfFewDoNotWaitBehindMasses(t *testing.T) {
	t.Parallel()
	l := newLanes()
	first := inbox.Event{Event: bus.Event{Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}}
	many := map[uuid.UUID]bool{}
	for range 400 {
		many[uuid.Must(uuid.NewV7())] = false // an import of what happened long ago
	}
	one := uuid.Must(uuid.NewV7())
	many[one] = true
	atOnce, later := l.split("music", first, many)
	if len(atOnce) != 1 || atOnce[0] != one || len(later) != 400 {
		t.Fatalf("%d at once, %d later", len(atOnce), len(later))
	}
	for id := range many {
		many[id] = true // so many at once are a mass
	}
	if atOnce, _ = l.split("music", first, many); len(atOnce) != newsAtOnce-1 {
		t.Errorf("%d at once", len(atOnce))
	}
	if atOnce, _ = l.split("pizza", first, map[uuid.UUID]bool{one: true}); len(atOnce) != 1 {
		t.Error("a tenant waits for another one's masses")
	}
	first.Time = first.Time.Add(time.Second)
	if atOnce, _ = l.split("music", first, map[uuid.UUID]bool{one: true}); len(atOnce) != 1 {
		t.Error("masses of a second ago still count")
	}
}
