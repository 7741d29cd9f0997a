package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/discv5/host/cmd/host/internal/admin"
	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/sdk/fields"
	"github.com/spf13/cobra"
)

func newEnrShow() *cobra.Command {
	return operating(&cobra.Command{
		Use:   "show",
		Short: "Show the fields of a running host's record",
		Long: `Show the fields of a running host's record, who owns each, the bytes that each takes, and how many of the 300 bytes of a record are
left for others. With --json it is the document of host_fields.`,
		Args: arguments(0, 0),
	}, func(r *remote, _ []string) error {
		if r.json {
			var v admin.RecordView
			if err := r.call("host_fields", nil, &v); err != nil {
				return err
			}
			return printJSON(r.cmd.OutOrStdout(), v)
		}
		var v admin.NodeView
		if err := r.get("/v1/node", &v); err != nil {
			return err
		}
		if err := r.say("%s", v.ENR); err != nil {
			return err
		}
		return printFields(r, v.Record, v.ENR)
	})
}

// printFields shows what a record is made of; text is the record, for values that people can read.
func printFields(r *remote, v admin.RecordView, text string) error {
	values := make(map[string]string)
	if in, err := fields.Inspect(text); err == nil {
		for _, f := range in.Fields {
			values[f.Key] = f.Value
		}
	}
	s := newSheet("KEY", "OWNER", "BYTES", "VALUE")
	for _, f := range v.Fields {
		value, ok := values[f.Key]
		if !ok {
			value = f.Value
		}
		s.add(f.Key, f.Owner, strconv.Itoa(f.Size), value)
	}
	s.add("", "", strconv.Itoa(v.Fixed), "signature, sequence number and header")
	if err := s.print(r.cmd.OutOrStdout(), "no fields"); err != nil {
		return err
	}
	if v.Error != "" {
		if err := r.say("not saved: %s", v.Error); err != nil {
			return err
		}
	}
	return r.say("seq %d, %d of %d bytes, %d left", v.Seq, v.Size, v.Max, v.Left)
}

func newEnrSet() *cobra.Command {
	return operating(&cobra.Command{
		Use:   "set KEY=VALUE…",
		Short: "Set fields of a running host's record",
		Long: `Set fields of a running host's record, all or none, and show the record then. They stay until they are unset, also
over restarts of the host.

A VALUE of digits is a number, 0x and hex are bytes, rlp:0x and hex an encoding as it goes into the record, text: and whatever
follows that text; anything else is text. Fields of plugins and those that make up the identity and endpoint cannot be set.`,
		Example: `  host enr set tcp=30303 client=text:mine eth2=0xb5303f2a0600000000000000000000ff`,
		Args:    arguments(1, 100),
	}, func(r *remote, args []string) error {
		set := make(map[string]any)
		for _, a := range args {
			key, text, ok := strings.Cut(a, "=")
			if !ok || key == "" {
				return usage(r.cmd, hint.New(fmt.Sprintf("%q is not KEY=VALUE", a), "write like tcp=30303; host enr unset KEY removes a field"))
			}
			if _, twice := set[key]; twice {
				return usage(r.cmd, fmt.Errorf("%s is set twice", key))
			}
			set[key] = fieldValue(text)
		}
		return changeFields(r, "host_setFields", []any{set})
	})
}

// fieldValue is a value as host_setFields takes it.
func fieldValue(text string) any {
	if n, err := strconv.ParseUint(text, 10, 64); err == nil && n <= math.MaxUint64 {
		return n
	}
	if encoded, ok := strings.CutPrefix(text, "rlp:"); ok {
		return map[string]string{"rlp": encoded}
	}
	return strings.TrimPrefix(text, "text:")
}

func newEnrUnset() *cobra.Command {
	return operating(&cobra.Command{
		Use:     "unset KEY…",
		Short:   "Remove fields of a running host's record",
		Long:    `Remove fields of a running host's record that were set by the operator, all or none, and show the record then.`,
		Example: `  host enr unset tcp client`,
		Args:    arguments(1, 100),
	}, func(r *remote, args []string) error { return changeFields(r, "host_unsetFields", []any{args}) })
}

func changeFields(r *remote, method string, params []any) error {
	var v admin.RecordView
	if err := r.call(method, params, &v); err != nil {
		return err
	}
	return r.printed(v, func() error {
		var node admin.NodeView
		if err := r.get("/v1/node", &node); err != nil {
			return err
		}
		return printFields(r, v, node.ENR)
	})
}
