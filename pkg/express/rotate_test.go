package express_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ecplan/ecplan/pkg/express"
)

var retire = time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)

func TestRotation(t *testing.T) {
	const before = `# two documents
apiVersion: ecplan/v1
kind: Role
metadata: {name: other}
spec: {name: other}
---
apiVersion: ecplan/v1
kind: ExpressConfiguration
metadata:
  name: crm
spec:
  app: {client_id: abc} # the application
  oin_client:
    name: Okta
    public_key: {file: old.pem} # the key that Okta sent

    description: For Okta
  init_login_url: https://crm.example/login
`
	const during = `# two documents
apiVersion: ecplan/v1
kind: Role
metadata: {name: other}
spec: {name: other}
---
apiVersion: ecplan/v1
kind: ExpressConfiguration
metadata:
  name: crm
spec:
  app: {client_id: abc} # the application
  oin_client:
    name: Okta
    public_key: {file: new.pem}
    former_key:
      public_key: {file: old.pem} # the key that Okta sent
      retire_after: 2027-01-31T00:00:00Z

    description: For Okta
  init_login_url: https://crm.example/login
`
	got, err := express.BeginRotation([]byte(before), "crm", "new.pem", retire)
	if err != nil || string(got) != during {
		t.Fatalf("got %v\n%s", err, got)
	}
	if _, err := express.BeginRotation(got, "crm", "third.pem", retire); err == nil || !strings.Contains(err.Error(), "under way") {
		t.Errorf("a second rotation: %v", err)
	}
	got, err = express.FinishRotation(got, "crm")
	want := strings.Replace(before, "{file: old.pem} # the key that Okta sent", "{file: new.pem}", 1)
	if err != nil || string(got) != want {
		t.Errorf("got %v\n%s", err, got)
	}
	if _, err := express.FinishRotation(got, "crm"); err == nil || !strings.Contains(err.Error(), "no rotation") {
		t.Errorf("finished twice: %v", err)
	}
	if _, err := express.BeginRotation([]byte(before), "shop", "new.pem", retire); err == nil {
		t.Error("an application that is not there is rotated")
	}
}

// TestRotationOfAnyLayout: however a document is laid out, a rotation either gives
// exactly what it must (the edit checks that itself) or says that it can't; in block
// style it always can, and begun and finished it leaves the other lines alone.
func TestRotationOfAnyLayout(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pick := func(label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
		step := pick("indent", "  ", "    ", " ")
		key := pick("key", "public_key: {file: old.pem}", "public_key: {file: old.pem} # ours", "public_key:\n"+step+step+step+"file: old.pem",
			"public_key: |\n"+step+step+step+"-----BEGIN PUBLIC KEY-----\n"+step+step+step+"abc\n", "public_key: ${var.key}", "")
		var b strings.Builder
		b.WriteString(pick("before", "", "# a comment\n", "a: b\n---\n"))
		b.WriteString("kind: ExpressConfiguration\nmetadata:\n" + step + "name: crm\nspec:\n" + step + "app:\n" + step + step + "client_id: abc\n")
		if oin := pick("oin", "none", "before", "after"); oin != "none" && key != "" {
			b.WriteString(step + "oin_client:" + pick("comment", "", " # Okta") + "\n")
			if oin == "before" {
				b.WriteString(step + step + "name: Okta\n")
			}
			b.WriteString(step + step + key + "\n" + pick("blank", "", "\n"))
			if oin == "after" {
				b.WriteString(step + step + "name: Okta # their name\n")
			}
		} else {
			key = ""
		}
		b.WriteString(step + "init_login_url: https://crm.example/login" + pick("end", "\n", "", "\n\n# the end\n", "\n---\nc: d\n"))
		text := b.String()
		during, err := express.BeginRotation([]byte(text), "crm", "keys/new.pem", retire)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if key == "" {
			return // the first key: there is nothing to finish
		}
		after, err := express.FinishRotation(during, "crm")
		if err != nil {
			t.Fatalf("%v\n%s", err, during)
		}
		was, is := strings.Split(text, "\n"), strings.Split(string(after), "\n")
		for _, line := range is {
			if !contains(was, line) && !strings.Contains(line, "public_key: {file: keys/new.pem}") {
				t.Fatalf("a line that was not there: %q in\n%s\nwhich was\n%s", line, after, text)
			}
		}
	})
}

func contains(lines []string, line string) bool {
	for _, l := range lines {
		if l == line {
			return true
		}
	}
	return false
}

// TestRotationByHand: what can't be edited line by line is told, never guessed.
func TestRotationByHand(t *testing.T) {
	for _, text := range []string{
		"{kind: ExpressConfiguration, metadata: {name: crm}, spec: {oin_client: {public_key: {file: old.pem}}}}",
		"kind: ExpressConfiguration\nmetadata: {name: crm}\nspec:\n  oin_client: {public_key: {file: old.pem}}\n",
		"kind: ExpressConfiguration\nmetadata: {name: crm}\nspec: {}\n",
	} {
		if got, err := express.BeginRotation([]byte(text), "crm", "new.pem", retire); err == nil || !strings.Contains(err.Error(), "by hand") {
			t.Errorf("%s became %s (%v)", text, got, err)
		}
	}
}
