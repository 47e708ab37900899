package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
)

// ErrStop ends a List early without being an error of it.
var ErrStop = errors.New("stop")

// List walks through all pages of a list, whose items stand in the field of the answer, and calls each with every item's
// JSON.
func (c *Client) List(ctx context.Context, path, field string, query url.Values, each func(raw []byte) error) error {
	page := url.Values{"limit": {"200"}}
	maps.Copy(page, query)
	for {
		var answer map[string]json.RawMessage
		if err := c.Get(ctx, path, page, &answer); err != nil {
			return err
		}
		var items []json.RawMessage
		if err := json.Unmarshal(answer[field], &items); err != nil {
			return fmt.Errorf("%s: the answer's %q is not a list: %w", path, field, err)
		}
		for _, item := range items {
			if err := each(item); err != nil {
				if errors.Is(err, ErrStop) {
					return nil
				}
				return err
			}
		}
		var next string
		if raw, ok := answer["next_cursor"]; ok {
			if err := json.Unmarshal(raw, &next); err != nil {
				return fmt.Errorf("%s: next_cursor: %w", path, err)
			}
		}
		if next == "" {
			return nil
		}
		page.Set("cursor", next)
	}
}
