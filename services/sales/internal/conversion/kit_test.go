package conversion_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/peer"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/sales/internal/conversion"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
	"github.com/guanxi-crm/guanxi/services/sales/internal/opportunity"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
	"github.com/guanxi-crm/guanxi/services/sales/internal/scoring"
)

type body = map[string]any

// somebody is a customer of the register.
type somebody struct {
	ID         uuid.UUID      `json:"customer_id"`
	State      string         `json:"state"`
	Kind       string         `json:"kind"`
	Name       string         `json:"display_name"`
	Owner      string         `json:"owner"`
	Identities []identityView `json:"identities"`
	Addresses  []body         `json:"addresses"`

	version int
	told    []conversion.Told // on the timeline
}

type identityView struct {
	Type       string     `json:"type"`
	Value      string     `json:"value"`
	VerifiedAt *time.Time `json:"verified_at,omitempty"`
}

// register stands in for the API of accounts, as far as conversions use it: it keeps the contract that an external id belongs to one
// customer, and answers wrongly when it is told to. The real one is asked in the tests of the whole platform.
type register struct {
	mu       sync.Mutex
	people   map[uuid.UUID]*somebody
	contacts map[[2]uuid.UUID]uuid.UUID // to relationship
	ended    map[uuid.UUID]bool
	alike    map[string][]uuid.UUID // by name: who may be meant
	calls    []string
	fail     func(n int, call string) (before, after bool) // of the nth call: what goes wrong before and after it was carried out
	answers  map[string]func() (int, int, any)             // by Idempotency-Key
}

// concludes puts on the timeline what analytics thinks of a customer.
func (r *register) concludes(customer uuid.UUID, title string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.people[customer].told = append(r.people[customer].told, conversion.Told{Service: "analytics", Title: title})
}

func newRegister() *register {
	return &register{people: map[uuid.UUID]*somebody{}, contacts: map[[2]uuid.UUID]uuid.UUID{}, ended: map[uuid.UUID]bool{}, alike: map[string][]uuid.UUID{}, answers: map[string]func() (int, int, any){}}
}

// add registers somebody by hand.
func (r *register) add(kind, name string, change func(*somebody)) uuid.UUID {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := &somebody{ID: uuid.Must(uuid.NewV7()), State: "active", Kind: kind, Name: name, version: 1}
	if change != nil {
		change(p)
	}
	r.people[p.ID] = p
	return p.ID
}

func (r *register) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	call := req.Method + " " + shape(req.URL.Path)
	r.calls = append(r.calls, call)
	var before, after bool
	if r.fail != nil {
		before, after = r.fail(len(r.calls), call)
	}
	if before {
		http.Error(w, `{"code":"internal"}`, http.StatusInternalServerError)
		return
	}
	key := req.Header.Get("Idempotency-Key")
	if r.answers[key] == nil {
		status, etag, answer := r.do(req)
		r.answers[key] = func() (int, int, any) { return status, etag, answer }
	}
	status, etag, answer := r.answers[key]()
	if key == "" {
		delete(r.answers, key)
	}
	if after {
		http.Error(w, `{"code":"internal"}`, http.StatusBadGateway)
		return
	}
	if etag > 0 {
		w.Header().Set("ETag", fmt.Sprintf("%q", fmt.Sprint(etag)))
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer)
}

// shape is a path without ids.
func shape(path string) string {
	parts := strings.Split(path, "/")
	for n, p := range parts {
		if _, err := uuid.Parse(p); err == nil {
			parts[n] = "*"
		}
	}
	return strings.Join(parts, "/")
}

func refuse(status int, code string) (int, int, any) {
	return status, 0, body{"code": code, "detail": code}
}

func (r *register) do(req *http.Request) (int, int, any) {
	var in struct {
		Kind           string         `json:"kind"`
		Name           string         `json:"display_name"`
		Owner          string         `json:"owner"`
		Identities     []identityView `json:"identities"`
		AllowDuplicate bool           `json:"allow_duplicate"`
		RelatedID      uuid.UUID      `json:"related_id"`
	}
	_ = json.NewDecoder(req.Body).Decode(&in)
	parts := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	var who *somebody
	if len(parts) > 2 && parts[1] == "customers" {
		if id, err := uuid.Parse(parts[2]); err == nil {
			if who = r.people[id]; who == nil {
				return refuse(http.StatusNotFound, "customer_not_found")
			}
			if who.State == "erased" {
				return refuse(http.StatusGone, "customer_erased")
			}
		}
	}
	switch shape(req.URL.Path) {
	case "/v1/customers":
		for _, p := range r.people {
			for _, has := range p.Identities {
				if strings.HasPrefix(has.Type, "external:") && has.Type == in.Identities[0].Type && has.Value == in.Identities[0].Value {
					return refuse(http.StatusConflict, "identity_taken")
				}
			}
		}
		if len(r.alike[in.Name]) > 0 && !in.AllowDuplicate {
			return refuse(http.StatusConflict, "duplicate_suspected")
		}
		p := &somebody{ID: uuid.Must(uuid.NewV7()), State: "active", Kind: in.Kind, Name: in.Name, Owner: in.Owner, Identities: in.Identities, version: 1, told: []conversion.Told{{Service: "accounts", Title: "customer_registered"}}}
		r.people[p.ID] = p
		return http.StatusCreated, p.version, p
	case "/v1/tenants/pizza":
		return http.StatusOK, 0, body{"currency": "CNY"}
	case "/v1/customers/matches":
		items := []body{}
		for _, id := range r.alike[in.Name] {
			items = append(items, body{"customer_id": id, "rule": "email_and_name"})
		}
		return http.StatusOK, 0, body{"items": items}
	case "/v1/customers/search":
		items := []*somebody{}
		for _, p := range r.people {
			if p.Kind == req.URL.Query().Get("kind") && strings.Contains(strings.ToLower(p.Name), strings.ToLower(req.URL.Query().Get("q"))) {
				items = append(items, p)
			}
		}
		return http.StatusOK, 0, body{"items": items}
	case "/v1/customers/lookup":
		items := []*somebody{}
		for _, p := range r.people {
			for _, has := range p.Identities {
				if has.Type == req.URL.Query().Get("type") && has.Value == req.URL.Query().Get("value") {
					items = append(items, p)
				}
			}
		}
		return http.StatusOK, 0, body{"items": items}
	case "/v1/customers/*":
		return http.StatusOK, who.version, who
	case "/v1/customers/*/timeline":
		return http.StatusOK, 0, body{"items": append([]conversion.Told{}, who.told...)}
	case "/v1/customers/*/archive", "/v1/customers/*/unarchive":
		state := map[string]string{"archive": "archived", "unarchive": "active"}[parts[3]]
		if who.State != state {
			who.State, who.version = state, who.version+1
		}
		return http.StatusOK, who.version, who
	case "/v1/customers/*/relationships":
		key := [2]uuid.UUID{who.ID, in.RelatedID}
		if _, there := r.contacts[key]; there {
			return refuse(http.StatusConflict, "relationship_exists")
		}
		r.contacts[key] = uuid.Must(uuid.NewV7())
		return http.StatusCreated, 0, body{"relationship_id": r.contacts[key]}
	case "/v1/relationships/*/end":
		id := uuid.MustParse(parts[2])
		if r.ended[id] {
			return refuse(http.StatusConflict, "relationship_ended")
		}
		r.ended[id] = true
		for key, relation := range r.contacts {
			if relation == id {
				delete(r.contacts, key)
			}
		}
		return http.StatusOK, 0, body{}
	}
	return refuse(http.StatusNotFound, "not_found")
}

// standing counts the customers who are not archived.
func (r *register) standing() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.people {
		if p.State == "active" {
			n++
		}
	}
	return n
}

// run does what runs in the background of a worker until the test ends: it starts processes, and asks who leads may be.
func (d *desk) run() {
	d.t.Helper()
	key, err := auth.PeerKey(d.Flow.Key())
	if err != nil {
		d.t.Fatal(err)
	}
	api := httptest.NewServer(d.register)
	d.t.Cleanup(api.Close)
	peers := peer.New(func(string) (string, error) { return api.URL, nil }, key, time.Now)
	scores, o, starter := scoring.New(d.DB, time.Now), outbox.New("sales"), starts.New(d.DB, d.Flow.Client())
	d.conversions = conversion.New(d.DB, o, d.leads, opportunity.New(d.DB, o, scores, time.Now), peers, starter, "sales", time.Now)
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() {
		if err := starter.Run(ctx); err != nil {
			d.t.Error(err)
		}
	})
	wait.Go(func() {
		_ = app.Every(10*time.Millisecond, slog.New(slog.DiscardHandler), "matching", d.conversions.Match)(ctx)
	})
	d.stop = func() {
		cancel()
		wait.Wait()
	}
	d.t.Cleanup(d.stop)
}

// desk is sales facing the register, with leads of the tenant pizza.
type desk struct {
	*salestest.World
	t        *testing.T
	register *register
	leads    *lead.Leads
	ctx      context.Context

	conversions *conversion.Conversions
	stop        func() // starting processes and matching
}

func open(t *testing.T) *desk {
	t.Helper()
	r := newRegister()
	w := salestest.StartFacing(t, r)
	d := &desk{
		World: w, t: t, register: r, leads: lead.New(w.DB, outbox.New("sales"), scoring.New(w.DB, time.Now), time.Now),
		ctx: auth.With(t.Context(), auth.Principal{Subject: "li", Tenant: "pizza"}),
	}
	d.run()
	return d
}

// captured is a lead of the company's person.
func (d *desk) captured(company, person string) lead.Lead {
	d.t.Helper()
	contact := lead.Contact{Company: company, Name: person, Email: "hanmei@example.com"}
	if company != "" {
		contact.Email = "info@" + strings.ToLower(strings.ReplaceAll(company, " ", "-")) + ".com"
	} else if person != "Han Mei" {
		contact.Email = strings.ToLower(strings.ReplaceAll(person, " ", "")) + "@gmail.com"
	}
	l, _, err := d.leads.Capture(d.ctx, lead.Draft{Capture: lead.ByAPI, Contact: contact, Profile: lead.Profile{Source: "fair"}, Tags: []string{"hot"}})
	if err != nil {
		d.t.Fatal(err)
	}
	return l
}

// shown is a conversion as the API shows it.
type shown struct {
	ConversionID    uuid.UUID  `json:"conversion_id"`
	State           string     `json:"state"`
	CustomerID      *uuid.UUID `json:"customer_id"`
	CustomerCreated bool       `json:"customer_created"`
	ContactID       *uuid.UUID `json:"contact_id"`
	OpportunityID   *uuid.UUID `json:"opportunity_id"`
	Refusal         string     `json:"refusal"`
	Candidates      []struct {
		CustomerID uuid.UUID `json:"customer_id"`
		Reasons    []string  `json:"reasons"`
	} `json:"candidates"`
	UndoneBy string `json:"undone_by"`
	Settled  bool   `json:"settled"`
}

func path(l lead.Lead, action string) string { return "/v1/leads/" + l.ID.String() + action }

// ended waits until the last conversion of the lead is at rest.
func (d *desk) ended(l lead.Lead) (c shown) {
	d.t.Helper()
	d.Eventually("the conversion ends", func() bool {
		d.Want(http.StatusOK, http.MethodGet, path(l, "/conversion"), d.Sales, nil, &c)
		return c.State != "running" && c.State != "undoing" && c.Settled
	})
	return c
}

func (d *desk) convert(l lead.Lead, wish body) shown {
	d.t.Helper()
	if got := d.Do(http.MethodPost, path(l, "/convert"), d.Sales, wish); got.Status != http.StatusAccepted && got.Status != http.StatusOK {
		d.t.Fatalf("%d %s", got.Status, got.Body)
	}
	return d.ended(l)
}

func (d *desk) undo(l lead.Lead) shown {
	d.t.Helper()
	if got := d.Do(http.MethodPost, path(l, "/unconvert"), d.Sales, nil); got.Status != http.StatusAccepted && got.Status != http.StatusOK {
		d.t.Fatalf("%d %s", got.Status, got.Body)
	}
	return d.ended(l)
}

func (d *desk) read(l lead.Lead) (now lead.Lead) {
	d.t.Helper()
	if err := d.DB.Read(d.t.Context(), "pizza", func(tx *pg.Tx) (err error) {
		now, err = lead.Get(d.t.Context(), tx, l.ID)
		return err
	}); err != nil {
		d.t.Fatal(err)
	}
	return now
}
