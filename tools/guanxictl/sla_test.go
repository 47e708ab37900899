package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const lateAnswer = `{"ticket_id":"01a2-1","number":"T-000007","status":"pending","at":"2026-03-09T04:00:00Z","grade":"A","tier":"gold",
	"policy":{"policy_id":"p1","version":2,"name":"Gold","reopening":"first"},
	"calendar":{"calendar_id":"c1","version":3,"time_zone":"Asia/Shanghai"},
	"next":{"clock":"first_response","due_at":"2026-03-09T01:30:00Z"},
	"clocks":[
		{"clock":"first_response","round":1,"state":"breached","priority":3,"started_at":"2026-03-06T09:30:00Z","target_minutes":60.00,
			"due_at":"2026-03-09T01:30:00Z","used_minutes":210.00,"difference_minutes":-150.00,"pauses":[],
			"steps":[{"percent":80,"reached_at":"2026-03-09T01:18:00Z"},{"percent":100,"reached_at":"2026-03-09T01:30:00Z"}],
			"worked":[{"from":"2026-03-06T09:30:00Z","to":"2026-03-06T10:00:00Z","minutes":30.00,"total_minutes":30.00},
				{"from":"2026-03-09T01:00:00Z","to":"2026-03-09T01:30:00Z","minutes":30.00,"total_minutes":60.00}]},
		{"clock":"next_response","round":2,"state":"cancelled","priority":3,"started_at":"2026-03-06T09:30:00Z","target_minutes":120.00,
			"cancelled_at":"2026-03-06T09:31:00Z","used_minutes":1.00,"difference_minutes":119.00,"pauses":[],"steps":[],"worked":[]},
		{"clock":"resolution","round":1,"state":"paused","priority":3,"started_at":"2026-03-06T09:30:00Z","target_minutes":480.00,
			"used_minutes":45.00,"difference_minutes":435.00,"pauses":[{"from":"2026-03-09T01:15:00Z"}],"steps":[{"percent":100}],"worked":[]}]}`

func TestADeadlineIsExplained(t *testing.T) {
	t.Parallel()
	at := serve(t, map[string]string{
		"GET /v1/tickets/lookup?number=T-000007":                   `{"ticket_id":"01a2-1","number":"T-000007"}`,
		"GET /v1/tickets/lookup?number=7":                          `{"ticket_id":"01a2-1","number":"T-000007"}`,
		"GET /v1/tickets/01a2-1/sla":                               lateAnswer,
		"GET /v1/tickets/01a2-1/sla?at=2026-03-09T04%3A00%3A00Z":   lateAnswer,
		"GET /v1/tickets/00000000-0000-7000-8000-000000000001/sla": `{"number":"T-000008","status":"new","clocks":[]}`,
	})
	for _, args := range []string{"T-000007", "7", "T-000007 --at 2026-03-09T04:00:00Z"} {
		out, err := run(t, append(append([]string{"sla", "explain"}, strings.Fields(args)...), at...)...)
		require.NoError(t, err)
		for _, want := range []string{
			"T-000007 is pending", "Gold, version 2, of a customer of grade A and tier gold", "c1, version 3, Asia/Shanghai",
			"first response: breached", "60.00 business minutes, of priority 3", "Mon 2026-03-09 09:30:00 CST", "makes 60.00",
			"210.00 business minutes, 150.00 too many", "next response, round 2: cancelled", "as the ticket was resolved without a reply",
			"resolution: paused", "and lasts", "not while it is paused", "45.00 business minutes, 435.00 left",
		} {
			require.Contains(t, out, want)
		}
	}
	out, err := run(t, append([]string{"sla", "explain", "00000000-0000-7000-8000-000000000001"}, at...)...)
	require.NoError(t, err)
	require.Contains(t, out, "nothing is promised")
	out, err = run(t, append([]string{"sla", "explain", "7", "-o", "json"}, at...)...)
	require.NoError(t, err)
	require.Contains(t, out, `"total_minutes": 60`)
	for _, c := range []struct{ args, want string }{
		{"sla explain", "accepts 1 arg(s)"}, {"sla explain 7 --at yesterday", "--at:"}, {"sla explain 7 --at start", "--at:"},
	} {
		_, err := run(t, append(strings.Fields(c.args), at...)...)
		require.ErrorContains(t, err, c.want)
	}
}
