// Command ecplan puts Okta Express Configuration on Auth0 tenants from manifests in git.
//
// This package turns flags into calls and results into text and an exit code; it
// decides nothing itself. One file holds one command.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(Run(context.Background(), os.Args, Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.LookupEnv,
	}))
}
