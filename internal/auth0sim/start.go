package auth0sim

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
