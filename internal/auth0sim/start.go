package auth0sim

import (
	"io"
	"os"
	"sync"
)

// TB is the part of testing.TB that Start needs.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Start serves a tenant on a free port of 127.0.0.1 until the test ends.
func Start(t TB, o Options) *Server {
	t.Helper()
	s, err := New(o)
	if err == nil {
		err = s.Listen("127.0.0.1:0")
	}
	if err != nil {
		t.Fatalf("start the simulator: %v", err)
		return nil
	}
	t.Cleanup(func() { s.Close() }) //nolint:errcheck // the test is over
	return s
}

// exchangesFile is the file that AUTH0SIM_EXCHANGES names: every tenant of a test
// run appends its exchanges to it, for TestExchangesOfOthers, which holds them against
// Auth0's document. Nil without the variable.
var exchangesFile = sync.OnceValue(func() io.Writer {
	name := os.Getenv("AUTH0SIM_EXCHANGES")
	if name == "" {
		return nil
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil
	}
	return f
})
