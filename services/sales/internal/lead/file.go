package lead

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/externalref"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/leadfield"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
)

// Row is somebody of a file, with what became of them, where the file knows.
type Row struct {
	Draft   Draft             // without custom fields, which are in Custom
	Custom  map[string]string // what the file says of custom fields, as text
	Owner   string            // subject of who looks after them; empty for nobody
	Outcome Outcome
}

// Import brings the rows of a file in, set by set, and gives for each what is wrong with it; nothing of one that was taken. What came in
// before under the same external name is left as it is where it says the same, and wrong otherwise. Nobody else captures until the
// transaction ends.
func (s *Leads) Import(ctx context.Context, tx *pg.Tx, rows []Row) ([][]problem.Field, error) {
	refs, customers := make([]externalref.Ref, len(rows)), make([]uuid.UUID, 0, len(rows))
	for i, r := range rows {
		refs[i] = r.Draft.ExternalRef
		if r.Draft.CustomerID != uuid.Nil {
			customers = append(customers, r.Draft.CustomerID)
		}
	}
	holdAll(tx)
	w, before := s.look(tx, true), findKnown(tx, refs)
	erased, roots := erasure.Known(tx, customers), alias.Roots(tx, customers)
	if err := tx.Flush(ctx); err != nil {
		return nil, err
	}
	var arrivals []Arrival
	wrong, used := make([][]problem.Field, len(rows)), make(map[string]any)
	for i, r := range rows {
		r.Draft.Custom = w.typed(r.Custom)
		if there, ok := before[r.Draft.ExternalRef]; ok {
			if !bytes.Equal(there.fingerprint, r.fingerprint()) {
				wrong[i] = faults{{Location: "external_id", Code: "lead_differs", Message: "belongs to lead " + there.lead.String() + ", which came in with other content"}}
			}
			continue
		}
		a, f := r.arrive(w.world(), s.now())
		if erased[r.Draft.CustomerID] {
			f.add("customer_id", "customer_erased", "is of a customer who was erased: nothing can be kept of them")
		}
		if wrong[i] = f; len(f) > 0 {
			continue
		}
		if root, ok := roots[r.Draft.CustomerID]; ok {
			a.Lead.Root = root
		}
		for name, value := range a.Lead.Custom {
			used[name] = value
		}
		arrivals = append(arrivals, a)
		if !r.Draft.ExternalRef.IsZero() {
			before[r.Draft.ExternalRef] = known{a.Lead.ID, a.Enquiry.Fingerprint}
		}
	}
	if len(arrivals) == 0 {
		return wrong, nil
	}
	leadfield.Kind().Use(tx, w.Fields, used)
	_, err := s.bring(ctx, tx, w.world(), arrivals)
	return wrong, err
}

// typed gives what a file says of custom fields as values of their types.
func (w looked) typed(given map[string]string) map[string]json.RawMessage {
	values := make(map[string]json.RawMessage, len(given))
	for name, value := range given {
		values[name] = typed(w.Fields[name].Type, value)
	}
	return values
}

// fingerprint is the draft's with what became of it.
func (r Row) fingerprint() []byte {
	content := r.Draft.fingerprint()
	if r.Outcome != (Outcome{}) {
		content = append(content, []byte(string(r.Outcome.State)+" "+r.Outcome.Reason+" "+r.Outcome.Stage+" "+r.Outcome.At.UTC().Format(time.RFC3339Nano))...)
	}
	return content
}

// arrive makes an arrival of a row, or names what is not right of it.
func (r Row) arrive(w World, now time.Time) (Arrival, faults) {
	d := r.Draft
	if d.CapturedAt.IsZero() { // nobody wrote down when it came in: no later than it ended
		d.CapturedAt = r.Outcome.At
	}
	l, e, wrong := Take(uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7()), d, w, now)
	f := faults(wrong)
	f = append(f, assignable("", r.Owner, w.Teams)...)
	if t, ok := w.Teams.Team(l.Team); ok && r.Owner != "" {
		f = append(f, assignable(t.Code, r.Owner, w.Teams)...)
	}
	a := Arrival{Lead: l, Enquiry: e, Owner: r.Owner, Outcome: r.Outcome}
	if e.Fingerprint != nil {
		a.Enquiry.Fingerprint = r.fingerprint()
	}
	if r.Outcome == (Outcome{}) {
		return a, f
	}
	a.Outcome.At = r.Outcome.At.UTC().Truncate(time.Microsecond)
	if a.Outcome.At.IsZero() {
		f.add("closed_at", "closed_at_required", "must say when it was won or lost")
	} else if a.Outcome.At.Before(l.CapturedAt) || a.Outcome.At.After(now.Add(skew)) {
		f.add("closed_at", "closed_at_out_of_range", "must lie between captured_at and tomorrow")
	}
	f.outcome(l, r.Outcome, w.Pipelines)
	return a, f
}

// outcome names what is not right of what became of a lead.
func (f *faults) outcome(l Lead, o Outcome, book *pipeline.Book) {
	switch {
	case o.State == Lost && o.Reason == "":
		f.add("reason", "reason_required", "must be the code of why it was lost")
	case o.State == Lost && !pipeline.Coded(o.Reason):
		f.add("reason", "reason_malformed", codeRule)
	case o.State == Converted && o.Reason != "":
		f.add("reason", "reason_unfit", "belongs to what was lost")
	}
	if p, ok := book.Find(l.Pipeline); ok && o.Stage != "" {
		if _, _, known := p.Stage(o.Stage); !known {
			f.add("stage", "stage_unknown", "must be the code of a stage of the pipeline")
		}
	}
}
