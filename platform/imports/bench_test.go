package imports

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkRead reads rows of CSV through the scanner, the parser and a mapping; one operation is one row.
func BenchmarkRead(b *testing.B) {
	var file strings.Builder
	for k := range 20_000 {
		fmt.Fprintf(&file, "r%d,\"Person, %d\",%d,person%d@example.org,+4930%07d\n", k, k, k%90, k, k)
	}
	p := plan{Width: 5, Entries: []entry{
		{Target: "ref", Column: 1, Required: true}, {Target: "name", Column: 2}, {Target: "age", Column: 3},
		{Target: "email", Column: 4}, {Target: "phone", Column: 5}, {Target: "line", Line: true},
	}}
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; {
		r := &reader{scanner: newScanner(strings.NewReader(file.String()), formatCSV, 0, 0), parser: newParser(formatCSV, p), together: -1}
		for bt := new(batch); n < b.N && !bt.ended; n += len(bt.rows) {
			if err := r.read(bt); err != nil {
				b.Fatal(err)
			}
		}
	}
}
