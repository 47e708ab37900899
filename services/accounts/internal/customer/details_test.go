package customer_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/golden"
	analyticsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/analytics/events/v1"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
)

func TestDetailsChangeTogether(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	agent, admin := w.Token(auth.RoleAgent, "pizza"), w.Token(auth.RoleAdmin, "pizza")
	for name, kind := range map[string]string{"shoe_size": "integer", "note": "text"} {
		w.Want(http.StatusCreated, http.MethodPost, "/v1/custom-fields", admin, body{"name": name, "title": name, "type": kind, "class": "behaviour"}, nil)
	}
	var c customerView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", agent, body{
		"given_name": "雷", "tags": []string{"vip", "a"}, "owner": "ann", "custom_fields": body{"shoe_size": 43, "note": "likes tea"},
		"addresses": []body{{"lines": []string{"中山路 1 号"}}},
	}, &c)
	if fmt.Sprintf("%v %v %v", c.Tags, c.Owner, c.CustomFields) != "[a vip] ann map[note:likes tea shoe_size:43]" || c.Addresses[0].Country != "CN" || c.State != "active" {
		t.Fatalf("%+v", c)
	}
	path := "/v1/customers/" + c.CustomerID
	change := body{"kind": "organisation", "tags": []string{"b"}, "owner": "", "custom_fields": body{"note": nil, "shoe_size": 44}}
	var now, read customerView
	w.Want(http.StatusOK, http.MethodPatch, path, agent, change, &now, "If-Match", `"1"`)
	w.Want(http.StatusOK, http.MethodGet, path, agent, nil, &read)
	if fmt.Sprint(now) != fmt.Sprint(read) || fmt.Sprintf("%v %v %q %v", read.Kind, read.Tags, read.Owner, read.CustomFields) != `organisation [b] "" map[shoe_size:44]` {
		t.Fatalf("answered %+v, read %+v", now, read)
	}
	w.Want(http.StatusOK, http.MethodPatch, path, agent, change, &now, "If-Match", `"2"`)
	if now.Version != 2 {
		t.Errorf("a change to the same counted: %d", now.Version)
	}
	golden.JSON(t, "testdata/customer_changed.json", w.EventsOf("CustomerChanged", 1)[0].Data)

	for name, refused := range map[string]struct {
		body     body
		location string
	}{
		"an unknown field":         {body{"custom_fields": body{"hat": 1}}, "body.custom_fields.hat"},
		"a value of another type":  {body{"custom_fields": body{"shoe_size": "43"}}, "body.custom_fields.shoe_size"},
		"a whole number too large": {body{"custom_fields": body{"shoe_size": 9007199254740993}}, "body.custom_fields.shoe_size"},
		"a tag that is none":       {body{"tags": []string{""}}, "body.tags[0]"},
		"an owner that is none":    {body{"owner": "a\nb"}, "body.owner"},
	} {
		if got := w.Do(http.MethodPatch, path, agent, refused.body, "If-Match", `"2"`); got.Status != http.StatusUnprocessableEntity || !strings.Contains(string(got.Body), refused.location) {
			t.Errorf("%s: got %d %s, want 422 at %s", name, got.Status, got.Body, refused.location)
		}
	}
}

func TestAddressesAreAddedChangedAndRemoved(t *testing.T) {
	t.Parallel()
	w := start(t)
	path := "/v1/customers/" + w.first.CustomerID
	var c customerView
	w.Want(http.StatusCreated, http.MethodPost, path+"/addresses", w.agent, body{"kind": "work", "lines": []string{"Nanjing Road 2"}, "country": "us"}, &c)
	if len(c.Addresses) != 1 || c.Addresses[0].Country != "US" || c.Version != 2 {
		t.Fatalf("%+v", c)
	}
	one := path + "/addresses/" + c.Addresses[0].AddressID
	w.Want(http.StatusPreconditionFailed, http.MethodPatch, one, w.agent, body{"city": "上海"}, nil, "If-Match", `"1"`)
	w.Want(http.StatusOK, http.MethodPatch, one, w.agent, body{"city": "上海"}, &c, "If-Match", `"2"`)
	if a := w.get(w.first.CustomerID).Addresses; len(a) != 1 || a[0].City != "上海" || a[0].Kind != "work" || !slices.Equal(a[0].Lines, []string{"Nanjing Road 2"}) {
		t.Fatalf("%+v", a)
	}
	w.Want(http.StatusUnprocessableEntity, http.MethodPatch, one, w.agent, body{"lines": []string{}}, nil, "If-Match", `"3"`)
	others := path + "/addresses/" + w.other.Addresses[0].AddressID
	for _, method := range []string{http.MethodPatch, http.MethodDelete} {
		var change any
		if method == http.MethodPatch {
			change = body{"city": "x"}
		}
		if got := w.Do(method, others, w.agent, change, "If-Match", `"3"`); got.Status != http.StatusNotFound || got.Code() != "address_not_found" {
			t.Errorf("%s of another customer's address: %d %s", method, got.Status, got.Body)
		}
	}
	w.Want(http.StatusOK, http.MethodDelete, one, w.agent, nil, &c)
	if len(c.Addresses) != 0 || len(w.get(w.first.CustomerID).Addresses) != 0 {
		t.Errorf("it is still there: %+v", c.Addresses)
	}
	for range 20 {
		w.Want(http.StatusCreated, http.MethodPost, path+"/addresses", w.agent, body{"lines": []string{"x"}}, nil)
	}
	w.Want(http.StatusUnprocessableEntity, http.MethodPost, path+"/addresses", w.agent, body{"lines": []string{"x"}}, nil)
}

func TestAnIdentityThatEndedCanBeAnothers(t *testing.T) {
	t.Parallel()
	w := start(t)
	first, other := "/v1/customers/"+w.first.CustomerID, "/v1/customers/"+w.other.CustomerID
	number := body{"type": "card", "value": "vip-17"}
	find := func(query string) (out []string) {
		var found struct{ Items []customerView }
		w.Want(http.StatusOK, http.MethodGet, "/v1/customers/lookup?type=card&value=VIP17"+query, w.agent, nil, &found)
		for _, c := range found.Items {
			out = append(out, c.DisplayName+" "+c.Why)
		}
		return out
	}
	w.Want(http.StatusConflict, http.MethodPost, first+"/identities", w.agent, number, nil)
	w.Want(http.StatusOK, http.MethodPost, other+"/identities/end", w.agent, number, nil)
	if got := find(""); len(got) != 0 {
		t.Errorf("an ended card finds %q", got)
	}
	w.Want(http.StatusOK, http.MethodPost, first+"/identities", w.agent, number, nil)
	if got := find(""); !slices.Equal(got, []string{"李雷 unverified"}) {
		t.Errorf("the card finds %q", got)
	}
	if got := find("&include_ended=true"); !slices.Equal(got, []string{"李雷 unverified", "Li Lei ended"}) {
		t.Errorf("with those who had it: %q", got)
	}
	w.Want(http.StatusConflict, http.MethodPost, other+"/identities", w.agent, number, nil)
	w.Want(http.StatusConflict, http.MethodPost, other+"/identities/verify", w.agent, number, nil)
	w.Want(http.StatusOK, http.MethodPost, first+"/identities/verify", w.agent, number, nil)
	if got := find(""); !slices.Equal(got, []string{"李雷 verified"}) {
		t.Errorf("the verified card finds %q", got)
	}
	for name, c := range map[string]struct {
		path   string
		body   body
		status int
		code   string
	}{
		"not theirs":               {other + "/identities/verify", body{"type": "card", "value": "VIP99"}, 404, "identity_not_found"},
		"nothing to end":           {other + "/identities/end", body{"type": "card", "value": "VIP99"}, 404, "identity_not_found"},
		"verified in the future":   {first + "/identities/verify", body{"type": "card", "value": "VIP17", "at": "2099-01-01T00:00:00Z"}, 422, "customer_invalid"},
		"ended in the future":      {first + "/identities/end", body{"type": "card", "value": "VIP17", "at": "2099-01-01T00:00:00Z"}, 422, "customer_invalid"},
		"valid from the future":    {first + "/identities", body{"type": "card", "value": "VIP20", "valid_from": "2099-01-01T00:00:00Z"}, 422, "customer_invalid"},
		"a card that was misread":  {first + "/identities", body{"type": "card", "value": "4012888888881882"}, 422, "customer_invalid"},
		"a telephone that is none": {first + "/identities/end", body{"type": "phone", "value": "soon"}, 422, "customer_invalid"},
	} {
		if got := w.Do(http.MethodPost, c.path, w.agent, c.body); got.Status != c.status || got.Code() != c.code {
			t.Errorf("%s: got %d %s", name, got.Status, got.Body)
		}
	}
}

func TestLookupRanksBySaidReasons(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	agent := w.Token(auth.RoleAgent, "pizza")
	number := "138 0013 8000"
	ids := map[string]string{}
	for _, name := range []string{"early", "late", "verified", "ended", "archived", "other"} {
		var c customerView
		given := body{"type": "phone", "value": number, "verified": name == "verified"}
		if name == "other" {
			given["value"] = "138 0013 8001"
		}
		w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", agent, body{"display_name": name, "identities": []body{given}}, &c)
		ids[name] = "/v1/customers/" + c.CustomerID
	}
	w.Want(http.StatusOK, http.MethodPost, ids["ended"]+"/identities/end", agent, body{"type": "phone", "value": number}, nil)
	w.Want(http.StatusOK, http.MethodPost, ids["archived"]+"/archive", agent, nil, nil)
	var found struct{ Items []customerView }
	w.Want(http.StatusOK, http.MethodGet, "/v1/customers/lookup?"+url.Values{"type": {"phone"}, "value": {number}}.Encode(), agent, nil, &found)
	var got []string
	for n, c := range found.Items {
		got = append(got, c.DisplayName+" "+c.Why)
		if c.Rank != n+1 {
			t.Errorf("%s has rank %d, want %d", c.DisplayName, c.Rank, n+1)
		}
	}
	if want := []string{"verified verified", "late unverified", "early unverified", "ended ended", "archived archived"}; !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestAnArchivedCustomerIsReadOnly(t *testing.T) {
	t.Parallel()
	w := start(t)
	path := "/v1/customers/" + w.first.CustomerID
	var c customerView
	for range 2 { // the second time changes nothing
		w.Want(http.StatusOK, http.MethodPost, path+"/archive", w.agent, nil, &c)
		if c.State != "archived" || c.Version != 2 {
			t.Fatalf("%+v", c)
		}
	}
	for _, op := range []struct {
		method, path string
		body         any
	}{
		{http.MethodPatch, path, body{"given_name": "x"}},
		{http.MethodPost, path + "/identities", body{"type": "card", "value": "VIP18"}},
		{http.MethodPost, path + "/identities/end", body{"type": "external:till", "value": "A7"}},
		{http.MethodPost, path + "/addresses", body{"lines": []string{"x"}}},
		{http.MethodPost, path + "/stage", body{"stage": "loyalty", "reason": "by_hand"}},
	} {
		if got := w.Do(op.method, op.path, w.agent, op.body, "If-Match", `"2"`); got.Status != http.StatusConflict || got.Code() != "customer_archived" {
			t.Errorf("%s %s: got %d %s", op.method, op.path, got.Status, got.Body)
		}
	}
	for query, want := range map[string]int{"": 2, "?state=archived": 1, "?state=active": 1} {
		var list struct{ Items []customerView }
		w.Want(http.StatusOK, http.MethodGet, "/v1/customers"+query, w.agent, nil, &list)
		if len(list.Items) != want {
			t.Errorf("%q lists %d, want %d", query, len(list.Items), want)
		}
	}
	if got := w.Do(http.MethodGet, "/v1/customers?state=absorbed", w.agent, nil); got.Status != http.StatusUnprocessableEntity {
		t.Errorf("a state that is not listed: %d", got.Status)
	}
	w.Want(http.StatusOK, http.MethodPost, path+"/unarchive", w.agent, nil, &c)
	w.Want(http.StatusOK, http.MethodPatch, path, w.agent, body{"given_name": "蕾"}, &c, "If-Match", `"3"`)
}

// placed is an order in sales' topic.
func placed(customer string, n int) bus.Event {
	order := uuid.Must(uuid.NewV7()).String()
	return event(order, 1, &salesv1.OrderPlaced{
		OrderId: order, CustomerId: customer, Channel: "shop", Currency: "CNY", TotalMinor: int64(n), PlacedAt: timestamppb.Now(),
	})
}

func event(order string, seq int64, m proto.Message) bus.Event {
	data, err := protojson.Marshal(m)
	if err != nil {
		panic(err)
	}
	return bus.Event{
		ID: uuid.Must(uuid.NewV7()), Type: string(m.ProtoReflect().Descriptor().FullName()), Source: "/guanxi/sales", Tenant: "pizza",
		AggregateType: "order", AggregateID: order, Sequence: seq, Time: timestamppb.Now().AsTime(), Data: data,
	}
}

func TestOrdersMoveACustomerOn(t *testing.T) {
	t.Parallel()
	w := start(t)
	stage := func(want string) {
		t.Helper()
		w.Eventually("the customer is in "+want, func() bool { return w.get(w.first.CustomerID).Stage == want })
	}
	w.Publish("sales", placed(w.first.CustomerID, 1))
	stage("exploration")

	// An order that names nobody counts once it is known whose it is.
	late := uuid.Must(uuid.NewV7()).String()
	w.Publish("sales", event(late, 1, &salesv1.OrderPlaced{OrderId: late, Channel: "web", Currency: "CNY", TotalMinor: 1, PlacedAt: timestamppb.Now()}),
		event(late, 2, &salesv1.OrderAttributed{OrderId: late, CustomerId: w.first.CustomerID, AttributedAt: timestamppb.Now()}))
	stage("familiarity")

	moves := w.EventsOf("LifecycleStageChanged", 2)
	golden.JSON(t, "testdata/customer_moved.json", moves[1].Data)
	var history struct {
		Items []struct{ Stage, Segment, Reason, By string }
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/customers/"+w.first.CustomerID+"/stages", w.agent, nil, &history)
	if got := fmt.Sprint(history.Items); len(history.Items) != 2 || !strings.Contains(got, "familiarity current repeat_purchase") || !strings.Contains(got, "exploration prospect first_purchase") {
		t.Errorf("history %s", got)
	}

	// Whom nobody knows, and whom a person holds, stays.
	w.Want(http.StatusOK, http.MethodPost, "/v1/customers/"+w.other.CustomerID+"/stage", w.agent,
		body{"stage": "awareness", "reason": "by_hand", "manual_until": "2030-01-01T00:00:00Z"}, nil)
	w.Publish("sales", placed(w.other.CustomerID, 1), placed(w.other.CustomerID, 2), placed(uuid.NewString(), 3))
	w.Eventually("five orders are counted", func() bool { return w.Count(`SELECT sum(orders) FROM customer_purchase`) == 5 })
	if got := w.get(w.other.CustomerID); got.Stage != "awareness" || got.ManualUntil == "" {
		t.Errorf("the one who is held is in %s", got.Stage)
	}
	// When the hold is over, the next order tells.
	w.sql(`UPDATE customer SET stage_manual_until = now() - interval '1 second' WHERE tenant_id = 'pizza' AND id = $1`, w.other.CustomerID)
	w.Publish("sales", placed(w.other.CustomerID, 4))
	w.Eventually("the one who was held moves on", func() bool { return w.get(w.other.CustomerID).Stage == "familiarity" })
}

func TestOrdersOfMergedCustomersCountTogether(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.Publish("sales", placed(w.first.CustomerID, 1))
	w.Eventually("the first order counts", func() bool { return w.get(w.first.CustomerID).Stage == "exploration" })
	w.absorb()
	w.Publish("sales", placed(w.other.CustomerID, 2))
	w.Eventually("the second counts with it", func() bool { return w.get(w.first.CustomerID).Stage == "familiarity" })
	if n := w.Count(`SELECT count(*) FROM customer_stage WHERE customer_id = $1 AND stage = 'familiarity'`, w.other.CustomerID); n != 1 {
		t.Error("the move does not hang on the id of the order that made it")
	}
	if got := w.Count(`SELECT count(*) FROM customer WHERE id = $1 AND stage = 'awareness'`, w.other.CustomerID); got != 1 {
		t.Error("the row of the one who was absorbed changed its stage")
	}
}

func TestAnalyticsProposesAStage(t *testing.T) {
	t.Parallel()
	w := start(t)
	propose := func(customer string, seq int64, stage string, reasons ...string) bus.Event {
		e := event(customer, seq, &analyticsv1.LifecycleStageProposed{CustomerId: customer, Stage: stage, Reasons: reasons, AsOf: timestamppb.Now()})
		e.AggregateType, e.Source = "customer", "/guanxi/analytics"
		return e
	}
	w.Want(http.StatusOK, http.MethodPost, "/v1/customers/"+w.other.CustomerID+"/stage", w.agent,
		body{"stage": "awareness", "reason": "by_hand", "manual_until": "2030-01-01T00:00:00Z"}, nil)
	w.Publish("analytics", propose(w.other.CustomerID, 1, "loyalty"), propose(uuid.NewString(), 1, "loyalty"),
		propose(w.first.CustomerID, 1, "familiarity"), propose(w.first.CustomerID, 2, "loyalty", "regular_purchases", "satisfied"))
	w.Eventually("behaviour leads on", func() bool { return w.get(w.first.CustomerID).Stage == "loyalty" })
	w.Publish("analytics", propose(w.first.CustomerID, 3, "separation"))
	w.Eventually("and out", func() bool { return w.get(w.first.CustomerID).Stage == "separation" })
	var history struct {
		Items []struct{ Stage, Segment, Reason, By string }
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/customers/"+w.first.CustomerID+"/stages", w.agent, nil, &history)
	if got := fmt.Sprint(history.Items); !strings.Contains(got, "separation lost behaviour") || !strings.Contains(got, "loyalty current regular_purchases") {
		t.Errorf("history %s", got)
	}
	if got := w.get(w.other.CustomerID); got.Stage != "awareness" {
		t.Errorf("the one who is held is in %s", got.Stage)
	}
	w.Publish("analytics", propose(w.first.CustomerID, 4, "friendship"))
	w.Eventually("a stage that is none is parked", func() bool { return w.Count(`SELECT count(*) FROM inbox_parked`) == 1 })
}

func TestAPersonSetsTheStage(t *testing.T) {
	t.Parallel()
	w := start(t)
	path := "/v1/customers/" + w.first.CustomerID
	var c customerView
	w.Want(http.StatusOK, http.MethodPost, path+"/stage", w.agent, body{"stage": "loyalty", "reason": "long_talk"}, &c)
	if c.Stage != "loyalty" || c.Segment != "current" || c.Version != 2 {
		t.Fatalf("%+v", c)
	}
	w.Want(http.StatusOK, http.MethodPost, path+"/stage", w.agent, body{"stage": "loyalty", "reason": "long_talk"}, &c)
	w.Want(http.StatusOK, http.MethodPost, path+"/stage", w.agent, body{"stage": "separation", "reason": "moved_abroad", "manual_until": "2030-01-01T00:00:00Z"}, &c)
	if c.Segment != "lost" || c.Version != 3 || c.ManualUntil != "2030-01-01T00:00:00Z" {
		t.Fatalf("%+v", c)
	}
	for name, wrong := range map[string]body{
		"a stage that is none":     {"stage": "love", "reason": "by_hand"},
		"prose for a reason":       {"stage": "loyalty", "reason": "Li Lei said so"},
		"no reason":                {"stage": "loyalty"},
		"held until yesterday":     {"stage": "loyalty", "reason": "by_hand", "manual_until": "2020-01-01T00:00:00Z"},
		"held for a hundred years": {"stage": "loyalty", "reason": "by_hand", "manual_until": "2126-01-01T00:00:00Z"},
	} {
		if got := w.Do(http.MethodPost, path+"/stage", w.agent, wrong); got.Status != http.StatusUnprocessableEntity || strings.Contains(string(got.Body), "Li Lei") {
			t.Errorf("%s: got %d %s", name, got.Status, got.Body)
		}
	}
	var stages []string
	for cursor := ""; ; {
		var page struct {
			Items      []struct{ Stage, By string }
			NextCursor string `json:"next_cursor"`
		}
		w.Want(http.StatusOK, http.MethodGet, path+"/stages?limit=1&cursor="+cursor, w.agent, nil, &page)
		for _, i := range page.Items {
			stages = append(stages, i.Stage)
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if !slices.Equal(stages, []string{"separation", "loyalty"}) {
		t.Errorf("history %q", stages)
	}
	w.Want(http.StatusNotFound, http.MethodGet, path+"/stages", w.Token(auth.RoleAgent, "music"), nil, nil)
	w.Want(http.StatusNotFound, http.MethodPost, path+"/stage", w.Token(auth.RoleAgent, "music"), body{"stage": "loyalty", "reason": "by_hand"}, nil)
}

func TestACustomerIsShownAsFarAsThePurposeAllows(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	admin := w.Token(auth.RoleAdmin, "pizza")
	for name, class := range map[string]string{"hat": "behaviour", "balance": "financial", "allergy": "health"} {
		w.Want(http.StatusCreated, http.MethodPost, "/v1/custom-fields", admin, body{"name": name, "title": name, "type": "text", "class": class}, nil)
	}
	var c customerView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", admin, body{
		"display_name": "李雷", "tags": []string{"vip"}, "custom_fields": body{"hat": "x", "balance": "7", "allergy": "nuts"},
		"identities": []body{{"type": "phone", "value": "138 0013 8000"}, {"type": "card", "value": "VIP17"}}, "addresses": []body{{"lines": []string{"1"}}},
	}, &c)
	if fmt.Sprint(c.CustomFields) != "map[hat:x]" {
		t.Errorf("the answer to the registration shows %v", c.CustomFields)
	}
	path := "/v1/customers/" + c.CustomerID
	cases := []struct {
		name, role, query, fields, withheld string
		named, reached                      bool
	}{
		{"an agent", auth.RoleAgent, "", "map[hat:x]", "financial health special", true, true},
		{"an agent with a reason", auth.RoleAgent, "?reason=T-1", "map[hat:x]", "financial health special", true, true},
		{"figures only", auth.RoleMarketing, "?purpose=analysis", "map[hat:x]", "identity contact financial health special", false, false},
		{"credit without a reason", auth.RoleManager, "?purpose=credit", "map[]", "behaviour financial health special", true, true},
		{"credit", auth.RoleManager, "?purpose=credit&reason=T-1", "map[balance:7]", "behaviour health special", true, true},
		{"care", auth.RoleManager, "?purpose=care&reason=T-2", "map[allergy:nuts]", "behaviour financial special", true, true},
	}
	for _, one := range cases {
		for _, at := range []string{path + one.query, "/v1/customers" + one.query, "/v1/customers/lookup?type=card&value=VIP17&" + strings.TrimPrefix(one.query, "?")} {
			var page struct {
				customerView
				Items []customerView
			}
			w.Want(http.StatusOK, http.MethodGet, at, w.Token(one.role, "pizza"), nil, &page)
			got := page.customerView
			if len(page.Items) > 0 {
				got = page.Items[0]
			}
			var withheld []string
			for _, one := range got.Withheld {
				withheld = append(withheld, one.Class)
			}
			if fmt.Sprint(got.CustomFields) != one.fields || strings.Join(withheld, " ") != one.withheld {
				t.Errorf("%s, %s: shows %v and withholds %q", one.name, at, got.CustomFields, withheld)
			}
			if named := got.DisplayName != "" && slices.Contains(got.written(), "card VIP17"); named != one.named {
				t.Errorf("%s, %s: names the customer: %v", one.name, at, named)
			}
			if reached := len(got.Addresses) > 0 && slices.Contains(got.written(), "phone +8613800138000"); reached != one.reached {
				t.Errorf("%s, %s: shows how to reach the customer: %v", one.name, at, reached)
			}
		}
	}
	if n := w.Count(`SELECT count(*) FROM access_log WHERE view = 'customer' AND customer_id = $1`, c.CustomerID); n != 6 {
		t.Errorf("%d looks at sensitive fields are in the log, want 6", n)
	}
	for query, status := range map[string]int{"?purpose=credit": 403, "?purpose=fun": 422, "?reason=because+of+Li+Lei": 422} {
		if got := w.Do(http.MethodGet, path+query, w.Token(auth.RoleAgent, "pizza"), nil); got.Status != status {
			t.Errorf("%s: got %d %s", query, got.Status, got.Body)
		}
	}
}
