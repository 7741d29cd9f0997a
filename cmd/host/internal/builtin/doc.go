// Package builtin has the plugins that are bundled with the binary. Each runs as a process of its own, like any other: the host
// starts its own program again with Command as the first argument and the plugin's name as the second.
package builtin
