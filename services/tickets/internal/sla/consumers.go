package sla

import (
	"context"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	analyticsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/analytics/events/v1"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
)

// tierProgramme is the programme of loyalty whose tiers count: the one that every tenant has, and every buyer is a member of.
const tierProgramme = "standard"

// Told is what other services tell of how a customer stands. What GradeAt or TierAt is zero of was not told.
type Told struct {
	Customer uuid.UUID
	Standing
	GradeAt, TierAt time.Time
}

// Standings are the consumers by which customers' tiers follow loyalty and their grades analytics. There are two, so that neither
// waits for the topic of the other. They need no order: the time that an event tells decides.
func Standings() []inbox.Consumer {
	return []inbox.Consumer{
		{Name: "standing_tiers", Topics: []string{bus.TopicFor("loyalty")}, Handles: []proto.Message{&loyaltyv1.TierChanged{}}, Apply: applyTold},
		{Name: "standing_grades", Topics: []string{bus.TopicFor("analytics")}, Handles: []proto.Message{&analyticsv1.GradeChanged{}}, Apply: applyTold},
	}
}

func applyTold(ctx context.Context, tx *pg.Tx, events []inbox.Event) error {
	latest, err := latestTold(events)
	if err != nil || len(latest) == 0 {
		return err
	}
	customers := make([]uuid.UUID, len(latest))
	for i, t := range latest {
		customers[i] = t.Customer
	}
	erased := erasure.Known(tx, customers)
	if err := tx.Flush(ctx); err != nil {
		return err
	}
	kept := latest[:0:0]
	for _, t := range latest {
		if !erased[t.Customer] {
			kept = append(kept, t)
		}
	}
	saveTold(tx, kept)
	return tx.Flush(ctx)
}

// latestTold gives of each customer what was told last, in the order of the first events.
func latestTold(events []inbox.Event) (latest []Told, err error) {
	place := make(map[uuid.UUID]int)
	for _, e := range events {
		next, counts, err := readTold(e)
		if err != nil {
			return nil, err
		}
		if !counts {
			continue
		}
		n, there := place[next.Customer]
		if !there {
			place[next.Customer] = len(latest)
			latest = append(latest, next)
			continue
		}
		if t := &latest[n]; !next.GradeAt.IsZero() && !next.GradeAt.Before(t.GradeAt) {
			t.Grade, t.GradeAt = next.Grade, next.GradeAt
		}
		if t := &latest[n]; !next.TierAt.IsZero() && !next.TierAt.Before(t.TierAt) {
			t.Tier, t.TierAt = next.Tier, next.TierAt
		}
	}
	return latest, nil
}

// readTold reads an event; counts is false for one of a programme whose tiers do not count. One that breaks its contract is a
// problem of the kind Unprocessable.
func readTold(e inbox.Event) (t Told, counts bool, err error) {
	broken := func(field, why string) error {
		return problem.New(problem.Unprocessable, "event_breaks_contract", "%s %s: %s %s.", e.Type, e.ID, field, why)
	}
	var (
		customer, field, code string
		at                    *timestamppb.Timestamp
	)
	switch m := e.Message.(type) {
	case *loyaltyv1.TierChanged:
		if m.GetProgramme() != tierProgramme {
			return Told{}, false, nil
		}
		customer, field, code, at = m.GetCustomerId(), "tier", m.GetTier(), m.GetChangedAt()
		t.Tier = code
	case *analyticsv1.GradeChanged:
		customer, field, code, at = m.GetCustomerId(), "grade", m.GetGrade(), m.GetAsOf()
		t.Grade = code
	default:
		return Told{}, false, nil
	}
	if t.Customer, err = uuid.Parse(customer); err != nil || t.Customer == uuid.Nil {
		return Told{}, false, broken("customer_id", "is not an id")
	}
	if code != "" && !standingCode(code) {
		return Told{}, false, broken(field, "is not a code")
	}
	if at == nil || at.CheckValid() != nil {
		return Told{}, false, broken("its time", "is not a time")
	}
	if when := at.AsTime().Truncate(time.Microsecond); field == "tier" {
		t.TierAt = when
	} else {
		t.GradeAt = when
	}
	return t, true, nil
}
