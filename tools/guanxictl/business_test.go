package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBadDecisionsAreRefusedBeforeTheyAreSent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, want string }{
		{"points balance", "at least one of the flags"},
		{"points balance --member 1 --customer 2", "none of the others can be"},
		{"points explain --member 1 extra", "unknown command"},
		{"points balance --member 1 --at yesterday", "--at:"},
		{"points balance --member 1 --at start", "--at:"},
		{"complaint decide 1", "accepts 2 arg(s)"},
		{"complaint decide 1 forgive", `no decision is called "forgive"`},
		{"complaint decide 1 assess", "either --severity or --not-admissible"},
		{"complaint decide 1 assess --severity 1 --not-admissible", "either --severity or --not-admissible"},
		{"complaint decide 1 approve --severity 1", "--severity belongs to assess, not to approve"},
		{"complaint decide 1 assign --person lei", "assign needs --unit"},
		{"complaint decide 1 find --finding founded", "find needs --cause"},
		{"complaint decide 1 propose --points 5", "propose needs --currency"},
		{"complaint decide 1 propose --currency CNY", "propose needs --points, --refund, --voucher"},
		{"complaint decide 1 propose --currency CNY --points 0", "--points has to be more than 0"},
		{"complaint decide 1 propose --currency CNY --refund 12", "not ORDER:AMOUNT_MINOR"},
		{"complaint decide 1 propose --currency CNY --refund 12:4.50", "not ORDER:AMOUNT_MINOR"},
		{"complaint decide 1 propose --currency CNY --voucher 0", "--voucher has to be more than 0"},
		{"complaint decide 1 decline", "decline needs --reason"},
		{"complaint decide 1 accept --unit kitchen", "--unit belongs to assign, not to accept"},
		{"complaint decide 1 verify", "verify needs --score"},
		{"complaint decide 1 prevent --do x --owner zhao --due tomorrow", "is no time"},
	} {
		_, err := run(t, append(strings.Fields(c.args), "--server", "http://127.0.0.1:1", "--token", "t")...)
		require.ErrorContains(t, err, c.want, c.args)
	}
}

// serve answers with the JSON of each path, or with what stands before a space as the status.
func serve(t *testing.T, answers map[string]string) (args []string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, known := answers[r.Method+" "+r.URL.RequestURI()]
		if !known {
			t.Errorf("unexpected: %s %s", r.Method, r.URL.RequestURI())
			w.WriteHeader(http.StatusTeapot)
			return
		}
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	return []string{"--server", server.URL, "--token", "t"}
}

const lilysMember = `{"member_id":"m1","customer_id":"c1","card_number":"9274018365528809","enrolled_at":"2026-01-02T08:00:00Z"}`

// lilysEntries are the entries of a member, the latest first.
const lilysEntries = `
	{"entry_id":"e5","kind":"grant","points":50,"available":0,"pending":0,"debt":-50,"available_after":0,"reason_type":"complaint",
		"reason_id":"k1","booked_at":"2026-02-05T08:00:00Z","effective_at":"2026-02-05T08:00:00Z"},
	{"entry_id":"e4","kind":"reversal","points":100,"available":0,"pending":0,"debt":100,"available_after":0,"reason_type":"order_return",
		"reason_id":"r1","booked_at":"2026-02-04T08:00:00Z","effective_at":"2026-02-03T08:00:00Z"},
	{"entry_id":"e3","kind":"spend","points":100,"available":-100,"pending":0,"debt":0,"available_after":0,"reason_type":"reward",
		"booked_at":"2026-02-02T08:00:00Z","effective_at":"2026-02-02T08:00:00Z"},
	{"entry_id":"e2","kind":"release","points":100,"available":100,"pending":-100,"debt":0,"available_after":100,"reason_type":"order",
		"reason_id":"o1","booked_at":"2026-02-02T08:00:00Z","effective_at":"2026-01-16T08:00:00Z"},
	{"entry_id":"e1","kind":"earn","points":100,"available":0,"pending":100,"debt":0,"available_after":0,"reason_type":"order",
		"reason_id":"o1","booked_at":"2026-01-02T08:00:00Z","effective_at":"2026-01-02T08:00:00Z"}`

func TestABalanceIsExplainedInWords(t *testing.T) {
	t.Parallel()
	at := serve(t, map[string]string{
		"GET /v1/members?customer_id=c1": `{"items":[` + lilysMember + `]}`,
		"GET /v1/members?customer_id=c2": `{"items":[]}`,
		"GET /v1/members/m1/balance":     `{"member_id":"m1","available":0,"pending":30,"debt":50,"as_of":"2026-02-06T08:00:00Z"}`,
		"GET /v1/members/m1/explanation?limit=51": `{"member_id":"m1","available":0,"pending":0,"debt":50,"open_lots_total":1,"open_lots":[
			{"lot_id":"e9","points":40,"remaining":30,"state":"locked","available_at":"2026-02-20T08:00:00Z","earned_at":"2026-02-06T08:00:00Z",
			"reason_type":"order","reason_id":"o9"}],"items":[` + lilysEntries + `]}`,
		"GET /v1/members/m1/explanation?limit=200": `{"member_id":"m1","debt":50,"open_lots":[],"items":[` + lilysEntries + `]}`,
	})
	out, err := run(t, append(at, "points", "explain", "--customer", "c1")...)
	require.NoError(t, err)
	require.Equal(t, `Card 9274 0183 6552 8809, member since 2026-01-02: 0 points to spend, 50 owed, which the next points pay first.

Where the points come from; they are spent in that order, what runs out first and then the oldest:
LEFT  OF  FROM        FOR       CAN BE SPENT     RUNS OUT
30    40  2026-02-06  order o9  from 2026-02-20  -

What happened, the latest first, and what there was to spend, locked and owed after it:
BOOKED               TO SPEND  LOCKED  OWED  WHAT
2026-02-05 08:00:00  0         0       50    50 given for complaint k1; 50 of them paid what was owed
2026-02-04 08:00:00  0         0       100   100 taken back for order return r1 of 2026-02-03; 100 of them had been spent already and are owed now
2026-02-02 08:00:00  0         0       0     100 spent on reward
2026-02-02 08:00:00  100       0       0     100 of order o1 unlocked, as of 2026-01-16
2026-01-02 08:00:00  0         100     0     100 earned for order o1; 100 of them locked
`, out)

	out, err = run(t, append(at, "points", "explain", "--customer", "c1", "-o", "json")...)
	require.NoError(t, err)
	var whole struct{ Items []any }
	require.NoError(t, json.Unmarshal([]byte(out), &whole))
	require.Len(t, whole.Items, 5)

	out, err = run(t, append(at, "points", "balance", "--customer", "c1")...)
	require.NoError(t, err)
	require.Equal(t, "TO SPEND  LOCKED  OWED  AS OF\n0         30      50    2026-02-06T08:00:00Z\n", out)
	_, err = run(t, append(at, "points", "balance", "--customer", "c2")...)
	require.ErrorContains(t, err, "no member yet")
}

// TestWhatRunsOutIsShown has a member of a programme of its own, with points that ran out, were taken by hand, and were spent
// together with another member's.
func TestWhatRunsOutIsShown(t *testing.T) {
	t.Parallel()
	at := serve(t, map[string]string{
		"GET /v1/members/m1": `{"member_id":"m1","customer_id":"c1","card_number":"9274018365528809","enrolled_at":"2026-01-02T08:00:00Z",
			"programme":"coffee-club","state":"suspended"}`,
		"GET /v1/members/m1/balance": `{"member_id":"m1","available":50,"pending":0,"debt":0,"as_of":"2026-02-06T08:00:00Z",
			"expiring":[{"points":20,"at":"2026-03-01T16:00:00Z"},{"points":30,"at":"2026-04-01T16:00:00Z"}]}`,
		"GET /v1/members/m1/explanation?limit=51": `{"member_id":"m1","available":5,"pending":0,"debt":0,"in_words":["You have 5 points to spend.","Nothing is owed."],
			"open_lots_total":1,"open_lots":[{"lot_id":"e1","points":100,"remaining":5,"state":"available","available_at":"2026-01-02T08:00:00Z",
			"earned_at":"2026-01-02T08:00:00Z","reason_type":"order","reason_id":"o1","expires_at":"2026-03-01T16:00:00Z"}],"items":[
			{"entry_id":"e5","kind":"restore","points":3,"available":3,"pending":0,"debt":0,"available_after":5,"reason_type":"order_cancelled",
				"booked_at":"2026-02-06T08:00:00Z","effective_at":"2026-02-06T08:00:00Z"},
			{"entry_id":"e4","kind":"adjustment","points":8,"available":-8,"pending":0,"debt":0,"available_after":2,"reason_type":"correction",
				"booked_at":"2026-02-05T08:00:00Z","effective_at":"2026-02-05T08:00:00Z"},
			{"entry_id":"e3","kind":"expiry","points":40,"available":-40,"pending":0,"debt":0,"available_after":10,"reason_type":"expiry",
				"booked_at":"2026-02-04T08:00:00Z","effective_at":"2026-02-03T16:00:00Z"},
			{"entry_id":"e2","kind":"spend","points":50,"available":-50,"pending":0,"debt":0,"available_after":50,"reason_type":"reward",
				"booked_at":"2026-02-02T08:00:00Z","effective_at":"2026-02-02T08:00:00Z","parts":[{"entry_id":"e9","member_id":"m2","points":7}]},
			{"entry_id":"e1","kind":"earn","points":100,"available":100,"pending":0,"debt":0,"available_after":100,"reason_type":"order",
				"reason_id":"o1","booked_at":"2026-01-02T08:00:00Z","effective_at":"2026-01-02T08:00:00Z"}]}`,
		"POST /v1/points/expiries": `{"workflow_id":"loyalty-expiry/pizza","run_id":"r"}`,
	})
	out, err := run(t, append(at, "points", "explain", "--member", "m1")...)
	require.NoError(t, err)
	require.Equal(t, `Card 9274 0183 6552 8809, member of coffee-club since 2026-01-02, suspended: 5 points to spend.

To read out:
You have 5 points to spend.
Nothing is owed.

Where the points come from; they are spent in that order, what runs out first and then the oldest:
LEFT  OF   FROM        FOR       CAN BE SPENT  RUNS OUT
5     100  2026-01-02  order o1  now           2026-03-01T16:00:00Z

What happened, the latest first, and what there was to spend, locked and owed after it:
BOOKED               TO SPEND  LOCKED  OWED  WHAT
2026-02-06 08:00:00  5         0       0     3 given back that had been spent, for order cancelled
2026-02-05 08:00:00  2         0       0     8 taken by hand or by a rule, for correction
2026-02-04 08:00:00  10        0       0     40 ran out, as of 2026-02-03
2026-02-02 08:00:00  50        0       0     50 spent on reward; 7 more of the member m2, who is the same customer
2026-01-02 08:00:00  100       0       0     100 earned for order o1
`, out)

	out, err = run(t, append(at, "points", "balance", "--member", "m1")...)
	require.NoError(t, err)
	require.Equal(t, `TO SPEND  LOCKED  OWED  AS OF
50        0       0     2026-02-06T08:00:00Z

What runs out next, if it is not spent before:
POINTS  AT
20      2026-03-01T16:00:00Z
30      2026-04-01T16:00:00Z
`, out)

	out, err = run(t, append(at, "points", "expire")...)
	require.NoError(t, err)
	require.Equal(t, "started: loyalty-expiry/pizza, to be followed in Temporal\n", out)
}

func TestEntriesThatDoNotAddUpAreNotReadOut(t *testing.T) {
	t.Parallel()
	for what, want := range map[string]string{
		`"available":1,"pending":0,"debt":50`: "after entry e5 there were 0 points to spend, but the later ones begin at 1",
		`"available":0,"pending":7,"debt":50`: "the entries do not add up to the balance",
	} {
		at := serve(t, map[string]string{
			"GET /v1/members/m1":                      lilysMember,
			"GET /v1/members/m1/explanation?limit=51": `{"member_id":"m1",` + what + `,"open_lots":[],"items":[` + lilysEntries + `]}`,
		})
		_, err := run(t, append(at, "points", "explain", "--member", "m1")...)
		require.ErrorContains(t, err, want)
	}
}

const coldPizza = `{"complaint_id":"k1","ticket_id":"t1","number":"T-000007","customer_id":"c1","category":"product","channel":"phone",
	"description":"The pizza was cold.","wish":"My money back.","stage":"proposed","severity":2,"unit":"kitchen","person":"lei",
	"finding":"founded","cause":"product","rounds":1,"reminders":0,"due_at":"2026-02-08T08:00:00Z","registered_at":"2026-02-06T08:00:00Z",
	"proposal":{"no":2,"currency":"CNY","cost_minor":7500,"approval":"manager","proposed_by":"agent","parts":[
		{"kind":"points","points":3000,"state":"planned"},{"kind":"apology","state":"planned"},
		{"kind":"refund","order_id":"o1","amount_minor":4500,"state":"planned"}]},
	"steps":[{"action":"register","by":"agent","at":"2026-02-06T08:00:00Z"},
		{"action":"assess","by":"agent","at":"2026-02-06T08:01:00Z","reason":"second time"}],
	"next":[{"action":"approve","permission":"complaints.approve"},{"action":"withdraw","permission":"complaints.handle"}],"version":6}`

func TestComplaintsAreListedAndShown(t *testing.T) {
	t.Parallel()
	const all = `{"items":[{"complaint_id":"k2","ticket_id":"t2","number":"T-000008","customer_id":"c1","category":"price","stage":"closed",
		"outcome":"withdrawn","registered_at":"2026-02-07T08:00:00Z","steps":[],"next":[]},` + coldPizza + `]}`
	at := serve(t, map[string]string{
		"GET /v1/complaints?customer_id=c1&limit=200":                all,
		"GET /v1/complaints?customer_id=c1&limit=200&stage=proposed": `{"items":[` + coldPizza + `]}`,
		"GET /v1/tickets/lookup?number=T-000007":                     `{"ticket_id":"t1","number":"T-000007","kind":"complaint","customer_id":"c1"}`,
		"GET /v1/tickets/lookup?number=T-000009":                     `{"ticket_id":"t9","number":"T-000009","kind":"praise","customer_id":"c1"}`,
	})
	out, err := run(t, append(at, "complaint", "list", "--customer", "c1")...)
	require.NoError(t, err)
	require.Equal(t, `NUMBER    STANDS             CATEGORY  SEVERITY  REGISTERED            DUE                   NEXT              CUSTOMER  ID
T-000008  closed, withdrawn  price     -         2026-02-07T08:00:00Z  -                     -                 c1        k2
T-000007  proposed           product   2         2026-02-06T08:00:00Z  2026-02-08T08:00:00Z  approve withdraw  c1        k1
`, out)
	out, err = run(t, append(at, "complaint", "list", "--customer", "c1", "--stage", "proposed", "-o", "json")...)
	require.NoError(t, err)
	require.Contains(t, out, `"cost_minor": 7500`)

	out, err = run(t, append(at, "complaint", "show", "T-000007")...)
	require.NoError(t, err)
	require.Equal(t, `T-000007         proposed
id               k1
customer         c1
about            product, heard of by phone
what happened    The pizza was cold.
wish             My money back.
severity         2 of 1 (grave) to 4 (slight)
answered for by  kitchen, lei
finding          founded, cause product
due              2026-02-08T08:00:00Z, after 0 reminders

Proposal 2 by agent costs 7500 CNY (minor units), needs a manager to approve it; the customer has rejected 1:
PART                          STATE    REFERENCE
3000 points                   planned  
apology                       planned  
refund of order o1, 4500 CNY  planned  

WHEN                  STEP      BY     WHY
2026-02-06T08:00:00Z  register  agent  
2026-02-06T08:01:00Z  assess    agent  second time

NEXT                                    NEEDS PERMISSION
guanxictl complaint decide k1 approve   complaints.approve
guanxictl complaint decide k1 withdraw  complaints.handle
`, out)
	_, err = run(t, append(at, "complaint", "show", "T-000009")...)
	require.ErrorContains(t, err, "T-000009 is no complaint: it is a ticket of the kind praise")
}

// decided is a decision as the server heard it.
type decided struct{ path, key, body string }

// decideAt runs a decision against a server that answers with status and body.
func decideAt(t *testing.T, status int, answer string, args ...string) (heard decided, out string, err error) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		heard = decided{r.URL.Path, r.Header.Get("Idempotency-Key"), string(body)}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	defer server.Close()
	out, err = run(t, append([]string{"complaint", "decide", "--server", server.URL, "--token", "t"}, args...)...)
	return heard, out, err
}

const complaintID = "019a0000-0000-7000-8000-000000000001"

func TestDecisionsAreSentAsTheirFlagsSay(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"assess --severity 2 --reason gone":             `{"admissible":true,"severity":2,"reason":"gone"}`,
		"assess --not-admissible":                       `{"admissible":false}`,
		"assign --unit kitchen --person lei":            `{"unit":"kitchen","person":"lei"}`,
		"find --finding founded --cause product":        `{"finding":"founded","cause":"product"}`,
		"propose --currency CNY --points 500 --apology": `{"currency":"CNY","parts":[{"kind":"points","points":500},{"kind":"apology"}]}`,
		"propose --currency CNY --refund o1:4500 --refund o2:1": `{"currency":"CNY","parts":[` +
			`{"kind":"refund","order_id":"o1","amount_minor":4500},{"kind":"refund","order_id":"o2","amount_minor":1}]}`,
		"propose --currency CNY --voucher 900 --free-service": `{"currency":"CNY","parts":[{"kind":"voucher","amount_minor":900},{"kind":"free_service"}]}`,
		"approve": `{}`, "refuse": `{}`, "accept": `{}`, "reject": `{}`, "withdraw": `{}`, "review": `{}`,
		"acknowledge --channel phone":                             `{"channel":"phone"}`,
		"assess --severity 1 --safety --containment stopped":      `{"admissible":true,"severity":1,"safety":true,"containment":"stopped"}`,
		"rule --unit bar":                                         `{"unit":"bar"}`,
		"verify --score 0 --score-kind nps":                       `{"score":0,"kind":"nps"}`,
		"answer --medium letter --text no":                        `{"medium":"letter","text":"no"}`,
		"refer --body 12315":                                      `{"body":"12315"}`,
		"add --evidence a1 --evidence a2":                         `{"evidence":["a1","a2"]}`,
		"prevent --do boxes --owner z --due 2026-12-31T17:00:00Z": `{"action":"boxes","owner":"z","due_at":"2026-12-31T17:00:00Z"}`,
		"finish --prevention 1":                                   `{"prevention":1}`,
	} {
		heard, out, err := decideAt(t, http.StatusOK, coldPizza, append([]string{complaintID}, strings.Fields(args)...)...)
		require.NoError(t, err, args)
		require.JSONEq(t, want, heard.body, args)
		action, _, _ := strings.Cut(args, " ")
		require.Equal(t, "/v1/complaints/"+complaintID+"/"+action, heard.path)
		require.Len(t, heard.key, 36, "a new key")
		require.Contains(t, out, "T-000007: "+action+"; it is now proposed.")
	}
	heard, _, err := decideAt(t, http.StatusOK, coldPizza, complaintID, "accept", "--key", "k")
	require.NoError(t, err)
	require.Equal(t, "k", heard.key)
}

func TestARefusedDecisionSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status     int
		code, want string
	}{
		{http.StatusServiceUnavailable, "temporal_unavailable", "Repeat the same command with --key k1 until there is an answer"},
		{http.StatusConflict, "idempotency_key_in_flight", "Repeat the same command with --key k1 until there is an answer"},
		{http.StatusConflict, "complaint_stage", "Somebody may have been faster: guanxictl complaint show " + complaintID},
		{http.StatusForbidden, "approval_by_proposer", "Somebody else has to do it"},
		{http.StatusForbidden, "forbidden", "says which permission each decision needs"},
		{http.StatusUnprocessableEntity, "idempotency_key_reused", "Leave --key away"},
	} {
		_, _, err := decideAt(t, c.status, `{"code":"`+c.code+`","detail":"No."}`, complaintID, "approve", "--key", "k1")
		require.ErrorContains(t, err, c.want, c.code)
		require.ErrorContains(t, err, "No.", c.code)
	}
}

func TestErasuresAreListedShownAndRechecked(t *testing.T) {
	t.Parallel()
	held := `{"erasure_id":"e1","customer_id":"c1","state":"held","reason":"customer_request","requested_at":"2026-11-26T08:00:00Z","requested_by":"chen",
		"holds":[{"service":"tickets","code":"complaint_open","reference_id":"k1"},{"service":"accounts","code":"court_case","reference_id":"h1"}]}`
	done := `{"erasure_id":"e1","customer_id":"c1","state":"erased","reason":"customer_request","requested_at":"2026-11-26T08:00:00Z","requested_by":"chen",
		"holds":[],"erased_at":"2026-11-26T09:00:00Z","reports":[{"service":"tickets","round":1,"erased":[{"what":"ticket","count":2,"left":0}]}]}`
	args := serve(t, map[string]string{
		"GET /v1/erasures?limit=200&state=held": `{"items":[` + held + `]}`,
		"GET /v1/erasures/e1":                   done,
		"POST /v1/erasures/e1/recheck":          held,
		"POST /v1/erasures/e1/cancel":           held,
		"POST /v1/customers/c1/erasures":        held,
	})
	for command, want := range map[string]string{
		"erasure list --state held": "tickets complaint_open and 1 more",
		"erasure show e1":           "ticket",
		"erasure recheck e1":        "court_case",
		"erasure cancel e1":         "complaint_open",
		"erasure request c1":        "chen, customer_request",
	} {
		out, err := run(t, append(strings.Fields(command), args...)...)
		require.NoError(t, err, command)
		require.Contains(t, out, want, command)
	}
}
