package sdk

import (
	"context"
	"errors"
	"slices"

	"github.com/discv5/host/sdk/pluginpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	maxHealthText = 256  // bytes of a health message
	maxErrorText  = 4096 // bytes of other errors that authors make
)

var errNotReady = status.Error(codes.FailedPrecondition, "the plugin is not configured")

// Describe serves Plugin.Describe.
func (in *instance) Describe(context.Context, *pluginpb.DescribeRequest) (*pluginpb.Description, error) {
	in.serves()
	if in.faulty != nil {
		return nil, status.Errorf(codes.FailedPrecondition, "the plugin is badly made: %s", clip(in.faulty.Error(), maxErrorText))
	}
	return in.about, nil
}

// Configure serves Plugin.Configure.
func (in *instance) Configure(_ context.Context, r *pluginpb.ConfigureRequest) (*pluginpb.ConfigureResponse, error) {
	in.serves()
	if in.faulty != nil {
		return nil, status.Errorf(codes.FailedPrecondition, "the plugin is badly made: %s", clip(in.faulty.Error(), maxErrorText))
	}
	in.mu.Lock()
	again := in.configured || in.draining != nil
	in.configured = true
	in.mu.Unlock()
	if again {
		return nil, status.Error(codes.FailedPrecondition, "the plugin was configured before, or drained")
	}
	if err := in.configure(r); err != nil {
		in.cancel()
		return nil, err
	}
	in.mu.Lock()
	in.ready = true
	in.mu.Unlock()
	return &pluginpb.ConfigureResponse{}, nil
}

func (in *instance) configure(r *pluginpb.ConfigureRequest) error {
	err := in.guard("Validate", func() error { return decodeConfig(r.GetConfigJson(), in.own.config) })
	if err == nil && in.talk != nil {
		err = in.talk.configure(r.GetTalk())
	}
	if err != nil {
		return status.Error(codes.InvalidArgument, clip(err.Error(), maxErrorText))
	}
	for _, need := range in.own.info.Needs {
		if !slices.Contains(r.GetGrants(), need) {
			return status.Errorf(codes.InvalidArgument, "the plugin needs the grant %q", need)
		}
	}
	host := &Host{
		name:    r.GetName(),
		log:     in.log,
		dataDir: r.GetDataDir(),
		version: r.GetHostVersion(),
		grants:  r.GetGrants(),
		link:    in.link,
		metrics: in.metrics,
	}
	in.link.configure(int(r.GetMaxHostCalls()))
	if in.own.start == nil {
		return nil
	}
	if err := in.guard("Start", func() error { return in.own.start(in.ctx, host) }); err != nil {
		code := codes.Aborted
		if errors.Is(err, ErrNotGranted) {
			code = codes.InvalidArgument // another start would go the same way
		}
		return status.Errorf(code, "start: %s", clip(err.Error(), maxErrorText))
	}
	return nil
}

// Health serves Plugin.Health.
func (in *instance) Health(ctx context.Context, _ *pluginpb.HealthRequest) (*pluginpb.HealthResponse, error) {
	if !in.serving() {
		return nil, errNotReady
	}
	if in.own.health == nil {
		return &pluginpb.HealthResponse{Status: pluginpb.HealthStatus_HEALTH_STATUS_OK}, nil
	}
	err := in.guard("Health", func() error { return in.own.health(ctx) })
	var degraded *degradedError
	switch {
	case err == nil:
		return &pluginpb.HealthResponse{Status: pluginpb.HealthStatus_HEALTH_STATUS_OK}, nil
	case errors.As(err, &degraded):
		return &pluginpb.HealthResponse{Status: pluginpb.HealthStatus_HEALTH_STATUS_DEGRADED, Message: clip(err.Error(), maxHealthText)}, nil
	}
	return &pluginpb.HealthResponse{Status: pluginpb.HealthStatus_HEALTH_STATUS_FAILING, Message: clip(err.Error(), maxHealthText)}, nil
}

// Metrics serves Plugin.Metrics.
func (in *instance) Metrics(context.Context, *pluginpb.MetricsRequest) (*pluginpb.MetricsResponse, error) {
	return in.metrics.collect(), nil
}

// Drain serves Plugin.Drain.
func (in *instance) Drain(ctx context.Context, _ *pluginpb.DrainRequest) (*pluginpb.DrainResponse, error) {
	if err := in.drain(ctx); err != nil {
		return nil, status.FromContextError(err).Err()
	}
	return &pluginpb.DrainResponse{}, nil
}

// Link serves Host.Link. Its end is the end of the plugin.
func (in *instance) Link(stream grpc.BidiStreamingServer[pluginpb.HostReplies, pluginpb.HostCalls]) error {
	if !in.link.begin() {
		return status.Error(codes.AlreadyExists, "the link is open, or was")
	}
	return in.link.run(stream, func() { go in.stopWithin(orphanedTime) })
}
