package auth0sim

import (
	"net/http"
	"strings"
)

// Encode is encode.
func Encode(v any) []byte { return encode(v) }

// Served lists every operation, as "GET /clients/{id}".
func Served() []string { return sortedKeys(served) }

// Pattern is the operation that serves a method and path, "" if none does.
func Pattern(method, path string) string {
	r, _ := find(method, strings.TrimPrefix(path, "/api/v2/"))
	if r == nil || method == http.MethodHead {
		return ""
	}
	return method + " /" + strings.Join(r.segments, "/")
}
