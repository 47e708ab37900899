package main

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

func (t *tool) accountsCommand() *cobra.Command {
	return t.projectionCommand("accounts", "customers' timelines")
}

func (t *tool) analyticsCommand() *cobra.Command {
	return t.projectionCommand("analytics", "the facts of analytics")
}

// projectionCommand looks after the projection of a service.
func (t *tool) projectionCommand(service, projection string) *cobra.Command {
	c := &cobra.Command{Use: service, Short: "Look after " + projection}
	c.AddCommand(&cobra.Command{
		Use:   "rebuild",
		Short: "Fill " + projection + " anew from the topics and compare with what is in use",
		Long: `Rebuild fills the projection beside the one in use, which goes on, puts it in its place and shows a hash of both: they
are equal unless events were parked. It needs an administrator of the platform, since a projection holds all tenants.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := t.client()
			if err != nil {
				return err
			}
			return t.rebuild(cmd, api, service)
		},
	})
	return c
}

func (t *tool) rebuild(cmd *cobra.Command, api *client.Client, service string) error {
	job, err := api.StartRebuild(cmd.Context(), service)
	if err != nil {
		return err
	}
	cmd.PrintErrf("rebuild %s is %s\n", job.ID, job.State)
	last := ""
	job, err = api.WaitRebuild(cmd.Context(), service, job.ID, func(now client.Rebuild) {
		if line := fmt.Sprintf("%s: %d of %d events", cmp.Or(now.Phase, now.State), now.Events, now.Total); line != last {
			last = line
			cmd.PrintErrln(line)
		}
	})
	if err != nil {
		return err
	}
	err = t.print(cmd, job, func(p *table) {
		p.row("REBUILD", "STATE", "EVENTS", "SECONDS", "EQUAL")
		if job.Result == nil {
			p.row(job.ID, job.State, job.Events, "", "")
			return
		}
		p.row(job.ID, job.State, job.Result.Events, fmt.Sprintf("%.1f", job.Result.Seconds), job.Result.Equal)
		p.line("before   " + job.Result.HashLive)
		p.line("rebuilt  " + job.Result.HashRebuilt)
	})
	switch {
	case err != nil:
		return err
	case job.State == "failed":
		return fmt.Errorf("rebuild %s failed: %s", job.ID, job.Error)
	case job.Result != nil && !job.Result.Equal && job.Result.ParkedLive == job.Result.Parked:
		return errors.New("the rebuilt projection differs from the one that was in use")
	}
	return nil
}
