package rollout_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/gate"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/rollout"
)

// TestWhatARolloutTells goes from the start to the end, over a gate that holds, a risk, a pause and a phase that is taken back.
func TestWhatARolloutTells(t *testing.T) {
	t.Parallel()
	w := begin(t)
	manager := func(d rollout.Decision) {
		d.By = by("wang", auth.RoleManager)
		w.decide(d)
	}
	number := func(value float64) gate.Measurement { return gate.Measurement{Value: value, Sample: 100, Known: true} }
	manager(rollout.Decision{Action: rollout.SkipGate, Phase: "pilot", Gate: "means", Reason: "agreed_before"})
	w.took(w.now.Enter("pilot", 1, noon.Add(time.Hour)))
	for _, days := range []int{3, 5, 7} { // it is late: reminded twice, then the leads are told
		w.took(w.now.Remind(noon.Add(time.Hour).AddDate(0, 0, days)))
	}
	w.decide(rollout.Decision{Action: rollout.Complete, Phase: "pilot", Task: "train", By: by("li", auth.RoleAgent)})
	w.took(w.now.Measure("pilot", 1, "data", number(0.9), noon.Add(2*time.Hour)))
	w.took(w.now.Watch("poor-data", number(0.6), noon.Add(3*time.Hour)))
	manager(rollout.Decision{Action: rollout.Resume})
	w.took(w.now.Measure("pilot", 1, "data", number(0.97), noon.Add(4*time.Hour)))
	w.took(w.now.GoLive("pilot", 1, noon.Add(5*time.Hour)))
	manager(rollout.Decision{Action: rollout.RollBack, Phase: "pilot", Reason: "too_early"})
	manager(rollout.Decision{Action: rollout.Redo, Phase: "pilot"})
	manager(rollout.Decision{Action: rollout.SkipPhase, Phase: "pilot", Reason: "enough"})
	for _, phase := range []string{"rest", "review"} {
		w.took(w.now.Enter(phase, 1, noon.Add(6*time.Hour)))
		w.took(w.now.GoLive(phase, 1, noon.Add(7*time.Hour)))
	}
	w.took(w.now.End([]rollout.Measured{{Goal: "use", Value: 0.9, Known: true, Reached: true}}, noon.Add(8*time.Hour)))
	told := []map[string]json.RawMessage{}
	for _, m := range w.told {
		raw, err := protojson.Marshal(m)
		require.NoError(t, err)
		told = append(told, map[string]json.RawMessage{string(m.ProtoReflect().Descriptor().Name()): raw})
	}
	golden.JSON(t, "testdata/told.json", told)
}
