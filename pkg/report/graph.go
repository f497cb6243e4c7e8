package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
)

// Chart is a graph of resources or steps: what must be there before what.
type Chart struct {
	Nodes []Node
	// Edges are pairs of indexes in Nodes: the first is needed by the second.
	Edges [][2]int
}

// Node is one resource or step.
type Node struct {
	Name string
	// Action is create, update, replace or delete; "" if nothing is planned.
	Action string
}

// Resources makes the graph of rs by what each of them needs.
func Resources(rs []*manifest.Resource) Chart {
	var c Chart
	at := map[string]int{}
	for i, r := range rs {
		at[r.Address()] = i
		c.Nodes = append(c.Nodes, Node{Name: r.Address()})
	}
	edges := planner.Edges(rs)
	for i, r := range rs {
		for _, a := range edges[r.Address()] {
			c.Edges = append(c.Edges, [2]int{at[a], i})
		}
	}
	return c
}

// Steps makes the graph of a tenant's steps by their needs.
func Steps(t *planner.TenantPlan) Chart {
	var c Chart
	at := map[string]int{}
	for i := range t.Steps {
		s := &t.Steps[i]
		at[s.ID] = i
		name := stepVerb(s) + " " + s.Address
		n := Node{Name: name, Action: "update"}
		if s.Action == kind.Create || s.Action == kind.Delete {
			n.Action = string(s.Action)
		}
		c.Nodes = append(c.Nodes, n)
	}
	for i, s := range t.Steps {
		for _, need := range s.Needs {
			if j, ok := at[need]; ok {
				c.Edges = append(c.Edges, [2]int{j, i})
			}
		}
	}
	return c
}

// Graph draws c as Mermaid or DOT.
func Graph(w io.Writer, c Chart, format string) error {
	var b strings.Builder
	switch format {
	case Mermaid, "":
		mermaid(&b, c)
	case DOT:
		dot(&b, c)
	default:
		return unknownFormat("a graph", format, Mermaid, DOT)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// nodeColors are fill and line for each action; they can be read in light and dark.
var nodeColors = []struct{ action, fill, line string }{
	{"create", "#d9f2e0", "#116329"},
	{"update", "#fbeecb", "#7a4d05"},
	{"delete", "#fbdcdf", "#a40e26"},
}

func mermaid(b *strings.Builder, c Chart) {
	b.WriteString("flowchart LR\n")
	for i, n := range c.Nodes {
		fmt.Fprintf(b, "  n%d[\"%s\"]", i, mermaidText(short(n.Name, maxName)))
		if n.Action != "" {
			b.WriteString(":::" + n.Action)
		}
		b.WriteString("\n")
	}
	for _, e := range c.Edges {
		fmt.Fprintf(b, "  n%d --> n%d\n", e[0], e[1])
	}
	for _, k := range nodeColors {
		for _, n := range c.Nodes {
			if n.Action == k.action {
				fmt.Fprintf(b, "  classDef %s fill:%s,stroke:%s,color:#1c2128\n", k.action, k.fill, k.line)
				break
			}
		}
	}
}

// mermaidText writes all but letters, digits and what names are made of as
// character codes (https://mermaid.js.org/syntax/flowchart.html#entity-codes-to-escape-characters).
func mermaidText(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune(" /._-:,", r), r > 0x7f:
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "#%d;", r)
		}
	}
	return b.String()
}

func dot(b *strings.Builder, c Chart) {
	b.WriteString("digraph ecplan {\n  rankdir=LR\n  node [shape=box, style=\"rounded,filled\", fillcolor=\"#f3f5f7\", fontname=\"sans-serif\"]\n")
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	for i, n := range c.Nodes {
		fmt.Fprintf(b, "  n%d [label=\"%s\"", i, quote.Replace(short(n.Name, maxName)))
		for _, k := range nodeColors {
			if k.action == n.Action {
				fmt.Fprintf(b, ", fillcolor=\"%s\", color=\"%s\"", k.fill, k.line)
			}
		}
		b.WriteString("]\n")
	}
	for _, e := range c.Edges {
		fmt.Fprintf(b, "  n%d -> n%d\n", e[0], e[1])
	}
	b.WriteString("}\n")
}
