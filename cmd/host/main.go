package main

import (
	"os"

	"github.com/discv5/host/cmd/host/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
