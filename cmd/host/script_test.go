package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/discv5/host/sdk"
	"github.com/rogpeppe/go-internal/testscript"
)

// update writes what commands say today into the scripts.
var update = flag.Bool("update", false, "write the golden texts of the scripts")

// greeter is a plugin with something of everything that a configuration can get wrong.
func greeter() {
	type peer struct {
		ID   string `hcl:"id"`
		Text string `hcl:"text,optional"`
	}
	type settings struct {
		Greeting string            `hcl:"greeting" doc:"what everybody is told"`
		Every    time.Duration     `hcl:"every,optional" doc:"how often somebody is greeted"`
		Most     int               `hcl:"most,optional"`
		Share    float64           `hcl:"share,optional"`
		Loud     bool              `hcl:"loud,optional"`
		Words    []string          `hcl:"words,optional"`
		Labels   map[string]string `hcl:"labels,optional"`
		Token    string            `hcl:"token,optional" secret:"true"`
		Peers    []peer            `hcl:"peer,block" doc:"who is greeted in another way"`
		Cache    *peer             `hcl:"cache,block"`
	}
	sdk.Serve(&sdk.TalkPlugin{
		Info:      sdk.Info{Name: "greeter", Version: "1.0.0", Needs: []string{sdk.GrantTalk, sdk.GrantKV}},
		Protocols: []string{"greet"},
		Config:    &settings{},
		Handler:   sdk.TalkFunc(func(context.Context, *sdk.TalkRequest) ([]byte, error) { return []byte("hello"), nil }),
	})
}

// setPaths sets the variables GREETER, the path of that plugin, and REFERENCE, that of the repository's config.hcl, and
// CHECKOUT, its folder.
func setPaths(e *testscript.Env) error {
	greeter, err := exec.LookPath("greeter") // testscript.Main has put it into PATH
	e.Setenv("GREETER", greeter)
	reference, absErr := filepath.Abs(root + "/config.hcl")
	e.Setenv("REFERENCE", reference)
	e.Setenv("CHECKOUT", filepath.Dir(reference))
	return errors.Join(err, absErr)
}

// fill is for files that a script cannot hold: fill FILE COUNT TEXT writes the text, in which Go's escapes count, so many times.
func fill(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: fill FILE COUNT TEXT")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	text, err := strconv.Unquote(`"` + args[2] + `"`)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Repeat(text, n)), 0o600))
}
