package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

// authority signs the certificates of the node's life, which is short.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// makeCredentials makes the authority, the certificates and the files that clients find the node by.
func (n node) makeCredentials() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	ca := authority{key: key, cert: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "node for tests"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(48 * time.Hour), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}}
	caPEM, err := ca.write(n, "ca", ca.cert, key)
	if err != nil {
		return err
	}
	serviceAccounts, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	if err := writeKey(n, "sa", serviceAccounts); err != nil {
		return err
	}
	server := x509.Certificate{
		Subject: pkix.Name{CommonName: "kube-apiserver"}, IPAddresses: []net.IP{net.ParseIP("127.0.0.1"), net.ParseIP(nodeIP), net.ParseIP(apiIP)},
		DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + domain},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if _, _, err := ca.issue(n, "apiserver", server); err != nil {
		return err
	}
	for name, subject := range map[string]pkix.Name{
		"admin":   {CommonName: "admin", Organization: []string{"system:masters"}},
		"kubelet": {CommonName: "system:node:node", Organization: []string{"system:nodes"}},
	} {
		cert, key, err := ca.issue(n, name, x509.Certificate{Subject: subject, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		if err != nil {
			return err
		}
		if err := os.WriteFile(n.path(name+".kubeconfig"), kubeconfig(caPEM, cert, key), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (a authority) issue(n node, name string, c x509.Certificate) (cert, keyPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if c.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
		return nil, nil, err
	}
	c.NotBefore, c.NotAfter, c.KeyUsage = a.cert.NotBefore, a.cert.NotAfter, x509.KeyUsageDigitalSignature
	if cert, err = a.write(n, name, &c, key); err != nil {
		return nil, nil, err
	}
	raw, err := os.ReadFile(n.path("pki", name+".key"))
	return cert, raw, err
}

func (a authority) write(n node, name string, c *x509.Certificate, key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyErr := writeKey(n, name, key)
	return cert, errors.Join(keyErr, os.WriteFile(n.path("pki", name+".crt"), cert, 0o600))
}

func writeKey(n node, name string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	raw := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	return os.WriteFile(n.path("pki", name+".key"), raw, 0o600)
}

func kubeconfig(ca, cert, key []byte) []byte {
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters: [{name: node, cluster: {server: "https://%s:6443", certificate-authority-data: %s}}]
users: [{name: me, user: {client-certificate-data: %s, client-key-data: %s}}]
contexts: [{name: node, context: {cluster: node, user: me}}]
current-context: node
`, nodeIP, b64(ca), b64(cert), b64(key))
}
