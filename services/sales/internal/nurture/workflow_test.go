package nurture_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
	"github.com/guanxi-crm/guanxi/services/sales/internal/nurture"
	"github.com/guanxi-crm/guanxi/services/sales/internal/scoring"
)

var wang = auth.Principal{Subject: "wang", Tenant: "pizza", Roles: []string{auth.RoleMarketing}}

// calendar is a nurturing whose time passes as fast as nothing happens, on a real database.
type calendar struct {
	*testsuite.TestWorkflowEnvironment
	*house
	accounts *neighbour
	lead     string
	of       view
	answers  []error
}

// begun takes a lead in; its process is prepared.
func begun(t *testing.T, of body, change body) *calendar {
	t.Helper()
	c := &calendar{house: open(t)}
	c.programme("welcome", change)
	c.lead = c.house.lead(of)
	c.of = c.nurtures(c.lead, "welcome")
	env := flowtest.Environment(t, wang, "nurture/pizza/"+c.of.ID)
	env.SetStartTime(c.of.StartedAt)
	c.accounts = &neighbour{now: func() time.Time { return c.Now() }, refuse: map[string]string{}}
	c.accounts.register(env)
	out, clock := outbox.New("sales"), func() time.Time { return c.Now() }
	n := nurture.New(c.DB, out, nil, starts.New(c.DB, nil), lead.New(c.DB, out, scoring.New(c.DB, clock), clock), "sales", clock)
	n.Worker(env)
	c.TestWorkflowEnvironment = env
	return c
}

// customer is a lead of somebody whom accounts knows.
func customer() body { return body{"customer_id": uuid.Must(uuid.NewV7()).String()} }

func (c *calendar) after(d time.Duration, do func()) { c.RegisterDelayedCallback(do, d) }

// at makes decisions after so much time.
func (c *calendar) at(after time.Duration, action nurture.Action) {
	c.after(after, func() {
		d := nurture.Decision{ID: uuid.New(), CaseID: uuid.MustParse(c.of.ID), Action: action, By: flow.Actor{Subject: wang.Subject, Roles: wang.Roles}}
		c.UpdateWorkflow(nurture.DecideUpdate, d.ID.String(), &testsuite.TestUpdateCallback{
			OnReject: func(err error) { c.answers = append(c.answers, err) }, OnAccept: func() {},
			OnComplete: func(_ any, err error) { c.answers = append(c.answers, err) },
		}, d)
	})
}

// run lets the process come to its end and gives the case as it is then.
func (c *calendar) run() (v view) {
	c.t.Helper()
	c.ExecuteWorkflow(nurture.WorkflowName, nurture.Input{ID: uuid.MustParse(c.of.ID)})
	require.True(c.t, c.IsWorkflowCompleted())
	require.NoError(c.t, c.GetWorkflowError())
	c.Want(http.StatusOK, http.MethodGet, "/v1/nurturings/"+c.of.ID, c.manager, nil, &v)
	return v
}

func TestASilentCustomerHearsEverythingAndGoesBackToSales(t *testing.T) {
	t.Parallel()
	c := begun(t, customer(), nil)
	c.accounts.away, c.accounts.stale = 3, 1
	v := c.run()
	require.Equal(t, []string{"start 0s", "touch white_paper email 24h0m0s", "touch webinar email 96h0m0s", "end recycled 264h0m0s"}, v.story())
	require.Equal(t, []string{"recycled", "recycled", "open"}, []string{v.Stage, v.Code, c.state(c.lead)})
	require.Len(t, c.accounts.asked, 3, "one answer was too old")
	for _, a := range c.accounts.asked {
		require.Equal(t, []string{"marketing", "lead", c.lead}, []string{a.GetPurpose(), a.GetReasonType(), a.GetReasonId()})
	}
	touches := c.EventsOf("LeadTouchDue", 2)
	golden.JSON(t, "testdata/lead_touch_due.json", touches[1].Data)
	golden.JSON(t, "testdata/lead_back_to_sales.json", c.EventsOf("LeadHandedOver", 2)[1].Data)
}

func TestConsentsAreRespected(t *testing.T) {
	t.Parallel()
	c := begun(t, customer(), nil)
	c.accounts.refuse["white_paper"], c.accounts.refuse["webinar"] = "no_consent", "suppressed"
	v := c.run()
	require.Equal(t, []string{"start 0s", "skip white_paper no_consent 24h0m0s", "skip webinar suppressed 96h0m0s", "end recycled 264h0m0s"}, v.story())
	require.Zero(t, v.Touches)
	c = begun(t, customer(), nil)
	c.accounts.fault = "purpose_unknown"
	require.Equal(t, "skip white_paper not_possible 24h0m0s", c.run().story()[1])
}

func TestWhoIsNoCustomerIsTouchedOnlyIfTheyAgreed(t *testing.T) {
	t.Parallel()
	for name, one := range map[string]struct {
		lead, change body
		want         []string
	}{
		"agreed":                  {body{"email": "lily@example.com", "custom_fields": body{"agreed": true}}, nil, []string{"touch white_paper email", "touch webinar email"}},
		"agreed, by telephone":    {body{"phone": "+8613800138000", "custom_fields": body{"agreed": true}}, nil, []string{"touch white_paper phone", "skip webinar no_address"}},
		"did not":                 {body{"email": "lily@example.com", "custom_fields": body{"agreed": false}}, nil, []string{"skip white_paper no_consent", "skip webinar no_consent"}},
		"was not asked":           {body{"email": "lily@example.com"}, nil, []string{"skip white_paper no_consent", "skip webinar no_consent"}},
		"the programme says none": {body{"email": "lily@example.com", "custom_fields": body{"agreed": true}}, body{"agreed_field": nil}, []string{"skip white_paper no_consent", "skip webinar no_consent"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := begun(t, one.lead, one.change)
			v := c.run()
			require.Equal(t, []string{one.want[0] + " 24h0m0s", one.want[1] + " 96h0m0s"}, v.story()[1:3])
			require.Empty(t, c.accounts.asked, "accounts does not know them")
		})
	}
}

func TestWhatHandsALeadOver(t *testing.T) {
	t.Parallel()
	t.Run("its score", func(t *testing.T) {
		t.Parallel()
		c := begun(t, customer(), body{"hand_over_score": 40})
		c.after(30*time.Hour, func() {
			c.Want(http.StatusOK, http.MethodPut, "/v1/leads/"+c.lead+"/score", c.manager, body{"probability": 39.99}, nil)
			c.SignalWorkflow("poke", nil)
		})
		c.after(40*time.Hour, func() {
			c.Want(http.StatusOK, http.MethodPut, "/v1/leads/"+c.lead+"/score", c.manager, body{"probability": 40}, nil)
			require.EqualValues(t, 1, c.changed())
			c.SignalWorkflow("poke", nil)
		})
		v := c.run()
		require.Equal(t, []string{"handed_over", "score", "open"}, []string{v.Stage, v.Code, c.state(c.lead)})
		require.Equal(t, "end score 40h0m0s", v.story()[2])
		golden.JSON(t, "testdata/lead_ready.json", c.EventsOf("LeadHandedOver", 2)[1].Data)
	})
	t.Run("that it enquires again", func(t *testing.T) {
		t.Parallel()
		c := begun(t, body{"email": "lily@example.com"}, nil)
		c.after(30*time.Hour, func() {
			require.Zero(t, c.changed())
			c.Want(http.StatusOK, http.MethodPost, "/v1/leads", c.manager, body{"email": "lily@example.com", "message": "How much is it?"}, nil)
			require.EqualValues(t, 1, c.changed())
			c.SignalWorkflow("poke", nil)
		})
		v := c.run()
		require.Equal(t, []string{"handed_over", "enquired", "open"}, []string{v.Stage, v.Code, c.state(c.lead)})
		require.Equal(t, "end enquired 30h0m0s", v.story()[2])
	})
	t.Run("a person, also of one that is paused", func(t *testing.T) {
		t.Parallel()
		c := begun(t, customer(), nil)
		c.at(time.Hour, nurture.ActionPause)
		c.at(2*time.Hour, nurture.ActionPause)
		c.at(1000*time.Hour, nurture.ActionHandOver)
		v := c.run()
		require.Equal(t, []string{"start 0s", "pause 1h0m0s", "hand_over hand 1000h0m0s"}, v.story())
		require.Equal(t, "open", c.state(c.lead))
		require.Len(t, c.answers, 3)
		require.NoError(t, c.answers[0])
		require.Error(t, c.answers[1])
		require.NoError(t, c.answers[2])
	})
}

// changed counts cases whose lead was changed by something else.
func (c *calendar) changed() (n int64) {
	c.t.Helper()
	err := c.DB.System(c.t.Context(), func(tx *pg.Tx) error {
		return tx.QueryRow(c.t.Context(), `SELECT count(*) FROM nurture_changed(100)`).Scan(&n)
	})
	require.NoError(c.t, err)
	return n
}

func TestAPauseIsWaitedOut(t *testing.T) {
	t.Parallel()
	c := begun(t, customer(), nil)
	c.at(4*time.Hour, nurture.ActionPause)
	c.at(54*time.Hour, nurture.ActionResume)
	require.Equal(t, []string{"start 0s", "pause 4h0m0s", "resume 54h0m0s", "touch white_paper email 74h0m0s", "touch webinar email 146h0m0s", "end recycled 314h0m0s"}, c.run().story())
}

func TestSilenceMayLoseALead(t *testing.T) {
	t.Parallel()
	c := begun(t, nil, body{"on_silence": "lose", "lost_reason": "no_need", "silence_seconds": 0})
	v := c.run()
	require.Equal(t, []string{"lost", "silence", "lost"}, []string{v.Stage, v.Code, c.state(c.lead)})
	require.Equal(t, "end silence 96h0m0s", v.story()[3])
}

func TestWhatElseBecomesOfALeadEndsIt(t *testing.T) {
	t.Parallel()
	for want, do := range map[string]func(c *calendar){
		"lost": func(c *calendar) {
			c.Want(http.StatusOK, http.MethodPost, "/v1/leads/"+c.lead+"/lose", c.manager, body{"reason": "no_need"}, nil)
		},
		"erased": func(c *calendar) {
			c.Want(http.StatusNoContent, http.MethodDelete, "/v1/leads/"+c.lead, c.manager, nil, nil)
		},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			c := begun(t, nil, nil)
			c.after(30*time.Hour, func() { do(c); require.EqualValues(t, 1, c.changed()); c.SignalWorkflow("poke", nil) })
			v := c.run()
			require.Equal(t, []string{"cancelled", want}, []string{v.Stage, v.Code})
			require.Zero(t, c.changed())
		})
	}
}

// A conversion ends the case; where it is undone, marketing has the lead again, and may take it in again.
func TestALeadWhoseConversionWasUndoneMayBeTakenInAgain(t *testing.T) {
	t.Parallel()
	c := begun(t, nil, nil)
	out := outbox.New("sales")
	leads := lead.New(c.DB, out, scoring.New(c.DB, time.Now), time.Now)
	change := func(do func(ctx context.Context, tx *pg.Tx, l lead.Lead) error) {
		ctx := auth.With(t.Context(), wang)
		require.NoError(t, c.DB.Tx(ctx, "pizza", func(tx *pg.Tx) error {
			l, err := lead.Lock(ctx, tx, uuid.MustParse(c.lead))
			require.NoError(t, err)
			return do(ctx, tx, l)
		}))
	}
	c.after(30*time.Hour, func() {
		change(func(_ context.Context, tx *pg.Tx, l lead.Lead) error {
			_, err := leads.ConvertIn(tx, l, uuid.New(), uuid.Nil, uuid.New(), time.Now())
			return err
		})
		c.SignalWorkflow("poke", nil)
	})
	v := c.run()
	require.Equal(t, []string{"cancelled", "converted"}, []string{v.Stage, v.Code})
	change(func(ctx context.Context, tx *pg.Tx, l lead.Lead) error {
		_, err := leads.UnconvertIn(ctx, tx, l, time.Now())
		return err
	})
	require.Equal(t, "nurturing", c.state(c.lead))
	again := c.nurtures(c.lead, "welcome")
	require.NotEqual(t, c.of.ID, again.ID)
	require.Equal(t, "nurturing_running", c.Want(http.StatusConflict, http.MethodPost, "/v1/leads/"+c.lead+"/nurture", c.manager, body{"programme": "welcome"}, nil).Code())
}

// A case goes on by the programme as it was when it began.
func TestAProgrammeThatIsChangedIsForOthers(t *testing.T) {
	t.Parallel()
	c := begun(t, customer(), nil)
	c.programme("welcome", body{"touches": []body{{"code": "other", "after_seconds": 1}}, "active": false})
	require.Equal(t, "touch webinar email 96h0m0s", c.run().story()[2])
}

// The process is gone: it is started anew where the case stands.
func TestTheSweepFindsCasesWithoutAProcess(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.programme("welcome", nil)
	due, changed, fine := h.nurtures(h.lead(nil), "welcome"), h.lead(body{"email": "lily@example.com"}), h.nurtures(h.lead(nil), "welcome")
	enquired := h.nurtures(changed, "welcome")
	h.Want(http.StatusOK, http.MethodPost, "/v1/leads", h.manager, body{"email": "lily@example.com"}, nil)
	require.NoError(t, h.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		tx.Queue(`DELETE FROM process_start`)
		tx.Queue(`UPDATE nurture_case SET due_at = now() - interval '11 minutes' WHERE id = $1`, due.ID)
		return nil
	}))
	out := outbox.New("sales")
	n := nurture.New(h.DB, out, nil, starts.New(h.DB, nil), lead.New(h.DB, out, scoring.New(h.DB, time.Now), time.Now), "sales", time.Now)
	for range 2 {
		require.NoError(t, n.Sweep(t.Context()))
		for id, want := range map[string]int64{due.ID: 1, enquired.ID: 1, fine.ID: 0} {
			require.Equal(t, want, h.Count(`SELECT count(*) FROM process_start WHERE workflow_id = 'nurture/pizza/' || $1`, id))
		}
	}
}

func TestRecordedHistories(t *testing.T) {
	t.Parallel()
	flowtest.Replay(t, "testdata/*.history.json", func(r worker.WorkflowRegistry) {
		r.RegisterWorkflowWithOptions(nurture.Handle, workflow.RegisterOptions{Name: nurture.WorkflowName})
	})
}
