package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/guanxi-crm/guanxi/platform/bus"

	// The contracts under test, all of which register themselves when they are linked.
	_ "github.com/guanxi-crm/guanxi/proto/events"
)

const contracts = "../../proto"

// committedEvents are the events of the generated Go code, with the examples that stand beside the contracts.
func committedEvents(t *testing.T) ([]event, map[string]example) {
	t.Helper()
	events, err := collect(protoregistry.GlobalFiles)
	require.NoError(t, err)
	require.NotEmpty(t, events)
	examples, err := readExamples(filepath.Join(contracts, "examples"), events)
	require.NoError(t, err)
	return events, examples
}

// compile reads an event's schema as an integrator would: from its file, without a network.
func compile(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	schema, err := compiler.Compile(filepath.Join(contracts, "jsonschema", name+".json"))
	require.NoError(t, err)
	return schema
}

func TestEveryEventSaysWhatIsTrueOfItself(t *testing.T) {
	t.Parallel()
	_, err := collect(protoregistry.GlobalFiles)
	require.NoError(t, err)
}

func TestEveryProtoFileOfEventsIsUnderTest(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(contracts, "guanxi/*/events/v*/*.proto"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		path, err := filepath.Rel(contracts, file)
		require.NoError(t, err)
		_, err = protoregistry.GlobalFiles.FindFileByPath(filepath.ToSlash(path))
		require.NoError(t, err, "import the generated package of %s in proto/events", path)
	}
}

func TestExamplesFitTheirSchema(t *testing.T) {
	t.Parallel()
	events, examples := committedEvents(t)
	for _, e := range events {
		t.Run(e.name(), func(t *testing.T) {
			t.Parallel()
			value, err := jsonschema.UnmarshalJSON(bytes.NewReader(examples[e.name()].raw))
			require.NoError(t, err)
			require.NoError(t, compile(t, e.name()).Validate(value))
		})
	}
}

func TestSchemaRefusesWhatDoesNotTravel(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ event, value, reason string }{
		"an amount as a number": {
			"guanxi.sales.events.v1.OrderPlaced", `{"totalMinor": 7700}`, "/totalMinor",
		},
		"an amount that is no number": {
			"guanxi.sales.events.v1.OrderPlaced", `{"totalMinor": "77.00"}`, "/totalMinor",
		},
		"a fault inside a line": {
			"guanxi.sales.events.v1.OrderPlaced", `{"lines": [{"lineNo": 1}, {"lineNo": "2"}]}`, "/lines/1/lineNo",
		},
		"a line number beyond 32 bits": {
			"guanxi.sales.events.v1.OrderPlaced", `{"lines": [{"lineNo": 2147483648}]}`, "/lines/0/lineNo",
		},
		"a time without a zone": {
			"guanxi.sales.events.v1.OrderPlaced", `{"placedAt": "1997-01-12T00:00:00"}`, "/placedAt",
		},
		"an enum as a number": {
			"guanxi.accounts.events.v1.CustomerRegistered", `{"kind": 1}`, "/kind",
		},
		"an enum's short name": {
			"guanxi.accounts.events.v1.CustomerRegistered", `{"kind": "PERSON"}`, "/kind",
		},
		"a list as one value": {
			"guanxi.accounts.events.v1.CustomerChanged", `{"changedFields": "language"}`, "/changedFields",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			value, err := jsonschema.UnmarshalJSON(strings.NewReader(c.value))
			require.NoError(t, err)
			require.ErrorContains(t, compile(t, c.event).Validate(value), "'"+c.reason+"'")
		})
	}
}

func TestSchemaLetsEventsGrow(t *testing.T) {
	t.Parallel()
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(`{"orderId": "1", "fieldOfALaterVersion": true}`))
	require.NoError(t, err)
	require.NoError(t, compile(t, "guanxi.sales.events.v1.OrderPlaced").Validate(value))
}

func TestAsyncAPIDocumentHoldsTogether(t *testing.T) {
	t.Parallel()
	document := asyncAPI(t)
	for _, target := range references(document) {
		if local, ok := strings.CutPrefix(target, "#/"); ok {
			require.NotNil(t, at(document, strings.Split(local, "/")...), "%s leads nowhere", target)
			continue
		}
		require.FileExists(t, filepath.Join(contracts, "asyncapi", target))
	}
	events, _ := committedEvents(t)
	for _, e := range events {
		require.NotNil(t, at(document, "channels", e.topic, "messages", string(e.message.Name())), e.name())
	}
}

func TestHeadersFitTheirSchema(t *testing.T) {
	t.Parallel()
	document := asyncAPI(t)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	require.NoError(t, compiler.AddResource("urn:asyncapi", throughJSON(t, document)))

	events, _ := committedEvents(t)
	for _, e := range events {
		schema, err := compiler.Compile("urn:asyncapi#/components/messages/" + e.name() + "/headers")
		require.NoError(t, err)
		examples, ok := at(document, "components", "messages", e.name(), "examples").([]any)
		require.True(t, ok)
		require.Len(t, examples, 1)
		require.NoError(t, schema.Validate(throughJSON(t, at(examples[0], "headers"))), "the example of %s", e.name())

		headers := encoded(e)
		require.NoError(t, schema.Validate(headers), "what the platform writes for %s", e.name())
		delete(headers, "ce_sequence")
		require.ErrorContains(t, schema.Validate(headers), "ce_sequence", "a header that is always there may not be missing")
	}
}

// encoded is the headers that the platform gives to an event.
func encoded(e event) map[string]any {
	id := uuid.Must(uuid.NewV7())
	message := bus.Encode(bus.Event{
		ID: id, Type: e.name(), Source: "/guanxi/" + e.service, Tenant: "music", Epoch: 2, Sequence: 10,
		AggregateType: e.about.GetAggregate(), AggregateID: id.String(), Schema: schemaID(e), Topic: e.topic,
		Time: time.Date(2026, 11, 22, 10, 0, 0, 5_000_000, time.UTC),
	})
	headers := map[string]any{}
	for _, h := range message.Headers {
		headers[h.Key] = string(h.Value)
	}
	return headers
}

func asyncAPI(t *testing.T) any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(contracts, "asyncapi", "guanxi.yaml"))
	require.NoError(t, err)
	var document any
	require.NoError(t, yaml.Unmarshal(raw, &document))
	return document
}

// references lists what every $ref in a document points to.
func references(node any) []string {
	var found []string
	switch node := node.(type) {
	case map[string]any:
		for key, value := range node {
			if target, ok := value.(string); ok && key == "$ref" {
				found = append(found, target)
			}
			found = append(found, references(value)...)
		}
	case []any:
		for _, value := range node {
			found = append(found, references(value)...)
		}
	}
	return found
}

// at walks down objects; nil when the path leads nowhere.
func at(node any, path ...string) any {
	for _, key := range path {
		object, ok := node.(map[string]any)
		if !ok {
			return nil
		}
		node = object[key]
	}
	return node
}

func throughJSON(t *testing.T, value any) any {
	t.Helper()
	raw, err := json.Marshal(value)
	require.NoError(t, err)
	decoded, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	require.NoError(t, err)
	return decoded
}
