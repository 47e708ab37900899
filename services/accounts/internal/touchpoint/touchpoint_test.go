package touchpoint_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-crm/guanxi/services/accounts/internal/touchpoint"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestCreateNamesEveryFault(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		draft  touchpoint.Draft
		faults []string
	}{
		{"a good one", touchpoint.Draft{Code: "test_drive", Title: "试驾", Stage: touchpoint.Consideration, Channel: touchpoint.Visit}, nil},
		{"on any channel", touchpoint.Draft{Code: "1", Title: "x", Stage: touchpoint.Loyalty}, nil},
		{"nothing", touchpoint.Draft{}, []string{"code", "title", "stage"}},
		{"words for a code", touchpoint.Draft{Code: "Test drive", Title: "x", Stage: touchpoint.Service}, []string{"code"}},
		{"a code too long", touchpoint.Draft{Code: strings.Repeat("x", 65), Title: "x", Stage: touchpoint.Service}, []string{"code"}},
		{"a title of two lines", touchpoint.Draft{Code: "x", Title: "a\nb", Stage: touchpoint.Service}, []string{"title"}},
		{"a title too long", touchpoint.Draft{Code: "x", Title: strings.Repeat("名", 201), Stage: touchpoint.Service}, []string{"title"}},
		{"unknown codes", touchpoint.Draft{Code: "x", Title: "x", Stage: "divorce", Channel: "fax"}, []string{"stage", "channel"}},
	}
	for _, c := range cases {
		_, faults := touchpoint.Create(c.draft, noon)
		var got []string
		for _, f := range faults {
			got = append(got, f.Location)
		}
		if !slices.Equal(got, c.faults) {
			t.Errorf("%s: faults at %v, want %v", c.name, got, c.faults)
		}
	}
}

func TestAChangeThatChangesNothingIsNone(t *testing.T) {
	t.Parallel()
	was, _ := touchpoint.Create(touchpoint.Draft{Code: "hotline", Title: "Hotline", Stage: touchpoint.Service, Channel: touchpoint.Phone}, noon)
	title, stage := " Hotline ", touchpoint.Loyalty
	if now, _ := was.Change(touchpoint.Patch{Title: &title}, noon.Add(1)); now != was {
		t.Errorf("%+v", now)
	}
	now, _ := was.Change(touchpoint.Patch{Stage: &stage}, noon.Add(1))
	if now.Version != 2 || now.Stage != touchpoint.Loyalty || now.Title != was.Title || now.Channel != was.Channel {
		t.Errorf("%+v", now)
	}
	archived := now.Archive(true, noon.Add(2))
	if archived.Version != 3 || archived.Archive(true, noon.Add(3)) != archived || archived.Archive(false, noon.Add(3)).Archived {
		t.Errorf("%+v", archived)
	}
	for _, c := range []struct {
		t    touchpoint.Touchpoint
		by   touchpoint.Channel
		code string
	}{
		{was, touchpoint.Phone, ""},
		{was, touchpoint.Email, "touchpoint_channel"},
		{touchpoint.Touchpoint{}, touchpoint.Email, ""},
		{archived, touchpoint.Phone, "touchpoint_archived"},
	} {
		f := c.t.Takes(c.by)
		if (f == nil) != (c.code == "") || (f != nil && f.Code != c.code) {
			t.Errorf("by %s: %v, want %s", c.by, f, c.code)
		}
	}
}
