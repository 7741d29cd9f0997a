package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/sdk/fields"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/spf13/cobra"
)

// maxRecordInput bounds what is read from stdin: a record has at most 404 characters.
const maxRecordInput = 4 << 10

func newEnr() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "enr TEXT",
		Short: "Explain a node record, or change that of a running host",
		Long: `Explain a node record: who signed it, every field that is known from public networks decoded, the others as hex.

show, set and unset are about the fields of a running host's own record.

TEXT begins with enr:. A dash reads it from stdin. A record whose signature is not good is shown too; for it, and for a
text that is no record, the exit status is 1.`,
		Example: `  host enr enr:…
  host key show --json key | jq -r .enr | host enr -`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text := args[0]
			if text == "-" {
				data, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), maxRecordInput))
				if err != nil {
					return fmt.Errorf("read stdin: %w", err)
				}
				text = string(data)
			}
			in, err := fields.Inspect(strings.TrimSpace(text))
			if err != nil {
				advice := "a record is one word that begins with enr:, copied whole"
				if near := cmd.SuggestionsFor(text); len(near) > 0 && len(text) <= 8 {
					advice = fmt.Sprintf("did you mean %s %s?", cmd.CommandPath(), near[0])
				}
				return hint.Wrap(fmt.Errorf("not a node record: %w", err), advice)
			}
			if err := printRecord(cmd.OutOrStdout(), in, asJSON); err != nil {
				return err
			}
			if !in.Valid {
				return hint.Wrap(fmt.Errorf("this record is not valid: %w", in.Err), "do not use it; ask its owner for the current record")
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.SuggestionsMinimumDistance = 2
	cmd.AddCommand(newEnrShow(), newEnrSet(), newEnrUnset())
	return cmd
}

func printRecord(w io.Writer, in *fields.Inspection, asJSON bool) error {
	if asJSON {
		return printJSON(w, in)
	}
	signature := "valid"
	if !in.Valid {
		signature = "NOT VALID: " + in.Err.Error()
	}
	rows := []row{{"signature", signature}}
	if in.ID != (enode.ID{}) {
		rows = append(rows, row{"node id", in.ID.String()})
	}
	rows = append(rows, row{"seq", strconv.FormatUint(in.Seq, 10)}, row{"size", fmt.Sprintf("%d bytes", in.Size)}, row{"", ""})
	for _, f := range in.Fields {
		name, value, _ := strings.Cut(f.String(), ": ")
		rows = append(rows, row{name, value})
	}
	return printRows(w, rows)
}
