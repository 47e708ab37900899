// Package demo fills an installation with two tenants, through its public surface only: music, the purchases of a real
// cohort (or, without that file, a synthetic one), and pizza, a small shop with Chinese and English customers.
package demo

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/tools/devstack/cdnow"
	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// The tenants.
const (
	Music = "music"
	Pizza = "pizza"
)

//go:embed pizza_customers.csv
var pizzaCustomers []byte

//go:embed pizza_orders.csv
var pizzaOrders []byte

// Installation is where the data goes.
type Installation struct {
	Server, Issuer string
	// Report gets a line for each thing worth telling.
	Report func(string)
}

// Client gives a client with a token of the development issuer; the tenant may be empty for a platform administrator.
func (i Installation) Client(tenant, role string) (*client.Client, error) {
	return i.ClientOf("devstack", tenant, role)
}

// ClientOf is Client for a person of one's own choice: who proposes something must not approve it. All of them work in the unit in which
// the rollout of the demo data is live.
func (i Installation) ClientOf(subject, tenant, role string) (*client.Client, error) {
	return client.New(i.Server, client.FromDevIssuer(i.Issuer, client.DevToken{
		Subject: subject, Tenant: tenant, Roles: []string{role}, Unit: auth.DevUnit,
	}))
}

// Tenants makes both tenants.
func (i Installation) Tenants(ctx context.Context) error {
	api, err := i.Client("", "platform-admin")
	if err != nil {
		return err
	}
	for _, t := range []client.Tenant{
		{TenantID: Music, DisplayName: "CD music shop", Region: "US", Language: "en", TimeZone: "America/New_York", Currency: "USD"},
		{TenantID: Pizza, DisplayName: "老王比萨 Lao Wang Pizza", Region: "CN", Language: "zh-Hans", TimeZone: "Asia/Shanghai", Currency: "CNY"},
	} {
		if err := api.EnsureTenant(ctx, t); err != nil {
			return fmt.Errorf("tenant %s: %w", t.TenantID, err)
		}
	}
	return nil
}

// LoadMusic imports the customers of the purchase history and then the purchases.
func (i Installation) LoadMusic(ctx context.Context, source cdnow.Source) error {
	request := client.ImportRequest{Format: "whitespace", Header: true, Policy: "skip"}
	request.Kind, request.Mapping = "customers", cdnow.CustomersMapping()
	if err := i.load(ctx, Music, request, source.Data); err != nil {
		return err
	}
	request.Kind, request.Mapping = "orders", cdnow.OrdersMapping()
	return i.load(ctx, Music, request, source.Data)
}

// LoadPizza imports the customers of the pizza shop and what they ordered.
func (i Installation) LoadPizza(ctx context.Context) error {
	customers := client.ImportRequest{
		Kind: "customers", Format: "csv", Header: true, Policy: "skip",
		Mapping: []string{
			"external:till=number", "kind=kind", "display_name=display_name", "family_name=family_name",
			"given_name=given_name", "legal_name=legal_name", "phone=phone", "email=email", "card=card",
		},
	}
	if err := i.load(ctx, Pizza, customers, pizzaCustomers); err != nil {
		return err
	}
	orders := client.ImportRequest{
		Kind: "orders", Format: "csv", Header: true, Policy: "skip",
		Mapping: []string{
			"external_id=order", "customer=customer", "customer_system='till'", "placed_at=placed_at", "channel=channel",
			"sku=item", "quantity=quantity", "amount=amount", "currency='CNY'",
		},
	}
	return i.load(ctx, Pizza, orders, pizzaOrders)
}

// load imports one file and demands that every row goes in.
func (i Installation) load(ctx context.Context, tenant string, request client.ImportRequest, data []byte) error {
	api, err := i.Client(tenant, "operations")
	if err != nil {
		return err
	}
	began := time.Now()
	request.Body = bytes.NewReader(data)
	job, err := api.StartImport(ctx, request)
	if err != nil {
		return fmt.Errorf("tenant %s, import of %s: %w", tenant, request.Kind, err)
	}
	told := time.Now()
	job, err = api.WaitImport(ctx, request.Kind, job.ID, func(now client.Import) {
		if time.Since(told) > 3*time.Second {
			told = time.Now()
			i.Report(fmt.Sprintf("tenant %s: %s, %.0f%% of the file, %d rows", tenant, request.Kind, 100*now.Progress, now.Rows))
		}
	})
	if err != nil {
		return fmt.Errorf("tenant %s, import of %s: %w", tenant, request.Kind, err)
	}
	if job.State != "finished" || job.Rejected > 0 {
		return fmt.Errorf("tenant %s, import %s of %s is %s %s with %d rows rejected",
			tenant, job.ID, request.Kind, job.State, job.Failure, job.Rejected)
	}
	took := time.Since(began)
	i.Report(fmt.Sprintf("tenant %s: %d rows of %s in %.1f s (%.0f rows/s)",
		tenant, job.Rows, request.Kind, took.Seconds(), float64(job.Rows)/took.Seconds()))
	return nil
}
