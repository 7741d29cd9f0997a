// Package door lets package sdktest serve a plugin inside a test, without a process of its own.
//
// Package sdk sets what is here when it is initialized; its API for authors stays free of gRPC that way.
package door
