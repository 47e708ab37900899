package relationship_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/relationship"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// id gives the nth of some ids.
func id(n byte) uuid.UUID { return uuid.UUID{15: n} }

func ids(ns ...byte) []uuid.UUID {
	var out []uuid.UUID
	for _, n := range ns {
		out = append(out, id(n))
	}
	return out
}

func edges(pairs ...[2]byte) []relationship.Edge {
	var out []relationship.Edge
	for _, p := range pairs {
		out = append(out, relationship.Edge{From: id(p[0]), To: id(p[1])})
	}
	return out
}

func TestEachKindHasItsEnds(t *testing.T) {
	t.Parallel()
	const person, organisation = customer.Person, customer.Organisation
	cases := []struct {
		kind     relationship.Kind
		from, to customer.Kind
		code     string // empty: accepted
	}{
		{relationship.Household, person, person, ""},
		{relationship.Household, person, organisation, "relationship_kind"},
		{relationship.Household, organisation, person, "relationship_kind"},
		{relationship.ParentOrganisation, organisation, organisation, ""},
		{relationship.ParentOrganisation, person, organisation, "relationship_kind"},
		{relationship.ParentOrganisation, organisation, person, "relationship_kind"},
		{relationship.ContactOf, person, organisation, ""},
		{relationship.ContactOf, person, person, "relationship_kind"},
		{relationship.ContactOf, organisation, organisation, "relationship_kind"},
		{relationship.ReportsTo, person, person, ""},
		{relationship.ReportsTo, person, organisation, "relationship_kind"},
		{relationship.ReportsTo, organisation, person, "relationship_kind"},
		{"friend_of", person, person, "kind_unknown"},
	}
	for _, c := range cases {
		from := relationship.Party{Ref: customer.Ref{ID: id(1), Root: id(1)}, Kind: c.from}
		to := relationship.Party{Ref: customer.Ref{ID: id(2), Root: id(2)}, Kind: c.to}
		_, err := relationship.Relate(id(9), c.kind, from, to, noon)
		if got := fieldCode(err); got != c.code {
			t.Errorf("%s from %s to %s: got %q, want %q", c.kind, c.from, c.to, got, c.code)
		}
	}
	// Two ids of one customer are not two customers.
	alias := relationship.Party{Ref: customer.Ref{ID: id(2), Root: id(1)}, Kind: person}
	if _, err := relationship.Relate(id(9), relationship.ReportsTo, relationship.Party{Ref: customer.Ref{ID: id(1), Root: id(1)}, Kind: person}, alias, noon); fieldCode(err) != "relationship_self" {
		t.Errorf("to an alias of itself: %v", err)
	}
}

func fieldCode(err error) string {
	var p *problem.Error
	if errors.As(err, &p) && len(p.Fields) > 0 {
		return p.Fields[0].Code
	}
	return ""
}

func TestPathIsTheShortestWayAndEndsInCircles(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name     string
		edges    []relationship.Edge
		from, to byte
		want     []uuid.UUID
	}{
		{"no edge", nil, 1, 2, nil},
		{"one", edges([2]byte{1, 2}), 1, 2, ids(1, 2)},
		{"not against the edges", edges([2]byte{2, 1}), 1, 2, nil},
		{"the shorter of two", edges([2]byte{1, 3}, [2]byte{3, 4}, [2]byte{4, 2}, [2]byte{1, 5}, [2]byte{5, 2}), 1, 2, ids(1, 5, 2)},
		{"a customer is not by itself in a circle", edges([2]byte{1, 2}), 1, 1, nil},
		{"a circle of one", edges([2]byte{1, 1}), 1, 1, ids(1, 1)},
		{"a circle of three", edges([2]byte{1, 2}, [2]byte{2, 3}, [2]byte{3, 1}), 1, 1, ids(1, 2, 3, 1)},
		{"past a circle that leads nowhere", edges([2]byte{1, 2}, [2]byte{2, 3}, [2]byte{3, 2}), 1, 4, nil},
	}
	for _, c := range cases {
		if got := relationship.Path(c.edges, id(c.from), id(c.to)); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestWalkEndsWhateverTheRelationsAre(t *testing.T) {
	t.Parallel()
	graph := edges([2]byte{1, 2}, [2]byte{1, 3}, [2]byte{2, 4}, [2]byte{3, 4}, [2]byte{4, 1}, [2]byte{4, 5}, [2]byte{5, 6})
	beyond := func(from []uuid.UUID, limit int) (steps []relationship.Step, _ error) {
		for _, e := range graph {
			if slices.Contains(from, e.From) && len(steps) < limit {
				steps = append(steps, relationship.Step{Edge: e})
			}
		}
		return steps, nil
	}
	cases := []struct {
		name        string
		depth, most int
		want        []uuid.UUID
		truncated   bool
	}{
		{"each once, though there is a circle and a diamond", 20, 100, ids(2, 3, 4, 5, 6), false},
		{"as deep as asked", 2, 100, ids(2, 3, 4), false},
		{"one step", 1, 100, ids(2, 3), false},
		{"as many as asked", 20, 3, ids(2, 3, 4), true},
		{"exactly as many as there are", 20, 5, ids(2, 3, 4, 5, 6), false},
		{"one", 20, 1, ids(2), true},
	}
	for _, c := range cases {
		nodes, truncated, err := relationship.Walk(id(1), c.depth, c.most, beyond)
		var got []uuid.UUID
		for _, n := range nodes {
			got = append(got, n.Customer)
		}
		if err != nil || !slices.Equal(got, c.want) || truncated != c.truncated {
			t.Errorf("%s: got %v, truncated %t, %v; want %v, %t", c.name, got, truncated, err, c.want, c.truncated)
		}
	}
	nodes, _, _ := relationship.Walk(id(1), 20, 100, beyond)
	if last := nodes[len(nodes)-1]; last.Depth != 4 || last.Via != id(5) {
		t.Errorf("the last one is %+v", last)
	}
}
