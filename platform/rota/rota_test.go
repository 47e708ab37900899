package rota_test

import (
	"fmt"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/rota"
)

// take has n pieces taken from a list in an order, and gives by whom.
func take(r *rota.Rota, list string, subjects []string, order func(a, b rota.Place) int, n int) (who string) {
	for range n {
		s, ok := r.First(list, subjects, order)
		if !ok {
			return who + "-"
		}
		r.Take(list, s)
		who += s
	}
	return who
}

func TestWhoseTurnItIs(t *testing.T) {
	t.Parallel()
	type one struct {
		subject        string
		load, capacity int
		turn           int64
	}
	for _, c := range []struct {
		name  string
		order func(a, b rota.Place) int
		who   []one
		want  string
	}{
		{"one after the other", rota.ByTurn, []one{{"a", 0, 9, 0}, {"b", 0, 9, 0}, {"c", 0, 9, 0}}, "abca"},
		{"going on where it was", rota.ByTurn, []one{{"a", 0, 9, 8}, {"b", 0, 9, 7}, {"c", 0, 9, 9}}, "bacb"},
		{"load is not asked for", rota.ByTurn, []one{{"a", 8, 20, 1}, {"b", 0, 20, 2}}, "abab"},
		{"who is full is passed over", rota.ByTurn, []one{{"a", 1, 2, 0}, {"b", 0, 9, 0}}, "abbb"},
		{"until nobody has room", rota.ByTurn, []one{{"a", 1, 2, 0}, {"b", 0, 1, 0}}, "ab-"},
		{"who can have nothing gets nothing", rota.ByLoad, []one{{"a", 0, 0, 0}}, "-"},
		{"to who has least", rota.ByLoad, []one{{"a", 3, 9, 0}, {"b", 1, 9, 0}}, "bbab"},
		{"to who has least of what they can have", rota.ByLoad, []one{{"a", 2, 10, 0}, {"b", 1, 2, 0}}, "aaab"},
		{"of those who have as much, to whose turn is longest ago", rota.ByLoad, []one{{"a", 0, 9, 4}, {"b", 0, 9, 3}}, "baba"},
	} {
		r := rota.New()
		var subjects []string
		for _, p := range c.who {
			r.Add(p.subject, p.load, p.capacity, map[string]int64{"list": p.turn})
			subjects = append(subjects, p.subject)
		}
		if got := take(r, "list", subjects, c.order, 4); got != c.want {
			t.Errorf("%s: %s instead of %s", c.name, got, c.want)
		}
	}
}

func TestTurnsCountInEachListAndLoadInAll(t *testing.T) {
	t.Parallel()
	r := rota.New()
	r.Add("a", 0, 2, map[string]int64{"north": 5})
	r.Add("b", 0, 2, map[string]int64{"south": 5})
	both := []string{"a", "b"}
	if got := take(r, "north", both, rota.ByTurn, 2) + take(r, "south", both, rota.ByTurn, 3); got != "baab-" {
		t.Errorf("%s", got)
	}
	if p := r.Place("north", "a"); p != (rota.Place{Subject: "a", Load: 2, Capacity: 2, Turn: 7}) {
		t.Errorf("%+v", p)
	}
	if p := r.Place("north", "nobody"); p.Room() {
		t.Errorf("%+v", p)
	}
}

// Whoever takes has room and the least share of all who have room; nobody ever has more than they can have; whoever has room
// is given nothing only when nothing is left.
func TestTheLeastLoadedTakes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := rota.New()
		var subjects []string
		for i := range rapid.IntRange(1, 6).Draw(t, "people") {
			s := fmt.Sprint(i)
			r.Add(s, rapid.IntRange(0, 5).Draw(t, "load"), rapid.IntRange(0, 8).Draw(t, "capacity"), nil)
			subjects = append(subjects, s)
		}
		for range 30 {
			who, ok := r.First("list", subjects, rota.ByLoad)
			for _, s := range subjects {
				p := r.Place("list", s)
				if !p.Room() {
					continue
				}
				if !ok {
					t.Fatalf("%s has room", s)
				}
				best := r.Place("list", who)
				if big.NewRat(int64(p.Load), int64(p.Capacity)).Cmp(big.NewRat(int64(best.Load), int64(best.Capacity))) < 0 {
					t.Fatalf("%+v takes before %+v", best, p)
				}
			}
			if !ok {
				return
			}
			if r.Take("list", who); r.Place("list", who).Load > r.Place("list", who).Capacity {
				t.Fatalf("%s has too much", who)
			}
		}
	})
}
