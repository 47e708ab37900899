package profile_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/consent"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
)

// says records what a customer allows or no longer allows.
func (w *world) says(customer string, what body) {
	w.t.Helper()
	what["source"], what["wording"] = "counter", "2026-03"
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers/"+customer+"/consents", w.Token(auth.RoleAgent, "pizza"), what, nil)
}

func TestAProfileSaysWhatTheCustomerAllows(t *testing.T) {
	t.Parallel()
	w := start(t)
	if got := w.profile(auth.RoleAgent, w.lei, "").Consents; got == nil || len(got) != 0 {
		t.Errorf("nothing was said, and there is %+v", got)
	}
	w.says(w.lei, body{"purpose": "marketing", "state": "granted"})
	w.says(w.lei, body{"purpose": "marketing", "channel": "sms", "state": "withdrawn"})
	w.says(w.lei, body{"purpose": "marketing", "channel": "email", "address": "li.lei@example.com", "state": "granted"})
	w.says(w.lei, body{"purpose": "survey", "address": "138 0013 8000", "state": "withdrawn"})
	want := []string{
		"marketing email li.lei@example.com pending", "marketing phone granted", "marketing post granted", "marketing sms withdrawn",
		"marketing wechat granted", "marketing wecom granted", "survey phone +8613800138000 withdrawn", "survey sms +8613800138000 withdrawn",
	}
	p := w.profile(auth.RoleAgent, w.lei, "")
	if !slices.Equal(p.consents(), want) {
		t.Errorf("%q", p.consents())
	}
	if c := p.Consents[1]; c.Kind != "plain" || time.Since(c.Since) > time.Hour || p.Child {
		t.Errorf("%+v, a child: %v", c, p.Child)
	}
	// With a reason the look is logged, and the same is seen.
	if got := w.profile(auth.RoleManager, w.lei, "?purpose=credit&reason=T-1").consents(); !slices.Equal(got, want) {
		t.Errorf("with a reason %q", got)
	}
	if p := w.profile(auth.RoleMarketing, w.lei, "?purpose=analysis"); len(p.Consents) != 0 {
		t.Errorf("who does not see how the customer is reached sees %q", p.consents())
	}
	if got := w.profile(auth.RoleAgent, w.mother, "").consents(); len(got) != 0 {
		t.Errorf("the mother said %q", got)
	}
}

func TestAProfileHasTheConsentsOfAllWhoWereMerged(t *testing.T) {
	t.Parallel()
	w := start(t)
	manager := w.Token(auth.RoleManager, "pizza")
	w.says(w.lei, body{"purpose": "marketing", "channel": "post", "state": "granted"})
	w.says(w.mother, body{"purpose": "marketing", "channel": "post", "state": "withdrawn"})
	w.says(w.mother, body{"purpose": "profiling", "channel": "phone", "state": "granted"})
	var merge struct {
		MergeID string `json:"merge_id"`
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers/"+w.lei+"/merges", manager, body{"absorbed_id": w.mother}, &merge)
	for _, id := range []string{w.lei, w.mother} {
		if got := w.profile(auth.RoleAgent, id, "").consents(); !slices.Equal(got, []string{"marketing post withdrawn", "profiling phone granted"}) {
			t.Errorf("by %s: %q; who denies wins", id, got)
		}
	}
	w.Want(http.StatusOK, http.MethodPost, "/v1/merges/"+merge.MergeID+"/undo", manager, nil, nil)
	if got := w.profile(auth.RoleAgent, w.lei, "").consents(); !slices.Equal(got, []string{"marketing post granted"}) {
		t.Errorf("after it was undone %q", got)
	}
}

func TestAProfileKnowsSuppressedAddressesAndChildren(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.says(w.lei, body{"purpose": "marketing", "channel": "sms", "state": "granted"})
	consents := consent.New(w.DB, nil, consent.NewHashes(w.Flow.Key()), time.Now)
	for tenant, number := range map[string]string{"pizza": "+8613800138000", "music": "+861065529988"} {
		if err := w.DB.Tx(t.Context(), tenant, func(tx *pg.Tx) error {
			return consents.Suppress(tx, consent.Suppression{Address: identity.Identity{Type: identity.Phone, Value: number}, At: time.Now().UTC()})
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ role, query string }{{auth.RoleAgent, ""}, {auth.RoleManager, "?purpose=care&reason=T-1"}} {
		p := w.profile(c.role, w.lei, c.query)
		for _, want := range []string{"marketing sms granted", "marketing sms +8613800138000 suppressed", "profiling phone +8613800138000 suppressed"} {
			if !slices.Contains(p.consents(), want) {
				t.Errorf("%s: there is no %q in %q", c.role, want, p.consents())
			}
		}
		for _, text := range p.consents() {
			if text == "marketing sms +861065529988 suppressed" {
				t.Error("another tenant's suppression counts")
			}
		}
	}

	born := time.Now().AddDate(-10, 0, 0).Format(time.DateOnly)
	w.AsSuperuser(t, `INSERT INTO custom_field (tenant_id, name, title, type, class, archived, version, created_at, changed_at)
		VALUES ('pizza', 'birth_date', 'Birth date', 'date', 'identity', false, 1, now(), now())`)
	w.AsSuperuser(t, `UPDATE customer SET custom = custom || jsonb_build_object('birth_date', $2::text) WHERE id = $1`, w.lei, born)
	if p := w.profile(auth.RoleAgent, w.lei, ""); !p.Child || slices.Contains(p.consents(), "marketing sms granted") {
		t.Errorf("a child's own grant counts: %s", fmt.Sprint(p.Child, p.consents()))
	}
}
