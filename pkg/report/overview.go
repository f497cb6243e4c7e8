package report

import "slices"

// notices writes those that want attention, or the others.
func (t *textWriter) notices(all []card, urgent bool) {
	for i := range slices.Backward(all) {
		if all[i].Urgent() == urgent {
			t.card(&all[i])
			t.newline()
		}
	}
}

// overview writes a line for each row of a table that has several.
func (t *textWriter) overview(table *table) {
	rows, same := table.split()
	if len(rows) == 0 || rows[0].Text == "" || len(table.Rows) == 1 {
		return
	}
	if same > 0 {
		t.prose(0, t.add("✓ "), count(same, "tenant")+": nothing to do", nil)
	}
	for _, r := range slices.Backward(rows) {
		mark, paint := classSign(r.Class), t.mark(classSign(r.Class))
		var textPaint func(...any) string
		switch {
		case rank(r.Class) <= rank("danger"):
			paint, textPaint = t.bad, t.bad
		case rank(r.Class) == rank("risk"):
			textPaint = t.warn
		}
		names := some(r.Tenants, 12)
		text := names + ": " + r.Text
		if len(r.Tenants) > 1 {
			text = count(len(r.Tenants), "tenant") + " (" + names + "), each: " + r.Text
		}
		t.prose(0, paint(mark+" "), text, textPaint)
	}
	t.newline()
}

func classSign(class string) string {
	switch class {
	case "error":
		return "✗"
	case "danger", "risk":
		return "!"
	case "change":
		return "~"
	}
	return "✓"
}
