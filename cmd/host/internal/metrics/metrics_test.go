package metrics

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discv5/host/cmd/host/internal/admin"
	"github.com/discv5/host/core"
	"github.com/discv5/host/plugins"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// scrape returns the values of all series, those of histograms by their text form.
func scrape(t *testing.T, h http.Handler) map[string]string {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	series := make(map[string]string)
	for line := range strings.Lines(w.Body.String()) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "#") {
			cut := strings.LastIndexByte(line, ' ')
			series[line[:cut]] = line[cut+1:]
		}
	}
	return series
}

func wantSeries(t *testing.T, got map[string]string, want map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] != want[name] {
			t.Errorf("%s is %q, want %q", name, got[name], want[name])
		}
	}
}

func TestScrape(t *testing.T) {
	got := scrape(t, Handler(busy(t)))
	wantSeries(t, got, map[string]string{
		// as nim-eth has them: PING, FINDNODE and TALKREQ are 1, 3 and 5
		`discovery_message_requests_outgoing_total{response=""}`:                 "609",
		`discovery_message_requests_outgoing_total{response="no_response"}`:      "99",
		`discovery_message_requests_outgoing_total{response="invalid_response"}`: "129",
		`discovery_message_requests_incoming_total{response=""}`:                 "416",
		`discovery_message_requests_incoming_total{response="no_response"}`:      "107",
		`discovery_unsolicited_messages_total`:                                   "21",
		`discovery_enr_auto_update_total`:                                        "3",
		`discovery_session_lru_cache_hits_total`:                                 "56",
		`discovery_session_lru_cache_misses_total`:                               "52",
		`discovery_session_decrypt_failures_total`:                               "5",
		`routing_table_nodes{state=""}`:                                          "3",
		`routing_table_nodes{state="seen"}`:                                      "2",
		`discv5_network_bytes_total{direction="in"}`:                             "12",
		`discv5_network_bytes_total{direction="out"}`:                            "14",

		`discv5_packets_total{direction="in"}`:                     "11",
		`discv5_packets_total{direction="out"}`:                    "13",
		`discv5_packets_dropped_total{reason="oversized"}`:         "16",
		`discv5_packets_dropped_total{reason="banned"}`:            "17",
		`discv5_packets_dropped_total{reason="malformed"}`:         "1001",
		`discv5_packets_unsent_total`:                              "15",
		`discv5_messages_total{direction="in",type="PING"}`:        "101",
		`discv5_messages_total{direction="out",type="TALKRESP"}`:   "206",
		`discv5_messages_total{direction="in",type="UNKNOWN"}`:     "107",
		`discv5_messages_dropped_total{reason="session_limit"}`:    "20",
		`discv5_jobs_dropped_total`:                                "18",
		`discv5_socket_read_timestamp_seconds`:                     "1.7000000005e+09",
		`discv5_bans`:                                              "67",
		`discv5_sessions`:                                          "64",
		`discv5_challenges_total{kind="first"}`:                    "56",
		`discv5_challenges_total{kind="repeated"}`:                 "4",
		`discv5_handshakes_received_total{result="accepted"}`:      "62",
		`discv5_handshakes_received_total{result="bad_signature"}`: got[`discv5_packets_dropped_total{reason="handshake_bad_signature"}`],

		`discv5_request_duration_seconds_bucket{result="ok",type="PING",le="5e-05"}`:      "2",
		`discv5_request_duration_seconds_bucket{result="ok",type="PING",le="0.0005"}`:     "2",
		`discv5_request_duration_seconds_bucket{result="ok",type="PING",le="0.001"}`:      "5",
		`discv5_request_duration_seconds_bucket{result="ok",type="PING",le="10"}`:         "5",
		`discv5_request_duration_seconds_bucket{result="ok",type="PING",le="+Inf"}`:       "6",
		`discv5_request_duration_seconds_sum{result="ok",type="PING"}`:                    "3",
		`discv5_request_duration_seconds_count{result="ok",type="PING"}`:                  "6",
		`discv5_request_duration_seconds_count{result="no_response",type="PING"}`:         "1",
		`discv5_request_duration_seconds_count{result="invalid_response",type="TALKREQ"}`: "0",
		`discv5_lookups_total{result="found"}`:                                            "301",
		`discv5_lookups_total{result="empty"}`:                                            "302",
		`discv5_lookups_total{result="cancelled"}`:                                        "303",
		`discv5_lookups_total{result="refused"}`:                                          "304",
		`discv5_lookup_duration_seconds_sum`:                                              "60",
		`discv5_lookup_nodes_bucket{le="0"}`:                                              "1",
		`discv5_lookup_nodes_bucket{le="16"}`:                                             "3",
		`discv5_lookup_nodes_sum`:                                                         "32",
		`discv5_lookup_requests_bucket{le="64"}`:                                          "0",
		`discv5_lookup_requests_bucket{le="128"}`:                                         "3",
		`discv5_lookups_in_progress`:                                                      "305",
		`discv5_jobs_queue`:                                                               "306",
		`discv5_handshakes_opened_total`:                                                  "307",

		`discv5_talk_requests_total{direction="in",protocol="echo",result="ok"}`:                "300",
		`discv5_talk_requests_total{direction="in",protocol="echo",result="empty"}`:             "10",
		`discv5_talk_requests_total{direction="in",protocol="echo",result="timeout"}`:           "311",
		`discv5_talk_requests_total{direction="in",protocol="echo",result="failed"}`:            "312",
		`discv5_talk_requests_total{direction="in",protocol="echo",result="shed"}`:              "313",
		`discv5_talk_requests_total{direction="in",protocol="other",result="unknown_protocol"}`: "330",
		`discv5_talk_requests_total{direction="out",protocol="echo",result="ok"}`:               "300",
		`discv5_talk_requests_total{direction="out",protocol="echo",result="empty"}`:            "20",
		`discv5_talk_requests_total{direction="out",protocol="echo",result="no_response"}`:      "321",
		`discv5_talk_requests_total{direction="out",protocol="echo",result="unawaited"}`:        "325",
		`discv5_talk_requests_total{direction="out",protocol="0x",result="ok"}`:                 "0",
		`discv5_talk_requests_total{direction="out",protocol="0x00ff",result="ok"}`:             "0",
		`discv5_talk_requests_total{direction="out",protocol="0x6f74686572",result="ok"}`:       "0",
		`discv5_talk_duration_seconds_count{direction="in",protocol="echo"}`:                    "3",
		`discv5_talk_duration_seconds_count{direction="out",protocol="echo"}`:                   "6",
		`discv5_talk_late_responses_total`:                                                      "25",

		// The nodes are at 256, 250 and 3.
		`discv5_table_nodes{bucket="256",state="verified"}`:    "1",
		`discv5_table_nodes{bucket="250",state="verified"}`:    "1",
		`discv5_table_nodes{bucket="240",state="unverified"}`:  "1",
		`discv5_table_nodes{bucket="256",state="replacement"}`: "5",
		`discv5_table_nodes{bucket="255",state="replacement"}`: "6",
		`discv5_table_nodes{bucket="254",state="verified"}`:    "0",

		`discv5_enr_seq`:                                                                                     "7",
		`discv5_enr_size_bytes`:                                                                              "150",
		`discv5_enr_unsaved`:                                                                                 "1",
		`discv5_endpoint_published{family="ipv4"}`:                                                           "1",
		`discv5_endpoint_published{family="ipv6"}`:                                                           "0",
		`discv5_endpoint_reachability{family="ipv4",state="reachable"}`:                                      "1",
		`discv5_endpoint_reachability{family="ipv4",state="unknown"}`:                                        "0",
		`discv5_endpoint_votes{family="ipv4",votes="published"}`:                                             "7",
		`discv5_endpoint_votes{family="ipv4",votes="other"}`:                                                 "8",
		`discv5_endpoint_votes{family="ipv4",votes="all"}`:                                                   "15",
		`discv5_endpoint_votes_needed{family="ipv4"}`:                                                        "10",
		`discv5_filter_decisions_total{decision="accept",filter="eth2",reason="",stage="table"}`:             "70",
		`discv5_filter_decisions_total{decision="reject",filter="eth2",reason="wrong_fork",stage="deliver"}`: "71",
		`discv5_filter_duration_seconds_count{filter="eth2"}`:                                                "8",
		`discv5_filter_dry_run{filter="eth2"}`:                                                               "1",
		`discv5_store_queue`:                                                                                 "72",
		`discv5_store_changes_total{result="dropped"}`:                                                       "74",
		`discv5_store_degraded`:                                                                              "1",
		`discv5_store_learned_total`:                                                                         "77",
		`discv5_store_operations_total{operation="scan",result="ok"}`:                                        "340",
		`discv5_store_operations_total{operation="scan",result="timeout"}`:                                   "341",
		`discv5_store_operations_total{operation="scan",result="failed"}`:                                    "342",
		`discv5_store_operations_total{operation="delete",result="ok"}`:                                      "0",
		`discv5_store_duration_seconds_count{operation="scan"}`:                                              "5",
		`discv5_admin_calls_total{result="ok"}`:                                                              "300",
		`discv5_admin_calls_total{result="failed"}`:                                                          "52",
		`discv5_admin_denied_total{reason="connections"}`:                                                    "350",
		`discv5_admin_denied_total{reason="unauthorized"}`:                                                   "351",
		`discv5_ready`:                                      "1",
		`discv5_admin_event_readers`:                        "353",
		`discv5_admin_event_readers_dropped_total`:          "354",
		`discv5_reloads_total{result="changed"}`:            "2",
		`discv5_reloads_total{result="refused"}`:            "0",
		`discv5_reload_timestamp_seconds{result="changed"}`: "1.7000003e+09",
		`discv5_reload_timestamp_seconds{result="refused"}`: "0",

		`discv5_plugin_info{kind="talk",pinned="false",plugin="talk.echo",program="echo",required="true",version="` + strings.Repeat("9", maxText) + `"}`: "1",
		`discv5_plugin_up{plugin="talk.echo"}`:                                                                 "1",
		`discv5_plugin_up{plugin="filter.eth2"}`:                                                               "0",
		`discv5_plugin_state{plugin="filter.eth2",state="backoff"}`:                                            "1",
		`discv5_plugin_state{plugin="filter.eth2",state="running"}`:                                            "0",
		`discv5_plugin_transitions_total{plugin="talk.echo",state="running"}`:                                  "3",
		`discv5_plugin_cpu_seconds_total{plugin="talk.echo"}`:                                                  "1.5",
		`discv5_plugin_resident_memory_bytes{plugin="talk.echo"}`:                                              "1.048576e+06",
		`discv5_plugin_talk_results_total{plugin="talk.echo",result="answered"}`:                               "80",
		`discv5_plugin_talk_results_total{plugin="talk.echo",result="shed_down"}`:                              "505",
		`discv5_plugin_talk_breaker_open{plugin="talk.echo"}`:                                                  "1",
		`discv5_plugin_talk_queue{plugin="talk.echo"}`:                                                         "10",
		`discv5_plugin_filter_problems_total{plugin="filter.eth2",reason="wasted"}`:                            "95",
		`discv5_plugin_call_failures_total{plugin="filter.eth2"}`:                                              "98",
		`discv5_plugin_calls_open{plugin="filter.eth2"}`:                                                       "99",
		`discv5_plugin_host_calls_total{call="find_node",plugin="talk.echo",result="not_granted"}`:             "90",
		`discv5_plugin_custom_echoed_total{kind="big",plugin="talk.echo"}`:                                     "5",
		`discv5_plugin_metrics_dropped{plugin="talk.echo"}`:                                                    "2",
		`discv5_build_info{commit="abc",go="go1.26",modified="false",platform="linux/amd64",version="v1.2.3"}`: "1",
	})
	for _, absent := range []string{
		`discv5_plugin_cpu_seconds_total{plugin="filter.eth2"}`, // it has no process
		`discv5_packets_dropped_total{reason=""}`,
		`discv5_packets_dropped_total{reason="unknown"}`,
	} {
		if v, ok := got[absent]; ok {
			t.Errorf("%s is %s", absent, v)
		}
	}
	if _, ok := got["go_goroutines"]; !ok {
		t.Error("nothing about the program")
	}
}

// A host that did nothing yet has its series all the same, so that rates begin with the first event.
func TestScrapeOfNewHost(t *testing.T) {
	got := scrape(t, Handler(Config{Node: &fakeNode{self: testSelf(t)}}))
	wantSeries(t, got, map[string]string{
		`discovery_unsolicited_messages_total`:                              "0",
		`discv5_socket_read_timestamp_seconds`:                              "0",
		`discv5_request_duration_seconds_count{result="ok",type="TALKREQ"}`: "0",
		`discv5_table_nodes{bucket="256",state="verified"}`:                 "0",
		`discv5_handshakes_received_total{result="undecryptable"}`:          "0",
	})
	for name := range got {
		for _, part := range []string{"discv5_plugin_", "discv5_admin_", "discv5_reload"} {
			if strings.HasPrefix(name, part) {
				t.Errorf("%s without any", name)
			}
		}
	}
}

func TestScrapeOfRealNode(t *testing.T) {
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	node, err := core.Listen(core.Config{PrivateKey: key, NewKey: true, Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}})
	if err != nil {
		t.Fatal(err)
	}
	h := Handler(Config{Node: node})
	wantSeries(t, scrape(t, h), map[string]string{
		`discv5_enr_seq`:        strconv.FormatFloat(float64(node.Self().Seq()), 'g', -1, 64),
		`discv5_enr_size_bytes`: fmt.Sprint(node.RecordUsage().Size),
		`discv5_sessions`:       "0",
	})
	if err := node.Close(); err != nil {
		t.Fatal(err)
	}
	scrape(t, h) // a closed node has nothing to tell, and does no harm
}

// Whatever is declared is shown, and whatever is shown is declared.
func TestDeclarations(t *testing.T) {
	declared := make(map[string]*family)
	for _, s := range sections {
		if s.title == "" || len(s.families) == 0 {
			t.Errorf("section %q has %d metrics", s.title, len(s.families))
		}
		for _, f := range s.families {
			if declared[f.name] != nil {
				t.Errorf("%s is declared twice", f.name)
			}
			if strings.HasPrefix(f.name, customPrefix) {
				t.Errorf("%s looks like a plugin's", f.name)
			}
			declared[f.name] = f
		}
	}
	shown, err := registry(busy(t)).Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range shown {
		f := declared[m.GetName()]
		if f == nil {
			if !strings.HasPrefix(m.GetName(), customPrefix) {
				t.Errorf("%s is not declared", m.GetName())
			}
			continue
		}
		if got := strings.ToLower(m.GetType().String()); got != f.kind.String() {
			t.Errorf("%s is a %s, declared as %s", f.name, got, f.kind)
		}
		delete(declared, f.name)
	}
	for name := range declared {
		t.Errorf("%s is never shown", name)
	}
}

func TestLint(t *testing.T) {
	problems, err := testutil.GatherAndLint(registry(busy(t)))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestOwnMetricsOfPlugins(t *testing.T) {
	cfg := busy(t)
	bad := ownMetric("size", "", false, 1, "kind", "\xff")
	cfg.Plugins = &fakePlugins{own: []plugins.PluginMetrics{
		{ID: "talk.a", Metrics: []plugins.Metric{ownMetric("size", "Ours.", false, 1), ownMetric("seen_total", "Seen.", true, 2)}},
		{ID: "talk.b", Metrics: []plugins.Metric{
			ownMetric("size", "Another help.", false, 3, "le", "x"), // other labels, other help
			ownMetric("seen_total", "Seen.", false, 4),              // another type
			bad,
		}},
		{ID: "talk.c", Err: fmt.Errorf("busy")},
	}}
	got := scrape(t, Handler(cfg))
	wantSeries(t, got, map[string]string{
		`discv5_plugin_custom_size{plugin="talk.a"}`:        "1",
		`discv5_plugin_custom_size{le="x",plugin="talk.b"}`: "3",
		`discv5_plugin_custom_seen_total{plugin="talk.a"}`:  "2",
		`discv5_plugin_custom_seen_total{plugin="talk.b"}`:  "",
		`discv5_plugin_metrics_dropped{plugin="talk.a"}`:    "0",
		`discv5_plugin_metrics_dropped{plugin="talk.b"}`:    "2",
		`discv5_plugin_metrics_up{plugin="talk.b"}`:         "1",
		`discv5_plugin_metrics_up{plugin="talk.c"}`:         "0",
		`discv5_sessions`: "64",
	})
}

// Plugins that do not tell their metrics hold up a scrape for a second and no longer.
func TestPluginsThatHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := busy(t)
		cfg.Plugins = &fakePlugins{hangs: true}
		r := registry(cfg)
		begin := time.Now()
		if _, err := r.Gather(); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took != customTimeout {
			t.Errorf("took %v", took)
		}
	})
}

// What cannot be shown is left out and logged, and the rest is served.
func TestBadLabel(t *testing.T) {
	cfg := busy(t)
	cfg.Node.(*fakeNode).filters[0].Name = "\xff"
	var log strings.Builder
	cfg.Log = hclog.New(&hclog.LoggerOptions{Output: &log})
	got := scrape(t, Handler(cfg))
	wantSeries(t, got, map[string]string{`discv5_sessions`: "64", `discv5_plugin_up{plugin="talk.echo"}`: "1"})
	if !strings.Contains(log.String(), "discv5_filter_dry_run") {
		t.Errorf("logged: %s", log.String())
	}
	if _, err := registry(cfg).Gather(); err == nil {
		t.Error("no error for a label that is no text")
	}
}

func TestScrapesAtTheSameTime(t *testing.T) {
	h := Handler(busy(t))
	var wg sync.WaitGroup
	for range maxScrapes {
		wg.Go(func() {
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil)); w.Code != http.StatusOK {
				t.Errorf("status %d", w.Code)
			}
		})
	}
	wg.Wait()
}

// hungNode answers nothing.
type hungNode struct{ Node }

func (hungNode) Stats() core.Stats { panic("a node that hangs is asked") }

// A node that hangs does not hang the scrape that tells of it.
func TestScrapeOfHungNode(t *testing.T) {
	cfg := busy(t)
	cfg.Node, cfg.Admin = hungNode{cfg.Node}, func() admin.Stats { return admin.Stats{Silent: true} }
	got := scrape(t, Handler(cfg))
	wantSeries(t, got, map[string]string{"discv5_ready": "0"})
	for name := range got {
		if strings.HasPrefix(name, "discv5_packets") {
			t.Errorf("%s is shown", name)
		}
	}
}
