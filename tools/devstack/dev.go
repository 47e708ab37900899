package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/tools/devstack/cdnow"
	"github.com/guanxi-crm/guanxi/tools/devstack/demo"
	"github.com/guanxi-crm/guanxi/tools/devstack/stack"
)

func devCommand() *cobra.Command {
	var w where
	var binary string
	var noDemo bool
	c := &cobra.Command{
		Use:   "dev",
		Short: "Build and run the platform on all parts, with demo data, until Ctrl-C",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return dev(cmd.Context(), &w, binary, !noDemo, cmd.OutOrStdout())
		},
	}
	w.flags(c)
	c.Flags().StringVar(&binary, "guanxi", "", "program to run instead of building one")
	c.Flags().BoolVar(&noDemo, "no-demo", false, "load no demo data on the first start")
	return c
}

func dev(ctx context.Context, w *where, binary string, withDemo bool, out io.Writer) error {
	report := stack.Lines(out)
	repo, err := findRepo()
	if err != nil {
		return err
	}
	s, err := w.start(ctx, report)
	if err != nil {
		return err
	}
	defer s.Stop()
	if binary == "" {
		if err := buildPage(ctx, repo, report); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			report("WITHOUT THE CONSOLE'S PAGE: " + err.Error()) // all else is there: it is said once more at /console/
		}
		if binary, err = buildPlatform(ctx, repo, s.Dir(), report); err != nil {
			return err
		}
	}
	if err := startPlatform(ctx, s, binary, report); err != nil {
		return err
	}
	if withDemo {
		if err := loadDemo(ctx, s, repo, report); err != nil {
			return stopped(ctx, err)
		}
	}
	if _, err := fmt.Fprintln(out, strings.Join(devGuide(s), "\n")); err != nil {
		return err
	}
	<-ctx.Done()
	report("stopping; the state stays in " + s.Dir())
	return nil
}

// stopped turns the failure that Ctrl-C caused into none.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// loadDemo loads the demo data on the first start. When it was interrupted it goes on: what is there is skipped.
func loadDemo(ctx context.Context, s *stack.Stack, repo string, report func(string)) error {
	done := filepath.Join(s.Dir(), "demo-data-loaded")
	if _, err := os.Stat(done); err == nil {
		report("the demo data was loaded on an earlier start")
		return nil
	}
	source, err := cdnow.Find(repo)
	if err != nil {
		return err
	}
	report("loading demo data on this first start: tenant pizza, and tenant music from " + source.Name)
	at := demo.Installation{Server: s.ServerURL(), Issuer: s.IssuerURL(), Report: report}
	if err := at.Tenants(ctx); err != nil {
		return err
	}
	if err := at.LoadPizza(ctx); err != nil {
		return err
	}
	if err := at.LoadRollout(ctx); err != nil { // before anybody works in the shop's name
		return err
	}
	if err := at.LoadComplaints(ctx); err != nil {
		return err
	}
	if err := at.LoadLoyalty(ctx); err != nil {
		return err
	}
	if err := at.LoadSales(ctx); err != nil {
		return err
	}
	if err := at.LoadMusic(ctx, source); err != nil {
		return err
	}
	if err := at.LoadAnalytics(ctx); err != nil {
		return err
	}
	return os.WriteFile(done, []byte(source.Name+"\n"), 0o600)
}

// devGuide says where to look.
func devGuide(s *stack.Stack) []string {
	ctl := "go run ./tools/guanxictl"
	if s.ServerURL() != "http://127.0.0.1:8080" {
		ctl += " --server " + s.ServerURL()
	}
	if s.IssuerURL() != "http://127.0.0.1:8180" {
		ctl += " --issuer " + s.IssuerURL()
	}
	events := ctl
	if s.KafkaAddr() != "127.0.0.1:9092" {
		events += " --kafka " + s.KafkaAddr()
	}
	lines := []string{"", "The platform runs. Where to look:",
		"console          " + s.ServerURL() + "/console/ (one click for each of six roles in two tenants)",
		"API              " + s.ServerURL() + "/openapi/accounts.yaml (also sales, loyalty, tickets, analytics, rollout)"}
	lines = append(lines, places(s)...)
	lines = append(lines,
		"logs             "+filepath.Join(s.Dir(), "log"),
		"",
		"A token:         TOKEN=$("+ctl+" token --tenant music)",
		"                 curl -H \"Authorization: Bearer $TOKEN\" "+s.ServerURL()+"/v1/analytics/facts/summary",
		"All well?        "+events+" doctor",
		"Events:          "+events+" events tail --tenant pizza --since start --until-now",
		"                 kcat -b "+s.KafkaAddr()+" -t guanxi.sales.events.v1 -C -c 1 -f '%h\\n%s\\n'",
		"Complaints:      "+ctl+" --tenant pizza complaint list",
		"                 "+ctl+" --tenant pizza complaint show T-000002   (the next decision: complaint decide)",
		"Rollout:         "+ctl+" --tenant pizza rollout list   (part-way: the pilot is live in the unit "+auth.DevUnit+", where a --role works with --unit "+auth.DevUnit+")",
		"Points:          "+ctl+" --tenant pizza points explain --customer ID   (the id of a customer of the list above)",
		"A trace:         "+ctl+" trace --traces "+s.TracesURL()+" ID (the ids of recent ones: "+s.TracesURL()+"/traces)",
		"Import:          "+ctl+" --tenant pizza import customers FILE.csv --map external:till=number ...",
		"Ctrl-C stops everything; the state is kept for the next start.")
	return lines
}
