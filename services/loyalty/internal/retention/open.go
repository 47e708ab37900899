package retention

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/platform/telemetry"
)

// call is what calls for a case.
type call struct {
	id       uuid.UUID // of the case that it makes
	customer uuid.UUID // an alias will do
	trigger  Trigger
	fits     func(Plan) bool // the first of the active plans that does is taken, in the order of their codes
	lossKind LossKind
	reason   Reason
	by       string
	note     uuid.UUID
}

// standing is how a customer stands when a case is called for.
type standing struct {
	root     uuid.UUID
	erased   bool
	excluded LossKind
	open     uuid.UUID        // a case; Nil for none
	closedAt time.Time        // of the case that was closed last; zero for none
	endsAt   time.Time        // the end of the time that a case before measures; zero for none
	value    map[string]int64 // bought in the last year by currency, returns taken off
}

// refuses says why no case can be opened by the plan now; nil where one can.
func (s standing) refuses(p Plan, now time.Time) error {
	until := s.closedAt.AddDate(0, 0, p.CoolDownDays)
	if s.endsAt.After(until) { // whatever is bought until then is measured of the case before
		until = s.endsAt
	}
	switch {
	case s.erased:
		return problem.New(problem.Gone, "customer_erased", "The customer was erased: nothing can be kept of them any more.")
	case s.excluded != "":
		return problem.New(problem.Conflict, "customer_excluded", "Nobody wants this customer back: the loss is %s.", s.excluded)
	case s.open != uuid.Nil:
		return problem.New(problem.Conflict, "retention_case_exists", "The customer has a case already: %s.", s.open)
	case !s.closedAt.IsZero() && until.After(now):
		return problem.New(problem.Conflict, "retention_cool_down", "The customer had a case lately: the next can be opened from %s on.", until.Format(time.RFC3339))
	}
	return nil
}

// openAll opens cases for the calls, as far as a plan fits and nothing is in the way; refused says what was, by the place of
// the call. A call for which no plan fits is passed over. Nobody else opens one for the same customers until the transaction
// ends, and nobody merges them.
func (r *Retention) openAll(ctx context.Context, tx *pg.Tx, plans []Plan, calls ...call) (opened []Case, refused map[int]error, err error) {
	refused = make(map[int]error)
	if len(calls) == 0 || len(plans) == 0 {
		return nil, refused, nil
	}
	customers := make([]uuid.UUID, len(calls))
	for i, c := range calls {
		customers[i] = c.customer
	}
	now := r.now()
	standings, err := lockStandings(ctx, tx, customers, now)
	if err != nil {
		return nil, nil, err
	}
	trace := telemetry.Inject(ctx)
	var events []outbox.Event
	taken := make(map[uuid.UUID]bool)
	for i, c := range calls {
		s := standings[c.customer]
		for _, p := range plans {
			if !c.fits(p) {
				continue
			}
			if refused[i] = s.refuses(p, now); refused[i] != nil || taken[s.root] {
				break
			}
			made := OpenCase(tx.Tenant(), p, Opening{
				ID: c.id, CustomerID: s.root, Trigger: c.trigger, LossKind: c.lossKind, Reason: c.reason, ValueMinor: s.value[p.Currency], By: c.by,
				NoteID: c.note, At: now,
			})
			insert(tx, made, trace)
			taken[s.root] = true
			opened, events = append(opened, made), append(events, openedEvent(made))
			break
		}
	}
	return opened, refused, r.outbox.Append(ctx, tx, events...)
}

// lockStandings keeps anybody else from opening cases for the customers, and gives how these stand, by the ids asked for.
func lockStandings(ctx context.Context, tx *pg.Tx, customers []uuid.UUID, now time.Time) (map[uuid.UUID]*standing, error) {
	alias.Hold(tx)
	// All ids of a customer have one lock; the order keeps two transactions from waiting for each other.
	tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('retention_customer ' || $1 || ' ' || r.id, 0))
		FROM (SELECT DISTINCT customer_root($1, c.id)::text AS id FROM unnest($2::uuid[]) AS c(id) ORDER BY 1) r`, tx.Tenant(), customers)
	if err := tx.Flush(ctx); err != nil { // what those who held the locks made is seen only by statements that begin after them
		return nil, err
	}
	all := make(map[uuid.UUID]*standing, len(customers))
	tx.Queue(`SELECT n.id, g.ids[1],
			EXISTS (SELECT FROM erased_customer e WHERE e.tenant_id = $1 AND e.customer_id = ANY (g.ids)),
			coalesce((SELECT x.loss_kind FROM retention_exclusion x WHERE x.tenant_id = $1 AND x.customer_id = ANY (g.ids) LIMIT 1), ''),
			(SELECT c.id FROM retention_case c WHERE c.tenant_id = $1 AND c.customer_id = ANY (g.ids) AND c.closed_at IS NULL ORDER BY c.id LIMIT 1),
			l.closed_at, l.ends_at
		FROM (SELECT DISTINCT u.id FROM unnest($2::uuid[]) AS u(id)) n
		CROSS JOIN LATERAL (SELECT customer_group($1, n.id) AS ids OFFSET 0) g
		CROSS JOIN LATERAL (SELECT max(c.closed_at) AS closed_at, max(c.ends_at) AS ends_at FROM retention_case c
			WHERE c.tenant_id = $1 AND c.customer_id = ANY (g.ids)) l`, tx.Tenant(), customers).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var id uuid.UUID
			var open *uuid.UUID
			var closed, ends *time.Time
			s := &standing{value: make(map[string]int64)}
			if err := rows.Scan(&id, &s.root, &s.erased, &s.excluded, &open, &closed, &ends); err != nil {
				return err
			}
			if open != nil {
				s.open = *open
			}
			if closed != nil {
				s.closedAt = closed.UTC()
			}
			if ends != nil {
				s.endsAt = ends.UTC()
			}
			all[id] = s
		}
		return rows.Err()
	})
	tx.Queue(`SELECT n.id, o.currency, o.value
		FROM (SELECT DISTINCT u.id FROM unnest($2::uuid[]) AS u(id)) n
		CROSS JOIN LATERAL (SELECT customer_group($1, n.id) AS ids OFFSET 0) g
		CROSS JOIN LATERAL (SELECT k.currency, least(sum(k.total_minor - k.returned_minor), 9007199254740991)::bigint AS value
			FROM `+ordersOf("o.placed_at > $3::timestamptz - interval '365 days' AND o.placed_at <= $3")+` GROUP BY k.currency) o`, tx.Tenant(), customers, now).Query(func(rows pgx.Rows) error {
		var id uuid.UUID
		var currency string
		var value int64
		_, err := pgx.ForEachRow(rows, []any{&id, &currency, &value}, func() error { all[id].value[currency] = value; return nil })
		return err
	})
	return all, tx.Flush(ctx)
}

// Draft is a case that a person opens.
type Draft struct {
	CustomerID uuid.UUID
	Plan       string
	LossKind   LossKind
	Reason     Reason
}

func (d Draft) faults() []problem.Field {
	f := &faultFinder{}
	if d.CustomerID == uuid.Nil {
		f.fault("customer_id", "customer_required", "must be the id of a customer")
	}
	if d.LossKind != "" && !d.LossKind.known() {
		f.fault("loss_kind", "loss_kind_unknown", "must be natural, competitive or our_fault")
	}
	if d.LossKind.Excluded() {
		f.fault("loss_kind", "loss_kind_excluded", "whom nobody wants back is not won back: exclude the customer instead")
	}
	if d.Reason != "" && !d.Reason.known() {
		f.fault("reason", "reason_unknown", "must be price, product, service, competitor, moved or unknown")
	}
	return f.faults
}

// OpenByHand opens a case because a person wants it. Its process starts from its event.
func (r *Retention) OpenByHand(ctx context.Context, d Draft, text string) (Told, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Told{}, err
	}
	faults := d.faults()
	text, ok := words(text)
	if !ok {
		faults = append(faults, problem.Field{Location: "words", Code: "words_too_long", Message: "must be at most 20000 characters"})
	}
	if len(faults) > 0 {
		return Told{}, problem.InvalidBody("retention_case_invalid", "The case was not opened: mend the fields named here.", faults)
	}
	by := flow.ActorOf(ctx).Subject
	result, err := r.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		erasure.Refuse(tx, d.CustomerID)
		p, err := loadPlan(ctx, tx, d.Plan, 0, false)
		switch {
		case problem.KindOf(err) == problem.NotFound:
			return pg.Result{}, problem.InvalidBody("retention_case_invalid", "The case was not opened: mend the fields named here.",
				[]problem.Field{{Location: "plan", Code: "retention_plan_not_found", Message: "there is no such plan"}})
		case err != nil:
			return pg.Result{}, err
		case !p.Active:
			return pg.Result{}, problem.New(problem.Conflict, "retention_plan_inactive", "No case is opened by this plan any more: make it active, or take another.")
		}
		c := call{id: id, customer: d.CustomerID, trigger: Manual, fits: func(Plan) bool { return true }, lossKind: d.LossKind, reason: d.Reason, by: by}
		if text != "" {
			c.note = uuid.NewSHA1(id, []byte("words"))
		}
		_, refused, err := r.openAll(ctx, tx, []Plan{p}, c)
		if err == nil {
			err = refused[0]
		}
		if err == nil && text != "" {
			insertNote(tx, id, c.note, text, by, r.now())
		}
		return pg.Result{ID: id, Status: http.StatusCreated}, err
	})
	if name, _ := pg.Constraint(err); name == openIndex {
		err = problem.New(problem.Conflict, "retention_case_exists", "The customer has a case already.")
	}
	if err != nil {
		return Told{}, err
	}
	if result.Replayed {
		httpx.MarkReplayed(ctx)
	}
	return r.Get(ctx, result.ID)
}
