package sdktest

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/discv5/host/sdk"
)

// Source is where a plugin under test comes from: New or Path, and what it needs to run.
type Source struct {
	// New makes a plugin of package sdk, a fresh one each time: it is served in this process, over a real socket.
	New func() sdk.Plugin

	// Path is a program, which is started as the host would do it. Args are its arguments, Env its whole environment beside
	// what the host sets, as "NAME=value"; nil: the PATH of this process.
	Path string
	Args []string
	Env  []string

	// Config is the plugin's config block: attribute names to values, durations as time.Duration or text. nil: empty.
	Config map[string]any

	// Grants are the host calls that it may make. nil: those that it says it needs.
	Grants []string
}

// configJSON is the config block as the host sends it.
func configJSON(config map[string]any) ([]byte, error) {
	if config == nil {
		return []byte("{}"), nil
	}
	b, err := json.Marshal(plain(config))
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return b, nil
}

// plain writes durations the way that a config file does.
func plain(v any) any {
	switch v := v.(type) {
	case time.Duration:
		return v.String()
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			out[key] = plain(value)
		}
		return out
	case []map[string]any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plain(v[i])
		}
		return out
	}
	return v
}
