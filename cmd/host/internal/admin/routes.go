package admin

import (
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/discv5/host/cmd/host/internal/nearest"
)

const (
	healthPath  = "/healthz"
	readyPath   = "/readyz"
	metricsPath = "/metrics"
	openAPIPath = "/openapi.json"
	eventsPath  = "/v1/events"
)

// route is a path that is read. To add one: a line in routes, the document that it shows in views.go, and
// go test -run TestOpenAPI -update, which describes it in openapi.json.
type route struct {
	path    string
	summary string
	query   []parameter
	shows   any    // an empty one of the document that it shows; nil: it is no JSON
	media   string // of what is no JSON
	local   bool   // on the unix socket alone
	serve   func(s *Server, w http.ResponseWriter, r *http.Request)
}

// parameter is one of a query.
type parameter struct{ name, kind, summary string }

var routes = []route{
	{path: "/v1/status", summary: "How the host is", shows: Status{}, serve: (*Server).showStatus},
	{path: "/v1/node", summary: "This node and its record", shows: NodeView{}, serve: shown(func(s *Server) any { return s.nodeView() })},
	{path: "/v1/table", summary: "The buckets of the routing table", shows: TableView{}, serve: copied(func(s *Server) any { return s.tableView() })},
	{path: "/v1/sessions", summary: "The established sessions", shows: SessionsView{}, serve: copied(func(s *Server) any { return s.sessionsView() })},
	{path: "/v1/nodes", summary: "The nodes of the table that pass the filters, in the order of their ids, page by page", shows: NodesView{}, query: []parameter{
		{"limit", "integer", "nodes of a page, 1 to 1000; 100"},
		{"after", "string", "the id of the last node of the page before"},
		{"filter", "string", "only nodes that this filter expression accepts"},
		{"verified", "boolean", "only nodes that answer"},
	}, serve: (*Server).showNodes},
	{path: "/v1/plugins", summary: "The plugins", shows: PluginsView{}, serve: shown(func(s *Server) any { return s.pluginsView() })},
	{path: "/v1/filters", summary: "The filters and what they decided", shows: FiltersView{}, serve: shown(func(s *Server) any { return s.filtersView() })},
	{path: "/v1/bans", summary: "The bans, in the order of their end, page by page", shows: BansView{}, query: []parameter{
		{"limit", "integer", "bans of a page, 1 to 1000; 100"},
		{"after", "string", "what the page before had as next"},
	}, serve: (*Server).showBans},
	{path: "/v1/endpoint", summary: "Where others reach this node", shows: EndpointsView{}, serve: shown(func(s *Server) any { return s.endpointsView() })},
	{path: eventsPath, summary: "What happens, as server-sent events", media: "text/event-stream", query: []parameter{
		{"after", "string", "the id of the last event that was seen, like the header Last-Event-ID; 0: all that are kept"},
		{"types", "string", "only these types, with commas between"},
	}, serve: (*Server).streamEvents},
	{path: healthPath, summary: "Whether the host answers; 503: not", shows: Liveness{}, serve: (*Server).showHealth},
	{path: readyPath, summary: "Whether the host does its work; 503: not", shows: Readiness{}, serve: (*Server).showReadiness},
	{path: metricsPath, summary: "Metrics for Prometheus", media: "text/plain", serve: (*Server).showMetrics},
	{path: openAPIPath, summary: "This description", media: "application/json", serve: (*Server).showOpenAPI},
	{path: "/debug/pprof/", summary: "Profiles of the process, on the unix socket alone", media: "text/html", local: true, serve: showProfile},
}

// rpcPaths take JSON-RPC.
var rpcPaths = []string{"/", "/rpc"}

func (s *Server) handler(local bool) http.Handler {
	mux := http.NewServeMux()
	for _, r := range routes {
		if local || !r.local {
			mux.HandleFunc("GET "+r.path, func(w http.ResponseWriter, q *http.Request) {
				_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // all is read
				r.serve(s, w, q)
			})
		}
	}
	mux.HandleFunc("POST /{$}", s.serveRPC)
	mux.HandleFunc("POST /rpc", s.serveRPC)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { notServed(w, r, local) })
	return mux
}

// notServed answers what has no route.
func notServed(w http.ResponseWriter, r *http.Request, local bool) {
	var paths []string
	for _, known := range routes {
		if known.local && !local {
			continue
		}
		paths = append(paths, known.path)
		if known.path == r.URL.Path {
			w.Header().Set("Allow", http.MethodGet)
			showError(w, http.StatusMethodNotAllowed, known.path+" is read with GET", "every action is a JSON-RPC method, sent to /rpc with POST")
			return
		}
	}
	for _, p := range rpcPaths {
		if p == r.URL.Path {
			w.Header().Set("Allow", http.MethodPost)
			showError(w, http.StatusMethodNotAllowed, "JSON-RPC is sent with POST", "to read, there are "+strings.Join(paths, ", "))
			return
		}
	}
	advice := "there are " + strings.Join(paths, ", ")
	if near := nearest.Word(r.URL.Path, paths); near != "" {
		advice = "did you mean " + near + "?"
	}
	showError(w, http.StatusNotFound, "there is nothing here", advice)
}

// shown serves what view makes.
func shown(view func(*Server) any) func(*Server, http.ResponseWriter, *http.Request) {
	return func(s *Server, w http.ResponseWriter, _ *http.Request) { s.answer(w, view(s)) }
}

func (s *Server) showStatus(w http.ResponseWriter, r *http.Request) {
	status, err := s.status(r.Context())
	if err != nil {
		showFailure(w, err)
		return
	}
	s.answer(w, status)
}

// copied is shown for a view that copies much: few at a time. Who takes the answer slowly holds no copy.
func copied(view func(*Server) any) func(*Server, http.ResponseWriter, *http.Request) {
	return func(s *Server, w http.ResponseWriter, r *http.Request) {
		release, err := s.takeCopy(r.Context())
		if err != nil {
			showFailure(w, err)
			return
		}
		document := view(s)
		release()
		s.answer(w, document)
	}
}

func (s *Server) showMetrics(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Metrics == nil {
		showError(w, http.StatusNotFound, "this host keeps no metrics", "")
		return
	}
	s.cfg.Metrics.ServeHTTP(w, r)
}

// showProfile is served without the default mux, where package pprof puts itself as well.
func showProfile(_ *Server, w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/debug/pprof/cmdline":
		pprof.Cmdline(w, r)
	case "/debug/pprof/profile":
		pprof.Profile(w, r)
	case "/debug/pprof/symbol":
		pprof.Symbol(w, r)
	case "/debug/pprof/trace":
		pprof.Trace(w, r)
	default:
		pprof.Index(w, r)
	}
}
