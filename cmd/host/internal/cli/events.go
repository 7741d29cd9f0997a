package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/discv5/host/cmd/host/internal/admin"
	"github.com/discv5/host/cmd/host/internal/subject"
	"github.com/spf13/cobra"
)

// comeBack is the pause before another attempt to read events of a host that went away.
const comeBack = 2 * time.Second

func newEvents() *cobra.Command {
	var (
		types []string
		after string
	)
	cmd := operating(&cobra.Command{
		Use:   "events",
		Short: "Show what happens in a running host",
		Long: `Show what happens in a running host, one line an event, until it is interrupted. When the connection is lost, as by a restart of the
host, it goes on where it was as soon as the host is back; a line tells of events that are missing.

With --json each line is an event as JSON. Its id says where to go on with --after. The host keeps the last ` + strconv.Itoa(admin.KeptEvents) + ` events.

The types are ` + strings.Join(admin.EventTypes(), ", ") + `. The last one tells of events that are missing and is shown whatever the types are.`,
		Example: `  host events --types node_added,node_removed
  host events --after 0
  host events --json | jq .type`,
		Args: arguments(0, 0),
	}, func(r *remote, _ []string) error {
		for connected := false; ; {
			var err error
			after, err = r.client.Events(r.cmd.Context(), after, types, func(_ string, e admin.Event) error { return r.event(e) })
			if r.cmd.Context().Err() != nil {
				return nil
			}
			lost := !errors.Is(err, admin.ErrUnreachable)
			if _, refused := errors.AsType[*admin.Error](err); refused || !lost && !connected {
				return err
			}
			if lost {
				connected = true
				fmt.Fprintln(r.cmd.ErrOrStderr(), "note: the connection is lost; waiting for the host")
			}
			select {
			case <-time.After(comeBack):
			case <-r.cmd.Context().Done():
				return nil
			}
		}
	})
	fs := cmd.Flags()
	fs.StringSliceVar(&types, "types", nil, "only these `types`, with commas between")
	_ = cmd.RegisterFlagCompletionFunc("types", cobra.FixedCompletions(admin.EventTypes(), cobra.ShellCompDirectiveNoFileComp)) // it is there
	fs.StringVar(&after, "after", "", "begin behind the event with this `id`; 0 shows all that the host keeps (default: now)")
	return cmd
}

// event prints an event.
func (r *remote) event(e admin.Event) error {
	if r.json {
		return printLine(r.cmd.OutOrStdout(), e)
	}
	var parts []string
	add := func(text string) {
		if text != "" {
			parts = append(parts, text)
		}
	}
	if e.Type == admin.EventsLost {
		if add("some events are missing: they happened in another run of the host, or too long ago"); e.Lost > 0 {
			parts[0] = count(e.Lost, "event") + " missing"
		}
	} else if e.Lost > 0 {
		add("(" + count(e.Lost, "event") + " missing before this one)")
	}
	add(e.Plugin)
	if e.From != "" {
		add(e.From + " to " + e.To)
	} else {
		add(e.To)
	}
	add(peopleID(e.NodeID))
	if e.Addr.IsValid() {
		add(e.Addr.String())
	}
	if e.Prefix.IsValid() {
		add(subject.Subject{Prefix: e.Prefix}.String())
	}
	add(e.Detail)
	return r.say("%s  %-20s  %s", e.Time.Local().Format("2006-01-02 15:04:05.000"), e.Type, strings.Join(parts, "  "))
}
