package logging

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestJSON(t *testing.T) {
	var out bytes.Buffer
	log, err := New(&out, "info", "json")
	if err != nil {
		t.Fatal(err)
	}
	log.Debug("not shown")
	log.Info("listening", "addr", "127.0.0.1:9000")
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v in %q", err, out.String())
	}
	if line["@level"] != "info" || line["@message"] != "listening" || line["addr"] != "127.0.0.1:9000" {
		t.Errorf("line %v", line)
	}
}

func TestText(t *testing.T) {
	var out bytes.Buffer
	log, err := New(&out, "warn", "text")
	if err != nil {
		t.Fatal(err)
	}
	log.Info("not shown")
	log.Warn("record not saved", "err", "a\nforged line")
	got := out.String()
	if !strings.Contains(got, "[WARN]  host: record not saved") || strings.Contains(got, "not shown") {
		t.Errorf("text %q", got)
	}
	if strings.Contains(got, "\x1b[") {
		t.Errorf("colours in a file: %q", got)
	}
	if strings.Contains(got, "\nforged") {
		t.Errorf("a value started a line of its own: %q", got)
	}
}

func TestEveryLevelAndFormat(t *testing.T) {
	for _, level := range Levels {
		for _, format := range Formats {
			log, err := New(new(bytes.Buffer), level, format)
			if err != nil || log.GetLevel().String() != level {
				t.Errorf("New(%s, %s): %v", level, format, err)
			}
		}
	}
	for _, bad := range [][2]string{{"loud", "text"}, {"info", "xml"}, {"", ""}, {"INFO", "text"}} {
		if _, err := New(new(bytes.Buffer), bad[0], bad[1]); err == nil {
			t.Errorf("New(%q, %q) was accepted", bad[0], bad[1])
		}
	}
}
