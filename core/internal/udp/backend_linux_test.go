package udp

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const patience = 10 * time.Second

// pair is a sender's Writer and a receiver on loopback.
func pair(t *testing.T, at string) (w *Writer, out *mmsgSender, rx *Conn, tx *net.UDPConn) {
	t.Helper()
	open := func() *net.UDPConn {
		pc, err := Listen(netip.MustParseAddrPort(at))
		if err != nil {
			t.Skipf("this machine has no loopback at %s: %v", at, err)
		}
		t.Cleanup(func() { pc.Close() })
		pc.SetReadDeadline(time.Now().Add(patience))
		return pc
	}
	tx = open()
	w = NewWriter(NewConn(tx))
	return w, w.out.(*mmsgSender), NewConn(open()), tx
}

// wantSizes reads datagrams, of which number i has size sizes[i] and is filled with byte(i).
func wantSizes(t *testing.T, rx *Conn, sizes []int) {
	t.Helper()
	var batch ReadBatch
	for i := 0; i < len(sizes); {
		n, err := rx.Read(&batch)
		if err != nil {
			t.Fatalf("after %d of %d datagrams: %v", i, len(sizes), err)
		}
		for j := range n {
			data, _, truncated := batch.At(j)
			if !bytes.Equal(data, bytes.Repeat([]byte{byte(i)}, sizes[i])) || truncated {
				t.Fatalf("datagram %d: %d bytes %.4x, truncated %v; want %d", i, len(data), data, truncated, sizes[i])
			}
			i++
		}
	}
}

func queueSizes(w *Writer, to netip.AddrPort, sizes []int) {
	for i, size := range sizes {
		b := w.Buffer()[:size]
		for j := range b {
			b[j] = byte(i)
		}
		w.Queue(to, b)
	}
}

func repeat(n, size int) []int {
	sizes := make([]int, n)
	for i := range sizes {
		sizes[i] = size
	}
	return sizes
}

func TestControlMessageHasTheKernelsLayout(t *testing.T) {
	var c segmentControl
	if got, want := int(unsafe.Sizeof(c)), unix.CmsgSpace(2); got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
	if got, want := int(unsafe.Offsetof(c.size)), unix.CmsgLen(0); got != want {
		t.Errorf("data at %d, want %d", got, want)
	}
	var m mmsghdr
	if got, want := unsafe.Offsetof(m.size), unsafe.Sizeof(unix.Msghdr{}); got != want {
		t.Errorf("msg_len at %d, want %d", got, want)
	}
}

func TestSegments(t *testing.T) {
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		for _, test := range []struct {
			name     string
			sizes    []int
			messages []int // datagrams in each
		}{
			{"equal", repeat(16, 299), []int{16}},
			{"last shorter", []int{500, 500, 100}, []int{3}},
			{"last longer", []int{100, 100, 500}, []int{2, 1}},
			{"shorter ends a message", []int{500, 100, 100, 500, 500}, []int{2, 1, 2}},
			{"all different", []int{100, 200, 300}, []int{1, 1, 1}},
			{"empty ones", []int{10, 10, 0, 0, 10, 10}, []int{2, 1, 1, 2}},
			{"64 full ones exceed a message", repeat(64, MaxDatagram), []int{51, 13}},
		} {
			t.Run(fmt.Sprintf("%s %s", at[:len(at)-2], test.name), func(t *testing.T) {
				w, out, rx, _ := pair(t, at)
				if !out.segment {
					t.Skip("this kernel has no UDP_SEGMENT")
				}
				queueSizes(w, rx.LocalAddr(), test.sizes)
				if sent, dropped, err := w.Flush(); sent != len(test.sizes) || dropped != 0 || err != nil {
					t.Fatal(sent, dropped, err)
				}
				if got := out.counts[:out.built]; fmt.Sprint(got) != fmt.Sprint(test.messages) {
					t.Errorf("messages of %v datagrams, want %v", got, test.messages)
				}
				if !out.segment || out.refusals != 0 {
					t.Error("segments were refused")
				}
				wantSizes(t, rx, test.sizes)
			})
		}
	}
}

func TestSegmentsGoToOneAddress(t *testing.T) {
	w, out, rx, _ := pair(t, "127.0.0.1:0")
	_, _, other, _ := pair(t, "127.0.0.1:0")
	for i, to := range []*Conn{rx, rx, other, other, rx} {
		w.Queue(to.LocalAddr(), bytes.Repeat([]byte{byte(i)}, 50))
	}
	if sent, _, err := w.Flush(); sent != 5 {
		t.Fatal(sent, err)
	}
	if got := fmt.Sprint(out.counts[:out.built]); out.segment && got != "[2 2 1]" {
		t.Errorf("messages of %s datagrams", got)
	}
	var batch ReadBatch
	for want := []byte{0, 1, 4}; len(want) > 0; {
		n, err := rx.Read(&batch)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if data, _, _ := batch.At(i); data[0] != want[0] {
				t.Errorf("got datagram %d, want %d", data[0], want[0])
			}
			want = want[1:]
		}
	}
}

// setsockopt sets an integer option of a socket.
func setsockopt(t *testing.T, pc *net.UDPConn, level, option, value int) {
	t.Helper()
	raw, err := pc.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var opErr error
	if err := raw.Control(func(fd uintptr) { opErr = unix.SetsockoptInt(int(fd), level, option, value) }); err != nil {
		t.Fatal(err)
	}
	if opErr != nil {
		t.Fatal(opErr)
	}
}

// A socket without checksums cannot send segments: the kernel refuses each with EINVAL, they go singly,
// and after a while segments are tried no more.
func TestRefusedSegmentsGoSingly(t *testing.T) {
	w, out, rx, tx := pair(t, "127.0.0.1:0")
	if !out.segment {
		t.Skip("this kernel has no UDP_SEGMENT")
	}
	setsockopt(t, tx, unix.SOL_SOCKET, unix.SO_NO_CHECK, 1)
	sizes := []int{100, 100, 100, 200, 300, 300, 50, 400}
	for round := range maxRefusals {
		if tried := out.segment; tried != (round < maxRefusals/2) {
			t.Fatalf("round %d: segments tried: %v after %d refusals", round, tried, out.refusals)
		}
		queueSizes(w, rx.LocalAddr(), sizes)
		if sent, dropped, err := w.Flush(); sent != len(sizes) || dropped != 0 || err != nil {
			t.Fatal(sent, dropped, err)
		}
		wantSizes(t, rx, sizes)
	}
}

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		errno             syscall.Errno
		refused, forever  bool
		afterSuccessAgain bool
	}{
		{unix.EIO, true, true, false},
		{unix.ENOPROTOOPT, true, true, false},
		{unix.EOPNOTSUPP, true, true, false},
		{unix.EINVAL, true, false, true},
		{unix.EMSGSIZE, true, false, true},
		{unix.EPERM, false, false, true},
	} {
		s := &mmsgSender{segment: true, counts: []int{2}}
		for range maxRefusals - 1 {
			if got := s.refused(test.errno); got != test.refused {
				t.Errorf("%v: refused %v", test.errno, got)
			}
		}
		if s.segment == test.forever {
			t.Errorf("%v: segments tried again: %v", test.errno, s.segment)
		}
		s.taken(1)
		s.next = 0
		s.refused(test.errno)
		if s.segment != test.afterSuccessAgain {
			t.Errorf("%v: segments tried after a success: %v", test.errno, s.segment)
		}
	}
}

// ICMP answers to earlier datagrams surface as errors of later calls, here because IP_RECVERR asks
// for them. They cost no datagram, on either side.
func TestPendingErrorsCostNothing(t *testing.T) {
	w, _, rx, tx := pair(t, "127.0.0.1:0")
	setsockopt(t, tx, unix.SOL_IP, unix.IP_RECVERR, 1)
	gone, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	refuses := gone.LocalAddr().(*net.UDPAddr).AddrPort()
	gone.Close()
	for range 5 {
		for i := range 4 { // alone, then among others
			w.Queue(refuses, []byte("nobody is there"))
			w.Queue(rx.LocalAddr(), bytes.Repeat([]byte{byte(i)}, 20))
		}
		if sent, dropped, err := w.Flush(); sent != 8 || dropped != 0 || err != nil {
			t.Fatal(sent, dropped, err)
		}
		wantSizes(t, rx, repeat(4, 20))
	}
	// The last of them is pending still: the reader passes over it.
	if _, err := tx.WriteToUDPAddrPort([]byte("x"), refuses); err != nil && !errors.Is(err, unix.ECONNREFUSED) {
		t.Fatal(err)
	}
	if _, err := rx.pc.WriteToUDPAddrPort([]byte{0}, tx.LocalAddr().(*net.UDPAddr).AddrPort()); err != nil {
		t.Fatal(err)
	}
	wantSizes(t, NewConn(tx), []int{1})
}

// Loopback never fills a send buffer, so the kernel's answer is played here.
func TestFullSocketDropsTheRest(t *testing.T) {
	s := &mmsgSender{queue: make([]datagram, 6), pos: 2, counts: []int{2, 3, 1}, next: 1, built: 3, sent: 2}
	s.failed(unix.EAGAIN)
	if s.sent != 2 || s.dropped != 4 || s.pos != 6 || s.errno != unix.EAGAIN {
		t.Errorf("sent %d, dropped %d, at %d, %v", s.sent, s.dropped, s.pos, s.errno)
	}
}

// An error that keeps coming back is the message's own.
func TestRepeatedErrorDropsOneMessage(t *testing.T) {
	s := &mmsgSender{queue: make([]datagram, 4), counts: []int{3, 1}, built: 2}
	for i := range maxAttempts {
		if s.pos != 0 {
			t.Fatalf("gave up after %d attempts", i)
		}
		s.failed(unix.EHOSTUNREACH)
	}
	if s.dropped != 3 || s.pos != 3 || s.next != 1 || s.errno != unix.EHOSTUNREACH {
		t.Errorf("dropped %d, at %d, message %d, %v", s.dropped, s.pos, s.next, s.errno)
	}
}

func TestSockaddr(t *testing.T) {
	ifi, err := net.InterfaceByIndex(1)
	if err != nil {
		t.Skipf("this machine has no interface 1: %v", err)
	}
	for _, test := range []struct {
		to   string
		v4   bool // the socket's family
		want string
	}{
		{"192.0.2.1:9000", true, "192.0.2.1:9000"},
		{"192.0.2.1:9000", false, "[::ffff:192.0.2.1]:9000"},
		{"[2001:db8::7]:65535", false, "[2001:db8::7]:65535"},
		{"[2001:db8::7]:1", true, "[2001:db8::7]:1"}, // for the kernel to refuse
		{"[fe80::1%17]:30303", false, "[fe80::1%17]:30303"},
		{"[fe80::1%" + ifi.Name + "]:30303", false, "[fe80::1%1]:30303"},
		{"[fe80::1%no-such-link]:30303", false, "[fe80::1]:30303"},
	} {
		s := sockaddr{}
		for i := range s {
			s[i] = 0xff // left from an earlier address
		}
		var z zones
		length := s.set(netip.MustParseAddrPort(test.to), test.v4, &z)
		if got := s.addrPort(&z); got.String() != test.want {
			t.Errorf("%s: got %v, want %s", test.to, got, test.want)
		}
		if (length == unix.SizeofSockaddrInet4) != netip.MustParseAddrPort(test.want).Addr().Is4() {
			t.Errorf("%s: length %d", test.to, length)
		}
	}
	if got := new(sockaddr).addrPort(new(zones)); got.IsValid() {
		t.Errorf("no family: %v", got)
	}
}

// A batch stays small until batches come back full.
func TestBatchGrowsUnderLoad(t *testing.T) {
	w, _, rx, _ := pair(t, "127.0.0.1:0")
	var batch ReadBatch
	load := func(n int) (most int) {
		queueSizes(w, rx.LocalAddr(), repeat(n, 10))
		if sent, _, err := w.Flush(); sent != n {
			t.Fatal(sent, err)
		}
		for n > 0 {
			k, err := rx.Read(&batch)
			if err != nil {
				t.Fatal(err)
			}
			n, most = n-k, max(most, k)
		}
		return most
	}
	for range 10 {
		load(firstBatch - 1)
	}
	if len(batch.bufs) != firstBatch {
		t.Errorf("%d buffers when idle", len(batch.bufs))
	}
	load(200)
	if most := load(2 * MaxBatch); most != MaxBatch || len(batch.bufs) != MaxBatch {
		t.Errorf("at most %d in one Read, %d buffers", most, len(batch.bufs))
	}
}
