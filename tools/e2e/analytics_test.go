package e2e_test

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/tools/devstack/cdnow"
	"github.com/guanxi-crm/guanxi/tools/devstack/demo"
	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// fitted is what the API says of a fit.
type fitted struct {
	Model *struct {
		ID     string
		Rows   int64
		Params map[string]float64
		Errors map[string]float64
		Fit    map[string]float64
	}
	Job *struct {
		ID, State, Reason string
		ModelID           string `json:"model_id"`
	}
	Predictions []struct {
		ID       string
		Expected []struct{ Horizon, Purchases float64 }
	}
}

// fit has a model fitted, and waits for it where it takes longer than a request may.
func (in *installation) fit(ctx context.Context, c *client.Client, kind string, body object) (f fitted) {
	in.t.Helper()
	in.step(ctx, c, "/v1/models/"+kind+"/fit", fmt.Sprint(kind, len(body)), body, &f)
	if f.Job != nil {
		in.eventually(3*time.Minute, func() error {
			if err := c.Get(ctx, "/v1/models/jobs/"+f.Job.ID, nil, f.Job); err != nil {
				return err
			}
			if f.Job.State != "done" {
				return fmt.Errorf("the fit is %s: %s", f.Job.State, f.Job.Reason)
			}
			return c.Get(ctx, "/v1/models/"+f.Job.ModelID, nil, &f.Model)
		})
	}
	if f.Model == nil {
		in.t.Fatalf("the fit of %s gave nothing", kind)
	}
	return f
}

// history is a cohort's purchases, by customer and day.
func history(data []byte, until time.Time) (rows []object) {
	days := map[string][]time.Time{}
	for n, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		fields := strings.Fields(line)
		if n == 0 {
			continue
		}
		day, err := time.Parse("20060102", fields[1])
		if err != nil {
			panic(err)
		}
		if !day.After(until) && !slices.Contains(days[fields[0]], day) {
			days[fields[0]] = append(days[fields[0]], day)
		}
	}
	weeks := func(d time.Duration) float64 { return d.Hours() / 24 / 7 }
	for customer, bought := range days {
		first, last := slices.MinFunc(bought, time.Time.Compare), slices.MaxFunc(bought, time.Time.Compare)
		rows = append(rows, object{"id": customer, "frequency": len(bought) - 1, "recency": weeks(last.Sub(first)), "T": weeks(until.Sub(first))})
	}
	return rows
}

// TestWhatCustomersAreWorthIsWhatWasPublished imports the cohort that the models were published with while processes die, and
// has them fitted to what analytics heard of it.
func TestWhatCustomersAreWorthIsWhatWasPublished(t *testing.T) {
	t.Parallel()
	in := install(t)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	in.persist(ctx, "tenants", func() error { return in.at().Tenants(ctx) })
	source, err := cdnow.FindSample(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("input is %s", source.Name)
	request := client.ImportRequest{Format: "whitespace", Header: true, Policy: "skip"}
	request.Kind, request.Mapping = "customers", cdnow.CustomersMapping()
	in.importFile(ctx, demo.Music, request, source.Data)
	request.Kind, request.Mapping = "orders", cdnow.OrdersMapping()
	in.importFile(ctx, demo.Music, request, source.Data)
	in.kill()
	in.eventually(5*time.Minute, in.level)

	c := in.client(demo.Music, "marketing")
	cutoff := time.Date(1997, 9, 30, 0, 0, 0, 0, time.UTC)
	byFacts := in.fit(ctx, c, "bgnbd", object{"source": "facts", "cutoff": cutoff.Format(time.DateOnly), "currency": "USD"})
	rows := history(source.Data, cutoff)
	byTable := in.fit(ctx, c, "bgnbd", object{"rows": rows, "horizons": []float64{39}})
	if byFacts.Model.Rows != int64(len(rows)) {
		t.Errorf("facts have %d customers, the file %d", byFacts.Model.Rows, len(rows))
	}
	for name, want := range byTable.Model.Params {
		if got := byFacts.Model.Params[name]; math.Abs(got-want) > 1e-3*want || !(byFacts.Model.Errors[name] > 0) {
			t.Errorf("%s is %g ± %g by the facts and %g by the table", name, got, byFacts.Model.Errors[name], want)
		}
	}
	if source.Real {
		in.published(byFacts, byTable)
	}
	spend := in.fit(ctx, c, "gamma-gamma", object{"source": "facts", "cutoff": cutoff.Format(time.DateOnly), "currency": "USD"})
	if source.Real && spend.Model.Rows != 946 {
		t.Errorf("%d customers came back, not 946", spend.Model.Rows)
	}
	in.valued(ctx, c, byFacts.Model.ID, spend.Model.ID)
	in.followed(ctx, c)
	in.eventually(5*time.Minute, in.level)
	in.rebuildIsEqual(ctx, "analytics")
	if n := in.parked(); n != 0 {
		t.Errorf("%d events were parked", n)
	}
	f, err := in.audit(ctx, "analytics")
	if err != nil || f.lost != 0 || f.phantom != 0 || f.orderBreaks != 0 || f.events == 0 {
		t.Errorf("analytics: %+v, %v", f, err)
	}
}

// published compares with Fader, Hardie and Lee, "Counting Your Customers" the Easy Way, Marketing Science 24 (2005), and their
// spreadsheet note.
func (in *installation) published(facts, table fitted) {
	in.t.Helper()
	for name, want := range map[string]float64{"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426} {
		if got := facts.Model.Params[name]; math.Abs(got-want) > 0.0006 {
			in.t.Errorf("%s is %g, published is %g", name, got, want)
		}
	}
	if got := facts.Model.Fit["log_likelihood"]; math.Abs(got+9582.4) > 0.06 {
		in.t.Errorf("the log-likelihood is %g, published is -9582.4", got)
	}
	for _, p := range table.Predictions {
		if strings.TrimLeft(p.ID, "0") != "4" { // the first of the sample: x = 2, t_x = 30.43, T = 38.86
			continue
		}
		if len(p.Expected) != 1 || math.Abs(p.Expected[0].Purchases-1.226) > 0.0006 {
			in.t.Errorf("customer %s is expected to buy %v times in 39 weeks, published is 1.226", p.ID, p.Expected)
		}
		return
	}
	in.t.Error("the first customer of the sample has no prediction")
}

// valued puts models to use and has everybody valued, rated and graded.
func (in *installation) valued(ctx context.Context, c *client.Client, purchases, spend string) {
	in.t.Helper()
	for _, id := range []string{purchases, spend} {
		in.step(ctx, c, "/v1/models/"+id+"/use", id, nil, nil)
	}
	for _, what := range []string{"value", "rfm", "grades"} {
		var run struct {
			ID    string
			RunID string `json:"run_id"`
		}
		in.eventually(3*time.Minute, func() error { // one that was asked for when a model came into use goes first
			_, err := c.Do(ctx, client.Request{Method: http.MethodPost, Path: "/v1/analytics/" + what + "/runs", In: object{"as_of": "1998-06-30"}, IdempotencyKey: what}, &run)
			return err
		})
		in.kill()
		where(ctx, in, c, "/v1/analytics/"+what+"/runs/"+cmp.Or(run.ID, run.RunID), func(now struct{ State string }) bool { return now.State == "done" })
	}
	type equity struct {
		Items []struct {
			PredictedMinor int64 `json:"predicted_minor"`
			Buyers         int64
		}
	}
	got := where(ctx, in, c, "/v1/analytics/value/equity", func(e equity) bool { return len(e.Items) > 0 })
	if got.Items[0].PredictedMinor <= 0 || got.Items[0].Buyers <= 0 {
		in.t.Errorf("customer equity is %+v", got.Items)
	}
}

// followed makes a live segment, and sees a customer enter it once by an order, however often processes die.
func (in *installation) followed(ctx context.Context, c *client.Client) {
	in.t.Helper()
	var segment struct{ ID string }
	in.step(ctx, c, "/v1/segments", "regulars", object{"code": "regulars", "name": "Regulars", "kind": "live", "filter_text": "orders >= 3"}, &segment)
	where(ctx, in, c, "/v1/segments/"+segment.ID, func(s struct{ Members int64 }) bool { return s.Members > 0 })
	customer := uuid.Must(uuid.NewV7()).String()
	seller := in.client(demo.Music, "sales")
	for n := range 4 {
		in.persist(ctx, "order", func() error {
			_, err := seller.PlaceOrder(ctx, client.Order{
				CustomerID: customer, ExternalRef: &client.Ref{System: "shop", ID: fmt.Sprintf("regular-%d", n)}, Channel: "shop", Currency: "USD",
				Lines: []client.OrderLine{{SKU: "cd", Quantity: 1, AmountMinor: 1499}},
			})
			return err
		})
		if n == 1 {
			in.kill()
		}
	}
	type belonging struct {
		Items []struct{ Code string }
	}
	where(ctx, in, c, "/v1/analytics/customers/"+customer+"/segments", func(b belonging) bool { return len(b.Items) == 1 && b.Items[0].Code == "regulars" })
	in.eventually(5*time.Minute, in.level)
	if n := in.entered(ctx, customer); n != 1 {
		in.t.Errorf("the customer entered %d times", n)
	}
}

// entered counts how often analytics told that the customer entered a segment; an event that arrives twice counts once.
func (in *installation) entered(ctx context.Context, customer string) int {
	in.t.Helper()
	told := map[uuid.UUID]bool{}
	topic := bus.TopicFor("analytics")
	first, next, err := in.bus.Offsets(ctx, topic)
	if err != nil {
		in.t.Fatal(err)
	}
	for partition := range next {
		err := in.bus.Read(ctx, topic, partition, first[partition], next[partition], func(m bus.Message) error {
			e, err := bus.Decode(m)
			if err == nil && strings.HasSuffix(e.Type, ".SegmentEntered") && e.AggregateID == customer {
				told[e.ID] = true
			}
			return err
		})
		if err != nil {
			in.t.Fatal(err)
		}
	}
	return len(told)
}
