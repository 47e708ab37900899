package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// finding is one line of the doctor's report.
type finding struct {
	Part   string `json:"part"`
	State  string `json:"state"` // ok, warning or failed
	Detail string `json:"detail"`
}

const (
	stateOK      = "ok"
	stateWarning = "warning"
	stateFailed  = "failed"
	// slowOutbox is when events that wait to be sent are worth a look.
	slowOutbox = 10.0 // seconds
)

func (t *tool) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Tell whether every part is reachable and migrated, and what lags, waits or is parked",
		Long: `Doctor asks the API whether it is ready, each service how it and what it stands on are doing, and Kafka directly.
It ends with exit code 1 when something failed; lag, backlog and parked events are warnings.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := t.client()
			if err != nil {
				return err
			}
			findings := t.examine(cmd.Context(), api)
			err = t.print(cmd, findings, func(p *table) {
				p.row("PART", "STATE", "DETAIL")
				for _, f := range findings {
					p.row(f.Part, f.State, f.Detail)
				}
			})
			for _, f := range findings {
				if f.State == stateFailed && err == nil {
					err = errors.New("not all is well")
				}
			}
			return err
		},
	}
}

func (t *tool) examine(ctx context.Context, api *client.Client) []finding {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	findings := []finding{check("api", t.server, api.Ready(ctx)), check("kafka", strings.Join(t.kafka, ", "), t.pingKafka(ctx))}
	for _, service := range client.Services() {
		status, err := api.GetStatus(ctx, service)
		if err != nil {
			findings = append(findings, check(service, "", err))
			continue
		}
		findings = append(findings, judge(status)...)
	}
	return findings
}

func (t *tool) pingKafka(ctx context.Context) error {
	kafka, err := t.bus()
	if err != nil {
		return err
	}
	defer kafka.Close()
	return kafka.Ping(ctx)
}

func check(part, detail string, err error) finding {
	if err != nil {
		return finding{part, stateFailed, err.Error()}
	}
	return finding{part, stateOK, detail}
}

// judge says what a service's answer means.
func judge(s client.Status) []finding {
	said := func(part, answer string) finding {
		if answer == client.OK {
			return finding{s.Service + " " + part, stateOK, ""}
		}
		return finding{s.Service + " " + part, stateFailed, answer}
	}
	findings := []finding{said("database", s.Database)}
	if s.Database != client.OK {
		return findings // what follows was not asked
	}
	findings = append(findings, said("kafka", s.Kafka), said("temporal", s.Temporal))
	outbox := finding{s.Service + " outbox", stateOK, fmt.Sprintf("%d events wait to be sent", s.OutboxBacklog)}
	if s.OutboxOldestSeconds > slowOutbox {
		outbox.State = stateWarning
		outbox.Detail += fmt.Sprintf(", the oldest for %.0f s", s.OutboxOldestSeconds)
	}
	if s.OutboxParked > 0 {
		outbox.State = stateWarning
		outbox.Detail += fmt.Sprintf(", %d refused by Kafka for good: see the runbook of the outbox", s.OutboxParked)
	}
	findings = append(findings, outbox)
	if s.ProcessesWaiting > 0 {
		findings = append(findings, finding{s.Service + " processes", stateWarning,
			fmt.Sprintf("%d wait to be started: does a process with workers run?", s.ProcessesWaiting)})
	}
	for _, c := range s.Consumers {
		f := finding{s.Service + " consumer " + c.Name, stateOK, fmt.Sprintf("%d events behind", c.Lag)}
		if c.Lag < 0 {
			f.State, f.Detail = stateWarning, "lag is not known"
		}
		if c.Lag > 0 {
			f.State = stateWarning
		}
		if c.Parked > 0 {
			f.State = stateWarning
			f.Detail += fmt.Sprintf(", %d events parked or waiting behind one: guanxictl parked list %s", c.Parked, s.Service)
		}
		findings = append(findings, f)
	}
	return findings
}
