//go:build kube

package e2e_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/guanxi-crm/guanxi/tools/devstack/demo"
	"github.com/guanxi-crm/guanxi/tools/devstack/stack"
	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// whom the broker lets do everything
const (
	brokerUser     = "guanxi"
	brokerPassword = "right-for-this-test"
	patient        = 8 * time.Second // how long a deletion waits for the platform, or for Kafka
)

// intended is the built operator beside the built platform: what is written in Kubernetes has to come about in the platform.
type intended struct {
	*installation
	kube   *kube
	broker *kfake.Cluster
	chen   *client.Client
	args   []string // of the operator, as its chart has them
	env    []string
	path   string
	hooks  chan hook
	hookAt string
}

// TestTheOperatorBringsAboutWhatIsWritten goes the ways of all kinds with everything built: the operator under the service account
// and the roles of its chart, the platform on its database, a broker that asks who one is, and Temporal.
func TestTheOperatorBringsAboutWhatIsWritten(t *testing.T) { //nolint:paralleltest // a whole installation, one at a time
	in := startIntended(t)
	ctx, cancel := context.WithTimeout(t.Context(), 12*time.Minute)
	defer cancel()
	first := in.operator(ctx, "operator-1")
	second := in.operator(ctx, "operator-2")
	for _, step := range []struct {
		name string
		run  func(context.Context)
	}{
		{"a policy is in force", in.policies},
		{"subscribers read what is theirs", in.subscribers},
		{"a webhook is called", in.webhook},
		{"a rollout goes its way", in.rollout},
		{"nothing is written where nothing has changed", in.rest},
		{"another leads when the leader is killed", func(ctx context.Context) { in.succession(ctx, first) }},
		{"the namespace of the operator goes", func(ctx context.Context) { in.leaving(ctx, second) }},
		{"nothing that is deleted hangs", in.deletion},
	} {
		began := time.Now()
		step.run(ctx)
		t.Logf("%s (%s)", step.name, time.Since(began).Round(time.Second))
	}
	for _, name := range []string{"operator-1", "operator-2", "operator-3"} {
		log, err := os.ReadFile(in.stack.Part(name).Log())
		// The lease's own Events have nowhere to go when their namespace does.
		if err != nil || strings.Count(string(log), "forbidden") > strings.Count(string(log), "because it is being terminated") || strings.Contains(string(log), "panic") {
			t.Errorf("%s: the roles of the chart do not do: %v\n%s", name, err, log)
		}
	}
}

// operatorProgram builds the operator beside the other programs.
var operatorProgram = sync.OnceValues(func() (path string, err error) {
	bin, err := programs()
	if err != nil {
		return "", err
	}
	path = filepath.Join(bin, "operator")
	build := exec.Command("go", "build", "-o", path, "./platform/operator/cmd/operator")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

// startIntended starts the platform with a broker that has users and access control, and installs the operator's chart.
func startIntended(t *testing.T) *intended {
	t.Helper()
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	operator, err := operatorProgram()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "guanxi-e2e-")
	if err == nil {
		err = os.Chmod(dir, 0o755) // PostgreSQL's user has to pass through
	}
	ports, portsErr := stack.FreePorts()
	broker, brokerErr := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("SCRAM-SHA-512", brokerUser, brokerPassword))
	if err := errors.Join(err, portsErr, brokerErr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	s, err := stack.Start(ctx, stack.Config{Binary: filepath.Join(bin, "devstack"), Dir: dir, Ports: ports, Report: func(line string) { t.Log(line) }})
	if err != nil {
		t.Fatal(err)
	}
	in := &intended{installation: &installation{t: t, stack: s}, broker: broker, path: operator}
	t.Cleanup(func() {
		s.Stop()
		if t.Failed() {
			t.Logf("state and logs are kept in %s", dir)
			return
		}
		_ = os.RemoveAll(dir)
	})
	in.operate = in.client("", "platform-admin")
	in.first = s.Run(stack.Program{Name: "first", Path: filepath.Join(bin, "guanxi"), Ready: in.operate.Ready, Env: append(in.installation.env(strings.TrimPrefix(s.ServerURL(), "http://")),
		"GUANXI_KAFKA_BROKERS="+strings.Join(broker.ListenAddrs(), ","), "GUANXI_KAFKA_SASL=SCRAM-SHA-512", "GUANXI_KAFKA_USERNAME="+brokerUser, "GUANXI_KAFKA_PASSWORD="+brokerPassword)})
	in.kube = startKube(ctx, in.installation)
	in.listen()
	if err := in.first.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	in.persist(ctx, "tenants", func() error { return in.at().Tenants(ctx) })
	in.chen = in.stand().chen
	in.installOperator(ctx)
	return in
}

// installOperator installs the chart, and keeps how it would start the program, with the credentials of its service account.
func (in *intended) installOperator(ctx context.Context) {
	in.t.Helper()
	k := in.kube
	k.chart(ctx, "guanxi-crds", object{})
	k.chart(ctx, "guanxi-operator", object{
		"replicas": 2, "platform": object{"url": in.stack.ServerURL(), "poll": "1s", "deletionTimeout": patient.String()},
		"oidc":     object{"development": true, "tokenUrl": in.stack.IssuerURL() + "/token"},
		"webhooks": object{"http": true},
		"kafka":    object{"brokers": in.broker.ListenAddrs(), "cluster": "c1", "sasl": "SCRAM-SHA-512", "existingSecret": "kafka"},
	})
	var deployments struct {
		Items []struct {
			Spec struct {
				Template struct {
					Spec struct {
						ServiceAccountName string
						Containers         []struct{ Args []string }
					}
				}
			}
		}
	}
	k.do(ctx, http.MethodGet, "/apis/apps/v1/namespaces/"+operators+"/deployments", nil, &deployments)
	pod := deployments.Items[0].Spec.Template.Spec
	mounted := filepath.Join(k.dir, "mounted")
	in.args = nil
	for _, arg := range pod.Containers[0].Args {
		in.args = append(in.args, strings.ReplaceAll(arg, "/etc/guanxi", mounted))
	}
	var token struct{ Status struct{ Token string } }
	k.do(ctx, http.MethodPost, "/api/v1/namespaces/"+operators+"/serviceaccounts/"+pod.ServiceAccountName+"/token",
		object{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": object{}}, &token)
	if err := errors.Join(os.MkdirAll(filepath.Join(mounted, "kafka"), 0o700), k.write("mounted/kafka/username", brokerUser),
		k.write("mounted/kafka/password", brokerPassword), k.write("operator", kubeconfig(k.url, token.Status.Token))); err != nil {
		in.t.Fatal(err)
	}
	for verb, want := range map[string]bool{"patch": true, "delete": false} {
		var review struct{ Status struct{ Allowed bool } }
		k.do(ctx, http.MethodPost, "/apis/authorization.k8s.io/v1/subjectaccessreviews", object{"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": object{
			"user":               "system:serviceaccount:" + operators + ":" + pod.ServiceAccountName,
			"resourceAttributes": object{"namespace": shop, "verb": verb, "resource": "secrets"},
		}}, &review)
		if review.Status.Allowed != want {
			in.t.Fatalf("the operator may %s Secrets: %t", verb, review.Status.Allowed)
		}
	}
	in.env = append(os.Environ(), "KUBECONFIG="+filepath.Join(k.dir, "operator"))
}

// operator starts an instance as the chart would. The first one that is started leads.
func (in *intended) operator(ctx context.Context, name string) *stack.Process {
	in.t.Helper()
	probes := freeAddr(in.t)
	p := in.stack.Run(stack.Program{
		Name: name, Path: in.path, Env: in.env, StopWithin: time.Minute, Args: append(slices.Clone(in.args), "--probe-addr="+probes, "--lease-namespace="+operators),
		Ready: func(ctx context.Context) error {
			return in.kube.ask(ctx, http.MethodGet, "http://"+probes+"/readyz", nil, nil)
		},
	})
	if err := p.WaitReady(ctx); err != nil {
		in.t.Fatal(err)
	}
	in.eventually(time.Minute, func() error { _, err := in.leader(ctx); return err })
	return p
}

// leader is the identity of whoever holds the lease.
func (in *intended) leader(ctx context.Context) (string, error) {
	var lease struct {
		Spec struct{ HolderIdentity string }
	}
	err := in.kube.ask(ctx, http.MethodGet, in.kube.url+"/apis/coordination.k8s.io/v1/namespaces/"+operators+"/leases/guanxi-operator", nil, &lease)
	if err == nil && lease.Spec.HolderIdentity == "" {
		err = errors.New("nobody leads")
	}
	return lease.Spec.HolderIdentity, err
}

// policies has a policy measure tickets, keeps it as it is written, and tells of a tenant that is not there.
func (in *intended) policies(ctx context.Context) {
	in.t.Helper()
	k, promise := in.kube, object{"firstResponse": "1h30m", "resolution": "4h"}
	gold := k.create(ctx, "slapolicies", "gold", object{
		"tenant": demo.Pizza, "displayName": "Gold", "condition": `channel == "phone"`, "deletionPolicy": "Delete",
		"targets": object{"p1": promise, "p2": promise, "p3": promise, "p4": promise, "p5": promise},
	})
	k.untilReady(ctx, "slapolicies", "gold", "True InForce")
	var ticket struct {
		TicketID string `json:"ticket_id"`
	}
	in.step(ctx, in.chen, "/v1/tickets", "ticket", object{"kind": "enquiry", "channel": "phone", "subject": "Where is it?", "customer_id": uuid.NewString(), "impact": 3, "urgency": 3}, &ticket)
	in.eventually(time.Minute, func() error {
		sla, err := in.chen.ExplainSLA(ctx, ticket.TicketID, time.Time{})
		if err != nil {
			return err
		}
		if sla.Policy == nil || sla.Policy.Name != "Gold" || !slices.ContainsFunc(sla.Clocks, func(c client.SLAClock) bool { return c.Clock == "first_response" && c.TargetMinutes == 90 }) {
			return fmt.Errorf("the ticket is measured by %+v, %+v", sla.Policy, sla.Clocks)
		}
		return nil
	})
	err := in.chen.Post(ctx, "/v1/sla-policies/"+k.untilReady(ctx, "slapolicies", "gold", "True InForce").Status.PolicyID+"/archive", nil, nil)
	if err == nil {
		in.t.Error("people archive what Kubernetes keeps")
	}
	k.edit(ctx, "slapolicies", "gold", object{"displayName": "Gold and more"})
	in.eventually(time.Minute, func() error {
		if names := in.policyNames(ctx, gold.Metadata.UID); !slices.Equal(names, []string{"Gold and more"}) {
			return fmt.Errorf("the policies of the object are %q", names)
		}
		return nil
	})
	k.edit(ctx, "slapolicies", "gold", object{"condition": "nonsense =="})
	refused := k.untilReady(ctx, "slapolicies", "gold", "False Refused")
	if _, message := refused.condition("Ready"); !strings.Contains(message, "condition") {
		in.t.Errorf("the refusal says %q", message)
	}
	k.edit(ctx, "slapolicies", "gold", object{"condition": nil})
	k.untilReady(ctx, "slapolicies", "gold", "True InForce")

	k.create(ctx, "slapolicies", "early", object{"tenant": "bakery", "displayName": "Early", "targets": object{"p1": object{"resolution": "1h"}}})
	k.create(ctx, "crmrollouts", "lost", object{"tenant": "nobody", "displayName": "Lost", "deletionPolicy": "Delete", "phases": []object{{"code": "one", "name": "One", "kind": "other"}}})
	k.untilReady(ctx, "slapolicies", "early", "False UnknownTenant")
	k.untilReady(ctx, "crmrollouts", "lost", "False UnknownTenant")
	if err := in.operate.EnsureTenant(ctx, client.Tenant{TenantID: "bakery", DisplayName: "Bakery", Region: "CN", Language: "en", TimeZone: "Asia/Shanghai", Currency: "CNY"}); err != nil {
		in.t.Fatal(err)
	}
	k.untilReady(ctx, "slapolicies", "early", "True InForce")
}

// policyNames gives the names of the policies that the platform has of an object.
func (in *intended) policyNames(ctx context.Context, uid string) (names []string) {
	in.t.Helper()
	var list struct{ Items []struct{ Name string } }
	in.persist(ctx, "policies", func() error {
		return in.chen.Get(ctx, "/v1/sla-policies?external_id=kubernetes:"+uid, nil, &list)
	})
	for _, one := range list.Items {
		names = append(names, one.Name)
	}
	return names
}

// order has a tenant sell something, and gives the order's id.
func (in *intended) order(ctx context.Context, tenant string) (id string) {
	in.t.Helper()
	currency := map[string]string{demo.Pizza: "CNY", demo.Music: "USD"}[tenant]
	in.persist(ctx, "order", func() (err error) {
		id, err = in.client(tenant, "admin").PlaceOrder(ctx, client.Order{CustomerRef: &client.Ref{System: "till", ID: "o-1"}, Channel: "till", Currency: currency,
			Lines: []client.OrderLine{{SKU: "pizza", Quantity: 1, AmountMinor: 8800}}})
		return err
	})
	return id
}

const (
	salesTopic   = "guanxi.sales.events.v1"
	ticketsTopic = "guanxi.tickets.events.v1"
	orderPlaced  = salesTopic + ".OrderPlaced"
)

// subscribers has credentials read what they are for, and nothing else.
func (in *intended) subscribers(ctx context.Context) {
	in.t.Helper()
	k := in.kube
	in.order(ctx, demo.Music)
	ours := in.order(ctx, demo.Pizza)
	k.create(ctx, "eventsubscriptions", "warehouse", object{"eventTypes": []string{salesTopic + ".*"}, "delivery": object{"kafka": object{}}})
	k.create(ctx, "eventsubscriptions", "erp", object{"tenant": demo.Pizza, "eventTypes": []string{orderPlaced}, "delivery": object{"kafka": object{}}, "deletionPolicy": "Delete"})
	k.untilReady(ctx, "eventsubscriptions", "warehouse", "True Granted")
	erp := k.untilReady(ctx, "eventsubscriptions", "erp", "True Granted")
	ours2 := in.order(ctx, demo.Pizza) // a tenant's topic has what is published from its subscription on

	in.reads(ctx, "warehouse", salesTopic, ours, "")
	in.reads(ctx, "warehouse", ticketsTopic, "", kerr.TopicAuthorizationFailed.Message)
	in.reads(ctx, "warehouse", erp.Status.Topics[0], "", kerr.TopicAuthorizationFailed.Message)
	for _, r := range in.reads(ctx, "erp", erp.Status.Topics[0], ours2, "") {
		if tenant, kind := header(r, "ce_tenant"), header(r, "ce_type"); tenant != demo.Pizza || kind != orderPlaced {
			in.t.Errorf("erp reads %s of %s", kind, tenant)
		}
	}
	in.reads(ctx, "erp", salesTopic, "", kerr.TopicAuthorizationFailed.Message)

	k.create(ctx, "eventsubscriptions", "misspelt", object{"tenant": demo.Pizza, "eventTypes": []string{salesTopic + ".OrderPlacd"}, "delivery": object{"kafka": object{}}})
	misspelt := k.untilReady(ctx, "eventsubscriptions", "misspelt", "False UnknownEventType")
	if _, message := misspelt.condition("Ready"); !strings.Contains(message, "do you mean "+orderPlaced+"?") {
		in.t.Errorf("the refusal says %q", message)
	}
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// reads reads a topic by the Secret of a subscription, in a group of its own, until an order comes; or until it is refused so.
func (in *intended) reads(ctx context.Context, name, topic, order, refused string) (all []*kgo.Record) {
	in.t.Helper()
	var secret struct{ Data map[string][]byte }
	in.kube.do(ctx, http.MethodGet, "/api/v1/namespaces/"+shop+"/secrets/"+name+"-kafka", nil, &secret)
	of := func(key string) string { return string(secret.Data[key]) }
	c, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(of("bootstrap-servers"), ",")...), kgo.ConsumeTopics(topic), kgo.ConsumerGroup(of("group-prefix")+topic),
		kgo.SASL(scram.Auth{User: of("username"), Pass: of("password")}.AsSha512Mechanism()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		in.t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		fetched := c.PollFetches(ctx)
		switch err := fetched.Err(); {
		case err == nil:
		case refused != "" && ctx.Err() == nil && strings.Contains(err.Error(), refused):
			return nil
		default:
			in.t.Fatalf("%s reads %s: %v", name, topic, err)
		}
		if refused != "" && fetched.NumRecords() > 0 {
			in.t.Fatalf("%s reads %s", name, topic)
		}
		all = append(all, fetched.Records()...)
		if order != "" && slices.ContainsFunc(all, func(r *kgo.Record) bool {
			return strings.Contains(string(r.Key)+header(r, "ce_subject")+string(r.Value), order)
		}) {
			return all
		}
	}
}

// hook is a call of the webhook.
type hook struct {
	header http.Header
	body   []byte
}

// listen has webhooks be taken at an address of the machine that is not the loopback, which the operator refuses.
func (in *intended) listen() {
	in.t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		in.t.Fatal(err)
	}
	at := ""
	for _, a := range addresses {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() && !p.Addr().IsLoopback() && !p.Addr().IsLinkLocalUnicast() {
			at = p.Addr().String()
			break
		}
	}
	listener, err := (&net.ListenConfig{}).Listen(in.t.Context(), "tcp", net.JoinHostPort(at, "0"))
	if at == "" || err != nil {
		in.t.Fatalf("the machine has no address off the loopback, where a webhook can be: %v", err)
	}
	in.hooks, in.hookAt = make(chan hook, 100), "http://"+listener.Addr().String()+"/guanxi"
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		in.hooks <- hook{r.Header, body}
	})}
	go func() { _ = server.Serve(listener) }()
	in.t.Cleanup(func() { _ = server.Close() })
}

// webhook has an event be sent, signed as Standard Webhooks are.
func (in *intended) webhook(ctx context.Context) {
	in.t.Helper()
	k := in.kube
	key := []byte("twenty-four bytes or more")
	k.create(ctx, "eventsubscriptions", "shipping", object{"tenant": demo.Pizza, "eventTypes": []string{orderPlaced},
		"delivery": object{"webhook": object{"url": in.hookAt, "secretName": "shipping"}}})
	k.untilReady(ctx, "eventsubscriptions", "shipping", "False SecretMissing")
	k.do(ctx, http.MethodPost, "/api/v1/namespaces/"+shop+"/secrets", object{"metadata": object{"name": "shipping"},
		"stringData": object{"key": "whsec_" + base64.StdEncoding.EncodeToString(key)}}, nil)
	k.untilReady(ctx, "eventsubscriptions", "shipping", "True Delivering") // the Secret wakes the operator
	order := in.order(ctx, demo.Pizza)
	for {
		select {
		case got := <-in.hooks:
			id := got.header.Get("Webhook-Id")
			mac := hmac.New(sha256.New, key)
			fmt.Fprintf(mac, "%s.%s.%s", id, got.header.Get("Webhook-Timestamp"), got.body)
			if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); got.header.Get("Webhook-Signature") != want {
				in.t.Errorf("the signature is %q, not %q", got.header.Get("Webhook-Signature"), want)
			}
			var event struct{ ID, Type, Tenant string }
			if err := json.Unmarshal(got.body, &event); err != nil || event.Type != orderPlaced || event.Tenant != demo.Pizza {
				in.t.Errorf("%v: %s", err, got.body)
			}
			if strings.Contains(string(got.body), order) {
				return
			}
		case <-time.After(time.Minute):
			in.t.Fatal("the webhook is not called")
		}
	}
}

func plan(restName string, restTasks ...string) object {
	tasks := []object{{"code": "train", "title": "Train the south", "owner": "chen"}}
	for _, code := range restTasks {
		tasks = append(tasks, object{"code": code, "title": code, "role": "sponsor", "dueDays": 5})
	}
	return object{
		"phases": []object{{
			"code": "pilot", "name": "Pilot", "kind": "pilot", "units": []string{"north"}, "capabilities": []string{"orders"},
			"tasks": []object{{"code": "train", "title": "Train the north", "owner": "chen"}},
			"enter": []object{{"code": "means", "person": object{"role": "sponsor"}}},
			"leave": []object{{"code": "data", "metric": object{"name": "import_quality", "atLeast": "0.9", "minSample": 10}}, {"code": "agreed", "person": object{"role": "sponsor"}}},
		}, {
			"code": "rest", "name": restName, "kind": "go_live", "units": []string{"south"}, "capabilities": []string{"orders"}, "after": []string{"pilot"}, "tasks": tasks,
		}},
	}
}

// rollout takes one from its pilot to its end, with everything that may come between.
func (in *intended) rollout(ctx context.Context) {
	in.t.Helper()
	k := in.kube
	for _, unit := range []string{"north", "south"} {
		in.put(ctx, in.chen, http.MethodPut, "/v1/units", "", object{"code": unit, "name": unit, "headcount": 5})
	}
	spec := plan("The rest")
	spec["tenant"], spec["displayName"], spec["deletionPolicy"] = demo.Pizza, "Orders", "Delete"
	spec["team"] = []object{{"subject": "chen", "role": "sponsor"}}
	spec["goals"] = []object{{"code": "data", "name": "Good data", "metric": "import_quality", "direction": "up", "baseline": "0.5", "target": "950m"}}
	spec["risks"] = []object{{"code": "errors", "name": "It is not stable", "likelihood": 2, "impact": 4, "trigger": object{"name": "error_rate", "atLeast": "0.99", "minSample": 100000}}}
	k.create(ctx, "crmrollouts", "orders", spec)
	held := func(gate string) func(resource) bool { return func(r resource) bool { return r.Status.Gate == gate } }
	now := k.until(ctx, "crmrollouts", "orders", "held by people", held("means (waiting_for_people)"))
	if stands, _ := now.condition("Progressing"); stands != "True GateHeld" || now.ready() != "True InForce" || now.Status.Phase != "pilot" {
		in.t.Errorf("it stands so: %+v", now)
	}
	north := in.of("li", "north", "agent")
	in.answers(ctx, north, "not_live_for_unit", "orders")

	k.edit(ctx, "crmrollouts", "orders", object{"paused": true})
	k.until(ctx, "crmrollouts", "orders", "paused", func(r resource) bool { return r.Status.State == "paused" && r.Status.PausedByOperator })
	k.edit(ctx, "crmrollouts", "orders", object{"paused": false})
	k.until(ctx, "crmrollouts", "orders", "resumed", func(r resource) bool { return r.Status.State == "running" })

	id := now.Status.RolloutID
	in.decide(ctx, id, client.RolloutDecision{Action: "approve", Phase: "pilot", Gate: "means"})
	k.until(ctx, "crmrollouts", "orders", "worked on", func(r resource) bool {
		stands, _ := r.condition("Progressing")
		return stands == "True UnderWay"
	})
	in.decide(ctx, id, client.RolloutDecision{Action: "complete", Phase: "pilot", Task: "train"})
	k.until(ctx, "crmrollouts", "orders", "held by a number", func(r resource) bool { return strings.HasPrefix(r.Status.Gate, "data (not_") })

	changed := plan("All others", "print")
	changed["displayName"] = "Orders for all"
	k.edit(ctx, "crmrollouts", "orders", changed)
	in.board(ctx, id, "edited mid-way", func(r client.Rollout) bool {
		return r.Name == "Orders for all" && r.PlanVersion == 2 && len(r.Phases[1].Tasks) == 2 && r.Phases[0].State == "leaving"
	})
	bad := plan("All others", "print")
	bad["phases"].([]object)[1]["units"] = []string{"nowhere"}
	k.edit(ctx, "crmrollouts", "orders", bad)
	if _, message := k.untilReady(ctx, "crmrollouts", "orders", "False Refused").condition("Ready"); !strings.Contains(message, "nowhere") && !strings.Contains(message, "unit") {
		in.t.Errorf("the refusal says %q", message)
	}
	k.edit(ctx, "crmrollouts", "orders", changed)
	k.untilReady(ctx, "crmrollouts", "orders", "True InForce")

	in.bring(ctx, "good", 40, 0)
	in.until(ctx, id, "pilot", "live")
	k.until(ctx, "crmrollouts", "orders", "live", func(r resource) bool { return r.Status.Phases[0].State == "live" })
	in.answers(ctx, north, "")
	k.edit(ctx, "crmrollouts", "orders", object{"rollback": object{"id": "1", "phase": "pilot", "reason": "too_early"}})
	k.until(ctx, "crmrollouts", "orders", "rolled back", func(r resource) bool { return r.Status.Phases[0].State == "rolled_back" })
	in.answers(ctx, north, "not_live_for_unit")
	in.decide(ctx, id, client.RolloutDecision{Action: "redo", Phase: "pilot"})
	in.until(ctx, id, "pilot", "live")
	in.until(ctx, id, "rest", "live")
	k.untilReady(ctx, "crmrollouts", "orders", "True Finished")
	in.answers(ctx, north, "")
}

func (in *intended) decide(ctx context.Context, id string, d client.RolloutDecision) {
	in.t.Helper()
	key := uuid.NewString()
	in.persist(ctx, d.Action, func() error { _, err := in.chen.DecideRollout(ctx, id, d, key); return err })
}

// board waits until a rollout stands so in the platform.
func (in *intended) board(ctx context.Context, id, what string, is func(client.Rollout) bool) {
	in.t.Helper()
	where(ctx, in.installation, in.chen, "/v1/rollouts/"+id, is)
	in.t.Log(what)
}

// until does what people have to do until a phase is in a state.
func (in *intended) until(ctx context.Context, id, phase, state string) {
	in.t.Helper()
	in.board(ctx, id, phase+" is "+state, func(r client.Rollout) bool {
		for _, p := range r.Phases {
			if p.Code != phase {
				continue
			}
			if p.State == state || r.State == "finished" {
				return true
			}
			for _, g := range p.Gates {
				if g.Kind == "person" && g.Stands == "held" {
					in.decide(ctx, id, client.RolloutDecision{Action: "approve", Phase: phase, Gate: g.Code})
				}
			}
			for _, task := range p.Tasks {
				if p.State == "working" && task.DoneAt == nil {
					in.decide(ctx, id, client.RolloutDecision{Action: "complete", Phase: phase, Task: task.Code})
				}
			}
		}
		return false
	})
}

// rest holds that an operator which has nothing to do writes nothing, neither in Kubernetes nor in the platform.
func (in *intended) rest(ctx context.Context) {
	in.t.Helper()
	k := in.kube
	draft := plan("The rest")
	draft["tenant"], draft["displayName"], draft["paused"] = demo.Pizza, "Later", true
	draft["team"] = []object{{"subject": "chen", "role": "sponsor"}}
	k.create(ctx, "crmrollouts", "later", draft)
	k.untilReady(ctx, "crmrollouts", "later", "True InForce")
	objects := [][2]string{{"crmrollouts", "orders"}, {"crmrollouts", "later"}, {"slapolicies", "gold"}, {"slapolicies", "early"}, {"eventsubscriptions", "misspelt"}}
	look := func() (versions []string) {
		for _, o := range objects {
			var now resource
			k.do(ctx, http.MethodGet, kindPath(o[0])+"/"+o[1], nil, &now)
			versions = append(versions, o[1]+" "+now.Metadata.ResourceVersion)
		}
		var all struct {
			Items []struct {
				Name    string
				Version int64
			}
		}
		for _, path := range []string{"/v1/rollouts", "/v1/sla-policies"} {
			in.persist(ctx, path, func() error { return in.chen.Get(ctx, path, nil, &all) })
			versions = append(versions, fmt.Sprintf("%s %+v", path, all.Items))
		}
		return versions
	}
	time.Sleep(3 * time.Second) // what the last steps have left to do
	before := look()
	time.Sleep(8 * time.Second) // eight polls
	if after := look(); !slices.Equal(before, after) {
		in.t.Errorf("something is written though nothing has changed:\n%s\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
}

// succession kills the leader, and has the other do what comes.
func (in *intended) succession(ctx context.Context, leads *stack.Process) {
	in.t.Helper()
	k := in.kube
	was, err := in.leader(ctx)
	if err == nil {
		err = leads.Hold() // by SIGKILL: it gives nothing back
	}
	if err != nil {
		in.t.Fatal(err)
	}
	k.edit(ctx, "slapolicies", "gold", object{"displayName": "Gold under another"})
	third := k.create(ctx, "crmrollouts", "third", object{"tenant": demo.Music, "displayName": "Third", "team": []object{{"subject": "chen", "role": "sponsor"}},
		"phases": []object{{"code": "one", "name": "One", "kind": "other", "tasks": []object{{"code": "think", "title": "Think", "owner": "chen"}}}}})
	in.eventually(2*time.Minute, func() error {
		is, err := in.leader(ctx)
		if err == nil && is == was {
			err = errors.New("the dead one leads")
		}
		return err
	})
	k.until(ctx, "slapolicies", "gold", "changed by the other", func(r resource) bool {
		return r.ready() == "True InForce" && r.Status.ObservedGeneration == r.Metadata.Generation
	})
	k.untilReady(ctx, "crmrollouts", third.Metadata.Name, "True InForce")
	order := in.order(ctx, demo.Pizza)
	in.reads(ctx, "erp", k.untilReady(ctx, "eventsubscriptions", "erp", "True Granted").Status.Topics[0], order, "")
}

// deletion deletes everything: first while all is there, then while the platform and Kafka are away.
func (in *intended) deletion(ctx context.Context) {
	in.t.Helper()
	k := in.kube
	var secret struct{ Data map[string][]byte }
	k.do(ctx, http.MethodGet, "/api/v1/namespaces/"+shop+"/secrets/erp-kafka", nil, &secret)
	for _, o := range [][2]string{{"crmrollouts", "orders"}, {"crmrollouts", "third"}, {"crmrollouts", "lost"}, {"slapolicies", "early"}, {"eventsubscriptions", "warehouse"}, {"eventsubscriptions", "misspelt"}, {"eventsubscriptions", "erp"}} {
		k.delete(ctx, o[0], o[1], time.Minute)
	}
	in.eventually(time.Minute, func() error {
		c, err := kgo.NewClient(kgo.SeedBrokers(in.broker.ListenAddrs()...), kgo.SASL(scram.Auth{User: string(secret.Data["username"]), Pass: string(secret.Data["password"])}.AsSha512Mechanism()))
		if err != nil {
			return err
		}
		defer c.Close()
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if c.Ping(ctx) == nil {
			return errors.New("credentials of what is deleted still hold")
		}
		return nil
	})
	k.edit(ctx, "crmrollouts", "later", object{"deletionPolicy": "Delete"})
	k.edit(ctx, "eventsubscriptions", "shipping", object{"deletionPolicy": "Delete"})
	for _, o := range [][2]string{{"crmrollouts", "later"}, {"eventsubscriptions", "shipping"}} {
		k.until(ctx, o[0], o[1], "seen", func(r resource) bool { return r.Status.ObservedGeneration == r.Metadata.Generation })
	}
	if err := in.first.Hold(); err != nil {
		in.t.Fatal(err)
	}
	in.broker.Close()
	for _, o := range [][2]string{{"crmrollouts", "later"}, {"slapolicies", "gold"}, {"eventsubscriptions", "shipping"}} {
		k.delete(ctx, o[0], o[1], patient+time.Minute)
	}
}
