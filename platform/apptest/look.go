package apptest

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// EventsOf waits until n events of the type (such as CustomerRegistered) were published and gives them, in the order of
// each partition.
func (s *Service) EventsOf(name string, n int) []bus.Event {
	s.t.Helper()
	var found []bus.Event
	s.Eventually(fmt.Sprintf("%d events %s", n, name), func() bool {
		found = found[:0]
		for _, e := range s.Events(n) {
			if strings.HasSuffix(e.Type, "."+name) {
				found = append(found, e)
			}
		}
		return len(found) >= n
	})
	return found
}

// Count gives what a query that gives one number gives, over all tenants.
func (s *Service) Count(sql string, args ...any) (n int64) {
	s.t.Helper()
	err := s.ops.System(s.t.Context(), func(tx *pg.Tx) error {
		return tx.QueryRow(s.t.Context(), sql, args...).Scan(&n)
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// Import is an import as the API shows it.
type Import struct {
	ID, State                string
	Rows, Accepted, Rejected int64
	path, token              string
}

// Upload begins the import of a file, such as to /v1/orders/imports, with the query's options.
func (s *Service) Upload(path, token string, query url.Values, file string) Import {
	s.t.Helper()
	i := Import{path: path, token: token}
	s.Want(http.StatusAccepted, http.MethodPost, path+"?"+query.Encode(), token, file, &i, "Content-Type", "text/plain")
	return i
}

// Ended waits until an import has ended.
func (s *Service) Ended(i Import) Import {
	s.t.Helper()
	s.Eventually("the import ends", func() bool {
		s.Want(http.StatusOK, http.MethodGet, i.path+"/"+i.ID, i.token, nil, &i)
		return i.State == "finished" || i.State == "failed"
	})
	return i
}

// Rejection is a row, or a value of it, that an import refused.
type Rejection struct {
	Line                 int64
	Column, Code, Reason string
}

// String gives line, column and code: 3 phone phone_malformed.
func (r Rejection) String() string { return fmt.Sprintf("%d %s %s", r.Line, r.Column, r.Code) }

// Rejections gives the first page of an import's rejections, each of which has a reason.
func (s *Service) Rejections(i Import) []Rejection {
	s.t.Helper()
	var page struct{ Items []Rejection }
	s.Want(http.StatusOK, http.MethodGet, i.path+"/"+i.ID+"/rejections", i.token, nil, &page)
	for _, r := range page.Items {
		if r.Reason == "" {
			s.t.Errorf("the rejection %s gives no reason", r)
		}
	}
	return page.Items
}
