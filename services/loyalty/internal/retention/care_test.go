package retention_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/pg"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/retention"
)

// enrolled is a member of the tenant since a time.
func (s *shop) enrolled(customer uuid.UUID, at time.Time) uuid.UUID {
	s.t.Helper()
	m, err := member.Enrol(customer, "standard", "api", at)
	require.NoError(s.t, err)
	s.tx("pizza", func(tx *pg.Tx) {
		_, _, err := member.Ensure(s.t.Context(), tx, m)
		require.NoError(s.t, err)
	})
	return m.ID
}

func (s *shop) cares(t retention.CareTerms) {
	s.t.Helper()
	_, err := s.retentions.SetCare(s.as(wang), "standard", t, func(int64) error { return nil })
	require.NoError(s.t, err)
}

func (s *shop) scan() int64 {
	s.t.Helper()
	c, err := s.retentions.ScanTenant(s.as(wang))
	require.NoError(s.t, err)
	return c.Given
}

func TestMembersGetPointsOnAnniversariesOnceAYear(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.now = thursday.AddDate(0, 0, -1)
	lily, noah, leo, gone := someone(), someone(), someone(), someone()
	s.enrolled(lily, thursday.AddDate(-2, 0, 0))
	s.enrolled(noah, thursday.AddDate(-1, 0, 1))
	s.enrolled(leo, thursday.AddDate(-1, 0, 0))
	erased := someone()
	e := s.enrolled(erased, thursday.AddDate(-1, 0, 0))
	left := s.enrolled(gone, thursday.AddDate(-1, 0, 0))
	s.tx("pizza", func(tx *pg.Tx) {
		tx.Queue(`UPDATE member SET state = 'left', state_at = now() WHERE id = $1`, left)
		tx.Queue(`UPDATE member SET card_number = 'erased:' || id WHERE id = $1`, e)
	})
	s.cares(retention.CareTerms{AnniversaryPoints: 200})
	require.Zero(t, s.scan())
	// One customer with two members since a merge: the older one's anniversary counts.
	old, young := someone(), someone()
	s.enrolled(old, thursday.AddDate(-3, 0, 0))
	s.enrolled(young, thursday.AddDate(-1, 0, 0))
	s.merged(old, young)

	s.now = thursday
	require.EqualValues(t, 3, s.scan())
	require.Zero(t, s.scan(), "once")
	for who, want := range map[uuid.UUID]int64{lily: 200, noah: 0, leo: 200, gone: 0, erased: 0, old: 200, young: 0} {
		require.Equal(t, want, s.points(who))
	}
	s.now = thursday.AddDate(0, 0, 3)
	require.EqualValues(t, 1, s.scan(), "a day that nobody looked on is made up for")
	require.EqualValues(t, 200, s.points(noah))
	s.now = thursday.AddDate(1, 0, 0)
	require.EqualValues(t, 3, s.scan(), "and again a year later")
	require.EqualValues(t, 400, s.points(lily))
	all, err := s.retentions.GivenTo(s.as(wang), uuid.Nil, uuid.Nil, 10)
	require.NoError(t, err)
	require.Len(t, all, 7)
	none, err := s.retentions.GivenTo(s.as(eve), uuid.Nil, uuid.Nil, 10)
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestMembersGetPointsInTheMonthOfTheirBirthOnceAYear(t *testing.T) {
	t.Parallel()
	s := open(t)
	lily, noah, was := someone(), someone(), someone()
	for _, who := range []uuid.UUID{lily, noah, was} {
		s.enrolled(who, thursday)
	}
	s.merged(was, lily)
	s.tx("pizza", func(tx *pg.Tx) { // said of the id that was merged
		tx.Queue(`INSERT INTO birthday_month (tenant_id, customer_id, month, by_subject, at) VALUES ('pizza', $1, 12, 'lily', now())`, was)
	})
	s.cares(retention.CareTerms{BirthdayPoints: 50})
	require.Zero(t, s.scan())
	s.now = time.Date(2026, 12, 2, 0, 0, 0, 0, time.UTC)
	require.EqualValues(t, 1, s.scan(), "one customer, whose two members are one")
	require.Zero(t, s.scan())
	require.Equal(t, []int64{50, 0}, []int64{s.points(lily) + s.points(was), s.points(noah)})
	s.now = s.now.AddDate(1, 0, 0)
	require.EqualValues(t, 1, s.scan())
}

func TestOwnersGetPointsWhenMaintenanceIsDue(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.now = thursday.AddDate(0, 0, -30)
	s.cares(retention.CareTerms{MaintenancePoints: 100, MaintenanceMonths: 12})
	lily, noah, nobody := someone(), someone(), someone()
	s.enrolled(lily, s.now)
	s.enrolled(noah, s.now)
	at := timestamppb.New(thursday.AddDate(-1, 0, 0))
	has := func(asset, who uuid.UUID) *accountsv1.AssetRegistered {
		return &accountsv1.AssetRegistered{AssetId: asset.String(), CustomerId: who.String(), Product: "oven", RegisteredAt: at}
	}
	oven, second, third, scrapped := someone(), someone(), someone(), someone()
	s.told("pizza", s.retentions.Assets(), has(oven, lily), has(second, lily), has(third, lily), has(scrapped, lily), has(someone(), nobody))
	s.told("pizza", s.retentions.Assets(),
		&accountsv1.AssetSold{AssetId: third.String(), CustomerId: noah.String(), Product: "oven", SoldAt: timestamppb.New(thursday.AddDate(0, -1, 0))},
		&accountsv1.AssetGivenUp{AssetId: third.String(), CustomerId: lily.String(), Product: "oven", Reason: "sold", GivenUpAt: at}, // told after its sale
		&accountsv1.AssetGivenUp{AssetId: scrapped.String(), CustomerId: lily.String(), Product: "oven", Reason: "scrapped", GivenUpAt: at})
	require.Zero(t, s.scan())
	s.now = thursday
	require.EqualValues(t, 2, s.scan())
	require.Zero(t, s.scan())
	require.Equal(t, []int64{200, 0}, []int64{s.points(lily), s.points(noah)})
	s.now = thursday.AddDate(0, 11, 0)
	require.EqualValues(t, 1, s.scan(), "a year after it was bought")
	require.EqualValues(t, 100, s.points(noah))
}

func TestCarePlansThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	for location, c := range map[string]retention.CareTerms{
		"birthday_points": {BirthdayPoints: -1}, "anniversary_points": {AnniversaryPoints: 1_000_001}, "maintenance_points": {MaintenancePoints: -5},
		"maintenance_months": {MaintenancePoints: 5},
	} {
		require.Contains(t, locations(c.Faults()), location)
	}
	require.Empty(t, retention.CareTerms{}.Faults())
}
