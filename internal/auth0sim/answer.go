package auth0sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
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

// encode writes JSON as Node does: without escaping <, > and &.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("auth0sim: " + err.Error()) // the state is JSON
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
