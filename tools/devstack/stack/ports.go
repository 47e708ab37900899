package stack

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/guanxi-crm/guanxi/platform/freeport"
)

// Ports are where the parts listen, all on loopback.
type Ports struct {
	HTTP        int // the platform itself
	Postgres    int
	Kafka       int
	Temporal    int
	TemporalWeb int
	Issuer      int
	Traces      int
	// TemporalInternal are seven more that only Temporal uses between its services. None of them may be above 32767.
	TemporalInternal []int
}

const temporalInternal = 7

// DefaultPorts are those of development: the usual ones where a part has one.
func DefaultPorts() Ports {
	p := Ports{HTTP: 8080, Postgres: 15432, Kafka: 9092, Temporal: 7233, TemporalWeb: 8233, Issuer: 8180, Traces: 4318}
	for i := range temporalInternal {
		p.TemporalInternal = append(p.TemporalInternal, 17234+i)
	}
	return p
}

// FreePorts gives ports that nobody listens on and that no other stack, and no server of a test, has got. A part finds
// its port free again after a restart.
func FreePorts() (Ports, error) {
	free, err := freeport.Reserve(7 + temporalInternal)
	if err != nil {
		return Ports{}, err
	}
	return Ports{
		HTTP: free[0], Postgres: free[1], Kafka: free[2], Temporal: free[3],
		TemporalWeb: free[4], Issuer: free[5], Traces: free[6], TemporalInternal: free[7:],
	}, nil
}

// Check names every port that somebody listens on already. It is patient for a moment, since a stack that was killed
// may still be ending.
func (p Ports) Check() error {
	var err error
	for range 50 {
		if err = p.check(); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

func (p Ports) check() error {
	var errs []error
	check := func(flag string, port int) {
		if !free(port) {
			errs = append(errs, fmt.Errorf("port %d is in use; choose another one with --%s", port, flag))
		}
	}
	check("http-port", p.HTTP)
	check("postgres-port", p.Postgres)
	check("kafka-port", p.Kafka)
	check("temporal-port", p.Temporal)
	check("temporal-web-port", p.TemporalWeb)
	check("issuer-port", p.Issuer)
	check("traces-port", p.Traces)
	for _, port := range p.TemporalInternal {
		check("temporal-internal-ports", port)
	}
	return errors.Join(errs...)
}

func free(port int) bool {
	l, err := net.Listen("tcp", addr(port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

func addr(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
