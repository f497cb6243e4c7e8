package report

import (
	"net/url"
	"regexp"
	"strings"
)

// mdLink makes a link of a web address; anything else is shown as something to type.
func mdLink(link string) string {
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || len(link) > 500 {
		return mdCode(short(link, 300))
	}
	return "[" + mdCode(short(u.Host+u.Path, 80)) + "](<" + strings.NewReplacer("<", "%3C", ">", "%3E", "\\", "%5C").Replace(u.String()) + ">)"
}

var backticks = regexp.MustCompile("`+")

// fenced puts lines into a code block whose fence is longer than any inside.
func fenced(lines []string) string {
	text := strings.Join(lines, "\n")
	fence := "```"
	for _, run := range backticks.FindAllString(text, -1) {
		if len(run) >= len(fence) {
			fence = run + "`"
		}
	}
	return fence + "diff\n" + strings.TrimRight(text, "\n") + "\n" + fence + "\n"
}

// mdCode makes s a code span, in which nothing has a meaning: no mark-up, no HTML,
// no mention, no reference to an issue.
func mdCode(s string) string {
	if s == "" {
		return ""
	}
	fence := "`"
	for _, run := range backticks.FindAllString(s, -1) {
		if len(run) >= len(fence) {
			fence = run + "`"
		}
	}
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return fence + s + fence
}

// harmless is a word that has no meaning in any Markdown.
var harmless = regexp.MustCompile(`^[\p{L}\p{N}'".,;:…–→│/()-]+$`)

// mdText makes a sentence fit for Markdown: each word that could mean anything but
// itself becomes a code span.
func mdText(s string) string {
	words := strings.Split(s, " ")
	for i, w := range words {
		core := strings.TrimRight(strings.TrimLeft(w, `("'`), `.,;:!?)"'`)
		if core == "" || harmless.MatchString(core) && !strings.Contains(core, "//") &&
			!strings.Contains(strings.ToLower(core), "www.") && strings.Count(w, ":") < 2 {
			continue
		}
		at := strings.Index(w, core)
		words[i] = w[:at] + mdCode(core) + w[at+len(core):]
	}
	return strings.Join(words, " ")
}
