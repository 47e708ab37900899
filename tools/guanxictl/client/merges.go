package client

import (
	"context"
	"encoding/json"
	"net/url"
	"time"
)

// Merge says that two customers are one; or, of a dry run, what they would be.
type Merge struct {
	MergeID    string       `json:"merge_id,omitempty"` // empty: a dry run
	SurvivorID string       `json:"survivor_id"`
	AbsorbedID string       `json:"absorbed_id"`
	Reason     string       `json:"reason"` // code; of a merge that nobody asked for, the name of the rule
	MergedAt   *time.Time   `json:"merged_at,omitempty"`
	MergedBy   string       `json:"merged_by,omitempty"` // subject; matching where nobody asked for it
	UndoUntil  *time.Time   `json:"undo_until,omitempty"`
	UndoneAt   *time.Time   `json:"undone_at,omitempty"`
	UndoneBy   string       `json:"undone_by,omitempty"`
	Fields     []MergeField `json:"fields,omitempty"` // of a dry run
}

// MergeField is what a merge would make of one field.
type MergeField struct {
	Field    string `json:"field"`
	Value    string `json:"value"`
	From     string `json:"from,omitempty"` // whose value it is; empty: of both
	Rule     string `json:"rule"`
	Withheld bool   `json:"withheld,omitempty"` // the value is sensitive and left out
}

// NewMerge asks for a merge of another customer into one.
type NewMerge struct {
	AbsorbedID string `json:"absorbed_id"`
	DryRun     bool   `json:"dry_run,omitempty"`
	Reason     string `json:"reason,omitempty"`
	Rule       string `json:"rule,omitempty"` // most_recent (where it is empty), oldest or trusted_source
}

// MergeCustomers merges another customer into the survivor, or shows what would come of it.
func (c *Client) MergeCustomers(ctx context.Context, survivorID string, in NewMerge) (Merge, error) {
	var m Merge
	err := c.Post(ctx, "/v1/customers/"+url.PathEscape(survivorID)+"/merges", in, &m)
	return m, err
}

// ListMerges calls each with the merges in which any id of a customer took part, undone ones included, the latest first.
func (c *Client) ListMerges(ctx context.Context, customerID string, each func(Merge) error) error {
	return c.List(ctx, "/v1/customers/"+url.PathEscape(customerID)+"/merges", "items", nil, decoded(each))
}

// GetMerge reads a merge.
func (c *Client) GetMerge(ctx context.Context, id string) (Merge, error) {
	var m Merge
	err := c.Get(ctx, "/v1/merges/"+url.PathEscape(id), nil, &m)
	return m, err
}

// UndoMerge takes a merge back.
func (c *Client) UndoMerge(ctx context.Context, id string) (Merge, error) {
	var m Merge
	err := c.Post(ctx, "/v1/merges/"+url.PathEscape(id)+"/undo", nil, &m)
	return m, err
}

// Duplicate is two customers who may be one.
type Duplicate struct {
	DuplicateID string `json:"duplicate_id"`
	Customers   []struct {
		CustomerID  string `json:"customer_id"`
		DisplayName string `json:"display_name,omitempty"`
	} `json:"customers"` // two
	Score       int        `json:"score"`  // 1 to 100
	Result      string     `json:"result"` // automatic or review
	Rule        string     `json:"rule"`
	Criteria    []string   `json:"criteria"`
	State       string     `json:"state"` // open, accepted or dismissed
	FoundAt     time.Time  `json:"found_at"`
	DecidedAt   *time.Time `json:"decided_at,omitempty"`
	DecidedBy   string     `json:"decided_by,omitempty"`
	LeftBecause string     `json:"left_because,omitempty"` // why an automatic one waits for people, a code
}

const duplicatesPath = "/v1/duplicates"

// ListDuplicates calls each with the pairs of a state, the surest first.
func (c *Client) ListDuplicates(ctx context.Context, state string, each func(Duplicate) error) error {
	return c.List(ctx, duplicatesPath, "items", url.Values{"state": {state}}, decoded(each))
}

// AcceptDuplicate merges a pair.
func (c *Client) AcceptDuplicate(ctx context.Context, id string) (Merge, error) {
	var m Merge
	err := c.Post(ctx, duplicatesPath+"/"+url.PathEscape(id)+"/accept", struct{}{}, &m)
	return m, err
}

// DismissDuplicate says that the two of a pair are not one.
func (c *Client) DismissDuplicate(ctx context.Context, id string) (Duplicate, error) {
	var d Duplicate
	err := c.Post(ctx, duplicatesPath+"/"+url.PathEscape(id)+"/dismiss", nil, &d)
	return d, err
}

// decoded gives each item of a list to each.
func decoded[T any](each func(T) error) func(raw []byte) error {
	return func(raw []byte) error {
		var one T
		if err := json.Unmarshal(raw, &one); err != nil {
			return err
		}
		return each(one)
	}
}
