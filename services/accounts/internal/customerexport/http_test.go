package customerexport_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customerexport"
)

const path = "/v1/customers/exports"

// export is an export as these tests look at it.
type export struct {
	ID       string   `json:"id"`
	State    string   `json:"state"`
	Columns  []string `json:"columns"`
	Classes  []string `json:"classes"`
	Rows     int64    `json:"rows"`
	Bytes    int64    `json:"bytes"`
	Progress float64  `json:"progress"`
}

// write orders an export, waits until it has ended and gives its file.
func write(w *accountstest.World, token string, order map[string]any) (export, string) {
	e := ordered(w, token, "", order)
	return e, string(w.Want(http.StatusOK, http.MethodGet, path+"/"+e.ID+"/file", token, nil, nil).Body)
}

func ordered(w *accountstest.World, token, query string, order map[string]any) (e export) {
	w.Want(http.StatusAccepted, http.MethodPost, path+query, token, order, &e)
	w.Eventually("the export has ended", func() bool {
		w.Want(http.StatusOK, http.MethodGet, path+"/"+e.ID, token, nil, &e)
		return e.State != "accepted" && e.State != "running"
	})
	return e
}

// people is a file with everything that an import takes, and names that a spreadsheet would calculate.
const people = `{"external:shop":"1","external:till":["a","b"],"given_name":"雷","family_name":"李","source":"till","owner":"ann","tags":["vip","a tag, with a comma"],"phone":["+8613800138000","+861065529988"],"email":"li@example.com","card":"VIP0001","addresses":[{"kind":"home","lines":["1 Main St","Flat 2"],"city":"Boston","country":"US"},{"kind":"work","lines":["建国路1号"],"country":"CN"}],"custom:size":43,"custom:member":true,"custom:likes":["coffee","tea"],"custom:note":"two\nlines, and \"quotes\""}
{"external:shop":"2","display_name":"=HYPERLINK(\"http://x\")","custom:note":"-1+1"}
{"external:shop":"3","display_name":"'=1+1","login":"mei","web_device":"0123456789abcdef","wechat_union":"oUnion0123456789","tags":"@home"}
{"external:shop":"4"}
{"kind":"organisation","legal_name":"老王比萨","phone":"+861065529988"}
`

func defineFields(w *accountstest.World, tenant string) {
	admin := w.Token(auth.RoleAdmin, tenant)
	for _, f := range []map[string]any{
		{"name": "size", "type": "integer"}, {"name": "member", "type": "boolean"}, {"name": "note", "type": "text"},
		{"name": "likes", "type": "choices", "choices": []string{"coffee", "tea"}},
		{"name": "allergy", "type": "text", "class": "health"},
	} {
		f["title"] = f["name"]
		if f["class"] == nil {
			f["class"] = "behaviour"
		}
		w.Want(http.StatusCreated, http.MethodPost, "/v1/custom-fields", admin, f, nil)
	}
}

func bring(t *testing.T, w *accountstest.World, token, format, file string) {
	t.Helper()
	v := w.Ended(w.Upload("/v1/customers/imports", token, url.Values{"format": {format}, "policy": {"create"}}, file))
	if v.State != "finished" || v.Rejected != 0 {
		t.Fatalf("%+v: %v", v, w.Rejections(v))
	}
}

func TestAnExportBroughtIntoAnotherTenantGivesTheSameCustomers(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	from, to := w.Token(auth.RoleIntegrator, "pizza"), w.Token(auth.RoleIntegrator, "music")
	defineFields(w, "pizza")
	defineFields(w, "music")
	w.Want(http.StatusCreated, http.MethodPost, "/v1/tenants", w.Root, accountstest.Pizza("again"), nil)
	defineFields(w, "again")
	bring(t, w, from, "jsonl", people)

	e, jsonl := write(w, from, map[string]any{"format": "jsonl"})
	if e.State != "finished" || e.Rows != 5 || e.Progress != 1 || int(e.Bytes) != len(jsonl) {
		t.Fatalf("%+v", e)
	}
	bring(t, w, to, "jsonl", jsonl)
	_, again := write(w, to, map[string]any{"format": "jsonl"})
	if got, want := sorted(again), sorted(jsonl); !slices.Equal(got, want) {
		t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, line := range strings.Split(strings.TrimSpace(people), "\n") { // what went in is in it
		for _, value := range []string{`"+8613800138000"`, `"Flat 2"`, `"custom:size":43`, `"custom:member":true`, `"a tag, with a comma"`} {
			if strings.Contains(line, value) && !strings.Contains(jsonl, value) {
				t.Errorf("%s is not in the file", value)
			}
		}
	}

	_, sheet := write(w, from, map[string]any{})
	for _, dangerous := range []string{"\n=", ",=", ",\"=", ",-1+1", ",@home"} {
		if strings.Contains(sheet, dangerous) {
			t.Errorf("a spreadsheet would calculate %q", dangerous)
		}
	}
	third := w.Token(auth.RoleIntegrator, "again")
	bring(t, w, third, "csv", sheet)
	_, again = write(w, third, map[string]any{"format": "jsonl"})
	if got, want := sorted(again), sorted(jsonl); !slices.Equal(got, want) {
		t.Fatalf("through CSV: got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func sorted(file string) []string {
	return slices.Sorted(strings.SplitSeq(strings.TrimSpace(file), "\n"))
}

func TestAnIDThatWillEndIsInTheFileUntilThen(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	token := w.Token(auth.RoleIntegrator, "music")
	bring(t, w, token, "csv", "external:shop,external:till,external:web\n1,a,x\n2,b,y\n")
	w.AsSuperuser(t, `UPDATE customer_identity SET valid_to = now() + interval '1 day' WHERE type = 'external:till'`)
	w.AsSuperuser(t, `UPDATE customer_identity SET valid_to = now() - interval '1 second' WHERE type = 'external:web'`)
	_, file := write(w, token, map[string]any{"columns": []string{"external:shop", "external:till", "external:web"}})
	if want := "external:shop,external:till,external:web\n1,a,\n2,b,\n"; file != want {
		t.Errorf("got %q, want %q", file, want)
	}
}

func TestTheFilterSaysWhoIsInTheFile(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	token := w.Token(auth.RoleIntegrator, "music")
	bring(t, w, token, "csv", "external:shop,display_name,tags,source\n1,Ann,vip,till\n2,Bob,,till\n3,Cid,vip,web\n4,Dan,,\n5,Eve,,\n6,Fay,,\n")
	id := map[string]string{}
	for _, n := range []string{"1", "2", "3", "4", "5", "6"} {
		var found struct {
			Items []struct {
				CustomerID string `json:"customer_id"`
			} `json:"items"`
		}
		w.Want(http.StatusOK, http.MethodGet, "/v1/customers/lookup?type=external:shop&value="+n, token, nil, &found)
		id[n] = found.Items[0].CustomerID
	}
	w.Put(t, "music", id["4"], "archived")
	w.Absorb(t, "music", id["1"], id["5"])
	w.Put(t, "music", id["6"], "erased")
	before := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	later := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	cases := []struct {
		name   string
		filter map[string]any
		want   string // shop ids, as they stand
	}{
		{"all who are somebody; one who was merged is in it with the other", nil, "1\n5 2 3 4"},
		{"active ones", map[string]any{"state": "active"}, "1\n5 2 3"},
		{"archived ones", map[string]any{"state": "archived"}, "4"},
		{"with a tag", map[string]any{"tag": "vip"}, "1\n5 3"},
		{"of a source", map[string]any{"source": "till"}, "1\n5 2"},
		{"of the import", map[string]any{"source": "import"}, "4"},
		{"registered since before", map[string]any{"registered_since": before, "tag": "vip"}, "1\n5 3"},
		{"registered in future", map[string]any{"registered_since": later}, ""},
	}
	for _, c := range cases {
		_, file := write(w, token, map[string]any{"filter": c.filter, "columns": []string{"external:shop", "customer_id"}})
		rows, err := csv.NewReader(strings.NewReader(file)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range rows[1:] {
			got = append(got, r[0])
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestSensitiveColumnsNeedAReasonAndAreLogged(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	defineFields(w, "pizza")
	token := w.Token(auth.RoleAdmin, "pizza")
	bring(t, w, token, "csv", "external:shop,custom:allergy\n1,nuts\n2,\n")

	_, file := write(w, token, map[string]any{})
	if strings.Contains(file, "allergy") || strings.Contains(file, "nuts") {
		t.Fatalf("health data without a reason: %s", file)
	}
	answer := w.Want(http.StatusUnprocessableEntity, http.MethodPost, path, token, map[string]any{"columns": []string{"custom:allergy"}}, nil)
	if !strings.Contains(string(answer.Body), "column_hidden") {
		t.Fatalf("%s", answer.Body)
	}
	e := ordered(w, token, "?purpose=care&reason=T-1", map[string]any{"columns": []string{"external:shop", "custom:allergy"}})
	if e.State != "finished" || !slices.Equal(e.Classes, []string{"health"}) {
		t.Fatalf("%+v", e)
	}
	fetch := path + "/" + e.ID + "/file"
	w.Want(http.StatusForbidden, http.MethodGet, fetch, token, nil, nil)
	w.Want(http.StatusForbidden, http.MethodGet, fetch+"?purpose=administration&reason=T-1", w.Token(auth.RoleOperations, "pizza"), nil, nil)
	got := w.Want(http.StatusOK, http.MethodGet, fetch+"?purpose=care&reason=T-2", token, nil, nil)
	if string(got.Body) != "external:shop,custom:allergy\n1,nuts\n2,\n" {
		t.Fatalf("%s", got.Body)
	}
	if n := w.Count(`SELECT count(*) FROM access_log WHERE view = 'export' AND classes = 'health' AND reason = 'T-1'`); n != 1 {
		t.Errorf("%d customers are in the log, want the one of whom there is something", n)
	}
	if n := w.Count(`SELECT count(*) FROM access_log WHERE view = 'export_file' AND reason = 'T-2'`); n != 1 {
		t.Errorf("the fetching is in the log %d times, want once", n)
	}
}

func TestAnErasedCustomerIsInNoFile(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	token := w.Token(auth.RoleIntegrator, "pizza")
	bring(t, w, token, "csv", "external:shop,display_name\n1,李雷\n")
	other := w.Token(auth.RoleIntegrator, "music")
	bring(t, w, other, "csv", "external:shop,display_name\n1,Ann\n")
	e, _ := write(w, token, map[string]any{})
	foreign, _ := write(w, other, map[string]any{})
	var there uuid.UUID
	err := w.DB.Read(t.Context(), "pizza", func(tx *pg.Tx) error {
		return tx.QueryRow(t.Context(), `SELECT id FROM customer WHERE tenant_id = 'pizza'`).Scan(&there)
	})
	if err != nil {
		t.Fatal(err)
	}
	erase := func(id uuid.UUID) (got map[string]int64) {
		if err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) (err error) {
			got, err = customerexport.Erase(t.Context(), tx, []uuid.UUID{id}, time.Now())
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := erase(uuid.Max); got["exports_withdrawn"] != 0 {
		t.Fatalf("somebody who came later withdrew it: %v", got)
	}
	if got := erase(there); got["exports_withdrawn"] != 1 {
		t.Fatalf("%v", got)
	}
	if got := erase(there); got["exports_withdrawn"] != 0 {
		t.Fatalf("again: %v", got)
	}
	if code := w.Want(http.StatusGone, http.MethodGet, path+"/"+e.ID+"/file", token, nil, nil).Code(); code != "export_gone" {
		t.Errorf("got %s", code)
	}
	if n := w.Count(`SELECT count(*) FROM customer_export_chunk WHERE tenant_id = 'pizza'`); n != 0 {
		t.Errorf("%d chunks are left", n)
	}
	w.Want(http.StatusOK, http.MethodGet, path+"/"+foreign.ID+"/file", other, nil, nil)
}

func TestOnePersonsDataCanBeTakenAlong(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	defineFields(w, "pizza")
	token := w.Token(auth.RoleAdmin, "pizza")
	bring(t, w, token, "jsonl", people)
	bring(t, w, token, "csv", "external:shop,display_name,custom:allergy\n9,Lei Li,nuts\n")
	var ids [2]string
	for n, shop := range []string{"1", "9"} {
		var found struct {
			Items []struct {
				CustomerID string `json:"customer_id"`
			} `json:"items"`
		}
		w.Want(http.StatusOK, http.MethodGet, "/v1/customers/lookup?type=external:shop&value="+shop, token, nil, &found)
		ids[n] = found.Items[0].CustomerID
	}
	var related struct {
		CustomerID string `json:"customer_id"`
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", token, map[string]any{"display_name": "Somebody Else"}, &related)
	fill(t, w, ids[1], related.CustomerID)
	w.Absorb(t, "pizza", ids[0], ids[1])
	w.Eventually("the timeline knows of both", func() bool {
		return w.Count(`SELECT count(DISTINCT customer_id) FROM live.timeline_entry WHERE customer_id IN ($1, $2)`, ids[0], ids[1]) == 2
	})
	var got struct {
		Format     string                     `json:"format"`
		CustomerID string                     `json:"customer_id"`
		Aliases    []string                   `json:"aliases"`
		Sections   map[string]json.RawMessage `json:"sections"`
		Withheld   []struct{ Class, Why string }
	}
	answer := w.Want(http.StatusOK, http.MethodGet, "/v1/customers/"+ids[1]+"/export", token, nil, &got)
	if got.Format != "guanxi-customer/1" || got.CustomerID != ids[0] || !slices.Equal(got.Aliases, []string{ids[1]}) {
		t.Fatalf("%s", answer.Body)
	}
	if !strings.HasPrefix(answer.Header.Get("Content-Disposition"), "attachment") {
		t.Error("it is no file")
	}
	for _, there := range []string{`+8613800138000`, `VIP0001`, `Flat 2`, `"size":43`, `vip`, `Lei Li`, `"value":"9"`, `valid_to`} {
		if !strings.Contains(strings.ReplaceAll(string(answer.Body), `": `, `":`), there) {
			t.Errorf("%s is not in the file: %s", there, answer.Body)
		}
	}
	empty := []string{"stages", "relationships_of_others", "contacts", "facts"}
	for _, section := range []string{
		"records", "conduct", "identities", "addresses", "custom_fields", "stages", "consents", "preferences", "contacts", "relationships",
		"relationships_of_others", "assets", "interactions", "insights", "timeline", "facts",
	} {
		if content, there := got.Sections[section]; !there || len(content) < 5 && !slices.Contains(empty, section) {
			t.Errorf("the section %s says nothing: %s", section, content)
		}
	}
	if strings.Contains(string(answer.Body), "Somebody Else") || strings.Contains(string(got.Sections["insights"]), "credit_limit") {
		t.Errorf("what is another's, or is drawn from what is out of sight: %s", answer.Body)
	}
	if strings.Contains(string(answer.Body), "nuts") || strings.Contains(string(answer.Body), "tenant_id") {
		t.Errorf("what nobody gave a reason for: %s", answer.Body)
	}
	if len(got.Withheld) != 3 {
		t.Errorf("withheld: %v", got.Withheld)
	}
	whole := w.Want(http.StatusOK, http.MethodGet, "/v1/customers/"+ids[0]+"/export?purpose=administration&reason=R-1", token, nil, nil)
	if !strings.Contains(string(whole.Body), "nuts") {
		t.Errorf("with a reason: %s", whole.Body)
	}
	if n := w.Count(`SELECT count(*) FROM access_log WHERE view = 'portable' AND customer_id = $1`, ids[0]); n != 1 {
		t.Errorf("in the log %d times", n)
	}
	stranger := w.Token(auth.RoleAdmin, "music")
	w.Want(http.StatusNotFound, http.MethodGet, "/v1/customers/"+ids[0]+"/export", stranger, nil, nil)
	w.Put(t, "pizza", ids[0], "erased")
	w.Want(http.StatusGone, http.MethodGet, "/v1/customers/"+ids[0]+"/export", token, nil, nil)
}

// fill gives the customer something in every room.
func fill(t *testing.T, w *accountstest.World, id, related string) {
	t.Helper()
	own := uuid.NewString()
	if err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		for _, sql := range []string{
			`INSERT INTO consent_record (tenant_id, id, statement_id, customer_id, purpose, channel, address_type, address, state, kind, basis, source,
				wording, actor, guardian_name, guardian_relation, said_at, recorded_at)
				VALUES ('pizza', $1, $1, $2, 'marketing', 'email', '', '', 'granted', 'plain', 'consent', 'web', '1', 'ann', '', '', now(), now())`,
			`INSERT INTO preference (tenant_id, customer_id, key, source, value, confidence, at, recorded_at, recorded_by)
				VALUES ('pizza', $2, 'language', 'said', 'zh', 1, now(), now(), coalesce($1::text, ''))`,
			`INSERT INTO relationship (tenant_id, id, kind, customer_id, related_id, started_at) VALUES ('pizza', $1, 'contact_of', $2, '` + related + `', now())`,
			`INSERT INTO insight (tenant_id, customer_id, name, kind, value_text, input_classes, computed_at, stated_by)
				VALUES ('pizza', $2, 'taste', 'segment', 'hot', '{behaviour}', now(), coalesce($1::text, '')),
				('pizza', $2, 'credit_limit', 'segment', 'high', '{financial}', now(), 'x')`,
			`INSERT INTO interaction (tenant_id, id, customer_id, channel, direction, outcome, occurred_at, duration_seconds, summary,
				identity_type, identity_value, recorded_at, recorded_by)
				VALUES ('pizza', $1, $2, 'phone', 'inbound', '', now(), 0, 'asked', '', '', now(), 'ann')`,
		} {
			tx.Queue(sql, own, id)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	asset := map[string]any{"type": "vehicle", "product": "car"}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers/"+id+"/assets", w.Token(auth.RoleAgent, "pizza"), asset, nil)
}

func TestExportsThatCannotBe(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	token := w.Token(auth.RoleIntegrator, "pizza")
	e, _ := write(w, token, map[string]any{})
	unknown := uuid.NewString()
	cases := []struct {
		name, method, path, token string
		body                      any
		status                    int
		code                      string
	}{
		{"a format that is none", "POST", path, token, map[string]any{"format": "xlsx"}, 422, "validation_failed"},
		{"a column that is none", "POST", path, token, map[string]any{"columns": []string{"colour"}}, 422, "export_invalid"},
		{"a custom field that is none", "POST", path, token, map[string]any{"columns": []string{"custom:colour"}}, 422, "export_invalid"},
		{"a system that is none", "POST", path, token, map[string]any{"columns": []string{"external:erp"}}, 422, "export_invalid"},
		{"no column", "POST", path, token, map[string]any{"columns": []string{"external:*"}}, 422, "export_invalid"},
		{"a state that is none", "POST", path, token, map[string]any{"filter": map[string]any{"state": "absorbed"}}, 422, "validation_failed"},
		{"a time that is none", "POST", path, token, map[string]any{"filter": map[string]any{"registered_since": "soon"}}, 422, "validation_failed"},
		{"an unknown field", "POST", path, token, map[string]any{"colour": "red"}, 422, "validation_failed"},
		{"U+0000", "POST", path, token, `{"filter":{"tag":"a\u0000"}}`, 400, "json_nul"},
		{"a purpose that is none", "POST", path + "?purpose=fun", token, map[string]any{}, 422, "purpose_unknown"},
		{"a purpose that is not the caller's", "POST", path + "?purpose=care", token, map[string]any{}, 403, "purpose_not_allowed"},
		{"a reason in prose", "POST", path + "?reason=just+because", token, map[string]any{}, 422, "reason_malformed"},
		{"an agent", "POST", path, w.Token(auth.RoleAgent, "pizza"), map[string]any{}, 403, "permission_missing"},
		{"nobody", "POST", path, "", map[string]any{}, 401, "token_missing"},
		{"an unknown export", "GET", path + "/" + unknown, token, nil, 404, "export_not_found"},
		{"an id that is none", "GET", path + "/x/file", token, nil, 404, "export_not_found"},
		{"the file of an unknown export", "GET", path + "/" + unknown + "/file", token, nil, 404, "export_not_found"},
		{"another tenant's", "GET", path + "/" + e.ID, w.Token(auth.RoleIntegrator, "music"), nil, 404, "export_not_found"},
		{"another tenant's file", "GET", path + "/" + e.ID + "/file", w.Token(auth.RoleIntegrator, "music"), nil, 404, "export_not_found"},
		{"another tenant's to cancel", "POST", path + "/" + e.ID + "/cancel", w.Token(auth.RoleIntegrator, "music"), nil, 404, "export_not_found"},
		{"one that has ended to cancel", "POST", path + "/" + e.ID + "/cancel", token, nil, 409, "export_ended"},
		{"a broken cursor", "GET", path + "?cursor=x", token, nil, 400, "cursor_invalid"},
		{"a customer of nobody", "GET", "/v1/customers/" + unknown + "/export", token, nil, 404, "customer_not_found"},
	}
	for _, c := range cases {
		answer := w.Do(c.method, c.path, c.token, c.body)
		if answer.Status != c.status || answer.Code() != c.code {
			t.Errorf("%s: got %d %s, want %d %s: %s", c.name, answer.Status, answer.Code(), c.status, c.code, answer.Body)
		}
	}
}

func TestTheSameKeyIsTheSameExport(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	token := w.Token(auth.RoleIntegrator, "pizza")
	var first, again export
	w.Want(http.StatusAccepted, http.MethodPost, path, token, map[string]any{}, &first, "Idempotency-Key", "k")
	w.Want(http.StatusAccepted, http.MethodPost, path, token, map[string]any{}, &again, "Idempotency-Key", "k")
	if first.ID != again.ID {
		t.Fatalf("%s, then %s", first.ID, again.ID)
	}
	var page struct {
		Items      []export `json:"items"`
		NextCursor string   `json:"next_cursor"`
	}
	w.Want(http.StatusAccepted, http.MethodPost, path, token, map[string]any{}, nil)
	w.Want(http.StatusOK, http.MethodGet, path+"?limit=1", token, nil, &page)
	if len(page.Items) != 1 || page.NextCursor == "" || page.Items[0].ID == first.ID {
		t.Fatalf("%+v", page)
	}
	w.Want(http.StatusOK, http.MethodGet, fmt.Sprintf("%s?limit=1&cursor=%s", path, page.NextCursor), token, nil, &page)
	if len(page.Items) != 1 || page.Items[0].ID != first.ID {
		t.Fatalf("%+v", page)
	}
}
