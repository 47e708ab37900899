//go:build kube

package controller_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/guanxi-crm/guanxi/platform/operator/api/v1alpha1"
	"github.com/guanxi-crm/guanxi/platform/operator/internal/controller"
)

// TestObjectsAreSeenToBeforeTheirNamespaceTakesTheOperator has the objects of the operator's namespace be dealt with as if they were
// deleted, though the namespace controller leaves them alone until the operator has ended.
func TestObjectsAreSeenToBeforeTheirNamespaceTakesTheOperator(t *testing.T) {
	t.Parallel()
	c, p := startCluster(t), newStandIn(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	home := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "crm"}}
	require.NoError(t, c.Create(ctx, home))
	leaving := controller.NewLeaving(home.Name)
	goes, err := leaving.Begin(ctx, c)
	require.NoError(t, err)
	require.False(t, goes)
	c.operatorOf(leaving, p, time.Minute)

	held := pilot("north")
	held.Namespace, held.Spec.DeletionPolicy = home.Name, v1alpha1.Delete
	retained := &v1alpha1.SLAPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: home.Name, Name: "gold"}, Spec: v1alpha1.SLAPolicySpec{
		Tenant: "acme", DisplayName: "Gold", Targets: v1alpha1.SLATargets{P1: &v1alpha1.SLATarget{FirstResponse: "1h30m"}},
	}}
	require.NoError(t, c.Create(ctx, held))
	require.NoError(t, c.Create(ctx, retained))
	c.until(held, "in force", func() bool { return reason(held, v1alpha1.ConditionReady) == "True InForce" })
	require.Eventually(t, func() bool {
		return c.Get(ctx, client.ObjectKeyFromObject(retained), retained) == nil && retained.Status.PolicyID != ""
	}, soon, poll)

	require.NoError(t, c.Delete(ctx, home))
	goes, err = leaving.Begin(ctx, c)
	require.NoError(t, err)
	require.True(t, goes)
	leaving.Settle(ctx, c, func() bool { return true })
	require.NoError(t, ctx.Err(), "it does not wait for its end")
	require.Equal(t, 1, times(p.changes(), "POST decisions cancel"))
	require.Equal(t, 1, times(p.changes(), "POST release"), "what is retained is given back to people")
	require.NoError(t, c.Get(ctx, client.ObjectKeyFromObject(held), held))
	require.Nil(t, held.DeletionTimestamp)
	require.Empty(t, held.Finalizers)
	require.NoError(t, leaving.LetGo(ctx, c))
	var all eventsv1.EventList
	require.NoError(t, c.List(ctx, &all, client.InNamespace(metav1.NamespaceDefault)))
	for _, e := range all.Items {
		require.NotEqual(t, "CleanupAbandoned", e.Reason, "nothing was left behind")
	}
}
