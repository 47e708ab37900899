package preference_test

import (
	"strings"
	"testing"
	"time"

	"github.com/guanxi-crm/guanxi/services/accounts/internal/preference"
)

var now = time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)

func TestWhatWasSaidOutranksWhatWasInferred(t *testing.T) {
	t.Parallel()
	said := func(value string, hours int) preference.Preference {
		return preference.Preference{Value: value, Source: preference.Said, Confidence: 1, At: now.Add(time.Duration(hours) * time.Hour)}
	}
	inferred := func(value string, hours int, confidence float64) preference.Preference {
		return preference.Preference{Value: value, Source: preference.Inferred, Confidence: confidence, At: now.Add(time.Duration(hours) * time.Hour)}
	}
	for name, c := range map[string]struct {
		stated []preference.Preference
		want   string
	}{
		"nothing":                          {nil, ""},
		"only inferred":                    {[]preference.Preference{inferred("sms", 0, 0.4)}, "sms"},
		"said before it was inferred":      {[]preference.Preference{said("email", -100), inferred("sms", 0, 0.99)}, "email"},
		"in the other order":               {[]preference.Preference{inferred("sms", 0, 0.99), said("email", -100)}, "email"},
		"said by both of who are one":      {[]preference.Preference{said("email", -2), said("phone", -1)}, "phone"},
		"inferred of both of who are one":  {[]preference.Preference{inferred("email", -1, 0.1), inferred("phone", -2, 0.9)}, "email"},
		"inferred at once, the surer wins": {[]preference.Preference{inferred("email", 0, 0.1), inferred("phone", 0, 0.9)}, "phone"},
	} {
		got, ok := preference.Effective(c.stated)
		if got.Value != c.want || ok != (c.want != "") {
			t.Errorf("%s: got %q %v, want %q", name, got.Value, ok, c.want)
		}
	}
}

func TestPreferencesAreCodes(t *testing.T) {
	t.Parallel()
	good := preference.Preference{Key: "topics", Value: "pizza,wine", Source: preference.Inferred, Confidence: 0.5}
	for name, c := range map[string]struct {
		change func(*preference.Preference)
		field  string // empty: it is right
	}{
		"several codes":              {func(*preference.Preference) {}, ""},
		"a sentence":                 {func(p *preference.Preference) { p.Value = "call his wife" }, "value"},
		"nothing":                    {func(p *preference.Preference) { p.Value = "" }, "value"},
		"an empty one of several":    {func(p *preference.Preference) { p.Value = "pizza,,wine" }, "value"},
		"201 characters":             {func(p *preference.Preference) { p.Value = strings.Repeat("a", 201) }, "value"},
		"a key that is none":         {func(p *preference.Preference) { p.Key = "Topics" }, "key"},
		"a channel":                  {func(p *preference.Preference) { p.Key, p.Value = preference.ContactChannel, "wechat" }, ""},
		"a channel nobody knows":     {func(p *preference.Preference) { p.Key, p.Value = preference.ContactChannel, "fax" }, "value"},
		"two channels":               {func(p *preference.Preference) { p.Key, p.Value = preference.ContactChannel, "email,sms" }, "value"},
		"a language":                 {func(p *preference.Preference) { p.Key, p.Value = preference.Language, "zh-Hans" }, ""},
		"a language nobody speaks":   {func(p *preference.Preference) { p.Key, p.Value = preference.Language, "xx-nobody-speaks" }, "value"},
		"hours":                      {func(p *preference.Preference) { p.Key, p.Value = preference.ContactHours, "09:00-18:30" }, ""},
		"hours that no clock has":    {func(p *preference.Preference) { p.Key, p.Value = preference.ContactHours, "09:00-24:30" }, "value"},
		"inferred without certainty": {func(p *preference.Preference) { p.Confidence = 0 }, "confidence"},
		"more than certain":          {func(p *preference.Preference) { p.Confidence = 1.01 }, "confidence"},
		"said, half certain":         {func(p *preference.Preference) { p.Source = preference.Said }, "confidence"},
		"tomorrow":                   {func(p *preference.Preference) { p.At = now.Add(24 * time.Hour) }, "at"},
		"a clock ahead of ours":      {func(p *preference.Preference) { p.At = now.Add(30 * time.Second) }, ""},
		"long ago":                   {func(p *preference.Preference) { p.At = time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC) }, "at"},
	} {
		p := good
		c.change(&p)
		checked, faults := p.Check(now)
		switch {
		case c.field == "" && len(faults) > 0, c.field != "" && (len(faults) != 1 || faults[0].Location != c.field):
			t.Errorf("%s: %v", name, faults)
		case c.field == "" && checked.At.After(now):
			t.Errorf("%s: kept as of %s", name, checked.At)
		}
	}
}
