package cli

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/discv5/host/cmd/host/internal/admin"
	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/cmd/host/internal/subject"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/spf13/cobra"
)

func newBan() *cobra.Command {
	return group(&cobra.Command{
		Use:   "ban",
		Short: "Keep nodes away from a running host",
		Long: `Keep nodes away from a running host: packets of a banned node or address are dropped, and it leaves the table. Bans outlive the
host when it has a store.`,
		Example: `  host ban add 192.0.2.0/24 24h "floods us"
  host ban list
  host ban remove 192.0.2.0/24`,
	}, newBanAdd(), newBanList(), newBanRemove())
}

func newBanAdd() *cobra.Command {
	return operating(&cobra.Command{
		SuggestFor: []string{"set", "new", "ban"},

		Use:   "add SUBJECT DURATION [REASON]",
		Short: "Ban a node or addresses for a time",
		Long: `Ban a node, by its id or a record, or addresses, one or a range like 192.0.2.0/24, for a time like 90m, 24h or, in seconds, 3600. A
ban of the same subject is replaced.`,
		Example: `  host ban add 2001:db8::/32 1h30m`,
		Args:    arguments(2, 3),
	}, func(r *remote, args []string) error {
		length := args[1]
		if strings.Trim(length, "0123456789.") == "" {
			length += "s"
		}
		if d, err := time.ParseDuration(length); err != nil {
			return usage(r.cmd, hint.New(fmt.Sprintf("%q is not a duration", args[1]), banAdvice))
		} else if d <= 0 {
			return usage(r.cmd, hint.New(fmt.Sprintf("a ban of %s leaves no time", args[1]), banAdvice+"; host ban remove ends a ban"))
		}
		params := []any{args[0], length}
		for _, reason := range args[2:] {
			params = append(params, reason)
		}
		var v admin.BanView
		if err := r.call("host_banAdd", params, &v); err != nil {
			return err
		}
		return r.printed(v, func() error { return r.say("banned %s until %s", subjectOf(v), v.Until.Local().Format(time.DateTime)) })
	})
}

// banAdvice says how to write the duration of a ban.
const banAdvice = "write a number with a unit, like 90m or 24h, or seconds"

// subjectOf is whom a ban is for, as host ban remove takes it.
func subjectOf(b admin.BanView) string {
	who := subject.Subject{Prefix: b.Prefix}
	if id, err := enode.ParseID(b.NodeID); err == nil {
		who.ID = id
	}
	return who.String()
}

const bansPage = 1000

func newBanList() *cobra.Command {
	return operating(&cobra.Command{
		Use:   "list",
		Short: "List the bans, in the order of their end",
		Args:  arguments(0, 0),
	}, func(r *remote, _ []string) error {
		v := admin.BansView{Bans: []admin.BanView{}}
		for next := ""; ; next = v.Next {
			var page admin.BansView
			query := url.Values{"limit": {strconv.Itoa(bansPage)}, "after": {next}}
			if err := r.get("/v1/bans?"+query.Encode(), &page); err != nil {
				return err
			}
			if v.Bans, v.Next = append(v.Bans, page.Bans...), page.Next; v.Next == "" {
				break
			}
		}
		return r.printed(v, func() error {
			s := newSheet("SUBJECT", "LEFT", "UNTIL", "REASON")
			for _, b := range v.Bans {
				left, until := "-", "as configured"
				if !b.Until.IsZero() {
					left, until = span(time.Until(b.Until)), b.Until.Local().Format(time.DateTime)
				}
				s.add(subjectOf(b), left, until, dash(b.Reason))
			}
			return s.print(r.cmd.OutOrStdout(), "no bans")
		})
	})
}

func newBanRemove() *cobra.Command {
	return operating(&cobra.Command{
		SuggestFor: []string{"rm", "delete", "del", "end", "unban"},

		Use:   "remove SUBJECT",
		Short: "End a ban",
		Long:  `End a ban. SUBJECT is as host ban list shows it; an address within a banned range is not enough. The exit status is 1 when there is no such ban.`,
		Args:  arguments(1, 1),
	}, func(r *remote, args []string) error {
		who := args[0]
		if s, err := subject.Parse(who); err == nil { // what is wrong with it the host says
			who = s.String()
		}
		var there bool
		if err := r.call("host_banRemove", []any{args[0]}, &there); err != nil {
			return err
		}
		if !there {
			if r.json {
				if err := printJSON(r.cmd.OutOrStdout(), there); err != nil {
					return err
				}
			}
			return hint.New("there is no ban of "+who, "host ban list shows the bans")
		}
		return r.printed(there, func() error { return r.say("%s is not banned any more", who) })
	})
}
