package planner

import (
	"bytes"
	"fmt"
	"unicode"
	"unicode/utf16"
)

// Printable reports whether people see r where it stands. It leaves out what Unicode
// calls printable but nobody sees.
func Printable(r rune) bool {
	return unicode.IsPrint(r) && r != '\u2800' && // a braille pattern without dots
		!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Escape returns JSON in which what does not print is escaped: whoever looks at it sees
// everything, and whoever parses it gets the same value.
func Escape(b []byte) []byte {
	if !bytes.ContainsFunc(b, hidden) {
		return b
	}
	var out bytes.Buffer
	for _, r := range string(b) {
		switch {
		case !hidden(r):
			out.WriteRune(r)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.Bytes()
}

func hidden(r rune) bool { return (r < ' ' || r > '~') && r != '\n' && !Printable(r) }
