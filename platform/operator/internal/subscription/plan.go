// Package subscription gives integrators access to events: who may read which topics of Kafka. What has to be done is planned
// by pure functions; the controller carries it out.
package subscription

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/guanxi-crm/guanxi/platform/operator/api/v1alpha1"
)

// Plan is what a subscription needs in Kafka.
type Plan struct {
	// Grant is what the subscriber may do; that of a webhook has no user.
	Grant Grant
	// Sources are the topics of the platform that its events are on, sorted.
	Sources []string
	// Own is the topic that a tenant's events are forwarded to. Empty: there is none.
	Own string
	// Dead is the topic of what a webhook did not take. Empty: there is none.
	Dead string
	// Group keeps how far the operator has forwarded or sent. Empty: it does neither.
	Group string
}

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

// For plans a subscription. published are all topics of the platform, others all subscriptions, cluster the mark of the
// cluster. The error is a *[Refusal].
func For(s *v1alpha1.EventSubscription, others []v1alpha1.EventSubscription, published []string, cluster string) (Plan, error) {
	p := Names(s, cluster)
	for _, name := range []string{p.Own, p.Dead, p.Group} {
		if len(name) > nameMax {
			return Plan{}, &Refusal{"NameTooLong", fmt.Sprintf("Kafka takes names of at most %d characters and %s has more: give the subscription a shorter name", nameMax, name)}
		}
	}
	for _, t := range s.Spec.EventTypes {
		topic := topicOf(t)
		if !slices.Contains(published, topic) {
			return Plan{}, &Refusal{"UnknownEventType", fmt.Sprintf("the platform publishes no %s: its topics are %s", t, strings.Join(published, ", "))}
		}
		if refusal := misspelt(t); refusal != nil {
			return Plan{}, refusal
		}
		p.Sources = append(p.Sources, topic)
	}
	slices.Sort(p.Sources)
	p.Sources = slices.Compact(p.Sources)
	if s.Spec.Delivery.Kafka == nil {
		return p, nil
	}
	if p.Own == "" {
		p.Grant.Topics = p.Sources
	}
	for i := range others {
		if o := &others[i]; older(o, s) && o.Spec.Delivery.Kafka != nil && overlap(PrefixOf(o), p.Grant.GroupPrefix) {
			return Plan{}, &Refusal{"GroupPrefixTaken", fmt.Sprintf("consumer groups that begin with %s would be those of the older subscription %s/%s, whose begin with %s: choose another prefix",
				p.Grant.GroupPrefix, o.Namespace, o.Name, PrefixOf(o))}
		}
	}
	return p, nil
}

// nameMax is how long the name of a topic can be.
const nameMax = 249

// Names gives the part of a plan that needs nothing but the subscription: how everything is called. A tenant is part of the
// names, so that a subscription which is made anew for another one never finds what was left for the first.
func Names(s *v1alpha1.EventSubscription, cluster string) Plan {
	tenant := "_" // no tenant is called so
	if s.Spec.Tenant != nil {
		tenant = string(*s.Spec.Tenant)
	}
	name := func(kind string) string {
		return "guanxi.sub." + cluster + "." + kind + "." + tenant + "." + s.Namespace + "." + s.Name
	}
	if s.Spec.Delivery.Kafka == nil {
		return Plan{Dead: name("dead"), Group: name("hook")}
	}
	p := Plan{Grant: Grant{User: UserFor(cluster, s.Namespace, s.Name), GroupPrefix: PrefixOf(s)}}
	if s.Spec.Tenant != nil {
		p.Own, p.Group = name("events"), name("forward")
		p.Grant.Topics = []string{p.Own}
	}
	return p
}

// topicOf gives the topic that a type of event, or all of a service's, is on.
func topicOf(t v1alpha1.EventType) string {
	return string(t[:strings.LastIndexByte(string(t), '.')])
}

var platformTopic = regexp.MustCompile(`^guanxi\.[a-z]+\.events\.v[0-9]+$`)

// Published picks the platform's topics of events from all topics, sorted.
func Published(topics []string) []string {
	published := slices.DeleteFunc(slices.Clone(topics), func(t string) bool { return !platformTopic.MatchString(t) })
	slices.Sort(published)
	return published
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
