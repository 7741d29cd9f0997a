package logging

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/go-hclog"
)

// Levels are the accepted log levels, most talkative first.
var Levels = []string{"trace", "debug", "info", "warn", "error", "off"}

// Formats are the accepted log formats.
var Formats = []string{"text", "json"}

const timeFormat = "2006-01-02T15:04:05.000Z07:00" // RFC 3339 with milliseconds

// New returns the root logger, named "host", that writes to w. Colours appear only when w is a terminal.
func New(w io.Writer, level, format string) (hclog.Logger, error) {
	if err := CheckLevel(level); err != nil {
		return nil, err
	}
	if !slices.Contains(Formats, format) {
		return nil, fmt.Errorf("log format %q is not one of %s", format, strings.Join(Formats, ", "))
	}
	color := hclog.ColorOff
	if _, ok := w.(*os.File); ok {
		color = hclog.AutoColor // hclog looks for a terminal in files only, and colours everything else
	}
	return hclog.New(&hclog.LoggerOptions{
		Name:            "host",
		Output:          w,
		Level:           hclog.LevelFromString(level),
		JSONFormat:      format == "json",
		TimeFormat:      timeFormat,
		Color:           color,
		ColorHeaderOnly: true,
	}), nil
}

// CheckLevel says why a word is no log level; nil: it is one.
func CheckLevel(level string) error {
	if !slices.Contains(Levels, level) {
		return fmt.Errorf("log level %q is not one of %s", level, strings.Join(Levels, ", "))
	}
	return nil
}
