package admin

import (
	"context"
	"strings"
)

// method is a JSON-RPC method. To add one: a line in methods, and a function in the file of its subject.
type method struct {
	name    string
	summary string
	params  []param
	rest    bool // the last parameter takes all that follow, as a list
	copies  bool // it copies large state: few at a time
	do      func(ctx context.Context, a *args) (any, error)
}

type param struct {
	name     string
	optional bool
}

func required(names ...string) (all []param) {
	for _, n := range names {
		all = append(all, param{name: n})
	}
	return all
}

func optional(all []param, names ...string) []param {
	for _, n := range names {
		all = append(all, param{n, true})
	}
	return all
}

var methods = []method{
	{name: "discv5_nodeInfo", summary: "The record and the id of this node", do: nodeInfo},
	{name: "discv5_updateNodeInfo", summary: "Publish another UDP or TCP endpoint, or change fields given as [key, hex value]; null removes one", params: optional(required("socketAddr"), "isTcp"), rest: true, do: updateNodeInfo},
	{name: "discv5_routingTableInfo", summary: "The ids in the routing table, by log distance from 1 to 256", copies: true, do: routingTableInfo},
	{name: "discv5_addEnr", summary: "Offer a node to the routing table", params: required("enr"), do: addEnr},
	{name: "discv5_addEnrs", summary: "Offer nodes to the routing table; true when all are taken", params: required("enrs"), rest: true, do: addEnrs},
	{name: "discv5_getEnr", summary: "The newest record of a node that is known here", params: required("nodeId"), do: getEnr},
	{name: "discv5_deleteEnr", summary: "Take a node out of the routing table", params: required("nodeId"), do: deleteEnr},
	{name: "discv5_lookupEnr", summary: "The newest record of a node that the network knows", params: required("nodeId"), do: lookupEnr},
	{name: "discv5_ping", summary: "Send a PING and wait for the PONG", params: required("enr"), do: ping},
	{name: "discv5_findNode", summary: "Ask a node for records at log distances from it", params: required("enr", "distances"), do: findNode},
	{name: "discv5_findNodes", summary: "Another name of discv5_findNode", params: required("enr", "distances"), do: findNode},
	{name: "discv5_talkReq", summary: "Send a TALKREQ and wait for the TALKRESP", params: required("enr", "protocolId", "talkReqPayload"), do: talkReq},
	{name: "discv5_recursiveFindNodes", summary: "Look up the 16 nodes closest to an id", params: required("nodeId"), do: recursiveFindNodes},

	{name: "host_methods", summary: "All methods", do: listMethods},
	{name: "host_status", summary: "How the host is", do: func(ctx context.Context, a *args) (any, error) { return a.s.status(ctx) }},
	{name: "host_plugins", summary: "The plugins", do: func(_ context.Context, a *args) (any, error) { return a.s.pluginsView().Plugins, nil }},
	{name: "host_pluginRestart", summary: "Start a plugin anew, without losing a request", params: required("plugin"), do: pluginAction(Plugins.Restart)},
	{name: "host_pluginDisable", summary: "End a plugin until it is enabled or restarted", params: required("plugin"), do: pluginAction(Plugins.Disable)},
	{name: "host_pluginEnable", summary: "Start a plugin that does not run", params: required("plugin"), do: pluginAction(Plugins.Enable)},
	{name: "host_plugin", summary: "A plugin", params: required("plugin"), do: showPlugin},
	{name: "host_pluginReload", summary: "Take in the configuration of one plugin anew, and its program", params: required("plugin"), do: pluginReload},
	{name: "host_pluginLogs", summary: "The last lines that a plugin wrote, of its present process and the one before", params: optional(required("plugin"), "lines"), do: pluginLogs},
	{name: "host_reload", summary: "Take in the configuration anew, and tell what changed, what was refused and what needs a restart", do: reloadAll},
	{name: "host_logLevel", summary: "The least important messages that are logged, after changing it to a level if one is given", params: optional(nil, "level"), do: logLevel},
	{name: "host_nodes", summary: "The nodes of the table that pass the filters, page by page, in the order of their ids", params: optional(nil, "filter", "limit", "after", "verified"), copies: true, do: listNodes},
	{name: "host_lookup", summary: "Look up the nodes closest to an id that a filter expression accepts, 16 at most", params: optional(required("nodeId"), "filter"), do: lookup},
	{name: "host_filterExplain", summary: "Ask every filter about a node: a record, or the id of a known one", params: required("node"), do: filterExplain},
	{name: "host_bans", summary: "The bans, in the order of their end", copies: true, do: allBans},
	{name: "host_banAdd", summary: "Ban a node, an address or a range, for a time like 1h30m or in seconds", params: optional(required("subject", "duration"), "reason"), do: banAdd},
	{name: "host_banRemove", summary: "End a ban", params: required("subject"), do: banRemove},
	{name: "host_fields", summary: "The fields of the record, with their owners and the bytes that are left", do: func(_ context.Context, a *args) (any, error) { return a.s.recordView(), nil }},
	{name: "host_setFields", summary: "Set fields of the record: a number, text, bytes as 0x…, an encoding as {\"rlp\": \"0x…\"}; null removes one", params: required("fields"), do: setFields},
	{name: "host_unsetFields", summary: "Remove fields of the record", params: required("keys"), rest: true, do: unsetFields},
	{name: "host_sessions", summary: "The established sessions", copies: true, do: func(_ context.Context, a *args) (any, error) { return a.s.sessionsView().Sessions, nil }},
	{name: "host_endSession", summary: "End the sessions with a node, or that at one address, and tell how many there were", params: optional(required("nodeId"), "addr"), copies: true, do: endSession},
}

func methodsByName() map[string]*method {
	byName := make(map[string]*method, len(methods))
	for i := range methods {
		byName[methods[i].name] = &methods[i]
	}
	return byName
}

// methodNames are filled in by init, because host_methods is one of them.
var methodNames []string

func init() {
	for _, m := range methods {
		methodNames = append(methodNames, m.name)
	}
}

// MethodNames are the names of all methods.
func MethodNames() []string { return append([]string(nil), methodNames...) }

// usage is what a method takes, for people.
func (m *method) usage() string {
	var b strings.Builder
	b.WriteByte('[')
	for i, p := range m.params {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(p.name)
		if p.optional {
			b.WriteByte('?')
		}
	}
	b.WriteByte(']')
	return b.String()
}

// MethodView is a method.
type MethodView struct {
	Name    string `json:"name"`
	Params  string `json:"params"` // those with a question mark may be left out
	Summary string `json:"summary"`
	Plugin  string `json:"plugin,omitempty"` // that serves it; empty: the host does
}

func listMethods(_ context.Context, a *args) (any, error) {
	var all []MethodView
	for _, name := range methodNames {
		m := a.s.methods[name]
		all = append(all, MethodView{m.name, m.usage(), m.summary, ""})
	}
	if a.s.cfg.Plugins != nil {
		for _, m := range a.s.cfg.Plugins.Methods() {
			if a.s.foreign(m.Name) {
				all = append(all, MethodView{m.Name, "[" + strings.Join(m.Params, ", ") + "]", m.Summary, m.Plugin})
			}
		}
	}
	return all, nil
}
