package fact

import (
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
)

// Member is what a batch says of a member: what it does not say is empty.
type Member struct {
	ID         uuid.UUID `json:"id"`
	SeenAt     time.Time `json:"seen_at"` // the enrolment, unless that was missed
	CustomerID uuid.UUID `json:"customer_id"`
	Programme  string    `json:"programme"`
	Tier       string    `json:"tier"` // with it the rank holds
	TierRank   int32     `json:"tier_rank"`
	Here       bool      `json:"here"` // it came back or was enrolled: when it left does not hold
	LeftAt     time.Time `json:"left_at,omitzero"`
	Available  *int64    `json:"available,omitzero"`
}

// Membership is what a batch says of a paid membership.
type Membership struct {
	ID         uuid.UUID `json:"id"`
	SeenAt     time.Time `json:"seen_at"` // the start, unless that was missed
	CustomerID uuid.UUID `json:"customer_id"`
	Plan       string    `json:"plan"`
	Renewals   int32     `json:"renewals"` // up to now; 0: nothing was said
	EndsAt     time.Time `json:"ends_at,omitzero"`
	EndedAt    time.Time `json:"ended_at,omitzero"`
}

// Points is an entry in a member's ledger.
type Points struct {
	ID         uuid.UUID `json:"id"`
	MemberID   uuid.UUID `json:"member_id"`
	CustomerID uuid.UUID `json:"customer_id"`
	Kind       string    `json:"kind"`
	Points     int64     `json:"points"`
	ReasonType string    `json:"reason_type"`
	At         time.Time `json:"at"`
}

func (b *Batch) memberAt(r *reader, id, customer, programme string, when time.Time) *Member {
	memberID, customerID := r.ID("member_id", id), r.ID("customer_id", customer)
	m := b.Members.of(memberID, func() Member { return Member{ID: memberID, SeenAt: when} })
	m.CustomerID, m.Programme = customerID, said(programme, m.Programme)
	return m
}

// member reads an event of a member, of its tier and of its paid memberships; ok is false for one of another kind.
func (b *Batch) member(r *reader, e inbox.Event) (ok bool) {
	paid := func(id, customer, plan string, when time.Time) *Membership {
		membershipID, customerID := r.ID("membership_id", id), r.ID("customer_id", customer)
		m := b.Memberships.of(membershipID, func() Membership { return Membership{ID: membershipID, SeenAt: when} })
		m.CustomerID, m.Plan = customerID, said(plan, m.Plan)
		return m
	}
	switch m := e.Message.(type) {
	case *loyaltyv1.MemberEnrolled:
		b.memberAt(r, m.GetMemberId(), m.GetCustomerId(), m.GetProgramme(), r.Time("enrolled_at", m.GetEnrolledAt()))
	case *loyaltyv1.MemberReinstated:
		at := b.memberAt(r, m.GetMemberId(), m.GetCustomerId(), m.GetProgramme(), r.Time("reinstated_at", m.GetReinstatedAt()))
		at.Here, at.LeftAt = true, time.Time{}
	case *loyaltyv1.MemberLeft:
		when := r.Time("left_at", m.GetLeftAt())
		b.memberAt(r, m.GetMemberId(), m.GetCustomerId(), m.GetProgramme(), when).LeftAt = when
	case *loyaltyv1.TierChanged:
		at := b.memberAt(r, m.GetMemberId(), m.GetCustomerId(), m.GetProgramme(), r.Time("changed_at", m.GetChangedAt()))
		at.Tier, at.TierRank = m.GetTier(), m.GetRank()
	case *loyaltyv1.MembershipStarted:
		at := paid(m.GetMembershipId(), m.GetCustomerId(), m.GetPlan(), r.Time("starts_at", m.GetStartsAt()))
		at.EndsAt = r.Time("ends_at", m.GetEndsAt())
	case *loyaltyv1.MembershipRenewed:
		at := paid(m.GetMembershipId(), m.GetCustomerId(), m.GetPlan(), r.Time("renewed_at", m.GetRenewedAt()))
		at.Renewals, at.EndsAt = m.GetTerm()-1, r.Time("ends_at", m.GetEndsAt())
	case *loyaltyv1.MembershipEnded:
		when := r.Time("ended_at", m.GetEndedAt())
		paid(m.GetMembershipId(), m.GetCustomerId(), m.GetPlan(), when).EndedAt = when
	case *loyaltyv1.RetentionContactDue:
		b.Touches = append(b.Touches, Touch{
			ID: e.ID, CustomerID: pg.OrNull(r.MaybeID("customer_id", m.GetCustomerId())), Campaign: "retention", Touch: m.GetStep(),
			Channel: m.GetChannel(), Origin: "retention", At: r.Time("due_at", m.GetDueAt()),
		})
	default:
		return false
	}
	return true
}

// entry is what all events of a ledger's entries say.
type entry interface {
	GetEntryId() string
	GetMemberId() string
	GetCustomerId() string
	GetPoints() int64
	GetAvailable() int64
}

// points reads an event of a member's ledger.
func (b *Batch) points(r *reader, e inbox.Event) (ok bool) {
	var kind, reason string
	var at time.Time
	switch m := e.Message.(type) {
	case *loyaltyv1.PointsEarned:
		kind, reason, at = "earned", m.GetReasonType(), r.Time("earned_at", m.GetEarnedAt())
	case *loyaltyv1.PointsReleased:
		kind, at = "released", r.Time("released_at", m.GetReleasedAt())
	case *loyaltyv1.PointsSpent:
		kind, reason, at = "spent", m.GetReasonType(), r.Time("spent_at", m.GetSpentAt())
	case *loyaltyv1.PointsReversed:
		kind, reason, at = "reversed", m.GetReasonType(), r.Time("reversed_at", m.GetReversedAt())
	case *loyaltyv1.PointsRestored:
		kind, reason, at = "restored", m.GetReasonType(), r.Time("restored_at", m.GetRestoredAt())
	case *loyaltyv1.PointsExpired:
		kind, at = "expired", r.Time("expired_at", m.GetExpiredAt())
	case *loyaltyv1.PointsAdjusted:
		kind, reason, at = "adjusted", m.GetReasonType(), r.Time("adjusted_at", m.GetAdjustedAt())
	default:
		return false
	}
	m, ok := e.Message.(entry)
	if !ok {
		return false
	}
	available := m.GetAvailable()
	member := b.memberAt(r, m.GetMemberId(), m.GetCustomerId(), "", at)
	member.Available = &available
	b.Points = append(b.Points, Points{
		ID: r.ID("entry_id", m.GetEntryId()), MemberID: member.ID, CustomerID: member.CustomerID, Kind: kind, Points: m.GetPoints(), ReasonType: reason, At: at,
	})
	return true
}
