#!/usr/bin/env python3
"""A talk plugin: it answers each request of the protocol "echo" with the request's payload."""

from discv5pb import plugin_pb2, talk_pb2_grpc
from discv5plugin import Control, run
from discv5talk import Talk

PROTOCOLS = [b"echo"]


class Echo:
    def __init__(self):
        self.prefix = b""

    def configure(self, request, config):
        self.prefix = config.get("prefix", "").encode()
        talk.configure(request)

    def answer(self, request):
        return self.prefix + request.payload


echo = Echo()
talk = Talk(PROTOCOLS, echo.answer)
description = plugin_pb2.Description(
    name="echo-python",
    version="1.0.0",
    summary="Answers each request with the request's payload.",
    services=["discv5host.plugin.v1.Plugin", "discv5host.talk.v1.Talk"],
    talk=plugin_pb2.TalkDescription(protocols=PROTOCOLS),
    config=plugin_pb2.ConfigSchema(
        attributes=[
            plugin_pb2.ConfigAttribute(
                name="prefix",
                type=plugin_pb2.CONFIG_TYPE_STRING,
                default_json='""',
                doc="text put before each answer",
            )
        ]
    ),
)
control = Control(description, on_configure=echo.configure, on_drain=talk.drain)
run(control, lambda server: talk_pb2_grpc.add_TalkServicer_to_server(talk, server))
