package grade_test

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/grade"
)

// costly is a scheme of one's own.
var costly = body{
	"grades":      []body{{"code": "platinum", "share_percent": 5.5}, {"code": "gold", "share_percent": 20}, {"code": "iron", "share_percent": 30}, {"code": "lead"}},
	"window_days": 200, "margin_percent": 33.3, "channel_margins": body{"web": 12.5, "fair": 0},
	"costs": body{"ticket_minor": 110, "complaint_minor": 250, "touch_minor": 3, "interaction_minor": 40},
}

func costlyScheme() grade.Scheme {
	return grade.Scheme{
		Grades: []grade.Grade{{"platinum", 550}, {"gold", 2000}, {"iron", 3000}, {"lead", 4450}}, WindowDays: 200, MarginPermille: 333,
		Channels: map[string]int{"web": 125, "fair": 0}, Costs: grade.Costs{Ticket: 110, Complaint: 250, Touch: 3, Interaction: 40},
	}
}

// account is what the API shows of what customers brought and cost.
type account struct {
	NetMinor          int64 `json:"net_minor"`
	MarginMinor       int64 `json:"margin_minor"`
	TicketsMinor      int64 `json:"tickets_minor"`
	ComplaintsMinor   int64 `json:"complaints_minor"`
	TouchesMinor      int64 `json:"touches_minor"`
	InteractionsMinor int64 `json:"interactions_minor"`
	ContributionMinor int64 `json:"contribution_minor"`
}

type pyramid struct {
	Enough bool
	Why    string
	Run    struct {
		RunID     string `json:"run_id"`
		Customers int64
		Changed   int64
		Portraits bool
		Currency  string
	}
	Grades []struct {
		Grade     string
		Share     float64 `json:"share_percent"`
		Least     *int64  `json:"least_minor"`
		Customers int64
		account
	}
}

func (w *world) pyramidNow() (p pyramid) {
	w.t.Helper()
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/grades", w.Sales, nil, &p)
	return p
}

// listed gives all customers of a grade as the list shows them.
func (w *world) listed(query string) map[uuid.UUID]grade.Account {
	w.t.Helper()
	all := make(map[uuid.UUID]grade.Account)
	for cursor := ""; ; {
		var page struct {
			Items []struct {
				CustomerID uuid.UUID `json:"customer_id"`
				account
			}
			NextCursor string `json:"next_cursor"`
		}
		w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/grades/customers?limit=4"+query+"&cursor="+cursor, w.Sales, nil, &page)
		for _, item := range page.Items {
			all[item.CustomerID] = grade.Account(item.account)
		}
		if cursor = page.NextCursor; cursor == "" {
			return all
		}
	}
}

func TestGradesAreThoseOfASlowReckoning(t *testing.T) {
	t.Parallel()
	w := start(t)
	require.Equal(t, "no_run", w.pyramidNow().Why)
	customers := ids(37)
	h := history(rand.New(rand.NewPCG(1, 2)), customers, 150, 120, 300, w.Today())
	w.facts("music", h)
	pizza := history(rand.New(rand.NewPCG(2, 2)), ids(5), 12, 5, 300, w.Today())
	w.facts("pizza", pizza)
	answer := w.Want(http.StatusOK, http.MethodPut, "/v1/analytics/grades/scheme", w.Marketing, costly, nil, "If-Match", `"0"`)
	require.Equal(t, `"1"`, answer.Header.Get("ETag"))
	require.NoError(t, w.pyramid.Daily(t.Context()))
	require.NoError(t, w.pyramid.Background(t.Context()))

	s := costlyScheme()
	all := accounts(h, s, w.Today(), nil)
	want := grades(all, s)
	require.Equal(t, want, w.portraits("music"))
	require.Equal(t, grades(accounts(pizza, grade.House(), w.Today(), nil), grade.House()), w.portraits("pizza"), "another tenant is graded by the house's scheme")
	require.Equal(t, all, w.listed(""))

	p := w.pyramidNow()
	require.True(t, p.Enough)
	require.Equal(t, int64(len(all)), p.Run.Customers)
	require.Equal(t, "USD", p.Run.Currency)
	for i, g := range p.Grades {
		require.Equal(t, s.Grades[i].Code, g.Grade)
		require.InDelta(t, float64(s.Grades[i].Share)/100, g.Share, 1e-9)
		var sum grade.Account
		of := make(map[uuid.UUID]grade.Account)
		for id, code := range want {
			if code != g.Grade {
				continue
			}
			a := all[id]
			of[id] = a
			sum.NetMinor += a.NetMinor
			sum.MarginMinor += a.MarginMinor
			sum.TicketsMinor += a.TicketsMinor
			sum.ComplaintsMinor += a.ComplaintsMinor
			sum.TouchesMinor += a.TouchesMinor
			sum.InteractionsMinor += a.InteractionsMinor
			sum.ContributionMinor += a.ContributionMinor
		}
		require.Equal(t, int64(len(of)), g.Customers)
		require.Equal(t, sum, grade.Account(g.account), g.Grade)
		require.Equal(t, of, w.listed("&grade="+g.Grade), g.Grade)
	}

	told := w.EventsOf("GradeChanged", len(want)+len(w.portraits("pizza")))
	require.Len(t, told, len(want)+len(w.portraits("pizza")))
	for _, e := range told {
		if e.Tenant != "music" {
			continue
		}
		var m struct{ CustomerID, Grade string }
		require.NoError(t, json.Unmarshal(e.Data, &m))
		require.Equal(t, want[uuid.MustParse(m.CustomerID)], m.Grade)
	}
	golden.JSON(t, "testdata/grade_changed.json", told[0].Data)
	w.Want(http.StatusNotFound, http.MethodGet, "/v1/analytics/grades?run_id="+p.Run.RunID, w.Token("sales", "pizza"), nil, nil)
}

func TestMovesBetweenGradesAreKept(t *testing.T) {
	t.Parallel()
	w := start(t)
	first := w.Today()
	customers := ids(20)
	h := history(rand.New(rand.NewPCG(3, 2)), customers, 60, 0, 100, w.Today())
	w.facts("music", h)
	var stands []map[uuid.UUID]string
	for day := range 5 {
		if day > 0 {
			w.At(w.Now().Add(24 * time.Hour))
			more := history(rand.New(rand.NewPCG(4, uint64(day))), customers, 10, 0, 1, w.Today())
			w.facts("music", more)
			h.purchases = append(h.purchases, more.purchases...)
		}
		require.NoError(t, w.pyramid.Daily(t.Context()))
		require.NoError(t, w.pyramid.Background(t.Context()))
		stands = append(stands, grades(accounts(h, grade.House(), w.Today(), nil), grade.House()))
		require.Equal(t, stands[day], w.portraits("music"))
	}
	// A year later nobody bought anything within the window.
	w.At(w.Now().Add(400 * 24 * time.Hour))
	require.NoError(t, w.pyramid.Daily(t.Context()))
	require.NoError(t, w.pyramid.Background(t.Context()))
	require.Empty(t, w.portraits("music"))
	p := w.pyramidNow()
	require.False(t, p.Enough)
	require.Equal(t, "no_purchases", p.Why)

	at := func(day int) string { return first.AddDate(0, 0, day).Format(time.DateOnly) }
	flows := func(query string) map[[2]string]int64 {
		var got struct {
			Moves []struct {
				From      string `json:"from_grade"`
				To        string `json:"grade"`
				Customers int64
			}
		}
		w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/grades/moves?"+query, w.Sales, nil, &got)
		all := make(map[[2]string]int64)
		for _, m := range got.Moves {
			all[[2]string{m.From, m.To}] = m.Customers
		}
		return all
	}
	want := func(from, to map[uuid.UUID]string) map[[2]string]int64 {
		all := make(map[[2]string]int64)
		for _, id := range customers {
			if pair := [2]string{from[id], to[id]}; pair != [2]string{} {
				all[pair]++
			}
		}
		return all
	}
	require.Equal(t, want(stands[0], stands[4]), flows("from="+at(0)+"&to="+at(4)))
	require.Equal(t, want(stands[1], stands[3]), flows("from="+at(1)+"&to="+at(3)))
	require.Equal(t, want(nil, stands[2]), flows("from="+at(-1)+"&to="+at(2)), "before the first run everybody is in none")
	require.Equal(t, want(stands[4], nil), flows("from="+at(4)+"&to="+at(404)))

	var mover struct {
		Items []struct {
			CustomerID uuid.UUID `json:"customer_id"`
		}
	}
	var who uuid.UUID
	for id, g := range stands[0] {
		if g == "top" {
			who = id
		}
	}
	query := "/v1/analytics/grades/moves/customers?from=" + at(0) + "&to=" + at(4) + "&from_grade=top&grade=" + stands[4][who]
	w.Want(http.StatusOK, http.MethodGet, query, w.Sales, nil, &mover)
	require.Len(t, mover.Items, int(want(stands[0], stands[4])[[2]string{"top", stands[4][who]}]))
	var one struct {
		Last  *struct{ Grade string }
		Moves []struct {
			From string `json:"from_grade"`
			To   string `json:"grade"`
		}
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/grades/customers/"+who.String(), w.Sales, nil, &one)
	require.Nil(t, one.Last)
	require.Empty(t, one.Moves[0].To, "it fell out of the pyramid")
	require.Equal(t, "top", one.Moves[len(one.Moves)-1].To)
	require.Empty(t, one.Moves[len(one.Moves)-1].From)
	w.Want(http.StatusNotFound, http.MethodGet, "/v1/analytics/grades/customers/"+who.String(), w.Token("sales", "pizza"), nil, nil)
}

func TestMergedCustomersAreGradedAsOneAndErasedOnesNotAtAll(t *testing.T) {
	t.Parallel()
	w := start(t)
	customers := ids(15)
	h := history(rand.New(rand.NewPCG(5, 2)), customers, 80, 60, 300, w.Today())
	w.facts("music", h)
	merges := w.Accounts("music")
	require.NoError(t, w.pyramid.Daily(t.Context()))
	require.NoError(t, w.pyramid.Background(t.Context()))
	merges.Merge(customers[0], customers[1])
	merges.Merge(customers[1], customers[2])
	w.Admin(`DELETE FROM portrait WHERE customer_id = ANY ($1)`, customers[:2]) // as the room of portraits does
	w.Admin(`DELETE FROM portrait WHERE customer_id = $1`, customers[5])        // erased
	w.Want(http.StatusOK, http.MethodPut, "/v1/analytics/grades/scheme", w.Marketing, costly, nil, "If-Match", `"0"`)
	w.At(w.Now().Add(24 * time.Hour))
	require.NoError(t, w.pyramid.Daily(t.Context()))
	require.NoError(t, w.pyramid.Background(t.Context()))
	roots := map[uuid.UUID]uuid.UUID{customers[0]: customers[2], customers[1]: customers[2]}
	want := grades(accounts(h, costlyScheme(), w.Today(), roots), costlyScheme())
	delete(want, customers[5])
	require.Equal(t, want, w.portraits("music"))

	var one struct {
		CustomerID uuid.UUID `json:"customer_id"`
		Last       *struct{ Grade string }
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/grades/customers/"+customers[0].String(), w.Sales, nil, &one)
	require.Equal(t, customers[2], one.CustomerID)
	require.Equal(t, want[customers[2]], one.Last.Grade)
	var got struct{ Moves []struct{ Customers int64 } }
	day := w.Today().Format(time.DateOnly)
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/grades/moves?from="+day+"&to="+day, w.Sales, nil, &got)
	var sum int64
	for _, m := range got.Moves {
		sum += m.Customers
	}
	require.Equal(t, int64(len(want)+1), sum, "who was merged has no way of its own; who was erased keeps the grade that is known last")
}

func TestARunOfAPastDayIsReadAndChangesNobody(t *testing.T) {
	t.Parallel()
	w := start(t)
	h := history(rand.New(rand.NewPCG(6, 2)), ids(12), 60, 20, 300, w.Today())
	w.facts("music", h)
	asOf := w.Today().AddDate(0, 0, -100)
	var asked struct {
		RunID string `json:"run_id"`
		State string
	}
	w.Want(http.StatusAccepted, http.MethodPost, "/v1/analytics/grades/runs", w.Marketing, body{"as_of": asOf.Format(time.DateOnly)}, &asked)
	if again := w.Do(http.MethodPost, "/v1/analytics/grades/runs", w.Marketing, body{}); again.Status != http.StatusConflict || again.Code() != "run_open" {
		t.Errorf("two runs at once: %d %s", again.Status, again.Body)
	}
	w.Want(http.StatusNotFound, http.MethodGet, "/v1/analytics/grades?run_id="+asked.RunID, w.Sales, nil, nil)
	for n := range 3 {
		_ = w.pyramid.BackgroundKilled(t.Context(), n)
		w.At(w.Now().Add(time.Second * 45))
	}
	require.NoError(t, w.pyramid.BackgroundKilled(t.Context(), 1000))
	var p pyramid
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/grades?run_id="+asked.RunID, w.Sales, nil, &p)
	all := accounts(h, grade.House(), asOf, nil)
	require.Equal(t, int64(len(all)), p.Run.Customers)
	var sum int64
	for _, g := range p.Grades {
		sum += g.ContributionMinor
	}
	for _, a := range all {
		sum -= a.ContributionMinor
	}
	require.Zero(t, sum)
	require.Empty(t, w.portraits("music"))
	require.Equal(t, "no_run", w.pyramidNow().Why, "a past day is not the last word")
	require.Zero(t, w.Count(`SELECT count(*) FROM grade_move`))
}

func TestARunGoesOnWhereAKilledOneStood(t *testing.T) {
	t.Parallel()
	w := start(t)
	h := history(rand.New(rand.NewPCG(7, 2)), ids(20), 90, 30, 300, w.Today())
	w.facts("music", h)
	require.NoError(t, w.pyramid.Daily(t.Context()))
	for n := range 4 {
		require.ErrorIs(t, w.pyramid.BackgroundKilled(t.Context(), n), grade.ErrKilled)
		w.At(w.Now().Add(time.Minute))
	}
	require.NoError(t, w.pyramid.Daily(t.Context()))
	require.NoError(t, w.pyramid.Background(t.Context()))
	want := grades(accounts(h, grade.House(), w.Today(), nil), grade.House())
	require.Equal(t, want, w.portraits("music"))
	require.Len(t, w.EventsOf("GradeChanged", len(want)), len(want), "nothing is told twice")
	require.EqualValues(t, len(want), w.Count(`SELECT count(*) FROM grade_move`))
}
