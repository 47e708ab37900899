package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// example is one event as it may be seen on a topic.
type example struct {
	raw     []byte // ProtoJSON, in the order in which a person wrote it
	message protoreflect.Message
}

// field is the example's value of a string field; "" when the field is not set or has no name.
func (x example) field(name string) string {
	if name == "" {
		return ""
	}
	return x.message.Get(x.message.Descriptor().Fields().ByName(protoreflect.Name(name))).String()
}

// readExamples reads <dir>/<event>.json for every event. Every file must be exactly what ProtoJSON writes for that
// event, apart from order and white space, and there must be none that belongs to no event.
func readExamples(dir string, events []event) (map[string]example, error) {
	examples := map[string]example{}
	var faults []error
	for _, e := range events {
		path := filepath.Join(dir, e.name()+".json")
		raw, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			faults = append(faults, fmt.Errorf("%s has no example; write one into %s", e.name(), path))
			continue
		}
		if err != nil {
			return nil, err
		}
		x, err := parseExample(e, raw)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", path, err))
			continue
		}
		examples[e.name()] = x
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		if _, known := examples[strings.TrimSuffix(file.Name(), ".json")]; !known && len(faults) == 0 {
			faults = append(faults, fmt.Errorf("%s is the example of no event", filepath.Join(dir, file.Name())))
		}
	}
	return examples, errors.Join(faults...)
}

func parseExample(e event, raw []byte) (example, error) {
	message := dynamicpb.NewMessage(e.message)
	if err := protojson.Unmarshal(raw, message); err != nil {
		return example{}, err
	}
	if !message.Has(e.message.Fields().ByName(protoreflect.Name(e.about.GetTime()))) {
		return example{}, fmt.Errorf("%s, the event's time, is not set", e.about.GetTime())
	}
	canonical, err := protojson.Marshal(message)
	if err != nil {
		return example{}, err
	}
	same, err := sameJSON(raw, canonical)
	if err != nil {
		return example{}, err
	}
	if !same {
		return example{}, fmt.Errorf("is not what travels, which is %s", compact(canonical))
	}
	return example{raw: raw, message: message}, nil
}

func sameJSON(a, b []byte) (bool, error) {
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		return false, err
	}
	if err := json.Unmarshal(b, &y); err != nil {
		return false, err
	}
	return reflect.DeepEqual(x, y), nil
}

// compact takes out the white space that protojson puts in at random.
func compact(raw []byte) []byte {
	var out bytes.Buffer
	if err := json.Compact(&out, raw); err != nil {
		return raw
	}
	return out.Bytes()
}
