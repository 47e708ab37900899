package consent_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/consent"
)

type body = map[string]any

type view struct {
	ConsentID   uuid.UUID `json:"consent_id"`
	CustomerID  uuid.UUID `json:"customer_id"`
	AddressedTo uuid.UUID `json:"addressed_to"`
	Purpose     string
	Channel     string
	Address     string
	State       string
	Kind        string
	Token       string `json:"confirmation_token"`
}

// world is a running service with an agent, and its consents as other rooms call them, at a time of the test's choice.
type world struct {
	*accountstest.World
	*consent.Consents
	agent string
	ctx   context.Context
	ahead atomic.Int64 // how far the test's clock is, in nanoseconds
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{World: accountstest.Start(t), ctx: auth.With(t.Context(), auth.Principal{Subject: "process", Tenant: "pizza"})}
	w.agent = w.Token(auth.RoleAgent, "pizza")
	w.Consents = consent.New(w.DB, outbox.New("accounts"), consent.NewHashes(w.Flow.Key()), func() time.Time {
		return time.Now().Add(time.Duration(w.ahead.Load()))
	})
	return w
}

// customer is a new one with the identities, in turn type and value.
func (w *world) customer(token string, identities ...string) uuid.UUID {
	given := []body{}
	for n := 0; n < len(identities); n += 2 {
		given = append(given, body{"type": identities[n], "value": identities[n+1]})
	}
	var made view
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", token,
		body{"display_name": "李雷", "identities": given, "allow_duplicate": true}, &made)
	return made.CustomerID
}

func path(id uuid.UUID) string { return "/v1/customers/" + id.String() + "/consents" }

// said is what is recorded, with what every statement has.
func said(state, purpose string, more ...string) body {
	b := body{"purpose": purpose, "state": state, "source": "counter", "wording": "2026-03"}
	for n := 0; n < len(more); n += 2 {
		b[more[n]] = more[n+1]
	}
	return b
}

func (w *world) say(id uuid.UUID, b body) (v view) {
	w.Want(http.StatusCreated, http.MethodPost, path(id), w.agent, b, &v)
	return v
}

// holds asks what holds of a purpose, by channel and address.
func (w *world) holds(id uuid.UUID, purpose, channel, address string) string {
	var now struct{ Items []view }
	q := url.Values{"purpose": {purpose}}
	for name, value := range map[string]string{"channel": channel, "address": address} {
		if value != "" {
			q.Set(name, value)
		}
	}
	w.Want(http.StatusOK, http.MethodGet, path(id)+"/current?"+q.Encode(), w.agent, nil, &now)
	return now.Items[0].State
}

func TestWhatACustomerSaysIsKeptAndHolds(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei := w.customer(w.agent, "phone", "138 0013 8000", "email", "li.lei@example.com")
	granted := w.Want(http.StatusCreated, http.MethodPost, path(lei), w.agent,
		said("granted", "marketing", "channel", "sms", "address", "138 0013 8000", "said_at", "2026-03-01T09:00:00+08:00"), nil)
	golden.JSON(t, "testdata/granted.json", granted.Body)
	w.say(lei, said("withdrawn", "service", "channel", "phone"))
	w.say(lei, said("granted", "survey"))

	for _, c := range []struct{ purpose, channel, address, want string }{
		{"marketing", "sms", "+86 138-0013-8000", "granted"}, {"marketing", "sms", "138 0013 8001", "none"}, {"marketing", "", "", "none"},
		{"service", "phone", "", "withdrawn"}, {"service", "sms", "", "none"}, {"survey", "post", "", "granted"},
	} {
		if got := w.holds(lei, c.purpose, c.channel, c.address); got != c.want {
			t.Errorf("%s %s %s: got %s, want %s", c.purpose, c.channel, c.address, got, c.want)
		}
	}
	golden.JSON(t, "testdata/current.json", w.Want(http.StatusOK, http.MethodGet, path(lei)+"/current", w.agent, nil, nil).Body)
	golden.JSON(t, "testdata/consent_changed.json", w.EventsOf("ConsentChanged", 3)[0].Data)
	for _, e := range w.EventsOf("ConsentChanged", 3) {
		if strings.Contains(string(e.Data), "13800138000") || e.AggregateID != lei.String() {
			t.Errorf("%s tells %s", e.AggregateID, e.Data)
		}
	}

	var states []string
	for cursor := ""; ; {
		var page struct {
			Items []view
			Next  string `json:"next_cursor"`
		}
		w.Want(http.StatusOK, http.MethodGet, path(lei)+"?limit=2&cursor="+cursor, w.agent, nil, &page)
		for _, v := range page.Items {
			states = append(states, v.Purpose+" "+v.State)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if !slices.Equal(states, []string{"survey granted", "service withdrawn", "marketing granted"}) {
		t.Errorf("the history is %v", states)
	}
	if n := len(w.page(lei, "?purpose=service")); n != 1 {
		t.Errorf("%d statements on service", n)
	}
}

func (w *world) page(id uuid.UUID, query string) []view {
	var page struct{ Items []view }
	w.Want(http.StatusOK, http.MethodGet, path(id)+query, w.agent, nil, &page)
	return page.Items
}

func TestMarketingByMailIsConfirmedByTheMailbox(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei := w.customer(w.agent)
	ask := said("granted", "marketing", "channel", "email", "address", "Li.Lei@Example.com")
	pending := w.say(lei, ask)
	if pending.State != "pending" || pending.Token == "" || pending.Address != "li.lei@example.com" {
		t.Fatalf("%+v", pending)
	}
	if n := w.Count(`SELECT count(*) FROM consent_confirmation WHERE position(convert_to($1, 'UTF8') IN token_hash) > 0`, pending.Token); n != 0 {
		t.Fatal("the token is kept")
	}
	if got := w.holds(lei, "marketing", "email", "li.lei@example.com"); got != "pending" {
		t.Fatalf("before it is confirmed: %s", got)
	}
	confirm := func(token string) (v view) {
		w.Want(http.StatusOK, http.MethodPost, "/v1/consent-confirmations", w.agent, body{"token": token}, &v)
		return v
	}
	first, again := confirm(pending.Token), confirm(pending.Token)
	if first != again || first.State != "granted" || first.Address != "li.lei@example.com" {
		t.Fatalf("first %+v, then %+v", first, again)
	}
	if got := w.holds(lei, "marketing", "email", "li.lei@example.com"); got != "granted" {
		t.Fatalf("once it is confirmed: %s", got)
	}
	if n := w.Count(`SELECT count(*) FROM consent_record`); n != 2 {
		t.Fatalf("%d records", n)
	}

	// A repetition of the request has the first answer, but for the token, which is nowhere any more.
	key := uuid.NewString()
	var once, twice view
	w.Want(http.StatusCreated, http.MethodPost, path(lei), w.agent, ask, &once, "Idempotency-Key", key)
	w.Want(http.StatusCreated, http.MethodPost, path(lei), w.agent, ask, &twice, "Idempotency-Key", key)
	if twice.Token != "" || once.Token == "" || twice.ConsentID != once.ConsentID {
		t.Fatalf("first %+v, then %+v", once, twice)
	}

	w.say(lei, said("withdrawn", "marketing"))
	if a := w.Do(http.MethodPost, "/v1/consent-confirmations", w.agent, body{"token": once.Token}); a.Status != http.StatusConflict || a.Code() != "confirmation_overtaken" {
		t.Fatalf("an old mail lifts a withdrawal: %d %s", a.Status, a.Body)
	}
	if got := confirm(pending.Token); got != first {
		t.Fatalf("used once more after the withdrawal: %+v", got)
	}
	if got := w.holds(lei, "marketing", "email", "li.lei@example.com"); got != "withdrawn" {
		t.Fatalf("after the withdrawal: %s", got)
	}
	if a := w.Do(http.MethodPost, "/v1/consent-confirmations", w.Token(auth.RoleAgent, "music"), body{"token": pending.Token}); a.Code() != "confirmation_not_found" {
		t.Errorf("another tenant: %d %s", a.Status, a.Body)
	}
}

func TestAConfirmationCanComeTooLate(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei := w.customer(w.agent)
	ask := said("granted", "marketing", "channel", "email", "address", "li.lei@example.com")
	late, intime := w.say(lei, ask), w.say(lei, ask)
	w.ahead.Store(int64(consent.Confirmation - time.Hour))
	if _, err := w.Confirm(w.ctx, intime.Token); err != nil {
		t.Fatal(err)
	}
	w.ahead.Store(int64(consent.Confirmation))
	if _, err := w.Confirm(w.ctx, late.Token); problem.From(err).Code != "confirmation_expired" {
		t.Fatalf("got %v", err)
	}
	if told, err := w.Confirm(w.ctx, intime.Token); err != nil || told.State != consent.Granted {
		t.Fatalf("one that was used is answered again: %+v %v", told, err)
	}
}

func TestManyConfirmAtOnce(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei := w.customer(w.agent)
	pending := w.say(lei, said("granted", "marketing", "channel", "email", "address", "li.lei@example.com"))
	var wait sync.WaitGroup
	for range 12 {
		wait.Go(func() {
			if told, err := w.Confirm(w.ctx, pending.Token); err != nil || told.State != consent.Granted {
				t.Errorf("%+v %v", told, err)
			}
		})
	}
	wait.Wait()
	if n := w.Count(`SELECT count(*) FROM consent_record WHERE state = 'granted'`); n != 1 {
		t.Fatalf("%d grants", n)
	}
}

func TestAWithdrawalOutlivesAnUndoneMerge(t *testing.T) {
	t.Parallel()
	w := start(t)
	manager := w.Token(auth.RoleManager, "pizza")
	lei, twin := w.customer(w.agent), w.customer(w.agent)
	w.say(lei, said("granted", "marketing", "channel", "sms"))
	w.say(twin, said("granted", "survey", "channel", "sms"))
	var merged struct {
		ID string `json:"merge_id"`
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers/"+lei.String()+"/merges", manager, body{"absorbed_id": twin}, &merged)
	if a, b := w.holds(twin, "marketing", "sms", ""), w.holds(lei, "survey", "sms", ""); a != "granted" || b != "granted" {
		t.Fatalf("they are one: %s, %s", a, b)
	}
	v := w.say(twin, said("withdrawn", "marketing", "channel", "sms"))
	if v.CustomerID != lei || v.AddressedTo != twin {
		t.Fatalf("%+v", v)
	}
	if got := w.page(lei, "?purpose=marketing"); len(got) != 2 || got[0].ConsentID != v.ConsentID {
		t.Fatalf("one statement is shown once: %+v", got)
	}
	w.Want(http.StatusOK, http.MethodPost, "/v1/merges/"+merged.ID+"/undo", manager, nil, nil)
	for who, id := range map[string]uuid.UUID{"the survivor": lei, "the absorbed": twin} {
		if got := w.holds(id, "marketing", "sms", ""); got != "withdrawn" {
			t.Errorf("%s: %s", who, got)
		}
		if n := len(w.page(id, "?purpose=marketing")); n != map[uuid.UUID]int{lei: 2, twin: 1}[id] {
			t.Errorf("%s has %d statements", who, n)
		}
	}
	if a, b := w.holds(lei, "survey", "sms", ""), w.holds(twin, "survey", "sms", ""); a != "none" || b != "granted" {
		t.Errorf("each has their own again: %s, %s", a, b)
	}

	proof := w.Want(http.StatusOK, http.MethodGet, path(lei)+"/proof?purpose=marketing&channel=sms", manager, nil, nil)
	golden.JSON(t, "testdata/proof.json", proof.Body)
	var doc struct {
		Records json.RawMessage
		Digest  string
	}
	proof.Decode(t, &doc)
	var compact bytes.Buffer
	if err := json.Compact(&compact, doc.Records); err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(compact.Bytes()); hex.EncodeToString(sum[:]) != doc.Digest {
		t.Errorf("the digest is not that of the records")
	}
}

// erase does what the erasure of customers asks of this room.
func (w *world) erase(t *testing.T, ids ...uuid.UUID) (done map[string]int64) {
	t.Helper()
	err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) (err error) {
		done, err = w.Erase(t.Context(), tx, ids)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func TestAnErasedCustomersAddressesStaySilent(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei := w.customer(w.agent, "phone", "138 0013 8000", "email", "li.lei@example.com")
	w.say(lei, said("granted", "marketing", "channel", "sms", "address", "138 0013 8000"))
	w.say(lei, said("withdrawn", "service", "channel", "sms"))
	w.say(lei, said("granted", "marketing", "channel", "email", "address", "old@example.com"))
	guardian := said("granted", "survey", "kind", "guardian")
	guardian["guardian"] = body{"name": "韩梅梅", "relation": "parent", "until": time.Now().AddDate(3, 0, 0).Format(time.DateOnly)}
	w.say(lei, guardian)

	if done := w.erase(t, lei); done["consent_record"] != 3 || done["consent_confirmation"] != 1 {
		t.Errorf("erased %v", done)
	}
	if done := w.erase(t, lei); done["consent_record"] != 0 || done["consent_confirmation"] != 0 {
		t.Errorf("and again %v", done)
	}
	if n := w.Count(`SELECT count(*) FROM consent_record r WHERE to_jsonb(r)::text ~ '13800138000|example.com|韩梅梅|parent'`); n != 0 {
		t.Errorf("%d records still tell", n)
	}
	if n := w.Count(`SELECT count(*) FROM consent_suppression s WHERE to_jsonb(s)::text ~ '13800138000|example.com'`); n != 0 {
		t.Errorf("%d suppressions tell", n)
	}

	again := w.customer(w.agent, "phone", "+8613800138000", "email", "old@example.com")
	for _, c := range []struct{ purpose, channel, address, want string }{
		{"marketing", "sms", "138 0013 8000", "suppressed"}, {"marketing", "phone", "138 0013 8000", "suppressed"},
		{"marketing", "email", "old@example.com", "suppressed"}, {"service", "sms", "138 0013 8000", "suppressed"},
		{"service", "phone", "138 0013 8000", "none"}, {"survey", "phone", "138 0013 8000", "none"}, {"marketing", "sms", "138 0013 8001", "none"},
	} {
		if got := w.holds(again, c.purpose, c.channel, c.address); got != c.want {
			t.Errorf("%s %s %s: got %s, want %s", c.purpose, c.channel, c.address, got, c.want)
		}
	}
	var now struct{ Items []view }
	w.Want(http.StatusOK, http.MethodGet, path(again)+"/current", w.agent, nil, &now)
	if !slices.ContainsFunc(now.Items, func(v view) bool {
		return v.Purpose == "marketing" && v.Address == "+8613800138000" && v.State == "suppressed"
	}) {
		t.Errorf("what holds does not show it: %+v", now.Items)
	}
	w.say(again, said("granted", "marketing", "channel", "sms"))
	if got := w.holds(again, "marketing", "sms", "138 0013 8000"); got != "suppressed" {
		t.Errorf("a grant that does not name the address: %s", got)
	}
	w.say(again, said("granted", "marketing", "channel", "sms", "address", "138 0013 8000"))
	if got := w.holds(again, "marketing", "sms", "138 0013 8000"); got != "granted" {
		t.Errorf("a grant that names it: %s", got)
	}

	music := w.Token(auth.RoleAgent, "music")
	other := w.customer(music, "email", "li.lei@example.com")
	w.Want(http.StatusOK, http.MethodGet, path(other)+"/current", music, nil, &now)
	if len(now.Items) != 0 {
		t.Errorf("another tenant's: %+v", now.Items)
	}
}

func TestAnArchivedCustomerCanWithdrawOnly(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei := w.customer(w.agent)
	w.Want(http.StatusOK, http.MethodPost, "/v1/customers/"+lei.String()+"/archive", w.agent, nil, nil)
	if a := w.Do(http.MethodPost, path(lei), w.agent, said("granted", "survey")); a.Status != http.StatusConflict || a.Code() != "customer_archived" {
		t.Errorf("granted: %d %s", a.Status, a.Body)
	}
	w.say(lei, said("withdrawn", "survey"))
	if got := w.holds(lei, "survey", "", ""); got != "withdrawn" {
		t.Errorf("withdrew: %s", got)
	}
}

func TestTheLogIsOnlyAddedTo(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei := w.customer(w.agent, "phone", "138 0013 8000")
	w.say(lei, said("granted", "marketing", "channel", "sms", "address", "138 0013 8000"))
	for _, sql := range []string{
		`UPDATE consent_record SET state = 'withdrawn'`, `DELETE FROM consent_record`, `DELETE FROM consent_suppression`,
	} {
		err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error { tx.Queue(sql); return nil })
		if err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s: %v", sql, err)
		}
	}
	// Another tenant's erasure finds nothing of this one.
	err := w.DB.Tx(t.Context(), "music", func(tx *pg.Tx) error {
		var n int64
		if err := tx.QueryRow(t.Context(), `SELECT consent_erase($1)`, []uuid.UUID{lei}).Scan(&n); err != nil || n != 0 {
			return fmt.Errorf("%d records, %w", n, err)
		}
		return nil
	})
	if err != nil || w.Count(`SELECT count(*) FROM consent_record WHERE address = '+8613800138000'`) != 1 {
		t.Errorf("another tenant erased: %v", err)
	}
}

func TestAChildNeedsAGuardian(t *testing.T) {
	t.Parallel()
	w := start(t)
	mia := w.customer(w.agent)
	until := time.Now().AddDate(2, 0, 0).Format(time.DateOnly)
	spoken := func(state string) body {
		b := said(state, "marketing", "channel", "sms", "kind", "guardian")
		b["guardian"] = body{"name": " 韩  梅梅 ", "relation": "parent", "until": until}
		return b
	}
	golden.JSON(t, "testdata/guardian.json", w.Want(http.StatusCreated, http.MethodPost, path(mia), w.agent, spoken("granted"), nil).Body)
	if got := w.holds(mia, "marketing", "sms", ""); got != "granted" {
		t.Errorf("a guardian granted: %s", got)
	}
	alone := w.Do(http.MethodPost, path(mia), w.agent, said("granted", "survey"))
	if alone.Status != http.StatusUnprocessableEntity || !strings.Contains(string(alone.Body), "guardian_needed") {
		t.Errorf("a child granted alone: %d %s", alone.Status, alone.Body)
	}
	w.say(mia, said("withdrawn", "marketing"))
	if got := w.holds(mia, "marketing", "sms", ""); got != "withdrawn" {
		t.Errorf("a child withdrew: %s", got)
	}
}

func TestWhatIsNoStatementIsRefused(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei := w.customer(w.agent)
	guardian := func(change body) body {
		g := body{"name": "韩梅梅", "relation": "parent", "until": time.Now().AddDate(2, 0, 0).Format(time.DateOnly)}
		for k, v := range change {
			g[k] = v
		}
		b := said("granted", "survey", "kind", "guardian")
		b["guardian"] = g
		return b
	}
	with := func(b body, k string, v any) body { b[k] = v; return b }
	for name, c := range map[string]struct {
		body     body
		location string
	}{
		"a purpose that nobody knows":          {said("granted", "spam"), "body.purpose"},
		"a state that only follows":            {said("pending", "survey"), "body.state"},
		"a channel that nobody knows":          {said("granted", "survey", "channel", "fax"), "body.channel"},
		"a kind that nobody knows":             {said("granted", "survey", "kind", "blanket"), "body.kind"},
		"a basis that nobody knows":            {said("granted", "survey", "basis", "habit"), "body.basis"},
		"a grant of no words":                  {said("granted", "survey", "wording", ""), "body.wording"},
		"words that are no version":            {said("granted", "survey", "wording", "as he said"), "body.wording"},
		"a source that is no code":             {said("granted", "survey", "source", "by the counter"), "body.source"},
		"no source":                            {said("granted", "survey", "source", ""), "body.source"},
		"an address that is none":              {said("granted", "survey", "address", "soon"), "body.address"},
		"a telephone for email":                {said("granted", "survey", "channel", "email", "address", "138 0013 8000"), "body.address"},
		"a mailbox for sms":                    {said("granted", "survey", "channel", "sms", "address", "li.lei@example.com"), "body.address"},
		"an address for wechat":                {said("granted", "survey", "channel", "wechat", "address", "138 0013 8000"), "body.address"},
		"marketing by mail to nowhere":         {said("granted", "marketing", "channel", "email"), "body.address"},
		"partners among other things":          {said("granted", "partners"), "body.kind"},
		"sensitive data among other things":    {said("granted", "sensitive", "kind", "plain"), "body.kind"},
		"tomorrow":                             {said("granted", "survey", "said_at", time.Now().Add(24*time.Hour).Format(time.RFC3339)), "body.said_at"},
		"before there was any":                 {said("granted", "survey", "said_at", "1969-12-31T00:00:00Z"), "body.said_at"},
		"no time":                              {said("granted", "survey", "said_at", "today"), "body.said_at"},
		"a guardian of nobody":                 {said("granted", "survey", "kind", "guardian"), "body.guardian"},
		"a guardian of an adult":               {with(guardian(nil), "kind", "plain"), "body.guardian"},
		"a guardian without a name":            {guardian(body{"name": " "}), "body.guardian.name"},
		"a guardian of another kind":           {guardian(body{"relation": "neighbour"}), "body.guardian.relation"},
		"a guardian whose time is over":        {guardian(body{"until": "2020-01-01"}), "body.guardian.until"},
		"a guardian for longer than childhood": {guardian(body{"until": time.Now().AddDate(15, 0, 0).Format(time.DateOnly)}), "body.guardian.until"},
		"a guardian until no day":              {guardian(body{"until": "2030-02-30"}), "body.guardian.until"},
	} {
		t.Run(name, func(t *testing.T) {
			a := w.Do(http.MethodPost, path(lei), w.agent, c.body)
			if a.Status != http.StatusUnprocessableEntity || !strings.Contains(string(a.Body), `"`+c.location+`"`) {
				t.Errorf("got %d %s", a.Status, a.Body)
			}
		})
	}
	if n := w.Count(`SELECT count(*) FROM consent_record`); n != 0 {
		t.Errorf("%d were recorded", n)
	}
	for query, location := range map[string]string{
		"?channel=sms": "query.purpose", "?address=1": "query.purpose", "?purpose=marketing&address=soon": "query.address",
		"?purpose=marketing&channel=email&address=13800138000": "query.address", "?purpose=spam": "query.purpose",
	} {
		if a := w.Do(http.MethodGet, path(lei)+"/current"+query, w.agent, nil); a.Status != 422 || !strings.Contains(string(a.Body), location) {
			t.Errorf("%s: got %d %s", query, a.Status, a.Body)
		}
	}
}

func TestWhoMayRecordAndReadConsents(t *testing.T) {
	t.Parallel()
	w := start(t)
	lei := w.customer(w.agent)
	other, marketing := w.Token(auth.RoleAgent, "music"), w.Token(auth.RoleMarketing, "pizza")
	for _, c := range []struct {
		name, method, path, token string
		body                      any
		status                    int
		code                      string
	}{
		{"another tenant's customer", http.MethodPost, path(lei), other, said("granted", "survey"), 404, "customer_not_found"},
		{"nor their history", http.MethodGet, path(lei), other, nil, 404, "customer_not_found"},
		{"nor what holds", http.MethodGet, path(lei) + "/current", other, nil, 404, "customer_not_found"},
		{"nor the proof", http.MethodGet, path(lei) + "/proof?purpose=survey", w.Token(auth.RoleManager, "music"), nil, 404, "customer_not_found"},
		{"one who never was", http.MethodPost, path(uuid.New()), w.agent, said("granted", "survey"), 404, "customer_not_found"},
		{"marketing asks", http.MethodGet, path(lei) + "/current", marketing, nil, 200, ""},
		{"but does not answer for the customer", http.MethodPost, path(lei), marketing, said("granted", "survey"), 403, ""},
		{"an agent takes no proof away", http.MethodGet, path(lei) + "/proof?purpose=survey", w.agent, nil, 403, ""},
		{"nobody confirms for another", http.MethodPost, "/v1/consent-confirmations", marketing, body{"token": "x"}, 403, ""},
		{"a token that was never made", http.MethodPost, "/v1/consent-confirmations", w.agent, body{"token": "x"}, 404, "confirmation_not_found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := w.Do(c.method, c.path, c.token, c.body)
			if a.Status != c.status || c.code != "" && a.Code() != c.code {
				t.Fatalf("got %d %s, want %d %s", a.Status, a.Body, c.status, c.code)
			}
		})
	}
}

func TestConsentsRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := start(t)
	token := w.TokenFor(body{"subject": "ann", "tenant": "pizza", "roles": []string{auth.RoleManager}})
	lei := w.customer(token)
	pending := w.say(lei, said("granted", "marketing", "channel", "email", "address", "li.lei@example.com"))
	raw := func(b body) string {
		text, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for name, target := range map[string]badinput.Target{
		"record": {Method: http.MethodPost, Path: path(lei), Body: raw(said("withdrawn", "marketing", "channel", "sms")), Owned: true, Replay: true,
			OtherBody: raw(said("withdrawn", "survey"))},
		"list":    {Method: http.MethodGet, Path: path(lei), List: true, Owned: true},
		"current": {Method: http.MethodGet, Path: path(lei) + "/current", Owned: true},
		"proof":   {Method: http.MethodGet, Path: path(lei) + "/proof?purpose=marketing", Owned: true},
		"confirm": {Method: http.MethodPost, Path: "/v1/consent-confirmations", Body: raw(body{"token": pending.Token}), Replay: true},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, token
			badinput.Check(t, target)
		})
	}
}
