// Command serve is the process that TestReplay starts for each recording: the
// simulator on the port that its argument names.
package main

import (
	"fmt"
	"os"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

func main() {
	s, err := auth0sim.New(auth0sim.Options{Token: "replay-token"})
	if err == nil {
		err = s.Listen("127.0.0.1:" + os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	select {} // until it is killed
}
