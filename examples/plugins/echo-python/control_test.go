package echopython

import (
	"context"
	"os/exec"
	"testing"
	"time"
)

// drainScript configures a plugin whose on_configure does not end, drains it meanwhile, and prints how that went. Its gRPC is empty: what is
// tested does without.
const drainScript = `
import sys, threading, types
from unittest import mock
sys.modules.update({name: mock.MagicMock() for name in ("grpc", "discv5pb", "discv5pb.plugin_pb2", "discv5pb.plugin_pb2_grpc")})
sys.modules["discv5pb"].plugin_pb2_grpc = types.SimpleNamespace(PluginServicer=object)
from discv5plugin import Control

begun = threading.Event()

def configure(request, config):
    begun.set()
    threading.Event().wait()

control = Control(types.SimpleNamespace(config=types.SimpleNamespace(attributes=[])), on_configure=configure, on_drain=lambda: print("wrote"))
request = types.SimpleNamespace(config_json=b"{}")
threading.Thread(target=control.Configure, args=(request, None), daemon=True).start()
begun.wait()
control.drain()
print("drained")
`

func TestDrainDoesNotWaitForConfigure(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3 here")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "-B", "-c", drainScript)
	cmd.Env = []string{"PYTHONPATH=."}
	said, err := cmd.CombinedOutput()
	if err != nil || string(said) != "drained\n" { // nothing to write: it was not configured
		t.Errorf("it said %q, %v", said, err)
	}
}
