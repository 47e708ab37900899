package pgtest_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/freeport"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/migrate"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
)

// childDir names the environment variable that makes this test binary start a server there and wait to be killed.
const childDir = "GUANXI_PGTEST_CHILD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if _, err := pgtest.StartServer(context.Background(), pgtest.ServerConfig{Dir: dir, Fsync: true}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println("ready")
		select {}
	}
	os.Exit(m.Run())
}

// serverDir is a folder that the server's user can go to, which those of t.TempDir are not for another user.
func serverDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "guanxi-server-test-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func query(t *testing.T, url, sql string) string {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	require.NoError(t, err)
	defer func() { _ = conn.Close(ctx) }()
	var s string
	require.NoError(t, conn.QueryRow(ctx, sql).Scan(&s))
	return s
}

func TestAServerKeepsItsDataHoweverItEnds(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	cfg := pgtest.ServerConfig{Dir: serverDir(t), Port: freePort(t), Fsync: true}
	s, err := pgtest.StartServer(ctx, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	dbs := pg.Config{URL: s.URL("guanxi_{service}", "secret")}
	require.NoError(t, migrate.Bootstrap(ctx, s.AdminURL(), dbs, "shop"))
	require.NoError(t, migrate.Up(ctx, dbs, shop()))
	db, err := pg.Open(ctx, dbs, "shop", pg.App)
	require.NoError(t, err)
	t.Cleanup(db.Close)
	for i, mode := range []pgtest.Mode{pgtest.Fast, pgtest.Immediate, pgtest.Kill} {
		require.NoError(t, db.Tx(ctx, "pizza", func(tx *pg.Tx) error {
			tx.Queue("INSERT INTO item VALUES ($1, gen_random_uuid(), $2)", "pizza", string(mode))
			return nil
		}))
		require.NoError(t, s.Stop(mode))
		require.NoError(t, s.Start(ctx))
		var n int
		require.Eventually(t, func() bool { // connections from before are found to be broken
			return db.Read(ctx, "pizza", func(tx *pg.Tx) error {
				return tx.QueryRow(ctx, "SELECT count(*) FROM item").Scan(&n)
			}) == nil
		}, time.Minute, 10*time.Millisecond)
		require.Equal(t, i+1, n, "after %s", mode)
	}
	t.Run("passwords are checked", func(t *testing.T) {
		_, err := pgx.Connect(ctx, strings.Replace(dbs.For("shop", pg.App), "secret", "wrong", 1))
		require.ErrorContains(t, err, "password authentication failed")
	})
	t.Run("its folder is refused to others", func(t *testing.T) {
		_, err := pgtest.StartServer(ctx, cfg)
		require.ErrorContains(t, err, "locked by another process")
	})
}

func TestAServerDiesWithItsProcess(t *testing.T) {
	t.Parallel()
	dir := serverDir(t)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", line)
	pid := postmaster(t, dir)
	require.NoError(t, syscall.Kill(pid, 0))

	require.NoError(t, child.Process.Signal(syscall.SIGKILL))
	_ = child.Wait()
	require.Eventually(t, func() bool { return syscall.Kill(pid, 0) == syscall.ESRCH }, time.Minute, 10*time.Millisecond)

	// Its number is taken by another process of this machine meanwhile.
	pidFile := filepath.Join(dir, "data", "postmaster.pid")
	require.NoError(t, os.WriteFile(pidFile, []byte(strconv.Itoa(os.Getppid())+"\n"), 0o600))
	s, err := pgtest.StartServer(context.Background(), pgtest.ServerConfig{Dir: dir, Fsync: true})
	require.NoError(t, err)
	require.Equal(t, "1", query(t, s.AdminURL(), "SELECT '1'"))
	require.NoError(t, s.Close())
}

func TestAServerWhoseProcessLeftItBehindIsEnded(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := serverDir(t)
	s, err := pgtest.StartServer(ctx, pgtest.ServerConfig{Dir: dir, Fsync: true})
	require.NoError(t, err)
	pid := postmaster(t, dir)
	s.Abandon()
	again, err := pgtest.StartServer(ctx, pgtest.ServerConfig{Dir: dir, Fsync: true})
	require.NoError(t, err)
	require.NotEqual(t, pid, postmaster(t, dir))
	require.NoError(t, again.Close())
}

func TestAnInitdbThatWasKilledIsNotTakenForData(t *testing.T) {
	t.Parallel()
	dir := serverDir(t)
	making := filepath.Join(dir, "data.making")
	require.NoError(t, os.MkdirAll(making, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(making, "PG_VERSION"), []byte("15\n"), 0o600))
	s, err := pgtest.StartServer(context.Background(), pgtest.ServerConfig{Dir: dir})
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

func TestALongPathIsNoObstacle(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(serverDir(t), strings.Repeat("long/", 30))
	require.NoError(t, os.MkdirAll(dir, 0o755))
	s, err := pgtest.StartServer(context.Background(), pgtest.ServerConfig{Dir: dir})
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

func TestATestMayStopItsOwnServer(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := pgtest.OwnServer(t, shop())
	db := d.DB(pg.App)
	require.NoError(t, d.Server().Stop(pgtest.Immediate))
	err := db.System(ctx, func(tx *pg.Tx) error { _, err := tx.ExecNow(ctx, "SELECT 1"); return err })
	require.True(t, pg.Transient(err), "%v", err)
	require.NoError(t, d.Server().Start(ctx))
	require.Eventually(t, func() bool {
		return db.System(ctx, func(tx *pg.Tx) error { _, err := tx.ExecNow(ctx, "SELECT 1"); return err }) == nil
	}, time.Minute, 10*time.Millisecond)
}

func postmaster(t *testing.T, dir string) int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.SplitN(string(b), "\n", 2)[0])
	require.NoError(t, err)
	return pid
}

func freePort(t *testing.T) int {
	t.Helper()
	ports, err := freeport.Reserve(1)
	require.NoError(t, err)
	return ports[0]
}
