package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

func (t *tool) parkedCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "parked",
		Short: "Decide on events that a service could not apply",
		Long: `An event that a consumer cannot apply is parked, and later events of the same aggregate queue behind it; all others
go on. A parked event is released, once the fault is mended, or discarded with a reason.`,
	}
	c.AddCommand(t.parkedListCommand(), t.parkedShowCommand(), t.parkedReleaseCommand(), t.parkedDiscardCommand())
	return c
}

func (t *tool) parkedListCommand() *cobra.Command {
	var consumer, state string
	c := &cobra.Command{
		Use:   "list [SERVICE...]",
		Short: "List parked events of the services, the oldest first",
		RunE: func(cmd *cobra.Command, services []string) error {
			api, err := t.client()
			if err != nil {
				return err
			}
			if len(services) == 0 {
				services = client.Services()
			}
			type item struct {
				Service string `json:"service"`
				client.Parked
			}
			all := []item{}
			for _, service := range services {
				list, err := api.ListParked(cmd.Context(), service, consumer, state)
				if err != nil {
					return fmt.Errorf("%s: %w", service, err)
				}
				for _, p := range list {
					all = append(all, item{service, p})
				}
			}
			return t.print(cmd, all, func(p *table) {
				p.row("SERVICE", "ID", "CONSUMER", "TENANT", "EVENT", "AGGREGATE", "WAITING", "SINCE", "ERROR")
				for _, i := range all {
					p.row(i.Service, i.ID, i.Consumer, i.Tenant, shortType(i.EventType), aggregate(i.Parked), i.QueueLength,
						i.ParkedAt.Format(time.RFC3339), i.Code+": "+i.Error)
				}
			})
		},
	}
	c.Flags().StringVar(&consumer, "consumer", "", "only this consumer's")
	c.Flags().StringVar(&state, "state", "parked", "parked, or queued behind one that is")
	return c
}

func (t *tool) parkedShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show SERVICE ID", Short: "Show a parked event whole", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := t.client()
			if err != nil {
				return err
			}
			e, err := api.GetParked(cmd.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			return t.print(cmd, e, func(p *table) { drawParked(p, e) })
		},
	}
}

func drawParked(p *table, e client.Parked) {
	p.row("id", e.ID)
	p.row("consumer", e.Consumer)
	p.row("state", fmt.Sprintf("%s after %d tries, since %s", e.State, e.Tries, e.ParkedAt.Format(time.RFC3339)))
	p.row("error", e.Code+": "+e.Error)
	p.row("tenant", e.Tenant)
	p.row("event", e.EventType+" "+e.EventID)
	p.row("aggregate", aggregate(e))
	p.row("waiting behind", e.QueueLength)
	p.row("place", fmt.Sprintf("%s[%d]@%d", e.Topic, e.Partition, e.Offset))
	slices.SortFunc(e.Headers, func(a, b client.ParkedHeader) int { return strings.Compare(a.Key, b.Key) })
	for _, h := range e.Headers {
		p.row("header "+h.Key, h.Value)
	}
	p.row("payload", e.Payload)
}

func (t *tool) parkedReleaseCommand() *cobra.Command {
	return &cobra.Command{
		Use: "release SERVICE ID", Short: "Have a parked event tried again, and after it what waits behind it, in order",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := t.client()
			if err != nil {
				return err
			}
			if err := api.ReleaseParked(cmd.Context(), args[0], args[1]); err != nil {
				return err
			}
			return t.print(cmd, map[string]string{"id": args[1], "state": "releasing"}, func(p *table) {
				p.line("It is tried again now. If it fails, it is back in `parked list` with the new error.")
			})
		},
	}
}

func (t *tool) parkedDiscardCommand() *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use: "discard SERVICE ID", Short: "Drop a parked event for good; what waits behind it takes its turn",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason == "" {
				return errors.New("--reason is needed: it is kept with the event")
			}
			api, err := t.client()
			if err != nil {
				return err
			}
			if err := api.DiscardParked(cmd.Context(), args[0], args[1], reason); err != nil {
				return err
			}
			return t.print(cmd, map[string]string{"id": args[1], "state": "discarded"}, func(p *table) { p.line("Discarded.") })
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why; kept, no personal data")
	return c
}

func shortType(full string) string { return full[strings.LastIndexByte(full, '.')+1:] }

func aggregate(p client.Parked) string {
	if p.AggregateID == "" {
		return fmt.Sprintf("(not decoded) %s[%d]@%d", p.Topic, p.Partition, p.Offset)
	}
	return fmt.Sprintf("%s/%s #%d", p.Aggregate, p.AggregateID, p.Sequence)
}
