package access

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Look is what somebody looks at.
type Look struct {
	View     string    // code of what shows it, such as profile
	Customer uuid.UUID // whose data it is
	Classes  []Class   // in sight; those that are not sensitive do not matter
}

// Entry is one look in the log.
type Entry struct {
	Seq      int64 // from 1 within the tenant, without gaps
	At       time.Time
	Subject  string // who
	Roles    string // by which roles, with commas between
	Purpose  string
	Reason   string
	View     string
	Customer uuid.UUID
	Classes  string // with commas between
	Hash     []byte // of this and all before
}

// sum is the hash that the entry must have after the one with the hash previous, which is empty before the first. Every
// part is preceded by its length, so that no two entries are written alike.
func (e Entry) sum(tenant string, previous []byte) []byte {
	h := sha256.New()
	for _, part := range [][]byte{
		previous, []byte(tenant), []byte(strconv.FormatInt(e.Seq, 10)), []byte(strconv.FormatInt(e.At.UnixMicro(), 10)),
		[]byte(e.Subject), []byte(e.Roles), []byte(e.Purpose), []byte(e.Reason), []byte(e.View), e.Customer[:], []byte(e.Classes),
	} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write(part)
	}
	return h.Sum(nil)
}

// head is where a log ends.
type head struct {
	entries int64
	hash    []byte // of the last entry; empty before the first
}

// append gives the entries of the looks, which come after h, and where the log ends with them. A look at nothing sensitive
// makes none.
func (h head) append(tenant, subject string, s Sight, at time.Time, looks []Look) ([]Entry, head) {
	var entries []Entry
	for _, l := range looks {
		classes := slices.DeleteFunc(Classes(), func(c Class) bool { return !c.Sensitive() || !slices.Contains(l.Classes, c) })
		if len(classes) == 0 {
			continue
		}
		e := Entry{
			Seq: h.entries + 1, At: at, Subject: subject, Roles: commas(s.roles), Purpose: string(s.purpose), Reason: s.reason,
			View: l.View, Customer: l.Customer, Classes: commas(classes),
		}
		e.Hash = e.sum(tenant, h.hash)
		h = head{e.Seq, e.Hash}
		entries = append(entries, e)
	}
	return entries, h
}

// Break is the first place where a log is not what was written.
type Break struct {
	Seq  int64
	Kind string
}

// The kinds of a break.
const (
	Changed     = "changed"     // the entry, or the hash of the one before, was changed
	Missing     = "missing"     // the entry was taken out
	TailCut     = "tail_cut"    // this entry and all after it were taken out
	HeadChanged = "changed_end" // the record of where the log ends was changed or taken out, or the last entry with its hash
	Unaccounted = "unaccounted" // the entry was put in behind the log's back
	Rewritten   = "rewritten"   // this entry had another hash when it was checked before
)

// follow checks that the entries, in order, follow each other and h, and gives where they lead.
func (h head) follow(tenant string, entries []Entry) (head, *Break) {
	for _, e := range entries {
		next := h.entries + 1
		switch {
		case e.Seq != next:
			return h, &Break{next, Missing}
		case !bytes.Equal(e.Hash, e.sum(tenant, h.hash)):
			return h, &Break{next, Changed}
		}
		h = head{next, e.Hash}
	}
	return h, nil
}

func commas[T ~string](codes []T) string {
	var b []byte
	for i, c := range codes {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, c...)
	}
	return string(b)
}
