// Package catalogue is what can be sold and what it costs: products, the tree of their categories, price lists. It is small on
// purpose: the truth about products stands in the systems of those who make or buy them, which feed it.
package catalogue

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/guanxi-crm/guanxi/platform/fold"
	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Product is something that can be sold.
type Product struct {
	SKU       string
	Name      string
	Category  string   // code; empty: none
	Path      []string // codes of the categories from the root to Category, where the product was read
	Unit      string   // what one of it is, in words of the tenant, such as piece; may be empty
	TaxCode   string   // a label for whoever reckons taxes; nothing is reckoned by it here
	Archived  bool     // cannot be sold any more
	Version   int64    // rises by one with every change
	ChangedAt time.Time
}

// Category is a place in the tree of what products are.
type Category struct {
	Code      string
	Name      string
	Parent    string   // code; empty: a root
	Path      []string // codes from the root to the category itself, where it was read
	Archived  bool     // nothing new may name it
	Version   int64
	ChangedAt time.Time
}

// PriceList is what products cost in one currency for some time.
type PriceList struct {
	Code      string
	Name      string
	Currency  string    // ISO 4217; stays as it is
	From, To  time.Time // from inclusive, to exclusive; zero: without a bound
	Archived  bool
	Version   int64
	ChangedAt time.Time
}

// ValidAt tells whether the list's prices hold at a time.
func (l PriceList) ValidAt(at time.Time) bool {
	return !l.Archived && !at.Before(l.From) && (l.To.IsZero() || at.Before(l.To))
}

// Price is what one unit of a product costs by a list, in minor units of the list's currency.
type Price struct {
	SKU       string
	UnitMinor int64
	Tiers     []Tier // by MinQuantity, which rises
	Version   int64
	ChangedAt time.Time
}

// Tier is another price of a unit, of each, from a quantity on.
type Tier struct {
	MinQuantity int64 // 2 or more
	UnitMinor   int64
}

// For gives the price of each unit where so many are bought, and from which quantity on it holds: 1 where no tier is reached.
func (p Price) For(quantity int64) (unitMinor, from int64) {
	unitMinor, from = p.UnitMinor, 1
	for _, t := range p.Tiers {
		if quantity >= t.MinQuantity {
			unitMinor, from = t.UnitMinor, t.MinQuantity
		}
	}
	return unitMinor, from
}

const (
	maxCode  = 64  // characters of an article's code, a unit, a tax code
	maxName  = 200 // characters
	maxDepth = 10  // categories above each other
	maxTiers = 20
)

// codePattern is what codes look like that people give: of categories and price lists.
var codePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// codeRule says in words what a code may be.
const codeRule = "must be a code of 1 to 64 lower-case letters, digits, - and _"

// faults collects what is wrong.
type faults []problem.Field

func (f *faults) add(location, code, message string) {
	*f = append(*f, problem.Field{Location: location, Code: code, Message: message})
}

// label tells whether s is short, printable and without blanks around it; the empty text is.
func label(s string, most int) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= most && strings.TrimSpace(s) == s && !strings.ContainsFunc(s, unicode.IsControl)
}

func (f *faults) name(s string) {
	if s == "" || !label(s, maxName) {
		f.add("name", "name_malformed", fmt.Sprintf("must be 1 to %d printable characters, without blanks around them", maxName))
	}
}

func (f *faults) code(s string) {
	if !codePattern.MatchString(s) {
		f.add("code", "code_malformed", codeRule)
	}
}

func (f *faults) sku(s string) {
	if s == "" || s == "." || s == ".." || !label(s, maxCode) {
		f.add("sku", "sku_malformed", fmt.Sprintf("must be 1 to %d printable characters, without blanks around them", maxCode))
	}
}

// faults names everything that is wrong with the product as it stands; categories are not looked up.
func (p Product) faults() (f faults) {
	f.sku(p.SKU)
	f.name(p.Name)
	if !label(p.Unit, maxCode) {
		f.add("unit", "unit_malformed", fmt.Sprintf("must be at most %d printable characters, without blanks around them", maxCode))
	}
	if !label(p.TaxCode, maxCode) {
		f.add("tax_code", "tax_code_malformed", fmt.Sprintf("must be at most %d printable characters, without blanks around them", maxCode))
	}
	return f
}

// says tells whether the product has the same content as another.
func (p Product) says(other Product) bool {
	return p.SKU == other.SKU && p.Name == other.Name && p.Category == other.Category && p.Unit == other.Unit &&
		p.TaxCode == other.TaxCode && p.Archived == other.Archived
}

// belongs names what is wrong with the product's category, given all that there are and the product as it was.
func (p Product) belongs(categories map[string]Category, was Product) (f faults) {
	if p.Category == "" {
		return nil
	}
	c, there := categories[p.Category]
	switch {
	case !there:
		f.add("category", "category_unknown", "is no category")
	case c.Archived && p.Category != was.Category:
		f.add("category", "category_archived", "is in the archive: nothing new may name it")
	}
	return f
}

// folded is the form in which the name is looked for.
func (p Product) folded() string { return fold.Text(p.Name) }

// faults names everything that is wrong with the category; all are those that there are now, by code.
func (c Category) faults(all map[string]Category) (f faults) {
	f.code(c.Code)
	f.name(c.Name)
	if c.Parent == "" {
		return f
	}
	parent, there := all[c.Parent]
	switch {
	case !there:
		f.add("parent", "parent_unknown", "is no category")
	case slices.Contains(parent.Path, c.Code):
		f.add("parent", "parent_below", "is the category itself, or stands below it")
	case parent.Archived && !c.Archived && all[c.Code].Parent != c.Parent:
		f.add("parent", "parent_archived", "is in the archive: nothing new may name it")
	case len(parent.Path)+c.height(all) > maxDepth:
		f.add("parent", "tree_too_deep", fmt.Sprintf("would make more than %d categories above each other", maxDepth))
	}
	return f
}

// height is how many categories stand above each other from the category down.
func (c Category) height(all map[string]Category) int {
	most := 1
	for _, other := range all {
		if at := slices.Index(other.Path, c.Code); at >= 0 {
			most = max(most, len(other.Path)-at)
		}
	}
	return most
}

// pathBelow gives the category's path where its parent is one of all.
func (c Category) pathBelow(all map[string]Category) []string {
	return append(slices.Clone(all[c.Parent].Path), c.Code)
}

// faults names everything that is wrong with the list.
func (l PriceList) faults() (f faults) {
	f.code(l.Code)
	f.name(l.Name)
	if _, ok := money.Digits(l.Currency); !ok {
		f.add("currency", "currency_unknown", "must be an ISO 4217 currency code, such as CNY")
	}
	if !l.To.IsZero() && !l.From.Before(l.To) {
		f.add("valid_to", "validity_empty", "must be after valid_from")
	}
	return f
}

// faults names everything that is wrong with the price; whether there is such a product is not looked up.
func (p Price) faults() (f faults) {
	f.sku(p.SKU)
	amount := func(location string, minor int64) {
		switch {
		case minor < 0:
			f.add(location, "amount_negative", "must not be negative")
		case minor > money.Max:
			f.add(location, "amount_too_large", fmt.Sprintf("must be at most %d", money.Max))
		}
	}
	amount("unit_minor", p.UnitMinor)
	if len(p.Tiers) > maxTiers {
		f.add("tiers", "tiers_too_many", fmt.Sprintf("must be at most %d", maxTiers))
		return f
	}
	last := int64(1)
	for i, t := range p.Tiers {
		at := fmt.Sprintf("tiers[%d].", i)
		amount(at+"unit_minor", t.UnitMinor)
		if t.MinQuantity <= last || t.MinQuantity > money.Max {
			f.add(at+"min_quantity", "min_quantity_out_of_order", "must be 2 or more, and more than that of the tier before")
		}
		last = max(last, t.MinQuantity)
	}
	return f
}

// says tells whether the price is the same as another.
func (p Price) says(other Price) bool {
	return p.SKU == other.SKU && p.UnitMinor == other.UnitMinor && slices.Equal(p.Tiers, other.Tiers)
}
