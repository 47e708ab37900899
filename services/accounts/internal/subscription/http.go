package subscription

import (
	"context"
	"net/http"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Subscriptions asks Kafka who reads the platform's events.
type Subscriptions struct{ bus *bus.Client }

// New makes Subscriptions.
func New(b *bus.Client) *Subscriptions { return &Subscriptions{b} }

type subscriptionList struct {
	Body struct {
		Subscriptions []subscriptionAnswer `json:"subscriptions" nullable:"false" doc:"By the names of their groups."`
	}
}

type subscriptionAnswer struct {
	Group   string               `json:"group" doc:"The consumer group in Kafka." example:"sub.shop.erp.main"`
	Kind    Kind                 `json:"kind" enum:"reader,forward,webhook" doc:"reader: a program that reads Kafka itself. forward: the operator, which copies a tenant's events to the topic of a subscription. webhook: the operator, which sends them to an address."`
	Tenant  string               `json:"tenant,omitempty" doc:"Whose events it gets; absent: those of all tenants."`
	Object  string               `json:"object,omitempty" doc:"The EventSubscription that it is of, namespace/name; absent where its name does not say so." example:"shop/erp"`
	Members []subscriptionMember `json:"members" nullable:"false" doc:"The programs that read in it now; none: nobody does."`
	Topics  []subscriptionTopic  `json:"topics" nullable:"false"`
	Lag     int64                `json:"lag" doc:"Messages that it has not committed, in all its topics."`
}

type subscriptionMember struct {
	ClientID string `json:"client_id"`
	Host     string `json:"host"`
}

type subscriptionTopic struct {
	Topic      string     `json:"topic" example:"guanxi.sales.events.v1"`
	Partitions int        `json:"partitions" doc:"That the topic has."`
	Committed  int        `json:"committed_partitions" doc:"Of them, those in which the group has committed a position. The others do not count for the lag."`
	Lag        int64      `json:"lag" doc:"Messages that it has not committed, of whatever type and tenant is on the topic."`
	Oldest     *time.Time `json:"oldest_unread_at,omitempty" doc:"When the oldest of them was written, in the partition that has the most; absent where it has read all."`
}

// Routes adds the list.
func (s *Subscriptions) Routes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "accounts-ops-subscriptions", Method: http.MethodGet, Path: "/v1/ops/accounts/subscriptions", Tag: "operations",
		Summary: "Who reads the platform's events from outside, and how far they are",
		Description: "Consumer groups in Kafka that read the topics of the services, or those that the operator fills for subscriptions, " +
			"and are not the platform's own. Somebody of a tenant sees that tenant's only, known by the names that the operator gives; " +
			"a platform administrator sees all. Kafka keeps where a group stands, not when it said so: how old the oldest message is " +
			"that it has not read tells whether it still follows.",
		Permission: auth.OpsRead, AnyTenant: true, Errors: []int{http.StatusServiceUnavailable},
	}, s.list)
}

var errKafka = problem.New(problem.Unavailable, "kafka_unreachable", "Kafka does not say who reads the platform's events. Try again; if it goes on, see whether the brokers are well and let the platform's user list and describe consumer groups.")

func (s *Subscriptions) list(ctx context.Context, _ *struct{}) (*subscriptionList, error) {
	readers, err := s.bus.Readers(ctx, Published, Outside)
	if err != nil {
		return nil, errKafka.Because(err)
	}
	all := make([]Subscription, len(readers))
	for i, r := range readers {
		all[i] = Of(r)
	}
	out := &subscriptionList{}
	out.Body.Subscriptions = []subscriptionAnswer{}
	who, _ := auth.From(ctx) // without a tenant: a platform administrator
	for _, one := range For(who.Tenant, all) {
		out.Body.Subscriptions = append(out.Body.Subscriptions, answer(one))
	}
	return out, nil
}

func answer(s Subscription) subscriptionAnswer {
	a := subscriptionAnswer{
		Group: s.Group, Kind: s.Kind, Tenant: s.Tenant, Object: s.Object,
		Members: make([]subscriptionMember, len(s.Members)), Topics: make([]subscriptionTopic, len(s.Topics)),
	}
	for i, m := range s.Members {
		a.Members[i] = subscriptionMember(m)
	}
	for i, t := range s.Topics {
		a.Topics[i] = subscriptionTopic{Topic: t.Name, Partitions: t.Partitions, Committed: t.Committed, Lag: t.Lag}
		if !t.Oldest.IsZero() {
			at := t.Oldest.UTC()
			a.Topics[i].Oldest = &at
		}
		a.Lag += t.Lag
	}
	return a
}
