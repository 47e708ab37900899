package httpx

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/trace"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

const problemJSON = "application/problem+json"

// maxFields bounds how many faults one answer lists.
const maxFields = 50

// Problem is the body of every answer of 400 and above (RFC 9457).
type Problem struct {
	Type    string          `json:"type" doc:"Names the code as a URN." example:"urn:guanxi:problem:validation_failed"`
	Title   string          `json:"title" doc:"The meaning of the status."`
	Status  int             `json:"status" doc:"The HTTP status."`
	Detail  string          `json:"detail" doc:"What happened and what to do."`
	Code    string          `json:"code" doc:"Stable, made for programs."`
	Errors  []problem.Field `json:"errors,omitempty" nullable:"false" doc:"The faults of single fields: where, a stable code, and words. Never the value."`
	TraceID string          `json:"trace_id" doc:"Finds this request in traces and logs."`

	header http.Header
}

// Error, GetStatus, GetHeaders and ContentType are what huma asks of an error.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus gives the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders gives the headers that go with the problem.
func (p *Problem) GetHeaders() http.Header { return p.header }

// ContentType makes the answer application/problem+json.
func (p *Problem) ContentType(string) string { return problemJSON }

// answer builds the document of p and leaves p with the request for the access log. A status of 0 is that of its kind.
func answer(ctx context.Context, status int, p *problem.Error) *Problem {
	if status == 0 {
		status = p.Kind.Status()
	}
	doc := &Problem{
		Type: "urn:guanxi:problem:" + p.Code, Title: http.StatusText(status), Status: status,
		Detail: p.Detail, Code: p.Code, Errors: p.Fields, TraceID: traceID(ctx), header: http.Header{},
	}
	if len(doc.Errors) > maxFields {
		doc.Errors = doc.Errors[:maxFields]
	}
	switch status {
	case http.StatusUnauthorized:
		challenge := `Bearer realm="guanxi"`
		if p.Code != "token_missing" {
			challenge += `, error="invalid_token"`
		}
		doc.header.Set("WWW-Authenticate", challenge)
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		doc.header.Set("Retry-After", "1")
	case http.StatusRequestEntityTooLarge, http.StatusRequestTimeout:
		// The rest of the body is not worth reading.
		doc.header.Set("Connection", "close")
	}
	if st := stateOf(ctx); st != nil {
		st.problem = p
	}
	return doc
}

func traceID(ctx context.Context) string {
	if sc := trace.SpanContextFromContext(ctx); sc.HasTraceID() {
		return sc.TraceID().String()
	}
	return ""
}

// fail answers with the problem in err and ends the chain. A status of 0 is that of the problem's kind.
func fail(c *gin.Context, status int, err error) {
	doc := answer(c.Request.Context(), status, problem.From(err))
	for name, values := range doc.header {
		c.Writer.Header()[name] = values
	}
	body, jsonErr := json.Marshal(doc)
	if jsonErr != nil {
		panic("httpx: a problem always has a JSON form: " + jsonErr.Error())
	}
	c.Abort()
	c.Data(doc.Status, problemJSON, append(body, '\n'))
}

// settle turns what a handler returned into a problem. When the request's time is up, an error that is nobody's in
// particular, such as a closed connection, is the time-out's.
func settle(ctx context.Context, err error) *problem.Error {
	p := problem.From(err)
	if p.Kind == problem.Internal && ctx.Err() != nil {
		p = problem.From(ctx.Err()).Because(err)
	}
	return p
}

var replaceErrors sync.Once

// teachHuma makes huma answer in our form. huma keeps these as variables of its package, so it is done once for the
// process, before the first server is built.
func teachHuma() {
	replaceErrors.Do(func() {
		huma.ValidateStrictCasing = true
		huma.NewErrorWithContext = func(hc huma.Context, status int, message string, errs ...error) huma.StatusError {
			return answer(hc.Context(), status, translate(status, message, errs))
		}
		huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
			return answer(context.Background(), status, translate(status, message, errs))
		}
	})
}

// translate turns huma's error into a problem. It passes no text of huma's on, because some of it repeats the input.
func translate(status int, message string, errs []error) *problem.Error {
	var p *problem.Error
	switch status {
	case http.StatusUnprocessableEntity:
		p = problem.New(problem.Unprocessable, "validation_failed", "Some of what was sent is not valid; errors says what.")
	case http.StatusBadRequest:
		p = problem.New(problem.BadRequest, "bad_request", "The request cannot be read; errors says where.")
	case http.StatusUnsupportedMediaType:
		p = problem.New(problem.UnsupportedMedia, "content_type", "Send application/json.")
	default:
		if status < http.StatusInternalServerError && status >= http.StatusBadRequest {
			p = problem.New(problem.BadRequest, strings.ReplaceAll(strings.ToLower(http.StatusText(status)), " ", "_"),
				"%s.", http.StatusText(status))
			break
		}
		p = problem.From(errors.Join(errs...))
		if p == nil {
			p = problem.From(errors.New(message))
		}
		return p
	}
	for _, err := range errs {
		var own *problem.Error
		var detail huma.ErrorDetailer
		switch {
		case errors.As(err, &own):
			p.Fields = append(p.Fields, own.Fields...)
		case errors.As(err, &detail):
			p.Fields = append(p.Fields, field(detail.ErrorDetail()))
		}
	}
	// Objects are walked in the order of Go's maps; the answer is the same every time.
	slices.SortStableFunc(p.Fields, func(a, b problem.Field) int { return cmp.Compare(a.Location, b.Location) })
	return p
}

// faultOf maps the beginnings of huma's messages to our codes and words. %s is what huma's message ends with, used
// only where that comes from the schema and not from the input.
func faultsOfHuma() []struct{ prefix, code, message string } {
	return []struct{ prefix, code, message string }{
		{"unexpected property", "unknown_field", "is not a field of this operation"},
		{"unknown query parameter", "unknown_parameter", "is not a parameter of this operation"},
		{"required ", "required", "is missing"},
		{"expected required property ", "required", "is missing"},
		{"expected property ", "required", "is missing beside another field"},
		{"expected boolean", "wrong_type", "must be a boolean"},
		{"expected integer", "wrong_type", "must be an integer"},
		{"expected number >= ", "out_of_range", "must be at least %s"},
		{"expected number > ", "out_of_range", "must be more than %s"},
		{"expected number <= ", "out_of_range", "must be at most %s"},
		{"expected number < ", "out_of_range", "must be less than %s"},
		{"expected number to be a multiple of ", "out_of_range", "must be a multiple of %s"},
		{"expected number", "wrong_type", "must be a number"},
		{"expected string to be RFC 3339 date-time", "format", "must be a time such as 2026-01-31T09:30:00Z"},
		{"expected string to be RFC 3339 date", "format", "must be a date such as 2026-01-31"},
		{"expected string to be RFC 4122 uuid", "format", "must be a UUID"},
		{"expected string to be RFC 5322 email", "format", "must be an e-mail address"},
		{"expected string to be RFC 3986 uri", "format", "must be a URI"},
		{"expected string to match pattern ", "format", "must match %s"},
		{"expected string to be ", "format", "has the wrong form"},
		{"expected string", "wrong_type", "must be a string"},
		{"expected array length >= ", "too_few", "must have at least %s elements"},
		{"expected array length <= ", "too_many", "must have at most %s elements"},
		{"expected array items to be unique", "not_unique", "has an element twice"},
		{"expected array", "wrong_type", "must be an array"},
		{"expected object with at least ", "too_few", "has too few members"},
		{"expected object with at most ", "too_many", "has too many members"},
		{"expected object", "wrong_type", "must be an object"},
		{"expected length >= ", "too_short", "must have at least %s characters"},
		{"expected length <= ", "too_long", "must have at most %s characters"},
		{"expected value to be one of ", "not_allowed", "must be one of %s"},
		{"invalid integer", "wrong_type", "must be an integer"},
		{"invalid boolean", "wrong_type", "must be true or false"},
		{"invalid float", "wrong_type", "must be a number"},
		{"invalid date/time", "format", "must be a time such as 2026-01-31T09:30:00Z"},
		{unfit, "out_of_range", "does not fit: it is too large, or has a fraction"},
	}
}

// unfit begins the message of an error of unmarshal; the path within the body follows.
const unfit = "unfit "

func field(d *huma.ErrorDetail) problem.Field {
	for _, f := range faultsOfHuma() {
		rest, ok := strings.CutPrefix(d.Message, f.prefix)
		if !ok {
			continue
		}
		out := problem.Field{Location: location(d.Location), Code: f.code, Message: strings.Replace(f.message, "%s", rest, 1)}
		switch f.prefix {
		case "expected required property ":
			out.Location += "." + strings.TrimSuffix(rest, " to be present")
		case unfit:
			out.Location += rest
		}
		return out
	}
	return problem.Field{Location: location(d.Location), Code: "invalid", Message: "is not valid"}
}

// location makes a path that may hold names from outside fit to be shown.
func location(path string) string {
	parts := strings.Split(path, ".")
	for i := range parts {
		parts[i] = safeName(parts[i])
	}
	return strings.Join(parts, ".")
}

// unmarshal reads JSON, which scan has checked, for huma. Its errors say where and never what.
func unmarshal(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	var mismatch *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &mismatch) && mismatch.Field != "":
		return errors.New(unfit + "." + mismatch.Field)
	default:
		return errors.New(unfit)
	}
}
