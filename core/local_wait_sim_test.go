package core

import (
	"context"
	"testing"
	"time"
)

// A change whose context ended while it waited for others does not happen.
func TestSimRecordChangeGivenUp(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet)
		before := n.Self()
		busy := make(chan error) // the keeper of the record hangs until somebody receives
		n.local.changes <- recordChange{done: busy}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s.wantErr("SetFields", n.SetFields(ctx, "somebody", map[string]any{"k": "v"}), context.DeadlineExceeded)
		s.wantErr("SetAdvertised", n.SetAdvertised(ctx, addrPort("203.0.113.9:9")), context.DeadlineExceeded)
		for range 2 { // one that has ended may get in line or not
			s.wantErr("RemoveFields", n.RemoveFields(ctx, Operator), context.DeadlineExceeded)
		}
		if err := <-busy; err != nil {
			t.Fatal(err)
		}
		settle()
		if n.Self().Seq() != before.Seq() || n.Endpoints()[0].Pinned {
			t.Errorf("the record went from seq %d to %d, pinned: %t", before.Seq(), n.Self().Seq(), n.Endpoints()[0].Pinned)
		}
		if err := n.SetFields(t.Context(), "somebody", map[string]any{"k": "v"}); err != nil {
			t.Error(err)
		}
	})
}
