package contact_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	accountsactivitiesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/activities/v1"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/consent"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/contact"
)

type body = map[string]any

// world is a running service and its activity, called as its worker calls it, at a time of the test's choice.
type world struct {
	*accountstest.World
	*contact.Contacts
	consents       *consent.Consents
	agent, courier string
	ctx            context.Context
	ahead          atomic.Int64 // how far the test's clock is, in nanoseconds
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{World: accountstest.Start(t), ctx: auth.With(t.Context(), auth.Principal{Subject: "process", Tenant: "pizza"})}
	w.agent, w.courier = w.Token(auth.RoleAgent, "pizza"), w.Token(auth.RoleIntegrator, "pizza")
	clock := func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }
	hashes := consent.NewHashes(w.Flow.Key())
	w.consents = consent.New(w.DB, outbox.New("accounts"), hashes, clock)
	w.Contacts = contact.New(w.DB, w.consents, hashes, clock)
	return w
}

// customer is a new one with the identities, in turn type and value.
func (w *world) customer(identities ...string) uuid.UUID {
	given := []body{}
	for n := 0; n < len(identities); n += 2 {
		given = append(given, body{"type": identities[n], "value": identities[n+1]})
	}
	var made struct {
		ID uuid.UUID `json:"customer_id"`
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", w.agent,
		body{"display_name": "李雷", "identities": given, "allow_duplicate": true}, &made)
	return made.ID
}

func path(id uuid.UUID, what string) string { return "/v1/customers/" + id.String() + "/" + what }

// say records a statement, with more of it in turn name and value.
func (w *world) say(id uuid.UUID, state, purpose string, more ...string) {
	b := body{"purpose": purpose, "state": state, "source": "counter", "wording": "2026-03"}
	for n := 0; n < len(more); n += 2 {
		b[more[n]] = more[n+1]
	}
	w.Want(http.StatusCreated, http.MethodPost, path(id, "consents"), w.agent, b, nil)
}

func asks(key string, customer uuid.UUID, purpose, channel string) *accountsactivitiesv1.ResolveContact {
	return &accountsactivitiesv1.ResolveContact{IdempotencyKey: key, CustomerId: customer.String(), Purpose: purpose, Channel: channel,
		ReasonType: "complaint", ReasonId: "01890000-0000-7000-8000-000000000001"}
}

// resolve asks anew.
func (w *world) resolve(t *testing.T, customer uuid.UUID, purpose, channel string) *accountsactivitiesv1.ResolveContactResult {
	t.Helper()
	r, err := w.Resolve(w.ctx, asks(uuid.NewString(), customer, purpose, channel))
	if err != nil {
		t.Fatal(err)
	}
	if r.GetAllowed() != (r.GetRefusal() == "") || r.GetAllowed() != (r.GetChannel() != "") || r.GetAllowed() != (r.GetValidUntil() != nil) || r.GetContactId() == "" {
		t.Fatalf("the answer contradicts itself: %v", r)
	}
	return r
}

// fetch gives the address of a contact, or the code of the problem.
func (w *world) fetch(r *accountsactivitiesv1.ResolveContactResult) string {
	a := w.Do(http.MethodGet, "/v1/contacts/"+r.GetContactId()+"/address", w.courier, nil)
	if a.Status != http.StatusOK {
		return a.Code()
	}
	return strings.Split(strings.Split(string(a.Body), `"address":"`)[1], `"`)[0]
}

// alter changes identities behind the service's back, as only time does otherwise.
func (w *world) alter(t *testing.T, sql string, args ...any) {
	t.Helper()
	if err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error { tx.Queue(sql, args...); return nil }); err != nil {
		t.Fatal(err)
	}
}

func TestAContactIsResolvedOnceAndFetchedOnce(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei := w.customer("email", "li.lei@example.com", "phone", "138 0013 8000")
	first, err := w.Resolve(w.ctx, asks("k", lei, "service", ""))
	if err != nil || !first.GetAllowed() || first.GetChannel() != "email" {
		t.Fatalf("%v %v", first, err)
	}
	if got := w.fetch(first); got != "li.lei@example.com" {
		t.Fatalf("fetched %s", got)
	}
	if got := w.fetch(first); got != "contact_used" {
		t.Fatalf("fetched again: %s", got)
	}
	w.say(lei, "withdrawn", "service")
	again, err := w.Resolve(w.ctx, asks("k", lei, "service", ""))
	if err != nil || !proto.Equal(first, again) {
		t.Fatalf("first %v, then %v %v", first, again, err)
	}
	if n := w.Count(`SELECT count(*) FROM contact_log`); n != 1 {
		t.Fatalf("%d contacts", n)
	}
	if n := w.Count(`SELECT count(*) FROM contact_reveal WHERE outcome IN ('given', 'contact_used') AND by = 'integrator@pizza'`); n != 2 {
		t.Fatalf("%d attempts", n)
	}
	if n := w.Count(`SELECT count(*) FROM contact_log c WHERE to_jsonb(c)::text ~ 'li.lei|13800138000'`); n != 0 {
		t.Fatal("the log has an address")
	}
}

func TestWhoMayBeReachedAndHow(t *testing.T) {
	t.Parallel()
	w := start(t)
	both := []string{"email", "li.lei@example.com", "phone", "138 0013 8000"}
	for name, c := range map[string]struct {
		identities       []string
		said             [][]string // state, purpose, then name and value
		purpose, channel string
		want             string // a channel, or why not
	}{
		"service needs no consent":            {both, nil, "service", "", "email"},
		"by the channel that is asked for":    {both, nil, "service", "phone", "phone"},
		"marketing does":                      {both, nil, "marketing", "", "no_consent"},
		"marketing by sms":                    {both, [][]string{{"granted", "marketing", "channel", "sms"}}, "marketing", "", "sms"},
		"and not by what was not granted":     {both, [][]string{{"granted", "marketing", "channel", "sms"}}, "marketing", "email", "no_consent"},
		"a mailbox that has to be confirmed":  {both, [][]string{{"granted", "marketing", "channel", "email", "address", "li.lei@example.com"}}, "marketing", "email", "no_consent"},
		"a withdrawal from service":           {both, [][]string{{"withdrawn", "service"}}, "service", "", "withdrawn"},
		"of one channel":                      {both, [][]string{{"withdrawn", "service", "channel", "email"}}, "service", "", "sms"},
		"of one address":                      {both, [][]string{{"withdrawn", "service", "address", "+86 13800138000"}}, "service", "sms", "withdrawn"},
		"nothing to reach anybody by":         {[]string{"card", "VIP-0017"}, nil, "service", "", "no_address"},
		"nothing to reach them by on wechat":  {both, nil, "service", "wechat", "no_address"},
		"letters go to no identity":           {both, nil, "service", "post", "no_address"},
		"a withdrawal outranks missing words": {both, [][]string{{"withdrawn", "marketing", "channel", "sms"}}, "marketing", "", "withdrawn"},
	} {
		lei := w.customer(c.identities...)
		for _, s := range c.said {
			w.say(lei, s[0], s[1], s[2:]...)
		}
		if r := w.resolve(t, lei, c.purpose, c.channel); r.GetChannel()+r.GetRefusal() != c.want {
			t.Errorf("%s: got %v, want %s", name, r, c.want)
		}
		w.alter(t, `UPDATE customer_identity SET valid_to = now() WHERE type = 'card'`) // the next one can have it
	}
}

func TestTheBestAddressIsTaken(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei := w.customer("phone", "138 0013 8000", "phone", "138 0013 8001", "phone", "138 0013 8002", "email", "li.lei@example.com")
	w.alter(t, `UPDATE customer_identity SET verified_at = now() WHERE value = '+8613800138001'`)
	w.alter(t, `UPDATE customer_identity SET verified_at = now() + interval '1 hour', valid_to = now() WHERE value = '+8613800138002'`)
	if got := w.fetch(w.resolve(t, lei, "service", "sms")); got != "+8613800138001" {
		t.Errorf("the one that is verified and still theirs: %s", got)
	}
	w.say(lei, "withdrawn", "service", "address", "138 0013 8001")
	if got := w.fetch(w.resolve(t, lei, "service", "sms")); got != "+8613800138000" {
		t.Errorf("the one that may be used: %s", got)
	}
	w.Want(http.StatusOK, http.MethodPut, path(lei, "preferences/contact_channel"), w.agent, body{"value": "phone"}, nil)
	if r := w.resolve(t, lei, "service", ""); r.GetChannel() != "phone" {
		t.Errorf("the channel that is preferred: %v", r)
	}
	w.say(lei, "withdrawn", "service", "channel", "phone")
	if r := w.resolve(t, lei, "service", ""); r.GetChannel() != "email" {
		t.Errorf("the next one that is allowed: %v", r)
	}
}

func TestConsentIsAskedAgainWhenTheAddressIsFetched(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei := w.customer("phone", "138 0013 8000")
	withdrawn, ended, late, refused := w.resolve(t, lei, "survey", ""), w.resolve(t, lei, "service", ""), w.resolve(t, lei, "service", ""), w.resolve(t, lei, "marketing", "")
	w.say(lei, "withdrawn", "survey")
	w.ahead.Store(int64(contact.Validity - time.Minute))
	fetch := func(r *accountsactivitiesv1.ResolveContactResult) string {
		a, err := w.Reveal(w.ctx, uuid.MustParse(r.GetContactId()))
		if err != nil {
			return problem.From(err).Code
		}
		return a.Address.Value
	}
	if got := fetch(withdrawn); got != "contact_refused" {
		t.Errorf("after a withdrawal: %s", got)
	}
	if got := fetch(refused); got != "contact_refused" {
		t.Errorf("of one that was refused at once: %s", got)
	}
	w.ahead.Store(int64(contact.Validity + time.Second))
	if got := fetch(late); got != "contact_expired" {
		t.Errorf("when it is too late: %s", got)
	}
	w.ahead.Store(0)
	if got := fetch(late); got != "+8613800138000" {
		t.Errorf("in time: %s", got)
	}
	w.alter(t, `UPDATE customer_identity SET valid_to = now()`)
	if got := fetch(ended); got != "address_gone" {
		t.Errorf("when the number is another's: %s", got)
	}
	for outcome, want := range map[string]int64{"withdrawn": 1, "contact_refused": 1, "contact_expired": 1, "given": 1, "address_gone": 1} {
		if n := w.Count(`SELECT count(*) FROM contact_reveal WHERE outcome = $1`, outcome); n != want {
			t.Errorf("%d attempts ended as %s", n, outcome)
		}
	}
}

func TestAMergedCustomersContactIsTheGroups(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei, twin := w.customer("phone", "138 0013 8000"), w.customer("email", "li.lei@example.com")
	var merged struct {
		ID string `json:"merge_id"`
	}
	manager := w.Token(auth.RoleManager, "pizza")
	w.Want(http.StatusCreated, http.MethodPost, path(lei, "merges"), manager, body{"absorbed_id": twin}, &merged)
	r := w.resolve(t, twin, "service", "sms")
	if !r.GetAllowed() {
		t.Fatalf("the survivor's telephone reaches them: %v", r)
	}
	var page struct{ Items []struct{ Allowed bool } }
	w.Want(http.StatusOK, http.MethodGet, path(lei, "contacts"), w.agent, nil, &page)
	if len(page.Items) != 1 {
		t.Errorf("the group's contacts: %+v", page)
	}
	w.Want(http.StatusOK, http.MethodPost, "/v1/merges/"+merged.ID+"/undo", manager, nil, nil)
	if got := w.fetch(r); got != "address_gone" {
		t.Errorf("it is another's again: %s", got)
	}
}

func TestNobodyAndTheErasedAreNotReached(t *testing.T) {
	t.Parallel()
	w := start(t)
	if r := w.resolve(t, uuid.Must(uuid.NewV7()), "service", ""); r.GetRefusal() != "customer_unknown" {
		t.Errorf("nobody: %v", r)
	}
	lei := w.customer("phone", "138 0013 8000")
	before := w.resolve(t, lei, "service", "")
	err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		if _, err := w.consents.Erase(t.Context(), tx, []uuid.UUID{lei}); err != nil {
			return err
		}
		done, err := contact.Erase(t.Context(), tx, []uuid.UUID{lei})
		if done["contact"] != 1 {
			t.Errorf("erased %v", done)
		}
		tx.Queue(`UPDATE customer SET state = 'erased' WHERE tenant_id = 'pizza' AND id = $1`, lei)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if r := w.resolve(t, lei, "service", ""); r.GetRefusal() != "customer_erased" {
		t.Errorf("the erased: %v", r)
	}
	if got := w.fetch(before); got != "customer_erased" {
		t.Errorf("an older contact: %s", got)
	}
	again := w.customer("phone", "138 0013 8000")
	if r := w.resolve(t, again, "marketing", "sms"); r.GetRefusal() != "suppressed" {
		t.Errorf("the number comes back: %v", r)
	}
	if r := w.resolve(t, again, "service", "sms"); !r.GetAllowed() {
		t.Errorf("and may be served: %v", r)
	}
}

func TestAChildIsReachedByItsGuardiansWord(t *testing.T) {
	t.Parallel()
	w := start(t)
	mia := w.customer("phone", "138 0013 8000")
	w.Want(http.StatusCreated, http.MethodPost, path(mia, "consents"), w.agent, body{
		"purpose": "marketing", "channel": "sms", "state": "granted", "source": "counter", "wording": "2026-03", "kind": "guardian",
		"guardian": body{"name": "韩梅梅", "relation": "parent", "until": time.Now().AddDate(2, 0, 0).Format(time.DateOnly)},
	}, nil)
	if r := w.resolve(t, mia, "marketing", "sms"); !r.GetAllowed() {
		t.Errorf("the guardian granted it: %v", r)
	}
	if r := w.resolve(t, mia, "service", "sms"); r.GetRefusal() != "guardian_needed" {
		t.Errorf("the guardian was not asked: %v", r)
	}
	w.ahead.Store(int64(3 * 366 * 24 * time.Hour))
	if r := w.resolve(t, mia, "marketing", "sms"); r.GetRefusal() != "no_consent" {
		t.Errorf("now 14, she has to be asked herself: %v", r)
	}
}

func TestABirthdayMakesAChild(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei, mia := w.customer("phone", "138 0013 8000"), w.customer("phone", "138 0013 8001")
	w.alter(t, `UPDATE customer SET custom = jsonb_build_object('birth_date', '1990-05-04') WHERE id = $1`, lei)
	w.alter(t, `UPDATE customer SET custom = jsonb_build_object('birth_date', $2::text) WHERE id = $1`, mia, time.Now().AddDate(-10, 0, 0).Format(time.DateOnly))
	if r := w.resolve(t, lei, "service", ""); !r.GetAllowed() {
		t.Errorf("an adult: %v", r)
	}
	if r := w.resolve(t, mia, "service", ""); r.GetRefusal() != "guardian_needed" {
		t.Errorf("a child: %v", r)
	}
}

func TestAKeyBelongsToOneContactOfATenant(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei := w.customer("phone", "138 0013 8000")
	if _, err := w.Resolve(w.ctx, asks("k", lei, "service", "")); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*accountsactivitiesv1.ResolveContact){
		"customer":    func(r *accountsactivitiesv1.ResolveContact) { r.CustomerId = uuid.NewString() },
		"purpose":     func(r *accountsactivitiesv1.ResolveContact) { r.Purpose = "survey" },
		"channel":     func(r *accountsactivitiesv1.ResolveContact) { r.Channel = "sms" },
		"reason":      func(r *accountsactivitiesv1.ResolveContact) { r.ReasonType = "birthday" },
		"reason's id": func(r *accountsactivitiesv1.ResolveContact) { r.ReasonId = uuid.NewString() },
	} {
		other := asks("k", lei, "service", "")
		change(other)
		if _, err := w.Resolve(w.ctx, other); problem.From(err).Code != "idempotency_key_reused" || !problem.CallersFault(err) {
			t.Errorf("another %s: got %v", name, err)
		}
	}
	music := auth.With(t.Context(), auth.Principal{Subject: "process", Tenant: "music"})
	if r, err := w.Resolve(music, asks("k", lei, "service", "")); err != nil || r.GetRefusal() != "customer_unknown" {
		t.Errorf("another tenant: %v %v", r, err)
	}
}

func TestContactsRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei := w.customer("phone", "138 0013 8000")
	for name, change := range map[string]func(*accountsactivitiesv1.ResolveContact){
		"no key":                        func(r *accountsactivitiesv1.ResolveContact) { r.IdempotencyKey = "" },
		"a key of 256 characters":       func(r *accountsactivitiesv1.ResolveContact) { r.IdempotencyKey = strings.Repeat("键", 256) },
		"a key with U+0000":             func(r *accountsactivitiesv1.ResolveContact) { r.IdempotencyKey = "a\x00" },
		"nobody":                        func(r *accountsactivitiesv1.ResolveContact) { r.CustomerId = "" },
		"nobody's id":                   func(r *accountsactivitiesv1.ResolveContact) { r.CustomerId = "17" },
		"the id of nothing":             func(r *accountsactivitiesv1.ResolveContact) { r.CustomerId = uuid.Nil.String() },
		"no purpose":                    func(r *accountsactivitiesv1.ResolveContact) { r.Purpose = "" },
		"a purpose that nobody knows":   func(r *accountsactivitiesv1.ResolveContact) { r.Purpose = "spam" },
		"a channel that nobody knows":   func(r *accountsactivitiesv1.ResolveContact) { r.Channel = "fax" },
		"no reason":                     func(r *accountsactivitiesv1.ResolveContact) { r.ReasonType = "" },
		"a reason that is no code":      func(r *accountsactivitiesv1.ResolveContact) { r.ReasonType = "Complaint 17" },
		"a reason without an id":        func(r *accountsactivitiesv1.ResolveContact) { r.ReasonId = "" },
		"a reason whose id is a person": func(r *accountsactivitiesv1.ResolveContact) { r.ReasonId = "李雷 " },
		"a reason whose id is bad UTF8": func(r *accountsactivitiesv1.ResolveContact) { r.ReasonId = "\xff" },
	} {
		bad := asks("k", lei, "service", "")
		change(bad)
		if _, err := w.Resolve(w.ctx, bad); problem.From(err).Code != "contact_invalid" || !problem.CallersFault(err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if n := w.Count(`SELECT count(*) FROM contact_log`); n != 0 {
		t.Errorf("%d were logged", n)
	}
}

// TestManyAskAndFetchAtOnce: one contact a key, whose address is given once.
func TestManyAskAndFetchAtOnce(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei := w.customer("phone", "138 0013 8000")
	var wait sync.WaitGroup
	var given atomic.Int64
	for range 20 {
		wait.Go(func() {
			r, err := w.Resolve(w.ctx, asks("k", lei, "service", ""))
			if err != nil {
				t.Error(err)
				return
			}
			switch got := w.fetch(r); got {
			case "+8613800138000":
				given.Add(1)
			case "contact_used":
			default:
				t.Errorf("got %s", got)
			}
		})
	}
	wait.Wait()
	if given.Load() != 1 || w.Count(`SELECT count(*) FROM contact_log`) != 1 {
		t.Errorf("%d were given the address of %d contacts", given.Load(), w.Count(`SELECT count(*) FROM contact_log`))
	}
}

func TestAWorkflowAsksByTheNameOfTheContract(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei := w.customer("phone", "138 0013 8000")
	env := flowtest.Environment(t, auth.Principal{Subject: "agent", Tenant: "pizza"}, "complaint/pizza/1")
	w.Register(env)
	env.ExecuteWorkflow(func(ctx workflow.Context) (*accountsactivitiesv1.ResolveContactResult, error) {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
		var answer *accountsactivitiesv1.ResolveContactResult
		request := asks("complaint/pizza/1/offer/1", lei, "service", "")
		err := workflow.ExecuteActivity(ctx, flow.ActivityName(request), request).Get(ctx, &answer)
		return answer, err
	})
	var answer *accountsactivitiesv1.ResolveContactResult
	if err := env.GetWorkflowResult(&answer); err != nil || !answer.GetAllowed() || answer.GetChannel() != "sms" {
		t.Fatalf("%v %v", answer, err)
	}
	if n := w.Count(`SELECT count(*) FROM contact_log WHERE tenant_id = 'pizza' AND asked_by = 'agent'`); n != 1 {
		t.Fatalf("%d contacts", n)
	}
}
