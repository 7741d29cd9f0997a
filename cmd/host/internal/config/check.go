package config

import (
	"fmt"
	"net/netip"
	"slices"
)

// Problem is a mistake in the value of a key, found by whoever knows more than this package: where the value came from. what is one
// line, advice says what to do.
func (l *Loaded) Problem(key, what, advice string) Problem {
	from := l.Origins[key]
	if from.Where == "default" {
		from.Where = key
	}
	if from.Secret {
		what, advice = key+": it does not go with the other settings", hiddenAdvice
	}
	problem := from.problem
	problem.Where, problem.What, problem.Hint = from.Where, what, advice
	return problem
}

// check applies the rules over several keys.
func (l *Loaded) check() Problems {
	c := &l.Config
	var problems Problems
	add := func(key, what, advice string) { problems = append(problems, l.Problem(key, what, advice)) }

	listens := make(map[string]bool) // families listened on
	for _, at := range c.Listen {
		if f := family(at.Addr()); listens[f] {
			add("listen", fmt.Sprintf("%s is a second %s address", at, f), "listen on one address per family; 0.0.0.0 and [::] stand for all of a family")
		} else {
			listens[f] = true
		}
	}
	if len(c.Listen) == 0 {
		add("listen", "listen is empty", `write at least one address, like "0.0.0.0:9000"`)
	}
	advertised := make(map[string]bool)
	for _, at := range c.Advertise {
		f := family(at.Addr())
		if advertised[f] {
			add("advertise", fmt.Sprintf("%s is a second %s address", at.Addr(), f), "a node record has room for one address per family")
		}
		advertised[f] = true
		if len(c.Listen) > 0 && !listens[f] {
			add("advertise", fmt.Sprintf("%s is advertised, but nothing listens on %s", at.Addr(), f), "add an address of that family to listen")
		}
	}
	if c.NAT != "none" && advertised["IPv4"] {
		add("nat", "nat and an advertised IPv4 address exclude each other", "leave one out: an advertised address is never changed, also not by the router's answer")
	}
	if c.NAT != "none" && len(c.Listen) > 0 && !listens["IPv4"] {
		add("nat", "nat maps an IPv4 port, but nothing listens on IPv4", "add an IPv4 address to listen, or leave nat out")
	}
	if c.Limits.SourceBurst < c.Limits.SourceRate {
		add(l.set("limits.source_burst", "limits.source_rate"), fmt.Sprintf("limits.source_burst %d is below limits.source_rate %d", c.Limits.SourceBurst, c.Limits.SourceRate),
			"a burst is at least what one second allows")
	}
	if c.Table.TableIPLimit < c.Table.BucketIPLimit {
		add(l.set("table.table_ip_limit", "table.bucket_ip_limit"), fmt.Sprintf("table.table_ip_limit %d is below table.bucket_ip_limit %d", c.Table.TableIPLimit, c.Table.BucketIPLimit),
			"the whole table holds at least what one bucket does")
	}
	if at := c.Admin.Listen; at.IsValid() {
		switch problem, empty := l.emptyToken(); {
		case empty:
			problems = append(problems, problem)
		case c.Admin.Token == "":
			add("admin.listen", "admin.listen without admin.token", "anybody who reaches the address could steer the host: write token = file(\"path\"), with a file of `openssl rand -hex 32`")
		}
		if !c.Admin.Remote && !at.Addr().Unmap().IsLoopback() {
			add("admin.listen", fmt.Sprintf("admin.listen %v is reached from other machines", at),
				"listen on 127.0.0.1, or write remote = true if the network between is trusted: nothing is encrypted")
		}
	}
	return problems
}

// emptyToken is the problem of a token that somebody has written and that is empty, as that of an empty file is.
func (l *Loaded) emptyToken() (p Problem, empty bool) {
	from := l.Origins["admin.token"]
	if l.Config.Admin.Token != "" || from.Where == "default" {
		return Problem{}, false
	}
	p = from.problem
	p.Where, p.What = from.Where, "admin.token is empty, and admin.listen needs one"
	p.Hint = "if file() reads it, that file is empty: put the output of `openssl rand -hex 32` into it"
	return p, true
}

// set is the first of the keys that somebody set, or else the first.
func (l *Loaded) set(keys ...string) string {
	for _, key := range keys {
		if l.Origins[key].Where != "default" {
			return key
		}
	}
	return keys[0]
}

// unused warns of settings that have no effect beside others.
func (l *Loaded) unused() {
	a := &l.Config.Admin
	for key, is := range map[string]bool{"admin.remote": a.Remote, "admin.token": a.Token != ""} {
		if is && !a.Listen.IsValid() {
			l.Warnings = append(l.Warnings, fmt.Sprintf("%s: %s is for admin.listen, which is empty", l.Origins[key].Where, key))
		}
	}
	slices.Sort(l.Warnings)
}

func family(ip netip.Addr) string {
	if ip.Unmap().Is4() {
		return "IPv4"
	}
	return "IPv6"
}
