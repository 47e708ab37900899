package consent_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/services/accounts/internal/consent"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
)

var (
	mailbox = identity.Identity{Type: identity.Email, Value: "li.lei@example.com"}
	mobile  = identity.Identity{Type: identity.Phone, Value: "+8613800138000"}
	other   = identity.Identity{Type: identity.Phone, Value: "+8613800138001"}
	nowhere identity.Identity
)

// story is a log in the making: every step is a minute after the one before.
type story struct {
	ids     []uuid.UUID
	records []consent.Record
	merges  []consent.Merge
	at      time.Time
	random  *rand.Rand
}

func begin(ids int, seed uint64) *story {
	s := &story{at: time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC), random: rand.New(rand.NewPCG(seed, 7))}
	for range ids {
		s.ids = append(s.ids, uuid.Must(uuid.NewV7()))
	}
	return s
}

func (s *story) root(of uuid.UUID) uuid.UUID {
	for _, m := range s.merges {
		if m.UndoneAt.IsZero() && m.Absorbed == of {
			return s.root(m.Survivor)
		}
	}
	return of
}

func (s *story) group(of uuid.UUID) (group []uuid.UUID) {
	for _, id := range s.ids {
		if s.root(id) == s.root(of) {
			group = append(group, id)
		}
	}
	return group
}

// say records a statement as the command does.
func (s *story) say(t *testing.T, who uuid.UUID, state consent.State, k consent.Key) consent.Record {
	t.Helper()
	s.at = s.at.Add(time.Minute)
	id := uuid.Must(uuid.NewV7())
	r := consent.Record{ID: id, Statement: id, Customer: who, Key: k, State: state, Kind: consent.Plain, SaidAt: s.at, RecordedAt: s.at}
	all, err := r.Copies(s.group(who), uuid.NewV7)
	if err != nil {
		t.Fatal(err)
	}
	s.records = append(s.records, all...)
	return r
}

func (s *story) merge(survivor, absorbed uuid.UUID) int {
	s.at = s.at.Add(time.Minute)
	s.merges = append(s.merges, consent.Merge{ID: uuid.Must(uuid.NewV7()), Survivor: survivor, Absorbed: absorbed, At: s.at})
	return len(s.merges) - 1
}

func (s *story) undo(merge int) {
	s.at = s.at.Add(time.Minute)
	s.merges[merge].UndoneAt = s.at
}

// holds is what holds of k for whom the id means.
func (s *story) holds(id uuid.UUID, k consent.Key) consent.State {
	return consent.Current(s.records, s.merges)[s.root(id)].Of(k).State
}

func key(c consent.Channel, a identity.Identity) consent.Key {
	return consent.Key{Purpose: consent.Survey, Channel: c, Address: a}
}

func TestWhatHoldsOfAKey(t *testing.T) {
	t.Parallel()
	type said struct {
		state consent.State
		key   consent.Key
	}
	all, sms, toMobile := key("", nowhere), key(consent.SMS, nowhere), key("", mobile)
	smsToMobile := key(consent.SMS, mobile)
	marketing := func(k consent.Key) consent.Key { k.Purpose = consent.Marketing; return k }
	for name, c := range map[string]struct {
		said []said
		ask  consent.Key
		want consent.State
	}{
		"nothing was said":                               {nil, all, consent.None},
		"of another purpose nothing was said":            {[]said{{consent.Granted, marketing(all)}}, all, consent.None},
		"a grant holds for what is more specific":        {[]said{{consent.Granted, all}}, smsToMobile, consent.Granted},
		"and not for what is less":                       {[]said{{consent.Granted, sms}}, all, consent.None},
		"nor for another channel":                        {[]said{{consent.Granted, sms}}, key(consent.Phone, mobile), consent.None},
		"a withdrawal of all channels covers each":       {[]said{{consent.Granted, sms}, {consent.Withdrawn, all}}, smsToMobile, consent.Withdrawn},
		"a withdrawal of an address covers its channels": {[]said{{consent.Granted, all}, {consent.Withdrawn, toMobile}}, smsToMobile, consent.Withdrawn},
		"and no other address":                           {[]said{{consent.Granted, all}, {consent.Withdrawn, toMobile}}, key(consent.SMS, other), consent.Granted},
		"a later specific grant lifts a withdrawal":      {[]said{{consent.Withdrawn, all}, {consent.Granted, smsToMobile}}, smsToMobile, consent.Granted},
		"but for what it names alone":                    {[]said{{consent.Withdrawn, all}, {consent.Granted, smsToMobile}}, key(consent.SMS, other), consent.Withdrawn},
		"a later broad grant lifts no specific one":      {[]said{{consent.Withdrawn, sms}, {consent.Granted, all}}, smsToMobile, consent.Withdrawn},
		"it lifts a broad one":                           {[]said{{consent.Withdrawn, all}, {consent.Granted, all}}, smsToMobile, consent.Granted},
		"of channel and address neither lifts the other": {[]said{{consent.Withdrawn, sms}, {consent.Granted, toMobile}}, smsToMobile, consent.Withdrawn},
		"pending allows nothing":                         {[]said{{consent.Pending, sms}}, smsToMobile, consent.Pending},
		"pending lifts no withdrawal":                    {[]said{{consent.Granted, all}, {consent.Withdrawn, sms}, {consent.Pending, sms}}, sms, consent.Withdrawn},
		"pending takes no grant away":                    {[]said{{consent.Granted, sms}, {consent.Pending, sms}}, sms, consent.Granted},
		"email wants a double opt-in for marketing":      {[]said{{consent.Granted, marketing(all)}}, marketing(key(consent.Email, mailbox)), consent.None},
		"also against what it refused before": {[]said{{consent.Withdrawn, marketing(all)}, {consent.Granted, marketing(key("", mailbox))}},
			marketing(key(consent.Email, mailbox)), consent.Withdrawn},
		"other channels do not":       {[]said{{consent.Granted, marketing(all)}}, marketing(smsToMobile), consent.Granted},
		"other purposes do not":       {[]said{{consent.Granted, all}}, key(consent.Email, mailbox), consent.Granted},
		"a confirmed grant is enough": {[]said{{consent.Granted, marketing(key(consent.Email, mailbox))}}, marketing(key(consent.Email, mailbox)), consent.Granted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := begin(1, 0)
			for _, one := range c.said {
				s.say(t, s.ids[0], one.state, one.key)
			}
			if got := s.holds(s.ids[0], c.ask); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestConsentOfCustomersWhoBecomeOne(t *testing.T) {
	t.Parallel()
	sms := key(consent.SMS, nowhere)
	s := begin(2, 0)
	lei, twin := s.ids[0], s.ids[1]
	s.say(t, lei, consent.Granted, sms)
	s.say(t, twin, consent.Withdrawn, key("", nowhere))
	merged := s.merge(lei, twin)
	if got := s.holds(lei, sms); got != consent.Withdrawn {
		t.Fatalf("the grant of one stands against the broader withdrawal of the other: %s", got)
	}
	s.say(t, twin, consent.Granted, sms) // by the id that means lei now
	if got := s.holds(lei, sms); got != consent.Granted {
		t.Fatalf("what was said afterwards does not count: %s", got)
	}
	s.undo(merged)
	if a, b := s.holds(lei, sms), s.holds(twin, sms); a != consent.Granted || b != consent.Granted {
		t.Fatalf("each had granted: %s, %s", a, b)
	}
	again := s.merge(lei, twin)
	s.say(t, lei, consent.Withdrawn, sms)
	s.undo(again)
	if a, b := s.holds(lei, sms), s.holds(twin, sms); a != consent.Withdrawn || b != consent.Withdrawn {
		t.Fatalf("a withdrawal made while they were one holds for both: %s, %s", a, b)
	}
	s.say(t, lei, consent.Granted, sms)
	if a, b := s.holds(lei, sms), s.holds(twin, sms); a != consent.Granted || b != consent.Withdrawn {
		t.Fatalf("they are two again: %s, %s", a, b)
	}
}

func TestPapersCountInTheOrderInWhichTheyWereSigned(t *testing.T) {
	t.Parallel()
	s := begin(1, 0)
	sms := key(consent.SMS, nowhere)
	s.say(t, s.ids[0], consent.Withdrawn, sms)
	late := s.say(t, s.ids[0], consent.Granted, sms)
	for n := range s.records {
		if s.records[n].ID == late.ID {
			s.records[n].SaidAt = late.SaidAt.Add(-time.Hour) // a form of the morning, typed in after the call
		}
	}
	if got := s.holds(s.ids[0], sms); got != consent.Withdrawn {
		t.Fatalf("an older form lifts a newer withdrawal: %s", got)
	}
}

// asked are the keys that the properties are tried on: all that can be said, and then some.
func asked() (keys []consent.Key) {
	for _, p := range []consent.Purpose{consent.Survey, consent.Marketing} {
		for _, c := range []consent.Channel{"", consent.Email, consent.SMS, consent.Phone} {
			for _, a := range []identity.Identity{nowhere, mailbox, mobile, other} {
				keys = append(keys, consent.Key{Purpose: p, Channel: c, Address: a})
			}
		}
	}
	return keys
}

// TestConsentThroughAnyHistory holds random histories of grants, withdrawals, merges and undone merges to what must be
// true of all of them.
func TestConsentThroughAnyHistory(t *testing.T) {
	t.Parallel()
	for seed := range uint64(150) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			s := begin(4, seed)
			for range 40 {
				s.step(t)
				if t.Failed() {
					return
				}
			}
			s.independent(t)
		})
	}
}

func (s *story) step(t *testing.T) {
	t.Helper()
	keys := asked()
	who, k := s.ids[s.random.IntN(len(s.ids))], keys[s.random.IntN(len(keys))]
	switch s.random.IntN(10) {
	case 0, 1, 2, 3:
		s.say(t, who, consent.Granted, k)
		if got := s.holds(who, k); got != consent.Granted {
			t.Errorf("granted just now, and %s", got)
		}
	case 4, 5:
		s.say(t, who, consent.Withdrawn, k)
		s.refusedByAll(t, s.group(who), k)
	case 6:
		was := s.holds(who, k)
		s.say(t, who, consent.Pending, k)
		if got := s.holds(who, k); got != was && (was != consent.None || got != consent.Pending) {
			t.Errorf("a pending grant made %s of %s", got, was)
		}
	case 7, 8:
		s.mergeAny(t, who)
	default:
		s.undoAny(t)
	}
}

func (s *story) refusedByAll(t *testing.T, group []uuid.UUID, k consent.Key) {
	t.Helper()
	for _, id := range group {
		for _, q := range asked() {
			if got := s.holds(id, q); k.Covers(q) && got != consent.Withdrawn {
				t.Errorf("withdrawn just now, and %s for %v", got, q)
			}
		}
	}
}

// mergeAny merges two customers: what either refuses is refused, and what is allowed one of them had allowed.
func (s *story) mergeAny(t *testing.T, who uuid.UUID) {
	t.Helper()
	a, b := s.root(who), s.root(s.ids[s.random.IntN(len(s.ids))])
	if a == b {
		return
	}
	before := consent.Current(s.records, s.merges)
	s.merge(a, b)
	after := consent.Current(s.records, s.merges)[a]
	for _, q := range asked() {
		one, two, joint := before[a].Of(q).State, before[b].Of(q).State, after.Of(q).State
		if (one == consent.Withdrawn || two == consent.Withdrawn) && joint != consent.Withdrawn {
			t.Errorf("%v: %s and %s became %s", q, one, two, joint)
		}
		if joint == consent.Granted && one != consent.Granted && two != consent.Granted {
			t.Errorf("%v: granted by nobody", q)
		}
		if len(before[b]) == 0 && joint != one {
			t.Errorf("%v: one who said nothing made %s of %s", q, joint, one)
		}
	}
}

// undoAny undoes a merge: then everything is as if it had never been.
func (s *story) undoAny(t *testing.T) {
	t.Helper()
	var standing []int
	for n, m := range s.merges {
		if m.UndoneAt.IsZero() {
			standing = append(standing, n)
		}
	}
	if len(standing) == 0 {
		return
	}
	n := standing[s.random.IntN(len(standing))]
	s.undo(n)
	without := slices.Delete(slices.Clone(s.merges), n, n+1)
	if !same(consent.Current(s.records, s.merges), consent.Current(s.records, without)) {
		t.Errorf("an undone merge leaves something behind")
	}
	s.mournful(t)
}

// mournful finds withdrawals that were lost: whoever one was written for, and who has granted nothing since, refuses.
func (s *story) mournful(t *testing.T) {
	t.Helper()
	for _, id := range s.ids {
		if len(s.group(id)) > 1 {
			continue
		}
		for _, w := range s.records {
			since := slices.ContainsFunc(s.records, func(r consent.Record) bool {
				return r.Customer == id && r.State == consent.Granted && r.SaidAt.After(w.SaidAt)
			})
			if got := s.holds(id, w.Key); w.Customer == id && w.State == consent.Withdrawn && !since && got != consent.Withdrawn {
				t.Errorf("the withdrawal of %v was lost: %s", w.Key, got)
			}
		}
	}
}

// independent: what holds does not depend on the order in which records and merges are read.
func (s *story) independent(t *testing.T) {
	t.Helper()
	want := consent.Current(s.records, s.merges)
	records, merges := slices.Clone(s.records), slices.Clone(s.merges)
	s.random.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	s.random.Shuffle(len(merges), func(i, j int) { merges[i], merges[j] = merges[j], merges[i] })
	if !same(want, consent.Current(records, merges)) {
		t.Error("it depends on the order in which the log is read")
	}
}

func same(a, b map[uuid.UUID]consent.States) bool {
	return maps.EqualFunc(a, b, maps.Equal[consent.States, consent.States])
}

func TestAChildsGuardianSpeaks(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)
	day := func(s string) time.Time {
		d, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	lei := uuid.Must(uuid.NewV7())
	record := func(state consent.State, kind consent.Kind, until string) consent.Record {
		r := consent.Record{ID: uuid.Must(uuid.NewV7()), Customer: lei, Key: consent.Key{Purpose: consent.Marketing, Channel: consent.SMS},
			State: state, Kind: kind, SaidAt: at.Add(-time.Hour)}
		if until != "" {
			r.Guardian = consent.Guardian{Name: "韩梅梅", Relation: "parent", Until: day(until)}
		}
		return r
	}
	for name, c := range map[string]struct {
		records []consent.Record
		age     consent.Childhood
		purpose consent.Purpose
		want    consent.Refusal
	}{
		"an adult who granted":                          {[]consent.Record{record(consent.Granted, consent.Plain, "")}, consent.Childhood{}, consent.Marketing, ""},
		"a child who granted alone":                     {[]consent.Record{record(consent.Granted, consent.Plain, "")}, consent.Childhood{Known: true, Born: day("2012-11-27")}, consent.Marketing, consent.GuardianNeeded},
		"whose birthday is today":                       {[]consent.Record{record(consent.Granted, consent.Plain, "")}, consent.Childhood{Known: true, Born: day("2012-11-26")}, consent.Marketing, ""},
		"a child whose guardian granted":                {[]consent.Record{record(consent.Granted, consent.ByGuardian, "2026-11-27")}, consent.Childhood{Until: day("2026-11-27")}, consent.Marketing, ""},
		"who is 14 since today":                         {[]consent.Record{record(consent.Granted, consent.ByGuardian, "2026-11-26")}, consent.Childhood{Until: day("2026-11-26")}, consent.Marketing, consent.NoConsent},
		"a child's service is a guardian's matter, too": {nil, consent.Childhood{Until: day("2030-01-01")}, consent.Service, consent.GuardianNeeded},
		"an adult's is not":                             {nil, consent.Childhood{}, consent.Service, ""},
		"a child withdraws alone": {[]consent.Record{record(consent.Granted, consent.ByGuardian, "2030-01-01"), record(consent.Withdrawn, consent.Plain, "")},
			consent.Childhood{Until: day("2030-01-01")}, consent.Marketing, consent.IsWithdrawn},
		"the day of birth is believed before a guardian": {[]consent.Record{record(consent.Granted, consent.ByGuardian, "2030-01-01")},
			consent.Childhood{Known: true, Born: day("2000-01-01"), Until: day("2030-01-01")}, consent.Marketing, consent.NoConsent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := consent.History{Records: c.records, Childhood: c.age}
			if got := h.Standing(lei, at).Refusal(consent.Key{Purpose: c.purpose, Channel: consent.SMS, Address: mobile}); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestASuppressedAddressWantsAGrantOfItsOwn(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)
	lei := uuid.Must(uuid.NewV7())
	granted := func(c consent.Channel, a identity.Identity, said time.Time) []consent.Record {
		return []consent.Record{{ID: uuid.Must(uuid.NewV7()), Customer: lei, Key: consent.Key{Purpose: consent.Marketing, Channel: c, Address: a},
			State: consent.Granted, Kind: consent.Plain, SaidAt: said}}
	}
	every := []consent.Suppression{{Address: mobile, At: at.Add(-time.Hour)}}
	for name, c := range map[string]struct {
		records []consent.Record
		by      []consent.Suppression
		ask     consent.Key
		want    consent.Refusal
	}{
		"marketing":                    {nil, every, consent.Key{Purpose: consent.Marketing, Channel: consent.SMS, Address: mobile}, consent.IsSuppressed},
		"service needs no consent":     {nil, every, consent.Key{Purpose: consent.Service, Channel: consent.SMS, Address: mobile}, ""},
		"another address":              {nil, every, consent.Key{Purpose: consent.Service, Channel: consent.SMS, Address: other}, ""},
		"a broad grant is not enough":  {granted("", nowhere, at), every, consent.Key{Purpose: consent.Marketing, Channel: consent.SMS, Address: mobile}, consent.IsSuppressed},
		"an older one is not either":   {granted(consent.SMS, mobile, at.Add(-2*time.Hour)), every, consent.Key{Purpose: consent.Marketing, Channel: consent.SMS, Address: mobile}, consent.IsSuppressed},
		"a later one of the address":   {granted(consent.SMS, mobile, at), every, consent.Key{Purpose: consent.Marketing, Channel: consent.SMS, Address: mobile}, ""},
		"service that was withdrawn":   {nil, []consent.Suppression{{Address: mobile, Purpose: consent.Service, Channel: consent.SMS, At: at}}, consent.Key{Purpose: consent.Service, Channel: consent.SMS, Address: mobile}, consent.IsSuppressed},
		"by that channel alone":        {nil, []consent.Suppression{{Address: mobile, Purpose: consent.Service, Channel: consent.SMS, At: at}}, consent.Key{Purpose: consent.Service, Channel: consent.Phone, Address: mobile}, ""},
		"and of that purpose it alone": {nil, []consent.Suppression{{Address: mobile, Purpose: consent.Service, At: at}}, consent.Key{Purpose: consent.Transaction, Channel: consent.Phone, Address: mobile}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := consent.History{Records: c.records, Suppressions: c.by}
			if got := h.Standing(lei, at).Refusal(c.ask); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
