"""The data stream of a talk plugin: batches in, batches out, each request answered once."""

import collections
import concurrent.futures
import dataclasses
import ipaddress
import queue
import threading
import time

import grpc

from discv5pb import talk_pb2 as pb
from discv5pb import talk_pb2_grpc
from discv5plugin import ConfigError, log

WORKERS = 8  # handlers that run at a time
MAX_PEERS = 4096
MAX_BATCH = 256  # responses in one message


@dataclasses.dataclass(frozen=True)
class Peer:
    """A node that asks."""

    node_id: bytes  # 32
    ip: object  # ipaddress.IPv4Address or IPv6Address
    port: int
    record: bytes  # RLP of its record, verified by the host; empty: it told none


@dataclasses.dataclass(frozen=True)
class Request:
    """A TALKREQ."""

    peer: Peer
    protocol: bytes
    payload: bytes
    deadline: float  # time.monotonic() from which nobody waits any more


class Talk(talk_pb2_grpc.TalkServicer):
    """Serves handler(request), which returns the response's payload, at most 1177 bytes. It runs on several threads at a time.
    What it raises goes to the host's log, and the peer gets an empty response."""

    def __init__(self, protocols, handler):
        self.protocols = protocols  # those described; configure replaces them by those chosen
        self.handler = handler
        self.configured = False
        self._open = 0  # requests without a response
        self._idle = threading.Condition()
        self._workers = concurrent.futures.ThreadPoolExecutor(max_workers=WORKERS)

    def configure(self, request):
        unknown = [p for p in request.talk.protocols if p not in self.protocols]
        if unknown:
            raise ConfigError(f"this plugin does not speak {unknown[0]!r}")
        self.protocols = list(request.talk.protocols)
        self.configured = True

    def drain(self):
        """Waits until every request is answered, but not for ever."""
        with self._idle:
            self._idle.wait_for(lambda: self._open == 0, timeout=1.5)

    def Serve(self, request_iterator, context):
        if not self.configured:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "Talk.Serve before Configure")
        responses = queue.SimpleQueue()  # bounded by the requests that the host keeps open
        reader = threading.Thread(target=self._read, args=(request_iterator, responses), daemon=True)
        reader.start()
        over = False
        while not over:
            batch = pb.TalkResponses()
            response = responses.get()
            while response is not None:
                batch.responses.append(response)
                if len(batch.responses) == MAX_BATCH or responses.empty():
                    break
                response = responses.get()
            over = response is None
            if batch.responses:
                yield batch

    def _read(self, request_iterator, responses):
        peers = [None] * MAX_PEERS
        cancelled = collections.OrderedDict()  # the newest; ids that were answered before fall out in time
        try:
            for batch in request_iterator:
                received = time.monotonic()
                for p in batch.peers:
                    peers[p.number] = Peer(p.node_id, ipaddress.ip_address(p.ip), p.port, p.record)
                for r in batch.requests:
                    request = Request(peers[r.peer], self.protocols[r.protocol] if r.protocol < len(self.protocols) else None,
                                      r.payload, received + r.timeout_us / 1e6)
                    with self._idle:
                        self._open += 1
                    self._workers.submit(self._answer, r.id, request, cancelled, responses)
                for number in batch.cancelled:
                    cancelled[number] = True
                    if len(cancelled) > MAX_PEERS:
                        cancelled.popitem(last=False)
        except grpc.RpcError:
            pass  # the host ended the stream
        except Exception as error:
            log("error", "the request stream is broken", error=error)
        finally:
            responses.put(None)

    def _answer(self, number, request, cancelled, responses):
        response = pb.TalkResponse(id=number)
        try:
            if number in cancelled:
                response.error = "cancelled"
            elif request.protocol is None or request.peer is None:
                response.error = "unknown protocol or peer"
            elif time.monotonic() > request.deadline:
                response.error = "too late to begin"
            else:
                response.payload = self.handler(request)
        except Exception as error:
            response.error = repr(error)[:200]
        responses.put(response)
        with self._idle:
            self._open -= 1
            self._idle.notify_all()
