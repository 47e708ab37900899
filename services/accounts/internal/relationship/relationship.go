// Package relationship keeps who stands in which relation to whom: households, organisations and their parents, the
// people of an organisation, and who reports to whom.
package relationship

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
)

// Kind is what sort of relation it is. Each leads from a customer to a related one.
type Kind string

// The kinds.
const (
	Household          Kind = "household"           // a person to the head of the household
	ParentOrganisation Kind = "parent_organisation" // an organisation to the one that owns it
	ContactOf          Kind = "contact_of"          // a person to the organisation that is reached through the person
	ReportsTo          Kind = "reports_to"          // a person to the superior
)

// Kinds lists the kinds, in the order in which they are locked.
func Kinds() []Kind { return []Kind{ContactOf, Household, ParentOrganisation, ReportsTo} }

// ends gives the sorts of parties that the relation leads from and to.
func (k Kind) ends() (from, to customer.Kind) {
	switch k {
	case ParentOrganisation:
		return customer.Organisation, customer.Organisation
	case ContactOf:
		return customer.Person, customer.Organisation
	default:
		return customer.Person, customer.Person
	}
}

// Relationship is one relation. Its ends keep the ids that they were given with, so that a merge can be undone.
type Relationship struct {
	ID        uuid.UUID // UUIDv7
	Kind      Kind
	From, To  End
	StartedAt time.Time
	EndedAt   time.Time // zero: current
}

// End is one end of a relation.
type End struct {
	ID   uuid.UUID // as it was given
	Root uuid.UUID // the customer whom it means now
}

// State is "current" or "ended", as the event says it.
func (r Relationship) State() string {
	if r.EndedAt.IsZero() {
		return "current"
	}
	return "ended"
}

// Party is an end of a relation that is about to be made.
type Party struct {
	customer.Ref
	Kind customer.Kind
}

// Relate makes a relation that starts now, or refuses: the ends must be two customers, each of the sort that the kind
// asks for. Whether it closes a circle is for Circle to say.
func Relate(id uuid.UUID, kind Kind, from, to Party, now time.Time) (Relationship, error) {
	if !slices.Contains(Kinds(), kind) {
		return Relationship{}, invalid("kind", "kind_unknown", "must be household, parent_organisation, contact_of or reports_to")
	}
	if from.Root == to.Root {
		return Relationship{}, invalid("related_id", "relationship_self", "means the customer itself")
	}
	wantFrom, wantTo := kind.ends()
	if from.Kind != wantFrom {
		return Relationship{}, invalid("kind", "relationship_kind", "goes out from a customer who is of the kind "+string(wantFrom))
	}
	if to.Kind != wantTo {
		return Relationship{}, invalid("related_id", "relationship_kind", "must be a customer of the kind "+string(wantTo))
	}
	return Relationship{ID: id, Kind: kind, From: End{from.ID, from.Root}, To: End{to.ID, to.Root}, StartedAt: now}, nil
}

// EndAt gives the relation ended, or refuses where it has ended before.
func (r Relationship) EndAt(now time.Time) (Relationship, error) {
	if !r.EndedAt.IsZero() {
		return r, problem.New(problem.Conflict, "relationship_ended", "The relationship has ended already.")
	}
	r.EndedAt = now
	return r, nil
}

func invalid(field, code, message string) error {
	return problem.InvalidBody("relationship_invalid", "The relationship was not accepted: mend the field named here.",
		[]problem.Field{{Location: field, Code: code, Message: message}})
}

// Edge leads from a customer to a related one, both by the ids of the customers whom they mean now.
type Edge struct{ From, To uuid.UUID }

// Path gives the shortest way along the edges from one customer to another, both included, or nothing. From an id to
// itself it has at least one edge: it is a circle.
func Path(edges []Edge, from, to uuid.UUID) []uuid.UUID {
	next := make(map[uuid.UUID][]uuid.UUID, len(edges))
	for _, e := range edges {
		next[e.From] = append(next[e.From], e.To)
	}
	reached := map[uuid.UUID]uuid.UUID{} // to where it was reached from
	for frontier := []uuid.UUID{from}; len(frontier) > 0; {
		var beyond []uuid.UUID
		for _, at := range frontier {
			for _, n := range next[at] {
				if _, seen := reached[n]; seen {
					continue
				}
				reached[n] = at
				if n == to {
					return backwards(reached, from, to)
				}
				beyond = append(beyond, n)
			}
		}
		frontier = beyond
	}
	return nil
}

func backwards(reached map[uuid.UUID]uuid.UUID, from, to uuid.UUID) []uuid.UUID {
	path := []uuid.UUID{to}
	for at := reached[to]; ; at = reached[at] {
		path = append(path, at)
		if at == from {
			slices.Reverse(path)
			return path
		}
	}
}

// maxNamed is how many customers of a circle a refusal names.
const maxNamed = 20

// circle refuses a relation that would close the path to one: path leads from the related customer to the customer.
func circle(r Relationship, path []uuid.UUID) error {
	named := append([]uuid.UUID{r.From.Root}, path...)
	texts := make([]string, 0, maxNamed+1)
	for n, id := range named {
		if n == maxNamed {
			texts = append(texts, "…")
			break
		}
		texts = append(texts, id.String())
	}
	return problem.New(problem.Conflict, "relationship_cycle", "This would close a circle of %s: %s. End one of its relationships first.",
		r.Kind, strings.Join(texts, " → "))
}

// Node is a customer in a hierarchy, and the relation by which it was reached first.
type Node struct {
	Customer     uuid.UUID
	Via          uuid.UUID // the customer one step nearer to the start
	Relationship uuid.UUID
	Depth        int // steps from the start, from 1
}

// Step is a relation on the way through a hierarchy: from a customer that was reached, to the next.
type Step struct {
	Edge
	Relationship uuid.UUID
}

// MaxNodes is how many customers a hierarchy shows in a direction.
const MaxNodes = 1000

// Walk gives the customers that are reached from start within depth steps, the nearest first, each once: whatever merges
// made of the relations, it ends. beyond gives the steps that lead on from the customers, at most limit. truncated is
// true when there were more than max customers.
func Walk(start uuid.UUID, depth, most int, beyond func(from []uuid.UUID, limit int) ([]Step, error)) (nodes []Node, truncated bool, err error) {
	seen := map[uuid.UUID]bool{start: true}
	frontier := []uuid.UUID{start}
	for d := 1; d <= depth && len(frontier) > 0; d++ {
		steps, err := beyond(frontier, most+1)
		if err != nil {
			return nil, false, err
		}
		frontier = nil
		for _, s := range steps {
			if seen[s.To] {
				continue
			}
			if len(nodes) == most {
				return nodes, true, nil
			}
			seen[s.To] = true
			nodes = append(nodes, Node{Customer: s.To, Via: s.From, Relationship: s.Relationship, Depth: d})
			frontier = append(frontier, s.To)
		}
		if len(steps) > most { // there may be more at this depth
			return nodes, true, nil
		}
	}
	return nodes, false, nil
}
