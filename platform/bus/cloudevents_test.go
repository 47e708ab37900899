package bus_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/bus"
)

func orderPlaced() bus.Event {
	return bus.Event{
		ID:   uuid.MustParse("0192f3a1-b2c4-7d5e-8f60-718293a4b5c6"),
		Type: "guanxi.sales.events.v1.OrderPlaced", Source: "/guanxi/sales", Tenant: "music",
		AggregateType: "order", AggregateID: "0192f3a1-0000-7000-8000-000000000001",
		Sequence: 3, Epoch: 2, Time: time.Date(2026, 11, 22, 8, 30, 0, 120_000_000, time.UTC),
		Schema: "guanxi.sales.events.v1.OrderPlaced.json",
		Trace:  map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "k=v"},
		Data:   []byte(`{"orderId":"0192f3a1-0000-7000-8000-000000000001","totalMinor":"1299"}`),
	}
}

// What integrators see, byte for byte.
func TestEncodeIsWhatTheWireSays(t *testing.T) {
	t.Parallel()
	m := bus.Encode(orderPlaced())
	type header struct{ Key, Value string }
	got := struct {
		Key     string
		Headers []header
		Value   json.RawMessage
	}{Key: string(m.Key), Value: m.Value}
	for _, h := range m.Headers {
		got.Headers = append(got.Headers, header{h.Key, string(h.Value)})
	}
	text, err := json.MarshalIndent(got, "", "  ")
	require.NoError(t, err)
	want, err := os.ReadFile("testdata/order_placed.json")
	require.NoError(t, err)
	require.Equal(t, string(want), string(text)+"\n")
}

func TestDecodeGivesBackWhatWasEncoded(t *testing.T) {
	t.Parallel()
	plain := orderPlaced()
	plain.Trace, plain.Schema, plain.Epoch = nil, "", 1
	tenant := orderPlaced()
	tenant.AggregateType, tenant.AggregateID = "tenant", "music"
	for name, want := range map[string]bus.Event{"full": orderPlaced(), "plain": plain, "slug as id": tenant} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := bus.Encode(want)
			m.Topic, m.Offset = "guanxi.sales.events.v1", 42
			got, err := bus.Decode(m)
			require.NoError(t, err)
			want.Topic, want.Offset, want.Partition = m.Topic, 42, bus.Shard(want.Tenant, want.AggregateType, want.AggregateID)
			require.Equal(t, want, got)
		})
	}
}

func TestDecodeSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	set := func(key, value string) func(*bus.Message) {
		return func(m *bus.Message) {
			for i := range m.Headers {
				if m.Headers[i].Key == key {
					m.Headers[i].Value = []byte(value)
				}
			}
		}
	}
	drop := func(key string) func(*bus.Message) {
		return func(m *bus.Message) {
			for i := range m.Headers {
				if m.Headers[i].Key == key {
					m.Headers[i].Key = "x-" + key
				}
			}
		}
	}
	add := func(key, value string) func(*bus.Message) {
		return func(m *bus.Message) { m.Headers = append(m.Headers, bus.Header{Key: key, Value: []byte(value)}) }
	}
	for name, c := range map[string]struct {
		spoil  func(*bus.Message)
		header string
		reason string
	}{
		"no headers at all":    {func(m *bus.Message) { m.Headers = nil }, "ce_specversion", "missing"},
		"no id":                {drop("ce_id"), "ce_id", "missing"},
		"no type":              {drop("ce_type"), "ce_type", "missing"},
		"no source":            {drop("ce_source"), "ce_source", "missing"},
		"no subject":           {drop("ce_subject"), "ce_subject", "missing"},
		"no time":              {drop("ce_time"), "ce_time", "missing"},
		"no tenant":            {drop("ce_tenant"), "ce_tenant", "missing"},
		"no sequence":          {drop("ce_sequence"), "ce_sequence", "missing"},
		"no content type":      {drop("content-type"), "content-type", "missing"},
		"empty tenant":         {set("ce_tenant", ""), "ce_tenant", "empty"},
		"two ids":              {add("ce_id", uuid.NewString()), "ce_id", "twice"},
		"two tenants":          {add("ce_tenant", "pizza"), "ce_tenant", "twice"},
		"id is no UUID":        {set("ce_id", "7"), "ce_id", "UUID"},
		"sequence is a word":   {set("ce_sequence", "three"), "ce_sequence", "whole number"},
		"sequence is zero":     {set("ce_sequence", "0"), "ce_sequence", "whole number"},
		"sequence too large":   {set("ce_sequence", "9223372036854775808"), "ce_sequence", "whole number"},
		"sequence is negative": {set("ce_sequence", "-1"), "ce_sequence", "whole number"},
		"time is a date":       {set("ce_time", "2026-11-22"), "ce_time", "RFC 3339"},
		"subject has no type":  {set("ce_subject", "/1"), "ce_subject", "aggregate"},
		"subject has no id":    {set("ce_subject", "order/"), "ce_subject", "aggregate"},
		"subject has no slash": {set("ce_subject", "order"), "ce_subject", "aggregate"},
		"epoch is a word":      {set("ce_source", "/guanxi/sales?epoch=x"), "ce_source", "epoch"},
		"epoch is zero":        {set("ce_source", "/guanxi/sales?epoch=0"), "ce_source", "epoch"},
		"source is a query":    {set("ce_source", "?epoch=1"), "ce_source", "path"},
		"other version":        {set("ce_specversion", "0.3"), "ce_specversion", "1.0"},
		"structured mode":      {set("content-type", "application/cloudevents+json"), "content-type", "application/json"},
		"protobuf":             {set("content-type", "application/protobuf"), "content-type", "application/json"},
		"no media type":        {set("content-type", ";;"), "content-type", "application/json"},
		"tenant not UTF-8":     {set("ce_tenant", "\xff\xfe"), "ce_tenant", "UTF-8"},
		"tenant with U+0000":   {set("ce_tenant", "mu\x00sic"), "ce_tenant", "U+0000"},
		"tombstone":            {func(m *bus.Message) { m.Value = nil }, "", "empty"},
		"value not UTF-8":      {func(m *bus.Message) { m.Value = []byte("{\"a\":\"\xff\"}") }, "", "UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := bus.Encode(orderPlaced())
			c.spoil(&m)
			_, err := bus.Decode(m)
			var d *bus.DecodeError
			require.ErrorAs(t, err, &d)
			require.Equal(t, c.header, d.Header)
			require.Contains(t, d.Reason, c.reason)
		})
	}
}

func TestDecodeLeavesAloneWhatItNeedNotKnow(t *testing.T) {
	t.Parallel()
	m := bus.Encode(orderPlaced())
	for i := range m.Headers {
		switch m.Headers[i].Key {
		case "content-type":
			m.Headers[i].Value = []byte("Application/JSON; charset=UTF-8")
		case "ce_source":
			m.Headers[i].Value = []byte("/guanxi/sales")
		case "traceparent":
			m.Headers[i].Value = []byte("\xff")
		}
	}
	m.Headers = append(m.Headers, bus.Header{Key: "x-shop", Value: []byte("\xff\x00")}, bus.Header{Key: "x-shop"}, bus.Header{})
	e, err := bus.Decode(m)
	require.NoError(t, err)
	require.Equal(t, 1, e.Epoch)
	require.Equal(t, map[string]string{"tracestate": "k=v"}, e.Trace)
}

// An aggregate's partition is for life: these numbers may never change.
func TestShardIsForLife(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		tenant, kind, id string
		want             int
	}{
		{"music", "order", "0192f3a1-0000-7000-8000-000000000001", 1},
		{"pizza", "order", "0192f3a1-0000-7000-8000-000000000001", 6},
		{"music", "customer", "0192f3a1-0000-7000-8000-000000000001", 9},
		{"music", "tenant", "music", 15},
	} {
		require.Equal(t, c.want, bus.Shard(c.tenant, c.kind, c.id), "%v", c)
	}
	require.NotEqual(t, bus.Shard("ab", "c", "x"), bus.Shard("a", "bc", "x"), "parts must not run into each other")
	seen := map[int]int{}
	for range 1600 {
		seen[bus.Shard("music", "order", uuid.NewString())]++
	}
	require.Len(t, seen, bus.Partitions)
}

func FuzzDecode(f *testing.F) {
	f.Add("ce_id", "x", "ce_sequence", "1", "{}")
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2, value string) {
		m := bus.Encode(orderPlaced())
		m.Headers = append(m.Headers, bus.Header{Key: k1, Value: []byte(v1)}, bus.Header{Key: k2, Value: []byte(v2)})
		m.Value = []byte(value)
		if _, err := bus.Decode(m); err != nil && !strings.HasPrefix(err.Error(), "message is not an event: ") {
			t.Fatal(err)
		}
	})
}
