package matching

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/search"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/tenant"
)

// Matches is what can be done about customers who may be one.
type Matches struct {
	db    *pg.DB
	clock func() time.Time
}

// New makes the capability.
func New(db *pg.DB, clock func() time.Time) *Matches { return &Matches{db: db, clock: clock} }

func (m *Matches) now() time.Time { return m.clock().UTC().Truncate(time.Microsecond) }

// SetRules sets the tenant's rules, if they still are as the caller saw them: fresh is asked with the version. They hold
// for what is registered and changed from now on; see Scan.
func (m *Matches) SetRules(ctx context.Context, rules []Rule, fresh func(version int64) error) (Rules, error) {
	var now Rules
	result, err := m.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('matching_rules/' || $1, 0))`, tx.Tenant())
		was := queueRules(tx)
		if _, err := tenant.ForWrite(ctx, tx); err != nil {
			return pg.Result{}, err
		}
		if err := fresh(was.Version); err != nil {
			return pg.Result{}, err
		}
		fits, err := searchable(ctx, tx)
		if err != nil {
			return pg.Result{}, err
		}
		if faults := Check(rules, fits); len(faults) > 0 {
			return pg.Result{}, problem.InvalidBody("matching_rules_invalid", "The rules were not accepted: mend the fields named here.", faults)
		}
		who, _ := auth.From(ctx)
		now = Rules{Rules: rules, Version: was.Version + 1, ChangedBy: who.Subject, ChangedAt: m.now()}
		return pg.Result{Status: http.StatusOK}, saveRules(tx, now)
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return m.Rules(ctx)
	}
	return now, err
}

// Scan has all customers of the tenant compared anew, soon, and gives their number.
func (m *Matches) Scan(ctx context.Context) (customers int64, err error) {
	result, err := m.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		if _, err := tenant.ForWrite(ctx, tx); err != nil {
			return pg.Result{}, err
		}
		customers, err = markAll(ctx, tx)
		return pg.Result{Status: http.StatusAccepted}, err
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
	}
	return customers, err
}

// Dismiss takes note that the two are not one. The pair does not come back, nor does it when either is merged with others.
func (m *Matches) Dismiss(ctx context.Context, id uuid.UUID) (Pair, error) {
	var now Pair
	result, err := m.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		if _, err := tenant.ForWrite(ctx, tx); err != nil {
			return pg.Result{}, err
		}
		who, _ := auth.From(ctx)
		var err error
		now, err = decide(ctx, tx, id, Dismissed, who.Subject, m.now())
		return pg.Result{ID: id, Status: http.StatusOK}, err
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return m.Get(ctx, result.ID)
	}
	return now, err
}

// Accept takes note, in the transaction that merges them, that the two are one, and gives the pair. By is the subject who
// says so. A pair that is not there is NotFound, one that was decided the Conflict duplicate_decided.
func Accept(ctx context.Context, tx *pg.Tx, id uuid.UUID, by string, at time.Time) (Pair, error) {
	return decide(ctx, tx, id, Accepted, by, at)
}

func decide(ctx context.Context, tx *pg.Tx, id uuid.UUID, to State, by string, at time.Time) (Pair, error) {
	lock(tx, id)
	was, err := get(ctx, tx, id)
	if err != nil {
		return Pair{}, err
	}
	now, err := was.decide(to, by, at)
	if err != nil {
		return Pair{}, err
	}
	saveDecision(tx, now)
	return now, nil
}

// Follow keeps the queue of pairs as the customers are: it is what the index of the search tells of changes.
func (m *Matches) Follow(ctx context.Context, tx *pg.Tx, standing []search.Standing, gone []uuid.UUID) error {
	rules := queueRules(tx)
	touched := slices.Clone(gone)
	var subjects []subject
	for _, s := range standing {
		touched = append(touched, s.ID)
		if !s.Archived {
			subjects = append(subjects, subjectOf(s.ID, s.Record))
		}
	}
	matches, err := match(ctx, tx, rules, subjects)
	if err != nil {
		return err
	}
	seen := make(map[[2]uuid.UUID]bool)
	var pairs []found
	for n, of := range matches {
		for _, one := range of {
			low, high := subjects[n].id, one.CustomerID
			if slices.Compare(low[:], high[:]) > 0 {
				low, high = high, low
			}
			if !seen[[2]uuid.UUID{low, high}] {
				seen[[2]uuid.UUID{low, high}] = true
				pairs = append(pairs, found{low, high, one})
			}
		}
	}
	dropOpen(tx, touched, pairs)
	return insertPairs(tx, sorted(pairs), m.now())
}

// Guard keeps a customer from being registered who matches others: the Conflict duplicate_suspected, which names them. An
// exclusive identity that somebody else has is left to the database, which knows better.
func (m *Matches) Guard(ctx context.Context, tx *pg.Tx, c customer.Customer) error {
	matches, err := Candidates(ctx, tx, []customer.Customer{withoutExclusive(c)})
	if err != nil || len(matches[0]) == 0 {
		return err
	}
	p := problem.New(problem.Conflict, "duplicate_suspected",
		"The customer may be there already. Look at those named here; if it is another one, register it with allow_duplicate.")
	for _, one := range matches[0] {
		p = p.WithField("body", "duplicate_suspected", fmt.Sprintf("matches customer %s by the rule %s, score %d", one.CustomerID, one.Rule, one.Score))
	}
	return p
}

func withoutExclusive(c customer.Customer) customer.Customer {
	c.Identities = slices.DeleteFunc(slices.Clone(c.Identities), func(i customer.Identity) bool { return i.Type.Exclusive() })
	return c
}

// Candidates gives for each of the customers, who are about to be registered, who of those that are there may be the same,
// the surest first. They are compared by the tenant's rules with a handful of statements, however many they are; not with
// each other. Names, postal codes and custom fields are those of the index, which is moments behind.
func Candidates(ctx context.Context, tx *pg.Tx, drafts []customer.Customer) ([][]Match, error) {
	return match(ctx, tx, queueRules(tx), drafted(drafts))
}

// QueueRules queues the reading of the tenant's rules: they are there after the next round trip.
func QueueRules(tx *pg.Tx) *Rules { return queueRules(tx) }

// Automatic tells whether there is a rule that Certain asks.
func (r *Rules) Automatic() bool { return slices.ContainsFunc(r.Rules, Rule.certain) }

// certain tells whether the rule says for sure that two are the same, by more than who holds an identity.
func (r Rule) certain() bool { return r.Result == Automatic && !r.asksForExclusive() }

// Certain gives for each of the customers, who are about to come in with a file, who of those that are there an automatic
// rule says to be the same, in the order of their ids. Rules that ask for an identity that is one customer's only are left
// to whoever brings them in: that one's holder is looked up by it. Nothing is read where no rule is left.
func (r *Rules) Certain(ctx context.Context, tx *pg.Tx, drafts []customer.Customer) ([][]uuid.UUID, error) {
	out := make([][]uuid.UUID, len(drafts))
	if !r.Automatic() || len(drafts) == 0 {
		return out, nil
	}
	asked := &Rules{Rules: slices.DeleteFunc(slices.Clone(r.Rules), func(one Rule) bool { return !one.certain() })}
	matches, err := match(ctx, tx, asked, drafted(drafts))
	for n, of := range matches {
		for _, m := range of {
			if m.Result == Automatic {
				out[n] = append(out[n], m.CustomerID)
			}
		}
		slices.SortFunc(out[n], func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	}
	return out, err
}

// drafted gives customers who are not there yet as subjects.
func drafted(drafts []customer.Customer) []subject {
	subjects := make([]subject, len(drafts))
	for n, c := range drafts {
		r := search.Record{Display: c.Display, Names: []string{c.Display, c.Legal, c.Given + " " + c.Family}, Kind: string(c.Kind), Custom: make(map[string]any)}
		for field, value := range c.Custom {
			if !c.Classes[field].Sensitive() {
				r.Custom[field] = readBack(value)
			}
		}
		for _, i := range c.Identities {
			if r.Identities = append(r.Identities, i.Identity); !i.VerifiedAt.IsZero() {
				r.Verified = append(r.Verified, i.Identity)
			}
		}
		for _, a := range c.Addresses {
			r.Postal = append(r.Postal, search.PostalKey(a.Country, a.PostalCode))
		}
		subjects[n] = subjectOf(uuid.Nil, r)
	}
	return subjects
}

// readBack gives a custom field's value as it comes back from the database.
func readBack(value any) any {
	switch v := value.(type) {
	case int64:
		return float64(v)
	case []string:
		several := make([]any, len(v))
		for n, one := range v {
			several[n] = one
		}
		return several
	default:
		return value
	}
}

// match finds and compares.
func match(ctx context.Context, tx *pg.Tx, rules *Rules, subjects []subject) ([][]Match, error) {
	out := make([][]Match, len(subjects))
	ids, err := candidates(ctx, tx, rules, subjects)
	if err != nil {
		return nil, err
	}
	var all []uuid.UUID
	for _, of := range ids {
		all = append(all, of...)
	}
	slices.SortFunc(all, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	customers, err := loaded(ctx, tx, slices.Compact(all))
	if err != nil {
		return nil, err
	}
	for n, of := range ids {
		for _, id := range of {
			c, standing := customers[id]
			if !standing || c.archived {
				continue
			}
			if one, ok := apply(rules.Rules, subjects[n], c); ok {
				out[n] = append(out[n], one)
			}
		}
		slices.SortFunc(out[n], compare)
	}
	return out, nil
}

// Differing gives the types of exclusive identities of which the two customers were shown to have different values. Where
// there are any, the two are never merged without somebody's word.
func Differing(ctx context.Context, tx *pg.Tx, a, b uuid.UUID) ([]identity.Type, error) {
	ofA, ofB, err := verified(ctx, tx, a, b)
	if err != nil {
		return nil, err
	}
	var types []identity.Type
	for _, t := range differing(ofA, ofB) {
		types = append(types, identity.Type(t))
	}
	return types, nil
}
