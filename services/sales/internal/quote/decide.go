package quote

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
)

// decisions is the namespace of the ids that decisions get from their Idempotency-Keys.
var decisions = uuid.MustParse("5a7e8f13-6c0b-5d92-8e41-3b9f20c7d615")

// Decide brings a person's decision to the process that asks for approval and waits for what it says; words, which may be empty,
// are kept here and referred to. What cannot be decided is refused before that is asked. While the process cannot be reached
// the answer is Unavailable, and the decision may still take effect: sent again under the same Idempotency-Key it tells.
func (s *Quotes) Decide(ctx context.Context, d Decision, words string) (Told, error) {
	asked, err := flow.Ask(ctx, decisions)
	if err != nil {
		return Told{}, err
	}
	d.ID, d.Attempt, d.Hash, d.By = asked.ID, asked.Attempt, asked.Hash, asked.By
	reason := d.Code
	if d.Action == ActionApprove {
		reason = string(ActionApprove) // needs none
	}
	if words, err = said(reason, words); err != nil {
		return Told{}, err
	}
	before, err := s.prepare(ctx, &d, words)
	if err != nil {
		return Told{}, err
	}
	if before {
		httpx.MarkReplayed(ctx)
		return s.Get(ctx, d.QuoteID)
	}
	tenant := auth.Tenant(ctx)
	// The first decision may be faster than the event that starts the process: then it is started on behalf of nobody who happens
	// to decide.
	if _, err := s.flow.Start(auth.With(ctx, auth.Principal{Subject: process, Tenant: tenant}), s.start(tenant, d.QuoteID, d.Version)); err != nil {
		return Told{}, err
	}
	var answer Decided
	err = s.flow.Decide(ctx, flow.Decision{Start: s.start(tenant, d.QuoteID, d.Version), Name: DecideUpdate, ID: d.ID.String(), Args: []any{d}}, &answer)
	if err != nil {
		return Told{}, err
	}
	if answer.Attempt != d.Attempt {
		httpx.MarkReplayed(ctx)
	}
	return s.Get(ctx, d.QuoteID)
}

// prepare refuses what cannot be decided and keeps the words; before tells that the decision was made before.
func (s *Quotes) prepare(ctx context.Context, d *Decision, words string) (before bool, err error) {
	if words != "" {
		d.NoteID = uuid.NewSHA1(d.ID, []byte("words"))
	}
	err = s.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		at, hash, found, err := decided(ctx, tx, d.ID)
		if err != nil {
			return err
		}
		if before = found; found && at != d.QuoteID {
			return flow.Same(hash, d.ID[:]) // never the same
		}
		if found {
			return flow.Same(hash, d.Hash)
		}
		customer, err := customerOf(ctx, tx, d.QuoteID)
		if err != nil {
			return err
		}
		erasure.Refuse(tx, customer)
		was, err := load(ctx, tx, d.QuoteID, false)
		if err != nil {
			return err
		}
		// It may have been made since the look above; what was loaded then has its step, and refuses it as one that came too late.
		if before, err = was.Decided(*d); before || err != nil {
			return err
		}
		if err := was.Check(*d); err != nil {
			return err
		}
		insertNote(tx, d.QuoteID, d.NoteID, words, d.By.Subject, s.now())
		return nil
	})
	return before, err
}

// workflowID is the business key of the process that asks for approval of a version.
func workflowID(tenant string, quote uuid.UUID, version int32) string {
	return fmt.Sprintf("quote/%s/%s/%d", tenant, quote, version)
}

// start describes the process of a version. Its rows decide what is left to do, so that one that was ended by hand can be started
// anew, and so can that of a version that was rejected and is submitted again.
func (s *Quotes) start(tenant string, quote uuid.UUID, version int32) flow.Start {
	return flow.Start{ID: workflowID(tenant, quote, version), Queue: s.service, Workflow: WorkflowName,
		Args: []any{Input{QuoteID: quote, Version: version}}, Search: flow.Search{Stage: string(InApproval)}, Again: true}
}

// carryOut makes a decision on the quote's rows: once, however often it is sent.
func (s *Quotes) carryOut(ctx context.Context, d Decision) (Standing, error) {
	_, _, err := s.change(ctx, d.QuoteID, true, func(_ *pg.Tx, was Quote, at time.Time) (Quote, []outbox.Event, error) {
		if before, err := was.Decided(d); before || err != nil {
			return was, nil, err
		}
		now, err := was.Decide(d, at)
		return now, nil, err
	})
	if name, _ := pg.Constraint(err); name == decisionIndex { // on another quote, in the same moment
		err = flow.Same(nil, d.ID[:])
	}
	if err != nil {
		return Standing{}, err
	}
	return s.standing(ctx, Input{QuoteID: d.QuoteID, Version: d.Version})
}

// silence says that the level that was asked until dueAt did not answer.
func (s *Quotes) silence(ctx context.Context, in silentInput) (Standing, error) {
	_, _, err := s.change(ctx, in.QuoteID, false, func(_ *pg.Tx, was Quote, at time.Time) (Quote, []outbox.Event, error) {
		return was.Silent(in.Version, in.DueAt, at), nil, nil
	})
	if err != nil {
		return Standing{}, err
	}
	return s.standing(ctx, in.Input)
}

// standing is where the approval of a version stands.
func (s *Quotes) standing(ctx context.Context, in Input) (now Standing, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		q, err := load(ctx, tx, in.QuoteID, false)
		if err != nil {
			return err
		}
		now, err = q.Standing(in.Version)
		return err
	})
	return now, err
}
