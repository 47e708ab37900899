package customerimport_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
)

// bring uploads a file and waits until its import has ended.
func bring(w *accountstest.World, token string, query url.Values, file string) apptest.Import {
	return w.Ended(w.Upload("/v1/customers/imports", token, query, file))
}

func TestGoodRowsGoInAndBadOnesAreNamed(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	integrator := w.Token(auth.RoleIntegrator, "pizza")
	var there struct {
		CustomerID string `json:"customer_id"`
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", integrator, map[string]any{
		"display_name": "李雷", "identities": []map[string]any{{"type": "card", "value": "VIP17"}},
	}, &there)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", integrator, map[string]any{
		"display_name": "韩梅梅", "identities": []map[string]any{{"type": "external:shop", "value": "18"}},
	}, nil)

	v := bring(w, integrator, nil, `external:shop,card,display_name,phone,email,kind
1,,王伟,138 0013 8001,,
2,,,soon,at,
3,#,,,,
,,张三,,,robot
,,,138 0013 8000,,
18,VIP17,nobody,,,
17,vip-17,Other,,,
1,,again,,,
4,,,,,
`)
	if v.State != "finished" || v.Rows != 9 || v.Rejected != 5 || v.Accepted != 4 {
		t.Fatalf("%+v", v)
	}
	var got []string
	for _, r := range w.Rejections(v) {
		got = append(got, r.String())
		if strings.Contains(r.Reason, "soon") {
			t.Errorf("a reason repeats what the file says: %s", r.Reason)
		}
	}
	want := []string{
		"3 email email_malformed", "3 phone phone_malformed", "4 card card_malformed", "5 kind kind_unknown",
		"6 display_name required", "7 card identity_conflict",
	}
	slices.Sort(got)
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	if n := w.Count(`SELECT count(*) FROM customer WHERE source = 'import'`); n != 2 { // 1 and 4
		t.Errorf("%d customers came in, want 2", n)
	}
	if n := w.Count(`SELECT count(*) FROM customer_pending WHERE seq >= 1::bigint << 62`); n != 2 {
		t.Errorf("%d customers wait to be indexed behind all others, want 2", n)
	}
	if n := w.Count(`SELECT count(*) FROM customer WHERE id = $1 AND version = 1`, there.CustomerID); n != 1 {
		t.Error("a customer who was there was changed")
	}
	if n := len(w.EventsOf("CustomerRegistered", 4)); n != 4 {
		t.Errorf("%d customers were told of, want 4", n)
	}
}

func TestAFileBroughtTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	integrator := w.Token(auth.RoleIntegrator, "music")
	var file strings.Builder
	file.WriteString(" customer_id  date\r\n")
	for n := range 2500 { // three batches, in which customers come back
		fmt.Fprintf(&file, " %05d 19970101\r\n", n/2)
	}
	query := url.Values{"format": {"whitespace"}, "header": {"true"}, "mapping": {"external:cdnow=#1"}}
	for range 2 {
		if v := bring(w, integrator, query, file.String()); v.State != "finished" || v.Accepted != 2500 {
			t.Fatalf("%+v", v)
		}
		if n := w.Count(`SELECT count(*) FROM customer`); n != 1250 {
			t.Fatalf("%d customers, want 1250", n)
		}
	}
	if n := len(w.EventsOf("CustomerRegistered", 1250)); n != 1250 {
		t.Fatalf("%d events", n)
	}
}

func TestCustomersWhoComeBackInEveryBatchAreOne(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	var file strings.Builder
	file.WriteString("display_name,phone,email\n")
	for n := range 4500 { // five batches, each of the same people, known by telephone and name or by mail and name alone
		one := n % 90
		if one < 45 {
			fmt.Fprintf(&file, "Ann %d,+1617555%04d,\n", one, one)
		} else {
			fmt.Fprintf(&file, "Ann %d,,ann%d@example.com\n", one, one)
		}
	}
	if v := bring(w, w.Token(auth.RoleIntegrator, "music"), nil, file.String()); v.State != "finished" || v.Accepted != 4500 {
		t.Fatalf("%+v", v)
	}
	if n := w.Count(`SELECT count(*) FROM customer`); n != 90 {
		t.Fatalf("%d customers, want 90", n)
	}
}

func TestUpdateGivesCustomersWhatTheFileSays(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	integrator := w.Token(auth.RoleIntegrator, "pizza")
	bring(w, integrator, nil, "external:shop,display_name\n1,Lei\n2,Mei\n")
	v := bring(w, integrator, url.Values{"policy": {"update"}}, "external:shop,display_name,card\n1,李雷,VIP17\n2,,\n3,Tao,\n1,,VIP18\n")
	if v.Accepted != 4 {
		t.Fatalf("%+v", v)
	}
	if n := w.Count(`SELECT count(*) FROM customer c JOIN customer_identity i ON i.customer_id = c.id
		WHERE c.display_name = '李雷' AND c.version = 2 AND i.type = 'card'`); n != 2 {
		t.Errorf("李雷 has %d cards at version 2, want 2", n)
	}
	if n := len(w.EventsOf("CustomerChanged", 1)); n != 1 {
		t.Errorf("%d changes were told of, want 1", n)
	}
}

func TestASuspendedTenantDoesNotImport(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	w.Want(http.StatusOK, http.MethodPost, "/v1/tenants/pizza/suspend", w.Root, nil, nil)
	v := bring(w, w.Token(auth.RoleIntegrator, "pizza"), nil, "display_name\n李雷\n")
	if v.Accepted != 0 || w.Count(`SELECT count(*) FROM customer`) != 0 {
		t.Fatalf("%+v", v)
	}
}
