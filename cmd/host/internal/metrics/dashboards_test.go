package metrics

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the reference")

const dashboards = "../../dashboards"

func TestReference(t *testing.T) {
	name := filepath.Join(dashboards, "METRICS.md")
	if *update {
		if err := os.WriteFile(name, []byte(Reference()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(written) != Reference() {
		t.Errorf("%s is not what Reference returns: go test -update writes it anew", name)
	}
	for _, s := range sections {
		for _, f := range s.families {
			if !strings.Contains(string(written), "| `"+f.name+"` | "+f.kind.String()+" |") {
				t.Errorf("%s is not documented", f.name)
			}
			if len(f.help) < 10 || !strings.HasSuffix(f.help, ".") {
				t.Errorf("%s means %q", f.name, f.help)
			}
		}
	}
}

var (
	quoted    = regexp.MustCompile(`"[^"]*"`)
	ranges    = regexp.MustCompile(`\[[^\]]*\]`)
	durations = regexp.MustCompile(`\b[0-9][0-9a-z.]*\b`)
	series    = regexp.MustCompile(`([a-z_][a-z0-9_]*)(\{[^}]*\})?`)
	matcher   = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)`)
	lists     = regexp.MustCompile(`\b(?:by|without|on|ignoring)\s*\(([^)]*)\)`)
)

// words are what else may stand in an expression.
var words = []string{
	"rate", "increase", "sum", "max", "time", "histogram_quantile", "and", "or", "by", "without", "on", "ignoring",
}

// scraped are the labels that Prometheus adds.
var scraped = []string{"instance", "job"}

// checkExpr tells what names and labels of an expression do not exist.
func checkExpr(expr string) (problems []string, found int) {
	known := make(map[string]*family)
	for _, s := range sections {
		for _, f := range s.families {
			if f.kind != histogram {
				known[f.name] = f
				continue
			}
			bucket := *f
			bucket.labels = append(slices.Clone(f.labels), "le")
			known[f.name+"_bucket"], known[f.name+"_sum"], known[f.name+"_count"] = &bucket, f, f
		}
	}
	known["process_resident_memory_bytes"] = &family{}
	plain := ranges.ReplaceAllString(quoted.ReplaceAllString(expr, `""`), "")
	used := slices.Clone(scraped)
	for _, m := range series.FindAllStringSubmatch(durations.ReplaceAllString(lists.ReplaceAllString(plain, ""), ""), -1) {
		f := known[m[1]]
		if f == nil {
			if m[2] != "" || !slices.Contains(words, m[1]) {
				problems = append(problems, "there is no "+m[1])
			}
			continue
		}
		found++
		used = append(used, f.labels...)
		for _, label := range matcher.FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(f.labels, label[1]) && !slices.Contains(scraped, label[1]) {
				problems = append(problems, m[1]+" has no label "+label[1])
			}
		}
	}
	for _, m := range lists.FindAllStringSubmatch(plain, -1) {
		for label := range strings.SplitSeq(m[1], ",") {
			if label = strings.TrimSpace(label); !slices.Contains(used, label) {
				problems = append(problems, "nothing here has the label "+label)
			}
		}
	}
	return problems, found
}

var (
	selector = regexp.MustCompile(`([a-z_][a-z0-9_]*)\{([^}]*)\}`)
	choice   = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"`)
)

// checkValues tells what values of labels an expression asks for that no series of a busy host has.
func checkValues(t *testing.T, expr string) (problems []string) {
	t.Helper()
	shown := scrape(t, Handler(busy(t)))
	for _, m := range selector.FindAllStringSubmatch(expr, -1) {
		for _, c := range choice.FindAllStringSubmatch(m[2], -1) {
			if slices.Contains(scraped, c[1]) {
				continue
			}
			for value := range strings.SplitSeq(c[2], "|") {
				found := false
				for name := range shown {
					found = found || strings.HasPrefix(name, m[1]+"{") && strings.Contains(name, c[1]+`="`+value+`"`)
				}
				if !found {
					problems = append(problems, "no "+m[1]+" has "+c[1]+" "+value)
				}
			}
		}
	}
	return problems
}

func TestCheckValues(t *testing.T) {
	for expr, want := range map[string]int{
		`discv5_packets_total{instance=~"$instance", direction="in"}`:          0,
		`discv5_packets_total{direction=~"in|out"} + discv5_sessions`:          0,
		`discv5_packets_total{direction=~"in|up"}`:                             1,
		`rate(discv5_request_duration_seconds_bucket{result!="odd"}[5m]) == 0`: 1,
	} {
		if got := checkValues(t, expr); len(got) != want {
			t.Errorf("%s: %q, want %d", expr, got, want)
		}
	}
}

func wantExpr(t *testing.T, where, expr string) {
	t.Helper()
	for _, p := range checkValues(t, expr) {
		t.Errorf("%s: %s: %s", where, p, expr)
	}
	problems, found := checkExpr(expr)
	for _, p := range problems {
		t.Errorf("%s: %s: %s", where, p, expr)
	}
	if found == 0 {
		t.Errorf("%s asks for nothing: %s", where, expr)
	}
	for _, pair := range []string{"()", "{}", "[]"} {
		if strings.Count(expr, pair[:1]) != strings.Count(expr, pair[1:]) {
			t.Errorf("%s: unbalanced %s: %s", where, pair, expr)
		}
	}
}

func TestCheckExpr(t *testing.T) {
	for expr, want := range map[string]int{
		`discv5_sessions{instance="a"} > 5`: 0,
		`sum by (type, le) (rate(discv5_request_duration_seconds_bucket{type="in_no_metric"}[5m]))`: 0,
		`discv5_session > 5`:                                  1,
		`rate(discv5_request_duration_seconds[5m])`:           1,
		`discv5_sessions{reason="x"}`:                         1,
		`sum by (reason) (discv5_sessions)`:                   1,
		`discv5_no{reason="x"} and on (plugin) discv5_none{}`: 3,
	} {
		if got, _ := checkExpr(expr); len(got) != want {
			t.Errorf("%s: %q, want %d", expr, got, want)
		}
	}
}

func TestDashboard(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(dashboards, "grafana.json"))
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Title      string
		Templating struct {
			List []struct{ Name, Definition string }
		}
		Panels []struct {
			ID                       int
			Type, Title, Description string
			GridPos                  struct{ H, W, X, Y int }
			Targets                  []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	ids := make(map[int]bool)
	covered := make(map[[2]int]string)
	for _, p := range board.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := covered[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("panel %q stands on %q, or beyond the right margin", p.Title, other)
				}
				covered[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Title == "" || p.Description == "" || len(p.Targets) == 0 {
			t.Errorf("panel %d: %q, %q, %d queries", p.ID, p.Title, p.Description, len(p.Targets))
		}
		for _, q := range p.Targets {
			wantExpr(t, "panel "+p.Title, q.Expr)
			if !strings.Contains(q.Expr, `instance=~"$instance"`) {
				t.Errorf("panel %s does not follow the choice of the host: %s", p.Title, q.Expr)
			}
		}
	}
	for _, v := range board.Templating.List {
		if v.Definition != "" && !strings.Contains(v.Definition, buildInfo.name) {
			t.Errorf("variable %s: %s", v.Name, v.Definition)
		}
	}
	if len(board.Panels) == 0 || len(board.Templating.List) == 0 {
		t.Error("the dashboard is empty")
	}
}

// The rules are written one key a line, so that this needs no parser of YAML.
func TestAlerts(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(dashboards, "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	placeholder := regexp.MustCompile(`\{\{ \$labels\.([a-z]+) \}\}`)
	_, rules, _ := strings.Cut(string(text), "rules:\n")
	names := make(map[string]bool)
	for rule := range strings.SplitSeq(rules, "      - alert: ") {
		if rule == "" {
			continue
		}
		name, rest, _ := strings.Cut(rule, "\n")
		if names[name] || !regexp.MustCompile(`^Discovery[A-Za-z]+$`).MatchString(name) {
			t.Errorf("an alert is called %q, or two are", name)
		}
		names[name] = true
		keys := make(map[string]string)
		for line := range strings.Lines(rest) {
			key, value, ok := strings.Cut(strings.TrimSpace(line), ":")
			if !ok || strings.Contains(line, "\t") {
				t.Errorf("%s: %q is no key with a value", name, line)
			}
			keys[key] = strings.TrimSpace(value)
		}
		wantExpr(t, name, keys["expr"])
		if s := keys["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s: severity %q", name, s)
		}
		for _, key := range []string{"summary", "description"} {
			if v := keys[key]; len(v) < 10 || !strings.HasPrefix(v, `"`) || !strings.HasSuffix(v, `"`) {
				t.Errorf("%s: %s is %s", name, key, v)
			}
		}
		for _, m := range placeholder.FindAllStringSubmatch(keys["summary"], -1) {
			if problems, _ := checkExpr("sum by (" + m[1] + ") (" + keys["expr"] + ")"); len(problems) > 0 {
				t.Errorf("%s: summary: %q", name, problems)
			}
		}
	}
	if len(names) < 10 {
		t.Errorf("%d alerts found", len(names))
	}
}
