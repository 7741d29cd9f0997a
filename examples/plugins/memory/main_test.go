package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/sdktest"
)

func TestConformance(t *testing.T) { sdktest.Conformance(t, sdktest.Source{New: plugin}) }

func TestExpiredEntriesMakeRoom(t *testing.T) {
	now := time.Unix(1000, 0)
	s := &store{config: &config{MaxEntries: 2}, now: func() time.Time { return now }}
	put := func(key string, expires time.Time) error {
		return s.Put(context.Background(), []sdk.Entry{{Key: []byte(key), Version: 1, Expires: expires}})
	}
	if err := errors.Join(put("b", now.Add(time.Second)), put("c", time.Time{})); err != nil {
		t.Fatal(err)
	}
	if err := put("a", time.Time{}); !errors.Is(err, errFull) {
		t.Error("a full store took an entry:", err)
	}
	if err := put("c", time.Time{}); err != nil {
		t.Error("a full store does not take a new version of what it has:", err)
	}
	now = now.Add(time.Second)
	if err := put("a", time.Time{}); err != nil {
		t.Error("an expired entry makes no room:", err)
	}
	found, err := s.Scan(context.Background(), nil, nil, 10)
	if err != nil || len(found) != 2 || string(found[0].Key) != "a" {
		t.Error(found, err)
	}
}

func TestWrongConfiguration(t *testing.T) {
	if _, err := sdktest.Try(t, sdktest.Source{New: plugin}, sdktest.Config(map[string]any{"max_entries": 0})); err == nil {
		t.Error("a store without room starts")
	}
}
