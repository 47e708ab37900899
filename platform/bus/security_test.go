package bus_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/bustest"
)

func TestTheClientSaysWhoItIsUnderTLS(t *testing.T) {
	t.Parallel()
	web := httptest.NewTLSServer(nil) // for its certificate, which is good for 127.0.0.1
	t.Cleanup(web.Close)
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	for _, mechanism := range []bus.Mechanism{bus.Plain, bus.ScramSHA256, bus.ScramSHA512} {
		t.Run(string(mechanism), func(t *testing.T) {
			t.Parallel()
			ctx := within(t)
			broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(),
				kfake.Superuser(string(mechanism), "guanxi", "right"), kfake.TLS(&tls.Config{Certificates: web.TLS.Certificates}))
			require.NoError(t, err)
			t.Cleanup(broker.Close)
			cfg := bus.Config{
				Brokers: broker.ListenAddrs(), TLS: &tls.Config{RootCAs: roots},
				SASL: bus.SASL{Mechanism: mechanism, User: "guanxi", Password: "right"},
			}
			c := bus.NewClient(cfg, bustest.Log(t))
			t.Cleanup(c.Close)
			topic := bustest.Topic(t, c, "orders")
			require.NoError(t, c.Ping(ctx))
			require.NoError(t, c.Produce(ctx, topic, 0, numbered(0, 3)))
			l := newLedger()
			subscribe(t, c, l.subscription("only", bustest.Service(t), topic)) // a group has connections of its own
			eventually(t, "the messages arrive", func() bool { return l.count() == 3 })

			for name, spoil := range map[string]func(*bus.Config){
				"wrong password":         func(c *bus.Config) { c.SASL.Password = "wrong" },
				"no password":            func(c *bus.Config) { c.SASL = bus.SASL{} },
				"certificate of another": func(c *bus.Config) { c.TLS = &tls.Config{RootCAs: x509.NewCertPool()} },
				"no TLS":                 func(c *bus.Config) { c.TLS = nil },
			} {
				bad := cfg
				spoil(&bad)
				c := bus.NewClient(bad, bustest.Log(t))
				t.Cleanup(c.Close)
				ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
				require.Error(t, c.Ping(ctx), name)
				require.Error(t, c.Produce(ctx, topic, 0, numbered(3, 1)), name)
				cancel()
			}
		})
	}
}
