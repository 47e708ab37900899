package erasure

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func TestJudge(t *testing.T) {
	t.Parallel()
	held := []Hold{{"tickets", "complaint_open", uuid.New()}}
	for name, c := range map[string]struct {
		was   State
		holds []Hold
		want  State
	}{
		"nothing holds":             {Requested, nil, Erasing},
		"something holds":           {Requested, held, Held},
		"what held has gone":        {Held, nil, Erasing},
		"it holds still":            {Held, held, Held},
		"it is late for a hold":     {Erasing, held, Erasing},
		"nobody wants it any more":  {Cancelled, nil, Cancelled},
		"it has been done long ago": {Done, held, Done},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, Erasure{State: c.was}.Judge(c.holds, noon).State)
		})
	}
}

func TestCancelAndFinish(t *testing.T) {
	t.Parallel()
	for was, want := range map[State]State{Requested: Cancelled, Held: Cancelled, Cancelled: Cancelled} {
		now, err := Erasure{State: was}.Cancel(noon)
		require.NoError(t, err)
		require.Equal(t, want, now.State)
	}
	for _, was := range []State{Erasing, Done} {
		_, err := Erasure{State: was}.Cancel(noon)
		require.Equal(t, problem.Conflict, problem.KindOf(err))
	}
	require.Equal(t, Done, Erasure{State: Erasing}.Finish(noon).State)
	require.Equal(t, noon, Erasure{State: Done, ErasedAt: noon}.Finish(noon.Add(time.Hour)).ErasedAt)
	require.Equal(t, Cancelled, Erasure{State: Cancelled}.Finish(noon).State)
}

func TestAReportIsCleanWhenNothingIsLeft(t *testing.T) {
	t.Parallel()
	require.True(t, Report{Erased: []Count{{"identity", 3, 0}, {"name", 0, 0}}}.clean())
	require.False(t, Report{Erased: []Count{{"identity", 3, 0}, {"name", 1, 1}}}.clean())
}
