package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	if os.Getenv(raceOptions) == "" {
		os.Setenv(raceOptions, "atexit_sleep_ms=0") // hundreds of short processes
	}
	testscript.Main(m, map[string]func(){"host": main, "greeter": greeter})
}

// raceOptions is the variable with the options of the race detector. By default it waits a second at the end of a process.
const raceOptions = "GORACE"

// The scripts run host as an operator does.
func TestScripts(t *testing.T) {
	testscript.Run(t, scripts(testscript.Params{Dir: "testdata/script"}))
}

// scripts adds to p the commands that scripts use beside the standard ones:
//
//	start NAME [VAR=VALUE…] ARG…
//	                          run host with the arguments in the background
//	                          (FULL=1: its stdout is a disk that is full)
//	await NAME stdout|stderr REGEXP [VAR]
//	                          wait until a line matches, and put its first group into VAR
//	end NAME SIGNAL [STATUS]  send TERM, INT or KILL and wait for the end; TERM and INT must end it with status 0
//	                          (or STATUS) within 2 seconds
//	ended NAME STATUS         wait for the end of a host that ends by itself
//	status STATUS ARG…        run host with the arguments and check its exit status; stderr is for the command stderr
//	mode FILE OCTAL           check the permissions of a file
//	fill FILE COUNT TEXT      write a text so many times into a file
//
// The variables GREETER, REFERENCE and CHECKOUT are the paths of a plugin, see script_test.go, of the repository's config.hcl, and of its folder.
func scripts(p testscript.Params) testscript.Params {
	p.RequireExplicitExec, p.UpdateScripts = true, *update
	p.Cmds = map[string]func(*testscript.TestScript, bool, []string){
		"start": startHost, "await": awaitLine, "end": endHost, "ended": endedHost, "status": checkStatus, "mode": checkMode, "fill": fill,
	}
	p.Setup = func(e *testscript.Env) error {
		e.Values[hostsKey{}] = make(map[string]*running)
		e.Setenv(raceOptions, os.Getenv(raceOptions))
		e.Setenv("HOME", filepath.Join(e.WorkDir, "home"))
		return setPaths(e)
	}
	return p
}
