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
//
// If AUTH0SIM_EXCHANGES names a file, every exchange is appended to it, for the test
// of this package that holds them against Auth0's document.
func Start(t TB, o Options) *Server {
	t.Helper()
	if o.Exchanges == nil {
		o.Exchanges = exchangesFile()
	}
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

var exchangesFile = sync.OnceValue(func() io.Writer {
	name := os.Getenv("AUTH0SIM_EXCHANGES")
	if name == "" {
		return nil
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // the developer names it
	if err != nil {
		return nil
	}
	return f
})
