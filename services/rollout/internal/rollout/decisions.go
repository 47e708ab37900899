package rollout

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/plan"
)

// process is how the process of a rollout is started, asked and told; without a starter there is none.
type process struct {
	flow    *flow.Client
	starter *starts.Starter
	start   func(tenant string, id uuid.UUID) flow.Start
	update  string // the name of the Update that decides
}

// subject is on whose behalf processes are started anew.
const subject = "rollout-sweep"

// Led has the rollouts led by processes: start describes the process of one, update names the Update of it that takes a Decision and
// answers with a Decided.
func (r *Rollouts) Led(fl *flow.Client, starter *starts.Starter, update string, start func(tenant string, id uuid.UUID) flow.Start) *Rollouts {
	r.process = process{flow: fl, starter: starter, start: start, update: update}
	return r
}

// queue has the process of a rollout started once the transaction is kept.
func (p process) queue(ctx context.Context, tx *pg.Tx, id uuid.UUID) error {
	if p.starter == nil {
		return nil
	}
	return p.starter.Queue(ctx, tx, p.start(auth.Tenant(ctx), id))
}

// poke tells the process of a rollout that its row was changed, where err says that it was.
func (p process) poke(ctx context.Context, id uuid.UUID, err error) {
	if err == nil && p.flow != nil {
		p.flow.Poke(ctx, p.start(auth.Tenant(ctx), id).ID)
	}
}

const sweepMost = 500

// Sweep has the processes started anew of rollouts whose process was ended by hand or lost, of all tenants. A process that runs stays
// as it is. It may be called in any number of processes.
func (r *Rollouts) Sweep(ctx context.Context) error {
	_, err := r.starter.Revive(ctx, subject, r.start, `SELECT tenant_id, id FROM rollout_going($1)`, sweepMost)
	return err
}

// decisions is the namespace of the ids that decisions get from their Idempotency-Keys.
var decisions = uuid.MustParse("4c0e6f0b-52f6-5c3f-8a55-7d1f2f5d9b60")

// maxNote is how many characters may be said with a decision.
const maxNote = 20_000

// Say brings a person's decision to the rollout's process, waits for what it says, and gives the rollout as it is then; what was said
// with it, note, is kept here and referred to. What cannot be decided is refused before the process is asked, by the problems of
// [Rollout.Decide]; where two decide at once, the rollout's row says who was first. While the process cannot be reached the answer is
// Unavailable, and the decision may still take effect: sent again under the same Idempotency-Key it tells. Of a draft, which has no
// process, the row is asked.
func (r *Rollouts) Say(ctx context.Context, d Decision, note string) (Rollout, error) {
	asked, err := flow.Ask(ctx, decisions)
	if err != nil {
		return Rollout{}, err
	}
	d.ID, d.Attempt, d.Hash, d.By = asked.ID, asked.Attempt, asked.Hash, asked.By
	note, err = d.checked(note)
	if err != nil {
		return Rollout{}, err
	}
	was, before, err := r.prepare(ctx, d, note)
	if err != nil {
		return Rollout{}, err
	}
	var answer Decided
	switch {
	case before:
	case was.State == Draft:
		answer, err = r.Decide(ctx, d)
	default:
		err = r.flow.Decide(ctx, flow.Decision{Start: r.start(auth.Tenant(ctx), d.RolloutID), Name: r.update, ID: d.ID.String(), Args: []any{d}}, &answer)
	}
	if err != nil {
		return Rollout{}, err
	}
	if answer.Attempt != d.Attempt {
		httpx.MarkReplayed(ctx)
	}
	return r.Get(ctx, d.RolloutID)
}

// checked refuses a decision that is malformed, and gives what was said with it as it is kept.
func (d *Decision) checked(note string) (string, error) {
	note = strings.TrimSpace(note)
	var faults []problem.Field
	if d.Reason != "" && !plan.Coded(d.Reason) {
		faults = append(faults, problem.Field{Location: "reason", Code: "reason_malformed", Message: "must be a code of 1 to 64 lower-case letters, digits, - and _; what else there is to say is the note"})
	}
	if utf8.RuneCountInString(note) > maxNote || strings.ContainsRune(note, 0) {
		faults = append(faults, problem.Field{Location: "note", Code: "note_too_long", Message: "must be at most 20000 characters, none of them NUL"})
	}
	if len(faults) > 0 {
		return "", problem.InvalidBody("decision_invalid", "The decision was not accepted: mend the fields named here.", faults)
	}
	if note != "" {
		d.NoteID = uuid.NewSHA1(d.ID, []byte("note"))
	}
	return note, nil
}

// prepare refuses what cannot be decided and keeps what was said; before tells that the decision was made before.
func (r *Rollouts) prepare(ctx context.Context, d Decision, note string) (was Rollout, before bool, err error) {
	at := r.now()
	err = r.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		of, hash, found, err := decided(ctx, tx, d.ID)
		if err != nil {
			return err
		}
		if was, err = load(ctx, tx, d.RolloutID, false); err != nil {
			return err
		}
		if before = found; found {
			if of != d.RolloutID {
				return flow.Same(hash, d.ID[:]) // never the same
			}
			return flow.Same(hash, d.Hash)
		}
		if _, err := was.Decide(d, at); err != nil {
			return err
		}
		if note != "" {
			insertNote(tx, d.RolloutID, d.NoteID, note, d.By.Subject, at)
		}
		return nil
	})
	return was, before, err
}
