package echo

import (
	"testing"

	"github.com/discv5/host/sdk/sdktest"
)

func TestEcho(t *testing.T) {
	p := sdktest.Start(t, Plugin())
	for _, payload := range []string{"hello", "", "\x00\xff"} {
		if got, err := p.Talk("echo", []byte(payload)); err != nil || string(got) != payload {
			t.Errorf("%q came back as %q, %v", payload, got, err)
		}
	}
}

func TestConformance(t *testing.T) { sdktest.Conformance(t, sdktest.Source{New: Plugin}) }
