package flow

import (
	"bytes"
	"context"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Actor is who decides on a process, as the token said. Its JSON form travels in histories.
type Actor struct {
	Subject string   `json:"subject"`
	Roles   []string `json:"roles"`
}

// ActorOf is whoever ctx acts for.
func ActorOf(ctx context.Context) Actor {
	p, _ := auth.From(ctx)
	return Actor{Subject: p.Subject, Roles: p.Roles}
}

// Can tells whether the actor has the right.
func (a Actor) Can(right auth.Permission) bool { return auth.Principal{Roles: a.Roles}.Can(right) }

// Asked is which decision a request brings, and whose.
type Asked struct {
	ID      uuid.UUID // of the decision: the same one has the same id, however often it is sent
	Attempt string    // which of several requests with one id this is
	Hash    []byte    // of the request's body; nil without an Idempotency-Key
	By      Actor
}

// Ask tells which decision the request of ctx brings: that of its Idempotency-Key, where it has one. The namespace keeps the
// ids of one sort of process apart from another's.
func Ask(ctx context.Context, namespace uuid.UUID) (Asked, error) {
	attempt, err := uuid.NewV7()
	if err != nil {
		return Asked{}, err
	}
	a := Asked{ID: attempt, Attempt: attempt.String(), By: ActorOf(ctx)}
	if once, ok := pg.OnceFrom(ctx); ok && once.Key != "" {
		const sep = "\x1f"
		a.ID = uuid.NewSHA1(namespace, []byte(auth.Tenant(ctx)+sep+once.Subject+sep+once.Operation+sep+once.Key))
		a.Hash = once.BodyHash
	}
	return a, nil
}

// Same tells by the problem idempotency_key_reused that a decision of the same id has another hash than the one that stands.
func Same(was, now []byte) error {
	if bytes.Equal(was, now) {
		return nil
	}
	return problem.New(problem.Unprocessable, "idempotency_key_reused",
		"This Idempotency-Key was used for another decision. Use a new key for a new one.")
}
