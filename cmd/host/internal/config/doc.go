// Package config turns an operator's settings into one checked Config.
//
// # Layout
//
// Settings come in layers, each replacing single keys of the one before: the defaults, the profile of --dev if it is asked for,
// the files of --config, the environment, the flags. koanf merges the layers. A file is HCL, read by a koanf.Parser of our own on
// hashicorp/hcl/v2, because koanf's HCL v1 parser cannot tell one block from several and knows no positions. Everything (the keys of the
// file, the variables, the flags, the defaults) is derived from the tags of the Config struct.
//
// Environment names are HOST_ and the key in capitals, blocks joined by two underscores: HOST_TABLE__BUCKET_IP_LIMIT.
// Lists in variables are separated by commas; an empty variable counts as unset. HOST_CONFIG names the files.
//
// --config may be repeated, and HOST_CONFIG is a list like PATH. A folder stands for the files *.hcl in it, by name (files.go). Of
// several files the later one wins, key by key; but within a folder no key may be in two files, because names should not
// decide. A plugin block is in one place, wherever that is (merge.go). Relative paths start at the folder of their own file.
//
// Expressions of a file may call env and file, see functions.go, and nothing else. What file returns is taken for a secret, like
// the values of Secret: no message, no source line and no Origin shows it (secret.go).
//
// Plugin blocks (plugin.go, pluginblock.go) become Plugins: their own keys are checked at once, the config block in them when
// the plugin has described itself, by DecodeBody with the Schema it gave (body.go, value.go). Neither the environment nor
// flags change them.
//
// Settings (show.go) tells what holds and where it comes from, NewReference (reference.go) what there is.
//
// # Errors
//
// Load reports every mistake at once, as Problems: where it is (file, line, column and the source line; variable; flag),
// what is wrong and what to do. A variable that is no setting is an error when it looks like a mistyped one, otherwise a
// warning: other programs use names that begin with HOST_ too.
//
// # Limits
//
// There may be 256 files. A file has at most 256 KiB, 64 brackets in each other and 1024 operators (nesting.go: hcl's parser has no bounds of its
// own), and no loops; lists and maps have at most 1024 elements, a file that is included at most 1 MiB. There may be 64 plugins.
//
// # To add a config key
//
//  1. Add a field with its tags to Config (or to Table, Limits) in config.go; a type of its own needs a check in types.go.
//  2. Show it, commented at its default, in config.hcl at the top level; a test compares the two.
//  3. A key of plugin blocks goes into pluginSchema and Plugin in plugin.go, its check into pluginblock.go.
//  4. A rule over several keys goes into check in check.go.
//  5. What is said of mistakes in it belongs into a script validate_….txtar of cmd/host/testdata/script; go test ./cmd/host
//     -run TestScripts -update writes the texts, to be read before they are committed.
package config
