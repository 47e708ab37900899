package badinput

import (
	"bytes"
	"net/http"
	"sync"
	"testing"

	"github.com/google/uuid"
)

// replays holds a POST to what it promises about Idempotency-Key.
func (target Target) replays(t *testing.T) {
	t.Helper()
	first := target.Body
	if target.Fresh != nil {
		first = target.Fresh()
	}
	send := func(t *testing.T, key, body string) (int, http.Header, []byte) {
		t.Helper()
		return target.send(t, func(r *http.Request) {
			r.Header.Set("Idempotency-Key", key)
			if body != "" {
				setBody(r, body)
			}
		})
	}
	t.Run("the same key and body give the first answer again", func(t *testing.T) {
		key := uuid.NewString()
		status, _, answer := send(t, key, first)
		if status < 200 || status > 299 {
			t.Fatalf("the first use got %d: %s", status, answer)
		}
		for range 2 {
			again, header, repeated := send(t, key, first)
			if again != status || !bytes.Equal(answer, repeated) {
				t.Fatalf("first %d %s, then %d %s", status, answer, again, repeated)
			}
			if header.Get("Idempotent-Replay") != "true" {
				t.Fatal("the repetition is not marked by Idempotent-Replay")
			}
		}
		if target.OtherBody != "" {
			status, header, body := send(t, key, target.OtherBody)
			refused(t, status, header, body, Case{Status: http.StatusUnprocessableEntity, Code: "idempotency_key_reused"})
		}
	})
	t.Run("a key used by many at once has one effect", func(t *testing.T) { target.race(t, send) })
	if target.Hold != nil {
		t.Run("a key in flight is refused at once", func(t *testing.T) {
			key, body := uuid.NewString(), target.Body
			if target.Fresh != nil {
				body = target.Fresh()
			}
			release := target.Hold(t, key)
			status, header, answer := send(t, key, body)
			release()
			refused(t, status, header, answer, Case{Status: http.StatusConflict, Code: "idempotency_key_in_flight"})
			if status, _, answer := send(t, key, body); status < 200 || status > 299 {
				t.Fatalf("after it was released: %d %s", status, answer)
			}
		})
	}
}

// race sends one key from many callers: one first answer, and the others replay it or are told to wait.
func (target Target) race(t *testing.T, send func(*testing.T, string, string) (int, http.Header, []byte)) {
	t.Helper()
	key, body := uuid.NewString(), target.Body
	if target.Fresh != nil {
		body = target.Fresh()
	}
	var (
		wait    sync.WaitGroup
		mu      sync.Mutex
		firsts  int
		answers = map[string]int{}
	)
	for range 8 {
		wait.Go(func() {
			status, header, answer := send(t, key, body)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case status == http.StatusConflict:
			case status >= 200 && status <= 299:
				answers[string(answer)]++
				if header.Get("Idempotent-Replay") == "" {
					firsts++
				}
			default:
				t.Errorf("got %d: %s", status, answer)
			}
		})
	}
	wait.Wait()
	if firsts != 1 || len(answers) != 1 {
		t.Fatalf("%d first answers, %d different ones", firsts, len(answers))
	}
}
