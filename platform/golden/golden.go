// Package golden compares what a test made with a committed file, as JSON values: the order of keys, white space and
// the way a number is written do not matter.
//
//	golden.JSON(t, "testdata/order_placed.json", event)
//
// A string "<any>" in the file stands for whatever is there, for ids and times that differ from run to run; it still
// demands that something is there. Run the tests with -update to write the files anew; "<any>" stays where it was.
package golden

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Any is the string that matches every value.
const Any = "<any>"

var update = flag.Bool("update", false, "write golden files anew instead of comparing with them")

// JSON fails the test when got is not the value that the file at path holds, naming each place that differs.
// got is JSON as []byte, a proto.Message (compared as ProtoJSON, as it travels in events), or anything that
// encoding/json can write.
func JSON(t testing.TB, path string, got any) {
	t.Helper()
	raw, err := encode(got)
	if err != nil {
		t.Fatalf("%s: what the test made cannot be written as JSON: %v", path, err)
	}
	if *update {
		if err := write(path, raw); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return
	}
	differences, err := compare(path, raw)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if len(differences) > 0 {
		t.Errorf("%s does not hold what the test made (-update writes it anew, if the new value is right):\n  %s",
			path, strings.Join(differences, "\n  "))
	}
}

func encode(got any) ([]byte, error) {
	switch v := got.(type) {
	case []byte:
		return v, nil
	case proto.Message:
		return protojson.Marshal(v)
	default:
		return json.Marshal(v)
	}
}

// compare lists the places where got differs from the file.
func compare(path string, got []byte) ([]string, error) {
	file, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("no such golden file; -update writes it")
	}
	if err != nil {
		return nil, err
	}
	want, err := decode(file)
	if err != nil {
		return nil, fmt.Errorf("the golden file is not JSON: %w", err)
	}
	have, err := decode(got)
	if err != nil {
		return nil, fmt.Errorf("what the test made is not JSON: %w", err)
	}
	return diff("$", want, have), nil
}

// write replaces the file by got, with "<any>" where the old file had it.
func write(path string, got []byte) error {
	value, err := decode(got)
	if err != nil {
		return fmt.Errorf("what the test made is not JSON: %w", err)
	}
	if old, err := os.ReadFile(path); err == nil {
		if was, err := decode(old); err == nil {
			value = keepAny(was, value)
		}
	}
	out, err := text(value, "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, out, 0o644)
}

// decode reads exactly one value and keeps numbers as they are written, so that amounts beyond 2^53 stay exact.
func decode(raw []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something after the value")
	}
	return value, nil
}

func diff(at string, want, have any) []string {
	if want == Any {
		return nil
	}
	switch want := want.(type) {
	case map[string]any:
		if have, ok := have.(map[string]any); ok {
			return diffObjects(at, want, have)
		}
	case []any:
		if have, ok := have.([]any); ok {
			return diffArrays(at, want, have)
		}
	case json.Number:
		if have, ok := have.(json.Number); ok && sameNumber(want, have) {
			return nil
		}
	default:
		if reflect.DeepEqual(want, have) {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s: want %s, got %s", at, show(want), show(have))}
}

func diffObjects(at string, want, have map[string]any) []string {
	var found []string
	for _, key := range keys(want, have) {
		here := at + "." + key
		w, wanted := want[key]
		h, there := have[key]
		switch {
		case !there:
			found = append(found, fmt.Sprintf("%s: want %s, got nothing", here, show(w)))
		case !wanted:
			found = append(found, fmt.Sprintf("%s: want nothing, got %s", here, show(h)))
		default:
			found = append(found, diff(here, w, h)...)
		}
	}
	return found
}

func diffArrays(at string, want, have []any) []string {
	var found []string
	for i := range max(len(want), len(have)) {
		here := fmt.Sprintf("%s[%d]", at, i)
		switch {
		case i >= len(have):
			found = append(found, fmt.Sprintf("%s: want %s, got nothing", here, show(want[i])))
		case i >= len(want):
			found = append(found, fmt.Sprintf("%s: want nothing, got %s", here, show(have[i])))
		default:
			found = append(found, diff(here, want[i], have[i])...)
		}
	}
	return found
}

func keys(a, b map[string]any) []string {
	all := make([]string, 0, len(a))
	for key := range a {
		all = append(all, key)
	}
	for key := range b {
		if _, both := a[key]; !both {
			all = append(all, key)
		}
	}
	slices.Sort(all)
	return all
}

func sameNumber(a, b json.Number) bool {
	if a == b {
		return true
	}
	x, okX := new(big.Rat).SetString(a.String())
	y, okY := new(big.Rat).SetString(b.String())
	return okX && okY && x.Cmp(y) == 0
}

func keepAny(was, now any) any {
	if was == Any {
		return Any
	}
	switch now := now.(type) {
	case map[string]any:
		if was, ok := was.(map[string]any); ok {
			for key, value := range now {
				now[key] = keepAny(was[key], value)
			}
		}
	case []any:
		if was, ok := was.([]any); ok {
			for i := range min(len(was), len(now)) {
				now[i] = keepAny(was[i], now[i])
			}
		}
	}
	return now
}

func show(value any) string {
	raw, err := text(value, "")
	if err != nil {
		return fmt.Sprintf("%v", value)
	}
	return strings.TrimSpace(string(raw))
}

// text writes JSON as people read it: "<any>" and not "\u003cany\u003e".
func text(value any, indent string) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	err := enc.Encode(value)
	return out.Bytes(), err
}
