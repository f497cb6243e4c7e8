package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// A line is a JSON object whose first member is the checksum of all that follows it
// on the line, chained to the checksum of the line before:
//
//	{"sum":"<64 hex digits>","seq":2,"time":…}
//
// So a line can't be changed, moved, dropped from the middle or taken from another
// journal without being noticed.
const (
	sumOpen   = `{"sum":"`
	sumClose  = `",`
	sumDigits = 2 * sha256.Size
	sumAll    = len(sumOpen) + sumDigits + len(sumClose)
)

// maxLine bounds a line, newline included; a longer one is damage, not a record.
const maxLine = 4 << 20

// encode gives r's line without newline, and its checksum.
func encode(r Record, prev string) (line []byte, sum string, err error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, "", fmt.Errorf("encoding record %d: %w", r.Seq, err)
	}
	if len(b)+sumAll >= maxLine {
		return nil, "", fmt.Errorf("encoding record %d (%s %s): %d bytes are more than the %d that a record may have", r.Seq, r.Type, r.Step, len(b), maxLine)
	}
	sum = checksum(prev, b[1:])
	return append([]byte(sumOpen+sum+sumClose), b[1:]...), sum, nil
}

// decode checks a line, given without newline, and reads it.
func decode(line []byte, prev string) (r Record, sum string, err error) {
	if len(line) <= sumAll || string(line[:len(sumOpen)]) != sumOpen || string(line[sumAll-len(sumClose):sumAll]) != sumClose {
		return r, "", fmt.Errorf("it does not begin with a checksum")
	}
	sum = string(line[len(sumOpen) : len(sumOpen)+sumDigits])
	rest := line[sumAll:]
	if got := checksum(prev, rest); got != sum {
		return r, "", fmt.Errorf("its checksum does not fit its content and the lines before it")
	}
	d := json.NewDecoder(bytes.NewReader(append([]byte{'{'}, rest...)))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r, "", fmt.Errorf("it can't be read as a record of %s: %w", Format, err)
	}
	return r, sum, nil
}

func checksum(prev string, rest []byte) string {
	h := sha256.New()
	h.Write([]byte(prev))
	h.Write(rest)
	return hex.EncodeToString(h.Sum(nil))
}
