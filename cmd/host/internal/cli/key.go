package cli

import (
	"crypto/ecdsa"
	"encoding/hex"
	"fmt"

	"github.com/discv5/host/cmd/host/internal/keyfile"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/spf13/cobra"
)

func newKey() *cobra.Command {
	return group(&cobra.Command{Use: "key", Short: "Make and show private keys"}, newKeyNew(), newKeyShow())
}

func newKeyNew() *cobra.Command {
	return &cobra.Command{
		Use:   "new [FILE]",
		Short: "Make a private key",
		Long: `Make a private key and store it in FILE, which only its owner can read. FILE is never overwritten.

Without FILE the key itself is printed, for a secret store. Then stderr tells the node id.`,
		Example: `  host key new ./data/key`,
		Args:    arguments(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				key, err := crypto.GenerateKey()
				if err != nil {
					return fmt.Errorf("make a key: %w", err)
				}
				fmt.Fprintln(cmd.ErrOrStderr(), "node id", enode.PubkeyToIDV4(&key.PublicKey))
				_, err = cmd.OutOrStdout().Write(keyfile.Format(key))
				return err
			}
			key, err := keyfile.Create(args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), enode.PubkeyToIDV4(&key.PublicKey))
			return err
		},
	}
}

type keyInfo struct {
	NodeID    string `json:"nodeId"`
	PublicKey string `json:"publicKey"` // compressed, 0x and hex
	ENR       string `json:"enr"`
}

func newKeyShow() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "show FILE",
		Aliases: []string{"inspect"},
		Short:   "Show the identity of a key: node id, public key and a record without address",
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := keyfile.Load(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			info, err := identity(key)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), info)
			}
			return printRows(cmd.OutOrStdout(), []row{{"id", peopleID(info.NodeID)}, {"public key", peopleID(info.PublicKey)}, {"enr", info.ENR}})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// identity is what a key says without a running node. The record has sequence number 1, so that every record of a host
// replaces it.
func identity(key *ecdsa.PrivateKey) (keyInfo, error) {
	var r enr.Record
	r.SetSeq(1)
	if err := enode.SignV4(&r, key); err != nil {
		return keyInfo{}, fmt.Errorf("sign a record: %w", err)
	}
	n, err := enode.New(enode.ValidSchemes, &r)
	if err != nil {
		return keyInfo{}, fmt.Errorf("sign a record: %w", err)
	}
	return keyInfo{NodeID: programID(n.ID()), PublicKey: "0x" + hex.EncodeToString(crypto.CompressPubkey(&key.PublicKey)), ENR: n.String()}, nil
}
