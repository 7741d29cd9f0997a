"""What every plugin of the host owes, whatever its kind: handshake, control services, logs and a clean end.

A plugin describes itself in a Description, registers the service of its kind on the server and calls run():

    control = Control(description)
    run(control, lambda server: talk_pb2_grpc.add_TalkServicer_to_server(servicer, server))
"""

import concurrent.futures
import datetime
import json
import os
import shutil
import signal
import sys
import tempfile
import threading

import grpc

from discv5pb import plugin_pb2 as pb
from discv5pb import plugin_pb2_grpc

PROTOCOL_VERSION = 1  # of the contract: the second field of the handshake line
COOKIE = ("DISCV5_PLUGIN", "discv5host")
MAX_MESSAGE = 4 << 20
LEVELS = ("trace", "debug", "info", "warn", "error")


def log(level, message, **values):
    """Writes a line to stderr in the form that the host understands; values are its keys."""
    least = os.environ.get("DISCV5_PLUGIN_LOG_LEVEL", "debug")
    if least in LEVELS and LEVELS.index(level) < LEVELS.index(least):
        return
    now = datetime.datetime.now().astimezone().isoformat(timespec="microseconds")
    line = {"@level": level, "@message": message, "@timestamp": now, **values}
    sys.stderr.write(json.dumps(line, default=repr) + "\n")
    sys.stderr.flush()


class ConfigError(Exception):
    """The configuration is wrong. The operator reads the message; the host does not try again."""


class Control(plugin_pb2_grpc.PluginServicer):
    """The service Plugin. on_configure(request, config) gets the config block as a dict and may raise ConfigError;
    on_drain() returns when everything is answered and written; on_health() raises when the plugin cannot work."""

    def __init__(self, description, on_configure=None, on_drain=None, on_health=None):
        self.description = description
        self.on_configure, self.on_drain, self.on_health = on_configure, on_drain, on_health
        self.request = None  # the ConfigureRequest, once there was one
        self._lock = threading.Lock()  # never held while on_configure runs: SIGTERM must not wait for it
        self._begun = False  # Configure was called
        self._drain_lock = threading.Lock()
        self._drained = False

    def Describe(self, request, context):
        return self.description

    def Configure(self, request, context):
        with self._lock:
            again, self._begun = self._begun, True
        if again:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "this plugin was configured before")
        try:
            config = json.loads(request.config_json or b"{}")
            check_config(self.description.config, config)
            if self.on_configure:
                self.on_configure(request, config)
        except (ConfigError, ValueError) as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        self.request = request
        return pb.ConfigureResponse()

    def Health(self, request, context):
        try:
            if self.on_health:
                self.on_health()
        except Exception as error:  # whatever it is, the operator should read it
            return pb.HealthResponse(status=pb.HEALTH_STATUS_FAILING, message=str(error)[:200])
        return pb.HealthResponse(status=pb.HEALTH_STATUS_OK)

    def Metrics(self, request, context):
        return pb.MetricsResponse()

    def Drain(self, request, context):
        self.drain()
        return pb.DrainResponse()

    def drain(self):
        with self._drain_lock:
            if self.request is not None and not self._drained and self.on_drain:
                self.on_drain()
            self._drained = True


# The Python types of the JSON values of attributes. bool is an int in Python, but not in a configuration.
TYPES = {
    pb.CONFIG_TYPE_STRING: str,
    pb.CONFIG_TYPE_INT: int,
    pb.CONFIG_TYPE_FLOAT: (int, float),
    pb.CONFIG_TYPE_BOOL: bool,
    pb.CONFIG_TYPE_DURATION: str,
    pb.CONFIG_TYPE_STRING_LIST: list,
    pb.CONFIG_TYPE_STRING_MAP: dict,
}


def check_config(schema, config):
    """Raises ConfigError unless the attributes in config are of their types and those required are there. The host checks the
    same and more before; this keeps a plugin from starting with a configuration that a test or another host gives it."""
    if not isinstance(config, dict):
        raise ConfigError("the configuration is no JSON object")
    for attribute in schema.attributes:
        if attribute.name not in config:
            if attribute.required:
                raise ConfigError(f"{attribute.name} is missing")
            continue
        value, want = config[attribute.name], TYPES[attribute.type]
        if not isinstance(value, want) or (isinstance(value, bool) and want is not bool):
            raise ConfigError(f"{attribute.name} is {value!r}, which is of another type")


def run(control, add_services):
    """Serves until the host says that it is over, is gone, or sends SIGTERM. It does not return."""
    if os.environ.get(COOKIE[0]) != COOKIE[1]:
        name = control.description.name
        sys.exit(f"{name}: this is a plugin of host; name it as the source of a plugin block in config.hcl")
    parent = os.getppid()
    end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: end.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the host's to handle

    options = [("grpc.max_receive_message_length", MAX_MESSAGE), ("grpc.max_send_message_length", MAX_MESSAGE)]
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=32), options=options)
    plugin_pb2_grpc.add_PluginServicer_to_server(control, server)
    add_services(server)
    add_handshake_services(server, end)
    folder = tempfile.mkdtemp(prefix="plugin", dir=os.environ.get("PLUGIN_UNIX_SOCKET_DIR") or None)
    path = os.path.join(folder, "s")
    try:
        server.add_insecure_port("unix:" + path)
        server.start()
        # The handshake line: versions of go-plugin's core protocol and of the contract, and where the server listens.
        print(f"1|{PROTOCOL_VERSION}|unix|{path}|grpc", flush=True)
        while not end.wait(0.3):
            if os.getppid() != parent:  # the host died without a word
                break
        control.drain()
        server.stop(grace=0.5).wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)  # do not wait for threads that still answer somebody who is gone


def add_handshake_services(server, end):
    """Adds the services that go-plugin itself calls. Their messages are so small that they need no generated code."""

    def check(request, context):
        return b"\x08\x01"  # HealthCheckResponse{status: SERVING}

    def shutdown(request, context):
        end.set()
        return b""

    def stdio(request, context):
        # What a plugin prints belongs on stderr, so there is nothing to send. The stream stays open as long as the plugin.
        end.wait()
        return iter(())

    for service, method, handler in (
        ("grpc.health.v1.Health", "Check", grpc.unary_unary_rpc_method_handler(check)),
        ("plugin.GRPCController", "Shutdown", grpc.unary_unary_rpc_method_handler(shutdown)),
        ("plugin.GRPCStdio", "StreamStdio", grpc.unary_stream_rpc_method_handler(stdio)),
    ):
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
