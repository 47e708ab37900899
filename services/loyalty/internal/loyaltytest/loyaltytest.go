// Package loyaltytest begins the tests of the rooms of loyalty: the service as it runs, fed with what sales would tell.
// Only tests import it.
package loyaltytest

import (
	"net/http"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/services/loyalty"
)

// World is a running service.
type World struct {
	*apptest.Service
	Manager string // the token of a manager of the tenant pizza
	Auditor string // and of somebody of operations
	t       testing.TB
}

// Start runs the service until the test ends.
func Start(t testing.TB) *World {
	t.Helper()
	s := apptest.Start(t, loyalty.Module())
	return &World{Service: s, Manager: s.Token(auth.RoleManager, "pizza"), Auditor: s.Token(auth.RoleOperations, "pizza"), t: t}
}

// Member is a member as the API shows it.
type Member struct {
	MemberID   uuid.UUID `json:"member_id"`
	CustomerID uuid.UUID `json:"customer_id"`
	CardNumber string    `json:"card_number"`
	Source     string    `json:"source"`
	Available  int64     `json:"available"`
	Pending    int64     `json:"pending"`
	Debt       int64     `json:"debt"`

	Path string `json:"-"` // of the member in the API
}

// Enrol makes somebody a member of the tenant pizza.
func (w *World) Enrol() Member {
	w.t.Helper()
	var m Member
	w.Want(http.StatusCreated, http.MethodPost, "/v1/members", w.Manager, map[string]any{"customer_id": uuid.Must(uuid.NewV7())}, &m)
	m.Path = "/v1/members/" + m.MemberID.String()
	return m
}

// Earn gives the member points.
func (w *World) Earn(m Member, points int64) {
	w.t.Helper()
	w.Want(http.StatusCreated, http.MethodPost, m.Path+"/earns", w.Manager, map[string]any{"points": points, "reason_type": "campaign"}, nil)
}

// Read gives the member as it stands.
func (w *World) Read(m Member) Member {
	w.t.Helper()
	now := Member{Path: m.Path}
	w.Want(http.StatusOK, http.MethodGet, m.Path, w.Manager, nil, &now)
	return now
}
