// Package consent keeps what customers allowed and no longer allow: an append-only log, from which what holds now is
// derived. It also keeps addresses that must not be used any more after nobody is left who said so.
package consent

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
)

// Purpose says what for a customer is reached, or what for data is used.
type Purpose string

// The purposes.
const (
	Service     Purpose = "service"     // answers to what the customer asked, care after a complaint
	Transaction Purpose = "transaction" // orders, deliveries, invoices
	Legal       Purpose = "legal"       // notices that a law demands, such as a recall
	Survey      Purpose = "survey"      // questions how it was
	Marketing   Purpose = "marketing"   // offers, campaigns, newsletters
	Profiling   Purpose = "profiling"   // scores and segments of the customer's own behaviour
	Partners    Purpose = "partners"    // data for others outside of the tenant
	Sensitive   Purpose = "sensitive"   // use of health and other special data
)

// Basis is the legal basis of a purpose, a code.
type Basis string

// The bases; those of Article 6 GDPR, which contain those of Article 13 PIPL.
const (
	ByConsent             Basis = "consent"
	ByContract            Basis = "contract"
	ByLegalObligation     Basis = "legal_obligation"
	ByVitalInterests      Basis = "vital_interests"
	ByPublicInterest      Basis = "public_interest"
	ByLegitimateInterests Basis = "legitimate_interests"
)

// terms is what a purpose asks for.
type terms struct {
	basis       Basis // ByConsent: nothing is allowed until it was granted
	separate    bool  // consent has to be asked for by itself, not among others (Articles 23 and 29 PIPL)
	doubleOptIn bool  // a grant for email counts only once whoever reads the mailbox has confirmed it
}

// purposes is the one table of them. A purpose whose basis is not consent needs none, and yet a withdrawal is honoured.
var purposes = map[Purpose]terms{
	Service:     {basis: ByContract},
	Transaction: {basis: ByContract},
	Legal:       {basis: ByLegalObligation},
	Survey:      {basis: ByLegitimateInterests},
	Marketing:   {basis: ByConsent, doubleOptIn: true},
	Profiling:   {basis: ByConsent},
	Partners:    {basis: ByConsent, separate: true},
	Sensitive:   {basis: ByConsent, separate: true},
}

// Known tells whether there is such a purpose.
func (p Purpose) Known() bool { _, ok := purposes[p]; return ok }

// NeedsConsent tells whether nothing is allowed for the purpose until it was granted. It holds for a purpose that is not
// known, too.
func (p Purpose) NeedsConsent() bool { t, ok := purposes[p]; return !ok || t.basis == ByConsent }

// Channel is a way to reach somebody, a code.
type Channel string

// The channels. The empty one stands for all of them.
const (
	Email  Channel = "email"
	SMS    Channel = "sms"
	Phone  Channel = "phone"
	WeChat Channel = "wechat"
	WeCom  Channel = "wecom"
	Post   Channel = "post"
)

// Channels lists every channel.
func Channels() []Channel { return []Channel{Email, SMS, Phone, WeChat, WeCom, Post} }

// AddressType is the type of the identities that a statement on the channel can be about; empty where it is about all of
// the customer's.
func (c Channel) AddressType() identity.Type {
	switch c {
	case Email:
		return identity.Email
	case SMS, Phone:
		return identity.Phone
	default:
		return ""
	}
}

// Key is what a statement is about. An empty channel means all channels, an empty address all addresses.
type Key struct {
	Purpose Purpose
	Channel Channel
	Address identity.Identity // a phone or an email, in its one form
}

// Covers tells whether what is said of k is said of o as well: o is k or more specific.
func (k Key) Covers(o Key) bool {
	return k.Purpose == o.Purpose && (k.Channel == "" || k.Channel == o.Channel) &&
		(k.Address == identity.Identity{} || k.Address == o.Address)
}

// State is what a record says, or what holds.
type State string

// The states. Only the first three stand in records.
const (
	Granted    State = "granted"
	Withdrawn  State = "withdrawn"
	Pending    State = "pending"    // granted, and waiting for the confirmation; allows nothing
	Suppressed State = "suppressed" // the address was an erased customer's
	None       State = "none"       // nothing was said
)

// Kind is the class of a statement.
type Kind string

// The kinds.
const (
	Plain      Kind = "plain"
	Separate   Kind = "separate" // asked for by itself: for partners and sensitive data
	ByGuardian Kind = "guardian" // of a child under 14, given by who has custody (Article 31 PIPL): it counts for the child alone
)

// Guardian is who spoke for a child. It is proof, and personal data.
type Guardian struct {
	Name     string    // 1 to 200 characters
	Relation string    // code: parent, legal_guardian or other
	Until    time.Time // the day on which the child turns 14, midnight UTC: from then on the guardian's word counts no more
}

// childhood is up to which age a guardian has to consent, in years (Article 31 PIPL).
const childhood = 14

// Record is one row of the log.
type Record struct {
	ID         uuid.UUID // UUIDv7
	Statement  uuid.UUID // the ID of the row for the customer who was addressed: rows for others of the group share it
	Customer   uuid.UUID
	Key        Key
	State      State
	Kind       Kind
	Basis      Basis
	Source     string // code of where it was said
	Wording    string // version of the words that were agreed to
	Actor      string // subject of the token that recorded it
	Guardian   Guardian
	Confirms   uuid.UUID // the pending record that this one confirms; Nil for all others
	ExpiresAt  time.Time // of a pending one; zero for all others
	SaidAt     time.Time
	RecordedAt time.Time
	Erased     bool // address and guardian were taken out
}

// Statement is what is about to be recorded. Its address is normalised.
type Statement struct {
	Key      Key
	State    State // Granted or Withdrawn
	Kind     Kind  // empty: plain
	Basis    Basis // empty: that of the purpose
	Source   string
	Wording  string
	Guardian *Guardian
	SaidAt   time.Time // zero: now
}

// Confirmation is how long a double opt-in can be confirmed.
const Confirmation = 7 * 24 * time.Hour

// skew is how far a caller's clock may be ahead of ours.
const skew = time.Minute

var code = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$`)

// Record makes the log's record of a statement, or names every field that is not right. A grant by email of a purpose that
// asks for a double opt-in is pending.
func (s Statement) Record(id, customer uuid.UUID, actor string, c Childhood, now time.Time) (Record, []problem.Field) {
	r := Record{ID: id, Statement: id, Customer: customer, Key: s.Key, State: s.State, Kind: s.Kind, Basis: s.Basis,
		Source: s.Source, Wording: s.Wording, Actor: actor, SaidAt: s.SaidAt, RecordedAt: now}
	if r.Kind == "" {
		r.Kind = Plain
	}
	t := purposes[s.Key.Purpose]
	if r.Basis == "" {
		r.Basis = t.basis
	}
	if r.SaidAt.IsZero() {
		r.SaidAt = now
	}
	var faults []problem.Field
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	if !s.Key.Purpose.Known() {
		fault("purpose", "purpose_unknown", "must be a purpose of the platform")
	}
	if !code.MatchString(s.Source) {
		fault("source", "source_malformed", "must be a code of at most 64 letters, digits and . _ : -")
	}
	if s.Wording != "" && !code.MatchString(s.Wording) {
		fault("wording", "wording_malformed", "must be a version of at most 64 letters, digits and . _ : -")
	}
	if r.SaidAt.After(now.Add(skew)) {
		fault("said_at", "said_in_future", "must not be in the future")
	}
	if r.SaidAt.Year() < 1970 {
		fault("said_at", "said_too_long_ago", "must not be before 1970")
	}
	if r.SaidAt.After(now) {
		r.SaidAt = now
	}
	r.SaidAt = r.SaidAt.UTC().Truncate(time.Microsecond)
	faults = append(faults, s.misaddressed()...)
	if s.State == Granted {
		faults = append(faults, s.unfitGrant(t, r, c)...)
	}
	if s.Guardian != nil || r.Kind == ByGuardian {
		faults = append(faults, s.badGuardian(&r)...)
	}
	if s.State == Granted && t.doubleOptIn && s.Key.Channel == Email {
		r.State, r.ExpiresAt, r.SaidAt = Pending, now.Add(Confirmation), now
	}
	return r, faults
}

// misaddressed names an address that nothing on the channel can be sent to.
func (s Statement) misaddressed() []problem.Field {
	a, want := s.Key.Address, s.Key.Channel.AddressType()
	if a == (identity.Identity{}) || s.Key.Channel == "" || a.Type == want {
		return nil
	}
	return []problem.Field{{Location: "address", Code: "address_unfit",
		Message: "must be of the channel: a mail address for email, a telephone number for sms and phone, and none for others"}}
}

// unfitGrant names what a grant of the purpose lacks.
func (s Statement) unfitGrant(t terms, r Record, c Childhood) (faults []problem.Field) {
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	if s.Wording == "" {
		fault("wording", "required", "must name the version of the words that were agreed to")
	}
	if t.separate && r.Kind == Plain {
		fault("kind", "separate_needed", "must be separate: this purpose has to be asked for by itself")
	}
	if t.doubleOptIn && s.Key.Channel == Email && s.Key.Address == (identity.Identity{}) {
		fault("address", "required", "must be the mail address that will confirm it")
	}
	switch child := c.Under14(r.RecordedAt); {
	case child && r.Kind != ByGuardian:
		fault("kind", "guardian_needed", "must be guardian: the customer is under 14")
	case !child && c.Known && r.Kind == ByGuardian:
		fault("kind", "guardian_unfit", "must not be guardian: the customer is 14 or older")
	}
	return faults
}

var relations = map[string]bool{"parent": true, "legal_guardian": true, "other": true}

// badGuardian gives the record its guardian and names what is wrong with who spoke.
func (s Statement) badGuardian(r *Record) (faults []problem.Field) {
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	switch {
	case s.Guardian == nil:
		fault("guardian", "required", "must say who spoke for the child")
		return faults
	case r.Kind != ByGuardian:
		fault("guardian", "guardian_unfit", "must be left out where kind is not guardian")
		return faults
	}
	g := *s.Guardian
	g.Name = strings.Join(strings.Fields(g.Name), " ")
	if n := utf8.RuneCountInString(g.Name); n < 1 || n > 200 || strings.ContainsFunc(g.Name, unicode.IsControl) {
		fault("guardian.name", "name_malformed", "must be 1 to 200 characters, none of them a control character")
	}
	if !relations[g.Relation] {
		fault("guardian.relation", "relation_unknown", "must be parent, legal_guardian or other")
	}
	today := r.RecordedAt.Truncate(24 * time.Hour)
	if !g.Until.After(today) || g.Until.After(today.AddDate(childhood, 0, 0)) {
		fault("guardian.until", "out_of_range", fmt.Sprintf("must be the day on which the child turns %d, which is to come", childhood))
	}
	r.Guardian = g
	return faults
}

// Copies gives the record once for each id of the group: a withdrawal holds for every one of them also when they are
// separated again. Others belong to the customer they were addressed to. newID gives UUIDv7s that rise.
func (r Record) Copies(group []uuid.UUID, newID func() (uuid.UUID, error)) ([]Record, error) {
	all := []Record{r}
	if r.State != Withdrawn {
		return all, nil
	}
	for _, id := range group {
		if id == r.Customer {
			continue
		}
		c := r
		c.Customer = id
		var err error
		if c.ID, err = newID(); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// Confirm makes the grant that a pending record becomes by its confirmation. It is said now, by whoever reads the mailbox.
func (r Record) Confirm(id uuid.UUID, actor string, now time.Time) Record {
	c := r
	c.ID, c.Statement, c.State, c.Confirms, c.ExpiresAt = id, id, Granted, r.ID, time.Time{}
	c.Actor, c.SaidAt, c.RecordedAt = actor, now, now
	return c
}

// Overtaken tells whether a withdrawal was recorded after the pending record that speaks against it: then the older mail
// does not bring the consent back.
func (r Record) Overtaken(by []Record) bool {
	for _, w := range by {
		if w.State == Withdrawn && w.Key.Covers(r.Key) && w.RecordedAt.After(r.RecordedAt) {
			return true
		}
	}
	return false
}
