package golden

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"google.golang.org/protobuf/types/known/timestamppb"
)

func TestCompareNamesEveryPlaceThatDiffers(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		file, got string
		want      []string
	}{
		"order of keys and space":    {`{"a": 1, "b": [true]}`, `{"b":[true],"a":1}`, nil},
		"writing of a number":        {`{"a": 1.50e2}`, `{"a":150}`, nil},
		"beyond 2^53":                {`9007199254740993`, `9007199254740992`, []string{"$: want 9007199254740993, got 9007199254740992"}},
		"number and string":          {`{"a": "1"}`, `{"a":1}`, []string{`$.a: want "1", got 1`}},
		"another value":              {`{"a":{"b":"x"}}`, `{"a":{"b":"y"}}`, []string{`$.a.b: want "x", got "y"`}},
		"missing and new":            {`{"a":1}`, `{"b":null}`, []string{"$.a: want 1, got nothing", "$.b: want nothing, got null"}},
		"shorter":                    {`[1,2]`, `[1]`, []string{"$[1]: want 2, got nothing"}},
		"longer":                     {`[1]`, `[1,2]`, []string{"$[1]: want nothing, got 2"}},
		"any matches whatever":       {`{"id":"<any>"}`, `{"id":{"x":1}}`, nil},
		"any demands something":      {`{"id":"<any>"}`, `{}`, []string{`$.id: want "<any>", got nothing`}},
		"object instead of an array": {`[]`, `{}`, []string{"$: want [], got {}"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := file(t, c.file)
			found, err := compare(path, []byte(c.got))
			require.NoError(t, err)
			require.Equal(t, c.want, found)
		})
	}
}

func TestCompareRefusesWhatIsNotOneValue(t *testing.T) {
	t.Parallel()
	_, err := compare(filepath.Join(t.TempDir(), "absent.json"), []byte(`1`))
	require.ErrorContains(t, err, "-update writes it")
	_, err = compare(file(t, `{`), []byte(`1`))
	require.ErrorContains(t, err, "the golden file is not JSON")
	_, err = compare(file(t, `1`), []byte(`1 2`))
	require.ErrorContains(t, err, "something after the value")
}

func TestWriteKeepsAny(t *testing.T) {
	t.Parallel()
	path := file(t, `{"id":"<any>","lines":[{"id":"<any>","n":1}]}`)
	require.NoError(t, write(path, []byte(`{"id":"7","lines":[{"id":"8","n":2},{"id":"9","n":3}],"note":"<b>"}`)))

	written, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, `{
  "id": "<any>",
  "lines": [
    {
      "id": "<any>",
      "n": 2
    },
    {
      "id": "9",
      "n": 3
    }
  ],
  "note": "<b>"
}
`, string(written))
}

func TestJSONTakesMessagesAndValues(t *testing.T) {
	t.Parallel()
	JSON(t, file(t, `"2026-11-22T10:00:00Z"`), &timestamppb.Timestamp{Seconds: 1795341600})
	JSON(t, file(t, `{"a":1}`), map[string]int{"a": 1})
	JSON(t, file(t, `[1]`), []byte("[ 1 ]"))
}

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "golden.json")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}
