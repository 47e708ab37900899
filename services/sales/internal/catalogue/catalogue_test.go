package catalogue

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

func codes(f []problem.Field) (all []string) {
	for _, one := range f {
		all = append(all, one.Location+" "+one.Code)
	}
	return all
}

func TestAProductIsReadCritically(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Product)
		want   []string
	}{
		"all in order":         {func(*Product) {}, nil},
		"no unit, no tax code": {func(p *Product) { p.Unit, p.TaxCode = "", "" }, nil},
		"a sku with signs":     {func(p *Product) { p.SKU = "A/12 (b)" }, nil},
		"no sku":               {func(p *Product) { p.SKU = "" }, []string{"sku sku_malformed"}},
		"a sku of dots":        {func(p *Product) { p.SKU = ".." }, []string{"sku sku_malformed"}},
		"a sku with a blank":   {func(p *Product) { p.SKU = "A " }, []string{"sku sku_malformed"}},
		"an endless sku":       {func(p *Product) { p.SKU = strings.Repeat("x", 65) }, []string{"sku sku_malformed"}},
		"no name":              {func(p *Product) { p.Name = "" }, []string{"name name_malformed"}},
		"a name of two lines":  {func(p *Product) { p.Name = "a\nb" }, []string{"name name_malformed"}},
		"an endless unit":      {func(p *Product) { p.Unit = strings.Repeat("x", 65) }, []string{"unit unit_malformed"}},
		"a tax code of tabs":   {func(p *Product) { p.TaxCode = "a\tb" }, []string{"tax_code tax_code_malformed"}},
	} {
		p := Product{SKU: "COLA", Name: "Cola", Unit: "bottle", TaxCode: "drinks"}
		c.change(&p)
		if got := codes(p.faults()); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// tree is food > pizza > pan, and an archived drinks.
func tree() map[string]Category {
	return map[string]Category{
		"food": {Code: "food", Name: "Food", Path: []string{"food"}}, "pizza": {Code: "pizza", Name: "Pizza", Parent: "food", Path: []string{"food", "pizza"}},
		"pan":    {Code: "pan", Name: "Pan", Parent: "pizza", Path: []string{"food", "pizza", "pan"}},
		"drinks": {Code: "drinks", Name: "Drinks", Path: []string{"drinks"}, Archived: true},
	}
}

func TestCategoriesStayATree(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		put  Category
		want []string
	}{
		"a new root":              {Category{Code: "toys", Name: "Toys"}, nil},
		"a new one below":         {Category{Code: "thin", Name: "Thin", Parent: "pan"}, nil},
		"moved to the root":       {Category{Code: "pizza", Name: "Pizza"}, nil},
		"below itself":            {Category{Code: "pizza", Name: "Pizza", Parent: "pizza"}, []string{"parent parent_below"}},
		"below its own child":     {Category{Code: "food", Name: "Food", Parent: "pan"}, []string{"parent parent_below"}},
		"below nothing":           {Category{Code: "thin", Name: "Thin", Parent: "none"}, []string{"parent parent_unknown"}},
		"below what is put away":  {Category{Code: "thin", Name: "Thin", Parent: "drinks"}, []string{"parent parent_archived"}},
		"a code in capitals":      {Category{Code: "Toys", Name: "Toys"}, []string{"code code_malformed"}},
		"no name":                 {Category{Code: "toys"}, []string{"name name_malformed"}},
		"a subtree that is moved": {Category{Code: "pizza", Name: "Pizza", Parent: "food"}, nil},
	} {
		if got := codes(c.put.faults(tree())); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	deep := map[string]Category{}
	var path []string
	for _, code := range strings.Split("abcdefghij", "") {
		path = append(slices.Clone(path), code)
		deep[code] = Category{Code: code, Path: path}
	}
	if got := codes(Category{Code: "k", Name: "K", Parent: "j"}.faults(deep)); !slices.Equal(got, []string{"parent tree_too_deep"}) {
		t.Errorf("an eleventh below ten: %q", got)
	}
	deep["x"], deep["y"] = Category{Code: "x", Path: []string{"x"}}, Category{Code: "y", Parent: "x", Path: []string{"x", "y"}}
	if got := codes(Category{Code: "x", Name: "X", Parent: "i"}.faults(deep)); !slices.Equal(got, []string{"parent tree_too_deep"}) {
		t.Errorf("two below nine: %q", got)
	}
}

func TestAPriceHasTiersThatRise(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		price Price
		want  []string
	}{
		"plain":                 {Price{SKU: "A", UnitMinor: 500}, nil},
		"for nothing":           {Price{SKU: "A"}, nil},
		"with tiers":            {Price{SKU: "A", UnitMinor: 500, Tiers: []Tier{{10, 450}, {100, 400}}}, nil},
		"negative":              {Price{SKU: "A", UnitMinor: -1}, []string{"unit_minor amount_negative"}},
		"too large":             {Price{SKU: "A", UnitMinor: money.Max + 1}, []string{"unit_minor amount_too_large"}},
		"a tier from one on":    {Price{SKU: "A", Tiers: []Tier{{1, 450}}}, []string{"tiers[0].min_quantity min_quantity_out_of_order"}},
		"a tier twice":          {Price{SKU: "A", Tiers: []Tier{{5, 4}, {5, 3}}}, []string{"tiers[1].min_quantity min_quantity_out_of_order"}},
		"tiers that fall":       {Price{SKU: "A", Tiers: []Tier{{50, 4}, {5, 3}}}, []string{"tiers[1].min_quantity min_quantity_out_of_order"}},
		"a negative tier":       {Price{SKU: "A", Tiers: []Tier{{5, -4}}}, []string{"tiers[0].unit_minor amount_negative"}},
		"more tiers than taken": {Price{SKU: "A", Tiers: make([]Tier, 21)}, []string{"tiers tiers_too_many"}},
	} {
		if got := codes(c.price.faults()); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	p := Price{UnitMinor: 500, Tiers: []Tier{{10, 450}, {100, 400}}}
	for quantity, want := range map[int64][2]int64{1: {500, 1}, 9: {500, 1}, 10: {450, 10}, 99: {450, 10}, 100: {400, 100}, 5000: {400, 100}} {
		if unit, from := p.For(quantity); unit != want[0] || from != want[1] {
			t.Errorf("%d cost %d from %d on, want %v", quantity, unit, from, want)
		}
	}
}

func TestAListIsValidFromOneMomentToBeforeAnother(t *testing.T) {
	t.Parallel()
	from, to := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	l := PriceList{Code: "autumn", Name: "Autumn", Currency: "CNY", From: from, To: to}
	for at, want := range map[time.Time]bool{from.Add(-1): false, from: true, to.Add(-1): true, to: false} {
		if l.ValidAt(at) != want {
			t.Errorf("at %s: got %v", at, !want)
		}
	}
	l.From, l.To = to, from
	if got := codes(l.faults()); !slices.Equal(got, []string{"valid_to validity_empty"}) {
		t.Errorf("the wrong way round: %q", got)
	}
	l.From, l.To, l.Currency = time.Time{}, time.Time{}, "DEM"
	if got := codes(l.faults()); !slices.Equal(got, []string{"currency currency_unknown"}) {
		t.Errorf("a currency of the past: %q", got)
	}
	if l.Archived = true; l.ValidAt(from) {
		t.Error("a list in the archive is valid")
	}
}
