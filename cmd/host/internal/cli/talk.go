package cli

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/codec"
	"github.com/discv5/host/core"
	"github.com/spf13/cobra"
)

func newTalk() *cobra.Command {
	return asking(&cobra.Command{
		Use:   "talk ENR PROTOCOL HEX",
		Short: "Send a TALK request and print the response",
		Long: `Send a TALK request to a node and print the payload of the response as 0x and hex.

PROTOCOL is text, or 0x and hex for names that are not; HEX is the payload, with or without 0x. A node that does not speak the
protocol gives an empty response: that prints 0x and is no failure.`,
		Example: `  host talk enr:… echo 0x6869`,
		Args:    arguments(3, 3),
	}, func(c *client, args []string) error {
		peer, err := c.record(args[0])
		if err != nil {
			return err
		}
		protocol := args[1]
		if digits, ok := strings.CutPrefix(protocol, "0x"); ok {
			raw, err := hex.DecodeString(digits)
			if err != nil {
				return usage(c.cmd, hint.New(fmt.Sprintf("protocol %q is not hex", protocol), "after 0x come pairs of hex digits; without 0x the name is taken as text"))
			}
			protocol = string(raw)
		}
		payload, err := hex.DecodeString(strings.TrimPrefix(args[2], "0x"))
		if err != nil {
			return usage(c.cmd, hint.New(fmt.Sprintf("payload %q is not hex", args[2]), `write pairs of hex digits: 0x6869 is "hi", 0x is empty`))
		}
		if most := codec.MaxTalkRequest([]byte(protocol)); len(payload) > most {
			return usage(c.cmd, hint.New(fmt.Sprintf("the payload has %d bytes", len(payload)), fmt.Sprintf("%d bytes is the most for this protocol: name and payload travel in one packet", max(most, 0))))
		}
		return c.ask(peer, func(ctx context.Context, node *core.Node) error {
			response, err := node.Talk(ctx, peer, protocol, payload)
			if err != nil {
				return err
			}
			if len(response) == 0 {
				c.note("the response is empty: the node does not speak the protocol, or has nothing to say")
			}
			text := "0x" + hex.EncodeToString(response)
			if c.json {
				return printJSON(c.cmd.OutOrStdout(), map[string]string{"response": text})
			}
			_, err = fmt.Fprintln(c.cmd.OutOrStdout(), text)
			return err
		})
	})
}
