package main

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// schemaFile is the name of an event's schema within the folder of schemas.
func schemaFile(e event) string { return e.name() + ".json" }

// schemaID names an event's schema, as ce_dataschema does in platform/pg/outbox. It names and does not lead anywhere,
// as the schema may be kept in a registry, in a repository or on a disk.
func schemaID(e event) string { return "urn:guanxi:jsonschema:" + e.name() }

// schemaOf describes an event as ProtoJSON writes it: lowerCamelCase names, 64-bit integers as strings, enums as
// names, times as RFC 3339. Members that are not listed are allowed, since an event may gain fields.
func schemaOf(e event) (object, error) {
	parts := map[protoreflect.FullName]protoreflect.MessageDescriptor{}
	body, err := messageSchema(e.message, parts)
	if err != nil {
		return nil, err
	}
	schema := object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"$id", schemaID(e)},
		{"title", string(e.message.Name())},
	}
	schema = append(schema, body...)
	schema = append(schema, member{"$comment", "A member that has its default value is left out. Members that are not listed here may appear in later versions."})
	defs, err := definitions(parts)
	if err != nil {
		return nil, err
	}
	if len(defs) > 0 {
		schema = append(schema, member{"$defs", defs})
	}
	return schema, nil
}

// definitions describes the messages that the event is made of, and those that they are made of in turn.
func definitions(parts map[protoreflect.FullName]protoreflect.MessageDescriptor) (object, error) {
	bodies := map[protoreflect.FullName]object{}
	for len(bodies) < len(parts) {
		for name, message := range parts {
			if _, done := bodies[name]; done {
				continue
			}
			body, err := messageSchema(message, parts)
			if err != nil {
				return nil, err
			}
			bodies[name] = body
		}
	}
	var defs object
	for name, body := range bodies {
		defs = append(defs, member{string(name), body})
	}
	slices.SortFunc(defs, func(a, b member) int { return strings.Compare(a.key, b.key) })
	return defs, nil
}

// messageSchema describes a message and adds the messages that it uses to parts.
func messageSchema(message protoreflect.MessageDescriptor, parts map[protoreflect.FullName]protoreflect.MessageDescriptor) (object, error) {
	properties := object{}
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		value, err := fieldSchema(field, parts)
		if err != nil {
			return nil, err
		}
		if text := comment(field); text != "" {
			value = append(object{{"description", text}}, value...)
		}
		properties = append(properties, member{field.JSONName(), value})
	}
	body := object{}
	if text := comment(message); text != "" {
		body = append(body, member{"description", text})
	}
	return append(body, member{"type", "object"}, member{"properties", properties}), nil
}

func fieldSchema(field protoreflect.FieldDescriptor, parts map[protoreflect.FullName]protoreflect.MessageDescriptor) (object, error) {
	if field.IsMap() {
		return nil, fmt.Errorf("%s: eventdocs does not know how to describe a map; events carry lists", field.FullName())
	}
	value, zero, err := valueSchema(field, parts)
	if err != nil {
		return nil, err
	}
	switch {
	case field.IsList():
		return object{{"type", "array"}, {"items", value}, {"default", []any{}}}, nil
	case field.HasPresence():
		return value, nil // absent means not said, which is no value
	default:
		return append(value, member{"default", zero}), nil
	}
}

// valueSchema describes one value of a field, and the value that ProtoJSON leaves out.
func valueSchema(field protoreflect.FieldDescriptor, parts map[protoreflect.FullName]protoreflect.MessageDescriptor) (value object, zero any, err error) {
	switch field.Kind() {
	case protoreflect.BoolKind:
		return object{{"type", "boolean"}}, false, nil
	case protoreflect.StringKind:
		return object{{"type", "string"}}, "", nil
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return object{{"type", "integer"}, {"minimum", -1 << 31}, {"maximum", 1<<31 - 1}}, 0, nil
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return object{{"type", "string"}, {"format", "int64"}, {"pattern", "^-?[0-9]{1,19}$"}}, "0", nil
	case protoreflect.DoubleKind: // finite: an event never says NaN or Infinity, which ProtoJSON writes as strings
		return object{{"type", "number"}}, 0, nil
	case protoreflect.EnumKind:
		return enumSchema(field.Enum()), string(field.Enum().Values().Get(0).Name()), nil
	case protoreflect.MessageKind:
		switch name := field.Message().FullName(); {
		case name == "google.protobuf.Timestamp":
			return object{{"type", "string"}, {"format", "date-time"}}, nil, nil
		case strings.HasPrefix(string(name), "guanxi."):
			parts[name] = field.Message()
			return object{{"$ref", "#/$defs/" + string(name)}}, nil, nil
		}
	default: // refused below
	}
	return nil, nil, fmt.Errorf("%s: eventdocs does not know how to describe a %s; teach it in schema.go", field.FullName(), kind(field))
}

func enumSchema(enum protoreflect.EnumDescriptor) object {
	var names []any
	var meanings []string
	for i := range enum.Values().Len() {
		value := enum.Values().Get(i)
		names = append(names, string(value.Name()))
		meanings = append(meanings, fmt.Sprintf("%s: %s", value.Name(), comment(value)))
	}
	return object{{"type", "string"}, {"enum", names}, {"$comment", strings.Join(meanings, " ")}}
}

func kind(field protoreflect.FieldDescriptor) string {
	if field.Message() != nil {
		return string(field.Message().FullName())
	}
	return field.Kind().String()
}
