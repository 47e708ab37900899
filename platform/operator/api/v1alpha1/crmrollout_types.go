package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// CRMRolloutSpec is how CRM is to be introduced for a tenant. A new generation changes the plan of the rollout that is under
// way; phases that have begun keep what they began with.
//
// +kubebuilder:validation:XValidation:rule="self.tenant == oldSelf.tenant",message="tenant cannot be changed: a rollout belongs to one tenant; make a new CRMRollout"
// +kubebuilder:validation:XValidation:rule="!has(self.rollback) || self.phases.exists(p, p.code == self.rollback.phase)",message="rollback names a phase that the plan does not have"
// +kubebuilder:validation:XValidation:rule="!has(self.team) || self.phases.all(p, !has(p.enter) || p.enter.all(g, !has(g.person) || self.team.exists(m, m.role == g.person.role)))",message="a gate to enter is decided by a role that nobody of the team has"
// +kubebuilder:validation:XValidation:rule="!has(self.team) || self.phases.all(p, !has(p.leave) || p.leave.all(g, !has(g.person) || self.team.exists(m, m.role == g.person.role)))",message="a gate to leave is decided by a role that nobody of the team has"
type CRMRolloutSpec struct {
	// Tenant that CRM is introduced for.
	Tenant Tenant `json:"tenant"`
	// DisplayName is the rollout's name in the platform.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	DisplayName string `json:"displayName"`
	// Goals are what it is for, as numbers.
	// +kubebuilder:validation:MaxItems=20
	// +listType=map
	// +listMapKey=code
	// +optional
	Goals []RolloutGoal `json:"goals,omitempty"`
	// Team is who has which role.
	// +kubebuilder:validation:MaxItems=50
	// +listType=atomic
	// +optional
	Team []RolloutMember `json:"team,omitempty"`
	// Phases, in an order in which each stands below those that it comes after.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=30
	// +kubebuilder:validation:XValidation:rule="self.all(p, !has(p.after) || p.after.all(a, self.exists(q, q.code == a)))",message="after names a phase that the plan does not have"
	// +kubebuilder:validation:XValidation:rule="self.all(i, p, !has(p.after) || p.after.all(a, self.all(j, q, q.code != a || j < i)))",message="a phase comes after phases that stand above it in the list; otherwise phases would wait for each other in a cycle"
	// +kubebuilder:validation:XValidation:rule="self.all(p, self.exists_one(q, q.code == p.code))",message="each phase has a code of its own"
	// +listType=atomic
	Phases []RolloutPhase `json:"phases"`
	// Risks are what may go wrong.
	// +kubebuilder:validation:MaxItems=50
	// +listType=map
	// +listMapKey=code
	// +optional
	Risks []RolloutRisk `json:"risks,omitempty"`
	// Paused has nothing go on until it is false again; what is live stays live.
	// +optional
	Paused bool `json:"paused,omitempty"`
	// Rollback takes a phase back, once for each id: its capabilities are switched off for its units again.
	// +optional
	Rollback *RolloutRollback `json:"rollback,omitempty"`
	// DeletionPolicy: Retain leaves the rollout to the people in the platform, Delete cancels it.
	// +kubebuilder:default=Retain
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// Metric is a number that the platform measures.
//
// +kubebuilder:validation:Enum=import_quality;active_users;sla_attainment;csat;error_rate;consumer_lag
type Metric string

// Role is a role in the team.
//
// +kubebuilder:validation:Enum=sponsor;lead;key_user;data;technology;trainer;steering
type Role string

// Unit is the code of a unit of the organisation, such as north/branch-3; it takes in those below it.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=200
type Unit string

// RolloutGoal is a number to be reached.
type RolloutGoal struct {
	Code Code `json:"code"`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	Name string `json:"name"`
	// Metric that is measured.
	Metric Metric `json:"metric"`
	// Direction is which way is better.
	// +kubebuilder:validation:Enum=up;down
	Direction string `json:"direction"`
	// Baseline is how it was before, in the metric's unit.
	Baseline resource.Quantity `json:"baseline"`
	// Target is how it shall be.
	Target resource.Quantity `json:"target"`
	// Unit that is measured; left out: all that the plan covers.
	// +optional
	Unit Unit `json:"unit,omitempty"`
	// WindowDays are the days back over which it is measured; left out: the metric's own.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=366
	// +optional
	WindowDays int32 `json:"windowDays,omitempty"`
}

// RolloutMember is somebody of the team in a role.
type RolloutMember struct {
	// Subject as in the person's token.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	Subject string `json:"subject"`
	Role    Role   `json:"role"`
}

// RolloutPhase is a part of the way.
//
// +kubebuilder:validation:XValidation:rule="!has(self.capabilities) || has(self.units)",message="a phase that switches capabilities on names the units that it switches them on for"
type RolloutPhase struct {
	Code Code `json:"code"`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	Name string `json:"name"`
	// Kind is what the phase is about.
	// +kubebuilder:validation:Enum=strategy;team;process;configuration;data;pilot;training;go_live;evaluation;other
	Kind string `json:"kind"`
	// After are the phases that have to be live, done or skipped before.
	// +kubebuilder:validation:MaxItems=30
	// +listType=set
	// +optional
	After []Code `json:"after,omitempty"`
	// Units that it covers.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=200
	// +listType=set
	// +optional
	Units []Unit `json:"units,omitempty"`
	// Capabilities that are switched on for its units once it is live.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	// +listType=set
	// +optional
	Capabilities []Code `json:"capabilities,omitempty"`
	// Tasks that have to be done in it.
	// +kubebuilder:validation:MaxItems=50
	// +listType=map
	// +listMapKey=code
	// +optional
	Tasks []RolloutTask `json:"tasks,omitempty"`
	// Enter are gates that have to open before it begins.
	// +kubebuilder:validation:MaxItems=10
	// +listType=map
	// +listMapKey=code
	// +optional
	Enter []RolloutGate `json:"enter,omitempty"`
	// Leave are gates that have to open, after its tasks, before it is live.
	// +kubebuilder:validation:MaxItems=10
	// +listType=map
	// +listMapKey=code
	// +optional
	Leave []RolloutGate `json:"leave,omitempty"`
}

// RolloutTask is something that somebody has to do.
//
// +kubebuilder:validation:XValidation:rule="has(self.owner) != has(self.role)",message="a task has either an owner or a role whose people do it"
type RolloutTask struct {
	Code Code `json:"code"`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=500
	Title string `json:"title"`
	// Owner is the subject of whoever does it, of the team.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +optional
	Owner string `json:"owner,omitempty"`
	// Role of the team whose people may do it.
	// +optional
	Role Role `json:"role,omitempty"`
	// DueDays are the days after the phase began until which it is to be done.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3650
	// +optional
	DueDays int32 `json:"dueDays,omitempty"`
}

// RolloutGate is opened by people or by a measured number.
//
// +kubebuilder:validation:XValidation:rule="has(self.person) != has(self.metric)",message="a gate is opened either by person or by metric: give exactly one of them"
type RolloutGate struct {
	Code Code `json:"code"`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	// +optional
	Name string `json:"name,omitempty"`
	// Person has people decide.
	// +optional
	Person *PersonGate `json:"person,omitempty"`
	// Metric has a number decide.
	// +optional
	Metric *MetricGate `json:"metric,omitempty"`
}

// PersonGate is decided by people.
type PersonGate struct {
	// Role of the team whose people decide.
	Role Role `json:"role"`
	// FourEyes asks for two different people.
	// +optional
	FourEyes bool `json:"fourEyes,omitempty"`
}

// MetricGate opens at a number.
//
// +kubebuilder:validation:XValidation:rule="has(self.atLeast) != has(self.atMost)",message="a gate by metric has either atLeast or atMost"
type MetricGate struct {
	// Name of the metric.
	Name Metric `json:"name"`
	// AtLeast opens it at this number or more.
	// +optional
	AtLeast *resource.Quantity `json:"atLeast,omitempty"`
	// AtMost opens it at this number or less.
	// +optional
	AtMost *resource.Quantity `json:"atMost,omitempty"`
	// WindowDays are the days back over which it is measured; left out: the metric's own.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=366
	// +optional
	WindowDays int32 `json:"windowDays,omitempty"`
	// MinSample: fewer cases than this tell nothing.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	// +optional
	MinSample int32 `json:"minSample,omitempty"`
}

// RolloutRisk is what may go wrong.
type RolloutRisk struct {
	Code Code `json:"code"`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	Name string `json:"name"`
	// Likelihood is 1 (hardly) to 5 (almost certain).
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=5
	Likelihood int32 `json:"likelihood"`
	// Impact is 1 (slight) to 5 (the end of it).
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=5
	Impact int32 `json:"impact"`
	// Mitigation is what is done against it.
	// +kubebuilder:validation:MaxLength=2000
	// +optional
	Mitigation string `json:"mitigation,omitempty"`
	// Role of the team whose people watch it.
	// +optional
	Role Role `json:"role,omitempty"`
	// Trigger is the number at which it has come about: metric atLeast or atMost. Left out: people say so.
	// +optional
	Trigger *MetricGate `json:"trigger,omitempty"`
	// Pauses has the rollout paused once it has come about.
	// +optional
	Pauses bool `json:"pauses,omitempty"`
}

// RolloutRollback takes a phase back.
type RolloutRollback struct {
	// ID names the rollback. Each is carried out once.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	ID string `json:"id"`
	// Phase to take back.
	Phase Code `json:"phase"`
	// Reason is a code of why.
	Reason Code `json:"reason"`
}

// CRMRolloutStatus mirrors how far the rollout is.
type CRMRolloutStatus struct {
	CommonStatus `json:",inline"`
	// RolloutID is the rollout's id in the platform.
	// +optional
	RolloutID string `json:"rolloutID,omitempty"`
	// State of the rollout: draft, running, paused, finished or cancelled.
	// +optional
	State string `json:"state,omitempty"`
	// Phase that is worked on; the first, where there are several.
	// +optional
	Phase string `json:"phase,omitempty"`
	// Gate that holds it, with why, such as data_quality (below_threshold).
	// +optional
	Gate string `json:"gate,omitempty"`
	// Phases are all of them, in the order of the plan.
	// +listType=map
	// +listMapKey=code
	// +optional
	Phases []PhaseStatus `json:"phases,omitempty"`
	// PlanDigest tells which plan the platform was given last.
	// +optional
	PlanDigest string `json:"planDigest,omitempty"`
	// RolledBackID is the rollback that was carried out last.
	// +optional
	RolledBackID string `json:"rolledBackID,omitempty"`
	// PausedByOperator says that the spec paused it, and so may resume it. What people or a risk paused, they resume.
	// +optional
	PausedByOperator bool `json:"pausedByOperator,omitempty"`
}

// PhaseStatus is how far a phase is.
type PhaseStatus struct {
	Code string `json:"code"`
	// State of the phase, such as waiting, entering, working, leaving, live, done, rolled_back or skipped.
	State string `json:"state"`
	// Round is which time it is gone through.
	// +optional
	Round int32 `json:"round,omitempty"`
	// TasksDone of TasksTotal are done.
	// +optional
	TasksDone int32 `json:"tasksDone,omitempty"`
	// +optional
	TasksTotal int32 `json:"tasksTotal,omitempty"`
	// Held are the gates that hold now, each with why.
	// +listType=atomic
	// +optional
	Held []string `json:"held,omitempty"`
}

// CRMRollout is the introduction of CRM for a tenant. Kubernetes holds what is intended, the platform how far it is.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=guanxi
// +kubebuilder:metadata:annotations="guanxi.io/crd-revision=1"
// +kubebuilder:printcolumn:name="Tenant",type=string,JSONPath=`.spec.tenant`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Gate",type=string,JSONPath=`.status.gate`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type CRMRollout struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec CRMRolloutSpec `json:"spec"`
	// +optional
	Status CRMRolloutStatus `json:"status,omitempty"`
}

// CRMRolloutList is a list of rollouts.
//
// +kubebuilder:object:root=true
type CRMRolloutList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []CRMRollout `json:"items"`
}

// Common implements [Conditioned].
func (r *CRMRollout) Common() *CommonStatus { return &r.Status.CommonStatus }

// OnDeletion implements [Conditioned].
func (r *CRMRollout) OnDeletion() DeletionPolicy { return r.Spec.DeletionPolicy }
