package survey_test

import (
	"net/http"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

type body = ticketstest.Body

// world is a running service whose tenant pizza writes surveys.
type world struct {
	*ticketstest.World
	t       *testing.T
	courier string // whoever delivers
}

func begin(t *testing.T) *world {
	t.Helper()
	w := ticketstest.Start(t)
	return &world{World: w, t: t, courier: w.Token(auth.RoleIntegrator, "pizza")}
}

// made is a survey as the API shows it, as far as tests look at it.
type made struct {
	ID        string `json:"survey_id"`
	State     string
	Version   int64
	Questions int64 `json:"questions_version"`
	Content   map[string]any
}

// from makes a survey of a template.
func (w *world) from(template string, more ...any) made {
	w.t.Helper()
	b := body{"code": "s" + uuid.NewString()[:8], "template": template}
	for i := 0; i+1 < len(more); i += 2 {
		b[more[i].(string)] = more[i+1]
	}
	var s made
	w.Want(http.StatusCreated, http.MethodPost, "/v1/surveys", w.Manager, b, &s)
	return s
}

// invitation is one as the API shows it.
type invitation struct {
	ID       string `json:"invitation_id"`
	Customer string `json:"customer_id"`
	State    string
	Refusal  string
	Fetched  bool   `json:"link_fetched"`
	Contact  string `json:"contact_id"`
	Sent     string `json:"sent_at"`
	Locks    string `json:"locks_at"`
	Answered string `json:"answered_at"`
}

// invite asks a customer, by hand.
func (w *world) invite(s made, customer string, more ...any) invitation {
	w.t.Helper()
	b := body{"survey_id": s.ID, "customer_id": customer, "by_hand": true}
	for i := 0; i+1 < len(more); i += 2 {
		b[more[i].(string)] = more[i+1]
	}
	var i invitation
	w.Want(http.StatusCreated, http.MethodPost, "/v1/survey-invitations", w.Agent, b, &i)
	return i
}

// link fetches the path of the form of an invitation that is handed over.
func (w *world) link(i invitation) string {
	w.t.Helper()
	var l struct{ Path string }
	w.Want(http.StatusOK, http.MethodPost, "/v1/survey-invitations/"+i.ID+"/hand-over", w.Agent, nil, &l)
	return l.Path
}

// give invites a customer and answers, in turn with question and number.
func (w *world) give(s made, customer string, answers ...any) {
	w.t.Helper()
	w.Want(http.StatusNoContent, http.MethodPost, w.link(w.invite(s, customer))+"/answer", "", filled(answers...), nil)
}

// filled is the body of an answer, in turn question and number or words.
func filled(answers ...any) body {
	all := []body{}
	for i := 0; i+1 < len(answers); i += 2 {
		one := body{"question": answers[i]}
		switch v := answers[i+1].(type) {
		case int:
			one["number"] = v
		case string:
			one["words"] = v
		case body:
			for name, value := range v {
				one[name] = value
			}
		}
		all = append(all, one)
	}
	return body{"answers": all, "language": "zh"}
}

// alter changes rows behind the service's back, as only time does otherwise.
func (w *world) alter(sql string, args ...any) {
	w.t.Helper()
	if err := w.DB.Tx(w.t.Context(), "pizza", func(tx *pg.Tx) error { tx.Queue(sql, args...); return nil }); err != nil {
		w.t.Fatal(err)
	}
}

// result is what a survey comes to.
type result struct {
	Total      total
	Groups     []total
	Questions  []question
	Dimensions []struct {
		Dimension, Verdict string
		Mean               float64
	}
	Index    *float64 `json:"satisfaction_index"`
	Distance *float64 `json:"distance_from_ideal"`
}

type total struct {
	Group                            string
	Sent, Bounced, Answered, Answers int
	Rate                             *float64 `json:"response_rate"`
	Verdict                          string
	Score                            *struct{ Value, Low, High float64 }
}

type question struct {
	Question, Verdict string
	N                 int
	Mean              float64
	Better, Worse     float64
	Gap               float64
	Counts            []struct {
		Part, Value string
		N           int
	}
}

func (w *world) results(s made, query string) (r result) {
	w.t.Helper()
	w.Want(http.StatusOK, http.MethodGet, "/v1/surveys/"+s.ID+"/results"+query, w.Manager, nil, &r)
	return r
}
