package bus_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/bustest"
)

func TestReadersSayWhoReadsWhatAndHowFarTheyAre(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	c := bustest.New(t)
	sales, loyalty, other := bustest.Topic(t, c, "sales"), bustest.Topic(t, c, "loyalty"), bustest.Topic(t, c, "other")
	erp, gone, foreign := "erp."+bustest.Service(t), "gone."+bustest.Service(t), "foreign."+bustest.Service(t)

	began := time.Now().Add(-time.Minute)
	produce(ctx, t, c, sales, 3, numbered(0, 5))
	l := newLedger()
	stop := subscribe(t, c, l.subscription("a", erp, sales, loyalty))
	l.arrives(t, sales, 3, 5)
	leave := subscribe(t, c, newLedger().subscription("b", gone, sales))
	away := subscribe(t, c, newLedger().subscription("c", foreign, other))

	find := func(group string) (r bus.Reader, there bool) {
		ours := func(name string) bool { return strings.HasSuffix(name, group[strings.IndexByte(group, '.'):]) }
		readers, err := c.Readers(ctx, func(topic string) bool { return topic == sales || topic == loyalty }, ours)
		require.NoError(t, err)
		require.LessOrEqual(t, len(readers), 1)
		if len(readers) == 0 {
			return bus.Reader{}, false
		}
		return readers[0], true
	}
	caughtUp := func(group string, members int) func() bool {
		return func() bool {
			r, there := find(group)
			return there && len(r.Members) == members && r.Topics[len(r.Topics)-1].Topic == sales && r.Topics[len(r.Topics)-1].Committed > 0 && r.Topics[len(r.Topics)-1].Lag == 0
		}
	}
	eventually(t, "the group has read all", caughtUp(erp, 1))
	r, _ := find(erp)
	require.Equal(t, erp, r.Group)
	require.NotEmpty(t, r.Members[0].Host)
	require.Len(t, r.Topics, 2, "a topic of which it has read nothing is assigned to it all the same")
	require.Equal(t, bus.Partitions, r.Topics[1].Partitions)
	require.True(t, r.Topics[1].Oldest.IsZero())

	eventually(t, "the other group has read all", caughtUp(gone, 1))
	leave()
	stop()
	produce(ctx, t, c, sales, 3, numbered(5, 7))
	eventually(t, "nobody is in the group and it falls behind", func() bool {
		r, there := find(gone)
		return there && len(r.Members) == 0 && len(r.Topics) == 1 && r.Topics[0].Lag == 7
	})
	r, _ = find(gone)
	require.True(t, r.Topics[0].Oldest.After(began), "the oldest message that it has not read is of %s", r.Topics[0].Oldest)
	_, there := find(foreign)
	require.False(t, there, "who reads other topics is nobody's business here")
	away()
}
