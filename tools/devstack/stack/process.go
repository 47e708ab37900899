package stack

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Program is something to keep running.
type Program struct {
	Name string
	Path string
	Args []string
	Env  []string // nil: as this process
	// Ready asks once whether the program can be used. Without it the program says so itself, by writing one line to
	// its file descriptor 3; see [Ready].
	Ready func(ctx context.Context) error
	// StopWithin is how long the program may take to end when asked to; 20 s by default. Then it is killed.
	StopWithin time.Duration
}

// Process is a program that is kept running: when it ends by itself it is started again.
type Process struct {
	program Program
	spawn   *spawner
	log     string
	report  func(string)
	cancel  context.CancelFunc
	done    chan struct{}

	mu      sync.Mutex
	pid     int // 0: not running
	held    bool
	killed  bool          // by Kill, since it was started
	changed chan struct{} // closed and replaced when any of the fields here changes
	ready   bool
	failed  int    // how many times in a row it ended by itself before it was ready
	said    string // what the program wrote when it was ready
}

// giveUpAfter is how many times in a row a program may end by itself before it is ready until WaitReady stops waiting: some 16
// seconds, which a database that was killed may need on a machine at work before it lets anybody in.
const giveUpAfter = 8

func start(program Program, spawn *spawner, logDir string, report func(string)) *Process {
	ctx, cancel := context.WithCancel(context.Background())
	if program.StopWithin == 0 {
		program.StopWithin = 20 * time.Second
	}
	p := &Process{
		program: program, spawn: spawn, log: filepath.Join(logDir, program.Name+".log"), report: report,
		cancel: cancel, done: make(chan struct{}), changed: make(chan struct{}),
	}
	go p.keep(ctx)
	return p
}

// Log is the file with all that the program wrote.
func (p *Process) Log() string { return p.log }

// WaitReady waits until the program can be used. It fails when the program keeps ending before that.
func (p *Process) WaitReady(ctx context.Context) error {
	for {
		p.mu.Lock()
		ready, failed, changed := p.ready, p.failed, p.changed
		p.mu.Unlock()
		if ready {
			return nil
		}
		if failed >= giveUpAfter {
			return fmt.Errorf("%s ended %d times before it was ready; %s ends with:\n%s", p.program.Name, failed, p.log, tail(p.log))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s did not get ready (see %s): %w", p.program.Name, p.log, ctx.Err())
		case <-changed:
		}
	}
}

// Said is the line that the program wrote when it became ready.
func (p *Process) Said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said
}

// Pid is the running program's process id; 0 when none runs.
func (p *Process) Pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pid
}

// Kill ends the program with SIGKILL, as a crash does. It is started again.
func (p *Process) Kill() error {
	p.mu.Lock()
	p.killed = p.pid != 0
	p.mu.Unlock()
	return p.signal(syscall.SIGKILL)
}

// Signal sends a signal to the running program.
func (p *Process) Signal(s syscall.Signal) error { return p.signal(s) }

func (p *Process) signal(s syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid == 0 {
		return nil
	}
	if err := syscall.Kill(p.pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("%s: %w", p.program.Name, err)
	}
	return nil
}

// Hold kills the program and keeps it from being started again until Resume.
func (p *Process) Hold() error {
	p.set(func() { p.held = true })
	return p.Kill()
}

// Resume lets a held program start again.
func (p *Process) Resume() { p.set(func() { p.held = false }) }

// Stop asks the program to end, waits for it, and does not start it again.
func (p *Process) Stop() {
	p.cancel()
	<-p.done
}

func (p *Process) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	close(p.changed)
	p.changed = make(chan struct{})
}

// keep runs the program again and again until ctx ends.
func (p *Process) keep(ctx context.Context) {
	defer close(p.done)
	const shortest, longest = 200 * time.Millisecond, 5 * time.Second
	pause := shortest
	for p.allowed(ctx) {
		began := time.Now()
		err := p.once(ctx)
		var killed bool
		p.set(func() {
			killed = p.killed
			if p.failed++; p.ready || killed {
				p.failed = 0
			}
			p.pid, p.ready, p.killed = 0, false, false
		})
		if ctx.Err() != nil {
			return
		}
		if killed || time.Since(began) > 10*longest {
			pause = shortest
		}
		p.report(fmt.Sprintf("%s ended (%v) and is started again", p.program.Name, err))
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, longest)
	}
}

// allowed waits while the process is held.
func (p *Process) allowed(ctx context.Context) bool {
	for {
		p.mu.Lock()
		held, changed := p.held, p.changed
		p.mu.Unlock()
		if !held || ctx.Err() != nil {
			return ctx.Err() == nil
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
}

// once runs the program until it ends; when ctx ends it is asked to.
func (p *Process) once(ctx context.Context) error {
	out, err := openLog(p.log)
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }()
	readyRead, readyWrite, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = readyRead.Close() }()
	cmd := exec.Command(p.program.Path, p.program.Args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = p.program.Env, out, out
	cmd.ExtraFiles = []*os.File{readyWrite}
	cmd.SysProcAttr = processAttributes()
	err = p.spawn.start(cmd)
	_ = readyWrite.Close()
	if err != nil {
		return err
	}
	p.set(func() { p.pid = cmd.Process.Pid })

	watch, stopWatching := context.WithCancel(ctx)
	defer stopWatching()
	go p.watchReady(watch, readyRead)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	_ = p.signal(syscall.SIGTERM)
	select {
	case err := <-ended:
		return err
	case <-time.After(p.program.StopWithin):
		p.report(p.program.Name + " does not end and is killed")
		_ = p.signal(syscall.SIGKILL)
		return <-ended
	}
}

func (p *Process) watchReady(ctx context.Context, pipe *os.File) {
	if p.program.Ready == nil {
		line, err := bufio.NewReader(pipe).ReadString('\n')
		if err == nil && ctx.Err() == nil {
			p.set(func() { p.ready, p.said = true, strings.TrimSpace(line) })
		}
		return
	}
	for ctx.Err() == nil {
		if p.program.Ready(ctx) == nil && ctx.Err() == nil {
			p.set(func() { p.ready = true })
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Ready is what a program that was started by this package calls once it can be used. say reaches [Process.Said].
// In a program that was started in another way it does nothing.
func Ready(say string) {
	if os.Getenv(readyEnv) == "" {
		return
	}
	pipe := os.NewFile(3, "ready")
	_, _ = fmt.Fprintln(pipe, say) // nobody listens when the parent is gone
	_ = pipe.Close()
}

const readyEnv = "DEVSTACK_READY"

// tail gives the last lines of a log.
func tail(path string) string {
	const most = 2000
	raw, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(raw[max(0, len(raw)-most):])
}

func openLog(path string) (*os.File, error) {
	const most = 20 << 20
	mode := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if info, err := os.Stat(path); err == nil && info.Size() > most {
		mode |= os.O_TRUNC
	}
	return os.OpenFile(path, mode, 0o600)
}
