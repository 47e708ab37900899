package c139

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/services/sales/internal/opportunity"
)

var (
	yes, no = true, false
	noon    = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
)

// lean is a person of a role who leans so much; 9: nobody knows how much.
func lean(role opportunity.Role, influence, leaning int) Person {
	p := Person{ID: uuid.Must(uuid.NewV7()), Role: role, Influence: influence}
	if leaning != 9 {
		p.Leaning = &leaning
	}
	return p
}

// told writes a truth of three values.
func told(b *bool) string {
	switch {
	case b == nil:
		return "?"
	case *b:
		return "yes"
	default:
		return "no"
	}
}

func TestWhatTheDecisionStructureSaysOfTheSigns(t *testing.T) {
	t.Parallel()
	const maker, influencer, user, coach, buyer = opportunity.DecisionMaker, opportunity.Influencer, opportunity.User, opportunity.Coach, opportunity.Buyer
	for name, c := range map[string]struct {
		structure Structure
		want      string // fit_highest, key_people_help, majority_chose, top_decides
	}{
		"nobody is known":                       {nil, "? ? ? ?"},
		"a coach alone says nothing of others":  {Structure{lean(coach, 5, 2)}, "? ? ? ?"},
		"nor who has no role":                   {Structure{lean("", 5, 2)}, "? ? ? ?"},
		"the only one there is chose us":        {Structure{lean(maker, 5, 2)}, "yes yes yes yes"},
		"prefers us, and did not choose":        {Structure{lean(maker, 5, 1)}, "yes no no no"},
		"is against us":                         {Structure{lean(maker, 5, -2)}, "no no no no"},
		"nobody knows how the top leans":        {Structure{lean(maker, 5, 9)}, "? ? ? ?"},
		"without a decision maker":              {Structure{lean(influencer, 5, 2), lean(user, 1, 2)}, "? yes yes ?"},
		"one of two key people helps":           {Structure{lean(maker, 5, 1), lean(influencer, 4, 2)}, "yes no no no"},
		"one of two, and of the other who is":   {Structure{lean(maker, 5, 9), lean(influencer, 4, 2)}, "? ? ? ?"},
		"two of three chose us, the top not":    {Structure{lean(maker, 5, 0), lean(influencer, 4, 2), lean(buyer, 4, 2)}, "no yes yes no"},
		"half is not most":                      {Structure{lean(maker, 5, 2), lean(user, 1, 2), lean(user, 1, 0), lean(user, 1, 0)}, "yes yes no yes"},
		"who is not known cannot turn it round": {Structure{lean(maker, 5, 2), lean(user, 1, 2), lean(user, 1, 9)}, "yes yes yes yes"},
		"or can":                                {Structure{lean(maker, 5, 2), lean(user, 1, 9), lean(user, 1, 9)}, "yes yes ? yes"},
		"two who are equally at the top":        {Structure{lean(maker, 5, 2), lean(maker, 5, 1)}, "yes no no no"},
		"the lesser decision maker is not top":  {Structure{lean(maker, 5, 2), lean(maker, 3, 1)}, "yes no no yes"},
		"small users do not rate the fit":       {Structure{lean(maker, 5, 2), lean(user, 2, -2)}, "yes yes no yes"},
	} {
		got := c.structure.Compute()
		if text := strings.Join([]string{told(got.FitHighest), told(got.KeyPeopleHelp), told(got.MajorityChose), told(got.TopDecides)}, " "); text != c.want {
			t.Errorf("%s: got %s, want %s", name, text, c.want)
		}
	}
}

func TestASignCountsOnlyWherePeopleAndStructureDoNotDisagree(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		said, computed         *bool
		leading, deciding, odd bool
	}{
		{nil, nil, false, false, false}, {nil, &yes, true, false, false}, {nil, &no, false, false, false},
		{&yes, nil, true, true, false}, {&yes, &yes, true, true, false}, {&yes, &no, false, false, true},
		{&no, nil, false, false, false}, {&no, &yes, false, false, true}, {&no, &no, false, false, false},
	} {
		card := Card{Entries: map[string]Entry{FitHighest: {Holds: c.said}, TopDecides: {Holds: c.said}}, Computed: Computed{FitHighest: c.computed, TopDecides: c.computed}}
		fit, _ := Find(FitHighest)
		top, _ := Find(TopDecides)
		if s := card.Sign(fit); s.Counts != c.leading || s.Disputed != c.odd {
			t.Errorf("said %s, computed %s: of leading %+v", told(c.said), told(c.computed), s)
		}
		if s := card.Sign(top); s.Counts != c.deciding || s.Disputed != c.odd {
			t.Errorf("said %s, computed %s: that decides %+v", told(c.said), told(c.computed), s)
		}
	}
}

func TestACardReadsAsPeopleSayIt(t *testing.T) {
	t.Parallel()
	who := uuid.Must(uuid.NewV7())
	card := Card{Entries: map[string]Entry{}}
	if got := card.Counts().String(); got != "0C 0F 0W" {
		t.Errorf("empty: %s", got)
	}
	var change Change
	for i, item := range Items() {
		if item.Kind == Thing && i < 6 {
			e := Entry{Code: item.Code, Holds: &yes}
			if i < 4 {
				e.Coach = who
			}
			change = append(change, e)
		}
	}
	change = append(change, Entry{Code: "critical_success", Known: "something"}, Entry{Code: FitHighest, Holds: &yes}, Entry{Code: KeyPeopleHelp, Holds: &yes, Coach: who}, Entry{Code: TopDecides, Holds: &yes})
	card, changed := card.Apply(change, noon, "li", noon)
	if n := card.Counts(); n.String() != "6C 2F 1W" || n.Coached != 4 || len(changed) != 10 {
		t.Errorf("%s, %d coached, %d changed", n, n.Coached, len(changed))
	}
}

// TestCountsStayWithinTheirBounds holds of any card: no count is more than there is to count, a coached thing is clear, and there is no
// W that nobody said or that the structure denies.
func TestCountsStayWithinTheirBounds(t *testing.T) {
	t.Parallel()
	truth := rapid.SampledFrom([]*bool{nil, &yes, &no})
	rapid.Check(t, func(t *rapid.T) {
		card := Card{
			Entries:  map[string]Entry{},
			Computed: Computed{truth.Draw(t, "fit"), truth.Draw(t, "help"), truth.Draw(t, "most"), truth.Draw(t, "top")},
		}
		for round := range rapid.IntRange(0, 4).Draw(t, "rounds") {
			var change Change
			for _, item := range Items() {
				if rapid.Bool().Draw(t, "said") {
					e := Entry{Code: item.Code, Holds: truth.Draw(t, "holds")}
					if e.holds() && rapid.Bool().Draw(t, "coached") {
						e.Coach = uuid.Must(uuid.NewV7())
					}
					change = append(change, e)
				}
			}
			was := card
			var changed []Entry
			card, changed = card.Apply(change, noon, "li", noon.Add(time.Duration(round)*time.Hour))
			if (len(changed) > 0) != (card.Version == was.Version+1) {
				t.Fatalf("%d changes, and version %d after %d", len(changed), card.Version, was.Version)
			}
			if again, changed := card.Apply(change, noon, "wang", noon); len(changed) > 0 || again.Version != card.Version {
				t.Fatalf("saying it again changed %v", changed)
			}
		}
		n := card.Counts()
		if n.Clear < 0 || n.Clear > 9 || n.Coached > n.Clear || n.Leading < 0 || n.Leading > 3 || n.Deciding < 0 || n.Deciding > 1 {
			t.Fatalf("%+v", n)
		}
		if n.Deciding == 1 && (!card.Entries[TopDecides].holds() || card.Computed.TopDecides != nil && !*card.Computed.TopDecides) {
			t.Fatal("a win that nobody claims, or that is denied")
		}
	})
}

func TestWhatIsRefusedOfEntriesSaysWhere(t *testing.T) {
	t.Parallel()
	coach, other := lean(opportunity.Coach, 3, 2), lean(opportunity.User, 3, 2)
	good := Entry{Code: "payment", Holds: &yes, Known: "paid from the budget of IT", Evidence: "the budget of 2027, page 3", On: noon}
	for name, c := range map[string]struct {
		change func(*Entry)
		want   string
	}{
		"nothing":                         {func(*Entry) {}, ""},
		"a coach":                         {func(e *Entry) { e.Coach = coach.ID }, ""},
		"in Chinese":                      {func(e *Entry) { e.Known, e.Evidence = "预算", "邮件" }, ""},
		"an unknown code":                 {func(e *Entry) { e.Code = "luck" }, "entries[0].code item_unknown"},
		"clear without words":             {func(e *Entry) { e.Known = "" }, "entries[0].known known_missing"},
		"clear without evidence":          {func(e *Entry) { e.Evidence = "" }, "entries[0].evidence evidence_missing"},
		"evidence of nothing":             {func(e *Entry) { e.Evidence = " .-!  x" }, "entries[0].evidence evidence_missing"},
		"a win without evidence":          {func(e *Entry) { e.Code, e.Evidence = TopDecides, "ok" }, "entries[0].evidence evidence_missing"},
		"a sign needs no more words":      {func(e *Entry) { e.Code, e.Known = TopDecides, "" }, ""},
		"what is not clear needs none":    {func(e *Entry) { e.Holds, e.Known, e.Evidence = &no, "", "" }, ""},
		"nor of what nobody says":         {func(e *Entry) { e.Holds, e.Known, e.Evidence = nil, "", "" }, ""},
		"confirmed by who is no coach":    {func(e *Entry) { e.Coach = other.ID }, "entries[0].coach_id coach_unknown"},
		"by somebody of elsewhere":        {func(e *Entry) { e.Coach = uuid.Must(uuid.NewV7()) }, "entries[0].coach_id coach_unknown"},
		"a coach confirms nothing":        {func(e *Entry) { e.Holds, e.Coach = &no, coach.ID }, "entries[0].coach_id nothing_to_confirm"},
		"of tomorrow, on the last island": {func(e *Entry) { e.On = noon.Truncate(24*time.Hour).AddDate(0, 0, 2) }, "entries[0].on out_of_range"},
		"of no day":                       {func(e *Entry) { e.On = time.Time{} }, "entries[0].on out_of_range"},
		"a novel":                         {func(e *Entry) { e.Known = strings.Repeat("字", 4001) }, "entries[0].known too_long"},
	} {
		e := good
		c.change(&e)
		var got []string
		for _, f := range (Change{e}).faults(Structure{coach, other}, tomorrow(noon)) {
			got = append(got, f.Location+" "+f.Code)
		}
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("%s: got %q, want %q", name, text, c.want)
		}
	}
	if faults := (Change{good, good}).faults(nil, tomorrow(noon)); len(faults) != 1 || faults[0].Location != "entries[1].code" {
		t.Errorf("twice: %v", faults)
	}
}

func TestGapsComeInTheOrderInWhichTheyMatter(t *testing.T) {
	t.Parallel()
	coach, chief := lean(opportunity.Coach, 2, 2), lean(opportunity.DecisionMaker, 5, 9)
	structure := Structure{coach, chief, lean(opportunity.Coach, 1, 1)}
	day := func(n int) time.Time { return noon.AddDate(0, 0, n) }
	card := Card{Entries: map[string]Entry{}, Computed: structure.Compute()}
	card, _ = card.Apply(Change{
		{Code: "our_plan", Holds: &yes, On: day(-200), Coach: coach.ID},  // long ago
		{Code: "competitors", Holds: &yes, On: day(0)},                   // by nobody confirmed
		{Code: "organisation", Holds: &yes, On: day(0), Coach: coach.ID}, // all is well
		{Code: "buying_process", Known: "a tender"},
		{Code: KeyPeopleHelp, Holds: &no},
	}, day(-10), "li", day(-5))
	gaps := card.Gaps(structure, 50, day(-10), day(0))
	var got []string
	for _, g := range gaps {
		got = append(got, g.Code+" "+string(g.Reason)+" "+string(g.Role))
	}
	want := []string{
		// the stage needs them
		"decision_structure unknown coach", "buying_process unclear coach", "decision_points unknown decision_maker", "fit_highest unknown coach",
		// later ones
		"critical_success unknown decision_maker", "top_decides unknown decision_maker", "key_people_help denied coach", "majority_chose unknown coach",
		"payment unknown coach", "resources unknown decision_maker",
		// what holds
		"competitors unconfirmed coach", "our_plan stale team",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if whom := gaps[0].Whom; len(whom) != 2 || whom[0] != coach.ID {
		t.Errorf("whom to ask: %v", whom)
	}
	// What stands open longest comes first among equals.
	aged, _ := Card{Entries: map[string]Entry{}}.Apply(Change{{Code: "decision_points", Known: "money", Holds: &yes}}, day(-30), "li", day(-20))
	aged, _ = aged.Apply(Change{{Code: "decision_points", Known: "who knows", Holds: &no}}, day(-30), "li", day(-2))
	gaps = aged.Gaps(nil, 50, day(-30), day(0))
	at := func(code string) int { return slices.IndexFunc(gaps, func(g Gap) bool { return g.Code == code }) }
	if at("decision_points") < at("competitors") || !gaps[at("decision_points")].Since.Equal(day(-2)) || !gaps[at("competitors")].Since.Equal(day(-30)) {
		t.Errorf("%v", gaps)
	}
	if g := gaps[at("competitors")]; len(g.Whom) != 0 || g.Role != opportunity.Coach {
		t.Errorf("nobody is known: %+v", g)
	}
}

func TestADisputeAndAnUnprovenWinAreGaps(t *testing.T) {
	t.Parallel()
	chief := Structure{lean(opportunity.DecisionMaker, 5, 2)}
	reason := func(c Card, code string) Reason {
		item, _ := Find(code)
		r, _ := c.gap(item, c.Entries[code], noon)
		return r
	}
	card := Card{Entries: map[string]Entry{}, Computed: chief.Compute()}
	if got := reason(card, TopDecides); got != Unproven {
		t.Errorf("the structure says so alone: %s", got)
	}
	if got := reason(card, FitHighest); got != "" {
		t.Errorf("of leading that is enough: %s", got)
	}
	card, _ = card.Apply(Change{{Code: TopDecides, Holds: &no}}, noon, "li", noon)
	if got := reason(card, TopDecides); got != Disputed {
		t.Errorf("and people deny it: %s", got)
	}
}

func TestWinRatesAreMeasuredByBands(t *testing.T) {
	t.Parallel()
	var all []outcomes
	for n := range 10 { // of each count one more is won
		all = append(all, outcomes{carded: true, Counts: Counts{Clear: n, Leading: n / 3, Deciding: n / 9}, won: n, lost: 10 - n})
	}
	all = append(all, outcomes{won: 3, lost: 6})
	got := map[string]Band{}
	for _, b := range rates(all, 10) {
		got[b.By+" "+b.Name] = b
	}
	for name, want := range map[string][2]int{
		"clear 0-3": {6, 34}, "clear 4-6": {15, 15}, "clear 7-9": {24, 6}, "leading 0": {3, 27}, "leading 3": {9, 1}, "deciding 1": {9, 1}, "deciding 0": {36, 54},
		"card all": {45, 55}, "card none": {3, 6},
	} {
		if b := got[name]; b.Won != want[0] || b.Lost != want[1] {
			t.Errorf("%s: %d won and %d lost, want %v", name, b.Won, b.Lost, want)
		}
	}
	if b := got["card none"]; b.Enough || b.Rate.High != 0 {
		t.Errorf("nine are not enough: %+v", b)
	}
	if b := got["clear 4-6"]; !b.Enough || b.Rate.Value != 0.5 || b.Rate.Low < 0.33 || b.Rate.Low > 0.34 {
		t.Errorf("%+v", b)
	}
	for _, b := range rates(nil, 0) {
		if b.Enough {
			t.Errorf("nothing is enough: %+v", b)
		}
	}
}
