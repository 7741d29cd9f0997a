package codec

import (
	"bytes"
	"slices"
	"testing"
)

func TestRecordsAll(t *testing.T) {
	want := [][]byte{newPeer(t, 1).record(t, 1), newPeer(t, 2).record(t, 300), {0xc0}}
	m, err := ParseNodes(AppendNodes(nil, requestID(t, 9), 3, want)[1:])
	if err != nil {
		t.Fatal(err)
	}
	if m.Total != 3 || m.Records.Len() != 3 {
		t.Errorf("total %d, %d records", m.Total, m.Records.Len())
	}
	got := slices.Collect(m.Records.All())
	if !slices.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("records %x, want %x", got, want)
	}
	for record := range m.Records.All() { // stopping early
		if !bytes.Equal(record, want[0]) {
			t.Errorf("first record %x", record)
		}
		break
	}
	for range (Records{}).All() {
		t.Error("a record out of nothing")
	}
}

func TestNodesOfManyEmptyRecords(t *testing.T) {
	m, err := ParseNodes(AppendNodes(nil, requestID(t, 9), 1, slices.Repeat([][]byte{{0xc0}}, 1170))[1:])
	if err != nil || m.Records.Len() != 1170 {
		t.Errorf("%d records, %v", m.Records.Len(), err)
	}
}
