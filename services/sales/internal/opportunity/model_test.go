package opportunity_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/opportunity"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
)

// act does something to an opportunity that may or may not fit; of what does not only the caller's fault is taken.
func (s *shop) act(ctx context.Context, id uuid.UUID, r *rand.Rand) error {
	stages := pipeline.Standard().Codes()
	var err error
	switch r.IntN(9) {
	case 0, 1, 2:
		_, err = s.all.Move(ctx, id, stages[r.IntN(len(stages))])
	case 3:
		_, err = s.all.Win(ctx, id)
	case 4:
		_, err = s.all.Lose(ctx, id, "price", "")
	case 5, 6:
		_, err = s.all.Reopen(ctx, id)
	case 7:
		amount := r.Int64N(1_000_000)
		_, err = s.all.Change(ctx, id, opportunity.Change{AmountMinor: &amount}, nil, anyVersion)
	case 8:
		_, err = s.all.SetLines(ctx, id, []opportunity.Line{{SKU: "A", Quantity: 1 + r.Int64N(9), UnitMinor: r.Int64N(1000)}}[:r.IntN(2)], anyVersion)
	}
	if problem.CallersFault(err) {
		return nil
	}
	return err
}

// Whatever several people do to some opportunities at once: the stage history of each covers the time from its opening without gap or
// overlap and ends where it stands, versions and events count what was done, and the board shows what the list has.
func TestWhateverIsDoneTheHistoryIsWholeAndTheBoardShowsTheList(t *testing.T) {
	t.Parallel()
	s := open(t)
	var clock sync.Mutex
	ticks := func() time.Time { // every look at the clock is another moment
		clock.Lock()
		defer clock.Unlock()
		s.now = s.now.Add(time.Second)
		return s.now
	}
	s.use(ticks)
	rapid.Check(t, func(t *rapid.T) {
		ids := make([]uuid.UUID, rapid.IntRange(1, 4).Draw(t, "opportunities"))
		for i := range ids {
			o, err := s.all.Open(s.as(mei), draft(func(d *opportunity.Draft) {
				ready(d)
				d.Currency = []string{"CNY", "EUR"}[i%2]
			}))
			require.NoError(t, err)
			ids[i] = o.ID
		}
		people, seed := rapid.IntRange(1, 4).Draw(t, "people"), rapid.Uint64().Draw(t, "seed")
		var all sync.WaitGroup
		failed := make(chan error, people)
		for p := range people {
			all.Go(func() {
				r := rand.New(rand.NewPCG(seed, uint64(p)))
				for range 6 {
					if err := s.act(s.as(mei), ids[r.IntN(len(ids))], r); err != nil {
						failed <- err
						return
					}
				}
			})
		}
		all.Wait()
		close(failed)
		for err := range failed {
			require.NoError(t, err)
		}
		for _, id := range ids {
			s.wholeHistory(t, id)
		}
	})
	s.boardShowsTheList(t)
}

func (s *shop) wholeHistory(t require.TestingT, id uuid.UUID) {
	o, err := s.all.Read(s.as(mei), id)
	require.NoError(t, err)
	history, err := s.all.History(s.as(mei), id, 0, 200)
	require.NoError(t, err)
	require.Len(t, history, o.Moves)
	require.Equal(t, o.OpenedAt, history[0].EnteredAt)
	require.Empty(t, history[0].PreviousStage)
	var covered int64
	for i, e := range history {
		require.Equal(t, i+1, e.No)
		if i == 0 {
			continue
		}
		before := history[i-1]
		require.Equal(t, e.EnteredAt, before.LeftAt)
		require.Equal(t, []any{before.Stage, before.State, before.Seconds(s.now)}, []any{e.PreviousStage, e.PreviousState, e.PreviousSeconds})
		covered += e.PreviousSeconds
	}
	last := history[len(history)-1]
	require.Equal(t, []any{o.Stage, o.State, o.StageSince, true}, []any{last.Stage, last.State, last.EnteredAt, last.LeftAt.IsZero()})
	require.Equal(t, int64(o.StageSince.Sub(o.OpenedAt)/time.Second), covered, "moments are whole seconds here")
	require.Equal(t, o.State != opportunity.Open, !o.ClosedAt.IsZero())
	var sum int64
	for _, l := range o.Lines {
		require.Equal(t, l.Quantity*l.UnitMinor, l.AmountMinor)
		sum += l.AmountMinor
	}
	if len(o.Lines) > 0 {
		require.Equal(t, sum, o.AmountMinor)
	}
	require.Equal(t, o.Version, s.number(`SELECT seq FROM outbox_seq WHERE aggregate_type = 'opportunity' AND aggregate_id = $1`, id), "each change told of itself once")
}

// boardShowsTheList compares the board, and all pages of its stages, with what the list has.
func (s *shop) boardShowsTheList(t require.TestingT) {
	type key struct{ stage, currency string }
	counts, amounts, weighted := map[key]int64{}, map[key]int64{}, map[key]int64{}
	in := map[string][]uuid.UUID{}
	p := pipeline.Standard()
	for before := uuid.Nil; ; {
		page, err := s.all.List(s.as(mei), opportunity.Filter{State: opportunity.Open, Pipeline: "standard", Before: before}, 200)
		require.NoError(t, err)
		for _, o := range page {
			k := key{o.Stage, o.Currency}
			stage, _, _ := p.Stage(o.Stage)
			counts[k]++
			amounts[k] += o.AmountMinor
			weighted[k] += (o.AmountMinor*int64(stage.Probability) + 50) / 100
			in[o.Stage] = append(in[o.Stage], o.ID)
			before = o.ID
		}
		if len(page) < 200 {
			break
		}
	}
	for _, sort := range []opportunity.Sort{opportunity.SortClose, opportunity.SortAmount, opportunity.SortAge} {
		v := opportunity.View{Pipeline: "standard", Sort: sort, Cards: 2}
		_, columns, err := s.all.Board(s.as(mei), v)
		require.NoError(t, err)
		found := 0
		for _, c := range columns {
			require.EqualValues(t, len(in[c.Stage.Code]), c.Count)
			for _, sum := range c.Sums {
				k := key{c.Stage.Code, sum.Currency}
				require.Equal(t, []int64{counts[k], amounts[k], weighted[k]}, []int64{sum.Count, sum.AmountMinor, sum.WeightedMinor})
				found++
			}
			cards := c.Cards
			for next := c.Next; next != ""; {
				var more []opportunity.Card
				more, next, err = s.all.CardsOf(s.as(mei), v, c.Stage.Code, next, 3)
				require.NoError(t, err)
				cards = append(cards, more...)
			}
			var ids []uuid.UUID
			for _, card := range cards {
				ids = append(ids, card.ID)
			}
			require.ElementsMatch(t, in[c.Stage.Code], ids, "each card once, by pages")
			require.True(t, slices.IsSortedFunc(cards, func(a, b opportunity.Card) int {
				switch sort {
				case opportunity.SortAmount:
					return int(b.AmountMinor - a.AmountMinor)
				case opportunity.SortAge:
					return a.StageSince.Compare(b.StageSince)
				default:
					return a.ExpectedCloseOn.Compare(b.ExpectedCloseOn)
				}
			}))
		}
		require.Len(t, counts, found)
	}
}
