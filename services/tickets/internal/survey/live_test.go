//go:build temporal

// Tests against a real Temporal server, which GUANXI_TEST_TEMPORAL names: go test -tags temporal ./tickets/...
// They also record the histories that TestRecordedHistories replays.

package survey_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/survey"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

// beginLive is begin with workers on a real Temporal server, beside a stand-in of accounts.
func beginLive(t *testing.T, accounts *neighbour) (*world, *flow.Client) {
	t.Helper()
	w, client, _ := ticketstest.StartLive(t)
	ctx, stop := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := client.RunWorker(ctx, "accounts", accounts.register); err != nil {
			t.Errorf("worker of accounts: %v", err)
		}
	})
	t.Cleanup(func() { stop(); done.Wait() })
	return &world{World: w, t: t, courier: w.Token(auth.RoleIntegrator, "pizza")}, client
}

// becomes waits until an invitation is in the state.
func (w *world) becomes(i invitation, state string) invitation {
	w.t.Helper()
	w.Eventually("the invitation is "+state, func() bool {
		w.Want(http.StatusOK, http.MethodGet, "/v1/survey-invitations/"+i.ID, w.Agent, nil, &i)
		return i.State == state
	})
	return i
}

func ended(t *testing.T, client *flow.Client, i invitation, record string) {
	t.Helper()
	id := "survey-invitation/pizza/" + i.ID
	require.NoError(t, client.Temporal().GetWorkflow(t.Context(), id, "").Get(t.Context(), nil))
	flowtest.Record(t.Context(), t, client, id, "testdata/"+record+".history.json")
}

func TestLiveAnInvitationIsSentFetchedAndAnswered(t *testing.T) {
	t.Parallel()
	w, client := beginLive(t, &neighbour{away: 2})
	i := w.becomes(w.invite(w.from("csat"), uuid.NewString(), "by_hand", false), "sent")
	require.NotEmpty(t, i.Contact)
	ended(t, client, i, "sent")
	var l struct{ Path string }
	w.Want(http.StatusOK, http.MethodPost, "/v1/survey-invitations/"+i.ID+"/link", w.courier, nil, &l)
	w.Want(http.StatusNoContent, http.MethodPost, l.Path+"/answer", "", filled("score", 5, "why", "warm"), nil)
	w.becomes(i, "answered")
	for _, e := range w.Events(2) {
		require.NotContains(t, string(e.Data), "warm")
	}
}

func TestLiveWithoutConsentNothingIsSent(t *testing.T) {
	t.Parallel()
	w, client := beginLive(t, &neighbour{refusal: "no_consent"})
	i := w.becomes(w.invite(w.from("csat"), uuid.NewString(), "by_hand", false), "refused")
	require.Equal(t, "no_consent", i.Refusal)
	ended(t, client, i, "refused")
}

// TestLiveAProcessThatWasTerminatedIsFound has accounts away until the process is lost; the sweep has it begin anew. It was
// asked for a while ago, as the sweep has it.
func TestLiveAProcessThatWasTerminatedIsFound(t *testing.T) {
	t.Parallel()
	accounts := &neighbour{away: 1 << 30}
	w, client := beginLive(t, accounts)
	i := w.invite(w.from("csat"), uuid.NewString(), "by_hand", false)
	id := "survey-invitation/pizza/" + i.ID
	w.Eventually("the process runs", func() bool { return client.Temporal().TerminateWorkflow(t.Context(), id, "", "lost") == nil })
	accounts.back()
	starter := starts.New(w.DB, client)
	sweeper := survey.New(w.DB, outbox.New("tickets"), starter, func() time.Time { return time.Now().Add(time.Hour) })
	// Again and again, as the service does: whoever started the process that was terminated may only now take note that it did,
	// and with that what was queued meanwhile.
	w.Eventually("the invitation is sent", func() bool {
		require.NoError(t, sweeper.Sweep(t.Context()))
		_, err := starter.Sweep(t.Context())
		require.NoError(t, err)
		w.Want(http.StatusOK, http.MethodGet, "/v1/survey-invitations/"+i.ID, w.Agent, nil, &i)
		return i.State == "sent"
	})
	require.Len(t, w.EventsOf("SurveySent", 1), 1)
}

func TestLiveATriggerAsksByItself(t *testing.T) {
	t.Parallel()
	w, _ := beginLive(t, &neighbour{})
	w.trigger(w.from("nps"), "interaction", "store", 30)
	lei := uuid.Must(uuid.NewV7())
	w.Publish("accounts", met(t, lei, "store", time.Now()))
	w.Eventually("they are asked", func() bool { got := w.asked(lei); return len(got) == 1 && got[0] == "sent" })
}
