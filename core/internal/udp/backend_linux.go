package udp

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// mmsghdr is the kernel's struct mmsghdr; the compiler pads it as C does.
type mmsghdr struct {
	hdr  unix.Msghdr
	size uint32 // bytes received or sent
}

func newReceiver(pc PacketConn) receiver {
	if raw := rawConn(pc); raw != nil {
		return newMmsgReceiver(raw)
	}
	return plainReceiver{pc}
}

func newSender(pc PacketConn) sender {
	if raw := rawConn(pc); raw != nil {
		return newMmsgSender(raw)
	}
	return plainSender{pc}
}

// rawConn is the descriptor of a real socket, nil for any other PacketConn and for a closed socket,
// whose plain calls then tell the error.
func rawConn(pc PacketConn) syscall.RawConn {
	u, ok := pc.(*net.UDPConn)
	if !ok {
		return nil
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}
