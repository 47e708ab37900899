package access

import (
	"context"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

type accessListInput struct {
	httpx.Page
	CustomerID uuid.UUID `query:"customer_id" format:"uuid" doc:"Only looks at this customer, by whatever id it was known then."`
	Subject    string    `query:"subject" maxLength:"255" doc:"Only looks of this person or program."`
}

type accessListAnswer struct{ Body accessPage }

type accessPage struct {
	Items      []accessEntry `json:"items" nullable:"false" doc:"The latest first."`
	NextCursor string        `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type accessEntry struct {
	Seq        int64     `json:"seq" doc:"From 1 within the tenant, without gaps."`
	At         time.Time `json:"at"`
	Subject    string    `json:"subject" doc:"Who looked, as the token said."`
	Roles      []string  `json:"roles" nullable:"false" doc:"By which roles."`
	Purpose    string    `json:"purpose" example:"credit"`
	Reason     string    `json:"reason" doc:"As it was given." example:"T-000123"`
	View       string    `json:"view" doc:"What was looked at." example:"profile"`
	CustomerID uuid.UUID `json:"customer_id" format:"uuid" doc:"Whose data it was."`
	Classes    []string  `json:"classes" nullable:"false" doc:"The sensitive classes that were in sight." example:"[\"financial\"]"`
	Hash       string    `json:"hash" doc:"SHA-256 over this entry and the hash of the one before, in hexadecimal."`
}

type verifyInput struct{ Body *verifyRequest }

// verifyRequest is what an earlier check answered.
type verifyRequest struct {
	Entries int64  `json:"entries" minimum:"0" doc:"Of an earlier check: how many entries there were."`
	Hash    string `json:"hash" pattern:"^([0-9a-f]{64})?$" maxLength:"64" doc:"Of an earlier check: the last hash."`
}

type verifyAnswer struct{ Body accessVerification }

type accessVerification struct {
	OK      bool         `json:"ok" doc:"Everything is as it was written."`
	Entries int64        `json:"entries" doc:"How many entries the log had when the check began."`
	Hash    string       `json:"hash" doc:"Of the last of them; empty where there is none. Keep both in another place and give them to a later check."`
	Break   *accessBreak `json:"break,omitempty" doc:"The first place that is not as it was written."`
}

type accessBreak struct {
	Seq  int64  `json:"seq" doc:"Number of the entry; 0: of none."`
	Kind string `json:"kind" enum:"changed,missing,tail_cut,changed_end,unaccounted,rewritten" doc:"changed: the entry, or the hash of the one before. missing: it was taken out. tail_cut: it and all after it were. changed_end: the record of where the log ends, or the last entry together with its hash. unaccounted: it was put in from outside. rewritten: it is not the one of the earlier check."`
}

// Routes adds the reading and the checking of the log.
func (l *Log) Routes(api *httpx.API) {
	const tag = "Access"
	httpx.Register(api, httpx.Operation{
		ID: "list-access-log", Method: http.MethodGet, Path: "/v1/access-log", Tag: tag,
		Summary:    "Who looked at financial, health or special data, of whom, for what and why",
		Permission: auth.AccessAudit,
	}, l.list)
	httpx.Register(api, httpx.Operation{
		ID: "verify-access-log", Method: http.MethodPost, Path: "/v1/access-log/verify", Tag: tag,
		Summary: "Check that nothing in the log was changed, taken out or put in",
		Description: "Walks the whole log. With what an earlier check answered as the body it also finds a log that was written anew " +
			"from its beginning.",
		Permission: auth.AccessAudit, Status: http.StatusOK, Timeout: 2 * time.Minute,
	}, l.verify)
}

func (l *Log) list(ctx context.Context, in *accessListInput) (*accessListAnswer, error) {
	before, err := beforeSeq(in.Cursor)
	if err != nil {
		return nil, err
	}
	entries, err := l.List(ctx, Filter{Customer: in.CustomerID, Subject: in.Subject}, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	page, next := httpx.NextPage(entries, in.Limit, func(last Entry) []string { return []string{strconv.FormatInt(last.Seq, 10)} })
	items := make([]accessEntry, len(page))
	for i, e := range page {
		items[i] = accessEntry{
			Seq: e.Seq, At: e.At.UTC(), Subject: e.Subject, Roles: strings.Split(e.Roles, ","), Purpose: e.Purpose, Reason: e.Reason,
			View: e.View, CustomerID: e.Customer, Classes: strings.Split(e.Classes, ","), Hash: hex.EncodeToString(e.Hash),
		}
	}
	return &accessListAnswer{accessPage{items, next}}, nil
}

// beforeSeq gives the number of the entry before which a page begins.
func beforeSeq(cursor string) (int64, error) {
	parts, err := httpx.DecodeCursor(cursor, 1)
	if err != nil {
		return 0, err
	}
	if parts == nil {
		return theEnd, nil
	}
	seq, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil {
		return 0, httpx.CursorInvalid()
	}
	return seq, nil
}

func (l *Log) verify(ctx context.Context, in *verifyInput) (*verifyAnswer, error) {
	var earlier Proof
	if in.Body != nil {
		hash, err := hex.DecodeString(in.Body.Hash)
		if err != nil || (in.Body.Entries > 0) != (len(hash) > 0) {
			return nil, problem.InvalidBody("proof_invalid", "This is not what a check answers.", []problem.Field{
				{Location: "hash", Code: "proof_invalid", Message: "must be the hash that came with these entries"}})
		}
		earlier = Proof{in.Body.Entries, hash}
	}
	proof, broken, err := l.Verify(ctx, earlier)
	if err != nil {
		return nil, err
	}
	body := accessVerification{OK: broken == nil, Entries: proof.Entries, Hash: hex.EncodeToString(proof.Hash)}
	if broken != nil {
		body.Break = &accessBreak{broken.Seq, broken.Kind}
	}
	return &verifyAnswer{body}, nil
}
