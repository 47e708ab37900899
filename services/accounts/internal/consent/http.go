package consent

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
)

// ConsentView is one statement as the API shows it. It is exported so that what embeds it is documented whole.
type ConsentView struct {
	ConsentID   uuid.UUID     `json:"consent_id" format:"uuid"`
	CustomerID  uuid.UUID     `json:"customer_id" format:"uuid"`
	AddressedTo uuid.UUID     `json:"addressed_to" format:"uuid" doc:"The customer's id as it was given then; after a merge another than customer_id."`
	Purpose     Purpose       `json:"purpose" enum:"service,transaction,legal,survey,marketing,profiling,partners,sensitive"`
	Channel     Channel       `json:"channel,omitempty" enum:"email,sms,phone,wechat,wecom,post" doc:"Absent: all channels."`
	Address     string        `json:"address,omitempty" doc:"In its one form; absent: all addresses." example:"li.lei@example.com"`
	State       State         `json:"state" enum:"granted,withdrawn,pending" doc:"pending waits for the confirmation of a double opt-in and allows nothing."`
	Kind        Kind          `json:"kind" enum:"plain,separate,guardian"`
	Basis       Basis         `json:"basis" enum:"consent,contract,legal_obligation,vital_interests,public_interest,legitimate_interests"`
	Source      string        `json:"source" doc:"Code of where it was said." example:"counter"`
	Wording     string        `json:"wording,omitempty" doc:"Version of the words that were agreed to." example:"2026-03"`
	Actor       string        `json:"actor" doc:"Subject of whoever recorded it."`
	Guardian    *guardianView `json:"guardian,omitempty" doc:"Who spoke for a child."`
	Confirms    *uuid.UUID    `json:"confirms,omitempty" format:"uuid" doc:"The pending statement that this one confirms."`
	ExpiresAt   *time.Time    `json:"expires_at,omitempty" doc:"Until when a pending one can be confirmed."`
	SaidAt      time.Time     `json:"said_at"`
	RecordedAt  time.Time     `json:"recorded_at"`
}

type guardianView struct {
	Name     string `json:"name" maxLength:"400" example:"韩梅梅"`
	Relation string `json:"relation" enum:"parent,legal_guardian,other"`
	Until    string `json:"until" format:"date" doc:"The day on which the child turns 14: from then on the guardian's word counts no more." example:"2031-05-04"`
}

func show(t Told) ConsentView {
	v := ConsentView{
		ConsentID: t.ID, CustomerID: t.Root, AddressedTo: t.Customer, Purpose: t.Key.Purpose, Channel: t.Key.Channel, Address: t.Key.Address.Value,
		State: t.State, Kind: t.Kind, Basis: t.Basis, Source: t.Source, Wording: t.Wording, Actor: t.Actor,
		Confirms: pg.OrNull(t.Confirms), ExpiresAt: pg.OrNull(t.ExpiresAt), SaidAt: t.SaidAt, RecordedAt: t.RecordedAt,
	}
	if g := t.Guardian; g != (Guardian{}) {
		v.Guardian = &guardianView{Name: g.Name, Relation: g.Relation, Until: g.Until.Format(time.DateOnly)}
	}
	return v
}

// toldConsent is a statement that was recorded just now.
type toldConsent struct {
	ConsentView
	Token string `json:"confirmation_token,omitempty" doc:"Of a pending statement, in the first answer and never again: mail it to the address, and have whoever reads it confirm."`
}

type answer struct{ Body toldConsent }

func answered(t Told, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	return &answer{toldConsent{show(t), t.Token}}, nil
}

type sayInput struct {
	ID   uuid.UUID `path:"customer_id" format:"uuid"`
	Body newConsent
}

// newConsent is what a statement is recorded from.
type newConsent struct {
	Purpose  Purpose       `json:"purpose" enum:"service,transaction,legal,survey,marketing,profiling,partners,sensitive"`
	Channel  Channel       `json:"channel,omitempty" enum:"email,sms,phone,wechat,wecom,post" doc:"Left out: all channels."`
	Address  string        `json:"address,omitempty" maxLength:"512" doc:"A mail address or telephone number as people write it; left out: all addresses." example:"Li.Lei@example.com"`
	State    State         `json:"state" enum:"granted,withdrawn"`
	Kind     Kind          `json:"kind,omitempty" enum:"plain,separate,guardian" default:"plain" doc:"partners and sensitive need a separate one, a child under 14 its guardian's."`
	Basis    Basis         `json:"basis,omitempty" enum:"consent,contract,legal_obligation,vital_interests,public_interest,legitimate_interests" doc:"Left out: that of the purpose."`
	Source   string        `json:"source" maxLength:"64" doc:"Code of where it was said." example:"counter"`
	Wording  string        `json:"wording,omitempty" maxLength:"64" doc:"Version of the words that were agreed to; a grant needs it." example:"2026-03"`
	Guardian *guardianView `json:"guardian,omitempty" doc:"Who spoke for a child; kept as proof."`
	SaidAt   *time.Time    `json:"said_at,omitempty" doc:"When it was said; left out: now. It counts in this order, whenever it is recorded."`
}

type historyInput struct {
	ID uuid.UUID `path:"customer_id" format:"uuid"`
	httpx.Page
	Purpose Purpose `query:"purpose" enum:"service,transaction,legal,survey,marketing,profiling,partners,sensitive" doc:"Only statements of this purpose."`
}

type historyAnswer struct{ Body consentPage }

type consentPage struct {
	Items      []ConsentView `json:"items" nullable:"false"`
	NextCursor string        `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type nowInput struct {
	ID      uuid.UUID `path:"customer_id" format:"uuid"`
	Purpose Purpose   `query:"purpose" enum:"service,transaction,legal,survey,marketing,profiling,partners,sensitive" doc:"Ask for one purpose; left out: all that anything was said of."`
	Channel Channel   `query:"channel" enum:"email,sms,phone,wechat,wecom,post" doc:"Ask for one channel."`
	Address string    `query:"address" maxLength:"512" doc:"Ask for one address, as people write it."`
}

type nowAnswer struct{ Body currentConsents }

type currentConsents struct {
	CustomerID uuid.UUID        `json:"customer_id" format:"uuid"`
	Child      bool             `json:"child" doc:"Known to be under 14: only a guardian's grants count, for any purpose."`
	Items      []currentConsent `json:"items" nullable:"false" doc:"Sorted by purpose, channel and address."`
}

// currentConsent is what holds of a key.
type currentConsent struct {
	Purpose   Purpose    `json:"purpose"`
	Channel   Channel    `json:"channel,omitempty" doc:"Absent: all channels."`
	Address   string     `json:"address,omitempty" doc:"Absent: all addresses."`
	State     State      `json:"state" enum:"granted,withdrawn,pending,suppressed,none" doc:"suppressed: the address was an erased customer's, and no later grant names it."`
	Kind      Kind       `json:"kind,omitempty" enum:"plain,separate,guardian"`
	ConsentID *uuid.UUID `json:"consent_id,omitempty" format:"uuid" doc:"The statement that it rests on."`
	Since     *time.Time `json:"since,omitempty"`
}

type proofInput struct {
	ID      uuid.UUID `path:"customer_id" format:"uuid"`
	Purpose Purpose   `query:"purpose" required:"true" enum:"service,transaction,legal,survey,marketing,profiling,partners,sensitive"`
	Channel Channel   `query:"channel" enum:"email,sms,phone,wechat,wecom,post" doc:"What was said of this channel or of all; left out: all that was said of the purpose."`
}

type proofAnswer struct{ Body consentProof }

// consentProof is a document for whoever asks what a customer agreed to, and when.
type consentProof struct {
	CustomerID uuid.UUID       `json:"customer_id" format:"uuid"`
	Aliases    []uuid.UUID     `json:"aliases" nullable:"false" doc:"Other ids that mean the same customer."`
	Purpose    Purpose         `json:"purpose"`
	Channel    Channel         `json:"channel,omitempty"`
	State      State           `json:"state" enum:"granted,withdrawn,pending,none" doc:"What holds at that time of the purpose and channel as such; what was said of single addresses stands in records."`
	MadeAt     time.Time       `json:"made_at"`
	Merges     []consentMerge  `json:"merges" nullable:"false" doc:"By which the ids became one, those that were undone included, in order."`
	Records    []consentRecord `json:"records" nullable:"false" doc:"Every record, in the order in which it was recorded."`
	Digest     string          `json:"digest" doc:"SHA-256, in hexadecimal, of records as written here without white space between: what jq -cj .records gives."`
}

type consentMerge struct {
	SurvivorID uuid.UUID  `json:"survivor_id" format:"uuid"`
	AbsorbedID uuid.UUID  `json:"absorbed_id" format:"uuid"`
	MergedAt   time.Time  `json:"merged_at"`
	UndoneAt   *time.Time `json:"undone_at,omitempty"`
}

// consentRecord is a row of the log: a withdrawal of several ids has one for each.
type consentRecord struct {
	ConsentView
	StatementID uuid.UUID `json:"statement_id" format:"uuid" doc:"The same in all records of one statement."`
}

// Routes adds the operations on consents.
func (c *Consents) Routes(api *httpx.API) {
	const tag = "Consents"
	gone := []int{http.StatusNotFound, http.StatusGone}
	httpx.Register(api, httpx.Operation{
		ID: "record-consent", Method: http.MethodPost, Path: "/v1/customers/{customer_id}/consents", Tag: tag,
		Summary: "Record what a customer allows or no longer allows",
		Description: "A withdrawal covers every more specific channel and address, and only a later grant of the same or a more specific one lifts it. " +
			"A grant of marketing by email is pending until it is confirmed. An archived customer can withdraw but not grant.",
		Permission: auth.ConsentsWrite, Status: http.StatusCreated, Errors: append([]int{http.StatusConflict}, gone...),
	}, c.sayHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "list-consents", Method: http.MethodGet, Path: "/v1/customers/{customer_id}/consents", Tag: tag,
		Summary: "List what a customer said, the latest first", Permission: auth.CustomersRead, Errors: gone,
	}, c.listHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "get-consent-state", Method: http.MethodGet, Path: "/v1/customers/{customer_id}/consents/current", Tag: tag,
		Summary: "What holds now", Permission: auth.CustomersRead, Errors: gone,
	}, c.nowHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "export-consent-proof", Method: http.MethodGet, Path: "/v1/customers/{customer_id}/consents/proof", Tag: tag,
		Summary:     "Prove what was agreed to",
		Description: "Every record of a purpose, as it was made, with who recorded it and who spoke for a child.",
		Permission:  auth.CustomersExport, Errors: gone,
	}, c.proofHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "confirm-consent", Method: http.MethodPost, Path: "/v1/consent-confirmations", Tag: tag,
		Summary:     "Confirm a double opt-in",
		Description: "By the token that was mailed. Used again, it gives the same answer.",
		Permission:  auth.ConsentsWrite, Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
	}, func(ctx context.Context, in *confirmInput) (*answer, error) {
		return answered(c.Confirm(ctx, in.Body.Token))
	})
}

type confirmInput struct{ Body consentConfirmation }

type consentConfirmation struct {
	Token string `json:"token" minLength:"1" maxLength:"128" doc:"confirmation_token of the pending statement."`
}

func (c *Consents) sayHTTP(ctx context.Context, in *sayInput) (*answer, error) {
	b := in.Body
	s := Statement{Key: Key{Purpose: b.Purpose, Channel: b.Channel}, State: b.State, Kind: b.Kind, Basis: b.Basis,
		Source: b.Source, Wording: b.Wording}
	if b.SaidAt != nil {
		s.SaidAt = *b.SaidAt
	}
	if g := b.Guardian; g != nil {
		until, err := time.Parse(time.DateOnly, g.Until)
		if err != nil {
			return nil, problem.InvalidBody("consent_invalid", "Nothing was recorded: mend the field named here.",
				[]problem.Field{{Location: "guardian.until", Code: "date_malformed", Message: "must be a day such as 2031-05-04"}})
		}
		s.Guardian = &Guardian{Name: g.Name, Relation: g.Relation, Until: until}
	}
	return answered(c.Say(ctx, in.ID, s, b.Address))
}

// inSight refuses whoever may not see addresses and names: a statement without them would read as one about all addresses.
func inSight(ctx context.Context) error {
	s, err := access.For(ctx, "")
	if err == nil && !s.MayAll(access.Identity, access.Contact) {
		err = problem.New(problem.Forbidden, "class_withheld", "Consents name addresses, which your role does not see.")
	}
	return err
}

func (c *Consents) listHTTP(ctx context.Context, in *historyInput) (*historyAnswer, error) {
	if err := inSight(ctx); err != nil {
		return nil, err
	}
	items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Told, error) {
		return c.List(ctx, in.ID, in.Purpose, before, limit)
	}, func(t Told) uuid.UUID { return t.ID }, show)
	if err != nil {
		return nil, err
	}
	return &historyAnswer{consentPage{items, next}}, nil
}

func (c *Consents) nowHTTP(ctx context.Context, in *nowInput) (*nowAnswer, error) {
	if err := inSight(ctx); err != nil {
		return nil, err
	}
	root, held, child, err := c.Now(ctx, in.ID, Question{in.Purpose, in.Channel, in.Address})
	if err != nil {
		return nil, err
	}
	body := currentConsents{CustomerID: root, Child: child, Items: make([]currentConsent, len(held))}
	for n, h := range held {
		body.Items[n] = currentConsent{
			Purpose: h.Purpose, Channel: h.Channel, Address: h.Address.Value, State: h.State, Kind: h.Kind,
			ConsentID: pg.OrNull(h.Statement), Since: pg.OrNull(h.Since),
		}
	}
	return &nowAnswer{body}, nil
}

func (c *Consents) proofHTTP(ctx context.Context, in *proofInput) (*proofAnswer, error) {
	if err := inSight(ctx); err != nil {
		return nil, err
	}
	p, err := c.Prove(ctx, in.ID, in.Purpose, in.Channel)
	if err != nil {
		return nil, err
	}
	body := consentProof{
		CustomerID: p.Root, Aliases: append([]uuid.UUID{}, p.Aliases...), Purpose: in.Purpose, Channel: in.Channel, State: p.Holds.State,
		MadeAt: p.At, Merges: make([]consentMerge, len(p.Merges)), Records: make([]consentRecord, len(p.Records)),
	}
	for n, m := range p.Merges {
		body.Merges[n] = consentMerge{SurvivorID: m.Survivor, AbsorbedID: m.Absorbed, MergedAt: m.At, UndoneAt: pg.OrNull(m.UndoneAt)}
	}
	for n, r := range p.Records {
		body.Records[n] = consentRecord{show(Told{Record: r, Root: p.Root}), r.Statement}
	}
	if body.Digest, err = sum(body.Records); err != nil {
		return nil, err
	}
	return &proofAnswer{body}, nil
}

// sum is SHA-256 of the JSON of v as an answer has it: names as they are, nothing escaped that need not be.
func sum(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", err
	}
	digest := sha256.Sum256(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
	return hex.EncodeToString(digest[:]), nil
}
