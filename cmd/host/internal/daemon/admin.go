package daemon

import (
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/discv5/host/cmd/host/internal/admin"
	"github.com/discv5/host/cmd/host/internal/build"
	"github.com/discv5/host/cmd/host/internal/logging"
	"github.com/discv5/host/cmd/host/internal/metrics"
	"github.com/discv5/host/sdk/expr"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/hashicorp/go-hclog"
)

// openAdmin lets operators and their programs ask, where the configuration says so.
func (h *host) openAdmin() (err error) {
	cfg := &h.loaded.Config
	var server atomic.Pointer[admin.Server] // for scrapes, which it serves itself
	counted := func() (none admin.Stats) {
		if s := server.Load(); s != nil {
			return s.Stats()
		}
		return none
	}
	settings := admin.Config{
		Node: &operated{plainNode: h.node, path: filepath.Join(cfg.DataDir, fieldsName)}, Plugins: h.set, Feed: h.feed, Version: build.Read().Version,
		Metrics: metrics.Handler(metrics.Config{
			Node: h.node, Plugins: h.set, Admin: counted, Reloads: h.reloads, Build: build.Read(), Log: h.log.Named("metrics"),
		}),

		Reload: h.reload, ReloadPlugin: h.reloadPlugin,
		LogLevel: h.logLevel, SetLogLevel: h.setLogLevel,

		Compile: h.compile,

		Socket: cfg.AdminSocket(), TCP: cfg.Admin.Listen, Token: cfg.Admin.Token.Reveal(), Remote: cfg.Admin.Remote, Grace: cfg.Admin.ReadyGrace,
		Log: h.log.Named("admin"),
	}
	if settings.Socket == "" && !settings.TCP.IsValid() {
		return nil
	}
	if h.admin, err = admin.Listen(settings); err != nil {
		return adviseAdmin(err)
	}
	server.Store(h.admin)
	where := []any{}
	if at := h.admin.Socket(); at != "" {
		where = append(where, "socket", at)
	}
	if at := h.admin.TCPAddr(); at.IsValid() {
		where = append(where, "addr", at)
	}
	h.log.Info("operators may ask", where...)
	return nil
}

func (h *host) logLevel() string { return strings.ToLower(h.log.GetLevel().String()) }

func (h *host) setLogLevel(level string) error {
	if err := logging.CheckLevel(level); err != nil {
		return err
	}
	h.log.SetLevel(hclog.LevelFromString(level))
	return nil
}

// compile makes a predicate of a filter expression.
func (h *host) compile(text string) (func(*enode.Node) bool, error) {
	p, err := expr.Compile(text, expr.WithSelf(h.node.ID()))
	if err != nil {
		return nil, err
	}
	return p.Match, nil
}
