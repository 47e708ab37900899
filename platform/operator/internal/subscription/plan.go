// Package subscription gives integrators access to events: who may read which topics of Kafka. What has to be done is planned
// by pure functions; the controller carries it out.
package subscription

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/guanxi-crm/guanxi/platform/operator/api/v1alpha1"
)

// Grant is what a subscriber may do in Kafka.
type Grant struct {
	User        string   // of the SCRAM credentials
	Topics      []string // that it may read and describe, sorted
	GroupPrefix string   // of the consumer groups that it may use
}

// Rule is one access control entry that allows something. Its zero pattern names the resource literally.
type Rule struct {
	Resource  Resource
	Name      string
	Prefixed  bool // Name is what names begin with
	Operation Operation
}

// Resource is what a rule is about.
type Resource string

// The resources that subscribers use.
const (
	Topic Resource = "topic"
	Group Resource = "group"
)

// Operation is what a rule allows.
type Operation string

// The operations that subscribers need.
const (
	Read     Operation = "read"
	Describe Operation = "describe"
)

// Refusal says why a subscription cannot be granted: a reason of the condition Ready, and a sentence. Trying again does not
// help before an object changes.
type Refusal struct {
	Reason, Message string
}

// Error gives the sentence.
func (r *Refusal) Error() string { return r.Message }

// UserPrefix is what the names of all users begin with that the operator of a cluster makes. cluster is a mark of the
// cluster, so that operators of two clusters on one Kafka leave each other's users alone.
func UserPrefix(cluster string) string { return "guanxi.sub." + cluster + "." }

// UserFor names the Kafka user of a subscription. A namespace has no dot in it, so no two have the same.
func UserFor(cluster, namespace, name string) string {
	return UserPrefix(cluster) + namespace + "." + name
}

// OwnerOf gives whose user it is; false where the operator of this cluster did not make it.
func OwnerOf(cluster, user string) (namespace, name string, ok bool) {
	rest, ours := strings.CutPrefix(user, UserPrefix(cluster))
	namespace, name, ok = strings.Cut(rest, ".")
	return namespace, name, ours && ok && namespace != "" && name != ""
}

// PrefixOf gives the prefix of a subscription's consumer groups.
func PrefixOf(s *v1alpha1.EventSubscription) string {
	if k := s.Spec.Delivery.Kafka; k != nil && k.GroupPrefix != "" {
		return k.GroupPrefix
	}
	return "sub." + s.Namespace + "." + s.Name + "."
}

// SecretOf names the Secret with the credentials.
func SecretOf(s *v1alpha1.EventSubscription) string {
	if name := s.Spec.Delivery.Kafka.SecretName; name != "" {
		return name
	}
	return s.Name + "-kafka"
}

// Plan gives what a subscription is to be granted. published are all topics of the platform, others all subscriptions. The error
// is a *[Refusal].
func Plan(s *v1alpha1.EventSubscription, others []v1alpha1.EventSubscription, published []string, cluster string) (Grant, error) {
	if s.Spec.Delivery.Kafka == nil || s.Spec.Tenant != nil {
		return Grant{}, &Refusal{"NotSupported", "this version of the operator serves platform-wide Kafka subscribers only: leave the tenant out and deliver by kafka"}
	}
	g := Grant{User: UserFor(cluster, s.Namespace, s.Name), GroupPrefix: PrefixOf(s)}
	for _, t := range s.Spec.EventTypes {
		topic := strings.TrimSuffix(string(t), ".*")
		if !slices.Contains(published, topic) {
			return Grant{}, &Refusal{"UnknownEventType", fmt.Sprintf("the platform publishes no %s: its topics are %s", t, strings.Join(published, ", "))}
		}
		g.Topics = append(g.Topics, topic)
	}
	slices.Sort(g.Topics)
	g.Topics = slices.Compact(g.Topics)
	for i := range others {
		if o := &others[i]; older(o, s) && o.Spec.Delivery.Kafka != nil && overlap(PrefixOf(o), g.GroupPrefix) {
			return Grant{}, &Refusal{"GroupPrefixTaken", fmt.Sprintf("consumer groups that begin with %s would be those of the older subscription %s/%s, whose begin with %s: choose another prefix",
				g.GroupPrefix, o.Namespace, o.Name, PrefixOf(o))}
		}
	}
	return g, nil
}

func overlap(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }

// older tells whether a was there before b, another one.
func older(a, b *v1alpha1.EventSubscription) bool {
	if a.UID == b.UID {
		return false
	}
	if at, bt := a.CreationTimestamp, b.CreationTimestamp; !at.Equal(&bt) {
		return at.Before(&bt)
	}
	return a.UID < b.UID
}

// Rules gives the entries that the grant needs, and no others.
func (g Grant) Rules() []Rule {
	rules := []Rule{{Group, g.GroupPrefix, true, Read}, {Group, g.GroupPrefix, true, Describe}}
	for _, t := range g.Topics {
		rules = append(rules, Rule{Topic, t, false, Read}, Rule{Topic, t, false, Describe})
	}
	return rules
}

// Change gives which entries have to be added to those that are there, and which taken away.
func Change(have, want []Rule) (add, remove []Rule) {
	for _, r := range want {
		if !slices.Contains(have, r) {
			add = append(add, r)
		}
	}
	for _, r := range have {
		if !slices.Contains(want, r) {
			remove = append(remove, r)
		}
	}
	return add, remove
}

// Mark is what a Secret carries once the broker knows its password: a password that somebody changed has another one.
func Mark(password string) string {
	sum := sha256.Sum256([]byte(password))
	return hex.EncodeToString(sum[:8])
}
