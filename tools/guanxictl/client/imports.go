package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// ImportRequest is a file to import.
type ImportRequest struct {
	Kind string // customers, orders or leads
	Body io.Reader
	// Format is csv, jsonl or whitespace.
	Format string
	// Mapping entries are target=source, the source being a header name, a column #3, a constant 'text' or $line.
	Mapping []string
	// Header tells whether the first line names the columns.
	Header         bool
	Policy         string // skip (default), update or, of customers, create
	DryRun         bool
	IdempotencyKey string
}

// Import is how far one import is.
type Import struct {
	ID    string `json:"id"`
	State string `json:"state"` // accepted, running, finished, cancelled or failed
	// Rows were worked on so far; Progress is the share of the file, from 0 to 1.
	Rows     int64   `json:"rows"`
	Accepted int64   `json:"accepted"`
	Rejected int64   `json:"rejected"`
	Progress float64 `json:"progress"`
	DryRun   bool    `json:"dry_run"`
	Failure  string  `json:"failure,omitempty"` // a code
}

// Ended tells whether nothing more will happen to the import.
func (i Import) Ended() bool { return i.State == "finished" || i.Failed() }

// Failed tells whether the import ended without having gone through the file.
func (i Import) Failed() bool { return i.State == "failed" || i.State == "cancelled" }

// Rejection is one reason for which a row was not taken.
type Rejection struct {
	Line   int64  `json:"line"`
	Row    int64  `json:"row"`
	Column string `json:"column"`
	Code   string `json:"code"`
	Reason string `json:"reason"`
}

func importsPath(kind string) string { return "/v1/" + kind + "/imports" }

// StartImport uploads the file as a stream and returns once the server has all of it.
func (c *Client) StartImport(ctx context.Context, r ImportRequest) (Import, error) {
	query := url.Values{"format": {r.Format}}
	if len(r.Mapping) > 0 {
		query["mapping"] = r.Mapping
	}
	if r.Format != "jsonl" {
		query.Set("header", strconv.FormatBool(r.Header))
	}
	if r.Policy != "" {
		query.Set("policy", r.Policy)
	}
	if r.DryRun {
		query.Set("dry_run", "true")
	}
	contentType := map[string]string{"csv": "text/csv", "jsonl": "application/jsonl"}[r.Format]
	if contentType == "" {
		contentType = "text/plain"
	}
	var started Import
	_, err := c.Do(ctx, Request{
		Method: http.MethodPost, Path: importsPath(r.Kind), Query: query,
		Body: r.Body, ContentType: contentType, IdempotencyKey: r.IdempotencyKey,
	}, &started)
	return started, err
}

// GetImport reads the state of an import.
func (c *Client) GetImport(ctx context.Context, kind, id string) (Import, error) {
	var state Import
	err := c.Get(ctx, importsPath(kind)+"/"+id, nil, &state)
	return state, err
}

// WaitImport reads the state until the import has ended, calling progress (which may be nil) each time. It sits out
// servers that are away; only ctx and refusals end it.
func (c *Client) WaitImport(ctx context.Context, kind, id string, progress func(Import)) (Import, error) {
	return follow(ctx, func() (Import, error) { return c.GetImport(ctx, kind, id) }, Import.Ended, progress)
}

// WaitImportAt is WaitImport until the share of the file, from 0 to 1, is done, or the import has ended.
func (c *Client) WaitImportAt(ctx context.Context, kind, id string, share float64) (Import, error) {
	reached := func(i Import) bool { return i.Ended() || i.Progress >= share }
	return follow(ctx, func() (Import, error) { return c.GetImport(ctx, kind, id) }, reached, nil)
}

// Rejections reads every rejection of an import, page by page.
func (c *Client) Rejections(ctx context.Context, kind, id string, each func(Rejection) error) error {
	return c.List(ctx, importsPath(kind)+"/"+id+"/rejections", "items", nil, func(raw []byte) error {
		var r Rejection
		if err := json.Unmarshal(raw, &r); err != nil {
			return err
		}
		return each(r)
	})
}
