package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/discv5/host/cmd/host/internal/hint"
)

// maxReply bounds the bytes of an answer that a client reads.
const maxReply = 64 << 20

// ErrUnreachable says that there was no connection to a host.
var ErrUnreachable = errors.New("the host cannot be reached")

type unreachable struct {
	where string
	err   error
}

func (u *unreachable) Error() string   { return fmt.Sprintf("reach the host at %s: %v", u.where, u.err) }
func (u *unreachable) Unwrap() []error { return []error{ErrUnreachable, u.err} }

// Client talks to a running host. It may be used by several goroutines.
type Client struct {
	base  string // of URLs
	where string // for people
	token string
	http  *http.Client
	ids   atomic.Uint64
}

// Dial makes a client for the host at a place: the path of its unix socket, or a URL like http://127.0.0.1:8545, which takes the token. It
// connects when it is used.
func Dial(place, token string) (*Client, error) {
	c := &Client{where: place, token: token}
	transport := &http.Transport{MaxIdleConnsPerHost: 4} // no proxy: the token is for the host alone
	c.http = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if strings.Contains(place, "://") {
		u, err := url.Parse(place)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, hint.New(fmt.Sprintf("%q is not the address of a host", place), "an address is like http://127.0.0.1:8545; without :// it is the path of a socket")
		}
		c.base = u.Scheme + "://" + u.Host + strings.TrimSuffix(u.Path, "/")
		return c, nil
	}
	if at, err := netip.ParseAddrPort(place); err == nil {
		return nil, hint.New(fmt.Sprintf("%q is an address and not the path of a socket", place), "write it with http:// in front: http://"+at.String())
	}
	at := placeOf(place)
	c.where = at.path
	if err := checkSocketPath(at.path); err != nil {
		return nil, err
	}
	c.base = "http://host"
	c.token = ""
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		if err := at.check(); err != nil { // now: what is trusted once cannot be replaced by others
			return nil, err
		}
		var d net.Dialer
		return d.DialContext(ctx, "unix", at.path)
	}
	return c, nil
}

// overTCP tells whether the place is a URL.
func (c *Client) overTCP() bool { return strings.Contains(c.where, "://") }

// Close ends the connections that wait to be used again.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Call calls a method with parameters by place, a slice, or by name, a map or struct; nil: none. The result is decoded into result, unless that
// is nil. What the host says in place of a result is an *Error.
func (c *Client) Call(ctx context.Context, method string, params, result any) error {
	id := c.ids.Add(1)
	request := map[string]any{"jsonrpc": "2.0", "id": id, "method": method}
	if params != nil {
		request["params"] = params
	}
	body, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	response, err := c.do(ctx, http.MethodPost, "/rpc", nil, bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var a answer
	if err := c.decode(response, &a); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	if a.Error != nil {
		return hint.Wrap(a.Error, a.Error.Hint())
	}
	if response.StatusCode != http.StatusOK || string(a.ID) != fmt.Sprint(id) {
		return hint.New(fmt.Sprintf("%s: %s did not answer the call (HTTP %d)", method, c.where, response.StatusCode), "is that the admin API of a host?")
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(a.Result, result); err != nil {
		return fmt.Errorf("%s: the result is not what was expected: %w", method, err)
	}
	return nil
}

// Get reads a path like /v1/nodes?limit=10. What the host says in place of a document is an *Error, but for the
// status 503 of a document, as of /readyz, which is decoded like any other.
func (c *Client) Get(ctx context.Context, path string, result any) error {
	response, err := c.do(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var text json.RawMessage
	if err := c.decode(response, &text); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := shownError(response, text); err != nil {
		return err
	}
	if err := json.Unmarshal(text, result); err != nil {
		return fmt.Errorf("%s: the document is not what was expected: %w", path, err)
	}
	return nil
}

// shownError is the error that a response shows, if it shows one.
func shownError(r *http.Response, text []byte) error {
	if r.StatusCode == http.StatusOK {
		return nil
	}
	var v ErrorView
	if json.Unmarshal(text, &v) == nil && v.Error != "" {
		code := CodeFailed
		switch r.StatusCode {
		case http.StatusNotFound:
			code = CodeNotFound
		case http.StatusBadRequest:
			code = CodeInvalidParams
		}
		return hint.Wrap(fail(code, v.Error, "", v.Hint), v.Hint)
	}
	if r.StatusCode == http.StatusServiceUnavailable {
		return nil
	}
	return fmt.Errorf("the host answered with HTTP %d", r.StatusCode)
}

func (c *Client) decode(r *http.Response, v any) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxReply+1))
	switch {
	case err != nil:
		return fmt.Errorf("read from %s: %w", c.where, err)
	case len(body) > maxReply:
		return fmt.Errorf("%s sends more than %d bytes", c.where, maxReply)
	}
	if r.StatusCode == http.StatusUnauthorized {
		return hint.New(c.where+" does not accept the token", "give the token that the host was started with")
	}
	if json.Unmarshal(body, v) != nil {
		return hint.New(fmt.Sprintf("%s answers with something else than JSON (HTTP %d)", c.where, r.StatusCode), "is that the admin API of a host?")
	}
	return nil
}

func (c *Client) do(ctx context.Context, method, path string, header map[string]string, body io.Reader) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	for k, v := range header {
		request.Header.Set(k, v)
	}
	response, err := c.http.Do(request)
	if err == nil {
		return response, nil
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // the URL says nothing: of a socket it is made up
	}
	advice := ""
	switch {
	case errors.Is(err, http.ErrSchemeMismatch):
		advice = "a host speaks no TLS: write http:// in place of https://"
	case c.overTCP() && errors.Is(err, syscall.ECONNREFUSED):
		advice = "is a host running there? The block admin of its configuration says at what address it answers: listen"
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		advice = "is a host running there? host run starts one, and --data-dir says which one is meant"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF):
		advice = "it closed the connection: it has too many, or is about to end; try again"
	case errors.Is(err, fs.ErrPermission):
		advice = "only the user who runs the host may use its socket"
	}
	return nil, hint.Wrap(&unreachable{c.where, err}, advice)
}
