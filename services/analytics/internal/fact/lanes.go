package fact

import (
	"bytes"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
)

// newsAtOnce is of how many customers a partition may bring news within a second before the rest is a mass.
const newsAtOnce = 50

// lanes tell customers who do something now from what comes in masses: an import tells of what happened long ago, or of very
// many at once. The first have their portraits reckoned before all that is waiting in masses. What is remembered is a matter
// of order only, so that it may be lost, and count twice what was rolled back.
type lanes struct {
	mu   sync.Mutex
	seen map[lane]*second
}

// lane is where events of one tenant come by.
type lane struct {
	tenant, topic string
	partition     int
}

// second is how many customers there was news of within a second of the events' own time.
type second struct {
	at   int64
	news int
}

func newLanes() *lanes { return &lanes{seen: make(map[lane]*second)} }

// split parts the customers of a batch, of whom due tells whether there is news, into those that are due at once and those
// that can wait. first is the batch's first event.
func (l *lanes) split(tenant string, first inbox.Event, due map[uuid.UUID]bool) (atOnce, later []uuid.UUID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := lane{tenant, first.Topic, first.Partition}
	s := l.seen[key]
	if s == nil || s.at != first.Time.Unix() {
		s = &second{at: first.Time.Unix()}
		l.seen[key] = s
	}
	for id, news := range due {
		if news {
			s.news++
		}
		if news && s.news <= newsAtOnce {
			atOnce = append(atOnce, id)
		} else {
			later = append(later, id)
		}
	}
	slices.SortFunc(atOnce, inOrder)
	slices.SortFunc(later, inOrder)
	return atOnce, later
}

func inOrder(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }
