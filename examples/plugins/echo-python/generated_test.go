package echopython

import (
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/discv5/host/sdk/pluginpb"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// escape is a byte in the way that Python writes it: letters among them, where a digit stands before.
var escape = regexp.MustCompile(`\\x[0-9a-f]{2}`)

// The generated files know every message, field and method of the contract.
func TestGeneratedFilesAreNew(t *testing.T) {
	for _, file := range []protoreflect.FileDescriptor{
		pluginpb.File_plugin_proto, pluginpb.File_talk_proto, pluginpb.File_filter_proto, pluginpb.File_store_proto, pluginpb.File_host_proto,
		pluginpb.File_methods_proto,
	} {
		name := strings.TrimSuffix(file.Path(), ".proto")
		text, err := os.ReadFile("discv5pb/" + name + "_pb2.py")
		if err != nil {
			t.Fatal(err)
		}
		plain := escape.ReplaceAllStringFunc(string(text), func(e string) string {
			b, _ := hex.DecodeString(e[2:])
			return string(b)
		})
		has := func(what protoreflect.Name) {
			if !strings.Contains(plain, string(what)) {
				t.Errorf("%s_pb2.py does not have %s: run generate.sh, and copy discv5pb to the templates of host plugin new", name, what)
			}
		}
		for i := range file.Messages().Len() {
			m := file.Messages().Get(i)
			has(m.Name())
			for j := range m.Fields().Len() {
				has(m.Fields().Get(j).Name())
			}
		}
		for i := range file.Services().Len() {
			for j := range file.Services().Get(i).Methods().Len() {
				has(file.Services().Get(i).Methods().Get(j).Name())
			}
		}
	}
}
