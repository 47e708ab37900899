package temporald

import (
	"cmp"

	"github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/server_options"
)

// Web is Temporal's own page.
type Web struct{ server *server.Server }

// NewWeb prepares the page for the Temporal server at addr. It listens at host, which is the loopback where it is empty.
func NewWeb(addr, host string, port int, namespace string) *Web {
	return &Web{server: server.NewServer(server_options.WithConfigProvider(&uiconfig.Config{
		TemporalGRPCAddress: addr,
		Host:                cmp.Or(host, loopback),
		Port:                port,
		EnableUI:            true,
		DefaultNamespace:    namespace,
		DisableNewsFetch:    true,
		HideLogs:            true,
		CORS:                uiconfig.CORS{CookieInsecure: true},
	}))}
}

// Run serves until Stop.
func (w *Web) Run() error { return w.server.Start() }

// Stop ends Run.
func (w *Web) Stop() { w.server.Stop() }
