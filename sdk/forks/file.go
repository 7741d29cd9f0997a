package forks

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclparse"
)

// Bounds of a file of schedules.
const (
	maxFile     = 1 << 20 // bytes
	maxNetworks = 256
	maxForks    = 512 // of one layer
)

// A file of schedules: what networks.hcl shows.
type fileBody struct {
	Networks []networkBlock `hcl:"network,block"`
}

type networkBlock struct {
	Name      string          `hcl:"name,label"`
	Execution *executionBlock `hcl:"execution,block"`
	Consensus *consensusBlock `hcl:"consensus,block"`
	Range     hcl.Range       `hcl:",def_range"`
}

type executionBlock struct {
	GenesisHash string          `hcl:"genesis_hash"`
	Forks       []executionFork `hcl:"fork,block"`
	Range       hcl.Range       `hcl:",def_range"`
}

type executionFork struct {
	Name  string    `hcl:"name,label"`
	Block *uint64   `hcl:"block"`
	Time  *uint64   `hcl:"time"`
	Hash  *string   `hcl:"hash"` // FORK_HASH after it, to check
	Range hcl.Range `hcl:",def_range"`
}

type consensusBlock struct {
	GenesisTime    uint64          `hcl:"genesis_time"`
	ValidatorsRoot *string         `hcl:"genesis_validators_root"`
	SecondsPerSlot *uint64         `hcl:"seconds_per_slot"`
	SlotsPerEpoch  *uint64         `hcl:"slots_per_epoch"`
	Forks          []consensusFork `hcl:"fork,block"`
	Blobs          []blobsBlock    `hcl:"blobs,block"`
	Range          hcl.Range       `hcl:",def_range"`
}

type consensusFork struct {
	Name     string    `hcl:"name,label"`
	Epoch    uint64    `hcl:"epoch"`
	Version  string    `hcl:"version"`
	MaxBlobs *uint64   `hcl:"max_blobs"`
	Digest   *string   `hcl:"digest"` // to check, or in place of genesis_validators_root
	Range    hcl.Range `hcl:",def_range"`
}

type blobsBlock struct {
	Name     string    `hcl:"name,label"`
	Epoch    uint64    `hcl:"epoch"`
	MaxBlobs uint64    `hcl:"max_blobs"`
	Digest   *string   `hcl:"digest"`
	Range    hcl.Range `hcl:",def_range"`
}

// Load reads a file of schedules. Networks that the file does not have are those of Default.
func Load(path string) (*Schedules, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	s, err := Parse(path, src)
	if err != nil {
		return nil, err
	}
	return Default().With(s), nil
}

// Parse reads the text of a file of schedules; name stands in errors, which have line and column.
func Parse(name string, src []byte) (*Schedules, error) {
	if len(src) > maxFile {
		return nil, fmt.Errorf("%s: more than %d bytes", name, maxFile)
	}
	if err := plain(name, src); err != nil {
		return nil, err
	}
	file, diags := hclparse.NewParser().ParseHCL(src, name)
	if diags.HasErrors() {
		return nil, joined(diags)
	}
	var body fileBody
	if diags := gohcl.DecodeBody(file.Body, nil, &body); diags.HasErrors() {
		return nil, joined(diags)
	}
	s := &Schedules{networks: make(map[string]*Network, len(body.Networks))}
	if n := len(body.Networks); n == 0 || n > maxNetworks {
		return nil, fmt.Errorf("%s: %d networks, want 1 to %d", name, n, maxNetworks)
	}
	var errs []error
	for _, b := range body.Networks {
		n, err := b.network()
		switch {
		case err != nil:
			errs = append(errs, err)
		case s.networks[n.Name] != nil:
			errs = append(errs, at(b.Range, "network %q stands here a second time", n.Name))
		default:
			s.networks[n.Name] = n
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s, nil
}

// at is an error about a place in the file.
func at(r hcl.Range, format string, args ...any) error {
	return fmt.Errorf("%s:%d:%d: %s", r.Filename, r.Start.Line, r.Start.Column, fmt.Sprintf(format, args...))
}

func joined(diags hcl.Diagnostics) error {
	var errs []error
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			where := hcl.Range{}
			if d.Subject != nil {
				where = *d.Subject
			}
			errs = append(errs, at(where, "%s: %s", d.Summary, d.Detail))
		}
	}
	return errors.Join(errs...)
}
