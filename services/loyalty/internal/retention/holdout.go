package retention

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/google/uuid"
)

// Bucket is the place of a customer in a plan, 0 to 999: the customer is held out where it is below the plan's hold-out share
// in thousandths. It is the first 64 bits, as a big-endian integer, modulo 1000, of
//
//	SHA-256("guanxi.retention.hold_out.1" US tenant US plan US salt US customer)
//
// with US the byte 0x1F and customer the id in its usual 36 characters. It depends on nothing else, so that it is the same
// after any restart and in any process, and a larger share holds out those whom a smaller one did, and more. The salt is
// the plan's own: who is held out by one plan says nothing about another. That 2^64 is no multiple of 1000 favours some
// places by less than 1 in 10^16.
//
// customer is the id whom the customer's ids mean when the case is opened. A case keeps its arm when the customer is merged
// later; the next one is decided by the id that they mean then.
func Bucket(tenant, plan, salt string, customer uuid.UUID) int {
	const sep = "\x1f"
	sum := sha256.Sum256([]byte("guanxi.retention.hold_out.1" + sep + tenant + sep + plan + sep + salt + sep + customer.String()))
	return int(binary.BigEndian.Uint64(sum[:8]) % 1000)
}
