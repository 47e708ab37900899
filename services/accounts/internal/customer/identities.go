package customer

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
)

// MaxIdentities is how many identities a customer can have.
const MaxIdentities = 50

// Validity is from when to when an identity is the customer's, and since when it is verified.
type Validity struct {
	ValidFrom  time.Time // zero: since it was added
	ValidTo    time.Time // zero: still
	VerifiedAt time.Time // zero: never
}

// Identity is one way to recognise the customer, and since when it is known.
type Identity struct {
	identity.Identity
	Validity
	CustomerID uuid.UUID // whose it is: the customer's own id or an alias
	AddedAt    time.Time
}

// Valid tells whether the identity is the customer's still.
func (i Identity) Valid() bool { return i.ValidTo.IsZero() }

func (i Identity) exclusive() bool { return i.Type.Exclusive() }

var (
	errIdentityNotFound = problem.New(problem.NotFound, "identity_not_found", "The customer does not have this identity.")
	errIdentityEnded    = problem.New(problem.Conflict, "identity_ended",
		"The identity is the customer's no longer. Add it again, if it is theirs once more.")
)

// Identify gives the customer with one more identity; added is false when it has that one already. One that had ended
// begins anew.
func (c Customer) Identify(i identity.Identity, at time.Time) (with Customer, added bool) {
	return c.identify(i, Validity{}, at)
}

func (c Customer) identify(i identity.Identity, v Validity, at time.Time) (with Customer, added bool) {
	if slices.ContainsFunc(c.rows, func(has Identity) bool { return has.Identity == i && has.Valid() }) {
		return c, false
	}
	rows := slices.Clone(c.rows)
	ended := slices.IndexFunc(rows, func(had Identity) bool { return had.Identity == i && had.CustomerID == c.As })
	if ended >= 0 {
		rows[ended].Validity = Validity{ValidFrom: v.ValidFrom, VerifiedAt: v.VerifiedAt}
		if v.ValidFrom.IsZero() {
			rows[ended].ValidFrom = at
		}
	} else {
		rows = append(rows, Identity{Identity: i, Validity: v, CustomerID: c.As, AddedAt: at})
	}
	return c.with(rows, at), true
}

// begin gives a new customer with its identities.
func (c Customer) begin(all []identity.Identity, validity map[identity.Identity]Validity, at time.Time) Customer {
	all = slices.Clone(all)
	slices.SortFunc(all, identity.Compare)
	if len(validity) > 0 {
		for _, one := range all {
			c, _ = c.identify(one, validity[one], at)
		}
		return c
	}
	if len(all) == 0 {
		return c
	}
	rows := make([]Identity, 0, len(all))
	for _, one := range slices.Compact(all) {
		rows = append(rows, Identity{Identity: one, CustomerID: c.As, AddedAt: at})
	}
	c.rows, c.Identities = rows, slices.Clip(rows) // each is there once
	return c
}

// Verify gives the customer for whom the identity was shown to be theirs at a time; changed is false when that was
// known already. It is NotFound where the customer does not have it, a Conflict where it has ended.
func (c Customer) Verify(i identity.Identity, verified, at time.Time) (with Customer, changed bool, err error) {
	return c.touch(i, at, func(row *Identity) bool {
		later := verified.After(row.VerifiedAt)
		if later {
			row.VerifiedAt = verified
		}
		return later
	}, errIdentityEnded)
}

// End gives the customer whose identity ended at a time; changed is false when it had ended before. It is NotFound where
// the customer does not have it.
func (c Customer) End(i identity.Identity, ended, at time.Time) (with Customer, changed bool, err error) {
	for _, row := range c.rows {
		if row.Identity == i && row.Valid() && ended.Before(row.ValidFrom) {
			return c, false, invalid([]problem.Field{{Location: "at", Code: "too_early", Message: "must not be before the identity began"}})
		}
	}
	return c.touch(i, at, func(row *Identity) bool { row.ValidTo = ended; return true }, nil)
}

// touch applies a change to the identity wherever those who were merged have it, as long as it is valid. What it gives
// where the identity has ended everywhere is the caller's to say.
func (c Customer) touch(i identity.Identity, at time.Time, change func(row *Identity) bool, ifEnded error) (Customer, bool, error) {
	rows := slices.Clone(c.rows)
	held, valid, changed := false, false, false
	for n := range rows {
		if rows[n].Identity != i {
			continue
		}
		held = true
		if rows[n].Valid() {
			valid = true
			changed = change(&rows[n]) || changed
		}
	}
	switch {
	case !held:
		return c, false, errIdentityNotFound
	case !valid:
		return c, false, ifEnded
	case !changed:
		return c, false, nil
	}
	return c.with(rows, at), true, nil
}

// with gives the customer with other rows of identities, as a change of that time.
func (c Customer) with(rows []Identity, at time.Time) Customer {
	c.rows, c.Identities = rows, unite(rows)
	c.Version, c.ChangedAt = c.Version+1, at
	return c
}

// unite gives each identity once: of the rows that several have who were merged the valid one before one that ended,
// then the one that was verified last, then the first.
func unite(rows []Identity) []Identity {
	out := make([]Identity, 0, len(rows))
	var place map[identity.Identity]int
	if len(rows) > 8 { // as hardly anybody has; a few are found sooner by looking at each
		place = make(map[identity.Identity]int, len(rows))
	}
	for _, row := range rows {
		n, seen := place[row.Identity]
		if place == nil {
			n = slices.IndexFunc(out, func(o Identity) bool { return o.Identity == row.Identity })
			seen = n >= 0
		}
		if !seen {
			if place != nil {
				place[row.Identity] = len(out)
			}
			out = append(out, row)
			continue
		}
		was := out[n]
		if was.Valid() == row.Valid() && row.VerifiedAt.After(was.VerifiedAt) || !was.Valid() && row.Valid() {
			out[n] = row
		}
	}
	return out
}

// External gives the customer's ids in other systems that are valid, ordered by system and id.
func (c Customer) External() []identity.Identity { return external(c.Identities, uuid.Nil) }

// external gives the ids in other systems among the identities, as External does: those that bear the id of, or where that
// is nil, all.
func external(all []Identity, of uuid.UUID) []identity.Identity {
	var out []identity.Identity
	for _, i := range all {
		if _, external := i.Type.System(); external && i.Valid() && (of == uuid.Nil || i.CustomerID == of) {
			out = append(out, i.Identity)
		}
	}
	slices.SortFunc(out, identity.Compare)
	return out
}

// verified tells whether the identity was shown to be the customer's.
func (c Customer) verified(i identity.Identity) bool {
	return slices.ContainsFunc(c.Identities, func(has Identity) bool { return has.Identity == i && !has.VerifiedAt.IsZero() })
}
