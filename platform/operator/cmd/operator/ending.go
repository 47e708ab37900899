package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/guanxi-crm/guanxi/platform/operator/internal/controller"
)

// Of the time that a pod has after SIGTERM, reserve is kept for stopping. Where the operator's own namespace goes, what is left of its
// objects is let go in the first part of that.
const (
	reserve  = 15 * time.Second
	minGrace = reserve + lookMax
	lookMax  = 5 * time.Second // to see whether the namespace goes
	letGoMax = 5 * time.Second
	killed   = 2 * time.Second // before the grace ends, the program does
)

// ending is how the operator ends: at once, or after it has seen to the objects of its own namespace, where that goes.
type ending struct {
	leaving *controller.Leaving
	direct  client.Client // past the manager, and after it
	grace   time.Duration
	log     *slog.Logger
}

// manager is what runs the controllers.
type manager interface {
	Start(ctx context.Context) error
	Elected() <-chan struct{}
}

// work has the manager run until ctx ends, and on while the namespace of the operator goes: the controllers and the lease are needed
// for that. It ends earlier where the manager does, such as when the lease is lost.
func (e ending) work(ctx context.Context, mgr manager) error {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	stopped, managed := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(managed)
		stopped <- mgr.Start(running)
	}()
	select {
	case <-ctx.Done():
	case <-managed:
	}
	asked := time.Now()
	e.farewell(context.WithoutCancel(ctx), asked, mgr, managed)
	stop()
	select {
	case err := <-stopped:
		return err
	case <-time.After(time.Until(asked.Add(e.grace - killed))):
		return errors.New("the controllers do not stop within the grace of the pod")
	}
}

// farewell has no object of the operator's own namespace hang when that is deleted.
func (e ending) farewell(ctx context.Context, asked time.Time, mgr manager, managed <-chan struct{}) {
	looking, cancel := context.WithTimeout(ctx, lookMax)
	defer cancel()
	goes, err := e.leaving.Begin(looking, e.direct)
	if err != nil {
		e.log.Warn("objects of the operator's namespace may be left", "error", err.Error())
	}
	if !goes {
		return
	}
	e.log.Info("the namespace of the operator is being deleted: it sees to the objects there before it ends")
	settling, cancel := context.WithDeadline(ctx, asked.Add(e.grace-reserve))
	defer cancel()
	go func() {
		select {
		case <-managed: // nobody works on them any more
			cancel()
		case <-settling.Done():
		}
	}()
	e.leaving.Settle(settling, e.direct, func() bool {
		select {
		case <-mgr.Elected():
			return true
		default:
			return false
		}
	})
	letting, cancel := context.WithTimeout(ctx, letGoMax)
	defer cancel()
	if err := e.leaving.LetGo(letting, e.direct); err != nil {
		e.log.Error("objects of the operator's namespace keep their finalizers: take them off by hand", "error", err.Error())
		return
	}
	e.log.Info("no object of the operator's namespace waits for it")
}
