// Command ecplan puts Okta Express Configuration on Auth0 tenants from manifests in git.
//
// This package turns flags into calls and results into text and an exit code; it
// decides nothing itself. One file holds one command.
package main

import (
	"context"
	"os"
	"runtime/debug"
)

// heapGrowth is how much the heap may grow until garbage is collected, in percent. Many
// tenants wait for the network most of the time: there is more CPU to spare than memory.
const heapGrowth = 60

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
	os.Exit(Run(context.Background(), os.Args, Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.LookupEnv,
	}))
}
