package report

import (
	"errors"
	"io"
)

func writeMarkdown(io.Writer, *document, Options) error {
	return errors.New("Markdown is not there yet; the formats are text, json, junit and sarif")
}
