package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/discv5/host/cmd/host/internal/hint"
)

// ReloadResult is what came of taking in the configuration anew. What is refused leaves what it names as it was.
type ReloadResult struct {
	At        time.Time `json:"at"`        // when it was done; the server and the Feed fill it in when it is zero
	Changed   []string  `json:"changed"`   // what is in force now and was not: keys, and plugins as "talk.echo"
	Refused   []Refusal `json:"refused"`   // what is not, and why
	Restart   []string  `json:"restart"`   // keys that differ from what runs and need a restart
	Unchanged []string  `json:"unchanged"` // plugins that stayed as they are
}

// Refusal is something that a reload did not take in.
type Refusal struct {
	What string `json:"what"` // a place in a file, a key, a plugin
	Why  string `json:"why"`
	Hint string `json:"hint,omitempty"` // what to do about it
}

// Refuse adds a refusal, with the hint that err carries.
func (r *ReloadResult) Refuse(what string, err error) {
	r.Refused = append(r.Refused, Refusal{what, err.Error(), hint.Of(err)})
}

// Outcome is the result in a word, for logs and the label of a metric: "refused" when something was, else "restart" when something
// waits for one, else "changed" or "unchanged".
func (r *ReloadResult) Outcome() string {
	switch {
	case len(r.Refused) > 0:
		return "refused"
	case len(r.Restart) > 0:
		return "restart"
	case len(r.Changed) > 0:
		return "changed"
	}
	return "unchanged"
}

// Outcomes are the words that Outcome says.
func Outcomes() []string { return []string{"unchanged", "changed", "restart", "refused"} }

// String is the result in one line, for a log.
func (r *ReloadResult) String() string {
	var parts []string
	add := func(what string, all []string) {
		if len(all) > 0 {
			parts = append(parts, what+" "+strings.Join(all, ", "))
		}
	}
	add("changed", r.Changed)
	add("needs a restart:", r.Restart)
	for _, x := range r.Refused {
		parts = append(parts, fmt.Sprintf("refused %s: %s", x.What, x.Why))
	}
	if len(parts) == 0 {
		return "nothing changed"
	}
	return strings.Join(parts, "; ")
}

// complete makes lists of what was not filled in.
func (r *ReloadResult) complete() {
	r.Changed, r.Refused, r.Restart, r.Unchanged = list(r.Changed), list(r.Refused), list(r.Restart), list(r.Unchanged)
	if r.At.IsZero() {
		r.At = time.Now()
	}
}

func reloadAll(ctx context.Context, a *args) (any, error) {
	f := a.s.cfg.Reload
	if f == nil {
		return nil, fail(CodeFailed, "this host cannot reload its configuration", "unsupported", "restart it")
	}
	return a.s.reload(ctx, f)
}

// errEnding says that what was asked for is not to be expected any more.
var errEnding = fail(CodeUnavailable, "the host is ending", "closed", "ask again when it is back")

// reload makes a reload, one at a time. It goes on when the one who asked goes away: half a reload would be worse.
func (s *Server) reload(ctx context.Context, f func(context.Context) (ReloadResult, error)) (any, error) {
	select {
	case s.reloads <- struct{}{}:
	default:
		return nil, fail(CodeLimit, "a reload is under way", "busy", "try again when it is done")
	}
	type outcome struct {
		result ReloadResult
		err    error
	}
	done := make(chan outcome, 1)
	go func() { // Close waits for it
		defer func() { <-s.reloads }()
		result, err := f(s.ctx)
		result.complete()
		if err == nil {
			s.cfg.Feed.Reloaded(result)
		}
		done <- outcome{result, err}
	}()
	select {
	case o := <-done:
		switch {
		case o.err == nil:
			return o.result, nil
		case s.ctx.Err() != nil && errors.Is(o.err, context.Canceled):
			return nil, errEnding
		}
		return nil, o.err
	case <-ctx.Done():
		if s.ctx.Err() != nil {
			return nil, errEnding
		}
		return nil, fail(CodeUnavailable, "the reload takes long, and goes on", "timeout", "host_status shows its result when it is done")
	}
}

func pluginReload(ctx context.Context, a *args) (any, error) {
	name, err := a.pluginID(0)
	if err != nil {
		return nil, err
	}
	return a.s.reload(ctx, func(ctx context.Context) (ReloadResult, error) {
		if f := a.s.cfg.ReloadPlugin; f != nil {
			return f(ctx, name)
		}
		if err := a.s.cfg.Plugins.Restart(ctx, name); err != nil {
			return ReloadResult{}, err
		}
		return ReloadResult{Changed: []string{name}}, nil
	})
}

func logLevel(_ context.Context, a *args) (any, error) {
	level, err := a.text(0, "a level, like info")
	if err != nil {
		return nil, err
	}
	unsupported := fail(CodeFailed, "this host cannot show or change its log level", "unsupported", "")
	if level != "" {
		if a.s.cfg.SetLogLevel == nil {
			return nil, unsupported
		}
		if err := a.s.cfg.SetLogLevel(level); err != nil {
			return nil, fail(CodeInvalidParams, err.Error(), "invalid_params", hint.Of(err))
		}
	}
	if a.s.cfg.LogLevel == nil {
		return nil, unsupported
	}
	return LogLevelView{a.s.cfg.LogLevel()}, nil
}

// LogLevelView is the least important messages that are logged.
type LogLevelView struct {
	Level string `json:"level"`
}
