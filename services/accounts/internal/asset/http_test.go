package asset_test

import (
	"encoding/json"
	"fmt"
	"net/http"
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
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/asset"
)

type body = map[string]any

type view struct {
	ID           string `json:"asset_id"`
	CustomerID   string `json:"customer_id"`
	Serial       string
	CheckDigitOK *bool `json:"check_digit_ok"`
	Name         string
	PurchasedOn  string `json:"purchased_on"`
	OwnedSince   string `json:"owned_since"`
	State        string
	Meter        *int64
	LastService  *struct {
		On    string
		Meter *int64
	} `json:"last_service"`
	NextService struct {
		DueDate  string `json:"due_date"`
		DueMeter *int64 `json:"due_meter"`
		DueOn    string `json:"due_on"`
		DueBy    string `json:"due_by"`
		Due      bool
	} `json:"next_service"`
	Version int64
}

type held struct {
	ID        string `json:"asset_id"`
	State     string
	Name      string
	GivenUpOn string `json:"given_up_on"`
	GivenUp   string `json:"given_up"`
	Asset     *view
}

const vin = "1M8GDM9AXKP042788"

// world is a service whose tenant pizza has people anna and bert.
type world struct {
	*accountstest.World
	t                 *testing.T
	agent, anna, bert string
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{World: accountstest.Start(t), t: t}
	w.agent = w.Token(auth.RoleAgent, "pizza")
	w.anna, w.bert = w.Customer(t, "pizza", "person", "Anna"), w.Customer(t, "pizza", "person", "Bert")
	return w
}

func (w *world) register(owner string, b body) view {
	w.t.Helper()
	var v view
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers/"+owner+"/assets", w.agent, b, &v)
	return v
}

func (w *world) post(id, action string, b body) view {
	w.t.Helper()
	var v view
	w.Want(http.StatusOK, http.MethodPost, "/v1/assets/"+id+"/"+action, w.agent, b, &v)
	return v
}

func (w *world) refused(status int, code, path string, b body) string {
	w.t.Helper()
	answer := w.Do(http.MethodPost, path, w.agent, b)
	if answer.Status != status || !strings.Contains(string(answer.Body), `"`+code+`"`) {
		w.t.Fatalf("%s: got %d %s, want %d %s", path, answer.Status, answer.Body, status, code)
	}
	return string(answer.Body)
}

func (w *world) get(path string, out any) string {
	w.t.Helper()
	return string(w.Want(http.StatusOK, http.MethodGet, path, w.agent, nil, out).Body)
}

func (w *world) held(owner, query string) []held {
	w.t.Helper()
	var page struct{ Items []held }
	w.get("/v1/customers/"+owner+"/assets?"+query, &page)
	return page.Items
}

func golf() body {
	return body{"type": "vehicle", "product": "GOLF-8", "serial": "1m8gdm9a xkp042788", "name": "Annas Golf", "purchased_on": "2024-03-01",
		"interval_months": 24, "interval_meter": 15_000}
}

func TestAnAssetIsRegisteredReadAndServiced(t *testing.T) {
	t.Parallel()
	w := start(t)
	b := golf()
	b["last_service_on"], b["last_service_meter"] = "2025-03-01", 20_000
	car := w.register(w.anna, b)
	if car.Serial != vin || !*car.CheckDigitOK || car.NextService.DueDate != "2027-03-01" || *car.NextService.DueMeter != 35_000 ||
		car.NextService.DueOn != "2027-03-01" || car.NextService.DueBy != "date" || car.NextService.Due {
		t.Fatalf("%+v", car)
	}
	// 100 km a day: 15,000 km are reached in 150 days.
	car = w.post(car.ID, "readings", body{"meter": 25_000, "read_on": "2025-04-20"})
	if car.NextService.DueBy != "meter" || car.NextService.DueOn != "2025-07-29" || !car.NextService.Due || *car.Meter != 25_000 {
		t.Fatalf("%+v", car.NextService)
	}
	w.refused(http.StatusUnprocessableEntity, "meter_backwards", "/v1/assets/"+car.ID+"/readings", body{"meter": 24_999, "read_on": "2025-04-21"})
	w.refused(http.StatusUnprocessableEntity, "meter_ahead", "/v1/assets/"+car.ID+"/readings", body{"meter": 25_001, "read_on": "2025-04-19"})
	w.refused(http.StatusUnprocessableEntity, "reason_malformed", "/v1/assets/"+car.ID+"/readings", body{"meter": 0, "replaced": true})

	car = w.post(car.ID, "services", body{"serviced_on": "2025-07-29", "meter": 35_000, "work": "oil_change"})
	if car.LastService.On != "2025-07-29" || *car.LastService.Meter != 35_000 || *car.NextService.DueMeter != 50_000 || car.NextService.DueDate != "2027-07-29" {
		t.Fatalf("%+v %+v", car.LastService, car.NextService)
	}
	// One that was forgotten is history and changes nothing.
	later := w.post(car.ID, "services", body{"serviced_on": "2024-12-01", "work": "tyres"})
	if later.LastService.On != "2025-07-29" || later.NextService.DueDate != "2027-07-29" {
		t.Fatalf("%+v", later)
	}
	car = w.post(car.ID, "readings", body{"meter": 100, "replaced": true, "reason": "meter_broken", "read_on": "2025-09-01"})
	if *car.Meter != 100 || *car.NextService.DueMeter != 15_100 {
		t.Fatalf("after its meter was replaced: %+v", car.NextService)
	}
	// Without a look at the meter it is counted from the last one.
	car = w.post(car.ID, "services", body{"serviced_on": "2025-10-01"})
	if car.LastService.Meter != nil || *car.NextService.DueMeter != 15_100 || car.NextService.DueDate != "2027-10-01" {
		t.Fatalf("%+v", car)
	}
	read := w.get("/v1/assets/"+car.ID, nil)
	golden.JSON(t, "testdata/asset.json", json.RawMessage(read))

	var readings struct {
		Items []struct {
			Meter    int64
			Replaced bool
			Reason   string
		}
		NextCursor string `json:"next_cursor"`
	}
	w.get("/v1/assets/"+car.ID+"/readings?limit=3", &readings)
	if len(readings.Items) != 3 || readings.Items[0].Meter != 100 || !readings.Items[0].Replaced || readings.Items[2].Meter != 25_000 {
		t.Fatalf("%+v", readings)
	}
	cursor := readings.NextCursor
	readings.Items, readings.NextCursor = nil, ""
	w.get("/v1/assets/"+car.ID+"/readings?limit=3&cursor="+cursor, &readings)
	if len(readings.Items) != 1 || readings.Items[0].Meter != 20_000 || readings.NextCursor != "" {
		t.Fatalf("%+v", readings)
	}
	var services struct {
		Items []struct {
			ServicedOn string `json:"serviced_on"`
			Work       string
		}
	}
	w.get("/v1/assets/"+car.ID+"/services", &services)
	if len(services.Items) != 4 || services.Items[0].ServicedOn != "2025-10-01" || services.Items[1].Work != "oil_change" || services.Items[3].Work != "tyres" {
		t.Fatalf("%+v", services)
	}
	golden.JSON(t, "testdata/asset_registered.json", w.EventsOf("AssetRegistered", 1)[0].Data)
}

func TestAnAssetIsChangedAsLongAsNobodyElseChangedIt(t *testing.T) {
	t.Parallel()
	w := start(t)
	car := w.register(w.anna, golf())
	path := "/v1/assets/" + car.ID
	change := body{"name": "", "interval_months": 12, "purchased_on": "2024-02-29", "serial": "WVWZZZ1KZAW123456"}
	w.Want(http.StatusPreconditionRequired, http.MethodPatch, path, w.agent, change, nil)
	car = view{}
	changed := w.Want(http.StatusOK, http.MethodPatch, path, w.agent, change, &car, "If-Match", `"1"`)
	if car.Name != "" || car.NextService.DueDate != "2025-02-28" || !car.NextService.Due || *car.CheckDigitOK || car.OwnedSince != "2024-02-29" ||
		changed.Header.Get("ETag") != `"2"` {
		t.Fatalf("%+v", car)
	}
	w.Want(http.StatusPreconditionFailed, http.MethodPatch, path, w.agent, change, nil, "If-Match", `"1"`)
	if read := w.get(path, nil); read != string(changed.Body) {
		t.Fatalf("changed %s, read %s", changed.Body, read)
	}
	w.post(car.ID, "readings", body{"meter": 10})
	w.Want(http.StatusPreconditionFailed, http.MethodPatch, path, w.agent, change, nil, "If-Match", `"2"`) // a reading is a change
}

func TestOnResaleTheHistoryStaysAndTheFormerOwnerIsHidden(t *testing.T) {
	t.Parallel()
	w := start(t)
	car := w.register(w.anna, golf())
	w.post(car.ID, "services", body{"serviced_on": "2025-03-01", "meter": 20_000, "work": "oil_change"})
	bought := w.post(car.ID, "sell", body{"customer_id": w.bert, "sold_on": "2025-06-01"})
	if bought.CustomerID != w.bert || bought.Name != "" || bought.PurchasedOn != "2025-06-01" || bought.LastService.On != "2025-03-01" ||
		bought.NextService.DueDate != "2027-03-01" {
		t.Fatalf("%+v", bought)
	}
	w.post(car.ID, "readings", body{"meter": 30_000, "read_on": "2025-09-01"})
	for _, path := range []string{"/v1/assets/" + car.ID, "/v1/assets/" + car.ID + "/readings", "/v1/assets/" + car.ID + "/services",
		"/v1/customers/" + w.bert + "/assets", "/v1/assets/lookup?type=vehicle&serial=" + vin, "/v1/assets?due_before=2030-01-01"} {
		read := w.get(path, nil)
		for _, former := range []string{w.anna, "Anna", "2024-03-01"} {
			if strings.Contains(read, former) {
				t.Errorf("%s tells of the former owner: %s", path, read)
			}
		}
	}
	// The former owner sees what was, and nothing of what came after.
	had := w.held(w.anna, "")
	if len(had) != 1 || had[0].State != "given_up" || had[0].GivenUpOn != "2025-06-01" || had[0].GivenUp != "sold" || had[0].Name != "Annas Golf" || had[0].Asset != nil {
		t.Fatalf("%+v", had)
	}
	if read := w.get("/v1/customers/"+w.anna+"/assets", nil); strings.Contains(read, w.bert) || strings.Contains(read, vin) {
		t.Errorf("the former owner's list tells of the present one: %s", read)
	}
	if got := w.held(w.anna, "state=owned"); len(got) != 0 {
		t.Fatalf("%+v", got)
	}
	if got := w.held(w.bert, "state=owned"); len(got) != 1 || got[0].Asset == nil || got[0].Asset.Serial != vin {
		t.Fatalf("%+v", got)
	}

	// A purchase that was entered wrong does not move what was before.
	var v view
	w.Want(http.StatusOK, http.MethodPatch, "/v1/assets/"+car.ID, w.agent, body{"purchased_on": "2025-05-30"}, &v, "If-Match", "*")
	if v.PurchasedOn != "2025-05-30" || v.OwnedSince != "2025-06-01" || v.NextService.DueDate != "2027-03-01" {
		t.Fatalf("%+v", v)
	}
	w.refused(http.StatusUnprocessableEntity, "asset_same_owner", "/v1/assets/"+car.ID+"/sell", body{"customer_id": w.bert})
	w.refused(http.StatusUnprocessableEntity, "before_ownership", "/v1/assets/"+car.ID+"/sell", body{"customer_id": w.anna, "sold_on": "2025-05-31"})
	back := w.post(car.ID, "sell", body{"customer_id": w.anna, "name": "mine again"})
	if back.CustomerID != w.anna || back.Name != "mine again" {
		t.Fatalf("%+v", back)
	}
	if got := w.held(w.anna, ""); len(got) != 2 || got[0].State != "owned" || got[1].State != "given_up" {
		t.Fatalf("%+v", got)
	}
	var sold, given []string
	for _, e := range append(w.EventsOf("AssetSold", 2), w.EventsOf("AssetGivenUp", 2)...) {
		if strings.HasSuffix(e.Type, "AssetSold") {
			sold = append(sold, string(e.Data))
		} else {
			given = append(given, string(e.Data))
		}
	}
	golden.JSON(t, "testdata/asset_sold.json", json.RawMessage(sold[0]))
	golden.JSON(t, "testdata/asset_given_up.json", json.RawMessage(given[0]))
	if strings.Contains(sold[0], w.anna) || strings.Contains(given[0], w.bert) {
		t.Errorf("events tell of the other owner: %s %s", sold[0], given[0])
	}
}

func TestASerialIsOneAssetsWhileItIsInUse(t *testing.T) {
	t.Parallel()
	w := start(t)
	car := w.register(w.anna, golf())
	other := golf()
	other["product"] = "GOLF-9"
	if got := w.refused(http.StatusConflict, "serial_taken", "/v1/customers/"+w.bert+"/assets", other); !strings.Contains(got, car.ID) {
		t.Errorf("it is not said which: %s", got)
	}
	device := body{"type": "device", "product": "KETTLE", "serial": "sn 1"}
	w.register(w.anna, device)
	w.refused(http.StatusConflict, "serial_taken", "/v1/customers/"+w.bert+"/assets", device)
	toaster := w.register(w.anna, body{"type": "device", "product": "TOASTER", "serial": "SN1"}) // another product numbers for itself
	answer := w.Do(http.MethodPatch, "/v1/assets/"+w.register(w.anna, body{"type": "device", "product": "TOASTER"}).ID, w.agent, body{"serial": "sn1"}, "If-Match", "*")
	if answer.Status != http.StatusConflict || answer.Code() != "serial_taken" || !strings.Contains(string(answer.Body), toaster.ID) {
		t.Errorf("by a change: %d %s", answer.Status, answer.Body)
	}
	w.register(w.anna, body{"type": "device", "product": "KETTLE"}) // none is no serial
	w.register(w.anna, body{"type": "device", "product": "KETTLE"})

	ended := w.post(car.ID, "scrap", body{"scrapped_on": "2026-01-01"})
	if ended.State != "scrapped" || ended.CustomerID != "" || ended.NextService.DueOn != "" {
		t.Fatalf("%+v", ended)
	}
	if got := w.held(w.anna, ""); got[len(got)-1].GivenUp != "scrapped" || got[len(got)-1].Name != "Annas Golf" {
		t.Errorf("%+v", got)
	}
	for action, b := range map[string]body{"readings": {"meter": 1}, "services": {}, "sell": {"customer_id": w.bert}, "scrap": {}} {
		w.refused(http.StatusConflict, "asset_scrapped", "/v1/assets/"+car.ID+"/"+action, b)
	}
	w.register(w.bert, other)
	music := w.Customer(t, "music", "person", "Carl")
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers/"+music+"/assets", w.Token(auth.RoleAgent, "music"), other, nil) // another tenant's

	var found view
	w.get("/v1/assets/lookup?type=vehicle&serial=1m8gdm9a-xkp042788", &found)
	if found.CustomerID != w.bert {
		t.Errorf("%+v", found)
	}
	w.get("/v1/assets/lookup?type=device&product=TOASTER&serial=sn1", &found)
	if found.ID != toaster.ID {
		t.Errorf("%+v", found)
	}
	for _, query := range []string{"type=device&product=OVEN&serial=sn1", "type=device&serial=sn1", "type=vehicle&serial=short", "type=device&product=KETTLE&serial="} {
		if answer := w.Do(http.MethodGet, "/v1/assets/lookup?"+query, w.agent, nil); answer.Status != http.StatusNotFound && answer.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: got %d %s", query, answer.Status, answer.Body)
		}
	}
	if status := w.Do(http.MethodGet, "/v1/assets/lookup?type=device&product=TOASTER&serial=sn1", w.Token(auth.RoleAgent, "music"), nil).Status; status != http.StatusNotFound {
		t.Errorf("another tenant finds it: %d", status)
	}
}

func TestTenAtOnceRegisterOneAsset(t *testing.T) {
	t.Parallel()
	w := start(t)
	var made atomic.Int64
	var wait sync.WaitGroup
	for range 10 {
		wait.Go(func() {
			switch answer := w.Do(http.MethodPost, "/v1/customers/"+w.anna+"/assets", w.agent, golf()); answer.Status {
			case http.StatusCreated:
				made.Add(1)
			case http.StatusConflict:
			default:
				t.Errorf("got %d %s", answer.Status, answer.Body)
			}
		})
	}
	wait.Wait()
	if made.Load() != 1 {
		t.Fatalf("%d were registered", made.Load())
	}
}

func TestReadingsAtOnceNeverGoBack(t *testing.T) {
	t.Parallel()
	w := start(t)
	car := w.register(w.anna, golf())
	var wait sync.WaitGroup
	for n := range 10 {
		wait.Go(func() { w.Do(http.MethodPost, "/v1/assets/"+car.ID+"/readings", w.agent, body{"meter": 100 + n}) })
	}
	wait.Wait()
	var readings struct{ Items []struct{ Meter int64 } }
	w.get("/v1/assets/"+car.ID+"/readings", &readings)
	if !slices.IsSortedFunc(readings.Items, func(a, b struct{ Meter int64 }) int { return int(b.Meter - a.Meter) }) || readings.Items[0].Meter != 109 {
		t.Fatalf("%+v", readings.Items)
	}
}

func TestWhatIsDueSoonIsListedTheFirstDueFirst(t *testing.T) {
	t.Parallel()
	w := start(t)
	var want []string
	for n := range 4 {
		v := w.register(w.anna, body{"type": "machine", "product": "PRESS", "purchased_on": fmt.Sprintf("202%d-01-01", n), "interval_months": 60})
		want = append(want, v.ID)
	}
	w.register(w.anna, body{"type": "machine", "product": "PRESS"}) // never due
	w.post(want[1], "scrap", body{})
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers/"+w.Customer(t, "music", "person", "Carl")+"/assets", w.Token(auth.RoleAgent, "music"),
		body{"type": "machine", "product": "PRESS", "purchased_on": "2020-01-01", "interval_months": 60}, nil)
	var got []string
	for cursor := ""; ; {
		var page struct {
			Items      []view
			NextCursor string `json:"next_cursor"`
		}
		w.get("/v1/assets?due_before=2028-01-01&limit=1&cursor="+cursor, &page)
		for _, v := range page.Items {
			got = append(got, v.ID)
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if !slices.Equal(got, []string{want[0], want[2]}) { // 2028-01-01 is not before itself
		t.Fatalf("got %v of %v", got, want)
	}
}

func TestAnAssetIsTheWholeCustomers(t *testing.T) {
	t.Parallel()
	w := start(t)
	double := w.Customer(t, "pizza", "person", "Anna B.")
	mine, hers := w.register(w.anna, golf()), w.register(double, body{"type": "device", "product": "KETTLE"})
	w.Absorb(t, "pizza", w.anna, double)
	for _, id := range []string{w.anna, double} {
		got := w.held(id, "")
		if len(got) != 2 || got[0].ID != hers.ID || got[1].ID != mine.ID || got[0].Asset.CustomerID != w.anna {
			t.Errorf("by %s: %+v", id, got)
		}
	}
	w.refused(http.StatusUnprocessableEntity, "asset_same_owner", "/v1/assets/"+mine.ID+"/sell", body{"customer_id": double})
	third := w.register(double, body{"type": "device", "product": "OVEN"})
	if third.CustomerID != w.anna {
		t.Errorf("%+v", third)
	}
	w.Restore(t, "pizza", w.anna, double)
	if got := w.held(double, ""); len(got) != 2 || got[0].ID != third.ID || got[1].ID != hers.ID || got[1].Asset.CustomerID != double {
		t.Errorf("after an undo: %+v", got)
	}
}

func TestWhoMayNotHaveAnAsset(t *testing.T) {
	t.Parallel()
	w := start(t)
	car := w.register(w.anna, golf())
	stranger := w.Customer(t, "music", "person", "Carl")
	w.refused(http.StatusNotFound, "customer_not_found", "/v1/customers/"+stranger+"/assets", golf())
	w.refused(http.StatusUnprocessableEntity, "customer_not_found", "/v1/assets/"+car.ID+"/sell", body{"customer_id": stranger})
	music := w.Token(auth.RoleAgent, "music")
	for _, action := range []string{"readings", "services", "sell", "scrap"} {
		b := map[string]body{"readings": {"meter": 1}, "services": {}, "sell": {"customer_id": stranger}, "scrap": {}}[action]
		w.Want(http.StatusNotFound, http.MethodPost, "/v1/assets/"+car.ID+"/"+action, music, b, nil)
	}

	w.Put(t, "pizza", w.bert, "archived")
	w.refused(http.StatusConflict, "customer_archived", "/v1/customers/"+w.bert+"/assets", body{"type": "device", "product": "KETTLE"})
	w.refused(http.StatusConflict, "customer_archived", "/v1/assets/"+car.ID+"/sell", body{"customer_id": w.bert})
	w.Put(t, "pizza", w.anna, "archived")
	w.refused(http.StatusConflict, "customer_archived", "/v1/assets/"+car.ID+"/readings", body{"meter": 1})
	w.refused(http.StatusConflict, "customer_archived", "/v1/assets/"+car.ID+"/services", body{})
	w.Put(t, "pizza", w.bert, "active")
	w.post(car.ID, "sell", body{"customer_id": w.bert}) // what an archived customer had can go to another

	w.Put(t, "pizza", w.anna, "erased")
	w.refused(http.StatusGone, "customer_erased", "/v1/customers/"+w.anna+"/assets", golf())
	w.refused(http.StatusGone, "customer_erased", "/v1/assets/"+car.ID+"/sell", body{"customer_id": w.anna})
	w.Want(http.StatusGone, http.MethodGet, "/v1/customers/"+w.anna+"/assets", w.agent, nil, nil)
	w.Want(http.StatusForbidden, http.MethodPost, "/v1/customers/"+w.bert+"/assets", w.Token(auth.RoleMarketing, "pizza"), golf(), nil)
	w.Want(http.StatusOK, http.MethodPost, "/v1/tenants/pizza/suspend", w.Root, nil, nil)
	w.refused(http.StatusForbidden, "tenant_suspended", "/v1/assets/"+car.ID+"/readings", body{"meter": 1})
	w.get("/v1/assets/"+car.ID, nil)
}

func TestAssetsAreShownAsFarAsThePurposeNeeds(t *testing.T) {
	t.Parallel()
	w := start(t)
	car := w.register(w.anna, golf())
	manager, analyst := w.Token(auth.RoleManager, "pizza"), w.Token(auth.RoleMarketing, "pizza")
	of := "/v1/assets/" + car.ID
	for _, path := range []string{of + "?", of + "/readings?", of + "/services?", "/v1/assets/lookup?type=vehicle&serial=" + vin + "&"} {
		hidden := w.Want(http.StatusForbidden, http.MethodGet, path+"purpose=credit", manager, nil, nil)
		if hidden.Code() != "class_withheld" {
			t.Errorf("%s: %s", path, hidden.Body)
		}
	}
	for _, path := range []string{"/v1/customers/" + w.anna + "/assets?", "/v1/assets?due_before=2030-01-01&"} {
		var page struct {
			Items    []any
			Withheld []struct{ Class, Why string }
		}
		w.Want(http.StatusOK, http.MethodGet, path+"purpose=credit", manager, nil, &page)
		if len(page.Items) != 0 || len(page.Withheld) != 1 || page.Withheld[0].Class != "behaviour" {
			t.Errorf("%s for credit: %+v", path, page)
		}
		w.Want(http.StatusForbidden, http.MethodGet, path+"purpose=credit", w.agent, nil, nil)
	}
	// Figures need to know what there is, not whose it is.
	for _, path := range []string{of + "?", "/v1/customers/" + w.anna + "/assets?", "/v1/assets?due_before=2030-01-01&"} {
		read := string(w.Want(http.StatusOK, http.MethodGet, path+"purpose=analysis", analyst, nil, nil).Body)
		if strings.Contains(read, vin) || strings.Contains(read, "Anna") || !strings.Contains(read, "GOLF-8") || !strings.Contains(read, "not_for_purpose") {
			t.Errorf("%s for analysis: %s", path, read)
		}
	}
}

func (w *world) erase(customer string, want map[string]int64) {
	w.t.Helper()
	if err := w.DB.Tx(w.t.Context(), "pizza", func(tx *pg.Tx) error {
		erased, err := asset.Erase(w.t.Context(), tx, []uuid.UUID{uuid.MustParse(customer)})
		for what, n := range want {
			if erased[what] != n {
				w.t.Errorf("erased %v, want %v", erased, want)
			}
		}
		return err
	}); err != nil {
		w.t.Fatal(err)
	}
}

func TestErasureTakesTheOwnerAndTheSerialAndLeavesTheHistory(t *testing.T) {
	t.Parallel()
	w := start(t)
	sold, kept := w.register(w.anna, golf()), w.register(w.anna, body{"type": "device", "product": "KETTLE", "serial": "sn1", "name": "Annas kettle"})
	w.post(sold.ID, "services", body{"serviced_on": "2025-03-01", "meter": 20_000})
	w.post(sold.ID, "sell", body{"customer_id": w.bert})
	wreck := w.register(w.anna, body{"type": "vehicle", "product": "POLO", "serial": "WVWZZZ1KZAW123456"})
	w.post(wreck.ID, "scrap", body{})
	w.erase(w.anna, map[string]int64{"asset_owners": 3, "asset_serials": 2})
	w.erase(w.anna, map[string]int64{"asset_owners": 0, "asset_serials": 0})

	var v view
	w.get("/v1/assets/"+sold.ID, &v)
	if v.Serial != vin || v.CustomerID != w.bert || v.LastService == nil {
		t.Errorf("what is another's now: %+v", v)
	}
	for _, id := range []string{kept.ID, wreck.ID} {
		v = view{}
		w.get("/v1/assets/"+id, &v)
		if v.Serial != "" || v.CustomerID != "" || v.Name != "" {
			t.Errorf("%+v", v)
		}
	}
	w.refused(http.StatusConflict, "asset_without_owner", "/v1/assets/"+kept.ID+"/readings", body{"meter": 1})
	if v = w.post(kept.ID, "sell", body{"customer_id": w.bert}); v.CustomerID != w.bert {
		t.Errorf("%+v", v)
	}
	var rows int
	if err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		return tx.QueryRow(t.Context(), `SELECT count(*) FROM asset_owner WHERE tenant_id = $1 AND (customer_id = $2 OR name LIKE '%Anna%')`, tx.Tenant(), w.anna).Scan(&rows)
	}); err != nil || rows != 0 {
		t.Errorf("%d rows are left, %v", rows, err)
	}
}

func TestAssetsRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := start(t)
	var made atomic.Int64
	fresh := func() string {
		return fmt.Sprintf(`{"type":"device","product":"KETTLE","serial":"s%d","name":"x","purchased_on":"2026-01-01","meter_unit":"count",
			"interval_months":1,"interval_meter":1,"meter":2,"last_service_on":"2026-02-01","last_service_meter":1}`, made.Add(1))
	}
	meter := func() string { return fmt.Sprintf(`{"meter":%d}`, 1000+made.Add(1)) }
	read, tended := w.register(w.anna, golf()), w.register(w.anna, body{"type": "device", "product": "KETTLE"})
	next := func() string { return fmt.Sprintf(`{"customer_id":%q}`, w.Customer(t, "pizza", "person", "next")) }
	scrapped := w.register(w.anna, body{"type": "device", "product": "KETTLE", "purchased_on": "2025-01-01"})
	of := func(v view) string { return "/v1/assets/" + v.ID }
	for name, target := range map[string]badinput.Target{
		"register": {Method: http.MethodPost, Path: "/v1/customers/" + w.anna + "/assets", Body: fresh(), Fresh: fresh, OtherBody: fresh(), Owned: true, Replay: true},
		"list":     {Method: http.MethodGet, Path: "/v1/customers/" + w.anna + "/assets", List: true, Owned: true},
		"due":      {Method: http.MethodGet, Path: "/v1/assets?due_before=2026-01-01", List: true},
		"lookup":   {Method: http.MethodGet, Path: "/v1/assets/lookup?type=vehicle&serial=" + vin},
		"get":      {Method: http.MethodGet, Path: of(read), Owned: true},
		"readings": {Method: http.MethodGet, Path: of(read) + "/readings", List: true, Owned: true},
		"services": {Method: http.MethodGet, Path: of(read) + "/services", List: true, Owned: true},
		"change": {Method: http.MethodPatch, Path: of(read), Body: `{"name":"x","serial":"` + vin + `","purchased_on":"2024-01-01","interval_months":1,"interval_meter":1}`,
			Version: true, Owned: true, Header: http.Header{"If-Match": {`"1"`}}},
		"read":    {Method: http.MethodPost, Path: of(tended) + "/readings", Body: meter(), Fresh: meter, Owned: true, Replay: true},
		"service": {Method: http.MethodPost, Path: of(tended) + "/services", Body: `{"work":"cleaning"}`, OtherBody: `{}`, Owned: true, Replay: true},
		"sell":    {Method: http.MethodPost, Path: of(tended) + "/sell", Body: next(), Fresh: next, Owned: true, Replay: true},
		"scrap":   {Method: http.MethodPost, Path: of(scrapped) + "/scrap", Body: `{"scrapped_on":"2026-01-01"}`, Owned: true},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.agent
			badinput.Check(t, target)
		})
	}
	tomorrow := time.Now().AddDate(0, 0, 2).Format(time.DateOnly)
	for _, c := range []struct {
		path string
		body body
	}{
		{of(read) + "/readings", body{"meter": 1, "read_on": tomorrow}},
		{of(read) + "/readings", body{"meter": 1, "read_on": "0001-01-01"}},
		{of(read) + "/readings", body{"meter": -1}},
		{of(read) + "/readings", body{"meter": 1, "read_on": "2026-02-30"}},
		{of(read) + "/readings", body{}},
		{of(read) + "/services", body{"serviced_on": tomorrow}},
		{of(read) + "/services", body{"work": "Words."}},
		{of(read) + "/sell", body{"customer_id": w.bert, "sold_on": tomorrow}},
		{of(read) + "/sell", body{"customer_id": "soon"}},
		{of(read) + "/scrap", body{"scrapped_on": tomorrow}},
		{of(read) + "/scrap", body{"scrapped_on": "1999-01-01"}},
		{"/v1/customers/" + w.anna + "/assets", body{"type": "boat", "product": "X"}},
		{"/v1/customers/" + w.anna + "/assets", body{"type": "vehicle", "product": "X", "serial": "12345"}},
		{"/v1/customers/" + w.anna + "/assets", body{"type": "vehicle"}},
	} {
		if answer := w.Do(http.MethodPost, c.path, w.agent, c.body); answer.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s %v: got %d %s", c.path, c.body, answer.Status, answer.Body)
		}
	}
	for query, status := range map[string]int{"": 422, "due_before=soon": 422, "due_before=2026-02-30": 422, "due_before=0000-01-01": 200} {
		if answer := w.Do(http.MethodGet, "/v1/assets?"+query, w.agent, nil); answer.Status != status {
			t.Errorf("%s: got %d %s", query, answer.Status, answer.Body)
		}
	}
	w.refused(http.StatusNotFound, "asset_not_found", "/v1/assets/"+uuid.NewString()+"/scrap", body{})
}

func TestWhatWasReadAndDoneIsNeverChanged(t *testing.T) {
	t.Parallel()
	w := start(t)
	car := w.register(w.anna, golf())
	w.post(car.ID, "services", body{"meter": 1})
	for _, sql := range []string{
		`UPDATE asset_reading SET meter = 0`, `DELETE FROM asset_reading`, `UPDATE asset_service SET meter = 0`, `DELETE FROM asset_service`, `DELETE FROM asset`,
	} {
		if err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
			tx.Queue(sql)
			return nil
		}); err == nil {
			t.Errorf("this was allowed: %s", sql)
		}
	}
}
