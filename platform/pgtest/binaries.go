package pgtest

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"strings"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"

	"github.com/guanxi-crm/guanxi/platform/freeport"
)

// BinariesEnv names the environment variable that chooses the PostgreSQL binaries: a folder that holds postgres and
// initdb, or "embedded" for the downloaded ones although some are installed.
const BinariesEnv = "GUANXI_PG_BINARIES"

const minMajor = 14

// binaries is a folder with postgres and initdb.
type binaries struct {
	dir   string
	major int
}

// findBinaries gives the newest installed binaries, or those of exactly the given major version when it is not 0 (that of
// an existing data folder); when there are none it downloads some.
func findBinaries(choice string, major int) (binaries, error) {
	switch choice {
	case "":
	case "embedded":
		return embedded()
	default:
		return inspect(choice)
	}
	var found []binaries
	for _, dir := range candidates() {
		b, err := inspect(dir)
		if err == nil && b.major >= minMajor && (major == 0 || b.major == major) {
			found = append(found, b)
		}
	}
	if len(found) == 0 {
		return embedded()
	}
	sort.SliceStable(found, func(i, j int) bool { return found[i].major > found[j].major })
	return found[0], nil
}

func candidates() []string {
	var dirs []string
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",            // Debian, Ubuntu
		"/usr/pgsql-*/bin",                     // Red Hat, PGDG
		"/opt/homebrew/opt/postgresql@*/bin",   // Homebrew
		"/usr/local/opt/postgresql@*/bin",      // Homebrew on Intel
		"/usr/libexec/postgresql*", "/usr/bin", // Alpine, Fedora, Arch
		"/Library/PostgreSQL/*/bin", "/usr/local/pgsql/bin",
	} {
		matches, _ := filepath.Glob(pattern)
		dirs = append(dirs, matches...)
	}
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	return dirs
}

func inspect(dir string) (binaries, error) {
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		return binaries{}, err
	}
	// "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
	out, err := exec.Command(filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return binaries{}, fmt.Errorf("%s/postgres --version: %w", dir, err)
	}
	words := strings.Fields(string(out))
	if len(words) < 3 {
		return binaries{}, fmt.Errorf("%s/postgres --version said %q", dir, out)
	}
	major, err := strconv.Atoi(strings.FieldsFunc(words[2], func(r rune) bool { return r < '0' || r > '9' })[0])
	if err != nil {
		return binaries{}, fmt.Errorf("%s/postgres --version said %q", dir, out)
	}
	return binaries{dir, major}, nil
}

// embedded gives the binaries that embedded-postgres downloads from Maven Central, once a machine and user.
//
// The library offers no way to only fetch them, and its way of starting a server cannot be used: it runs initdb as the
// present user, which root may not. So it is asked to start a server, which is stopped at once, or which as root it gives
// up at initdb; either way the binaries are there afterwards, and whether they are is what is checked.
func embedded() (binaries, error) {
	home, err := cacheDir()
	if err != nil {
		return binaries{}, err
	}
	version := embeddedpostgres.V17
	dir := filepath.Join(home, string(version)+"-"+runtime.GOARCH)
	bin := filepath.Join(dir, "bin")
	if b, err := inspect(bin); err == nil {
		return b, nil
	}
	unlock, err := lockFile(filepath.Join(home, "fetch.lock"), true)
	if err != nil {
		return binaries{}, err
	}
	defer unlock()
	if b, err := inspect(bin); err == nil { // somebody else fetched them meanwhile
		return b, nil
	}
	fmt.Fprintf(os.Stderr, "PostgreSQL %d or newer is not installed here: fetching version %s (15 MB, once)\n", minMajor, version)
	ports, err := freeport.Reserve(1)
	if err != nil {
		return binaries{}, err
	}
	db := embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().
		Version(version).CachePath(home).BinariesPath(dir).
		RuntimePath(filepath.Join(home, "fetch")).Port(uint32(ports[0])).Logger(io.Discard))
	startErr := db.Start()
	if startErr == nil {
		_ = db.Stop()
	}
	_ = os.RemoveAll(filepath.Join(home, "fetch"))
	b, err := inspect(bin)
	if err != nil {
		return binaries{}, fmt.Errorf("no PostgreSQL of version %d or newer is installed, and fetching one failed; "+
			"install it (Debian: apt-get install postgresql) or set %s to the folder of its binaries: %w",
			minMajor, BinariesEnv, startErr)
	}
	return b, nil
}

// cacheDir is a folder that survives the process and that another operating system user can read. As root it must not be
// below /root.
func cacheDir() (string, error) {
	base := "/var/cache"
	if os.Getuid() != 0 {
		var err error
		if base, err = os.UserCacheDir(); err != nil {
			return "", err
		}
	}
	dir := filepath.Join(base, "guanxi-postgres")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	return dir, nil
}

// Tool gives the path of one of PostgreSQL's programs, such as pg_dump, of the given major version, as it is installed on the
// machine; empty where it is not. The downloaded binaries are a server alone.
func Tool(name string, major int) string {
	for _, dir := range candidates() {
		path := filepath.Join(dir, name)
		if b, err := inspect(dir); err != nil || b.major != major {
			continue
		}
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}
