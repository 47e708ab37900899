package pgtest_test

import (
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/freeport"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
)

func TestAServerForOthersLetsThemInByPassword(t *testing.T) {
	t.Parallel()
	ports, err := freeport.Reserve(1)
	require.NoError(t, err)
	server, err := pgtest.StartServer(t.Context(), pgtest.ServerConfig{
		Dir: serverDir(t), Port: ports[0], Host: "0.0.0.0", Password: "known outside",
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	addrs, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, addr := range addrs {
		network, ok := addr.(*net.IPNet)
		if !ok || network.IP.To4() == nil {
			continue
		}
		url := strings.Replace(server.AdminURL(), "127.0.0.1", network.IP.String(), 1)
		require.Contains(t, url, "known%20outside")
		require.Equal(t, "postgres", query(t, url, "SELECT current_user::text"), "at %s", network.IP)
	}
}
