//go:build kube

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/guanxi-crm/guanxi/tools/devstack/demo"
	"github.com/guanxi-crm/guanxi/tools/devstack/stack"
	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// leaving deletes the namespace that the operator is in, with objects of each kind, as somebody does who is done with all of it. Under
// the roles of the chart, and with the namespace controller of Kubernetes, everything is taken back before the operator ends. Then the
// operator is installed anew.
func (in *intended) leaving(ctx context.Context, running *stack.Process) {
	in.t.Helper()
	k, policy := in.kube, object{"p1": object{"resolution": "1h"}}
	made := map[string]resource{}
	for _, o := range []struct {
		kind, name, ready string
		spec              object
	}{
		{"crmrollouts", "moving", "True InForce", object{"tenant": demo.Music, "displayName": "Moving", "deletionPolicy": "Delete", "team": []object{{"subject": "chen", "role": "sponsor"}},
			"phases": []object{{"code": "one", "name": "One", "kind": "other", "tasks": []object{{"code": "think", "title": "Think", "owner": "chen"}}}}}},
		{"slapolicies", "leaving", "True InForce", object{"tenant": demo.Pizza, "displayName": "Leaving", "deletionPolicy": "Delete", "targets": policy}},
		{"slapolicies", "staying", "True InForce", object{"tenant": demo.Pizza, "displayName": "Staying", "targets": policy}},
		{"eventsubscriptions", "books", "True Granted", object{"tenant": demo.Pizza, "eventTypes": []string{orderPlaced}, "delivery": object{"kafka": object{}}, "deletionPolicy": "Delete"}},
	} {
		path := k.url + "/apis/guanxi.io/v1alpha1/namespaces/" + operators + "/" + o.kind
		k.do(ctx, http.MethodPost, strings.TrimPrefix(path, k.url), object{
			"apiVersion": "guanxi.io/v1alpha1", "kind": kinds[o.kind], "metadata": object{"name": o.name}, "spec": o.spec,
		}, nil)
		in.eventually(time.Minute, func() error {
			var now resource
			err := k.ask(ctx, http.MethodGet, path+"/"+o.name, nil, &now)
			if err == nil && now.ready() != o.ready {
				err = fmt.Errorf("%s %s is %s", o.kind, o.name, now.ready())
			}
			made[o.name] = now
			return err
		})
	}
	topic := made["books"].Status.Topics[0]
	if !in.hasTopic(ctx, topic) {
		in.t.Fatal("there is no topic to be taken back")
	}

	namespace := "/api/v1/namespaces/" + operators
	pod := namespace + "/pods/operator"
	k.do(ctx, http.MethodPost, namespace+"/pods", object{"metadata": object{"name": "operator"}, "spec": object{
		"nodeName": "node", "terminationGracePeriodSeconds": 45, "serviceAccountName": "operator-guanxi-operator", "automountServiceAccountToken": false,
		"containers": []object{{"name": "operator", "image": "operator"}},
	}}, nil)
	k.do(ctx, http.MethodDelete, namespace, nil, nil)
	in.eventually(time.Minute, func() error {
		var is struct {
			Metadata struct{ DeletionTimestamp string }
		}
		err := k.ask(ctx, http.MethodGet, k.url+pod, nil, &is)
		if err == nil && is.Metadata.DeletionTimestamp == "" {
			err = errors.New("the pod of the operator is not asked to end")
		}
		return err
	})
	began := time.Now()
	running.Stop() // as the kubelet asks
	if took := time.Since(began); took > 30*time.Second {
		in.t.Errorf("the operator ends after %s: it waited for what it could not do", took)
	}
	in.takenBack(ctx, made, topic)
	k.do(ctx, http.MethodDelete, pod+"?gracePeriodSeconds=0", nil, nil)
	in.eventually(time.Minute, func() error {
		if err := k.ask(ctx, http.MethodGet, k.url+namespace, nil, nil); !errors.Is(err, errNotThere) {
			return fmt.Errorf("the namespace is still there: %w", err)
		}
		return nil
	})
	var told struct {
		Items []struct{ Reason, Note string }
	}
	k.do(ctx, http.MethodGet, "/apis/events.k8s.io/v1/namespaces/default/events", nil, &told)
	for _, e := range told.Items {
		if e.Reason == "CleanupAbandoned" {
			in.t.Errorf("something is left behind: %s", e.Note)
		}
	}

	k.do(ctx, http.MethodPost, "/api/v1/namespaces", object{"metadata": object{"name": operators}}, nil)
	in.installOperator(ctx)
	in.operator(ctx, "operator-3")
}

// takenBack holds that in the platform and in Kafka is done what deleting each object does.
func (in *intended) takenBack(ctx context.Context, made map[string]resource, topic string) {
	in.t.Helper()
	var rollout client.Rollout
	in.persist(ctx, "rollout", func() (err error) {
		return in.client(demo.Music, "admin").Get(ctx, "/v1/rollouts/"+made["moving"].Status.RolloutID, nil, &rollout)
	})
	if rollout.State != "cancelled" {
		in.t.Errorf("the rollout is %s", rollout.State)
	}
	type policy struct {
		Archived  bool   `json:"archived"`
		ManagedBy string `json:"managed_by"`
	}
	for name, want := range map[string]policy{"leaving": {Archived: true, ManagedBy: "kubernetes"}, "staying": {}} {
		var is policy
		in.persist(ctx, "policy", func() error { return in.chen.Get(ctx, "/v1/sla-policies/"+made[name].Status.PolicyID, nil, &is) })
		if is != want {
			in.t.Errorf("the policy %s stands so: %+v", name, is)
		}
	}
	if in.hasTopic(ctx, topic) {
		in.t.Errorf("the topic %s is left", topic)
	}
}

func (in *intended) hasTopic(ctx context.Context, topic string) bool {
	in.t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(in.broker.ListenAddrs()...), kgo.SASL(scram.Auth{User: brokerUser, Pass: brokerPassword}.AsSha512Mechanism()))
	if err != nil {
		in.t.Fatal(err)
	}
	defer c.Close()
	topics, err := kadm.NewClient(c).ListTopics(ctx)
	if err != nil {
		in.t.Fatal(err)
	}
	return topics.Has(topic)
}
