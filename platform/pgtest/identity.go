package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// identity is the operating system user that PostgreSQL runs as. It refuses root.
type identity struct {
	name     string
	uid, gid int
	other    bool // than the present user
}

func itoa(n int) string { return strconv.Itoa(n) }

// serverIdentity is the present user, or when that is root one that every system has. initdb wants it to have a name.
func serverIdentity() (identity, error) {
	if os.Geteuid() != 0 {
		return identity{uid: os.Geteuid(), gid: os.Getegid()}, nil
	}
	for _, name := range []string{"postgres", "nobody", "daemon"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uerr := strconv.Atoi(u.Uid)
		gid, gerr := strconv.Atoi(u.Gid)
		if uerr == nil && gerr == nil && uid != 0 {
			return identity{name: name, uid: uid, gid: gid, other: true}, nil
		}
	}
	return identity{}, fmt.Errorf("PostgreSQL does not run as root, and none of the users postgres, nobody and daemon exists")
}

func (who identity) credential() *syscall.Credential {
	if !who.other {
		return nil
	}
	return &syscall.Credential{Uid: uint32(who.uid), Gid: uint32(who.gid)}
}

// own makes dir, gives it to the identity, and makes sure that the identity can get there.
func (who identity) own(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if !who.other {
		return nil
	}
	for p := filepath.Dir(dir); ; p = filepath.Dir(p) {
		st, err := os.Stat(p)
		if err != nil {
			return err
		}
		if st.Mode().Perm()&0o001 == 0 && int(st.Sys().(*syscall.Stat_t).Uid) != who.uid {
			return fmt.Errorf("PostgreSQL runs as user %s here, who cannot enter %s: choose a folder elsewhere, or chmod o+x it", who.name, p)
		}
		if p == filepath.Dir(p) {
			break
		}
	}
	return os.Chown(dir, who.uid, who.gid)
}

// lockFile takes an exclusive lock that ends with this process. Without wait it fails when somebody has it.
func lockFile(path string, wait bool) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	how := syscall.LOCK_EX
	if !wait {
		how |= syscall.LOCK_NB
	}
	for {
		err = syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s is locked by another process: %w", path, err)
	}
	return func() { _ = f.Close() }, nil
}
