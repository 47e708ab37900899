package customerexport

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/platform/telemetry"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/tenant"
)

// Exports is what can be done with exports.
type Exports struct {
	db, ops  *pg.DB
	log      *access.Log
	flow     *flow.Client
	service  string
	clock    func() time.Time
	sections []Section
}

// New makes the capability. ops looks over all tenants for what was left behind; sections are what the rooms of the service
// have to say of one customer, in the order in which they stand in the customer's file.
func New(db, ops *pg.DB, log *access.Log, fl *flow.Client, service string, clock func() time.Time, sections ...Section) *Exports {
	return &Exports{db: db, ops: ops, log: log, flow: fl, service: service, clock: clock, sections: sections}
}

// Order is an export as the caller wants it.
type Order struct {
	Format  Format
	Columns []string // empty: all that an import reads back
	Filter  Filter
}

// Start accepts an export and starts its workflow on behalf of the caller, whose sight is s. Columns that there are not, or
// that are out of sight, are Unprocessable.
func (e *Exports) Start(ctx context.Context, o Order, s access.Sight, reason string) (Export, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Export{}, err
	}
	who, _ := auth.From(ctx)
	made := stored{actor: who, trace: telemetry.Inject(ctx)}
	made.Export = Export{
		ID: id, State: Accepted, Format: o.Format, Filter: o.Filter, Purpose: string(s.Purpose()), Reason: reason, CreatedAt: e.now(),
	}
	result, err := e.db.Command(ctx, who.Tenant, func(tx *pg.Tx) (pg.Result, error) {
		if _, err := tenant.ForWrite(ctx, tx); err != nil {
			return pg.Result{}, err
		}
		has, err := offered(ctx, tx)
		if err != nil {
			return pg.Result{}, err
		}
		has.may = s.May
		var faults []problem.Field
		if made.Columns, made.Classes, faults = has.choose(o.Columns); len(faults) > 0 {
			return pg.Result{}, problem.InvalidBody("export_invalid", "The export was not accepted: mend the fields named here.", faults)
		}
		return pg.Result{ID: id, Status: http.StatusAccepted}, insert(tx, made)
	})
	if err != nil {
		return Export{}, err
	}
	if result.Replayed {
		httpx.MarkReplayed(ctx)
		return e.Get(ctx, result.ID)
	}
	if err := e.begin(ctx, made); err != nil {
		e.flow.Log().WarnContext(ctx, "export is accepted but could not be started; the sweep will", "export", id, "error", err)
	}
	return made.Export, nil
}

// begin starts the workflow as the one who wants the export. Its id makes it harmless to do so twice.
func (e *Exports) begin(ctx context.Context, s stored) error {
	_, err := e.flow.Start(telemetry.Extract(auth.With(ctx, s.actor), s.trace), flow.Start{
		ID: "customer-export/" + s.actor.Tenant + "/" + s.ID.String(), Queue: e.service, Workflow: workflowName,
		Args: []any{input{ID: s.ID}}, Again: true,
	})
	return err
}

// Cancel asks for the end of an export; what was written is deleted. Again, it changes nothing.
func (e *Exports) Cancel(ctx context.Context, id uuid.UUID) (Export, error) {
	var s stored
	result, err := e.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (_ pg.Result, err error) {
		if s, err = load(ctx, tx, id, true); err != nil {
			return pg.Result{}, err
		}
		if s.Ended() && s.State != Cancelled {
			return pg.Result{}, problem.New(problem.Conflict, "export_ended", "The export has ended; nothing is left to be cancelled.")
		}
		s.CancelRequested = true
		save(tx, s, e.now())
		return pg.Result{ID: id, Status: http.StatusAccepted}, nil
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return e.Get(ctx, id)
	}
	return s.Export, err
}

// Erase deletes every file that may tell of the customers, and has those that are being written begun anew, which then
// leaves them out. Call it in the transaction that erases the customers. An export counts as telling of a customer when it
// got past their id, whatever its filter: rather a file too many is gone than one too few.
func Erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID, at time.Time) (map[string]int64, error) {
	var withdrawn, restarted int64
	all, err := withdrawable(ctx, tx)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if !s.reached(customers) {
			continue
		}
		deleteChunks(tx, s.ID)
		s.position, s.seen, s.Rows, s.chunks, s.Bytes = uuid.Nil, 0, 0, 0, 0
		switch s.State {
		case Finished:
			s.State = Withdrawn
			withdrawn++
		case Running:
			restarted++
		}
		save(tx, s, at)
	}
	return map[string]int64{"exports_withdrawn": withdrawn, "exports_restarted": restarted}, nil
}

// reached tells whether the export got past any of the customers.
func (s stored) reached(customers []uuid.UUID) bool {
	for _, id := range customers {
		if s.chunks > 0 && id.String() <= s.position.String() { // both are written alike, so text is ordered as bytes are
			return true
		}
	}
	return false
}

// now is cut to what the database keeps.
func (e *Exports) now() time.Time { return e.clock().UTC().Truncate(time.Microsecond) }
