package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SLAPolicySpec is a service level policy of a tenant. The platform shows it as managed by Git, and people cannot edit it
// there.
//
// +kubebuilder:validation:XValidation:rule="self.tenant == oldSelf.tenant",message="tenant cannot be changed: make a new SLAPolicy"
type SLAPolicySpec struct {
	// Tenant whose tickets are measured.
	Tenant Tenant `json:"tenant"`
	// DisplayName is the policy's name in the platform; no two that pick tickets have the same.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	// +kubebuilder:validation:Pattern=`^\S([^\x00-\x1f\x7f]*\S)?$`
	DisplayName string `json:"displayName"`
	// Position: policies are tried from the lowest one; the first that fits measures the ticket.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	// +optional
	Position int32 `json:"position,omitempty"`
	// Condition is CEL over the ticket, such as tier == "gold" && priority <= 2. Left out: fits every ticket.
	// +kubebuilder:validation:MaxLength=2000
	// +optional
	Condition string `json:"condition,omitempty"`
	// CalendarID is the business calendar to reckon by; left out: the tenant's default.
	// +kubebuilder:validation:Format=uuid
	// +optional
	CalendarID string `json:"calendarID,omitempty"`
	// Targets are what is promised, by priority.
	Targets SLATargets `json:"targets"`
	// Pausing are statuses in which a clock pauses. Left out: pending pauses the resolution.
	// +optional
	Pausing *SLAPausing `json:"pausing,omitempty"`
	// Reopening: first counts the first time a ticket is resolved; total goes on when it is reopened.
	// +kubebuilder:validation:Enum=first;total
	// +kubebuilder:default=first
	// +optional
	Reopening string `json:"reopening,omitempty"`
	// Steps are done when so much of a target is used up. Left out: a warning at 80 %.
	// +kubebuilder:validation:MaxItems=30
	// +listType=atomic
	// +optional
	Steps []SLAStep `json:"steps,omitempty"`
	// DeletionPolicy: Retain leaves the policy in force and lets people edit it from then on, Delete puts it into the archive.
	// +kubebuilder:default=Retain
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// SLATargets are the promises by priority, p1 the most urgent.
//
// +kubebuilder:validation:MinProperties=1
type SLATargets struct {
	// +optional
	P1 *SLATarget `json:"p1,omitempty"`
	// +optional
	P2 *SLATarget `json:"p2,omitempty"`
	// +optional
	P3 *SLATarget `json:"p3,omitempty"`
	// +optional
	P4 *SLATarget `json:"p4,omitempty"`
	// +optional
	P5 *SLATarget `json:"p5,omitempty"`
}

// SLATarget is business time. A clock that is left out is not measured.
//
// +kubebuilder:validation:MinProperties=1
type SLATarget struct {
	// +optional
	FirstResponse Duration `json:"firstResponse,omitempty"`
	// +optional
	NextResponse Duration `json:"nextResponse,omitempty"`
	// +optional
	Resolution Duration `json:"resolution,omitempty"`
}

// TicketStatus is a status in which a clock may pause.
//
// +kubebuilder:validation:Enum=new;open;pending;on_hold
type TicketStatus string

// SLAPausing are statuses by clock.
type SLAPausing struct {
	// +kubebuilder:validation:MaxItems=3
	// +listType=set
	// +optional
	FirstResponse []TicketStatus `json:"firstResponse,omitempty"`
	// +kubebuilder:validation:MaxItems=3
	// +listType=set
	// +optional
	NextResponse []TicketStatus `json:"nextResponse,omitempty"`
	// +kubebuilder:validation:MaxItems=3
	// +listType=set
	// +optional
	Resolution []TicketStatus `json:"resolution,omitempty"`
}

// SLAStep is what happens at a percentage of a target.
//
// +kubebuilder:validation:XValidation:rule="has(self.queue) == (self.action == 'assign_queue')",message="queue belongs to assign_queue, and to nothing else"
type SLAStep struct {
	// Clock; left out: each.
	// +kubebuilder:validation:Enum=first_response;next_response;resolution
	// +optional
	Clock string `json:"clock,omitempty"`
	// Percent of the target's business time; 100 is the deadline.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Percent int32 `json:"percent"`
	// Action that is taken.
	// +kubebuilder:validation:Enum=warn;raise_priority;assign_queue
	Action string `json:"action"`
	// Queue of assign_queue.
	// +optional
	Queue *Code `json:"queue,omitempty"`
}

// SLAPolicyStatus is how the policy stands in the platform.
type SLAPolicyStatus struct {
	CommonStatus `json:",inline"`
	// PolicyID is the policy's id in the platform.
	// +optional
	PolicyID string `json:"policyID,omitempty"`
	// Version of the policy in the platform.
	// +optional
	Version int64 `json:"version,omitempty"`
}

// SLAPolicy is a service level policy that is kept in Git.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=guanxi
// +kubebuilder:metadata:annotations="guanxi.io/crd-revision=1"
// +kubebuilder:printcolumn:name="Tenant",type=string,JSONPath=`.spec.tenant`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Version",type=integer,JSONPath=`.status.version`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type SLAPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec SLAPolicySpec `json:"spec"`
	// +optional
	Status SLAPolicyStatus `json:"status,omitempty"`
}

// SLAPolicyList is a list of policies.
//
// +kubebuilder:object:root=true
type SLAPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []SLAPolicy `json:"items"`
}

// Common implements [Conditioned].
func (p *SLAPolicy) Common() *CommonStatus { return &p.Status.CommonStatus }

// OnDeletion implements [Conditioned].
func (p *SLAPolicy) OnDeletion() DeletionPolicy { return p.Spec.DeletionPolicy }
