package hint

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestHint(t *testing.T) {
	if Wrap(nil, "do something") != nil {
		t.Error("a nil error got a hint")
	}
	if Of(nil) != "" || Of(io.EOF) != "" {
		t.Error("an error without a hint has one")
	}
	inner := Wrap(io.EOF, "inner")
	outer := Wrap(fmt.Errorf("read the file: %w", inner), "outer")
	if got := Of(outer); got != "outer" {
		t.Errorf("Of(outer) = %q, want the outermost hint", got)
	}
	if got := Of(fmt.Errorf("again: %w", inner)); got != "inner" {
		t.Errorf("Of(wrapped inner) = %q, want %q", got, "inner")
	}
	if !errors.Is(outer, io.EOF) {
		t.Error("errors.Is does not see through hints")
	}
	if got := outer.Error(); got != "read the file: EOF" {
		t.Errorf("Error() = %q: the hint must not be in it", got)
	}
	if got := Wrap(io.EOF, ""); got != io.EOF {
		t.Errorf("Wrap with an empty hint = %v, want the error itself", got)
	}
}
