package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// Limits on input, so that a manifest can't exhaust the machine that reads it. They lie
// far above what manifests need; a message that refuses one names it.
const (
	maxManifest = 10 << 20 // bytes of one YAML file
	maxFile     = 1 << 20  // bytes of a file that {file: …} names
	maxDepth    = 100      // levels of nesting in a document
	maxAliased  = 100_000  // values that aliases (*name) may repeat in one file
)

// source is one YAML file.
type source struct {
	// name is the file as messages show it.
	name string
	// root is the folder that nothing named in the file may leave, dir the file's own
	// folder below it, with slashes.
	root, dir string
	// named says that the file itself was asked for, not a folder around it.
	named bool
	text  []byte
}

// find lists the files that paths name, each once, with what could not be read.
func find(paths []string) ([]*source, Diagnostics) {
	var out []*source
	var ds Diagnostics
	seen := map[string]bool{}
	for _, p := range paths {
		fail := func(name string, err error) {
			ds = append(ds, Diagnostic{
				Severity: Error, Pos: Position{File: printable(name)},
				Summary: "can't be read", Detail: sentence(plainError(err)),
			})
		}
		info, err := os.Stat(p)
		if err != nil {
			fail(p, err)
			continue
		}
		dir, rel := p, ""
		if !info.IsDir() {
			dir, rel = filepath.Split(p)
			if dir == "" {
				dir = "."
			}
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			fail(p, err)
			continue
		}
		var names []string
		if rel != "" {
			names = []string{rel}
		} else if names, err = yamlFiles(root.FS()); err != nil {
			fail(p, err)
		}
		for _, n := range names {
			shown := filepath.Join(dir, filepath.FromSlash(n))
			key, err := filepath.Abs(shown)
			if err != nil {
				key = shown
			}
			if seen[key] {
				continue
			}
			seen[key] = true
			text, err := readIn(root, n, maxManifest)
			if err != nil {
				fail(shown, err)
				continue
			}
			text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
			if !utf8.Valid(text) {
				fail(shown, errors.New("it is not text in UTF-8; save it in that encoding"))
				continue
			}
			out = append(out, &source{name: printable(shown), root: dir, dir: path.Dir(n), named: rel != "", text: text})
		}
		_ = root.Close() // opened for reading only
	}
	return out, ds
}

// yamlFiles lists *.yaml and *.yml below a folder in order, folders whose names begin
// with a dot left out.
func yamlFiles(fsys fs.FS) ([]string, error) {
	var out []string
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case !d.IsDir() && (path.Ext(p) == ".yaml" || path.Ext(p) == ".yml"):
			out = append(out, p)
		}
		return nil
	})
	return out, err
}

// readIn reads a regular file of at most limit bytes inside root; links that lead out
// of it are refused by root itself.
func readIn(root *os.Root, name string, limit int64) ([]byte, error) {
	info, err := root.Stat(filepath.FromSlash(name))
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	if info.Size() > limit {
		return nil, tooBig(limit)
	}
	f, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = tooBig(limit)
	}
	return b, err
}

func tooBig(limit int64) error {
	return fmt.Errorf("it is bigger than the limit of %d MB", limit>>20)
}

// plainError says in words for people why a file can't be read.
func plainError(err error) string {
	var perr *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such file or folder"
	case errors.Is(err, fs.ErrPermission):
		return "permission is denied"
	case errors.As(err, &perr) && strings.Contains(perr.Err.Error(), "escapes"):
		return "it leads outside of the folder that holds the manifest, which is not allowed"
	case errors.As(err, &perr):
		return perr.Err.Error()
	}
	return err.Error()
}

// files reads what manifests name by {file: …}, each once, so that every tenant and the
// digest see the same content. It may be used by several goroutines.
type files struct {
	mu   sync.Mutex
	read map[string]fileContent
}

type fileContent struct {
	text []byte
	err  error
}

// get reads the file that src names by rel, which is relative to the manifest's file.
func (f *files) get(src *source, rel string) ([]byte, error) {
	name := path.Join(src.dir, filepath.ToSlash(rel))
	if path.IsAbs(filepath.ToSlash(rel)) || filepath.IsAbs(rel) || !fs.ValidPath(name) {
		return nil, fmt.Errorf("it leads outside of the folder %s, which is not allowed; "+
			"paths are relative to the manifest's file and stay inside the folder given with -f", printable(src.root))
	}
	key := src.root + "\x00" + name
	f.mu.Lock()
	defer f.mu.Unlock()
	if c, ok := f.read[key]; ok {
		return c.text, c.err
	}
	var c fileContent
	root, err := os.OpenRoot(src.root)
	if err != nil {
		c.err = errors.New(plainError(err))
	} else {
		if c.text, err = readIn(root, name, maxFile); err != nil {
			c.text, c.err = nil, errors.New(plainError(err))
		}
		_ = root.Close() // opened for reading only
	}
	if f.read == nil {
		f.read = map[string]fileContent{}
	}
	f.read[key] = c
	return c.text, c.err
}

// printable returns s, in quotes if it holds anything that a terminal would not show as it is.
func printable(s string) string {
	for _, r := range s {
		if !strconv.IsPrint(r) {
			return strconv.Quote(s)
		}
	}
	return s
}
