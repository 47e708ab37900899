package membership

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/proportion"
)

// Get gives a membership of the caller's tenant.
func (m *Memberships) Get(ctx context.Context, id uuid.UUID) (Membership, error) {
	var found Membership
	err := m.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = find(ctx, tx, id)
		return err
	})
	return found, err
}

// Filter says which memberships are meant; the zero Filter means all.
type Filter struct {
	CustomerID uuid.UUID // of all members who are whoever this id means since merges
	MemberID   uuid.UUID
	State      State     // Active, those in their grace time included, or Ended
	After      uuid.UUID // only those bought after this one
}

// List gives up to limit memberships, in the order in which they were bought.
func (m *Memberships) List(ctx context.Context, f Filter, limit int) ([]Membership, error) {
	var page []Membership
	err := m.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		page, err = list(ctx, tx, f, limit)
		return err
	})
	return page, err
}

// ReportQuery says of which terms a report is: of those whose last day falls in a month from From to To, first days of months,
// midnight UTC. Empty codes mean all.
type ReportQuery struct {
	From, To        time.Time
	Programme, Plan string
}

// Rate is how many terms of a month and a plan were renewed. A term that was cut short is not among them, nor one of a plan that
// is never renewed.
type Rate struct {
	Month           string // 2026-11: in which the last day falls
	Programme, Plan string
	Due             int // ended, and can be renewed no more or were
	Renewed         int // of those due
	Open            int // can still be renewed, or were before their time: they count once their grace time is over
}

// Interval gives the share that was renewed, with Wilson's 95 % interval; nil where nothing was due.
func (r Rate) Interval() *proportion.Interval {
	if r.Due == 0 {
		return nil
	}
	i := proportion.Wilson(r.Renewed, r.Due)
	return &i
}

// Report gives the rates of renewal of the caller's tenant, by month, programme and plan.
func (m *Memberships) Report(ctx context.Context, in ReportQuery) (asOf time.Time, all []Rate, err error) {
	asOf = m.now()
	err = m.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		all, err = rates(ctx, tx, in, asOf)
		return err
	})
	return asOf, all, err
}
