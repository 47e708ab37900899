package customer

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Address is where a customer can be found. It is personal data.
type Address struct {
	Place
	ID         uuid.UUID // UUIDv7
	CustomerID uuid.UUID // whose it is: the customer's own id or an alias
	AddedAt    time.Time
}

// Place is an address as people write it.
type Place struct {
	Kind       string   // home, work, billing, delivery or other
	Lines      []string // street, house, flat, in the order in which they are written
	City       string
	Region     string // province or state
	PostalCode string
	Country    string // ISO 3166-1 alpha-2
}

// MaxAddresses is how many addresses a customer can have.
const MaxAddresses = 20

const (
	maxLines    = 5
	maxLine     = 200 // characters
	maxCity     = 100 // characters, of a region as well
	maxPostcode = 20  // characters
)

var (
	errAddressNotFound = problem.New(problem.NotFound, "address_not_found", "The customer has no such address.")
	tooManyAddresses   = problem.Field{Location: "addresses", Code: "too_many", Message: "must be at most 20"}
)

// AddressKinds lists what an address can be for.
func AddressKinds() []string { return []string{"home", "work", "billing", "delivery", "other"} }

// Normalise trims and composes the parts and names those that are not right. Region is the tenant's country, which is
// meant where none is given.
func (p Place) Normalise(region string) (Place, []problem.Field) {
	var faults []problem.Field
	text := func(location, value string, least, most int) string {
		value = strings.Join(strings.Fields(norm.NFC.String(value)), " ")
		if n := utf8.RuneCountInString(value); n < least || n > most || strings.ContainsFunc(value, unprintable) {
			faults = append(faults, problem.Field{Location: location, Code: "address_malformed",
				Message: fmt.Sprintf("must be %d to %d characters, none of them a control character", least, most)})
		}
		return value
	}
	if p.Kind == "" {
		p.Kind = "other"
	}
	if !slices.Contains(AddressKinds(), p.Kind) {
		faults = append(faults, problem.Field{Location: "kind", Code: "kind_unknown", Message: "must be home, work, billing, delivery or other"})
	}
	if len(p.Lines) < 1 || len(p.Lines) > maxLines {
		faults = append(faults, problem.Field{Location: "lines", Code: "address_malformed", Message: "must be 1 to 5 lines"})
	}
	p.Lines = slices.Clone(p.Lines)
	for n, line := range p.Lines {
		p.Lines[n] = text(fmt.Sprintf("lines[%d]", n), line, 1, maxLine)
	}
	p.City, p.Region = text("city", p.City, 0, maxCity), text("region", p.Region, 0, maxCity)
	p.PostalCode = text("postal_code", p.PostalCode, 0, maxPostcode)
	if p.Country == "" {
		p.Country = region
	}
	country, err := language.ParseRegion(p.Country)
	if err != nil || !country.IsCountry() || len(p.Country) != 2 {
		faults = append(faults, problem.Field{Location: "country", Code: "country_unknown", Message: "must be an ISO 3166-1 alpha-2 country code, such as CN"})
		return p, faults
	}
	p.Country = country.String()
	return p, faults
}

func (p Place) equal(o Place) bool {
	return p.Kind == o.Kind && slices.Equal(p.Lines, o.Lines) && p.City == o.City && p.Region == o.Region &&
		p.PostalCode == o.PostalCode && p.Country == o.Country
}

// AddAddress gives the customer with one more address.
func (c Customer) AddAddress(id uuid.UUID, p Place, at time.Time) Customer {
	c.Addresses = append(slices.Clip(c.Addresses), Address{Place: p, ID: id, CustomerID: c.As, AddedAt: at})
	c.Version, c.ChangedAt = c.Version+1, at
	return c
}

// ChangeAddress gives the customer with another place for the address; changed is false when it was so already.
func (c Customer) ChangeAddress(id uuid.UUID, p Place, at time.Time) (with Customer, changed bool, err error) {
	n := slices.IndexFunc(c.Addresses, func(a Address) bool { return a.ID == id })
	switch {
	case n < 0:
		return c, false, errAddressNotFound
	case c.Addresses[n].equal(p):
		return c, false, nil
	}
	c.Addresses = slices.Clone(c.Addresses)
	c.Addresses[n].Place = p
	c.Version, c.ChangedAt = c.Version+1, at
	return c, true, nil
}

// RemoveAddress gives the customer without the address.
func (c Customer) RemoveAddress(id uuid.UUID, at time.Time) (Customer, error) {
	rest := slices.DeleteFunc(slices.Clone(c.Addresses), func(a Address) bool { return a.ID == id })
	if len(rest) == len(c.Addresses) {
		return c, errAddressNotFound
	}
	c.Addresses, c.Version, c.ChangedAt = rest, c.Version+1, at
	return c, nil
}

// address gives one of the customer's addresses.
func (c Customer) address(id uuid.UUID) (Address, error) {
	n := slices.IndexFunc(c.Addresses, func(a Address) bool { return a.ID == id })
	if n < 0 {
		return Address{}, errAddressNotFound
	}
	return c.Addresses[n], nil
}
