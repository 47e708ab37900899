//go:build temporal

// Tests against a real Temporal server, which GUANXI_TEST_TEMPORAL names: go test -tags temporal ./sales/...
// They also record the histories that TestRecordedHistories replays.

package conversion_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/peer"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/sales/internal/conversion"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
	"github.com/guanxi-crm/guanxi/services/sales/internal/opportunity"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
	"github.com/guanxi-crm/guanxi/services/sales/internal/scoring"
)

func openLive(t *testing.T, roles ...string) (*desk, *flow.Client) {
	t.Helper()
	r := newRegister()
	w, client := salestest.StartLiveFacing(t, r, roles...)
	return &desk{
		World: w, t: t, register: r, leads: lead.New(w.DB, outbox.New("sales"), scoring.New(w.DB, time.Now), time.Now),
		ctx: auth.With(t.Context(), auth.Principal{Subject: "li", Tenant: "pizza"}),
	}, client
}

// over waits until a process has ended and records its history, in which nobody is named.
func over(t *testing.T, client *flow.Client, id, record string) {
	t.Helper()
	require.Eventually(t, func() bool {
		return client.Temporal().GetWorkflow(t.Context(), id, "").Get(t.Context(), nil) == nil
	}, time.Minute, 50*time.Millisecond)
	history := client.Temporal().GetWorkflowHistory(t.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		e, err := history.Next()
		require.NoError(t, err)
		for _, secret := range []string{"Han", "Lotus", "example.com"} {
			require.NotContains(t, e.String(), secret)
		}
	}
	if record != "" {
		flowtest.Record(t.Context(), t, client, id, "testdata/"+record+".history.json")
	}
}

func TestLiveALeadIsConvertedAndThatIsUndone(t *testing.T) {
	t.Parallel()
	d, client := openLive(t)
	l := d.captured("Lotus Hotels", "Han Mei")
	c := d.convert(l, body{})
	require.Equal(t, "converted", c.State)
	over(t, client, "lead-conversion/pizza/"+c.ConversionID.String(), "converted")
	require.Equal(t, "undone", d.undo(l).State)
	over(t, client, "lead-conversion/pizza/"+c.ConversionID.String()+"/undo", "undone")
	require.Zero(t, d.register.standing())
}

func TestLiveARefusedConversionIsPutBack(t *testing.T) {
	t.Parallel()
	d, client := openLive(t)
	d.register.alike["Han Mei"] = []uuid.UUID{d.register.add("person", "Han Mei", nil)}
	c := d.convert(d.captured("Lotus Hotels", "Han Mei"), body{})
	require.Equal(t, "contact_duplicate_suspected", c.Refusal)
	over(t, client, "lead-conversion/pizza/"+c.ConversionID.String(), "refused")
	require.Equal(t, 1, d.register.standing())
}

// work runs a worker of the conversions until it is killed.
func (d *desk) work(client *flow.Client, peers *peer.Client) (kill func()) {
	ctx, cancel := context.WithCancel(d.ctx)
	scores, o := scoring.New(d.DB, time.Now), outbox.New("sales")
	conversions := conversion.New(d.DB, o, lead.New(d.DB, o, scores, time.Now), opportunity.New(d.DB, o, scores, time.Now), peers, starts.New(d.DB, client), "sales", time.Now)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = client.RunWorker(ctx, "sales", conversions.Worker)
	}()
	return func() {
		cancel()
		<-done
	}
}

// The worker is killed in the middle of each call of accounts in turn, before or after it was carried out there.
func TestLiveAKillInAnyCallChangesNothingInTheEnd(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 7; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			d, client := openLive(t, app.RoleHTTP, app.RoleRelay, app.RoleConsumers)
			key, err := auth.PeerKey([]byte(strings.Repeat("k", 32)))
			require.NoError(t, err)
			api := httptest.NewServer(d.register)
			t.Cleanup(api.Close)
			peers := peer.New(func(string) (string, error) { return api.URL, nil }, key, time.Now)
			reached := make(chan struct{})
			d.register.fail = func(at int, _ string) (bool, bool) {
				if at == n {
					close(reached)
					return false, true // it is carried out, and nobody hears of it
				}
				return false, false
			}
			l := d.captured("Lotus Hotels", "Han Mei")
			d.Want(http.StatusAccepted, http.MethodPost, path(l, "/convert"), d.Sales, body{}, nil)
			begin := starts.New(d.DB, client)
			_, err = begin.Sweep(d.ctx)
			require.NoError(t, err)
			kill := d.work(client, peers)
			<-reached
			kill()
			defer d.work(client, peers)()
			require.Equal(t, "converted", d.ended(l).State)
			require.Equal(t, 2, d.register.standing())
			require.Len(t, d.register.contacts, 1)
			require.EqualValues(t, 1, d.Count(`SELECT count(*) FROM opportunity`))
		})
	}
}
