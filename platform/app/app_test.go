package app_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
)

// patient is a service with one operation, which answers when answer is closed.
func patient(entered chan<- struct{}, answer <-chan struct{}) app.Module {
	return app.Module{
		Name: "patient", Title: "Patient", Migrations: fstest.MapFS{},
		Build: func(app.Deps) (app.Parts, error) {
			return app.Parts{Routes: []func(*httpx.API){func(api *httpx.API) {
				httpx.Register(api, httpx.Operation{
					ID: "wait", Method: http.MethodGet, Path: "/v1/wait", Summary: "Wait", Permission: auth.Operate,
				}, func(context.Context, *struct{}) (*struct{}, error) {
					entered <- struct{}{}
					<-answer
					return nil, nil
				})
			}}}, nil
		},
	}
}

func TestShutdownLosesNoRequest(t *testing.T) {
	t.Parallel()
	entered, answer := make(chan struct{}, 1), make(chan struct{})
	m := patient(entered, answer)
	s := apptest.StartOn(t, m, pgtest.Database(t, m.Source()), func(c *app.Config) { c.HTTP.ShutdownDelay = time.Second })
	token := s.Token("operations", "music")
	s.Eventually("it is ready", func() bool { return s.Do(http.MethodGet, "/readyz", "", nil).Status == http.StatusOK })

	answered := make(chan int, 1)
	go func() { answered <- s.Do(http.MethodGet, "/v1/wait", token, nil).Status }()
	<-entered
	ended := make(chan error, 1)
	go func() { ended <- s.Stop() }()
	s.Eventually("load balancers are told to look away while connections are still taken", func() bool {
		return s.Do(http.MethodGet, "/readyz", "", nil).Status == http.StatusServiceUnavailable
	})
	if status := s.Do(http.MethodGet, "/livez", "", nil).Status; status != http.StatusOK {
		t.Errorf("a process that is going down is alive: got %d", status)
	}
	select {
	case err := <-ended:
		t.Fatalf("it ended with %v while a request was in flight", err)
	case <-time.After(1500 * time.Millisecond): // longer than the delay
	}
	close(answer)
	if status := <-answered; status != http.StatusNoContent {
		t.Errorf("the request in flight got %d", status)
	}
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestAPartThatFailsTakesTheProcessDown(t *testing.T) {
	t.Parallel()
	broken := errors.New("the spring is broken")
	m := patient(nil, nil)
	build := m.Build
	m.Build = func(d app.Deps) (app.Parts, error) {
		parts, err := build(d)
		parts.Background = []func(context.Context) error{func(context.Context) error { return broken }}
		parts.Worker = nil
		return parts, err
	}
	s := apptest.StartOn(t, m, pgtest.Database(t, m.Source()), func(c *app.Config) { c.Run = app.AllRoles })
	if err := s.Wait(); !errors.Is(err, broken) || !strings.Contains(err.Error(), "patient: background") {
		t.Fatalf("it ended with %v, want the name and the reason of the part", err)
	}
}

func TestReadinessFollowsTheDatabase(t *testing.T) {
	t.Parallel()
	m := patient(nil, nil)
	database := pgtest.OwnServer(t, m.Source())
	s := apptest.StartOn(t, m, database, func(*app.Config) {})
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	ready := func(want int) func() bool {
		return func() bool { return s.Do(http.MethodGet, "/readyz", "", nil).Status == want }
	}
	s.Eventually("it is ready", ready(http.StatusOK))
	if err := database.Server().Stop(pgtest.Immediate); err != nil {
		t.Fatal(err)
	}
	s.Eventually("it is not ready without its database", ready(http.StatusServiceUnavailable))
	if status := s.Do(http.MethodGet, "/livez", "", nil).Status; status != http.StatusOK {
		t.Errorf("a process without a database must not be killed for it: got %d", status)
	}
	if err := database.Server().Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Eventually("it is ready again by itself", ready(http.StatusOK))
}

func TestAnOldSchemaIsNotReady(t *testing.T) {
	t.Parallel()
	m := patient(nil, nil)
	database := pgtest.Database(t, m.Source())
	m.Migrations = fstest.MapFS{"00001_new.sql": {Data: []byte("-- +goose Up\nCREATE TABLE newer (id int PRIMARY KEY);\n")}}
	s := apptest.StartOn(t, m, database, func(*app.Config) {})
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	answer := s.Do(http.MethodGet, "/readyz", "", nil)
	if answer.Status != http.StatusServiceUnavailable || !strings.Contains(string(answer.Body), "run migrate") {
		t.Errorf("got %d %s, want it to say what to do", answer.Status, answer.Body)
	}
}

func TestRolesChooseParts(t *testing.T) {
	t.Parallel()
	m := patient(nil, nil)
	s := apptest.StartOn(t, m, pgtest.Database(t, m.Source()), func(c *app.Config) { c.Run = []string{app.RoleRelay} })
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	s.Eventually("probes are always there", func() bool { return s.Do(http.MethodGet, "/readyz", "", nil).Status == http.StatusOK })
	if status := s.Do(http.MethodGet, "/v1/wait", s.Token("operations", "music"), nil).Status; status != http.StatusNotFound {
		t.Errorf("a process without the role http answered %d", status)
	}
}

func TestTheCommandLine(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name      string
		args      []string
		environ   []string
		want      string // in what it prints
		wantError string
	}{
		{"--validate prints what holds", []string{"--validate"}, complete(), "* pg.url", ""},
		{"--run is part of it", []string{"serve", "--validate", "--run=http,relay"}, complete(), "run = [http relay]", ""},
		{"--services chooses one", []string{"openapi", "--services=patient", "patient"}, nil, "/v1/wait", ""},
		{"what is not chosen is not there", []string{"openapi", "--services=patient", "other"}, nil, "", `no service "other"`},
		{"an unknown service names those that there are", []string{"--services=patiens"}, complete(), "", `"patiens" is not one of other, patient`},
		{"an incomplete configuration names what is missing", []string{"--validate"}, nil, "", "kafka.brokers: is required"},
		{"an unknown role", []string{"--validate", "--run=web"}, complete(), "", `"web" is not one of`},
		{"an unknown command", []string{"start"}, complete(), "Usage", `unknown command "start"`},
		{"a missing file", []string{"--config", "/nowhere.yaml"}, complete(), "", "/nowhere.yaml"},
		{"bootstrap without the right to", []string{"bootstrap"}, complete(), "", "pg.admin_url"},
		{"the document of a service", []string{"openapi", "patient"}, nil, "/v1/wait", ""},
		{"the document of no service", []string{"openapi", "nobody"}, nil, "", `no service "nobody"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			other := patient(nil, nil)
			other.Name = "other"
			err := app.Run(t.Context(), c.args, c.environ, &out, patient(nil, nil), other)
			if (err == nil) != (c.wantError == "") || err != nil && !strings.Contains(err.Error(), c.wantError) {
				t.Errorf("got error %v, want %q", err, c.wantError)
			}
			if !strings.Contains(out.String(), c.want) {
				t.Errorf("printed %q, want %q in it", out.String(), c.want)
			}
		})
	}
}

func TestStatusTellsHowTheServiceIsDoing(t *testing.T) {
	t.Parallel()
	m := patient(nil, nil)
	s := apptest.Start(t, m)
	operator := s.Token("platform-admin", "")
	var got app.Status
	s.Eventually("it has topics", func() bool {
		return s.Do(http.MethodGet, "/v1/ops/patient/status", operator, nil).Status == http.StatusOK
	})
	s.Want(http.StatusOK, http.MethodGet, "/v1/ops/patient/status", operator, nil, &got)
	if got.Service != "patient" || got.Database != "ok" || got.Kafka != "ok" || got.OutboxBacklog != 0 || got.OutboxParked != 0 || len(got.Consumers) != 1 || got.Consumers[0].Name != "entitlements" {
		t.Errorf("got %+v", got)
	}
	if answer := s.Do(http.MethodGet, "/v1/ops/patient/status", s.Token("agent", "music"), nil); answer.Status != http.StatusForbidden {
		t.Errorf("an agent got %d", answer.Status)
	}
}
