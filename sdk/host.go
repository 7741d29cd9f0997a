package sdk

import (
	"context"
	"slices"

	"github.com/discv5/host/sdk/pluginpb"
	"github.com/hashicorp/go-hclog"
)

// Host is the host of a plugin, for Start and everything that happens after it. All methods may be called concurrently.
//
// Calls need a grant of the operator and return ErrNotGranted at once without it. They wait as long as ctx allows; without a
// deadline the host gives up after 10 s, and in any case after 5 min. When ctx ends, a call returns its error at once and the
// host stops working on it. Failures are *CallError. Nodes that calls return have verified records.
type Host struct {
	name    string
	log     hclog.Logger
	dataDir string
	version string
	grants  []string
	link    *link
	metrics *metrics
}

// Name is what the host calls the plugin: the label of its block in config.hcl.
func (h *Host) Name() string { return h.name }

// Log is the plugin's logger. What it writes appears in the host's log under the plugin's name.
func (h *Host) Log() hclog.Logger { return h.log }

// DataDir is a directory that exists and is this plugin's alone. It stays when the plugin stops.
func (h *Host) DataDir() string { return h.dataDir }

// Version is the version of the host.
func (h *Host) Version() string { return h.version }

// Granted tells whether the operator granted something.
func (h *Host) Granted(grant string) bool { return slices.Contains(h.grants, grant) }

// allowed returns ErrNotGranted for a call without its grant.
func (h *Host) allowed(call, grant string) error {
	if !h.Granted(grant) {
		return &CallError{Call: call, Reason: ErrNotGranted, Message: "add \"" + grant + "\" to grants"}
	}
	return nil
}

// call makes a call that needs a grant.
func (h *Host) call(ctx context.Context, name, grant string, c *pluginpb.HostCall) (*pluginpb.HostReply, error) {
	if err := h.allowed(name, grant); err != nil {
		return nil, err
	}
	return h.link.call(ctx, name, c)
}

// badCall is a call that this side refuses.
func badCall(name string, reason error, message string) error {
	return &CallError{Call: name, Reason: reason, Message: message}
}
