package matching

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Waiting is a pair that an automatic rule says to be one, and that nobody looked at yet.
type Waiting struct {
	Tenant string
	ID     uuid.UUID
}

// WaitingPairs gives up to limit pairs that wait to be merged behind the given one (nil UUID: from the first), of all tenants
// that may write, in the order of their ids.
func WaitingPairs(ctx context.Context, db *pg.DB, after uuid.UUID, limit int) (all []Waiting, err error) {
	err = db.System(ctx, func(tx *pg.Tx) (err error) {
		all, err = waiting(ctx, tx, after, limit)
		return err
	})
	return all, err
}

// Claim gives such a pair and keeps it until the transaction ends; ok is false where it waits no longer, or another process
// has claimed it. Whoever claims it accepts it, or leaves it to people.
func Claim(ctx context.Context, tx *pg.Tx, id uuid.UUID) (p Pair, ok bool, err error) {
	return claim(ctx, tx, id)
}

// Leave queues that a pair waits for people, and why, a code. It is looked at again once it is found again: when either
// customer has changed, or with a scan.
func Leave(tx *pg.Tx, id uuid.UUID, why string) {
	tx.Queue(`UPDATE duplicate_pair SET left_because = $3 WHERE tenant_id = $1 AND id = $2 AND state = 'open'`, tx.Tenant(), id, why)
}

// Sure compares a pair's customers, who are locked and stand for themselves, as they and the rules are at this moment. It
// names the rule by which each of the two is automatically the other and nobody else; or says why they are not to be merged
// without somebody's word, a code.
func Sure(ctx context.Context, tx *pg.Tx, p Pair) (rule, left string, err error) {
	rules := queueRules(tx)
	two, err := loaded(ctx, tx, []uuid.UUID{p.Low, p.High})
	if err != nil {
		return "", "", err
	}
	low, standing := two[p.Low]
	high, too := two[p.High]
	if !standing || !too {
		return "", NoLonger, nil
	}
	matches, err := match(ctx, tx, rules, []subject{low, high})
	if err != nil {
		return "", "", err
	}
	pairs := [][2]uuid.UUID{{p.Low, p.High}}
	for n, id := range []uuid.UUID{p.Low, p.High} {
		for _, m := range matches[n] {
			switch {
			case m.Result != Automatic:
			case m.CustomerID == p.Low || m.CustomerID == p.High:
				rule = m.Rule
			default:
				pairs = append(pairs, [2]uuid.UUID{id, m.CustomerID})
			}
		}
	}
	if rule == "" {
		return "", NoLonger, nil
	}
	differ, err := dismissed(ctx, tx, pairs)
	switch {
	case err != nil:
		return "", "", err
	case differ[pairs[0]]:
		return "", WasDismissed, nil
	case len(differ) < len(pairs)-1:
		return "", SeveralMatch, nil
	}
	return rule, "", nil
}

// TakenApart queues that two who had been accepted as one are not: their merge was undone. The pair does not come back.
func TakenApart(tx *pg.Tx, a, b uuid.UUID, by string, at time.Time) {
	tx.Queue(`UPDATE duplicate_pair SET state = 'dismissed', decided_by = $4, decided_at = $5
		WHERE tenant_id = $1 AND low = least($2::uuid, $3) AND high = greatest($2::uuid, $3) AND state = 'accepted'`, tx.Tenant(), a, b, by, at)
}
