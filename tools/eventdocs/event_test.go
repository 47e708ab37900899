package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	optionsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/options/v1"
)

// image is a set of descriptors with one file of events, which holds the given messages.
func image(t *testing.T, messages ...*descriptorpb.DescriptorProto) []byte {
	t.Helper()
	set := &descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{
		protodesc.ToFileDescriptorProto(timestamppb.File_google_protobuf_timestamp_proto),
		{
			Name:        proto.String("guanxi/shop/events/v1/shop.proto"),
			Package:     proto.String("guanxi.shop.events.v1"),
			Syntax:      proto.String("proto3"),
			Dependency:  []string{"google/protobuf/timestamp.proto"},
			MessageType: messages,
		},
	}}
	raw, err := proto.Marshal(set)
	require.NoError(t, err)
	return raw
}

// opened is an event with the fields shop_id, opened_at, open and doors.
func opened(name string, about *optionsv1.Event) *descriptorpb.DescriptorProto {
	field := func(number int32, name string, kind descriptorpb.FieldDescriptorProto_Type, of string) *descriptorpb.FieldDescriptorProto {
		f := &descriptorpb.FieldDescriptorProto{
			Name: proto.String(name), Number: proto.Int32(number), Type: kind.Enum(),
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		}
		if of != "" {
			f.TypeName = proto.String(of)
		}
		return f
	}
	message := &descriptorpb.DescriptorProto{
		Name: proto.String(name),
		Field: []*descriptorpb.FieldDescriptorProto{
			field(1, "shop_id", descriptorpb.FieldDescriptorProto_TYPE_STRING, ""),
			field(2, "opened_at", descriptorpb.FieldDescriptorProto_TYPE_MESSAGE, ".google.protobuf.Timestamp"),
			field(3, "open", descriptorpb.FieldDescriptorProto_TYPE_BOOL, ""),
			field(4, "doors", descriptorpb.FieldDescriptorProto_TYPE_SINT64, ""),
		},
	}
	if about != nil {
		message.Options = &descriptorpb.MessageOptions{}
		proto.SetExtension(message.Options, optionsv1.E_Event, about)
	}
	return message
}

func shopOpened() *optionsv1.Event {
	return &optionsv1.Event{Aggregate: "shop", AggregateId: "shop_id", Time: "opened_at", Title: "shop_opened"}
}

func read(t *testing.T, raw []byte) *protoregistry.Files {
	t.Helper()
	files, err := readImage(bytes.NewReader(raw))
	require.NoError(t, err)
	return files
}

func TestCollectRefusesContractsThatContradictThemselves(t *testing.T) {
	t.Parallel()
	about := func(change func(*optionsv1.Event)) *optionsv1.Event {
		e := shopOpened()
		change(e)
		return e
	}
	cases := map[string]struct {
		about *optionsv1.Event
		want  string
	}{
		"no option":             {nil, "ShopOpened is neither an event"},
		"no aggregate":          {about(func(e *optionsv1.Event) { e.Aggregate = "" }), `aggregate "" is not a code`},
		"a text for a title":    {about(func(e *optionsv1.Event) { e.Title = "Shop opened" }), `title "Shop opened" is not a code`},
		"no time":               {about(func(e *optionsv1.Event) { e.Time = "" }), "says nothing about its time"},
		"time not a timestamp":  {about(func(e *optionsv1.Event) { e.Time = "shop_id" }), `time names "shop_id", which is not a google.protobuf.Timestamp`},
		"time not there":        {about(func(e *optionsv1.Event) { e.Time = "closed_at" }), `time names the field "closed_at", which is not there`},
		"customer not there":    {about(func(e *optionsv1.Event) { e.Customer = "customer_id" }), `customer names the field "customer_id", which is not there`},
		"customer not a string": {about(func(e *optionsv1.Event) { e.Customer = "open" }), `customer names "open", which is not a string`},
		"id by its JSON name":   {about(func(e *optionsv1.Event) { e.AggregateId = "shopId" }), `aggregate_id names the field "shopId", which is not there`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := collect(read(t, image(t, opened("ShopOpened", c.about))))
			require.ErrorContains(t, err, c.want)
		})
	}
}

// visited is an event of a customer's with fields of more kinds: customer_id, signs (a list), visitors (unsigned) and
// counted.
func visited(name string, change func(*optionsv1.Event)) *descriptorpb.DescriptorProto {
	about := shopOpened()
	about.Title, about.Customer = "shop_visited", "customer_id"
	change(about)
	message := opened(name, about)
	for i, f := range []struct {
		name  string
		kind  descriptorpb.FieldDescriptorProto_Type
		label descriptorpb.FieldDescriptorProto_Label
	}{
		{"customer_id", descriptorpb.FieldDescriptorProto_TYPE_STRING, descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL},
		{"signs", descriptorpb.FieldDescriptorProto_TYPE_STRING, descriptorpb.FieldDescriptorProto_LABEL_REPEATED},
		{"visitors", descriptorpb.FieldDescriptorProto_TYPE_UINT64, descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL},
		{"counted", descriptorpb.FieldDescriptorProto_TYPE_INT32, descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL},
	} {
		message.Field = append(message.Field, &descriptorpb.FieldDescriptorProto{
			Name: proto.String(f.name), Number: proto.Int32(int32(10 + i)), Type: f.kind.Enum(), Label: f.label.Enum(),
		})
	}
	return message
}

func TestCollectRefusesWhatATimelineCouldNotShowOrCount(t *testing.T) {
	t.Parallel()
	const add, set = optionsv1.FactEffect_FACT_EFFECT_ADD, optionsv1.FactEffect_FACT_EFFECT_SET
	shows := func(names ...string) func(*optionsv1.Event) {
		return func(e *optionsv1.Event) { e.Shows = names }
	}
	fact := func(name, field, unit string, effect optionsv1.FactEffect) func(*optionsv1.Event) {
		return func(e *optionsv1.Event) {
			e.Facts = []*optionsv1.Fact{{Name: name, Field: field, Unit: unit, Effect: effect}}
		}
	}
	contactIf := func(contact bool, shown, field string, codes ...string) func(*optionsv1.Event) {
		return func(e *optionsv1.Event) {
			e.Contact, e.Shows, e.ContactIf = contact, []string{shown}, &optionsv1.ContactCondition{Field: field, OneOf: codes}
		}
	}
	cases := map[string]struct {
		change func(*optionsv1.Event)
		want   string // empty: nothing is wrong
	}{
		"all that can be shown":     {shows("shop_id", "open", "doors", "counted"), ""},
		"shown but not there":       {shows("windows"), `shows names the field "windows", which is not there`},
		"a list is shown":           {shows("signs"), `shows names "signs", which is not a string`},
		"a time is shown":           {shows("opened_at"), `shows names "opened_at", which is not a string`},
		"64 bits without a sign":    {shows("visitors"), `shows names "visitors", which is not a string`},
		"shown twice":               {shows("doors", "doors"), `shows names "doors" twice`},
		"one more":                  {fact("visits", "", "", add), ""},
		"so many of a unit":         {fact("doors", "doors", "shop_id", set), ""},
		"a text for a fact's name":  {fact("Visits", "", "", add), `the fact's name "Visits" is not a code`},
		"a fact without an effect":  {fact("visits", "", "", 0), `does not say what becomes of the fact "visits"`},
		"an effect that is none":    {fact("visits", "", "", 99), `does not say what becomes of the fact "visits"`},
		"a value that is not there": {fact("visits", "windows", "", add), `the fact "visits" takes its value from "windows", which is not there`},
		"a text for a value":        {fact("visits", "shop_id", "", add), `the fact "visits" takes its value from "shop_id", which is not an integer`},
		"a value beyond an int64":   {fact("visits", "visitors", "", add), `the fact "visits" takes its value from "visitors", which is not an integer`},
		"a unit that is not there":  {fact("visits", "", "currency", add), `the fact "visits" takes its unit from "currency", which is not there`},
		"a number for a unit":       {fact("visits", "", "doors", add), `the fact "visits" takes its unit from "doors", which is not a string`},
		"one for some codes": {func(e *optionsv1.Event) {
			e.Facts = []*optionsv1.Fact{{Name: "visits", Field: "shop_id", OneOf: []string{"7"}, Effect: set}}
		}, ""},
		"codes of a number": {func(e *optionsv1.Event) {
			e.Facts = []*optionsv1.Fact{{Name: "visits", Field: "doors", OneOf: []string{"7"}, Effect: set}}
		}, `the fact "visits" is counted by the codes of "doors", which is not a string`},
		"codes of nothing": {func(e *optionsv1.Event) {
			e.Facts = []*optionsv1.Fact{{Name: "visits", OneOf: []string{"7"}, Effect: set}}
		}, `the fact "visits" is counted by codes, and names no field`},
		"a contact with nobody":             {func(e *optionsv1.Event) { e.Contact, e.Customer = true, "" }, "is a contact, and names no customer"},
		"a contact for some codes":          {contactIf(true, "shop_id", "shop_id", "call", "visit"), ""},
		"a condition of what is no contact": {contactIf(false, "shop_id", "shop_id", "call"), "says when it is a contact, and is none"},
		"a contact with no code":            {contactIf(true, "shop_id", "shop_id"), "says when it is a contact, and names no codes"},
		"a contact with a text":             {contactIf(true, "shop_id", "shop_id", "A call"), `is a contact with "A call", which is not a code`},
		"a contact by what is not there":    {contactIf(true, "shop_id", "windows", "call"), `is a contact by "windows", which is not there`},
		"a contact by a number":             {contactIf(true, "doors", "doors", "call"), `is a contact by the codes of "doors", which is not a string`},
		"a contact by what is not shown":    {contactIf(true, "doors", "shop_id", "call"), `is a contact by "shop_id", which it does not show`},
		"nobody's fact": {func(e *optionsv1.Event) {
			fact("visits", "", "", add)(e)
			e.Customer = ""
		}, "changes facts, and names no customer"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := collect(read(t, image(t, visited("ShopVisited", c.change))))
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestCollectRefusesAFactThatIsBothSetAndAddedTo(t *testing.T) {
	t.Parallel()
	event := func(name, title string, effect optionsv1.FactEffect) *descriptorpb.DescriptorProto {
		return visited(name, func(e *optionsv1.Event) {
			e.Title, e.Facts = title, []*optionsv1.Fact{{Name: "visits", Effect: effect}}
		})
	}
	_, err := collect(read(t, image(t, event("ShopVisited", "visited", optionsv1.FactEffect_FACT_EFFECT_SUBTRACT),
		event("ShopCounted", "counted", optionsv1.FactEffect_FACT_EFFECT_SET))))
	require.ErrorContains(t, err, `guanxi.shop.events.v1.ShopCounted sets the fact "visits", to which guanxi.shop.events.v1.ShopVisited adds`)
}

func TestCollectRefusesTwoEventsOfOneTitle(t *testing.T) {
	t.Parallel()
	_, err := collect(read(t, image(t, opened("ShopOpened", shopOpened()), opened("DoorOpened", shopOpened()))))
	require.ErrorContains(t, err, `guanxi.shop.events.v1.ShopOpened has the title "shop_opened" of guanxi.shop.events.v1.DoorOpened`)
}

func TestRunWritesWhatTheContractsSayAndRemovesWhatTheyNoLongerSay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(path, text string) {
		path = filepath.Join(dir, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	write("examples/guanxi.shop.events.v1.ShopOpened.json", `{"shopId": "7", "openedAt": "2026-11-22T10:00:00Z", "doors": "2"}`)
	write("jsonschema/guanxi.shop.events.v1.ShopClosed.json", `{}`)
	raw := image(t, opened("ShopOpened", shopOpened()))
	require.NoError(t, run(bytes.NewReader(raw), dir))

	schema, err := os.ReadFile(filepath.Join(dir, "jsonschema/guanxi.shop.events.v1.ShopOpened.json"))
	require.NoError(t, err)
	require.JSONEq(t, `{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"$id": "urn:guanxi:jsonschema:guanxi.shop.events.v1.ShopOpened",
		"title": "ShopOpened",
		"type": "object",
		"properties": {
			"shopId": {"type": "string", "default": ""},
			"openedAt": {"type": "string", "format": "date-time"},
			"open": {"type": "boolean", "default": false},
			"doors": {"type": "string", "format": "int64", "pattern": "^-?[0-9]{1,19}$", "default": "0"}
		},
		"$comment": "A member that has its default value is left out. Members that are not listed here may appear in later versions."
	}`, string(schema))
	require.NoFileExists(t, filepath.Join(dir, "jsonschema/guanxi.shop.events.v1.ShopClosed.json"))

	first, err := os.ReadFile(filepath.Join(dir, "asyncapi/guanxi.yaml"))
	require.NoError(t, err)
	require.NoError(t, run(bytes.NewReader(raw), dir))
	second, err := os.ReadFile(filepath.Join(dir, "asyncapi/guanxi.yaml"))
	require.NoError(t, err)
	require.Equal(t, string(first), string(second), "the same contracts give the same document")
}

func TestRunRefusesExamplesThatNeverTravel(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ file, text, want string }{
		"no example":             {"README.md", ``, "guanxi.shop.events.v1.ShopOpened has no example"},
		"a field that is not":    {"guanxi.shop.events.v1.ShopOpened.json", `{"openedAt": "2026-11-22T10:00:00Z", "shop": 1}`, `unknown field "shop"`},
		"no time":                {"guanxi.shop.events.v1.ShopOpened.json", `{"shopId": "7"}`, "opened_at, the event's time, is not set"},
		"a proto name":           {"guanxi.shop.events.v1.ShopOpened.json", `{"opened_at": "2026-11-22T10:00:00Z"}`, "is not what travels"},
		"a value that is unsaid": {"guanxi.shop.events.v1.ShopOpened.json", `{"openedAt": "2026-11-22T10:00:00Z", "open": false}`, "is not what travels"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			require.NoError(t, os.Mkdir(filepath.Join(dir, "examples"), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "examples", c.file), []byte(c.text), 0o600))
			require.ErrorContains(t, run(bytes.NewReader(image(t, opened("ShopOpened", shopOpened()))), dir), c.want)
		})
	}
}

func TestRunRefusesTheExampleOfNoEvent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "examples"), 0o755))
	for _, name := range []string{"ShopOpened", "ShopClosed"} {
		path := filepath.Join(dir, "examples", "guanxi.shop.events.v1."+name+".json")
		require.NoError(t, os.WriteFile(path, []byte(`{"openedAt": "2026-11-22T10:00:00Z"}`), 0o600))
	}
	err := run(bytes.NewReader(image(t, opened("ShopOpened", shopOpened()))), dir)
	require.ErrorContains(t, err, "guanxi.shop.events.v1.ShopClosed.json is the example of no event")
}

func TestReadImageSaysWhatItNeeds(t *testing.T) {
	t.Parallel()
	_, err := readImage(bytes.NewReader(nil))
	require.ErrorContains(t, err, "pipe `buf build")
	_, err = readImage(bytes.NewReader([]byte("no image")))
	require.ErrorContains(t, err, "not a file descriptor set")
}
