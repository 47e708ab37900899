package delivery

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
)

const (
	keyNow    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	keyBefore = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
)

// receiver takes webhooks; refuse tells what it answers to an event, 0: it takes it.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	taken []string
	tries map[string]int
}

func newReceiver(t *testing.T, refuse func(id string, try int) int) *receiver {
	t.Helper()
	r := &receiver{tries: map[string]int{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		for _, key := range []string{keyNow, keyBefore} {
			verifier, err := standardwebhooks.NewWebhook(key)
			if err != nil || verifier.Verify(body, req.Header) != nil {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
		}
		var event struct {
			ID, Type, Tenant string
			Data             map[string]int
		}
		if json.Unmarshal(body, &event) != nil || event.ID != req.Header.Get("webhook-id") || event.Data["amount"] != 1 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.tries[event.ID]++
		if status := refuse(event.ID, r.tries[event.ID]); status != 0 {
			w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
			w.WriteHeader(status)
			return
		}
		r.taken = append(r.taken, event.ID)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) has() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.taken...)
}

func hookJob(t *testing.T, url string) Job {
	t.Helper()
	job := Job{Name: "erp/stock", Group: "guanxi.sub.c1.hook.erp.stock", Sources: []string{sales, tickets}, Tenant: "a", Types: []string{placed},
		Webhook: &Webhook{URL: url, Timeout: 5 * time.Second, Attempts: 3, First: time.Millisecond, Longest: 5 * time.Millisecond, Dead: dead}}
	for _, text := range []string{keyNow, keyBefore} {
		key, err := ParseKey(text)
		require.NoError(t, err)
		require.NotContains(t, key.String(), text)
		job.Webhook.Keys = append(job.Webhook.Keys, key)
	}
	return job
}

func TestAWebhookHearsOfEventsInOrderSignedByBothKeysThoughTheSenderIsKilled(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	var want []string
	for i := range 45 {
		want = append(want, k.publish("a", i%4, placed))
		k.publish("b", i%4, placed)
	}
	const lost, sentAway = "a-1/3", "a-2/2" // what is never taken
	reached := make(chan struct{})
	var once sync.Once
	r := newReceiver(t, func(id string, try int) int {
		if strings.HasSuffix(id, "/6") {
			once.Do(func() { close(reached) })
		}
		switch {
		case id == lost:
			return http.StatusInternalServerError
		case id == sentAway:
			return http.StatusTemporaryRedirect
		case strings.HasSuffix(id, "/4") && try == 1:
			return http.StatusServiceUnavailable
		}
		return 0
	})
	opt := k.options()
	opt.HTTP = NewHTTP(Guard{AllowHTTP: true, AllowLoopback: true})
	first := New(opt)
	first.Set(hookJob(t, r.URL))
	stop := k.start(first)
	<-reached
	stop()
	second := New(opt)
	second.Set(hookJob(t, r.URL))
	k.start(second)
	k.level("guanxi.sub.c1.hook.erp.stock", sales, tickets)
	taken := inOrder(t, r.has())
	require.Subset(t, want, taken)
	buried := k.read(dead, 2)
	require.Subset(t, buried, []string{lost, sentAway})
	for _, id := range want {
		require.True(t, slices.Contains(taken, id) || slices.Contains(buried, id), "%s is lost", id)
	}
	require.NotContains(t, taken, lost)
}

func TestWebhooksAreNotSentToWhereNobodyShouldReach(t *testing.T) {
	t.Parallel()
	for address, guard := range map[string]Guard{
		"http://hooks.example/":             {},
		"ftp://hooks.example/":              {AllowHTTP: true},
		"https://127.0.0.1/":                {},
		"https://[::1]/":                    {},
		"https://169.254.169.254/latest":    {},
		"https://[::ffff:169.254.169.254]/": {},
		"https://[64:ff9b::a9fe:a9fe]/":     {},
		"https://[fe80::1]/":                {},
		"https://[fd00:ec2::254]/":          {},
		"https://0.0.0.0/":                  {},
		"https://10.0.0.1/":                 {Refuse: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
		"https:///nowhere":                  {},
	} {
		require.Error(t, guard.Check(address), address)
	}
	require.NoError(t, Guard{}.Check("https://hooks.example/guanxi"))
	require.NoError(t, Guard{}.Check("https://10.0.0.1/"), "a receiver of the same cluster")

	// A name is judged by what it leads to.
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	resp, err := NewHTTP(Guard{AllowHTTP: true}).Get(strings.Replace(server.URL, "127.0.0.1", "localhost", 1))
	if err == nil {
		resp.Body.Close()
	}
	require.ErrorIs(t, err, errRefused)
	for _, text := range []string{"", "whsec_", "whsec_c2hvcnQ=", strings.TrimPrefix(keyNow, "whsec_"), "whsec_%%"} {
		_, err := ParseKey(text)
		require.Error(t, err, text)
	}
}
