package rollout

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Rename is the step of a rollout that was given another name.
const Rename Action = "rename"

type nameInput struct {
	ID   uuid.UUID `path:"rollout_id" format:"uuid"`
	Body changedName
}

type changedName struct {
	Name      string `json:"name" maxLength:"200" example:"CRM for the branches of the north"`
	ManagedBy string `json:"managed_by,omitempty" maxLength:"64" doc:"In whose name it is changed, where that is not people."`
}

type nameAnswer struct{ Body RolloutSummary }

// Rename gives a rollout another name, whatever its state: a name governs nothing. The same name changes nothing. manager is in
// whose name it is done, empty: people's; Conflict managed_elsewhere says that somebody else keeps the rollout.
func (r *Rollouts) Rename(ctx context.Context, id uuid.UUID, name, manager string) (Rollout, error) {
	by := flow.ActorOf(ctx).Subject
	return r.change(ctx, id, func(tx *pg.Tx, was Rollout, at time.Time) (Rollout, error) {
		if err := was.yields(manager); err != nil {
			return was, err
		}
		if faults := named(name); len(faults) > 0 {
			return was, problem.InvalidBody("rollout_invalid", "The rollout was not accepted: mend the fields named here.", faults)
		}
		is := was.renamed(name, by, at)
		if is.Version != was.Version {
			tx.Queue(`UPDATE rollout SET name = $3 WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), id, is.Name)
		}
		return is, nil
	})
}

// renamed is the rollout with another name.
func (r Rollout) renamed(name, by string, at time.Time) Rollout {
	name = strings.TrimSpace(name)
	if name == r.Name {
		return r
	}
	is := r.begun()
	is.Name = name
	is.step(Rename, by, at, StepDetail{})
	return is
}

// nameRoutes adds the operation on the name of a rollout.
func (r *Rollouts) nameRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "rename-rollout", Method: http.MethodPut, Path: "/v1/rollouts/{rollout_id}/name", Tag: tag, Summary: "Give a rollout another name",
		Description: "It is called so from now on, in whatever state it is. The name that it has already changes nothing.",
		Permission:  auth.RolloutsManage, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, in *nameInput) (*nameAnswer, error) {
		is, err := r.Rename(ctx, in.ID, in.Body.Name, in.Body.ManagedBy)
		if err != nil {
			return nil, err
		}
		return &nameAnswer{summary(is, r.now())}, nil
	})
}
