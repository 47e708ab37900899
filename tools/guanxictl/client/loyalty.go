package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Balance is what a member has, in points.
type Balance struct {
	Available int64 `json:"available"` // to spend
	Pending   int64 `json:"pending"`   // locked
	Debt      int64 `json:"debt"`      // owed: taken back after it was spent
}

// Member is a customer who collects points.
type Member struct {
	MemberID   string    `json:"member_id"`
	CustomerID string    `json:"customer_id"`
	CardNumber string    `json:"card_number"`
	Source     string    `json:"source"` // how the customer became a member
	EnrolledAt time.Time `json:"enrolled_at"`
	Programme  string    `json:"programme"` // code of the programme whose points they are
	State      string    `json:"state"`     // active, suspended or left
	Balance
}

// ErrNoMember says that a customer does not collect points.
var ErrNoMember = errors.New("the customer is no member yet: who buys becomes one within moments")

// EnrolMember makes a customer a member; one who is a member already is given as the member stands.
func (c *Client) EnrolMember(ctx context.Context, customerID string) (Member, error) {
	var m Member
	err := c.Post(ctx, "/v1/members", map[string]string{"customer_id": customerID}, &m)
	return m, err
}

// GetMember reads a member.
func (c *Client) GetMember(ctx context.Context, memberID string) (Member, error) {
	var m Member
	err := c.Get(ctx, "/v1/members/"+url.PathEscape(memberID), nil, &m)
	return m, err
}

// MemberOf finds the member who is the customer; ErrNoMember when there is none.
func (c *Client) MemberOf(ctx context.Context, customerID string) (Member, error) {
	var page struct{ Items []Member }
	if err := c.Get(ctx, "/v1/members", url.Values{"customer_id": {customerID}}, &page); err != nil {
		return Member{}, err
	}
	if len(page.Items) == 0 {
		return Member{}, ErrNoMember
	}
	return page.Items[0], nil
}

// BalanceAt is a balance and its time.
type BalanceAt struct {
	MemberID string `json:"member_id"`
	Balance
	AsOf     time.Time  `json:"as_of"`
	Expiring []Expiring `json:"expiring,omitempty"` // the next times at which points run out; of now only
	Own      *Own       `json:"own,omitempty"`      // nil: nobody else is the same customer
}

// Expiring is points that run out at a time, if they are not spent before.
type Expiring struct {
	Points int64     `json:"points"`
	At     time.Time `json:"at"`
}

// Own is what one member has of what several have together who are one customer.
type Own struct {
	CustomerID string `json:"customer_id"` // whose member it is apart from merges
	Balance
}

// GetBalance reads what a member had at a past time; a zero time means now.
func (c *Client) GetBalance(ctx context.Context, memberID string, at time.Time) (BalanceAt, error) {
	var b BalanceAt
	query := url.Values{}
	if !at.IsZero() {
		query.Set("at", at.Format(time.RFC3339Nano))
	}
	err := c.Get(ctx, memberPath(memberID, "balance"), query, &b)
	return b, err
}

func memberPath(memberID, what string) string {
	return "/v1/members/" + url.PathEscape(memberID) + "/" + what
}

// Explanation is what a member's own balance is made of.
type Explanation struct {
	MemberID string `json:"member_id"`
	Balance
	InWords       []string   `json:"in_words"`              // sentences to read out
	PooledWith    []Pooled   `json:"pooled_with,omitempty"` // since a merge: their points are spent together with these
	Expiring      []Expiring `json:"expiring,omitempty"`    // the next times at which points of its own run out
	OpenLots      []Lot      `json:"open_lots"`             // the first 200, as they are spent
	OpenLotsTotal int64      `json:"open_lots_total"`
	Items         []Entry    `json:"items"` // the latest first
}

// Pooled is another member who is the same customer.
type Pooled struct {
	MemberID string `json:"member_id"`
	Own
}

// Lot is points that came in together.
type Lot struct {
	LotID       string    `json:"lot_id"`
	EntryID     string    `json:"entry_id"` // that made it
	Points      int64     `json:"points"`   // at first
	Remaining   int64     `json:"remaining"`
	State       string    `json:"state"` // available or locked
	AvailableAt time.Time `json:"available_at"`
	EarnedAt    time.Time `json:"earned_at"`
	ReasonType  string    `json:"reason_type"`
	ReasonID    string    `json:"reason_id,omitempty"`

	ExpiresAt *time.Time `json:"expires_at,omitempty"` // nil: not by itself
	Expired   int64      `json:"expired,omitempty"`    // points of it that ran out
}

// Entry is one entry of the ledger. Available, Pending and Debt are changes.
type Entry struct {
	EntryID  string `json:"entry_id"`
	MemberID string `json:"member_id"`
	Kind     string `json:"kind"` // earn, grant, spend, restore, release, reversal, expiry or adjustment
	InWords  string `json:"in_words,omitempty"`
	Points   int64  `json:"points"`
	Balance
	AvailableAfter int64       `json:"available_after"`
	ReasonType     string      `json:"reason_type"`
	ReasonID       string      `json:"reason_id,omitempty"`
	Reverses       string      `json:"reverses,omitempty"` // the entry that was taken back
	PartOf         string      `json:"part_of,omitempty"`  // the first entry of a spend that took points of several members
	BookedBy       string      `json:"booked_by"`
	BookedAt       time.Time   `json:"booked_at"`
	EffectiveAt    time.Time   `json:"effective_at"` // when what it is for took place
	Lots           []Use       `json:"lots"`         // that points were taken from
	Programme      string      `json:"programme,omitempty"`
	Waived         int64       `json:"waived,omitempty"` // of a reversal: not taken, since they had run out
	Parts          []SpendPart `json:"parts,omitempty"`  // of a spend: what it took from other members who are the same customer
}

// SpendPart is what a spend took from another member who is the same customer.
type SpendPart struct {
	EntryID  string `json:"entry_id"`
	MemberID string `json:"member_id"`
	Points   int64  `json:"points"`
	Lots     []Use  `json:"lots"`
}

// Use is points that an entry took from a lot.
type Use struct {
	LotID  string `json:"lot_id"`
	Points int64  `json:"points"`
}

// ExplainBalance reads a member's balance, the lots that it is made of, and the entries behind it: the latest ones, up to
// most, or all of them where most is 0.
func (c *Client) ExplainBalance(ctx context.Context, memberID string, most int) (Explanation, error) {
	whole := Explanation{Items: []Entry{}}
	query := url.Values{"limit": {"200"}}
	for {
		var page struct {
			Explanation
			NextCursor string `json:"next_cursor"`
		}
		if most > 0 {
			query.Set("limit", strconv.Itoa(min(200, most-len(whole.Items))))
		}
		if err := c.Get(ctx, memberPath(memberID, "explanation"), query, &page); err != nil {
			return whole, err
		}
		if whole.MemberID == "" {
			whole = page.Explanation // the balance and the lots fit the entries of the first page
		} else {
			whole.Items = append(whole.Items, page.Items...)
		}
		if page.NextCursor == "" || most > 0 && len(whole.Items) >= most {
			return whole, nil
		}
		query.Set("cursor", page.NextCursor)
	}
}

// Booking is points to be given or spent.
type Booking struct {
	Points      int64      `json:"points"` // 1 to 1,000,000
	ReasonType  string     `json:"reason_type"`
	ReasonID    string     `json:"reason_id,omitempty"`
	LockedUntil *time.Time `json:"locked_until,omitempty"` // of points that are given
	// Key is the Idempotency-Key; one is made up when it is empty.
	Key string `json:"-"`
}

// Earn gives a member points.
func (c *Client) Earn(ctx context.Context, memberID string, b Booking) (Entry, error) {
	return c.book(ctx, memberPath(memberID, "earns"), b)
}

// Spend takes points that are available; more than there are is a Problem with the code points_insufficient.
func (c *Client) Spend(ctx context.Context, memberID string, b Booking) (Entry, error) {
	return c.book(ctx, memberPath(memberID, "spends"), b)
}

func (c *Client) book(ctx context.Context, path string, b Booking) (Entry, error) {
	var e Entry
	_, err := c.Do(ctx, Request{Method: http.MethodPost, Path: path, In: b, IdempotencyKey: b.Key}, &e)
	return e, err
}

// ExpirePoints has the tenant's points run out now whose time has come, and gives the id of the process that does it.
func (c *Client) ExpirePoints(ctx context.Context) (workflowID string, err error) {
	var started struct {
		WorkflowID string `json:"workflow_id"`
	}
	_, err = c.Do(ctx, Request{Method: http.MethodPost, Path: "/v1/points/expiries"}, &started)
	return started.WorkflowID, err
}

// PointsSummary adds the ledger of a tenant up. Earned - Reversed - Spent + Restored - Expired + Adjusted = Available + Pending -
// Debt.
type PointsSummary struct {
	Members  int64 `json:"members"`
	Entries  int64 `json:"entries"`
	Earned   int64 `json:"earned"`  // grants included
	Granted  int64 `json:"granted"` // the part of it that other services gave
	Reversed int64 `json:"reversed"`
	Spent    int64 `json:"spent"`
	Restored int64 `json:"restored"` // spends that were given back
	Expired  int64 `json:"expired"`  // ran out
	Adjusted int64 `json:"adjusted"` // by hand or by a rule: given less taken
	Balance
	LedgerSum int64 `json:"ledger_sum"` // 0
}

// PointsSummary asks loyalty.
func (c *Client) PointsSummary(ctx context.Context) (PointsSummary, error) {
	var s PointsSummary
	err := c.Get(ctx, "/v1/points/summary", nil, &s)
	return s, err
}

// Audit is what the auditor's check of a tenant's ledger found.
type Audit struct {
	OK          bool              `json:"ok"`
	CheckedAt   time.Time         `json:"checked_at"`
	LedgerSum   int64             `json:"ledger_sum"`
	Entries     int64             `json:"entries"`
	Members     int64             `json:"members"`
	Differences []AuditDifference `json:"differences"`
}

// AuditDifference is a number of a member that is not what the entries say.
type AuditDifference struct {
	MemberID string          `json:"member_id"`
	What     string          `json:"what"`
	Wanted   json.RawMessage `json:"wanted"`
	Found    json.RawMessage `json:"found"`
}

// AuditPoints has the whole ledger of the tenant checked.
func (c *Client) AuditPoints(ctx context.Context) (Audit, error) {
	var a Audit
	_, err := c.Do(ctx, Request{Method: http.MethodPost, Path: "/v1/points/audits"}, &a)
	return a, err
}
