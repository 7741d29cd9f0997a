package main

import (
	"testing"

	"github.com/discv5/host/sdk/sdktest"
)

func TestEcho(t *testing.T) {
	if got, err := sdktest.Start(t, plugin()).Talk("echo", []byte("hello")); string(got) != "hello" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestConformance(t *testing.T) { sdktest.Conformance(t, sdktest.Source{New: plugin}) }
