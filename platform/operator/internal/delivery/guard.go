package delivery

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// Guard says where webhooks may not be. Its zero value refuses http, the machine itself, and addresses that belong to one link,
// such as those where clouds keep credentials. Private networks are open, since receivers may be in the same cluster.
type Guard struct {
	AllowHTTP     bool           // addresses without TLS as well
	AllowLoopback bool           // the machine itself; for tests
	Refuse        []netip.Prefix // further networks
	TLS           *tls.Config    // authorities that are trusted besides; nil: those of the machine
}

// errRefused is why an address is not called.
var errRefused = errors.New("webhooks may not be sent to this address")

// metadata is where a cloud keeps credentials behind an address that is not of one link.
var metadata = netip.MustParsePrefix("fd00:ec2::/32")

// nat64 is where addresses of IPv4 are reached by IPv6.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// Check tells whether a URL could be called at all, as far as can be seen without calling a name server.
func (g Guard) Check(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return errors.New("the address of the webhook cannot be read")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !g.AllowHTTP) {
		return errors.New("webhooks are sent by https only")
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil {
		return g.allows(ip)
	}
	return nil
}

// allows judges an address that a name led to.
func (g Guard) allows(ip netip.Addr) error {
	ip = ip.Unmap().WithZone("")
	if nat64.Contains(ip) {
		inner := ip.As16()
		ip = netip.AddrFrom4([4]byte(inner[12:]))
	}
	switch {
	case ip.IsLoopback():
		if !g.AllowLoopback {
			return errRefused
		}
	case ip.IsUnspecified(), ip.IsMulticast(), ip.IsLinkLocalUnicast(), metadata.Contains(ip):
		return errRefused
	}
	for _, refused := range g.Refuse {
		if refused.Contains(ip) {
			return errRefused
		}
	}
	return nil
}

// guarded refuses schemes that are not allowed; addresses are judged when they are dialled.
type guarded struct {
	guard Guard
	next  http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (g guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := g.guard.Check(r.URL.String()); err != nil {
		return nil, err
	}
	return g.next.RoundTrip(r)
}

// NewHTTP makes a client for webhooks. Addresses are judged after names were resolved, at the moment of dialling, so that no
// name leads elsewhere between a check and the call. It follows no redirect and asks no proxy.
func NewHTTP(guard Guard) *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%w: %w", errRefused, err)
		}
		return guard.allows(to.Addr())
	}}
	return &http.Client{
		Transport: guarded{guard, &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: guard.TLS, TLSHandshakeTimeout: 10 * time.Second,
			MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
