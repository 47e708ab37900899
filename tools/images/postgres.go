package main

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// postgresFiles are a PostgreSQL of this machine with all that it needs of the system: the server and what makes its data,
// its modules, the libraries of all these, a shell, which it starts its own programs by, and the time zones.
func postgresFiles() (files, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return nil, errors.New("no PostgreSQL here to put in: apt-get install postgresql")
	}
	bin := filepath.Dir(found[len(found)-1])
	home := filepath.Dir(bin)
	fs := files{}
	for _, p := range []string{filepath.Join(bin, "initdb"), filepath.Join(bin, "postgres"), "/bin/sh"} {
		if err := fs.add(p); err != nil {
			return nil, err
		}
	}
	// Without the compiler of queries, which would bring 100 MB and gains nothing where one tries things out.
	skip := func(rel string) bool {
		return strings.HasPrefix(rel, "bitcode") || strings.HasPrefix(rel, "pgxs") || strings.HasPrefix(rel, "llvmjit") || rel == "sepgsql.so"
	}
	if err := fs.addTree(filepath.Join(home, "lib"), skip); err != nil {
		return nil, err
	}
	none := func(rel string) bool { return strings.HasPrefix(rel, "man") }
	if err := fs.addTree("/usr/share/postgresql/"+filepath.Base(home), none); err != nil {
		return nil, err
	}
	zones := func(rel string) bool {
		return rel == "localtime" || strings.HasPrefix(rel, "right") || strings.HasPrefix(rel, "posix")
	}
	if err := fs.addTree("/usr/share/zoneinfo", zones); err != nil {
		return nil, err
	}
	return fs, fs.addLibraries()
}

// addLibraries adds what the programs and modules are linked to. The one who knows is the loader of programs.
func (fs files) addLibraries() error {
	for name, f := range fs {
		if f.mode != 0o755 && !strings.HasSuffix(name, ".so") {
			continue
		}
		out, err := exec.Command("ldd", f.from).CombinedOutput()
		if err != nil {
			if strings.Contains(string(out), "not a dynamic executable") {
				continue
			}
			return fmt.Errorf("ldd %s: %w: %s", f.from, err, out)
		}
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "not found") {
				return fmt.Errorf("%s needs what is not here: %s", f.from, strings.TrimSpace(line))
			}
			for field := range strings.FieldsSeq(line) {
				if strings.HasPrefix(field, "/") {
					if err := fs.add(field); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}
