package sdktest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	describeTime  = 5 * time.Second
	configureTime = 10 * time.Second
	drainTime     = 2 * time.Second
	maxInFlight   = 1024 // requests, unless the plugin wants fewer
	maxResponse   = 1177
	maxHostCalls  = 64
)

// session is a host's work with one incarnation: describe, configure, streams.
type session struct {
	*incarnation
	source Source
	host   *Host
	about  *pluginpb.Description
	ctx    context.Context // of its streams
	cancel context.CancelFunc

	inFlight  int
	protocols []string
	dataDir   string
	ownDir    bool // the data directory is removed at the end

	mu     sync.Mutex
	talk   *talkStream
	filter *filterStream
}

// begin launches a plugin and has it described. The end of ctx is its end.
func begin(ctx context.Context, s Source, host *Host, dataDir string) (*session, error) {
	if host == nil {
		host = NewHost()
	}
	own := dataDir == ""
	if own {
		var err error
		if dataDir, err = os.MkdirTemp("", "sdktest-data"); err != nil {
			return nil, err
		}
	}
	in, err := launch(ctx, s)
	if err != nil {
		if own {
			err = errors.Join(err, os.RemoveAll(dataDir))
		}
		return nil, err
	}
	x := &session{incarnation: in, source: s, host: host, dataDir: dataDir, ownDir: own}
	x.ctx, x.cancel = context.WithCancel(ctx)
	if x.about, err = x.describe(); err != nil {
		x.close()
		return nil, fmt.Errorf("describe: %w", err)
	}
	return x, nil
}

// start is begin and configure.
func start(ctx context.Context, s Source, host *Host, dataDir string) (*session, error) {
	x, err := begin(ctx, s, host, dataDir)
	if err != nil {
		return nil, err
	}
	if err := x.configure(x.request()); err != nil {
		x.close()
		return nil, fmt.Errorf("configure: %w", err)
	}
	return x, nil
}

func (x *session) control() pluginpb.PluginClient { return pluginpb.NewPluginClient(x.conn) }

func (x *session) describe() (*pluginpb.Description, error) {
	ctx, cancel := context.WithTimeout(x.ctx, describeTime)
	defer cancel()
	return x.control().Describe(ctx, &pluginpb.DescribeRequest{})
}

// serves tells whether the plugin says that it serves a service.
func (x *session) serves(service string) bool { return slices.Contains(x.about.GetServices(), service) }

// request is what the host configures it with.
func (x *session) request() *pluginpb.ConfigureRequest {
	grants := x.source.Grants
	if grants == nil {
		grants = x.about.GetNeeds()
	}
	r := &pluginpb.ConfigureRequest{
		Name: "test", Grants: grants, DataDir: x.dataDir, HostVersion: "0.0.0-test", MaxHostCalls: maxHostCalls,
	}
	if t := x.about.GetTalk(); t != nil {
		x.inFlight, x.protocols = maxInFlight, nil
		if wanted := int(t.GetMaxInFlight()); wanted > 0 {
			x.inFlight = min(x.inFlight, wanted)
		}
		r.Talk = &pluginpb.TalkSettings{Protocols: t.GetProtocols(), MaxInFlight: uint32(x.inFlight), MaxResponse: maxResponse}
		for _, p := range t.GetProtocols() {
			x.protocols = append(x.protocols, string(p))
		}
	}
	if f := x.about.GetFilter(); f != nil {
		r.Filter = &pluginpb.FilterSettings{Stages: f.GetStages()}
		if len(f.GetStages()) == 0 {
			r.Filter.Stages = []string{"table", "serve", "deliver"}
		}
	}
	return r
}

// configure configures the plugin and serves its host calls meanwhile.
func (x *session) configure(r *pluginpb.ConfigureRequest) error {
	if r.ConfigJson == nil {
		var err error
		if r.ConfigJson, err = configJSON(x.source.Config); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(x.ctx, configureTime)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := x.control().Configure(ctx, r)
		done <- err
	}()
	if x.serves(pluginpb.HostService) {
		if err := x.host.serve(x.ctx, x.conn, r.GetGrants()); err != nil {
			return errors.Join(err, <-done)
		}
	}
	return <-done
}

// close ends the plugin, kindly at first.
func (x *session) close() {
	x.cancel()
	x.terminate()
	_ = x.waitEnd(drainTime) // close does the rest
	x.incarnation.close()
	if x.ownDir {
		_ = os.RemoveAll(x.dataDir) // a folder among the temporary ones, at worst
	}
}

func (x *session) drain() error {
	ctx, cancel := context.WithTimeout(x.ctx, drainTime)
	defer cancel()
	_, err := x.control().Drain(ctx, &pluginpb.DrainRequest{})
	return err
}

func (x *session) health() (*pluginpb.HealthResponse, error) {
	ctx, cancel := context.WithTimeout(x.ctx, describeTime)
	defer cancel()
	return x.control().Health(ctx, &pluginpb.HealthRequest{})
}

// talkStream returns the open talk stream, and opens it if there is none.
func (x *session) talkStream() (*talkStream, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.talk != nil {
		return x.talk, nil
	}
	if x.about.GetTalk() == nil {
		return nil, errors.New("it is no talk plugin")
	}
	s, err := openTalk(x.ctx, x.conn, x.protocols)
	x.talk = s
	return s, err
}

func (x *session) filterStream() (*filterStream, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.filter != nil {
		return x.filter, nil
	}
	if x.about.GetFilter() == nil {
		return nil, errors.New("it is no filter plugin")
	}
	s, err := openFilter(x.ctx, x.conn)
	x.filter = s
	return s, err
}

// refused tells whether an error says that the configuration is wrong.
func refused(err error) bool { return status.Code(err) == codes.InvalidArgument }
