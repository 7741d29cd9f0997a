package main

import (
	"context"

	"github.com/discv5/host/sdk"
)

func main() { sdk.Serve(plugin()) }

func plugin() sdk.Plugin {
	return &sdk.TalkPlugin{
		Info:      sdk.Info{Name: "echo", Version: "1.0.0", Summary: "Answers each request with the request's payload."},
		Protocols: []string{"echo"},
		Handler: sdk.TalkFunc(func(_ context.Context, r *sdk.TalkRequest) ([]byte, error) {
			return r.Payload, nil
		}),
	}
}
