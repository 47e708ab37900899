package httpx

import (
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// securityScheme is the name of the one way to authorise.
const securityScheme = "oidc"

// document begins an OpenAPI document.
func document(version, title string) *huma.OpenAPI {
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info:    &huma.Info{Title: title, Version: version},
		Components: &huma.Components{
			Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
			SecuritySchemes: map[string]*huma.SecurityScheme{
				securityScheme: {
					Type: "http", Scheme: "bearer", BearerFormat: "JWT",
					Description: "An OIDC access token. It carries the tenant and the roles of the caller.",
				},
			},
		},
	}
}

// OpenAPI gives the OpenAPI 3.1 document of the service as YAML, the same bytes every time.
func (a *API) OpenAPI() ([]byte, error) {
	raw, err := a.huma.OpenAPI().YAML()
	if err != nil {
		return nil, fmt.Errorf("OpenAPI of %s: %w", a.service, err)
	}
	return raw, nil
}

func (a *API) serveOpenAPI(w http.ResponseWriter, _ *http.Request) {
	raw, err := a.OpenAPI()
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(raw) // the caller has gone; there is nobody left to tell
}

// describe begins the documentation of an operation, without what huma finds in the types.
func (a *API) describe(op *Operation) *huma.Operation {
	d := &huma.Operation{
		OperationID: op.ID, Method: op.Method, Path: op.Path, Summary: op.Summary, Description: op.Description,
		DefaultStatus: op.Status, Errors: op.statuses(),
	}
	if op.Tag != "" {
		d.Tags = []string{op.Tag}
	}
	if op.Public {
		d.Security = []map[string][]string{}
		return d
	}
	d.Security = []map[string][]string{{securityScheme: {}}}
	d.Extensions = map[string]any{"x-guanxi-permission": string(op.Permission)}
	d.Description = strings.TrimSpace(d.Description + "\n\nNeeds the permission `" + string(op.Permission) + "`.")
	if op.AnyTenant {
		d.Description += " A platform administrator may call it without a tenant."
	}
	if op.Method == http.MethodPost {
		limit := 255
		d.Parameters = append(d.Parameters, &huma.Param{
			Name: "Idempotency-Key", In: "header",
			Description: "Makes a repetition safe: the same key with the same request gives the first answer again " +
				"(header " + replayHeader + "), with another request 422, while the first is still running 409. Kept for 24 hours.",
			Schema: &huma.Schema{Type: huma.TypeString, MinLength: new(1), MaxLength: &limit, Pattern: "^[ -~]+$"},
		})
	}
	return d
}

// statuses lists the errors that follow from the shape of the operation, and those that it names itself.
func (op *Operation) statuses() []int {
	out := append([]int{http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusInternalServerError, http.StatusServiceUnavailable}, op.Errors...)
	if !op.Public {
		out = append(out, http.StatusUnauthorized, http.StatusForbidden)
		if op.Method == http.MethodPost {
			out = append(out, http.StatusConflict)
		}
	}
	if op.hasBody {
		out = append(out, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	if strings.Contains(op.Path, "{") {
		out = append(out, http.StatusNotFound)
	}
	if op.ifMatch {
		out = append(out, http.StatusPreconditionFailed, http.StatusPreconditionRequired)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// finish adds to the documentation what only stands fast at the end, and notes the operation.
func (a *API) finish(op *Operation) {
	d := a.documented(op)
	for status, r := range d.Responses {
		if code, err := strconv.Atoi(status); err == nil && code >= http.StatusBadRequest {
			d.Responses[status] = a.faultResponse(code)
			continue
		}
		if r.Headers == nil {
			r.Headers = map[string]*huma.Param{}
		}
		r.Headers[traceHeader] = traceHeaderDoc()
		if op.Method == http.MethodPost && !op.Public {
			r.Headers[replayHeader] = &huma.Header{Description: "true when this repeats an earlier answer.", Schema: &huma.Schema{Type: huma.TypeString}}
		}
	}
	a.ops = append(a.ops, *op)
}

// faultResponse refers to the one description of a status, so that the document does not repeat it for each operation.
func (a *API) faultResponse(status int) *huma.Response {
	components := a.huma.OpenAPI().Components
	if components.Responses == nil {
		components.Responses = map[string]*huma.Response{}
	}
	name := strings.ReplaceAll(http.StatusText(status), " ", "")
	if components.Responses[name] == nil {
		schema := components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
		components.Responses[name] = &huma.Response{
			Description: http.StatusText(status),
			Headers:     map[string]*huma.Param{traceHeader: traceHeaderDoc()},
			Content:     map[string]*huma.MediaType{problemJSON: {Schema: schema}},
		}
	}
	return &huma.Response{Ref: "#/components/responses/" + name}
}

func traceHeaderDoc() *huma.Header {
	return &huma.Header{Description: "Finds this request in traces and logs.", Schema: &huma.Schema{Type: huma.TypeString}}
}

// documented gives the operation as it stands in the document.
func (a *API) documented(op *Operation) *huma.Operation {
	item := a.huma.OpenAPI().Paths[op.Path]
	for method, d := range map[string]*huma.Operation{
		http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put,
		http.MethodPatch: item.Patch, http.MethodDelete: item.Delete, http.MethodHead: item.Head, http.MethodOptions: item.Options,
	} {
		if method == op.Method && d != nil {
			return d
		}
	}
	panic(fmt.Sprintf("httpx: operation %s is not in the document", op.ID))
}

// documentStream documents what huma does not see.
func (a *API) documentStream(op *Operation) {
	d := a.describe(op)
	registry := a.huma.OpenAPI().Components.Schemas
	for _, name := range regexp.MustCompile(`\{([^}]+)\}`).FindAllStringSubmatch(op.Path, -1) {
		d.Parameters = append(d.Parameters, &huma.Param{Name: name[1], In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}})
	}
	for _, p := range op.Parameters {
		schema := &huma.Schema{Type: huma.TypeString}
		for _, v := range p.Enum {
			schema.Enum = append(schema.Enum, v)
		}
		if p.Repeatable {
			schema = &huma.Schema{Type: huma.TypeArray, Items: schema}
		}
		in := p.In
		if in == "" {
			in = "query"
		}
		d.Parameters = append(d.Parameters, &huma.Param{Name: p.Name, In: in, Description: p.Description, Required: p.Required, Schema: schema})
	}
	binary := &huma.Schema{Type: huma.TypeString, Format: "binary"}
	if op.hasBody {
		d.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{}}
		for _, ct := range op.Consumes {
			d.RequestBody.Content[ct] = &huma.MediaType{Schema: binary}
		}
	}
	success := &huma.Response{Content: map[string]*huma.MediaType{}}
	answer := binary
	if op.Output != nil {
		answer = registry.Schema(reflect.TypeOf(op.Output), true, op.ID+"Response")
	}
	produces := op.Produces
	if len(produces) == 0 {
		produces = []string{"application/json"}
	}
	for _, ct := range produces {
		success.Content[ct] = &huma.MediaType{Schema: answer}
	}
	status := op.Status
	if status == 0 {
		status = http.StatusOK
	}
	success.Description = http.StatusText(status)
	d.Responses = map[string]*huma.Response{strconv.Itoa(status): success}
	for _, code := range d.Errors {
		d.Responses[strconv.Itoa(code)] = a.faultResponse(code)
	}
	a.huma.OpenAPI().AddOperation(d)
}
