package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

// serveControl listens on the loopback for tests that break things, and gives its URL:
//
//	POST /brokers/{n}/kill?by={name}  SIGKILL; 409 while somebody else has a broker down, since two of three are needed
//	POST /brokers/{n}/start           starts it, unless it runs; once all run, answers when all are in sync
func (c *cluster) serveControl() (url string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	var one sync.Mutex // one order at a time
	var breaker string // who has brokers down
	mux := http.NewServeMux()
	mux.HandleFunc("POST /brokers/{n}/kill", func(w http.ResponseWriter, r *http.Request) {
		one.Lock()
		defer one.Unlock()
		b, err := c.broker(r.PathValue("n"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		by := r.URL.Query().Get("by")
		if !c.whole() && by != breaker {
			http.Error(w, "somebody else has a broker down", http.StatusConflict)
			return
		}
		breaker = by
		b.end(os.Kill, time.Second)
	})
	mux.HandleFunc("POST /brokers/{n}/start", func(w http.ResponseWriter, r *http.Request) {
		one.Lock()
		defer one.Unlock()
		b, err := c.broker(r.PathValue("n"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		if err = c.launch(b); err == nil && c.whole() {
			err = c.await(context.WithoutCancel(r.Context()), b)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusOK)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(l) }() // ends with the process
	return "http://" + l.Addr().String(), nil
}

// whole tells whether all brokers run.
func (c *cluster) whole() bool {
	for _, b := range c.brokers {
		b.mu.Lock()
		running := b.running()
		b.mu.Unlock()
		if !running {
			return false
		}
	}
	return true
}

func (c *cluster) broker(n string) (*broker, error) {
	i, err := strconv.Atoi(n)
	if err != nil || i < 0 || i >= len(c.brokers) {
		return nil, errors.New("there is no broker " + n)
	}
	return c.brokers[i], nil
}
