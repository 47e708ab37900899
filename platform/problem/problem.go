// Package problem is the one error type of the platform. A problem is created where it is understood, says what the
// caller can do, and is mapped exactly once at each edge: to an HTTP status (httpx), to parking or retry (inbox), to
// retryability of an activity (flow).
package problem

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Kind says what sort of thing went wrong, and with it what a caller can do about it.
type Kind string

// The kinds, each with the HTTP status that it is answered with.
const (
	BadRequest           Kind = "bad_request"           // 400: the request cannot be read; mend it
	Unauthenticated      Kind = "unauthenticated"       // 401: no token, or one that does not hold
	Forbidden            Kind = "forbidden"             // 403: known, but not allowed
	NotFound             Kind = "not_found"             // 404: not there, or another tenant's
	Conflict             Kind = "conflict"              // 409: does not fit the present state
	Gone                 Kind = "gone"                  // 410: was there, and was taken away for good
	PreconditionFailed   Kind = "precondition_failed"   // 412: somebody else changed it; read again
	TooLarge             Kind = "too_large"             // 413: over a limit
	UnsupportedMedia     Kind = "unsupported_media"     // 415: wrong content type
	Unprocessable        Kind = "unprocessable"         // 422: readable, but breaks a rule
	PreconditionRequired Kind = "precondition_required" // 428: If-Match is missing
	TooMany              Kind = "too_many"              // 429: slow down
	Internal             Kind = "internal"              // 500: our fault
	Unavailable          Kind = "unavailable"           // 503: infrastructure is away; try again later
)

var statuses = map[Kind]int{
	BadRequest: http.StatusBadRequest, Unauthenticated: http.StatusUnauthorized, Forbidden: http.StatusForbidden,
	NotFound: http.StatusNotFound, Conflict: http.StatusConflict, Gone: http.StatusGone, PreconditionFailed: http.StatusPreconditionFailed,
	TooLarge: http.StatusRequestEntityTooLarge, UnsupportedMedia: http.StatusUnsupportedMediaType,
	Unprocessable: http.StatusUnprocessableEntity, PreconditionRequired: http.StatusPreconditionRequired,
	TooMany: http.StatusTooManyRequests, Internal: http.StatusInternalServerError,
	Unavailable: http.StatusServiceUnavailable,
}

// Status is the HTTP status of the kind; 500 for a kind that is not known.
func (k Kind) Status() int {
	if s, ok := statuses[k]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// KindOfStatus gives the kind that is answered with the HTTP status.
func KindOfStatus(status int) (Kind, bool) {
	for kind, s := range statuses {
		if s == status {
			return kind, true
		}
	}
	return "", false
}

// Field is one fault of one field of the input.
type Field struct {
	// Location is where it stands, such as body.lines[2].quantity or query.limit.
	Location string `json:"location"`
	// Code is stable and made for programs, such as required or out_of_range.
	Code string `json:"code,omitempty"`
	// Message is made for people. It never repeats the value, which may be personal.
	Message string `json:"message"`
}

// Error is a problem. Detail and Fields are shown to the caller; the cause is only logged.
type Error struct {
	Kind   Kind
	Code   string // stable, snake_case, made for programs
	Detail string // what happened and what to do, made for people; no personal data
	Fields []Field
	cause  error
}

// New makes a problem; format and args make its Detail.
func New(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Detail: fmt.Sprintf(format, args...)}
}

// InvalidBody is the problem of a request whose body breaks rules: each fault says where in the body it stands.
func InvalidBody(code, detail string, faults []Field) *Error {
	p := New(Unprocessable, code, "%s", detail)
	for _, f := range faults {
		p = p.WithField("body."+f.Location, f.Code, f.Message)
	}
	return p
}

// WithField returns a copy of e that also names one faulty field.
func (e *Error) WithField(location, code, message string) *Error {
	c := *e
	c.Fields = append(append([]Field(nil), e.Fields...), Field{Location: location, Code: code, Message: message})
	return &c
}

// Because returns a copy of e with the error that caused it, for the log.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// Error gives kind, code, detail, fields and cause in one line, for logs.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Code, e.Detail)
	for _, f := range e.Fields {
		fmt.Fprintf(&b, "; %s: %s", f.Location, f.Message)
	}
	if e.cause != nil {
		fmt.Fprintf(&b, ": %v", e.cause)
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.cause }

// Is makes errors.Is(err, problem.New(kind, code, "")) compare kind and code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Kind == e.Kind && t.Code == e.Code
}

// From gives the problem in err's chain. An error that is none becomes Unavailable when the request's time ran out and
// Internal otherwise, with err as its cause and without its text in the Detail.
func From(err error) *Error {
	var p *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &p):
		return p
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return New(Unavailable, "timeout", "This took too long and was given up. Try again.").Because(err)
	default:
		return New(Internal, "internal", "Something went wrong on our side. The trace id in this answer finds it in the logs.").Because(err)
	}
}

// KindOf gives the kind of err; the empty kind for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	return From(err).Kind
}

// CallersFault tells whether trying again unchanged cannot help: the fault is in what was asked, not in our parts.
func CallersFault(err error) bool {
	switch KindOf(err) {
	case "", Internal, Unavailable, TooMany:
		return false
	default:
		return true
	}
}
