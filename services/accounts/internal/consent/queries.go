package consent

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/tenant"
)

// List gives up to limit statements of a customer before the one of the given id (Nil: the latest), of one purpose where
// it is not empty, the latest first.
func (c *Consents) List(ctx context.Context, id uuid.UUID, p Purpose, before uuid.UUID, limit int) (page []Told, err error) {
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		ref, err := customer.Resolve(ctx, tx, id)
		if err != nil {
			return err
		}
		records, err := list(ctx, tx, ref.Group(), p, before, limit)
		page = make([]Told, len(records))
		for n, r := range records {
			page[n] = Told{Record: r, Root: ref.Root}
		}
		return err
	})
	return page, err
}

// Held is what holds of a key.
type Held struct {
	Key
	Entry
}

// ByChannel gives what holds of each purpose by each channel, of which anything was said; and so of each address of which
// anything was said, or that is suppressed, by the channels that reach it. It is sorted by purpose, channel and address.
func (s Standing) ByChannel() []Held {
	keys := map[Key]bool{}
	for said := range s.States {
		for _, c := range Channels() {
			if k := (Key{said.Purpose, c, said.Address}); said.Covers(k) && (k.Address.Type == "" || k.Address.Type == c.AddressType()) {
				keys[k] = true
			}
		}
	}
	var all []Held
	for k := range keys {
		if e := s.States.Of(k); e.State != None {
			all = append(all, Held{k, e})
		}
	}
	slices.SortFunc(all, func(a, b Held) int { return strings.Compare(a.sort(), b.sort()) })
	return all
}

// Question asks what holds of one key; a zero one of all keys that anything was said of.
type Question struct {
	Purpose Purpose
	Channel Channel
	Address string // as people write it
}

// Now gives what holds for a customer, and whether the customer is known to be under 14: of the key that is asked for, or
// of each that anything was said of and of each address that is suppressed, sorted by purpose, channel and address.
func (c *Consents) Now(ctx context.Context, id uuid.UUID, q Question) (root uuid.UUID, held []Held, child bool, err error) {
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		ref, err := customer.Resolve(ctx, tx, id)
		if err != nil {
			return err
		}
		root = ref.Root
		asked := Key{Purpose: q.Purpose, Channel: q.Channel}
		addresses, err := c.addresses(ctx, tx, ref, q, &asked)
		if err != nil {
			return err
		}
		h, err := c.Load(ctx, tx, ref, addresses)
		if err != nil {
			return err
		}
		s := h.Standing(ref.Root, c.now())
		child = s.Child
		if q.Purpose != "" {
			held = []Held{{asked, s.States.Of(asked)}}
			return nil
		}
		for k := range s.States {
			held = append(held, Held{k, s.States.Of(k)})
		}
		slices.SortFunc(held, func(a, b Held) int { return strings.Compare(a.sort(), b.sort()) })
		return nil
	})
	return root, held, child, err
}

// addresses gives those whose suppressions matter to the question, and its key the address that it names.
func (c *Consents) addresses(ctx context.Context, tx *pg.Tx, ref customer.Ref, q Question, asked *Key) ([]identity.Identity, error) {
	switch {
	case q.Purpose == "" && (q.Channel != "" || q.Address != ""):
		return nil, problem.New(problem.Unprocessable, "purpose_missing", "Say of which purpose, or ask for all that was said.").
			WithField("query.purpose", "required", "must be given where channel or address is")
	case q.Purpose == "":
		return reachable(ctx, tx, ref.Group())
	case q.Address == "":
		return nil, nil
	}
	region, err := tenant.Region(ctx, tx)
	if err != nil {
		return nil, err
	}
	a, faults := normalise(q.Address, q.Channel, region)
	asked.Address = a
	faults = append(faults, Statement{Key: *asked}.misaddressed()...)
	if len(faults) > 0 {
		p := problem.New(problem.Unprocessable, "address_invalid", "Nothing can be said of this: mend the parameter named here.")
		return nil, p.WithField("query."+faults[0].Location, faults[0].Code, faults[0].Message)
	}
	return []identity.Identity{a}, nil
}

func (h Held) sort() string {
	return strings.Join([]string{string(h.Purpose), string(h.Channel), string(h.Address.Type), h.Address.Value}, "\x00")
}

// Proof is all that was said of a purpose, by all ids of a customer, in the order in which it was recorded, and the merges
// that made them one.
type Proof struct {
	History
	Root    uuid.UUID
	Aliases []uuid.UUID
	At      time.Time
	Holds   Entry
}

// Prove gives the proof of a purpose; where the channel is not empty, of what was said of it or of all channels.
func (c *Consents) Prove(ctx context.Context, id uuid.UUID, p Purpose, on Channel) (proof Proof, err error) {
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		ref, err := customer.Resolve(ctx, tx, id)
		if err != nil {
			return err
		}
		h, err := c.Load(ctx, tx, ref, nil)
		if err != nil {
			return err
		}
		proof = Proof{History: h, Root: ref.Root, Aliases: ref.Aliases, At: c.now()}
		proof.Holds = h.Standing(ref.Root, proof.At).States.Of(Key{Purpose: p, Channel: on})
		proof.Records = slices.DeleteFunc(h.Records, func(r Record) bool {
			return r.Key.Purpose != p || on != "" && r.Key.Channel != "" && r.Key.Channel != on
		})
		slices.SortFunc(proof.Aliases, func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
		return nil
	})
	return proof, err
}
