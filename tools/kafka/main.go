// Command kafka runs Apache Kafka for tests: some KRaft brokers on the loopback, with a class path from Maven Central.
//
//	go run ./tools/kafka run [--brokers 3] [--dir D] -- go test ./platform/bus/...
//
// The command finds the brokers in GUANXI_TEST_KAFKA and, in GUANXI_TEST_KAFKA_CTL, a URL to kill and start them. Its exit
// code becomes this one's. Without a command the brokers run until they are interrupted. It needs Java 17 and Maven.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// The environment of the command; package bustest reads the same names.
const (
	envBrokers = "GUANXI_TEST_KAFKA"
	envControl = "GUANXI_TEST_KAFKA_CTL"
)

func main() {
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "kafka:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func run(args []string) (code int, err error) {
	flags := flag.NewFlagSet("kafka run", flag.ContinueOnError)
	brokers := flags.Int("brokers", 3, "how many brokers; each is a controller as well")
	dir := flags.String("dir", "", "where they keep their state and logs; a temporary folder when empty")
	if len(args) == 0 || args[0] != "run" {
		return 2, errors.New("use: kafka run [--brokers 3] [--dir D] [-- COMMAND...]")
	}
	if err := flags.Parse(args[1:]); err != nil {
		return 2, err
	}
	if *brokers < 1 {
		return 2, errors.New("at least one broker is needed")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *dir == "" {
		if *dir, err = os.MkdirTemp("", "guanxi-kafka-"); err != nil {
			return 1, err
		}
		defer func() {
			if err == nil && code == 0 {
				_ = os.RemoveAll(*dir) // nothing depends on it
			} else {
				fmt.Fprintln(os.Stderr, "kafka: state and logs are kept in", *dir)
			}
		}()
	}
	begin := time.Now()
	jars, err := classPath(ctx)
	if err != nil {
		return 1, err
	}
	c, err := newCluster(*dir, jars, *brokers)
	if err != nil {
		return 1, err
	}
	defer c.stop()
	if err := c.start(ctx); err != nil {
		return 1, err
	}
	url, err := c.serveControl()
	if err != nil {
		return 1, err
	}
	fmt.Fprintf(os.Stderr, "kafka: %d brokers are ready after %s\nexport %s=%s %s=%s\n", *brokers,
		time.Since(begin).Round(100*time.Millisecond), envBrokers, strings.Join(c.addrs(), ","), envControl, url)
	if flags.NArg() == 0 {
		<-ctx.Done()
		return 0, nil
	}
	return command(ctx, flags.Args(), append(os.Environ(), envBrokers+"="+strings.Join(c.addrs(), ","), envControl+"="+url))
}

// command runs the command to its end; when this program is told to stop, the command is, too.
func command(ctx context.Context, args, env []string) (code int, err error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), nil
	}
	return 0, err
}
