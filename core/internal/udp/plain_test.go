package udp_test

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"github.com/discv5/host/core/internal/udp"
)

// script is a socket whose calls return the listed errors, one a call, and then succeed.
type script struct {
	udp.PacketConn
	errs  []error
	calls int
	wrote []string
}

func (s *script) next() error {
	s.calls++
	if len(s.errs) == 0 {
		return nil
	}
	err := s.errs[0]
	s.errs = s.errs[1:]
	return err
}

func (s *script) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	return copy(b, "data"), netip.MustParseAddrPort("[::ffff:192.0.2.1]:9"), s.next()
}

func (s *script) WriteToUDPAddrPort(b []byte, _ netip.AddrPort) (int, error) {
	err := s.next()
	if err == nil {
		s.wrote = append(s.wrote, string(b))
	}
	return len(b), err
}

func (s *script) LocalAddr() net.Addr { return &net.UnixAddr{} }

func opError(err error) error { return &net.OpError{Op: "read", Net: "udp", Err: err} }

func TestPlainReadErrors(t *testing.T) {
	passes := opError(syscall.ECONNRESET)
	if runtime.GOOS == "windows" {
		passes = opError(syscall.Errno(10054)) // WSAECONNRESET, which is not syscall's constant there
	}
	for _, test := range []struct {
		name  string
		errs  []error
		want  error
		calls int
	}{
		{"none", nil, nil, 1},
		{"about earlier datagrams", []error{passes, passes}, nil, 3},
		{"closed", []error{passes, opError(net.ErrClosed)}, net.ErrClosed, 2},
		{"unknown", []error{io.ErrUnexpectedEOF}, io.ErrUnexpectedEOF, 1},
	} {
		s := &script{errs: test.errs}
		c := udp.NewConn(s)
		var batch udp.ReadBatch
		n, err := c.Read(&batch)
		if !errors.Is(err, test.want) || (n == 1) != (test.want == nil) || s.calls != test.calls {
			t.Errorf("%s: %d, %v in %d calls", test.name, n, err, s.calls)
		}
		if n == 1 {
			data, from, truncated := batch.At(0)
			if string(data) != "data" || from != netip.MustParseAddrPort("192.0.2.1:9") || truncated {
				t.Errorf("%s: %q from %v, %v", test.name, data, from, truncated)
			}
		}
		if a := c.LocalAddr(); a.IsValid() {
			t.Errorf("address %v", a)
		}
	}
}

func TestPlainWriteErrors(t *testing.T) {
	refused, tooLarge := opError(syscall.ECONNREFUSED), opError(syscall.EMSGSIZE)
	for _, test := range []struct {
		name          string
		errs          []error
		wrote         []string
		sent, dropped int
		want          error
	}{
		{"none", nil, []string{"a", "b", "c"}, 3, 0, nil},
		{"of an earlier datagram", []error{nil, refused}, []string{"a", "b", "c"}, 3, 0, nil},
		{"of this datagram", []error{nil, tooLarge}, []string{"a", "c"}, 2, 1, syscall.EMSGSIZE},
		{"refused for good", []error{refused, refused}, []string{"b", "c"}, 2, 1, syscall.ECONNREFUSED},
		{"closed", []error{tooLarge, nil, opError(net.ErrClosed)}, []string{"b"}, 1, 2, net.ErrClosed},
		{"closed at once", []error{opError(net.ErrClosed)}, nil, 0, 3, net.ErrClosed},
	} {
		s := &script{errs: test.errs}
		w := udp.NewWriter(udp.NewConn(s))
		for _, d := range []string{"a", "b", "c"} {
			w.Queue(netip.MustParseAddrPort("192.0.2.1:9"), []byte(d))
		}
		sent, dropped, err := w.Flush()
		if sent != test.sent || dropped != test.dropped || !errors.Is(err, test.want) || !slices.Equal(s.wrote, test.wrote) {
			t.Errorf("%s: sent %d %q, dropped %d, %v", test.name, sent, s.wrote, dropped, err)
		}
	}
}
