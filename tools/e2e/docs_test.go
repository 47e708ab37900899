package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-crm/guanxi/tools/devstack/cdnow"
)

var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// TestTheExamplesOfTheServicesPagesRun runs what the pages for integrators tell them to type, in the order of the pages,
// and demands that nothing of it is refused. Blocks for programs that need not be here (kcat) or that have the addresses
// of make dev built in (guanxictl) are left out.
func TestTheExamplesOfTheServicesPagesRun(t *testing.T) {
	t.Parallel()
	in := install(t)
	ctx, cancel := context.WithTimeout(t.Context(), 12*time.Minute)
	defer cancel()
	in.persist(ctx, "tenants", func() error { return in.at().Tenants(ctx) })
	source, err := cdnow.Find(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, cdnow.FileName), source.Data, 0o600); err != nil {
		t.Fatal(err)
	}
	in.persist(ctx, "import", func() error { return in.at().LoadMusic(ctx, source) })
	in.eventually(5*time.Minute, in.level)

	script, blocks := in.examples("accounts", "sales", "loyalty", "tickets", "analytics", "rollout")
	if blocks < 14 {
		t.Fatalf("only %d examples were found", blocks)
	}
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = folder
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the examples ended with %v:\n%s", err, out)
	}
	for _, answer := range strings.Split(string(out), "\n") {
		if strings.Contains(answer, "urn:guanxi:problem:") {
			t.Errorf("an example is refused: %s", answer)
		}
	}
}

// examples joins the blocks of the pages, with the addresses of this installation.
func (in *installation) examples(pages ...string) (script string, blocks int) {
	in.t.Helper()
	var b strings.Builder
	for _, page := range pages {
		text, err := os.ReadFile(filepath.Join("..", "..", "services", "docs", page+".md"))
		if err != nil {
			in.t.Fatal(err)
		}
		for _, block := range shellBlock.FindAllStringSubmatch(string(text), -1) {
			if regexp.MustCompile(`(?m)^(kcat|guanxictl)`).MatchString(block[1]) {
				continue
			}
			blocks++
			fmt.Fprintf(&b, "%s\necho\n", block[1])
			if strings.HasPrefix(block[1], "API=") {
				fmt.Fprintf(&b, "API=%s ISSUER=%s\n", in.stack.ServerURL(), in.stack.IssuerURL())
			}
		}
	}
	return b.String(), blocks
}
