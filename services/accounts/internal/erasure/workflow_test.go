package erasure_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/auth"
	forget "github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	erasurev1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/erasure/activities/v1"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/erasure"
)

type body = map[string]any

type customerView struct {
	CustomerID string `json:"customer_id"`
}

type erasureView struct {
	ErasureID string `json:"erasure_id"`
	State     string `json:"state"`
	Holds     []struct {
		Service, Code string
		ReferenceID   string `json:"reference_id"`
	} `json:"holds"`
	Reports []struct {
		Service string
		Round   int
		Erased  []struct {
			What        string
			Count, Left int64
		}
	} `json:"reports"`
}

// world is a running service, whose process is run by the test on the service's database, where weeks pass in no time.
type world struct {
	*accountstest.World
	t     *testing.T
	admin string
	env   *testsuite.TestWorkflowEnvironment
	now   time.Time
	// other services
	holds map[string][]*erasurev1.Hold
	left  int // so many times, loyalty says that something is left
	asked []string
}

func start(t *testing.T) *world {
	t.Helper()
	w := accountstest.Start(t)
	return &world{World: w, t: t, admin: w.Token(auth.RoleAdmin, "pizza"), holds: map[string][]*erasurev1.Hold{}, now: time.Now()}
}

func (w *world) registered() string {
	w.t.Helper()
	var c customerView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", w.admin, body{
		"family_name": "欧阳", "given_name": "佩兰", "identities": []body{{"type": "card", "value": "OUYANG77"}, {"type": "phone", "value": "139 7700 1122"}},
	}, &c)
	return c.CustomerID
}

func (w *world) requested(customer string) erasureView {
	w.t.Helper()
	var e erasureView
	w.Want(http.StatusAccepted, http.MethodPost, "/v1/customers/"+customer+"/erasures", w.admin, body{}, &e)
	w.process(e.ErasureID)
	return e
}

// process makes the environment in which the erasure's process will run.
func (w *world) process(id string) {
	w.t.Helper()
	who := auth.Principal{Subject: "chen", Tenant: "pizza", Roles: []string{auth.RoleAdmin}}
	w.env = flowtest.Environment(w.t, who, "erasure/pizza/"+id)
	w.env.SetStartTime(w.now)
	erasures := erasure.New(w.DB, outbox.New("accounts"), nil, nil, "accounts", []string{"loyalty", "tickets"}, []erasure.Room{
		{Name: "customer", Erase: func(ctx context.Context, tx *pg.Tx, customers []uuid.UUID, _ []string) (map[string]int64, error) {
			return customer.Erase(ctx, tx, customers)
		}},
	}, w.env.Now)
	erasures.Register(w.env)
	own := forget.New(w.DB, erasures.Rooms())
	w.env.RegisterActivityWithOptions(func(ctx context.Context, in *erasurev1.CheckErasure) (*erasurev1.CheckErasureResult, error) {
		queue := activity.GetInfo(ctx).TaskQueue
		if queue == "accounts" {
			return own.Check(ctx, in)
		}
		w.asked = append(w.asked, "check "+queue)
		return &erasurev1.CheckErasureResult{Holds: w.holds[queue]}, nil
	}, activity.RegisterOptions{Name: flow.ActivityName(&erasurev1.CheckErasure{})})
	w.env.RegisterActivityWithOptions(func(ctx context.Context, in *erasurev1.EraseCustomer) (*erasurev1.EraseCustomerResult, error) {
		queue := activity.GetInfo(ctx).TaskQueue
		if queue == "accounts" {
			return own.Erase(ctx, in)
		}
		w.asked = append(w.asked, "erase "+queue)
		result := &erasurev1.Erased{What: "card", Count: 1}
		if queue == "loyalty" && w.left > 0 {
			w.left--
			result.Left = 1
		}
		return &erasurev1.EraseCustomerResult{Erased: []*erasurev1.Erased{result}}, nil
	}, activity.RegisterOptions{Name: flow.ActivityName(&erasurev1.EraseCustomer{})})
}

// after decides so much later; the answer, or the refusal, is in the returned error once the process has run.
func (w *world) after(d time.Duration, id string, action erasure.Action) *error {
	refusal := new(error)
	w.env.RegisterDelayedCallback(func() {
		w.env.UpdateWorkflow(erasure.DecideUpdate, uuid.NewString(), &testsuite.TestUpdateCallback{
			OnReject: func(err error) { *refusal = err }, OnAccept: func() {}, OnComplete: func(_ any, err error) { *refusal = err },
		}, erasure.Decision{ID: uuid.MustParse(id), Action: action})
	}, d)
	return refusal
}

func (w *world) run(id string) erasureView {
	w.t.Helper()
	w.env.ExecuteWorkflow(erasure.WorkflowName, erasure.Input{ID: uuid.MustParse(id), Services: []string{"loyalty", "tickets", "accounts"}})
	require.NoError(w.t, w.env.GetWorkflowError())
	var e erasureView
	w.Want(http.StatusOK, http.MethodGet, "/v1/erasures/"+id, w.admin, nil, &e)
	return e
}

func TestEveryServiceErasesTwiceAndReports(t *testing.T) {
	t.Parallel()
	w := start(t)
	id := w.registered()
	e := w.run(w.requested(id).ErasureID)
	require.Equal(t, "erased", e.State)
	require.Equal(t, []string{"check loyalty", "check tickets", "erase loyalty", "erase tickets", "erase loyalty", "erase tickets"}, w.asked)
	require.Len(t, e.Reports, 6)
	for _, r := range e.Reports {
		for _, what := range r.Erased {
			require.Zero(t, what.Left, "%+v", r)
			if r.Service == "accounts" && what.What == "identities" {
				require.EqualValues(t, map[int]int64{1: 2, 2: 0}[r.Round], what.Count)
			}
		}
	}
	require.Equal(t, "customer_erased", w.Want(http.StatusGone, http.MethodGet, "/v1/customers/"+id, w.admin, nil, nil).Code())
	require.Equal(t, "customer_erased", w.Want(http.StatusGone, http.MethodPost, "/v1/customers/"+id+"/erasures", w.admin, body{}, nil).Code())
	require.Equal(t, id, w.EventsOf("CustomerErased", 1)[0].AggregateID)
	require.Equal(t, "erasure_begun", w.Want(http.StatusConflict, http.MethodPost, "/v1/erasures/"+e.ErasureID+"/cancel", w.admin, nil, nil).Code())
}

func TestAnErasureWaitsWhileSomethingHolds(t *testing.T) {
	t.Parallel()
	w := start(t)
	id := w.registered()
	var hold struct {
		HoldID string `json:"hold_id"`
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers/"+id+"/legal-holds", w.admin, body{"code": "court_case", "reference": "2026-77"}, &hold)
	e := w.requested(id)
	w.holds["tickets"] = []*erasurev1.Hold{{Code: "complaint_open", ReferenceId: uuid.NewString()}}
	var between erasureView
	w.env.RegisterDelayedCallback(func() { // it is looked once a day
		w.Want(http.StatusOK, http.MethodGet, "/v1/erasures/"+e.ErasureID, w.admin, nil, &between)
		w.holds["tickets"] = nil
		w.Want(http.StatusOK, http.MethodPost, "/v1/legal-holds/"+hold.HoldID+"/lift", w.admin, nil, nil)
	}, 12*time.Hour)
	began := w.env.Now()
	e = w.run(e.ErasureID)
	require.Equal(t, "held", between.State)
	require.Len(t, between.Holds, 2)
	require.Equal(t, "erased", e.State)
	require.InDelta(t, 24, w.env.Now().Sub(began).Hours(), 1)
}

func TestSomebodyAsksToLookAgain(t *testing.T) {
	t.Parallel()
	w := start(t)
	e := w.requested(w.registered())
	w.holds["tickets"] = []*erasurev1.Hold{{Code: "complaint_open", ReferenceId: uuid.NewString()}}
	w.env.RegisterDelayedCallback(func() { w.holds["tickets"] = nil }, time.Hour)
	refusal := w.after(2*time.Hour, e.ErasureID, erasure.Recheck)
	began := w.env.Now()
	require.Equal(t, "erased", w.run(e.ErasureID).State)
	require.NoError(t, *refusal)
	require.InDelta(t, 2, w.env.Now().Sub(began).Hours(), 0.5)
}

func TestAnErasureIsCancelledWhileItIsHeld(t *testing.T) {
	t.Parallel()
	w := start(t)
	id := w.registered()
	e := w.requested(id)
	w.holds["tickets"] = []*erasurev1.Hold{{Code: "complaint_open", ReferenceId: uuid.NewString()}}
	other := w.after(time.Hour, uuid.NewString(), erasure.Cancel)
	refusal := w.after(2*time.Hour, e.ErasureID, erasure.Cancel)
	require.Equal(t, "cancelled", w.run(e.ErasureID).State)
	require.NoError(t, *refusal)
	require.Error(t, *other, "a decision about another erasure")
	w.Want(http.StatusOK, http.MethodGet, "/v1/customers/"+id, w.admin, nil, nil)
	w.Want(http.StatusOK, http.MethodPost, "/v1/erasures/"+e.ErasureID+"/cancel", w.admin, nil, nil)
	require.Equal(t, "erasure_ended", w.Want(http.StatusConflict, http.MethodPost, "/v1/erasures/"+e.ErasureID+"/recheck", w.admin, nil, nil).Code())
	require.Equal(t, "requested", w.requested(id).State, "it can be asked for again")
}

func TestWhatAServiceLeavesIsAskedForAgain(t *testing.T) {
	t.Parallel()
	w := start(t)
	e := w.requested(w.registered())
	w.left = 3
	began := w.env.Now()
	require.Equal(t, "erased", w.run(e.ErasureID).State)
	require.Zero(t, w.left)
	require.InDelta(t, 30, w.env.Now().Sub(began).Minutes(), 5)
}

// TestAProcessThatWasLostBeginsAnewWhereItStood runs the whole process a second time, as when it was ended by hand after all
// services had erased.
func TestAProcessThatWasLostBeginsAnewWhereItStood(t *testing.T) {
	t.Parallel()
	w := start(t)
	e := w.requested(w.registered())
	w.run(e.ErasureID)
	w.process(e.ErasureID)
	require.Equal(t, "erased", w.run(e.ErasureID).State)
	w.EventsOf("CustomerErased", 1)
	require.EqualValues(t, 1, w.Count(`SELECT count(*) FROM erasure WHERE state = 'erased'`))
}

func TestRecordedHistories(t *testing.T) {
	t.Parallel()
	flowtest.Replay(t, "testdata/*.history.json", func(r worker.WorkflowRegistry) {
		r.RegisterWorkflowWithOptions(erasure.Erase, workflow.RegisterOptions{Name: erasure.WorkflowName})
	})
}

// TestAFileThatIsBeingBroughtInHolds since it may name the customer, and bring them in again.
func TestAFileThatIsBeingBroughtInHolds(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.AsSuperuser(t, `INSERT INTO import_job (tenant_id, id, kind, state, subject, unit, roles, trace, format, plan, policy, dry_run, position, line, closed, created_at, updated_at)
		VALUES ('pizza', gen_random_uuid(), 'orders', 'running', 'ann', '', '{}', '{}', 'csv', '{}', 'skip', false, 0, 0, false, now() - interval '1 hour', now())`)
	e := w.requested(w.registered())
	var between erasureView
	w.env.RegisterDelayedCallback(func() {
		w.Want(http.StatusOK, http.MethodGet, "/v1/erasures/"+e.ErasureID, w.admin, nil, &between)
		w.AsSuperuser(t, `UPDATE import_job SET state = 'finished', closed = true`)
	}, 30*time.Second)
	began := w.env.Now()
	require.Equal(t, "erased", w.run(e.ErasureID).State)
	require.Equal(t, "held", between.State)
	require.Equal(t, "import_running", between.Holds[0].Code)
	require.InDelta(t, 1, w.env.Now().Sub(began).Minutes(), 0.5, "it is looked again soon, not once a day")
}
