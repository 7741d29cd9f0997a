package main

import (
	"fmt"
	"os"

	"github.com/discv5/host/cmd/host/internal/builtin"
	"github.com/discv5/host/cmd/host/internal/cli"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == builtin.Command {
		fmt.Fprintln(os.Stderr, "host:", builtin.Serve(os.Args[2:]))
		os.Exit(2)
	}
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
