package metrics

import (
	"fmt"

	"github.com/discv5/host/plugins"
)

var pluginProcesses = &section{title: "Plugins: processes"}

var (
	pluginInfo = pluginProcesses.gauge("discv5_plugin_info",
		"Always 1; the labels say what a plugin is. program and version are what the present process calls itself.", "plugin", "kind", "required", "pinned", "program", "version")
	pluginUp    = pluginProcesses.gauge("discv5_plugin_up", "1 when a plugin serves.", "plugin")
	pluginState = pluginProcesses.gauge("discv5_plugin_state",
		"1 for the state that a plugin is in: declared, starting, configuring, running, degraded, draining, stopped, crashed, backoff, refused or disabled.", "plugin", "state")
	pluginTransitions = pluginProcesses.counter("discv5_plugin_transitions_total", "How often a plugin came to a state.", "plugin", "state")
	pluginRestarts    = pluginProcesses.counter("discv5_plugin_restarts_total", "Starts of a plugin after a crash.", "plugin")
	pluginStarted     = pluginProcesses.gauge("discv5_plugin_start_timestamp_seconds", "When the process began, in seconds since 1970.", "plugin")
	pluginCPU         = pluginProcesses.counter("discv5_plugin_cpu_seconds_total", "CPU time of the process, where the system tells.", "plugin")
	pluginMemory      = pluginProcesses.gauge("discv5_plugin_resident_memory_bytes", "Memory of the process, where the system tells.", "plugin")
	pluginLines       = pluginProcesses.counter("discv5_plugin_output_lines_total",
		"Lines that the process wrote, by what became of them: all, cut (longer than 64 KiB), unlogged (too many for the log).", "plugin", "lines")
	pluginBytes = pluginProcesses.counter("discv5_plugin_output_bytes_total", "Bytes that the process wrote on its outputs.", "plugin")
)

var pluginWork = &section{title: "Plugins: work"}

var (
	pluginRequests = pluginWork.counter("discv5_plugin_talk_requests_total", "TALK requests received for a plugin.", "plugin")
	pluginResults  = pluginWork.counter("discv5_plugin_talk_results_total",
		"TALK requests that came to an end, by result: answered; late, failed, too_large or broken, which the host answered empty; and the reasons for which the plugin was not asked at all: shed_per_peer, shed_queue, shed_breaker, shed_draining, shed_down, shed_late.", "plugin", "result")
	pluginStray = pluginWork.counter("discv5_plugin_talk_stray_responses_total",
		"Responses of a plugin that were of no use, by reason: late, repeated, unknown.", "plugin", "reason")
	pluginSent     = pluginWork.counter("discv5_plugin_talk_sent_total", "TALK requests that went to the plugin.", "plugin")
	pluginBatches  = pluginWork.counter("discv5_plugin_talk_batches_total", "Batches in which TALK requests went to the plugin.", "plugin")
	pluginTripped  = pluginWork.counter("discv5_plugin_talk_breaker_trips_total", "Times that a plugin was not asked any more because it had stopped to answer.", "plugin")
	pluginBroken   = pluginWork.gauge("discv5_plugin_talk_breaker_open", "1 while a plugin is not asked because it has stopped to answer.", "plugin")
	pluginInFlight = pluginWork.gauge("discv5_plugin_talk_in_flight", "TALK requests that the plugin owes a response to.", "plugin")
	pluginQueue    = pluginWork.gauge("discv5_plugin_talk_queue", "TALK requests that wait to be sent to the plugin.", "plugin")

	filterBatches  = pluginWork.counter("discv5_plugin_filter_batches_total", "Batches of nodes that went to a filter plugin.", "plugin")
	filterNodes    = pluginWork.counter("discv5_plugin_filter_nodes_total", "Nodes that went to a filter plugin.", "plugin")
	filterDecided  = pluginWork.counter("discv5_plugin_filter_decided_total", "Nodes that a filter plugin decided about.", "plugin")
	filterProblems = pluginWork.counter("discv5_plugin_filter_problems_total",
		"Batches that did not go well, by reason: late (behind the deadline; the verdicts count), wasted (when nobody waited any more), failed.", "plugin", "reason")

	slotCalls    = pluginWork.counter("discv5_plugin_calls_total", "Calls of a filter or store plugin.", "plugin")
	slotFailures = pluginWork.counter("discv5_plugin_call_failures_total", "Calls of a filter or store plugin that failed.", "plugin")
	slotOpen     = pluginWork.gauge("discv5_plugin_calls_open", "Calls of a filter or store plugin that have not returned, or wait for the plugin.", "plugin")

	hostCalls  = pluginWork.counter("discv5_plugin_host_calls_total", "Calls of the host by a plugin, by call and result (ok, or the error).", "plugin", "call", "result")
	hostEvents = pluginWork.counter("discv5_plugin_host_events_total", "Events for a plugin, by result: passed, lost (it did not read them fast enough).", "plugin", "result")
	hostOpen   = pluginWork.gauge("discv5_plugin_host_calls_open", "Calls of the host by a plugin that wait for their end.", "plugin")
	hostUnsent = pluginWork.gauge("discv5_plugin_host_unsent_bytes", "Results of calls and events that a plugin has not taken.", "plugin")
)

func (s sink) plugin(st *plugins.Status) {
	s.value(pluginInfo, 1, st.ID, string(st.Kind), fmt.Sprint(st.Required), fmt.Sprint(st.Pinned), text(st.Program), text(st.Version))
	s.claim(pluginUp, st.State.Serves(), st.ID)
	for state := plugins.Declared; state <= plugins.Disabled; state++ {
		s.claim(pluginState, st.State == state, st.ID, state.String())
		s.count(pluginTransitions, st.Transitions[state], st.ID, state.String())
	}
	s.count(pluginRestarts, st.Restarts, st.ID)
	if st.PID != 0 {
		s.process(st)
	}
	if st.Talk != nil {
		s.talk(st.ID, st.Talk)
	}
	if f := st.Filter; f != nil {
		s.count(filterBatches, f.Batches, st.ID)
		s.count(filterNodes, f.Nodes, st.ID)
		s.count(filterDecided, f.Decided, st.ID)
		s.count(filterProblems, f.Late, st.ID, "late")
		s.count(filterProblems, f.Wasted, st.ID, "wasted")
		s.count(filterProblems, f.Failures, st.ID, "failed")
	}
	if c := st.Calls; c != nil {
		s.count(slotCalls, c.Calls, st.ID)
		s.count(slotFailures, c.Failures, st.ID)
		s.value(slotOpen, float64(c.Open), st.ID)
	}
	if h := st.Host; h != nil {
		for _, c := range h.Calls {
			s.count(hostCalls, c.Count, st.ID, c.Call, c.Result)
		}
		s.count(hostEvents, h.Events, st.ID, "passed")
		s.count(hostEvents, h.Lost, st.ID, "lost")
		s.value(hostOpen, float64(h.Open), st.ID)
		s.value(hostUnsent, float64(h.Unsent), st.ID)
	}
}

func (s sink) process(st *plugins.Status) {
	s.value(pluginStarted, unixSeconds(st.Started), st.ID)
	if st.Usage != (plugins.Usage{}) {
		s.value(pluginCPU, st.Usage.CPU.Seconds(), st.ID)
		s.value(pluginMemory, float64(st.Usage.RSS), st.ID)
	}
	s.count(pluginLines, st.Output.Lines, st.ID, "all")
	s.count(pluginLines, st.Output.Cut, st.ID, "cut")
	s.count(pluginLines, st.Output.Unlogged, st.ID, "unlogged")
	s.count(pluginBytes, st.Output.Bytes, st.ID)
}

func (s sink) talk(id string, t *plugins.TalkStats) {
	s.count(pluginRequests, t.Requests, id)
	s.count(pluginResults, t.Answered, id, "answered")
	s.count(pluginResults, t.Late, id, "late")
	s.count(pluginResults, t.Failed, id, "failed")
	s.count(pluginResults, t.TooLarge, id, "too_large")
	s.count(pluginResults, t.Broken, id, "broken")
	for i, count := range t.Shed {
		if name := plugins.Shed(i).String(); name != "" {
			s.count(pluginResults, count, id, "shed_"+name)
		}
	}
	s.count(pluginStray, t.LateAnswers, id, "late")
	s.count(pluginStray, t.Repeated, id, "repeated")
	s.count(pluginStray, t.Unknown, id, "unknown")
	s.count(pluginSent, t.Sent, id)
	s.count(pluginBatches, t.Messages, id)
	s.count(pluginTripped, t.Tripped, id)
	s.claim(pluginBroken, t.Breaker.String() != "closed", id)
	s.value(pluginInFlight, float64(t.InFlight), id)
	s.value(pluginQueue, float64(t.Queued), id)
}
