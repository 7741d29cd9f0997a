// Command host is a node of Ethereum's discovery network (Node Discovery v5.1).
package main

import (
	"os"

	"github.com/discv5/host/cmd/host/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
