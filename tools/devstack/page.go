package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	// pageDir has the sources of the console's page, below the repository.
	pageDir = "services/console/web"
	// builtFrom, in the page's dist, says what the page there was built from. A file with a dot is never served.
	builtFrom = "dist/.built-from"
	// installedFrom, among the installed packages, says by which lock file.
	installedFrom = "node_modules/.guanxi-lock"
	// leastNode is the oldest release of Node that builds the page: see engines in its package.json.
	leastNode = 20
)

// errNoNode says what is missing and what to do.
var errNoNode = fmt.Errorf("the page is built by Node %d or newer with npm, which are not on this machine: "+
	"install them and start again, and the page is there", leastNode)

// buildPage builds the console's page into the folder that the program is built with, where its sources are not those that it
// was built from last. errNoNode where it cannot be built here.
func buildPage(ctx context.Context, repo string, report func(string)) error {
	dir := filepath.Join(repo, pageDir)
	sum, err := sumOf(dir, filepath.Join(repo, "proto", "openapi"))
	if err != nil {
		return err
	}
	if was, err := os.ReadFile(filepath.Join(dir, builtFrom)); err == nil && string(was) == sum {
		report("the console's page is built already")
		return nil
	}
	if err := findNode(ctx); err != nil {
		return err
	}
	lock, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return err
	}
	installed := filepath.Join(dir, installedFrom)
	if was, err := os.ReadFile(installed); err != nil || !bytes.Equal(was, lock) {
		report("npm ci: the packages that build the console's page (once for each change of package-lock.json)")
		if err := npm(ctx, dir, "ci", "--no-audit", "--no-fund"); err != nil {
			return err
		}
		if err := os.WriteFile(installed, lock, 0o600); err != nil {
			return err
		}
	}
	report("npm run build: the console's page")
	if err := npm(ctx, dir, "run", "build"); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, builtFrom), []byte(sum), 0o600)
}

func findNode(ctx context.Context) error {
	said, err := exec.CommandContext(ctx, "node", "--version").Output()
	if err != nil {
		return errNoNode
	}
	major, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(string(said)), "v"), ".")
	if n, err := strconv.Atoi(major); err != nil || n < leastNode {
		return fmt.Errorf("node here is %s: %w", strings.TrimSpace(string(said)), errNoNode)
	}
	if _, err := exec.LookPath("npm"); err != nil {
		return errNoNode
	}
	return nil
}

// npm runs quietly; what it said is in the error where it fails.
func npm(ctx context.Context, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, "npm", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("npm %s in %s: %w\n%s", strings.Join(args, " "), dir, err, out)
	}
	return nil
}

// sumOf is the checksum of all that the page is made from: its sources and the descriptions of the APIs that its types come from.
func sumOf(dir, openapi string) (string, error) {
	hash := sha256.New()
	for _, root := range []string{dir, openapi} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			below, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			if entry.IsDir() {
				if slices.Contains([]string{"node_modules", "dist", "e2e"}, below) {
					return fs.SkipDir
				}
				return nil
			}
			if !entry.Type().IsRegular() || strings.HasSuffix(path, ".d.ts") || strings.HasSuffix(path, ".tsbuildinfo") {
				return nil // what the build itself writes
			}
			return addFile(hash, path, below)
		})
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

func addFile(hash io.Writer, path, name string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	// Name and size tell where a file ends and the next begins.
	if _, err := fmt.Fprintf(hash, "%q %d\n", filepath.ToSlash(name), info.Size()); err != nil {
		return err
	}
	_, err = io.Copy(hash, f)
	return err
}
