package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// runningSim starts `ecplan sim` and returns the addresses that it prints; stop ends it
// as a signal does, and returns its exit code.
func runningSim(t *testing.T, tenants int, args ...string) (urls []string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	var errs bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- Run(ctx, append([]string{"ecplan", "sim"}, args...), Streams{In: strings.NewReader(""), Out: w, Err: &errs, Env: os.LookupEnv})
		w.Close() //nolint:errcheck // a pipe
	}()
	lines := bufio.NewScanner(r)
	for range tenants {
		if !lines.Scan() {
			t.Fatalf("sim %v did not start: %s", args, errs.String())
		}
		urls = append(urls, lines.Text())
	}
	ended := false
	stop = func() int {
		if ended {
			return 0
		}
		ended = true
		cancel()
		return <-code
	}
	t.Cleanup(func() { stop() })
	return urls, stop
}

func ask(t *testing.T, client *http.Client, method, url, token, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(data)
}

func TestSimListensOnLoopbackOnly(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0", "[::]:0", "example.com:80"} {
		var out, errs bytes.Buffer
		code := Run(context.Background(), []string{"ecplan", "sim", "--listen", address}, Streams{In: strings.NewReader(""), Out: &out, Err: &errs, Env: os.LookupEnv})
		if code != exitError || !strings.Contains(errs.String(), "loopback") {
			t.Errorf("--listen %s: exit %d, %q", address, code, errs.String())
		}
	}
}

func TestSimKeepsItsStateAndLog(t *testing.T) {
	dir := t.TempDir()
	state, log := filepath.Join(dir, "state.json"), filepath.Join(dir, "requests.jsonl")
	args := []string{"--token", "sim-test-token", "--state", state, "--log", log}
	urls, stop := runningSim(t, 1, args...)
	if code, body := ask(t, http.DefaultClient, "POST", urls[0]+"/api/v2/roles", "sim-test-token", `{"name":"kept"}`); code != 200 {
		t.Fatalf("create a role: %d %s", code, body)
	}
	if code := stop(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	urls, _ = runningSim(t, 1, args...)
	if _, body := ask(t, http.DefaultClient, "GET", urls[0]+"/api/v2/roles?name_filter=kept", "sim-test-token", ""); !strings.Contains(body, "kept") {
		t.Errorf("the role did not survive: %s", body)
	}
	data, err := os.ReadFile(log) //nolint:gosec // a file of this test
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	if len(lines) != 2 {
		t.Fatalf("the log has %d lines, want 2", len(lines))
	}
	var line struct {
		Time, Tenant, Method, Path, Query string
		Status                            int
		Ms                                float64
	}
	if err := json.Unmarshal([]byte(lines[1]), &line); err != nil || line.Method != "GET" || line.Path != "/api/v2/roles" || line.Query != "name_filter=kept" || line.Status != 200 || line.Time == "" {
		t.Errorf("the log says %s (%v)", lines[1], err)
	}
}

func TestSimServesManyTenantsOverTLS(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	urls, _ := runningSim(t, 3, "--tenants", "3", "--tls", "--ca-file", ca, "--token", "sim-test-token")
	data, err := os.ReadFile(ca) //nolint:gosec // a file of this test
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		t.Fatal("--ca-file holds no certificate")
	}
	// OpenSSL takes an authority by name and key identifier, and does not try another.
	authorities := map[string]string{}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		authorities[cert.Subject.String()] = string(cert.SubjectKeyId)
	}
	if len(authorities) != len(urls) {
		t.Errorf("%d tenants have authorities of %d names", len(urls), len(authorities))
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12, VerifyConnection: func(c tls.ConnectionState) error {
		if cert := c.PeerCertificates[0]; len(cert.AuthorityKeyId) == 0 || authorities[cert.Issuer.String()] != string(cert.AuthorityKeyId) {
			t.Errorf("a certificate names the authority %s, %x", cert.Issuer, cert.AuthorityKeyId)
		}
		return nil
	}}}}
	for i, url := range urls {
		port := strconv.Itoa(i)
		if code, body := ask(t, client, "POST", url+"/api/v2/roles", "sim-test-token", `{"name":"role `+port+`"}`); code != 200 {
			t.Fatalf("%s: %d %s", url, code, body)
		}
		if _, body := ask(t, client, "GET", url+"/api/v2/roles", "sim-test-token", ""); strings.Count(body, "rol_") != 1 {
			t.Errorf("%s sees other tenants' roles: %s", url, body)
		}
	}
}
