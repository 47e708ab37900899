package temporald

import (
	"github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/server_options"
)

// Web is Temporal's own page, on loopback.
type Web struct{ server *server.Server }

// NewWeb prepares the page for the Temporal server at addr.
func NewWeb(addr string, port int, namespace string) *Web {
	return &Web{server: server.NewServer(server_options.WithConfigProvider(&uiconfig.Config{
		TemporalGRPCAddress: addr,
		Host:                loopback,
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
