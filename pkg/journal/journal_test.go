package journal

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ecplan/ecplan/pkg/kind"
)

// clock gives times one second apart.
func clock() func() time.Time {
	at := time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)
	return func() time.Time { at = at.Add(time.Second); return at }
}

func newDir(t testing.TB) *Dir {
	t.Helper()
	d, err := OpenDir(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func begin(t testing.TB, s Store, h Header) *Run {
	t.Helper()
	r, err := Begin(s, h, []byte(`{"steps":[]}`), clock(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// sample writes a run with every type of record.
func sample(t testing.TB, s Store) string {
	t.Helper()
	r := begin(t, s, Header{Tool: "test", Tenant: "prod-eu", Domain: "acme.eu.auth0.com", Who: Who{User: "ann", CI: "https://ci/1"}, Steps: 3})
	must(t,
		r.Intent("Client/oin", Intent{Request: "sha256:1", Twins: []string{"abc"}}),
		r.Intent("Role/admin", Intent{Request: "sha256:2"}),
		r.Done("Role/admin", Done{Address: "Role/admin", Action: kind.Create, ObjectID: "rol_1", Outputs: map[string]any{"id": "rol_1"}}),
		r.Failed("Client/oin", Failed{Message: "dropped", Unknown: true}),
		r.End(End{Outcome: OutcomeFailed, Done: 1, Unknown: 1, NotStarted: 1}),
		r.Close(),
	)
	r, err := Reopen(s, r.Name(), Who{User: "bob"}, clock())
	must(t, err)
	must(t,
		r.Done("Client/oin", Done{Address: "Client/oin", Action: kind.Create, ObjectID: "xyz", Settled: true}),
		r.Intent("Action/a", Intent{Request: "sha256:3"}),
		r.Done("Action/a", Done{Address: "Action/a", Action: kind.Create, ObjectID: "1", Secrets: map[string]Trace{"secrets.A": {Fingerprint: "hmac-sha256:f", UpdatedAt: "t"}}}),
		r.Awaited("Action/a"),
		r.End(End{Outcome: OutcomeDone, Done: 3}),
		r.Close(),
	)
	return r.Name()
}

func TestRunIsReadBackAsWritten(t *testing.T) {
	s := newDir(t)
	name := sample(t, s)
	l, err := Read(s, name)
	must(t, err)
	if l.Header.Format != Format || l.Header.Run != name || l.Header.Who.User != "ann" || l.Torn {
		t.Errorf("header %+v", l.Header)
	}
	if got := l.Outcome(); got != OutcomeDone {
		t.Errorf("outcome %q", got)
	}
	if l.Wrote() != 3 || len(l.Unsettled()) != 0 || !l.Steps["Action/a"].Awaited {
		t.Errorf("steps %+v", l.Steps)
	}
	if plan, err := ReadPlan(s, l); err != nil || string(plan) != `{"steps":[]}` {
		t.Errorf("plan %q, %v", plan, err)
	}
	for i, r := range l.Records {
		if r.Seq != i+1 {
			t.Errorf("record %d has the number %d", i+1, r.Seq)
		}
	}
}

func TestFilesAreForTheOwnerOnly(t *testing.T) {
	s := newDir(t)
	sample(t, s)
	_, err := s.Key()
	must(t, err)
	unlock, err := s.Lock("acme.eu.auth0.com", ThisProcess(Owner{}))
	must(t, err)
	defer func() { must(t, unlock()) }()
	files := 0
	must(t, filepath.WalkDir(s.Where(), func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if e.IsDir() {
			want = 0o700
		} else {
			files++
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		return nil
	}))
	if files < 5 {
		t.Errorf("only %d files were seen", files)
	}
}

// TestCutAnywhere cuts a journal at every byte: what is left reads as a run that
// came less far, never as an error and never with a record that was not written.
func TestCutAnywhere(t *testing.T) {
	s := newDir(t)
	name := sample(t, s)
	data, err := s.Journal(name)
	must(t, err)
	whole, err := Parse("j", data)
	must(t, err)
	for n := range data {
		l, err := Parse("j", data[:n])
		if err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
		lines := bytes.Count(data[:n], []byte("\n"))
		atEnd := data[n] == '\n' // all of the line is there but its newline
		if atEnd {
			lines++
		}
		if len(l.Records) != lines || !reflect.DeepEqual(l.Records, append([]Record(nil), whole.Records[:lines]...)) && lines > 0 {
			t.Fatalf("cut at %d: %d records, want %d", n, len(l.Records), lines)
		}
		if torn := n > 0 && data[n-1] != '\n' && !atEnd; l.Torn != torn {
			t.Fatalf("cut at %d: torn is %v", n, l.Torn)
		}
	}
}

// TestFlipAnywhere flips each bit of a journal: the damage is told with its line,
// or it is in the last record and leaves it out as torn. No record is ever altered.
func TestFlipAnywhere(t *testing.T) {
	s := newDir(t)
	data, err := s.Journal(sample(t, s))
	must(t, err)
	for i := range data {
		for bit := range 8 {
			bad := bytes.Clone(data)
			bad[i] ^= 1 << bit
			_, err := Parse("j", bad)
			var damage *DamageError
			if !errors.As(err, &damage) {
				t.Fatalf("bit %d of byte %d flipped: %v", bit, i, err)
			}
			line := bytes.Count(data[:i], []byte("\n")) + 1
			if damage.Line != line {
				t.Fatalf("bit %d of byte %d flipped: said to be in line %d, is in %d", bit, i, damage.Line, line)
			}
			if from := bytes.LastIndexByte(data[:i], '\n') + 1; damage.Offset != int64(from) {
				t.Fatalf("bit %d of byte %d flipped: line said to begin at %d, begins at %d", bit, i, damage.Offset, from)
			}
		}
	}
}

func TestLinesCantBeDroppedSwappedOrForeign(t *testing.T) {
	s := newDir(t)
	data, err := s.Journal(sample(t, s))
	must(t, err)
	other, err := s.Journal(sample(t, s))
	must(t, err)
	lines, foreign := bytes.SplitAfter(data, []byte("\n")), bytes.SplitAfter(other, []byte("\n"))
	for i := range len(lines) - 2 {
		for what, bad := range map[string][][]byte{
			"dropped": slices.Delete(slices.Clone(lines), i, i+1),
			"doubled": slices.Insert(slices.Clone(lines), i, lines[i]),
			"foreign": slices.Replace(slices.Clone(lines), i+1, i+2, foreign[i+1]),
		} {
			if _, err := Parse("j", bytes.Join(bad, nil)); err == nil {
				t.Errorf("line %d %s: not noticed", i+1, what)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	s := newDir(f)
	data, err := s.Journal(sample(f, s))
	must(f, err)
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add([]byte("\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := Parse("j", data)
		if (l == nil) == (err == nil) {
			t.Fatalf("log %v, error %v", l, err)
		}
	})
}

func TestReopenAfterATornLine(t *testing.T) {
	s := newDir(t)
	name := sample(t, s)
	path := filepath.Join(s.Where(), "runs", name, "journal.jsonl")
	data, err := os.ReadFile(path)
	must(t, err)
	for _, cut := range []int{1, 2, 40} {
		must(t, os.WriteFile(path, data[:len(data)-cut], 0o600))
		r, err := Reopen(s, name, Who{}, clock())
		must(t, err)
		must(t, r.End(End{Outcome: OutcomeDone}), r.Close())
		l, err := Read(s, name)
		if err != nil || l.Torn || l.Outcome() != OutcomeDone {
			t.Errorf("cut by %d and taken up again: %+v, %v", cut, l, err)
		}
	}
}

// failing lets a journal's appends fail from the n-th on.
type failing struct {
	Appender
	left int
}

func (f *failing) Append(b []byte) error {
	if f.left--; f.left < 0 {
		return errors.New("no space left on device")
	}
	return f.Appender.Append(b)
}

func TestAfterAFailedAppendNothingIsRecorded(t *testing.T) {
	s := newDir(t)
	r := begin(t, s, Header{Tenant: "a", Domain: "d"})
	r.out = &failing{r.out, 1}
	must(t, r.Intent("A/a", Intent{}))
	if err := r.Done("A/a", Done{}); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Fatalf("got %v", err)
	}
	r.out = r.out.(*failing).Appender
	if err := r.Intent("B/b", Intent{}); err == nil {
		t.Error("a record was taken after one was lost")
	}
	l, err := Read(s, r.Name())
	if err != nil || !reflect.DeepEqual(l.Unsettled(), []string{"A/a"}) {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestATenantsNameCantEscape(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		tenant := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"..", "../../etc", "/", "a/b", `c:\x`, ".git", "-rf", strings.Repeat("x/", 300), "\x00", "COM1", "a b"})).Draw(rt, "tenant")
		name := nameOf(time.Unix(0, 0), tenant, [4]byte{1, 2, 3, 4})
		if !runName.MatchString(name) || filepath.Base(name) != name || strings.HasPrefix(fileName(tenant), ".") {
			rt.Fatalf("%q gives %q", tenant, name)
		}
		if _, got, ok := parseName(name); !ok || got != fileName(tenant) {
			rt.Fatalf("%q is read back as %q", name, got)
		}
		other := rapid.String().Draw(rt, "other")
		if other != tenant && fileName(other) == fileName(tenant) {
			rt.Fatalf("%q and %q have one name", tenant, other)
		}
	})
	s := newDir(t)
	for _, run := range []string{"../../x", "", ".", "20260101T000000.000Z-../x-01020304"} {
		if _, err := s.Journal(run); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", run, err)
		}
	}
}

func TestRunsSortByTimeThoughAClockGoesBack(t *testing.T) {
	s := newDir(t)
	var made []string
	for _, hour := range []int{12, 3, 12} {
		at := time.Date(2026, 1, 1, hour, 0, 0, 0, time.UTC)
		r, err := Begin(s, Header{Tenant: "a", Domain: "d"}, nil, func() time.Time { return at }, rand.Reader)
		must(t, err)
		must(t, r.Close())
		made = append(made, r.Name())
	}
	if got, err := s.Runs(); err != nil || !reflect.DeepEqual(got, made) {
		t.Errorf("runs %v, made %v, %v", got, made, err)
	}
}

// TestRunsListsWhatIsThere draws what two processes do in one store, one of which has it
// open for long: each always sees all runs, however little time there is in between.
func TestRunsListsWhatIsThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		must := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		path, err := os.MkdirTemp("", "store")
		must(err)
		defer os.RemoveAll(path) //nolint:errcheck // a leftover in the temporary folder is harmless
		var open [2]*Dir
		for i := range open {
			open[i], err = OpenDir(path)
			must(err)
		}
		made := []string{}
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			s := open[rapid.IntRange(0, 1).Draw(t, "process")]
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				r, err := Begin(s, Header{Tenant: "a", Domain: "d"}, nil, time.Now, rand.Reader)
				must(err)
				must(r.Close())
				made = append(made, r.Name())
			case 1: // as if nothing had happened for an hour
				then := time.Now().Add(-time.Hour)
				if err := os.Chtimes(filepath.Join(path, "runs"), then, then); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
			case 2:
				got, err := s.Runs()
				must(err)
				if !slices.Equal(got, made) {
					t.Fatalf("lists %v, there are %v", got, made)
				}
			}
		}
	})
}

func TestAChangedPlanIsNoticed(t *testing.T) {
	s := newDir(t)
	name := sample(t, s)
	must(t, os.WriteFile(filepath.Join(s.Where(), "runs", name, "plan.json"), []byte("{}"), 0o600))
	l, err := Read(s, name)
	must(t, err)
	var damage *DamageError
	if _, err := ReadPlan(s, l); !errors.As(err, &damage) {
		t.Errorf("got %v", err)
	}
}

func TestFingerprints(t *testing.T) {
	s := newDir(t)
	f, err := Fingerprinter(s)
	must(t, err)
	again, err := Fingerprinter(s)
	must(t, err)
	other, err := Fingerprinter(newDir(t))
	must(t, err)
	if f("a") != again("a") || f("a") == f("b") || f("a") == other("a") {
		t.Error("fingerprints must depend on value and store, and on nothing else")
	}
	must(t, os.WriteFile(filepath.Join(s.Where(), "key"), []byte("short\n"), 0o600))
	if _, err := Fingerprinter(s); err == nil {
		t.Error("a broken key was taken")
	}
}
