package live

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

const (
	// heartbeat keeps proxies from closing a line on which nothing happens.
	heartbeat = 20 * time.Second
	// gather is how long changes are gathered before they are sent, so that an import does not send thousands one by one.
	gather = 300 * time.Millisecond
	// single is how many changes of one type are told one by one within that time.
	single = 20
	// lasting ends a line before its deadline for writing does; the page comes back with the id that it heard last, and its session
	// is looked at again.
	lasting = 10 * time.Minute
	// again is how soon a page tries to come back, in milliseconds.
	again = 2000
)

// Serve answers with server-sent events until the page or the server goes:
//
//	event: ready    the line stands; data {"complete": bool}: false where the page may have missed something
//	event: changed  data is a list of Change
//	event: missed   more happened than is kept: look at everything again
func (h *Hub) Serve(w http.ResponseWriter, r *http.Request, who auth.Principal) error {
	control := http.NewResponseController(w)
	l, complete := h.Listen(who.Tenant, r.Header.Get("Last-Event-ID"))
	defer l.Close()
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	send := func(format string, args ...any) bool {
		_, err := fmt.Fprintf(w, format, args...)
		return err == nil && control.Flush() == nil
	}
	if !send("retry: %d\nid: %s\nevent: ready\ndata: {\"complete\":%t}\n\n", again, l.At(), complete) {
		return nil
	}
	beat, end := time.NewTicker(heartbeat), time.NewTimer(lasting) //nolint:forbidigo // pauses of a line, which no business time hangs on
	defer beat.Stop()
	defer end.Stop()
	stopping := httpx.Stopping(r.Context())
	for {
		select {
		case <-r.Context().Done():
			return nil
		case <-stopping:
			return nil
		case <-end.C:
			return nil
		case <-beat.C:
			if !send(": beat\n\n") {
				return nil
			}
			continue
		case <-l.Wake:
		}
		select { // what comes right behind goes out together
		case <-r.Context().Done():
			return nil
		case <-stopping:
			return nil
		case <-time.After(gather): //nolint:forbidigo // a pause of a line, which no business time hangs on
		}
		changes, id, complete := l.Take()
		if !complete && !send("id: %s\nevent: missed\ndata: {}\n\n", id) {
			return nil
		}
		told := condense(changes, who)
		if len(told) == 0 {
			continue
		}
		raw, err := json.Marshal(told)
		if err != nil || !send("id: %s\nevent: changed\ndata: %s\n\n", id, raw) {
			return err
		}
	}
}

// condense leaves out what the principal may not see and what was said already, and says a burst of one type once.
func condense(changes []Change, who auth.Principal) []Change {
	counts := map[Change]int{}
	seen := map[Change]bool{}
	told := make([]Change, 0, len(changes))
	for _, c := range changes {
		c, ok := c.maySee(who)
		if !ok || seen[c] {
			continue
		}
		seen[c] = true
		if counts[c.many()]++; counts[c.many()] > single {
			if c = c.many(); seen[c] {
				continue
			}
			seen[c] = true
		}
		told = append(told, c)
	}
	return told
}
