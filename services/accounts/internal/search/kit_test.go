package search_test

import (
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/search"
)

type body = map[string]any

// world is the service with an indexer that takes a turn when it is told.
type world struct {
	*accountstest.World
	t     *testing.T
	agent string
	ops   *pg.DB
}

func start(t *testing.T) *world {
	t.Helper()
	w := accountstest.Start(t)
	return &world{World: w, t: t, agent: w.Token(auth.RoleAgent, "pizza"), ops: w.Database.DB(pg.Ops)}
}

// index brings the index up to date.
func (w *world) index() {
	w.t.Helper()
	x := search.NewIndexer(w.DB, w.ops, slog.New(slog.DiscardHandler), nil)
	w.Eventually("the index is level", func() bool {
		if err := x.Turn(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		var left int
		err := w.ops.System(w.t.Context(), func(tx *pg.Tx) error {
			return tx.QueryRow(w.t.Context(), `SELECT count(*) FROM customer_pending`).Scan(&left)
		})
		return err == nil && left == 0
	})
}

// register makes a customer of the tenant pizza and gives its id.
func (w *world) register(display string, identities ...string) string {
	w.t.Helper()
	return w.registered(w.agent, body{"display_name": display}, identities...)
}

// registered makes a customer; identities are types and values in turns.
func (w *world) registered(token string, customer body, identities ...string) string {
	w.t.Helper()
	var list []body
	for i := 0; i < len(identities); i += 2 {
		list = append(list, body{"type": identities[i], "value": identities[i+1]})
	}
	if list != nil {
		customer["identities"] = list
	}
	var made struct {
		CustomerID string `json:"customer_id"`
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", token, customer, &made)
	return made.CustomerID
}

type page struct {
	Items []struct {
		CustomerID  string `json:"customer_id"`
		DisplayName string `json:"display_name"`
		Tags        []string
	}
	NextCursor string    `json:"next_cursor"`
	AsOf       time.Time `json:"as_of"`
}

func (p page) names() []string {
	names := []string{}
	for _, i := range p.Items {
		names = append(names, i.DisplayName)
	}
	return names
}

// search asks with a query string's parameters, in turns.
func (w *world) search(token string, parameters ...string) page {
	w.t.Helper()
	query := url.Values{}
	for i := 0; i < len(parameters); i += 2 {
		query.Add(parameters[i], parameters[i+1])
	}
	var p page
	w.Want(http.StatusOK, http.MethodGet, "/v1/customers/search?"+query.Encode(), token, nil, &p)
	return p
}

// finds fails the test unless the text finds these, in this order.
func (w *world) finds(text string, want ...string) {
	w.t.Helper()
	if got := w.search(w.agent, "q", text).names(); !slices.Equal(got, want) && len(got)+len(want) > 0 {
		w.t.Errorf("%q finds %v, want %v", text, got, want)
	}
}
