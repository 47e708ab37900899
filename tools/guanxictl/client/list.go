package client

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
)

// ErrStop ends a List early without being an error of it.
var ErrStop = errors.New("stop")

// List walks through all pages of a list and calls each with every item's JSON.
func (c *Client) List(ctx context.Context, path string, query url.Values, each func(raw []byte) error) error {
	page := url.Values{"limit": {"200"}}
	maps.Copy(page, query)
	for {
		var answer struct {
			Items      []json.RawMessage `json:"items"`
			NextCursor string            `json:"next_cursor"`
		}
		if err := c.Get(ctx, path, page, &answer); err != nil {
			return err
		}
		for _, item := range answer.Items {
			if err := each(item); err != nil {
				if errors.Is(err, ErrStop) {
					return nil
				}
				return err
			}
		}
		if answer.NextCursor == "" {
			return nil
		}
		page.Set("cursor", answer.NextCursor)
	}
}

func decode(raw []byte, into any) error { return json.Unmarshal(raw, into) }
