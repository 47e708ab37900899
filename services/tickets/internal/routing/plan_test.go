package routing

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/services/tickets/internal/calendar"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/sla"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

// levels reads "billing:3 french:2".
func levels(s string) []Level { return unspell(s) }

// someone is an agent of the queue q; load is such as "2/5".
func someone(name, load, skills string, turn int64) Candidate {
	c := Candidate{Agent: Agent{Subject: name, Queues: []string{"q"}, Skills: levels(skills)}, Turns: map[string]int64{"q": turn}}
	if _, err := fmt.Sscanf(load, "%d/%d", &c.Load, &c.Capacity); err != nil {
		panic(err)
	}
	return c
}

func TestWhoGetsATicket(t *testing.T) {
	t.Parallel()
	const tickets = 4 // are waiting, alike
	for _, c := range []struct {
		name     string
		strategy Strategy
		queue    string // skills that it needs
		need     string // skills that the tickets need besides
		released string
		agents   []Candidate
		want     string
	}{
		{"in turns, one after the other", RoundRobin, "", "", "", []Candidate{someone("ann", "0/9", "", 0), someone("ben", "0/9", "", 0), someone("cyd", "0/9", "", 0)}, "ann ben cyd ann"},
		{"in turns, going on where it was", RoundRobin, "", "", "", []Candidate{someone("ann", "0/9", "", 8), someone("ben", "0/9", "", 7), someone("cyd", "0/9", "", 9)}, "ben ann cyd ben"},
		{"in turns, load is not asked for", RoundRobin, "", "", "", []Candidate{someone("ann", "8/20", "", 1), someone("ben", "0/20", "", 2)}, "ann ben ann ben"},
		{"in turns, whoever is full is passed over", RoundRobin, "", "", "", []Candidate{someone("ann", "1/2", "", 0), someone("ben", "0/9", "", 0)}, "ann ben ben ben"},
		{"in turns, whoever is new comes first", RoundRobin, "", "", "", []Candidate{someone("ann", "0/9", "", 5), someone("new", "0/9", "", 0)}, "new ann new ann"},
		{"to whom has least", LeastLoaded, "", "", "", []Candidate{someone("ann", "3/9", "", 0), someone("ben", "1/9", "", 0)}, "ben ben ann ben"},
		{"to whom has least of what they can have", LeastLoaded, "", "", "", []Candidate{someone("ann", "2/10", "", 0), someone("ben", "1/2", "", 0)}, "ann ann ann ben"},
		{"of those who have as much, to whose turn is longest ago", LeastLoaded, "", "", "", []Candidate{someone("ann", "0/9", "", 4), someone("ben", "0/9", "", 3)}, "ben ann ben ann"},
		{"to who is best at it", BestSkill, "", "french:2", "", []Candidate{someone("ann", "0/9", "french:2", 0), someone("ben", "5/7", "french:5", 0)}, "ben ben ann ann"},
		{"to who is best at all of it", BestSkill, "billing:1", "french:1", "", []Candidate{someone("ann", "0/2", "billing:5 french:1", 0), someone("ben", "0/3", "billing:3 french:4", 0)}, "ben ben ben ann"},
		{"what is not needed does not make better", BestSkill, "", "french:1", "", []Candidate{someone("ann", "1/9", "french:3 yodel:5", 0), someone("ben", "0/9", "french:3", 0)}, "ben ann ben ann"},
		{"to nobody who cannot do it", LeastLoaded, "", "french:2", "", []Candidate{someone("ann", "0/9", "french:1", 0), someone("ben", "0/9", "german:5", 0)}, ""},
		{"to nobody who cannot do what the queue needs", RoundRobin, "billing:3", "", "", []Candidate{someone("ann", "0/9", "billing:2", 0), someone("ben", "0/2", "billing:3", 0)}, "ben ben"},
		{"the higher of two needs of one skill holds", RoundRobin, "billing:1", "billing:4", "", []Candidate{someone("ann", "0/9", "billing:3", 0)}, ""},
		{"not to who gave it back", RoundRobin, "", "", "ann", []Candidate{someone("ann", "0/9", "", 0), someone("ben", "0/2", "", 0)}, "ben ben"},
		{"to nobody where people pull", Pull, "", "", "", []Candidate{someone("ann", "0/9", "", 0)}, ""},
		{"to nobody where nobody is", RoundRobin, "", "", "", nil, ""},
		{"to nobody who works elsewhere", RoundRobin, "", "", "", []Candidate{{Agent: Agent{Subject: "ann", Capacity: 9, Queues: []string{"other"}}}}, ""},
	} {
		queues := map[string]Queue{"q": {Code: "q", Strategy: c.strategy, Skills: levels(c.queue)}}
		var waiting []Waiting
		for range tickets {
			waiting = append(waiting, Waiting{TicketID: uuid.New(), Queue: "q", Need: levels(c.need), ReleasedBy: c.released})
		}
		var got []string
		for i, p := range Plan(queues, c.agents, waiting) {
			if p.TicketID != waiting[i].TicketID {
				t.Errorf("%s: tickets are out of order", c.name)
			}
			got = append(got, p.Subject)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %v, want %s", c.name, got, c.want)
		}
	}
}

// Whatever is waiting, and whoever is there: nobody gets more than they can have, or what they cannot do; no ticket is given
// twice; none is left lying that somebody could take; and the same state leads to the same plan.
func TestAPlanKeepsItsPromises(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4)) // a test that fails has to fail again
	some := func(of ...string) (chosen []string) {
		for _, s := range of {
			if r.IntN(2) == 0 {
				chosen = append(chosen, s)
			}
		}
		return chosen
	}
	skilled := func(most int) (all []Level) {
		for _, s := range some("billing", "french", "german") {
			all = append(all, Level{s, 1 + r.IntN(most)})
		}
		return all
	}
	for range 500 {
		queues := map[string]Queue{}
		for _, code := range []string{"a", "b", "c"} {
			queues[code] = Queue{Code: code, Strategy: []Strategy{RoundRobin, LeastLoaded, BestSkill}[r.IntN(3)], Skills: skilled(2)}
		}
		agents := map[string]Candidate{}
		var list []Candidate
		for n := range r.IntN(8) {
			c := Candidate{Agent: Agent{Subject: fmt.Sprint(n), Capacity: r.IntN(6), Queues: some("a", "b", "c"), Skills: skilled(5)}, Load: r.IntN(5)}
			agents[c.Subject] = c
			list = append(list, c)
		}
		waiting := map[uuid.UUID]Waiting{}
		var order []Waiting
		for range r.IntN(30) {
			w := Waiting{TicketID: uuid.New(), Queue: []string{"a", "b", "c", "gone"}[r.IntN(4)], Need: skilled(4), ReleasedBy: fmt.Sprint(r.IntN(20))}
			waiting[w.TicketID] = w
			order = append(order, w)
		}
		plan := Plan(queues, list, order)
		if again := Plan(queues, list, order); !slices.Equal(plan, again) {
			t.Fatalf("two plans: %v and %v", plan, again)
		}
		given, load := map[uuid.UUID]bool{}, map[string]int{}
		for _, p := range plan {
			w, a := waiting[p.TicketID], agents[p.Subject]
			load[p.Subject]++
			switch {
			case given[p.TicketID]:
				t.Fatal("a ticket is given twice")
			case a.Load+load[p.Subject] > a.Capacity:
				t.Fatalf("%+v gets too much", a)
			case w.ReleasedBy == a.Subject || !a.fits(w.Queue, append(slices.Clone(queues[w.Queue].Skills), w.Need...)):
				t.Fatalf("%+v gets %+v", a, w)
			}
			given[p.TicketID] = true
		}
		for _, w := range order {
			for _, a := range list {
				free := a.Load+load[a.Subject] < a.Capacity
				if !given[w.TicketID] && free && a.Subject != w.ReleasedBy && a.fits(w.Queue, append(slices.Clone(queues[w.Queue].Skills), w.Need...)) && w.Queue != "gone" {
					t.Fatalf("%+v lies there though %+v could take it", w, a)
				}
			}
		}
	}
}

func TestWhatIsDoneAboutAWaitingTicket(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	s := surroundings{
		now: now, present: map[string]bool{"here": true}, calendars: &calendar.Book{},
		rules: Rules{Rules: []Rule{
			{Condition: `kind == "praise"`, Queue: "archived"}, {Condition: `"french" in tags`, Queue: "bills", Skills: levels("french:2")}, {Condition: `kind == "incident"`, Queue: "bills"},
		}},
		queues: map[string]Queue{
			"bills": {Code: "bills", OverflowAfter: 30 * time.Minute, OverflowTo: "all"}, "all": {Code: "all"}, "archived": {Code: "archived", Archived: true},
			"slow": {Code: "slow", OverflowAfter: 48 * time.Hour, OverflowTo: "all"}, "stuck": {Code: "stuck", OverflowAfter: time.Minute, OverflowTo: "archived"},
		},
	}
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	in := func(queue string) ticket.Ticket {
		return ticket.Ticket{ID: uuid.New(), Kind: ticket.Incident, Status: ticket.StatusNew, Queue: queue}
	}
	with := func(t ticket.Ticket, change func(*ticket.Ticket)) ticket.Ticket { change(&t); return t }
	resolved := func(t *ticket.Ticket) { t.Status = ticket.StatusResolved }
	of := func(agent string) func(*ticket.Ticket) { return func(t *ticket.Ticket) { t.Agent = agent } }
	for _, c := range []struct {
		name   string
		wait   Wait
		ticket ticket.Ticket
		drop   bool
		assign string // queue and reason; empty: it stays where it is
		lookIn time.Duration
		need   string
		since  time.Duration // ago
	}{
		{name: "new: by the first rule that fits", ticket: in(""), assign: "bills routed", lookIn: 30 * time.Minute},
		{name: "new, with what the rule says it needs", ticket: with(in(""), func(t *ticket.Ticket) { t.Tags = []string{"french"} }), assign: "bills routed", lookIn: 30 * time.Minute, need: "french:2"},
		{name: "new, and no rule fits", ticket: with(in(""), func(t *ticket.Ticket) { t.Kind = ticket.Enquiry })},
		{name: "new, and its queue is in the archive", ticket: with(in(""), func(t *ticket.Ticket) { t.Kind = ticket.Praise })},
		{name: "sent to a queue by hand", ticket: in("all")},
		{name: "sent to a queue that nobody knows", ticket: in("nowhere")},
		{name: "sent to another queue than it was in", wait: Wait{Queue: "bills", Since: ago(time.Hour)}, ticket: in("all")},
		{name: "waiting, not long enough", wait: Wait{Queue: "bills", Since: ago(29 * time.Minute), Need: "french:2"}, ticket: in("bills"), lookIn: time.Minute, need: "french:2", since: 29 * time.Minute},
		{name: "waiting too long", wait: Wait{Queue: "bills", Since: ago(30 * time.Minute), Need: "french:2"}, ticket: in("bills"), assign: "all overflow", need: "french:2"},
		{name: "waiting too long, but not for us", wait: Wait{Queue: "bills", Since: ago(time.Hour)}, ticket: with(in("bills"), func(t *ticket.Ticket) { t.Status = ticket.StatusPending }), lookIn: 5 * time.Minute, since: time.Hour},
		{name: "for long, looked at now and then", wait: Wait{Queue: "slow", Since: ago(time.Hour)}, ticket: in("slow"), lookIn: time.Hour, since: time.Hour},
		{name: "waiting too long, and nowhere to go", wait: Wait{Queue: "stuck", Since: ago(time.Hour)}, ticket: in("stuck"), since: time.Hour},
		{name: "resolved", wait: Wait{Queue: "bills"}, ticket: with(in("bills"), resolved), drop: true},
		{name: "merged", wait: Wait{Queue: "bills"}, ticket: with(in("bills"), func(t *ticket.Ticket) { t.MergedInto = uuid.New() }), drop: true},
		{name: "in somebody's hands", wait: Wait{Queue: "bills"}, ticket: with(in("bills"), of("gone")), drop: true},
		{name: "reopened, and its agent is here", wait: Wait{Reopened: true}, ticket: with(in("bills"), of("here")), drop: true},
		{name: "reopened, and its agent is not", wait: Wait{Reopened: true}, ticket: with(in("bills"), of("gone")), assign: "bills released", lookIn: 30 * time.Minute},
		{name: "reopened, its agent is not here, it was in no queue", wait: Wait{Reopened: true}, ticket: with(in(""), of("gone")), assign: "bills routed", lookIn: 30 * time.Minute},
		{name: "reopened, and nobody had it", wait: Wait{Reopened: true}, ticket: in("all")},
	} {
		if c.wait.Queue == "" {
			c.wait.Since = now
		}
		f := sla.Facts{Kind: string(c.ticket.Kind), Tags: c.ticket.Tags}
		got := c.wait.look(c.ticket, f, s)
		assign := ""
		if got.assign != nil {
			assign = got.assign.Queue + " " + got.assign.Reason
			if got.assign.Agent != "" {
				t.Errorf("%s: a look gave it to %s", c.name, got.assign.Agent)
			}
		}
		var lookIn time.Duration
		if !got.wait.LookAt.IsZero() {
			lookIn = got.wait.LookAt.Sub(now)
		}
		if got.drop != c.drop || assign != c.assign || lookIn != c.lookIn || got.wait.Need != c.need {
			t.Errorf("%s: dropped %v, assigned %q, looked at in %v, needs %q", c.name, got.drop, assign, lookIn, got.wait.Need)
		}
		if !c.drop && !got.wait.Since.Equal(ago(c.since)) {
			t.Errorf("%s: it waits since %v", c.name, got.wait.Since)
		}
	}
}

func TestNeedsAndCircles(t *testing.T) {
	t.Parallel()
	if got := spell(levels("french:2 billing:3")); got != "billing:3 french:2" {
		t.Errorf("%q", got)
	}
	if !cyclic("a", map[string]Queue{"a": {OverflowTo: "b"}, "b": {OverflowTo: "c"}, "c": {OverflowTo: "a"}}) {
		t.Error("three queues in a circle are no circle")
	}
	if cyclic("a", map[string]Queue{"a": {OverflowTo: "b"}, "b": {OverflowTo: "c"}, "c": {OverflowTo: "b"}}) {
		t.Error("a circle of others is taken for this queue's")
	}
}
