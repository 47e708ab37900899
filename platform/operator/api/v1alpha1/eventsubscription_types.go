package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// EventSubscriptionSpec says who hears of which events, and how.
//
// +kubebuilder:validation:XValidation:rule="has(self.tenant) == has(oldSelf.tenant) && (!has(self.tenant) || self.tenant == oldSelf.tenant)",message="tenant cannot be changed: what was delivered would be another tenant's; make a new EventSubscription"
// +kubebuilder:validation:XValidation:rule="has(self.delivery.kafka) == has(oldSelf.delivery.kafka)",message="a subscription stays with Kafka or with a webhook: make a new EventSubscription for the other one"
// +kubebuilder:validation:XValidation:rule="has(self.tenant) || !has(self.delivery.kafka) || self.eventTypes.all(t, t.endsWith('.*'))",message="without a tenant a Kafka subscriber reads whole topics: write each as guanxi.<service>.events.v1.*, or name a tenant, or deliver to a webhook"
// +kubebuilder:validation:XValidation:rule="has(self.tenant) || !has(self.delivery.kafka) || !has(self.replay)",message="without a tenant a Kafka subscriber replays by itself: its credentials may set the offsets of its own consumer groups"
type EventSubscriptionSpec struct {
	// Tenant whose events are delivered. Without one the subscription is platform-wide and hears of all tenants.
	// +optional
	Tenant *Tenant `json:"tenant,omitempty"`
	// EventTypes are full names, such as guanxi.sales.events.v1.OrderPlaced, or all of a service, guanxi.sales.events.v1.*
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=200
	// +listType=set
	EventTypes []EventType `json:"eventTypes"`
	// Delivery says how they come: by Kafka or to a webhook.
	Delivery Delivery `json:"delivery"`
	// Replay delivers everything since a time once more. It happens once for each id.
	// +optional
	Replay *Replay `json:"replay,omitempty"`
	// DeletionPolicy: Retain keeps the subscriber's topics and positions, Delete takes them away. Credentials are taken back
	// in either case.
	// +kubebuilder:default=Retain
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// EventType is the full name of a type of event, or all types of a service.
//
// +kubebuilder:validation:MaxLength=200
// +kubebuilder:validation:XValidation:rule="self.matches('^guanxi[.][a-z]+[.]events[.]v[0-9]+[.]([A-Z][A-Za-z0-9]*|[*])$')",message="an event type is written as guanxi.<service>.events.v1.<Name>, or guanxi.<service>.events.v1.* for all of a service"
type EventType string

// Delivery is one way of delivering.
//
// +kubebuilder:validation:XValidation:rule="has(self.kafka) != has(self.webhook)",message="delivery is either kafka or webhook: give exactly one of them"
type Delivery struct {
	// Kafka gives credentials to read topics.
	// +optional
	Kafka *KafkaDelivery `json:"kafka,omitempty"`
	// Webhook sends each event by HTTP.
	// +optional
	Webhook *WebhookDelivery `json:"webhook,omitempty"`
}

// KafkaDelivery gives a subscriber credentials that read its topics and use its consumer groups, and nothing else.
type KafkaDelivery struct {
	// GroupPrefix is what the names of the subscriber's consumer groups begin with; sub.<namespace>.<name>. where it is left
	// out. No two subscriptions have prefixes of which one begins with the other.
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=150
	// +kubebuilder:validation:Pattern=`^[a-zA-Z0-9._-]+$`
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('guanxi.') && !'guanxi.'.startsWith(self)",message="groups that begin with guanxi. are the platform's own: choose another prefix"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="groupPrefix cannot be changed: the groups under the old one would lose their place"
	// +optional
	GroupPrefix string `json:"groupPrefix,omitempty"`
	// SecretName is the Secret that the credentials are written to, of the type servicebinding.io/kafka; <name>-kafka where it
	// is left out.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="secretName cannot be changed: delete the subscription and make it anew"
	// +optional
	SecretName string `json:"secretName,omitempty"`
	// Rotation is any text; another one makes a new password.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Rotation string `json:"rotation,omitempty"`
}

// WebhookDelivery sends events as Standard Webhooks: one POST an event, signed, until it is answered by 2xx.
type WebhookDelivery struct {
	// URL that events are posted to.
	// +kubebuilder:validation:MaxLength=2000
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['https', 'http'] && url(self).getHost().size() > 0 && !self.contains('@')",message="url is an http or https address without a user and password, such as https://hooks.example.com/guanxi"
	URL string `json:"url"`
	// SecretName is a Secret of the same namespace: key has the signing key, whsec_ and 24 to 64 bytes in base64; previous, while
	// keys are changed, the one before. Events then carry a signature by each.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:MinLength=1
	SecretName string `json:"secretName"`
	// Timeout of one attempt; 10s where it is left out, and at most 1m.
	// +kubebuilder:default="10s"
	// +kubebuilder:validation:XValidation:rule="duration(self) <= duration('1m')",message="timeout is at most 1m"
	// +optional
	Timeout Duration `json:"timeout,omitempty"`
	// Retry says how often and when an event is sent again.
	// +kubebuilder:default={attempts:10,first:"1s",longest:"5m"}
	// +optional
	Retry Retry `json:"retry,omitempty"`
}

// Retry is the back-off of a webhook. The pause doubles with each attempt and is spread by up to a fifth.
//
// +kubebuilder:validation:XValidation:rule="duration(self.first) <= duration(self.longest)",message="the first pause cannot be longer than the longest"
type Retry struct {
	// Attempts before an event goes to the dead letters.
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +optional
	Attempts int32 `json:"attempts,omitempty"`
	// First is the pause after the first attempt.
	// +kubebuilder:default="1s"
	// +optional
	First Duration `json:"first,omitempty"`
	// Longest is the longest pause, at most 1h.
	// +kubebuilder:default="5m"
	// +kubebuilder:validation:XValidation:rule="duration(self) <= duration('1h')",message="longest is at most 1h"
	// +optional
	Longest Duration `json:"longest,omitempty"`
}

// Replay asks for a delivery from a time on.
type Replay struct {
	// ID names the replay. Each is carried out once.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	ID string `json:"id"`
	// From is when the first event to be delivered again was published.
	From metav1.Time `json:"from"`
}

// EventSubscriptionStatus is how a subscription stands.
type EventSubscriptionStatus struct {
	CommonStatus `json:",inline"`
	// Topics that the subscriber reads, or that the webhook is fed from.
	// +listType=set
	// +optional
	Topics []string `json:"topics,omitempty"`
	// GroupPrefix that is in force.
	// +optional
	GroupPrefix string `json:"groupPrefix,omitempty"`
	// Binding names the Secret with the credentials, as the Service Binding specification has it.
	// +optional
	Binding *Binding `json:"binding,omitempty"`
	// Lag is how many messages are not delivered or looked at yet; of a platform-wide Kafka subscriber, not read by its groups.
	// +optional
	Lag *int64 `json:"lag,omitempty"`
	// DeadLetters is how many events could not be delivered, since the beginning.
	// +optional
	DeadLetters *int64 `json:"deadLetters,omitempty"`
	// ReplayedID is the replay that was carried out last, and ReplayedFrom its time.
	// +optional
	ReplayedID string `json:"replayedID,omitempty"`
	// +optional
	ReplayedFrom *metav1.Time `json:"replayedFrom,omitempty"`
}

// Binding names a Secret.
type Binding struct {
	// Name of the Secret.
	Name string `json:"name"`
}

// EventSubscription is an integrator's access to events.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=guanxi,shortName=evsub
// +kubebuilder:metadata:annotations="guanxi.io/crd-revision=1"
// +kubebuilder:printcolumn:name="Tenant",type=string,JSONPath=`.spec.tenant`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Lag",type=integer,JSONPath=`.status.lag`
// +kubebuilder:printcolumn:name="Dead",type=integer,JSONPath=`.status.deadLetters`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 100",message="the name of an EventSubscription is at most 100 characters, since topics are named by it"
type EventSubscription struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec EventSubscriptionSpec `json:"spec"`
	// +optional
	Status EventSubscriptionStatus `json:"status,omitempty"`
}

// EventSubscriptionList is a list of subscriptions.
//
// +kubebuilder:object:root=true
type EventSubscriptionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []EventSubscription `json:"items"`
}

// Common implements [Conditioned].
func (s *EventSubscription) Common() *CommonStatus { return &s.Status.CommonStatus }

// OnDeletion implements [Conditioned].
func (s *EventSubscription) OnDeletion() DeletionPolicy { return s.Spec.DeletionPolicy }
