package sla_test

import (
	"net/http"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

// managed is a policy that files in Git keep, as they call it.
func managed(name, external string) body {
	return with(with(gold(name), "managed_by", "kubernetes"), "external_id", external)
}

func TestPeopleLeaveAManagedPolicyAlone(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	p := create(t, w, managed("Gold", "kubernetes:1"))
	path := "/v1/sla-policies/" + p.ID
	conflict := func(code, method, path string, b any, header ...string) {
		t.Helper()
		if got := w.Want(http.StatusConflict, method, path, w.Manager, b, nil, header...); got.Code() != code {
			t.Errorf("%s: %s", path, got.Body)
		}
	}
	conflict("external_id_taken", http.MethodPost, "/v1/sla-policies", managed("Silver", "kubernetes:1"))
	conflict("managed_elsewhere", http.MethodPut, path, gold("Gold"), match(1)...)
	conflict("managed_elsewhere", http.MethodPut, path, with(gold("Gold"), "managed_by", "terraform"), match(1)...)
	conflict("managed_elsewhere", http.MethodPost, path+"/archive", nil, match(1)...)
	conflict("managed_elsewhere", http.MethodPost, path+"/release?managed_by=terraform", nil, match(1)...)

	var list struct {
		Items []struct {
			ID         string `json:"policy_id"`
			ManagedBy  string `json:"managed_by"`
			ExternalID string `json:"external_id"`
		}
	}
	create(t, w, gold("Of people"))
	w.Want(http.StatusOK, http.MethodPut, path, w.Manager, with(managed("Gold", ""), "position", 3), &p, match(1)...)
	w.Want(http.StatusOK, http.MethodGet, "/v1/sla-policies?external_id=kubernetes:1", w.Agent, nil, &list)
	if len(list.Items) != 1 || list.Items[0].ID != p.ID || list.Items[0].ManagedBy != "kubernetes" || p.Version != 2 {
		t.Errorf("%+v, version %d", list.Items, p.Version)
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/sla-policies?external_id=kubernetes:1", w.Token(auth.RoleManager, "music"), nil, &list)
	if len(list.Items) != 0 {
		t.Errorf("another tenant has %+v", list.Items)
	}

	w.Want(http.StatusOK, http.MethodPost, path+"/release?managed_by=kubernetes", w.Manager, nil, &p, match(2)...)
	w.Want(http.StatusOK, http.MethodPut, path, w.Manager, gold("Gold"), &p, match(2)...)
	w.Want(http.StatusOK, http.MethodPut, path, w.Manager, managed("Gold", "kubernetes:2"), &p, match(3)...) // a manager takes over what is people's
	conflict("managed_elsewhere", http.MethodPut, path, gold("Gold"), match(4)...)
	w.Want(http.StatusOK, http.MethodPost, path+"/archive?managed_by=kubernetes", w.Manager, nil, &p, match(4)...)
	create(t, w, managed("Gold", "kubernetes:2")) // both are free again
}
