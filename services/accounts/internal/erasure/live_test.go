//go:build temporal

// Tests against a real Temporal server, which GUANXI_TEST_TEMPORAL names: go test -tags temporal ./accounts/...
// They also record the histories that TestRecordedHistories replays.

package erasure_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"

	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	erasurev1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/erasure/activities/v1"
	"github.com/guanxi-crm/guanxi/services/accounts"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/erasure"
)

// live is accounts with all its parts, and stand-ins for the other services.
type live struct {
	*apptest.Service
	t      *testing.T
	client *flow.Client
	admin  string

	mu     sync.Mutex
	holds  []*erasurev1.Hold // of tickets
	asked  map[string]int    // to erase, by the service
	failed bool              // every activity of another service fails once
	once   map[string]bool
}

func startLive(t *testing.T) *live {
	t.Helper()
	s, client := apptest.StartLive(t, accounts.Module())
	w := &live{Service: s, t: t, client: client, admin: s.Token(auth.RoleAdmin, "pizza"), asked: map[string]int{}, once: map[string]bool{}}
	s.Want(http.StatusCreated, http.MethodPost, "/v1/tenants", s.Token(auth.RolePlatformAdmin, ""), accountstest.Pizza("pizza"), nil)
	ctx, stop := context.WithCancel(context.Background())
	var done sync.WaitGroup
	for _, service := range []string{"analytics", "loyalty", "sales", "tickets"} {
		done.Go(func() {
			if err := client.RunWorker(ctx, service, func(r worker.Registry) { w.standIn(r, service) }); err != nil {
				t.Errorf("worker of %s: %v", service, err)
			}
		})
	}
	t.Cleanup(func() { stop(); done.Wait() })
	return w
}

func (w *live) standIn(r worker.Registry, service string) {
	r.RegisterActivityWithOptions(func(_ context.Context, _ *erasurev1.CheckErasure) (*erasurev1.CheckErasureResult, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if service == "tickets" {
			return &erasurev1.CheckErasureResult{Holds: w.holds}, nil
		}
		return &erasurev1.CheckErasureResult{}, nil
	}, activity.RegisterOptions{Name: flow.ActivityName(&erasurev1.CheckErasure{})})
	r.RegisterActivityWithOptions(func(_ context.Context, _ *erasurev1.EraseCustomer) (*erasurev1.EraseCustomerResult, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.failed && !w.once[service] {
			w.once[service] = true
			return nil, context.DeadlineExceeded
		}
		w.asked[service]++
		return &erasurev1.EraseCustomerResult{Erased: []*erasurev1.Erased{{What: "card", Count: 1}}}, nil
	}, activity.RegisterOptions{Name: flow.ActivityName(&erasurev1.EraseCustomer{})})
}

func (w *live) hold(holds ...*erasurev1.Hold) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.holds = holds
}

func (w *live) request() (customer, id string) {
	w.t.Helper()
	var c customerView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", w.admin, body{"family_name": "欧阳", "given_name": "佩兰"}, &c)
	var e erasureView
	w.Want(http.StatusAccepted, http.MethodPost, "/v1/customers/"+c.CustomerID+"/erasures", w.admin, body{}, &e)
	return c.CustomerID, e.ErasureID
}

func (w *live) is(id, state string) {
	w.t.Helper()
	w.Eventually("erasure "+state, func() bool {
		var e erasureView
		w.Want(http.StatusOK, http.MethodGet, "/v1/erasures/"+id, w.admin, nil, &e)
		return e.State == state
	})
}

func (w *live) ended(id, record string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	require.NoError(w.t, w.client.Temporal().GetWorkflow(ctx, "erasure/pizza/"+id, "").Get(ctx, nil))
	flowtest.Record(ctx, w.t, w.client, "erasure/pizza/"+id, "testdata/"+record+".history.json")
}

func TestLiveAnErasureOverEveryService(t *testing.T) {
	t.Parallel()
	w := startLive(t)
	w.failed = true // each once, as when it is restarted
	customer, id := w.request()
	w.is(id, "erased")
	w.ended(id, "erased")
	require.Equal(t, map[string]int{"analytics": 2, "loyalty": 2, "sales": 2, "tickets": 2}, w.asked)
	w.Want(http.StatusGone, http.MethodGet, "/v1/customers/"+customer, w.admin, nil, nil)
}

func TestLiveAHeldErasureIsLookedAtAgainAndCancelled(t *testing.T) {
	t.Parallel()
	w := startLive(t)
	w.hold(&erasurev1.Hold{Code: "complaint_open", ReferenceId: uuid.NewString()})
	_, first := w.request()
	w.is(first, "held")
	w.hold()
	w.Want(http.StatusAccepted, http.MethodPost, "/v1/erasures/"+first+"/recheck", w.admin, nil, nil)
	w.is(first, "erased")
	w.ended(first, "held")

	w.hold(&erasurev1.Hold{Code: "complaint_open", ReferenceId: uuid.NewString()})
	customer, second := w.request()
	w.is(second, "held")
	w.Want(http.StatusOK, http.MethodPost, "/v1/erasures/"+second+"/cancel", w.admin, nil, nil)
	w.is(second, "cancelled")
	w.ended(second, "cancelled")
	w.Want(http.StatusOK, http.MethodGet, "/v1/customers/"+customer, w.admin, nil, nil)
}

// TestLiveAProcessThatWasTerminatedIsBegunAnew has the next decision start it where the erasure stands.
func TestLiveAProcessThatWasTerminatedIsBegunAnew(t *testing.T) {
	t.Parallel()
	w := startLive(t)
	w.hold(&erasurev1.Hold{Code: "complaint_open", ReferenceId: uuid.NewString()})
	_, id := w.request()
	w.is(id, "held")
	require.NoError(t, w.client.Temporal().TerminateWorkflow(t.Context(), "erasure/pizza/"+id, "", "lost"))
	w.hold()
	w.Want(http.StatusAccepted, http.MethodPost, "/v1/erasures/"+id+"/recheck", w.admin, nil, nil)
	w.is(id, "erased")
}

// TestLiveAProcessThatWasTerminatedIsFound has nobody decide anything: the erasure goes on by itself. It was asked for a while
// ago, as the database has it.
func TestLiveAProcessThatWasTerminatedIsFound(t *testing.T) {
	t.Parallel()
	w := startLive(t)
	w.hold(&erasurev1.Hold{Code: "complaint_open", ReferenceId: uuid.NewString()})
	_, id := w.request()
	w.is(id, "held")
	require.NoError(t, w.client.Temporal().TerminateWorkflow(t.Context(), "erasure/pizza/"+id, "", "lost"))
	w.hold()
	later := func() time.Time { return time.Now().Add(time.Hour) }
	starter := starts.New(w.DB, w.client)
	sweeper := erasure.New(w.DB, outbox.New("accounts"), w.client, starter, "accounts", []string{"analytics", "loyalty", "sales", "tickets"}, nil, later)
	for range 2 { // the second time it runs already
		require.NoError(t, sweeper.Sweep(t.Context()))
		_, err := starter.Sweep(t.Context())
		require.NoError(t, err)
	}
	w.is(id, "erased")
	require.Equal(t, map[string]int{"analytics": 2, "loyalty": 2, "sales": 2, "tickets": 2}, w.asked)
}
