package consent

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"

	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
)

// Hashes makes keyed hashes of addresses: whoever has the database but not the key can neither read nor guess them, and
// those of two tenants have nothing in common.
type Hashes struct{ secret []byte }

// NewHashes makes hashes of a secret of the installation, from which each tenant's key is derived.
func NewHashes(secret []byte) Hashes { return Hashes{secret} }

// Of is HMAC-SHA-256 of the address with the tenant's key, 32 bytes.
func (h Hashes) Of(tenant string, a identity.Identity) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, h.secret, nil, "guanxi accounts address 1 "+tenant, sha256.Size)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(string(a.Type) + "\x00" + a.Value))
	return mac.Sum(nil), nil
}

// all hashes each of the addresses.
func (h Hashes) all(tenant string, addresses []identity.Identity) ([][]byte, error) {
	hashes := make([][]byte, len(addresses))
	for n, a := range addresses {
		var err error
		if hashes[n], err = h.Of(tenant, a); err != nil {
			return nil, err
		}
	}
	return hashes, nil
}

// lasting gives what an erased customer's addresses are suppressed for: every purpose that needs consent, and of the others
// what the customer had withdrawn.
func (s Standing) lasting(addresses []identity.Identity) []Suppression {
	var out []Suppression
	for _, a := range addresses {
		out = append(out, Suppression{Address: a})
		for p := range purposes {
			if p.NeedsConsent() {
				continue
			}
			if s.States.Of(Key{Purpose: p, Address: a}).denies() {
				out = append(out, Suppression{Address: a, Purpose: p})
				continue
			}
			for _, c := range Channels() {
				if c.AddressType() == a.Type && s.States.Of(Key{Purpose: p, Channel: c, Address: a}).denies() {
					out = append(out, Suppression{Address: a, Purpose: p, Channel: c})
				}
			}
		}
	}
	return out
}
