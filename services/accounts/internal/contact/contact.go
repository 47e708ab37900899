// Package contact is the one way by which workflows of other services reach a person. Whether the customer may be reached
// is decided at that moment, by consent and purpose, and every question is kept with its answer. The address itself is
// given once, to whoever delivers the message.
//
// The log names the address by its keyed hash and does not copy it: it can be told among the customer's identities for as
// long as it is one of them, and nothing is left in the log once it is not.
package contact

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"regexp"
	"slices"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/problem"
	accountsactivitiesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/activities/v1"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/consent"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
)

// Validity is how long the address of a contact can be fetched.
const Validity = time.Hour

// Refusal is why a customer may not be reached, a code: one of consent's or one of these; empty: they may.
type Refusal = consent.Refusal

// The refusals that have nothing to do with consent.
const (
	CustomerUnknown Refusal = "customer_unknown"
	CustomerErased  Refusal = "customer_erased"
	NoAddress       Refusal = "no_address"
)

// Question is what a workflow asks.
type Question struct {
	Key        string    // the same for every attempt at the same contact
	Customer   uuid.UUID // an alias will do
	Purpose    consent.Purpose
	Channel    consent.Channel // empty: any
	ReasonType string          // what it is for, a code
	ReasonID   string
}

// Contact is a question with its answer.
type Contact struct {
	Question
	ID          uuid.UUID // UUIDv7
	AskedBy     string    // subject on whose behalf the workflow runs
	AskedAt     time.Time
	Refusal     Refusal         // empty: allowed
	By          consent.Channel // empty where refused
	AddressHash []byte          // nil where refused, and after an erasure
	ValidUntil  time.Time       // zero where refused
	RevealedAt  time.Time       // zero: the address was not fetched
	RevealedBy  string          // subject
	inputHash   []byte
}

var (
	reasonType = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)
	reasonID   = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)
)

// read takes a request apart and names every field that is not right.
func read(in *accountsactivitiesv1.ResolveContact) (Question, error) {
	q := Question{
		Key: in.GetIdempotencyKey(), Purpose: consent.Purpose(in.GetPurpose()), Channel: consent.Channel(in.GetChannel()),
		ReasonType: in.GetReasonType(), ReasonID: in.GetReasonId(),
	}
	p := problem.New(problem.Unprocessable, "contact_invalid", "Nobody was reached: what was asked for is not valid.")
	fault := func(location, message string) { p = p.WithField(location, location+"_invalid", message) }
	if wrong, ok := flow.CheckKey(q.Key); !ok {
		p = p.WithField(wrong.Location, wrong.Code, wrong.Message)
	}
	var err error
	if q.Customer, err = uuid.Parse(in.GetCustomerId()); err != nil || q.Customer == uuid.Nil {
		fault("customer_id", "must be a customer's id, a UUID")
	}
	if !q.Purpose.Known() {
		fault("purpose", "must be a purpose that consents know")
	}
	if q.Channel != "" && !slices.Contains(consent.Channels(), q.Channel) {
		fault("channel", "must be a channel that consents know, or empty")
	}
	if !reasonType.MatchString(q.ReasonType) {
		fault("reason_type", "must be a code: a-z, 0-9 and _, at most 64")
	}
	if !reasonID.MatchString(q.ReasonID) {
		fault("reason_id", "must be an id: letters, digits and . _ : -, at most 64")
	}
	if len(p.Fields) > 0 {
		return q, p
	}
	return q, nil
}

// hash tells questions of different content apart, today and after any change of the program.
func (q Question) hash() []byte {
	raw, err := json.Marshal([]any{1, q.Customer, q.Purpose, q.Channel, q.ReasonType, q.ReasonID})
	if err != nil {
		panic("contact: strings always have a JSON form: " + err.Error())
	}
	sum := sha256.Sum256(raw)
	return sum[:]
}

// same tells whether the contact that has the question's key answers this question.
func (c Contact) same(q Question) error {
	if !bytes.Equal(c.inputHash, q.hash()) {
		return problem.New(problem.Unprocessable, "idempotency_key_reused",
			"This key was used for a contact of other content. Use a new key for a new contact.")
	}
	return nil
}

// result is the answer of the activity.
func (c Contact) result() *accountsactivitiesv1.ResolveContactResult {
	r := &accountsactivitiesv1.ResolveContactResult{
		Allowed: c.Refusal == "", Refusal: string(c.Refusal), ContactId: c.ID.String(), Channel: string(c.By),
	}
	if r.GetAllowed() {
		r.ValidUntil = timestamppb.New(c.ValidUntil)
	}
	return r
}

// answer gives the contact with its answer: reached where there is no refusal.
func (q Question) answer(id uuid.UUID, by string, at time.Time, refusal Refusal, on consent.Channel, addressHash []byte) Contact {
	c := Contact{Question: q, ID: id, AskedBy: by, AskedAt: at, Refusal: refusal, inputHash: q.hash()}
	if refusal == "" {
		c.By, c.AddressHash, c.ValidUntil = on, addressHash, at.Add(Validity)
	}
	return c
}

// types are the identities that each channel reaches, in the order in which channels are tried where neither the workflow
// nor the customer names one. Post goes to an address that is no identity.
var types = []struct {
	channel consent.Channel
	of      identity.Type
}{
	{consent.Email, identity.Email},
	{consent.SMS, identity.Phone},
	{consent.WeChat, "wechat"},
	{consent.WeCom, "wecom"},
	{consent.Phone, identity.Phone},
}

// Choice is a way to reach a customer.
type Choice struct {
	Channel consent.Channel
	Address identity.Identity
}

// key is what consent is asked of: statements name telephone numbers and mail addresses only.
func (c Choice) key(p consent.Purpose) consent.Key {
	k := consent.Key{Purpose: p, Channel: c.Channel}
	if c.Channel.AddressType() != "" {
		k.Address = c.Address
	}
	return k
}

// choices gives the ways to reach a customer in the order in which they are tried: by the channel that is asked for alone;
// else by the one that the customer prefers first. addresses come in the order in which they are tried.
func choices(asked, preferred consent.Channel, addresses []identity.Identity) (all []Choice) {
	for _, first := range []bool{true, false} {
		for _, t := range types {
			if (t.channel == preferred) != first || asked != "" && t.channel != asked {
				continue
			}
			for _, a := range addresses {
				if a.Type == t.of {
					all = append(all, Choice{t.channel, a})
				}
			}
		}
	}
	return all
}

// telling orders refusals: of several the one is answered that says most about what would have to change.
var telling = []Refusal{consent.GuardianNeeded, consent.IsWithdrawn, consent.IsSuppressed, consent.NoConsent, NoAddress}

// Choose gives the first way that is allowed for the purpose, or why none is.
func Choose(p consent.Purpose, all []Choice, s consent.Standing) (Choice, Refusal) {
	why := NoAddress
	for _, c := range all {
		refusal := s.Refusal(c.key(p))
		if refusal == "" {
			return c, ""
		}
		if slices.Index(telling, refusal) < slices.Index(telling, why) {
			why = refusal
		}
	}
	return Choice{}, why
}

// Outcome is what became of an attempt to fetch an address, a code.
type Outcome string

// The outcomes; besides, that a contact is refused now is said by its Refusal.
const (
	Given       Outcome = "given"
	Used        Outcome = "contact_used"
	Expired     Outcome = "contact_expired"
	Refused     Outcome = "contact_refused"
	AddressGone Outcome = "address_gone"
)

// fetchable gives what keeps the address from being fetched, as far as the contact alone tells.
func (c Contact) fetchable(at time.Time) Outcome {
	switch {
	case c.Refusal != "":
		return Refused
	case !c.RevealedAt.IsZero():
		return Used
	case !at.Before(c.ValidUntil):
		return Expired
	}
	return Given
}

// problem is what the caller is told of an attempt that gave nothing.
func (o Outcome) problem() error {
	switch o {
	case Given:
		return nil
	case Used:
		return problem.New(problem.Conflict, string(Used), "The address was fetched already. Ask for a new contact.")
	case Expired:
		return problem.New(problem.Gone, string(Expired), "The contact is no longer valid. Ask for a new one.")
	case AddressGone:
		return problem.New(problem.Gone, string(AddressGone), "The address is the customer's no more. Ask for a new contact.")
	case Outcome(CustomerErased), Outcome(CustomerUnknown):
		return problem.New(problem.Gone, string(CustomerErased), "The customer was erased: nobody can be reached.")
	default:
		return problem.New(problem.Conflict, string(Refused), "The customer may not be reached (%s). Do not send anything.", o)
	}
}
