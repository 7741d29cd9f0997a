package table

import "testing"

// crowd is the address that limits are tried with.
const crowd = "1.2.3.4"

func TestLimitOfBucket(t *testing.T) {
	f := newFixture(t, Config{BitsPerHop: 1})
	f.want(Added, f.manyIP(2, 256, crowd)...)
	third := f.atIP(256, crowd)
	f.want(AddressLimit, third)
	f.replaceTail()
	f.want(Added, third)
	f.want(Added, f.many(14, 256)...)

	f.want(Added, f.atIP(255, crowd)) // Another bucket, another budget.
	f.want(Added, f.many(13, 255)...)
	f.want(Added, f.atIP(255, crowd))
	f.want(AddressLimit, f.atIP(255, crowd))
}

func TestLimitOfTable(t *testing.T) {
	f := newFixture(t, Config{BitsPerHop: 1})
	for d := 256; d > 251; d-- {
		f.want(Added, f.many(14, d)...)
		f.want(Added, f.manyIP(2, d, crowd)...)
	}
	f.want(Added, f.at(251))
	f.want(AddressLimit, f.atIP(251, crowd))
	f.want(Added, f.at(251))
}

func TestLimitOfReplacements(t *testing.T) {
	f := newFixture(t, Config{BitsPerHop: 1})
	f.want(Added, f.many(15, 256)...)
	f.want(Added, f.atIP(256, crowd))
	first, second := f.atIP(256, crowd), f.atIP(256, crowd)
	f.want(ReplacementAdded, first)
	f.want(AddressLimit, second)
	f.replaceTail()
	f.has(first, true)
	f.has(second, false)
	f.replaceTail()
	f.has(first, false)
	f.has(second, false)
}

func TestLimitAfterReplacementOverflow(t *testing.T) {
	f := newFixture(t, Config{BitsPerHop: 1})
	f.want(Added, f.atIP(256, crowd))
	f.want(Added, f.many(15, 256)...)
	f.want(ReplacementAdded, f.atIP(256, crowd))
	f.want(ReplacementAdded, f.many(7, 256)...)
	again := f.atIP(256, crowd)
	f.want(AddressLimit, again)
	f.want(ReplacementAdded, f.at(256)) // Pushes the oldest out.
	f.want(ReplacementAdded, again)
}

func TestLimitAndReplacementAddedTwice(t *testing.T) {
	f := newFixture(t, Config{BitsPerHop: 1})
	f.want(Added, f.many(16, 256)...)
	for range 2 {
		n := f.atIP(256, crowd)
		f.want(ReplacementAdded, n)
		f.want(ReplacementExisting, n)
	}
	f.want(AddressLimit, f.atIP(256, crowd))
}

func TestLimitFollowsUpdate(t *testing.T) {
	for _, to := range []string{"192.168.0.1", "5.6.7.8"} {
		f := newFixture(t, Config{BitsPerHop: 1})
		n := f.atIP(256, crowd)
		f.want(Added, n)
		f.want(Updated, newNode(n.ID(), to, 2))
		f.want(Added, f.manyIP(2, 256, crowd)...)
		f.want(AddressLimit, f.atIP(256, crowd))
		if f.Len() != 3 {
			t.Errorf("%d entries", f.Len())
		}
	}
}

func TestLimitFollowsUpdateOfReplacement(t *testing.T) {
	f := newFixture(t, Config{BitsPerHop: 1})
	f.want(Added, f.many(16, 256)...)
	n := f.atIP(256, crowd)
	f.want(ReplacementAdded, n)
	f.want(ReplacementExisting, newNode(n.ID(), "192.168.1.1", 1)) // The same seq is enough.
	f.want(ReplacementAdded, f.manyIP(2, 256, crowd)...)
	f.want(AddressLimit, f.atIP(256, crowd))
}

func TestLimitFollowsManyUpdates(t *testing.T) {
	f := newFixture(t, Config{BitsPerHop: 1})
	n := f.atIP(256, crowd)
	f.want(Added, n)
	for seq := range uint64(3) {
		f.want(Updated, newNode(n.ID(), f.fresh(), 2+seq))
	}
	f.want(Added, f.manyIP(2, 256, crowd)...)
	f.want(AddressLimit, f.atIP(256, crowd))
	if f.Len() != 3 {
		t.Errorf("%d entries", f.Len())
	}
}

func TestLimitRefusesUpdate(t *testing.T) {
	f := newFixture(t, Config{BitsPerHop: 1})
	f.want(Added, f.manyIP(2, 256, crowd)...)
	n := f.at(256)
	f.want(Added, n)
	f.Seen(f.now, n.ID(), 0)
	f.want(AddressLimit, newNode(n.ID(), crowd, 2))
	if e, _ := f.Entry(n.ID()); e.Node != n || !e.Verified {
		t.Errorf("a refused update left %+v", e)
	}
}

func TestLimitsByPrefix(t *testing.T) {
	for _, tt := range []struct {
		name   string
		limits Limits
		ips    []string
		last   Result
	}{
		{"IPv4 /24", Limits{}, []string{"1.2.3.4", "1.2.3.5", "1.2.3.200"}, AddressLimit},
		{"IPv4 next /24", Limits{}, []string{"1.2.3.4", "1.2.3.5", "1.2.4.4"}, Added},
		{"IPv4 exact", Limits{PrefixV4: 32}, []string{"1.2.3.4", "1.2.3.4", "1.2.3.5"}, Added},
		{"IPv4 exact, full", Limits{PrefixV4: 32}, []string{"1.2.3.4", "1.2.3.4", "1.2.3.4"}, AddressLimit},
		{"IPv6 /64", Limits{}, []string{"2001:db8::1", "2001:db8::2", "2001:db8::ffff:1:2:3"}, AddressLimit},
		{"IPv6 next /64", Limits{}, []string{"2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"}, Added},
		{"no limit", unlimited, []string{"1.2.3.4", "1.2.3.4", "1.2.3.4"}, Added},
		{"only the table", Limits{Bucket: -1, Table: 2}, []string{"1.2.3.4", "1.2.3.4", "1.2.3.4"}, AddressLimit},
		{"only the bucket", Limits{Table: -1}, []string{"1.2.3.4", "1.2.3.4", "1.2.3.4"}, AddressLimit},
		{"loopback", Limits{}, []string{"127.0.0.1", "127.0.0.1", "127.0.0.1"}, Added},
		{"IPv6 loopback", Limits{}, []string{"::1", "::1", "::1"}, Added},
		{"private", Limits{}, []string{"10.0.0.1", "10.0.0.1", "10.0.0.1"}, Added},
		{"unique local", Limits{}, []string{"fd00::1", "fd00::1", "fd00::1"}, Added},
		{"link-local", Limits{}, []string{"169.254.0.1", "169.254.0.1", "169.254.0.1"}, Added},
		{"IPv6 link-local", Limits{}, []string{"fe80::1", "fe80::1", "fe80::1"}, Added},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, Config{Limits: tt.limits})
			last := len(tt.ips) - 1
			for _, ip := range tt.ips[:last] {
				f.want(Added, f.atIP(256, ip))
			}
			f.want(tt.last, f.atIP(256, tt.ips[last]))
		})
	}
}
