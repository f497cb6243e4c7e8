package report

import "strings"

// notes lists the errors and the notices that nobody has acknowledged.
func (m *markdownWriter) notes(d *document) {
	any := false
	add := func(s string) {
		if m.fits(s, noticeShare) {
			any = true
		} else {
			m.notices++
		}
	}
	for i := range d.Sections {
		s := &d.Sections[i]
		if len(s.Error) > 0 {
			add("- ❌ " + mdTenants(s, 5) + ": " + mdText(strings.ReplaceAll(strings.Join(s.Error, " "), bar, "")) + "\n")
		}
	}
	notice := func(n *card, on string) {
		line := "- " + map[bool]string{true: "❌", false: "⚠️"}[n.Class == "refusal"] + " **" + mdText(n.Title) + "**"
		if n.Aside != "" {
			line += " " + mdCode(n.Aside)
		}
		add(line + on + ":" + noticeText(n) + "\n")
	}
	for i := range d.Sections {
		s := &d.Sections[i]
		for _, n := range s.Notices {
			if n.Urgent() {
				notice(&n, " on "+mdTenants(s, 5))
			}
		}
	}
	for _, n := range d.Notices {
		if n.Urgent() {
			notice(&n, "")
		}
	}
	if any {
		m.out.WriteString("\n")
	}
}

// quiet lists those notices that nobody has to look at, as far as there is room.
func (m *markdownWriter) quiet(notices []card) []string {
	var out []string
	n := 0
	for _, x := range notices {
		if x.Urgent() {
			continue
		}
		text := mdText(x.Verb) + " **" + mdText(x.Title) + "**"
		if x.Aside != "" {
			text += " " + mdCode(x.Aside)
		}
		text += ":" + noticeText(&x)
		if n += len(text); n > 2000 || m.out.Len()+len(text) > m.budget-footer {
			m.notices++
			continue
		}
		out = append(out, text)
	}
	return out
}

func noticeText(n *card) string {
	out := ""
	for _, l := range n.Lines {
		if l.Label != "" {
			out += " " + strings.TrimSuffix(sentence(l.Label), ".") + ":"
		}
		out += " " + mdText(strings.TrimPrefix(l.Text, bar)) + stop(l.Text)
	}
	return out
}
