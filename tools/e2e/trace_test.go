package e2e_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/tools/devstack/demo"
	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// cause is what was done for one reason: its spans of one name, and what each of them led to.
type cause map[string]cause

// causes draws a trace as what led to what, without how often and when: a request may be repeated, and batches are cut by chance.
func causes(nodes []client.TraceNode) cause {
	all := cause{}
	for _, n := range nodes {
		name := n.Kind + " " + n.Name
		if by := cmp.Or(n.Attributes["messaging.consumer.group.name"], n.Attributes["guanxi.consumer"]); by != "" {
			name += " by " + by
		}
		if n.Linked {
			name = "-> " + name
		}
		if all[name] == nil {
			all[name] = cause{}
		}
		all[name].add(causes(n.Children))
	}
	return all
}

func (c cause) add(more cause) {
	for name, below := range more {
		if c[name] == nil {
			c[name] = cause{}
		}
		c[name].add(below)
	}
}

func (c cause) draw(depth int) string {
	var text strings.Builder
	var names []string
	for name := range c {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&text, "%s%s\n%s", strings.Repeat("  ", depth), name, c[name].draw(depth+1))
	}
	return text.String()
}

// drawn gives what led to what in a trace, once it has a span of the name and has grown no more for longer than exporters keep spans back.
func (in *installation) drawn(ctx context.Context, traceID, name string) (got string) {
	in.t.Helper()
	since := time.Now()
	in.eventually(3*time.Minute, func() error {
		trace, err := client.GetTrace(ctx, in.stack.TracesURL(), traceID)
		if err != nil {
			return err
		}
		if now := causes(trace.Tree()).draw(0); now != got {
			got, since = now, time.Now()
		}
		if !strings.Contains(got, name) || time.Since(since) < 12*time.Second {
			return fmt.Errorf("the trace %s grows still:\n%s", traceID, got)
		}
		return nil
	})
	return got
}

func TestALinkThatIsCutIsSeen(t *testing.T) {
	t.Parallel()
	whole := []client.Span{
		{SpanID: "1", Kind: "server", Name: "POST"}, {SpanID: "2", ParentID: "1", Kind: "producer", Name: "relay"},
		{SpanID: "3", ParentID: "1", Kind: "producer", Name: "relay"},
		{SpanID: "4", ParentID: "3", Kind: "consumer", Name: "consume", Linked: true, Attributes: map[string]string{"messaging.consumer.group.name": "timeline"}},
	}
	draw := func(spans []client.Span) string { return causes(client.Trace{Spans: spans}.Tree()).draw(0) }
	const want = "server POST\n  producer relay\n    -> consumer consume by timeline\n"
	if got := draw(whole); got != want {
		t.Errorf("%s", got)
	}
	for i := range whole[1:] {
		cut := slices.Clone(whole)
		cut[i+1].ParentID = "another trace's"
		if got := draw(cut); got == want {
			t.Errorf("without the parent of span %s:\n%s", cut[i+1].SpanID, got)
		}
	}
}

// TestTheTraceOfAComplaint follows one complaint from its registration over the database, the outbox, Kafka, consumers and its process to
// the activities of two services: what led to what stands in a file, where a link that is cut leaves out all behind it.
func TestTheTraceOfAComplaint(t *testing.T) {
	t.Parallel()
	in := install(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	in.persist(ctx, "tenants", func() error { return in.at().Tenants(ctx) })
	d := in.desk()
	traceID := client.NewTraceID()
	c, err := d.agent.RegisterComplaint(client.WithTrace(ctx, traceID), client.NewComplaint{
		CustomerID: uuid.NewString(), Category: "product", Channel: "phone", Description: "The pizza was cold.", Key: "traced",
	})
	if err != nil {
		t.Fatal(err)
	}
	// What one batch of events has of two steps of the trace is linked to the first of them only, so the first step has to be taken in.
	in.eventually(2*time.Minute, in.level)
	for _, step := range d.road() {
		in.persist(ctx, step.action, func() error {
			_, err := step.by.Decide(ctx, c.ComplaintID, step.action, step.decision, "traced/"+step.action)
			return err
		})
	}
	in.reach(ctx, d, c.ComplaintID, client.Closed)
	got := in.drawn(ctx, traceID, "RunWorkflow:complaint")
	golden.Text(t, "testdata/complaint_trace.txt", got)
	if strings.Contains(got, "/"+demo.Pizza+"/") || strings.Contains(got, c.ComplaintID) {
		t.Errorf("a name of a span tells whose it is:\n%s", got)
	}
}
