package report

import (
	"bytes"
	"cmp"
	"context"
	"image/png"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// chromium finds a browser, or skips.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("SKIPPED: there is no Chromium here, so the HTML is not opened in a browser (Debian: apt-get install chromium)")
	return ""
}

// browse opens a page and returns what the browser prints. A message on the console
// is an error.
func browse(t *testing.T, browser, page string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	args = append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--hide-scrollbars", "--enable-logging=stderr", "--user-data-dir=" + t.TempDir(),
	}, args...)
	cmd := exec.CommandContext(ctx, browser, append(args, (&url.URL{Scheme: "file", Path: page}).String())...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", browser, err, stderr.String())
	}
	for l := range strings.SplitSeq(stderr.String(), "\n") {
		if strings.Contains(l, "CONSOLE") {
			t.Errorf("on the console: %s", l)
		}
	}
	return stdout.String()
}

// TestPageInBrowser opens pages in headless Chromium: nothing is complained of on the
// console, the script runs, hostile content does nothing, and light and dark differ.
// With ECPLAN_SCREENSHOTS set to a folder there are pictures of every page in light,
// dark, wide and narrow in it afterwards, to be looked at.
func TestPageInBrowser(t *testing.T) {
	browser := chromium(t)
	keep := os.Getenv("ECPLAN_SCREENSHOTS")
	pages := map[string]func(*bytes.Buffer) error{
		"forty": func(w *bytes.Buffer) error { return Plan(w, scene(t, "forty"), Options{Format: HTML}) },
		"hostile": func(w *bytes.Buffer) error {
			s := hostile["html"] + hostile["bidi"] + hostile["template"]
			return Plan(w, everywhere(t, s), Options{Format: HTML, Title: s})
		},
	}
	if keep != "" {
		for name, p := range scenes(t) {
			pages[name] = func(w *bytes.Buffer) error { return Plan(w, p, Options{Format: HTML}) }
		}
		for name, r := range runScenes(t) {
			pages["run-"+name] = func(w *bytes.Buffer) error { return Run(w, r, Options{Format: HTML}) }
		}
	}
	for name, write := range pages {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), name+".html")
			if err := os.WriteFile(file, []byte(show(t, write)), 0o600); err != nil {
				t.Fatal(err)
			}
			dom := browse(t, browser, file, "--dump-dom")
			if strings.Contains(dom, `id="filter" hidden`) || !strings.Contains(dom, `id="filter"`) {
				t.Error("the script did not run")
			}
			if n := strings.Count(dom, "<script"); n != 1 {
				t.Errorf("the page has %d scripts", n)
			}
			looks := []string{}
			if name == "forty" {
				looks = []string{"light-wide", "dark-narrow"}
			}
			if keep != "" {
				looks = []string{"light-wide", "dark-narrow", "light-narrow", "dark-wide"}
			}
			for _, look := range looks {
				shot := filepath.Join(cmp.Or(keep, t.TempDir()), name+"-"+look+".png")
				args := []string{"--screenshot=" + shot, "--window-size=1280,1600"}
				if strings.HasSuffix(look, "narrow") {
					args[1] = "--window-size=500,1600"
				}
				dark := strings.HasPrefix(look, "dark")
				if dark {
					args = append(args, "--force-dark-mode", "--blink-settings=preferredColorScheme=0")
				}
				browse(t, browser, file, args...)
				if b := brightness(t, shot); dark && b > 0.3 || !dark && b < 0.7 {
					t.Errorf("%s has a brightness of %.2f", look, b)
				}
			}
		})
	}
}

// brightness is the mean of a picture, 0 black to 1 white.
func brightness(t *testing.T, file string) float64 {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	var sum, n float64
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y += 5 {
		for x := b.Min.X; x < b.Max.X; x += 5 {
			r, g, bl, _ := img.At(x, y).RGBA()
			sum += float64(r+g+bl) / (3 * 0xffff)
			n++
		}
	}
	return sum / n
}
