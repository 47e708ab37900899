// Command gensynthetic writes the synthetic purchase history that the project ships to standard output.
package main

import (
	"fmt"
	"os"

	"github.com/guanxi-crm/guanxi/tools/devstack/cdnow"
)

func main() {
	if err := cdnow.Generate(os.Stdout, 500); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
