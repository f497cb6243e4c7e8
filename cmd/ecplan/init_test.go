package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ecplan/ecplan/examples"
	"github.com/ecplan/ecplan/internal/auth0sim"
)

// TestInitAsks answers the questions as somebody at a terminal would: a wrong address
// first, an application by its number, no key.
func TestInitAsks(t *testing.T) {
	seed, err := examples.Express.ReadFile("express/tenant.json")
	if err != nil {
		t.Fatal(err)
	}
	sim := auth0sim.Start(t, auth0sim.Options{Token: "init", Seed: seed})
	dir := filepath.Join(t.TempDir(), "new")
	run := func(input string, args ...string) (int, string, string) {
		var out, errs bytes.Buffer
		code := Run(t.Context(), append([]string{"ecplan"}, args...), Streams{In: strings.NewReader(input), Out: &out, Err: &errs, Env: func(name string) (string, bool) {
			return "init", name == "ECPLAN_TOKEN"
		}})
		return code, out.String(), errs.String()
	}
	code, out, errs := run(sim.Domain()+"\n9\n1\nhttp://crm.acme.example\nhttps://crm.acme.example/login\nno-such.pem\n../../go.mod\n\n", "init", "--dir", dir)
	if code != exitDone {
		t.Fatalf("exit %d: %s", code, errs)
	}
	for _, want := range []string{"1. Acme CRM (7ZkQ2bVn8RwT4xLm9PdY6sHj3CfA1gEu)", "There is no 9 among these", "That can't be used: it must be an https address", "open no-such.pem", "../../go.mod can't be Okta's key"} {
		if !strings.Contains(errs, want) {
			t.Errorf("the questions do not say %q:\n%s", want, errs)
		}
	}
	if strings.Contains(errs, "Nightly report") {
		t.Error("an application for machines is offered")
	}
	text, err := os.ReadFile(filepath.Join(dir, "express.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `client_id: "7ZkQ2bVn8RwT4xLm9PdY6sHj3CfA1gEu" #`) || !strings.Contains(string(text), "  name: acme-crm\n") || !strings.Contains(string(text), "# oin_client:") {
		t.Errorf("the manifest is\n%s\n%s", text, out)
	}
	if code, out, errs = run("", "plan", "-f", dir, "--store", t.TempDir()); code != exitDone || !strings.Contains(out, "Plan: 5 to create") {
		t.Errorf("the plan of the first manifest: exit %d\n%s%s", code, out, errs)
	}
	if code, out, _ = run("", "init", "--dir", dir); code != exitDone || !strings.Contains(out, "nothing was changed") {
		t.Errorf("a second run: exit %d: %s", code, out)
	}
	again, err := os.ReadFile(filepath.Join(dir, "express.yaml"))
	if err != nil || !bytes.Equal(text, again) {
		t.Errorf("a second run changed the manifest: %v", err)
	}
	if code, _, errs = run("", "init", "--dir", t.TempDir()); code != exitError || !strings.Contains(errs, "nothing was written") {
		t.Errorf("without answers: exit %d: %s", code, errs)
	}
}
