package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/guanxi-crm/guanxi/tools/devstack/cdnow"
	"github.com/guanxi-crm/guanxi/tools/devstack/demo"
	"github.com/guanxi-crm/guanxi/tools/devstack/stack"
	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// stuckAfter is how long the projections may stand still before they are taken to be stuck: the machine may have other work.
const stuckAfter = 3 * time.Minute

// verdict is the last line of demo-check.
type verdict struct {
	OK     bool   `json:"ok"`
	Source string `json:"source"`
	// What the services say, of the tenant music.
	Customers             int64 `json:"customers"` // accounts
	Orders                int64 `json:"orders"`    // sales
	Units                 int64 `json:"units"`     // sales
	RevenueMinor          int64 `json:"revenue_minor"`
	SalesRevenueMinor     int64 `json:"sales_revenue_minor"`
	AnalyticsRevenueMinor int64 `json:"analytics_revenue_minor"`
	AnalyticsCustomers    int64 `json:"analytics_customers"`
	AnalyticsOrders       int64 `json:"analytics_orders"`
	AnalyticsUnits        int64 `json:"analytics_units"`
	Unresolved            int64 `json:"unresolved"`
	// Points that loyalty gave for the orders, and those that the file makes. All postings of its ledger add up to 0.
	LoyaltyPointsEarned   int64 `json:"loyalty_points_earned"`
	LoyaltyPointsExpected int64 `json:"loyalty_points_expected"`
	LoyaltyLedgerSum      int64 `json:"loyalty_ledger_sum"`
	// A complaint of one customer, led to its end: its stage there, and the entries on that customer's timeline.
	ComplaintID      string `json:"complaint_id"`
	ComplaintState   string `json:"complaint_state"`
	ComplaintTraceID string `json:"complaint_trace_id"`
	TimelineEntries  int64  `json:"timeline_entries"`
	// TraceID is of one order, from HTTP to the projection.
	TraceID string `json:"trace_id"`
	// ImportSeconds is from the first byte sent until every row was in its service, LevelSeconds until every
	// projection was level with it, Seconds the whole check.
	ImportSeconds float64 `json:"import_seconds"`
	LevelSeconds  float64 `json:"level_seconds"`
	Seconds       float64 `json:"seconds"`
}

func demoCheckCommand() *cobra.Command {
	var o checkOptions
	c := &cobra.Command{
		Use:   "demo-check",
		Short: "Prove the main roads: import a real cohort, compare what every service says of it, and settle a complaint",
		Long: `Demo-check starts the whole platform from nothing on free ports in a temporary folder, imports the purchase history
through the public surfaces only, waits until the projections are level and compares the sums of every service with
what the file itself adds up to. Then it leads a complaint of one customer to its end, with points as compensation, and
reads it back from the customer's timeline. With --server it does so to an installation that runs already, which must be
empty. Its last line is one JSON object; it ends with 0 only if all holds.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, err := demoCheck(cmd.Context(), o, stack.Lines(cmd.OutOrStdout()))
			v.OK = err == nil
			if err != nil {
				cmd.PrintErrln("demo-check:", err)
			}
			if encodeErr := json.NewEncoder(cmd.OutOrStdout()).Encode(v); encodeErr != nil {
				return encodeErr
			}
			if err != nil {
				return errors.New("demo-check failed")
			}
			return nil
		},
	}
	c.Flags().StringVar(&o.binary, "guanxi", "", "program to check instead of building one")
	c.Flags().BoolVar(&o.keep, "keep", false, "keep the folder with state and logs also when all holds")
	c.Flags().StringVar(&o.server, "server", "", "URL of an installation that runs already, instead of starting one")
	c.Flags().StringVar(&o.issuer, "issuer", "", "URL of its development issuer, with the secret as http://any:secret@host:port")
	c.Flags().StringVar(&o.traces, "traces", "", "URL of its store of traces")
	c.MarkFlagsRequiredTogether("server", "issuer", "traces")
	c.MarkFlagsMutuallyExclusive("server", "guanxi")
	c.MarkFlagsMutuallyExclusive("server", "keep")
	return c
}

// checkOptions say what is checked: what is started for it, or an installation that runs already.
type checkOptions struct {
	binary                 string
	keep                   bool
	server, issuer, traces string
}

func demoCheck(ctx context.Context, o checkOptions, report func(string)) (v verdict, err error) {
	began := time.Now()
	defer func() { v.Seconds = seconds(began) }()
	repo, err := findRepo()
	if err != nil && o.server == "" {
		return v, err
	}
	source, want, err := readSource(repo, report)
	if err != nil {
		return v, err
	}
	v.Source, v.RevenueMinor, v.LoyaltyPointsExpected = "synthetic", want.RevenueMinor, want.Points
	if source.Real {
		v.Source = filepath.Base(source.Name)
	}
	if o.server != "" {
		err = v.walk(ctx, demo.Installation{Server: o.server, Issuer: o.issuer, Report: report}, o.traces, source, want)
		return v, err
	}
	dir, err := temporaryDir()
	if err != nil {
		return v, err
	}
	defer func() {
		if err != nil || o.keep {
			report("state and logs are kept in " + dir)
			return
		}
		err = os.RemoveAll(dir)
	}()
	if o.binary == "" {
		if o.binary, err = buildPlatform(ctx, repo, dir, report); err != nil {
			return v, err
		}
	}
	ports, err := stack.FreePorts()
	if err != nil {
		return v, err
	}
	s, err := startStack(ctx, dir, ports, report)
	if err != nil {
		return v, err
	}
	defer func() {
		report("stopping everything")
		s.Stop()
	}()
	if err := startPlatform(ctx, s, o.binary, report); err != nil {
		return v, err
	}
	at := demo.Installation{Server: s.ServerURL(), Issuer: s.IssuerURL(), Report: report}
	err = v.walk(ctx, at, s.TracesURL(), source, want) // before v is returned: it fills v in
	return v, err
}

// readSource finds the history and adds it up on its own.
func readSource(repo string, report func(string)) (cdnow.Source, cdnow.Sums, error) {
	source, err := cdnow.Find(repo)
	if err != nil {
		return source, cdnow.Sums{}, err
	}
	want, err := cdnow.Add(bytes.NewReader(source.Data))
	if err != nil {
		return source, want, fmt.Errorf("%s: %w", source.Name, err)
	}
	report(fmt.Sprintf("input is %s: %d customers, %d orders, %d units, %d minor units, %d points",
		source.Name, want.Customers, want.Orders, want.Units, want.RevenueMinor, want.Points))
	if source.Real && want != cdnow.Published() {
		return source, want, fmt.Errorf("%s does not add up to what its publishers tell: %+v", source.Name, cdnow.Published())
	}
	return source, want, nil
}

func temporaryDir() (string, error) {
	dir, err := os.MkdirTemp("", "guanxi-demo-check-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755) //nolint:gosec // PostgreSQL's user has to pass through
}

// walk goes the main road and fills in what is found.
func (v *verdict) walk(ctx context.Context, at demo.Installation, traces string, source cdnow.Source, want cdnow.Sums) error {
	report := at.Report
	report("making the tenants")
	if err := at.Tenants(ctx); err != nil {
		return err
	}
	report("importing customers and then orders of tenant music")
	began := time.Now()
	if err := at.LoadMusic(ctx, source); err != nil {
		return err
	}
	v.ImportSeconds = seconds(began)
	report("waiting until every projection is level")
	if err := v.waitLevel(ctx, at, want, report); err != nil {
		return err
	}
	v.LevelSeconds = seconds(began)
	report(fmt.Sprintf("level %.1f s after the first byte was sent", v.LevelSeconds))
	if err := v.compare(want); err != nil {
		return err
	}
	if err := v.settleComplaint(ctx, at, source, traces); err != nil {
		return fmt.Errorf("the complaint: %w", err)
	}
	report("importing tenant pizza and following one order of it through the traces")
	if err := at.LoadPizza(ctx); err != nil {
		return err
	}
	if err := at.LoadComplaints(ctx); err != nil {
		return err
	}
	if err := at.LoadLoyalty(ctx); err != nil {
		return err
	}
	if err := at.LoadSales(ctx); err != nil {
		return err
	}
	if err := at.LoadAnalytics(ctx); err != nil {
		return err
	}
	return v.followOrder(ctx, at, traces, report)
}

// waitLevel asks the services until nothing is on its way and all say what is wanted, or nothing moves any more.
func (v *verdict) waitLevel(ctx context.Context, at demo.Installation, want cdnow.Sums, report func(string)) error {
	api, err := at.Client(demo.Music, "admin")
	if err != nil {
		return err
	}
	operator, err := at.Client("", "platform-admin")
	if err != nil {
		return err
	}
	moved, told, way := time.Now(), time.Now(), ""
	for {
		before, wayBefore := *v, way
		if err := v.ask(ctx, api); err != nil {
			return err
		}
		var err error
		if way, err = onTheWay(ctx, operator); err != nil {
			return err
		}
		now := time.Now()
		if *v != before || way != wayBefore {
			moved = now
		}
		if way == "" && (v.compare(want) == nil || now.Sub(moved) > 5*time.Second) {
			return nil
		}
		if now.Sub(moved) > stuckAfter {
			return errors.Join(fmt.Errorf("nothing has moved for %s and the projections are not level: %s", stuckAfter, way), v.compare(want))
		}
		if now.Sub(told) > 3*time.Second {
			told = now
			report(fmt.Sprintf("analytics: %d of %d customers, %d of %d orders; loyalty: %d of %d points",
				v.AnalyticsCustomers, want.Customers, v.AnalyticsOrders, want.Orders, v.LoyaltyPointsEarned, want.Points))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// onTheWay says what each service has still to send, to apply or to do; nothing, when all are level.
func onTheWay(ctx context.Context, operator *client.Client) (string, error) {
	var way strings.Builder
	for _, service := range client.Services() {
		status, err := operator.GetStatus(ctx, service)
		if err != nil {
			return "", err
		}
		if status.Level() {
			continue
		}
		fmt.Fprintf(&way, "%s has %d events to send and %d processes to start", service, status.OutboxBacklog, status.ProcessesWaiting)
		for _, c := range status.Consumers {
			if c.Lag != 0 {
				fmt.Fprintf(&way, ", %s is %d behind", c.Name, c.Lag)
			}
		}
		for _, w := range status.Waiting {
			if w.Count != 0 {
				fmt.Fprintf(&way, ", %d %s", w.Count, w.Name)
			}
		}
		way.WriteString("; ")
	}
	return strings.TrimSuffix(way.String(), "; "), nil
}

// ask fills in what the services say of the tenant.
func (v *verdict) ask(ctx context.Context, api *client.Client) error {
	accounts, err := api.AccountsTotals(ctx)
	if err != nil {
		return err
	}
	sales, err := api.SalesTotals(ctx)
	if err != nil {
		return err
	}
	analytics, err := api.AnalyticsTotals(ctx)
	if err != nil {
		return err
	}
	points, err := api.PointsSummary(ctx)
	if err != nil {
		return err
	}
	v.LoyaltyPointsEarned, v.LoyaltyLedgerSum = points.Earned-points.Granted, points.LedgerSum
	v.Customers = accounts.Customers
	v.Orders, v.Units, v.SalesRevenueMinor, v.Unresolved = sales.Orders, sales.Units, sales.RevenueMinor, sales.Unresolved
	v.AnalyticsCustomers, v.AnalyticsOrders = analytics.Customers, analytics.Orders
	v.AnalyticsUnits, v.AnalyticsRevenueMinor = analytics.Units, analytics.RevenueMinor
	return nil
}

// compare names every number that differs from the file's.
func (v *verdict) compare(want cdnow.Sums) error {
	var errs []error
	same := func(name string, got, want int64) {
		if got != want {
			errs = append(errs, fmt.Errorf("%s: %d instead of %d", name, got, want))
		}
	}
	same("customers in accounts", v.Customers, want.Customers)
	same("orders in sales", v.Orders, want.Orders)
	same("units in sales", v.Units, want.Units)
	same("revenue in sales", v.SalesRevenueMinor, want.RevenueMinor)
	same("orders without a customer in sales", v.Unresolved, 0)
	same("customers in analytics", v.AnalyticsCustomers, want.Customers)
	same("orders in analytics", v.AnalyticsOrders, want.Orders)
	same("units in analytics", v.AnalyticsUnits, want.Units)
	same("revenue in analytics", v.AnalyticsRevenueMinor, want.RevenueMinor)
	same("points in loyalty", v.LoyaltyPointsEarned, want.Points)
	same("sum of loyalty's ledger", v.LoyaltyLedgerSum, 0)
	return errors.Join(errs...)
}

// followOrder places one order in the other tenant and waits until its trace reaches from HTTP over the relay to a
// consumer.
func (v *verdict) followOrder(ctx context.Context, at demo.Installation, traces string, report func(string)) error {
	api, err := at.Client(demo.Pizza, "sales")
	if err != nil {
		return err
	}
	v.TraceID = client.NewTraceID()
	_, err = api.PlaceOrder(client.WithTrace(ctx, v.TraceID), client.Order{
		ExternalRef: &client.Ref{System: "till", ID: "demo-check"}, CustomerRef: &client.Ref{System: "till", ID: "K002"},
		Channel: "counter", Currency: "CNY", Lines: []client.OrderLine{{SKU: "margherita", Quantity: 1, AmountMinor: 5800}},
	})
	if err != nil {
		return fmt.Errorf("place an order: %w", err)
	}
	trace, err := waitTrace(ctx, traces, v.TraceID, missingKinds)
	if err != nil {
		return fmt.Errorf("an order: %w", err)
	}
	report(fmt.Sprintf("trace %s has %d spans from HTTP over the relay to the consumers", v.TraceID, len(trace.Spans)))
	return nil
}

// waitTrace reads a trace until nothing is missing in it.
func waitTrace(ctx context.Context, traces, id string, missing func(client.Trace) error) (trace client.Trace, err error) {
	err = soon(ctx, func(ctx context.Context) (err error) {
		if trace, err = client.GetTrace(ctx, traces, id); err == nil {
			err = missing(trace)
		}
		return err
	})
	if err != nil {
		err = fmt.Errorf("trace %s: %w", id, err)
	}
	return trace, err
}

// soonIs how long what follows from something may take: a second, where nothing is wrong and the machine has no other work.
const soonIs = 3 * time.Minute

// soon asks until holds says nothing more against it, and gives what it said last when that does not come about.
func soon(ctx context.Context, holds func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, soonIs)
	defer cancel()
	var last error
	for {
		err := holds(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return errors.Join(last, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func missingKinds(trace client.Trace) error {
	for _, kind := range []string{"server", "producer", "consumer"} {
		if !trace.Has(kind) {
			return fmt.Errorf("it has no %s span", kind)
		}
	}
	return nil
}

func seconds(since time.Time) float64 {
	return float64(time.Since(since).Round(10*time.Millisecond)) / float64(time.Second)
}
