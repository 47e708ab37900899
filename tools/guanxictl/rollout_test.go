package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const aPilot = `{"rollout_id":"r1","name":"CRM for all","state":"running","plan_version":2,"managed_by":"kubernetes","in_hand":["pilot"],"held":1,"late":0,
	"triggered":["poor-data"],"phases_over":1,"phase_count":3,
	"phases":[
		{"code":"data","state":"done","round":1,"waits_for":[],"units":[],"capabilities":[],"tasks":[],"gates":[]},
		{"code":"pilot","state":"leaving","round":2,"waits_for":[],"units":["north"],"capabilities":["sales","orders"],"tasks":[],"gates":[
			{"code":"data","kind":"metric","metric":"import_quality","side":"leave","stands":"held","reason":"below_threshold","agreed":[],"measured":0.9,"limit":0.95,"sample":20},
			{"code":"means","kind":"person","side":"enter","stands":"passed","how":"person","needs":2,"agreed":["li","zhao"]}]},
		{"code":"rest","state":"waiting","round":0,"waits_for":["pilot"],"units":["east"],"capabilities":["sales"],"tasks":[],"gates":[]}],
	"risks":[{"code":"poor-data","state":"triggered","exposure":12},{"code":"no-time","state":"open","exposure":9}],
	"entitlements":[{"capability":"sales","units":["west"]},{"capability":"orders","units":[]}]}`

func TestARolloutIsShownWithWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	at := serve(t, map[string]string{
		"GET /v1/rollouts?limit=200&state=running": `{"items":[` + aPilot + `]}`,
		"GET /v1/rollouts/r1":                      aPilot,
		"POST /v1/rollouts/r1/start":               aPilot,
		"POST /v1/rollouts/r1/decisions":           strings.Replace(aPilot, `"running"`, `"paused"`, 1),
		"GET /v1/rollouts/r1/steps?limit=200": `{"items":[{"no":2,"action":"pause","by":"wang","at":"2031-03-02T08:00:00Z","note":"until Monday","detail":{"reason":"holidays"}},
			{"no":1,"action":"hold_gate","at":"2031-03-01T08:00:00Z","detail":{"phase":"pilot","gate":"data","reason":"below_threshold"}}]}`,
	})
	out, err := run(t, append(at, "rollout", "list", "--state", "running")...)
	require.NoError(t, err)
	require.Equal(t, `ID  STATE    PHASES  IN HAND  GATES HELD  TASKS LATE  RISKS      NAME
r1  running  1/3     pilot    1           0           poor-data  CRM for all
`, out)
	const shown = `id           r1
plan         version 2, kept by kubernetes

PHASE  STATE              UNITS  SWITCHES ON   WAITS FOR
data   done               -      -             -
pilot  leaving (round 2)  north  sales orders  gate data: below_threshold, import_quality is 0.9 of 0.95 on 20 cases
rest   waiting            east   sales         phase pilot

CAPABILITY  OPEN FOR
sales       west
orders      nobody
The risk poor-data has come about (exposure 12).
`
	for _, command := range []string{"show r1", "start r1"} {
		out, err = run(t, append(at, append([]string{"rollout"}, strings.Fields(command)...)...)...)
		require.NoError(t, err)
		require.Equal(t, "CRM for all  running\n"+shown, out)
	}
	out, err = run(t, append(at, "rollout", "decide", "r1", "pause", "--reason", "holidays", "--note", "until Monday")...)
	require.NoError(t, err)
	require.Contains(t, out, "CRM for all  paused\n")
	out, err = run(t, append(at, "rollout", "steps", "r1")...)
	require.NoError(t, err)
	require.Equal(t, `WHEN                  STEP       OF          BY    WHY
2031-03-02T08:00:00Z  pause      -           wang  holidays until Monday
2031-03-01T08:00:00Z  hold_gate  pilot/data  -     below_threshold
`, out)
}

func TestADecisionOnARolloutThatCannotBeIsRefusedBeforeItIsSent(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"rollout decide r1":                                          "accepts 2 arg(s)",
		"rollout decide r1 hurry":                                    `no decision is called "hurry"`,
		"rollout decide r1 pause":                                    "pause needs --reason",
		"rollout decide r1 complete --phase pilot":                   "complete needs --task",
		"rollout decide r1 approve --gate means":                     "approve needs --phase",
		"rollout decide r1 resume --phase pilot":                     "--phase says nothing of resume",
		"rollout decide r1 trigger_risk --risk a --gate b":           "--gate says nothing of trigger_risk",
		"rollout show":                                               "accepts 1 arg(s)",
		"rollout list extra":                                         "unknown command",
		"rollout decide r1 skip_gate --phase pilot --gate means":     "skip_gate needs --reason",
		"rollout decide r1 roll_back --phase pilot --note too-early": "roll_back needs --reason",
	} {
		_, err := run(t, append(strings.Fields(args), "--server", "http://127.0.0.1:1", "--token", "t")...)
		require.ErrorContains(t, err, want, args)
	}
	_, err := run(t, "rollout", "decide", "r1", "resume", "--key", "k1", "--server", "http://127.0.0.1:1", "--token", "t")
	require.ErrorContains(t, err, "with --key k1", "whether it was taken is not known")
}

const aReport = `{"rollout_id":"r1","name":"CRM for all","state":"finished","days":92.04,"goals_reached":1,"goals_unknown":1,
	"goals":[
		{"code":"in-daily-use","name":"Everybody works with it","metric":"active_users","direction":"up","baseline":0,"target":0.8,"measured":0.85,"reached":true},
		{"code":"errors","name":"It is stable","metric":"error_rate","direction":"down","baseline":0.05,"target":0.01,"measured":0.02,"reached":false},
		{"code":"content","name":"Customers are","metric":"csat","direction":"up","baseline":0.7,"target":0.8,"unit":"north"}],
	"phases":[
		{"code":"pilot","name":"Pilot","state":"live","round":2,"entered_at":"2031-03-04T08:00:00Z","live_at":"2031-03-16T20:00:00Z","days":12.5,"task_count":2,"tasks_done":2,"tasks_late":1},
		{"code":"rest","name":"Rest","state":"skipped","round":1,"reason":"no_means","task_count":1,"tasks_done":0,"tasks_late":0}],
	"late_tasks":[{"phase":"pilot","task":"train","title":"Train the north","due_at":"2031-03-07T08:00:00Z","done_at":"2031-03-09T20:00:00Z","days_late":2.5}],
	"gates":[
		{"phase":"pilot","gate":"means","side":"enter","how":"person","by":"wang","at":"2031-03-04T08:00:00Z"},
		{"phase":"pilot","gate":"data","side":"leave","how":"metric","measured":0.97,"limit":0.95,"at":"2031-03-16T08:00:00Z"}],
	"risks":[{"code":"poor-data","state":"triggered","exposure":12}],
	"risks_came_about":[{"risk":"poor-data","measured":0.61,"at":"2031-03-05T08:00:00Z"}],
	"pauses":[{"reason":"risk_triggered","risk":"poor-data","from":"2031-03-05T08:00:00Z","resumed_at":"2031-03-06T08:00:00Z"}],
	"roll_backs":[{"phase":"pilot","round":1,"reason":"too_early","by":"wang","at":"2031-03-10T08:00:00Z"}]}`

const reported = `CRM for all  finished
id           r1
days         92.0
goals        1 of 3 reached, 1 not measured

GOAL          METRIC        OF         BASELINE  TARGET   MEASURED  REACHED  NAME
in-daily-use  active_users  all units  0         >= 0.8   0.85      yes      Everybody works with it
errors        error_rate    all units  0.05      <= 0.01  0.02      no       It is stable
content       csat          north      0.7       >= 0.8   -         -        Customers are

PHASE  STATE    ROUNDS  DAYS  TASKS DONE  TASKS LATE  WHY
pilot  live     2       12.5  2/2         1           -
rest   skipped  1       -     0/1         0           no_means

LATE         DUE                   DONE                  DAYS LATE  TITLE
pilot/train  2031-03-07T08:00:00Z  2031-03-09T20:00:00Z  2.5        Train the north

GATE         OPENED                BY      MEASURED  ASKED FOR  WHY
pilot/means  2031-03-04T08:00:00Z  wang    -         -          -
pilot/data   2031-03-16T08:00:00Z  metric  0.97      0.95       -

WHAT HAPPENED                WHEN                  UNTIL                 BY                  WHY
risk poor-data came about    2031-03-05T08:00:00Z  -                     a number            measured 0.61
paused                       2031-03-05T08:00:00Z  2031-03-06T08:00:00Z  the risk poor-data  risk_triggered
pilot rolled back (round 1)  2031-03-10T08:00:00Z  -                     wang                too_early
`

func TestWhatARolloutCameToIsReportedGoalByGoal(t *testing.T) {
	t.Parallel()
	at := serve(t, map[string]string{"GET /v1/rollouts/r1/report": aReport})
	out, err := run(t, append(at, "rollout", "report", "r1")...)
	require.NoError(t, err)
	require.Equal(t, reported, out)
	out, err = run(t, append(at, "rollout", "report", "r1", "-o", "json")...)
	require.NoError(t, err)
	require.JSONEq(t, aReport, out, "all that the API gives of it")
}
