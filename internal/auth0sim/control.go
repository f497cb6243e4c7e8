package auth0sim

import (
	"encoding/json"
	"io"
	"net/http"
)

// control serves /_sim/*, for tests that drive the simulator from another process:
//
//	GET    /_sim/state     the state, as Snapshot
//	POST   /_sim/reset     back to the seed
//	GET    /_sim/faults    the fault rules, a list of strings
//	PUT    /_sim/faults    replaces them (POST too); DELETE takes them away
//	GET    /_sim/requests  the requests so far; DELETE forgets them
//	POST   /_sim/logs      logs an event, as Server.AddLog
//
// It asks for no token and is neither logged nor counted.
func (s *Server) control(w http.ResponseWriter, r *http.Request) {
	reply := func(status int, body []byte) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		w.Write(body) //nolint:errcheck // the client is gone
	}
	fail := func(err error) { reply(http.StatusBadRequest, encode(obj{"message": err.Error()})) }
	switch r.Method + " " + r.URL.Path {
	case "GET /_sim/state":
		reply(http.StatusOK, s.Snapshot())
	case "POST /_sim/reset":
		if err := s.Reset(); err != nil {
			fail(err)
			return
		}
		reply(http.StatusOK, []byte("{}"))
	case "GET /_sim/faults":
		s.mu.Lock()
		specs := []string{}
		for _, f := range s.faults {
			specs = append(specs, f.spec)
		}
		s.mu.Unlock()
		reply(http.StatusOK, encode(specs))
	case "PUT /_sim/faults", "POST /_sim/faults":
		var specs []string
		raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err == nil {
			err = json.Unmarshal(raw, &specs)
		}
		if err == nil {
			err = s.SetFaults(specs...)
		}
		if err != nil {
			fail(err)
			return
		}
		reply(http.StatusOK, encode(specs))
	case "DELETE /_sim/faults":
		s.SetFaults() //nolint:errcheck // no rule can't be wrong
		w.WriteHeader(http.StatusNoContent)
	case "GET /_sim/requests":
		reply(http.StatusOK, encode(append([]Request{}, s.Requests()...)))
	case "DELETE /_sim/requests":
		s.ResetRequests()
		w.WriteHeader(http.StatusNoContent)
	case "POST /_sim/logs":
		var entry obj
		raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err == nil {
			err = json.Unmarshal(raw, &entry)
		}
		if err == nil {
			err = s.AddLog(entry)
		}
		if err != nil {
			fail(err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	default:
		reply(http.StatusNotFound, encode(obj{"message": "The simulator's control knows state, reset, faults, requests and logs."}))
	}
}
