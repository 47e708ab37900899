package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgproto3"
)

// statement is one statement as it went over the line.
type statement struct {
	sql     string
	params  [][]byte // nil: NULL
	formats []int16  // of each: 0 text, 1 binary
}

// trip is what a client sent before it waited for an answer.
type trip []statement

// tap stands between a program and PostgreSQL and writes down what the program sends as one role.
type tap struct {
	listener net.Listener
	server   string
	role     string

	mu       sync.Mutex
	settings map[string]string // that the role's connections begin with
	trips    []trip
}

func newTap(server, role string) (*tap, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &tap{listener: l, server: server, role: role}
	go t.accept()
	return t, nil
}

func (t *tap) addr() string { return t.listener.Addr().String() }

func (t *tap) close() { _ = t.listener.Close() }

// take gives what was written down since the last call.
func (t *tap) take() []trip {
	t.mu.Lock()
	defer t.mu.Unlock()
	taken := t.trips
	t.trips = nil
	return taken
}

func (t *tap) accept() {
	for {
		client, err := t.listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = client.Close() }()
			server, err := net.Dial("tcp", t.server)
			if err != nil {
				return
			}
			defer func() { _ = server.Close() }()
			go func() {
				_, _ = io.Copy(client, server)
				_ = client.Close()
			}()
			_ = t.listen(bufio.NewReader(client), server)
		}()
	}
}

// listen hands on what one client says, message by message.
func (t *tap) listen(client *bufio.Reader, server io.Writer) error {
	role, err := t.startup(client, server)
	if err != nil {
		return err
	}
	prepared := make(map[string]string)
	var now trip
	for {
		var head [5]byte
		if _, err := io.ReadFull(client, head[:]); err != nil {
			return err
		}
		body := make([]byte, int(binary.BigEndian.Uint32(head[1:]))-4)
		if _, err := io.ReadFull(client, body); err != nil {
			return err
		}
		if role == t.role {
			if now, err = t.note(head[0], body, prepared, now); err != nil {
				return err
			}
		}
		if _, err := server.Write(append(head[:], body...)); err != nil {
			return err
		}
	}
}

// startup hands on the first message and gives the role that it names.
func (t *tap) startup(client *bufio.Reader, server io.Writer) (role string, err error) {
	size, err := client.Peek(4)
	if err != nil {
		return "", err
	}
	raw := make([]byte, binary.BigEndian.Uint32(size))
	if _, err := io.ReadFull(client, raw); err != nil {
		return "", err
	}
	var m pgproto3.StartupMessage
	if err := m.Decode(raw[4:]); err == nil && m.Parameters["user"] == t.role {
		t.mu.Lock()
		t.settings = m.Parameters
		t.mu.Unlock()
	}
	_, err = server.Write(raw)
	return m.Parameters["user"], err
}

// note writes one message down. now is what has been sent since the last answer was waited for.
func (t *tap) note(kind byte, body []byte, prepared map[string]string, now trip) (trip, error) {
	switch kind {
	case 'P':
		var m pgproto3.Parse
		if err := m.Decode(body); err != nil {
			return now, err
		}
		prepared[m.Name] = m.Query
	case 'B':
		var m pgproto3.Bind
		if err := m.Decode(body); err != nil {
			return now, err
		}
		s := statement{sql: prepared[m.PreparedStatement], formats: make([]int16, len(m.Parameters))}
		for i, p := range m.Parameters {
			if p != nil {
				p = bytes.Clone(p)
			}
			s.params = append(s.params, p)
			switch len(m.ParameterFormatCodes) {
			case 0:
			case 1:
				s.formats[i] = m.ParameterFormatCodes[0]
			default:
				s.formats[i] = m.ParameterFormatCodes[i]
			}
		}
		now = append(now, s)
	case 'Q':
		t.keep(append(now, statement{sql: strings.TrimRight(string(body), "\x00")}))
		return nil, nil
	case 'S':
		t.keep(now)
		return nil, nil
	}
	return now, nil
}

func (t *tap) keep(done trip) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.trips = append(t.trips, done)
}

// sameShape tells how two commands differ in what they sent, apart from values.
func sameShape(a, b []trip) error {
	if len(a) != len(b) {
		return fmt.Errorf("one request took %d round trips and the next %d", len(a), len(b))
	}
	for i := range a {
		if len(a[i]) != len(b[i]) {
			return fmt.Errorf("round trip %d had %d statements and then %d", i+1, len(a[i]), len(b[i]))
		}
		for k := range a[i] {
			if a[i][k].sql != b[i][k].sql || len(a[i][k].params) != len(b[i][k].params) {
				return errors.New("two requests sent different statements: " + a[i][k].sql + " and " + b[i][k].sql)
			}
		}
	}
	return nil
}
