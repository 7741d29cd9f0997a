// Package udp reads and writes UDP datagrams in batches.
//
// # Layout
//
//   - conn.go: PacketConn, what is needed of a socket; Conn with Read and ReadEach
//   - batch.go: ReadBatch, where Read puts what it read
//   - writer.go: Writer, the queue of datagrams that leave together
//   - listen.go: Listen, one socket of one address family
//   - plain.go: one datagram per call, for any PacketConn on any platform
//   - recv_linux.go, send_linux.go, sockaddr_linux.go: recvmmsg, sendmmsg and UDP_SEGMENT for
//     *net.UDPConn on Linux; backend_linux.go and backend_other.go choose
//
// # Goroutines and ownership
//
// The package starts no goroutine. A Conn and the ReadBatch given to it are used by one reader at a
// time, a Writer by one owner at a time; reader and writers do not share state and may run at once.
// Close may be called from anywhere and ends a blocked Read. Read may block inside the runtime's
// poller, in the way of net.UDPConn; Flush never waits on Linux. Elsewhere a write waits as
// net.UDPConn's does when the kernel's send buffer is full.
//
// # Errors
//
// Read returns one of three kinds of error:
//
//   - errors.Is(err, net.ErrClosed): the socket is closed, for good;
//   - errors.Is(err, os.ErrDeadlineExceeded): a read deadline passed, the socket is as good as before;
//   - any other: transient, the caller counts it and reads on.
//
// Errors that only report what became of an earlier datagram of ours (ICMP port unreachable and its
// kin, WSAECONNRESET) are not returned at all: Read takes the next datagram instead.
//
// Flush returns the last reason for which a datagram was dropped, nil when none was. Only
// net.ErrClosed among them means that later datagrams will not leave either.
//
// # Limits
//
//   - MaxDatagram: 1280 bytes, larger datagrams arrive cut and marked, and are refused on the way out
//   - MaxBatch: 32 datagrams a Read; a ReadBatch starts with 4 buffers (5 KiB) and doubles while
//     batches come back full, up to 48 KiB; a PacketConn read one by one needs a single buffer
//   - MaxQueue: 64 datagrams in a Writer, whose buffers (1,280 bytes each, 93 KiB in all) are made
//     when the queue first grows that long
//   - SocketBuffer: 4 MiB asked of the kernel each way
//
// # Specification
//
// The packet size limit is that of the Node Discovery v5.1 wire protocol: "The maximum size of any
// packet is 1280 bytes. Implementations should not generate or process packets larger than this size."
package udp
