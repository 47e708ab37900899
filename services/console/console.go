// Package console is the page that people work in, and the one origin that their browsers talk to: it signs people in, keeps the
// tokens away from the browser, and passes requests on to the services.
//
// Rooms import each other in this order: session, signin, live, edge.
package console

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/services/console/internal/edge"
	"github.com/guanxi-crm/guanxi/services/console/internal/live"
	"github.com/guanxi-crm/guanxi/services/console/internal/session"
	"github.com/guanxi-crm/guanxi/services/console/internal/signin"
	"github.com/guanxi-crm/guanxi/services/console/migrations"
	"github.com/guanxi-crm/guanxi/services/console/web"
)

const name = "console"

// services are those whose APIs the page uses.
func services() []string {
	return []string{"accounts", "sales", "loyalty", "tickets", "analytics", "rollout"}
}

// Module is the service. It serves the page where console.url is set.
func Module() app.Module {
	return app.Module{
		Name:       name,
		Title:      "Guanxi console",
		Migrations: migrations.FS,
		Build: func(d app.Deps) (app.Parts, error) {
			if d.Config.Console.URL == "" {
				d.Log.Info("the console is not served: console.url is not set")
				return app.Parts{}, nil
			}
			page, err := build(d)
			if err != nil {
				return app.Parts{}, err
			}
			return app.Parts{Site: &httpx.Site{Prefix: edge.Prefix, Serve: page.Serve}}, nil
		},
	}
}

func build(d app.Deps) (*edge.Edge, error) {
	cfg := d.Config.Console
	at, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("console.url: %w", err)
	}
	at.Path = ""
	key := cfg.Key
	if key == "" {
		key = d.Config.Flow.Key
	}
	kept, err := session.NewSealer([]byte(key), "session")
	if err != nil {
		return nil, err
	}
	underWay, err := session.NewSealer([]byte(key), "sign-in")
	if err != nil {
		return nil, err
	}
	files, err := web.Files()
	if err != nil {
		return nil, err
	}
	home := at.String() + edge.Prefix
	signIn := signin.New(signin.Config{
		Issuer: d.Config.OIDC.Issuer, ClientID: cfg.ClientID, ClientSecret: cfg.ClientSecret, Scopes: cfg.Scopes,
		Callback: home + "/callback", After: home + "/",
	}, underWay, d.Tokens, d.Clock)
	return edge.New(
		edge.Config{
			URL: at, Services: services(), Absolute: cfg.Absolute,
			Workflows: workflows(cfg.WorkflowsURL, d.Config.Temporal.Namespace), Traces: cfg.TracesURL,
		},
		edge.Parts{
			Sessions: session.NewStore(d.DB, kept, cfg.Idle, cfg.Absolute, signIn.Renew, d.Clock),
			SignIn:   signIn, Tokens: d.Tokens, Hub: live.NewHub(d.Bus, services(), d.Log), Base: d.Peers.URL,
		},
		edge.Page{Files: files, Instead: web.Placeholder},
	)
}

// workflows is where Temporal's own page shows the workflows of a namespace; empty where nobody said where the page is.
func workflows(page, namespace string) string {
	if page == "" {
		return ""
	}
	return strings.TrimRight(page, "/") + "/namespaces/" + url.PathEscape(namespace) + "/workflows"
}
