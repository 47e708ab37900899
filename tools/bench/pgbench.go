package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// pgbench runs a script as a role.
type pgbench struct {
	program string
	args    []string
	env     []string
}

// newPgbench writes the script with serial numbers between first and last.
func newPgbench(dir, database string, r *recording, first, last int) (*pgbench, error) {
	program, err := findPgbench()
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(database)
	if err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(dir, "*.pgbench")
	if err != nil {
		return nil, err
	}
	_, err = file.WriteString(r.script.text(first, last))
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	host, port := splitHost(u)
	password, _ := u.User.Password()
	p := &pgbench{program: program, args: []string{"-n", "-M", "prepared", "-f", file.Name()}}
	for i, value := range r.script.constants {
		p.args = append(p.args, "-D", fmt.Sprintf("c%d=%s", i+1, value))
	}
	// The sessions have the settings that the program's have.
	var options []string
	for name, value := range r.settings {
		if !slices.Contains([]string{"user", "database", "client_encoding", "application_name"}, name) {
			options = append(options, "-c "+name+"="+strings.ReplaceAll(value, " ", `\ `))
		}
	}
	p.env = append(os.Environ(), "PGHOST="+host, "PGPORT="+port, "PGUSER="+u.User.Username(), "PGPASSWORD="+password,
		"PGDATABASE="+strings.TrimPrefix(u.Path, "/"), "PGSSLMODE=disable", "PGOPTIONS="+strings.Join(options, " "))
	return p, nil
}

// findPgbench looks in the path and where Debian keeps it.
func findPgbench() (string, error) {
	if path, err := exec.LookPath("pgbench"); err == nil {
		return path, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench")
	if err != nil || len(found) == 0 {
		return "", errors.New("pgbench is not installed; Debian has it in the package postgresql-contrib")
	}
	return found[len(found)-1], nil
}

// run lets the clients work for the time and gives the transactions a second, without the time to connect.
func (p *pgbench) run(ctx context.Context, clients int, window time.Duration) (tps float64, err error) {
	args := append(slices.Clone(p.args), "-c", strconv.Itoa(clients), "-j", "2", "-T", strconv.Itoa(int(window.Seconds())))
	cmd := exec.CommandContext(ctx, p.program, args...)
	cmd.Env = p.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("pgbench: %w\n%s", err, out)
	}
	failed := regexp.MustCompile(`number of failed transactions: ([1-9]\d*)`).FindSubmatch(out)
	m := regexp.MustCompile(`tps = ([0-9.]+)`).FindSubmatch(out)
	if m == nil || failed != nil || strings.Contains(string(out), "aborted") {
		return 0, fmt.Errorf("pgbench did not carry out the script:\n%s", out)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}
