package e2e_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/tools/devstack/demo"
	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// secrets are what a person is recognised by, in the forms in which it may have been kept: each byte sequence stands nowhere
// but where this person's data stands.
var secrets = []string{"欧阳佩兰", "佩兰", "13977001122", "139 7700 1122", "peilan.ouyang@example.net", "兰州路77号", "Peilan Ouyang"}

// traces gives where any of the secrets stands: tables of every database, Temporal's histories among them, topics, and the
// logs of every part.
func (in *installation) traces(ctx context.Context) []string {
	in.t.Helper()
	var all []string
	for _, database := range in.databases(ctx) {
		all = append(all, in.tracesInTables(ctx, database)...)
	}
	for _, service := range publishers {
		all = append(all, in.tracesOnTopic(ctx, bus.TopicFor(service))...)
	}
	logs, err := filepath.Glob(filepath.Join(in.stack.Dir(), "log", "*.log"))
	if err != nil || len(logs) == 0 {
		in.t.Fatalf("no logs: %v", err)
	}
	for _, log := range logs {
		raw, err := os.ReadFile(log)
		if err != nil {
			in.t.Fatal(err)
		}
		all = append(all, found(filepath.Base(log), raw)...)
	}
	return all
}

func found(where string, raw []byte) (all []string) {
	for _, s := range secrets {
		if bytes.Contains(raw, []byte(s)) {
			all = append(all, fmt.Sprintf("%q in %s", s, where))
		}
	}
	return all
}

func (in *installation) databases(ctx context.Context) []string {
	in.t.Helper()
	db, err := in.database(ctx, "")
	if err != nil {
		in.t.Fatal(err)
	}
	defer func() { _ = db.Close(ctx) }()
	rows, err := db.Query(ctx, `SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate AND datname NOT LIKE '%\_copy'`)
	if err != nil {
		in.t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(names) < 7 { // five services, Temporal's two
		in.t.Fatalf("databases %v: %v", names, err)
	}
	return names
}

// tracesInTables looks through every row of every table as text, where bytes stand in hexadecimal.
func (in *installation) tracesInTables(ctx context.Context, database string) (all []string) {
	in.t.Helper()
	cfg, err := pgx.ParseConfig(in.stack.AdminURL())
	if err != nil {
		in.t.Fatal(err)
	}
	cfg.Database = database
	db, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		in.t.Fatal(err)
	}
	defer func() { _ = db.Close(ctx) }()
	rows, err := db.Query(ctx, `SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'`)
	if err != nil {
		in.t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		in.t.Fatal(err)
	}
	patterns := make([]string, 0, 2*len(secrets))
	for _, s := range secrets {
		patterns = append(patterns, "%"+s+"%", "%"+hex.EncodeToString([]byte(s))+"%")
	}
	for _, table := range tables {
		var n int64
		if err := db.QueryRow(ctx, `SELECT count(*) FROM `+table+` t WHERE t::text LIKE ANY($1)`, patterns).Scan(&n); err != nil {
			in.t.Fatal(err)
		}
		if n > 0 {
			all = append(all, fmt.Sprintf("%d rows of %s %s", n, database, table))
		}
	}
	return all
}

func (in *installation) tracesOnTopic(ctx context.Context, topic string) (all []string) {
	in.t.Helper()
	in.wire(ctx, topic, func(partition int, raw []byte) {
		all = append(all, found(fmt.Sprintf("%s/%d", topic, partition), raw)...)
	})
	return all
}

// wire gives every message of a topic, with its key and headers, as bytes.
func (in *installation) wire(ctx context.Context, topic string, each func(partition int, raw []byte)) {
	in.t.Helper()
	first, next, err := in.bus.Offsets(ctx, topic)
	if err != nil {
		in.t.Fatal(err)
	}
	for partition := range next {
		err := in.bus.Read(ctx, topic, partition, first[partition], next[partition], func(m bus.Message) error {
			raw := append(append([]byte{}, m.Key...), m.Value...)
			for _, h := range m.Headers {
				raw = append(append(raw, h.Key...), h.Value...)
			}
			each(partition, raw)
			return nil
		})
		if err != nil {
			in.t.Fatal(err)
		}
	}
}

// ouyang is a customer of whom every service knows something; the platform is told of her in every way there is.
func (in *installation) ouyang(ctx context.Context, d desk) (id, alias string) {
	in.t.Helper()
	post := func(path string, in1, out any) {
		in.t.Helper()
		in.persist(ctx, path, func() error { return d.admin.Post(ctx, path, in1, out) })
	}
	type object = map[string]any
	register := func(names object, identities ...object) string {
		var made struct {
			CustomerID string `json:"customer_id"`
		}
		names["identities"] = identities
		post("/v1/customers", names, &made)
		return made.CustomerID
	}
	id = register(object{"family_name": "欧阳", "given_name": "佩兰", "display_name": "欧阳佩兰"},
		object{"type": "phone", "value": "139 7700 1122"}, object{"type": "card", "value": "OUYANG77"}, object{"type": "external:till", "value": "o-77"})
	alias = register(object{"given_name": "Peilan", "family_name": "Ouyang", "display_name": "Peilan Ouyang"},
		object{"type": "email", "value": "Peilan.Ouyang@example.net"})
	post("/v1/customers/"+id+"/merges", object{"absorbed_id": alias}, nil)
	post("/v1/customers/"+id+"/addresses", object{"kind": "home", "lines": []string{"兰州路77号"}, "city": "兰州", "country": "CN"}, nil)
	post("/v1/customers/"+id+"/consents", object{"purpose": "marketing", "channel": "sms", "address": "13977001122", "state": "withdrawn", "source": "counter"}, nil)
	post("/v1/customers/"+alias+"/interactions", object{"channel": "phone", "direction": "inbound", "summary": "欧阳佩兰 asked about 兰州路77号."}, nil)
	post("/v1/customers/"+id+"/assets", object{"type": "appliance", "product": "oven", "serial": "13977001122", "name": "佩兰's oven"}, nil)
	post("/v1/tickets", object{"kind": "enquiry", "channel": "phone", "subject": "欧阳佩兰: 139 7700 1122", "description": "peilan.ouyang@example.net", "customer_id": alias, "impact": 3, "urgency": 3}, nil)
	if _, err := d.admin.PlaceOrder(ctx, client.Order{CustomerRef: &client.Ref{System: "till", ID: "o-77"}, Channel: "till", Currency: "CNY",
		Lines: []client.OrderLine{{SKU: "pizza", Quantity: 1, AmountMinor: 8800}}}); err != nil {
		in.t.Fatal(err)
	}
	in.prospect(ctx, d, id, alias)
	return id, alias
}

// prospect is what sales knows of her: a lead that became an opportunity, with notes, a call, a quote and a card.
func (in *installation) prospect(ctx context.Context, d desk, id, alias string) {
	in.t.Helper()
	var lead prospect
	in.step(ctx, d.admin, "/v1/leads", "lead", object{
		"name": "欧阳佩兰", "phone": "139 7700 1122", "email": "Peilan.Ouyang@example.net", "message": "兰州路77号", "customer_id": alias,
	}, &lead)
	path := "/v1/leads/" + lead.LeadID
	in.step(ctx, d.admin, path+"/notes", "note", object{"words": "佩兰 likes mushrooms."}, nil)
	in.step(ctx, d.admin, path+"/convert", "convert", object{"customer_id": id, "opportunity": object{"name": "Wedding of 佩兰"}}, nil)
	made := where(ctx, in, d.admin, path+"/conversion", conversion.ended)
	if made.State != "converted" {
		in.t.Fatalf("%+v", made)
	}
	in.step(ctx, d.admin, "/v1/activities", "call", object{
		"kind": "call", "title": "Call 佩兰", "notes": "139 7700 1122", "due_on": "2027-01-31", "opportunity_id": made.OpportunityID,
	}, nil)
	in.step(ctx, d.admin, "/v1/quotes", "quote", object{
		"customer_id": alias, "currency": "CNY", "title": "For 欧阳佩兰", "recipient": "欧阳佩兰, 兰州路77号", "lines": []object{{"text": "Cake for 佩兰", "quantity": 1, "unit_price_minor": 8_800}},
	}, nil)
}

// rejectedRows are a file's rows that are not taken, which keep what they say for a while.
func (in *installation) rejectedRows(ctx context.Context) {
	in.t.Helper()
	api := in.client(demo.Pizza, "operations")
	job, err := api.StartImport(ctx, client.ImportRequest{Kind: "customers", Format: "csv", Header: true,
		Body: strings.NewReader("display_name,email,phone\n欧阳佩兰,no address,139 7700 1122\nsomebody,no address either,\n")})
	if err != nil {
		in.t.Fatal(err)
	}
	if job, err = api.WaitImport(ctx, "customers", job.ID, nil); err != nil || job.Rejected != 2 {
		in.t.Fatalf("%+v %v", job, err)
	}
}

// TestAnErasedCustomerIsNowhere erases a customer of whom every service knows something and looks for her, byte by byte, in
// every table, history, topic and log; then once more after all topics were read again from their start.
func TestAnErasedCustomerIsNowhere(t *testing.T) { //nolint:paralleltest // it wants the machine for itself
	in := install(t)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	in.persist(ctx, "tenants", func() error { return in.at().Tenants(ctx) })
	d := in.desk()
	id, alias := in.ouyang(ctx, d)
	in.rejectedRows(ctx)
	complaint, err := d.agent.RegisterComplaint(ctx, client.NewComplaint{
		CustomerID: id, Category: "product", Channel: "phone", Description: "欧阳佩兰 got a cold pizza at 兰州路77号.", Wish: "Call 139 7700 1122.",
	})
	if err != nil {
		t.Fatal(err)
	}
	in.eventually(2*time.Minute, in.level)
	if len(in.traces(ctx)) < 8 {
		t.Fatalf("she should be known all over the place: %v", in.traces(ctx))
	}

	var e erasure
	in.persist(ctx, "erasure", func() error { return d.admin.Post(ctx, "/v1/customers/"+alias+"/erasures", map[string]string{}, &e) })
	in.erasureIs(ctx, d, &e, "held")
	if len(e.Holds) != 1 || e.Holds[0].Code != "complaint_open" || e.Holds[0].ReferenceID != complaint.ComplaintID {
		t.Fatalf("an open complaint holds: %+v", e)
	}
	if _, err := d.agent.Decide(ctx, complaint.ComplaintID, "withdraw", client.Decision{Reason: "佩兰 let it be."}, "withdraw"); err != nil {
		t.Fatal(err)
	}
	in.persist(ctx, "recheck", func() error { return d.admin.Post(ctx, "/v1/erasures/"+e.ErasureID+"/recheck", nil, nil) })
	if err := in.second.Kill(); err != nil { // in the middle of it
		t.Fatal(err)
	}
	in.erasureIs(ctx, d, &e, "erased")
	for _, report := range e.Reports {
		for _, what := range report.Erased {
			if what.Left != 0 {
				t.Errorf("%s left %+v", report.Service, what)
			}
		}
	}
	if len(e.Reports) != 10 { // five services, two rounds
		t.Errorf("%d reports: %+v", len(e.Reports), e.Reports)
	}
	in.eventually(2*time.Minute, in.level)
	in.isNowhere(ctx, d, id, alias)

	if err := in.replayTopics(ctx); err != nil {
		t.Fatal(err)
	}
	in.rebuildIsEqual(ctx, "accounts")
	in.eventually(2*time.Minute, in.level)
	in.isNowhere(ctx, d, id, alias)
}

type erasure struct {
	ErasureID string `json:"erasure_id"`
	State     string `json:"state"`
	Holds     []struct {
		Code        string `json:"code"`
		ReferenceID string `json:"reference_id"`
	} `json:"holds"`
	Reports []struct {
		Service string `json:"service"`
		Erased  []struct {
			What        string
			Count, Left int64
		} `json:"erased"`
	} `json:"reports"`
}

func (in *installation) erasureIs(ctx context.Context, d desk, e *erasure, state string) {
	in.t.Helper()
	in.eventually(2*time.Minute, func() error {
		*e = erasure{ErasureID: e.ErasureID}
		if err := d.admin.Get(ctx, "/v1/erasures/"+e.ErasureID, nil, e); err != nil {
			return err
		}
		if e.State != state {
			return fmt.Errorf("the erasure is %s, not %s: %+v", e.State, state, e)
		}
		return nil
	})
}

func (in *installation) isNowhere(ctx context.Context, d desk, ids ...string) {
	in.t.Helper()
	if left := in.traces(ctx); len(left) > 0 {
		in.t.Errorf("she is still known: %v", left)
	}
	for _, id := range ids {
		err := d.admin.Get(ctx, "/v1/customers/"+id, nil, nil)
		if err == nil || !strings.Contains(err.Error(), "customer_erased") {
			in.t.Errorf("customer %s: %v, want customer_erased", id, err)
		}
	}
}
