package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"sync/atomic"
)

// guard lets only those requests pass that carry a token. Of probes it shows them no more than whether they succeed.
type guard struct {
	next   http.Handler
	probes http.Handler // for those without the token
	token  [sha256.Size]byte
	failed *atomic.Uint64
}

// ServeHTTP checks the token in constant time: the hashes hide even its length.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	if strings.EqualFold(scheme, "bearer") && subtle.ConstantTimeCompare(sum[:], g.token[:]) == 1 {
		authorized(r.Context())
		g.next.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Connection", "close") // strangers hold none open
	if r.URL.Path == healthPath || r.URL.Path == readyPath {
		g.probes.ServeHTTP(w, r)
		return
	}
	g.failed.Add(1)
	w.Header().Set("WWW-Authenticate", `Bearer realm="host"`)
	showError(w, http.StatusUnauthorized, "the token is missing or wrong", "send it as Authorization: Bearer TOKEN")
}
