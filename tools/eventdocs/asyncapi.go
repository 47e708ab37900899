package main

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/guanxi-crm/guanxi/platform/bus"
)

const asyncAPIIntro = `What the services of Guanxi tell the world, as events on Kafka.

Each service has one topic. A record is a CloudEvent 1.0 in Kafka's binary mode: the attributes are headers that begin
with ce_, the value is the event as ProtoJSON, the key is the id of the aggregate on whose stream the event stands.

Order holds within an aggregate, not across aggregates: an order may be heard of before its customer. Delivery is at
least once; ce_id names an event, and ce_sequence counts within a stream (tenant, topic, aggregate type, aggregate),
so whoever keeps the last number of each stream sees repeats and gaps.

Events carry no personal data: ids, codes, amounts and times.

Within a version of a topic an event may gain fields and a topic may gain events; readers ignore what they do not
know. Whatever would break a reader comes as a new topic.`

const deadLettersIntro = `Copies of records of %s that a consumer of Guanxi could not apply, or that are not
events at all, for whoever wrote them. Key, value and headers stand as they were; guanxi_dead_consumer says who could
not apply the record, guanxi_dead_code why, guanxi_dead_topic, guanxi_dead_partition and guanxi_dead_offset where it
stands. The consumer keeps the record itself, so nothing has to be done about a copy.`

// writeAsyncAPI writes the AsyncAPI 3.0 document.
func writeAsyncAPI(path string, events []event, examples map[string]example) error {
	messages, err := messagesOf(events, examples)
	if err != nil {
		return err
	}
	document := object{
		{"asyncapi", "3.0.0"},
		{"id", "urn:guanxi:events"},
		{"info", object{
			{"title", "Guanxi events"},
			{"version", "1"},
			{"description", asyncAPIIntro},
			{"license", object{{"name", "Apache-2.0"}, {"url", "https://www.apache.org/licenses/LICENSE-2.0"}}},
		}},
		{"defaultContentType", "application/json"},
		{"channels", channelsOf(events)},
		{"operations", operationsOf(events)},
		{"components", object{
			{"messages", messages},
			{"schemas", object{{"headers", headersSchema()}}},
		}},
	}
	var out bytes.Buffer
	out.WriteString("# Written by tools/eventdocs from the contracts; `make generate` writes it anew.\n")
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(document); err != nil {
		return err
	}
	if err := enc.Close(); err != nil {
		return err
	}
	return writeFile(path, out.Bytes())
}

// topicsOf lists the topics in the order of the events, each once.
func topicsOf(events []event) (topics []string, on map[string][]event) {
	on = map[string][]event{}
	for _, e := range events {
		if len(on[e.topic]) == 0 {
			topics = append(topics, e.topic)
		}
		on[e.topic] = append(on[e.topic], e)
	}
	return topics, on
}

func channelsOf(events []event) object {
	var channels object
	topics, on := topicsOf(events)
	for _, topic := range topics {
		var messages object
		for _, e := range on[topic] {
			messages = append(messages, member{string(e.message.Name()), ref("#/components/messages/" + e.name())})
		}
		about := "What the service " + on[topic][0].service + " tells."
		channels = append(channels, channelOf(topic, about, messages))
		dead := bus.DeadLetters(topic)
		channels = append(channels, channelOf(dead, fmt.Sprintf(deadLettersIntro, topic), messages))
	}
	return channels
}

// channelOf describes one topic: as the platform makes them, with everything kept.
func channelOf(topic, about string, messages object) member {
	return member{topic, object{
		{"address", topic},
		{"description", about},
		{"messages", messages},
		{"bindings", object{{"kafka", object{
			{"topic", topic},
			{"partitions", bus.Partitions},
			{"topicConfiguration", object{{"cleanup.policy", []any{"delete"}}, {"retention.ms", -1}}},
			{"bindingVersion", "0.5.0"},
		}}}},
	}}
}

// operationsOf says what Guanxi does on its topics: in AsyncAPI the operations are the application's own, so a
// reader's counterpart to send is to receive.
func operationsOf(events []event) object {
	var operations object
	topics, on := topicsOf(events)
	for _, topic := range topics {
		operations = append(operations,
			operationOf(topic, "The service "+on[topic][0].service+" publishes what has happened, after it was committed."),
			operationOf(bus.DeadLetters(topic), "A consumer that sets a record aside publishes a copy."))
	}
	return operations
}

func operationOf(topic, summary string) member {
	return member{"send." + topic, object{
		{"action", "send"},
		{"summary", summary},
		{"channel", ref("#/channels/" + topic)},
	}}
}

func messagesOf(events []event, examples map[string]example) (object, error) {
	var messages object
	for _, e := range events {
		x, err := exampleOf(e, examples[e.name()])
		if err != nil {
			return nil, err
		}
		messages = append(messages, member{e.name(), object{
			{"name", e.name()},
			{"title", string(e.message.Name())},
			{"summary", comment(e.message)},
			{"contentType", "application/json"},
			{"tags", []any{object{{"name", e.service}}, object{{"name", e.about.GetAggregate()}}}},
			{"headers", headersOf(e)},
			{"payload", object{
				{"schemaFormat", "application/schema+json;version=draft-2020-12"},
				{"schema", ref("../jsonschema/" + schemaFile(e))},
			}},
			{"bindings", object{{"kafka", object{{"key", keyOf(e)}, {"bindingVersion", "0.5.0"}}}}},
			{"examples", []any{x}},
		}})
	}
	return messages, nil
}

func keyOf(e event) object {
	text := "The id of the " + e.about.GetAggregate()
	if field := e.message.Fields().ByName(protoreflect.Name(e.about.GetAggregateId())); field != nil {
		text += ", which is " + field.JSONName() + " of the value"
	}
	return object{{"type", "string"}, {"description", text + "."}}
}

func ref(to string) object { return object{{"$ref", to}} }

// headersOf narrows the headers that all events share to those of one event.
func headersOf(e event) object {
	return object{{"allOf", []any{
		ref("#/components/schemas/headers"),
		object{{"type", "object"}, {"properties", object{
			{"ce_type", object{{"const", e.name()}}},
			{"ce_dataschema", object{{"const", schemaID(e)}}},
			{"ce_source", object{{"pattern", "^/guanxi/" + e.service + `\?epoch=[1-9][0-9]*$`}}},
			{"ce_subject", object{{"pattern", "^" + e.about.GetAggregate() + "/.+$"}}},
		}}},
	}}}
}

func headersSchema() object {
	type header struct {
		name, description string
		more              object
	}
	headers := []header{
		{"content-type", "How the value is written: ProtoJSON.", object{{"const", "application/json"}}},
		{"ce_specversion", "The version of CloudEvents.", object{{"const", "1.0"}}},
		{"ce_id", "The event's id, a UUIDv7. The same id is the same event.", object{{"format", "uuid"}}},
		{"ce_type", "The full name of the event's message.", nil},
		{"ce_source", "The service, and its epoch. The epoch is raised after a restore from a backup, when numbers may be used a second time.", nil},
		{"ce_subject", "The type and the id of the aggregate on whose stream the event stands.", nil},
		{"ce_time", "When the service recorded the event, RFC 3339 in UTC.", object{{"format", "date-time"}}},
		{"ce_dataschema", "Names the JSON Schema of the value: its $id.", nil},
		{"ce_partitionkey", "The record's key.", nil},
		{"ce_tenant", "The tenant whose event it is.", object{{"pattern", "^[a-z0-9][a-z0-9-]{0,62}$"}}},
		{"ce_sequence", "The event's number on its stream, from 1, without gaps.", object{{"pattern", "^[1-9][0-9]*$"}}},
		{"traceparent", "W3C trace context of the command that caused the event.", nil},
		{"tracestate", "W3C trace state that goes with traceparent.", nil},
	}
	optional := map[string]bool{"traceparent": true, "tracestate": true}
	properties, required := object{}, []any{}
	for _, h := range headers {
		properties = append(properties, member{h.name, append(object{{"type", "string"}, {"description", h.description}}, h.more...)})
		if !optional[h.name] {
			required = append(required, h.name)
		}
	}
	return object{{"type", "object"}, {"required", required}, {"properties", properties}}
}

// exampleOf is an event as kcat would show it: headers and value.
func exampleOf(e event, x example) (object, error) {
	var payload yaml.Node
	if err := yaml.Unmarshal(x.raw, &payload); err != nil { // JSON is YAML, and this way it keeps its order
		return nil, err
	}
	blockStyle(&payload)
	id := x.field(e.about.GetAggregateId())
	if id == "" {
		id = "019aaa5c-3a10-7e55-b7d0-0242ac120002"
	}
	return object{
		{"name", e.about.GetTitle()},
		{"headers", object{
			{"content-type", "application/json"},
			{"ce_specversion", "1.0"},
			{"ce_id", "019aaa5d-7c11-7b02-93e4-0242ac120002"},
			{"ce_type", e.name()},
			{"ce_source", "/guanxi/" + e.service + "?epoch=1"},
			{"ce_subject", e.about.GetAggregate() + "/" + id},
			{"ce_time", "2026-11-25T15:00:02.5Z"},
			{"ce_dataschema", schemaID(e)},
			{"ce_partitionkey", id},
			{"ce_tenant", "music"},
			{"ce_sequence", "1"},
			{"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
		}},
		{"payload", payload.Content[0]},
	}, nil
}

// blockStyle takes JSON's braces and quotes off, where YAML does not need them.
func blockStyle(node *yaml.Node) {
	node.Style = 0
	for _, child := range node.Content {
		blockStyle(child)
	}
}
