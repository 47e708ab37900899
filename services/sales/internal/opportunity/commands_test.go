package opportunity_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/opportunity"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
	"github.com/guanxi-crm/guanxi/services/sales/internal/team"
)

// ofLead opens an opportunity of a lead, as a conversion does.
func (s *shop) ofLead(lead uuid.UUID) (opportunity.Opportunity, error) {
	return s.all.Open(s.as(mei), draft(func(d *opportunity.Draft) {
		d.LeadID, d.Fields, d.Campaign = lead, map[string]string{"country": "CN", "source": "web"}, "autumn"
	}))
}

func (s *shop) withdraws(id uuid.UUID) error {
	return s.db.Tx(s.as(mei), "pizza", func(tx *pg.Tx) error {
		events, err := s.all.WithdrawIn(s.as(mei), tx, id, s.now)
		if err != nil {
			return err
		}
		return outbox.New("sales").Append(s.as(mei), tx, events...)
	})
}

func TestALeadBecomesOneOpportunityAtMost(t *testing.T) {
	t.Parallel()
	s := open(t)
	lead := someone()
	first, err := s.ofLead(lead)
	require.NoError(t, err)
	_, err = s.ofLead(lead)
	require.Equal(t, "lead_has_opportunity", code(err))
	_, err = s.all.Withdraw(s.as(mei), first.ID)
	require.Equal(t, "opportunity_of_lead", code(err), "by hand only what was opened by hand")
	require.NoError(t, s.withdraws(first.ID))
	require.Equal(t, opportunity.Withdrawn, s.see(first.ID).State)
	require.EqualValues(t, 1, s.number(`SELECT count(*) FROM scoring_case WHERE id = $1`, lead), "the lead goes on")
	second, err := s.ofLead(lead)
	require.NoError(t, err)
	s.moves(second.ID, "qualified")
	require.Equal(t, "opportunity_followed", code(s.withdraws(second.ID)))
	third := s.opens(nil)
	s.tx("pizza", func(tx *pg.Tx) error { opportunity.Follow(tx, third.ID); return nil })
	_, err = s.all.Withdraw(s.as(mei), third.ID)
	require.Equal(t, "opportunity_followed", code(err), "a quote hangs on it")
	fourth := s.opens(nil)
	_, err = s.all.Withdraw(s.as(eve), fourth.ID)
	require.Equal(t, "opportunity_not_found", code(err))
	gone, err := s.all.Withdraw(s.as(mei), fourth.ID)
	require.NoError(t, err)
	require.Equal(t, opportunity.Withdrawn, gone.State)
	require.Zero(t, s.number(`SELECT count(*) FROM scoring_case WHERE id = $1`, fourth.ID))
	require.EqualValues(t, 2, s.told("OpportunityWithdrawn"))
}

func TestScoringLearnsFromWhatIsClosed(t *testing.T) {
	t.Parallel()
	s := open(t)
	lead := someone()
	o, err := s.ofLead(lead)
	require.NoError(t, err)
	seen := func() (stage, source, country, state string) {
		require.NoError(t, s.database.DB(pg.Ops).System(s.t.Context(), func(tx *pg.Tx) error {
			return tx.QueryRow(s.t.Context(), `SELECT stage, fields->>'source', fields->>'country', state FROM scoring_case WHERE id = $1`, lead).
				Scan(&stage, &source, &country, &state)
		}))
		return stage, source, country, state
	}
	stage, source, country, state := seen()
	require.Equal(t, []string{"new", "fair", "CN", "open"}, []string{stage, source, country, state}, "what the lead was known by stays")
	s.moves(o.ID, "qualified")
	web := "web"
	_, err = s.all.Change(s.as(mei), o.ID, opportunity.Change{Source: &web}, nil, anyVersion)
	require.NoError(t, err)
	stage, source, _, _ = seen()
	require.Equal(t, []string{"qualified", "web"}, []string{stage, source})
	won := func() int64 {
		return s.number(`SELECT coalesce(sum(won), 0)::bigint FROM scoring_count WHERE tenant_id = 'pizza' AND field = 'source' AND value = 'web'`)
	}
	_, err = s.all.Win(s.as(mei), o.ID)
	require.NoError(t, err)
	_, _, _, state = seen()
	require.Equal(t, "won", state)
	require.EqualValues(t, 1, won())
	_, err = s.all.Reopen(s.as(mei), o.ID)
	require.NoError(t, err)
	require.Zero(t, won(), "it is taken back")
	_, err = s.all.Lose(s.as(mei), o.ID, "price", "")
	require.NoError(t, err)
	_, _, _, state = seen()
	require.Equal(t, "lost", state)
}

func TestWithoutOneTheTeamsPipelineIsTaken(t *testing.T) {
	t.Parallel()
	s := open(t)
	own := pipeline.Standard()
	own.Code, own.Currency = "key-accounts", "EUR"
	_, err := s.pipelines.Make(s.as(wang), own)
	require.NoError(t, err)
	for code, along := range map[string]string{"north": "key-accounts", "south": "", "east": "nowhere"} {
		_, err := s.teams.PutTeam(s.as(wang), team.Team{Code: code, Name: code, Pipeline: along}, anyVersion)
		require.NoError(t, err)
	}
	of := func(team string) string {
		return s.opens(func(d *opportunity.Draft) { d.Team, d.Pipeline = team, "" }).Pipeline
	}
	require.Equal(t, []string{"key-accounts", "standard", "standard", "standard"}, []string{of("north"), of("south"), of("east"), of("")})
	o := s.opens(func(d *opportunity.Draft) { d.Team, d.Currency = "north", "" })
	require.Equal(t, "EUR", o.Currency, "the pipeline's")
	// A tenant whose pipelines are all in the archive says in which one.
	own.Archived = true
	_, err = s.pipelines.Change(s.as(eve), "key-accounts", own, anyVersion)
	require.Equal(t, "pipeline_not_found", code(err))
	_, err = s.pipelines.Change(s.as(eve), "standard", own, anyVersion)
	require.NoError(t, err)
	_, err = s.all.Open(s.as(eve), draft(nil))
	require.Equal(t, "pipeline_unknown", problem.From(err).Fields[0].Code)
}

func TestEventsTellHowLongItTook(t *testing.T) {
	t.Parallel()
	s := open(t)
	o := s.opens(nil)
	s.now = thursday.Add(day)
	s.moves(o.ID, "qualified")
	s.now = thursday.Add(3 * day)
	_, err := s.all.Win(s.as(mei), o.ID)
	require.NoError(t, err)
	_, err = s.all.Reopen(s.as(mei), o.ID)
	require.NoError(t, err)
	s.now = thursday.Add(4 * day)
	_, err = s.all.Lose(s.as(mei), o.ID, "price", "")
	require.NoError(t, err)
	said := func(field string) int64 {
		return s.number(`SELECT sum((convert_from(payload, 'UTF8')::jsonb->>$1)::bigint) FROM outbox`, field)
	}
	require.EqualValues(t, 86_400, said("secondsInStage"))
	require.EqualValues(t, (3+4)*86_400, said("secondsOpen"), "from the opening each time, what it was closed in between included")
}

func TestOfSeveralWhoCloseItAtOnceOneDoes(t *testing.T) {
	t.Parallel()
	s := open(t)
	o := s.opens(nil)
	var all sync.WaitGroup
	var lock sync.Mutex
	codes := map[string]int{}
	for n := range 8 {
		all.Go(func() {
			var err error
			if n%2 == 0 {
				_, err = s.all.Win(s.as(mei), o.ID)
			} else {
				_, err = s.all.Lose(s.as(mei), o.ID, "price", "")
			}
			lock.Lock()
			defer lock.Unlock()
			codes[code(err)]++
		})
	}
	all.Wait()
	require.Equal(t, map[string]int{"": 1, "opportunity_closed": 7}, codes)
	require.EqualValues(t, 1, s.told("OpportunityWon")+s.told("OpportunityLost"))
}

func TestACustomerWhoWasMergedHasTheirOpportunities(t *testing.T) {
	t.Parallel()
	s := open(t)
	old, survivor := someone(), someone()
	o := s.opens(func(d *opportunity.Draft) {
		d.CustomerID = old
		d.Contacts = []opportunity.Contact{{CustomerID: old, Role: opportunity.User}}
	})
	of := func(customer uuid.UUID) int {
		found, err := s.all.List(s.as(mei), opportunity.Filter{CustomerID: customer}, 10)
		require.NoError(t, err)
		return len(found)
	}
	require.Equal(t, []int{1, 0}, []int{of(old), of(survivor)})
	s.merged(old, survivor)
	require.Equal(t, []int{1, 1}, []int{of(old), of(survivor)})
	now := s.see(o.ID)
	require.Equal(t, []uuid.UUID{old, survivor, survivor}, []uuid.UUID{now.CustomerID, now.Root, now.Contacts[0].Root})
	// The person is one contact, by whichever id.
	now, err := s.all.SetContact(s.as(mei), o.ID, opportunity.Contact{CustomerID: survivor, Role: opportunity.Coach}, anyVersion)
	require.NoError(t, err)
	require.Len(t, now.Contacts, 1)
	require.Equal(t, now.Contacts, s.see(o.ID).Contacts)
	now, err = s.all.DropContact(s.as(mei), o.ID, survivor, anyVersion)
	require.NoError(t, err)
	require.Empty(t, now.Contacts)
	require.Empty(t, s.see(o.ID).Contacts)
	require.EqualValues(t, 1, s.number(`SELECT count(*) FROM opportunity WHERE customer_id = $1`, old), "what was written stays")
}

func TestNothingIsDoneForWhoWasErased(t *testing.T) {
	t.Parallel()
	s := open(t)
	lily, other := someone(), someone()
	_, err := s.pipelines.PutCompetitor(s.as(wang), pipeline.Competitor{Code: "pasta-planet", Name: "Pasta Planet"}, nil)
	require.NoError(t, err)
	o := s.opens(func(d *opportunity.Draft) {
		ready(d)
		d.CustomerID, d.Name, d.NextStep = lily, "Ovens for Lily Secret", "Ring Lily Secret"
	})
	_, err = s.all.SetRival(s.as(mei), o.ID, opportunity.Rival{Competitor: "pasta-planet", Strengths: "Knows Lily Secret"}, anyVersion)
	require.NoError(t, err)
	elsewhere := s.opens(func(d *opportunity.Draft) {
		d.Contacts = []opportunity.Contact{{CustomerID: lily, Role: opportunity.Coach}, {CustomerID: other, Role: opportunity.User}}
	})
	s.erased(lily)
	now := s.see(o.ID)
	require.Equal(t, []any{"", "", true, "", int64(3_600_000), "new"}, []any{now.Name, now.NextStep, now.NextStepOn.IsZero(), now.Rivals[0].Strengths, now.AmountMinor, now.Stage})
	require.Zero(t, s.number(`SELECT count(*) FROM opportunity o WHERE o::text LIKE '%Secret%'`))
	require.Zero(t, s.number(`SELECT count(*) FROM outbox WHERE convert_from(payload, 'UTF8') LIKE '%Secret%'`), "nothing of it was ever in an event")
	require.Len(t, s.see(elsewhere.ID).Contacts, 1, "the person is out of what is others'")
	name := "Again"
	for what, do := range map[string]func() error{
		"open": func() error {
			_, err := s.all.Open(s.as(mei), draft(func(d *opportunity.Draft) { d.CustomerID = lily }))
			return err
		},
		"contact": func() error {
			_, err := s.all.SetContact(s.as(mei), elsewhere.ID, opportunity.Contact{CustomerID: lily}, anyVersion)
			return err
		},
		"with": func() error {
			_, err := s.all.Open(s.as(mei), draft(func(d *opportunity.Draft) { d.Contacts = []opportunity.Contact{{CustomerID: lily}} }))
			return err
		},
		"change": func() error {
			_, err := s.all.Change(s.as(mei), o.ID, opportunity.Change{Name: &name}, nil, anyVersion)
			return err
		},
		"move": func() error { _, err := s.all.Move(s.as(mei), o.ID, "qualified"); return err },
		"win":  func() error { _, err := s.all.Win(s.as(mei), o.ID); return err },
	} {
		err := do()
		require.Equal(t, "customer_erased", code(err), what)
		require.Equal(t, problem.Gone, problem.KindOf(err))
	}
	_, err = s.all.Lose(s.as(mei), o.ID, "other", "")
	require.NoError(t, err, "so that it does not stay open for ever")
	s.erased(lily) // called again it finds nothing
}

func TestTheHistoryIsNeverChanged(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.moves(s.opens(nil).ID, "qualified")
	for _, sql := range []string{`UPDATE opportunity_stage SET entered_at = now()`, `DELETE FROM opportunity_stage`} {
		err := s.db.Tx(s.t.Context(), "pizza", func(tx *pg.Tx) error { tx.Queue(sql); return nil })
		require.ErrorContains(t, err, "permission denied")
	}
}

func TestAnotherTenantHasNothingOfIt(t *testing.T) {
	t.Parallel()
	s := open(t)
	o := s.opens(ready)
	name := "Mine"
	for what, do := range map[string]func() error{
		"read":   func() error { _, err := s.all.Read(s.as(eve), o.ID); return err },
		"move":   func() error { _, err := s.all.Move(s.as(eve), o.ID, "qualified"); return err },
		"win":    func() error { _, err := s.all.Win(s.as(eve), o.ID); return err },
		"lose":   func() error { _, err := s.all.Lose(s.as(eve), o.ID, "price", ""); return err },
		"reopen": func() error { _, err := s.all.Reopen(s.as(eve), o.ID); return err },
		"change": func() error {
			_, err := s.all.Change(s.as(eve), o.ID, opportunity.Change{Name: &name}, nil, anyVersion)
			return err
		},
		"lines":   func() error { _, err := s.all.SetLines(s.as(eve), o.ID, nil, anyVersion); return err },
		"history": func() error { _, err := s.all.History(s.as(eve), o.ID, 0, 10); return err },
	} {
		require.Equal(t, "opportunity_not_found", code(do()), what)
	}
	found, err := s.all.List(s.as(eve), opportunity.Filter{}, 10)
	require.NoError(t, err)
	require.Empty(t, found)
	_, columns, err := s.all.Board(s.as(eve), opportunity.View{Pipeline: "standard", Cards: 10})
	require.NoError(t, err)
	require.Zero(t, columns[0].Count)
	require.EqualValues(t, 1, s.see(o.ID).Version)
}

// With a team and without, whatever the owner's hours are.
func TestWhoIsAskedAndWhen(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, err := s.teams.PutPerson(s.as(wang), team.Person{Subject: "mei", Zone: "Asia/Shanghai"}, anyVersion)
	require.NoError(t, err)
	_, err = s.teams.PutTeam(s.as(wang), team.Team{Code: "north", Name: "North", Lead: "wang", Zone: "Asia/Shanghai", Members: []string{"mei"}}, anyVersion)
	require.NoError(t, err)
	o := s.opens(func(d *opportunity.Draft) { d.Team = "north" })
	nobody := s.opens(func(d *opportunity.Draft) { d.Team, d.Owner = "north", "" })
	alone := s.opens(func(d *opportunity.Draft) { d.Owner = "" })
	s.now = thursday.Add(day) // Friday
	s.scans()
	ctx := s.as(opportunity.ProcessOf("pizza"))
	look := func(id uuid.UUID) opportunity.Progress {
		p, err := s.all.FollowUp(ctx, opportunity.Input{ID: id})
		require.NoError(t, err)
		return p
	}
	// The end of Monday in Shanghai, of Wednesday, and of Friday in the week after.
	shanghai := time.FixedZone("", 8*3600)
	monday := time.Date(2026, 12, 1, 0, 0, 0, 0, shanghai)
	p := look(o.ID)
	require.Equal(t, []any{false, 0, true}, []any{p.Over, p.Asked, p.DueAt.Equal(monday)})
	require.Equal(t, p, look(o.ID), "it may look as often as it likes")
	s.now = monday
	p = look(o.ID)
	require.Equal(t, []any{false, 1, true}, []any{p.Over, p.Asked, p.DueAt.Equal(monday.Add(2 * day))})
	s.now = time.Date(2026, 12, 12, 0, 0, 0, 0, shanghai)
	p = look(o.ID)
	require.Equal(t, []any{true, 3}, []any{p.Over, p.Asked})
	look(nobody.ID)
	look(alone.ID)
	require.True(t, look(o.ID).Over)
	asked := func(f opportunity.AskedFilter) (all []string) {
		found, err := s.all.AskedOf(s.as(mei), f, 100)
		require.NoError(t, err)
		for _, a := range found {
			all = append(all, string(a.Kind)+" "+a.Subject)
		}
		return all
	}
	require.Equal(t, []string{"propose_close mei", "remind mei"}, asked(opportunity.AskedFilter{Subject: "mei"}))
	require.Equal(t, []string{"propose_close wang", "escalate wang", "remind wang", "escalate wang"}, asked(opportunity.AskedFilter{Subject: "wang"}), "where nobody sells it is the lead who is asked")
	require.Len(t, asked(opportunity.AskedFilter{Team: "north"}), 6)
	require.Contains(t, asked(opportunity.AskedFilter{}), "remind ")
	require.EqualValues(t, 8, s.told("OpportunityFollowUpAsked"), "by the clock of Greenwich, which nobody's proposal goes by, Friday is not over")
	// Once it goes on nothing is left to be done, and when it stalls anew people are asked anew.
	s.moves(o.ID, "qualified")
	step, on := "Call", date(2026, 12, 12)
	_, err = s.all.Change(s.as(mei), o.ID, opportunity.Change{NextStep: &step, NextStepOn: &on}, nil, anyVersion)
	require.NoError(t, err)
	require.Empty(t, asked(opportunity.AskedFilter{Subject: "mei"}))
	require.Len(t, asked(opportunity.AskedFilter{Subject: "mei", Done: true}), 2)
	require.True(t, look(o.ID).Over)
	s.now = time.Date(2026, 12, 31, 0, 0, 0, 0, shanghai)
	s.scans()
	s.now = s.now.Add(7 * day)
	p = look(o.ID)
	require.Equal(t, []any{2, 2}, []any{p.Stall, p.Asked})
	none, err := s.all.AskedOf(s.as(eve), opportunity.AskedFilter{Done: true}, 10)
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestAPipelineThatFollowsNothingUp(t *testing.T) {
	t.Parallel()
	s := open(t)
	p, err := s.pipelines.Get(s.as(wang), "standard")
	require.NoError(t, err)
	p.FollowUp.Active = false
	_, err = s.pipelines.Change(s.as(wang), "standard", p, anyVersion)
	require.NoError(t, err)
	o := s.opens(nil)
	s.now = thursday.Add(100 * day)
	s.scans()
	progress, err := s.all.FollowUp(s.as(opportunity.ProcessOf("pizza")), opportunity.Input{ID: o.ID})
	require.NoError(t, err)
	require.Equal(t, []any{true, 0}, []any{progress.Over, progress.Asked})
}
