package lead

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/customfield"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/externalref"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/leadfield"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
	"github.com/guanxi-crm/guanxi/services/sales/internal/scoring"
	"github.com/guanxi-crm/guanxi/services/sales/internal/team"
)

// Leads is what can be done with leads.
type Leads struct {
	db     *pg.DB
	outbox *outbox.Outbox
	scores *scoring.Scoring
	clock  func() time.Time
	forget []func(tx *pg.Tx, leads []uuid.UUID)
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, scores *scoring.Scoring, clock func() time.Time) *Leads {
	return &Leads{db: db, outbox: o, scores: scores, clock: clock}
}

// Forgetting has rooms that keep words about leads take them out with the leads', in the same transaction.
func (s *Leads) Forgetting(rooms ...func(tx *pg.Tx, leads []uuid.UUID)) *Leads {
	s.forget = append(s.forget, rooms...)
	return s
}

func (s *Leads) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// Capture takes a draft in: as a new lead (made), or as an enquiry on the open lead of whoever came again. A draft under an external name
// that is there already gives that lead again when both say the same, and is a Conflict, lead_differs, otherwise.
func (s *Leads) Capture(ctx context.Context, d Draft) (l Lead, made bool, err error) {
	tenant := auth.Tenant(ctx)
	take := func() (pg.Result, error) {
		return s.db.Command(ctx, tenant, func(tx *pg.Tx) (pg.Result, error) {
			var err error
			l, made, err = s.captureIn(ctx, tx, d)
			status := http.StatusOK
			if made {
				status = http.StatusCreated
			}
			return pg.Result{ID: l.ID, Status: status}, err
		})
	}
	result, err := take()
	if name, _ := pg.Constraint(err); name == externalIndex {
		result, err = take() // somebody brought it between our look and our insert: this time it is seen
	}
	if err != nil {
		return Lead{}, false, err
	}
	if result.Replayed {
		httpx.MarkReplayed(ctx)
		l, err = s.Get(ctx, result.ID)
	}
	return l, result.Status == http.StatusCreated, err
}

// captureIn is Capture in a transaction.
func (s *Leads) captureIn(ctx context.Context, tx *pg.Tx, d Draft) (l Lead, made bool, err error) {
	w := s.look(tx, d.Team != "")
	before := findKnown(tx, []externalref.Ref{d.ExternalRef})
	root := alias.Root(tx, d.CustomerID)
	if d.CustomerID != uuid.Nil {
		erasure.Refuse(tx, d.CustomerID)
	}
	if err := tx.Flush(ctx); err != nil {
		return Lead{}, false, err
	}
	if there, ok := before[d.ExternalRef]; ok {
		if !bytes.Equal(there.fingerprint, d.fingerprint()) {
			return Lead{}, false, differs(there.lead)
		}
		l, err = Get(ctx, tx, there.lead)
		return l, false, err
	}
	one, enquiry, faults := Take(uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7()), d, w.world(), s.now())
	if len(faults) > 0 {
		return Lead{}, false, problem.InvalidBody("lead_invalid", "The lead was not accepted: mend the fields named here.", faults)
	}
	one.Root = *root
	leadfield.Kind().Use(tx, w.Fields, one.Custom)
	hold(tx, one, w.Setting.Dedupe)
	now, err := s.bring(ctx, tx, w.world(), []Arrival{{Lead: one, Enquiry: enquiry}})
	if err != nil {
		return Lead{}, false, err
	}
	return now[0], now[0].ID == one.ID, nil
}

// looked is a World that is filled in by the next round trip.
type looked struct {
	Setting   *Setting
	Fields    customfield.Set
	Pipelines *pipeline.Book
	Teams     *team.Book
}

// look queues the reading of what drafts are held against, with the teams where one is named.
func (s *Leads) look(tx *pg.Tx, teams bool) looked {
	w := looked{Setting: setting(tx, ``), Fields: leadfield.Kind().All(tx), Pipelines: pipeline.All(tx)}
	if teams {
		w.Teams = team.All(tx, s.now())
	}
	return w
}

func (w looked) world() World { return World{*w.Setting, w.Fields, w.Pipelines, w.Teams} }

func differs(lead uuid.UUID) error {
	return problem.New(problem.Conflict, "lead_differs",
		"Under this external_ref something else came in before. Change that lead, or send this under a name of its own.").
		WithField("body.external_ref", "lead_differs", "belongs to lead "+lead.String())
}

// AssignIn gives a lead that is locked to a team and, unless owner is empty, to somebody of it, and gives the events that tell of it;
// none where it was so already. reason is a code: rule, round_robin, least_loaded, hand or released.
func (s *Leads) AssignIn(ctx context.Context, tx *pg.Tx, l Lead, team, owner, reason string, at time.Time) ([]outbox.Event, error) {
	now, err := l.Assign(team, owner, reason, at)
	if err != nil || now.Version == l.Version {
		return nil, err
	}
	Save(tx, now)
	if now.Team != l.Team { // whose counts its score is reckoned by
		if err := s.rescore(ctx, tx, now); err != nil {
			return nil, err
		}
	}
	return []outbox.Event{assignedEvent(l, now, reason)}, nil
}

// rescore has a lead scored as it is now.
func (s *Leads) rescore(ctx context.Context, tx *pg.Tx, l Lead) error {
	book := pipeline.All(tx)
	if err := tx.Flush(ctx); err != nil {
		return err
	}
	return s.scores.Save(ctx, tx, l.scored(book))
}

// HandOverIn gives a lead that is locked to marketing (nurturing) or back to sales, and gives it as it is then with the event that
// tells of it. reason is a code, such as score, silence, hand or recycled.
func (s *Leads) HandOverIn(_ context.Context, tx *pg.Tx, l Lead, nurturing bool, reason string, score int32, at time.Time) (Lead, []outbox.Event, error) {
	now, err := l.Nurture(reason, at)
	if !nurturing {
		now, err = l.Return(reason, at)
	}
	if err != nil {
		return l, nil, err
	}
	Save(tx, now)
	return now, []outbox.Event{handedOverEvent(now, nurturing, reason, score)}, nil
}

// SetCustomerIn keeps what accounts says of a lead that is locked: whom it is known to be (Nil: nobody), and who it may be.
func SetCustomerIn(tx *pg.Tx, l Lead, customer uuid.UUID, candidates []Candidate, at time.Time) Lead {
	l = l.Meant(customer, candidates, at)
	Save(tx, l)
	return l
}

// Unchecked gives up to limit leads of all tenants of which accounts was not asked yet whether it knows them, the oldest first.
// What is done about them goes on tenant by tenant.
func Unchecked(ctx context.Context, db *pg.DB, limit int) ([]pg.Of, error) {
	return db.Across(ctx, `SELECT tenant_id, id FROM lead_unchecked($1)`, limit)
}
