package controller

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// inCode finds the reasons of conditions where they are written: as constants, in refusals, and as how a subscription stands.
var inCode = regexp.MustCompile(`(?m)^\t(?:R|r)eason[A-Z]\w*\s+= "([A-Z]\w+)"|Refusal\{(?:Reason: )?"([A-Z]\w+)"|found\.reason.* = .*?"([A-Z]\w+)"`)

func TestEveryReasonIsDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", "operator.md"))
	require.NoError(t, err)
	found := map[string]bool{}
	for _, folder := range []string{".", filepath.Join("..", "subscription")} {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		require.NoError(t, err)
		for _, file := range files {
			code, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, match := range inCode.FindAllSubmatch(code, -1) {
				for _, reason := range match[1:] {
					if len(reason) > 0 {
						found[string(reason)] = true
						require.Regexp(t, `[|·] (.* and )?`+string(reason)+`\b`, string(page), "docs/operator.md does not explain %s (%s)", reason, file)
					}
				}
			}
		}
	}
	for _, reason := range []string{ReasonInForce, ReasonUnknownTenant, "UnknownEventType", "Settled", "KafkaUnreachable"} {
		require.True(t, found[reason], "the search finds no %s", reason)
	}
}
