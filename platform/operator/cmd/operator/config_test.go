package main

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const whole = "--platform-url=http://guanxi-{service}:8080 --token-url=https://id.example/token --client-id=operator --client-secret-file=/s"

const kafka = " --kafka-brokers=a:9092,b:9092 --cluster=north"

func TestAContradictionIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ args, says string }{
		"no platform":              {"--token-url=https://id.example/token --client-id=o --client-secret-file=/s", "--platform-url"},
		"a platform with password": {strings.Replace(whole, "http://", "http://a:b@", 1), "--platform-url"},
		"nobody":                   {"--platform-url=http://x", "exactly one"},
		"two issuers":              {whole + " --dev-token-url=http://127.0.0.1/token", "exactly one"},
		"no secret":                {strings.Replace(whole, "--client-secret-file=/s", "", 1), "needs --client-id"},
		"a client for development": {"--platform-url=http://x --dev-token-url=http://x/token --client-id=a", "belong to --token-url"},
		"SASL without a password":  {whole + kafka + " --kafka-sasl=PLAIN --kafka-username-file=/u", "needs --kafka-username-file"},
		"a password without SASL":  {whole + kafka + " --kafka-password-file=/p", "belong to --kafka-sasl"},
		"SASL of another kind":     {whole + kafka + " --kafka-sasl=GSSAPI", "is PLAIN"},
		"Kafka without brokers":    {whole + " --kafka-tls", "need --kafka-brokers"},
		"Kafka without a cluster":  {whole + " --kafka-brokers=a:9092", "--cluster"},
		"a dot in the cluster":     {whole + " --kafka-brokers=a:9092 --cluster=a.b", "--cluster"},
		"an authority without TLS": {whole + kafka + " --kafka-ca-file=/ca", "needs --kafka-tls"},
		"no time to end":           {whole + " --grace=5s", "--grace"},
		"polling all the time":     {whole + " --poll=1ms", "--poll"},
		"a level that is none":     {whole + " --log-level=loud", "--log-level"},
		"a word too many":          {whole + " more", "is no flag"},
	} {
		_, err := parse(strings.Fields(c.args), func(string) (string, bool) { return "", false }, io.Discard)
		require.ErrorContains(t, err, c.says, name)
	}
}

func TestTheEnvironmentStandsInForFlags(t *testing.T) {
	t.Parallel()
	env := map[string]string{"GUANXI_OPERATOR_POLL": "1m", "GUANXI_OPERATOR_KAFKA_BROKERS": "c:1, d:2", "GUANXI_OPERATOR_CLUSTER": "south"}
	c, err := parse(strings.Fields(whole+" --cluster=north"), func(name string) (string, bool) { text, ok := env[name]; return text, ok }, io.Discard)
	require.NoError(t, err)
	require.Equal(t, []string{"c:1", "d:2"}, c.Brokers)
	require.Equal(t, "north", c.Cluster)
	require.Equal(t, "1m0s", c.Poll.String())

	env["GUANXI_OPERATOR_POLL"] = "soon"
	_, err = parse(strings.Fields(whole), func(name string) (string, bool) { text, ok := env[name]; return text, ok }, io.Discard)
	require.ErrorContains(t, err, "GUANXI_OPERATOR_POLL")
}
