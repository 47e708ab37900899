package catalogue_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/sales/internal/catalogue"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
)

type body = map[string]any

// shelf is a running service with an integrator of the tenant pizza.
type shelf struct {
	*salestest.World
	token string
}

func open(t *testing.T) *shelf {
	t.Helper()
	w := salestest.Start(t)
	return &shelf{w, w.Token(auth.RoleIntegrator, "pizza")}
}

// put makes something.
func (s *shelf) put(path string, b body) {
	s.Want(http.StatusOK, http.MethodPut, path, s.token, b, nil, "If-Match", `"0"`)
}

type productView struct {
	SKU, Name, Category string
	Path                []string
	Version             int
}

type batchView struct {
	Created, Changed, Unchanged int
	Rejected                    []struct {
		Row    int
		SKU    string
		Errors []struct{ Location, Code string }
	}
}

func (s *shelf) batch(path string, items []body, headers ...string) batchView {
	var v batchView
	s.Want(http.StatusOK, http.MethodPost, path, s.token, body{"items": items}, &v, headers...)
	return v
}

// names gives the codes of all pages of a list.
func (s *shelf) names(token, path string, query url.Values) (all []string) {
	query.Set("limit", "2")
	for {
		var page struct {
			Items []struct{ SKU, Code string }
			Next  string `json:"next_cursor"`
		}
		s.Want(http.StatusOK, http.MethodGet, path+"?"+query.Encode(), token, nil, &page)
		for _, i := range page.Items {
			all = append(all, i.SKU+i.Code)
		}
		if page.Next == "" {
			return all
		}
		query.Set("cursor", page.Next)
	}
}

func TestAProductIsPutReadAndChangedByOneAtATime(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.put("/v1/product-categories/food", body{"name": "Food"})
	s.put("/v1/product-categories/pizza", body{"name": "Pizza", "parent": "food"})
	var p productView
	made := s.Want(http.StatusOK, http.MethodPut, "/v1/products/MARGHERITA", s.token,
		body{"name": "Margherita", "category": "pizza", "unit": "piece", "tax_code": "food-6"}, &p, "If-Match", `"0"`)
	if p.Version != 1 || !slices.Equal(p.Path, []string{"food", "pizza"}) || made.Header.Get("ETag") != `"1"` {
		t.Fatalf("%+v %s", p, made.Header)
	}
	read := s.Want(http.StatusOK, http.MethodGet, "/v1/products/MARGHERITA", s.Sales, nil, nil)
	if string(read.Body) != string(made.Body) {
		t.Fatalf("made %s, read %s", made.Body, read.Body)
	}
	s.Want(http.StatusPreconditionFailed, http.MethodPut, "/v1/products/MARGHERITA", s.token, body{"name": "M"}, nil, "If-Match", `"0"`)
	s.Want(http.StatusOK, http.MethodPut, "/v1/products/MARGHERITA", s.token, body{"name": "Pizza Margherita", "category": "pizza"}, &p, "If-Match", `"1"`)
	same := s.Want(http.StatusOK, http.MethodPut, "/v1/products/MARGHERITA", s.token, body{"name": "Pizza Margherita", "category": "pizza"}, &p, "If-Match", `*`)
	if p.Version != 2 || same.Header.Get("ETag") != `"2"` {
		t.Fatalf("the same again: %+v", p)
	}
	wrong := s.Want(http.StatusUnprocessableEntity, http.MethodPut, "/v1/products/X", s.token, body{"name": "X", "category": "none"}, nil, "If-Match", `"0"`)
	if wrong.Code() != "product_invalid" || !strings.Contains(string(wrong.Body), "category_unknown") {
		t.Fatalf("%s", wrong.Body)
	}
	music := s.Token(auth.RoleIntegrator, "music")
	s.Want(http.StatusNotFound, http.MethodGet, "/v1/products/MARGHERITA", music, nil, nil)
	s.Want(http.StatusUnprocessableEntity, http.MethodPut, "/v1/products/M", music, body{"name": "M", "category": "pizza"}, nil, "If-Match", `"0"`)
	s.Want(http.StatusForbidden, http.MethodPut, "/v1/products/M", s.Sales, body{"name": "M"}, nil, "If-Match", `"0"`)
}

func TestACategoryThatMovesTakesAllBelowItAlong(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, c := range [][2]string{{"food", ""}, {"pizza", "food"}, {"pan", "pizza"}, {"thin", "pan"}, {"sale", ""}} {
		s.put("/v1/product-categories/"+c[0], body{"name": c[0], "parent": c[1]})
	}
	s.put("/v1/products/P", body{"name": "P", "category": "thin"})
	s.Want(http.StatusOK, http.MethodPut, "/v1/product-categories/pizza", s.token, body{"name": "pizza", "parent": "sale"}, nil, "If-Match", `"1"`)
	var p productView
	s.Want(http.StatusOK, http.MethodGet, "/v1/products/P", s.token, nil, &p)
	if !slices.Equal(p.Path, []string{"sale", "pizza", "pan", "thin"}) {
		t.Fatalf("the product is in %v", p.Path)
	}
	s.Want(http.StatusUnprocessableEntity, http.MethodPut, "/v1/product-categories/sale", s.token, body{"name": "sale", "parent": "thin"}, nil, "If-Match", `"1"`)
	if got := s.names(s.token, "/v1/products", url.Values{"category": {"sale"}}); !slices.Equal(got, []string{"P"}) {
		t.Errorf("below sale: %v", got)
	}
	if got := s.names(s.token, "/v1/products", url.Values{"category": {"food"}}); len(got) != 0 {
		t.Errorf("below food: %v", got)
	}
	s.Want(http.StatusOK, http.MethodPut, "/v1/product-categories/thin", s.token, body{"name": "thin", "parent": "pan", "archived": true}, nil, "If-Match", `*`)
	s.Want(http.StatusOK, http.MethodPut, "/v1/products/P", s.token, body{"name": "P2", "category": "thin"}, nil, "If-Match", `"1"`)
	s.Want(http.StatusUnprocessableEntity, http.MethodPut, "/v1/products/Q", s.token, body{"name": "Q", "category": "thin"}, nil, "If-Match", `"0"`)
	if got := s.names(s.token, "/v1/product-categories", url.Values{}); !slices.Equal(got, []string{"food", "pan", "pizza", "sale"}) {
		t.Errorf("categories: %v", got)
	}
	if got := s.names(s.Token(auth.RoleSales, "music"), "/v1/product-categories", url.Values{"archived": {"true"}}); len(got) != 0 {
		t.Errorf("another tenant's: %v", got)
	}
}

func TestABatchTakesWhatIsRightAndNamesTheRest(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.put("/v1/products/OLD", body{"name": "Old"})
	rows := []body{
		{"sku": "A", "name": "Ananas"}, {"sku": "OLD", "name": "Older"}, {"sku": "", "name": "B"}, {"sku": "C", "name": ""},
		{"sku": "D", "name": "D", "category": "none"}, {"sku": "A", "name": "Another"}, {"sku": "E", "name": "E", "unit": strings.Repeat("u", 65), "tax_code": "a\nb"},
	}
	v := s.batch("/v1/products/batch", rows, "Idempotency-Key", "first")
	var faults []string
	for _, r := range v.Rejected {
		for _, e := range r.Errors {
			faults = append(faults, fmt.Sprint(r.Row, r.SKU, " ", e.Location, " ", e.Code))
		}
	}
	want := []string{"2 sku sku_malformed", "3C name name_malformed", "4D category category_unknown", "5A sku sku_twice", "6E unit unit_malformed", "6E tax_code tax_code_malformed"}
	if v.Created != 1 || v.Changed != 1 || !slices.Equal(faults, want) {
		t.Fatalf("%+v\n%q", v, faults)
	}
	if again := s.batch("/v1/products/batch", rows, "Idempotency-Key", "first"); again.Created != 1 || again.Changed != 1 || len(again.Rejected) != 5 {
		t.Errorf("the answer to the key again: %+v", again)
	}
	if again := s.batch("/v1/products/batch", rows); again.Created != 0 || again.Changed != 0 || again.Unchanged != 2 {
		t.Errorf("the rows again: %+v", again)
	}
	if n := s.Count(`SELECT count(*) FROM product WHERE version > 2`); n != 0 {
		t.Errorf("%d products were written more often than they changed", n)
	}
}

func TestAThousandRowsAreOneBatchAndMoreAreNone(t *testing.T) {
	t.Parallel()
	s := open(t)
	rows := make([]body, 1000)
	for i := range rows {
		rows[i] = body{"sku": fmt.Sprintf("S%04d", i), "name": fmt.Sprint("Thing ", i)}
	}
	if v := s.batch("/v1/products/batch", rows); v.Created != 1000 {
		t.Fatalf("%+v", v)
	}
	s.put("/v1/price-lists/shops", body{"name": "Shops", "currency": "CNY"})
	prices := make([]body, 1000)
	for i := range prices {
		prices[i] = body{"sku": fmt.Sprintf("S%04d", i), "unit_minor": i, "tiers": []body{{"min_quantity": 10, "unit_minor": i / 2}}}
	}
	if v := s.batch("/v1/price-lists/shops/prices/batch", prices); v.Created != 1000 {
		t.Fatalf("%+v", v)
	}
	if n := s.Count(`SELECT count(*) FROM price WHERE tier_quantities = '{10}' AND tier_minors[1] = unit_minor / 2`); n != 1000 {
		t.Errorf("%d prices have their tier", n)
	}
	s.Want(http.StatusUnprocessableEntity, http.MethodPost, "/v1/products/batch", s.token, body{"items": slices.Concat(rows, []body{{"sku": "X", "name": "X"}})}, nil)
	s.Want(http.StatusUnprocessableEntity, http.MethodPost, "/v1/products/batch", s.token, body{"items": []body{}}, nil)
}

// TestBatchesAtOnceNeverWaitInACircle sends the same rows in opposite orders from many sides.
func TestBatchesAtOnceNeverWaitInACircle(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.put("/v1/price-lists/shops", body{"name": "Shops", "currency": "CNY"})
	rows := make([]body, 60)
	for i := range rows {
		rows[i] = body{"sku": fmt.Sprintf("S%02d", i), "name": "Thing"}
	}
	s.batch("/v1/products/batch", rows)
	var wait sync.WaitGroup
	for n := range 12 {
		mine := make([]body, len(rows))
		for i, r := range rows {
			mine[i] = body{"sku": r["sku"], "name": fmt.Sprint("Thing ", n), "unit_minor": n}
			if n%3 == 0 {
				delete(mine[i], "unit_minor")
			} else {
				delete(mine[i], "name")
			}
		}
		if n%2 == 0 {
			slices.Reverse(mine)
		}
		path := "/v1/price-lists/shops/prices/batch"
		if n%3 == 0 {
			path = "/v1/products/batch"
		}
		wait.Go(func() {
			if answer := s.Do(http.MethodPost, path, s.token, body{"items": mine}); answer.Status != http.StatusOK {
				t.Errorf("got %d %s", answer.Status, answer.Body)
			}
		})
	}
	wait.Wait()
	if n := s.Count(`SELECT count(DISTINCT name) FROM product`); n != 1 {
		t.Errorf("%d names, want all of the batch that came last", n)
	}
}

func TestProductsAreFoundByHowTheirNameBegins(t *testing.T) {
	t.Parallel()
	s := open(t)
	for sku, name := range map[string]string{"1": "Crème brûlée", "2": "creme caramel", "3": "Cola", "4": "可乐", "5": "可樂大瓶", "6": "Ice creme"} {
		s.put("/v1/products/"+sku, body{"name": name, "archived": sku == "3"})
	}
	for q, want := range map[string][]string{
		"creme": {"1", "2"}, "CRÈME B": {"1"}, "可乐": {"4", "5"}, "ice": {"6"}, "co": nil, "%": nil, "_": nil, "zzz": nil,
	} {
		if got := s.names(s.token, "/v1/products", url.Values{"q": {q}}); !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", q, got, want)
		}
	}
	if got := s.names(s.token, "/v1/products", url.Values{"q": {"co"}, "archived": {"true"}}); !slices.Equal(got, []string{"3"}) {
		t.Errorf("with the archive: %v", got)
	}
	if got := s.names(s.token, "/v1/products", url.Values{}); !slices.Equal(got, []string{"1", "2", "4", "5", "6"}) {
		t.Errorf("all: %v", got)
	}
	if got := s.names(s.Token(auth.RoleSales, "music"), "/v1/products", url.Values{"q": {"creme"}}); len(got) != 0 {
		t.Errorf("another tenant's: %v", got)
	}
}

// TestAPrefixIsReadByIndex looks at the plan of the search, as the app role has it under row level security.
func TestAPrefixIsReadByIndex(t *testing.T) {
	t.Parallel()
	s := open(t)
	var plan []string
	err := s.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		tx.Queue(`INSERT INTO product (tenant_id, sku, name, folded, unit, tax_code, archived, version, changed_at)
			SELECT 'pizza', 's' || n, 'name ' || n, 'name ' || n, '', '', false, 1, now() FROM generate_series(1, 20000) AS n`)
		sql, args := catalogue.ProductsSQL("pizza", "name 1234")
		tx.PlanForAny()
		rows, err := tx.Query(t.Context(), "EXPLAIN (ANALYZE, TIMING OFF) "+sql, args...)
		if err != nil {
			return err
		}
		plan, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	text := strings.Join(plan, "\n")
	if err != nil || !strings.Contains(text, "product_folded") || strings.Contains(text, "Seq Scan on product p") || strings.Contains(text, "Sort") {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestPricesBelongToAListAndAProduct(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.put("/v1/products/COLA", body{"name": "Cola"})
	s.put("/v1/price-lists/shops", body{"name": "Shops", "currency": "CNY", "valid_from": "2026-01-01T00:00:00+08:00"})
	const cola = "/v1/price-lists/shops/prices/COLA"
	s.put(cola, body{"unit_minor": 500, "tiers": []body{{"min_quantity": 10, "unit_minor": 450}}})
	var p struct {
		UnitMinor int `json:"unit_minor"`
		Tiers     []struct {
			MinQuantity int `json:"min_quantity"`
		}
		Version int
	}
	s.Want(http.StatusOK, http.MethodPut, cola, s.token, body{"unit_minor": 600}, &p, "If-Match", `"1"`)
	if p.UnitMinor != 600 || len(p.Tiers) != 0 || p.Version != 2 {
		t.Fatalf("a price is replaced as a whole: %+v", p)
	}
	s.Want(http.StatusPreconditionFailed, http.MethodPut, cola, s.token, body{"unit_minor": 700}, nil, "If-Match", `"1"`)
	for path, code := range map[string]string{"/v1/price-lists/shops/prices/PEPSI": "price_invalid", "/v1/price-lists/none/prices/COLA": "price_list_not_found"} {
		if answer := s.Do(http.MethodPut, path, s.token, body{"unit_minor": 1}, "If-Match", `"0"`); answer.Code() != code {
			t.Errorf("%s: %d %s", path, answer.Status, answer.Body)
		}
	}
	currency := s.Want(http.StatusConflict, http.MethodPut, "/v1/price-lists/shops", s.token, body{"name": "Shops", "currency": "HKD"}, nil, "If-Match", `*`)
	if currency.Code() != "price_list_currency_fixed" {
		t.Errorf("%s", currency.Body)
	}
	v := s.batch("/v1/price-lists/shops/prices/batch", []body{
		{"sku": "COLA", "unit_minor": 600}, {"sku": "PEPSI", "unit_minor": 1}, {"sku": "COLA", "unit_minor": 1},
		{"sku": "COLA", "unit_minor": -1}, {"sku": "COLA", "unit_minor": 1, "tiers": []body{{"min_quantity": 1, "unit_minor": 1}}},
	})
	var got []string
	for _, r := range v.Rejected {
		got = append(got, fmt.Sprint(r.Row, " ", r.Errors[0].Location, " ", r.Errors[0].Code))
	}
	if v.Unchanged != 1 || !slices.Equal(got, []string{"1 sku sku_unknown", "2 sku sku_twice", "3 unit_minor amount_negative", "4 tiers[0].min_quantity min_quantity_out_of_order"}) {
		t.Errorf("%+v %q", v, got)
	}
	music := s.Token(auth.RoleIntegrator, "music")
	s.Want(http.StatusNotFound, http.MethodPost, "/v1/price-lists/shops/prices/batch", music, body{"items": []body{{"sku": "COLA", "unit_minor": 1}}}, nil)
	s.Want(http.StatusNotFound, http.MethodGet, cola, music, nil, nil)
	s.Want(http.StatusNotFound, http.MethodGet, "/v1/price-lists/shops/prices", music, nil, nil)
	s.Want(http.StatusPreconditionFailed, http.MethodDelete, cola, s.token, nil, nil, "If-Match", `"1"`)
	s.Want(http.StatusNoContent, http.MethodDelete, cola, s.token, nil, nil, "If-Match", `"2"`)
	s.Want(http.StatusNotFound, http.MethodGet, cola, s.token, nil, nil)
	s.Want(http.StatusNotFound, http.MethodDelete, cola, s.token, nil, nil, "If-Match", `"2"`)
}

func TestTheCatalogueRefusesBadInput(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.put("/v1/product-categories/food", body{"name": "Food"})
	s.put("/v1/products/COLA", body{"name": "Cola"})
	s.put("/v1/price-lists/shops", body{"name": "Shops", "currency": "CNY"})
	s.put("/v1/price-lists/shops/prices/COLA", body{"unit_minor": 500})
	made := 0
	items := func(of string) func() string {
		return func() string {
			made++
			raw, err := json.Marshal(body{"items": []body{{"sku": "COLA", of: map[string]any{"name": fmt.Sprint("Cola ", made), "unit_minor": made}[of]}}})
			if err != nil {
				t.Fatal(err)
			}
			return string(raw)
		}
	}
	star := http.Header{"If-Match": {"*"}}
	for name, target := range map[string]badinput.Target{
		"list products":   {Method: http.MethodGet, Path: "/v1/products", List: true},
		"find products":   {Method: http.MethodGet, Path: "/v1/products?q=co", List: true},
		"get product":     {Method: http.MethodGet, Path: "/v1/products/COLA", Owned: true},
		"put product":     {Method: http.MethodPut, Path: "/v1/products/COLA", Body: `{"name":"Cola","archived":false}`, Version: true, Header: star},
		"batch products":  {Method: http.MethodPost, Path: "/v1/products/batch", Body: items("name")(), Fresh: items("name"), OtherBody: items("name")(), Replay: true},
		"list categories": {Method: http.MethodGet, Path: "/v1/product-categories", List: true},
		"get category":    {Method: http.MethodGet, Path: "/v1/product-categories/food", Owned: true},
		"put category":    {Method: http.MethodPut, Path: "/v1/product-categories/food", Body: `{"name":"Food"}`, Version: true, Header: star},
		"list lists":      {Method: http.MethodGet, Path: "/v1/price-lists", List: true},
		"get list":        {Method: http.MethodGet, Path: "/v1/price-lists/shops", Owned: true},
		"put list":        {Method: http.MethodPut, Path: "/v1/price-lists/shops", Body: `{"name":"Shops","currency":"CNY"}`, Version: true, Header: star},
		"list prices":     {Method: http.MethodGet, Path: "/v1/price-lists/shops/prices", List: true, Owned: true},
		"get price":       {Method: http.MethodGet, Path: "/v1/price-lists/shops/prices/COLA", Owned: true},
		"put price":       {Method: http.MethodPut, Path: "/v1/price-lists/shops/prices/COLA", Body: `{"unit_minor":500}`, Version: true, Owned: true, Header: star},
		"batch prices":    {Method: http.MethodPost, Path: "/v1/price-lists/shops/prices/batch", Body: items("unit_minor")(), Fresh: items("unit_minor"), OtherBody: items("unit_minor")(), Replay: true, Owned: true},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = s.URL, s.token
			badinput.Check(t, target)
		})
	}
}
