package assignment

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/businesstime"
	"github.com/guanxi-crm/guanxi/platform/rota"
	"github.com/guanxi-crm/guanxi/services/sales/internal/team"
)

// monday is ten o'clock in Shanghai.
var monday = time.Date(2026, 9, 28, 2, 0, 0, 0, time.UTC)

// who is somebody with load/capacity, such as "ann 1/3 zh,en wine away".
func who(t *testing.T, spec string) (p team.Person, load int) {
	t.Helper()
	words := strings.Fields(spec)
	p.Subject = words[0]
	if _, err := fmt.Sscanf(words[1], "%d/%d", &load, &p.Capacity); err != nil {
		t.Fatal(err)
	}
	for _, w := range words[2:] {
		switch kind, value, _ := strings.Cut(w, ":"); kind {
		case "speaks":
			p.Languages = strings.Split(value, ",")
		case "can":
			p.Skills = strings.Split(value, ",")
		case "away":
			p.Absences = []team.Absence{{From: monday.Add(-time.Hour), To: monday.Add(time.Hour)}}
		case "gone":
			p.Absences = []team.Absence{{From: monday.Add(-time.Hour)}}
		case "left":
			p.Archived = true
		case "from": // works on days from that hour on
			hour := businesstime.Clock(0)
			if _, err := fmt.Sscanf(value, "%d", &hour); err != nil {
				t.Fatal(err)
			}
			day := []businesstime.Interval{{From: hour * 60, To: 24 * 60}}
			p.Zone, p.Hours = "Asia/Shanghai", &businesstime.Hours{Week: businesstime.Week{Monday: day, Tuesday: day}}
		default:
			t.Fatal(w)
		}
	}
	return p, load
}

// sitting makes a desk with a team of all people.
func sitting(t *testing.T, strategy team.Strategy, outside team.Outside, people []string, turns map[string]int64) *desk {
	t.Helper()
	d := &desk{turns: rota.New(), now: monday, next: map[string]time.Time{}}
	of := team.Team{Code: "north", Strategy: strategy, OutsideHours: outside}
	var all []team.Person
	for _, spec := range people {
		p, load := who(t, spec)
		p.Teams = []string{"north"}
		of.Members, all = append(of.Members, p.Subject), append(all, p)
		d.turns.Add(p.Subject, load, p.Capacity, map[string]int64{"north": turns[p.Subject]})
	}
	d.book = team.NewBook([]team.Team{of, {Code: "old", Archived: true, Members: of.Members}}, all)
	return d
}

func TestWhoGetsALead(t *testing.T) {
	t.Parallel()
	hours := func(n int) time.Time { return monday.Add(time.Duration(n) * time.Hour) }
	for _, c := range []struct {
		name     string
		strategy team.Strategy
		outside  team.Outside
		people   []string
		turns    map[string]int64
		need     Need
		want     Choice
	}{
		{"whose turn is longest ago", team.RoundRobin, team.Wait, []string{"ann 5/9", "ben 0/9"}, map[string]int64{"ann": 1, "ben": 2}, Need{}, Choice{Owner: "ann", Reason: "round_robin"}},
		{"who has the least of what they can have", team.LeastLoaded, team.Wait, []string{"ann 2/10", "ben 1/2"}, nil, Need{}, Choice{Owner: "ann", Reason: "least_loaded"}},
		{"who is full is passed over", team.RoundRobin, team.Wait, []string{"ann 9/9", "ben 0/9"}, map[string]int64{"ben": 2}, Need{}, Choice{Owner: "ben", Reason: "round_robin"}},
		{"who is away is passed over", team.RoundRobin, team.Wait, []string{"ann 0/9 away", "ben 0/9"}, nil, Need{}, Choice{Owner: "ben", Reason: "round_robin"}},
		{"who has left is passed over", team.RoundRobin, team.Wait, []string{"ann 0/9 left", "ben 0/9"}, nil, Need{}, Choice{Owner: "ben", Reason: "round_robin"}},
		{"who is not at work is passed over", team.RoundRobin, team.Next, []string{"ann 0/9 from:12", "ben 0/9"}, nil, Need{}, Choice{Owner: "ben", Reason: "round_robin"}},
		{"who gave it back is passed over", team.RoundRobin, team.Wait, []string{"ann 0/9", "ben 0/9"}, nil, Need{NotTo: "ann"}, Choice{Owner: "ben", Reason: "round_robin"}},
		{"who does not speak the language is passed over", team.RoundRobin, team.Wait, []string{"ann 0/9 speaks:zh", "ben 0/9 speaks:en,zh"}, nil, Need{Language: "en"}, Choice{Owner: "ben", Reason: "round_robin"}},
		{"who cannot do all of it is passed over", team.RoundRobin, team.Wait, []string{"ann 0/9 can:wine", "ben 0/9 can:tea,wine"}, nil, Need{Skills: "tea wine"}, Choice{Owner: "ben", Reason: "round_robin"}},
		{"nobody can do it", team.RoundRobin, team.Wait, []string{"ann 0/9", "ben 0/9"}, nil, Need{Skills: "tea"}, Choice{Waits: WaitsNobodyAble}},
		{"nobody is of the team", team.RoundRobin, team.Wait, nil, nil, Need{}, Choice{Waits: WaitsNobodyAble}},
		{"all are full", team.RoundRobin, team.Next, []string{"ann 9/9", "ben 0/0"}, nil, Need{}, Choice{Waits: WaitsFull}},
		{"all are away", team.RoundRobin, team.Wait, []string{"ann 0/9 away"}, nil, Need{}, Choice{Waits: WaitsAway, Until: hours(1)}},
		{"all are away, and nobody knows for how long", team.RoundRobin, team.Next, []string{"ann 0/9 gone"}, nil, Need{}, Choice{Waits: WaitsAway}},
		{"nobody is at work, and it waits", team.RoundRobin, team.Wait, []string{"ann 0/9 from:14", "ben 0/9 from:12"}, nil, Need{}, Choice{Waits: WaitsOutsideHours, Until: hours(2)}},
		{"nobody is at work, and it goes to who is next", team.RoundRobin, team.Next, []string{"ann 0/9 from:14", "ben 0/9 from:12"}, nil, Need{}, Choice{Owner: "ben", Reason: "round_robin"}},
		{"of several who are next, to whose turn it is", team.LeastLoaded, team.Next, []string{"ann 3/9 from:12", "ben 0/9 from:12", "cyd 0/9 from:13"}, nil, Need{}, Choice{Owner: "ben", Reason: "least_loaded"}},
		{"who comes back from an absence may be next", team.RoundRobin, team.Next, []string{"ann 0/9 away", "ben 0/9 from:12"}, nil, Need{}, Choice{Owner: "ann", Reason: "round_robin"}},
		{"the team gives its leads out by hand", team.ByHand, team.Next, []string{"ann 0/9"}, nil, Need{}, Choice{Waits: WaitsByHand}},
		{"whom the rule names, whose turn it is not, whatever they speak", team.RoundRobin, team.Wait, []string{"ann 0/9 speaks:en", "ben 5/9"}, nil, Need{Person: "ben", Language: "en"}, Choice{Owner: "ben", Reason: "rule"}},
		{"whom the rule names, though the team gives by hand", team.ByHand, team.Wait, []string{"ann 0/9"}, nil, Need{Person: "ann"}, Choice{Owner: "ann", Reason: "rule"}},
		{"whom the rule names is full", team.RoundRobin, team.Wait, []string{"ann 0/9", "ben 9/9"}, nil, Need{Person: "ben"}, Choice{Owner: "ann", Reason: "round_robin"}},
		{"whom the rule names has left", team.RoundRobin, team.Wait, []string{"ann 0/9", "ben 0/9 left"}, nil, Need{Person: "ben"}, Choice{Owner: "ann", Reason: "round_robin"}},
		{"whom the rule names is away", team.RoundRobin, team.Wait, []string{"ann 0/9", "ben 0/9 away"}, nil, Need{Person: "ben"}, Choice{Owner: "ann", Reason: "round_robin"}},
		{"it waits for whom the rule names", team.RoundRobin, team.Wait, []string{"ann 0/9", "ben 0/9 from:12"}, nil, Need{Person: "ben"}, Choice{Waits: WaitsOutsideHours, Until: hours(2)}},
		{"or does not", team.RoundRobin, team.Next, []string{"ann 0/9", "ben 0/9 from:12"}, nil, Need{Person: "ben"}, Choice{Owner: "ben", Reason: "rule"}},
	} {
		d := sitting(t, c.strategy, c.outside, c.people, c.turns)
		room := d.room(class{"north", c.need})
		got := d.choose("north", c.need)
		if got.Until = got.Until.UTC(); got != c.want {
			t.Errorf("%s: %+v instead of %+v", c.name, got, c.want)
		}
		if (room > 0) != (got.Owner != "") {
			t.Errorf("%s: there is room for %d", c.name, room)
		}
	}
	if d := sitting(t, team.RoundRobin, team.Next, []string{"ann 0/9"}, nil); d.choose("old", Need{}).Owner != "" || d.choose("none", Need{}).Owner != "" || d.room(class{Team: "old"}) > 0 {
		t.Error("a team in the archive gets a lead")
	}
}

func TestWhereRulesSendALead(t *testing.T) {
	t.Parallel()
	d := sitting(t, team.RoundRobin, team.Wait, []string{"ann 0/9"}, nil)
	book := team.NewBook(append(d.book.Teams(), team.Team{Code: "south"}), d.book.People())
	rules := Rules{Rules: []Rule{
		{Condition: `custom.postal_code.startsWith("51")`, Team: "old"},
		{Condition: `country == "CN" && custom.postal_code.startsWith("51")`, Team: "south", SameLanguage: true},
		{Condition: `custom.employees > 100 && score >= 12.5`, Team: "north", Skills: []string{"key", "tea"}},
		{Condition: `"vip" in tags || channel == "campaign_reply" && campaign == "spring" && !known_customer`, Team: "north", Person: "ann"},
		{Condition: `source == "web"`, Team: "south"},
	}}
	for name, c := range map[string]struct {
		facts Facts
		has   string
		want  Route
	}{
		"by the postal prefix, past a team in the archive": {Facts{Country: "CN", Language: "zh-Hant", Custom: map[string]any{"postal_code": "510000"}}, "", Route{"south", 2, Need{Language: "zh"}}},
		"by the size of the company and the score":         {Facts{Score: 12.5, Custom: map[string]any{"employees": 250.0}}, "", Route{"north", 3, Need{Skills: "key tea"}}},
		"the score is too low":                             {Facts{Score: 12.49, Custom: map[string]any{"employees": 250.0}}, "", Route{}},
		"by a tag":                                         {Facts{Tags: []string{"a", "vip"}, Source: "web"}, "", Route{"north", 4, Need{Person: "ann"}}},
		"by the campaign":                                  {Facts{Channel: "campaign_reply", Campaign: "spring"}, "", Route{"north", 4, Need{Person: "ann"}}},
		"by the source":                                    {Facts{Channel: "campaign_reply", Campaign: "spring", KnownCustomer: true, Source: "web"}, "", Route{"south", 5, Need{}}},
		"none fits":                                        {Facts{}, "", Route{}},
		"it has a team, and stays":                         {Facts{Source: "web"}, "north", Route{Team: "north"}},
		"with what the team's rule asks for":               {Facts{Source: "web", Tags: []string{"vip"}}, "north", Route{"north", 4, Need{Person: "ann"}}},
		"its team is in the archive":                       {Facts{Source: "web"}, "old", Route{"south", 5, Need{}}},
		"its team is none":                                 {Facts{Source: "web"}, "unheard", Route{"south", 5, Need{}}},
	} {
		if got := rules.route(c.facts, c.has, book); got != c.want {
			t.Errorf("%s: %+v instead of %+v", name, got, c.want)
		}
	}
}

// However many leads come, of whatever people: nobody has more than they can have, and a lead waits only while nobody could
// take it.
func TestNobodyGetsMoreThanTheyCanHave(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		var people []string
		for i := range rapid.IntRange(0, 5).Draw(r, "people") {
			spec := fmt.Sprintf("p%d %d/%d", i, rapid.IntRange(0, 4).Draw(r, "load"), rapid.IntRange(0, 6).Draw(r, "capacity"))
			for _, w := range []string{"away", "left", "from:12", "speaks:zh"} {
				if rapid.Bool().Draw(r, w) {
					spec += " " + w
				}
			}
			people = append(people, spec)
		}
		strategy := rapid.SampledFrom([]team.Strategy{team.RoundRobin, team.LeastLoaded}).Draw(r, "strategy")
		d := sitting(t, strategy, rapid.SampledFrom([]team.Outside{team.Wait, team.Next}).Draw(r, "outside"), people, nil)
		north, _ := d.book.Team("north")
		for range 40 {
			n := Need{Language: rapid.SampledFrom([]string{"", "zh"}).Draw(r, "language")}
			c := d.choose("north", n)
			if c.Owner == "" {
				if slices.ContainsFunc(d.book.Members("north"), func(p team.Person) bool { return d.keeps(north, p, n) == "" }) {
					r.Fatalf("it waits for %s though somebody could take it", c.Waits)
				}
				continue
			}
			p, _ := d.book.Person(c.Owner)
			if p.Archived || n.Language != "" && len(p.Languages) == 0 {
				r.Fatalf("%s got it", c.Owner)
			}
			d.turns.Take("north", c.Owner)
			if at := d.turns.Place("north", c.Owner); at.Load > at.Capacity {
				r.Fatalf("%s has %d of %d", c.Owner, at.Load, at.Capacity)
			}
		}
	})
}
