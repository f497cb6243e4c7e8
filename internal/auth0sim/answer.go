package auth0sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
)

// answer is what a handler says: a status and a JSON body (nil: none).
type answer struct {
	status int
	body   any
	header http.Header

	encoded []byte // body as JSON
}

// The successful answers.
func ok(body any) answer      { return answer{status: http.StatusOK, body: body} }
func created(body any) answer { return answer{status: http.StatusCreated, body: body} }
func noContent() answer       { return answer{status: http.StatusNoContent} }

// failure is Auth0's error envelope (facts §3.0): errorCode is left out where the
// service behind an endpoint has none.
func failure(status int, code, format string, args ...any) answer {
	body := obj{"statusCode": status, "error": http.StatusText(status), "message": fmt.Sprintf(format, args...)}
	if code != "" {
		body["errorCode"] = code
	}
	return answer{status: status, body: body}
}

func badRequest(code, format string, args ...any) answer {
	return failure(http.StatusBadRequest, code, format, args...)
}

// unknownPath is how Auth0 answers a path or method that does not exist: hapi's own
// 404 (REC-tf DataSCIMConfiguration shows it below a connection).
func unknownPath() answer { return failure(http.StatusNotFound, "", "Not Found") }

// tooMany is a 403 over a tenant's limit (facts §3.0, several public reports).
func tooMany() answer {
	return failure(http.StatusForbidden, "too_many_entities", "You reached the limit of entities of this type for this tenant.")
}

// encode writes JSON as Node does: without escaping <, > and &. Keys are sorted.
func encode(v any) []byte { return appendJSON(make([]byte, 0, 1024), v) }

// appendJSON is what encoding/json does for the few types that answers are made of,
// at half the cost; anything else it leaves to encoding/json.
func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1e15 {
			return strconv.AppendInt(b, int64(v), 10)
		}
	case string:
		if plainASCII(v) {
			return append(append(append(b, '"'), v...), '"')
		}
	case obj:
		if v == nil {
			return append(b, "null"...)
		}
		keys := make([]string, 0, 32)
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		b = append(b, '{')
		for i, k := range keys {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendJSON(b, k), ':')
			b = appendJSON(b, v[k])
		}
		return append(b, '}')
	case []any:
		return appendList(b, v)
	case []obj:
		return appendList(b, v)
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("auth0sim: " + err.Error()) // the state is JSON
	}
	return append(b, bytes.TrimSuffix(out.Bytes(), []byte("\n"))...)
}

func appendList[T any](b []byte, all []T) []byte {
	if all == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i, x := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSON(b, x)
	}
	return append(b, ']')
}

// plainASCII says whether a string needs no escape.
func plainASCII(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x7f {
			return false
		}
	}
	return true
}
