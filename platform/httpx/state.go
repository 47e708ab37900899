package httpx

import (
	"context"
	"hash"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

const (
	replayHeader = "Idempotent-Replay" // marks an answer that repeats an earlier one
	traceHeader  = "Trace-Id"          // names the trace of every answer
)

// state is what the parts of the edge know of one request.
type state struct {
	caller  context.Context // ends when the caller hangs up, and for no other reason
	header  http.Header     // of the answer
	problem *problem.Error  // that it was answered with
	tenant  string
	count   func(tenant string, failed bool) // nil: it is not counted
	once    *pg.Once                         // with Idempotency-Key; its BodyHash is set when the body was read
	hash    hash.Hash                        // of method, path and query so far
}

type stateKey struct{}

// stateOf gives the state of the request, nil outside of one.
func stateOf(ctx context.Context) *state {
	st, _ := ctx.Value(stateKey{}).(*state)
	return st
}

// put makes ctx the context of the request.
func put(ctx context.Context, c *gin.Context) { c.Request = c.Request.WithContext(ctx) }

// MarkReplayed marks the answer as a replay of an earlier one with the same Idempotency-Key, by the header
// Idempotent-Replay. Call it before the handler returns. Outside of a request it does nothing.
func MarkReplayed(ctx context.Context) {
	if st := stateOf(ctx); st != nil {
		st.header.Set(replayHeader, "true")
	}
}

// AnswerHeader sets a header of the answer, whether it turns out well or a problem. Call it before the handler returns. Outside of a
// request it does nothing.
func AnswerHeader(ctx context.Context, name, value string) {
	if st := stateOf(ctx); st != nil {
		st.header.Set(name, value)
	}
}
