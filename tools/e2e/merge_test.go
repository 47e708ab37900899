package e2e_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-crm/guanxi/tools/devstack/demo"
	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// person is a customer of the test, with all that was ever addressed to that id.
type person struct {
	id, external, given string
	owner               int    // whom the id means: the index of a person
	card                string // registered with
	cards               []string
	orders              []string
	spentOn             int64 // pending points that the orders are worth
	granted             int64 // points given for it
	tickets             []string
	consent             string // what was last said to this id, or for it while it was an alias
}

// family are customers who are merged and taken apart again, and what the test knows of them.
type family struct {
	*installation
	ctx     context.Context
	r       *rand.Rand
	manager *client.Client
	people  []*person
	merges  []merge // that stand
	spent   int64
}

type merge struct {
	id                 string
	survivor, absorbed int
	// meanwhile are the names that the survivor was given while the merge stood, and what it was called before.
	before string
	after  string
}

// TestNothingIsLostOrDoubledWhenCustomersAreMergedAndTakenApart does random things to customers over the public API, of
// all services, while topics are replayed and a process is killed, and compares every service with what the test knows:
// while they are merged, and when every merge is undone.
func TestNothingIsLostOrDoubledWhenCustomersAreMergedAndTakenApart(t *testing.T) { //nolint:paralleltest // it wants the machine for itself
	in := install(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	in.persist(ctx, "tenants", func() error { return in.at().Tenants(ctx) })
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	f := &family{installation: in, ctx: ctx, r: rand.New(rand.NewPCG(seed, 4)), manager: in.client(demo.Pizza, "manager")}
	for range 6 {
		f.register()
	}
	const rounds, steps = 4, 40
	for round := range rounds {
		for range steps {
			f.step()
		}
		switch round {
		case 0, 2:
			if err := in.replayTopics(ctx); err != nil {
				t.Fatal(err)
			}
		case 1:
			if err := in.second.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		f.settle()
	}
	for len(f.merges) > 0 {
		f.undo(f.r.IntN(len(f.merges)))
	}
	if err := in.replayTopics(ctx); err != nil {
		t.Fatal(err)
	}
	f.settle()
	f.apart()
}

func (f *family) post(path string, in, out any) {
	f.t.Helper()
	f.persist(f.ctx, path, func() error { return f.manager.Post(f.ctx, path, in, out) })
}

func (f *family) register() {
	f.t.Helper()
	n := len(f.people)
	p := &person{external: "m-" + strconv.Itoa(n), owner: n, card: "FAM" + strconv.Itoa(1000+n), given: "Given" + strconv.Itoa(n)}
	var made struct {
		CustomerID string `json:"customer_id"`
	}
	f.post("/v1/customers", map[string]any{"given_name": p.given, "family_name": "Family" + strconv.Itoa(n), "identities": []map[string]string{
		{"type": "card", "value": p.card}, {"type": "external:till", "value": p.external},
	}}, &made)
	p.id, p.cards = made.CustomerID, []string{p.card}
	f.people = append(f.people, p)
}

// root gives the index of whom a person's id means now.
func (f *family) root(n int) int {
	for f.people[n].owner != n {
		n = f.people[n].owner
	}
	return n
}

func (f *family) roots() (all []int) {
	for n := range f.people {
		if f.root(n) == n {
			all = append(all, n)
		}
	}
	return all
}

func (f *family) group(root int) (all []*person) {
	for n, p := range f.people {
		if f.root(n) == root {
			all = append(all, p)
		}
	}
	return all
}

func (f *family) step() {
	f.t.Helper()
	n := f.r.IntN(len(f.people))
	p := f.people[n]
	switch f.r.IntN(10) {
	case 0:
		f.identify(p)
	case 1, 2:
		f.order(p)
	case 3:
		f.grant(p)
	case 4:
		f.spend(p)
	case 5:
		var ticket struct {
			TicketID string `json:"ticket_id"`
		}
		f.post("/v1/tickets", map[string]any{"kind": "enquiry", "channel": "phone", "subject": "Where is it?", "impact": 3, "urgency": 3, "customer_id": p.id}, &ticket)
		p.tickets = append(p.tickets, ticket.TicketID)
	case 6:
		f.consent(n)
	case 7:
		f.rename(n)
	case 8:
		f.merge()
	default:
		if len(f.merges) > 0 {
			f.undo(f.r.IntN(len(f.merges)))
		}
	}
}

func (f *family) identify(p *person) {
	f.t.Helper()
	card := fmt.Sprintf("FAM%d", 5000+f.r.IntN(1_000_000)*10+len(p.cards)%10)
	f.post("/v1/customers/"+p.id+"/identities", map[string]string{"type": "card", "value": card}, nil)
	p.cards = append(p.cards, card)
}

// order places an order by one of the ways in which a till may name a customer.
func (f *family) order(p *person) {
	f.t.Helper()
	amount := int64(100 + f.r.IntN(50_000))
	o := client.Order{Channel: "till", Currency: "CNY", Lines: []client.OrderLine{{SKU: "pizza", Quantity: 1, AmountMinor: amount}}}
	if f.r.IntN(2) == 0 {
		o.CustomerID = p.id
	} else {
		o.CustomerRef = &client.Ref{System: "till", ID: p.external}
	}
	f.persist(f.ctx, "order", func() error {
		id, err := f.manager.PlaceOrder(f.ctx, o)
		if err == nil {
			p.orders = append(p.orders, id)
		}
		return err
	})
	p.spentOn += amount / 100
}

func (f *family) member(p *person) client.Member {
	f.t.Helper()
	var m client.Member
	f.persist(f.ctx, "member", func() (err error) {
		m, err = f.manager.EnrolMember(f.ctx, p.id)
		return err
	})
	return m
}

func (f *family) grant(p *person) {
	f.t.Helper()
	m, points := f.member(p), int64(1+f.r.IntN(500))
	f.persist(f.ctx, "grant", func() error {
		_, err := f.manager.Earn(f.ctx, m.MemberID, client.Booking{Points: points, ReasonType: "game", ReasonID: "m"})
		return err
	})
	p.granted += points
}

// spend takes points of whomever the id means; more than there are is refused, which loyalty decides by what it has heard of
// merges.
func (f *family) spend(p *person) {
	f.t.Helper()
	m, points := f.member(p), int64(1+f.r.IntN(400))
	_, err := f.manager.Spend(f.ctx, m.MemberID, client.Booking{Points: points, ReasonType: "reward", ReasonID: "m"})
	switch {
	case err == nil:
		f.spent += points
	case client.Temporary(err):
		f.t.Fatal(err)
	}
}

func (f *family) consent(n int) {
	f.t.Helper()
	p, state := f.people[n], []string{"granted", "withdrawn"}[f.r.IntN(2)]
	f.post("/v1/customers/"+p.id+"/consents", map[string]string{
		"purpose": "marketing", "channel": "sms", "state": state, "source": "counter", "wording": "2026-11",
	}, nil)
	p.consent = state
	if state == "withdrawn" { // it holds for everybody whom the id meant then
		for _, other := range f.group(f.root(n)) {
			other.consent = state
		}
	}
}

func (f *family) rename(n int) {
	f.t.Helper()
	root, name := f.root(n), "Given"+strconv.Itoa(f.r.IntN(1_000_000_000))
	f.persist(f.ctx, "rename", func() error {
		for { // an order of the customer's may be changing the stage at this moment
			header, err := f.manager.Do(f.ctx, client.Request{Method: http.MethodGet, Path: "/v1/customers/" + f.people[n].id}, nil)
			if err != nil {
				return err
			}
			_, err = f.manager.Do(f.ctx, client.Request{Method: http.MethodPatch, Path: "/v1/customers/" + f.people[n].id,
				In: map[string]string{"given_name": name}, IfMatch: header.Get("ETag")}, nil)
			if err == nil || !strings.Contains(err.Error(), "version_stale") {
				return err
			}
		}
	})
	f.people[root].given = name
}

func (f *family) merge() {
	f.t.Helper()
	roots := f.roots()
	if len(roots) < 2 {
		return
	}
	pick := f.r.Perm(len(roots))
	survivor, absorbed := roots[pick[0]], roots[pick[1]]
	s, a := f.people[survivor], f.people[absorbed]
	m := merge{survivor: survivor, absorbed: absorbed, before: s.given, after: a.given}
	var made struct {
		MergeID string `json:"merge_id"`
	}
	f.post("/v1/customers/"+s.id+"/merges", map[string]any{"absorbed_id": a.id, "choose": map[string]string{"given_name": a.id}}, &made)
	m.id = made.MergeID
	a.owner, s.given = survivor, a.given
	f.merges = append(f.merges, m)
}

// undo undoes a merge that stands, unless its survivor was merged into another since: then it is refused.
func (f *family) undo(n int) {
	f.t.Helper()
	m := f.merges[n]
	path := "/v1/merges/" + m.id + "/undo"
	if f.people[m.survivor].owner != m.survivor {
		if err := f.manager.Post(f.ctx, path, nil, nil); err == nil || client.Temporary(err) {
			f.t.Fatalf("a merge was undone whose survivor is an alias: %v", err)
		}
		return
	}
	f.post(path, nil, nil)
	// The name is as if the merge had never been, through the merges that came later.
	was, made := m.before, m.after
	for k := n + 1; k < len(f.merges) && made != ""; k++ {
		later := &f.merges[k]
		if later.survivor != m.survivor || later.before != made {
			continue
		}
		later.before = was
		made = "" // every later merge took the other's name
	}
	if s := f.people[m.survivor]; made != "" && s.given == made {
		s.given = was
	}
	f.people[m.absorbed].owner = m.absorbed
	f.merges = slices.Delete(f.merges, n, n+1)
}

// settle waits until every service has heard everything, and compares each with what the test knows.
func (f *family) settle() {
	f.t.Helper()
	f.eventually(3*time.Minute, f.level)
	for _, root := range f.roots() {
		group := f.group(root)
		for _, p := range group {
			f.eventually(time.Minute, func() error { return f.differs(f.people[root], p, group) })
		}
	}
	f.books()
}

// differs tells what a service answers for the id of p, who means root now, that is not what the group has.
func (f *family) differs(root, p *person, group []*person) error {
	var c struct {
		CustomerID string                         `json:"customer_id"`
		GivenName  string                         `json:"given_name"`
		Identities []struct{ Type, Value string } `json:"identities"`
	}
	if err := f.manager.Get(f.ctx, "/v1/customers/"+p.id, nil, &c); err != nil {
		return err
	}
	var cards []string
	for _, i := range c.Identities {
		if i.Type == "card" {
			cards = append(cards, i.Value)
		}
	}
	if c.CustomerID != root.id || c.GivenName != root.given {
		return fmt.Errorf("%s is %s %q, want %s %q", p.id, c.CustomerID, c.GivenName, root.id, root.given)
	}
	var wantCards, wantOrders, wantTickets []string
	var pending int64
	for _, one := range group {
		wantCards, wantOrders, wantTickets = append(wantCards, one.cards...), append(wantOrders, one.orders...), append(wantTickets, one.tickets...)
		pending += one.spentOn
	}
	orders, err := f.ids("/v1/orders", "order_id", p.id)
	if err != nil {
		return err
	}
	tickets, err := f.ids("/v1/tickets", "ticket_id", p.id)
	if err != nil {
		return err
	}
	timeline, err := f.manager.GetTimeline(f.ctx, p.id)
	if err != nil {
		return err
	}
	for _, what := range []struct {
		name      string
		got, want []string
	}{{"cards", cards, wantCards}, {"orders", orders, wantOrders}, {"tickets", tickets, wantTickets}} {
		if !slices.Equal(slices.Sorted(slices.Values(what.got)), slices.Sorted(slices.Values(what.want))) {
			return fmt.Errorf("%s of %s: %v, want %v", what.name, p.id, what.got, what.want)
		}
	}
	if n := timeline.Fact("orders"); n != int64(len(wantOrders)) {
		return fmt.Errorf("the timeline of %s has %d orders, want %d", p.id, n, len(wantOrders))
	}
	if len(wantOrders) == 0 {
		return nil
	}
	m, err := f.manager.MemberOf(f.ctx, p.id)
	if err != nil {
		return err
	}
	if m.Pending != pending {
		return fmt.Errorf("%s has %d points pending, want %d", p.id, m.Pending, pending)
	}
	return nil
}

// ids gives the ids of what a service lists for a customer.
func (f *family) ids(path, field, customer string) (ids []string, err error) {
	err = f.manager.List(f.ctx, path, "items", url.Values{"customer_id": {customer}}, func(raw []byte) error {
		id, err := stringField(raw, field)
		ids = append(ids, id)
		return err
	})
	return ids, err
}

// books demands that no point is lost or doubled.
func (f *family) books() {
	f.t.Helper()
	admin := f.client(demo.Pizza, "admin")
	var granted, pending int64
	for _, p := range f.people {
		granted, pending = granted+p.granted, pending+p.spentOn
	}
	s, err := admin.PointsSummary(f.ctx)
	if err != nil {
		f.t.Fatal(err)
	}
	if s.LedgerSum != 0 || s.Spent != f.spent || s.Pending != pending || s.Available-s.Debt != granted-f.spent {
		f.t.Fatalf("the books say %+v; want %d spent, %d pending, %d available", s, f.spent, pending, granted-f.spent)
	}
	if audit, err := admin.AuditPoints(f.ctx); err != nil || !audit.OK {
		f.t.Fatalf("the auditor finds %+v (%v)", audit, err)
	}
}

// apart demands, when no merge stands, that each has what was said and nobody has less than nothing.
func (f *family) apart() {
	f.t.Helper()
	held := map[string]int64{}
	for _, p := range f.people {
		var now struct {
			Items []struct{ State string } `json:"items"`
		}
		err := f.manager.Get(f.ctx, "/v1/customers/"+p.id+"/consents/current", url.Values{"purpose": {"marketing"}, "channel": {"sms"}}, &now)
		if err != nil {
			f.t.Fatal(err)
		}
		state := ""
		for _, item := range now.Items {
			state = item.State
		}
		if p.consent != "" && state != p.consent {
			f.t.Errorf("the consent of %s is %q, want %q", p.id, state, p.consent)
		}
		if p.granted > 0 {
			held[p.id] = f.member(p).Available
			if held[p.id] > p.granted {
				f.t.Errorf("%s has %d points, more than the %d it got", p.id, held[p.id], p.granted)
			}
		}
	}
	f.t.Logf("points left: %v", slices.Collect(maps.Values(held)))
}
