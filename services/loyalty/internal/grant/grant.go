// Package grant gives points at the wish of other services' workflows, and takes them back. Both are asked for by the
// grant's key, which is kept for ever, so that they may be asked again after any failure, and in any order: a grant that
// was reversed before it came does not come any more.
package grant

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/problem"
	loyaltyactivitiesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/activities/v1"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
)

// reasonReversed is the reason of the entries that take grants back.
const reasonReversed = "grant_reversed"

var reasonType = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)

// grant is points that a workflow asked to give.
type grant struct {
	key      string
	customer uuid.UUID
	points   int64
	reason   ledger.Reason
}

// read takes a request apart and names every field that is not right.
func read(in *loyaltyactivitiesv1.GrantPoints) (grant, error) {
	g := grant{
		key: in.GetIdempotencyKey(), points: in.GetPoints(),
		reason: ledger.Reason{Type: in.GetReasonType(), ID: in.GetReasonId()},
	}
	var faults []problem.Field
	fault := func(location, message string) {
		faults = append(faults, problem.Field{Location: location, Code: location + "_invalid", Message: message})
	}
	if wrong, ok := flow.CheckKey(g.key); !ok {
		faults = append(faults, wrong)
	}
	var err error
	if g.customer, err = uuid.Parse(in.GetCustomerId()); err != nil || g.customer == uuid.Nil {
		fault("customer_id", "must be a customer's id, a UUID")
	}
	if g.points < 1 || g.points > ledger.MaxPoints {
		fault("points", fmt.Sprintf("must be 1 to %d", ledger.MaxPoints))
	}
	if !reasonType.MatchString(g.reason.Type) {
		fault("reason_type", "must be a code: a-z, 0-9 and _, at most 64")
	}
	if _, err := uuid.Parse(g.reason.ID); err != nil {
		fault("reason_id", "must be a UUID")
	}
	return g, invalid(faults)
}

// invalid is what was refused for good; nil where nothing is wrong.
func invalid(faults []problem.Field) error {
	if len(faults) == 0 {
		return nil
	}
	p := problem.New(problem.Unprocessable, "grant_invalid", "No points were given: what was asked for is not valid.")
	for _, f := range faults {
		p = p.WithField(f.Location, f.Code, f.Message)
	}
	return p
}

// hash tells grants of different content apart, today and after any change of the program.
func (g grant) hash() []byte {
	raw, err := json.Marshal([]any{1, g.customer, g.points, g.reason.Type, g.reason.ID})
	if err != nil {
		panic("grant: strings and numbers always have a JSON form: " + err.Error())
	}
	sum := sha256.Sum256(raw)
	return sum[:]
}

// The ledger's keys of a grant and of its reversal.
func grantKey(key string) string    { return "grant/" + key }
func reversalKey(key string) string { return "ungrant/" + key }
