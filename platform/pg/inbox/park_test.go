package inbox

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

func TestAPoisonEventIsParkedAndOthersGoOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ field, code, error string }{
		{"poison", "apply_failed", "cannot stomach poison"},
		{"poison-sql", "apply_failed", "SELECT 1/0: ERROR: division by zero (SQLSTATE 22012)"},
		{"poison-panic", "panic", "panic: this customer has no name"},
	} {
		t.Run(c.field, func(t *testing.T) {
			t.Parallel()
			b := setup(t, plain(), true)
			b.changes(
				change{customer: "a", seq: 1}, change{customer: "b", seq: 1}, change{customer: "a", seq: 2, field: c.field},
				change{customer: "b", seq: 2}, change{customer: "a", seq: 3}, change{customer: "p", seq: 1, tenant: "pizza"})
			b.changes(change{customer: "a", seq: 4}, change{customer: "b", seq: 3}, change{customer: "a", seq: 2, field: c.field})

			require.Equal(t, []string{"a1"}, of(b.diary("music"), "a"))
			require.Equal(t, []string{"b1", "b2", "b3"}, of(b.diary("music"), "b"))
			require.Equal(t, []string{"p1"}, b.diary("pizza"))
			require.Equal(t, []string{"parked:a2", "queued:a3", "queued:a4"}, b.held())
			p := b.parked()
			require.Equal(t, c.code, p.Code)
			require.Equal(t, c.error, p.Error)
			require.Equal(t, maxTries, p.Tries)
			require.EqualValues(t, 2, p.QueueLength)
			require.EqualValues(t, 1, b.count("SELECT count(*) FROM outbox WHERE topic = $1", bus.DeadLetters(b.topic)), "a copy of the parked one only")

			_, err := Release(t.Context(), b.db, "music", p.ID, "olga")
			require.NoError(t, err)
			b.release()
			require.Equal(t, []string{"parked:a2", "queued:a3", "queued:a4"}, b.held(), "it failed again")
			require.Equal(t, 2*maxTries, b.parked().Tries)

			b.heal(c.field)
			_, err = Release(t.Context(), b.db, "music", p.ID, "olga")
			require.NoError(t, err)
			b.release()
			require.Empty(t, b.held())
			require.Equal(t, []string{"a1", "a2", "a3", "a4"}, of(b.diary("music"), "a"))
			b.changes(change{customer: "a", seq: 5})
			require.Equal(t, mark{1, 5}, b.cursor("music", "a"))
			require.EqualValues(t, 2, b.count("SELECT count(*) FROM inbox_audit WHERE action = 'release' AND actor = 'olga'"))
		})
	}
}

func TestManyPoisonEventsInABatch(t *testing.T) {
	t.Parallel()
	b := setup(t, plain(), true)
	var all []change
	for i := range 100 {
		c := change{customer: fmt.Sprintf("c%d-", i), seq: 1}
		if i%7 == 0 {
			c.field = "poison"
		}
		all = append(all, c, change{customer: c.customer, seq: 2})
	}
	b.changes(all...)
	require.Len(t, b.diary("music"), 2*(100-15))
	require.Len(t, b.held(), 2*15)
}

func TestAnEventThatRecoversIsNotParked(t *testing.T) {
	t.Parallel()
	b := setup(t, plain(), true)
	tries := 0
	b.engine.pause = func(_ context.Context, try int) {
		if tries = try; try == 3 {
			b.heal("poison")
		}
	}
	b.changes(change{customer: "a", seq: 1, field: "poison"}, change{customer: "a", seq: 2})
	require.Equal(t, 3, tries, "and then it was well")
	require.Equal(t, []string{"a1", "a2"}, b.diary("music"))
	require.Empty(t, b.held())
}

func TestAnUnorderedConsumerParksOnlyTheCulprit(t *testing.T) {
	t.Parallel()
	b := setup(t, plain(), false)
	b.changes(change{customer: "a", seq: 1, field: "poison"}, change{customer: "a", seq: 2}, change{customer: "a", seq: 1, field: "poison"})
	require.Equal(t, []string{"a2"}, b.diary("music"))
	require.Equal(t, []string{"parked:a1"}, b.held())
	b.heal("poison")
	_, err := Release(t.Context(), b.db, "music", b.parked().ID, "olga")
	require.NoError(t, err)
	b.release()
	b.changes(change{customer: "a", seq: 1})
	require.Equal(t, []string{"a2", "a1"}, b.diary("music"))
}

func TestDiscardClosesTheGap(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		given []change
		diary []string
	}{
		{"of a poison event", []change{{customer: "a", seq: 1}, {customer: "a", seq: 2, field: "poison"}, {customer: "a", seq: 3}, {customer: "a", seq: 4}}, []string{"a1", "a3", "a4", "a5"}},
		{"of one that is held for a gap", []change{{customer: "a", seq: 1}, {customer: "a", seq: 3}, {customer: "a", seq: 4}}, []string{"a1", "a4", "a5"}},
		{"with another gap behind it", []change{{customer: "a", seq: 1, field: "poison"}, {customer: "a", seq: 2}, {customer: "a", seq: 4}, {customer: "a", seq: 3}}, []string{"a2", "a3", "a4", "a5"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, plain(), true)
			b.changes(c.given...)
			_, err := Discard(t.Context(), b.db, "music", b.parked().ID, "olga", "a test order")
			require.NoError(t, err)
			b.release()
			b.changes(change{customer: "a", seq: 5})
			require.Equal(t, c.diary, b.diary("music"))
			require.Empty(t, b.held())
			require.EqualValues(t, 1, b.count("SELECT count(*) FROM inbox_discarded WHERE discarded_by = 'olga' AND reason = 'a test order'"))
			require.EqualValues(t, 1, b.count("SELECT count(*) FROM inbox_audit WHERE action = 'discard'"))
		})
	}
}

func TestReleaseAcceptsAGap(t *testing.T) {
	t.Parallel()
	b := setup(t, plain(), true)
	b.changes(change{customer: "a", seq: 1}, change{customer: "a", seq: 3}, change{customer: "a", seq: 4}, change{customer: "a", seq: 6})
	p := b.parked()
	require.Equal(t, codeGap, p.Code)
	require.EqualValues(t, 2, p.QueueLength)
	require.Zero(t, b.count("SELECT count(*) FROM outbox"), "what waits is no dead letter")
	_, err := Release(t.Context(), b.db, "music", p.ID, "olga")
	require.NoError(t, err)
	b.release()
	require.Equal(t, []string{"a1", "a3", "a4"}, b.diary("music"))
	require.Equal(t, []string{"parked:a6"}, b.held(), "held for the next gap")
	b.changes(change{customer: "a", seq: 2}, change{customer: "a", seq: 5})
	b.release()
	require.Equal(t, []string{"a1", "a3", "a4", "a5", "a6"}, b.diary("music"))
}

func TestOnlyTheFirstOfAQueueIsDecidedOn(t *testing.T) {
	t.Parallel()
	b := setup(t, plain(), true)
	b.changes(change{customer: "a", seq: 1, field: "poison"}, change{customer: "a", seq: 2})
	list, err := List(t.Context(), b.db, "music", Filter{State: "queued"})
	require.NoError(t, err)
	require.Len(t, list, 1)
	_, err = Release(t.Context(), b.db, "music", list[0].ID, "olga")
	require.ErrorIs(t, err, problem.New(problem.Conflict, "queued_behind_another", ""))
	_, err = Discard(t.Context(), b.db, "music", list[0].ID, "olga", "why not")
	require.ErrorIs(t, err, problem.New(problem.Conflict, "queued_behind_another", ""))
}

func TestAnotherTenantsParkedEventIsNotFound(t *testing.T) {
	t.Parallel()
	b := setup(t, plain(), true)
	b.changes(change{customer: "a", seq: 1, field: "poison"})
	id := b.parked().ID
	missing := problem.New(problem.NotFound, "parked_event_not_found", "")
	_, err := Show(t.Context(), b.db, "pizza", id)
	require.ErrorIs(t, err, missing)
	_, err = Release(t.Context(), b.db, "pizza", id, "paolo")
	require.ErrorIs(t, err, missing)
	_, err = Discard(t.Context(), b.db, "pizza", id, "paolo", "not mine")
	require.ErrorIs(t, err, missing)
	list, err := List(t.Context(), b.db, "pizza", Filter{})
	require.NoError(t, err)
	require.Empty(t, list)
}

func TestWhatCannotBeDecodedIsParkedByItsPlace(t *testing.T) {
	t.Parallel()
	broken := func(b *bundle, mend func(m *bus.Message)) bus.Message {
		m := b.messages(change{customer: "a", seq: 1})[0]
		mend(&m)
		return m
	}
	header := func(key, value string) func(m *bus.Message) {
		return func(m *bus.Message) {
			for i := range m.Headers {
				if m.Headers[i].Key == key {
					m.Headers[i].Value = []byte(value)
				}
			}
		}
	}
	cases := []struct {
		name   string
		mend   func(m *bus.Message)
		placed bool
	}{
		{"no headers", func(m *bus.Message) { m.Headers, m.Key, m.Value = nil, nil, nil }, false},
		{"no event id", header("ce_id", "one"), false},
		{"U+0000 in the tenant", header("ce_tenant", "mu\x00sic"), false},
		{"bytes that are no text", func(m *bus.Message) { m.Value = []byte{0xff, 0, 0xfe} }, false},
		{"another message in the value", func(m *bus.Message) { m.Value = []byte(`{"customerId": {}}`) }, true},
		{"no JSON", func(m *bus.Message) { m.Value = []byte(`{`) }, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, plain(), true)
			bad := broken(b, c.mend)
			b.give(append([]bus.Message{bad}, b.messages(change{customer: "b", seq: 1})...)...)
			require.Equal(t, []string{"b1"}, b.diary("music"))
			p := b.parked()
			require.Equal(t, codeUndecodable, p.Code)
			require.Equal(t, place{b.topic, 0, 0}, place{p.Topic, p.Partition, p.Offset})
			require.Equal(t, c.placed, p.Tenant == "music")
			whole, err := Show(t.Context(), b.db, "", p.ID)
			require.NoError(t, err)
			require.Equal(t, bad.Value, whole.Payload)
			require.Len(t, whole.Headers, len(bad.Headers))
			if !c.placed {
				list, err := List(t.Context(), b.db, "music", Filter{})
				require.NoError(t, err)
				require.Empty(t, list, "it may be another tenant's")
			}
			require.EqualValues(t, 1, b.count("SELECT count(*) FROM outbox WHERE topic = $1", bus.DeadLetters(b.topic)))

			_, err = Release(t.Context(), b.db, "", p.ID, "root")
			require.NoError(t, err)
			b.release()
			require.Equal(t, codeUndecodable, b.parked().Code, "it still cannot be decoded")
			_, err = Discard(t.Context(), b.db, "", p.ID, "root", "garbage")
			require.NoError(t, err)
			require.Empty(t, b.held())
		})
	}
}

func TestInfrastructureParksNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		err  error
	}{
		{"a service that is away", problem.New(problem.Unavailable, "away", "Away.")},
		{"a service that is busy", fmt.Errorf("ask: %w", problem.New(problem.TooMany, "busy", "Busy."))},
		{"a table that is not migrated yet", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, plain(), true)
			if c.err != nil {
				b.failWith(c.err)
			} else {
				b.admin("ALTER TABLE diary RENAME TO later")
			}
			msgs := b.messages(change{customer: "a", seq: 1}, change{customer: "a", seq: 2})
			for range 2 * maxTries {
				require.Error(t, b.try(msgs...))
			}
			require.Empty(t, b.held())
			require.Zero(t, b.position())
			b.failWith(nil)
			if c.err == nil {
				b.admin("ALTER TABLE later RENAME TO diary")
			}
			b.give(msgs...)
			require.Equal(t, []string{"a1", "a2"}, b.diary("music"))
		})
	}
}

func TestAKilledConnectionParksNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, plain(), true)
	apply := b.consumer.Apply
	kill := true
	b.engine.consumer.Apply = func(ctx context.Context, tx *pg.Tx, events []Event) error {
		if err := apply(ctx, tx, events); err != nil {
			return err
		}
		if kill { // between the effects and the commit
			if _, err := b.database.Terminate(ctx, pg.App); err != nil {
				return err
			}
			return tx.Flush(ctx)
		}
		return nil
	}
	msgs := b.messages(change{customer: "a", seq: 1}, change{customer: "a", seq: 2})
	for range 2 * maxTries {
		require.Error(t, b.try(msgs...))
	}
	kill = false
	require.Eventually(t, func() bool { return b.try(msgs...) == nil }, 20*time.Second, 20*time.Millisecond)
	require.Equal(t, []string{"a1", "a2"}, b.diary("music"))
	require.Empty(t, b.held())
}

func TestADeferredConstraintIsTheEventsFault(t *testing.T) {
	t.Parallel()
	b := setup(t, plain(), true)
	b.admin(`ALTER TABLE diary ADD UNIQUE (tenant_id, field) DEFERRABLE INITIALLY DEFERRED`)
	b.changes(change{customer: "a", seq: 1, field: "x"}, change{customer: "b", seq: 1, field: "x"}, change{customer: "c", seq: 1, field: "y"})
	require.Equal(t, []string{"a1", "c1"}, b.diary("music"))
	require.Equal(t, []string{"parked:b1"}, b.held())
}
