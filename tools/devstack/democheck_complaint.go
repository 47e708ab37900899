package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/tools/devstack/cdnow"
	"github.com/guanxi-crm/guanxi/tools/devstack/demo"
	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// grievance is one complaint of a real customer on its way.
type grievance struct {
	agent, manager *client.Client // two people: nobody approves their own proposal
	auditor        *client.Client
	customer       string
	bought         cdnow.Sums // what the file says of the customer
	member         client.Member
	points         int64 // of the compensation
	complaint      client.Complaint
}

// settleComplaint leads a complaint of the customer who came back most often from its registration to its end, with more
// points as compensation than may be given without approval, and demands that every service tells the same of it.
func (v *verdict) settleComplaint(ctx context.Context, at demo.Installation, source cdnow.Source, traces string) error {
	g, err := aggrieved(ctx, at, source)
	if err != nil {
		return err
	}
	at.Report(fmt.Sprintf("leading a complaint of customer %s, who has bought %d times and has %d points, to its end",
		g.customer, g.bought.Orders, g.member.Available))
	v.ComplaintTraceID = client.NewTraceID()
	if err := g.register(client.WithTrace(ctx, v.ComplaintTraceID)); err != nil {
		return err
	}
	v.ComplaintID = g.complaint.ComplaintID
	// The first decision comes at once, perhaps before the event that starts the process: the trace must be whole all the same.
	err = g.decideAll(ctx)
	v.ComplaintState = g.complaint.Stage
	if err != nil {
		return err
	}
	if err := g.compensatedOnce(ctx); err != nil {
		return err
	}
	if v.TimelineEntries, err = g.onTimeline(ctx); err != nil {
		return fmt.Errorf("the customer's timeline: %w", err)
	}
	trace, err := waitTrace(ctx, traces, v.ComplaintTraceID, missing(
		"StartWorkflow:complaint", "RunWorkflow:complaint", "RunActivity:guanxi.loyalty.activities.v1.GrantPoints"))
	if err != nil {
		return err
	}
	at.Report(fmt.Sprintf("complaint %s is %s, %s: %d points, once; %d entries on the timeline; trace %s has %d spans from HTTP to loyalty's activity",
		g.complaint.Number, g.complaint.Stage, g.complaint.Outcome, g.points, v.TimelineEntries, v.ComplaintTraceID, len(trace.Spans)))
	return v.audit(ctx, g.auditor)
}

// aggrieved finds the customer and says who deals with the complaint.
func aggrieved(ctx context.Context, at demo.Installation, source cdnow.Source) (g *grievance, err error) {
	g = &grievance{}
	for who, c := range map[string]**client.Client{"agent": &g.agent, "manager": &g.manager, "admin": &g.auditor} {
		if *c, err = at.ClientOf("demo-check-"+who, demo.Music, who); err != nil {
			return nil, err
		}
	}
	id, bought, err := cdnow.Regular(bytes.NewReader(source.Data))
	if err != nil {
		return nil, err
	}
	g.bought = bought
	found, err := g.agent.LookupCustomers(ctx, "external:cdnow", id)
	if err != nil {
		return nil, err
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("%d customers are number %s of the file", len(found), id)
	}
	g.customer = found[0].CustomerID
	if g.member, err = g.agent.MemberOf(ctx, g.customer); err != nil {
		return nil, err
	}
	if g.member.Balance != (client.Balance{Available: bought.Points}) {
		return nil, fmt.Errorf("number %s of the file has %+v in loyalty instead of %d points to spend", id, g.member.Balance, bought.Points)
	}
	policy, err := g.agent.GetComplaintPolicy(ctx)
	if err != nil {
		return nil, err
	}
	g.points = policy.FreeMinor/max(1, policy.PointMinor) + 1000
	return g, nil
}

func (g *grievance) register(ctx context.Context) (err error) {
	g.complaint, err = g.agent.RegisterComplaint(ctx, client.NewComplaint{
		CustomerID: g.customer, Category: "delivery", Channel: "phone", Description: "Two of the discs are scratched.", Wish: "An apology.",
	})
	return err
}

// decideAll makes the decisions of the road one after the other and waits until the last is carried out.
func (g *grievance) decideAll(ctx context.Context) (err error) {
	admissible, lastKey := true, uuid.NewString()
	for _, step := range []struct {
		by       *client.Client
		action   string
		decision client.Decision
		stage    string // in which the complaint then is
	}{
		{g.agent, "assess", client.Decision{Admissible: &admissible, Severity: 3}, "assessed"},
		{g.agent, "assign", client.Decision{Unit: "warehouse"}, "assigned"},
		{g.agent, "find", client.Decision{Finding: "founded", Cause: "delivery"}, "found"},
		{g.agent, "propose", client.Decision{
			Currency: "USD", Parts: []client.Part{{Kind: "points", Points: g.points}, {Kind: "apology"}}, Reason: "for the second time",
		}, "proposed"},
		{g.manager, "approve", client.Decision{Reason: "a customer of many years"}, "offered"},
	} {
		if g.complaint, err = step.by.Decide(ctx, g.complaint.ComplaintID, step.action, step.decision, ""); err != nil {
			return fmt.Errorf("%s: %w", step.action, err)
		}
		if g.complaint.Stage != step.stage {
			return fmt.Errorf("after %s it is %s instead of %s", step.action, g.complaint.Stage, step.stage)
		}
	}
	for range 2 { // the customer's word is heard twice and taken once
		if _, err := g.agent.Decide(ctx, g.complaint.ComplaintID, "accept", client.Decision{}, lastKey); err != nil {
			return fmt.Errorf("accept: %w", err)
		}
	}
	return soon(ctx, func(ctx context.Context) error {
		now, err := g.agent.GetComplaint(ctx, g.complaint.ComplaintID)
		if err != nil {
			return err
		}
		if g.complaint = now; now.Stage != client.Closed || now.Outcome != "settled" {
			return fmt.Errorf("it is %s %s instead of closed and settled", now.Stage, now.Outcome)
		}
		return nil
	})
}

// compensatedOnce demands that the balance rose by the compensation, by one entry of the ledger.
func (g *grievance) compensatedOnce(ctx context.Context) error {
	x, err := g.agent.ExplainBalance(ctx, g.member.MemberID, 0)
	if err != nil {
		return err
	}
	if want := (client.Balance{Available: g.member.Available + g.points}); x.Balance != want {
		return fmt.Errorf("the customer has %+v instead of %+v", x.Balance, want)
	}
	var grants []client.Entry
	for _, e := range x.Items {
		if e.ReasonType == "complaint" {
			grants = append(grants, e)
		}
	}
	if len(grants) != 1 || grants[0].Kind != "grant" || grants[0].Points != g.points || grants[0].ReasonID != g.complaint.ComplaintID {
		return fmt.Errorf("the ledger has %+v instead of one grant of %d points for this complaint", grants, g.points)
	}
	return nil
}

// onTimeline waits until the customer's timeline has all that the file, sales, loyalty and tickets say, and gives how many
// entries it has.
func (g *grievance) onTimeline(ctx context.Context) (entries int64, err error) {
	orders, err := g.agent.CustomerTotals(ctx, g.customer)
	if err != nil {
		return 0, err
	}
	member, err := g.agent.GetMember(ctx, g.member.MemberID)
	if err != nil {
		return 0, err
	}
	if orders.Orders != g.bought.Orders || orders.RevenueMinor != g.bought.RevenueMinor {
		return 0, fmt.Errorf("sales has %+v of the customer where the file has %+v", orders, g.bought)
	}
	err = soon(ctx, func(ctx context.Context) error {
		t, err := g.agent.GetTimeline(ctx, g.customer)
		if err != nil {
			return err
		}
		entries = int64(len(t.Items))
		var errs []error
		same := func(what string, got, want int64) {
			if got != want {
				errs = append(errs, fmt.Errorf("%s: %d instead of %d", what, got, want))
			}
		}
		same("fact orders", t.Fact("orders"), orders.Orders)
		same("fact revenue_minor", t.Fact("revenue_minor"), orders.RevenueMinor)
		same("fact points_available", t.Fact("points_available"), member.Available)
		same("fact complaints", t.Fact("complaints"), 1)
		same("fact complaints_open", t.Fact("complaints_open"), 0)
		same("orders", t.Count("order_placed"), orders.Orders)
		same("registered complaints", t.Count("complaint_registered"), 1)
		same("closed complaints", t.Count("complaint_closed"), 1)
		same("points of the complaint", t.Points(g.complaint.ComplaintID), g.points)
		return errors.Join(errs...)
	})
	return entries, err
}

// audit has the ledger of the whole tenant checked.
func (v *verdict) audit(ctx context.Context, api *client.Client) error {
	a, err := api.AuditPoints(ctx)
	if err != nil {
		return err
	}
	v.LoyaltyLedgerSum = a.LedgerSum
	if !a.OK || a.LedgerSum != 0 || len(a.Differences) > 0 {
		return fmt.Errorf("the auditor's check of the ledger is not well: sum %d, differences %+v", a.LedgerSum, a.Differences)
	}
	return nil
}

// missing names what the trace of a complaint has to have and has not: its registration, its event on the way through
// Kafka, and the spans whose names are given.
func missing(names ...string) func(client.Trace) error {
	return func(trace client.Trace) error {
		if err := missingKinds(trace); err != nil {
			return err
		}
		for _, name := range names {
			if !slices.ContainsFunc(trace.Spans, func(s client.Span) bool { return s.Name == name }) {
				return fmt.Errorf("it has no span %s", name)
			}
		}
		return nil
	}
}
