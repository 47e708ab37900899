package httpx

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Upload is a body that an operation takes beside JSON, streamed: a table that is larger than a JSON document should be. What a
// JSON body says beside the table comes as query parameters then: the fields of Settings that have a tag query.
type Upload struct {
	Consumes []string // content types, such as text/csv
	MaxBody  int64    // bytes
	Settings any      // a value of a struct type, for the documentation; read them by SettingsOf
	Handle   func(c *gin.Context) error
}

// names are the query parameters of an upload.
func (u *Upload) names() map[string]bool {
	names := map[string]bool{}
	for _, f := range reflect.VisibleFields(reflect.TypeOf(u.Settings)) {
		if name := f.Tag.Get("query"); name != "" {
			names[name] = false
		}
	}
	return names
}

// uploads tells whether the request brings an upload rather than JSON.
func (op *Operation) uploads(r *http.Request) bool {
	if op.Upload == nil {
		return false
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && slices.Contains(op.Upload.Consumes, kind)
}

// asStream is the operation as the guard and the reader of streams see it when an upload comes.
func (op *Operation) asStream() *Operation {
	s := *op
	s.Consumes, s.MaxBody, s.queryNames, s.hasBody = op.Upload.Consumes, op.Upload.MaxBody, op.Upload.names(), true
	return &s
}

// serveUpload serves a request that brings an upload.
func (s *Server) serveUpload(c *gin.Context, op *Operation) {
	err := s.guard(c, op)
	if err == nil {
		if op.Timeout == 0 {
			op.Timeout = s.cfg.RequestTimeout
		}
		err = op.open(c)
	}
	if err == nil {
		defer s.limited(c, op)()
		err = op.Upload.Handle(c)
	}
	if err == nil {
		return
	}
	p := settle(c.Request.Context(), err)
	if c.Writer.Written() {
		stateOf(c.Request.Context()).problem = p
		panic(http.ErrAbortHandler)
	}
	fail(c, statusOf(err), p)
}

// documentUpload adds the upload to what huma wrote of the operation.
func (a *API) documentUpload(op *Operation) {
	d := a.documented(op)
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	for _, f := range reflect.VisibleFields(reflect.TypeOf(op.Upload.Settings)) {
		name := f.Tag.Get("query")
		if name == "" {
			continue
		}
		d.Parameters = append(d.Parameters, &huma.Param{
			Name: name, In: "query", Description: strings.TrimSpace("With an upload only. " + f.Tag.Get("doc")),
			Schema: huma.SchemaFromField(registry, f, ""), Explode: new(bool),
		})
	}
	for _, kind := range op.Upload.Consumes {
		d.RequestBody.Content[kind] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	}
}

// SettingsOf reads the settings of an upload from the query of the request into those fields of T that have a tag query, and
// holds them to the tags of the fields, as a body is. Lists are separated by commas. What does not fit is Unprocessable
// validation_failed, with a field query.<name> each.
func SettingsOf[T any](c *gin.Context) (T, error) {
	var out T
	given := map[string]any{}
	p := problem.New(problem.Unprocessable, "validation_failed", "Some of what was sent is not valid; errors says what.")
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	values := c.Request.URL.Query()
	for _, f := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		name := f.Tag.Get("query")
		if name == "" || !values.Has(name) {
			continue
		}
		value, ok := parameterValue(f.Type, values.Get(name))
		if !ok {
			p = p.WithField("query."+name, "type", "is not of the type of this parameter")
			continue
		}
		var result huma.ValidateResult
		path := huma.NewPathBuffer(nil, 0)
		path.Push("query")
		path.Push(name)
		huma.Validate(registry, huma.SchemaFromField(registry, f, ""), path, huma.ModeWriteToServer, value, &result)
		p.Fields = append(p.Fields, translate(http.StatusUnprocessableEntity, "", result.Errors).Fields...)
		given[jsonName(f)] = value
	}
	if len(p.Fields) > 0 {
		return out, p
	}
	raw, err := json.Marshal(given)
	if err != nil {
		return out, fmt.Errorf("settings of an upload: %w", err)
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return out, fmt.Errorf("settings of an upload: %w", err)
	}
	return out, nil
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// parameterValue reads a parameter as the value that JSON would hold for a field of the type.
func parameterValue(t reflect.Type, s string) (value any, ok bool) {
	var err error
	switch t.Kind() {
	case reflect.Pointer:
		return parameterValue(t.Elem(), s)
	case reflect.Slice:
		list := []any{}
		for one := range strings.SplitSeq(s, ",") {
			v, ok := parameterValue(t.Elem(), one)
			if !ok {
				return nil, false
			}
			list = append(list, v)
		}
		return list, true
	case reflect.Bool:
		value, err = strconv.ParseBool(s)
	case reflect.Int, reflect.Int64, reflect.Float64:
		var n float64
		n, err = strconv.ParseFloat(s, 64)
		if n-n != 0 { // no number, or without end: JSON has neither
			err = errors.New("is not finite")
		}
		value = n
	default:
		value = s
	}
	return value, err == nil
}
