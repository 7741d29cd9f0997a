// Package sdk is what authors of plugins import: a plugin is a value that main hands to [Serve].
//
//	func main() {
//		sdk.Serve(&sdk.TalkPlugin{
//			Info:      sdk.Info{Name: "echo", Version: "1.0.0"},
//			Protocols: []string{"echo"},
//			Handler:   sdk.TalkFunc(func(ctx context.Context, r *sdk.TalkRequest) ([]byte, error) { return r.Payload, nil }),
//		})
//	}
//
// A plugin is a program of its own: the host starts it, configures it, asks it and ends it, and nothing that it does harms the host.
// README.md in this folder leads from nothing to a tested plugin.
//
// # Layout
//
//   - plugin.go: what all plugins have; talk.go, filter.go, store.go: the three kinds
//   - host.go: the [Host]; calls.go, record.go, kv.go, watch.go, metrics.go: what a plugin may ask of it; errors.go
//   - config_schema.go, config_decode.go: configuration from structs; describe.go: what is told about a plugin
//   - method.go: methods that operators call
//   - serve.go, outputs.go: the process; byhand.go: what it says when nobody called; instance.go: from registration to the end
//   - control.go, talk_server.go, filter_server.go, store_server.go, method_server.go: the services of package pluginpb
//   - talk_stream.go, talk_context.go: how requests are worked on; talk_wire.go: their messages by hand; link.go: how calls travel
//   - internal/door: the way in for package sdktest
//
// # Goroutines and ownership
//
// Handlers of talk plugins run on workers: as many as there are requests that block, at most one more than the host
// allows in flight. A worker begins requests and sends responses, whatever there is to do, so that requests that need
// no time are done by one worker, and leave in one message. A filter is called by one goroutine at a time, a store by one beside
// its Watch. A call of a method runs on a goroutine of its own. The link has a reader and a writer; a call runs on its caller's goroutine. The reader also delivers events.
// Health, Metrics and Drain may run beside everything else. Panics of an author's functions are caught where they are called, and
// logged; those on goroutines that an author starts end the process, and the host starts another one.
//
// # Errors
//
// Host calls fail with [*CallError], and errors.Is finds the reason. What an author returns goes to the host's log: at most 256 bytes of
// it for a request and for Health, 4 KiB elsewhere. A plugin that is badly made serves all the same: Describe says what is wrong.
//
// # Limits
//
// Messages have at most 4 MiB. Requests in flight: what the host says, at most 4096; a stream knows 4096 peers. A filter gets 256
// nodes at a time, a store 1024 entries with 1 MiB. Host calls open: what the host says, else 1024; TalkSends that wait to go out: 4096;
// events that wait to be read: 1024. 64 methods, 16 calls of them at a time, with 1 MiB of parameters and of a result. 64 metrics with 1024 samples. Configuration blocks are nested at most 8 deep. The drain has 2 s, and
// 500 ms when the host is gone.
//
// A request of 32 bytes costs the plugin about 1.5 µs of processor time with 16 in flight. One at a time costs both sides together about
// 50 µs: wake-ups, not bytes. (BenchmarkTalkProcess, two cores)
//
// # Specification
//
// pluginpb/*.proto and pluginpb/README.md.
package sdk
