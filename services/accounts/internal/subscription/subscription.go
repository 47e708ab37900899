// Package subscription says who reads the platform's events from outside: consumer groups in Kafka that are not the platform's own,
// with how far each has read. What is a tenant's is known by the names that the operator gives: a tenant's subscription reads a
// topic of its own, and is fed or called by a group that has the tenant in its name.
package subscription

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/guanxi-crm/guanxi/platform/bus"
)

// Kind is how events reach a subscriber.
type Kind string

// The kinds.
const (
	Reader  Kind = "reader"  // a program that reads Kafka itself
	Forward Kind = "forward" // the operator, which copies a tenant's events to the topic of a subscription
	Webhook Kind = "webhook" // the operator, which sends them to an address
)

// Subscription is a consumer group that reads events of the platform.
type Subscription struct {
	Group  string
	Kind   Kind
	Tenant string // whose events it gets; empty: those of all
	// Object is the EventSubscription that it is of, as namespace/name; empty where its name does not say so.
	Object  string
	Members []bus.Member
	Topics  []Topic
}

// Topic is how far a subscription has read a topic.
type Topic struct {
	Name       string
	Partitions int // that the topic has
	Committed  int // of them, those in which the group has a position
	Lag        int64
	Oldest     time.Time // when the oldest that it has not read was written; zero: not known, or it has read all
}

const (
	own      = "guanxi."     // what the names of our groups begin with
	operator = "guanxi.sub." // and those of what the operator makes: guanxi.sub.<cluster>.<kind>.<tenant>.<namespace>.<name>
	nobody   = "_"           // stands where a tenant would
)

// Outside tells whether a group is not the platform's own.
func Outside(group string) bool {
	return !strings.HasPrefix(group, own) || strings.HasPrefix(group, operator)
}

var published = regexp.MustCompile(`^guanxi\.[a-z]+\.events\.v[0-9]+(\.dlq)?$`)

// Published tells whether events of the platform stand in a topic: those of a service, its dead letters, and what the operator
// copied for a subscription.
func Published(topic string) bool {
	made, ok := parse(topic)
	return published.MatchString(topic) || ok && made.kind == "events"
}

// made is what a name says that the operator gave.
type made struct{ kind, tenant, object string }

func parse(name string) (made, bool) {
	rest, ours := strings.CutPrefix(name, operator)
	parts := strings.SplitN(rest, ".", 5) // a name may have dots in it; nothing before it has
	if !ours || len(parts) < 5 {
		return made{}, false
	}
	m := made{kind: parts[1], tenant: parts[2], object: parts[3] + "/" + parts[4]}
	if m.tenant == nobody {
		m.tenant = ""
	}
	return m, true
}

// Of makes a subscription of what Kafka says of a group. One that reads topics of several tenants is nobody's.
func Of(r bus.Reader) Subscription {
	s := Subscription{Group: r.Group, Kind: Reader, Members: r.Members, Topics: make([]Topic, len(r.Topics))}
	var tenants []string
	for i, t := range r.Topics {
		s.Topics[i] = Topic{t.Topic, t.Partitions, t.Committed, t.Lag, t.Oldest}
		m, _ := parse(t.Topic)
		tenants = append(tenants, m.tenant)
		s.Object = m.object
	}
	slices.Sort(tenants)
	if tenants = slices.Compact(tenants); len(tenants) == 1 {
		s.Tenant = tenants[0]
	} else {
		s.Object = ""
	}
	m, ok := parse(r.Group)
	switch {
	case ok && m.kind == "forward":
		s.Kind, s.Tenant, s.Object = Forward, m.tenant, m.object
	case ok && m.kind == "hook":
		s.Kind, s.Tenant, s.Object = Webhook, m.tenant, m.object
	}
	if rest, usual := strings.CutPrefix(r.Group, "sub."); usual && s.Object == "" {
		if parts := strings.SplitN(rest, ".", 3); len(parts) == 3 && parts[0] != "" && parts[1] != "" {
			s.Object = parts[0] + "/" + parts[1]
		}
	}
	return s
}

// For keeps those of one tenant; all without a tenant.
func For(tenant string, all []Subscription) []Subscription {
	if tenant == "" {
		return all
	}
	return slices.DeleteFunc(all, func(s Subscription) bool { return s.Tenant != tenant })
}
