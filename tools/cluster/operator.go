package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

const (
	operatorRelease    = "operator"
	definitionsRelease = "crds"
	operatorPods       = "app.kubernetes.io/name=guanxi-operator"

	// soon is how long an object may take to come into force, and to go.
	soon = 5 * time.Minute

	// The tenants of the objects, and of events that nobody may see.
	subscribed = "cluster-subscribed"
	unheard    = "cluster-unheard"
)

// objects are one of each kind. The rollout is kept when its object goes, the others go with theirs.
const objects = `apiVersion: guanxi.io/v1alpha1
kind: SLAPolicy
metadata: {name: gold}
spec:
  tenant: ` + subscribed + `
  displayName: Gold
  position: 10
  targets: {p1: {firstResponse: 15m, resolution: 4h}}
  deletionPolicy: Delete
---
apiVersion: guanxi.io/v1alpha1
kind: CRMRollout
metadata: {name: north}
spec:
  tenant: ` + subscribed + `
  displayName: CRM for the north
  team: [{subject: ` + person + `, role: sponsor}]
  phases:
    - code: pilot
      name: Pilot
      kind: pilot
      units: [north]
      capabilities: [retention]
      leave: [{code: agreed, person: {role: sponsor}}]
---
apiVersion: guanxi.io/v1alpha1
kind: EventSubscription
metadata: {name: erp}
spec:
  tenant: ` + subscribed + `
  eventTypes: [guanxi.sales.events.v1.OrderPlaced]
  delivery: {kafka: {}}
  deletionPolicy: Delete
`

func (r *run) installOperator(ctx context.Context) error {
	_, err := output(ctx, "", r.helm, "-n", r.namespace, "install", definitionsRelease, filepath.Join(r.root, "charts", "guanxi-crds"),
		"--set", "keep=false", "--wait", "--timeout", patience.String())
	if err != nil {
		return err
	}
	r.definitions = true
	err = r.chart(ctx, "install", operatorRelease, "guanxi-operator", "--values", filepath.Join(r.root, "charts", "guanxi-operator", "ci", "demo.yaml"),
		"--set-literal", "platform.url=http://"+guanxiRelease+"-guanxi-{service}:8080", "--set", "platform.poll=2s")
	if err != nil {
		return err
	}
	return r.allReady(ctx)
}

// people gives who works with the API for the objects' tenant, and for the one whose events nobody may see.
func (r *run) people(ctx context.Context) (api, other *client.Client, err error) {
	at, err := r.addresses(ctx)
	if err != nil {
		return nil, nil, err
	}
	if api, _, err = r.tenant(ctx, at, subscribed); err != nil {
		return nil, nil, err
	}
	other, _, err = r.tenant(ctx, at, unheard)
	return api, other, err
}

// waitFor waits until an object says so of itself.
func (r *run) waitFor(ctx context.Context, object, what string) error {
	_, err := r.kube(ctx, "wait", object, "--for="+what, "--timeout="+soon.String())
	return err
}

// objectsComeIntoForce makes one of each kind and demands of the platform, not only of the objects, that they are in force.
func (r *run) objectsComeIntoForce(ctx context.Context) error {
	api, other, err := r.people(ctx)
	if err != nil {
		return err
	}
	unit := client.Request{Method: "PUT", Path: "/v1/units", In: map[string]any{"code": "north", "name": "North", "headcount": 3}}
	err = until(ctx, 2*time.Minute, func(ctx context.Context) error { // every service has to have heard of the tenant
		_, err := api.Do(ctx, unit, nil)
		return err
	})
	if err != nil {
		return err
	}
	if err := r.apply(ctx, objects); err != nil {
		return err
	}
	for _, object := range []string{"slapolicy/gold", "eventsubscription/erp"} {
		if err := r.waitFor(ctx, object, "condition=Ready"); err != nil {
			return err
		}
	}
	if err := policyIs(ctx, api, "Gold"); err != nil {
		return err
	}
	return errors.Join(r.rolloutIsLed(ctx, api), r.subscriberReads(ctx, api, other))
}

// policyIs demands that tickets picks by the policy of Kubernetes under this name; by none, where that is empty.
func policyIs(ctx context.Context, api *client.Client, name string) error {
	return until(ctx, soon, func(ctx context.Context) error {
		var list struct {
			Items []struct {
				Name      string `json:"name"`
				ManagedBy string `json:"managed_by"`
			} `json:"items"`
		}
		if err := api.Get(ctx, "/v1/sla-policies", nil, &list); err != nil {
			return err
		}
		is := ""
		for _, p := range list.Items {
			if p.ManagedBy == "kubernetes" {
				is += p.Name
			}
		}
		if is != name {
			return fmt.Errorf("tickets has the policy %q of Kubernetes instead of %q", is, name)
		}
		return nil
	})
}

// rolloutIsLed waits for the gate that holds, has a person open it, and waits for the end.
func (r *run) rolloutIsLed(ctx context.Context, api *client.Client) error {
	const object = "crmrollout/north"
	if err := r.waitFor(ctx, object, "jsonpath={.status.gate}=agreed (waiting_for_people)"); err != nil {
		return err
	}
	id, err := r.kube(ctx, "get", object, "-o", "jsonpath={.status.rolloutID}")
	if err != nil {
		return err
	}
	if _, err := api.DecideRollout(ctx, id, client.RolloutDecision{Action: "approve", Phase: "pilot", Gate: "agreed"}, random()); err != nil {
		return fmt.Errorf("approve the gate: %w", err)
	}
	if err := r.waitFor(ctx, object, "jsonpath={.status.state}=finished"); err != nil {
		return err
	}
	rollout, err := api.GetRollout(ctx, id)
	if err == nil && (rollout.State != "finished" || rollout.ManagedBy != "kubernetes") {
		err = fmt.Errorf("the platform has the rollout %s as %s, managed by %s", id, rollout.State, rollout.ManagedBy)
	}
	return err
}

// subscriberReads places an order in each of two tenants, and demands that what the Secret names has the subscribed tenant's and
// nothing else.
func (r *run) subscriberReads(ctx context.Context, api, other *client.Client) error {
	var secret struct {
		Type string            `json:"type"`
		Data map[string][]byte `json:"data"`
	}
	raw, err := r.kube(ctx, "get", "secret", "erp-kafka", "-o", "json")
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(raw), &secret); err != nil {
		return err
	}
	if secret.Type != "servicebinding.io/kafka" || len(secret.Data["password"]) == 0 {
		return fmt.Errorf("the Secret is of the type %q and has the entries %v", secret.Type, slices.Sorted(maps.Keys(secret.Data)))
	}
	for _, of := range []*client.Client{other, api} { // the other one first: it would be read first
		if err := r.anOrder(ctx, of); err != nil {
			return err
		}
	}
	at, err := r.address(ctx, depsRelease+"-kafka")
	if err != nil {
		return err
	}
	reader, err := kgo.NewClient(kgo.SeedBrokers(string(secret.Data["bootstrapServers"])), kgo.ConsumeTopics(string(secret.Data["topics"])),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.Dialer(func(ctx context.Context, network, _ string) (net.Conn, error) { // the broker's name is the cluster's
			return (&net.Dialer{}).DialContext(ctx, network, at)
		}))
	if err != nil {
		return err
	}
	defer reader.Close()
	ctx, cancel := context.WithTimeout(ctx, soon)
	defer cancel()
	fetched := reader.PollFetches(ctx)
	if err := fetched.Err(); err != nil {
		return fmt.Errorf("read the topic of the subscriber: %w", err)
	}
	for _, record := range fetched.Records() {
		headers := map[string]string{}
		for _, h := range record.Headers {
			headers[h.Key] = string(h.Value)
		}
		if headers["ce_tenant"] != subscribed || headers["ce_type"] != "guanxi.sales.events.v1.OrderPlaced" {
			return fmt.Errorf("the subscriber was given an event of %v", headers)
		}
	}
	return r.waitFor(ctx, "eventsubscription/erp", "jsonpath={.status.lag}=0")
}

// anOrder has a customer of the tenant buy something.
func (r *run) anOrder(ctx context.Context, api *client.Client) error {
	name := random()
	if err := makeCustomer(ctx, api, name); err != nil {
		return err
	}
	placedAt := time.Now()
	ref := client.Ref{System: "load", ID: name}
	return until(ctx, 2*time.Minute, func(ctx context.Context) error {
		_, err := api.PlaceOrder(ctx, client.Order{
			ExternalRef: &ref, CustomerRef: &ref, PlacedAt: &placedAt, Channel: "web", Currency: "USD",
			Lines: []client.OrderLine{{SKU: "disc", Quantity: 1, AmountMinor: 100}},
		})
		return err
	})
}

// operatorIsKilled takes the operator's pod away without a word and changes an object meanwhile, which the next pod has to see.
func (r *run) operatorIsKilled(ctx context.Context) error {
	api, _, err := r.people(ctx)
	if err != nil {
		return err
	}
	if _, err := r.kube(ctx, "delete", "pod", "--selector", operatorPods, "--grace-period=0", "--force"); err != nil {
		return err
	}
	if _, err := r.kube(ctx, "patch", "slapolicy", "gold", "--type=merge", "--patch", `{"spec":{"displayName":"Gold, anew"}}`); err != nil {
		return err
	}
	return errors.Join(policyIs(ctx, api, "Gold, anew"), r.waitFor(ctx, "slapolicy/gold", "condition=Ready"))
}

// operatorGoes deletes objects while the operator is there, and has the last one go with its definition when it is not.
func (r *run) operatorGoes(ctx context.Context) error {
	api, _, err := r.people(ctx)
	if err != nil {
		return err
	}
	if _, err := r.kube(ctx, "delete", "slapolicy/gold", "eventsubscription/erp", "--timeout="+soon.String()); err != nil {
		return err
	}
	if err := policyIs(ctx, api, ""); err != nil {
		return err
	}
	// Kubernetes takes the Secret after its subscription, but no more once the definition has gone.
	if err := r.waitFor(ctx, "secret/erp-kafka", "delete"); err != nil {
		return err
	}
	if _, err := output(ctx, "", r.helm, "-n", r.namespace, "uninstall", operatorRelease, "--wait", "--timeout", soon.String()); err != nil {
		return err
	}
	if err := r.deleteDefinitions(); err != nil {
		return err
	}
	left, err := output(ctx, "", r.kubectl, "get", "customresourcedefinitions,clusterroles,clusterrolebindings", "--output=name")
	if err != nil {
		return err
	}
	for name := range strings.FieldsSeq(left) {
		if strings.HasSuffix(name, ".guanxi.io") || strings.Contains(name, operatorRelease+"-guanxi-operator") {
			err = errors.Join(err, fmt.Errorf("%s is left", name))
		}
	}
	return err
}

// deleteDefinitions works also when the run was stopped, and does nothing where they were not installed or are gone.
func (r *run) deleteDefinitions() error {
	if !r.definitions {
		return nil
	}
	ctx := context.Background()
	if _, err := output(ctx, "", r.helm, "-n", r.namespace, "uninstall", definitionsRelease, "--wait", "--timeout", soon.String()); err != nil {
		return err
	}
	r.definitions = false
	kinds, err := output(ctx, "", r.kubectl, "get", "customresourcedefinitions", "--output=name")
	if err != nil {
		return err
	}
	for name := range strings.FieldsSeq(kinds) {
		if strings.HasSuffix(name, ".guanxi.io") {
			_, waited := output(ctx, "", r.kubectl, "wait", name, "--for=delete", "--timeout="+soon.String())
			err = errors.Join(err, waited)
		}
	}
	return err
}
