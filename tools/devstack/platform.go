package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/guanxi-crm/guanxi/tools/devstack/stack"
	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// platformProgram is the name of the process that runs every service.
const platformProgram = "guanxi"

// buildPlatform builds the program that runs every service and gives its path.
func buildPlatform(ctx context.Context, repo, dir string, report func(string)) (string, error) {
	report("building ./services/cmd/guanxi (minutes on a cold machine, seconds later)")
	binary := filepath.Join(dir, "bin", platformProgram)
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, "./services/cmd/guanxi")
	cmd.Dir, cmd.Stdout, cmd.Stderr = repo, os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("build the platform: %w", err)
	}
	return binary, nil
}

// startPlatform makes databases and schema where they are missing and starts every service.
func startPlatform(ctx context.Context, s *stack.Stack, binary string, report func(string)) error {
	env := append(os.Environ(), s.Env()...)
	for _, step := range []string{"bootstrap", "migrate"} {
		report("guanxi " + step)
		cmd := exec.CommandContext(ctx, binary, step)
		cmd.Env = env
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("guanxi %s: %w\n%s", step, err, out)
		}
	}
	api, err := client.New(s.ServerURL(), nil)
	if err != nil {
		return err
	}
	began := time.Now()
	process := s.Run(stack.Program{Name: platformProgram, Path: binary, Args: []string{"serve"}, Env: env, Ready: api.Ready})
	ready, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := process.WaitReady(ready); err != nil {
		return err
	}
	report(fmt.Sprintf("the platform is ready after %.1f s", time.Since(began).Seconds()))
	return nil
}
