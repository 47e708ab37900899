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
	return faults
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

// comment is the leading comment of a descriptor as running text: lines joined, paragraphs apart.
func comment(d protoreflect.Descriptor) string {
	location := d.ParentFile().SourceLocations().ByDescriptor(d)
	var paragraphs []string
	for paragraph := range strings.SplitSeq(strings.TrimSpace(location.LeadingComments), "\n\n") {
		paragraphs = append(paragraphs, strings.Join(strings.Fields(paragraph), " "))
	}
	return strings.Join(paragraphs, "\n\n")
}
