package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/discv5/host/cmd/host/internal/admin"
	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/cmd/host/internal/plainfile"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const (
	maxTokenFile = 4 << 10
	// readPatience is how long a running host may take to show something, and actionPatience to do something.
	readPatience   = 15 * time.Second
	actionPatience = 70 * time.Second
)

// remote is what the commands share that talk to a running host.
type remote struct {
	cmd    *cobra.Command
	client *admin.Client // while the command runs

	// flags
	socket    string
	tokenFile string
	json      bool
}

// operating makes cmd a command that talks to a running host: it gets the flags, and its work is run.
func operating(cmd *cobra.Command, run func(r *remote, args []string) error) *cobra.Command {
	r := &remote{cmd: cmd}
	fs := cmd.Flags()
	ofRun := pflag.NewFlagSet("run", pflag.ContinueOnError)
	config.Flags(ofRun)
	for _, name := range []string{"config", "data-dir", "dev"} {
		fs.AddFlag(ofRun.Lookup(name)) // they say which host is meant, as they do for host run
	}
	fs.StringVar(&r.socket, "socket", "", "socket of the host, a `path`, or a URL like http://127.0.0.1:8545 (default: what the configuration says)")
	fs.StringVar(&r.tokenFile, "token-file", "", "`file` with the token that a URL asks for")
	fs.BoolVar(&r.json, "json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := r.dial(cmd.Context())
		if err != nil {
			return err
		}
		defer client.Close()
		r.client = client
		return r.explain(run(r, args))
	}
	return cmd
}

// dial makes a client for the host that the flags mean. It does not connect yet.
func (r *remote) dial(ctx context.Context) (*admin.Client, error) {
	token, err := r.token(ctx)
	if err != nil {
		return nil, err
	}
	url := strings.Contains(r.socket, "://")
	if r.socket != "" && (!url || token != "") {
		return r.dialPlace(r.socket, token)
	}
	cfg, err := r.settings(ctx)
	if err != nil {
		return nil, err
	}
	if token == "" {
		token = cfg.Admin.Token.Reveal()
	}
	if url {
		if token == "" {
			return nil, usage(r.cmd, hint.New("a URL needs a token", "give the file that it is in with --token-file, or the configuration that has it with --config"))
		}
		return r.dialPlace(r.socket, token)
	}
	if path := cfg.AdminSocket(); path != "" {
		return admin.Dial(path, "")
	}
	at := cfg.Admin.Listen
	if !at.IsValid() {
		return nil, hint.New("a host with this configuration cannot be reached: it has no admin socket and no address", "set socket or listen in its admin block")
	}
	if at.Addr().IsUnspecified() {
		at = netip.AddrPortFrom(loopback(at.Addr()), at.Port())
	}
	return admin.Dial("http://"+at.String(), token)
}

// dialPlace makes a client for the host of --socket.
func (r *remote) dialPlace(place, token string) (*admin.Client, error) {
	client, err := admin.Dial(place, token)
	if err != nil {
		return nil, usage(r.cmd, err)
	}
	return client, nil
}

// settings are those that say where the host is. Mistakes in others do not matter here, and are told of.
func (r *remote) settings(ctx context.Context) (*config.Config, error) {
	loaded, mistakes, err := config.LoadPlace(ctx, config.Sources{Env: os.Environ(), Flags: r.cmd.Flags()})
	if problems, ok := errors.AsType[config.Problems](err); ok && !problems.OnFlags() {
		r.note("the configuration does not say where the host is; --data-dir or --socket does, whatever is wrong in it")
	}
	if err != nil {
		return nil, err
	}
	if mistakes > 0 {
		r.note(count(mistakes, "mistake") + " in the configuration; host validate shows more")
	}
	return &loaded.Config, nil
}

// note tells something on stderr that is no error.
func (r *remote) note(text string) { fmt.Fprintln(r.cmd.ErrOrStderr(), "note:", text) }

func loopback(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.IPv6Loopback()
}

func (r *remote) token(ctx context.Context) (string, error) {
	if r.tokenFile == "" {
		return "", nil
	}
	data, _, err := plainfile.ReadGiven(ctx, r.tokenFile, maxTokenFile)
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	token := strings.TrimSpace(string(data))
	if token == "" {
		return "", hint.New("--token-file: the file is empty", "it holds the token that the host was started with")
	}
	return token, nil
}

// explain makes a mistake in an argument that the host has found one of the command line.
func (r *remote) explain(err error) error {
	err = advised(err)
	if e, ok := errors.AsType[*admin.Error](err); ok && e.Code == admin.CodeInvalidParams {
		return usage(r.cmd, err)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return hint.Wrap(err, "the host is busy or hangs; its log may say why")
	}
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted")
	}
	return err
}

// get reads a document of the host.
func (r *remote) get(path string, document any) error {
	ctx, cancel := context.WithTimeout(r.cmd.Context(), readPatience)
	defer cancel()
	return r.client.Get(ctx, path, document)
}

// call calls a method of the host.
func (r *remote) call(method string, params []any, result any) error {
	ctx, cancel := context.WithTimeout(r.cmd.Context(), actionPatience)
	defer cancel()
	return r.client.Call(ctx, method, params, result)
}

// printed shows a document: as JSON, or as f prints it.
func (r *remote) printed(document any, f func() error) error {
	if r.json {
		return printJSON(r.cmd.OutOrStdout(), document)
	}
	return f()
}

// say prints a line for people.
func (r *remote) say(format string, args ...any) error {
	_, err := fmt.Fprintln(r.cmd.OutOrStdout(), plain(fmt.Sprintf(format, args...)))
	return err
}
