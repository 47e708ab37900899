// Command images builds the images of Guanxi without Docker and without a base image: static programs, and for demo-deps a
// PostgreSQL of this machine, each as an archive that is both an OCI layout and what docker load takes.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// options say what all images have in common.
type options struct {
	root     string    // the repository
	out      string    // the folder for archives
	version  string    // the tag, and what the programs say of themselves
	revision string    // the commit, for the labels
	created  time.Time // the date of all that is in the images
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("images", flag.ContinueOnError)
	var o options
	flags.StringVar(&o.root, "root", "../..", "the repository")
	flags.StringVar(&o.out, "out", "../../bin/images", "folder for the archives")
	flags.StringVar(&o.version, "version", "", "version of the programs, and tag of the images (default the one that the charts ask for)")
	flags.Usage = func() {
		_, _ = fmt.Fprintf(flags.Output(), "Usage: images [flags] [name...]\n\nNames, default all: %s\n\n", strings.Join(names(images()), ", "))
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if err := o.fromCommit(); err != nil {
		return err
	}
	if o.version == "" {
		var err error
		if o.version, err = chartsVersion(o.root); err != nil {
			return err
		}
	}
	wanted, err := choose(images(), flags.Args())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	for _, s := range wanted {
		fmt.Printf("==> %s:%s\n", s.repository(), o.version)
		if said := s.without(o.root); said != "" {
			fmt.Printf("    %s\n", said)
		}
		built, err := build(o, s)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if err := save(o, built); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// fromCommit takes the date from SOURCE_DATE_EPOCH, else from the commit, so that one commit makes the same images everywhere.
func (o *options) fromCommit() error {
	out, err := exec.Command("git", "-C", o.root, "log", "-1", "--format=%H %ct").Output()
	if err != nil {
		return fmt.Errorf("the commit of %s: %w", o.root, err)
	}
	revision, seconds, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	if set := os.Getenv("SOURCE_DATE_EPOCH"); set != "" {
		seconds = set
	}
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	o.revision, o.created = revision, time.Unix(unix, 0).UTC()
	return nil
}

// chartsVersion is the tag that the chart asks for where its values name none, so that what is built is what is installed.
func chartsVersion(root string) (string, error) {
	path := filepath.Join(root, "charts", "guanxi", "Chart.yaml")
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(raw)) {
		if version, is := strings.CutPrefix(line, "appVersion:"); is {
			return strings.Trim(strings.TrimSpace(version), `"`), nil
		}
	}
	return "", fmt.Errorf("%s has no line appVersion: give -version", path)
}

// image says what one image is made of.
type image struct {
	name   string // the last part of the repository, and of the archive's name
	title  string
	module string // folder of the Go module, below the root
	pkg    string // the program's package, in the module
	single bool   // the module is not of the workspace
	bundle func() (files, error)
	page   string // what is built into the program where it is there, below the root
}

// without says what the image will not have in it, because it was not built before; nothing, where all is there.
func (s image) without(root string) string {
	if s.page == "" {
		return ""
	}
	if _, err := os.Stat(filepath.Join(root, s.page)); err != nil {
		return "without the page of the console, which `make console` builds first: /console/ will say so"
	}
	return ""
}

func (s image) repository() string { return "guanxi/" + s.name }

// images are all there are.
func images() []image {
	return []image{
		{name: "guanxi", title: "Guanxi, every service in one program", module: "services", pkg: "./cmd/guanxi", page: "services/console/web/dist/index.html"},
		{name: "guanxictl", title: "Guanxi on the command line", module: "tools", pkg: "./guanxictl"},
		{name: "operator", title: "The operator of Guanxi", module: "platform/operator", pkg: "./cmd/operator", single: true},
		{name: "pause", title: "Holds the namespaces of a pod", module: "tools/images", pkg: "./pause", single: true},
		{
			name: "demo-deps", title: "What Guanxi stands on, for trying it out", module: "tools", pkg: "./devstack",
			bundle: postgresFiles,
		},
	}
}

func names(all []image) []string {
	var out []string
	for _, s := range all {
		out = append(out, s.name)
	}
	return out
}

func choose(all []image, wanted []string) ([]image, error) {
	if len(wanted) == 0 {
		return all, nil
	}
	var out []image
	for _, name := range wanted {
		i := slices.IndexFunc(all, func(s image) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no image is called %q: there are %s", name, strings.Join(names(all), ", "))
		}
		out = append(out, all[i])
	}
	return out, nil
}
