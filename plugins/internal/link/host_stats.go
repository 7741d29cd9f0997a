package link

import (
	"strings"

	"github.com/discv5/host/sdk/pluginpb"
)

// numResults is success and the codes of errors.
const numResults = int(pluginpb.CallCode_CALL_CODE_CANCELLED) + 2

type hostStats struct {
	calls  [numCalls][numResults]uint64
	events uint64
	lost   uint64
}

// HostStats are the counters of a Host.
type HostStats struct {
	Calls  []CallCount // those above zero
	Events uint64      // passed on
	Lost   uint64      // events that the plugin did not read fast enough for
	Open   int         // gauge: calls that wait for their end
	Unsent int         // gauge: bytes that the plugin has not taken
}

// CallCount is how often a call had a result.
type CallCount struct {
	Call   string // "find_node"
	Result string // "ok", or the error: "not_granted"
	Count  uint64
}

// Stats returns the counters.
func (h *Host) Stats() HostStats {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := HostStats{Events: h.stats.events, Lost: h.stats.lost, Open: len(h.open), Unsent: h.out.size}
	for kind, results := range h.stats.calls {
		for result, count := range results {
			if count > 0 {
				s.Calls = append(s.Calls, CallCount{kinds[kind].name, resultName(result), count})
			}
		}
	}
	return s
}

// resultOf is the number that a reply is counted under: 0 for success, else its code plus one.
func resultOf(m *pluginpb.HostReply) int {
	if m.Error == nil {
		return 0
	}
	return int(m.Error.Code) + 1
}

func resultName(result int) string {
	if result == 0 {
		return "ok"
	}
	code := pluginpb.CallCode(result - 1)
	if code == pluginpb.CallCode_CALL_CODE_UNSPECIFIED {
		return "other"
	}
	return strings.ToLower(strings.TrimPrefix(code.String(), "CALL_CODE_"))
}
