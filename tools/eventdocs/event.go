package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/timestamppb"

	optionsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/options/v1"
)

// event is a message that stands on a topic.
type event struct {
	message protoreflect.MessageDescriptor
	about   *optionsv1.Event
	service string // such as "sales"
	topic   string // such as "guanxi.sales.events.v1": the message's package
}

func (e event) name() string { return string(e.message.FullName()) }

var (
	eventPackage = regexp.MustCompile(`^guanxi\.([a-z]+)\.events\.v[1-9][0-9]*$`)
	code         = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

// collect finds every event, ordered by name, and checks that each says of itself what is true. All faults are
// reported at once.
func collect(files *protoregistry.Files) ([]event, error) {
	var events []event
	var faults []error
	files.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		match := eventPackage.FindStringSubmatch(string(file.Package()))
		if match == nil {
			return true
		}
		for i := range file.Messages().Len() {
			message := file.Messages().Get(i)
			about, _ := proto.GetExtension(message.Options(), optionsv1.E_Event).(*optionsv1.Event)
			e := event{message: message, about: about, service: match[1], topic: string(file.Package())}
			switch {
			case about != nil:
				events = append(events, e)
				faults = append(faults, e.check()...)
			case !usedByAnother(files, message):
				faults = append(faults, fmt.Errorf("%s is neither an event (option guanxi.options.v1.event) nor a part of one", e.name()))
			}
		}
		return true
	})
	slices.SortFunc(events, func(a, b event) int { return strings.Compare(a.name(), b.name()) })
	faults = append(faults, sameTitles(events)...)
	faults = append(faults, setAndAdded(events)...)
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return events, errors.Join(faults...)
}

func (e event) check() []error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%s: %s", e.name(), fmt.Sprintf(format, args...)))
	}
	if !code.MatchString(e.about.GetAggregate()) {
		fault("aggregate %q is not a code like \"order\"", e.about.GetAggregate())
	}
	if !code.MatchString(e.about.GetTitle()) {
		fault("title %q is not a code like \"order_placed\"", e.about.GetTitle())
	}
	if e.about.GetTime() == "" {
		fault("says nothing about its time")
	}
	timestamp := (*timestamppb.Timestamp)(nil).ProtoReflect().Descriptor().FullName()
	for _, named := range []struct{ option, field string }{
		{"aggregate_id", e.about.GetAggregateId()}, {"customer", e.about.GetCustomer()}, {"time", e.about.GetTime()},
	} {
		if named.field == "" {
			continue
		}
		field := e.message.Fields().ByName(protoreflect.Name(named.field))
		switch {
		case field == nil:
			fault("%s names the field %q, which is not there", named.option, named.field)
		case named.option == "time":
			if field.IsList() || field.Message() == nil || field.Message().FullName() != timestamp {
				fault("time names %q, which is not a google.protobuf.Timestamp", named.field)
			}
		case field.IsList() || field.Kind() != protoreflect.StringKind:
			fault("%s names %q, which is not a string", named.option, named.field)
		}
	}
	e.checkShows(fault)
	e.checkFacts(fault)
	e.checkContact(fault)
	return faults
}

// checkShows finds what a timeline could not show beside a title.
func (e event) checkShows(fault func(format string, args ...any)) {
	for i, name := range e.about.GetShows() {
		switch field := e.message.Fields().ByName(protoreflect.Name(name)); {
		case field == nil:
			fault("shows names the field %q, which is not there", name)
		case field.IsList() || field.Kind() != protoreflect.StringKind && field.Kind() != protoreflect.BoolKind && !countable(field):
			fault("shows names %q, which is not a string, an integer of at most 63 bits or a boolean", name)
		case slices.Contains(e.about.GetShows()[:i], name):
			fault("shows names %q twice", name)
		}
	}
}

// checkFacts finds changes of facts that could not be made.
func (e event) checkFacts(fault func(format string, args ...any)) {
	if len(e.about.GetFacts()) > 0 && e.about.GetCustomer() == "" {
		fault("changes facts, and names no customer whose they are")
	}
	for _, fact := range e.about.GetFacts() {
		if !code.MatchString(fact.GetName()) {
			fault("the fact's name %q is not a code like \"orders\"", fact.GetName())
		}
		if effect := fact.GetEffect(); effect == optionsv1.FactEffect_FACT_EFFECT_UNSPECIFIED || effect.Descriptor().Values().ByNumber(effect.Number()) == nil {
			fault("does not say what becomes of the fact %q", fact.GetName())
		}
		if len(fact.GetOneOf()) > 0 && fact.GetField() == "" {
			fault("the fact %q is counted by codes, and names no field that has them", fact.GetName())
		}
		if name := fact.GetField(); name != "" {
			switch field := e.message.Fields().ByName(protoreflect.Name(name)); {
			case field == nil:
				fault("the fact %q takes its value from %q, which is not there", fact.GetName(), name)
			case len(fact.GetOneOf()) > 0:
				if field.IsList() || field.Kind() != protoreflect.StringKind {
					fault("the fact %q is counted by the codes of %q, which is not a string", fact.GetName(), name)
				}
			case field.IsList() || !countable(field):
				fault("the fact %q takes its value from %q, which is not an integer of at most 63 bits", fact.GetName(), name)
			}
		}
		if name := fact.GetUnit(); name != "" {
			switch field := e.message.Fields().ByName(protoreflect.Name(name)); {
			case field == nil:
				fault("the fact %q takes its unit from %q, which is not there", fact.GetName(), name)
			case field.IsList() || field.Kind() != protoreflect.StringKind:
				fault("the fact %q takes its unit from %q, which is not a string", fact.GetName(), name)
			}
		}
	}
}

// checkContact finds a contact with nobody, and conditions that a reader of timelines could not judge.
func (e event) checkContact(fault func(format string, args ...any)) {
	if e.about.GetContact() && e.about.GetCustomer() == "" {
		fault("is a contact, and names no customer")
	}
	condition := e.about.GetContactIf()
	if condition == nil {
		return
	}
	if !e.about.GetContact() {
		fault("says when it is a contact, and is none")
	}
	if len(condition.GetOneOf()) == 0 {
		fault("says when it is a contact, and names no codes")
	}
	for _, one := range condition.GetOneOf() {
		if !code.MatchString(one) {
			fault("is a contact with %q, which is not a code", one)
		}
	}
	switch field := e.message.Fields().ByName(protoreflect.Name(condition.GetField())); {
	case field == nil:
		fault("is a contact by %q, which is not there", condition.GetField())
	case field.IsList() || field.Kind() != protoreflect.StringKind:
		fault("is a contact by the codes of %q, which is not a string", condition.GetField())
	case !slices.Contains(e.about.GetShows(), condition.GetField()):
		fault("is a contact by %q, which it does not show", condition.GetField())
	}
}

// countable tells whether every value of the field is an int64.
func countable(field protoreflect.FieldDescriptor) bool {
	switch field.Kind() {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind, protoreflect.Uint32Kind, protoreflect.Fixed32Kind,
		protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return true
	default:
		return false
	}
}

// usedByAnother tells whether a field of some other message has the message's type.
func usedByAnother(files *protoregistry.Files, message protoreflect.MessageDescriptor) bool {
	used := false
	files.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		for i := range file.Messages().Len() {
			other := file.Messages().Get(i)
			for j := range other.Fields().Len() {
				part := other.Fields().Get(j).Message()
				if part != nil && part.FullName() == message.FullName() && other.FullName() != message.FullName() {
					used = true
				}
			}
		}
		return !used
	})
	return used
}

// sameTitles finds titles that two events of a topic share: a timeline could not tell them apart.
func sameTitles(events []event) []error {
	var faults []error
	first := map[string]string{}
	for _, e := range events {
		key := e.topic + " " + e.about.GetTitle()
		if other, taken := first[key]; taken {
			faults = append(faults, fmt.Errorf("%s has the title %q of %s", e.name(), e.about.GetTitle(), other))
			continue
		}
		first[key] = e.name()
	}
	return faults
}

// setAndAdded finds facts that some events set and others add to: what is added after the setting would depend on which
// aggregate it came from, and a reader keeps no such thing.
func setAndAdded(events []event) []error {
	var faults []error
	setter, adder := map[string]string{}, map[string]string{}
	for _, e := range events {
		for _, fact := range e.about.GetFacts() {
			if fact.GetEffect() == optionsv1.FactEffect_FACT_EFFECT_SET {
				setter[fact.GetName()] = e.name()
			} else {
				adder[fact.GetName()] = e.name()
			}
		}
	}
	for name, sets := range setter {
		if adds, both := adder[name]; both {
			faults = append(faults, fmt.Errorf("%s sets the fact %q, to which %s adds", sets, name, adds))
		}
	}
	return faults
}

// comment is the leading comment of a descriptor as running text: lines joined, paragraphs apart.
func comment(d protoreflect.Descriptor) string {
	location := d.ParentFile().SourceLocations().ByDescriptor(d)
	var paragraphs []string
	for paragraph := range strings.SplitSeq(strings.TrimSpace(location.LeadingComments), "\n\n") {
		paragraphs = append(paragraphs, strings.Join(strings.Fields(paragraph), " "))
	}
	return strings.Join(paragraphs, "\n\n")
}
