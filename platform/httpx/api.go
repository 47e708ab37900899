package httpx

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/guanxi-crm/guanxi/platform/auth"
)

// API is the operations of one service on the shared server.
type API struct {
	server  *Server
	service string
	huma    huma.API
	ops     []Operation
	admit   func(context.Context, auth.Principal, auth.Permission) error
	count   func(tenant string, failed bool)
}

// Admit lets check refuse callers who have the permission that an operation needs; its problem is the answer. It holds for
// operations that are registered afterwards.
func (a *API) Admit(check func(context.Context, auth.Principal, auth.Permission) error) {
	a.admit = check
}

// OperationsTag is the tag of what only operators ask for.
const OperationsTag = "operations"

// Count has every answered request of a tenant counted, but those to operations of [OperationsTag]: failed says that the answer was a
// fault of the platform. count must not wait for anything. It holds for operations that are registered afterwards.
func (a *API) Count(count func(tenant string, failed bool)) {
	a.count = count
}

// API starts the operations of one service. Its OpenAPI document is served, publicly, at /openapi/<service>.yaml.
func (s *Server) API(service, version, title string) *API {
	a := &API{server: s, service: service}
	a.huma = humagin.New(s.engine, huma.Config{
		OpenAPI: document(version, title),
		Formats: map[string]huma.Format{
			"application/json": {Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: unmarshal},
			"json":             {Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: unmarshal},
		},
		DefaultFormat: "application/json",
	})
	s.Mount(http.MethodGet, "/openapi/"+service+".yaml", http.HandlerFunc(a.serveOpenAPI))
	return a
}

// Parameter documents a query or header parameter of a streamed operation.
type Parameter struct {
	Name        string
	In          string // "query" (default) or "header"
	Description string
	Required    bool
	Enum        []string
	Repeatable  bool // a query parameter that may come more than once
}

// Operation describes one operation to the router, the documentation and the guard in front of it.
type Operation struct {
	ID          string // unique within the platform, such as customers-register
	Method      string
	Path        string // such as /v1/customers/{id}
	Summary     string
	Description string
	Tag         string

	Permission auth.Permission // mandatory unless Public
	Public     bool            // no token needed; an Idempotency-Key is not looked at
	AnyTenant  bool            // a platform administrator may call it without a tenant
	Status     int             // of success; default 200, or 204 without a body
	MaxBody    int64           // bytes; default 1 MiB, for Stream 1 GiB
	Errors     []int           // statuses to document beside those that follow from the operation's shape
	Timeout    time.Duration   // default: the server's; for Stream 30 minutes

	// Upload is a body of another content type that an operation of Register takes as well; nil: none.
	Upload *Upload

	// The rest is for Stream only.
	Parameters []Parameter // that it takes; other query parameters are refused
	Consumes   []string    // content types of the request body; none: it takes no body
	Produces   []string    // content types of the answer; default application/json
	Output     any         // a value of the type of a JSON answer, for the documentation

	hasBody, bodyRequired, ifMatch, stream bool
	queryNames                             map[string]bool // to whether it may come more than once
	admit                                  func(context.Context, auth.Principal, auth.Permission) error
	count                                  func(tenant string, failed bool)
}

// check panics where the operation is not fit to be registered: a mistake in our code, found at the start.
func (op *Operation) check() {
	switch {
	case op.ID == "" || op.Method == "" || !strings.HasPrefix(op.Path, "/"):
		panic(fmt.Sprintf("httpx: operation %q %s %q needs an ID, a Method and a Path", op.ID, op.Method, op.Path))
	case op.Permission == "" && !op.Public:
		panic(fmt.Sprintf("httpx: operation %s declares no Permission", op.ID))
	case op.Permission != "" && op.Public:
		panic(fmt.Sprintf("httpx: operation %s is Public and has a Permission", op.ID))
	case op.Permission != "" && !slices.Contains(auth.Permissions(), op.Permission):
		panic(fmt.Sprintf("httpx: operation %s needs the permission %q, which nobody can have", op.ID, op.Permission))
	}
}

// Register adds a typed operation. I is a huma input: fields tagged path, query and header, and Body for JSON; O a huma
// output: fields tagged header, optionally Status, and Body. Before handle is called the caller is authorised and the
// input valid; the context carries the principal (package auth), the time limit and, for a POST with Idempotency-Key,
// pg.Once. Errors of handle become problems. Register panics when the operation is not fit to be registered.
func Register[I, O any](a *API, op Operation, handle func(ctx context.Context, in *I) (*O, error)) {
	op.check()
	a.equip(&op)
	op.inspect(reflect.TypeFor[I]())
	if op.MaxBody == 0 {
		op.MaxBody = defaultMaxBody
	}
	server := a.server
	described := a.describe(&op)
	described.MaxBodyBytes = -1    // read has checked it
	described.BodyReadTimeout = -1 // so has the server; a deadline left behind would end the request's context
	described.Middlewares = huma.Middlewares{func(hc huma.Context, next func(huma.Context)) {
		c := humagin.Unwrap(hc)
		if op.uploads(c.Request) {
			server.serveUpload(c, op.asStream())
			return
		}
		if err := server.guard(c, &op); err != nil {
			fail(c, 0, err)
			return
		}
		if err := op.read(c); err != nil {
			fail(c, statusOf(err), err)
			return
		}
		defer server.limited(c, &op)()
		next(hc)
	}}
	huma.Register(a.huma, *described, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err == nil {
			return out, nil
		}
		var own *Problem
		if errors.As(err, &own) {
			return nil, own
		}
		return nil, answer(ctx, 0, settle(ctx, err))
	})
	if op.Upload != nil {
		a.documentUpload(&op)
	}
	a.finish(&op)
}

// equip gives an operation what the service has before and behind all of them.
func (a *API) equip(op *Operation) {
	if op.admit = a.admit; op.Tag != OperationsTag {
		op.count = a.count
	}
}

// Operations lists what was registered, in that order.
func (a *API) Operations() []Operation { return slices.Clone(a.ops) }

// inspect reads off the input type what the guard and the documentation need to know.
func (op *Operation) inspect(t reflect.Type) {
	op.queryNames = map[string]bool{}
	if t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("httpx: the input of %s is not a struct", op.ID))
	}
	if _, raw := t.FieldByName("RawBody"); raw {
		panic(fmt.Sprintf("httpx: %s takes a RawBody; use Stream", op.ID))
	}
	if body, ok := t.FieldByName("Body"); ok {
		op.hasBody = true
		op.bodyRequired = body.Type.Kind() != reflect.Pointer || body.Tag.Get("required") == "true"
	}
	for _, f := range reflect.VisibleFields(t) {
		if q := f.Tag.Get("query"); q != "" {
			name, options, _ := strings.Cut(q, ",")
			op.queryNames[name] = strings.Contains(options, "explode")
		}
		if strings.EqualFold(f.Tag.Get("header"), "If-Match") {
			op.ifMatch = true
		}
		if parameter(f) {
			op.checkKind(f)
		}
	}
}

func parameter(f reflect.StructField) bool {
	return f.Tag.Get("query") != "" || f.Tag.Get("path") != "" || f.Tag.Get("header") != ""
}

// checkKind refuses parameters that huma would cut off silently: it parses 64 bits into any integer.
func (op *Operation) checkKind(f reflect.StructField) {
	switch f.Type.Kind() {
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Uint8, reflect.Uint16, reflect.Uint32:
		panic(fmt.Sprintf("httpx: parameter %s of %s must be an int or int64", f.Name, op.ID))
	}
}
