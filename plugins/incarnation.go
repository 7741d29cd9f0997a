package plugins

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/core"
	"github.com/discv5/host/plugins/internal/link"
	"github.com/discv5/host/plugins/internal/process"
	"github.com/discv5/host/sdk/pluginpb"
)

// maxHostCalls is how many host calls of one plugin may be open.
const maxHostCalls = 256

// incarnation is one process of a plugin, configured and ready to serve. Its fields never change.
type incarnation struct {
	proc      *process.Process
	program   os.FileInfo // before it was started; nil: unknown
	about     *pluginpb.Description
	grants    []string
	protocols []string     // of a talk plugin
	stages    []core.Stage // of a filter plugin: where it is asked
	uniform   bool         // and that it decides in the same way everywhere

	talk   *link.Talk
	filter *holder[core.Filter]
	stream *link.Filter // what filter holds
	store  *holder[core.Store]
	host   *link.Host // nil: it makes no host calls

	methods *methods // nil: it has none
}

// service is what a plugin of a kind must serve.
var service = map[Kind]string{Talk: pluginpb.TalkService, Filter: pluginpb.FilterService, Store: pluginpb.StoreService}

// bring starts a plugin and makes it ready. launched is called when its process listens. When it fails, nothing is left of it.
func (k *keeper) bring(ctx context.Context, b *Block, launched func(*process.Process)) (*incarnation, error) {
	dir := filepath.Join(k.set.cfg.DataDir, b.ID())
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	spec := k.set.cfg.spec(b)
	spec.Dir = dir
	program, _ := os.Stat(spec.Path) // a start that fails says why
	proc, err := process.Start(ctx, spec)
	if err != nil {
		return nil, err
	}
	launched(proc)
	in := &incarnation{proc: proc, program: program, grants: b.Grants}
	if err := k.prepare(ctx, b, in, dir); err != nil {
		err = in.explain(err)
		in.close()
		return nil, err
	}
	return in, nil
}

// spec says how to start a plugin.
func (c *Config) spec(b *Block) process.Spec {
	path, args := c.command(b)
	return process.Spec{
		Name: b.ID(), Path: path, Args: args, Env: b.Env, SHA256: b.SHA256, RunDir: c.RunDir,
		Dial: link.DialOptions(), Log: c.Log, StartTimeout: c.timing.start,
	}
}

// prepare asks a plugin what it is, configures it and opens its streams.
func (k *keeper) prepare(ctx context.Context, b *Block, in *incarnation, dir string) (err error) {
	conn := in.proc.Conn()
	if in.about, err = link.Describe(ctx, conn); err != nil {
		return err
	}
	if !link.Serves(in.about, service[b.Kind]) {
		return refuse("it is no %s plugin: it serves %q", b.Kind, in.about.Services)
	}
	var missing []string
	for _, need := range in.about.Needs {
		if !slices.Contains(b.Grants, need) {
			missing = append(missing, need)
		}
	}
	if len(missing) > 0 {
		return refusal{&MissingGrantsError{missing}}
	}
	request := &pluginpb.ConfigureRequest{
		Name: b.Name, ConfigJson: []byte("{}"), Grants: b.Grants, DataDir: dir, HostVersion: k.set.cfg.HostVersion, MaxHostCalls: maxHostCalls,
	}
	if b.Configure != nil {
		if request.ConfigJson, err = b.Configure(in.about); err != nil {
			return refusal{err}
		}
	}
	switch b.Kind {
	case Talk:
		if in.protocols = b.Protocols; len(in.protocols) == 0 {
			for _, p := range in.about.GetTalk().GetProtocols() {
				in.protocols = append(in.protocols, string(p))
			}
		}
		if len(in.protocols) == 0 {
			return refuse("neither it nor its block names a protocol")
		}
		k.giveWay(ctx)
		err := k.set.protocols.claim(k, in.protocols)
		k.claim()
		k.earlier = nil
		if err != nil {
			return err
		}
		request.Talk = &pluginpb.TalkSettings{MaxInFlight: uint32(in.maxInFlight(b)), MaxResponse: codec.MaxTalkResponse}
		for _, p := range in.protocols {
			request.Talk.Protocols = append(request.Talk.Protocols, []byte(p))
		}
	case Filter:
		if in.stages, err = b.stagesOf(in.about); err != nil {
			return err
		}
		in.uniform = in.about.GetFilter().GetUniform()
		request.Filter = &pluginpb.FilterSettings{}
		for _, s := range in.stages {
			request.Filter.Stages = append(request.Filter.Stages, s.String())
		}
	}
	if err := k.configure(ctx, b, in, request); err != nil {
		return err
	}
	return k.open(ctx, b, in)
}

// maxInFlight is how many requests a talk plugin may owe: no more than it wants.
func (in *incarnation) maxInFlight(b *Block) int {
	n := min(b.MaxInFlight, 4096)
	if want := in.about.GetTalk().GetMaxInFlight(); want > 0 {
		n = min(n, int(min(want, 4096)))
	}
	return n
}

// configure hands a plugin its configuration. It may make host calls before it answers.
func (k *keeper) configure(ctx context.Context, b *Block, in *incarnation, request *pluginpb.ConfigureRequest) error {
	ctx, cancel := context.WithTimeout(ctx, k.set.cfg.timing.configure)
	defer cancel()
	answer := make(chan error, 1)
	go func() { answer <- link.Configure(ctx, in.proc.Conn(), request) }()
	var failed error
	if link.Serves(in.about, pluginpb.HostService) {
		space, err := k.set.node.Space(spaceName(b.ID()))
		if err == nil {
			in.host, err = link.OpenHost(ctx, in.proc.Conn(), link.HostConfig{
				Name: b.ID(), Grants: b.Grants, Services: k.set.services, Space: space, MaxCalls: maxHostCalls, Logger: k.set.cfg.Log,
			})
		}
		if failed = err; failed != nil {
			cancel()
		}
	}
	err := <-answer
	if failed != nil {
		return failed
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("configure: no answer within %v", k.set.cfg.timing.configure)
	}
	return err
}

// open opens what the plugin serves.
func (k *keeper) open(ctx context.Context, b *Block, in *incarnation) (err error) {
	conn := in.proc.Conn()
	if link.Serves(in.about, pluginpb.MethodsService) {
		list, err := link.OpenMethods(ctx, conn)
		if err != nil {
			return err
		}
		in.methods = &methods{Methods: list}
	}
	switch b.Kind {
	case Talk:
		in.talk, err = link.OpenTalk(ctx, conn, k.talkConfig(b, in))
	case Filter:
		if in.stream, err = link.OpenFilter(ctx, conn); err == nil {
			in.filter = &holder[core.Filter]{value: staged{in.stream, in.stages}}
		}
	case Store:
		store := link.NewStore(conn)
		in.store = &holder[core.Store]{value: struct{ core.Store }{store}} // without its Watch
		if in.about.GetStore().GetWatch() {
			in.store.value = store
		}
	}
	return err
}

func (k *keeper) talkConfig(b *Block, in *incarnation) link.TalkConfig {
	c := link.TalkConfig{
		Answer: func(a ...core.TalkAnswer) { k.set.node.AnswerTalk(a...) }, Deadline: b.Deadline, MaxInFlight: b.MaxInFlight, MaxPerPeer: b.MaxPerPeer, MaxQueue: b.MaxQueue,
		Logger: k.set.cfg.Log.With("plugin", b.ID()),
	}
	if in != nil {
		c.Protocols, c.MaxInFlight = in.protocols, in.maxInFlight(b)
	}
	return c
}

// broken returns channels that are closed when the plugin cannot go on: its streams and its process. Those that there are not
// are nil.
func (in *incarnation) broken() (exited, talk, filter, host <-chan struct{}) {
	if in == nil {
		return nil, nil, nil, nil
	}
	exited = in.proc.Exited()
	if in.talk != nil {
		talk = in.talk.Done()
	}
	if in.stream != nil {
		filter = in.stream.Done()
	}
	if in.host != nil {
		host = in.host.Done()
	}
	return exited, talk, filter, host
}

// starved is why the plugin cannot be used although nothing is broken: it owes every response that it may owe and says nothing,
// so that it gets no further request. Empty: it can. With a limit that is not 0, a silence of that length is enough.
func (in *incarnation) starved(limit time.Duration) (reason string) {
	if in == nil || in.talk == nil {
		return ""
	}
	silent, starved := in.talk.Starved()
	if !starved && (limit == 0 || silent < limit) {
		return ""
	}
	return fmt.Sprintf("it owes all %d responses that it may owe, and has said nothing for %v", in.talk.Stats().InFlight, silent.Round(time.Second))
}

// tripped is why requests do not reach the plugin at present. Empty: they do.
func (in *incarnation) tripped() (reason string) {
	if in.talk == nil || in.talk.Stats().Breaker == link.BreakerClosed {
		return ""
	}
	return "it has stopped to answer, and is spared requests until it answers one again"
}

// failure is why the plugin cannot go on.
func (in *incarnation) failure() error {
	var err error
	if in.talk != nil {
		err = in.talk.Err()
	}
	if in.stream != nil && err == nil {
		err = in.stream.Err()
	}
	if in.host != nil && err == nil {
		err = in.host.Err()
	}
	return in.explain(err)
}

// explain prefers the end of the process to what followed from it, and adds the plugin's last words.
func (in *incarnation) explain(err error) error {
	if errors.Is(err, context.Canceled) || refused(err) {
		return err
	}
	select { // a broken stream may be told before the end of the process
	case <-in.proc.Exited():
		err = in.proc.ExitError()
	case <-time.After(300 * time.Millisecond):
	}
	if err == nil {
		err = errors.New("it cannot go on")
	}
	if last := in.proc.LastLines(); len(last) > 0 {
		return fmt.Errorf("%w; it last said %q", err, process.LastWords(last))
	}
	return err
}

// drain lets the plugin finish what it has, within ctx. Nobody asks it any more.
func (in *incarnation) drain(ctx context.Context) {
	if in.talk != nil {
		_ = in.talk.Drain(ctx)
		in.talk.Close()
	}
	if in.filter != nil {
		in.filter.drain(ctx)
	}
	if in.store != nil {
		in.store.drain(ctx)
	}
	if in.methods != nil {
		in.methods.drain(ctx)
	}
	_ = link.Drain(ctx, in.proc.Conn()) // it ends in any case
}

// end closes the streams and ends the process, which has grace to do so by itself.
func (in *incarnation) end(grace time.Duration) {
	if in.talk != nil {
		in.talk.Close()
	}
	if in.stream != nil {
		in.stream.Close()
	}
	if in.host != nil {
		in.host.Close()
	}
	in.proc.Stop(grace)
}

// close ends an incarnation that does not work.
func (in *incarnation) close() { in.end(0) }

// refused tells whether trying again is pointless.
func refused(err error) bool {
	var r interface{ Refused() bool }
	return errors.Is(err, link.ErrRefused) || errors.As(err, &r) && r.Refused()
}
