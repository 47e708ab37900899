package v1alpha1

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Tenant is the id of a tenant of the platform: a lower-case slug of 1 to 63 characters.
//
// +kubebuilder:validation:Pattern=`^[a-z0-9][a-z0-9-]{0,62}$`
// +kubebuilder:validation:MaxLength=63
type Tenant string

// Duration is a length of time in its one canonical spelling: hours, minutes below 60, seconds below 60, parts that are zero
// left out, such as 1h30m or 45s.
//
// +kubebuilder:validation:MaxLength=20
// +kubebuilder:validation:XValidation:rule="self.matches('^([1-9][0-9]{0,5}h)?([1-9]m|[1-5][0-9]m)?([1-9]s|[1-5][0-9]s)?$') && self.size() > 0",message="a duration is written canonically: hours, minutes below 60, seconds below 60, without parts that are zero, such as 1h30m or 45s"
type Duration string

// Length gives the duration, and 0 where there is none.
func (d Duration) Length() time.Duration {
	length, err := time.ParseDuration(string(d))
	if err != nil {
		return 0 // the definition lets nothing else through
	}
	return length
}

// DeletionPolicy says what happens outside of Kubernetes when an object is deleted.
//
// +kubebuilder:validation:Enum=Retain;Delete
type DeletionPolicy string

// The deletion policies.
const (
	// Retain leaves what the object stood for as it is. There is no finalizer then.
	Retain DeletionPolicy = "Retain"
	// Delete takes it away as well. A finalizer waits for that, for a bounded time.
	Delete DeletionPolicy = "Delete"
)

// Code names something within its list.
//
// +kubebuilder:validation:Pattern=`^[a-z0-9][a-z0-9_-]{0,63}$`
// +kubebuilder:validation:MaxLength=64
type Code string

// Conditioned is what all kinds of this package have in common.
//
// +kubebuilder:object:generate=false
type Conditioned interface {
	metav1.Object
	// Common gives the part of the status that all kinds have.
	Common() *CommonStatus
	// OnDeletion gives the deletion policy.
	OnDeletion() DeletionPolicy
}

// CommonStatus is what the status of every kind begins with.
type CommonStatus struct {
	// ObservedGeneration is the generation of the spec that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions are Ready and Progressing.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
