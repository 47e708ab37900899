package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	lilysMerge = `{"merge_id":"g1","survivor_id":"c1","absorbed_id":"c2","reason":"phone_and_sound","merged_at":"2026-11-26T08:00:00Z",
		"merged_by":"matching","undo_until":"2027-02-24T08:00:00Z"}`
	lilysUndone = `{"merge_id":"g0","survivor_id":"c1","absorbed_id":"c2","reason":"duplicate","merged_at":"2026-11-25T08:00:00Z",
		"merged_by":"chen","undone_at":"2026-11-25T09:00:00Z","undone_by":"wang"}`
	lilysPair = `{"duplicate_id":"d1","customers":[{"customer_id":"c1","display_name":"李雷"},{"customer_id":"c2","display_name":"Li Lei"}],
		"score":95,"result":"automatic","rule":"phone_and_sound","criteria":["identity.phone","name_sound"],"state":"open",
		"found_at":"2026-11-26T08:00:00Z","left_because":"several_match"}`
)

func TestMergesAreListedShownAndUndone(t *testing.T) {
	t.Parallel()
	args := serve(t, map[string]string{
		"GET /v1/customers/c1/merges?limit=200":     `{"items":[` + lilysMerge + `,` + lilysUndone + `]}`,
		"GET /v1/merges/g1":                         lilysMerge,
		"POST /v1/merges/g1/undo":                   lilysUndone,
		"GET /v1/duplicates?limit=200&state=open":   `{"items":[` + lilysPair + `]}`,
		"POST /v1/duplicates/d1/accept":             lilysMerge,
		"POST /v1/duplicates/d1/dismiss":            strings.Replace(lilysPair, `"open"`, `"dismissed","decided_by":"chen"`, 1),
		"GET /v1/duplicates?limit=200&state=thrown": `{"items":[]}`,
	})
	for command, want := range map[string]string{
		"merge list c1": `ID  SURVIVOR  ABSORBED  MERGED                BY        WHY              STANDS
g1  c1        c2        2026-11-26T08:00:00Z  matching  phone_and_sound  can be undone until 2027-02-24T08:00:00Z
g0  c1        c2        2026-11-25T08:00:00Z  chen      duplicate        undone 2026-11-25T09:00:00Z by wang
`,
		"merge show g1": `merge     g1
survivor  c1
absorbed  c2
merged    2026-11-26T08:00:00Z by matching, phone_and_sound
stands    can be undone until 2027-02-24T08:00:00Z
`,
		"merge undo g1": `merge     g0
survivor  c1
absorbed  c2
merged    2026-11-25T08:00:00Z by chen, duplicate
stands    undone 2026-11-25T09:00:00Z by wang
`,
		"merge pairs": `PAIR  SCORE  RULE             RESULT     LEFT BECAUSE   STANDS  CUSTOMER  AND  NAMES
d1    95     phone_and_sound  automatic  several_match  open    c1        c2   李雷 / Li Lei
`,
		"merge accept d1": `merge     g1
survivor  c1
absorbed  c2
merged    2026-11-26T08:00:00Z by matching, phone_and_sound
stands    can be undone until 2027-02-24T08:00:00Z
`,
		"merge dismiss d1": `PAIR  SCORE  RULE             RESULT     LEFT BECAUSE   STANDS             CUSTOMER  AND  NAMES
d1    95     phone_and_sound  automatic  several_match  dismissed by chen  c1        c2   李雷 / Li Lei
`,
		"merge pairs --state thrown": "PAIR  SCORE  RULE  RESULT  LEFT BECAUSE  STANDS  CUSTOMER  AND  NAMES\n",
	} {
		out, err := run(t, append(strings.Fields(command), args...)...)
		require.NoError(t, err, command)
		require.Equal(t, want, out, command)
	}
	out, err := run(t, append([]string{"merge", "list", "c1", "-o", "json"}, args...)...)
	require.NoError(t, err)
	require.Contains(t, out, `"merged_by": "matching"`)
}

func TestAMergeIsTriedAndMade(t *testing.T) {
	t.Parallel()
	var heard string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if heard = r.URL.Path + " " + string(body); !strings.Contains(heard, "dry_run") {
			_, _ = io.WriteString(w, lilysMerge)
			return
		}
		_, _ = io.WriteString(w, `{"survivor_id":"c1","absorbed_id":"c2","reason":"duplicate","fields":[
			{"field":"given_name","value":"Lei","from":"c2","rule":"oldest"},{"field":"custom.allergy","value":"","rule":"oldest","from":"c1","withheld":true},
			{"field":"tags","value":"club,vip","rule":"both"}]}`)
	}))
	defer server.Close()
	at := []string{"--server", server.URL, "--token", "t"}
	out, err := run(t, append(at, "merge", "make", "c1", "c2", "--dry-run", "--rule", "oldest")...)
	require.NoError(t, err)
	require.Equal(t, `/v1/customers/c1/merges {"absorbed_id":"c2","dry_run":true,"reason":"duplicate","rule":"oldest"}`, heard)
	require.Equal(t, `survivor  c1
absorbed  c2

FIELD           WOULD BE    OF    BY THE RULE
given_name      Lei         c2    oldest
custom.allergy  (withheld)  c1    oldest
tags            club,vip    both  both
`, out)
	out, err = run(t, append(at, "merge", "make", "c1", "c2")...)
	require.NoError(t, err)
	require.Equal(t, `/v1/customers/c1/merges {"absorbed_id":"c2","reason":"duplicate"}`, heard)
	require.Contains(t, out, "merge     g1\n")
	_, err = run(t, append(at, "merge", "make", "c1")...)
	require.ErrorContains(t, err, "accepts 2 arg(s)")
}

func TestPointsOfMergedCustomersAreShownTogether(t *testing.T) {
	t.Parallel()
	at := serve(t, map[string]string{
		"GET /v1/members/m1": lilysMember,
		"GET /v1/members/m1/balance": `{"member_id":"m1","available":70,"pending":5,"debt":0,"as_of":"2026-02-06T08:00:00Z",
			"own":{"customer_id":"c1","available":40,"pending":5,"debt":0}}`,
		"GET /v1/members/m1/explanation?limit=51": `{"member_id":"m1","available":40,"pending":0,"debt":0,"open_lots_total":0,"open_lots":[],
			"pooled_with":[{"member_id":"m2","customer_id":"c2","available":30,"pending":0,"debt":0}],"items":[
			{"entry_id":"e2","kind":"spend","points":60,"available":-60,"pending":0,"debt":0,"available_after":40,"reason_type":"reward","part_of":"e0",
				"booked_at":"2026-02-02T08:00:00Z","effective_at":"2026-02-02T08:00:00Z"},
			{"entry_id":"e1","kind":"earn","points":100,"available":100,"pending":0,"debt":0,"available_after":100,"reason_type":"order",
				"reason_id":"o1","booked_at":"2026-01-02T08:00:00Z","effective_at":"2026-01-02T08:00:00Z"}]}`,
	})
	out, err := run(t, append(at, "points", "explain", "--member", "m1")...)
	require.NoError(t, err)
	require.Equal(t, `Card 9274 0183 6552 8809, member since 2026-01-02: 40 points to spend.

Others who are the same customer since a merge; what all of them have is spent together, what runs out soonest first:
TO SPEND  LOCKED  OWED  MEMBER  CUSTOMER
30        0       0     m2      c2

What happened, the latest first, and what there was to spend, locked and owed after it:
BOOKED               TO SPEND  LOCKED  OWED  WHAT
2026-02-02 08:00:00  40        0       0     60 spent on reward; a part of the spend e0 of another member who is the same customer
2026-01-02 08:00:00  100       0       0     100 earned for order o1
`, out)
	out, err = run(t, append(at, "points", "balance", "--member", "m1")...)
	require.NoError(t, err)
	require.Equal(t, `TO SPEND  LOCKED  OWED  AS OF
70        5       0     2026-02-06T08:00:00Z

This is of several members who are one customer. Of it, this member's own:
TO SPEND  LOCKED  OWED  CUSTOMER
40        5       0     c1
`, out)
}
