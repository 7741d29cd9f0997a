package expr

import (
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/discv5/host/sdk/fields"
	"github.com/discv5/host/sdk/forks"
)

func newFork(n *forks.Network) ref.Val { return &value[*forks.Network]{forkType.typ, n} }

// announcement collects what a record says about forks.
func (r *record) announcement() (a forks.Announcement) {
	if v, err := r.field(fieldEth); err == nil {
		if id, ok := v.(*value[fields.ForkID]); ok {
			a.Eth = &id.v
		}
	}
	if v, err := r.field(fieldEth2); err == nil {
		if e, ok := v.(*value[fields.Eth2]); ok {
			a.Eth2 = &e.v
		}
	}
	var nfd fields.NFD
	if a.Eth2 != nil && r.node.Load(&nfd) == nil {
		a.NFD = &nfd.Bytes4
	}
	return a
}

// judge asks a network about a record and notes reason and time for the verdict.
func judge(target, arg ref.Val, ask func(n *forks.Network, r *record) forks.Verdict) ref.Val {
	n, ok := target.(*value[*forks.Network])
	r, ok2 := arg.(*record)
	if !ok || !ok2 {
		return wrong()
	}
	v := ask(n.v, r)
	if !v.Until.IsZero() && (r.until.IsZero() || v.Until.Before(r.until)) {
		r.until = v.Until
	}
	// Of several networks, the one that the record is about has the reason: the others only say that it is foreign.
	if v.Accepted || r.forkSays == "" || r.forkSays == forks.ReasonForeign || r.forkSays == forks.ReasonNone {
		r.forkSays = v.Reason
	}
	return types.Bool(v.Accepted)
}

func forkAccepts(target, arg ref.Val) ref.Val {
	return judge(target, arg, func(n *forks.Network, r *record) forks.Verdict {
		return n.Accepts(r.announcement(), r.clock())
	})
}

func forkPrepared(target, arg ref.Val) ref.Val {
	return judge(target, arg, func(n *forks.Network, r *record) forks.Verdict {
		return n.Prepared(r.announcement(), r.clock())
	})
}
