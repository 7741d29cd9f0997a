package cli

import (
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/discv5/host/cmd/host/internal/admin"
	"github.com/discv5/host/cmd/host/internal/build"
	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/cmd/host/internal/crawl"
	"github.com/discv5/host/cmd/host/internal/storefile"
)

// Names in the documents of commands are of one kind: camelCase, a node's id is nodeId, and what counts time says its unit.
func TestNamesInDocuments(t *testing.T) {
	camel := regexp.MustCompile(`^[a-z][a-zA-Z0-9]*$`)
	seen := make(map[reflect.Type]bool)
	var check func(reflect.Type)
	check = func(doc reflect.Type) {
		switch doc.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Array:
			check(doc.Elem())
		case reflect.Struct:
			if seen[doc] || !strings.HasPrefix(doc.PkgPath(), "github.com/discv5/host") {
				return
			}
			seen[doc] = true
			for f := range doc.Fields() {
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				if name == "-" || name == "" {
					continue
				}
				if !camel.MatchString(name) {
					t.Errorf("%v: %q is not camelCase", doc, name)
				}
				if strings.Contains(strings.ToLower(name), "rtt") && name != "rttSeconds" {
					t.Errorf("%v: %q, and elsewhere it is rttSeconds", doc, name)
				}
				check(f.Type)
			}
		}
	}
	for _, doc := range []any{
		recordInfo{}, pingInfo{}, keyInfo{}, sums{}, sifted{}, networkForks{}, description{}, shownConfig{}, verdict{}, build.Info{},
		config.Reference{}, crawl.Result{}, crawl.Summary{}, storefile.Line{}, storefile.Stats{}, admin.Status{}, admin.NodeView{}, admin.NodesView{},
		admin.PluginsView{}, admin.FiltersView{}, admin.Explained{}, admin.BansView{}, admin.EndpointsView{}, admin.Event{}, admin.LogsView{},
		admin.RecordView{}, admin.ReloadResult{},
	} {
		check(reflect.TypeOf(doc))
	}
	for _, doc := range []any{recordInfo{}, pingInfo{}, keyInfo{}, sifted{}, crawl.Result{}, storefile.Line{}, admin.PeerView{}, admin.NodeView{}} {
		if f, ok := reflect.TypeOf(doc).FieldByName("NodeID"); !ok || !strings.HasPrefix(f.Tag.Get("json"), "nodeId") {
			t.Errorf("%T has no nodeId", doc)
		}
	}
}

// An id has 0x in documents, and not in what people read.
func TestIDs(t *testing.T) {
	id := fixedNode(1, 1).ID()
	if got := programID(id); got != "0x"+id.String() || peopleID(got) != id.String() || peopleID(id.String()) != id.String() {
		t.Errorf("%s, %s", got, peopleID(got))
	}
}
