//go:build unix

package main

import (
	"fmt"
	"math"
	"strings"
)

// The chart's measures, in its own units.
const (
	panelWidth, panelHeight = 400.0, 240.0
	margin                  = 56.0
)

// line is one command's times.
type line struct {
	name, color, dash string
	x, y              []float64
}

// chart draws two panels: time by tenants, and time by resources.
func (r *Results) chart() string {
	var b strings.Builder
	width, height := 2*(panelWidth+margin)+margin, panelHeight+2*margin+20
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%.0f" height="%.0f" fill="#ffffff"/>`+"\n", width, height)
	const blue, orange, grey = "#1f5fbf", "#c85a00", "#777777"
	left := []line{{name: "plan", color: blue}, {name: "apply", color: orange}, {name: "apply: the computing alone", color: grey, dash: "4 3"}}
	for _, row := range r.Rows {
		if row.Section != "tenants" {
			continue
		}
		switch row.Command {
		case "plan":
			left[0].add(float64(row.Tenants), row.Seconds)
		case "apply":
			left[1].add(float64(row.Tenants), row.Seconds)
			left[2].add(float64(row.Tenants), row.bound(r.Machine.Cores))
		}
	}
	panel(&b, margin, "seconds by tenants (50 ms latency, no limits)", left)
	right := []line{{name: "plan", color: blue}, {name: "plan without changes", color: grey, dash: "4 3"}}
	for _, row := range r.Rows {
		if row.Section != "resources" {
			continue
		}
		switch row.Command {
		case "plan":
			right[0].add(float64(row.Resources), row.Seconds)
		case "plan without changes":
			right[1].add(float64(row.Resources), row.Seconds)
		}
	}
	panel(&b, 2*margin+panelWidth, "seconds by resources (one tenant, no latency)", right)
	b.WriteString("</svg>\n")
	return b.String()
}

func (l *line) add(x, y float64) { l.x, l.y = append(l.x, x), append(l.y, y) }

// panel draws lines over both axes from zero.
func panel(b *strings.Builder, left float64, title string, lines []line) {
	mostX, mostY := 1.0, 0.1
	for _, l := range lines {
		for i := range l.x {
			mostX, mostY = max(mostX, l.x[i]), max(mostY, l.y[i])
		}
	}
	step := tick(mostY)
	mostY = math.Ceil(mostY/step) * step
	bottom := margin + panelHeight
	atX := func(x float64) float64 { return left + x/mostX*panelWidth }
	atY := func(y float64) float64 { return bottom - y/mostY*panelHeight }
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" font-size="14" font-weight="bold">%s</text>`+"\n", left, margin-20, title)
	for y := 0.0; y <= mostY+step/2; y += step {
		fmt.Fprintf(b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#dddddd"/><text x="%.1f" y="%.1f" text-anchor="end">%s</text>`+"\n",
			left, atY(y), left+panelWidth, atY(y), left-6, atY(y)+4, number(math.Round(y*100)/100))
	}
	seen := map[string]bool{}
	last := math.Inf(-1)
	for _, l := range lines {
		for _, x := range l.x {
			label := number(x)
			if !seen[label] && math.Abs(atX(x)-last) > 24 {
				fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`+"\n", atX(x), bottom+18, label)
				last = atX(x)
			}
			seen[label] = true
		}
	}
	for i, l := range lines {
		var points []string
		for j := range l.x {
			points = append(points, fmt.Sprintf("%.1f,%.1f", atX(l.x[j]), atY(l.y[j])))
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", atX(l.x[j]), atY(l.y[j]), l.color)
		}
		fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2" stroke-dasharray="%s"/>`+"\n", strings.Join(points, " "), l.color, l.dash)
		y := bottom + 40 + 16*float64(i/2)
		x := left + float64(i%2)*150
		fmt.Fprintf(b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="2" stroke-dasharray="%s"/><text x="%.1f" y="%.1f">%s</text>`+"\n",
			x, y, x+20, y, l.color, l.dash, x+26, y+4, l.name)
	}
}

// tick is a round distance between the lines of an axis, of which there are some five.
func tick(most float64) float64 {
	raw := most / 5
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, n := range []float64{1, 2, 5, 10} {
		if n*power >= raw {
			return n * power
		}
	}
	return raw
}
