// Package externalref holds the names by which other systems know things of ours: a system's code and an id that the
// system chose. Every service takes them in the same form, so that a customer registered in one is found by another.
package externalref

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Ref is the name by which another system knows something of ours. The zero Ref is none.
type Ref struct {
	System string // code: a-z, 0-9, - and _, at most 32
	ID     string // as the system writes it: 1 to 128 characters, A and a differ
}

// IsZero tells whether there is no name at all.
func (r Ref) IsZero() bool { return r == Ref{} }

// Fault says what is wrong with a name. Field is "system" or "id".
type Fault struct {
	Field, Code, Message string
}

const (
	maxSystem = 32  // bytes
	maxID     = 128 // characters
)

// New gives the name with blanks around the id removed, or says what is wrong with it.
func New(system, id string) (Ref, *Fault) {
	if !validSystem(system) {
		return Ref{}, &Fault{"system", "system_malformed", "must be the system's code: a-z, 0-9, - and _, at most 32, such as shop"}
	}
	id = strings.TrimSpace(id)
	n := utf8.RuneCountInString(id)
	if n < 1 || n > maxID || strings.ContainsFunc(id, unicode.IsControl) {
		return Ref{}, &Fault{"id", "external_id_malformed", "must be 1 to 128 characters, none of them a control character"}
	}
	return Ref{System: system, ID: id}, nil
}

func validSystem(s string) bool {
	if s == "" || len(s) > maxSystem || s[0] == '-' || s[0] == '_' {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}
