// Package pluginpb is the contract between the host and its plugins: protobuf services with the Go code generated from
// them.
//
// Plugin authors who write Go use package sdk and never see this one. Authors in other languages generate code from the .proto
// files in this folder; README.md tells what else a plugin owes.
//
// # Layout
//
// plugin.proto is the control service that every plugin serves. talk.proto, filter.proto and store.proto have one service per
// kind, methods.proto one for methods that operators call. host.proto is what plugins ask of the host. Each file is a proto package of its own, with its version in its name: fields
// are added to a version, never changed or removed, and what cannot be said that way becomes a new version beside it.
//
// To add a host call: a message and a line in HostCall in host.proto, a method of sdk.Host, a case in plugins' host link, a
// grant in the configuration if it is of a new kind, and an answer in sdktest's fake host.
package pluginpb

//go:generate go run github.com/bufbuild/buf/cmd/buf@v1.75.0 generate
