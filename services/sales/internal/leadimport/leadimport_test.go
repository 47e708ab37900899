package leadimport

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/guanxi-crm/guanxi/platform/externalref"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
)

type row map[string]string

// old is a row of a lead that was lost, with some columns changed.
func old(changes row) row {
	r := row{
		"external_id": "17", "system": "old-crm", "name": "Lily Chen", "email": "lily@example.com", "source": "fair", "tags": "ovens\nhot",
		"captured_at": "2025-01-02", "outcome": "lost", "closed_at": "2025-03-04T12:00:00+08:00", "stage": "proposal", "reason": "price", "custom:size": "2",
	}
	maps.Copy(r, changes)
	return r
}

func readRow(r row) (lead.Row, []string) {
	got, wrong := read(3, func(column string) string { return r[column] }, []string{"custom:size"})
	var faults []string
	for _, w := range wrong {
		faults = append(faults, w.Column+" "+w.Code)
	}
	return got, faults
}

func TestARowSaysWhatBecameOfALead(t *testing.T) {
	t.Parallel()
	r, faults := readRow(old(nil))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	d := r.Draft
	if d.ExternalRef != (externalref.Ref{System: "old-crm", ID: "17"}) || d.Name != "Lily Chen" || d.Capture != lead.ByImport || !slices.Equal(d.Tags, []string{"ovens", "hot"}) {
		t.Errorf("%+v", d)
	}
	if !d.CapturedAt.Equal(time.Date(2025, 1, 2, 0, 0, 0, 0, time.UTC)) || r.Custom["size"] != "2" {
		t.Errorf("%+v", r)
	}
	if o := r.Outcome; o.State != lead.Lost || o.Reason != "price" || o.Stage != "proposal" || !o.At.Equal(time.Date(2025, 3, 4, 4, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v", o)
	}
}

func TestARowThatCannotBeReadNamesItsColumns(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		changes row
		want    []string
	}{
		"as it should be":             {nil, nil},
		"an open one":                 {row{"outcome": "", "closed_at": "", "stage": "", "reason": ""}, nil},
		"a day by itself":             {row{"captured_at": "20250102"}, nil},
		"without a name of its own":   {row{"external_id": "", "system": ""}, nil},
		"a name without a system":     {row{"system": ""}, []string{"system system_malformed"}},
		"a system without a name":     {row{"external_id": ""}, []string{"external_id external_id_malformed"}},
		"a day that is none":          {row{"captured_at": "2025-02-30"}, []string{"captured_at time_malformed"}},
		"a time in words":             {row{"closed_at": "last spring"}, []string{"closed_at time_malformed"}},
		"an outcome that is none":     {row{"outcome": "maybe"}, []string{"outcome outcome_unknown"}},
		"a reason without an outcome": {row{"outcome": "", "closed_at": "", "stage": ""}, []string{"outcome outcome_required"}},
		"a customer in words":         {row{"customer_id": "Lily"}, []string{"customer_id customer_id_malformed"}},
		"all at once":                 {row{"captured_at": "x", "closed_at": "x", "outcome": "x"}, []string{"captured_at time_malformed", "closed_at time_malformed", "outcome outcome_unknown"}},
	} {
		if _, got := readRow(old(c.changes)); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
