package sdk

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

type ctxKey struct{}

func TestRequestContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithCancel(context.WithValue(t.Context(), ctxKey{}, "v"))
		defer cancel()
		fresh := func() *requestContext {
			return &requestContext{parent: parent, deadline: time.Now().Add(time.Second)}
		}

		c := fresh()
		if d, ok := c.Deadline(); !ok || time.Until(d) != time.Second || c.Err() != nil || c.Value(ctxKey{}) != "v" {
			t.Errorf("deadline %v, %v, error %v, value %v", d, ok, c.Err(), c.Value(ctxKey{}))
		}

		waited, unwaited, derivedFrom := fresh(), fresh(), fresh()
		derived, stop := context.WithCancel(derivedFrom)
		defer stop()
		time.Sleep(time.Second - 1)
		synctest.Wait()
		select {
		case <-waited.Done():
			t.Error("done before the deadline")
		case <-derived.Done():
			t.Error("derived done before the deadline")
		default:
		}
		if unwaited.Err() != nil {
			t.Error("error before the deadline")
		}
		time.Sleep(1)
		synctest.Wait()
		for what, c := range map[string]context.Context{"waited for": waited, "not waited for": unwaited, "derived": derived} {
			if !errors.Is(c.Err(), context.DeadlineExceeded) {
				t.Errorf("%s: %v at the deadline", what, c.Err())
			}
		}
		<-waited.Done()
		<-derived.Done()

		ended := fresh()
		ended.end()
		if !errors.Is(ended.Err(), context.Canceled) {
			t.Errorf("ended: %v", ended.Err())
		}
		<-ended.Done()
		ended = fresh()
		done := ended.Done()
		ended.end()
		<-done
		time.Sleep(time.Minute)
		if !errors.Is(ended.Err(), context.Canceled) {
			t.Errorf("ended, long ago: %v", ended.Err())
		}

		orphan := fresh()
		cancel()
		if !errors.Is(orphan.Err(), context.Canceled) {
			t.Errorf("parent cancelled: %v", orphan.Err())
		}
		<-orphan.Done()
	})
}

func TestRequestContextIsFree(t *testing.T) {
	c := &requestContext{parent: context.Background(), deadline: time.Now().Add(time.Hour)}
	if n := testing.AllocsPerRun(100, func() { c.Deadline(); _ = c.Err(); c.end() }); n > 0 {
		t.Errorf("%v allocations although nobody waits", n)
	}
}
