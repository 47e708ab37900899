package demo

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// grievance is a complaint of the pizza shop and how far it is led.
type grievance struct {
	customer string // number at the till
	what     client.NewComplaint
	cause    string
	remedy   []client.Part
	until    string // stage
}

func grievances() []grievance {
	return []grievance{
		{
			customer: "K002", until: client.Closed, cause: "delivery",
			what:   client.NewComplaint{Category: "delivery", Channel: "phone", Description: "等了两个小时，比萨是凉的。", Wish: "退点积分。"},
			remedy: []client.Part{{Kind: "points", Points: 6000}, {Kind: "apology"}}, // more than is free: a manager approves
		},
		{
			customer: "K005", until: "offered", cause: "product",
			what:   client.NewComplaint{Category: "product", Channel: "mail", Description: "The Margherita came with ham.", Wish: "An apology."},
			remedy: []client.Part{{Kind: "points", Points: 300}, {Kind: "apology"}},
		},
	}
}

// loadAgents makes those agents who sign in at the development issuer and answer customers: only an agent can be given a ticket.
func (i Installation) loadAgents(ctx context.Context) error {
	admin, err := i.Client(Pizza, "admin")
	if err != nil {
		return err
	}
	for _, subject := range []string{"agent", "manager"} {
		put := client.Request{Method: http.MethodPut, Path: "/v1/agents/" + subject, In: object{"capacity": 8, "queues": []string{}}, IfMatch: "*"}
		if _, err := admin.Do(ctx, put, nil); err != nil {
			return fmt.Errorf("tenant %s, agent %s: %w", Pizza, subject, err)
		}
	}
	return nil
}

// LoadComplaints makes agents, and leads one complaint of the pizza shop to its end and another to where its customer has to decide. One
// that is there already is taken up where it stands.
func (i Installation) LoadComplaints(ctx context.Context) error {
	if err := i.loadAgents(ctx); err != nil {
		return err
	}
	for _, g := range grievances() {
		c, err := i.lead(ctx, g)
		if err != nil {
			return fmt.Errorf("tenant %s, complaint of customer %s: %w", Pizza, g.customer, err)
		}
		i.Report(strings.TrimSpace(fmt.Sprintf("tenant %s: complaint %s of customer %s is %s %s", Pizza, c.Number, g.customer, c.Stage, c.Outcome)))
	}
	return nil
}

func (i Installation) lead(ctx context.Context, g grievance) (c client.Complaint, err error) {
	agent, err := i.ClientOf("agent", Pizza, "agent")
	if err != nil {
		return c, err
	}
	manager, err := i.ClientOf("manager", Pizza, "manager")
	if err != nil {
		return c, err
	}
	if c, err = g.begun(ctx, agent); err != nil {
		return c, err
	}
	for c.Stage != g.until {
		var action string
		by, d := agent, client.Decision{}
		switch admissible := true; c.Stage {
		case "registered":
			action, d.Admissible, d.Severity = "assess", &admissible, 3
		case "assessed":
			action, d.Unit = "assign", "kitchen"
		case "assigned":
			action, d.Finding, d.Cause = "find", "founded", g.cause
		case "found":
			action, d.Currency, d.Parts = "propose", "CNY", g.remedy
		case "proposed":
			by, action = manager, "approve"
		case "offered":
			action = "accept"
		case "accepted":
			return i.carriedOut(ctx, agent, c)
		default:
			return c, nil // somebody has led it elsewhere
		}
		if c, err = by.Decide(ctx, c.ComplaintID, action, d, "demo-"+g.customer+"-"+action); err != nil {
			return c, fmt.Errorf("%s: %w", action, err)
		}
	}
	return c, nil
}

// begun gives the complaint that the customer has already, or registers it.
func (g grievance) begun(ctx context.Context, agent *client.Client) (c client.Complaint, err error) {
	found, err := agent.LookupCustomers(ctx, "external:till", g.customer)
	if err != nil {
		return c, err
	}
	if len(found) != 1 {
		return c, fmt.Errorf("%d customers have this number", len(found))
	}
	g.what.CustomerID, g.what.Key = found[0].CustomerID, "demo-"+g.customer
	err = agent.ListComplaints(ctx, "", g.what.CustomerID, func(one client.Complaint) error {
		c = one
		return nil // the list ends with the first that was registered
	})
	if err != nil || c.ComplaintID != "" {
		return c, err
	}
	return agent.RegisterComplaint(ctx, g.what)
}

func (i Installation) carriedOut(ctx context.Context, agent *client.Client, c client.Complaint) (client.Complaint, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	return agent.WaitComplaint(ctx, c.ComplaintID, func(now client.Complaint) bool { return now.Stage != "accepted" })
}
