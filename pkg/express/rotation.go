package express

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ecplan/ecplan/pkg/manifest"
)

// Rotation is what a change of Okta's key does to the manifests.
type Rotation struct {
	// File is the manifest to edit, with its text before and after.
	File          string
	Before, After []byte
	// KeyFile, if not "", is to be made beside it with the content Key.
	KeyFile string
	Key     []byte
	// Next and Former are the keys; Former is zero if there was none. When a rotation is
	// finished, Next is the one that stays.
	Next, Former manifest.Key
}

// RotationInput says what to rotate.
type RotationInput struct {
	// Resources are as the manifests declare them, not expanded.
	Resources []*manifest.Resource
	// App is the name of the ExpressConfiguration; "" means the only one.
	App string
	// KeyFile is the next public key in PEM; "" finishes the rotation.
	KeyFile string
	// Overlap is how long the former key stays, at least.
	Overlap time.Duration
	// Force finishes before that.
	Force bool
	Now   time.Time
}

// PlanRotation works out the edit of the manifests. It writes nothing.
func PlanRotation(in RotationInput) (*Rotation, error) {
	r, err := theApp(in.Resources, in.App)
	if err != nil {
		return nil, err
	}
	out := &Rotation{File: r.Pos.File}
	if out.Before, err = os.ReadFile(r.Pos.File); err != nil {
		return nil, fmt.Errorf("reading the manifest again: %w", err)
	}
	oin, _ := r.Spec["oin_client"].(map[string]any)
	current, _ := oin["public_key"].(string)
	former, _ := oin["former_key"].(map[string]any)
	if in.KeyFile == "" {
		return out, out.finish(r, in, current, former)
	}
	return out, out.begin(r, in, current)
}

// theApp finds the ExpressConfiguration whose key is meant.
func theApp(rs []*manifest.Resource, name string) (*manifest.Resource, error) {
	var found []*manifest.Resource
	var names []string
	for _, r := range rs {
		if r.Kind == Kind {
			names = append(names, r.Name)
			if name == "" || r.Name == name {
				found = append(found, r)
			}
		}
	}
	switch {
	case len(names) == 0:
		return nil, fmt.Errorf("the manifests declare no %s. For a Client of your own, put both keys under credentials; docs/guides/keys.md shows how", Kind)
	case len(found) == 0:
		return nil, fmt.Errorf("there is no %s %q; there are %s", Kind, name, strings.Join(names, ", "))
	case len(found) > 1:
		return nil, fmt.Errorf("there are several applications (%s); say with --app whose key it is", strings.Join(names, ", "))
	}
	return found[0], nil
}

func (r *Rotation) begin(app *manifest.Resource, in RotationInput, current string) error {
	text, err := os.ReadFile(in.KeyFile)
	if err != nil {
		return fmt.Errorf("reading the key: %w", err)
	}
	if r.Next, err = manifest.ReadKey(string(text)); err != nil {
		return fmt.Errorf("%s is not a public key that Auth0 takes: %w", in.KeyFile, err)
	}
	if !r.Next.Until.IsZero() && !r.Next.Until.After(in.Now) {
		return fmt.Errorf("the certificate in %s ended on %s. Ask Okta for another one", in.KeyFile, r.Next.Until.Format(time.DateOnly))
	}
	if current != "" {
		if r.Former, err = manifest.ReadKey(current); err != nil {
			return fmt.Errorf("the key in the manifest: %w", err)
		}
		if r.Former.KID == r.Next.KID {
			return fmt.Errorf("%s holds the key that the manifest has already (kid %s)", in.KeyFile, r.Next.KID)
		}
	}
	name, err := r.place(in.KeyFile, text)
	if err != nil {
		return err
	}
	r.After, err = BeginRotation(r.Before, app.Name, name, in.Now.Add(in.Overlap))
	return err
}

// place says by which name the manifest finds the key's file: manifests name files of
// their own folder only, so one from elsewhere is copied beside them.
func (r *Rotation) place(file string, text []byte) (string, error) {
	dir, err := filepath.Abs(filepath.Dir(r.File))
	if err != nil {
		return "", fmt.Errorf("looking for the manifest's folder: %w", err)
	}
	at, err := filepath.Abs(file)
	if err != nil {
		return "", fmt.Errorf("looking for the key: %w", err)
	}
	if rel, err := filepath.Rel(dir, at); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel), nil
	}
	name := "okta-public-key-" + r.Next.KID[:8] + ".pem"
	have, err := os.ReadFile(filepath.Join(dir, name))
	switch {
	case err == nil && !bytes.Equal(have, text):
		return "", fmt.Errorf("%s is there already, and holds something else. Put the key into the manifest's folder and name it with --key", filepath.Join(dir, name))
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("looking for a place for the key: %w", err)
	}
	r.KeyFile, r.Key = filepath.Join(filepath.Dir(r.File), name), text
	return name, nil
}

func (r *Rotation) finish(app *manifest.Resource, in RotationInput, current string, former map[string]any) error {
	var err error
	if r.After, err = FinishRotation(r.Before, app.Name); err != nil {
		return err
	}
	if old, ok := former["public_key"].(string); ok {
		if r.Former, err = manifest.ReadKey(old); err != nil {
			return fmt.Errorf("the former key in the manifest: %w", err)
		}
	}
	if current == "" {
		return errors.New("the manifest has a former_key and no public_key: without it, Okta could not sign in at all. Put the next key into oin_client.public_key first")
	}
	if r.Next, err = manifest.ReadKey(current); err != nil {
		return fmt.Errorf("the key in the manifest: %w", err)
	}
	until, _ := former["retire_after"].(string)
	if at, err := time.Parse(time.RFC3339, until); err == nil && in.Now.Before(at) && !in.Force {
		return fmt.Errorf("the former key is to stay until %s, so that Okta can go over to the next one. If Okta says that it has, finish with --force", at.UTC().Format(time.DateOnly))
	}
	return nil
}
