// Command eventdocs writes what integrators read about our events, from the contracts alone: a JSON Schema
// (draft 2020-12) for every event and an AsyncAPI 3.0 document that says on which topic it travels and how.
//
//	buf build proto --as-file-descriptor-set -o - | go run ./tools/eventdocs -proto proto
//
// It reads the descriptors, with their comments, from standard input and one example an event from
// <proto>/examples; it writes <proto>/jsonschema/*.json and <proto>/asyncapi/guanxi.yaml. It refuses contracts that
// contradict themselves, an event without an example and an example that is not what its event says.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

func main() {
	dir := flag.String("proto", "proto", "folder of the contracts")
	flag.Parse()
	if err := run(os.Stdin, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "eventdocs:", err)
		os.Exit(1)
	}
}

func run(image io.Reader, dir string) error {
	files, err := readImage(image)
	if err != nil {
		return err
	}
	events, err := collect(files)
	if err != nil {
		return err
	}
	examples, err := readExamples(filepath.Join(dir, "examples"), events)
	if err != nil {
		return err
	}
	if err := writeSchemas(filepath.Join(dir, "jsonschema"), events); err != nil {
		return err
	}
	return writeAsyncAPI(filepath.Join(dir, "asyncapi", "guanxi.yaml"), events, examples)
}

// readImage reads a FileDescriptorSet. Options are understood because the generated Go code of our own options is
// linked into this program.
func readImage(image io.Reader) (*protoregistry.Files, error) {
	raw, err := io.ReadAll(image)
	if err != nil {
		return nil, err
	}
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(raw, &set); err != nil {
		return nil, fmt.Errorf("standard input is not a file descriptor set: %w", err)
	}
	if len(set.GetFile()) == 0 {
		return nil, errors.New("standard input holds no descriptors; pipe `buf build --as-file-descriptor-set -o -` into it")
	}
	return protodesc.NewFiles(&set)
}

// writeSchemas replaces the folder's schemas, so that the schema of an event that is gone goes as well.
func writeSchemas(dir string, events []event) error {
	old, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	for _, e := range events {
		schema, err := schemaOf(e)
		if err != nil {
			return err
		}
		text, err := schema.indented()
		if err != nil {
			return err
		}
		if err := writeFile(filepath.Join(dir, schemaFile(e)), text); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}
