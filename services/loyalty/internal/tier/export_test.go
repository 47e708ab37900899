package tier

import (
	"context"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/activity"

	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// Small has the reviewer work in small pages, so that there are many places to stop at.
func (r *Reviewer) Small() *Reviewer {
	r.size = 7
	return r
}

// Case is a member who is judged without a database.
type Case struct{ *file }

// NewCase is a member who was enrolled at a time.
func NewCase(p programme.Programme, enrolled time.Time) *Case {
	c := &Case{&file{member: uuid.Max, programme: p.Code, zone: p.Zone, enrolled: dayOf(enrolled, p.Zone), by: "test"}}
	c.Under(p)
	return c
}

// Copy is another member who stands there.
func (c *Case) Copy() *Case {
	other := *c.file
	other.days, other.decided, other.warning = append([]sum(nil), c.days...), nil, nil
	return &Case{&other}
}

func (c *Case) Under(p programme.Programme) { c.version, c.terms = p.Version, p.Tiers }

// Look judges the member at a time; taken back are the points below zero.
func (c *Case) Look(now time.Time, points int64, at time.Time) (decided []Decision, warned bool) {
	c.now, c.decided, c.warning = now, nil, nil
	var taken []sum
	if points != 0 {
		c.days = append(c.days, sum{dayOf(at, c.zone), points})
	}
	if points < 0 {
		taken = append(taken, sum{dayOf(at, c.zone), points})
	}
	c.look(taken...)
	return c.decided, c.warning != nil
}

func (c *Case) SetScore(score int) { c.Score = score }

func (c *Case) Set(now time.Time, level, reason string, until time.Time) {
	c.now, c.decided, c.warning = now, nil, nil
	if err := c.floor(level, reason, until); err != nil {
		panic(err)
	}
}

func (c *Case) Falls() (Fall, bool)   { return c.fall() }
func (c *Case) Upward() (Next, bool)  { return c.next() }
func (c *Case) Rank() int             { return c.rank() }
func (c *Case) ValidUntil() time.Time { return c.validUntil() }
func (c *Case) Words() TierWords      { return c.words() }

func (c *Case) ByGrowth() bool { return c.terms.ByGrowth() }

// Show gives what the API shows.
func Show(s Seen) any { return show(s) }

// RegisterRound puts something in the place of the activity.
func RegisterRound(r interface {
	RegisterActivityWithOptions(any, activity.RegisterOptions)
}, do func(Sweep) (Sweep, error)) {
	r.RegisterActivityWithOptions(do, activity.RegisterOptions{Name: roundActivity})
}

// Round is the activity.
func Round(r *Reviewer) func(context.Context, Sweep) (Sweep, error) { return r.round }
