// Package v1alpha1 holds what Kubernetes stores of Guanxi: who may hear of its events (EventSubscription), how CRM is
// introduced (CRMRollout) and service levels that are kept in Git (SLAPolicy).
//
// +kubebuilder:object:generate=true
// +groupName=guanxi.io
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the group and version of all kinds of this package.
var GroupVersion = schema.GroupVersion{Group: "guanxi.io", Version: "v1alpha1"}

// AddToScheme makes the kinds known to a scheme.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&EventSubscription{}, &EventSubscriptionList{}, &CRMRollout{}, &CRMRolloutList{}, &SLAPolicy{}, &SLAPolicyList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}

// Revision numbers the definitions of the kinds; each carries it as the annotation [RevisionAnnotation]. It is raised with
// every change of a field that the operator needs, so that an operator sees when it is newer than the definitions.
const Revision = 1

// RevisionAnnotation is where a CustomResourceDefinition says its [Revision].
const RevisionAnnotation = "guanxi.io/crd-revision"

// The types of conditions. Each kind documents its reasons in docs/operator.md.
const (
	// ConditionReady says that what the spec asks for is in force.
	ConditionReady = "Ready"
	// ConditionProgressing says that something is still under way, or stands and waits.
	ConditionProgressing = "Progressing"
	// ConditionDegraded says, of rollouts, that something is not as intended: a risk has come about, or a rollback was refused.
	ConditionDegraded = "Degraded"
)
