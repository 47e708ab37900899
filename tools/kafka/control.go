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
//	POST /brokers/{n}/kill   SIGKILL; 409 while another broker is down, since two of three are needed
//	POST /brokers/{n}/start  starts it and answers when it is ready; does nothing when it runs
func (c *cluster) serveControl() (url string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	var one sync.Mutex // one order at a time
	mux := http.NewServeMux()
	mux.HandleFunc("POST /brokers/{n}/kill", func(w http.ResponseWriter, r *http.Request) {
		one.Lock()
		defer one.Unlock()
		b, err := c.broker(r.PathValue("n"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		for _, other := range c.brokers {
			other.mu.Lock()
			running := other.running()
			other.mu.Unlock()
			if !running {
				http.Error(w, "broker "+strconv.Itoa(other.id)+" is down", http.StatusConflict)
				return
			}
		}
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
		if err = c.launch(b); err == nil {
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

func (c *cluster) broker(n string) (*broker, error) {
	i, err := strconv.Atoi(n)
	if err != nil || i < 0 || i >= len(c.brokers) {
		return nil, errors.New("there is no broker " + n)
	}
	return c.brokers[i], nil
}
