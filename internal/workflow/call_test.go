package workflow

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

// call changes a tenant behind ecplan's back.
func call(t *testing.T, sim *auth0sim.Server, method, path, body string) {
	t.Helper()
	send := func(method, url, token, body string) string {
		r := httptest.NewRequest(method, sim.URL()+url, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		sim.Handler().ServeHTTP(w, r)
		if w.Code >= http.StatusBadRequest {
			t.Fatalf("%s %s: %d %s", method, url, w.Code, w.Body)
		}
		return w.Body.String()
	}
	answer := send(http.MethodPost, "/oauth/token", "", `{"grant_type": "client_credentials", "client_id": "`+writerID+`", "client_secret": "`+
		writerSecret+`", "audience": "https://`+sim.Domain()+`/api/v2/"}`)
	_, token, _ := strings.Cut(answer, `"access_token":"`)
	token, _, _ = strings.Cut(token, `"`)
	send(method, "/api/v2/"+path, token, body)
}
