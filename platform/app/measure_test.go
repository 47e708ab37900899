package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

//nolint:paralleltest // it sets the process's meter provider
func TestAlertsSeeWhatTheStatusSays(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	before := otel.GetMeterProvider()
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	t.Cleanup(func() { otel.SetMeterProvider(before) })
	newGauges("sales").record(t.Context(), Status{
		Service: "sales", Database: stateOK, Kafka: "cannot be reached", Temporal: stateOK,
		OutboxBacklog: 7, OutboxOldestSeconds: 90, OutboxParked: 1, ProcessesWaiting: 2,
		Consumers: []ConsumerStatus{{Name: "aliases", Lag: -1, Parked: 3}},
	})
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	got := map[string]float64{}
	put := func(name string, attrs attribute.Set, value float64) {
		for _, key := range []attribute.Key{"part", "consumer"} {
			if v, ok := attrs.Value(key); ok {
				name += " " + v.AsString()
			}
		}
		service, _ := attrs.Value("guanxi.service")
		require.Equal(t, "sales", service.AsString(), name)
		got[name] = value
	}
	for _, m := range all.ScopeMetrics[0].Metrics {
		switch data := m.Data.(type) {
		case metricdata.Gauge[int64]:
			for _, p := range data.DataPoints {
				put(m.Name, p.Attributes, float64(p.Value))
			}
		case metricdata.Gauge[float64]:
			for _, p := range data.DataPoints {
				put(m.Name, p.Attributes, p.Value)
			}
		}
	}
	require.Equal(t, map[string]float64{
		"guanxi.service.reachable database": 1, "guanxi.service.reachable kafka": 0, "guanxi.service.reachable temporal": 1,
		"guanxi.outbox.backlog": 7, "guanxi.outbox.oldest": 90, "guanxi.outbox.refused": 1, "guanxi.flow.waiting": 2,
		"guanxi.inbox.set_aside aliases": 3, // a lag that nobody knows is not 0
	}, got)
}

func TestMetricsAreFetchedAtAnAddressOfTheirOwn(t *testing.T) {
	t.Parallel()
	require.Error(t, exposeMetrics(t.Context(), "256.0.0.1:0", http.NotFoundHandler(), slog.New(slog.DiscardHandler)))
	cfg := Defaults()
	cfg.Metrics.Addr = cfg.HTTP.Addr
	require.ErrorContains(t, cfg.Validate(), "metrics.addr: must not be http.addr")
}

func TestTheCertificateIsReadAnewAtEachHandshake(t *testing.T) {
	t.Parallel()
	var cfg Config
	require.Nil(t, cfg.tls(false))
	cfg.TLS.Cert = filepath.Join(t.TempDir(), "tls.crt")
	require.ErrorContains(t, cfg.Validate(), "tls: cert and key belong together")
	cfg.TLS.Key = filepath.Join(t.TempDir(), "tls.key")
	asked := cfg.tls(true).GetClientCertificate
	_, err := asked(&tls.CertificateRequestInfo{})
	require.ErrorContains(t, err, "tls.cert", "a certificate that is not there yet fails the handshake, not the start")
	for _, serial := range []int64{1, 2} {
		writePair(t, cfg, serial)
		pair, err := asked(&tls.CertificateRequestInfo{})
		require.NoError(t, err)
		require.Equal(t, serial, pair.Leaf.SerialNumber.Int64())
	}
	cfg.Kafka.TLS, cfg.Temporal.TLS = true, false
	require.NotNil(t, cfg.bus().TLS)
	require.Nil(t, cfg.tls(cfg.Temporal.TLS))
}

func writePair(t *testing.T, cfg Config, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	of := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, of, of, key.Public(), key)
	require.NoError(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	for path, block := range map[string]*pem.Block{cfg.TLS.Cert: {Type: "CERTIFICATE", Bytes: cert}, cfg.TLS.Key: {Type: "PRIVATE KEY", Bytes: raw}} {
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
	}
}
