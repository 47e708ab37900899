// Bench measures the platform's figures, each beside its baseline in the same run: it builds the all-in-one program and
// the development stack, starts both from nothing in a temporary folder (PostgreSQL with fsync on), measures through the
// public surfaces where there is one, and prints a table and, as its last line, one JSON object. The machine it runs on
// is part of every figure; ratios are what can be compared between machines.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/guanxi-crm/guanxi/tools/devstack/stack"
)

// figure is something to measure. Figures run in the order of figures(), each leaving every projection level.
type figure struct {
	name    string
	measure func(ctx context.Context, b *bench) error
}

func figures() []figure {
	return []figure{
		{"resources", measureResources}, // first, since its process has done nothing yet
		{"command", measureCommand},
		{"delay", measureDelay},
		{"visible", measureVisible},
		{"backlog", measureBacklog},
		{"import", measureImport},
		{"consumer", measureConsumer},
		{"crashes", measureCrashes},
		{"customers", measureCustomers},
		{"earn", measureEarn},
		{"spends", measureSpends},
		{"expiry", measureExpiry},
		{"complaints", measureComplaints},
		{"tickets", measureTickets},
		{"orders", measureOrders},
		{"board", measureBoard},
		{"scoring", measureScoring},
		{"analytics", measureAnalytics},
	}
}

// options are what the command line says.
type options struct {
	only             *regexp.Regexp
	short            bool
	guanxi, devstack string // programs to use instead of building them
	traces           bool
	keep             bool
	clients          int
	people           int // customers to load; 0: as many as the figures are meant for
}

// bench is one run.
type bench struct {
	options
	*installation
	mu     sync.Mutex // of what questions remember
	say    func(string)
	rows   []row
	source string // the purchase history that was imported
}

// add keeps a figure and tells it.
func (b *bench) add(rows ...row) {
	for _, r := range rows {
		b.rows = append(b.rows, r)
		line := fmt.Sprintf("%s: %s %s", r.Name, number(r.Measured), r.Unit)
		if r.Against != "" {
			line += fmt.Sprintf(", %s: %s, ratio %.2f", r.Against, number(r.Baseline), r.Ratio)
		}
		b.say(line)
	}
}

// length chooses between the usual length of a measurement and the short one.
func length[T any](b *bench, usual, short T) T {
	if b.short {
		return short
	}
	return usual
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var o options
	var only string
	var names []string
	for _, f := range figures() {
		names = append(names, f.name)
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&only, "run", "", "measure only figures that match this regular expression: "+strings.Join(names, ", "))
	flags.BoolVar(&o.short, "short", false, "short windows and small amounts: to see that all works, not to compare")
	flags.StringVar(&o.guanxi, "guanxi", "", "program to measure instead of building one")
	flags.StringVar(&o.devstack, "devstack", "", "devstack program to use instead of building one")
	flags.BoolVar(&o.traces, "traces", false, "keep every trace; otherwise one in a hundred, as an installation would")
	flags.BoolVar(&o.keep, "keep", false, "keep the folder with state and logs")
	flags.IntVar(&o.people, "customers", 0, "how many customers are loaded for the figures of the customer master (default 1000000)")
	flags.IntVar(&o.clients, "clients", 16, "how many clients call, and connections pgbench has, at the same time")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var err error
	if o.only, err = regexp.Compile(only); err != nil {
		return o, fmt.Errorf("-run: %w", err)
	}
	return o, nil
}

func run(ctx context.Context, args []string) (err error) {
	o, err := parse(args)
	if err != nil {
		return err
	}
	began := time.Now()
	b := &bench{options: o, say: stack.Lines(os.Stdout)}
	if b.installation, err = install(ctx, o, b.say); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.uninstall(o.keep)) }()
	for _, f := range figures() {
		if !o.only.MatchString(f.name) {
			continue
		}
		b.say("measuring " + f.name)
		if err := f.measure(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return newResult(b.rows, b.source, time.Since(began)).write(os.Stdout)
}
