package search

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/field"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/name"
)

// limits are how much is looked at for one page.
type limits struct {
	// few is how many customers are put in order after they were found, each on a page of the table of its own. Of more,
	// which a frequent family name has, a page is taken by going through the customers in order until it is full: that is
	// soon when one in some hundreds belongs to it.
	few int
	// peek is how many are gone through before the index is asked at all, look before it is asked for a single tier.
	peek, look int
	// scan is how many are gone through for one page: where those who are looked for stand together at the far end, a page
	// is short, or empty, and says where to go on.
	scan int
}

const (
	maxNear = 1000 // words that are compared with a misspelt one
	maxLike = 20   // words that one may be a misspelling of
)

// Searches finds customers.
type Searches struct {
	db     *pg.DB
	limits limits
}

// New makes the capability.
func New(db *pg.DB) *Searches {
	return &Searches{db, limits{few: 3000, peek: 500, look: 3000, scan: 10_000}}
}

// Find gives up to limit customers of the caller's tenant behind the place (nil: from the first), in the query's order.
func (s *Searches) Find(ctx context.Context, q Query, after *place, limit int) (Found, error) {
	var found Found
	err := s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if len(q.Field) > 0 {
			defined, err := field.Definitions(ctx, tx)
			if err != nil {
				return err
			}
			if q.Field, err = asIndexed(defined, q.Field); err != nil {
				return err
			}
		}
		var err error
		found, err = find(ctx, tx, s.limits, q, after, limit)
		return err
	})
	return found, err
}

// asIndexed gives the values of custom fields as the index has them. A field that is not there, or that may not be
// searched, is Unprocessable.
func asIndexed(defined field.Set, given map[string]string) (map[string]string, error) {
	values := make(map[string]string, len(given))
	for name, value := range given {
		d, known := defined[name]
		switch {
		case !known:
			return nil, refused("custom_field_unknown", "is no custom field")
		case d.Class.Sensitive():
			return nil, refused("custom_field_not_searchable", "is financial, of health or special: nobody is searched for by it")
		case d.Type == field.Integer || d.Type == field.Number:
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return nil, refused("custom_value_malformed", "must be a number, as the field is")
			}
			values[name] = number(n)
		default:
			values[name] = fieldText(value)
		}
	}
	return values, nil
}

func refused(code, message string) error {
	return problem.New(problem.Unprocessable, "search_invalid", "This cannot be searched for: mend the parameter named here.").
		WithField("query.custom", code, message)
}

func find(ctx context.Context, tx *pg.Tx, most limits, q Query, after *place, limit int) (Found, error) {
	var found Found
	queueAsOf(tx, &found.AsOf)
	known, err := wordsBegin(ctx, tx, q.beginnings())
	if err != nil {
		return Found{}, err
	}
	l := lookup{limits: most, tx: tx, plan: read(tx.Tenant(), q, known), q: q, left: limit}
	l.order()
	at := l.first
	if after != nil {
		at = *after
	}
	if err := l.run(ctx, at); err != nil {
		return Found{}, err
	}
	found.Hits, err = hits(ctx, tx, l.places)
	found.Next = l.next
	return found, err
}

// lookup is one search for one page.
type lookup struct {
	plan
	limits    limits
	tx        *pg.Tx
	q         Query
	low, high string // names of the first tier
	first     place
	left      int
	places    []place
	next      *place
}

// order says by which tiers the query's order comes about: by name, all are of the first tier; by registration, all are of
// the second.
func (l *lookup) order() {
	switch {
	case l.q.Sort == ByName:
		l.low, l.high, l.first = "", highest, place{tier: tierBegins}
	case l.q.Sort == Newest || l.begins == "":
		l.exact = l.all
		l.first = place{tier: tierExact, customer: uuid.Max}
	default:
		l.low, l.high, l.first = l.begins, l.begins+highest, place{tier: tierBegins, name: l.begins}
	}
}

// run fills the page from the place on.
func (l *lookup) run(ctx context.Context, at place) error {
	if at.tier < tierTypo {
		var err error
		if at, err = l.found(ctx, at); err != nil || l.full() {
			return err
		}
	}
	if len(l.words) == 0 || l.q.Sort != Relevance {
		return nil
	}
	return l.typos(ctx, at)
}

// found adds those who match as the query is written, and gives where it is gone on from when there are no more.
func (l *lookup) found(ctx context.Context, at place) (place, error) {
	end := place{tier: tierTypo, customer: uuid.Max}
	if l.all == none {
		return end, nil
	}
	if l.q.narrowed() {
		var err error
		if at, err = l.glance(ctx, at); err != nil || l.full() {
			return end, err
		}
		places, many, err := l.few(ctx, l.tx, l.all, l.exact, l.low, l.high, at, l.left+1, l.limits.few)
		if err != nil || !many {
			l.add(places)
			return end, err
		}
	}
	if l.all == "" {
		l.all = not(l.lex(termState, "none")) // everybody
		l.exact = l.all
	}
	for at.tier < tierTypo && !l.full() {
		if err := l.tier(ctx, at); err != nil {
			return at, err
		}
		if l.q.Sort == ByName { // there is one tier only
			break
		}
		at = place{tier: at.tier + 1, customer: uuid.Max}
	}
	return end, nil
}

// glance looks at the first customers in order: a page of a name that many have is full before the index has listed them
// all. It gives where it is gone on from: of names that begin so there may be no more.
func (l *lookup) glance(ctx context.Context, at place) (place, error) {
	for at.tier < tierPart {
		places, stopped, err := l.walk(ctx, l.tx, l.all, l.exact, l.low, l.high, at, l.left+1, l.limits.peek)
		if err != nil || stopped != nil {
			return at, err
		}
		if l.add(places); l.full() || l.q.Sort == ByName {
			return place{tier: tierTypo, customer: uuid.Max}, nil
		}
		at = place{tier: at.tier + 1, customer: uuid.Max}
	}
	return at, nil
}

// tier adds those of one tier of many.
func (l *lookup) tier(ctx context.Context, at place) error {
	if at.tier == tierBegins && l.low == l.high || at.tier == tierPart && l.exact == l.all {
		return nil
	}
	if at.tier == tierExact && l.exact != l.all { // few may match exactly, though many do in part
		places, stopped, err := l.walk(ctx, l.tx, l.all, l.exact, l.low, l.high, at, l.left+1, l.limits.look)
		if err != nil || stopped == nil {
			l.add(places)
			return err
		}
		places, many, err := l.few(ctx, l.tx, l.exact, l.exact, l.low, l.high, at, l.left+1, l.limits.few)
		if err != nil || !many {
			l.add(places)
			return err
		}
	}
	places, stopped, err := l.walk(ctx, l.tx, l.all, l.exact, l.low, l.high, at, l.left+1, l.limits.scan)
	l.add(places)
	if stopped != nil && !l.full() {
		l.next = stopped
	}
	return err
}

// typos adds those whose names have words that the query's may be misspellings of, the latest first.
func (l *lookup) typos(ctx context.Context, at place) error {
	like := make(map[string][]string)
	for _, w := range l.words {
		near, err := l.nearWords(ctx, l.tx, w)
		if err != nil {
			return err
		}
		like[w] = misspelt(w, near)
	}
	e := l.mistyped(l.q, like)
	// Whoever matches as the query is written was found before: they are told by their rows, for the index would go through
	// all that the query stands for once more.
	after := place{tier: tierPart, customer: at.customer}
	places, many, err := l.few(ctx, l.tx, e, l.all, "", "", after, l.left+1, l.limits.few)
	if many && l.all != none {
		places, many, err = l.few(ctx, l.tx, and(e, not(l.all)), none, "", "", after, l.left+1, l.limits.few)
	}
	if many {
		var stopped *place
		places, stopped, err = l.walk(ctx, l.tx, e, l.all, "", "", after, l.left+1, l.limits.scan)
		if stopped != nil {
			l.next = &place{tier: tierTypo, customer: stopped.customer}
		}
	}
	for i := range places {
		places[i].tier = tierTypo
	}
	l.add(places)
	return err
}

// add adds places to the page, of which one more than is left may have been asked for.
func (l *lookup) add(places []place) {
	if len(places) > l.left {
		places = places[:l.left]
		l.places = append(l.places, places...)
		l.left = 0
		last := l.places[len(l.places)-1]
		l.next = &last
		return
	}
	l.places = append(l.places, places...)
	l.left -= len(places)
}

// full tells that nothing more is looked for.
func (l *lookup) full() bool { return l.next != nil }

// misspelt gives the words that w may be a misspelling of, the likeliest first: one wrong letter before two, and of those
// that begin alike before others.
func misspelt(w string, near []string) []string {
	type candidate struct {
		word     string
		distance int
		begins   bool
	}
	var all []candidate
	for _, n := range near {
		if d := name.Distance(w, n); d > 0 && d <= min(name.Typos(w), name.Typos(n)) {
			all = append(all, candidate{n, d, []rune(n)[0] == []rune(w)[0]})
		}
	}
	slices.SortFunc(all, func(a, b candidate) int {
		if a.distance == b.distance && a.begins != b.begins {
			if a.begins {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.word, b.word))
	})
	out := make([]string, 0, maxLike)
	for _, c := range all[:min(len(all), maxLike)] {
		out = append(out, c.word)
	}
	return out
}
