package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

func TestPercentileIsASampleThatTheShareDoesNotExceed(t *testing.T) {
	t.Parallel()
	var hundred []time.Duration
	for i := 100; i >= 1; i-- {
		hundred = append(hundred, time.Duration(i))
	}
	for _, c := range []struct {
		samples []time.Duration
		p       float64
		want    time.Duration
	}{
		{hundred, 0.5, 50}, {hundred, 0.99, 99}, {hundred, 1, 100}, {hundred, 0, 1},
		{[]time.Duration{7}, 0.99, 7}, {[]time.Duration{1, 2, 3}, 0.5, 2}, {nil, 0.5, 0},
	} {
		require.Equal(t, c.want, percentile(c.samples, c.p), "%v of %d", c.p, len(c.samples))
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	require.Zero(t, median(nil))
	require.InDelta(t, 2, median([]float64{9, 1, 2}), 0)
	require.InDelta(t, 2.5, median([]float64{9, 1, 2, 3}), 0)
}

func TestResultIsATableAndOneLineOfJSON(t *testing.T) {
	t.Parallel()
	rows := []row{
		row{Name: "rate", Unit: "/s", Measured: 61}.against("plain", 100).shareReached(),
		row{Name: "delay", Unit: "ms", Measured: 7.25}.atMost(5),
		{Name: "only told", Unit: "MB", Measured: 1234.5},
	}
	var out bytes.Buffer
	require.NoError(t, newResult(rows, "file.txt", 1500*time.Millisecond).write(&out))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 5)
	require.Regexp(t, `^rate +61 /s +100 /s \(plain\) +0\.61 +ratio ≥ 0\.60 +yes$`, lines[1])
	require.Regexp(t, `^delay +7\.25 ms +- +- +≤ 5 +no$`, lines[2])
	require.Regexp(t, `^only told +1234 MB +- +- +- +-$`, lines[3])
	var got result
	require.NoError(t, json.Unmarshal([]byte(lines[4]), &got))
	require.False(t, got.OK, "one figure is not reached")
	require.Equal(t, "file.txt", got.Source)
	require.InDelta(t, 1.5, got.Seconds, 0)
	require.Len(t, got.Figures, 3)
	require.Nil(t, got.Figures[2].Reached)
}

func TestScriptVariesWhatTellsOneRequestFromAnother(t *testing.T) {
	t.Parallel()
	const a, b = "0193a5b0-0000-7000-8000-000000000001", "0193a5b0-0000-7000-8000-000000000002"
	s := newScript("12345678", "87654321")
	s.learn(`{"customer_id":"`+a+`","phone":"+8612345678"}`, `{"customer_id":"`+b+`","phone":"+8687654321"}`)

	require.Equal(t, "(:c1)::text", s.value("text", "bench", "bench"), "the same in both: a constant")
	require.Equal(t, "NULL::uuid", s.null("uuid"))
	require.Equal(t, "(((:c2)::text || "+uuidOf("u1")+" || (:c3)::text))::uuid[]", s.value("uuid[]", "{"+a+"}", "{"+b+"}"))
	require.Equal(t, "(((:c4)::text || (:serial)::text))::text", s.value("text", "+8612345678", "+8687654321"))
	require.Equal(t, "sha256(convert_to((:h1)::text, 'UTF8'))", s.value("bytea", `\xff01`, `\xfe02`), "no text: a hash")
	require.Equal(t, "convert_to((:c5)::text || "+uuidOf("u1")+", 'UTF8')",
		s.value("bytea", `\x6964`+hexText(a), `\x6964`+hexText(b)), "text within bytes")
	require.Equal(t, "ARRAY[:shard]::smallint[]", s.value("smallint[]", "{3}", "{9}"))
	require.Equal(t, "(:shard)::smallint", s.value("smallint", "3", "3"), "equal by chance")
	require.Equal(t, "(:c6)::text", s.value("text", "12:00:01", "12:00:02"), "what need not differ stays as it was")
	require.Equal(t, []string{"bench", "{", "}", "+86", "id", "12:00:01"}, s.constants)
}

func TestScriptOfOneMemberVariesCountersAndDigests(t *testing.T) {
	t.Parallel()
	const member = "00000000-0000-7000-8000-000010000000"
	const a, b = "0193a5b0-0000-7000-8000-000000000001", "0193a5b0-0000-7000-8000-000000000002"
	s := newScript("10000000", "10000000")
	s.learn(a, b)
	require.Equal(t, "(((:c1)::text || (:serial)::text))::uuid", s.value("uuid", member, member), "the same in both, and the serial number in it")
	require.Equal(t, "(:n1)::bigint", s.value("bigint", "4", "5"))
	require.Equal(t, "(:c2)::bigint", s.value("bigint", "10", "10"))
	require.Equal(t, "((:c3)::text || md5((:h1)::text))::text",
		s.value("text", "http/"+strings.Repeat("a", 32), "http/"+strings.Repeat("b", 32)))
	require.Equal(t, "('')::text", s.value("text", "", ""))
	require.Equal(t, "convert_to((:c4)::text || (:serial)::text || (:c5)::text || "+uuidOf("u1")+", 'UTF8')",
		s.value("bytea", `\x`+hexText("of "+member+" "+a), `\x`+hexText("of "+member+" "+b)))
	require.Equal(t, []string{"00000000-0000-7000-8000-0000", "10", "http/", "of 00000000-0000-7000-8000-0000", " "}, s.constants)
	require.Contains(t, s.text(10_000_000, 10_000_999), "\\set serial random(10000000, 10000999)\n\\set shard :serial % 16\n")
}

func TestLatenessIsCountedFromTheStepBefore(t *testing.T) {
	t.Parallel()
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	require.Equal(t, []time.Duration{20 * time.Millisecond, 30 * time.Millisecond}, remindersOf(client.Complaint{Steps: []client.Step{
		{Action: "register", At: at(0)}, {Action: "assign", At: at(500)}, {Action: "remind", At: at(1520)}, {Action: "remind", At: at(2550)},
	}}, time.Second))
}

func hexText(s string) string { return hex.EncodeToString([]byte(s)) }

func TestTheTurnInTheMiddle(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	still := turns{{1 * ms, 2 * ms}, {1 * ms, 90 * ms}, {1 * ms, 4 * ms}} // the machine stood still in the second
	require.InDelta(t, 4, still.middle(0.99), 1e-9)
	require.InDelta(t, 90, still.all(0.99), 1e-9, "but it is not hidden")
	require.InDelta(t, 1, still.all(0.5), 1e-9)
}
