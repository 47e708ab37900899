package subscription

import (
	"encoding/pem"
	"fmt"
	"strings"
)

// Endpoint is where subscribers find Kafka.
type Endpoint struct {
	Servers   []string // host:port, as subscribers reach them
	TLS       bool
	Authority []byte // certificates in PEM of who vouches for the brokers; empty: the usual authorities do
}

// SecretType is the type of a Secret with credentials for Kafka, as the Service Binding specification has it.
const SecretType = "servicebinding.io/kafka"

// Binding gives what stands in the Secret: the entries of the Service Binding specification, and those that clients and
// frameworks look for by names of their own.
func (e Endpoint) Binding(g Grant, password string) map[string][]byte {
	servers, protocol, mechanism := strings.Join(e.Servers, ","), "SASL_PLAINTEXT", "SCRAM-SHA-512"
	if e.TLS {
		protocol = "SASL_SSL"
	}
	binding := map[string][]byte{}
	for key, value := range map[string]string{
		"type": "kafka", "provider": "guanxi",
		"bootstrap-servers": servers, "bootstrapServers": servers, "bootstrap.servers": servers,
		"username": g.User, "user": g.User, "password": password,
		"securityProtocol": protocol, "security.protocol": protocol,
		"saslMechanism": mechanism, "sasl.mechanism": mechanism,
		"sasl.jaas.config": fmt.Sprintf(`org.apache.kafka.common.security.scram.ScramLoginModule required username=%q password=%q;`, g.User, password),
		"topics":           strings.Join(g.Topics, ","),
		"group-prefix":     g.GroupPrefix,
	} {
		binding[key] = []byte(value)
	}
	if block, _ := pem.Decode(e.Authority); block != nil {
		binding["certificates"], binding["ssl.truststore.crt"] = e.Authority, e.Authority
	}
	return binding
}
