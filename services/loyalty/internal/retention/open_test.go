package retention_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	analyticsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/analytics/events/v1"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/retention"
)

func risk(customer uuid.UUID, permille int32) *analyticsv1.ChurnRiskRaised {
	return &analyticsv1.ChurnRiskRaised{CustomerId: customer.String(), RiskPermille: permille, ModelVersion: "7", AsOf: timestamppb.New(thursday)}
}

func falling(customer uuid.UUID, programme string) *loyaltyv1.TierWillFall {
	return &loyaltyv1.TierWillFall{MemberId: someone().String(), CustomerId: customer.String(), Programme: programme, Tier: "gold", ToTier: "silver", Missing: 5,
		FallsAt: timestamppb.New(thursday.AddDate(0, 1, 0)), ToldAt: timestamppb.New(thursday)}
}

// care is a plan for those who are about to go.
func (s *shop) care(code string, change func(*retention.Terms)) retention.Plan {
	return s.plan(code, func(t *retention.Terms) {
		t.Kind, t.Triggers = retention.Care, retention.CaseTriggers{ChurnRiskPermille: 600, TierFalling: true}
		if change != nil {
			change(t)
		}
	})
}

func TestARiseInRiskAndATierAboutToFallOpenACase(t *testing.T) {
	t.Parallel()
	s := open(t)
	lily, noah, leo := s.worth(250_000), s.worth(60_000), s.worth(100)
	s.told("pizza", s.retentions.Triggers(), risk(lily, 700)) // nobody has a plan yet
	s.care("care", nil)
	s.told("pizza", s.retentions.Triggers(), risk(lily, 600), risk(noah, 599), falling(leo, "gold-card"), risk(lily, 900))
	require.Len(t, s.cases(uuid.Nil), 1)
	got := s.cases(lily)[0]
	require.Equal(t, []any{retention.Care, retention.ChurnRisk, retention.High, retention.Treated, retention.Unknown, int64(250_000), retention.Open},
		[]any{got.Kind, got.Trigger, got.Band, got.Arm, got.Reason, got.ValueMinor, got.Stage})
	s.told("pizza", s.retentions.Triggers(), falling(noah, "standard"), falling(leo, "standard"))
	require.Equal(t, []any{retention.TierFalling, retention.Medium}, []any{s.cases(noah)[0].Trigger, s.cases(noah)[0].Band})
	require.Equal(t, retention.Low, s.cases(leo)[0].Band)
	require.EqualValues(t, 3, s.events("RetentionCaseOpened"))

	s.told("music", s.retentions.Triggers(), risk(lily, 900))
	require.EqualValues(t, 3, s.number(`SELECT count(*) FROM retention_case`), "another tenant has no plan")
	_, err := s.retentions.Get(s.as(eve), got.ID)
	require.Equal(t, "retention_case_not_found", code(err))
}

func TestEventsThatBreakTheirContractAreRefused(t *testing.T) {
	t.Parallel()
	s := open(t)
	for name, err := range map[string]error{
		"a risk of more than one":   s.apply("pizza", s.retentions.Triggers(), risk(someone(), 1001)),
		"of nobody":                 s.apply("pizza", s.retentions.Triggers(), &analyticsv1.ChurnRiskRaised{RiskPermille: 5}),
		"a tier of nobody":          s.apply("pizza", s.retentions.Triggers(), &loyaltyv1.TierWillFall{CustomerId: "x"}),
		"an order without a time":   s.apply("pizza", s.retentions.Orders(), &salesv1.OrderPlaced{OrderId: someone().String(), Currency: "CNY"}),
		"an order for less":         s.apply("pizza", s.retentions.Orders(), placed(someone(), someone(), thursday, "CNY", -1)),
		"an order for no money":     s.apply("pizza", s.retentions.Orders(), placed(someone(), someone(), thursday, "XXX", 1)),
		"a return of less":          s.apply("pizza", s.retentions.Orders(), back(someone(), -1)),
		"a case that is none":       s.apply("pizza", s.retentions.Processes(), &loyaltyv1.RetentionCaseOpened{CaseId: "17"}),
		"an asset without an owner": s.apply("pizza", s.retentions.Assets(), &accountsv1.AssetRegistered{AssetId: someone().String()}),
	} {
		require.Equal(t, "event_breaks_contract", code(err), name)
	}
}

func TestSilenceOpensCasesPageByPageAndOnce(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.plan("silence", func(t *retention.Terms) {
		t.Triggers = retention.CaseTriggers{SilenceDays: 90, SilencePercent: 300, SilenceAtMostDays: 400}
	})
	ago := func(days int) time.Time { return thursday.Add(-time.Duration(days) * day) }
	silent, recent, gone, regular := someone(), someone(), someone(), someone()
	s.sold(silent, ago(95), 1_000)
	s.sold(recent, ago(300), 1_000)
	s.sold(recent, ago(10), 1_000)
	s.sold(gone, ago(401), 1_000)
	for _, days := range []int{70, 60, 50, 40} { // every ten days, and then not for 40
		s.sold(regular, ago(days), 500)
	}
	// Two ids of one customer: silent apart, not together.
	was, is := someone(), someone()
	s.sold(was, ago(120), 1_000)
	s.sold(is, ago(20), 1_000)
	s.merged(was, is)
	for range 1_200 { // more than two pages
		s.tx("pizza", func(tx *pg.Tx) {
			tx.Queue(`INSERT INTO retention_customer VALUES ('pizza', gen_random_uuid(), 1, $1, $1)`, ago(5))
		})
	}
	got, err := s.retentions.ScanTenant(s.as(wang))
	require.NoError(t, err)
	require.EqualValues(t, []int64{2, 1_206}, []int64{got.Opened, got.Looked})
	require.Equal(t, retention.Silence, s.cases(silent)[0].Trigger)
	require.Len(t, s.cases(regular), 1)
	require.EqualValues(t, 2_000, s.cases(regular)[0].ValueMinor)
	for _, who := range []uuid.UUID{recent, gone, was} {
		require.Empty(t, s.cases(who))
	}
	again, err := s.retentions.ScanTenant(s.as(wang))
	require.NoError(t, err)
	require.Zero(t, again.Opened)
	other, err := s.retentions.ScanTenant(s.as(eve))
	require.NoError(t, err)
	require.Zero(t, other.Looked)
}

func TestACustomerHasOneCaseAtATimeAndNoneForSomeTimeAfterIt(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.plan("winback", nil)
	s.plan("other", func(t *retention.Terms) { t.CoolDownDays = 10 })
	lily, alias := s.worth(100_000), someone()
	first := s.byHand(lily, "winback")
	s.merged(alias, lily)
	again := func(who uuid.UUID, plan string) error {
		_, err := s.retentions.OpenByHand(s.as(wang), retention.Draft{CustomerID: who, Plan: plan}, "")
		return err
	}
	require.Equal(t, "retention_case_exists", code(again(lily, "other")))
	require.Equal(t, "retention_case_exists", code(again(alias, "winback")), "whoever the customer's ids mean")
	s.now = s.now.Add(5 * day)
	_, err := s.retentions.Exclude(s.as(wang), retention.Exclusion{CustomerID: alias, LossKind: retention.LetGo})
	require.NoError(t, err)
	require.Equal(t, []any{retention.Cancelled, "let_go"}, []any{s.cases(lily)[0].Stage, s.cases(lily)[0].Code})
	require.Equal(t, "customer_excluded", code(again(lily, "winback")))
	require.NoError(t, s.retentions.Readmit(s.as(wang), lily))
	require.Equal(t, "retention_exclusion_not_found", code(s.retentions.Readmit(s.as(wang), lily)))

	require.Equal(t, "retention_cool_down", code(again(lily, "winback")))
	s.now = thursday.Add(59 * day)
	require.Equal(t, "retention_cool_down", code(again(lily, "other")), "whatever is bought is measured of the case before until its time is over")
	s.now = thursday.Add(60 * day)
	require.Equal(t, "retention_cool_down", code(again(lily, "winback")))
	require.NoError(t, again(lily, "other"))
	require.NotEqual(t, first.ID, s.cases(alias)[0].ID)
}

func TestOfManyWhoOpenACaseForTheIdsOfOneCustomerOneDoes(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.plan("winback", nil)
	ids := []uuid.UUID{someone(), someone(), someone(), someone()}
	for _, id := range ids[1:] {
		s.merged(id, ids[0])
	}
	var opened, refused atomic.Int64
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Go(func() {
			_, err := s.retentions.OpenByHand(s.as(wang), retention.Draft{CustomerID: ids[i%len(ids)], Plan: "winback"}, "")
			switch {
			case err == nil:
				opened.Add(1)
			case code(err) == "retention_case_exists":
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wait.Wait()
	require.Equal(t, []int64{1, 19}, []int64{opened.Load(), refused.Load()})
	require.Equal(t, ids[0], s.cases(ids[3])[0].CustomerID)
}

func TestTheArmOutlivesEverythingButIsDecidedByWhomTheIdsMean(t *testing.T) {
	t.Parallel()
	s := open(t)
	p := s.plan("winback", func(t *retention.Terms) { t.HoldOutPermille = 500 })
	arm := func(who uuid.UUID) retention.Arm {
		if retention.Bucket("pizza", "winback", p.Salt, who) < 500 {
			return retention.HeldOut
		}
		return retention.Treated
	}
	treated, held := someone(), someone()
	for arm(treated) != retention.Treated {
		treated = someone()
	}
	for arm(held) != retention.HeldOut {
		held = someone()
	}
	s.merged(treated, held)
	require.Equal(t, []any{retention.HeldOut, held}, []any{s.byHand(treated, "winback").Arm, s.cases(treated)[0].CustomerID})
	for range 20 {
		who := someone()
		require.Equal(t, arm(who), s.byHand(who, "winback").Arm)
	}
	changed := terms(func(t *retention.Terms) { t.HoldOutPermille = 0 })
	_, err := s.retentions.ChangePlan(s.as(wang), "winback", changed, func(int64) error { return nil })
	require.NoError(t, err)
	require.Equal(t, retention.HeldOut, s.cases(held)[0].Arm, "a case keeps its arm")
}

func TestWhatErasedCustomersWereWrittenAboutIsEmptied(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.plan("winback", nil)
	lily, noah := someone(), someone()
	for _, who := range []uuid.UUID{lily, noah} {
		_, err := s.retentions.OpenByHand(s.as(wang), retention.Draft{CustomerID: who, Plan: "winback"}, "Cried on the phone.")
		require.NoError(t, err)
	}
	require.EqualValues(t, 2, s.number(`SELECT count(*) FROM retention_note WHERE words = 'Cried on the phone.'`))
	s.erased(lily)
	require.EqualValues(t, 1, s.number(`SELECT count(*) FROM retention_note WHERE words = 'Cried on the phone.'`))
	require.Equal(t, []any{retention.Cancelled, "customer_erased"}, []any{s.cases(lily)[0].Stage, s.cases(lily)[0].Code})
	require.Equal(t, retention.Open, s.cases(noah)[0].Stage)
	require.EqualValues(t, 1, s.events("RetentionCaseClosed"))
	_, err := s.retentions.OpenByHand(s.as(wang), retention.Draft{CustomerID: lily, Plan: "winback"}, "")
	require.Equal(t, problem.Gone, problem.KindOf(err))
}

func TestOrdersAreKeptAsTheyAreToldInAnyOrderAndOften(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.plan("winback", nil)
	lily, order := someone(), someone()
	unknown := placed(order, uuid.Nil, thursday.Add(-10*day), "CNY", 9_000)
	r := back(order, 4_000)
	s.told("pizza", s.retentions.Orders(), unknown, unknown, r, r,
		&salesv1.OrderAttributed{OrderId: order.String(), CustomerId: lily.String(), AttributedAt: timestamppb.Now()})
	s.told("pizza", s.retentions.Orders(), unknown, r, placed(someone(), lily, thursday.Add(-400*day), "CNY", 70_000), placed(someone(), lily, thursday.Add(-5*day), "USD", 100))
	require.EqualValues(t, 3, s.number(`SELECT purchases FROM retention_customer WHERE customer_id = $1`, lily))
	require.EqualValues(t, 5_000, s.byHand(lily, "winback").ValueMinor, "of the last 365 days, in the plan's currency, without what came back")
	s.told("pizza", s.retentions.Orders(), back(order, 40_000))
	require.EqualValues(t, 9_000, s.number(`SELECT returned_minor FROM retention_order WHERE order_id = $1`, order))
}
