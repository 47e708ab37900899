package controller

import (
	"bytes"
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coreapply "k8s.io/client-go/applyconfigurations/core/v1"
	metaapply "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/guanxi-crm/guanxi/platform/operator/api/v1alpha1"
	"github.com/guanxi-crm/guanxi/platform/operator/internal/subscription"
)

// fieldOwner is who the operator is in server-side apply.
const fieldOwner = client.FieldOwner("guanxi-operator")

// What a Secret with credentials carries: the mark of the password that Kafka knows, and the rotation that made it.
const (
	annotationMark     = "guanxi.io/password-mark"
	annotationRotation = "guanxi.io/password-rotation"
)

const secretTries = 5

// credentials has the Secret and Kafka know the same password. The Secret comes first: whoever gets its password into it, under
// the version that it had, has decided, and Kafka is only ever told what was read from it. So operators that do this at the same
// time agree, and one that is interrupted is resumed.
func (s *Subscriptions) credentials(ctx context.Context, sub *v1alpha1.EventSubscription, grant subscription.Grant) error {
	doubt := false // whether Kafka may have been told a password that was not the last
	for try := 1; ; try++ {
		told, err := s.credential(ctx, sub, grant, doubt)
		if !apierrors.IsConflict(err) || try == secretTries {
			return err
		}
		doubt = doubt || told
	}
}

func (s *Subscriptions) credential(ctx context.Context, sub *v1alpha1.EventSubscription, grant subscription.Grant, doubt bool) (told bool, err error) {
	secret, err := s.ownSecret(ctx, sub)
	if err != nil {
		return false, err
	}
	rotation := sub.Spec.Delivery.Kafka.Rotation
	if len(secret.Data["password"]) == 0 || secret.Annotations[annotationRotation] != rotation {
		fresh := s.secret(sub).WithResourceVersion(secret.ResourceVersion).
			WithAnnotations(map[string]string{annotationRotation: rotation}).
			WithData(s.Endpoint.Binding(grant, subscription.NewPassword()))
		if err := s.Client.Apply(ctx, fresh, fieldOwner, client.ForceOwnership); err != nil {
			return false, err
		}
		if secret, err = s.ownSecret(ctx, sub); err != nil {
			return false, err
		}
	}
	password := string(secret.Data["password"])
	mark := subscription.Mark(password)
	known, err := s.Kafka.HasUser(ctx, grant.User)
	if err != nil {
		return false, err
	}
	if !known || doubt || secret.Annotations[annotationMark] != mark {
		told = true
		if err := s.Kafka.SetPassword(ctx, grant.User, password); err != nil {
			return told, err
		}
	}
	want := map[string]string{annotationRotation: rotation, annotationMark: mark}
	data := s.Endpoint.Binding(grant, password)
	if maps.EqualFunc(secret.Data, data, bytes.Equal) && secret.Annotations[annotationMark] == mark {
		return told, nil
	}
	return told, s.Client.Apply(ctx, s.secret(sub).WithResourceVersion(secret.ResourceVersion).WithAnnotations(want).WithData(data),
		fieldOwner, client.ForceOwnership)
}

// ownSecret reads the Secret and makes it, still empty, where there is none.
func (s *Subscriptions) ownSecret(ctx context.Context, sub *v1alpha1.EventSubscription) (*corev1.Secret, error) {
	key := client.ObjectKey{Namespace: sub.Namespace, Name: subscription.SecretOf(sub)}
	var secret corev1.Secret
	err := s.Reader.Get(ctx, key, &secret)
	if apierrors.IsNotFound(err) {
		if err := s.Client.Apply(ctx, s.secret(sub), fieldOwner); err != nil {
			return nil, err
		}
		err = s.Reader.Get(ctx, key, &secret)
	}
	if err != nil {
		return nil, err
	}
	if !metav1.IsControlledBy(&secret, sub) || secret.Type != subscription.SecretType {
		return nil, &subscription.Refusal{Reason: "SecretTaken", Message: fmt.Sprintf(
			"Secret %s is there and not of this subscription: delete it, or make the subscription anew with another secretName", key.Name)}
	}
	return &secret, nil
}

// secret is what all versions of the Secret have. It goes with its subscription.
func (s *Subscriptions) secret(sub *v1alpha1.EventSubscription) *coreapply.SecretApplyConfiguration {
	return coreapply.Secret(subscription.SecretOf(sub), sub.Namespace).WithType(subscription.SecretType).
		WithLabels(map[string]string{"app.kubernetes.io/managed-by": "guanxi-operator"}).
		WithOwnerReferences(metaapply.OwnerReference().WithAPIVersion(v1alpha1.GroupVersion.String()).WithKind("EventSubscription").
			WithName(sub.Name).WithUID(sub.UID).WithController(true).WithBlockOwnerDeletion(false))
}
