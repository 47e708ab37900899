package activity

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/businesstime"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

var shanghai = func() *time.Location {
	zone, ok := businesstime.Zone("Asia/Shanghai")
	if !ok {
		panic("no time zones")
	}
	return zone
}()

// at reads a time on walls in Shanghai.
func at(text string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", text, shanghai)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

func day(text string) time.Time {
	t, err := time.Parse(dayForm, text)
	if err != nil {
		panic(err)
	}
	return t
}

// office are hours from 9:00 to 12:00 and from 13:00 to 18:00, Monday to Friday, in Shanghai.
func office(away ...businesstime.Range) Working {
	hours := []businesstime.Interval{{From: 9 * 60, To: 12 * 60}, {From: 13 * 60, To: 18 * 60}}
	week := businesstime.Hours{Week: businesstime.Week{Monday: hours, Tuesday: hours, Wednesday: hours, Thursday: hours, Friday: hours}}
	return Working{Calendar: week.Calendar(shanghai), Zone: shanghai, Away: away}
}

func TestWhenSomebodyIsReminded(t *testing.T) {
	t.Parallel()
	// 2026-11-26 is a Thursday.
	for _, c := range []struct {
		name, before, due, now, want string
		working                      Working
	}{
		{"half an hour before a visit", "30 minutes", "2026-11-26 14:30", "2026-11-20 08:00", "2026-11-26 14:00", office()},
		{"over lunch", "30 minutes", "2026-11-26 13:10", "2026-11-20 08:00", "2026-11-26 11:40", office()},
		{"first thing in the morning", "30 minutes", "2026-11-26 09:00", "2026-11-20 08:00", "2026-11-25 17:30", office()},
		{"on Monday, from Friday", "2 hours", "2026-11-30 10:00", "2026-11-20 08:00", "2026-11-27 17:00", office()},
		{"just the hours of the morning", "1 hours", "2026-11-30 10:00", "2026-11-20 08:00", "2026-11-30 09:00", office()},
		{"in the evening", "30 minutes", "2026-11-26 20:00", "2026-11-20 08:00", "2026-11-26 17:30", office()},
		{"on Sunday", "30 minutes", "2026-11-29 10:00", "2026-11-20 08:00", "2026-11-27 17:30", office()},
		{"a working day before", "1 days", "2026-11-30 10:00", "2026-11-20 08:00", "2026-11-27 10:00", office()},
		{"a working day before a Sunday", "1 days", "2026-11-29 10:00", "2026-11-20 08:00", "2026-11-27 10:00", office()},
		{"two before, at lunch", "2 days", "2026-11-26 12:30", "2026-11-20 08:00", "2026-11-24 13:00", office()},
		{"in the night, so in the evening", "1 days", "2026-11-26 22:00", "2026-11-20 08:00", "2026-11-25 17:59", office()},
		{"on the day", "0 days", "2026-11-26", "2026-11-20 08:00", "2026-11-26 09:00", office()},
		{"on a Sunday, so before", "0 days", "2026-11-29", "2026-11-20 08:00", "2026-11-27 09:00", office()},
		{"some time that day, the day before", "1 days", "2026-11-30", "2026-11-20 08:00", "2026-11-27 09:00", office()},
		{"some time that day, an hour before its end", "1 hours", "2026-11-26", "2026-11-20 08:00", "2026-11-26 17:00", office()},
		{"who is away is reminded before", "1 days", "2026-11-27 10:00", "2026-11-20 08:00", "2026-11-24 10:00", office(businesstime.Range{From: at("2026-11-25 00:00"), To: at("2026-11-27 00:00")})},
		{"away for hours", "1 hours", "2026-11-26 15:00", "2026-11-20 08:00", "2026-11-26 11:00", office(businesstime.Range{From: at("2026-11-26 13:00"), To: at("2026-11-26 15:00")})},
		{"too late for that, so at once", "2 hours", "2026-11-26 14:30", "2026-11-26 14:00", "2026-11-26 14:00", office()},
		{"too late, and it is lunch", "3 hours", "2026-11-26 14:30", "2026-11-26 12:10", "2026-11-26 13:00", office()},
		{"no time to work left", "2 hours", "2026-11-26 22:00", "2026-11-26 20:00", "2026-11-26 20:00", office()},
		{"overdue", "2 hours", "2026-11-25 10:00", "2026-11-26 20:00", "2026-11-26 20:00", office()},
		{"around the clock", "30 minutes", "2026-11-29 03:10", "2026-11-20 08:00", "2026-11-29 02:40", Working{}},
		{"around the clock, the day before", "1 days", "2026-11-30", "2026-11-20 08:00", "2026-11-29 09:00", Working{}},
		{"who never works", "2 hours", "2026-11-26 14:30", "2026-11-20 08:00", "2026-11-26 12:30", office(businesstime.Range{From: at("2000-01-01 00:00")})},
	} {
		var b Before
		if _, err := fmt.Sscanf(c.before, "%d %s", &b.Amount, &b.Unit); err != nil || !b.sound() {
			t.Fatal(c.before, err)
		}
		due := Due{Zone: "Asia/Shanghai"}
		on, clock, _ := strings.Cut(c.due, " ")
		due.On, due.Time = day(on), clock
		if got := b.Alarm(due, c.working, at(c.now)).In(shanghai).Format("2006-01-02 15:04"); got != c.want {
			t.Errorf("%s: %s before %s: got %s, want %s", c.name, c.before, c.due, got, c.want)
		}
	}
}

// TestARemindersTimeIsWorkedAndBeforeItIsDue holds of any reminder of somebody with hours: it is never in the past, it is in working time
// unless none is left before it is due, and minutes leave so much working time or more.
func TestARemindersTimeIsWorkedAndBeforeItIsDue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := office()
		if rapid.Bool().Draw(t, "away") {
			from := at("2026-11-01 00:00").Add(time.Duration(rapid.IntRange(0, 60*24*60).Draw(t, "from")) * time.Minute)
			w.Away = []businesstime.Range{{From: from, To: from.Add(time.Duration(rapid.IntRange(1, 9*24*60).Draw(t, "for")) * time.Minute)}}
		}
		now := at("2026-10-01 00:00").Add(time.Duration(rapid.IntRange(0, 90*24*60).Draw(t, "now")) * time.Minute)
		due := Due{On: day("2026-11-01").AddDate(0, 0, rapid.IntRange(0, 60).Draw(t, "day")), Zone: rapid.SampledFrom([]string{"Asia/Shanghai", "Europe/Berlin", "America/New_York"}).Draw(t, "zone")}
		if minute := rapid.IntRange(-1, 24*60-1).Draw(t, "minute"); minute >= 0 {
			due.Time = fmt.Sprintf("%02d:%02d", minute/60, minute%60)
		}
		b := Before{rapid.IntRange(1, 60).Draw(t, "amount"), rapid.SampledFrom([]Unit{Minutes, Hours, Days}).Draw(t, "unit")}
		alarm := b.Alarm(due, w, now)
		if alarm.Before(now) {
			t.Fatalf("%v is before now", alarm)
		}
		left := w.Calendar.Between(now, due.At(), w.Away...)
		if left > 0 && !w.next(alarm, alarm.Add(time.Minute)).Equal(alarm) {
			t.Fatalf("%v is not worked", alarm)
		}
		if left > 0 && !alarm.Before(due.At()) {
			t.Fatalf("%v is not before %v", alarm, due.At())
		}
		if d := time.Duration(b.Amount) * time.Minute; b.Unit == Minutes && alarm.After(now) && left > d {
			if worked := w.Calendar.Between(alarm, due.At(), w.Away...); worked != d {
				t.Fatalf("%v of working time is left, not %v", worked, d)
			}
		}
	})
}

func TestWhenSomethingIsDue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ on, clock, zone, want string }{
		{"2026-11-26", "14:30", "Asia/Shanghai", "2026-11-26T06:30:00Z"},
		{"2026-11-26", "", "Asia/Shanghai", "2026-11-26T16:00:00Z"},
		{"2026-10-25", "02:30", "Europe/Berlin", "2026-10-25T00:30:00Z"}, // comes twice
		{"2026-03-29", "02:30", "Europe/Berlin", "2026-03-29T01:30:00Z"}, // does not come
		{"2026-03-29", "", "Europe/Berlin", "2026-03-29T22:00:00Z"},
	} {
		if got := (Due{day(c.on), c.clock, c.zone}).At().Format(time.RFC3339); got != c.want {
			t.Errorf("%s %s %s: got %s, want %s", c.on, c.clock, c.zone, got, c.want)
		}
	}
}

// plan is a good plan.
func plan() Plan {
	return Plan{Title: "Call", Owner: "li", Due: Due{On: day("2026-11-27"), Time: "14:30", Zone: "Asia/Shanghai"}, Reminders: []Before{{30, Minutes}}}
}

func TestWhatIsRefusedOfPlansSaysWhere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Plan)
		want   string
	}{
		"nothing":               {func(*Plan) {}, ""},
		"no title":              {func(p *Plan) { p.Title = "" }, "title title_malformed"},
		"a title of spaces":     {func(p *Plan) { p.Title = "  " }, "title title_malformed"},
		"nobody":                {func(p *Plan) { p.Owner = "" }, "owner owner_malformed"},
		"no zone":               {func(p *Plan) { p.Due.Zone = "" }, "zone zone_unknown"},
		"the zone of a machine": {func(p *Plan) { p.Due.Zone = "Local" }, "zone zone_unknown"},
		"a quarter past":        {func(p *Plan) { p.Due.Time = "a quarter past" }, "due_time time_malformed"},
		"25 o'clock":            {func(p *Plan) { p.Due.Time = "25:00" }, "due_time time_malformed"},
		"one figure":            {func(p *Plan) { p.Due.Time = "9:00" }, "due_time time_malformed"},
		"no day":                {func(p *Plan) { p.Due.On = time.Time{} }, "due_on out_of_range"},
		"the next century":      {func(p *Plan) { p.Due.On = day("2126-01-01") }, "due_on out_of_range"},
		"a novel":               {func(p *Plan) { p.Notes = strings.Repeat("字", 4001) }, "notes too_long"},
		"six reminders": {func(p *Plan) {
			p.Reminders = []Before{{1, Minutes}, {2, Minutes}, {3, Minutes}, {4, Minutes}, {5, Minutes}, {6, Minutes}}
		}, "reminders too_many"},
		"the same reminder":      {func(p *Plan) { p.Reminders = []Before{{1, Minutes}, {1, Minutes}} }, "reminders[1] reminder_twice"},
		"no time before":         {func(p *Plan) { p.Reminders = []Before{{0, Minutes}} }, "reminders[0].amount out_of_range"},
		"a year before, in days": {func(p *Plan) { p.Reminders = []Before{{365, Days}} }, "reminders[0].amount out_of_range"},
		"weeks":                  {func(p *Plan) { p.Reminders = []Before{{1, "weeks"}} }, "reminders[0].amount out_of_range"},
	} {
		p := plan()
		c.change(&p)
		if got := faultsOf(p.faults(at("2026-11-26 12:00"))); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func faultsOf(faults []problem.Field) string {
	var all []string
	for _, f := range faults {
		all = append(all, f.Location+" "+f.Code)
	}
	return strings.Join(all, ", ")
}

func TestWhatCanComeOfAnActivity(t *testing.T) {
	t.Parallel()
	now, answer := at("2026-11-26 12:00"), uuid.Must(uuid.NewV7())
	library := Library{Objection: "price", Answers: []uuid.UUID{answer}}
	call := Activity{Version: 1, Kind: Call, State: Open, Plan: plan()}
	for name, c := range map[string]struct {
		kind   Kind
		result Result
		want   string
	}{
		"done":                            {Call, Result{Outcome: "interested"}, ""},
		"with an objection":               {Call, Result{Outcome: "undecided", Objection: "price"}, ""},
		"and an answer":                   {Call, Result{Outcome: "undecided", Objection: "price", Answer: answer}, ""},
		"a while ago":                     {Call, Result{Outcome: "interested", At: now.AddDate(0, 0, -3)}, ""},
		"nothing":                         {Call, Result{}, "body.outcome outcome_unknown"},
		"an unknown outcome":              {Call, Result{Outcome: "married"}, "body.outcome outcome_unknown"},
		"one of tasks":                    {Call, Result{Outcome: "not_done"}, "body.outcome outcome_unknown"},
		"a task that is interested":       {Task, Result{Outcome: "interested"}, "body.outcome outcome_unknown"},
		"tomorrow":                        {Call, Result{Outcome: "done", At: now.Add(time.Second)}, "body.completed_at out_of_range"},
		"an answer to nothing":            {Call, Result{Outcome: "done", Answer: answer}, "body.objection objection_missing"},
		"an unknown objection":            {Call, Result{Outcome: "done", Objection: "colour"}, "body.objection objection_unknown"},
		"the answer to another objection": {Call, Result{Outcome: "done", Objection: "price", Answer: uuid.Must(uuid.NewV7())}, "body.answer_id answer_unknown"},
		"a novel":                         {Call, Result{Outcome: "done", Report: strings.Repeat("字", 4001)}, "body.report too_long"},
	} {
		a := call
		a.Kind = c.kind
		done, err := a.Complete(c.result, standard(), library, "li", now)
		got := ""
		if err != nil {
			got = faultsOf(problem.From(err).Fields)
		} else if done.State != Completed || done.Version != 2 || done.Effect == "" || done.DoneAt.After(now) {
			t.Errorf("%s: %+v", name, done)
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	done, _ := call.Complete(Result{Outcome: "done"}, standard(), library, "li", now)
	if _, err := done.Cancel("not_needed", "li", now); problem.From(err).Code != "activity_completed" {
		t.Error(err)
	}
	cancelled, err := call.Cancel("not_needed", "li", now)
	if err != nil || cancelled.State != Cancelled {
		t.Error(err)
	}
	if _, err := cancelled.Reassign("wang", "li", now); problem.From(err).Code != "activity_cancelled" {
		t.Error(err)
	}
	if _, err := call.Cancel("He moved away", "li", now); problem.From(err).Code != "activity_invalid" {
		t.Error(err)
	}
}

func TestOutcomesHaveToServeEveryKind(t *testing.T) {
	t.Parallel()
	if faults := outcomeFaults(standard().List); len(faults) > 0 {
		t.Errorf("the standard ones: %v", faults)
	}
	name := Wording{"x", "x"}
	for want, list := range map[string][]Outcome{
		"outcomes kind_without_outcome":      {{"done", name, Good, []Kind{Task, Call, Meeting}}},
		"outcomes[1].code outcome_twice":     {{"done", name, Good, nil}, {"done", name, Bad, nil}},
		"outcomes[0].code code_malformed":    {{"Done!", name, Good, nil}},
		"outcomes[0].effect effect_unknown":  {{"done", name, "fine", nil}},
		"outcomes[0].kinds[0] kind_unknown":  {{"done", name, Good, []Kind{"dinner"}}, {"all", name, Good, nil}},
		"outcomes[0].name.zh text_malformed": {{"done", Wording{EN: "x"}, Good, nil}},
	} {
		if got := faultsOf(outcomeFaults(list)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestAnswersAreRankedByWhatFollowed(t *testing.T) {
	t.Parallel()
	now, window := at("2026-11-26 12:00"), 14*24*time.Hour
	forward := func(m Move) bool { return m.From < m.To }
	old := now.AddDate(0, 0, -30)
	for name, c := range map[string]struct {
		given Given
		want  Followed
	}{
		"nothing":                         {Given{At: old}, Nothing},
		"won":                             {Given{At: old, Won: true, Next: Bad}, Worked},
		"lost after a step forward":       {Given{At: old, Lost: true, Moves: []Move{{"p", "1", "2"}}}, Failed},
		"a step forward":                  {Given{At: old, Moves: []Move{{"p", "2", "1"}, {"p", "1", "3"}}, Next: Bad}, Worked},
		"a step back":                     {Given{At: old, Moves: []Move{{"p", "2", "1"}}}, Nothing},
		"converted":                       {Given{At: old, Converted: true}, Worked},
		"a good call":                     {Given{At: old, Next: Good}, Worked},
		"a bad call":                      {Given{At: old, Next: Bad}, Failed},
		"a call of which nothing came":    {Given{At: old, Next: Neutral}, Nothing},
		"won, and the window is not over": {Given{At: now.AddDate(0, 0, -13), Won: true}, Waiting},
	} {
		if got := c.given.followed(window, now, forward); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
	var answers []Answer
	var history []Given
	for _, c := range []struct {
		name           string
		worked, failed int
	}{{"never", 0, 0}, {"once of once", 1, 0}, {"nine of ten", 9, 1}, {"half", 5, 5}, {"ninety of a hundred", 90, 10}} {
		a := Answer{ID: uuid.Must(uuid.NewV7()), Author: c.name}
		answers = append(answers, a)
		for range c.worked {
			history = append(history, Given{Answer: a.ID, At: old, Won: true})
		}
		for range c.failed {
			history = append(history, Given{Answer: a.ID, At: old, Lost: true})
		}
		history = append(history, Given{Answer: a.ID, At: now}, Given{Answer: uuid.Must(uuid.NewV7()), At: old})
	}
	var got []string
	for _, r := range rank(answers, history, window, 5, now, forward) {
		got = append(got, fmt.Sprintf("%s %d %t", r.Author, r.Waiting, r.Enough))
		if r.Given != r.Worked+r.Failed+r.Nothing+r.Waiting {
			t.Errorf("%+v does not add up", r)
		}
	}
	want := "ninety of a hundred 1 true, nine of ten 1 true, half 1 true, once of once 1 false, never 1 false"
	if text := strings.Join(got, ", "); text != want {
		t.Errorf("got %s, want %s", text, want)
	}
}
