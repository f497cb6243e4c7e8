package report

import (
	"io"
	"strings"

	"github.com/ecplan/ecplan/pkg/express"
)

// MailsFormat is the version of the JSON form of letters.
const MailsFormat = "ecplan/handoff/v1"

type mailsFile struct {
	Format  string         `json:"format"`
	Letters []express.Mail `json:"letters"`
}

// Mails shows letters to Okta as text, ready to be copied, or as JSON.
func Mails(w io.Writer, mails []express.Mail, o Options) error {
	switch o.Format {
	case Text, "":
	case JSON:
		return writeJSON(w, mailsFile{MailsFormat, mails})
	default:
		return unknownFormat("a letter", o.Format, Text, JSON)
	}
	t := newTextWriter(o)
	for i, m := range mails {
		if i > 0 {
			t.newline()
		}
		for _, h := range [][2]string{{"From", m.From}, {"To", m.To}, {"Subject", m.Subject}} {
			if h[1] != "" {
				t.out.WriteString(t.bold(h[0]+":") + " " + visible(h[1]) + "\n")
			}
		}
		t.newline()
		for l := range strings.SplitSeq(strings.TrimRight(m.Body, "\n"), "\n") {
			t.out.WriteString(visible(l) + "\n") // never wrapped: it is there to be copied
		}
		t.newline()
		t.prose(0, "", "Before you send it:", t.bold)
		for _, n := range m.BeforeSending {
			t.prose(2, "- ", short(n, maxSentence), nil)
		}
	}
	_, err := io.WriteString(w, t.out.String())
	return err
}
