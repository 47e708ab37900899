package httpx

import (
	"context"
	"io"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/guanxi-crm/guanxi/platform/auth"
)

// API is the operations of one service on the shared server.
type API struct {
	server  *Server
	service string
	ops     []Operation
}

// API starts the operations of one service.
func (s *Server) API(service, version, title string) *API { return &API{server: s, service: service} }

// Parameter documents a query or header parameter of a streamed operation.
type Parameter struct {
	Name        string
	In          string // "query" (default) or "header"
	Description string
	Required    bool
	Enum        []string
}

// Operation describes one operation to the router, the documentation and the guard in front of it.
type Operation struct {
	ID, Method, Path, Summary, Description, Tag string

	Permission auth.Permission // mandatory unless Public
	Public     bool            // no token needed
	AnyTenant  bool            // a platform administrator may call it without a tenant
	Status     int             // of success; default 200, or 204 without a body
	MaxBody    int64           // bytes; default 1 MiB
	Errors     []int           // further statuses to document
	Timeout    time.Duration   // default: the server's; for Stream 30 minutes

	// For Stream only.
	Parameters []Parameter // query and header parameters that it takes; other query parameters are refused
	Consumes   []string    // content types of the request body; none: no body
	Produces   []string    // content types of the answer; default application/json
	Input      any         // documents a JSON answer or leaves it open: a value of the answer's type
}

// Register adds a typed operation.
func Register[I, O any](a *API, op Operation, handle func(ctx context.Context, in *I) (*O, error)) {
	a.ops = append(a.ops, op)
}

// Stream adds a plain gin route for a streamed upload or download.
func Stream(a *API, op Operation, handle func(c *gin.Context) error) { a.ops = append(a.ops, op) }

// OpenAPI gives the OpenAPI 3.1 document of the service as YAML, the same bytes every time.
func (a *API) OpenAPI() ([]byte, error) { return nil, nil }

// Operations lists what was registered.
func (a *API) Operations() []Operation { return a.ops }

// Page is embedded in the input of a list.
type Page struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many at most."`
	Cursor string `query:"cursor" maxLength:"1024" doc:"Where to go on: next_cursor of the page before."`
}

// EncodeCursor packs the sort key of the last row of a page.
func EncodeCursor(parts ...string) string { return "" }

// DecodeCursor unpacks a cursor of n parts; an empty cursor gives nil.
func DecodeCursor(s string, n int) ([]string, error) { return nil, nil }

// ETag gives the entity tag of a version.
func ETag(version int64) string { return "" }

// IfMatch checks the If-Match header against the version.
func IfMatch(header string, version int64) error { return nil }

// MarkReplayed marks the answer as a replay of an earlier one with the same Idempotency-Key.
func MarkReplayed(ctx context.Context) {}

// HashedBody is a request body that is hashed while it is read.
type HashedBody struct{ io.Reader }

// HashBody starts hashing the request's body, for streamed operations.
func HashBody(c *gin.Context) *HashedBody { return &HashedBody{c.Request.Body} }

// Context gives the request's context with the idempotency key and the hash of what was read; call it after the whole
// body was read.
func (h *HashedBody) Context() context.Context { return context.Background() }
