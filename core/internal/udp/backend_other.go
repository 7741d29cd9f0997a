//go:build !linux

package udp

func newReceiver(pc PacketConn) receiver { return plainReceiver{pc} }

func newSender(pc PacketConn) sender { return plainSender{pc} }
