// Package admin is how operators and their programs reach a running host: JSON-RPC for what is done, plain HTTP for what is
// shown, server-sent events for what happens.
//
// # Layout
//
//   - config.go: Config; interfaces.go: what a server needs of a node and of plugins
//   - server.go: Listen and Close; place.go: where the unix socket is; socket.go: the socket; accept.go: how many may connect;
//     auth.go: the token of TCP
//   - routes.go: every path; get.go, bans.go: pages of what GET shows; health.go: whether the host is alive and ready
//   - views.go, views_plugins.go: the documents that are shown; answer.go: how they are sent
//   - rpc.go: JSON-RPC 2.0; body.go, marks.go: its requests; failures.go: its errors; args.go: its parameters
//   - methods.go: every method; methods_discv5.go, methods_record.go, methods_host.go, methods_plugins.go,
//     reload.go: what they do; foreign.go: the methods of plugins
//   - budget.go: bytes that requests share
//   - feed.go: the last events; stream.go: who reads them; reader.go: how they do
//   - openapi.json: the description of the paths; openapi.go serves it
//   - client.go, client_events.go: the other end, for our own commands
//
// # Goroutines and ownership
//
// Listen starts a goroutine per listener, one that brings the node's events to the feed and one that watches the table; Close waits
// for them. net/http has one per connection, which Close ends by closing the connection. A batch has up to batchAtOnce more while it
// runs. One probe of the node may outlive its request while the node does not answer, and there is never a second one. A reload of the
// configuration may outlive its request too; Close waits for it. The feed is locked, readers walk through it by themselves and share
// its text.
//
// # Errors
//
// An error of JSON-RPC has a code of the specification, or of the range left to servers, and in its data a reason that programs
// can compare and often a hint. A path answers an error as {"error", "hint"}. The client returns what a server said as an *Error,
// whose hint package hint finds.
//
// # Limits
//
//   - connections: maxConns for each listener, maxConnsFrom of one address that have not shown the token; what exceeds them is closed at
//     once, and so is one without the token behind its answer
//   - headers: maxHeader bytes within headTimeout; bodies: maxBody bytes within readTimeout, of POST alone, and maxBodies bytes of all
//     those that have come and are not answered
//   - a batch: maxBatch calls, batchAtOnce at a time, maxAnswer bytes of results
//   - parameters: maxValues values, but for the methods of plugins
//   - calls: maxCalls at a time, callTimeout each, those of plugins' methods as package plugins says
//   - copies of large state: maxCopies at a time, for which a request waits copyPatience and takes no call; pages: maxPage entries
//   - answers: those above smallAnswer together maxAnswers bytes, the last of which may exceed that; a client has answerTimeout for one
//   - events: ringSize are kept, maxReaders read them, readerTurn at a time; who does not keep up is dropped and counted
//
// # Specification
//
// The JSON-RPC 2.0 specification; the discv5 methods of github.com/ethereum/portal-network-specs, read leniently because
// clients differ; the event stream format of the HTML standard.
package admin
