// Package controller has what is intended in Kubernetes be in force: rollouts and service level policies in the platform, and
// subscriptions in Kafka.
package controller

import (
	"context"
	"fmt"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/guanxi-crm/guanxi/platform/operator/api/v1alpha1"
)

// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,resourceNames=crmrollouts.guanxi.io;slapolicies.guanxi.io;eventsubscriptions.guanxi.io,verbs=get

// CheckDefinitions tells whether the cluster has the definitions of the kinds, and not older ones than the operator needs: what an
// older definition does not know would be dropped from every status without a word.
func CheckDefinitions(ctx context.Context, reader client.Reader) error {
	for _, plural := range []string{"crmrollouts", "slapolicies", "eventsubscriptions"} {
		name := plural + "." + v1alpha1.GroupVersion.Group
		found := &metav1.PartialObjectMetadata{}
		found.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
		err := reader.Get(ctx, client.ObjectKey{Name: name}, found)
		if apierrors.IsNotFound(err) {
			return fmt.Errorf("the cluster does not know %s: install the chart guanxi-crds of this version first", name)
		}
		if err != nil {
			return fmt.Errorf("the definition %s cannot be read: %w", name, err)
		}
		has, err := strconv.Atoi(found.Annotations[v1alpha1.RevisionAnnotation])
		if err != nil || has < v1alpha1.Revision {
			return fmt.Errorf("the definition %s has revision %q, this operator needs %d: upgrade the chart guanxi-crds first",
				name, found.Annotations[v1alpha1.RevisionAnnotation], v1alpha1.Revision)
		}
	}
	return nil
}
