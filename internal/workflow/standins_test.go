package workflow

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// standIns do what GitHub's own actions do, as far as the workflow asks for it.
var standIns = map[string]func(j *job, with map[string]string) (map[string]string, error){
	"actions/checkout":          checkout,
	"actions/cache/restore":     restoreCache,
	"actions/cache/save":        saveCache,
	"actions/upload-artifact":   uploadArtifact,
	"actions/download-artifact": downloadArtifact,
}

func checkout(j *job, _ map[string]string) (map[string]string, error) {
	return nil, os.CopyFS(j.workspace, os.DirFS(j.ev.tree))
}

// at resolves a path as the actions do: in the workspace, unless it is absolute.
func (j *job) at(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(j.workspace, path)
}

// files reads a folder, by paths relative to it.
func files(folder string, hidden bool) (map[string]file, error) {
	out := map[string]file{}
	err := filepath.WalkDir(folder, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !hidden && strings.HasPrefix(e.Name(), ".") {
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if e.IsDir() {
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(folder, name)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(name)
		out[rel] = file{data, uint32(info.Mode().Perm())}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return out, err
}

func write(folder string, all map[string]file) error {
	for rel, f := range all {
		name := filepath.Join(folder, rel)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, f.data, os.FileMode(f.mode)); err != nil {
			return err
		}
	}
	return nil
}

// refs are those whose caches the run may use.
// https://docs.github.com/en/actions/reference/workflows-and-actions/dependency-caching
func (j *job) refs() []string { return []string{j.ev.ref, "refs/heads/main"} }

func restoreCache(j *job, with map[string]string) (map[string]string, error) {
	for _, prefix := range append([]string{with["key"]}, strings.Fields(with["restore-keys"])...) {
		for _, c := range slices.Backward(j.site.caches) { // the newest first
			if strings.HasPrefix(c.key, prefix) && c.path == with["path"] && slices.Contains(j.refs(), c.ref) {
				return map[string]string{"cache-matched-key": c.key, "cache-hit": strconv.FormatBool(c.key == with["key"])}, write(j.at(c.path), c.files)
			}
		}
	}
	return map[string]string{"cache-hit": ""}, nil
}

func saveCache(j *job, with map[string]string) (map[string]string, error) {
	all, err := files(j.at(with["path"]), true)
	if err != nil || len(all) == 0 {
		return nil, err // the action warns
	}
	for _, c := range j.site.caches {
		if c.key == with["key"] && c.ref == j.ev.ref {
			return nil, nil // an entry is never replaced; the action warns
		}
	}
	j.site.caches = append(j.site.caches, kept{with["key"], j.ev.ref, with["path"], all})
	return nil, nil
}

func uploadArtifact(j *job, with map[string]string) (map[string]string, error) {
	path := j.at(with["path"])
	hidden := with["include-hidden-files"] == "true"
	all, err := files(path, hidden)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 || !hidden && strings.HasPrefix(filepath.Base(path), ".") {
		if with["if-no-files-found"] == "error" {
			return nil, fmt.Errorf("no files were found at %s", with["path"])
		}
		return nil, nil
	}
	for rel, f := range all {
		all[rel] = file{f.data, 0o644} // modes are not kept
	}
	j.site.artifacts = slices.DeleteFunc(j.site.artifacts, func(a *artifact) bool {
		return a.run == j.run && a.name == with["name"] && with["overwrite"] == "true"
	})
	j.site.artifacts = append(j.site.artifacts, &artifact{
		name: with["name"], run: j.run, branch: j.branch(), repo: repositoryID, created: len(j.site.artifacts), files: all,
	})
	return nil, nil
}

// branch is the one that the run's commit is on.
func (j *job) branch() string {
	if j.ev.name == "pull_request" {
		return "a-branch"
	}
	return j.ev.refName()
}

func downloadArtifact(j *job, with map[string]string) (map[string]string, error) {
	if allowed := j.site.permissions[with["github-token"]]; allowed["actions"] == "" {
		return nil, errors.New("Resource not accessible by integration") //nolint:staticcheck // GitHub's own words
	}
	for _, a := range j.site.artifacts {
		if a.name == with["name"] && strconv.FormatInt(a.run, 10) == with["run-id"] && !a.expired {
			return nil, write(j.at(with["path"]), a.files)
		}
	}
	return nil, fmt.Errorf("artifact not found for name: %s in run %s", with["name"], with["run-id"])
}
