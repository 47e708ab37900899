package merge

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

var (
	lily  = uuid.MustParse("019aaa5c-4c00-7000-8000-000000000001")
	lilly = uuid.MustParse("019aaa5c-4c00-7000-8000-000000000002")
	noon  = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
)

// two gives two records of one person: the second one was registered and changed later.
func two() (survivor, absorbed Record) {
	survivor = Record{ID: lily, Kind: "person", Source: "web", RegisteredAt: noon, ChangedAt: noon.Add(time.Hour),
		Fields: Fields{"display_name": "Lily Chen", "family_name": "Chen", "owner": "ann", "custom.size": `"M"`}, Tags: []string{"vip"}}
	absorbed = Record{ID: lilly, Kind: "person", Source: "till", RegisteredAt: noon.Add(time.Minute), ChangedAt: noon.Add(2 * time.Hour),
		Fields: Fields{"display_name": "Lilly Chen", "given_name": "Lilly", "custom.size": `"L"`}, Tags: []string{"club", "vip"}}
	return survivor, absorbed
}

func TestPlanSaysFieldByFieldWhatDecided(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		choice       Choice
		display, why string
	}{
		"the one changed last":       {Choice{}, "Lilly Chen", "most_recent"},
		"the one registered first":   {Choice{Default: Oldest}, "Lily Chen", "oldest"},
		"the most trusted source":    {Choice{Default: TrustedSource, Trusted: []string{"till", "web"}}, "Lilly Chen", "trusted_source"},
		"no source that is trusted":  {Choice{Default: TrustedSource}, "Lily Chen", "trusted_source"},
		"a rule for this field":      {Choice{Rules: map[string]Rule{"display_name": Oldest}}, "Lily Chen", "oldest"},
		"by hand against every rule": {Choice{ByHand: map[string]uuid.UUID{"display_name": lily}}, "Lily Chen", "by_hand"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			survivor, absorbed := two()
			m, faults := Plan(survivor, absorbed, c.choice)
			require.Empty(t, faults)
			require.Equal(t, c.display, m.Fields["display_name"])
			n := slices.IndexFunc(m.Decisions, func(d Decision) bool { return d.Field == "display_name" })
			require.Equal(t, Rule(c.why), m.Decisions[n].Rule)
			require.Equal(t, c.display, m.Decisions[n].Value)
		})
	}
}

func TestAMissingValueNeverWinsButByHand(t *testing.T) {
	t.Parallel()
	survivor, absorbed := two()
	m, faults := Plan(survivor, absorbed, Choice{})
	require.Empty(t, faults)
	require.Equal(t, "Chen", m.Fields["family_name"], "only the survivor has one")
	require.Equal(t, "Lilly", m.Fields["given_name"], "only the absorbed one has one")
	require.Equal(t, []string{"club", "vip"}, m.Tags)
	m, faults = Plan(survivor, absorbed, Choice{ByHand: map[string]uuid.UUID{"owner": lilly}})
	require.Empty(t, faults)
	require.NotContains(t, m.Fields, "owner")
}

func TestPlanRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		choice Choice
		kind   string
		want   string
	}{
		"a rule that is not known":       {Choice{Default: "newest"}, "person", "rule_unknown"},
		"a field's rule not known":       {Choice{Rules: map[string]Rule{"owner": ByHand}}, "person", "rule_unknown"},
		"a rule for a field nobody has":  {Choice{Rules: map[string]Rule{"legal_name": Oldest}}, "person", "field_unknown"},
		"a choice of somebody else":      {Choice{ByHand: map[string]uuid.UUID{"owner": uuid.New()}}, "person", "customer_unknown"},
		"a choice of a field nobody has": {Choice{ByHand: map[string]uuid.UUID{"custom.none": lily}}, "person", "field_unknown"},
		"a person and an organisation":   {Choice{}, "organisation", "kind_differs"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			survivor, absorbed := two()
			absorbed.Kind = c.kind
			_, faults := Plan(survivor, absorbed, c.choice)
			require.Len(t, faults, 1)
			require.Equal(t, c.want, faults[0].Code)
		})
	}
}

// step is something that happens to a survivor: a change by hand, or a merge that takes some fields of another.
type step struct {
	merge int               // 0: a change
	set   map[string]string // change: the fields' new values; merge: the values taken from the absorbed one
	tags  []string          // change: tags added; merge: the absorbed one's
	drop  []string          // change: tags taken away
}

// replay makes the steps but those of the merge that is left out, and gives the record and its layers.
func replay(steps []step, leftOut int) (State, []Layer) {
	now := State{Fields: Fields{"a": "0", "b": "0"}, Tags: []string{"base"}}
	var layers []Layer
	for _, s := range steps {
		if s.merge != 0 && s.merge == leftOut {
			continue
		}
		before := now.clone()
		for f, v := range s.set {
			now.set(f, v)
		}
		now.Tags = without(union(now.Tags, s.tags), s.drop)
		if s.merge != 0 {
			layers = append(layers, Layer{ID: uuid.UUID{15: byte(s.merge)}, Before: before, After: now.clone(), AbsorbedTags: s.tags})
		}
	}
	return now, layers
}

// randomSteps are changes and merges, each value used once, so that it can be told where it came from.
func randomSteps(r *rand.Rand) (steps []step, merges int) {
	fields, value := []string{"a", "b", "c", "d"}, 0
	for n := range 3 + r.IntN(8) {
		s := step{set: map[string]string{}}
		if r.IntN(2) == 0 {
			merges++
			s.merge = merges
		}
		for _, f := range fields {
			if r.IntN(3) == 0 {
				value++
				s.set[f] = fmt.Sprint(value)
			}
		}
		if r.IntN(2) == 0 { // a tag that others may have as well, given by merges only
			if s.merge != 0 {
				s.tags = append(s.tags, fmt.Sprint("shared", r.IntN(3)))
			} else {
				s.tags = append(s.tags, fmt.Sprint("own", n))
			}
		}
		steps = append(steps, s)
	}
	return steps, merges
}

// TestUndoIsAsIfTheMergeHadNeverBeen undoes any merge of a random history, in any order, and compares the outcome with the
// same history without those merges.
func TestUndoIsAsIfTheMergeHadNeverBeen(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(4, 2026))
	for range 2000 {
		steps, merges := randomSteps(r)
		now, layers := replay(steps, 0)
		for _, undone := range r.Perm(merges)[:min(merges, 1+r.IntN(3))] {
			n := slices.IndexFunc(layers, func(l Layer) bool { return l.ID[15] == byte(undone+1) })
			var rebased []Layer
			now, rebased = Undo(layers[n], layers[n+1:], now)
			layers = slices.Concat(layers[:n], rebased)
			steps = slices.DeleteFunc(slices.Clone(steps), func(s step) bool { return s.merge == undone+1 })
			wanted, wantedLayers := replay(steps, 0)
			require.Equal(t, wanted.Fields, now.Fields, "%+v", steps)
			require.ElementsMatch(t, wanted.Tags, now.Tags, "%+v", steps)
			require.Len(t, layers, len(wantedLayers))
			for k := range layers {
				require.Equal(t, wantedLayers[k].Before.Fields, layers[k].Before.Fields)
				require.Equal(t, wantedLayers[k].After.Fields, layers[k].After.Fields)
			}
		}
	}
}

func TestWhatWasChangedSinceStays(t *testing.T) {
	t.Parallel()
	merged := Layer{
		Before: State{Fields: Fields{"given_name": "Lily", "owner": "ann"}, Tags: []string{"vip"}},
		After:  State{Fields: Fields{"given_name": "Lilly", "owner": "ann"}, Tags: []string{"club", "vip"}},
	}
	now := State{Fields: Fields{"given_name": "Lilly", "owner": "bob", "legal_name": "new"}, Tags: []string{"club", "since", "vip"}}
	restored, _ := Undo(merged, nil, now)
	require.Equal(t, State{Fields: Fields{"given_name": "Lily", "owner": "bob", "legal_name": "new"}, Tags: []string{"since", "vip"}}, restored)
}
