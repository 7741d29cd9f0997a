// Package sdk is what authors of plugins import: a plugin is a value that main hands to Serve.
package sdk
