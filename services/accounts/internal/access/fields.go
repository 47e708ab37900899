package access

// standardFields is the one table from the fields of a customer that every tenant has, by their names in the API, to their
// classes. Custom fields bring their class along.
var standardFields = map[string]Class{
	"customer_id":   Identity,
	"aliases":       Identity,
	"kind":          Identity,
	"display_name":  Identity,
	"given_name":    Identity,
	"family_name":   Identity,
	"legal_name":    Identity,
	"names":         Identity,
	"identities":    Identity, // each by its type: see OfIdentity
	"custom_fields": Identity, // each by the class of its definition
	"withheld":      Identity, // says what is not there
	"state":         Identity,
	"version":       Identity,
	"registered_at": Identity,
	"changed_at":    Identity,

	"addresses": Contact,
	"calling":   Contact,
	"child":     Contact, // whether a guardian has to be asked
	"consents":  Contact, // they name addresses
	"language":  Contact,

	"source":             Behaviour,
	"owner":              Behaviour,
	"tags":               Behaviour,
	"stage":              Behaviour,
	"stage_since":        Behaviour,
	"stage_manual_until": Behaviour,
	"segment":            Behaviour,
	"completeness":       Behaviour,
	"missing":            Behaviour,
	"facts":              Behaviour, // those that come of insights by the insights' classes
	"orders":             Behaviour,
	"timeline":           Behaviour,
	"points":             Behaviour,
	"interactions":       Behaviour,
}

// OfField gives the class of a standard field of a customer. One that is not in the table has none and is to be shown to
// nobody.
func OfField(name string) (Class, bool) {
	c, ok := standardFields[name]
	return c, ok
}

// OfIdentity gives the class of an identity: by telephones and mailboxes somebody is reached, by all others recognised.
func OfIdentity(identityType string) Class {
	switch identityType {
	case "phone", "email":
		return Contact
	default:
		return Identity
	}
}
